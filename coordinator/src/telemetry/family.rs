//! Metrics by name, whatever they are sent as.

use super::Distribution;

/// What a metric counts in; it is the end of its name at Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    None,
    /// Time.
    Seconds,
    /// Sizes.
    Bytes,
    /// Shares of one.
    Ratio,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// It only grows.
    Counter(u64),
    /// It goes up and down.
    Gauge(f64),
    /// Latencies.
    Histogram(Distribution),
}

/// Names and values of labels.
pub type Labels = Vec<(&'static str, String)>;

/// All values of one name; they are of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// The name, without its unit and without `_total`.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    /// What it counts in.
    pub unit: Unit,
    /// Each with labels of its own; never empty.
    pub points: Vec<(Labels, Value)>,
}

impl Unit {
    /// As the end of a name; `None` for things.
    pub fn suffix(self) -> Option<&'static str> {
        match self {
            Unit::None => None,
            Unit::Seconds => Some("seconds"),
            Unit::Bytes => Some("bytes"),
            Unit::Ratio => Some("ratio"),
        }
    }
}

impl Family {
    /// Adds a counter.
    pub(super) fn count(&mut self, labels: Labels, count: u64) {
        self.points.push((labels, Value::Counter(count)));
    }

    /// Adds a gauge.
    pub(super) fn gauge(&mut self, labels: Labels, value: f64) {
        self.points.push((labels, Value::Gauge(value)));
    }
}

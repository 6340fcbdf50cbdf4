//! Metrics as Prometheus scrapes them: OpenMetrics text with classic buckets, or protobuf with native ones beside them.

use super::distribution::{BOUNDS, Distribution, SCHEMA};
use super::family::{Family, Unit, Value};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, MetricEncoder, NativeHistogram, NativeHistogramBuckets, NoLabelSet,
    prometheus_protobuf, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{self, Registry};
use std::fmt;

/// What an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    /// OpenMetrics text.
    Text,
    /// Protobuf messages, each with its length before it.
    Protobuf,
}

impl Exposition {
    /// What a scraper that sends this `accept` should get. Only those that ask for protobuf by name get it.
    pub fn wanted(accept: &str) -> Exposition {
        let protobuf = |part: &str| {
            part.contains("application/vnd.google.protobuf")
                && part.contains("io.prometheus.client.MetricFamily")
        };
        let plain = |part: &str| part.contains("text");
        // The order is that of preference, at Prometheus.
        let parts = accept.split(',');
        let first = parts.into_iter().find(|part| protobuf(part) || plain(part));
        if first.is_some_and(protobuf) { Exposition::Protobuf } else { Exposition::Text }
    }

    /// The `content-type` of it.
    pub fn content_type(self) -> &'static str {
        match self {
            Exposition::Text => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Exposition::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }

    /// The body of an answer that tells `families`.
    ///
    /// # Errors
    /// When a metric cannot be written, which would be a defect.
    pub fn encode(self, families: Vec<Family>) -> Result<Vec<u8>, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Families(families)));
        match self {
            Exposition::Text => {
                let mut body = String::new();
                text::encode(&mut body, &registry)?;
                Ok(body.into_bytes())
            }
            Exposition::Protobuf => prometheus_protobuf::encode_to_vec(&registry).map_err(|_| fmt::Error),
        }
    }
}

#[derive(Debug)]
struct Families(Vec<Family>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for family in &self.0 {
            let kind = match family.points.first() {
                Some((_, Value::Counter(_))) => MetricType::Counter,
                Some((_, Value::Gauge(_))) => MetricType::Gauge,
                Some((_, Value::Histogram(_))) => MetricType::Histogram,
                None => continue,
            };
            let unit = match family.unit {
                Unit::None => None,
                Unit::Seconds => Some(registry::Unit::Seconds),
                Unit::Bytes => Some(registry::Unit::Bytes),
                Unit::Ratio => Some(registry::Unit::Other("ratio".to_owned())),
            };
            let mut metric = encoder.encode_descriptor(family.name, family.help, unit.as_ref(), kind)?;
            for (labels, value) in &family.points {
                if labels.is_empty() {
                    encode_value(&mut metric, value)?;
                } else {
                    encode_value(&mut metric.encode_family(labels)?, value)?;
                }
            }
        }
        Ok(())
    }
}

fn encode_value(metric: &mut MetricEncoder<'_>, value: &Value) -> Result<(), fmt::Error> {
    match value {
        Value::Counter(count) => metric.encode_counter::<NoLabelSet, _, u64>(count, None),
        Value::Gauge(value) => metric.encode_gauge(value),
        Value::Histogram(distribution) => encode_distribution(metric, distribution),
    }
}

fn encode_distribution(
    metric: &mut MetricEncoder<'_>,
    distribution: &Distribution,
) -> Result<(), fmt::Error> {
    let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
    let classic: Vec<(f64, u64)> = bounds.zip(distribution.classic).collect();
    let (spans, deltas) = distribution.spans();
    let native = NativeHistogram {
        schema: SCHEMA,
        // Nothing takes less than a microsecond.
        zero_threshold: 2_f64.powi(-128),
        zero_count: 0,
        negative: NativeHistogramBuckets { spans: &[], deltas: &[] },
        positive: NativeHistogramBuckets { spans: &spans, deltas: &deltas },
        created: None,
    };
    let Distribution { sum, count, .. } = *distribution;
    metric.encode_histogram_with_native::<NoLabelSet>(sum, count, &classic, None, native)
}

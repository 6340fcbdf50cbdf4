//! The exact value that a threshold compares with.

use super::Op;
use super::metric::{Metric, Quantity};
use crate::unit::{
    Decimal, MILLIONTHS_PER_PERCENT, Rate, UnitError, parse_duration, parse_percent_millionths, parse_rate,
    quoted,
};
use std::cmp::Ordering;
use std::time::Duration;

/// A value of a threshold, exact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bound {
    /// Millionths of a percent.
    Share(u64),
    /// A latency.
    Latency(Duration),
    /// Requests per time.
    Rate(Rate),
    /// A number of requests.
    Count(u64),
}

/// The shortest and the longest latency that a [`Histogram`](crate::Histogram) tells apart.
const LATENCIES: (Duration, Duration) = (Duration::from_micros(1), Duration::from_hours(1));

impl Bound {
    /// Parses the value for `metric`.
    pub(super) fn parse(metric: Metric, text: &str) -> Result<Bound, UnitError> {
        let looks_like = quantity_of(text);
        let needed = metric.quantity();
        if looks_like.is_some_and(|quantity| quantity != needed) {
            return Err(wrong_unit(metric, text));
        }
        match needed {
            Quantity::Share => parse_percent_millionths(text).map(Bound::Share),
            Quantity::Latency => parse_duration(text).map(Bound::Latency),
            Quantity::Rate => parse_rate(text).map(Bound::Rate),
            Quantity::Count => match Decimal::parse(text) {
                Ok(Decimal { digits, scale: 0 }) => Ok(Bound::Count(digits)),
                _ => Err(wrong_unit(metric, text)),
            },
        }
    }

    /// The value in the metric's unit, for reports.
    pub(super) fn value(self) -> f64 {
        match self {
            Bound::Share(millionths) => millionths as f64 / MILLIONTHS_PER_PERCENT as f64,
            Bound::Latency(latency) => milliseconds(latency),
            Bound::Rate(rate) => rate.per_second(),
            Bound::Count(count) => count as f64,
        }
    }

    /// How two values of the same metric compare.
    pub(super) fn compare(self, other: Bound) -> Ordering {
        match (self, other) {
            (Bound::Share(this), Bound::Share(other)) | (Bound::Count(this), Bound::Count(other)) => {
                this.cmp(&other)
            }
            (Bound::Latency(this), Bound::Latency(other)) => this.cmp(&other),
            (Bound::Rate(this), Bound::Rate(other)) => {
                let scaled = u128::from(this.count) * u128::from(other.per_ns);
                scaled.cmp(&(u128::from(other.count) * u128::from(this.per_ns)))
            }
            _ => unreachable!("the bounds of one threshold are of its metric's quantity"),
        }
    }

    /// Refuses bounds that no measurement can ever meet, and latencies that are not told apart.
    pub(super) fn check_reachable(self, metric: Metric, op: Op) -> Result<(), UnitError> {
        let (lowest, highest, range) = match metric.quantity() {
            Quantity::Share => {
                let all = Bound::Share(100 * MILLIONTHS_PER_PERCENT);
                (Bound::Share(0), all, format!("{} lies between `0%` and `100%`", metric.name()))
            }
            Quantity::Latency => {
                let (shortest, longest) = LATENCIES;
                let range = "latencies are measured from `1us` to `1h`".to_owned();
                (Bound::Latency(shortest), Bound::Latency(longest), range)
            }
            Quantity::Rate => return Ok(()),
            Quantity::Count if metric == Metric::Count => {
                let range = "without requests there is no data, so count is 1 or more".to_owned();
                (Bound::Count(1), Bound::Count(u64::MAX), range)
            }
            Quantity::Count => (Bound::Count(0), Bound::Count(u64::MAX), "failures is 0 or more".to_owned()),
        };
        let (to_lowest, to_highest) = (self.compare(lowest), self.compare(highest));
        let reachable = match op {
            Op::Less => to_lowest.is_gt(),
            Op::LessOrEqual => to_lowest.is_ge(),
            Op::Greater => to_highest.is_lt(),
            Op::GreaterOrEqual => to_highest.is_le(),
            Op::Equal => to_lowest.is_ge() && to_highest.is_le(),
            Op::NotEqual => true,
        };
        // A longer latency is recorded as the longest one: a bound above it would always be met.
        if reachable && to_highest.is_le() {
            return Ok(());
        }
        let outcome = if reachable { "can never be missed" } else { "can never be met" };
        Err(UnitError::new(format!("this {outcome}"), format!("write another value: {range}")))
    }
}

/// `latency` in milliseconds, for reports.
pub(super) fn milliseconds(latency: Duration) -> f64 {
    latency.as_nanos() as f64 / 1e6
}

/// What `text` is evidently meant as; `None` if only the parser can tell what is wrong with it.
fn quantity_of(text: &str) -> Option<Quantity> {
    if text.ends_with('%') {
        Some(Quantity::Share)
    } else if text.contains('/') {
        Some(Quantity::Rate)
    } else if is_bare_number(text) {
        Some(Quantity::Count)
    } else if text.starts_with(|first: char| first.is_ascii_digit()) {
        Some(Quantity::Latency)
    } else {
        None
    }
}

fn is_bare_number(text: &str) -> bool {
    Decimal::parse(text).is_ok()
}

fn wrong_unit(metric: Metric, text: &str) -> UnitError {
    let name = metric.name();
    let bare = is_bare_number(text);
    let example = metric.example_comparison().1.to_owned();
    let (needs, instead) = match metric.quantity() {
        Quantity::Share if bare => return share_without_unit(&name, text),
        Quantity::Share => ("a percentage", example),
        Quantity::Latency if bare => ("a latency", format!("{text}ms")),
        Quantity::Latency => ("a latency", example),
        Quantity::Rate if bare => ("requests per time", format!("{text}/s")),
        Quantity::Rate => ("requests per time", example),
        Quantity::Count => ("a whole number", example),
    };
    let text = quoted(text);
    UnitError::new(format!("{name} is {needs}, {text} is not"), format!("write `{instead}`, not {text}"))
}

/// `0.99` and `99` both mean 99 %; the parser of percentages knows what to suggest.
fn share_without_unit(name: &str, text: &str) -> UnitError {
    let remedy = match parse_percent_millionths(text) {
        Err(error) => error.remedy,
        Ok(_) => unreachable!("a bare number is not a percentage"),
    };
    UnitError::new(format!("{name} is a percentage, {} is not", quoted(text)), remedy)
}

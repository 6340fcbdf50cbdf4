//! What a threshold looks at.

use crate::Percentile;
use crate::unit::{UnitError, quoted};

/// What a threshold looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Share of requests that succeeded.
    SuccessRate,
    /// Share of requests that failed.
    ErrorRate,
    /// Smallest latency.
    Min,
    /// Mean latency.
    Mean,
    /// A latency percentile: `p50 p90 p95 p99 p99.9`, any number of up to three decimals.
    Latency(Percentile),
    /// Largest latency.
    Max,
    /// Requests per time.
    Rate,
    /// Requests.
    Count,
    /// Failed requests.
    Failures,
}

/// What a metric is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantity {
    /// A percentage of the requests.
    Share,
    /// A duration.
    Latency,
    /// Requests per time.
    Rate,
    /// A whole number of requests.
    Count,
}

const METRICS: &str = "`success_rate`, `error_rate`, `min`, `mean`, `p50` (any percentile, as in `p99.9`), \
                       `max`, `rate`, `count` or `failures`";

const NAMES: [&str; 13] = [
    "success_rate",
    "error_rate",
    "min",
    "mean",
    "max",
    "rate",
    "count",
    "failures",
    "p50",
    "p90",
    "p95",
    "p99",
    "p99.9",
];

/// What other load testers call our metrics.
const ALIASES: [(&str, &str); 18] = [
    ("avg", "mean"),
    ("average", "mean"),
    ("med", "p50"),
    ("median", "p50"),
    ("latency", "p95"),
    ("response_time", "p95"),
    ("success", "success_rate"),
    ("availability", "success_rate"),
    ("error", "error_rate"),
    ("failure_rate", "error_rate"),
    ("fail_rate", "error_rate"),
    ("fail_ratio", "error_rate"),
    ("http_req_failed", "error_rate"),
    ("rps", "rate"),
    ("qps", "rate"),
    ("throughput", "rate"),
    ("requests", "count"),
    ("errors", "failures"),
];

impl Metric {
    /// `"%"`, `"ms"`, `"/s"` or `""` (a count).
    pub fn unit(self) -> &'static str {
        match self.quantity() {
            Quantity::Share => "%",
            Quantity::Latency => "ms",
            Quantity::Rate => "/s",
            Quantity::Count => "",
        }
    }

    /// As written in a plan: `success_rate`, `p95`, ...
    pub fn name(self) -> String {
        let name = match self {
            Metric::SuccessRate => "success_rate",
            Metric::ErrorRate => "error_rate",
            Metric::Min => "min",
            Metric::Mean => "mean",
            Metric::Latency(percentile) => return percentile.to_string(),
            Metric::Max => "max",
            Metric::Rate => "rate",
            Metric::Count => "count",
            Metric::Failures => "failures",
        };
        name.to_owned()
    }

    pub(super) fn quantity(self) -> Quantity {
        match self {
            Metric::SuccessRate | Metric::ErrorRate => Quantity::Share,
            Metric::Min | Metric::Mean | Metric::Latency(_) | Metric::Max => Quantity::Latency,
            Metric::Rate => Quantity::Rate,
            Metric::Count | Metric::Failures => Quantity::Count,
        }
    }

    pub(super) fn parse(word: &str) -> Result<Metric, UnitError> {
        Ok(match word {
            "success_rate" => Metric::SuccessRate,
            "error_rate" => Metric::ErrorRate,
            "min" => Metric::Min,
            "mean" => Metric::Mean,
            "max" => Metric::Max,
            "rate" => Metric::Rate,
            "count" => Metric::Count,
            "failures" => Metric::Failures,
            _ if word.starts_with('p') && word[1..].starts_with(|next: char| next.is_ascii_digit()) => {
                Metric::Latency(Percentile::parse(word)?)
            }
            _ => return Err(unknown(word)),
        })
    }

    /// A sentence that shows how the metric is used.
    pub(super) fn example(self) -> String {
        let (op, value) = self.example_comparison();
        format!("{} {op} {value}", self.name())
    }

    /// A comparison that makes sense for the metric.
    pub(super) fn example_comparison(self) -> (&'static str, &'static str) {
        match self {
            Metric::SuccessRate => (">=", "99%"),
            Metric::ErrorRate => ("<=", "1%"),
            Metric::Min | Metric::Mean | Metric::Latency(_) | Metric::Max => ("<=", "200ms"),
            Metric::Rate => (">=", "10/s"),
            Metric::Count => (">=", "1000"),
            Metric::Failures => ("<=", "10"),
        }
    }
}

fn unknown(word: &str) -> UnitError {
    let problem = format!("{} is not a metric", quoted(word));
    let remedy = match meant(word) {
        Some(name) => format!("did you mean `{name}`? Metrics are {METRICS}"),
        None => format!("use one of {METRICS}"),
    };
    UnitError::new(problem, remedy)
}

/// The metric that `word` most likely stands for.
fn meant(word: &str) -> Option<String> {
    // Longer words are no misspelling, and comparing them would cost their length squared.
    if word.len() > 40 {
        return None;
    }
    let plain: String = word.to_lowercase().replace(['(', ')'], "").replace(['-', ' '], "_");
    if plain != word && Metric::parse(&plain).is_ok() {
        return Some(plain);
    }
    if let Some((_, name)) = ALIASES.iter().find(|(alias, _)| *alias == plain) {
        return Some((*name).to_owned());
    }
    let distances = NAMES.iter().map(|name| (strsim::damerau_levenshtein(&plain, name), name));
    let (distance, name) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance * 3 <= name.len()).then(|| (*name).to_owned())
}

//! Metrics as OTLP has them, sent to a collector over HTTP.

use super::board::Board;
use super::distribution::{BOUNDS, Distribution, SCHEMA};
use super::families::{About, Moment, families};
use super::family::{Family, Labels, Unit, Value};
use crate::report::escape::{escape, fit};
use crate::settings::{OtlpConfig, OtlpHistograms};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// From one export to the next.
const EVERY: Duration = Duration::from_secs(10);

/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Most bytes of an answer that are read.
const MAX_ANSWER: usize = 64 << 10;

/// Sends metrics to a collector.
#[derive(Debug)]
pub(super) struct Exporter {
    board: Arc<Board>,
    config: OtlpConfig,
    client: reqwest::Client,
    sent: AtomicU64,
    failed: AtomicU64,
}

impl Exporter {
    /// # Errors
    /// When this machine has no certificates to trust, say.
    pub(super) fn new(config: &OtlpConfig, board: Arc<Board>) -> Result<Exporter, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in &config.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(mut value)) = (name, HeaderValue::from_str(value)) {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .build()
            .map_err(|error| format!("--otlp-endpoint: {}", reason(&error)))?;
        let (sent, failed) = Default::default();
        Ok(Exporter { board, config: config.clone(), client, sent, failed })
    }

    /// Sends them again and again; `note` hears of the first failure, and when it is over.
    pub(super) async fn run(self: Arc<Exporter>, note: impl Fn(&str)) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut fails = false;
        loop {
            ticks.tick().await;
            let Some(moment) = self.board.ask().await else { continue };
            let (sent, url) = (self.send(moment).await, &self.config.url);
            match &sent {
                Ok(()) if fails => note(&format!("metrics arrive at {url} again")),
                Err(why) if !fails => note(&format!(
                    "warning: metrics do not arrive at {url} (--otlp-endpoint): {why}; the run goes on, and the next ones hold \
                     these, too"
                )),
                _ => {}
            }
            fails = sent.is_err();
        }
    }

    /// Sends how the run ended; gives what a person should know.
    pub(super) async fn finish(&self) -> Option<String> {
        let moment = self.board.last()?;
        let (last, url) = (self.send(moment).await, &self.config.url);
        let (sent, failed) = (self.sent.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed));
        match last {
            Err(why) => {
                Some(format!("warning: the last metrics did not arrive at {url} (--otlp-endpoint): {why}"))
            }
            Ok(()) if failed > 0 => Some(format!(
                "metrics arrived at {url} {sent} times, and {failed} times they did not; the last did"
            )),
            Ok(()) => None,
        }
    }

    async fn send(&self, moment: Arc<Moment>) -> Result<(), String> {
        let (board, histograms) = (self.board.clone(), self.config.histograms);
        let now = jiff::Timestamp::now().as_nanosecond();
        // A large plan has megabytes of it; the fleet shares this thread.
        let encoded = tokio::task::spawn_blocking(move || {
            request(board.about(), &moment, u64::try_from(now).unwrap_or_default(), histograms)
                .encode_to_vec()
        });
        let sent = match encoded.await {
            Ok(body) => self.post(body).await,
            Err(_) => Err("they cannot be written".to_owned()),
        };
        let counter = if sent.is_ok() { &self.sent } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        sent
    }

    async fn post(&self, body: Vec<u8>) -> Result<(), String> {
        let sent = self.client.post(self.config.url.clone()).body(body).send().await;
        let mut answer = sent.map_err(|error| reason(&error))?;
        if !answer.status().is_success() {
            return Err(format!("the answer is HTTP {}", answer.status().as_u16()));
        }
        let mut told = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| reason(&error))? {
            if told.len() + chunk.len() > MAX_ANSWER {
                return Ok(());
            }
            told.extend_from_slice(&chunk);
        }
        match ExportMetricsServiceResponse::decode(&told[..]) {
            Ok(ExportMetricsServiceResponse { partial_success: Some(part) })
                if part.rejected_data_points > 0 =>
            {
                let (rejected, why) = (part.rejected_data_points, escape(&part.error_message));
                Err(format!("{rejected} of their values are refused: {}", fit(&why, 200)))
            }
            _ => Ok(()),
        }
    }
}

/// Why there was no answer; without the URL, which is told beside it.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", PATIENCE.as_secs());
    }
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// All metrics of a run, as they are sent at `now`, in nanoseconds since 1970.
pub fn request(
    about: &About,
    moment: &Moment,
    now: u64,
    histograms: OtlpHistograms,
) -> ExportMetricsServiceRequest {
    let times =
        Times { start: moment.start.map_or(now, |start| start.saturating_mul(1_000_000)).min(now), now };
    let metrics =
        families(about, moment).into_iter().map(|family| metric(family, times, histograms)).collect();
    let version = env!("CARGO_PKG_VERSION");
    let attributes =
        [("service.name", "muster"), ("service.instance.id", &about.run_id), ("service.version", version)];
    let scope = InstrumentationScope {
        name: "muster".to_owned(),
        version: version.to_owned(),
        ..InstrumentationScope::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource {
                attributes: attributes.map(|(key, value)| attribute(key, value)).into(),
                ..Resource::default()
            }),
            scope_metrics: vec![ScopeMetrics { scope: Some(scope), metrics, ..ScopeMetrics::default() }],
            ..ResourceMetrics::default()
        }],
    }
}

/// From when values are counted, and to when.
#[derive(Clone, Copy)]
struct Times {
    start: u64,
    now: u64,
}

fn metric(family: Family, times: Times, histograms: OtlpHistograms) -> Metric {
    let unit = match family.unit {
        Unit::None => "",
        Unit::Seconds => "s",
        Unit::Bytes => "By",
        Unit::Ratio => "1",
    };
    let cumulative = AggregationTemporality::Cumulative.into();
    let (name, description) = (family.name.to_owned(), family.help.to_owned());
    let (mut numbers, mut explicit, mut exponential) = (Vec::new(), Vec::new(), Vec::new());
    let mut counts = false;
    for (labels, value) in family.points {
        match value {
            Value::Counter(count) => {
                counts = true;
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                numbers.push(number(&labels, Number::AsInt(count), times));
            }
            Value::Gauge(value) => numbers.push(number(&labels, Number::AsDouble(value), times)),
            Value::Histogram(distribution) => match histograms {
                OtlpHistograms::Explicit => explicit.push(explicit_point(&labels, &distribution, times)),
                OtlpHistograms::Exponential => {
                    exponential.push(exponential_point(&labels, &distribution, times));
                }
            },
        }
    }
    let data = if !explicit.is_empty() {
        Data::Histogram(Histogram { data_points: explicit, aggregation_temporality: cumulative })
    } else if !exponential.is_empty() {
        Data::ExponentialHistogram(ExponentialHistogram {
            data_points: exponential,
            aggregation_temporality: cumulative,
        })
    } else if counts {
        Data::Sum(Sum { data_points: numbers, aggregation_temporality: cumulative, is_monotonic: true })
    } else {
        Data::Gauge(Gauge { data_points: numbers })
    };
    Metric { name, description, unit: unit.to_owned(), data: Some(data), ..Metric::default() }
}

fn number(labels: &Labels, value: Number, times: Times) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes(labels),
        start_time_unix_nano: times.start,
        time_unix_nano: times.now,
        value: Some(value),
        ..NumberDataPoint::default()
    }
}

fn explicit_point(labels: &Labels, distribution: &Distribution, times: Times) -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: attributes(labels),
        start_time_unix_nano: times.start,
        time_unix_nano: times.now,
        count: distribution.count,
        sum: Some(distribution.sum),
        bucket_counts: distribution.classic.into(),
        explicit_bounds: BOUNDS.into(),
        ..HistogramDataPoint::default()
    }
}

/// Bucket `i` begins at 2^(i/8) seconds here, and ends there at Prometheus.
fn exponential_point(
    labels: &Labels,
    distribution: &Distribution,
    times: Times,
) -> ExponentialHistogramDataPoint {
    let first = distribution.native.first().map_or(0, |(index, _)| *index);
    let mut counts = Vec::new();
    for (index, count) in &distribution.native {
        counts.resize(usize::try_from(index - first).unwrap_or_default(), 0);
        counts.push(*count);
    }
    ExponentialHistogramDataPoint {
        attributes: attributes(labels),
        start_time_unix_nano: times.start,
        time_unix_nano: times.now,
        count: distribution.count,
        sum: Some(distribution.sum),
        scale: SCHEMA,
        positive: Some(Buckets { offset: first - 1, bucket_counts: counts }),
        ..ExponentialHistogramDataPoint::default()
    }
}

fn attributes(labels: &Labels) -> Vec<KeyValue> {
    labels.iter().map(|(key, value)| attribute(key, value)).collect()
}

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

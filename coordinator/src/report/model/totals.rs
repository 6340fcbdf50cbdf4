//! What some requests add up to.

use super::{EncodedHistogram, LatencyIntervals};
use serde::{Deserialize, Serialize};

/// What some requests add up to.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Totals {
    /// Requests with a result.
    pub requests: u64,
    /// Those that failed.
    pub failures: u64,
    /// Share that succeeded, from 0 to 1.
    pub success_rate: Option<f64>,
    /// Requests per second over the measured time.
    pub rps: Option<f64>,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// WebSocket messages sent; left out where there are none.
    #[serde(skip_serializing_if = "is_zero")]
    pub messages_sent: u64,
    /// WebSocket messages received; left out where there are none.
    #[serde(skip_serializing_if = "is_zero")]
    pub messages_received: u64,
    /// Latencies of all requests, failed ones too; in an open or paced load from the intended start.
    pub latency_ms: LatencyPart,
    /// The same without what passed before a request was made: from when it was sent. The same figures where nothing was late.
    pub service_ms: LatencyPart,
    /// How sure the percentiles of latencies are.
    pub latency_ci_ms: LatencyIntervals,
    /// Latencies as a histogram of microseconds: base64 of its HdrHistogram V2 encoding; null without requests.
    pub latency_hdr: Option<EncodedHistogram>,
}

impl Totals {
    /// Whether requests were late, so that service times are not the latencies. Older versions told no service times.
    pub(crate) fn waited(&self) -> bool {
        self.service_ms.max.is_some() && self.service_ms != self.latency_ms
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands it a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Latencies in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub struct LatencyPart {
    pub min: Option<f64>,
    pub mean: Option<f64>,
    pub stddev: Option<f64>,
    pub p50: Option<f64>,
    pub p75: Option<f64>,
    pub p90: Option<f64>,
    pub p95: Option<f64>,
    pub p99: Option<f64>,
    pub p99_9: Option<f64>,
    pub max: Option<f64>,
}

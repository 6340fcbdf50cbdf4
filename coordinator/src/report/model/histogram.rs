//! Histograms as text.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use metrics::{Histogram, Percentile};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::time::Duration;

/// A latency histogram: in the report base64 of its HdrHistogram V2 encoding (microseconds, uncompressed), which is also
/// how agents send it. Whatever is in one decodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedHistogram {
    bytes: Vec<u8>,
    samples: u64,
}

impl EncodedHistogram {
    /// Of a histogram; `None` if it is empty.
    pub fn new(histogram: &Histogram) -> Option<EncodedHistogram> {
        let mut bytes = Vec::new();
        histogram.encode_v2(&mut bytes);
        let samples = histogram.count();
        (samples > 0).then_some(EncodedHistogram { bytes, samples })
    }

    /// Of its encoding.
    ///
    /// # Errors
    /// Whatever is no histogram of ours, in words.
    pub fn from_v2(bytes: Vec<u8>) -> Result<EncodedHistogram, String> {
        let samples = Histogram::samples_in_v2(&bytes).map_err(|error| error.to_string())?;
        Ok(EncodedHistogram { bytes, samples })
    }

    /// Samples in it.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// The encoding.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The largest sample, to the histogram's precision.
    pub fn max(&self) -> Duration {
        let largest = Percentile::parse("p100").expect("p100 is a percentile");
        Histogram::percentile_in_v2(&self.bytes, largest).ok().flatten().unwrap_or_default()
    }

    /// Adds its samples to `histogram`; those that are more than one can count are left out.
    pub fn add_to(&self, histogram: &mut Histogram) {
        let _ = histogram.merge_v2(&self.bytes);
    }

    /// As a histogram of its own.
    pub fn histogram(&self) -> Histogram {
        let mut histogram = Histogram::new();
        self.add_to(&mut histogram);
        histogram
    }
}

impl Serialize for EncodedHistogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(&self.bytes))
    }
}

impl<'de> Deserialize<'de> for EncodedHistogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<EncodedHistogram, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let bytes = BASE64_STANDARD
            .decode(text.as_bytes())
            .map_err(|error| D::Error::custom(format!("the histogram is not base64: {error}")))?;
        EncodedHistogram::from_v2(bytes).map_err(D::Error::custom)
    }
}

#[cfg(test)]
impl schemars::JsonSchema for EncodedHistogram {
    fn schema_name() -> Cow<'static, str> {
        "EncodedHistogram".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "contentEncoding": "base64",
            "description": "HdrHistogram V2 encoding, uncompressed: microseconds, 3 significant digits, 1 us to 1 h"
        })
    }
}

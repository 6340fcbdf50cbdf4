//! The canonical encoding: JSON with fields in a fixed order and sorted maps, so equal bundles are equal bytes.

use super::{Bundle, BundleError, Settings};
use metrics::unit::Rate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Raised when the meaning of a field changes.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Encoded {
    format: u32,
    file: String,
    source: String,
    profile: Option<String>,
    target: Option<String>,
    users: Option<u32>,
    /// Count and nanoseconds.
    spawn_rate: Option<(u64, u64)>,
    /// Seconds and nanoseconds.
    duration: Option<(u64, u32)>,
    /// Seconds and nanoseconds.
    warmup: Option<(u64, u32)>,
    params: BTreeMap<String, String>,
    seed: u64,
    env: BTreeMap<String, String>,
}

pub(super) fn to_bytes(bundle: &Bundle) -> Vec<u8> {
    let Bundle { file, source, settings } = bundle.clone();
    let encoded = Encoded {
        format: FORMAT,
        file,
        source,
        profile: settings.profile,
        target: settings.target,
        users: settings.users,
        spawn_rate: settings.spawn_rate.map(|r| (r.count, r.per_ns)),
        duration: settings.duration.map(|d| (d.as_secs(), d.subsec_nanos())),
        warmup: settings.warmup.map(|d| (d.as_secs(), d.subsec_nanos())),
        params: settings.params,
        seed: settings.seed,
        env: settings.env,
    };
    serde_json::to_vec(&encoded).expect("strings and integers can always be written as JSON")
}

pub(super) fn from_bytes(bytes: &[u8]) -> Result<Bundle, BundleError> {
    if bytes.len() > Bundle::MAX_BYTES {
        let problem = format!("{} bytes; the limit is {}", bytes.len(), Bundle::MAX_BYTES);
        return Err(BundleError(problem));
    }
    let encoded: Encoded = serde_json::from_slice(bytes).map_err(|e| BundleError(e.to_string()))?;
    if encoded.format != FORMAT {
        let problem = format!("format {}; this version reads format {FORMAT}", encoded.format);
        return Err(BundleError(problem));
    }
    let rate = |(count, per_ns)| match (count, per_ns) {
        (0, _) | (_, 0) => Err(BundleError(format!("a spawn rate of {count} per {per_ns} ns"))),
        _ => Ok(Rate { count, per_ns }),
    };
    let duration = |(secs, nanos)| match nanos {
        0..1_000_000_000 => Ok(Duration::new(secs, nanos)),
        _ => Err(BundleError(format!("a duration with {nanos} nanoseconds beside its seconds"))),
    };
    Ok(Bundle {
        file: encoded.file,
        source: encoded.source,
        settings: Settings {
            profile: encoded.profile,
            target: encoded.target,
            users: encoded.users,
            spawn_rate: encoded.spawn_rate.map(rate).transpose()?,
            duration: encoded.duration.map(duration).transpose()?,
            warmup: encoded.warmup.map(duration).transpose()?,
            params: encoded.params,
            seed: encoded.seed,
            env: encoded.env,
        },
    })
}

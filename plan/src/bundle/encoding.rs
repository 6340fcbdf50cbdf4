//! The canonical encoding: a line of JSON with fields in a fixed order and sorted maps, so equal bundles are
//! equal bytes; then the contents of the files, in the order of their names and without anything in between.

use super::{Bundle, BundleError, Files, Settings};
use crate::Secrets;
use crate::tags::TagFilter;
use metrics::unit::Rate;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Raised when the meaning of a field changes.
const FORMAT: u32 = 2;

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
    iterations: Option<u32>,
    /// Seconds and nanoseconds.
    warmup: Option<(u64, u32)>,
    params: BTreeMap<String, String>,
    include_tags: BTreeSet<String>,
    exclude_tags: BTreeSet<String>,
    seed: u64,
    env: BTreeMap<String, String>,
    secrets: BTreeMap<String, String>,
    /// Name and length, by name.
    files: Vec<(String, usize)>,
}

pub(super) fn to_bytes(bundle: &Bundle) -> Vec<u8> {
    let settings = &bundle.settings;
    let encoded = Encoded {
        format: FORMAT,
        file: bundle.file.clone(),
        source: bundle.source.clone(),
        profile: settings.profile.clone(),
        target: settings.target.clone(),
        users: settings.users,
        spawn_rate: settings.spawn_rate.map(|r| (r.count, r.per_ns)),
        duration: settings.duration.map(|d| (d.as_secs(), d.subsec_nanos())),
        iterations: settings.iterations,
        warmup: settings.warmup.map(|d| (d.as_secs(), d.subsec_nanos())),
        params: settings.params.clone(),
        include_tags: settings.tags.include.clone(),
        exclude_tags: settings.tags.exclude.clone(),
        seed: settings.seed,
        env: settings.env.clone(),
        secrets: settings.secrets.values().clone(),
        files: settings.files.contents().map(|(name, content)| (name.to_owned(), content.len())).collect(),
    };
    let mut bytes = serde_json::to_vec(&encoded).expect("strings and integers can always be written as JSON");
    bytes.reserve_exact(1 + settings.files.total_bytes());
    bytes.push(b'\n');
    for (_, content) in settings.files.contents() {
        bytes.extend_from_slice(content);
    }
    bytes
}

pub(super) fn from_bytes(bytes: &[u8]) -> Result<Bundle, BundleError> {
    if bytes.len() > Bundle::MAX_BYTES {
        let problem = format!("{} bytes; the limit is {}", bytes.len(), Bundle::MAX_BYTES);
        return Err(BundleError(problem));
    }
    // JSON escapes line breaks, so the first one ends it.
    let end = bytes.iter().position(|&b| b == b'\n').unwrap_or(bytes.len());
    if end > Bundle::MAX_HEAD_BYTES {
        let problem = format!("{end} bytes before the files; the limit is {}", Bundle::MAX_HEAD_BYTES);
        return Err(BundleError(problem));
    }
    let (bytes, rest) = bytes.split_at(end);
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
            iterations: encoded.iterations,
            warmup: encoded.warmup.map(duration).transpose()?,
            params: encoded.params,
            tags: TagFilter { include: encoded.include_tags, exclude: encoded.exclude_tags },
            seed: encoded.seed,
            env: encoded.env,
            secrets: secrets(encoded.secrets),
            files: files(&encoded.files, rest)?,
        },
    })
}

fn secrets(values: BTreeMap<String, String>) -> Secrets {
    let mut secrets = Secrets::default();
    for (name, value) in values {
        secrets.insert(name, value);
    }
    secrets
}

/// The files named in `list`, out of `rest`: a line break and their contents.
fn files(list: &[(String, usize)], rest: &[u8]) -> Result<Files, BundleError> {
    let Some(mut rest) = rest.strip_prefix(b"\n") else {
        return Err(BundleError("it ends before its files".to_owned()));
    };
    if !list.is_sorted_by(|one, next| one.0 < next.0) {
        return Err(BundleError("its files are not in the order of their names".to_owned()));
    }
    let mut files = Files::default();
    for (name, length) in list {
        let Some((content, after)) = rest.split_at_checked(*length) else {
            return Err(BundleError(format!("a file of {length} bytes, of which {} are there", rest.len())));
        };
        files.insert(name, Ok(content.to_vec()));
        rest = after;
    }
    match rest.len() {
        0 => Ok(files),
        more => Err(BundleError(format!("{more} bytes after its files"))),
    }
}

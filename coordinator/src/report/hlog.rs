//! `latency.hlog`: the latencies over time in HdrHistogram's own log format, for its own tools.
//!
//! Lines without a tag are all requests; `Tag=group:NAME` is an API group, `Tag=request:CLASS/TASK/NAME` one request.
//! Values are microseconds; the column of maxima has milliseconds. Each line's histogram is V2, deflated, in base64.
//! A tag has no comma, blank or control character: these, and `%`, stand in it as `%2C` and so on.

use super::model::{EncodedHistogram, Report};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use jiff::Timestamp;
use metrics::Histogram;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

/// V2, compressed.
const COMPRESSED: u32 = 0x1c84_9314;

/// The whole file; without any interval, its head alone.
pub(super) fn render(report: &Report) -> String {
    let started = report.run.started_at.parse().unwrap_or(Timestamp::UNIX_EPOCH);
    let seconds = started.as_millisecond() as f64 / 1e3;
    let mut text = format!(
        "#[Latencies of run {}; values are microseconds]\n\
         #[Histogram log format version 1.3]\n\
         #[StartTime: {seconds:.3} (seconds since epoch), {started}]\n\
         #[BaseTime: {seconds:.3} (seconds since epoch)]\n\
         \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
        tag(&report.run.id)
    );
    let Some(intervals) = &report.intervals else { return text };
    for row in &intervals.rows {
        let begin = f64::from(row.t_s).max(report.run.warmup_s);
        let length = f64::from(row.t_s) + f64::from(intervals.length_s) - begin;
        let mut all = Histogram::new();
        let mut groups: BTreeMap<&str, Histogram> = BTreeMap::new();
        let mut lines = String::new();
        for series in &row.series {
            let Some(request) = report.requests.get(series.request) else { continue };
            if request.is_request() {
                series.latency_hdr.add_to(&mut all);
                if let Some(group) = &request.group {
                    series.latency_hdr.add_to(groups.entry(group).or_default());
                }
            }
            let name = format!("Tag=request:{},", tag(&request.path()));
            line(&mut lines, &name, begin, length, &series.latency_hdr);
        }
        for (whole, name) in std::iter::once((&all, String::new()))
            .chain(groups.iter().map(|(name, latency)| (latency, format!("Tag=group:{},", tag(name)))))
        {
            if let Some(histogram) = EncodedHistogram::new(whole) {
                line(&mut text, &name, begin, length, &histogram);
            }
        }
        text.push_str(&lines);
    }
    text
}

fn line(text: &mut String, tag: &str, begin: f64, length: f64, histogram: &EncodedHistogram) {
    let max = histogram.max().as_micros() as f64 / 1e3;
    let encoded = compressed(histogram.bytes());
    let _ = writeln!(text, "{tag}{begin:.3},{length:.3},{max:.3},{encoded}");
}

/// The compressed encoding, as text.
fn compressed(plain: &[u8]) -> String {
    let mut deflated = ZlibEncoder::new(Vec::new(), Compression::fast());
    let deflated =
        deflated.write_all(plain).and_then(|()| deflated.finish()).expect("memory takes all of it");
    let length = u32::try_from(deflated.len()).expect("a histogram has at most 212 KB");
    let mut bytes = Vec::with_capacity(deflated.len() + 8);
    bytes.extend(COMPRESSED.to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes.extend(deflated);
    BASE64_STANDARD.encode(bytes)
}

/// A name that ends at no comma and breaks no line.
fn tag(name: &str) -> String {
    let mut tag = String::with_capacity(name.len());
    for c in name.chars() {
        if matches!(c, ',' | '%' | '"' | ']') || c.is_whitespace() || c.is_control() {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(tag, "%{byte:02X}");
            }
        } else {
            tag.push(c);
        }
    }
    tag
}

#[cfg(test)]
mod tests;

//! The CSV files that Locust writes with `--csv locust`, column for column, for whatever reads those.
//!
//! Times are milliseconds with up to three decimals, where Locust has whole ones; times of day are RFC 3339 in UTC.
//! Requests of one name and method are one row, as in Locust, and the last row is `Aggregated`; what is no request
//! (`group` and `poll` steps, messages) is in none of them. A cell whose text a spreadsheet would take for a formula
//! begins with an apostrophe.

use super::escape::escape;
use super::model::{ErrorRow, IntervalRow, Report, RequestRow};
use jiff::Timestamp;
use metrics::{Histogram, Percentile};
use std::collections::BTreeMap;
use std::time::Duration;

/// The percentiles of Locust's columns.
const PERCENTILES: [&str; 11] = ["50", "66", "75", "80", "90", "95", "98", "99", "99.9", "99.99", "100"];

const STATS: &str = "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,\
    Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%";

const HISTORY: &str = "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,\
    99.99%,100%,Total Request Count,Total Failure Count,Total Median Response Time,Total Average Response Time,\
    Total Min Response Time,Total Max Response Time,Total Average Content Size";

const FAILURES: &str = "Method,Name,Error,Occurrences,First Seen,Last Seen";

/// What requests of one name and method add up to.
#[derive(Default)]
struct Sums {
    requests: u64,
    failures: u64,
    bytes_in: u64,
    latency: Histogram,
}

impl Sums {
    fn add(&mut self, row: &RequestRow) {
        let totals = &row.totals;
        self.requests = self.requests.saturating_add(totals.requests);
        self.failures = self.failures.saturating_add(totals.failures);
        self.bytes_in = self.bytes_in.saturating_add(totals.bytes_in);
        if let Some(latency) = &totals.latency_hdr {
            latency.add_to(&mut self.latency);
        }
    }

    /// Median, average, min, max, content size.
    fn figures(&self) -> [String; 5] {
        let h = &self.latency;
        let or_zero = |time: Option<Duration>| milliseconds(time.unwrap_or_default());
        let size = if self.requests > 0 { self.bytes_in as f64 / self.requests as f64 } else { 0.0 };
        let median = h.percentile(Percentile::P50);
        [or_zero(median), or_zero(h.mean()), or_zero(h.min()), or_zero(h.max()), number(size)]
    }

    fn percentiles(&self) -> impl Iterator<Item = String> {
        PERCENTILES.into_iter().map(|name| {
            let percentile = Percentile::parse(&format!("p{name}")).expect("the names are percentiles");
            self.latency.percentile(percentile).map_or("N/A".to_owned(), milliseconds)
        })
    }
}

/// `locust_stats.csv`: a row for each request, sorted by name and method, and their sum.
pub(super) fn stats(report: &Report) -> String {
    let mut rows: BTreeMap<(&str, &str), Sums> = BTreeMap::new();
    let mut all = Sums::default();
    for row in report.requests.iter().filter(|row| row.is_request()) {
        rows.entry((&row.name, row.method)).or_default().add(row);
        all.add(row);
    }
    let seconds = report.run.duration_s - report.run.warmup_s;
    let per_second = |n: u64| if seconds > 0.0 { number(n as f64 / seconds) } else { "0".to_owned() };
    let mut text = format!("{STATS}\n");
    let named = rows.iter().map(|((name, method), sums)| (*name, *method, sums));
    for (name, method, sums) in named.chain([("Aggregated", "", &all)]) {
        let counts = [cell(method), cell(name), sums.requests.to_string(), sums.failures.to_string()];
        let rates = [per_second(sums.requests), per_second(sums.failures)];
        push_row(&mut text, counts.into_iter().chain(sums.figures()).chain(rates).chain(sums.percentiles()));
    }
    text
}

/// `locust_stats_history.csv`: a row for each interval. Rates are of the interval, percentiles and totals of the run up
/// to its end, as Locust has them.
pub(super) fn history(report: &Report) -> String {
    let mut text = format!("{HISTORY}\n");
    let Some(intervals) = &report.intervals else { return text };
    let started = report.run.started_at.parse().unwrap_or(Timestamp::UNIX_EPOCH).as_second();
    let mut all = Sums::default();
    for row in &intervals.rows {
        let (before, failed_before) = (all.requests, all.failures);
        add_interval(&mut all, row, report);
        let end = f64::from(row.t_s) + f64::from(intervals.length_s);
        // The last one ends with the run, the first one begins after the warm-up.
        let begin = f64::from(row.t_s).max(report.run.warmup_s);
        let seconds = (end.min(report.run.duration_s) - begin).max(1.0);
        let rate = |n: u64| format!("{:.6}", n as f64 / seconds);
        let head = [
            (started + end as i64).to_string(),
            users(report, row.t_s.saturating_add(intervals.length_s - 1)).to_string(),
            String::new(),
            "Aggregated".to_owned(),
            rate(all.requests - before),
            rate(all.failures - failed_before),
        ];
        let totals = [all.requests.to_string(), all.failures.to_string()];
        push_row(&mut text, head.into_iter().chain(all.percentiles()).chain(totals).chain(all.figures()));
    }
    text
}

fn add_interval(all: &mut Sums, row: &IntervalRow, report: &Report) {
    for series in &row.series {
        if report.requests.get(series.request).is_some_and(RequestRow::is_request) {
            all.requests = all.requests.saturating_add(series.latency_hdr.samples());
            series.latency_hdr.add_to(&mut all.latency);
        }
    }
    all.failures = all.failures.saturating_add(row.failures);
    all.bytes_in = all.bytes_in.saturating_add(row.bytes_in);
}

/// Users at the end of that second, or of the last one before it.
fn users(report: &Report, second: u32) -> u32 {
    let after = report.timeline.partition_point(|row| row.t_s <= second);
    after.checked_sub(1).map_or(0, |at| report.timeline[at].users)
}

/// `locust_failures.csv`: a row for each distinct error, sorted by name and method.
pub(super) fn failures(report: &Report) -> String {
    let paths: BTreeMap<String, &RequestRow> = report.requests.iter().map(|row| (row.path(), row)).collect();
    let named = |error: &ErrorRow| match paths.get(&error.request) {
        Some(row) => (row.name.clone(), row.method),
        None => (error.request.clone(), ""),
    };
    let mut rows: Vec<_> = report.errors.iter().map(|error| (named(error), error)).collect();
    rows.sort_by(|(left, _), (right, _)| left.cmp(right));
    let mut text = format!("{FAILURES}\n");
    for ((name, method), error) in rows {
        let told = format!("{}: {}", error.kind, error.message);
        let cells = [method, &name, &told].map(cell);
        let seen = [error.count.to_string(), error.first_at.clone(), error.last_at.clone()];
        push_row(&mut text, cells.into_iter().chain(seen));
    }
    text
}

fn push_row(text: &mut String, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells.collect();
    text.push_str(&cells.join(","));
    text.push('\n');
}

/// Text from outside as a cell: control characters shown as escapes, no formula, quoted where it must be.
fn cell(text: &str) -> String {
    let mut safe = escape(text);
    if safe.starts_with(['=', '+', '-', '@']) {
        safe.insert(0, '\'');
    }
    if safe.contains([',', '"', '\'', ';']) {
        safe = format!("\"{}\"", safe.replace('"', "\"\""));
    }
    safe
}

fn milliseconds(time: Duration) -> String {
    number(time.as_nanos() as f64 / 1e6)
}

/// At most three decimals, none where there are none.
fn number(value: f64) -> String {
    ((value * 1e3).round() / 1e3).to_string()
}

#[cfg(test)]
mod tests;

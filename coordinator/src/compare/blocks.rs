//! A report's intervals in blocks of time, as tests need them.

use crate::report::Report;
use crate::report::model::RequestRow;
use metrics::SparseHistogram;
use metrics::compare::Counts;
use std::collections::BTreeMap;

/// Seconds of a block in a run that is long enough: longer than what disturbs a service for a moment.
const LENGTH: u32 = 10;

/// Blocks that a shorter run has at least, if its intervals allow.
const FEWEST: u32 = 12;

/// The measured time of a run in blocks.
pub(super) struct Blocks<'a> {
    report: &'a Report,
    /// Seconds of each; `None` for a report without intervals.
    length: Option<u32>,
    /// Latencies of each row of `requests`, by block.
    latencies: Vec<BTreeMap<u32, SparseHistogram>>,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(report: &'a Report) -> Blocks<'a> {
        let measured = (report.run.duration_s - report.run.warmup_s).max(0.0) as u32;
        let length = report.intervals.as_ref().map(|part| {
            let wanted = (measured / FEWEST).clamp(1, LENGTH);
            // Whole intervals, and at least one.
            (wanted / part.length_s.max(1)).max(1).saturating_mul(part.length_s.max(1))
        });
        let mut latencies: Vec<BTreeMap<u32, SparseHistogram>> = vec![BTreeMap::new(); report.requests.len()];
        // What does not decode is refused where a report is read; of more samples than can be counted, the first ones stand for all.
        if let (Some(part), Some(length)) = (&report.intervals, length) {
            for row in &part.rows {
                for series in &row.series {
                    let Some(own) = latencies.get_mut(series.request) else { continue };
                    let _ = own.entry(row.t_s / length).or_default().merge_v2(series.latency_hdr.bytes());
                }
            }
        } else {
            for (row, own) in report.requests.iter().zip(&mut latencies) {
                let Some(histogram) = &row.totals.latency_hdr else { continue };
                let _ = own.entry(0).or_default().merge_v2(histogram.bytes());
            }
        }
        Blocks { report, length, latencies }
    }

    /// Latencies of the requests that `belongs` picks, block by block; all in one where there are no intervals.
    pub(super) fn latencies(&self, belongs: impl Fn(&RequestRow) -> bool) -> Vec<SparseHistogram> {
        let mut blocks: BTreeMap<u32, SparseHistogram> = BTreeMap::new();
        for (_, own) in self.report.requests.iter().zip(&self.latencies).filter(|(row, _)| belongs(row)) {
            for (at, histogram) in own {
                blocks.entry(*at).or_default().merge(histogram);
            }
        }
        blocks.into_values().collect()
    }

    /// All requests, and how many of them failed, block by block.
    pub(super) fn failures(&self) -> Vec<Counts> {
        let (Some(part), Some(length)) = (&self.report.intervals, self.length) else { return Vec::new() };
        let counted: Vec<bool> = self.report.requests.iter().map(RequestRow::is_request).collect();
        let mut blocks: BTreeMap<u32, Counts> = BTreeMap::new();
        for row in &part.rows {
            let block = blocks.entry(row.t_s / length).or_default();
            let series = row.series.iter().filter(|series| counted.get(series.request) == Some(&true));
            let requests =
                series.fold(0, |sum: u64, series| sum.saturating_add(series.latency_hdr.samples()));
            block.requests = block.requests.saturating_add(requests);
            block.failures = block.failures.saturating_add(row.failures.min(requests));
        }
        blocks.into_values().collect()
    }
}

//! The measured time in stretches, each with the latencies of every series: what `latency.hlog` is made of.
//!
//! Memory is bounded whatever the run: only the open interval has histograms to count in, and when the closed ones,
//! encoded, are too many or too large, neighbours are joined and each is twice as long from then on. Joining adds
//! counts, so nothing is lost but when it was. An interval holds what arrived while it was open: a window that comes
//! late counts in the next one, so that all intervals together hold exactly what the totals hold.

use super::timeline::Requests;
use metrics::{DenseHistogram, Histogram, SeriesId};
use proto::message::WindowReport;

/// Most bytes of closed intervals, by [`Interval::weight`].
const MAX_BYTES: usize = 4 << 20;

/// Most closed intervals.
const MAX_INTERVALS: usize = 3_600;

/// What a series of an interval weighs beside its histogram: its keys in `report.json`.
const ROW_BYTES: usize = 120;

/// One stretch of the measured time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Its first second since T0.
    pub start: u32,
    /// Requests that failed in it.
    pub failures: u64,
    /// Bytes that requests read in it.
    pub bytes_in: u64,
    /// The series that had an end in it, in plan order, with their latencies in the V2 encoding.
    pub series: Vec<(SeriesId, Vec<u8>)>,
}

/// The measured time, when it is over.
#[derive(Debug)]
pub(super) struct Stretches {
    /// How many seconds each interval covers.
    pub(super) length: u32,
    /// In order of time; those in which nothing ended are left out.
    pub(super) intervals: Vec<Interval>,
    /// The latencies of all of them, by series: each sample was counted once, in its interval, and those were added up.
    pub(super) totals: Vec<Histogram>,
}

/// The measured time in stretches.
#[derive(Clone, Debug)]
pub(super) struct Intervals {
    length: u32,
    closed: Vec<Interval>,
    /// What the closed ones weigh.
    weight: usize,
    /// The first second of the open one.
    open: Option<u32>,
    failures: u64,
    bytes_in: u64,
    /// Latencies of the open one, by series.
    latencies: Vec<DenseHistogram>,
    /// Latencies of the closed ones, by series.
    totals: Vec<DenseHistogram>,
    max_bytes: usize,
}

impl Intervals {
    /// Nothing yet of a plan with so many series.
    pub(super) fn new(series: usize) -> Intervals {
        Intervals {
            length: 1,
            closed: Vec::new(),
            weight: 0,
            open: None,
            failures: 0,
            bytes_in: 0,
            latencies: vec![DenseHistogram::new(); series],
            totals: vec![DenseHistogram::new(); series],
            max_bytes: MAX_BYTES,
        }
    }

    /// Adds a window with these latencies; only requests count in failures and bytes.
    pub(super) fn add(&mut self, window: &WindowReport, ended: &Requests) {
        let second = window.last_second();
        match self.open {
            Some(start) if second < start.saturating_add(self.length) => {}
            Some(_) => {
                self.close();
                self.open = Some(second / self.length * self.length);
            }
            None => self.open = Some(second / self.length * self.length),
        }
        for (report, latencies) in window.series.iter().zip(&ended.latencies) {
            // Of more samples than a histogram counts, the first ones stand for all.
            let _ = self.latencies[report.series.0 as usize].add(&latencies.counts);
            if latencies.of_requests {
                self.failures = self.failures.saturating_add(report.failed);
                self.bytes_in = self.bytes_in.saturating_add(report.bytes_in);
            }
        }
    }

    /// The latencies of these series so far.
    pub(super) fn latency(&self, series: impl IntoIterator<Item = SeriesId>) -> DenseHistogram {
        let mut sum = DenseHistogram::new();
        for SeriesId(id) in series {
            for part in [&self.totals[id as usize], &self.latencies[id as usize]] {
                // Of more samples than a histogram counts, the first ones stand for all.
                let _ = sum.merge(part);
            }
        }
        sum
    }

    /// All of them, and what they add up to.
    pub(super) fn finish(mut self) -> Stretches {
        self.close();
        let totals = self.totals.iter().map(Histogram::from).collect();
        Stretches { length: self.length, intervals: self.closed, totals }
    }

    fn close(&mut self) {
        let Some(start) = self.open.take() else { return };
        let mut series = Vec::new();
        for ((latencies, totals), id) in self.latencies.iter_mut().zip(&mut self.totals).zip(0..) {
            if !latencies.is_empty() {
                // Of more samples than a histogram counts, the first ones stand for all.
                let _ = totals.merge(latencies);
                let mut bytes = Vec::new();
                latencies.encode_v2(&mut bytes);
                latencies.clear();
                series.push((SeriesId(id), bytes));
            }
        }
        let (failures, bytes_in) = (std::mem::take(&mut self.failures), std::mem::take(&mut self.bytes_in));
        if !series.is_empty() {
            self.append(Interval { start, failures, bytes_in, series });
        }
        while (self.weight > self.max_bytes || self.closed.len() > MAX_INTERVALS) && self.closed.len() > 1 {
            self.length = self.length.saturating_mul(2);
            self.weight = 0;
            for interval in std::mem::take(&mut self.closed) {
                self.append(interval);
            }
        }
    }

    /// Appends an interval that begins no earlier than the last one, or joins the two.
    fn append(&mut self, interval: Interval) {
        let start = interval.start / self.length * self.length;
        if let Some(last) = self.closed.last_mut().filter(|last| last.start == start) {
            self.weight -= last.weight();
            last.join(interval);
            self.weight += last.weight();
        } else {
            self.weight += interval.weight();
            self.closed.push(Interval { start, ..interval });
        }
    }
}

impl Interval {
    /// About how many bytes of memory and report it takes.
    fn weight(&self) -> usize {
        self.series.iter().map(|(_, bytes)| bytes.len() + ROW_BYTES).sum::<usize>() + ROW_BYTES
    }

    fn join(&mut self, later: Interval) {
        self.failures = self.failures.saturating_add(later.failures);
        self.bytes_in = self.bytes_in.saturating_add(later.bytes_in);
        for (id, bytes) in later.series {
            match self.series.binary_search_by_key(&id, |(id, _)| *id) {
                Ok(at) => {
                    let held = &mut self.series[at].1;
                    // Of more samples than one may hold, the first ones stand for all.
                    if let Ok(both) = Histogram::sum_v2(held, &bytes) {
                        *held = both;
                    }
                }
                Err(at) => self.series.insert(at, (id, bytes)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::fixture::Scripted;
    use crate::results::timeline::Latencies;
    use metrics::Counts;

    /// The latencies of a window in which only series 0 is one of requests.
    fn ended(window: &WindowReport) -> Requests {
        let latencies = window.series.iter().map(|report| Latencies {
            counts: Counts::from_v2(&report.latency).unwrap(),
            service: None,
            of_requests: report.series.0 == 0,
        });
        Requests { latencies: latencies.collect(), ..Requests::default() }
    }

    fn samples(bytes: &[u8]) -> u64 {
        Histogram::samples_in_v2(bytes).unwrap()
    }

    /// Start and samples of every interval of a run in which every second had 10 requests of series 0, and 1 in 10 one
    /// of series 2 that failed and counts for nothing.
    fn intervals(seconds: u32, max_bytes: usize) -> (u32, Vec<Interval>) {
        let mut intervals = Intervals { max_bytes, ..Intervals::new(3) };
        let mut agent = Scripted::new(0, "a");
        for second in 0..seconds {
            let rare = u64::from(second % 10 == 0);
            let window = agent.window(second, 10, &[(0, 9, 1, u64::from(second) + 1), (2, 0, rare, 5)]);
            intervals.add(&window, &ended(&window));
        }
        let Stretches { length, intervals, totals } = intervals.finish();
        let all = totals.iter().map(Histogram::count).collect::<Vec<_>>();
        let seconds = u64::from(seconds);
        assert_eq!(all, [10 * seconds, 0, seconds.div_ceil(10)], "the totals hold every sample");
        (length, intervals)
    }

    #[test]
    fn each_second_has_its_own_while_there_is_room() {
        let (length, intervals) = intervals(20, usize::MAX);
        assert_eq!((length, intervals.len()), (1, 20));
        assert_eq!((intervals[7].start, intervals[7].failures, intervals[7].bytes_in), (7, 1, 1000));
        let series: Vec<_> = intervals[10].series.iter().map(|(id, bytes)| (id.0, samples(bytes))).collect();
        assert_eq!(series, [(0, 10), (2, 1)]);
        assert_eq!(intervals[11].series.len(), 1, "what had no end is not listed");
    }

    #[test]
    fn memory_is_bounded_and_no_sample_is_lost() {
        let (length, intervals) = intervals(3_000, 20_000);
        assert!(length >= 32 && length.is_power_of_two(), "{length}");
        assert!(intervals.iter().map(Interval::weight).sum::<usize>() <= 20_000);
        assert!(intervals.windows(2).all(|pair| pair[0].start < pair[1].start));
        assert!(intervals.iter().all(|interval| interval.start % length == 0));
        let all = |id: u32| -> u64 {
            let series = intervals.iter().flat_map(|interval| &interval.series);
            series.filter(|(of, _)| of.0 == id).map(|(_, bytes)| samples(bytes)).sum()
        };
        assert_eq!((all(0), all(2)), (30_000, 300));
        assert_eq!(intervals.iter().map(|interval| interval.failures).sum::<u64>(), 3_000);
    }

    #[test]
    fn there_are_not_too_many_of_them() {
        let (length, intervals) = intervals(MAX_INTERVALS as u32 + 100, usize::MAX);
        assert_eq!(length, 2);
        assert!(intervals.len() <= MAX_INTERVALS, "{}", intervals.len());
    }

    #[test]
    fn a_late_window_counts_in_the_interval_that_is_open() {
        let mut intervals = Intervals::new(3);
        let (mut fast, mut slow) = (Scripted::new(0, "a"), Scripted::new(1, "b"));
        for window in [
            fast.window(0, 1, &[(0, 1, 0, 5)]),
            fast.window(1, 1, &[(0, 1, 0, 5)]),
            slow.window(0, 1, &[(0, 4, 0, 5)]),
        ] {
            intervals.add(&window, &ended(&window));
        }
        let intervals = intervals.finish().intervals;
        let counts: Vec<u64> = intervals.iter().map(|interval| samples(&interval.series[0].1)).collect();
        assert_eq!(counts, [1, 5]);
    }
}

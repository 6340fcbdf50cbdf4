//! Service times where they are not the latencies: what passed before a late request was made is not in them.

use super::intervals::Intervals;
use super::timeline::Requests;
use metrics::{DenseHistogram, Histogram};
use proto::message::WindowReport;

/// The service times of every series since the end of the warm-up.
#[derive(Clone, Debug)]
pub(super) struct ServiceTimes {
    /// By series; `None` as long as nothing of it was late.
    series: Vec<Option<DenseHistogram>>,
}

impl ServiceTimes {
    /// Nothing yet of a plan with so many series.
    pub(super) fn new(series: usize) -> ServiceTimes {
        ServiceTimes { series: vec![None; series] }
    }

    /// Adds a window of the measured time, whose latencies are not yet in those `before`.
    pub(super) fn add(&mut self, window: &WindowReport, ended: &Requests, before: &Intervals) {
        for (report, latencies) in window.series.iter().zip(&ended.latencies) {
            let own = &mut self.series[report.series.0 as usize];
            let times = match (&own, &latencies.service) {
                (None, None) => continue,
                (_, Some(service)) => service,
                (Some(_), None) => &latencies.counts,
            };
            // Until now they were the same.
            let own = own.get_or_insert_with(|| before.latency([report.series]));
            // Of more samples than a histogram counts, the first ones stand for all.
            let _ = own.add(times);
        }
    }

    /// Those of each series in turn; `None` where they are the latencies.
    pub(super) fn finish(self) -> impl Iterator<Item = Option<Histogram>> {
        self.series.into_iter().map(|own| own.as_ref().map(Histogram::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::fixture::{Scripted, encoded};
    use crate::results::timeline::Latencies;
    use metrics::Counts;
    use std::time::Duration;

    #[test]
    fn windows_that_tell_none_count_with_their_latencies() {
        let ms = |samples: &[(u64, u64)]| {
            let samples: Vec<_> = samples.iter().map(|&(ms, n)| (Duration::from_millis(ms), n)).collect();
            Counts::from_v2(&encoded(&samples)).unwrap()
        };
        let (mut intervals, mut times) = (Intervals::new(2), ServiceTimes::new(2));
        let mut agent = Scripted::new(0, "a");
        for (second, latencies, service) in [
            (0, ms(&[(5, 10), (9, 1)]), None),
            (1, ms(&[(5, 1), (2_900, 2)]), Some(ms(&[(5, 2), (900, 1)]))),
            (2, ms(&[(9, 3)]), None),
        ] {
            let window = agent.window(second, 1, &[(1, latencies.count(), 0, 5)]);
            let latencies = vec![Latencies { counts: latencies, service, of_requests: true }];
            let ended = Requests { latencies, ..Requests::default() };
            times.add(&window, &ended, &intervals);
            intervals.add(&window, &ended);
        }
        let mut expected = Histogram::new();
        expected.add(&ms(&[(5, 12), (9, 4), (900, 1)])).unwrap();
        assert_eq!(times.finish().collect::<Vec<_>>(), [None, Some(expected)]);
        assert_eq!(intervals.finish().totals[1].count(), 17, "the latencies are what they were");
    }
}

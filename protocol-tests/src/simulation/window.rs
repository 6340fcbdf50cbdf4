//! The seconds of an engine model's run, as its session hears of them.

use bytes::Bytes;
use metrics::{ArrivalCounts, Histogram, PhaseSums, SeriesId};
use plan::slot::{Progress, Roll, Slot};
use proto::message::{Cumulative, HealthReport, RunId, SeriesReport, WindowReport};
use std::collections::BTreeMap;
use std::time::Duration;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Windows {
    closed: u32,
    /// What the last window said.
    roll: Roll,
    in_flight: u64,
    pending: BTreeMap<u32, Pending>,
}

#[derive(Debug, Default)]
struct Pending {
    started: u64,
    aborted: u64,
    series: BTreeMap<u32, Requests>,
    progress: BTreeMap<Slot, Progress>,
}

#[derive(Debug, Default)]
struct Requests {
    ok: u64,
    failed: u64,
    latencies: Vec<Duration>,
}

impl Windows {
    /// Seconds that were handed out.
    pub(super) fn closed(&self) -> u32 {
        self.closed
    }

    /// The run begins here with this second.
    pub(super) fn begin_with(&mut self, second: u32) {
        self.closed = second;
    }

    pub(super) fn started(&mut self, second: u32) {
        self.pending.entry(second).or_default().started += 1;
    }

    pub(super) fn aborted(&mut self, second: u32) {
        self.pending.entry(second).or_default().aborted += 1;
    }

    pub(super) fn ended(&mut self, second: u32, even: bool, ok: bool, latency: Duration) {
        let pending = self.pending.entry(second).or_default();
        let requests = pending.series.entry(u32::from(even)).or_default();
        requests.ok += u64::from(ok);
        requests.failed += u64::from(!ok);
        requests.latencies.push(latency);
    }

    pub(super) fn progress(&mut self, second: u32, progress: Progress) {
        self.pending.entry(second).or_default().progress.insert(progress.slot, progress);
    }

    /// The seconds below `closed` that were not handed out yet; the newest is the last one if all is `over`.
    pub(super) fn close(&mut self, closed: u32, users: u32, roll: &Roll, over: bool) -> Vec<WindowReport> {
        let mut windows = Vec::new();
        while self.closed < closed {
            let index = self.closed;
            self.closed += 1;
            if self.closed == closed {
                self.roll = roll.clone();
            }
            let Pending { started, aborted, series, progress } =
                self.pending.remove(&index).unwrap_or_default();
            let ended: u64 = series.values().map(|requests| requests.ok + requests.failed).sum();
            self.in_flight = self.in_flight + started - ended - aborted;
            windows.push(WindowReport {
                run: RunId(String::new()),
                seq: 0,
                index,
                earlier_users: Vec::new(),
                users,
                in_flight: self.in_flight,
                started,
                aborted,
                arrivals: ArrivalCounts::default(),
                cumulative: Cumulative::default(),
                series: series.iter().map(series_report).collect(),
                errors: Vec::new(),
                health: HealthReport { lag: no_lag(), ..HealthReport::default() },
                last: over && self.closed == closed,
                progress: progress.into_values().collect(),
                roll: self.roll.clone(),
            });
        }
        windows
    }
}

fn series_report((&series, requests): (&u32, &Requests)) -> SeriesReport {
    let mut histogram = Histogram::new();
    requests.latencies.iter().for_each(|&latency| histogram.record(latency));
    let mut latency = Vec::new();
    histogram.encode_v2(&mut latency);
    SeriesReport {
        series: SeriesId(series),
        ok: requests.ok,
        failed: requests.failed,
        bytes_in: 0,
        bytes_out: 0,
        messages_sent: 0,
        messages_received: 0,
        phases: PhaseSums::default(),
        latency: Bytes::from(latency),
        service: Bytes::new(),
    }
}

/// A histogram without samples, as it travels.
fn no_lag() -> Bytes {
    let mut lag = Vec::new();
    Histogram::new().encode_v2(&mut lag);
    Bytes::from(lag)
}

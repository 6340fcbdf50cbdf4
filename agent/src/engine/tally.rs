//! A thread's own books: what its users did, without lock or channel.

use super::starts::Starts;
use metrics::{Failure, Histogram, Phases, Recorder, Sample, SeriesId, Traffic, Window};
use plan::Secrets;
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

/// The books of one thread for one run.
#[derive(Debug)]
pub(super) struct Tally {
    t0: Instant,
    recorder: RefCell<Recorder>,
    in_flight: Cell<u64>,
    reconnects: Cell<u64>,
    starts: Cell<Starts>,
    /// When the users of this thread were dealt: nothing is late that was to begin before.
    dealt: Cell<Duration>,
    exhausted: Cell<u64>,
    held_back: Cell<u64>,
    /// WebSocket connections that are open.
    pub(super) connections: Cell<u64>,
    /// How late the thread woke since [`take_lag`](Tally::take_lag).
    pub(super) lag: RefCell<Histogram>,
    /// What no message may show.
    secrets: Secrets,
}

impl Tally {
    /// Empty books of a run that begins at `t0`.
    pub(super) fn new(t0: Instant, series_count: u32, secrets: Secrets) -> Tally {
        Tally {
            t0,
            recorder: RefCell::new(Recorder::new(series_count)),
            in_flight: Cell::new(0),
            reconnects: Cell::new(0),
            starts: Cell::default(),
            dealt: Cell::default(),
            exhausted: Cell::new(0),
            held_back: Cell::new(0),
            connections: Cell::new(0),
            lag: RefCell::new(Histogram::new()),
            secrets,
        }
    }

    /// When the run's second 0 begins.
    pub(super) fn t0(&self) -> Instant {
        self.t0
    }

    /// `at` as an offset from T0; zero before it. The only place where an instant becomes one.
    pub(super) fn since_t0(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.t0)
    }

    /// Counts a request (or a transaction or completion) as started at `at`. It ends when the result is [closed](OpenRequest::close), or is
    /// aborted when that is dropped.
    pub(super) fn open(&self, at: Instant) -> OpenRequest<'_> {
        self.recorder.borrow_mut().start(self.since_t0(at));
        self.in_flight.set(self.in_flight.get() + 1);
        OpenRequest { tally: self, closed: false }
    }

    /// Counts an arrival that came at `at` since T0 and found an idle user.
    pub(super) fn arrived(&self, at: Duration) {
        self.recorder.borrow_mut().arrive(at);
    }

    /// Counts an arrival that came at `at` since T0 and found every user busy.
    pub(super) fn dropped(&self, at: Duration) {
        self.recorder.borrow_mut().drop_arrival(at);
    }

    /// Counts a connection that had to be made anew.
    pub(super) fn reconnected(&self) {
        self.reconnects.set(self.reconnects.get() + 1);
    }

    /// The thread has other users from `now` since T0 on.
    pub(super) fn dealt(&self, now: Duration) {
        self.dealt.set(now);
    }

    /// Counts a user, an iteration or an arrival that should have begun at `intended` since T0 and does at `now`.
    pub(super) fn begins(&self, intended: Duration, now: Duration) {
        let mut starts = self.starts.get();
        starts.count(now.saturating_sub(intended.max(self.dealt.get())));
        self.starts.set(starts);
    }

    /// Counts a request for whose connection this machine had no descriptor, port or memory left.
    pub(super) fn exhausted(&self) {
        self.exhausted.set(self.exhausted.get() + 1);
    }

    /// Counts a request or message that the agent's own cap held back.
    pub(super) fn held_back(&self) {
        self.held_back.set(self.held_back.get() + 1);
    }

    /// Counts what crossed a connection outside of requests.
    pub(super) fn carry(&self, series: SeriesId, traffic: &Traffic) {
        let now = self.since_t0(Instant::now());
        self.recorder.borrow_mut().carry(series, now, traffic);
    }

    /// Reconnects since the last call.
    pub(super) fn take_reconnects(&self) -> u64 {
        self.reconnects.take()
    }

    /// What began since the last call.
    pub(super) fn take_starts(&self) -> Starts {
        self.starts.take()
    }

    /// Requests that this machine had nothing left for, since the last call.
    pub(super) fn take_exhausted(&self) -> u64 {
        self.exhausted.take()
    }

    /// Requests and messages that the cap held back since the last call.
    pub(super) fn take_held_back(&self) -> u64 {
        self.held_back.take()
    }

    /// The lag since the last call.
    pub(super) fn take_lag(&self) -> Histogram {
        self.lag.take()
    }

    /// The windows that are over at `now`.
    pub(super) fn take_closed(&self, now: Duration) -> Vec<Window> {
        self.recorder.borrow_mut().take_closed(now)
    }

    /// Every window that is left; nothing may be open any more.
    pub(super) fn take_all(&self) -> Vec<Window> {
        assert_eq!(self.in_flight.get(), 0, "the books are closed only when no request is open");
        self.recorder.borrow_mut().take_all()
    }
}

/// A request that was started and must end. Dropping it, as happens when a user is aborted wherever it waits,
/// counts it as aborted; so no request is ever lost from the books.
#[derive(Debug)]
#[must_use = "dropping it counts the request as aborted"]
pub(super) struct OpenRequest<'a> {
    tally: &'a Tally,
    closed: bool,
}

impl OpenRequest<'_> {
    /// Records that it ended at `ended`, with no bytes and phases of its own.
    pub(super) fn end(
        self,
        series: SeriesId,
        ended: Instant,
        latency: Duration,
        outcome: Result<(), Failure>,
    ) {
        let ended = self.tally.since_t0(ended);
        let (phases, late) = (Phases::default(), Duration::ZERO);
        self.close(&Sample { series, ended, latency, late, phases, bytes_out: 0, bytes_in: 0, outcome });
    }

    /// Records how it ended.
    pub(super) fn close(mut self, sample: &Sample) {
        self.closed = true;
        let mut recorder = self.tally.recorder.borrow_mut();
        let Err(failure) = &sample.outcome else { return recorder.record(sample) };
        match self.tally.secrets.hide(&failure.message) {
            Some(message) => {
                recorder
                    .record(&Sample { outcome: Err(Failure::new(failure.kind, message)), ..sample.clone() });
            }
            None => recorder.record(sample),
        }
    }
}

impl Drop for OpenRequest<'_> {
    fn drop(&mut self) {
        self.tally.in_flight.set(self.tally.in_flight.get() - 1);
        if !self.closed {
            let now = self.tally.since_t0(Instant::now());
            self.tally.recorder.borrow_mut().abort(now);
        }
    }
}

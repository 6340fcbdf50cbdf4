//! What the users of one thread share during a run.

use super::http::Reply;
use super::job::Job;
use super::ledger::Ledger;
use super::lobby::Lobby;
use super::roster::Roster;
use super::tally::Tally;
use super::visit::Visitor;
use plan::judge::Response;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// See the module.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) job: Arc<Job>,
    pub(super) tally: Rc<Tally>,
    pub(super) roster: Rc<Roster>,
    /// The users of an open load that serve no arrival now.
    pub(super) lobby: Lobby<Visitor>,
    pub(super) ledger: Ledger,
    /// One moment on both clocks, so that a request needs one reading only and `now()` never runs backwards.
    anchor: (Instant, Duration),
    /// Response headers as the plan's checks want them; kept to spare an allocation for each.
    headers: RefCell<Vec<(String, Vec<u8>)>>,
}

impl Shared {
    /// For a run of `job` whose second 0 begins at `t0`.
    pub(super) fn new(job: Arc<Job>, t0: Instant) -> Shared {
        let series = job.plan.series.len() as u32;
        Shared::with_series(job, t0, series)
    }

    /// With books for so many series, which need not be the plan's own.
    pub(super) fn with_series(job: Arc<Job>, t0: Instant, series: u32) -> Shared {
        let tally = Rc::new(Tally::new(t0, series, job.plan.params.secrets().clone()));
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Shared {
            job,
            tally,
            roster: Rc::default(),
            lobby: Lobby::default(),
            ledger: Ledger::default(),
            anchor: (Instant::now(), unix),
            headers: RefCell::default(),
        }
    }

    /// Now, as an offset from T0.
    pub(super) fn now(&self) -> Duration {
        self.tally.since_t0(Instant::now())
    }

    /// `at` in milliseconds since 1970.
    pub(super) fn unix_ms(&self, at: Instant) -> u64 {
        (self.anchor.1 + at.saturating_duration_since(self.anchor.0)).as_millis() as u64
    }

    /// Returns when a user may make one more request, or send one more message: how long the agent's own cap held it back.
    pub(super) async fn admit(&self) -> Duration {
        let held = self.job.permit.admit().await;
        if !held.is_zero() {
            self.tally.held_back();
        }
        held
    }

    /// Lets the plan `judge` a reply that took `elapsed`.
    pub(super) fn judge<T>(
        &self,
        reply: &Reply,
        elapsed: Duration,
        judge: impl FnOnce(&Response<'_>) -> T,
    ) -> T {
        let mut headers = self.headers.borrow_mut();
        let count = reply.headers.len();
        if headers.len() < count {
            headers.resize_with(count, Default::default);
        }
        for ((name, value), (new_name, new_value)) in headers.iter_mut().zip(&reply.headers) {
            name.clear();
            name.push_str(new_name.as_str());
            value.clear();
            value.extend_from_slice(new_value.as_bytes());
        }
        let response =
            Response { status: reply.status, headers: &headers[..count], body: &reply.body, elapsed };
        judge(&response)
    }
}

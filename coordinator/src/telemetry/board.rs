//! Where the fleet's driver puts how the run stands, for those who ask.

use super::families::{About, Moment, Phase};
use crate::clock::RunClock;
use crate::results::Results;
use plan::chore::ChoreKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// Between two looks at the results.
const APART: Duration = Duration::from_secs(1);

/// How long one who asks waits for a look; then what was seen last has to do.
const PATIENCE: Duration = Duration::from_secs(3);

/// How the run stood when it was looked at last.
#[derive(Debug)]
pub struct Board {
    about: About,
    wanted: AtomicBool,
    newest: watch::Sender<Option<Arc<Moment>>>,
}

impl Board {
    /// Nothing on it.
    pub fn new(about: About) -> Board {
        Board { about, wanted: AtomicBool::new(false), newest: watch::Sender::new(None) }
    }

    /// What does not change in the run.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// How the run stands now, or stood at its end; `None` if it was never looked at.
    pub async fn ask(&self) -> Option<Arc<Moment>> {
        let mut newest = self.newest.subscribe();
        newest.mark_unchanged();
        if self.last().is_none() {
            self.wanted.store(true, Ordering::Relaxed);
            let _ = timeout(PATIENCE, newest.changed()).await;
        }
        newest.borrow().clone()
    }

    /// How the run stood at its end, once it is over.
    pub fn last(&self) -> Option<Arc<Moment>> {
        self.newest.borrow().clone().filter(|moment| moment.phase == Phase::Over)
    }

    fn put(&self, moment: Moment) {
        self.newest.send_replace(Some(Arc::new(moment)));
    }
}

/// The driver's side of a board.
#[derive(Debug)]
pub(crate) struct Exhibit {
    board: Arc<Board>,
    clock: RunClock,
    /// Not looked again before, on the run's clock.
    due: Duration,
}

/// What the driver knows of a run beside its results.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Course {
    /// T0, on the run's clock.
    pub(crate) started: Option<Duration>,
    /// Nobody was wanted from then on, since T0.
    pub(crate) stopped: Option<Duration>,
    /// Setup or teardown, if one is going on.
    pub(crate) chore: Option<ChoreKind>,
}

/// How a run stood at its end; the verdict is yet to come.
#[derive(Debug)]
pub(crate) struct LastLook {
    board: Arc<Board>,
    moment: Moment,
}

impl Exhibit {
    pub(crate) fn new(board: Arc<Board>, clock: RunClock) -> Exhibit {
        Exhibit { board, clock, due: Duration::ZERO }
    }

    /// Looks, if somebody asked.
    pub(crate) fn look(&mut self, now: Duration, course: Course, results: &Results) {
        if now < self.due || !self.board.wanted.swap(false, Ordering::Relaxed) {
            return;
        }
        self.due = now + APART;
        let phase = match (course.chore, course.started) {
            (Some(ChoreKind::Setup), _) => Phase::Setup,
            (Some(ChoreKind::Teardown), _) => Phase::Teardown,
            (None, Some(t0)) if t0 <= now => Phase::Load,
            (None, _) => Phase::Waiting,
        };
        self.board.put(self.moment(phase, now, course, results));
    }

    /// Looks for the last time.
    pub(crate) fn last_look(self, course: Course, results: &Results) -> LastLook {
        let moment = self.moment(Phase::Over, self.clock.now(), course, results);
        LastLook { board: self.board, moment }
    }

    fn moment(&self, phase: Phase, now: Duration, course: Course, results: &Results) -> Moment {
        let end = course.stopped.unwrap_or(Duration::MAX).min(self.board.about.planned);
        let elapsed = course.started.map_or(Duration::ZERO, |t0| now.saturating_sub(t0));
        Moment {
            phase,
            start: course.started.map(|t0| self.clock.date(t0).as_millisecond().unsigned_abs()),
            elapsed: elapsed.min(end),
            verdict: None,
            snapshot: results.snapshot(),
        }
    }
}

impl LastLook {
    /// Puts it where it stays.
    pub(crate) fn close(self, verdict: &'static str) {
        self.board.put(Moment { verdict: Some(verdict), ..self.moment });
    }
}

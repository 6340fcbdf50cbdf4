//! A chore: setup or teardown, run once by something like a user, outside the schedule and the run's books.
//!
//! Setup ends at its first step that fails. Teardown tries every step of its list: what one of them cannot
//! clean up is no reason to leave the rest.

use super::hub::HubInput;
use super::job::Job;
use super::shared::Shared;
use super::steps::Halt;
use super::user::User;
use metrics::{ErrorCount, ErrorTable, Window};
use plan::chore::{Chore, ChoreKind};
use plan::model::SeriesKind;
use plan::scope::Scope;
use plan::slot::Slot;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How a chore ended.
#[derive(Clone, Debug, PartialEq)]
pub struct ChoreOutcome {
    /// Which one.
    pub kind: ChoreKind,
    /// Of setup: what it saved until its end, as [`plan::chore::SetupValues`] reads it. Of teardown: empty.
    pub values: Vec<u8>,
    /// Why it did not succeed, for a person.
    pub failed: Option<String>,
    /// How long it took.
    pub took: Duration,
    /// Requests with a result.
    pub requests: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// What was given up without a result.
    pub aborted: u64,
    /// Distinct errors, by the chore's own series; times count from its start.
    pub errors: Vec<ErrorCount>,
}

impl ChoreOutcome {
    /// Of a chore that did nothing.
    pub(super) fn refused(kind: ChoreKind, why: &str) -> ChoreOutcome {
        ChoreOutcome {
            kind,
            values: nothing_saved(kind),
            failed: Some(why.to_owned()),
            took: Duration::ZERO,
            requests: 0,
            failures: 0,
            aborted: 0,
            errors: Vec::new(),
        }
    }
}

fn nothing_saved(kind: ChoreKind) -> Vec<u8> {
    match kind {
        ChoreKind::Setup => b"{}".to_vec(),
        ChoreKind::Teardown => Vec::new(),
    }
}

/// Starts a chore on this thread; its outcome goes to `hub`. Using or dropping what is returned stops it.
pub(super) fn start(job: Arc<Job>, kind: ChoreKind, hub: mpsc::Sender<HubInput>) -> oneshot::Sender<()> {
    let (stop, stopped) = oneshot::channel();
    tokio::task::spawn_local(async move {
        let outcome = perform(&job, kind, stopped).await;
        // The hub outlives its threads.
        let _ = hub.send(HubInput::ChoreDone(Box::new(outcome)));
    });
    stop
}

async fn perform(job: &Arc<Job>, kind: ChoreKind, stopped: oneshot::Receiver<()>) -> ChoreOutcome {
    let chore = match kind {
        ChoreKind::Setup => &job.plan.setup,
        ChoreKind::Teardown => &job.plan.teardown,
    };
    let Some(chore) = chore else {
        return ChoreOutcome::refused(kind, &format!("the plan has no {}", kind.name()));
    };
    let began = Instant::now();
    let shared = Rc::new(Shared::with_series(job.clone(), began, chore.series.len() as u32));
    let place = shared.roster.admit(Slot(0), Duration::MAX, 0).expect("the roster is empty");
    let mut scope = Scope::for_chore(&job.facts, &job.plan, kind);
    if kind == ChoreKind::Teardown {
        scope.see_setup(&job.setup());
    }
    let mut user = User::with_scope(shared.clone(), place, scope, &job.connections_as(&chore.connection));
    let time = job.policy.max_run_time.unwrap_or(Duration::MAX);
    let result = tokio::select! {
        biased;
        _ = stopped => Err("it was stopped before its end".to_owned()),
        result = tokio::time::timeout(time.min(chore.timeout), user.chore(chore, kind)) => {
            result.unwrap_or_else(|_| Err(overdue(chore, kind, time)))
        }
    };
    let mut outcome = ChoreOutcome {
        failed: result.err(),
        took: began.elapsed(),
        ..counted(chore, kind, &shared.tally.take_all())
    };
    if kind == ChoreKind::Setup {
        match user.scope.saved_json() {
            Ok(values) => outcome.values = values,
            Err(why) => outcome.failed = outcome.failed.or(Some(why)),
        }
    }
    // Its messages leave the agent beside the books.
    if let Some(hidden) = outcome.failed.as_ref().and_then(|why| job.plan.params.secrets().hide(why)) {
        outcome.failed = Some(hidden);
    }
    outcome
}

fn overdue(chore: &Chore, kind: ChoreKind, most: Duration) -> String {
    let name = kind.name();
    if most < chore.timeout {
        let limit = metrics::unit::format_duration(most);
        return format!(
            "not done within {limit}, the agent's --max-run-time; make it shorter, or raise that"
        );
    }
    let limit = metrics::unit::format_duration(chore.timeout);
    format!("not done within {limit}; make it shorter, or raise `{name}_timeout`")
}

/// What the books say.
fn counted(chore: &Chore, kind: ChoreKind, windows: &[Window]) -> ChoreOutcome {
    let mut outcome = ChoreOutcome { failed: None, ..ChoreOutcome::refused(kind, "") };
    let mut errors = ErrorTable::new(Window::MAX_ERRORS);
    for window in windows {
        outcome.aborted += window.aborted;
        for (id, stats) in &window.series {
            if chore.series[id.0 as usize].kind.is_request() {
                outcome.requests += stats.requests();
                outcome.failures += stats.failed;
            }
        }
        errors.merge(&window.errors);
    }
    // A transaction fails by a step of it, which has a row of its own.
    let own = |row: &&ErrorCount| chore.series[row.series.0 as usize].kind != SeriesKind::Transaction;
    outcome.errors = errors.rows().filter(own).cloned().collect();
    outcome
}

impl User {
    /// Runs a chore's steps; the error names those that failed.
    async fn chore(&mut self, chore: &Chore, kind: ChoreKind) -> Result<(), String> {
        let mut failed: Option<String> = None;
        let mut further = 0;
        for (number, step) in (1..).zip(&chore.steps) {
            let Err(Halt::Failed(failure)) = self.steps(std::slice::from_ref(step)).await else { continue };
            let why = format!("step {number} ({}) failed: {}", chore.step_name(step), failure.message);
            match kind {
                ChoreKind::Setup => return Err(why),
                ChoreKind::Teardown if failed.is_none() => failed = Some(why),
                ChoreKind::Teardown => further += 1,
            }
        }
        match failed {
            None => Ok(()),
            Some(why) if further == 0 => Err(why),
            Some(why) => Err(format!("{why}; and {further} more of its steps")),
        }
    }
}

//! Setup and teardown: which agent runs them, and what follows from how they end.
//!
//! Setup begins when every agent has taken its users, so that nothing is set up for a run that could not start,
//! and ends before the start is given. Teardown begins when no agent has users any more and the lease of every
//! lost one is surely over. Each is ordered at most once: what an agent that was lost in the middle has done is
//! not known, and doing it again could do it twice.
//!
//! | what happens                       | setup                            | teardown                     |
//! |------------------------------------|----------------------------------|------------------------------|
//! | it succeeds                        | its values go out, Start follows | the run is over              |
//! | a step fails, or time is up        | not started, teardown            | the run is over              |
//! | its agent is lost                  | not started, teardown elsewhere  | the run is over              |
//! | another agent is lost              | it goes on; another is mustered  | it goes on                   |
//! | Stop                               | stopped, not started, teardown   | it goes on                   |
//! | its end is reported again, or late | nothing                          | nothing                      |

use super::agent::Stage;
use super::{AgentId, Fleet, NotStarted, Output, Phase, SILENCE, SessionId};
use bytes::Bytes;
use plan::chore::ChoreKind;
use proto::message::{ChoreReport, ToAgent};
use std::time::Duration;

/// How long after its time limit the report of a chore may arrive.
const GRACE: Duration = Duration::from_secs(10);

/// What the fleet core needs to know of a chore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChoreConfig {
    /// How long it may take.
    pub timeout: Duration,
    /// Number of its own series.
    pub n_series: u32,
}

/// The chores of a plan; `None` for one that it does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChoreConfigs {
    /// Before the start.
    pub setup: Option<ChoreConfig>,
    /// After the end.
    pub teardown: Option<ChoreConfig>,
}

impl ChoreConfigs {
    fn of(&self, kind: ChoreKind) -> Option<ChoreConfig> {
        match kind {
            ChoreKind::Setup => self.setup,
            ChoreKind::Teardown => self.teardown,
        }
    }
}

/// What became of a chore, for the report.
#[derive(Clone, Debug, PartialEq)]
pub struct ChoreEnd {
    /// How it ended.
    pub status: ChoreStatus,
    /// The agent that was told to run it.
    pub agent: Option<String>,
    /// What that agent reported.
    pub report: Option<Box<ChoreReport>>,
}

/// How a chore ended; reasons are for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChoreStatus {
    /// Every step succeeded.
    Done,
    /// A step failed, its time was up, or it was stopped.
    Failed(String),
    /// Its agent was lost: how far it came is not known.
    Lost(String),
    /// No agent was told to run it.
    NotRun(String),
}

impl ChoreEnd {
    fn not_run(why: &str) -> ChoreEnd {
        ChoreEnd { status: ChoreStatus::NotRun(why.to_owned()), agent: None, report: None }
    }
}

/// Where the chores stand.
#[derive(Debug, Default)]
pub(super) struct Chores {
    setup: Course,
    teardown: Course,
    /// What setup saved.
    values: Option<Bytes>,
    /// Setup was stopped by the operator.
    stopped: bool,
    /// Agents that were lost may make load until then.
    quiet_at: Duration,
}

#[derive(Debug, Default)]
enum Course {
    #[default]
    Idle,
    GoingOn {
        agent: AgentId,
        session: SessionId,
        name: String,
        /// When its report is overdue.
        until: Duration,
    },
    Over {
        agent: Option<AgentId>,
        end: ChoreEnd,
    },
}

impl Chores {
    fn course(&mut self, kind: ChoreKind) -> &mut Course {
        match kind {
            ChoreKind::Setup => &mut self.setup,
            ChoreKind::Teardown => &mut self.teardown,
        }
    }

    /// The chore that is going on, and where.
    fn going_on(&self) -> Option<(ChoreKind, SessionId, Duration)> {
        let of = |kind, course: &Course| match course {
            Course::GoingOn { session, until, .. } => Some((kind, *session, *until)),
            _ => None,
        };
        of(ChoreKind::Setup, &self.setup).or_else(|| of(ChoreKind::Teardown, &self.teardown))
    }

    /// Whether an agent was told to run setup.
    pub(super) fn setup_has_begun(&self) -> bool {
        !matches!(self.setup, Course::Idle)
    }

    /// Whether `session` runs a chore.
    pub(super) fn is_on(&self, session: SessionId) -> bool {
        self.going_on().is_some_and(|(_, on, _)| on == session)
    }

    /// When something is due.
    pub(super) fn due_at(&self, phase: Phase) -> Option<Duration> {
        match (self.going_on(), phase) {
            (Some((_, _, until)), _) => Some(until),
            (None, Phase::TearingDown) => Some(self.quiet_at),
            _ => None,
        }
    }

    /// The stream of the agent that should have reported by `now`, and the chore.
    pub(super) fn overdue(&self, now: Duration) -> Option<(SessionId, ChoreKind)> {
        self.going_on().filter(|(_, _, until)| *until <= now).map(|(kind, session, _)| (session, kind))
    }

    /// An agent that may still make load was granted its last lease at `leased`.
    pub(super) fn wait_for_lease(&mut self, leased: Duration) {
        self.quiet_at = self.quiet_at.max(leased + SILENCE);
    }

    /// What became of a chore that the plan has.
    fn end(course: Course) -> ChoreEnd {
        match course {
            Course::Over { end, .. } => end,
            Course::Idle | Course::GoingOn { .. } => ChoreEnd::not_run("the run did not come to it"),
        }
    }

    /// What became of setup and of teardown, as far as the plan has them.
    pub(super) fn ends(&mut self, configs: &ChoreConfigs) -> (Option<ChoreEnd>, Option<ChoreEnd>) {
        let setup = std::mem::take(&mut self.setup);
        let teardown = std::mem::take(&mut self.teardown);
        (configs.setup.map(|_| Chores::end(setup)), configs.teardown.map(|_| Chores::end(teardown)))
    }
}

impl Fleet {
    /// Every agent has taken its users: sets up what is to be set up, then starts.
    pub(super) fn set_up_or_start(&mut self, now: Duration) {
        match (&self.chores.setup, self.config.chores.setup) {
            (Course::Idle, Some(config)) => {
                let Some(agent) = self.agents.first() else { return };
                let (id, session) = (agent.id, agent.session);
                // An agent that is lost meanwhile may be replaced while setup goes on, and after it.
                let until = now + config.timeout + GRACE + self.config.agents_timeout;
                self.phase = Phase::Mustering { until };
                self.order_chore(now, ChoreKind::Setup, id, session);
            }
            (Course::GoingOn { .. }, _) => {}
            (Course::Idle | Course::Over { .. }, _) => self.start(now),
        }
    }

    /// Tells an agent what setup saved, if it saved anything.
    pub(super) fn send_setup_values(&mut self, session: SessionId) {
        if let Some(values) = self.chores.values.clone() {
            self.send(session, ToAgent::SetupValues { run: self.config.run.clone(), values });
        }
    }

    fn order_chore(&mut self, now: Duration, kind: ChoreKind, agent: AgentId, session: SessionId) {
        let Some(config) = self.config.chores.of(kind) else { return };
        let name = self.agents.iter().find(|a| a.id == agent).map_or(String::new(), |a| a.hello.name.clone());
        self.outputs.push_back(Output::ChoreBegan { kind, agent: name.clone() });
        let until = now + config.timeout + GRACE;
        *self.chores.course(kind) = Course::GoingOn { agent, session, name, until };
        self.send(session, ToAgent::RunChore { run: self.config.run.clone(), chore: kind });
    }

    /// A report of an agent of this run.
    pub(super) fn chore_done(&mut self, now: Duration, session: SessionId, report: Box<ChoreReport>) {
        let kind = report.chore;
        let Some(agent) = self.agents.iter().find(|a| a.session == session).map(|a| a.id) else { return };
        match self.chores.course(kind) {
            Course::GoingOn { session: on, .. } if *on == session => {}
            Course::Over { agent: Some(by), .. } if *by == agent => return,
            _ => {
                let problem = format!("it reports a {} that it was not asked to run", kind.name());
                return self.drop_agent(now, session, &problem);
            }
        }
        let count = self.config.chores.of(kind).map_or(0, |config| config.n_series);
        if let Some(row) = report.errors.iter().find(|row| row.series.0 >= count) {
            let (name, series) = (kind.name(), row.series.0);
            let problem = format!("its report of {name} counts series {series}, the {name} has {count}");
            return self.drop_agent(now, session, &problem);
        }
        if kind == ChoreKind::Setup {
            self.chores.values = Some(report.values.clone());
            if matches!(self.phase, Phase::Mustering { .. }) {
                self.phase = Phase::Mustering { until: now + self.config.agents_timeout };
            }
        }
        let status = report.failed.clone().map_or(ChoreStatus::Done, ChoreStatus::Failed);
        self.end_chore(kind, status, Some(report));
    }

    fn end_chore(&mut self, kind: ChoreKind, status: ChoreStatus, report: Option<Box<ChoreReport>>) {
        let (agent, name) = match self.chores.course(kind) {
            Course::GoingOn { agent, name, .. } => (Some(*agent), Some(std::mem::take(name))),
            _ => (None, None),
        };
        let (what, on) = (kind.name(), name.as_deref().unwrap_or("no agent"));
        self.note(match &status {
            ChoreStatus::Done => format!("{what} on {on} is done{}", requests(report.as_deref())),
            ChoreStatus::Failed(why) => {
                format!("{what} on {on} failed{}: {why}", requests(report.as_deref()))
            }
            ChoreStatus::Lost(why) => {
                format!("{on} was lost while it ran {what}, how far it came is not known: {why}")
            }
            ChoreStatus::NotRun(why) => format!("{what} was not run: {why}"),
        });
        self.outputs.push_back(Output::ChoreEnded { kind });
        *self.chores.course(kind) = Course::Over { agent, end: ChoreEnd { status, agent: name, report } };
    }

    /// The stream of an agent is gone; with it the chore that ran there, if one did.
    pub(super) fn lose_chore(&mut self, session: SessionId, leased: Duration, reason: &str) {
        if let Some((kind, on, _)) = self.chores.going_on()
            && on == session
        {
            self.chores.wait_for_lease(leased);
            self.end_chore(kind, ChoreStatus::Lost(reason.to_owned()), None);
        }
    }

    /// Why setup leaves nothing to start, once that is so.
    pub(super) fn failed_setup(&self) -> Option<NotStarted> {
        let Course::Over { end, .. } = &self.chores.setup else { return None };
        if self.chores.stopped {
            return Some(NotStarted::Interrupted);
        }
        let agent = end.agent.as_deref().unwrap_or_default();
        match &end.status {
            ChoreStatus::Done => None,
            ChoreStatus::Failed(why) => {
                Some(NotStarted::Setup(format!("setup on agent {agent} failed: {why}")))
            }
            ChoreStatus::Lost(why) | ChoreStatus::NotRun(why) => Some(NotStarted::Agents(format!(
                "agent {agent} was lost while it ran setup, and how far it came is not known: {why}"
            ))),
        }
    }

    /// The operator stops a run that has not started; whether setup has to end first.
    pub(super) fn stop_setup(&mut self, now: Duration) -> bool {
        let Course::GoingOn { session, until, .. } = &mut self.chores.setup else { return false };
        let session = *session;
        *until = (*until).min(now + GRACE);
        if !std::mem::replace(&mut self.chores.stopped, true) {
            self.send(session, ToAgent::Stop { run: self.config.run.clone(), timeout: Duration::ZERO });
        }
        true
    }

    /// Nobody has users any more: tears down what there is, then ends the run.
    pub(super) fn tear_down(&mut self, now: Duration) {
        let setup_goes_on = matches!(self.chores.setup, Course::GoingOn { .. });
        if matches!(self.chores.teardown, Course::Idle) && !setup_goes_on && self.chores.quiet_at <= now {
            if let Some((agent, session)) = self.teardown_agent(now) {
                self.send_setup_values(session);
                self.order_chore(now, ChoreKind::Teardown, agent, session);
            } else {
                let why = "no agent was left; what setup made may still be there".to_owned();
                self.end_chore(ChoreKind::Teardown, ChoreStatus::NotRun(why), None);
            }
        }
        if matches!(self.chores.teardown, Course::Over { .. }) {
            self.finish();
        }
    }

    /// The agent that ran setup if it is there, or else the first that is and has the plan.
    fn teardown_agent(&self, now: Duration) -> Option<(AgentId, SessionId)> {
        let first = match &self.chores.setup {
            Course::Over { agent, .. } => *agent,
            Course::Idle | Course::GoingOn { .. } => None,
        };
        let fit = |agent: &&super::agent::Agent| {
            let has_plan = !matches!(agent.stage, Stage::Waiting | Stage::Preparing | Stage::Lost(_));
            has_plan && !agent.gone && now.saturating_sub(agent.heard) < SILENCE
        };
        let fit = || self.agents.iter().filter(fit);
        let chosen = fit().find(|agent| Some(agent.id) == first).or_else(|| fit().next());
        chosen.map(|agent| (agent.id, agent.session))
    }
}

/// `: 3 requests in 0.2 s`
fn requests(report: Option<&ChoreReport>) -> String {
    let Some(report) = report else { return String::new() };
    let (count, seconds) = (report.requests, report.took.as_secs_f64());
    let plural = if count == 1 { "" } else { "s" };
    format!(" ({count} request{plural} in {seconds:.1} s)")
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

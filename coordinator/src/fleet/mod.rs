//! The fleet core: musters the agents, gives them their users, takes in their windows. Pure: `now` is an
//! argument, decisions are data.
//!
//! The driver calls [`Fleet::handle_input`] or [`Fleet::handle_timeout`], then drains
//! [`Fleet::poll_output`], then sleeps until [`Fleet::poll_timeout`] or the next input. `now` is the time
//! since an origin of the driver's choice on a clock that never goes back.
//!
//! **Invariants:** a window is applied exactly once, and acknowledged only after it was applied; a slot has at
//! most one agent; nothing starts before every agent has acknowledged its users; a peer that breaks the
//! protocol is dropped with a reason and the run goes on.
//!
//! An agent goes `Waiting -> Preparing -> Ready -> Assigned -> Armed -> Running -> Finished`, or is lost on the
//! way. The run goes:
//!
//! | phase     | when                                      | next    | what happens                        |
//! |-----------|-------------------------------------------|---------|-------------------------------------|
//! | Mustering | the expected agents are there             | -       | Prepare to those that have no plan  |
//! | Mustering | all are Ready                             | -       | users are dealt, Assign to all      |
//! | Mustering | all are Armed                             | Running | setup (see `chore.rs`), Start to all|
//! | Mustering | an agent goes                             | -       | the others wait for another         |
//! | Mustering | time is up, too few can come, or Stop     | Over    | Finished                            |
//! | Mustering | an agent's operator does not allow it     | Over    | Finished                            |
//! | Running   | window                                    | -       | Apply, then WindowAck               |
//! | Running   | the stream of an agent breaks             | -       | its users go on in their lease      |
//! | Running   | it attaches again                         | -       | Welcome, Assign, Stop if stopped    |
//! | Running   | its lease is over, it leaves, or is wrong | -       | it is lost, the others go on        |
//! | Running   | a lost agent attaches again               | -       | it delivers what it measured        |
//! | Running   | the lease of a lost agent is surely over  | -       | its users move, Assign to others    |
//! | Running   | an agent is strained for 3 s              | -       | it is saturated and gets no users   |
//! | Running   | it is fit for 10 s                        | -       | it gets users that found no room    |
//! | Running   | another agent comes                       | -       | Welcome, Prepare, Assign: a standby |
//! | Running   | a standby is there, and users without one | -       | Assign and Start to the standby     |
//! | Running   | a standby is to share                     | -       | Assign to others, without some users|
//! | Running   | a window says that such a user is gone    | -       | Assign to who is to have it         |
//! | Running   | an agent drains                           | -       | Assign to it, without users         |
//! | Running   | all iterations of a finite run are done   | -       | Stop to all                         |
//! | Running   | Stop                                      | -       | Stop to all                         |
//! | Running   | Abort: a threshold is missed for certain  | -       | Stop to all                         |
//! | Running   | StopNow                                   | -       | Stop to all, without any time       |
//! | Running   | every agent finished or lost, or overdue  | Over    | teardown, Finished                  |
//! | any       | the coordinator was started again         | -       | streams are broken, leases fresh    |
//! | any       | the journal fails                         | -       | as Stop                             |
//!
//! While teardown goes on, the phase is TearingDown.

mod agent;
mod capacity;
mod chore;
mod config;
mod deal;
mod drain;
mod due;
mod ending;
mod event;
#[cfg(test)]
pub(crate) mod fixture;
mod iterations;
mod join;
mod loss;
mod muster;
mod outcome;
mod plausible;
mod reattach;
mod receive;
mod resume;
mod share;
mod stop_now;
pub(crate) mod strain;
#[cfg(test)]
mod tests;
mod waiting;

use agent::Agent;
use chore::Chores;
pub use chore::{ChoreConfig, ChoreConfigs, ChoreEnd, ChoreStatus};
pub use config::FleetConfig;
pub use deal::deal;
use ending::Ending;
pub use event::{Input, Member, Output};
pub(crate) use iterations::Iterations;
pub use join::OnAgentJoin;
use loss::Parting;
pub use loss::{HandedOver, OnAgentLoss};
pub use outcome::{AgentOutcome, Cause, Left, Lost, NotStarted, Outcome};
use plan::slot::Slot;
use proto::defect::{Defect, seeded};
use proto::message::{RejectCode, ToAgent};
use share::Sharing;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Number of a stream, in order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// Number of an agent of the run, in order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentId(pub u32);

/// How long an agent may make load without hearing from the coordinator, counted from its last renewal.
pub const LEASE: Duration = Duration::from_secs(4);

/// How often an agent renews its lease.
pub const RENEW: Duration = Duration::from_secs(1);

/// How long after its last renewal an agent's lease is surely over, with clocks that drift by 0.1 % and half a second to
/// notice. Nobody else gets its users before. An agent that is silent for as long is lost.
const SILENCE: Duration = Duration::from_millis(4_504);

/// Longest wait for a Hello on a new stream.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// How far ahead T0 is at least when Start is sent: enough for the message to reach every agent before it.
const START_AHEAD: Duration = Duration::from_millis(250);

/// How far ahead T0 is at most, however slow the streams are.
const LONGEST_START_AHEAD: Duration = Duration::from_secs(10);

/// Agents that begin further apart than this are worth a word.
const LARGE_SKEW: Duration = Duration::from_millis(50);

/// Agents whose users end sooner before the schedule's end are not worth a word.
const EARLY: Duration = Duration::from_secs(1);

/// How long after the last iteration must be over an agent's last window may take to arrive.
const LAST_WINDOW_GRACE: Duration = Duration::from_secs(10);

/// The fleet core; see the module's documentation.
#[derive(Debug)]
pub struct Fleet {
    config: FleetConfig,
    phase: Phase,
    /// Streams that have not said Hello yet.
    greeting: BTreeMap<SessionId, Greeting>,
    agents: Vec<Agent>,
    next_agent: u32,
    revision: u64,
    iterations: Iterations,
    /// Why the run was stopped, if it was.
    cause: Option<Cause>,
    /// Since T0: before this, users that moved do not start.
    not_before: BTreeMap<Slot, Duration>,
    /// Users that wait until a saturated agent is fit again, and the agent that left or was lost with them.
    waiting: BTreeMap<Slot, Option<AgentId>>,
    /// Whether there may be room for them that there was not before.
    rooms_changed: bool,
    /// Users that nobody has, because there was no room for them, and the agent that left or was lost with them.
    stranded: BTreeMap<Slot, Option<AgentId>>,
    sharing: Sharing,
    /// Whether an agent came when the run had begun.
    has_late: bool,
    /// Whether the operator does not wait for running iterations.
    hurried: bool,
    /// Agents that were turned away while mustering, for the message when too few came.
    turned_away: Vec<String>,
    chores: Chores,
    /// How far apart the agents' T0 may be.
    start_skew: Option<Duration>,
    /// How the run ended, while it is torn down.
    ending: Option<Ending>,
    /// When it was last told anything.
    told: Duration,
    /// Why what happens cannot be kept any more.
    journal_failed: Option<String>,
    outputs: VecDeque<Output>,
    /// When something is due, or a time before that.
    due: Option<Duration>,
    /// Where agents stood last, by their streams.
    places: BTreeMap<SessionId, usize>,
}

#[derive(Debug)]
struct Greeting {
    peer: String,
    until: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Mustering { until: Duration },
    Running { t0: Duration, stopped: Option<Duration>, overdue: Duration },
    TearingDown,
    Over,
}

impl Fleet {
    /// A fleet that waits for its agents from `now` on.
    pub fn new(config: FleetConfig, now: Duration) -> Fleet {
        let mut fleet = Fleet {
            phase: Phase::Mustering { until: now + config.agents_timeout },
            iterations: Iterations::new(config.users, config.iterations),
            cause: None,
            not_before: BTreeMap::new(),
            config,
            greeting: BTreeMap::new(),
            agents: Vec::new(),
            next_agent: 0,
            revision: 0,
            waiting: BTreeMap::new(),
            rooms_changed: false,
            stranded: BTreeMap::new(),
            sharing: Sharing::default(),
            has_late: false,
            hurried: false,
            turned_away: Vec::new(),
            chores: Chores::default(),
            start_skew: None,
            ending: None,
            told: now,
            journal_failed: None,
            outputs: VecDeque::new(),
            due: None,
            places: BTreeMap::new(),
        };
        fleet.reckon(false, 0);
        fleet
    }

    /// Takes in what happened. Total: every input is defined in every phase.
    pub fn handle_input(&mut self, now: Duration, input: Input) {
        let (routine, from) = (self.is_routine(&input), self.outputs.len());
        match input {
            Input::Attached { session, peer } => {
                self.greeting.insert(session, Greeting { peer, until: now + HELLO_TIMEOUT });
            }
            Input::Received { session, message } => self.received(now, session, message),
            Input::Refused { session, code, message } => self.turn_away(session, code, message),
            Input::Broke { session, problem } => self.broke(now, session, problem),
            Input::Detached { session, reason } => {
                if let Some(greeting) = self.greeting.remove(&session) {
                    self.remember(format!("{} ended before its Hello: {reason}", greeting.peer));
                }
                self.detached(now, session, reason);
            }
            Input::Stop => {
                if !self.agents.iter().any(|agent| agent.is_live() && agent.has_begun()) {
                    self.deliveries_over(|_| true);
                }
                self.stop(now, Cause::Operator);
            }
            Input::StopNow => self.stop_now(now),
            Input::Resumed { embedded } => self.resumed(now, embedded),
            Input::JournalFailed { reason, unkept } => self.journal_failed(now, reason, &unkept),
            // Before the start there is nothing to miss.
            Input::Abort if matches!(self.phase, Phase::Running { .. }) => self.stop(now, Cause::Threshold),
            Input::Abort => {}
        }
        if !routine || self.is_due(now) {
            self.hand_over_due(now);
        }
        self.told = now;
        self.advance(now);
        self.reckon(routine, from);
    }

    /// Does what is due at `now`; without anything due it does nothing.
    pub fn handle_timeout(&mut self, now: Duration) {
        let silent_greetings: Vec<SessionId> =
            self.greeting.iter().filter(|(_, g)| g.until <= now).map(|(&session, _)| session).collect();
        for session in silent_greetings {
            let message = format!("no Hello within {} s", HELLO_TIMEOUT.as_secs());
            self.turn_away(session, RejectCode::Protocol, message);
        }
        let overdue = matches!(self.phase, Phase::Running { overdue, .. } if overdue <= now);
        let gone: Vec<(SessionId, String)> = self
            .live()
            .filter_map(|agent| {
                let silence = now.saturating_sub(agent.silent_since());
                let seconds = silence.as_secs_f64();
                if silence >= SILENCE {
                    Some((
                        agent.session,
                        match &agent.broken {
                            Some((why, _)) => format!("{why}, and it did not attach again within its lease"),
                            None => format!("nothing was heard from it for {seconds:.1} s"),
                        },
                    ))
                } else {
                    overdue.then(|| (agent.session, "its last window did not arrive in time".to_owned()))
                }
            })
            .collect();
        for (session, reason) in gone {
            self.outputs.push_back(Output::Close { session });
            self.lose(now, session, &reason, if overdue { Parting::Barred } else { Parting::Silent });
        }
        self.deliveries_over(|until| until <= now || overdue);
        if let Some((session, kind)) = self.chores.overdue(now) {
            self.outputs.push_back(Output::Close { session });
            let reason = format!("its {} did not end in time", kind.name());
            self.lose(now, session, &reason, Parting::Silent);
        }
        if matches!(self.phase, Phase::Mustering { until } if until <= now) {
            self.give_up(now);
        }
        self.hand_over_due(now);
        self.advance(now);
        self.reckon(false, 0);
    }

    /// What to do next; `None` when everything is said.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`handle_timeout`](Fleet::handle_timeout) has something to do, or a time before that.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.due
    }

    fn next_due(&self) -> Option<Duration> {
        let phase = match self.phase {
            Phase::Mustering { until } => Some(until),
            Phase::Running { overdue, .. } => Some(overdue),
            Phase::TearingDown | Phase::Over => None,
        };
        let chore = self.chores.due_at(self.phase);
        let greeting = self.greeting.values().map(|greeting| greeting.until);
        let silence = self.live().map(|agent| agent.silent_since() + SILENCE);
        let orphans = self.next_hand_over().into_iter().chain(self.deliveries_end()).chain(self.next_share());
        phase.into_iter().chain(chore).chain(greeting).chain(silence).chain(orphans).min()
    }

    fn live(&self) -> impl Iterator<Item = &Agent> {
        let over = self.phase == Phase::Over;
        let at_work = |agent: &Agent| !agent.gone && self.chores.is_on(agent.session);
        let delivers = |agent: &Agent| !agent.gone && agent.may_deliver();
        self.agents
            .iter()
            .filter(move |agent| !over && (agent.is_live() || at_work(agent) || delivers(agent)))
    }

    fn send(&mut self, session: SessionId, message: ToAgent) {
        self.outputs.push_back(Output::Send { session, message });
    }

    fn note(&mut self, text: String) {
        self.outputs.push_back(Output::Note(text));
    }

    /// What may cost the run something: it is told also where only warnings are (`-q`).
    fn warn(&mut self, text: &str) {
        self.note(format!("warning: {text}"));
    }

    fn stop(&mut self, now: Duration, cause: Cause) {
        match &mut self.phase {
            Phase::Mustering { .. } => {
                if !self.stop_setup(now) {
                    self.conclude(now, Err(NotStarted::Interrupted));
                }
            }
            Phase::Running { t0, stopped, overdue } if stopped.is_none() => {
                let at = now.saturating_sub(*t0);
                *stopped = Some(at);
                self.cause = Some(cause);
                *overdue = (*overdue).min(now + self.config.stop_timeout + LAST_WINDOW_GRACE);
                let timeout = self.config.stop_timeout;
                self.outputs.push_back(Output::Stopping { at });
                let attached = self.live().filter(|agent| !agent.gone);
                let sessions: Vec<SessionId> = attached.map(|agent| agent.session).collect();
                for session in sessions {
                    self.send(session, ToAgent::Stop { run: self.config.run.clone(), timeout });
                }
            }
            Phase::Running { .. } | Phase::TearingDown | Phase::Over => {}
        }
    }

    /// Moves on as far as the agents' stages allow.
    fn advance(&mut self, now: Duration) {
        self.house_waiting(now);
        if self.iterations.are_over() {
            self.stop(now, Cause::Done);
        }
        match self.phase {
            Phase::Mustering { .. } => match self.failed_setup() {
                Some(why) => self.conclude(now, Err(why)),
                None => self.muster(now),
            },
            Phase::Running { t0, .. } if seeded(Defect::M7) && now >= t0 + self.config.schedule.end() => {
                self.conclude(now, Ok(t0));
            }
            Phase::Running { t0, .. } if self.nobody_is_left() => self.conclude(now, Ok(t0)),
            Phase::Running { .. } if self.has_late => self.muster_late(now),
            Phase::TearingDown => self.tear_down(now),
            Phase::Running { .. } | Phase::Over => {}
        }
    }
}

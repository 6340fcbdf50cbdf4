//! The session core: what an agent does about what it hears. Pure: `now` is an argument, decisions are data.
//!
//! The driver calls [`Session::handle_input`] or [`Session::handle_timeout`], then drains
//! [`Session::poll_output`], then sleeps until [`Session::poll_timeout`] or the next input. `now` is the time
//! since an origin of the driver's choice on a clock that never goes back; the driver passes the current
//! time, never the timeout's.
//!
//! **Invariants:** no users without a lease that is still good; windows are numbered from 1 without holes;
//! an order for another run, an older revision or a state in which it makes no sense changes nothing.
//!
//! | state     | input                  | next      | outputs                          |
//! |-----------|------------------------|-----------|----------------------------------|
//! | Offline   | timeout                | Dialling  | Dial                             |
//! | Dialling  | Connected              | Greeting  | Send Hello                       |
//! | Greeting  | Welcome                | Attached  | Send Renew                       |
//! | any       | Reject                 | Offline   | Hangup (Exit where it is final)  |
//! | any       | Disconnected           | Offline   | StopUsers if users run           |
//! | Attached  | Prepare                | Attached  | Prepare (once the engine is free)|
//! | Attached  | Assign                 | Attached  | Send AssignAck (Run if running)  |
//! | Attached  | Start                  | Attached  | Run                              |
//! | Attached  | Stop                   | Attached  | StopUsers, or StopChore          |
//! | Attached  | RunChore               | Attached  | Chore, unless users run          |
//! | Attached  | ChoreDone              | Attached  | Send ChoreDone                   |
//! | Attached  | lease ends             | Offline   | StopUsers, Hangup if users run   |
//! | Attached  | last window acked      | Attached  | - (ready for the next run)       |
//! | any       | Leave                  | Left      | StopUsers, last window, Goodbye  |

mod backoff;
mod chore;
mod lease;
mod run;
#[cfg(test)]
mod tests;

use backoff::Backoff;
use bytes::Bytes;
use chore::Chores;
use lease::Lease;
use plan::chore::ChoreKind;
use plan::slot::Seat;
use proto::message::{
    ChoreReport, FromAgent, Hello, PlanDigests, RejectCode, RunId, ToAgent, Welcome, WindowReport,
};
use proto::version;
use run::{Run, Stage};
use std::collections::VecDeque;
use std::time::Duration;

/// How long the coordinator may take to answer Hello.
const GREETING_TIMEOUT: Duration = Duration::from_secs(10);

/// How long running iterations may take to finish when the agent is told to leave.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// The stream is open.
    Connected,
    /// The coordinator said something.
    Received(ToAgent),
    /// Dialling failed or the stream ended.
    Disconnected {
        /// Why, for a person.
        reason: String,
    },
    /// The engine compiled and prepared the plan, or could not.
    Prepared(Result<PlanDigests, String>),
    /// The engine closed a window. `seq` and `cumulative` are filled in by the session.
    Window(Box<WindowReport>),
    /// The engine's chore has ended. `run` is filled in by the session.
    ChoreDone(Box<ChoreReport>),
    /// The process was asked to end.
    Leave {
        /// Why, for a person.
        reason: String,
    },
}

/// What the driver is to do.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Open the stream; answer with [`Input::Connected`] or [`Input::Disconnected`].
    Dial,
    /// Say this.
    Send(FromAgent),
    /// Close the stream, once what was sent is on its way; no [`Input::Disconnected`] follows.
    Hangup,
    /// Compile the bundle and prepare the engine; answer with [`Input::Prepared`].
    Prepare {
        /// The run.
        run: RunId,
        /// The plan bundle.
        bundle: Bytes,
        /// The SHA-256 it must have.
        bundle_sha256: String,
    },
    /// Run exactly these users from `t0` (the session's clock) on.
    Run {
        /// The users.
        seats: Vec<Seat>,
        /// T0 of the run.
        t0: Duration,
    },
    /// Stop all users; zero gives running iterations up at once. The engine's last window follows.
    StopUsers {
        /// How long running iterations may take to finish.
        timeout: Duration,
    },
    /// Run this chore; answer with [`Input::ChoreDone`].
    Chore(ChoreKind),
    /// Give the chore up at once; its [`Input::ChoreDone`] follows.
    StopChore,
    /// What setup saved, a JSON object, for all that begins from now on.
    SeeSetup(Bytes),
    /// Tell a person.
    Note(String),
    /// End the process.
    Exit(Exit),
}

/// Why the agent's process ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was asked to.
    Left,
    /// The coordinator does not want it and never will.
    Rejected(String),
    /// It cannot go on by itself; a fault of this program.
    Broken(String),
}

/// The session core; see the module's documentation.
#[derive(Debug)]
pub struct Session {
    hello: Hello,
    coordinator: String,
    state: State,
    backoff: Backoff,
    /// The run, from Prepare to the acknowledgement of its last window.
    run: Option<Run>,
    /// The engine has users of a run that this session gave up; nothing is prepared before its last window.
    engine_clearing: bool,
    leaving: Option<String>,
    chores: Chores,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum State {
    Offline { dial_at: Duration },
    Dialling,
    Greeting { until: Duration },
    Attached(Lease),
    Left,
}

impl Session {
    /// A session that dials at once. `coordinator` is its address, for messages to people.
    pub fn new(hello: Hello, coordinator: impl Into<String>) -> Session {
        Session {
            backoff: Backoff::new(hello.incarnation),
            hello,
            coordinator: coordinator.into(),
            state: State::Offline { dial_at: Duration::ZERO },
            run: None,
            engine_clearing: false,
            leaving: None,
            chores: Chores::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes in what happened. Total: every input is defined in every state.
    pub fn handle_input(&mut self, now: Duration, input: Input) {
        match input {
            Input::Connected => self.connected(now),
            Input::Received(message) => self.received(now, message),
            Input::Disconnected { reason } => self.disconnected(now, &reason),
            Input::Prepared(result) => self.prepared(result),
            Input::Window(window) => self.window(window),
            Input::ChoreDone(report) => self.chore_done(report),
            Input::Leave { reason } => self.leave(reason),
        }
    }

    /// Does what is due at `now`; without anything due it does nothing.
    pub fn handle_timeout(&mut self, now: Duration) {
        match &mut self.state {
            State::Offline { dial_at } if *dial_at <= now => {
                self.state = State::Dialling;
                self.outputs.push_back(Output::Dial);
            }
            State::Greeting { until } if *until <= now => {
                self.outputs.push_back(Output::Hangup);
                self.disconnected(now, "no answer to Hello");
            }
            State::Attached(lease) => {
                if lease.over_at() <= now {
                    self.outputs.push_back(Output::Hangup);
                    self.disconnected(now, "the coordinator stopped renewing the lease");
                } else if let Some(n) = lease.renew_if_due(now) {
                    let users = self.run.as_ref().map_or(0, Run::users);
                    self.outputs.push_back(Output::Send(FromAgent::Renew { n, users }));
                }
            }
            _ => {}
        }
    }

    /// What to do next; `None` when everything is said.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`handle_timeout`](Session::handle_timeout) has something to do.
    pub fn poll_timeout(&self) -> Option<Duration> {
        match &self.state {
            State::Offline { dial_at } => Some(*dial_at),
            State::Greeting { until } => Some(*until),
            State::Attached(lease) => Some(lease.due_at()),
            State::Dialling | State::Left => None,
        }
    }

    fn send(&mut self, message: FromAgent) {
        self.outputs.push_back(Output::Send(message));
    }

    fn note(&mut self, text: String) {
        self.outputs.push_back(Output::Note(text));
    }

    fn connected(&mut self, now: Duration) {
        if matches!(self.state, State::Dialling) {
            self.state = State::Greeting { until: now + GREETING_TIMEOUT };
            self.send(FromAgent::Hello(self.hello.clone()));
        }
    }

    fn disconnected(&mut self, now: Duration, reason: &str) {
        let was_attached = matches!(self.state, State::Attached(_));
        let was_turned_away = matches!(self.state, State::Greeting { .. });
        if matches!(self.state, State::Left) {
            return;
        }
        if let Some(run) = self.run.take() {
            if run.has_users() {
                self.note(format!(
                    "lost the coordinator at {} during run {} ({reason}); all users are stopped",
                    self.coordinator, run.id
                ));
            }
            self.abandon(&run);
        }
        self.abandon_chore();
        if self.leaving.is_some() {
            self.exit(Exit::Left);
            return;
        }
        let pause = self.backoff.next_pause();
        if was_turned_away {
            if self.backoff.attempts() == 1 {
                self.note(format!(
                    "{} has no use for this agent now: {reason}; asking again",
                    self.coordinator
                ));
            }
        } else if was_attached {
            self.note(format!("detached from {} ({reason}); waiting for the next run", self.coordinator));
        } else if self.backoff.attempts() == 1 {
            self.note(format!(
                "no coordinator at {} yet ({reason}); trying until there is one",
                self.coordinator
            ));
        }
        self.state = State::Offline { dial_at: now + pause };
    }

    /// Stops what the engine does for a run that is given up. Nothing else is prepared before it has.
    fn abandon(&mut self, run: &Run) {
        if run.has_users() {
            self.outputs.push_back(Output::StopUsers { timeout: Duration::ZERO });
        }
        self.engine_clearing |= run.has_users() || run.preparing();
    }

    fn received(&mut self, now: Duration, message: ToAgent) {
        match (&mut self.state, message) {
            (State::Greeting { .. }, ToAgent::Welcome(welcome)) => self.welcome(now, &welcome),
            (State::Greeting { .. } | State::Attached(_), ToAgent::Reject { code, message }) => {
                self.rejected(now, code, &message);
            }
            (State::Attached(lease), ToAgent::Lease { n, ttl }) => lease.granted(n, ttl),
            (State::Attached(_), ToAgent::Prepare { run, bundle, bundle_sha256 }) => {
                self.prepare(run, bundle, bundle_sha256);
            }
            (State::Attached(_), ToAgent::RunChore { run, chore }) => self.run_chore(&run, chore),
            (State::Attached(_), ToAgent::SetupValues { run, values }) => self.setup_values(&run, values),
            (State::Attached(_), ToAgent::Stop { run, .. }) if self.chores.is_of(&run) => self.stop_chore(),
            (State::Attached(_), order) => self.order(now, order),
            // Nothing else makes sense before Welcome, and nothing at all after the end.
            _ => {}
        }
    }

    fn welcome(&mut self, now: Duration, welcome: &Welcome) {
        if !version::SUPPORTED.range().contains(&welcome.protocol) {
            self.outputs.push_back(Output::Hangup);
            self.exit(Exit::Rejected(format!(
                "the coordinator at {} (build {}) chose protocol version {}, this agent (build {}) speaks {}; \
                 install the same version of Muster on both",
                self.coordinator,
                welcome.build,
                welcome.protocol,
                self.hello.build,
                version::SUPPORTED
            )));
            return;
        }
        self.backoff.reset();
        self.note(format!("attached to {} as {}", self.coordinator, self.hello.name));
        let (lease, n) = Lease::new(now, welcome.renew);
        self.state = State::Attached(lease);
        self.send(FromAgent::Renew { n, users: 0 });
        if let Some(reason) = self.leaving.clone() {
            self.leave(reason);
        }
    }

    fn rejected(&mut self, now: Duration, code: RejectCode, message: &str) {
        self.outputs.push_back(Output::Hangup);
        match code {
            RejectCode::Full | RejectCode::Late | RejectCode::Over => self.disconnected(now, message),
            RejectCode::Version | RejectCode::Name | RejectCode::Protocol | RejectCode::Plan => {
                if let Some(run) = self.run.take() {
                    self.abandon(&run);
                }
                self.abandon_chore();
                self.exit(Exit::Rejected(message.to_owned()));
            }
        }
    }

    fn prepare(&mut self, id: RunId, bundle: Bytes, bundle_sha256: String) {
        let known =
            self.run.as_ref().is_some_and(|run| run.id == id || run.is_running()) || self.chores.is_of(&id);
        if !known && self.leaving.is_none() {
            // The engine's answer about a plan that is replaced must not be taken for the new one's.
            if let Some(replaced) = self.run.take() {
                self.abandon(&replaced);
            }
            self.abandon_chore();
            self.run = Some(Run::new(id, bundle, bundle_sha256));
            self.prepare_when_free();
        }
    }

    /// The engine serves one run at a time: a plan waits until the users of an abandoned run are gone.
    fn prepare_when_free(&mut self) {
        if let Some(run) = self.run.as_mut()
            && !self.engine_clearing
            && let Some((bundle, bundle_sha256)) = run.take_bundle()
        {
            self.chores = Chores::default();
            self.outputs.push_back(Output::Prepare { run: run.id.clone(), bundle, bundle_sha256 });
        }
    }

    fn prepared(&mut self, result: Result<PlanDigests, String>) {
        if std::mem::take(&mut self.engine_clearing) {
            // The answer belongs to a run that is no longer of interest.
            self.prepare_when_free();
            return;
        }
        let Some(run) = self.run.as_mut().filter(|run| run.preparing()) else { return };
        let id = run.id.clone();
        match &result {
            Ok(_) => {
                run.stage = Stage::Ready;
                self.chores.prepared = Some(id.clone());
            }
            Err(_) => self.run = None,
        }
        self.send(FromAgent::PlanState { run: id, state: result });
    }

    /// Orders about the run at hand; those about another run change nothing.
    fn order(&mut self, now: Duration, order: ToAgent) {
        let Some(run) = self.run.as_mut() else { return };
        match order {
            ToAgent::Assign { run: id, seats, .. }
                if id == run.id && seats.len() > self.hello.max_users as usize =>
            {
                let (asked, accepted) = (seats.len(), self.hello.max_users);
                self.outputs.push_back(Output::Hangup);
                let reason =
                    format!("it assigned {asked} users, this agent accepts {accepted} (--max-users)");
                self.disconnected(now, &reason);
            }
            ToAgent::Assign { run: id, revision, seats } if id == run.id => {
                if run.assign(revision, seats)
                    && let Some((seats, t0)) = run.users_to_run()
                {
                    self.outputs.push_back(Output::Run { seats, t0 });
                }
                let revision = run.revision;
                self.send(FromAgent::AssignAck { run: id, revision });
            }
            ToAgent::Start { run: id, after }
                if id == run.id && run.stage == Stage::Ready && !self.chores.is_going_on() =>
            {
                run.stage = Stage::Running { t0: now + after };
                if let Some((seats, t0)) = run.users_to_run() {
                    self.outputs.push_back(Output::Note(format!("run {id} begins, {} users", seats.len())));
                    self.outputs.push_back(Output::Run { seats, t0 });
                }
            }
            ToAgent::Stop { run: id, timeout } if id == run.id => {
                if run.has_users() {
                    self.outputs.push_back(Output::StopUsers { timeout });
                } else if !run.is_running() {
                    self.run = None;
                }
            }
            ToAgent::WindowAck { run: id, seq } if id == run.id && run.acknowledged(seq) => self.run_over(),
            _ => {}
        }
    }

    fn window(&mut self, window: Box<WindowReport>) {
        if self.engine_clearing {
            // Its run was given up, and the coordinator counts it as lost.
            if window.last {
                self.engine_clearing = false;
                self.prepare_when_free();
            }
            return;
        }
        if let Some(run) = self.run.as_mut().filter(|run| run.has_users()) {
            let window = run.number(window);
            self.send(FromAgent::Window(window));
        }
    }

    /// The last window is acknowledged: everything that was measured has arrived.
    fn run_over(&mut self) {
        if let Some(run) = self.run.take() {
            self.note(format!("run {} is over, {} requests are delivered", run.id, run.requests()));
        }
        if let Some(reason) = self.leaving.clone() {
            self.leave(reason);
        }
    }

    fn leave(&mut self, reason: String) {
        match &self.state {
            State::Left => {}
            State::Attached(_) if self.run.as_ref().is_some_and(Run::is_running) => {
                if self.leaving.is_none() {
                    self.outputs.push_back(Output::StopUsers { timeout: LEAVE_TIMEOUT });
                }
                self.leaving = Some(reason);
            }
            State::Attached(_) if self.chores.is_going_on() => {
                if self.leaving.is_none() {
                    self.stop_chore();
                }
                self.leaving = Some(reason);
            }
            State::Attached(_) => {
                self.send(FromAgent::Goodbye { reason });
                self.outputs.push_back(Output::Hangup);
                self.exit(Exit::Left);
            }
            State::Offline { .. } | State::Dialling | State::Greeting { .. } => self.exit(Exit::Left),
        }
    }

    fn exit(&mut self, exit: Exit) {
        self.state = State::Left;
        self.outputs.push_back(Output::Exit(exit));
    }
}

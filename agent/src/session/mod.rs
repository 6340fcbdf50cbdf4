//! The session core: what an agent does about what it hears. Pure: `now` is an argument, decisions are data.
//!
//! The driver calls [`Session::handle_input`] or [`Session::handle_timeout`], then drains
//! [`Session::poll_output`], then sleeps until [`Session::poll_timeout`] or the next input. `now` is the time
//! since an origin of the driver's choice on a clock that never goes back; the driver passes the current
//! time, never the timeout's.
//!
//! **Invariants:** no users without a lease that is still good; windows are numbered from 1 without holes, kept
//! until they are acknowledged, and so many only that memory stays bounded; an order for another run, an older revision or a state in which it makes no sense
//! changes nothing.
//!
//! | state     | input                  | next      | outputs                          |
//! |-----------|------------------------|-----------|----------------------------------|
//! | Offline   | timeout                | Dialling  | Dial                             |
//! | Dialling  | Connected              | Greeting  | Send Hello                       |
//! | Greeting  | Welcome                | Attached  | Send Renew                       |
//! | Greeting  | Welcome that resumes   | Attached  | Send Renew, windows not yet acked|
//! | any       | Reject                 | Offline   | Hangup (Exit where it is final)  |
//! | any       | Disconnected           | Offline   | - (users run on in their lease)  |
//! | not Left  | lease ends             | Offline   | StopUsers, Hangup                |
//! | Attached  | Prepare                | Attached  | Prepare (once the engine is free)|
//! | Attached  | Assign                 | Attached  | Send AssignAck (Run if running)  |
//! | Attached  | Start                  | Attached  | Run                              |
//! | Attached  | Stop                   | Attached  | StopUsers, or StopChore          |
//! | Attached  | RunChore               | Attached  | Chore, unless users run          |
//! | Attached  | ChoreDone              | Attached  | Send ChoreDone                   |
//! | Attached  | WindowAck              | Attached  | the windows that waited for it   |
//! | Attached  | last window acked      | Attached  | - (ready for the next run)       |
//! | any       | Leave                  | as it was | Send Draining, StopUsers         |
//! | any       | Leave, nothing left    | Left      | Send Goodbye, Hangup, Exit       |

mod attach;
mod backoff;
mod chore;
mod clock;
mod event;
mod keep;
mod lease;
mod leave;
mod order;
mod outbox;
mod run;
#[cfg(test)]
mod tests;

use backoff::Backoff;
use chore::Chores;
use clock::Clock;
pub use event::{Exit, Input, Output};
pub use keep::{Entry, Part, Recovered};
use lease::Lease;
pub use leave::DEFAULT_DRAIN_TIMEOUT;
use leave::{DELIVERY_TIMEOUT, Leaving};
use proto::message::{FromAgent, Hello, ToAgent, WindowReport};
use run::Run;
use std::collections::VecDeque;
use std::time::Duration;

/// How long the coordinator may take to answer Hello.
const GREETING_TIMEOUT: Duration = Duration::from_secs(10);

/// The session core; see the module's documentation.
#[derive(Debug)]
pub struct Session {
    hello: Hello,
    coordinator: String,
    state: State,
    backoff: Backoff,
    /// The right to make load; outlives the stream over which it was granted.
    lease: Option<Lease>,
    /// The coordinator's clock.
    clock: Clock,
    /// The run, from Prepare to the acknowledgement of its last window.
    run: Option<Run>,
    /// The engine has users of a run that this session gave up; nothing is prepared before its last window.
    engine_clearing: bool,
    leaving: Option<Leaving>,
    /// Whether what is left to deliver is kept outside of the process.
    keeping: bool,
    /// It only delivers what an earlier process measured.
    recovering: bool,
    /// How long running iterations may take to finish when the agent is told to leave.
    drain_timeout: Duration,
    chores: Chores,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum State {
    Offline { dial_at: Duration },
    Dialling,
    Greeting { until: Duration },
    Attached { session: u64 },
    Left,
}

impl Session {
    /// A session that dials at once. `coordinator` is its address, for messages to people.
    pub fn new(hello: Hello, coordinator: impl Into<String>) -> Session {
        Session {
            backoff: Backoff::new(hello.incarnation),
            lease: None,
            clock: Clock::default(),
            hello,
            coordinator: coordinator.into(),
            state: State::Offline { dial_at: Duration::ZERO },
            run: None,
            engine_clearing: false,
            leaving: None,
            keeping: false,
            recovering: false,
            drain_timeout: DEFAULT_DRAIN_TIMEOUT,
            chores: Chores::default(),
            outputs: VecDeque::new(),
        }
    }

    /// A session that tells what to keep, with [`Output::Keep`].
    #[must_use]
    pub fn keeping(self) -> Session {
        Session { keeping: true, ..self }
    }

    /// A session that delivers what an earlier process of the agent measured and then ends with [`Exit::Recovered`]. `hello`
    /// has the name of that agent, and an incarnation of its own.
    pub fn recovering(hello: Hello, coordinator: impl Into<String>, recovered: Recovered) -> Session {
        let mut session = Session::new(hello, coordinator).keeping();
        session.recovering = true;
        session.run = Some(Run::recovered(recovered));
        session
    }

    /// What is kept cannot be kept any more: it is told no more.
    pub fn keep_no_more(&mut self) {
        self.keeping = false;
        if let Some(run) = &mut self.run {
            run.outbox.keep_no_more();
        }
    }

    /// What is left to deliver, as entries that make all those that were told before superfluous; `None` outside of a run.
    pub fn rewritten(&self) -> Option<Vec<Entry>> {
        let run = self.run.as_ref().filter(|run| run.is_running() && self.keeping)?;
        Some(std::iter::once(Entry::Began(run.part())).chain(run.outbox.rewritten()).collect())
    }

    /// Lets running iterations take so long to finish when the agent is told to leave; the plan's `stop_timeout` counts
    /// if that is shorter.
    #[must_use]
    pub fn with_drain_timeout(self, drain_timeout: Duration) -> Session {
        Session { drain_timeout, ..self }
    }

    /// Takes in what happened. Total: every input is defined in every state.
    pub fn handle_input(&mut self, now: Duration, input: Input) {
        // First of all: whatever this is, it may come after a pause in which the lease ended.
        self.check_lease(now);
        match input {
            Input::Connected => self.connected(now),
            Input::Received(message) => self.received(now, message),
            Input::Disconnected { reason } => self.disconnected(now, &reason),
            Input::Prepared(result) => self.prepared(result),
            Input::WarmUp { seconds } => {
                if let Some(run) = &mut self.run {
                    run.outbox.keep_apart(seconds);
                }
            }
            Input::Window(window) => self.window(now, window),
            Input::ChoreDone(report) => self.chore_done(report),
            Input::Leave { reason } => self.leave(now, reason),
        }
    }

    /// Does what is due at `now`; without anything due it does nothing.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.check_lease(now);
        if self.leaving.as_ref().is_some_and(|leaving| leaving.until <= now) {
            return self.leave_overdue();
        }
        match &mut self.state {
            State::Offline { dial_at } if *dial_at <= now => {
                self.state = State::Dialling;
                self.outputs.push_back(Output::Dial);
            }
            State::Greeting { until } if *until <= now => {
                self.outputs.push_back(Output::Hangup);
                self.disconnected(now, "no answer to Hello");
            }
            State::Attached { .. } => {
                if let Some(n) = self.lease.as_mut().and_then(|lease| lease.renew_if_due(now)) {
                    let users = self.run.as_ref().map_or(0, Run::users);
                    self.send(FromAgent::Renew { n, users });
                }
            }
            _ => {}
        }
    }

    /// Until when users may begin anything; `None` if they may not now.
    pub fn may_load_until(&self) -> Option<Duration> {
        let fenced = self.run.as_ref().is_some_and(|run| run.is_running() && !run.makes_load());
        self.lease.as_ref().map(Lease::over_at).filter(|_| !fenced)
    }

    fn check_lease(&mut self, now: Duration) {
        if self.lease.as_ref().is_some_and(|lease| lease.over_at() <= now) {
            self.lease_over(now);
        }
    }

    /// What to do next; `None` when everything is said.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`handle_timeout`](Session::handle_timeout) has something to do.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let state = match &self.state {
            State::Offline { dial_at } => Some(*dial_at),
            State::Greeting { until } => Some(*until),
            State::Attached { .. } => self.lease.as_ref().map(Lease::due_at),
            State::Dialling => None,
            State::Left => return None,
        };
        let lease = self.lease.as_ref().map(Lease::over_at);
        let leaving = self.leaving.as_ref().map(|leaving| leaving.until);
        state.into_iter().chain(lease).chain(leaving).min()
    }

    fn send(&mut self, message: FromAgent) {
        self.outputs.push_back(Output::Send(message));
    }

    /// Tells what has changed in what is left to deliver.
    fn keep_entries(&mut self) {
        if let Some(run) = &mut self.run {
            self.outputs.extend(run.outbox.take_entries().into_iter().map(Output::Keep));
        }
    }

    /// Nothing of the run that was kept is to be delivered any more.
    fn keep_over(&mut self) {
        if self.keeping {
            self.outputs.push_back(Output::Keep(Entry::Over));
        }
    }

    fn note(&mut self, text: String) {
        self.outputs.push_back(Output::Note(text));
    }

    /// What costs the run something: it is told also where only warnings are (`-q`).
    fn warn(&mut self, text: &str) {
        self.note(format!("warning: {text}"));
    }

    fn received(&mut self, now: Duration, message: ToAgent) {
        match (&self.state, message) {
            (State::Greeting { .. }, ToAgent::Welcome(welcome)) => self.welcome(now, &welcome),
            (State::Greeting { .. } | State::Attached { .. }, ToAgent::Reject { code, message }) => {
                self.rejected(now, code, &message);
            }
            (State::Attached { .. }, ToAgent::Lease { n, ttl, clock }) => {
                self.granted(now, n, ttl, clock);
            }
            (State::Attached { session }, ToAgent::Prepare { run, bundle, bundle_sha256 }) => {
                let session = *session;
                self.prepare(Run::new(run, session, bundle, bundle_sha256));
            }
            (State::Attached { .. }, ToAgent::RunChore { run, chore }) => self.run_chore(&run, chore),
            (State::Attached { .. }, ToAgent::SetupValues { run, values }) => self.setup_values(&run, values),
            (State::Attached { .. }, ToAgent::Stop { run, .. }) if self.chores.is_of(&run) => {
                self.stop_chore();
            }
            (State::Attached { .. }, order) => self.order(now, order),
            // Nothing else makes sense before Welcome, and nothing at all after the end.
            _ => {}
        }
    }

    fn window(&mut self, now: Duration, window: Box<WindowReport>) {
        if self.engine_clearing {
            // Its run was given up, and the coordinator counts it as lost.
            if window.last {
                self.engine_clearing = false;
                self.prepare_when_free();
            }
            return;
        }
        if let Some(run) = self.run.as_mut().filter(|run| run.has_users()) {
            run.push(window);
            let (dropped, id) = (run.outbox.take_dropped(), run.id.clone());
            if run.outbox.is_complete()
                && let Some(leaving) = &mut self.leaving
            {
                leaving.until = leaving.until.min(now + DELIVERY_TIMEOUT);
            }
            if dropped > 0 {
                let coordinator = &self.coordinator;
                let text = format!(
                    "run {id}: {coordinator} takes no results and there is no room for more; {dropped} requests are counted \
                     as given up without a result"
                );
                self.warn(&text);
            }
            self.keep_entries();
            self.send_windows();
        }
    }

    /// Sends what the present stream has not carried yet, as far as it may be out.
    fn send_windows(&mut self) {
        if matches!(self.state, State::Attached { .. })
            && let Some(run) = &mut self.run
        {
            let windows: Vec<_> = std::iter::from_fn(|| run.outbox.next()).collect();
            self.keep_entries();
            self.outputs.extend(windows.into_iter().map(|window| Output::Send(FromAgent::Window(window))));
        }
    }

    /// The last window is acknowledged: everything that was measured has arrived.
    fn run_over(&mut self) {
        if let Some(run) = self.run.take() {
            self.keep_over();
            if self.recovering {
                self.note(format!("run {}: all that an earlier process left has arrived", run.id));
                return self.recovered();
            }
            self.note(format!("run {} is over, {} requests are delivered", run.id, run.outbox.requests()));
        }
        self.leave_when_done();
    }

    fn exit(&mut self, exit: Exit) {
        self.state = State::Left;
        self.outputs.push_back(Output::Exit(exit));
    }
}

//! The fleet core against a reference written from docs/PROTOCOL.md: whatever agents, streams and the clock do, in any order,
//! users have one owner, windows count once, and nobody gets a user before its lease is surely over.

use bytes::Bytes;
use coordinator::fleet::{
    AgentId, ChoreConfigs, Fleet, FleetConfig, Input, OnAgentJoin, OnAgentLoss, Output, SessionId,
};
use plan::schedule::Schedule;
use plan::slot::Classes;
use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};
use proto::message::{
    Cumulative, FromAgent, Hello, PlanDigests, RejectCode, Resume, Resumed, RunId, ToAgent, Welcome,
    WindowReport,
};
use protocol_tests::peer::{empty_window, hello};
use protocol_tests::stories::stories;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

/// Agents of a story, all of which are expected.
const AGENTS: usize = 3;

/// Users of the plan.
const USERS: u32 = 8;

/// From an agent's last renewal until its lease is surely over.
const SURELY_OVER: Duration = Duration::from_millis(4504);

/// What happens next, to agent `.0`.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Attach(usize),
    Break(usize),
    Renew(usize),
    Ready(usize),
    Armed(usize),
    Window(usize),
    Repeat(usize),
    Gap(usize),
    Lie(usize),
    Goodbye(usize),
    Wait(u64),
}
use Happens as H;

fn happens() -> impl Strategy<Value = Happens> {
    let who = || 0..AGENTS;
    prop_oneof![
        4 => who().prop_map(H::Attach),
        2 => who().prop_map(H::Break),
        8 => who().prop_map(H::Renew),
        3 => who().prop_map(H::Ready),
        3 => who().prop_map(H::Armed),
        6 => who().prop_map(H::Window),
        2 => who().prop_map(H::Repeat),
        1 => who().prop_map(H::Gap),
        1 => who().prop_map(H::Lie),
        1 => who().prop_map(H::Goodbye),
        6 => prop::sample::select(vec![10, 300, 700, 700, 2600]).prop_map(H::Wait),
    ]
}

fn story() -> impl Strategy<Value = Vec<Happens>> {
    let each = |what: fn(usize) -> Happens| (0..AGENTS).map(what).collect::<Vec<_>>();
    let beginning = [each(H::Attach), each(H::Ready), each(H::Armed)].concat();
    let began =
        prop::bool::weighted(0.7).prop_map(move |usual| if usual { beginning.clone() } else { vec![] });
    (began, prop::collection::vec(happens(), 1..80)).prop_map(|(began, rest)| [began, rest].concat())
}

/// An agent as the page has it.
#[derive(Debug, Default)]
struct Agent {
    /// Its open stream.
    session: Option<u64>,
    /// The stream over which it got its part in the run.
    part: Option<u64>,
    renewed: Duration,
    revision: u64,
    slots: BTreeSet<u32>,
    /// Windows that count.
    applied: u64,
    started: u64,
    /// It was told to start.
    runs: bool,
    /// It has no users any more, and said so or was dropped.
    said_goodbye: bool,
    renewals: u64,
}

struct Story {
    fleet: Fleet,
    now: Duration,
    agents: Vec<Agent>,
    sessions: u64,
    over: bool,
    lines: String,
    /// What the last input brought: windows applied, and the highest that was acknowledged.
    applied: Vec<(AgentId, u64)>,
    acknowledged: Option<u64>,
    rejected: Option<RejectCode>,
    leases: Vec<u64>,
    moved: bool,
}

fn run() -> RunId {
    RunId("r".to_owned())
}

fn digests() -> PlanDigests {
    PlanDigests { bundle_sha256: "b".repeat(64), meaning_sha256: "m".repeat(64) }
}

impl Story {
    fn new() -> Story {
        let config = FleetConfig {
            run: run(),
            build: "0".to_owned(),
            bundle: Bytes::from_static(b"plan"),
            digests: digests(),
            n_series: 1,
            users: USERS,
            classes: Classes::new(&[1]).expect("a class"),
            schedule: Schedule::constant(USERS, None, Duration::from_secs(600)),
            iterations: None,
            on_agent_loss: OnAgentLoss::Rebalance,
            on_agent_join: OnAgentJoin::Refuse,
            open: false,
            stop_timeout: Duration::from_secs(1),
            expect_agents: AGENTS as u32,
            agents_timeout: Duration::from_secs(3600),
            chores: ChoreConfigs::default(),
            capacity_remedy: String::new(),
        };
        Story {
            fleet: Fleet::new(config, Duration::ZERO),
            now: Duration::from_secs(1),
            agents: (0..AGENTS).map(|_| Agent::default()).collect(),
            sessions: 0,
            over: false,
            lines: String::new(),
            applied: Vec::new(),
            acknowledged: None,
            rejected: None,
            leases: Vec::new(),
            moved: false,
        }
    }

    fn says(&mut self, who: usize, message: FromAgent) -> Result<(), TestCaseError> {
        let Some(session) = self.agents[who].session else { return Ok(()) };
        self.input(Input::Received { session: SessionId(session), message })
    }

    fn input(&mut self, input: Input) -> Result<(), TestCaseError> {
        self.fleet.handle_input(self.now, input);
        self.outputs()
    }

    fn happen(&mut self, what: Happens) -> Result<(), TestCaseError> {
        (self.applied, self.acknowledged, self.rejected, self.leases) = (vec![], None, None, vec![]);
        match what {
            H::Wait(ms) => {
                self.now += Duration::from_millis(ms);
                for _ in 0..20 {
                    if self.fleet.poll_timeout().is_none_or(|due| due > self.now) {
                        return Ok(());
                    }
                    self.fleet.handle_timeout(self.now);
                    self.outputs()?;
                }
                prop_assert!(false, "{}it spins", self.lines);
            }
            H::Attach(who) => self.attach(who)?,
            H::Break(who) => {
                if let Some(session) = self.agents[who].session.take() {
                    let (session, reason) = (SessionId(session), "reset".to_owned());
                    self.input(Input::Detached { session, reason })?;
                }
            }
            H::Renew(who) if self.agents[who].session.is_some() => {
                self.agents[who].renewals += 1;
                self.agents[who].renewed = self.now;
                let n = self.agents[who].renewals;
                self.says(who, FromAgent::Renew { n, users: 0 })?;
                prop_assert_eq!(&self.leases, &[n], "each renewal is answered once\n{}", self.lines);
            }
            H::Ready(who) => self.says(who, FromAgent::PlanState { run: run(), state: Ok(digests()) })?,
            H::Armed(who) => {
                let revision = self.agents[who].revision;
                self.says(who, FromAgent::AssignAck { run: run(), revision, clock_error: None })?;
            }
            H::Window(who) => self.window(who, 1, 0)?,
            H::Repeat(who) if self.agents[who].applied > 0 => self.window(who, 0, 0)?,
            H::Gap(who) => self.window(who, 2, 0)?,
            H::Lie(who) => self.window(who, 1, 7)?,
            H::Goodbye(who) if self.agents[who].session.is_some() => {
                self.agents[who].said_goodbye = true;
                self.says(who, FromAgent::Goodbye { reason: "asked to".to_owned() })?;
            }
            H::Renew(_) | H::Repeat(_) | H::Goodbye(_) => {}
        }
        Ok(())
    }

    fn attach(&mut self, who: usize) -> Result<(), TestCaseError> {
        if self.agents[who].session.is_some() || self.over {
            return Ok(());
        }
        self.sessions += 1;
        let session = self.sessions;
        let agent = &mut self.agents[who];
        agent.session = Some(session);
        let resume = agent.part.filter(|_| agent.runs);
        let resume = resume.map(|session| Resume { run: run(), session, stopped: false });
        if resume.is_none() {
            *agent =
                Agent { session: Some(session), part: Some(session), renewed: self.now, ..Agent::default() };
        }
        self.input(Input::Attached { session: SessionId(session), peer: "peer".to_owned() })?;
        let hello = Hello { resume, incarnation: who as u64, ..hello(&format!("a{who}")) };
        self.says(who, FromAgent::Hello(hello))
    }

    /// A window `ahead` of those that count, with `lie` more requests in its totals than there were.
    fn window(&mut self, who: usize, ahead: u64, lie: u64) -> Result<(), TestCaseError> {
        let agent = &self.agents[who];
        let (seq, started) = (agent.applied + ahead, u64::from(ahead == 1) * 5);
        if agent.session.is_none() || !agent.runs || seq == 0 {
            return Ok(());
        }
        let total = agent.started + started + lie;
        let cumulative = Cumulative { started: total, ok: 0, failed: 0, aborted: total };
        let index = (seq as u32) - 1;
        if u64::from(index) > self.now.as_secs() {
            return Ok(());
        }
        let window =
            WindowReport { started, aborted: started, cumulative, index, ..empty_window(&run(), seq, false) };
        let before = agent.applied;
        self.says(who, FromAgent::Window(Box::new(window)))?;
        if ahead == 1 && lie == 0 {
            prop_assert_eq!(self.applied.len(), 1, "the next window counts\n{}", self.lines);
            prop_assert_eq!(self.applied[0].1, seq, "{}", self.lines);
            prop_assert_eq!(self.acknowledged, Some(seq), "and is acknowledged\n{}", self.lines);
            (self.agents[who].applied, self.agents[who].started) = (seq, total);
        } else {
            prop_assert!(self.applied.is_empty(), "it does not count\n{}", self.lines);
            if ahead == 0 {
                prop_assert_eq!(self.acknowledged, Some(before), "it is acknowledged again\n{}", self.lines);
            } else {
                prop_assert_eq!(self.rejected, Some(RejectCode::Protocol), "{}", self.lines);
            }
        }
        Ok(())
    }

    fn outputs(&mut self) -> Result<(), TestCaseError> {
        while let Some(output) = self.fleet.poll_output() {
            if !matches!(output, Output::Note(_)) {
                let _ = writeln!(self.lines, "    {output:?}");
            }
            prop_assert!(!self.over || matches!(output, Output::Note(_)), "after the end\n{}", self.lines);
            match output {
                Output::Send { session, message } => self.heard(session.0, message)?,
                Output::Close { session } => {
                    let closed = |agent: &&mut Agent| agent.session == Some(session.0);
                    if let Some(agent) = self.agents.iter_mut().find(closed) {
                        agent.session = None;
                    }
                }
                Output::Apply { agent, window } => self.applied.push((agent, window.seq)),
                Output::Finished(_) => self.over = true,
                _ => {}
            }
        }
        Ok(())
    }

    fn heard(&mut self, session: u64, message: ToAgent) -> Result<(), TestCaseError> {
        let Some(who) = self.agents.iter().position(|agent| agent.session == Some(session)) else {
            return Ok(());
        };
        match message {
            // It hears that its users are others' now, perhaps before those hear of it.
            ToAgent::Welcome(Welcome { resumed: Some(Resumed { lost: true, .. }), .. }) => {
                let agent = &mut self.agents[who];
                let over = agent.said_goodbye || agent.renewed + SURELY_OVER <= self.now;
                prop_assert!(agent.slots.is_empty() || over, "{who} is lost too early\n{}", self.lines);
                agent.slots.clear();
            }
            ToAgent::Lease { n, .. } => self.leases.push(n),
            ToAgent::WindowAck { seq, .. } => self.acknowledged = Some(seq),
            ToAgent::Reject { code, .. } => self.rejected = Some(code),
            ToAgent::Start { .. } => {
                prop_assert!(!self.agents[who].runs, "started twice\n{}", self.lines);
                self.agents[who].runs = true;
                let all: BTreeMap<u32, usize> = self
                    .agents
                    .iter()
                    .enumerate()
                    .flat_map(|(owner, agent)| agent.slots.iter().map(move |slot| (*slot, owner)))
                    .collect();
                prop_assert_eq!(all.len(), USERS as usize, "every user has an agent\n{}", self.lines);
            }
            ToAgent::Assign { revision, seats, .. } => {
                let slots: BTreeSet<u32> = seats.iter().map(|seat| seat.slot.0).collect();
                prop_assert!(revision >= self.agents[who].revision, "an older order\n{}", self.lines);
                if self.agents[who].runs {
                    let kept = self.agents[who].slots.is_subset(&slots);
                    prop_assert!(kept, "nobody's users are touched\n{}", self.lines);
                    for (other, agent) in self.agents.iter().enumerate().filter(|(other, _)| *other != who) {
                        let taken: Vec<_> = slots.intersection(&agent.slots).collect();
                        let over = agent.said_goodbye || agent.renewed + SURELY_OVER <= self.now;
                        prop_assert!(taken.is_empty() || over, "{taken:?} of {other} move\n{}", self.lines);
                        self.moved |= !taken.is_empty();
                    }
                    // Who has lost its users has them no more.
                    for (_, agent) in self.agents.iter_mut().enumerate().filter(|(other, _)| *other != who) {
                        agent.slots.retain(|slot| !slots.contains(slot));
                    }
                }
                (self.agents[who].revision, self.agents[who].slots) = (revision, slots);
            }
            _ => {}
        }
        Ok(())
    }
}

#[test]
fn the_fleet_does_what_the_page_says() {
    let (mut runner, moved, ran) = (TestRunner::new(stories(600)), Cell::new(0), Cell::new(0));
    let result = runner.run(&story(), |story| {
        let mut told = Story::new();
        for what in story {
            let _ = writeln!(told.lines, "{:?} {what:?}", told.now);
            told.happen(what)?;
        }
        moved.set(moved.get() + u32::from(told.moved));
        ran.set(ran.get() + u32::from(told.agents.iter().any(|agent| agent.applied > 0)));
        Ok(())
    });
    if let Err(TestError::Fail(why, _)) = result {
        panic!("{why}");
    }
    result.expect("stories can be told");
    assert!(moved.get() >= 10 && ran.get() >= 100, "{} stories moved users, {} ran", moved.get(), ran.get());
}

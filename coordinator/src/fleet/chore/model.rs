//! Whatever happens in whatever order: each chore is ordered at most once, nobody starts without setup, and
//! nothing is torn down while somebody may still make load.

use super::tests::{BOTH, done, failed};
use super::*;
use crate::fleet::Input;
use crate::fleet::tests::{Harness, S, id, window};
use proptest::prelude::*;
use proto::message::FromAgent;
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug)]
enum Event {
    Attach,
    Ready(u64),
    Armed(u64),
    Renew(u64),
    Done(u64, ChoreKind),
    Failed(u64, ChoreKind),
    LastWindow(u64),
    Detach(u64),
    Goodbye(u64),
    Stop,
    /// Milliseconds.
    Wait(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let agent = 1_u64..6;
    let kind = prop_oneof![Just(ChoreKind::Setup), Just(ChoreKind::Teardown)];
    let event = prop_oneof![
        4 => Just(Event::Attach),
        8 => agent.clone().prop_map(Event::Ready),
        8 => agent.clone().prop_map(Event::Armed),
        4 => agent.clone().prop_map(Event::Renew),
        6 => (agent.clone(), kind.clone()).prop_map(|(agent, kind)| Event::Done(agent, kind)),
        2 => (agent.clone(), kind).prop_map(|(agent, kind)| Event::Failed(agent, kind)),
        4 => agent.clone().prop_map(Event::LastWindow),
        2 => agent.clone().prop_map(Event::Detach),
        1 => agent.prop_map(Event::Goodbye),
        1 => Just(Event::Stop),
        3 => (0_u64..6000).prop_map(Event::Wait),
    ];
    prop::collection::vec(event, 0..120)
}

/// What one agent could be doing, as an outsider sees it.
#[derive(Debug, Default)]
struct Seen {
    leased: Duration,
    revision: u64,
    /// It has users, or runs a chore, and has not said that this is over.
    at_work: bool,
    closed: bool,
}

struct Model {
    h: Harness,
    agents: BTreeMap<u64, Seen>,
    ordered: Vec<ChoreKind>,
    setup_is_done: bool,
    started: bool,
    over: u32,
}

impl Model {
    fn play(&mut self, event: Event) {
        let said = match event {
            Event::Attach => {
                let session = self.agents.len() as u64 + 1;
                self.agents.insert(session, Seen { leased: self.h.now, ..Seen::default() });
                self.h.attach(session, &format!("a{session}"))
            }
            Event::Ready(agent) => self.says(agent, |h| h.ready(agent)),
            Event::Armed(agent) => {
                let revision = self.agents.get(&agent).map_or(0, |seen| seen.revision);
                self.says(agent, |h| {
                    h.says(agent, FromAgent::AssignAck { run: id("r"), revision, clock_error: None })
                })
            }
            Event::Renew(agent) => {
                let said = self.says(agent, |h| h.says(agent, FromAgent::Renew { n: 1, users: 0 }));
                if said.iter().any(|o| matches!(o, Output::Send { message: ToAgent::Lease { .. }, .. })) {
                    self.agents.entry(agent).or_default().leased = self.h.now;
                }
                said
            }
            Event::Done(agent, kind) => self.reports(agent, done(kind)),
            Event::Failed(agent, kind) => self.reports(agent, failed(kind, "no")),
            Event::LastWindow(agent) => {
                // A window before the start breaks the protocol, which ends its stream: it stops by itself.
                let said = self.says(agent, |h| h.says(agent, FromAgent::Window(window(1, 1, true))));
                if said.iter().any(|output| matches!(output, Output::Apply { .. })) {
                    self.agents.entry(agent).or_default().at_work = false;
                }
                said
            }
            Event::Detach(agent) => {
                self.agents.entry(agent).or_default().closed = true;
                self.h.detach(agent)
            }
            Event::Goodbye(agent) => {
                // Honest agents say so when their users are gone, and end a chore before.
                if let Some(seen) = self.agents.get_mut(&agent).filter(|seen| !seen.closed) {
                    seen.at_work &= !self.started;
                }
                self.says(agent, |h| h.says(agent, FromAgent::Goodbye { reason: "x".to_owned() }))
            }
            Event::Stop => self.h.input(Input::Stop),
            Event::Wait(ms) => self.h.wait(Duration::from_millis(ms)),
        };
        self.check(&said);
    }

    fn says(&mut self, agent: u64, say: impl FnOnce(&mut Harness) -> Vec<Output>) -> Vec<Output> {
        match self.agents.get(&agent) {
            Some(seen) if !seen.closed => say(&mut self.h),
            _ => Vec::new(),
        }
    }

    fn reports(&mut self, agent: u64, report: ChoreReport) -> Vec<Output> {
        let (kind, ok) = (report.chore, report.failed.is_none());
        let said = self.says(agent, |h| h.says(agent, FromAgent::ChoreDone(Box::new(report))));
        if said.contains(&Output::ChoreEnded { kind }) {
            let refused = |o: &Output| matches!(o, Output::Send { message: ToAgent::Reject { .. }, .. });
            if !said.iter().any(refused) {
                self.agents.entry(agent).or_default().at_work = false;
                self.setup_is_done |= kind == ChoreKind::Setup && ok;
            }
        }
        said
    }

    fn check(&mut self, said: &[Output]) {
        for output in said {
            match output {
                Output::Send { session, message } => self.sent(session.0, message),
                Output::Close { session } => self.agents.entry(session.0).or_default().closed = true,
                Output::Finished(_) => self.over += 1,
                _ => {}
            }
        }
    }

    fn sent(&mut self, session: u64, message: &ToAgent) {
        let now = self.h.now;
        match message {
            ToAgent::Assign { revision, .. } => {
                self.agents.entry(session).or_default().revision = *revision;
            }
            ToAgent::RunChore { chore, .. } => {
                assert!(!self.ordered.contains(chore), "{chore:?} twice");
                let busy = |seen: &&Seen| seen.at_work && !(seen.closed && seen.leased + SILENCE <= now);
                let busy: Vec<&Seen> = self.agents.values().filter(busy).collect();
                assert!(busy.is_empty(), "{chore:?} at {now:?} beside {busy:?}");
                assert!(*chore == ChoreKind::Teardown || !self.started);
                self.ordered.push(*chore);
                self.agents.entry(session).or_default().at_work = true;
            }
            ToAgent::Start { .. } => {
                assert!(self.setup_is_done, "started without setup");
                assert!(!self.ordered.contains(&ChoreKind::Teardown), "started after teardown");
                self.started = true;
                self.agents.entry(session).or_default().at_work = true;
            }
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn chores_are_run_once_and_beside_nobody(begun in 0_usize..9, events in events()) {
        let mut model = Model {
            h: Harness::with_chores(2, 2, BOTH),
            agents: BTreeMap::new(),
            ordered: Vec::new(),
            setup_is_done: false,
            started: false,
            over: 0,
        };
        let honest = [
            Event::Attach,
            Event::Attach,
            Event::Ready(1),
            Event::Ready(2),
            Event::Armed(1),
            Event::Armed(2),
            Event::Done(1, ChoreKind::Setup),
            Event::LastWindow(1),
        ];
        for event in honest.into_iter().take(begun).chain(events) {
            model.play(event);
        }
        // From here on everybody is silent, and it comes to an end by itself.
        for _ in 0..1000 {
            let said = model.h.wait(S / 2);
            model.check(&said);
        }
        prop_assert_eq!(model.over, 1);
        prop_assert_eq!(model.h.fleet.poll_timeout(), None);
    }
}

use super::*;
use crate::fleet::fixture::{config, hello, window};
use crate::fleet::{OnAgentLoss, SessionId};
use crate::journal::record::decode;
use crate::journal::replay;
use proto::message::{FromAgent, PlanDigests, Resume, RunId};

const MS: Duration = Duration::from_millis(1);

/// A fleet with a journal in memory.
struct Harness {
    fleet: RecordedFleet,
    now: Duration,
    written: Vec<Vec<u8>>,
    heard: Vec<Output>,
}

impl Harness {
    fn new() -> Harness {
        let fleet = Fleet::new(config(2, 4, OnAgentLoss::Rebalance), Duration::ZERO);
        let (now, written, heard) = (Duration::ZERO, Vec::new(), Vec::new());
        Harness { fleet: RecordedFleet::new(fleet, 0), now, written, heard }
    }

    /// The fleet is told something; nothing of it becomes durable.
    fn tell(&mut self, input: Input) {
        self.now += MS;
        self.fleet.handle_input(self.now, input);
        self.hear();
    }

    fn say(&mut self, session: u64, message: FromAgent) {
        self.tell(Input::Received { session: SessionId(session), message });
    }

    fn hear(&mut self) {
        while let Some(decided) = self.fleet.poll_output(self.now) {
            self.heard.push(decided.output);
        }
    }

    /// What is to be written becomes durable; what was heard of then.
    fn keep(&mut self) -> Vec<Output> {
        while let Some(batch) = self.fleet.poll_records() {
            assert_eq!(batch.first, self.written.len() as u64 + 1);
            self.written.extend(batch.records);
        }
        self.heard.clear();
        self.fleet.kept(self.written.len() as u64);
        self.hear();
        std::mem::take(&mut self.heard)
    }

    /// A run of two agents with two users each.
    fn running() -> Harness {
        let mut h = Harness::new();
        for session in [1, 2] {
            h.tell(Input::Attached { session: SessionId(session), peer: "p".to_owned() });
            h.say(session, FromAgent::Hello(hello(&format!("a{session}"), session)));
        }
        h.keep();
        let (run, digests) = (RunId("r".to_owned()), digests());
        for session in [1, 2] {
            h.say(session, FromAgent::PlanState { run: run.clone(), state: Ok(digests.clone()) });
        }
        h.keep();
        for session in [1, 2] {
            let ack = FromAgent::AssignAck { run: run.clone(), revision: 1, clock_error: Some(MS) };
            h.say(session, ack);
        }
        let heard = h.keep();
        assert!(heard.iter().any(|output| matches!(output, Output::Started { .. })), "{heard:?}");
        h
    }

    /// The process is killed, and another is started on what is durable, this much later.
    fn restart(&self, after: Duration) -> Harness {
        let mut replayed = replay(config(2, 4, OnAgentLoss::Rebalance));
        for bytes in self.written.clone() {
            replayed.tell(decode(bytes.into()).unwrap(), |_, _| {}).unwrap();
        }
        assert_eq!(replayed.newest_session, 2);
        let fleet = RecordedFleet::new(replayed.fleet, replayed.records);
        let (now, written) = (self.now + after, self.written.clone());
        let mut h = Harness { fleet, now, written, heard: Vec::new() };
        h.tell(Input::Resumed { embedded: false });
        h.keep();
        h
    }

    /// Agent `session` comes back over the stream `new`; the Welcome's answer to its Resume.
    fn come_back(&mut self, session: u64, new: u64) -> Option<(u64, bool)> {
        self.attach_again(session, new);
        let mut heard = std::mem::take(&mut self.heard);
        heard.extend(self.keep());
        Harness::welcome(heard)
    }

    fn attach_again(&mut self, session: u64, new: u64) {
        let resume = Resume { run: RunId("r".to_owned()), session, stopped: false };
        self.tell(Input::Attached { session: SessionId(new), peer: "p".to_owned() });
        let hello = hello(&format!("a{session}"), session);
        self.say(new, FromAgent::Hello(proto::message::Hello { resume: Some(resume), ..hello }));
    }

    /// What the first Welcome says of windows, and whether its agent is lost.
    fn welcome(heard: Vec<Output>) -> Option<(u64, bool)> {
        heard.into_iter().find_map(|output| match output {
            Output::Send { message: ToAgent::Welcome(welcome), .. } => {
                welcome.resumed.map(|resumed| (resumed.applied, resumed.lost))
            }
            _ => None,
        })
    }
}

fn digests() -> PlanDigests {
    PlanDigests { bundle_sha256: "b".repeat(64), meaning_sha256: "d".repeat(64) }
}

fn acknowledged(outputs: &[Output]) -> Vec<(u64, u64)> {
    let ack = |output: &Output| match output {
        Output::Send { session, message: ToAgent::WindowAck { seq, .. } } => Some((session.0, *seq)),
        _ => None,
    };
    outputs.iter().filter_map(ack).collect()
}

#[test]
fn a_window_is_applied_and_acknowledged_when_it_is_durable() {
    let mut h = Harness::running();
    h.say(1, FromAgent::Window(window(1, 10)));
    assert_eq!(h.heard, [], "nothing is heard of what is not kept");
    h.say(1, FromAgent::Window(window(1, 10)));
    assert_eq!(h.heard, [], "also not the second time");
    let heard = h.keep();
    assert!(matches!(heard[0], Output::Apply { .. }), "{heard:?}");
    assert_eq!(acknowledged(&heard), [(1, 1)], "once is enough");
    h.say(1, FromAgent::Window(window(1, 10)));
    assert_eq!(acknowledged(&h.keep()), [(1, 1)], "it is asked for again");
}

#[test]
fn leases_wait_for_no_disk_and_cause_no_commit() {
    let mut h = Harness::running();
    h.say(2, FromAgent::Renew { n: 1, users: 2 });
    assert!(
        matches!(h.heard[..], [Output::Send { message: ToAgent::Lease { n: 1, .. }, .. }]),
        "{:?}",
        h.heard
    );
    assert_eq!(h.fleet.poll_records(), None, "nobody waits for it");
    h.say(1, FromAgent::Window(window(1, 10)));
    let batch = h.fleet.poll_records().expect("somebody waits for the window");
    assert_eq!(batch.records.len(), 2, "in its order, with what came before it");
    for n in 2..=1 + MAX_IDLE as u64 {
        h.say(2, FromAgent::Renew { n, users: 2 });
    }
    assert!(h.fleet.poll_records().is_some(), "what nobody waits for is not kept in memory for ever");
}

#[test]
fn agents_that_come_back_within_their_lease_go_on() {
    let mut h = Harness::running();
    h.say(1, FromAgent::Window(window(1, 10)));
    h.keep();
    h.say(1, FromAgent::Window(window(2, 10)));
    let mut h = h.restart(Duration::from_secs(2));
    assert_eq!(h.come_back(1, 3), Some((1, false)), "the second window was not durable");
    assert_eq!(h.come_back(2, 4), Some((0, false)));
    h.say(3, FromAgent::Window(window(2, 10)));
    assert_eq!(acknowledged(&h.keep()), [(3, 2)], "it is delivered again");
    h.say(3, FromAgent::Window(window(1, 10)));
    assert_eq!(acknowledged(&h.keep()), [(3, 2)], "and none counts twice");
}

#[test]
fn nobodys_users_are_given_away_before_a_lease_from_the_restart_is_over() {
    let h = Harness::running();
    // The lease that was granted last may have been granted at the moment of the crash.
    let mut h = h.restart(Duration::from_secs(60));
    assert_eq!(h.come_back(1, 3), Some((0, false)));
    let restarted = h.now;
    let mut moved = None;
    while moved.is_none() {
        let due = h.fleet.poll_timeout().expect("the fleet waits for an agent");
        assert!(due < restarted + Duration::from_secs(60));
        h.now = due;
        h.say(3, FromAgent::Renew { n: 1, users: 2 });
        h.fleet.handle_timeout(h.now);
        let assigned =
            |output: &Output| matches!(output, Output::Send { message: ToAgent::Assign { .. }, .. });
        moved = h.keep().iter().any(assigned).then_some(h.now);
    }
    let waited = moved.unwrap().saturating_sub(restarted);
    assert!(waited >= Duration::from_millis(4_400), "{waited:?}");
    assert!(waited <= Duration::from_millis(4_600), "{waited:?}");
}

#[test]
fn told_again_a_fleet_decides_the_same() {
    let mut h = Harness::running();
    h.say(1, FromAgent::Window(window(1, 10)));
    h.tell(Input::Stop);
    h.say(2, FromAgent::Goodbye { reason: "it was asked to".to_owned() });
    h.keep();
    let mut replayed = replay(config(2, 4, OnAgentLoss::Rebalance));
    for bytes in h.written.clone() {
        replayed.tell(decode(bytes.into()).unwrap(), |_, _| {}).unwrap();
    }
    assert_eq!(format!("{:?}", replayed.fleet), format!("{:?}", h.fleet.fleet));
}

#[test]
fn without_a_journal_the_run_stops_and_nothing_more_is_acknowledged() {
    let mut h = Harness::running();
    h.say(1, FromAgent::Window(window(1, 10)));
    h.keep();
    h.say(1, FromAgent::Window(window(2, 10)));
    h.now += MS;
    h.fleet.fail(h.now, "the disk is full".to_owned());
    h.hear();
    let applied = |outputs: &[Output]| outputs.iter().filter(|o| matches!(o, Output::Apply { .. })).count();
    let stops = |outputs: &[Output]| {
        let stop = |o: &&Output| matches!(o, Output::Send { message: ToAgent::Stop { .. }, .. });
        outputs.iter().filter(stop).count()
    };
    assert_eq!((applied(&h.heard), stops(&h.heard)), (1, 2), "what is measured counts: {:?}", h.heard);
    h.say(1, FromAgent::Window(window(3, 10)));
    assert_eq!(applied(&h.heard), 2);
    assert_eq!(acknowledged(&h.heard), [], "an agent must not forget what is not kept");
    assert_eq!(h.fleet.poll_records(), None);
}

#[test]
fn who_comes_back_is_told_only_of_windows_that_are_kept() {
    let failing = |back_before: bool| {
        let mut h = Harness::running();
        h.say(1, FromAgent::Window(window(1, 10)));
        h.keep();
        h.say(1, FromAgent::Window(window(2, 10)));
        if back_before {
            h.attach_again(1, 3);
        }
        h.now += MS;
        h.fleet.fail(h.now, "the disk is full".to_owned());
        h
    };
    assert_eq!(failing(false).come_back(1, 3), Some((1, false)));
    let mut h = failing(true);
    h.hear();
    assert_eq!(Harness::welcome(h.heard), Some((1, false)), "its Welcome waited for the disk");
}

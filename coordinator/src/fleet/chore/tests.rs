use super::*;
use crate::fleet::Input;
use crate::fleet::tests::{Harness, S, ack, hello, id, outcome, rejection, send, window};
use metrics::{ErrorCount, ErrorKind, SeriesId};
use proto::message::{FromAgent, Hello, Resume};

pub(super) const BOTH: ChoreConfigs = ChoreConfigs {
    setup: Some(ChoreConfig { timeout: Duration::from_secs(60), n_series: 2 }),
    teardown: Some(ChoreConfig { timeout: Duration::from_secs(20), n_series: 1 }),
};
const VALUES: &[u8] = b"{\"tenant\":\"t-1\"}";

pub(super) fn done(chore: ChoreKind) -> ChoreReport {
    ChoreReport {
        run: id("r"),
        chore,
        values: if chore == ChoreKind::Setup { Bytes::from_static(VALUES) } else { Bytes::new() },
        failed: None,
        took: S / 4,
        requests: 3,
        failures: 0,
        aborted: 0,
        errors: Vec::new(),
    }
}

pub(super) fn failed(chore: ChoreKind, why: &str) -> ChoreReport {
    let errors = vec![ErrorCount {
        series: SeriesId(0),
        kind: ErrorKind::Status,
        message: "status 500".to_owned(),
        count: 1,
        first: S,
        last: S,
    }];
    ChoreReport { failed: Some(why.to_owned()), failures: 1, errors, ..done(chore) }
}

fn says(report: ChoreReport) -> FromAgent {
    FromAgent::ChoreDone(Box::new(report))
}

fn order(session: u64, chore: ChoreKind) -> Output {
    send(session, ToAgent::RunChore { run: id("r"), chore })
}

fn values(session: u64) -> Output {
    send(session, ToAgent::SetupValues { run: id("r"), values: Bytes::from_static(VALUES) })
}

fn began(kind: ChoreKind, agent: &str) -> Output {
    Output::ChoreBegan { kind, agent: agent.to_owned() }
}

fn armed(revision: u64) -> FromAgent {
    FromAgent::AssignAck { run: id("r"), revision, clock_error: None }
}

/// Two agents that have their users; agent `a1` has been told to set up.
fn setting_up(chores: ChoreConfigs) -> Harness {
    let mut h = Harness::with_chores(2, 2, chores);
    h.attach(1, "a1");
    h.attach(2, "a2");
    h.ready(1);
    h.ready(2);
    assert_eq!(h.says(1, armed(1)), [], "no setup before every agent has its users");
    assert_eq!(h.says(2, armed(1)), [began(ChoreKind::Setup, "a1"), order(1, ChoreKind::Setup)]);
    h
}

/// Setup is done, both agents run.
fn running() -> Harness {
    let mut h = setting_up(BOTH);
    h.says(1, says(done(ChoreKind::Setup)));
    assert!(matches!(h.fleet.phase, Phase::Running { .. }));
    h
}

fn statuses(outputs: &[Output]) -> (Option<ChoreStatus>, Option<ChoreStatus>) {
    let outcome = outcome(outputs);
    let status = |end: &Option<ChoreEnd>| end.as_ref().map(|end| end.status.clone());
    (status(&outcome.setup), status(&outcome.teardown))
}

/// Lets the other agents renew once a second, until something is said.
fn wait_for(h: &mut Harness, renewing: &[u64]) -> Vec<Output> {
    for n in 1..200 {
        for &session in renewing {
            h.says(session, FromAgent::Renew { n, users: 0 });
        }
        let said = h.wait(S / 2);
        if !said.is_empty() {
            return said;
        }
    }
    panic!("nothing happens");
}

#[test]
fn a_run_with_setup_and_teardown() {
    let mut h = setting_up(BOTH);
    let (after, t0) = (super::super::START_AHEAD, h.now + super::super::START_AHEAD);
    let start = |session| send(session, ToAgent::Start { run: id("r"), after, t0 });
    let started = h.says(1, says(done(ChoreKind::Setup)));
    assert_eq!(
        started[..5],
        [Output::ChoreEnded { kind: ChoreKind::Setup }, values(1), start(1), values(2), start(2)]
    );
    assert!(matches!(started[5], Output::Started { .. }));
    h.says(1, FromAgent::Window(window(1, 7, true)));
    let end = h.says(2, FromAgent::Window(window(1, 7, true)));
    let teardown = [ack(2, 1), values(1), began(ChoreKind::Teardown, "a1"), order(1, ChoreKind::Teardown)];
    assert_eq!(end[2], ack(2, 1));
    assert_eq!(end[2..], teardown);
    let over = h.says(1, says(done(ChoreKind::Teardown)));
    assert_eq!(statuses(&over), (Some(ChoreStatus::Done), Some(ChoreStatus::Done)));
    let outcome = outcome(&over);
    assert!(outcome.started.is_ok() && outcome.agents.iter().all(|agent| agent.finished));
    let setup = outcome.setup.as_ref().unwrap();
    assert_eq!((setup.agent.as_deref(), setup.report.as_ref().unwrap().requests), (Some("a1"), 3));
    assert_eq!(h.fleet.poll_timeout(), None);
}

#[test]
fn a_teardown_without_setup_follows_a_run_and_a_setup_needs_no_teardown() {
    let mut h = Harness::with_chores(1, 1, ChoreConfigs { setup: None, ..BOTH });
    h.attach(1, "a1");
    h.ready(1);
    assert!(matches!(h.says(1, armed(1)).last(), Some(Output::Started { .. })));
    let end = h.says(1, FromAgent::Window(window(1, 7, true)));
    assert_eq!(end.last(), Some(&order(1, ChoreKind::Teardown)));

    let mut h = setting_up(ChoreConfigs { teardown: None, ..BOTH });
    let end = h.says(1, says(failed(ChoreKind::Setup, "status 500")));
    assert_eq!(statuses(&end), (Some(ChoreStatus::Failed("status 500".to_owned())), None));

    let mut never = Harness::with_chores(2, 2, BOTH);
    never.attach(1, "a1");
    let end = never.input(Input::Stop);
    let not_run = Some(ChoreStatus::NotRun("the run did not come to it".to_owned()));
    assert_eq!(statuses(&end), (not_run.clone(), not_run), "nothing was begun");
}

#[test]
fn a_setup_that_fails_starts_nothing_and_is_torn_down() {
    let mut h = setting_up(BOTH);
    let said = h.says(1, says(failed(ChoreKind::Setup, "step 2 failed")));
    let ended = Output::ChoreEnded { kind: ChoreKind::Setup };
    assert_eq!(
        said,
        [ended, values(1), began(ChoreKind::Teardown, "a1"), order(1, ChoreKind::Teardown)],
        "with what it saved until then"
    );
    let end = h.says(1, says(failed(ChoreKind::Teardown, "step 1 failed")));
    let Err(NotStarted::Setup(why)) = &outcome(&end).started else { panic!("{end:?}") };
    assert_eq!(why, "setup on agent a1 failed: step 2 failed");
    let failed = |why: &str| Some(ChoreStatus::Failed(why.to_owned()));
    assert_eq!(statuses(&end), (failed("step 2 failed"), failed("step 1 failed")));
}

#[test]
fn an_agent_lost_in_setup_ends_the_run_and_another_tears_down_once_its_lease_is_over() {
    let mut h = setting_up(BOTH);
    h.now += S;
    h.says(1, FromAgent::Renew { n: 1, users: 0 });
    h.says(2, FromAgent::Renew { n: 1, users: 0 });
    h.now += S;
    assert_eq!(h.detach(1), [Output::ChoreEnded { kind: ChoreKind::Setup }]);
    assert_eq!(h.fleet.poll_timeout(), Some(S + SILENCE), "from when it was last heard");
    h.says(2, FromAgent::Renew { n: 2, users: 0 });
    h.now = S + SILENCE;
    let said = h.wait(Duration::ZERO);
    let teardown = [began(ChoreKind::Teardown, "a2"), order(2, ChoreKind::Teardown)];
    assert_eq!(said, teardown, "it does not know what was saved");
    let end = h.says(2, says(done(ChoreKind::Teardown)));
    let Err(NotStarted::Agents(why)) = &outcome(&end).started else { panic!("{end:?}") };
    assert!(why.starts_with("agent a1 was lost while it ran setup"), "{why}");
    assert_eq!(statuses(&end), (Some(ChoreStatus::Lost("reset".to_owned())), Some(ChoreStatus::Done)));
}

#[test]
fn a_silent_agent_is_lost_in_setup_and_in_teardown() {
    let mut h = setting_up(BOTH);
    let said = wait_for(&mut h, &[2]);
    let session = SessionId(1);
    assert_eq!(said[..2], [Output::Close { session }, Output::ChoreEnded { kind: ChoreKind::Setup }]);
    assert_eq!(said.last(), Some(&order(2, ChoreKind::Teardown)), "its lease is over already");
    let end = wait_for(&mut h, &[]);
    assert!(matches!(statuses(&end), (Some(ChoreStatus::Lost(_)), Some(ChoreStatus::Lost(_)))));
}

#[test]
fn an_agent_that_goes_while_a_run_that_never_began_is_torn_down_is_done_with_once() {
    let mut h = setting_up(BOTH);
    h.wait(S);
    h.says(1, FromAgent::Renew { n: 1, users: 0 });
    h.detach(1);
    assert!(matches!(h.fleet.phase, Phase::TearingDown));
    let close = Output::Close { session: SessionId(2) };
    assert_eq!(
        h.wait(SILENCE.saturating_sub(S)),
        [close],
        "a2 is silent; teardown waits for the lease of a1"
    );
    let end = h.wait(S);
    assert!(matches!(statuses(&end).1, Some(ChoreStatus::NotRun(_))), "{end:?}");
}

#[test]
fn a_chore_that_does_not_end_is_given_up() {
    let mut h = setting_up(BOTH);
    let said = wait_for(&mut h, &[1, 2]);
    assert_eq!(h.now, 70 * S, "its time limit and a grace");
    assert_eq!(said[0], Output::Close { session: SessionId(1) });
    let said = wait_for(&mut h, &[2]);
    assert_eq!(said.last(), Some(&order(2, ChoreKind::Teardown)), "4.5 s later");
    let end = wait_for(&mut h, &[2]);
    let lost = |what: &str| Some(ChoreStatus::Lost(format!("its {what} did not end in time")));
    assert_eq!(statuses(&end), (lost("setup"), lost("teardown")));
}

#[test]
fn another_agent_lost_in_setup_is_replaced_and_setup_goes_on() {
    let mut h = setting_up(BOTH);
    assert_eq!(h.detach(2), []);
    h.attach(3, "a3");
    h.ready(3);
    h.says(1, armed(2));
    assert_eq!(h.says(3, armed(2)), [], "the one setup is still going on");
    let said = h.says(1, says(done(ChoreKind::Setup)));
    assert!(matches!(said.last(), Some(Output::Started { .. })), "{said:?}");
    assert!(said.contains(&values(3)));

    let mut h = setting_up(BOTH);
    h.detach(2);
    assert_eq!(h.says(1, says(done(ChoreKind::Setup))), [Output::ChoreEnded { kind: ChoreKind::Setup }]);
    let said = wait_for(&mut h, &[1]);
    assert_eq!(said.last(), Some(&order(1, ChoreKind::Teardown)), "nobody came in time");
    let end = h.says(1, says(done(ChoreKind::Teardown)));
    assert!(matches!(&outcome(&end).started, Err(NotStarted::Agents(why)) if why.starts_with("1 of 2")));
}

#[test]
fn a_fleet_that_cannot_take_the_users_any_more_ends_setup_before_it_tears_down() {
    let stop = send(1, ToAgent::Stop { run: id("r"), timeout: Duration::ZERO });
    let mut small = setting_up(BOTH);
    small.fleet.config.users = 5000;
    small.detach(2);
    small.attach(3, "a3");
    assert_eq!(small.ready(3), [stop], "no room for 5000 users");
    let said = small.says(1, says(failed(ChoreKind::Setup, "it was stopped")));
    assert_eq!(said.last(), Some(&order(1, ChoreKind::Teardown)));
}

#[test]
fn stop_in_setup_stops_it_and_tears_down() {
    let mut h = setting_up(BOTH);
    let stop = send(1, ToAgent::Stop { run: id("r"), timeout: Duration::ZERO });
    assert_eq!(h.input(Input::Stop), [stop]);
    assert_eq!(h.input(Input::Stop), []);
    let said = h.says(1, says(failed(ChoreKind::Setup, "it was stopped")));
    assert_eq!(said.last(), Some(&order(1, ChoreKind::Teardown)));
    assert_eq!(h.input(Input::Stop), [], "teardown goes on");
    let end = h.says(1, says(done(ChoreKind::Teardown)));
    assert_eq!(outcome(&end).started, Err(NotStarted::Interrupted));

    let mut deaf = setting_up(BOTH);
    deaf.input(Input::Stop);
    let said = wait_for(&mut deaf, &[1, 2]);
    assert_eq!((deaf.now, &said[0]), (10 * S, &Output::Close { session: SessionId(1) }));

    let mut late = setting_up(BOTH);
    late.input(Input::Stop);
    let said = late.says(1, says(done(ChoreKind::Setup)));
    assert_eq!(said.last(), Some(&order(1, ChoreKind::Teardown)), "it was done before it heard");
}

#[test]
fn teardown_follows_a_stopped_run() {
    let mut h = running();
    h.now += 3 * S;
    h.input(Input::Stop);
    h.says(1, FromAgent::Window(window(1, 7, true)));
    let said = h.says(2, FromAgent::Window(window(1, 7, true)));
    assert_eq!(said.last(), Some(&order(1, ChoreKind::Teardown)));
    let end = h.says(1, says(done(ChoreKind::Teardown)));
    assert!(outcome(&end).stopped.is_some());
}

#[test]
fn teardown_waits_for_the_lease_of_an_agent_lost_at_the_end() {
    let mut h = running();
    h.says(2, FromAgent::Window(window(1, 7, true)));
    h.now += S;
    let end = h.detach(1);
    assert_eq!(end, [], "it may come back");
    assert_eq!(h.fleet.poll_timeout(), Some(SILENCE));
    h.says(2, FromAgent::Renew { n: 1, users: 0 });
    let lost = h.wait(SILENCE.saturating_sub(S));
    assert_eq!(lost, [Output::Close { session: SessionId(1) }, Output::Gone { agent: AgentId(0) }]);
    let until = h.now + super::super::reattach::DELIVERY;
    let mut said = Vec::new();
    while h.now < until {
        assert_eq!(said, [], "it may deliver what it measured");
        h.says(2, FromAgent::Renew { n: 1, users: 0 });
        said = h.wait(S);
    }
    assert_eq!(
        said,
        [values(2), began(ChoreKind::Teardown, "a2"), order(2, ChoreKind::Teardown)],
        "on the one that is left, with what setup saved"
    );
    h.says(2, says(done(ChoreKind::Teardown)));
    assert_eq!(h.fleet.phase, Phase::Over);
}

#[test]
fn an_agent_that_attaches_again_has_given_up_its_teardown() {
    let mut h = running();
    h.says(2, FromAgent::Window(window(1, 1, true)));
    let last = h.says(1, FromAgent::Window(window(1, 1, true)));
    assert!(last.contains(&order(1, ChoreKind::Teardown)), "{last:?}");
    // Its stream broke, which it noticed first: it does not know yet that its last window has arrived.
    let resume = Some(Resume { run: id("r"), session: 1, stopped: false });
    let outputs = h.attach_with(3, Hello { resume, ..hello("a1") });
    let (_, teardown) = statuses(&outputs);
    assert_eq!(teardown, Some(ChoreStatus::Lost("its stream broke".to_owned())));
    assert_eq!(h.fleet.poll_timeout(), None, "nothing is due any more");
}

#[test]
fn nobody_left_is_said_and_so_is_an_agent_that_goes_after_its_last_window() {
    let mut h = running();
    h.detach(1);
    h.detach(2);
    h.wait(SILENCE);
    let end = h.wait(super::super::reattach::DELIVERY);
    let (_, Some(ChoreStatus::NotRun(why))) = statuses(&end) else { panic!("{end:?}") };
    assert!(why.starts_with("no agent was left"), "{why}");

    let mut h = running();
    h.says(1, FromAgent::Window(window(1, 7, true)));
    assert_eq!(h.detach(1), []);
    let said = h.says(2, FromAgent::Window(window(1, 7, true)));
    assert_eq!(said.last(), Some(&order(2, ChoreKind::Teardown)), "the one that set up has gone");
    let end = h.detach(2);
    assert_eq!(statuses(&end).1, Some(ChoreStatus::Lost("reset".to_owned())), "not tried twice");
}

#[test]
fn repeated_and_late_reports_change_nothing_and_others_break_the_protocol() {
    let mut h = running();
    assert_eq!(h.says(1, says(failed(ChoreKind::Setup, "again"))), []);
    assert!(matches!(h.fleet.phase, Phase::Running { .. }));
    let (_, text) = rejection(&h.says(2, says(done(ChoreKind::Setup))), 2);
    assert_eq!(text, "it reports a setup that it was not asked to run");
    let (_, text) = rejection(&h.says(1, says(done(ChoreKind::Teardown))), 1);
    assert_eq!(text, "it reports a teardown that it was not asked to run");

    let mut h = setting_up(BOTH);
    let other = ChoreReport { run: id("other"), ..done(ChoreKind::Setup) };
    assert_eq!(h.says(1, says(other)), []);
    let mut lie = failed(ChoreKind::Setup, "x");
    lie.errors[0].series = SeriesId(2);
    let said = h.says(1, says(lie));
    assert_eq!(rejection(&said, 1).1, "its report of setup counts series 2, the setup has 2");
    assert!(said.contains(&Output::ChoreEnded { kind: ChoreKind::Setup }), "it is lost with its setup");
    assert_eq!(h.says(1, says(done(ChoreKind::Setup))), [], "and not heard any more");
}

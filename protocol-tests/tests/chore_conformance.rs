//! Setup and teardown between a real end and a scripted one.

use plan::chore::ChoreKind;
use proto::message::{ChoreReport, FromAgent, PlanDigests, RejectCode, RunId, ToAgent, Welcome};
use protocol_tests::fleet::{Coordinator, report};
use protocol_tests::peer::{Attached, ScriptedAgent, ScriptedCoordinator, empty_window};
use protocol_tests::process::{Process, TestDir};
use protocol_tests::things::Things;
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(4);
const VALUES: &[u8] = br#"{"thing":"thing-1"}"#;

/// `setup` and a teardown of one step.
fn plan(target: &str, setup: &str) -> String {
    format!(
        "version: 1\nname: T\ntarget: {target}\nload: {{ users: 1, duration: 1s, stop_timeout: 1s }}\n\
         setup: [ {{ post: /things, save: {{ thing: $.id }} }}{setup} ]\nsetup_timeout: 1h\n\
         teardown: [ {{ delete: \"/things/${{setup.thing}}\" }} ]\n\
         users: {{ U: {{ tasks: {{ t: {{ get: / }} }} }} }}\n"
    )
}

fn coordinator(dir: &TestDir, agents: u32) -> Coordinator {
    let plan = dir.write("plan.yaml", &plan("http://127.0.0.1:1", ""));
    Coordinator::start(dir.path(), agents, &[plan.to_str().expect("an ASCII path")])
}

/// Plays an honest agent until it has its users.
async fn armed(agent: &mut ScriptedAgent) -> RunId {
    let (run, bundle) = agent
        .hear_until(|m| match m {
            ToAgent::Prepare { run, bundle, .. } => Some((run.clone(), bundle.clone())),
            _ => None,
        })
        .await;
    let plan = plan::Bundle::from_bytes(&bundle).expect("a bundle").compile().expect("a plan that is valid");
    let digests =
        PlanDigests { bundle_sha256: plan::sha256_hex(&bundle), meaning_sha256: plan.meaning_sha256() };
    agent.say(FromAgent::PlanState { run: run.clone(), state: Ok(digests) });
    let assigned = |m: &ToAgent| match m {
        ToAgent::Assign { revision, .. } => Some(*revision),
        _ => None,
    };
    let revision = agent.hear_until(assigned).await;
    agent.say(FromAgent::AssignAck { run: run.clone(), revision, clock_error: None });
    run
}

async fn ordered(agent: &mut ScriptedAgent, kind: ChoreKind) {
    agent.hear_until(|m| matches!(m, ToAgent::RunChore { chore, .. } if *chore == kind).then_some(())).await;
}

fn done(run: &RunId, chore: ChoreKind, values: impl Into<Vec<u8>>) -> FromAgent {
    FromAgent::ChoreDone(Box::new(ChoreReport {
        run: run.clone(),
        chore,
        values: values.into().into(),
        failed: None,
        took: Duration::from_millis(3),
        requests: 1,
        failures: 0,
        aborted: 0,
        errors: Vec::new(),
    }))
}

/// What setup saved, as it arrives.
fn values(m: &ToAgent) -> Option<Vec<u8>> {
    match m {
        ToAgent::SetupValues { values, .. } => Some(values.to_vec()),
        ToAgent::Start { .. } | ToAgent::RunChore { .. } => panic!("{m:?} before the values of setup"),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_coordinator_orders_each_chore_once_and_tells_everybody_what_setup_saved() {
    let dir = TestDir::new("chore-orders");
    let coordinator = coordinator(&dir, 2);
    let mut first = ScriptedAgent::attach(&coordinator.address, "first").await;
    let mut second = ScriptedAgent::attach(&coordinator.address, "second").await;
    let (run, _) = tokio::join!(armed(&mut first), armed(&mut second));
    ordered(&mut first, ChoreKind::Setup).await;
    first.say(done(&run, ChoreKind::Setup, VALUES));
    first.say(done(&run, ChoreKind::Setup, br#"{"thing":"another"}"#));
    for agent in [&mut first, &mut second] {
        assert_eq!(agent.hear_until(values).await, VALUES);
        agent.hear_until(|m| matches!(m, ToAgent::Start { .. }).then_some(())).await;
        agent.say(FromAgent::Window(Box::new(empty_window(&run, 1, true))));
    }
    assert_eq!(first.hear_until(values).await, VALUES, "the first report counts");
    ordered(&mut first, ChoreKind::Teardown).await;
    first.say(done(&run, ChoreKind::Teardown, []));
    let ended = coordinator.wait();
    assert_eq!(ended.code, Some(98), "nothing was measured: {}", ended.out);
    let report = report(&dir);
    assert_eq!((&report["setup"]["status"], &report["setup"]["agent"]), (&"ok".into(), &"first".into()));
    assert_eq!(report["teardown"]["status"], "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_nobody_asked_for_or_that_is_malformed_is_refused() {
    let dir = TestDir::new("chore-lies");
    let coordinator = coordinator(&dir, 2);
    let mut first = ScriptedAgent::attach(&coordinator.address, "first").await;
    let mut second = ScriptedAgent::attach(&coordinator.address, "second").await;
    let (run, _) = tokio::join!(armed(&mut first), armed(&mut second));
    ordered(&mut first, ChoreKind::Setup).await;
    second.say(done(&run, ChoreKind::Setup, VALUES));
    let (code, message) = second
        .hear_until(|m| match m {
            ToAgent::Reject { code, message } => Some((*code, message.clone())),
            _ => None,
        })
        .await;
    assert_eq!(code, RejectCode::Protocol);
    assert_eq!(message, "it reports a setup that it was not asked to run");
    // One more than a setup may save.
    first.say(done(&run, ChoreKind::Setup, vec![b' '; (1 << 20) + 1]));
    while first.hear().await.is_some() {}
    let ended = coordinator.wait();
    assert_eq!(ended.code, Some(4), "{}", ended.err);
    assert!(ended.err.contains("chore_done.values: 1048577 bytes; the limit is 1048576"), "{}", ended.err);
    let report = report(&dir);
    assert_eq!(
        (&report["setup"]["status"], &report["teardown"]["status"]),
        (&"lost".into(), &"not_run".into())
    );
}

fn run() -> RunId {
    RunId("r-1".to_owned())
}

/// A real agent that has prepared the plan.
async fn prepared(coordinator: &mut ScriptedCoordinator, target: &str, setup: &str) -> Attached {
    let mut stream = coordinator.agent().await;
    assert!(matches!(stream.hear().await, Some(FromAgent::Hello(_))));
    let renew = Duration::from_millis(200);
    let build = "0.1.0".to_owned();
    stream.say(ToAgent::Welcome(Welcome { protocol: 1, build, session: 1, renew, resumed: None }));
    let bundle = plan::Bundle {
        file: "plan.yaml".to_owned(),
        source: plan(target, setup),
        settings: plan::Settings::default(),
    };
    let bytes = bundle.to_bytes();
    let bundle_sha256 = plan::sha256_hex(&bytes);
    stream.say(ToAgent::Prepare { run: run(), bundle: bytes.into(), bundle_sha256 });
    stream.hear_until(LEASE, |m| matches!(m, FromAgent::PlanState { state: Ok(_), .. }).then_some(())).await;
    stream
}

fn agent(dir: &TestDir, coordinator: &ScriptedCoordinator) -> Process {
    let args = ["--coordinator", &coordinator.address, "--name", "a", "--threads", "1"];
    Process::start("agent", dir.path(), args)
}

fn ended(m: &FromAgent) -> Option<ChoreReport> {
    match m {
        FromAgent::ChoreDone(report) => Some((**report).clone()),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_runs_each_chore_once_and_stops_it_when_told() {
    let things = Things::serve();
    let dir = TestDir::new("chore-agent");
    let mut coordinator = ScriptedCoordinator::listen().await;
    let _process = agent(&dir, &coordinator);
    // Once it asks for the thing, it has the answer that it made one.
    let then = ", { get: \"/things/${setup.thing}\" }, { think: 1h }";
    let mut stream = prepared(&mut coordinator, &things.url, then).await;
    let order = |chore| ToAgent::RunChore { run: run(), chore };
    stream.say(order(ChoreKind::Setup));
    stream.say(order(ChoreKind::Setup));
    // Users may not start beside it.
    stream.say(ToAgent::Start { run: run(), after: Duration::ZERO, t0: Duration::ZERO });
    things.until(|state| state.count("GET /things/thing-1") == 1);
    stream.say(ToAgent::Stop { run: run(), timeout: Duration::ZERO });
    let setup = stream.hear_until(LEASE, ended).await;
    assert_eq!((setup.chore, &setup.values[..]), (ChoreKind::Setup, VALUES));
    assert_eq!(setup.requests + setup.aborted, 2);
    assert_eq!(setup.failed.as_deref(), Some("it was stopped before its end"));
    stream.say(ToAgent::SetupValues { run: run(), values: setup.values });
    stream.say(order(ChoreKind::Setup));
    stream.say(order(ChoreKind::Teardown));
    let teardown = stream.hear_until(LEASE, ended).await;
    assert_eq!((teardown.chore, teardown.requests, teardown.failed), (ChoreKind::Teardown, 1, None));
    let state = things.state();
    assert_eq!((state.count("POST "), state.count("DELETE /things/thing-1"), state.there.len()), (1, 1, 0));
    assert_eq!(state.seen.get("GET /"), None, "{:?}", state.seen);
}

#[tokio::test(flavor = "multi_thread")]
async fn setup_does_not_go_on_without_a_lease() {
    let things = Things::serve();
    let dir = TestDir::new("chore-lease");
    let mut coordinator = ScriptedCoordinator::listen().await;
    let mut process = agent(&dir, &coordinator);
    let endless = ", { repeat: 10000, steps: [ { get: \"/things/${setup.thing}\" }, { think: 20ms } ] }";
    let stream = prepared(&mut coordinator, &things.url, endless).await;
    stream.say(ToAgent::RunChore { run: run(), chore: ChoreKind::Setup });
    things.until(|state| state.count("GET /things/thing-1") >= 3);
    // From here on nobody answers its renewals, and the stream stays open.
    process.line_with("the coordinator stopped renewing the lease");
    // It dials again, and by then nothing of it is open at the target.
    let _again = coordinator.agent().await;
    let before = things.state().count("GET ");
    process.signal("TERM");
    assert_eq!(process.wait().code, Some(0));
    assert_eq!(things.state().count("GET "), before, "no request after the lease");
    drop(stream);
}

//! The real agent against a scripted coordinator.

use plan::slot::{Seat, Slot};
use proto::message::{FromAgent, RejectCode, RunId, ToAgent, Welcome};
use protocol_tests::peer::{Attached, ScriptedCoordinator};
use protocol_tests::plan_file::platform;
use protocol_tests::process::{Process, TestDir};
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(4);

fn agent(dir: &TestDir, coordinator: &ScriptedCoordinator) -> Process {
    Process::start(
        "agent",
        dir.path(),
        ["--coordinator", &coordinator.address, "--name", "a", "--threads", "1"],
    )
}

async fn welcomed(coordinator: &mut ScriptedCoordinator) -> Attached {
    let mut stream = coordinator.agent().await;
    assert!(matches!(stream.hear().await, Some(FromAgent::Hello(_))));
    stream.say(ToAgent::Welcome(Welcome {
        protocol: 1,
        build: "0.1.0".to_owned(),
        session: 1,
        renew: Duration::from_millis(200),
        resumed: None,
    }));
    stream
}

fn run() -> RunId {
    RunId("r-1".to_owned())
}

fn bundle(target: &str) -> plan::Bundle {
    let load = "{ users: 2, spawn_rate: 10/s, duration: 1h, stop_timeout: 2s }";
    plan::Bundle {
        file: "plan.yaml".to_owned(),
        source: platform(target, load, "50ms", "success_rate >= 99%"),
        settings: plan::Settings::default(),
    }
}

fn prepare(bundle: &plan::Bundle) -> ToAgent {
    let bytes = bundle.to_bytes();
    let bundle_sha256 = plan::sha256_hex(&bytes);
    ToAgent::Prepare { run: run(), bundle: bytes.into(), bundle_sha256 }
}

/// The agent's users run.
async fn started(stream: &mut Attached, target: &str) {
    stream.say(prepare(&bundle(target)));
    let state = stream
        .hear_until(LEASE, |m| match m {
            FromAgent::PlanState { state, .. } => Some(state.clone()),
            _ => None,
        })
        .await;
    let meaning = bundle(target).compile().expect("valid").meaning_sha256();
    assert_eq!(state.expect("ready").meaning_sha256, meaning);
    let seats = [0, 1].map(|slot| Seat::fresh(Slot(slot))).to_vec();
    stream.say(ToAgent::Assign { run: run(), revision: 1, seats });
    stream.hear_until(LEASE, |m| matches!(m, FromAgent::AssignAck { revision: 1, .. }).then_some(())).await;
    stream.say(ToAgent::Start { run: run(), after: Duration::ZERO, t0: Duration::ZERO });
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_hello_prepares_runs_stops_and_delivers_every_window() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = TestDir::new("agent-run");
    let mut coordinator = ScriptedCoordinator::listen().await;
    let process = agent(&dir, &coordinator);
    let mut stream = welcomed(&mut coordinator).await;
    started(&mut stream, &target.url()).await;
    let (mut next, mut requests) = (1, 0);
    loop {
        let window = stream
            .hear_until(LEASE, |m| match m {
                FromAgent::Window(window) => Some(window.clone()),
                _ => None,
            })
            .await;
        assert_eq!((window.seq, window.index), (next, next as u32 - 1), "numbered without holes");
        next += 1;
        requests += window.ok() + window.failed();
        assert_eq!(window.cumulative.ok + window.cumulative.failed, requests);
        stream.say(ToAgent::WindowAck { run: run(), seq: window.seq });
        if window.seq == 2 {
            stream.say(ToAgent::Stop { run: run(), timeout: Duration::from_secs(2) });
        }
        if window.last {
            assert_eq!(window.in_flight, 0);
            assert_eq!(window.cumulative.started, requests + window.cumulative.aborted);
            break;
        }
    }
    assert!(requests > 0);
    assert_eq!(target.truth().total, requests);
    process.signal("TERM");
    stream.hear_until(LEASE, |m| matches!(m, FromAgent::Goodbye { .. }).then_some(())).await;
    assert_eq!(process.wait().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_its_users_when_the_lease_is_not_renewed() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = TestDir::new("agent-lease");
    let mut coordinator = ScriptedCoordinator::listen().await;
    let mut process = agent(&dir, &coordinator);
    let mut stream = welcomed(&mut coordinator).await;
    started(&mut stream, &target.url()).await;
    // From here on nobody answers its renewals, and the stream stays open.
    process.line_with("the coordinator stopped renewing the lease");
    // It dials again, and by then nothing of it is open at the target.
    let _again = coordinator.agent().await;
    let in_flight: u64 = target.truth().endpoints.iter().map(|endpoint| endpoint.in_flight).sum();
    assert_eq!(in_flight, 0);
    let before = target.truth().total;
    process.signal("TERM");
    assert_eq!(process.wait().code, Some(0));
    assert_eq!(target.truth().total, before, "no request after the users were stopped");
    drop(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_arrived_changed_or_means_nothing_is_refused() {
    let dir = TestDir::new("agent-refuses");
    let mut coordinator = ScriptedCoordinator::listen().await;
    let _process = agent(&dir, &coordinator);
    let mut stream = welcomed(&mut coordinator).await;
    let refused = |m: &FromAgent| match m {
        FromAgent::PlanState { state: Err(refusal), .. } => Some(refusal.to_string()),
        _ => None,
    };
    let ToAgent::Prepare { run, bundle, .. } = prepare(&bundle("http://127.0.0.1:1")) else { unreachable!() };
    let changed = ToAgent::Prepare { run: run.clone(), bundle, bundle_sha256: "0".repeat(64) };
    stream.say(changed);
    assert!(stream.hear_until(LEASE, refused).await.contains("the plan arrived changed"));
    let bytes = b"not a plan".to_vec();
    let bundle_sha256 = plan::sha256_hex(&bytes);
    stream.say(ToAgent::Prepare { run, bundle: bytes.into(), bundle_sha256 });
    assert!(stream.hear_until(LEASE, refused).await.contains("not a plan bundle"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_final_refusal_ends_it_with_the_reason() {
    let dir = TestDir::new("agent-rejected");
    let mut coordinator = ScriptedCoordinator::listen().await;
    let process = agent(&dir, &coordinator);
    let mut stream = coordinator.agent().await;
    let Some(FromAgent::Hello(hello)) = stream.hear().await else { panic!("no Hello") };
    assert_eq!((hello.name.as_str(), hello.cores), ("a", 1));
    let message = "install the same version of Muster on both".to_owned();
    stream.say(ToAgent::Reject { code: RejectCode::Version, message });
    drop(stream);
    let ended = process.wait();
    assert_eq!(ended.code, Some(4));
    assert!(
        ended.err.contains("error: refused: install the same version of Muster on both"),
        "{}",
        ended.err
    );
}

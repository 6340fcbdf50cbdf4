//! Setup and teardown: run once, beside no users, in books of their own.

use crate::rig::{Rig, http, plan};
use crate::server::{Answer, Seen, Server, Then};
use agent::engine::{ChoreOutcome, EngineEvent};
use metrics::ErrorKind;
use plan::chore::{ChoreKind, SetupValues};
use plan::slot::{Seat, Slot};
use std::time::Instant;

const PLAN: &str = "\
version: 1
name: test
target: TARGET
load: { users: 1, duration: 1h }
";

fn text(chores: &str) -> String {
    format!(
        "{PLAN}{chores}\nusers: {{ User: {{ wait: 1h, tasks: {{ task: {{ get: \"/user/${{setup.id}}\" }} }} }} }}\n"
    )
}

/// Answers `/bad…` with 500, `/slow` never, and everything else with `{"id":7}`.
fn server() -> Server {
    Server::start(|seen| match seen.path() {
        path if path.starts_with("/bad") => {
            Answer::raw("HTTP/1.1 500 x\r\ncontent-length: 0\r\n\r\n", Then::KeepOpen)
        }
        "/slow" => Answer::raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", Then::KeepOpen),
        _ => Answer::ok("{\"id\":7}"),
    })
}

async fn done(rig: &mut Rig) -> ChoreOutcome {
    match rig.event().await {
        EngineEvent::ChoreDone(outcome) => *outcome,
        other => panic!("expected the end of a chore, not {other:?}"),
    }
}

async fn ready(server: &Server, chores: &str) -> (Rig, std::sync::Arc<plan::Plan>) {
    let plan = plan(&text(chores), &http(server));
    let mut rig = Rig::start(Vec::new());
    rig.prepare(&plan).await.expect("a plan that can be run");
    (rig, plan)
}

fn paths(server: &Server) -> Vec<String> {
    let first = |seen: &Seen| seen.head.split(' ').take(2).collect::<Vec<_>>().join(" ");
    server.truth().requests.iter().map(first).collect()
}

#[tokio::test]
async fn what_setup_saves_is_seen_by_users_and_by_teardown() {
    let server = server();
    let (mut rig, _) = ready(
        &server,
        "flows: { seed: { steps: [ { post: /seed, save: { id: $.id } } ] } }\n\
         setup: [ { call: seed }, { set: { twice: \"${setup.id + id}\", who: \"${agent.name}\" } },\n  \
           { repeat: 2, steps: [ { get: \"/check/${id}\" } ] } ]\n\
         teardown: [ { delete: \"/seed/${setup.id}/${setup.twice}/${setup.who}\" } ]",
    )
    .await;
    rig.engine.chore(ChoreKind::Setup);
    let setup = done(&mut rig).await;
    assert_eq!((setup.kind, &setup.failed), (ChoreKind::Setup, &None));
    assert_eq!((setup.requests, setup.failures, setup.aborted, setup.errors.len()), (3, 0, 0, 0));
    assert_eq!(String::from_utf8_lossy(&setup.values), r#"{"id":7,"twice":14,"who":"agent-1"}"#);

    rig.engine.see_setup(SetupValues::from_json(&setup.values).expect("its own"));
    rig.engine.run(Instant::now(), 1, vec![Seat::fresh(Slot(0))]);
    server.until(|truth| truth.requests.len() == 4).await;
    let outcome = rig.stop(agent::engine::StopMode::Now).await;
    assert_eq!(outcome.started, 1, "what setup did is not in the run's books");
    let mut rig = outcome.rig;
    rig.engine.chore(ChoreKind::Teardown);
    let teardown = done(&mut rig).await;
    assert_eq!((teardown.requests, &teardown.failed, teardown.values.len()), (1, &None, 0));
    assert_eq!(
        paths(&server),
        ["POST /seed", "GET /check/7", "GET /check/7", "GET /user/7", "DELETE /seed/7/14/agent-1"]
    );
}

#[tokio::test]
async fn setup_ends_at_its_first_failure_and_teardown_does_all_it_can() {
    let server = server();
    let (mut rig, _) = ready(
        &server,
        "setup: [ { post: /seed, save: { id: $.id } }, { group: all, steps: [ { get: /bad } ] }, { get: /never, save: { other: $.id } } ]\n\
         teardown: [ { delete: /bad/1 }, { delete: \"/seed/${setup.other}\" }, { delete: \"/seed/${setup.id}\" } ]",
    )
    .await;
    rig.engine.chore(ChoreKind::Setup);
    let setup = done(&mut rig).await;
    let why = setup.failed.expect("it failed");
    assert!(why.starts_with("step 2 (all) failed: 500"), "{why}");
    assert_eq!((setup.requests, setup.failures), (2, 1));
    let errors: Vec<_> = setup.errors.iter().map(|row| (row.kind, row.count)).collect();
    assert_eq!(errors, [(ErrorKind::Status, 1)], "the transaction around it is not one more");
    assert_eq!(String::from_utf8_lossy(&setup.values), r#"{"id":7}"#);

    rig.engine.see_setup(SetupValues::from_json(&setup.values).expect("its own"));
    rig.engine.chore(ChoreKind::Teardown);
    let teardown = done(&mut rig).await;
    let why = teardown.failed.expect("it failed");
    assert!(why.starts_with("step 1 (DELETE /bad/1) failed: 500"), "{why}");
    assert!(why.ends_with("; and 1 more of its steps"), "{why}");
    assert_eq!((teardown.requests, teardown.failures), (3, 2));
    assert!(
        teardown.errors.iter().any(|row| row.message.contains("`setup.other` has no value")),
        "{:?}",
        teardown.errors
    );
    assert_eq!(paths(&server), ["POST /seed", "GET /bad", "DELETE /bad/1", "DELETE /seed/7"]);
}

#[tokio::test]
async fn a_chore_that_takes_too_long_or_is_stopped_ends_at_once() {
    let server = server();
    let (mut rig, _) = ready(
        &server,
        "setup: [ { set: { id: 1 } }, { get: /slow } ]\nsetup_timeout: 300ms\n\
         teardown: [ { get: /slow }, { get: /never } ]",
    )
    .await;
    rig.engine.chore(ChoreKind::Setup);
    let setup = done(&mut rig).await;
    let why = setup.failed.expect("it failed");
    assert_eq!(why, "not done within 300ms; make it shorter, or raise `setup_timeout`");
    assert_eq!((setup.requests, setup.aborted), (0, 1));
    assert_eq!(String::from_utf8_lossy(&setup.values), r#"{"id":1}"#);

    rig.engine.chore(ChoreKind::Teardown);
    server.until(|truth| truth.requests.len() == 2).await;
    rig.engine.stop_chore();
    let teardown = done(&mut rig).await;
    assert_eq!(teardown.failed.as_deref(), Some("it was stopped before its end"));
    assert_eq!(paths(&server), ["GET /slow", "GET /slow"]);
}

#[tokio::test]
async fn a_setup_that_saves_too_much_has_failed() {
    let server = server();
    let fill = ["a", "b", "c"].map(|name| format!(", {{ set: {{ {name}: \"${{big}}\" }} }}")).concat();
    let doubling = "{ repeat: 19, steps: [ { set: { big: \"${big ~ big}\" } } ] }";
    let (mut rig, _) =
        ready(&server, &format!("setup: [ {{ set: {{ id: 1, big: x }} }}, {doubling}{fill} ]")).await;
    rig.engine.chore(ChoreKind::Setup);
    let setup = done(&mut rig).await;
    let why = setup.failed.expect("it failed");
    assert!(why.contains("more than 1048576 bytes as JSON"), "{why}");
    assert_eq!(setup.values, b"{}");
}

#[tokio::test]
async fn a_chore_that_cannot_begin_says_so() {
    let server = server();
    let mut idle = Rig::start(Vec::new());
    idle.engine.chore(ChoreKind::Setup);
    assert_eq!(done(&mut idle).await.failed.as_deref(), Some("no plan was prepared before it"));
    let (mut rig, plan) = ready(&server, "setup: [ { set: { id: 1 } }, { get: /slow } ]").await;
    rig.engine.chore(ChoreKind::Teardown);
    assert_eq!(done(&mut rig).await.failed.as_deref(), Some("the plan has no teardown"));
    rig.engine.chore(ChoreKind::Setup);
    rig.engine.chore(ChoreKind::Setup);
    assert_eq!(done(&mut rig).await.failed.as_deref(), Some("another one is going on"));
    assert_eq!(rig.prepare(&plan).await, Err("a chore is going on; stop it first".to_owned()));
    rig.engine.stop_chore();
    assert!(done(&mut rig).await.failed.is_some());
}

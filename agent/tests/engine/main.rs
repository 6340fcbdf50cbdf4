//! The engine against a scripted server: what it counts is what happened.

mod answers;
mod certificate;
mod chore;
mod connect;
mod flow;
mod hostile;
mod hostile_http2;
mod http2;
mod iterations;
mod open;
mod policy;
mod raw;
mod relay;
mod requests;
mod rig;
mod server;
mod websocket;
mod websocket_tls;
mod websocket_wrongs;

use agent::engine::{EngineEvent, StopMode};
use metrics::ErrorKind;
use plan::slot::{Seat, Slot};
use rig::{Rig, http, plan};
use server::{Answer, Server, Then};
use std::time::Duration;

/// One class with one task; `LOAD`, `USER` (keys of the class) and `TASK` are filled in.
fn simple(load: &str, user: &str, task: &str) -> String {
    format!(
        "version: 1\nname: test\ntarget: TARGET\nload: {{ {load} }}\n\
         users:\n  User:\n    {user}\n    tasks:\n      task: {{ {task} }}\n"
    )
}

fn held(_: &server::Seen) -> Answer {
    Answer { held: true, ..Answer::ok("") }
}

#[tokio::test]
async fn counts_equal_what_the_server_saw() {
    let server = Server::start(|seen| Answer::ok(&seen.body));
    let text = simple("users: 4, duration: 2s", "wait: 5ms", "post: /x, json: { slot: \"${user.slot}\" }");
    let outcome = Rig::running(&plan(&text, &http(&server)), 4).await.finish().await;
    // The server writes an answer down after the last byte of it is sent.
    server.until(|truth| truth.bytes_written >= outcome.total.bytes_in).await;
    let truth = server.truth();
    assert_eq!((outcome.total.failed, outcome.aborted, outcome.reconnects), (0, 0, 0));
    assert_eq!(outcome.total.ok, truth.requests.len() as u64);
    assert_eq!(outcome.total.bytes_in, truth.bytes_written);
    assert_eq!(outcome.total.bytes_out, truth.bytes_read);
    assert_eq!(truth.connections, 4, "one for each user");
    assert_eq!((outcome.total.phases.connect.0, outcome.total.phases.first_byte.0), (4, outcome.total.ok));
    assert!(outcome.windows.len() >= 3, "two seconds and the end");
    assert!((0..2).all(|second| outcome.windows[second].window.started > 0));
    assert_eq!(outcome.windows[0].users, 4);
    assert!(outcome.windows[0].health.lag.count() > 0);
}

#[tokio::test]
async fn users_start_and_stop_on_schedule() {
    let server = Server::start(|_| Answer::ok(""));
    let stages = "stages: [ {users: 30, over: 1500ms}, {users: 30, for: 1s}, {users: 0, over: 1s} ]";
    let plan = plan(&simple(stages, "wait: 10ms", "get: /"), &http(&server));
    let outcome = Rig::running(&plan, 30).await.finish().await;
    outcome.users_follow(&plan.schedule);
    assert_eq!((outcome.total.failed, outcome.aborted), (0, 0));
    assert_eq!(server.truth().connections, 30);
}

#[tokio::test]
async fn users_that_never_wait_let_each_other_work() {
    let server = Server::start(|_| Answer::ok(""));
    let text = simple("users: 6, duration: 1s", "wait: 0s", "get: \"/${user.slot}\"");
    let outcome = Rig::running(&plan(&text, &http(&server)), 6).await.finish().await;
    let truth = server.truth();
    for slot in 0..6 {
        let of_slot = truth.requests.iter().filter(|seen| seen.path() == format!("/{slot}")).count();
        assert!(of_slot * 60 > truth.requests.len(), "slot {slot}: {of_slot} of {}", truth.requests.len());
    }
    assert_eq!(outcome.total.ok, truth.requests.len() as u64);
}

#[tokio::test]
async fn connections_that_the_server_closes_are_made_anew() {
    let server = Server::start(|_| Answer { then: Then::Close, ..Answer::ok("") });
    let text = simple("users: 2, duration: 1s", "wait: 50ms", "get: /");
    let outcome = Rig::running(&plan(&text, &http(&server)), 2).await.finish().await;
    let truth = server.truth();
    assert_eq!((outcome.total.failed, outcome.total.ok), (0, truth.requests.len() as u64));
    assert_eq!(outcome.reconnects + 2, truth.connections as u64);
    assert!(outcome.reconnects > 0);
}

#[tokio::test]
async fn every_failure_is_counted_by_its_kind() {
    use ErrorKind::{Assertion, Protocol, Refused, Reset, Status, Template};
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Server::start(|seen| match seen.path() {
        "/reset" => Answer::raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx", Then::Reset),
        "/garbage" => Answer::raw("garbage\r\n\r\n", Then::Close),
        "/status" => Answer::raw("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", Then::KeepOpen),
        _ => Answer::ok("[]"),
    });
    let text = format!(
        "version: 1\nname: test\ntarget: TARGET\nload: {{ users: 2, duration: 1s }}\n\
         users:\n  User:\n    wait: 1ms\n    tasks:\n      reset: {{ get: /reset }}\n      \
         garbage: {{ get: /garbage }}\n      status: {{ get: /status }}\n      \
         refused: {{ get: \"http://{unused}/\" }}\n      \
         assertion: {{ get: /x, expect: {{ that: \"json.a == 1\" }} }}\n      \
         template: {{ steps: [ {{ get: \"/never/${{1 // (user.slot - user.slot)}}\" }}, {{ get: /never/two }} ] }}\n"
    );
    let outcome = Rig::running(&plan(&text, &http(&server)), 2).await.finish().await;
    let kinds: Vec<ErrorKind> = outcome.failures.keys().copied().collect();
    assert_eq!(kinds, [Refused, Reset, Protocol, Status, Assertion, Template], "{:?}", outcome.failures);
    assert_eq!(outcome.failures[&Refused].1, format!("connection refused by {unused}"));
    let truth = server.truth();
    assert!(
        truth.requests.iter().all(|seen| !seen.path().starts_with("/never")),
        "a failure ends the iteration"
    );
    let never_arrived = outcome.failures[&Refused].0 + outcome.failures[&Template].0;
    assert_eq!(outcome.started, truth.requests.len() as u64 + never_arrived);
}

#[tokio::test]
async fn stopping_now_aborts_what_is_in_flight() {
    let server = Server::start(|_| Answer::raw("", Then::Hang));
    let text = simple("users: 3, duration: 1h", "wait: 0s", "get: /");
    let mut rig = Rig::running(&plan(&text, &http(&server)), 3).await;
    assert_eq!(rig.window().await.in_flight, 3);
    let outcome = rig.stop(StopMode::Now).await;
    assert_eq!((outcome.started, outcome.aborted, outcome.total.requests()), (3, 3, 0));
    server.until(|truth| truth.ended == 3).await;
}

#[tokio::test]
async fn stopping_gracefully_lets_the_iteration_finish_and_cuts_the_pause() {
    let server = Server::start(held);
    let text = simple("users: 2, duration: 1h", "wait: 1h", "steps: [ { get: /a }, { get: /b } ]");
    let rig = Rig::running(&plan(&text, &http(&server)), 2).await;
    server.until(|truth| truth.requests.len() == 2).await;
    rig.engine.stop(StopMode::Graceful { timeout: Duration::from_hours(1) });
    server.release();
    let outcome = rig.finish().await;
    assert_eq!((outcome.total.ok, outcome.total.failed, outcome.aborted), (4, 0, 0));
}

#[tokio::test]
async fn a_shorter_stop_takes_effect() {
    let server = Server::start(held);
    let text = simple("users: 2, duration: 1h", "wait: 1h", "get: /");
    for second in [StopMode::Now, StopMode::Graceful { timeout: Duration::from_millis(10) }] {
        let rig = Rig::running(&plan(&text, &http(&server)), 2).await;
        let seen = server.truth().requests.len();
        server.until(|truth| truth.requests.len() == seen + 2).await;
        rig.engine.stop(StopMode::Graceful { timeout: Duration::from_hours(1) });
        rig.engine.stop(second);
        let outcome = rig.stop(StopMode::Graceful { timeout: Duration::from_mins(1) }).await;
        assert_eq!((outcome.started, outcome.aborted), (2, 2));
    }
}

#[tokio::test]
async fn the_end_of_the_schedule_aborts_what_does_not_finish_in_time() {
    let server = Server::start(|_| Answer::raw("", Then::Hang));
    let text = simple("users: 3, duration: 500ms, stop_timeout: 300ms", "wait: 0s", "get: /");
    let outcome = Rig::running(&plan(&text, &http(&server)), 3).await.finish().await;
    assert_eq!((outcome.started, outcome.aborted), (3, 3));
}

#[tokio::test]
async fn a_new_set_of_slots_disturbs_nobody_who_stays() {
    let server = Server::start(|_| Answer::ok(""));
    let text = simple("users: 3, duration: 1h", "wait: 1ms", "get: \"/${user.slot}\"");
    let plan = plan(&text, &http(&server));
    let mut rig = Rig::start(Vec::new());
    rig.begin(&plan, vec![Slot(0), Slot(1)]).await;
    let of = |truth: &server::Truth, path: &str| truth.requests.iter().filter(|s| s.path() == path).count();
    server.until(|truth| of(truth, "/0") > 0 && of(truth, "/1") > 0).await;
    rig.engine.run(std::time::Instant::now(), 1, [1, 2].map(|slot| Seat::fresh(Slot(slot))).to_vec());
    server.until(|truth| of(truth, "/2") > 0 && truth.ended == 1).await;
    let left = of(&server.truth(), "/0");
    rig.window().await;
    let outcome = rig.stop(StopMode::Graceful { timeout: Duration::from_mins(1) }).await;
    let truth = server.truth();
    assert_eq!(of(&truth, "/0"), left, "a user whose connection is gone has gone");
    assert_eq!(truth.connections, 3, "the user that stays keeps its connection");
    assert_eq!((outcome.total.ok, outcome.aborted), (truth.requests.len() as u64, 0));
    assert_eq!(outcome.windows[0].users, 2);
}

#[tokio::test]
async fn no_task_runs_before_on_start_has_succeeded() {
    let server = Server::start(|seen| match seen.path() {
        "/login" if seen.number == 0 => {
            Answer::raw("HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n", Then::KeepOpen)
        }
        _ => Answer::ok("{\"t\":\"secret\"}"),
    });
    let user = "wait: 20ms\n    on_start: [ { post: /login, save: { token: $.t } }, { get: /home } ]";
    let text = simple("users: 1, duration: 2s", user, "get: \"/task/${token}\"");
    let outcome = Rig::running(&plan(&text, &http(&server)), 1).await.finish().await;
    let truth = server.truth();
    let paths: Vec<&str> = truth.requests.iter().map(server::Seen::path).collect();
    assert_eq!(paths[..4], ["/login", "/login", "/home", "/task/secret"]);
    assert!(paths[4..].iter().all(|&path| path == "/task/secret"));
    assert_eq!((outcome.total.failed, outcome.windows[0].window.started), (1, 1), "a second's pause");
}

#[tokio::test]
async fn https_targets() {
    let (acceptor, root) = certificate::localhost();
    let server = Server::start_tls(acceptor, |_| Answer::ok(""));
    let target = format!("https://localhost:{}", server.address.port());
    let text = simple("users: 2, duration: 1s", "wait: 10ms", "get: /");
    let mut rig = Rig::start(vec![root]);
    rig.begin(&plan(&text, &target), vec![Slot(0), Slot(1)]).await;
    let outcome = rig.finish().await;
    assert_eq!((outcome.total.failed, outcome.total.phases.tls.0), (0, 2), "{:?}", outcome.failures);
    assert_eq!(outcome.total.ok, server.truth().requests.len() as u64);
}

#[tokio::test]
async fn an_engine_runs_one_plan_after_the_other() {
    let server = Server::start(|_| Answer::ok(""));
    let plan = plan(&simple("users: 1, duration: 1h", "wait: 10ms", "get: /"), &http(&server));
    let mut rig = Rig::start(Vec::new());
    rig.engine.stop(StopMode::Now);
    rig.engine.run(std::time::Instant::now(), 1, vec![Seat::fresh(Slot(0))]);
    assert!(matches!(rig.event().await, EngineEvent::PrepareFailed(_)));
    for _ in 0..2 {
        rig.begin(&plan, vec![Slot(0)]).await;
        assert_eq!(rig.prepare(&plan).await, Err("a run is going on; stop it first".to_owned()));
        rig = rig.stop(StopMode::Now).await.rig;
    }
    rig.begin(&plan, Vec::new()).await;
    assert_eq!(rig.window().await.users, 0, "a run without users has windows too");
    let seen = server.truth().requests.len();
    let outcome = rig.stop(StopMode::Graceful { timeout: Duration::ZERO }).await;
    assert_eq!((outcome.started, server.truth().requests.len()), (0, seen));
}

#[tokio::test]
async fn a_dropped_engine_leaves_nothing_behind() {
    let server = Server::start(held);
    let text = simple("users: 3, duration: 1h", "wait: 0s", "get: /");
    let rig = Rig::running(&plan(&text, &http(&server)), 3).await;
    server.until(|truth| truth.requests.len() == 3).await;
    drop(rig);
    server.release();
    server.until(|truth| truth.ended == 3).await;
    assert_eq!(server.truth().requests.len(), 3);
}

#[tokio::test]
async fn a_t0_that_lies_ahead_is_waited_for() {
    let server = Server::start(|_| Answer::ok(""));
    let plan = plan(&simple("users: 1, duration: 1s", "wait: 10ms", "get: /"), &http(&server));
    let mut rig = Rig::start(Vec::new());
    rig.prepare(&plan).await.unwrap();
    let asked = std::time::Instant::now();
    rig.engine.run(asked + Duration::from_millis(300), 1, vec![Seat::fresh(Slot(0))]);
    server.until(|truth| !truth.requests.is_empty()).await;
    assert!(asked.elapsed() >= Duration::from_millis(300));
    let outcome = rig.finish().await;
    assert!(outcome.windows[0].window.started > 0);
}

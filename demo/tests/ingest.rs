//! Message ingest through real HTTP.

mod client;

use client::Client;
use demo::{Config, Law, MessagesTruth, Running};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const SEND: &str = "/api/v1/messages";

fn start(config: Config) -> (Running, Client) {
    let running = demo::spawn(config.latency("*", Law::Constant(Duration::ZERO)).unwrap()).unwrap();
    let client = Client::connect(running.addr);
    (running, client)
}

fn message(n: u32) -> String {
    json!({ "user_id": n, "channel_id": 7, "content": format!("message {n}, \"quoted\"\n\u{1F40C}") })
        .to_string()
}

/// What became of the messages once none is pending.
fn settled(running: &Running) -> MessagesTruth {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let truth = running.messages().unwrap();
        if truth.pending == 0 {
            return truth;
        }
        assert!(Instant::now() < until, "{truth:?}");
        std::thread::yield_now();
    }
}

#[test]
fn a_message_is_queued_and_then_stored() {
    let slow = Law::Constant(Duration::from_millis(300));
    let (running, mut client) = start(Config::default().latency("messages/commit", slow).unwrap());
    let (status, answer) = client.post(SEND, &message(1));
    assert_eq!((status, &answer), (202, &json!({ "id": 1, "status": "queued" })));
    assert_eq!(client.get("/api/v1/messages/1").1["status"], "queued");
    assert_eq!(settled(&running), MessagesTruth { acknowledged: 1, stored: 1, ..MessagesTruth::default() });
    assert_eq!(client.get("/api/v1/messages/1").1["status"], "stored");
    let (_, told) = client.get("/api/admin/ingest-status");
    assert_eq!((&told["queue_depth"], &told["batches"], &told["stored"]), (&json!(0), &json!(1), &json!(1)));
    assert!(told["worker_ms"]["p50"].as_f64().unwrap() >= 300.0, "{told}");
    assert!(told["end_to_end_ms"]["p50"].as_f64() >= told["worker_ms"]["p50"].as_f64(), "{told}");
    assert_eq!(client.get("/api/v1/messages/health"), (200, json!({ "status": "ok" })));
    assert_eq!(running.truth().endpoints.iter().filter(|e| e.path.contains("ingest-status")).count(), 0);
}

#[test]
fn what_is_no_message_is_refused_and_not_counted() {
    let (running, mut client) = start(Config::default());
    for (key, value, remedy) in [
        ("user_id", 0, "user_id is 0; send a number from 1 to 10000"),
        ("user_id", 10_001, "from 1 to 10000"),
        ("channel_id", 101, "channel_id is 101; send a number from 1 to 100"),
    ] {
        let mut body: Value = serde_json::from_str(&message(1)).unwrap();
        body[key] = value.into();
        let (status, answer) = client.post(SEND, &body.to_string());
        assert!(status == 422 && answer["error"].as_str().unwrap().contains(remedy), "{body}: {answer}");
    }
    assert_eq!(client.post(SEND, "{}").0, 422);
    for id in ["0", "1", "x"] {
        assert_eq!(client.get(&format!("/api/v1/messages/{id}")).0, 404, "{id}");
    }
    assert_eq!(settled(&running), MessagesTruth::default());
}

#[test]
fn lost_and_duplicated_messages_are_counted() {
    let check = |fault: &str, expected: MessagesTruth| {
        let config = Config::default().fail(fault, "100%".parse().unwrap()).unwrap();
        let (running, mut client) = start(config);
        for n in 1..=20 {
            assert_eq!(client.post(SEND, &message(n)).0, 202);
        }
        assert_eq!(settled(&running), expected, "{fault}");
        let (_, told) = client.get("/api/v1/messages/accounting");
        assert_eq!(serde_json::from_value::<MessagesTruth>(told).unwrap(), expected);
    };
    let all = MessagesTruth { acknowledged: 20, ..MessagesTruth::default() };
    check("messages/lost", MessagesTruth { lost: 20, ..all });
    check("messages/duplicate", MessagesTruth { stored: 20, duplicated: 20, ..all });
}

#[test]
fn a_full_queue_refuses() {
    // Four workers have a hundred each, or fewer; ten thousand wait.
    let (running, mut client) =
        start(Config::default().latency("messages/commit", Law::Constant(Duration::from_mins(1))).unwrap());
    let mut accepted = 0;
    let refused = (1..=10_500).map(|_| client.post(SEND, &message(1))).find(|(status, _)| {
        accepted += u64::from(*status == 202);
        *status != 202
    });
    let (status, answer) = refused.expect("no queue is endless");
    assert_eq!((status, &answer["error"]), (503, &json!("10000 messages wait already; send more slowly")));
    assert!(accepted >= 10_000, "{accepted}");
    let truth = running.messages().unwrap();
    assert_eq!((truth.acknowledged, truth.pending), (accepted, accepted), "{truth:?}");
}

#[test]
fn numbers_go_on_where_a_kept_database_ends() {
    let path = std::env::temp_dir().join(format!("demo-ingest-{}.db", std::process::id()));
    for id in [1, 2] {
        let (running, mut client) = start(Config::default().database(path.clone()));
        assert_eq!(client.post(SEND, &message(1)).1["id"], id);
        assert_eq!(settled(&running).stored, 1, "since its start");
        running.stop();
    }
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
}

//! The task workflow through real HTTP.

mod client;

use client::Client;
use demo::{Config, Law, Running, TaskCounts, TasksTruth};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

fn start(config: Config) -> (Running, Client) {
    let running = demo::spawn(config.latency("*", Law::Constant(Duration::ZERO)).unwrap()).unwrap();
    let client = Client::connect(running.addr);
    (running, client)
}

#[test]
fn tasks_are_created_found_moved_on_and_counted() {
    let (running, mut client) = start(Config::default());
    let (status, task) = client.post("/api/v1/tasks", r#"{"title": "Water the plants", "priority": "high"}"#);
    assert_eq!((status, &task["id"], &task["status"]), (201, &json!(1), &json!("pending")), "{task}");
    assert_eq!(client.get("/api/v1/tasks/1"), (200, task));
    let (status, task) = client.ask("PATCH", "/api/v1/tasks/1/status", r#"{"status": "running"}"#);
    assert_eq!((status, &task["status"], &task["priority"]), (200, &json!("running"), &json!("high")));
    assert_eq!(client.get("/api/v1/tasks/1"), (200, task.clone()), "not what the cache had before");
    assert_eq!(client.post("/api/v1/tasks", r#"{"title": "Rest"}"#).1["priority"], "normal");
    let (_, list) = client.get("/api/v1/tasks?limit=1");
    assert_eq!((&list["items"][0]["id"], &list["total"]), (&json!(2), &json!(2)), "{list}");
    let (_, list) = client.get("/api/v1/tasks/by-status/running");
    assert_eq!(list, json!({ "items": [task], "total": 1 }));
    let (_, statistics) = client.get("/api/v1/tasks/statistics");
    let by_status = json!({ "pending": 1, "running": 1, "completed": 0, "failed": 0 });
    assert_eq!(statistics, json!({ "total": 2, "by_status": by_status }));
    assert_eq!(client.get("/api/v1/tasks/health"), (200, json!({ "status": "ok" })));
    let counts = TaskCounts { created: 2, changed: 1 };
    assert_eq!(running.tasks().unwrap(), TasksTruth { acknowledged: counts, stored: counts });
}

#[test]
fn what_cannot_be_done_is_refused_with_a_remedy_and_not_counted() {
    let (running, mut client) = start(Config::default());
    let long = json!({ "title": "x".repeat(201) }).to_string();
    for (method, path, body, expected, remedy) in [
        ("POST", "/api/v1/tasks", r#"{"title": ""}"#, 422, "send 1 to 200"),
        ("POST", "/api/v1/tasks", &long, 422, "title has 201 characters"),
        ("POST", "/api/v1/tasks", r#"{"title": "a", "priority": "urgent"}"#, 422, "`low`, `normal`, `high`"),
        ("PATCH", "/api/v1/tasks/1/status", r#"{"status": "running"}"#, 404, "no task of this id"),
        ("PATCH", "/api/v1/tasks/1/status", r#"{"status": "done"}"#, 422, "`completed`"),
        ("GET", "/api/v1/tasks/one", "", 404, "no task of this id"),
        ("GET", "/api/v1/tasks/by-status/done", "", 404, "pending, running, completed or failed"),
        ("POST", "/api/v1/tasks/seed", r#"{"tasks": 0}"#, 422, "from 1 to 10000"),
        ("DELETE", "/api/v1/tasks/seed/9", "", 404, "removed already"),
    ] {
        let (status, answer) = client.ask(method, path, body);
        let error = answer["error"].as_str().unwrap();
        assert!(status == expected && error.contains(remedy), "{method} {path} {body}: {status} {answer}");
    }
    let none = TaskCounts::default();
    assert_eq!(running.tasks().unwrap(), TasksTruth { acknowledged: none, stored: none });
}

#[test]
fn a_batch_comes_in_every_status_and_goes_as_a_whole() {
    let (running, mut client) = start(Config::default());
    client.post("/api/v1/tasks", r#"{"title": "Of a user"}"#);
    let (status, batch) = client.post("/api/v1/tasks/seed", r#"{"tasks": 8}"#);
    assert_eq!((status, &batch), (201, &json!({ "batch": 2, "first": 2, "last": 9, "tasks": 8 })));
    assert_eq!(client.get("/api/v1/tasks/9").1["status"], "failed");
    assert_eq!(client.get("/api/v1/tasks/by-status/failed").1["total"], 2);
    assert_eq!(client.ask("DELETE", "/api/v1/tasks/seed/2", ""), (200, json!({ "tasks": 8 })));
    assert_eq!(client.get("/api/v1/tasks/9").0, 404, "the cache forgets it, too");
    assert_eq!(client.get("/api/v1/tasks/1").0, 200);
    // Numbers are not given twice.
    assert_eq!(client.post("/api/v1/tasks/seed", r#"{"tasks": 1}"#).1["first"], 10);
    assert_eq!(running.tasks().unwrap().stored, TaskCounts { created: 1, changed: 0 });
}

#[test]
fn look_ups_are_counted_as_hits_and_misses() {
    let (_running, mut client) = start(Config::default());
    let mut check = |path: &str, hits: u64, misses: u64, hit_rate: f64| {
        client.get(path);
        let (_, told) = client.get("/api/admin/cache-statistics");
        assert_eq!((&told["hits"], &told["misses"]), (&json!(hits), &json!(misses)), "{path}: {told}");
        assert!((told["hit_rate"].as_f64().unwrap() - hit_rate).abs() < 0.01, "{path}: {told}");
    };
    check("/api/v1/tasks/health", 0, 0, 100.0);
    check("/api/v1/tasks", 0, 1, 0.0);
    check("/api/v1/tasks", 1, 1, 50.0);
    check("/api/v1/tasks?limit=5", 1, 2, 33.33);
    check("/api/v1/tasks/statistics", 1, 3, 25.0);
    check("/api/v1/tasks/7", 1, 4, 20.0);
    check("/api/v1/tasks/7", 1, 5, 16.67);
}

#[test]
fn probes_leave_no_trace_and_administrators_do() {
    let (running, mut client) = start(Config::default());
    let probe = |path: &str| {
        let mut stream = TcpStream::connect(running.addr).unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: demo\r\nuser-agent: muster-observe/1.0\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer
    };
    assert!(probe("/api/admin/pool-status").ends_with(r#"{"size":20,"in_use":0,"idle":20,"overflow":0}"#));
    assert!(probe("/api/admin/cache-statistics").contains(r#""hit_rate":100.0"#));
    assert_eq!(running.truth().total, 0);
    probe("/api/v1/tasks/health");
    assert_eq!(running.truth().total, 1, "elsewhere a probe is a request like others");
    // The one who asks has a connection of the pool.
    assert_eq!(client.get("/api/admin/pool-status").1["in_use"], 1);
    assert_eq!(running.truth().endpoint("GET", "/api/admin/pool-status").unwrap().responses[&200], 1);
}

#[test]
fn a_database_that_is_kept_holds_what_was_there_before() {
    let path = std::env::temp_dir().join(format!("demo-workflow-{}.db", std::process::id()));
    let create = |created| {
        let (running, mut client) = start(Config::default().database(path.clone()));
        assert_eq!(client.post("/api/v1/tasks", r#"{"title": "a"}"#).1["id"], created);
        assert_eq!(client.get("/api/v1/tasks/statistics").1["total"], created);
        let one = TaskCounts { created: 1, changed: 0 };
        assert_eq!(
            running.tasks().unwrap(),
            TasksTruth { acknowledged: one, stored: one },
            "since its start"
        );
        running.stop();
    };
    create(1);
    create(2);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
}

//! The library through real HTTP.

mod client;

use client::Client;
use demo::{Config, Law, Running, Share};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

const REGISTER: &str = "/api/v1/auth/register";
const LOGIN: &str = "/api/v1/auth/login";
const HEALTH: &str = "/api/v1/auth/health";
const CREATE: &str = "/api/v1/generation/create";
const PAY: &str = "/api/v1/payments/create";

fn at_once() -> Config {
    let law = Law::Constant(Duration::ZERO);
    Config::default().latency("*", law).unwrap().latency("generation/done", law).unwrap()
}

fn start(config: Config) -> (Running, Client) {
    let running = demo::spawn(config).unwrap();
    let client = Client::connect(running.addr);
    (running, client)
}

#[test]
fn accounts_are_registered_once_and_log_in() {
    let (_running, mut client) = start(at_once());
    let mut check = |path: &str, body: &str, status: u16, key: &str| {
        let (got, answer) = client.post(path, body);
        assert_eq!(got, status, "{path} {body}: {answer}");
        assert!(answer[key].is_string() || answer[key].is_number(), "{path} {body}: {answer}");
        answer
    };
    let ada = r#"{"email": "ada@example.com", "password": "x"}"#;
    assert_eq!(check(REGISTER, ada, 201, "id"), json!({"id": 1, "email": "ada@example.com"}));
    check(REGISTER, ada, 409, "error");
    check(REGISTER, r#"{"email": "ada@example.com"}"#, 422, "error");
    check(REGISTER, "not json", 422, "error");
    check(REGISTER, "", 422, "error");
    assert_eq!(check(LOGIN, ada, 200, "access_token")["token_type"], "bearer");
    check(LOGIN, r#"{"email": "ada@example.com", "password": "y"}"#, 401, "error");
    check(LOGIN, r#"{"email": "bob@example.com", "password": "x"}"#, 401, "error");
    check(LOGIN, "[]", 422, "error");
    assert_eq!(client.get(HEALTH), (200, json!({"status": "ok"})));
}

#[test]
fn seeded_accounts_log_in_unregistered() {
    let (_running, mut client) = start(at_once());
    let mut check = |email: &str, password: &str, status: u16| {
        let body = json!({"email": email, "password": password}).to_string();
        assert_eq!(client.post(LOGIN, &body).0, status, "{email} {password}");
    };
    check("demo-user-7@example.com", "wrong", 401);
    check("demo-user-7@example.com", "demo-password", 200);
    check("demo-user-7@example.com", "demo-password", 200);
    check("demo-user-7@example.com", "wrong", 401);
    check("demo-user-99999999999999999999999@example.com", "demo-password", 200);
    check("demo-user-@example.com", "demo-password", 401);
    check("demo-user-x@example.com", "demo-password", 401);
    check("demo-user-7@example.org", "demo-password", 401);
    let taken = r#"{"email": "demo-user-7@example.com", "password": "z"}"#;
    assert_eq!(client.post(REGISTER, taken).0, 409);
}

#[test]
fn tenants_have_accounts_until_they_are_deleted() {
    let (running, mut client) = start(at_once());
    let (status, made) = client.post("/api/v1/seed", r#"{"users": 3}"#);
    assert_eq!((status, &made["users"]), (201, &json!(3)), "{made}");
    let (_, other) = client.post("/api/v1/seed", r#"{"users": 1}"#);
    let (tenant, other) = (made["tenant"].as_str().unwrap(), other["tenant"].as_str().unwrap());
    assert_ne!(tenant, other);
    let login = |client: &mut Client, tenant: &str, number: u32| {
        let email = format!("{tenant}-user-{number}@example.com");
        client.post(LOGIN, &json!({ "email": email, "password": "demo-password" }).to_string()).0
    };
    let path = format!("/api/v1/seed/{tenant}");
    assert_eq!(running.platform().unwrap().seeded, 4);
    assert_eq!([1, 3, 4].map(|number| login(&mut client, tenant, number)), [200, 200, 401]);
    assert_eq!(client.ask("DELETE", &path, ""), (200, json!({ "users": 3 })));
    assert_eq!(running.platform().unwrap().seeded, 1);
    assert_eq!((login(&mut client, tenant, 1), login(&mut client, other, 1)), (401, 200), "its own alone");
    for gone in [&path, "/api/v1/seed/demo", "/api/v1/seed/tenant-", "/api/v1/seed/tenant-%25"] {
        assert_eq!(client.ask("DELETE", gone, "").0, 404, "{gone}");
    }
    for wrong in [r#"{"users": 0}"#, r#"{"users": 10001}"#, r#"{"users": -1}"#, "{}", ""] {
        assert_eq!(client.post("/api/v1/seed", wrong).0, 422, "{wrong}");
    }
}

#[test]
fn lists_hold_the_latest_and_the_total() {
    let check = |create: &str, list: &str, body: Value, status: u16| {
        let (_running, mut client) = start(at_once());
        for id in 1..=130 {
            let (got, answer) = client.post(create, &body.to_string());
            assert_eq!((got, &answer["id"]), (status, &json!(id)));
        }
        let mut ids = |query: &str| -> Vec<i64> {
            let (status, answer) = client.get(&format!("{list}{query}"));
            assert_eq!((status, &answer["total"]), (200, &json!(130)));
            answer["items"].as_array().unwrap().iter().map(|item| item["id"].as_i64().unwrap()).collect()
        };
        assert_eq!(ids(""), (111..=130).rev().collect::<Vec<_>>());
        assert_eq!(ids("?limit=3"), [130, 129, 128]);
        assert_eq!(ids("?limit=1000").len(), 100);
        assert_eq!(ids("?limit=0"), [0; 0]);
        assert_eq!(client.get(&format!("{list}?limit=many")).0, 422);
        assert_eq!(client.get(&format!("{list}?limit=-1")).0, 422);
    };
    check(CREATE, "/api/v1/generation/list", json!({"prompt": "a boat"}), 202);
    check(PAY, "/api/v1/payments/list", json!({"amount": 12.5, "currency": "EUR"}), 201);
}

#[test]
fn payments_are_above_zero() {
    let (_running, mut client) = start(at_once());
    let mut check = |body: &str, status: u16| assert_eq!(client.post(PAY, body).0, status, "{body}");
    check(r#"{"amount": 1, "currency": "EUR"}"#, 201);
    check(r#"{"amount": 0.01, "currency": "EUR"}"#, 201);
    check(r#"{"amount": 0, "currency": "EUR"}"#, 422);
    check(r#"{"amount": -5, "currency": "EUR"}"#, 422);
    check(r#"{"amount": "5", "currency": "EUR"}"#, 422);
    check(r#"{"amount": 1e999, "currency": "EUR"}"#, 422);
    check(r#"{"amount": 5}"#, 422);
    let (_, list) = client.get("/api/v1/payments/list");
    let expected = json!({"id": 2, "amount": 0.01, "currency": "EUR", "status": "accepted"});
    assert_eq!((&list["items"][0], &list["total"]), (&expected, &json!(2)));
}

/// Asks for the generation's status until it is final; it must never go back.
fn wait_for(client: &mut Client, id: &Value) -> Value {
    let path = format!("/api/v1/generation/{id}");
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut reached = 0;
    loop {
        let (status, generation) = client.get(&path);
        assert_eq!(status, 200, "{generation}");
        let stages = ["queued", "running", "done", "failed"];
        let stage = stages.iter().position(|&stage| generation["status"] == stage).unwrap();
        assert!(stage >= reached, "{generation} after {}", stages[reached]);
        reached = stage;
        if reached >= 2 {
            return generation;
        }
        assert!(Instant::now() < deadline, "still {generation}");
    }
}

#[test]
fn generations_complete_in_their_time() {
    let time = Duration::from_millis(120);
    let config = at_once().latency("generation/done", Law::Constant(time)).unwrap();
    let (_running, mut client) = start(config);
    let asked = Instant::now();
    let (status, created) = client.post(CREATE, r#"{"prompt": "a boat"}"#);
    assert_eq!((status, &created), (202, &json!({"id": 1, "status": "queued"})));
    let done = wait_for(&mut client, &created["id"]);
    assert!(asked.elapsed() >= time);
    let expected = json!({"id": 1, "prompt": "a boat", "status": "done", "result": "An answer to: a boat"});
    assert_eq!(done, expected);
    for unknown in ["2", "0", "-1", "x", "99999999999999999999"] {
        assert_eq!(client.get(&format!("/api/v1/generation/{unknown}")).0, 404, "{unknown}");
    }
    assert_eq!(client.post(CREATE, "{}").0, 422);
}

#[test]
fn generations_fail_when_told_to() {
    let (_running, mut client) = start(at_once().fail("generation/done", Share::ALL).unwrap());
    let (_, created) = client.post(CREATE, r#"{"prompt": "a boat"}"#);
    let failed = wait_for(&mut client, &created["id"]);
    assert_eq!((&failed["status"], &failed["result"]), (&json!("failed"), &Value::Null));
}

#[test]
fn a_failing_request_leaves_no_trace() {
    let (running, mut client) = start(at_once().fail("payments/create", Share::ALL).unwrap());
    let (status, answer) = client.post(PAY, r#"{"amount": 1, "currency": "EUR"}"#);
    assert_eq!(status, 503);
    assert!(answer["error"].is_string());
    assert_eq!(client.get("/api/v1/payments/list").1["total"], 0);
    let truth = running.truth();
    assert_eq!(truth.endpoint("POST", PAY).unwrap().responses, BTreeMap::from([(503, 1)]));
}

#[test]
fn answers_take_what_the_law_says() {
    let law = Law::Constant(Duration::from_millis(30));
    let (_running, mut client) = start(at_once().latency("auth/health", law).unwrap());
    let mut took = |path: &str| {
        let start = Instant::now();
        client.get(path);
        start.elapsed()
    };
    // Connection and code are warm after the first; the best of a few shows the server's own lateness.
    let best = (0..10).map(|_| took(HEALTH)).min().unwrap();
    assert!((30..40).contains(&best.as_millis()), "{best:?}");
}

#[test]
fn state_survives_in_a_database_that_is_kept() {
    let path = std::env::temp_dir().join(format!("demo-target-{}.db", std::process::id()));
    let ada = r#"{"email": "ada@example.com", "password": "x"}"#;
    for status in [201, 409] {
        let (running, mut client) = start(at_once().database(path.clone()));
        assert_eq!(client.post(REGISTER, ada).0, status);
        running.stop();
    }
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
}

#[test]
fn truth_is_exact_under_concurrent_load() {
    const CONNECTIONS: usize = 20;
    const ROUNDS: usize = 10;
    let config = at_once()
        .latency("*", "uniform 0ms..3ms".parse().unwrap())
        .and_then(|config| config.fail("payments/create", "30%".parse().unwrap()))
        .unwrap();
    let running = demo::spawn(config).unwrap();
    let address = running.addr;
    let users: Vec<_> = (0..CONNECTIONS)
        .map(|user| {
            thread::spawn(move || {
                let mut client = Client::connect(address);
                let mut seen: BTreeMap<(&str, u16), u64> = BTreeMap::new();
                for index in user * ROUNDS..(user + 1) * ROUNDS {
                    // Half of the e-mails are taken by the time they are asked for.
                    let email = format!("{}@example.com", index / 2);
                    let credentials = json!({"email": email, "password": "x"});
                    let requests = [
                        ("POST", REGISTER, REGISTER, credentials.to_string()),
                        ("POST", PAY, PAY, r#"{"amount": 1, "currency": "EUR"}"#.to_owned()),
                        ("GET", "/api/v1/generation/77", "/api/v1/generation/{id}", String::new()),
                        ("GET", HEALTH, HEALTH, String::new()),
                        ("GET", "/api/v1/nowhere", "(unknown)", String::new()),
                    ];
                    for (method, path, template, body) in requests {
                        *seen.entry((template, client.ask(method, path, &body).0)).or_default() += 1;
                    }
                }
                seen
            })
        })
        .collect();
    let mut expected: BTreeMap<(String, u16), u64> = BTreeMap::new();
    for ((template, status), count) in users.into_iter().flat_map(|user| user.join().unwrap()) {
        *expected.entry((template.to_owned(), status)).or_default() += count;
    }
    let truth = running.truth();
    let counted = truth.endpoints.iter().flat_map(|endpoint| {
        endpoint.responses.iter().map(|(&status, &count)| ((endpoint.path.clone(), status), count))
    });
    assert_eq!(counted.collect::<BTreeMap<_, _>>(), expected);
    assert_eq!(truth.total, (CONNECTIONS * ROUNDS * 5) as u64);
    assert_eq!(truth.connections, CONNECTIONS as u64);
    assert!(truth.endpoints.iter().all(|endpoint| endpoint.in_flight == 0 && endpoint.aborted == 0));
    let half = (CONNECTIONS * ROUNDS / 2) as u64;
    let register = &truth.endpoint("POST", REGISTER).unwrap().responses;
    assert_eq!(*register, BTreeMap::from([(201, half), (409, half)]));
    assert_eq!(
        truth.endpoint("POST", PAY).unwrap().responses.keys().copied().collect::<Vec<_>>(),
        [201, 503]
    );
}

#[test]
fn truth_knows_what_is_in_flight_and_what_was_given_up() {
    let law = Law::Constant(Duration::from_mins(5));
    let (running, mut client) = start(at_once().latency("auth/login", law).unwrap());
    let until = |done: &dyn Fn(&demo::EndpointTruth) -> bool| {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let login = running.truth().endpoint("POST", LOGIN).unwrap().clone();
            if done(&login) {
                return login;
            }
            assert!(Instant::now() < deadline, "still {login:?}");
            thread::yield_now();
        }
    };
    client.send("POST", LOGIN, "{}");
    let login = until(&|login| login.requests == 1);
    assert_eq!((login.in_flight, login.aborted, login.responses.len()), (1, 0, 0));
    drop(client);
    let login = until(&|login| login.aborted == 1);
    assert_eq!((login.requests, login.in_flight, login.responses.len()), (1, 0, 0));
}

#[test]
fn truth_leaves_out_its_own_requests_and_can_be_reset() {
    let (running, mut client) = start(at_once());
    assert_eq!(client.get("/").0, 200);
    let (status, empty) = client.get("/truth");
    assert_eq!((status, &empty["total"], &empty["connections"]), (200, &json!(0), &json!(0)));
    client.get(HEALTH);
    client.ask("DELETE", HEALTH, "");
    let (_, truth) = client.get("/truth");
    assert_eq!(truth, serde_json::to_value(running.truth()).unwrap());
    assert_eq!((&truth["total"], &truth["connections"]), (&json!(2), &json!(1)));
    let unknown = truth["endpoints"].as_array().unwrap().last().unwrap();
    let expected = json!({
        "method": "*", "path": "(unknown)", "requests": 1, "responses": {"405": 1}, "aborted": 0, "in_flight": 0
    });
    assert_eq!(*unknown, expected);
    assert_eq!(client.post("/truth/reset", ""), (200, empty.clone()));
    assert_eq!(client.get("/truth").1, empty);
}

#[test]
fn bodies_are_limited() {
    let (running, mut client) = start(at_once());
    let body = |length: usize| format!("{{\"prompt\": \"{}\"}}", "x".repeat(length - 14));
    assert_eq!(client.post(CREATE, &body(64 * 1024)).0, 202);
    assert_eq!(client.post(CREATE, &body(64 * 1024 + 1)).0, 413);
    let create = running.truth().endpoint("POST", CREATE).unwrap().clone();
    assert_eq!(create.responses, BTreeMap::from([(202, 1), (413, 1)]));
}

#[test]
fn stopping_finishes_what_is_in_flight() {
    let law = Law::Constant(Duration::from_millis(100));
    let (running, mut client) = start(at_once().latency("auth/health", law).unwrap());
    client.send("GET", HEALTH, "");
    wait_until_seen(&running);
    let start = Instant::now();
    running.stop();
    assert_eq!(client.receive().0, 200);
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn stopping_does_not_wait_for_idle_connections_or_forever() {
    let check = |send: (&str, &str), seconds: std::ops::Range<u64>| {
        let law = Law::Constant(Duration::from_mins(5));
        let (running, mut client) = start(at_once().latency("auth/login", law).unwrap());
        client.get(HEALTH);
        running.reset();
        client.send(send.0, send.1, "{}");
        wait_until_seen(&running);
        let before = Instant::now();
        running.stop();
        assert!(seconds.contains(&before.elapsed().as_secs()), "{send:?}: {:?}", before.elapsed());
    };
    check(("GET", HEALTH), 0..1);
    check(("POST", LOGIN), 2..10);
}

/// Until the first request has arrived.
fn wait_until_seen(running: &Running) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while running.truth().total == 0 {
        assert!(Instant::now() < deadline, "the request never arrived");
        thread::yield_now();
    }
}

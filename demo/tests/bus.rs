//! The command bus through real HTTP.

mod client;

use client::Client;
use demo::{CommandsTruth, Config, Law, Running};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, Instant};

const JOBS: &str = "/api/v1/commands/jobs";

fn start(config: Config) -> (Running, Client) {
    let running = demo::spawn(config.latency("*", Law::Constant(Duration::ZERO)).unwrap()).unwrap();
    let client = Client::connect(running.addr);
    (running, client)
}

fn failing(name: &str, share: &str) -> Config {
    Config::default().fail(name, share.parse().unwrap()).unwrap()
}

/// Opens a job of `commands`, with what `more` says, and fills it.
fn fill(client: &mut Client, commands: u64, more: &Value) -> u64 {
    let mut job = json!({ "run": "a test", "commands": commands, "backoff_ms": 1 });
    job.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (status, answer) = client.post(JOBS, &job.to_string());
    assert_eq!((status, &answer["commands"]), (201, &json!(commands)), "{answer}");
    let id = answer["id"].as_u64().unwrap();
    let mut left = commands;
    while left > 0 {
        let batch = left.min(1000);
        let (status, answer) =
            client.post(&format!("{JOBS}/{id}/batches"), &json!({ "commands": batch }).to_string());
        assert_eq!((status, &answer["accepted"]), (202, &json!(batch)), "{answer}");
        left -= batch;
    }
    id
}

/// A job's progress once `done` is true of it.
fn progress(client: &mut Client, id: u64, done: impl Fn(&Value) -> bool) -> Value {
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        let (status, progress) = client.get(&format!("{JOBS}/{id}"));
        assert_eq!(status, 200, "{progress}");
        if done(&progress) {
            return progress;
        }
        assert!(Instant::now() < until, "{progress}");
        std::thread::yield_now();
    }
}

fn ended(progress: &Value) -> bool {
    progress["remaining"] == 0
}

#[test]
fn commands_end_as_their_mix_says() {
    let (running, mut client) = start(Config::default());
    assert_eq!(client.get("/api/v1/commands/health"), (200, json!({ "status": "ok" })));
    let (status, idle) = client.get("/api/admin/bus-status");
    assert_eq!((status, &idle["run"], &idle["throughput_per_s"]), (200, &Value::Null, &json!(0.0)), "{idle}");

    let mix = json!({ "mix": { "success": 70, "transient": 20, "permanent": 10 }, "delay_ms": 1 });
    let id = fill(&mut client, 200, &mix);
    let last = progress(&mut client, id, ended);
    for (key, expected) in [
        ("commands", 200),
        ("accepted", 200),
        ("pending", 0),
        ("running", 0),
        ("failed", 0),
        ("completed", 180),
        ("dead_letter", 20),
    ] {
        assert_eq!(last[key], expected, "{key} of {last}");
    }
    let truth = running.commands().unwrap();
    let workers = truth.workers;
    assert_eq!(
        truth,
        CommandsTruth {
            accepted: 200,
            completed: 180,
            dead_letter: 20,
            // One, two and three attempts; one and three of them failed.
            attempts: 140 + 2 * 40 + 3 * 20,
            failed_attempts: 40 + 3 * 20,
            workers,
            ..CommandsTruth::default()
        }
    );
    assert!(workers.iter().all(|attempts| *attempts > 0), "{workers:?}");
    assert_eq!(workers.iter().sum::<u64>(), truth.attempts);

    // The same is told of the job, and of the run that it belongs to.
    let (status, result) = client.get(&format!("{JOBS}/{id}/result"));
    assert_eq!(serde_json::from_value::<CommandsTruth>(result.clone()).unwrap(), truth);
    assert_eq!((status, &result["mix"]), (200, &json!({ "success": 140, "transient": 40, "permanent": 20 })));
    assert_eq!(client.get("/api/admin/bus-status"), (200, result.clone()));
    let ms = |figure: &str, of: &str| result[figure][of].as_f64().unwrap();
    assert!(ms("processing_ms", "p50") >= 1.0, "{result}");
    for figure in ["queue_ms", "processing_ms", "end_to_end_ms"] {
        assert!(ms(figure, "p50") <= ms(figure, "p95") && ms(figure, "p95") <= ms(figure, "p99"), "{result}");
        assert!(ms(figure, "p99") <= ms(figure, "max") && ms(figure, "max") > 0.0, "{result}");
    }
    let number = |key: &str| result[key].as_f64().unwrap();
    assert!(0.0 < number("generation_ms") && number("generation_ms") <= number("elapsed_ms"), "{result}");
    let rate = 200.0 / (number("elapsed_ms") / 1000.0);
    assert!((number("throughput_per_s") - rate).abs() < 0.01, "{result}");

    // What is in the dead-letter queue says why, and a command what became of it.
    let (_, letters) = client.get(&format!("{JOBS}/{id}/dead-letters?limit=3"));
    assert_eq!((&letters["total"], letters["items"].as_array().unwrap().len()), (&json!(20), 3));
    let dead = &letters["items"][0];
    assert_eq!((&dead["behaviour"], &dead["attempts"]), (&json!("permanent"), &json!(3)));
    assert_eq!(dead["error"], "what it asks for can never be done");
    let (status, found) = client.get(&format!("/api/v1/commands/{}", dead["id"]));
    assert_eq!((status, &found), (200, dead));
    assert_eq!(running.truth().endpoints.iter().filter(|e| e.path.contains("bus-status")).count(), 0);
}

#[test]
fn the_status_is_that_of_the_latest_run() {
    let (_running, mut client) = start(Config::default());
    for (run, commands, jobs, all) in [("one", 3, 1, 3), ("two", 4, 1, 4), ("two", 5, 2, 9)] {
        let id = fill(&mut client, commands, &json!({ "run": run }));
        progress(&mut client, id, ended);
        let (_, status) = client.get("/api/admin/bus-status");
        assert_eq!(
            (&status["run"], &status["jobs"], &status["completed"]),
            (&json!(run), &json!(jobs), &json!(all))
        );
    }
}

#[test]
fn a_failure_is_tried_again_after_its_backoff_and_not_more_often_than_allowed() {
    let (_running, mut client) = start(Config::default());
    let permanent = json!({ "success": 0, "transient": 0, "permanent": 100 });
    let id = fill(&mut client, 1, &json!({ "mix": permanent, "max_attempts": 4, "backoff_ms": 50 }));
    let waiting = progress(&mut client, id, |progress| progress["failed"] == 1);
    assert_eq!((&waiting["remaining"], &waiting["dead_letter"]), (&json!(1), &json!(0)));
    progress(&mut client, id, ended);
    let (_, result) = client.get(&format!("{JOBS}/{id}/result"));
    assert_eq!((&result["dead_letter"], &result["failed_attempts"]), (&json!(1), &json!(4)));
    // 50 ms, twice and four times that.
    assert!(result["end_to_end_ms"]["max"].as_f64() >= Some(350.0), "{result}");

    let transient = json!({ "success": 0, "transient": 100, "permanent": 0 });
    let id = fill(&mut client, 2, &json!({ "mix": transient, "max_attempts": 1 }));
    assert_eq!(progress(&mut client, id, ended)["dead_letter"], 2, "there is no second attempt");
}

#[test]
fn what_is_no_job_is_refused() {
    let (running, mut client) = start(Config::default());
    let good = json!({ "run": "r", "commands": 10 });
    for (key, value, remedy) in [
        ("run", json!(""), "send a name of 1 to 100 bytes"),
        ("commands", json!(0), "commands is 0; send a number from 1 to 100000"),
        ("commands", json!(100_001), "from 1 to 100000"),
        (
            "mix",
            json!({ "success": 90, "transient": 10, "permanent": 5 }),
            "mix is 90 + 10 + 5; send percentages",
        ),
        ("mix", json!({ "success": 110, "transient": -10, "permanent": 0 }), "mix.success is 110"),
        ("mix", json!({ "success": 100 }), "missing field `transient`"),
        ("delay_ms", json!(60_001), "delay_ms is 60001; send a number from 0 to 60000"),
        ("delay_ms", json!(10_000), "lease_ms is 10000, and an attempt takes 10000 ms; send a longer lease"),
        ("max_attempts", json!(0), "max_attempts is 0; send a number from 1 to 20"),
        ("backoff_ms", json!(-1), "backoff_ms is -1"),
        ("lease_ms", json!(99), "lease_ms is 99; send a number from 100 to 600000"),
        ("delay", json!(5), "unknown field `delay`"),
    ] {
        let mut body = good.clone();
        body[key] = value;
        let (status, answer) = client.post(JOBS, &body.to_string());
        assert!(status == 422 && answer["error"].as_str().unwrap().contains(remedy), "{body}: {answer}");
    }
    let (_, job) = client.post(JOBS, &good.to_string());
    let batches = format!("{JOBS}/{}/batches", job["id"]);
    for (commands, status, remedy) in [
        (0, 422, "commands is 0; send a number from 1 to 1000"),
        (1001, 422, "from 1 to 1000"),
        (11, 409, "job 1 has room for 10 more commands; 11 are too many"),
    ] {
        let (told, answer) = client.post(&batches, &json!({ "commands": commands }).to_string());
        assert!(told == status && answer["error"].as_str().unwrap().contains(remedy), "{commands}: {answer}");
    }
    for path in ["jobs/2", "jobs/x", "jobs/2/result", "1", "x"] {
        assert_eq!(client.get(&format!("/api/v1/commands/{path}")).0, 404, "{path}");
    }
    assert_eq!(client.post(&format!("{JOBS}/2/batches"), "{\"commands\":1}").0, 404);
    assert_eq!(running.commands().unwrap(), CommandsTruth::default());
}

#[test]
fn commands_of_workers_that_die_are_taken_again_after_their_lease() {
    let (running, mut client) = start(failing("commands/crash", "30%"));
    let id = fill(&mut client, 100, &json!({ "lease_ms": 100, "max_attempts": 20 }));
    progress(&mut client, id, ended);
    let truth = running.commands().unwrap();
    assert_eq!((truth.completed, truth.lost, truth.ended_twice), (100, 0, 0), "{truth:?}");
    assert!(truth.abandoned_attempts > 0, "{truth:?}");
    assert_eq!(truth.attempts, 100 + truth.abandoned_attempts, "{truth:?}");
    let (_, result) = client.get(&format!("{JOBS}/{id}/result"));
    assert!(result["end_to_end_ms"]["max"].as_f64() >= Some(100.0), "not before the lease is over: {result}");
}

#[test]
fn a_command_that_kills_every_worker_ends_in_the_dead_letter_queue() {
    let (running, mut client) = start(failing("commands/crash", "100%"));
    let id = fill(&mut client, 3, &json!({ "lease_ms": 100 }));
    assert_eq!(progress(&mut client, id, ended)["dead_letter"], 3);
    let truth = running.commands().unwrap();
    assert_eq!((truth.attempts, truth.abandoned_attempts), (9, 9), "{truth:?}");
    let (_, letters) = client.get(&format!("{JOBS}/{id}/dead-letters"));
    assert_eq!(letters["items"][0]["error"], "no attempt was brought to its end");
}

#[test]
fn what_a_worker_does_after_its_lease_does_not_count() {
    // The attempt takes longer than the lease, so another worker has the command before the first one is done.
    let slow = Law::Constant(Duration::from_secs(1));
    let (running, mut client) = start(Config::default().latency("commands/process", slow).unwrap());
    let id = fill(&mut client, 1, &json!({ "lease_ms": 100, "max_attempts": 2 }));
    assert_eq!(progress(&mut client, id, ended)["dead_letter"], 1);
    // Eight more take four workers two rounds. By then both have come to their end, and would have completed it.
    let others = fill(&mut client, 8, &json!({}));
    progress(&mut client, others, ended);
    let truth = running.commands().unwrap();
    assert_eq!((truth.completed, truth.dead_letter), (8, 1), "{truth:?}");
    assert_eq!((truth.abandoned_attempts, truth.ended_twice), (2, 0), "{truth:?}");
}

#[test]
fn lost_and_repeated_commands_are_counted() {
    let check = |fault: &str, expected: CommandsTruth| {
        let (running, mut client) = start(failing(fault, "100%"));
        let id = fill(&mut client, 20, &json!({}));
        progress(&mut client, id, ended);
        let truth = running.commands().unwrap();
        assert_eq!(
            CommandsTruth { workers: [0; 4], ..truth },
            CommandsTruth { accepted: 20, ..expected },
            "{fault}"
        );
    };
    let none = CommandsTruth::default();
    check("commands/lost", CommandsTruth { lost: 20, ..none });
    // Each attempt but the last one is forgotten.
    check("commands/repeat", CommandsTruth { completed: 20, ended_twice: 20, attempts: 60, ..none });
    check("commands/process", CommandsTruth { dead_letter: 20, attempts: 60, failed_attempts: 60, ..none });
}

#[test]
fn commands_outlive_the_server() {
    let path = Database(std::env::temp_dir().join(format!("demo-bus-{}.db", std::process::id())));
    let config = || Config::default().database(path.0.clone());
    let (running, mut client) = start(config());
    let id = fill(&mut client, 60, &json!({ "delay_ms": 50, "lease_ms": 2000 }));
    progress(&mut client, id, |progress| {
        progress["completed"].as_u64() >= Some(4) && progress["running"] == 4
    });
    running.stop();

    let (running, mut client) = start(config());
    let truth = running.commands().unwrap();
    assert!(truth.accepted == 60 && truth.completed < 60, "{truth:?}");
    assert_eq!(progress(&mut client, id, ended)["completed"], 60);
    let truth = running.commands().unwrap();
    assert_eq!((truth.lost, truth.ended_twice), (0, 0), "{truth:?}");
    // Those that a worker had were begun once more, after their lease.
    assert!((1..=4).contains(&truth.abandoned_attempts), "{truth:?}");
    assert_eq!(truth.attempts, 60 + truth.abandoned_attempts, "{truth:?}");
}

/// A database that is removed at the end.
struct Database(PathBuf);

impl Drop for Database {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", self.0.display()));
        }
    }
}

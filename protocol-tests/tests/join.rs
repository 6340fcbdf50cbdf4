//! Agents join over TLS with one string; those that should not, do not.

use proto::join::JoinString;
use proto::message::RejectCode;
use protocol_tests::fleet::{Coordinator, report, reported, truth};
use protocol_tests::joining::{Answer, Joiner, with_secret};
use protocol_tests::plan_file::platform;
use protocol_tests::process::{Process, TestDir};
use std::path::Path;
use std::time::{Duration, Instant};

const LOAD: &str = "{ users: 4, spawn_rate: 10/s, duration: 2s, stop_timeout: 1s }";

/// Starts a coordinator that takes TLS and waits for more agents than come.
fn waiting(dir: &TestDir, args: &[&str]) -> (Coordinator, JoinString) {
    dir.write("loadtest.yaml", &platform("http://127.0.0.1:1", LOAD, "100ms", "p95 <= 30s"));
    let mut all = vec!["--tls"];
    all.extend(args);
    let coordinator = Coordinator::start(dir.path(), 9, &all);
    let join = JoinString::parse(coordinator.join.as_ref().expect("it prints one")).expect("a join string");
    (coordinator, join)
}

fn rejected(answer: &Answer, code: RejectCode, text: &str) {
    match answer {
        Answer::Reject(got, message) => {
            assert_eq!(*got, code, "{message}");
            assert!(message.contains(text), "`{text}` is not in: {message}");
        }
        other => panic!("{other:?}, not a refusal because of `{text}`"),
    }
}

/// Everything in files below `dir` as one text.
fn files(dir: &Path) -> String {
    let entries = std::fs::read_dir(dir).expect("a directory").flatten();
    let texts = entries.map(|entry| match entry.path() {
        path if path.is_dir() => files(&path),
        path => {
            format!("{}\n{}", path.display(), String::from_utf8_lossy(&std::fs::read(&path).expect("a file")))
        }
    });
    texts.collect()
}

#[test]
fn agents_join_over_tls_the_run_passes_and_the_secret_stays_where_it_belongs() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = TestDir::new("join");
    dir.write("loadtest.yaml", &platform(&target.url(), LOAD, "100ms..200ms", "p95 <= 30s"));
    let coordinator = Coordinator::start(dir.path(), 3, &["--listen", "0.0.0.0:0"]);
    let join = coordinator.join.clone().expect("off loopback there is always a join string");
    let elsewhere = TestDir::new("join-agents");
    elsewhere.write("join", &format!("{join}\n"));
    let env =
        [("LOAD_TEST_JOIN", Some(join.as_str())), ("LOAD_TEST_COORDINATOR", Some(&coordinator.address))];
    let agents = [
        coordinator.agent(elsewhere.path(), "a"),
        coordinator.agent_with(elsewhere.path(), "b", &["--join-file", "join"]),
        Process::start_in("agent", elsewhere.path(), ["--name", "c", "--threads", "1"], &env),
    ];
    let ended = coordinator.wait();
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.err, ended.out);
    assert_eq!(reported(&report(&dir)), truth(&target));

    let secret = join.rsplit_once('.').expect("two dots").1;
    let shown: Vec<&str> = ended.err.lines().filter(|line| line.contains(secret)).collect();
    assert!(shown.len() == 1 && shown[0].contains("agent --coordinator "), "{shown:?}");
    let mut elsewhere_shown = vec![("standard output", ended.out), ("files", files(dir.path()))];
    for agent in agents {
        agent.signal("TERM");
        let ended = agent.wait();
        elsewhere_shown.extend([("an agent's output", ended.out), ("an agent's messages", ended.err)]);
    }
    for (what, text) in elsewhere_shown {
        assert!(!text.contains(secret), "the secret is in {what}: {text}");
    }
}

#[test]
fn an_agent_without_a_secret_or_with_a_wrong_one_is_refused_with_the_remedy() {
    let dir = TestDir::new("join-wrong");
    let (mut coordinator, join) = waiting(&dir, &[]);
    let mut refused = |flags: &[&str], code: i32, at_agent: &str, at_coordinator: Option<&str>| {
        let ended = coordinator.agent_with(dir.path(), "bad", flags).wait();
        assert_eq!(ended.code, Some(code), "{flags:?}: {}", ended.err);
        assert!(ended.err.contains("error: ") && ended.err.contains(at_agent), "{flags:?}: {}", ended.err);
        if let Some(text) = at_coordinator {
            coordinator.line_with(text);
        }
    };
    refused(&[], 4, "takes TLS only; start this agent with the --join string", Some("speaks plain text"));
    let wrong = with_secret(&join.reveal(), 9);
    let text = "the join secret of agent bad is not one of this coordinator's";
    refused(&["--join", &wrong], 4, text, Some(text));
    let cut = &join.reveal()[..70];
    refused(&["--join", cut], 2, "--join: the join string is cut short: 70 of 79 characters", None);
    let other = TestDir::new("join-other");
    let (other, _) = waiting(&other, &[]);
    let others = other.join.clone().expect("printed");
    refused(
        &["--join", &others],
        4,
        "has another key than the join string says",
        Some("it does not trust this coordinator's key"),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_and_one_that_is_used_up_are_told_apart() {
    let dir = TestDir::new("join-uses");
    let (mut coordinator, join) = waiting(&dir, &["--join-uses", "2"]);
    let joiner = || Joiner::new(&coordinator.address, join.pin);
    let nobody = joiner();
    let (_, answer) = nobody.attach("nobody", None).await;
    rejected(&answer, RejectCode::Secret, "agent nobody shows no join secret");
    let (first, second, third) = (joiner(), joiner(), joiner());
    let (stream, answer) = first.attach("first", Some(&join.secret)).await;
    assert_eq!(answer, Answer::Welcome);
    drop(stream);
    // The same key again: no use is spent, and the secret is not needed.
    let (_first, answer) = first.attach("first", None).await;
    assert_eq!(answer, Answer::Welcome);
    let (_second, answer) = second.attach("second", Some(&join.secret)).await;
    assert_eq!(answer, Answer::Welcome);
    let (_, answer) = third.attach("third", Some(&join.secret)).await;
    rejected(&answer, RejectCode::Secret, "the join string of agent third let in 2 agents");
    let line = coordinator.line_with("let in 2 agents, as many as it may");
    assert!(line.contains("turned an agent from 127.0.0.1:") && line.contains("coordinator join"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_secret_lets_in_nobody_new_and_those_it_let_in_come_back() {
    let dir = TestDir::new("join-expired");
    let (coordinator, join) = waiting(&dir, &["--join-ttl", "8s", "--join-uses", "9999"]);
    let first = Joiner::new(&coordinator.address, join.pin);
    let (stream, answer) = first.attach("first", Some(&join.secret)).await;
    assert_eq!(answer, Answer::Welcome);
    drop(stream);
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let late = Joiner::new(&coordinator.address, join.pin);
        match late.attach("late", Some(&join.secret)).await.1 {
            // Not yet; its name is held for a moment, too.
            Answer::Welcome | Answer::Reject(RejectCode::Wait, _) if Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            answer => break rejected(&answer, RejectCode::Secret, "the join string of agent late expired"),
        }
    }
    let (_, answer) = first.attach("first", Some(&join.secret)).await;
    assert_eq!(answer, Answer::Welcome);
    // To a new coordinator with the same state directory, too.
    drop(coordinator);
    let (again, fresh) = waiting(&dir, &[]);
    assert_eq!(fresh.pin, join.pin, "the key is kept");
    let (_, answer) =
        Joiner { address: again.address.clone(), ..first }.attach("first", Some(&join.secret)).await;
    assert_eq!(answer, Answer::Welcome);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_speaks_for_another_agent() {
    let dir = TestDir::new("join-identity");
    let (mut coordinator, join) = waiting(&dir, &[]);
    let (real, thief) =
        (Joiner::new(&coordinator.address, join.pin), Joiner::new(&coordinator.address, join.pin));
    let (stream, answer) = real.attach("a", Some(&join.secret)).await;
    assert_eq!(answer, Answer::Welcome);
    let (_, answer) = thief.attach("a", Some(&join.secret)).await;
    rejected(&answer, RejectCode::Identity, "another agent's identity");
    coordinator.line_with("agent a is attached with another key");
    drop(stream);
    coordinator.line_with("agent a is gone");
    let (_, answer) = thief.attach("a", Some(&join.secret)).await;
    rejected(&answer, RejectCode::Wait, "whose lease may not be over");
    let (_, answer) = real.attach("a", Some(&join.secret)).await;
    assert_eq!(answer, Answer::Welcome, "its own name is its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_ends_after_ten_tries_and_is_told_once() {
    let dir = TestDir::new("join-guess");
    let (coordinator, join) = waiting(&dir, &[]);
    let good = Joiner::new(&coordinator.address, join.pin);
    let (stream, answer) = good.attach("good", Some(&join.secret)).await;
    assert_eq!(answer, Answer::Welcome);
    drop(stream);
    let guesser = Joiner::new(&coordinator.address, join.pin);
    for guess in 1..=10 {
        let secret = proto::Secret::from_bytes([guess; proto::Secret::BYTES]);
        let (_, answer) = guesser.attach("guesser", Some(&secret)).await;
        rejected(&answer, RejectCode::Secret, "is not one of this coordinator's");
    }
    for _ in 0..5 {
        let (_, answer) = guesser.attach("guesser", Some(&join.secret)).await;
        rejected(&answer, RejectCode::Wait, "10 tries to join from 127.0.0.1 failed within a minute");
    }
    let (_, answer) = good.attach("good", None).await;
    assert_eq!(answer, Answer::Welcome, "who is in already is not kept out");
    coordinator.signal("INT");
    let ended = coordinator.wait();
    let told = ended.err.lines().filter(|line| line.contains("10 tries to join from 127.0.0.1")).count();
    assert_eq!(told, 1, "{}", ended.err);
}

#[test]
fn a_string_made_in_advance_serves_both_ends_and_is_never_shown() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = TestDir::new("join-advance");
    dir.write("loadtest.yaml", &platform(&target.url(), LOAD, "100ms..200ms", "p95 <= 30s"));
    let made =
        Process::start("coordinator", dir.path(), ["join", "--state-dir", "state", "--uses", "1"]).wait();
    assert_eq!(made.code, Some(0), "{}", made.err);
    assert!(made.err.contains("lets in 1 agent until "), "{}", made.err);
    let join = made.out.trim();
    assert!(JoinString::parse(join).is_ok(), "{join}");
    let env = [("LOAD_TEST_JOIN", Some(join))];
    let coordinator = Coordinator::start_in(dir.path(), 1, &["--listen", "0.0.0.0:0"], &env);
    assert_eq!(coordinator.join, None, "it is not printed again");
    let agent = coordinator.agent_with(dir.path(), "a", &["--join", join]);
    let ended = coordinator.wait();
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.err, ended.out);
    let secret = join.rsplit_once('.').expect("two dots").1;
    assert!(!ended.err.contains(secret) && !ended.out.contains(secret), "{}", ended.err);
    assert!(!files(dir.path()).contains(secret), "it is kept hashed");
    drop(agent);

    let args = ["--expect-agents", "1", "--state-dir", "other", "--listen", "127.0.0.1:0"];
    let other = Process::start_in("coordinator", dir.path(), args, &env).wait();
    assert_eq!(other.code, Some(2), "{}", other.err);
    assert!(
        other.err.contains("LOAD_TEST_JOIN: the join string is for a coordinator with another key"),
        "{}",
        other.err
    );
    assert!(!other.err.contains(secret));
}

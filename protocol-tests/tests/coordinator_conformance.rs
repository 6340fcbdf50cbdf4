//! The real coordinator against scripted agents, and against what is no agent at all.

use proto::message::{FromAgent, PlanDigests, RejectCode, ToAgent};
use proto::version::Versions;
use protocol_tests::fleet::{Coordinator, report};
use protocol_tests::peer::{ScriptedAgent, empty_window, hello};
use protocol_tests::plan_file::platform;
use protocol_tests::process::TestDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn coordinator(dir: &TestDir, agents: u32, args: &[&str]) -> Coordinator {
    let load = "{ users: 4, spawn_rate: 4/s, duration: 2s, stop_timeout: 1s }";
    let plan = dir.write("plan.yaml", &platform("http://127.0.0.1:1", load, "100ms", "p95 <= 30s"));
    let mut all = vec![plan.to_str().expect("an ASCII path")];
    all.extend(args);
    Coordinator::start(dir.path(), agents, &all)
}

async fn rejection(agent: &mut ScriptedAgent) -> (RejectCode, String) {
    agent
        .hear_until(|m| match m {
            ToAgent::Reject { code, message } => Some((*code, message.clone())),
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_of_another_protocol_version_is_refused_with_the_remedy() {
    let dir = TestDir::new("version");
    let coordinator = coordinator(&dir, 1, &["--agents-timeout", "8s"]);
    let mut agent = ScriptedAgent::dial(&coordinator.address).await;
    let hello = proto::message::Hello {
        protocol: Versions { min: 7, max: 9 },
        build: "9.9.9".to_owned(),
        ..hello("new")
    };
    agent.say(FromAgent::Hello(hello));
    let (code, message) = rejection(&mut agent).await;
    assert_eq!(code, RejectCode::Version);
    assert!(message.contains("agent new (build 9.9.9) speaks protocol version 7 to 9"), "{message}");
    assert!(message.contains("install the same version of Muster on both"), "{message}");
    assert_eq!(agent.hear().await, None, "the stream ends");
    let ended = coordinator.wait();
    assert_eq!(ended.code, Some(4));
    assert!(ended.err.contains("0 of 1 agents attached within 8 s"), "{}", ended.err);
    assert!(ended.err.contains("speaks protocol version 7 to 9"), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_reads_the_plan_differently_is_refused_with_the_remedy() {
    let dir = TestDir::new("meaning");
    let coordinator = coordinator(&dir, 1, &["--agents-timeout", "8s"]);
    let mut agent = ScriptedAgent::attach(&coordinator.address, "old").await;
    let (run, bundle_sha256) = agent
        .hear_until(|m| match m {
            ToAgent::Prepare { run, bundle_sha256, .. } => Some((run.clone(), bundle_sha256.clone())),
            _ => None,
        })
        .await;
    let digests = PlanDigests { bundle_sha256, meaning_sha256: "0".repeat(64) };
    agent.say(FromAgent::PlanState { run, state: Ok(digests) });
    let (code, message) = rejection(&mut agent).await;
    assert_eq!(code, RejectCode::Plan);
    assert!(message.contains("agent old") && message.contains("reads the plan differently"), "{message}");
    let ended = coordinator.wait();
    assert_eq!(ended.code, Some(4));
    assert!(ended.err.contains("reads the plan differently"), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_the_port_is_named_and_changes_nothing() {
    let dir = TestDir::new("garbage");
    let mut coordinator = coordinator(&dir, 1, &[]);
    for (bytes, expected) in [
        (&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], "begins with \"GET / HTTP/1.1"),
        (&b"\x17\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], "begins with \"\\x17\\x03\\x01"),
        (&b""[..], "closed the connection without a word"),
    ] {
        let mut stream = tokio::net::TcpStream::connect(&coordinator.address).await.expect("it listens");
        stream.write_all(bytes).await.expect("written");
        stream.shutdown().await.expect("ended");
        let line = coordinator.line_with(expected);
        assert!(line.contains("this port is for agents: agent --coordinator"), "{line}");
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    }
    // HTTP/2 that is not ours, right after the preface.
    let mut stream = tokio::net::TcpStream::connect(&coordinator.address).await.expect("it listens");
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
        .await
        .expect("written");
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    let mut agent = ScriptedAgent::attach(&coordinator.address, "good").await;
    let (run, users) = agent.start_run().await;
    assert_eq!(users, 4);
    agent.say(FromAgent::Window(Box::new(empty_window(&run, 1, true))));
    agent.hear_until(|m| matches!(m, ToAgent::WindowAck { seq: 1, .. }).then_some(())).await;
    let ended = coordinator.wait();
    assert_eq!(ended.code, Some(98), "nothing was measured: {}", ended.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_window_counts_once_and_a_peer_that_lies_is_dropped() {
    let dir = TestDir::new("liar");
    let coordinator = coordinator(&dir, 2, &[]);
    let mut honest = ScriptedAgent::attach(&coordinator.address, "honest").await;
    let mut liar = ScriptedAgent::attach(&coordinator.address, "liar").await;
    let ((run, users), (_, others)) = tokio::join!(honest.start_run(), liar.start_run());
    assert_eq!((users, others), (2, 2));

    let mut lie = empty_window(&run, 1, false);
    lie.started = 5;
    liar.say(FromAgent::Window(Box::new(lie)));
    let (code, message) = rejection(&mut liar).await;
    assert_eq!(code, RejectCode::Protocol);
    assert!(message.contains("add up to"), "{message}");

    for _ in 0..2 {
        honest.say(FromAgent::Window(Box::new(empty_window(&run, 1, false))));
        let seq = honest.hear_until(|m| match m {
            ToAgent::WindowAck { seq, .. } => Some(*seq),
            _ => None,
        });
        assert_eq!(seq.await, 1);
    }
    honest.say(FromAgent::Window(Box::new(empty_window(&run, 2, true))));
    let ended = coordinator.wait();
    assert!(ended.err.contains("agent liar with 2 users was lost"), "{}", ended.err);
    let report = report(&dir);
    let honest = &report["accounting"]["per_agent"][0];
    assert_eq!((honest["name"].as_str(), honest["windows"].as_u64()), (Some("honest"), Some(2)));
    assert_eq!(ended.code, Some(98), "{}", ended.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_twin_and_one_too_many_are_turned_away() {
    let dir = TestDir::new("twin");
    let coordinator = coordinator(&dir, 2, &["--agents-timeout", "8s"]);
    let _first = ScriptedAgent::attach(&coordinator.address, "a").await;
    let mut twin = ScriptedAgent::attach(&coordinator.address, "a").await;
    let (code, message) = rejection(&mut twin).await;
    assert_eq!(code, RejectCode::Name);
    assert!(message.contains("start this one with another --name"), "{message}");
    assert_eq!(coordinator.wait().code, Some(4));
}

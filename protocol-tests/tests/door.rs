//! The port for agents: what it refuses before anybody says Hello, and what it refuses to be.

use proto::join::JoinString;
use proto::message::FromAgent;
use protocol_tests::fleet::{Coordinator, report};
use protocol_tests::joining::{Authority, Joiner};
use protocol_tests::peer::{ScriptedAgent, empty_window};
use protocol_tests::plan_file::platform;
use protocol_tests::process::{Process, TestDir};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const LOAD: &str = "{ users: 4, spawn_rate: 10/s, duration: 2s, stop_timeout: 1s }";

fn directory(test: &str, target: &str) -> TestDir {
    let dir = TestDir::new(test);
    dir.write("loadtest.yaml", &platform(target, LOAD, "100ms..200ms", "p95 <= 30s"));
    dir
}

#[test]
fn a_port_for_the_network_without_tls_does_not_open() {
    let dir = directory("door-refuses", "http://127.0.0.1:1");
    let refused = |args: &[&str], expected: &[&str]| {
        let all = ["--expect-agents", "1", "--no-ui", "--agents-timeout", "100ms"];
        let bare = [("HOME", None), ("XDG_STATE_HOME", None)];
        let ended = Process::start_in("coordinator", dir.path(), all.iter().chain(args), &bare).wait();
        assert_eq!(ended.code, Some(2), "{args:?}: {}", ended.err);
        for text in expected {
            assert!(ended.err.contains(text), "{args:?}: `{text}` is not in: {}", ended.err);
        }
    };
    let listen = ["--listen", "0.0.0.0:0"];
    refused(&listen, &["does not start", "HOME and XDG_STATE_HOME are not set", "--state-dir", "--insecure"]);
    refused(&[&listen[..], &["--state-dir", "/dev/null/x"]].concat(), &["does not start", "/dev/null/x"]);
    refused(&[&listen[..], &["--tls-cert", "nowhere.crt"]].concat(), &["--tls-cert", "give --tls-key"]);
    let pair = ["--tls-cert", "nowhere.crt", "--tls-key", "nowhere.key"];
    refused(&[&listen[..], &pair].concat(), &["does not start", "--tls-cert: nowhere.crt"]);
    refused(&[&listen[..], &["--insecure", "--tls"]].concat(), &["--insecure: contradicts --tls"]);
    let agent = Process::start("agent", dir.path(), ["--coordinator", "192.0.2.1"]).wait();
    assert_eq!(agent.code, Some(2), "{}", agent.err);
    assert!(agent.err.contains("give the --join string that the coordinator printed"), "{}", agent.err);
}

#[test]
fn insecure_works_and_is_loud_at_both_ends() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = directory("door-insecure", &target.url());
    let mut coordinator = Coordinator::start(dir.path(), 1, &["--listen", "0.0.0.0:0", "--insecure"]);
    coordinator
        .line_with("WARNING: --insecure: 0.0.0.0:0 takes agents without encryption and authentication");
    let mut agent = coordinator.agent_with(dir.path(), "a", &["--insecure"]);
    agent.line_with("WARNING: --insecure: the connection to 127.0.0.1:");
    let ended = coordinator.wait();
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.err, ended.out);
    assert_eq!(report(&dir)["verdict"], "pass");
}

#[test]
fn tls_and_plain_text_that_meet_are_told_as_such() {
    let dir = directory("door-mixed", "http://127.0.0.1:1");
    let mut plain = Coordinator::start(dir.path(), 1, &[]);
    let tls = Coordinator::start(dir.path(), 1, &["--tls"]);
    let join = tls.join.clone().expect("printed");
    let mut agent = plain.agent_with(dir.path(), "a", &["--join", &join]);
    agent
        .line_with("a coordinator that listens on loopback takes no --join unless it was started with --tls");
    plain.line_with("speaks TLS, and this port takes plain text; start the coordinator with --tls");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_few_quick_and_brief() {
    let dir = directory("door-strangers", "http://127.0.0.1:1");
    let mut coordinator = Coordinator::start(dir.path(), 9, &["--tls"]);
    let join = JoinString::parse(coordinator.join.as_ref().expect("printed")).expect("a join string");
    let joiner = Joiner::new(&coordinator.address, join.pin);

    // Too much before the Hello.
    let mut flood =
        ScriptedAgent::over(joiner.channel().await.expect("a connection")).await.expect("a stream");
    let mut window = empty_window(&proto::message::RunId("r".to_owned()), 1, false);
    window.health.lag = vec![0; 1 << 20].into();
    flood.say(FromAgent::Window(Box::new(window)));
    assert_eq!(flood.hear().await, None);

    // Too slow: what begins TLS and does not go on.
    let mut slow = TcpStream::connect(&coordinator.address).await.expect("it listens");
    slow.write_all(&[22, 3, 1]).await.expect("written");
    coordinator.line_with("did not say what it is within 5 s");
    let _ = slow.read_to_end(&mut Vec::new()).await;
    // Too many.
    let mut many = Vec::new();
    for _ in 0..100 {
        many.push(TcpStream::connect(&coordinator.address).await.expect("it listens"));
    }
    coordinator.line_with("127.0.0.1 has 64 connections that have not joined; one more is closed");
    drop(many);
    // An honest agent gets in all the same; it may have to ask again.
    let _agent = coordinator.agent(dir.path(), "honest");
    coordinator.line_with("agent honest attached");
}

#[test]
fn an_operators_certificates_let_in_those_that_they_speak_for() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = directory("door-pki", &target.url());
    let (ours, theirs) = (Authority::new(&dir, "ours"), Authority::new(&dir, "theirs"));
    let [certificate, key] = ours.sign(&dir, "localhost");
    let pki = ["--tls-ca", &ours.file, "--tls-cert", &certificate, "--tls-key", &key];
    let mut coordinator = Coordinator::start(dir.path(), 1, &pki);
    let line = coordinator.line_with("agent --coordinator ");
    assert!(
        line.contains("--tls-ca CA --tls-cert CERTIFICATE --tls-key KEY") && !line.contains("muster1"),
        "{line}"
    );
    coordinator.address = coordinator.address.replace("127.0.0.1", "localhost");

    let refused = |coordinator: &Coordinator, flags: &[&str], expected: &str| {
        let ended = coordinator.agent_with(dir.path(), "bad", flags).wait();
        assert_eq!(ended.code, Some(4), "{flags:?}: {}", ended.err);
        assert!(ended.err.contains(expected), "{flags:?}: {}", ended.err);
    };
    let [stranger, stranger_key] = theirs.sign(&dir, "agent");
    let wrong = ["--tls-ca", &ours.file, "--tls-cert", &stranger, "--tls-key", &stranger_key];
    refused(&coordinator, &wrong, "does not accept this agent's certificate");
    coordinator.line_with("an authority of --tls-ca must have signed it");
    refused(&coordinator, &["--tls-ca", &ours.file], "does not accept this agent's certificate");
    let [good, good_key] = ours.sign(&dir, "agent");
    let distrustful = ["--tls-ca", &theirs.file, "--tls-cert", &good, "--tls-key", &good_key];
    refused(&coordinator, &distrustful, "--tls-ca must hold the authority that signed it");
    coordinator.line_with("it does not trust this coordinator's certificate");
    refused(&coordinator, &[], "takes TLS only");

    let right = ["--tls-ca", &ours.file, "--tls-cert", &good, "--tls-key", &good_key];
    let agent = coordinator.agent_with(dir.path(), "good", &right);
    let ended = coordinator.wait();
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.err, ended.out);
    drop(agent);
}

#[test]
fn an_operators_certificate_without_an_authority_goes_with_a_join_string() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = directory("door-cert", &target.url());
    let [certificate, key] = Authority::new(&dir, "ours").sign(&dir, "coordinator.test");
    let args = ["--listen", "0.0.0.0:0", "--tls-cert", &certificate, "--tls-key", &key];
    let coordinator = Coordinator::start(dir.path(), 1, &args);
    assert!(!dir.path().join("state/coordinator.key").exists(), "no key of its own is made");
    let agent = coordinator.agent(dir.path(), "a");
    let ended = coordinator.wait();
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.err, ended.out);
    drop(agent);
}

//! Coordinators that break the protocol, against the real agent: it says what was wrong, ends that stream, and asks again. It
//! stays small, and what it measured is kept.

use plan::slot::{Seat, Slot};
use proto::limits::MAX_COORDINATOR_MESSAGE;
use proto::message::{FromAgent, RunId, ToAgent};
use protocol_tests::adversary::{bytes, number};
use protocol_tests::plan_file::platform;
use protocol_tests::process::{Process, TestDir};
use protocol_tests::rogue::{Rogue, RogueStream};
use std::time::Duration;

/// The most memory that an agent may have had, in bytes: its own, and the largest message twice.
const MOST_MEMORY: u64 = 150 << 20;

/// How far the agent is when it is told.
#[derive(Clone, Copy, PartialEq)]
enum When {
    /// It has said Hello.
    Greeting,
    /// It is attached.
    Attached,
    /// It has a plan.
    Ready,
    /// Its users run.
    Running,
}
use When::{Attached, Greeting, Ready, Running};

type Says = fn() -> Vec<Vec<u8>>;

fn run() -> RunId {
    RunId("r-1".to_owned())
}

fn well(message: ToAgent) -> Vec<Vec<u8>> {
    vec![proto::raw::coordinator_bytes(message)]
}

fn seats(slots: impl Iterator<Item = u32>) -> Vec<Vec<u8>> {
    let seats = slots.map(|slot| Seat::fresh(Slot(slot))).collect();
    well(ToAgent::Assign { run: run(), revision: 2, seats })
}

/// An order of a kind (the number of its field) with these fields.
fn order(kind: u32, fields: &[Vec<u8>]) -> Vec<Vec<u8>> {
    vec![bytes(kind, &fields.concat())]
}

/// What is said, when, and what of it stands in the agent's word about it.
const ATTACKS: &[(&str, When, Says, &str)] = &[
    ("unset", Attached, || vec![Vec::new()], "kind: is missing"),
    ("unknown-kind", Attached, || vec![bytes(99, b"x")], "kind: is missing"),
    ("garbage", Attached, || vec![b"\xff\xff\xff".to_vec()], "failed to decode"),
    ("giant", Attached, || vec![vec![0; MAX_COORDINATOR_MESSAGE + 1]], "too large"),
    (
        "unasked",
        Greeting,
        || well(ToAgent::Start { run: run(), after: Duration::ZERO, t0: Duration::ZERO }),
        "no answer to Hello",
    ),
    ("no-renewals", Greeting, || order(1, &[number(1, 1), number(3, 1), number(4, 0)]), "welcome.renew_ms"),
    (
        "renewals-a-day",
        Greeting,
        || order(1, &[number(1, 1), number(3, 1), number(4, 86_400_000)]),
        "welcome.renew_ms",
    ),
    ("unknown-code", Attached, || order(2, &[number(1, 77)]), "reject.code"),
    (
        "long-lease",
        Attached,
        || well(ToAgent::Lease { n: 1, ttl: Duration::from_millis(60_001), clock: Duration::ZERO }),
        "lease.ttl_ms",
    ),
    (
        "far-clock",
        Attached,
        || order(8, &[number(1, 1), number(2, 4000), number(3, u64::MAX)]),
        "lease.clock_us",
    ),
    ("long-run-id", Attached, || order(3, &[bytes(1, &[b'r'; 65])]), "prepare.run_id"),
    ("control-in-run-id", Attached, || order(3, &[bytes(1, b"r\x1b[2J")]), "prepare.run_id"),
    ("short-digest", Attached, || order(3, &[bytes(1, b"r"), bytes(3, b"abc")]), "prepare.bundle_sha256"),
    ("endless-bundle", Attached, || vec![bytes(9, &bytes(1, &vec![0; 4 << 20])); 200], "bundle_part.content"),
    ("slot-beyond", Ready, || seats([1_000_000].into_iter()), "below 1000000"),
    (
        "slots-falling",
        Ready,
        || order(4, &[bytes(1, b"r-1"), number(2, 2), bytes(3, &[5, 0])]),
        "assign.slot_deltas",
    ),
    (
        "more-users-than-it-takes",
        Ready,
        || seats(0..11),
        "it assigned 11 users, this agent accepts 10 (--max-users)",
    ),
    (
        "far-start",
        Ready,
        || well(ToAgent::Start { run: run(), after: Duration::from_secs(601), t0: Duration::ZERO }),
        "start.in_us",
    ),
    (
        "long-stop",
        Running,
        || well(ToAgent::Stop { run: run(), timeout: Duration::from_secs(86_401) }),
        "stop.timeout_ms",
    ),
    ("unknown-chore", Ready, || order(11, &[bytes(1, b"r-1"), number(2, 9)]), "run_chore.chore"),
    (
        "setup-that-is-no-json",
        Ready,
        || order(10, &[bytes(1, b"r-1"), bytes(2, b"{")]),
        "setup_values.values",
    ),
];

/// What makes no sense to an agent and does it no harm.
const NOISE: &[(&str, Says)] = &[
    ("another-run", || {
        let run = RunId("other".to_owned());
        [
            well(ToAgent::Assign { run: run.clone(), revision: 9, seats: Vec::new() }),
            well(ToAgent::Stop { run: run.clone(), timeout: Duration::ZERO }),
            well(ToAgent::WindowAck { run, seq: u64::MAX }),
        ]
        .concat()
    }),
    ("stale-assignment", || well(ToAgent::Assign { run: run(), revision: 0, seats: Vec::new() })),
    ("acknowledges-what-was-not-sent", || well(ToAgent::WindowAck { run: run(), seq: u64::MAX })),
    ("leases-that-nobody-asked-for", || {
        let lease = |n| ToAgent::Lease { n, ttl: Duration::from_secs(4), clock: Duration::ZERO };
        (1_000_000..1_050_000).flat_map(|n| well(lease(n))).collect()
    }),
    ("starts-again", || well(ToAgent::Start { run: run(), after: Duration::ZERO, t0: Duration::ZERO })),
];

fn agent(dir: &TestDir, rogue: &Rogue, name: &str) -> Process {
    let args = [
        "--coordinator",
        &rogue.address,
        "--name",
        name,
        "--threads",
        "1",
        "--max-users",
        "10",
        "--no-spool",
    ];
    Process::start("agent", dir.path(), args)
}

/// Brings the agent there.
async fn bring(stream: &mut RogueStream, when: When, target: &str) {
    if when == Greeting {
        return;
    }
    stream.welcome();
    if when == Attached {
        return;
    }
    let load = "{ users: 2, spawn_rate: 10/s, duration: 1h, stop_timeout: 2s }";
    let source = platform(target, load, "50ms", "success_rate >= 99%");
    let bundle = plan::Bundle { file: "plan.yaml".to_owned(), source, settings: plan::Settings::default() };
    stream.prepare(&run(), &bundle).await;
    if when == Ready {
        return;
    }
    let seats = [0, 1].map(|slot| Seat::fresh(Slot(slot))).to_vec();
    stream.say_well(ToAgent::Assign { run: run(), revision: 1, seats });
    stream.say_well(ToAgent::Start { run: run(), after: Duration::ZERO, t0: Duration::ZERO });
    window(stream).await;
}

/// The number of the agent's next window.
async fn window(stream: &mut RogueStream) -> u64 {
    let number = |m: &FromAgent| match m {
        FromAgent::Window(window) => Some(window.seq),
        _ => None,
    };
    stream.hear_until(number).await.expect("a window")
}

fn check_memory(agent: &Process, name: &str) {
    let most = agent.peak_memory().unwrap_or_default();
    assert!(most < MOST_MEMORY, "{name}: the agent had {} MiB", most >> 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_says_what_was_wrong_and_asks_again() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = TestDir::new("rogue");
    for (name, when, says, reason) in ATTACKS {
        let mut rogue = Rogue::listen().await;
        let mut process = agent(&dir, &rogue, name);
        let (mut stream, _) = rogue.agent().await;
        bring(&mut stream, *when, &target.url()).await;
        for message in says() {
            stream.say(message);
        }
        let told = process.line_with(reason);
        assert!(!told.contains(char::is_control), "{name}: {told:?}");
        // What it measured waits for the next stream, and whatever it was told before holds.
        let (again, hello) = rogue.agent().await;
        assert_eq!(hello.resume.is_some(), *when == Running, "{name}: {hello:?}");
        check_memory(&process, name);
        again.welcome();
        process.signal("TERM");
        assert_eq!(process.wait().code, Some(0), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_changes_nothing() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = TestDir::new("rogue-noise");
    for (name, says) in NOISE {
        let mut rogue = Rogue::listen().await;
        let process = agent(&dir, &rogue, name);
        let (mut stream, _) = rogue.agent().await;
        bring(&mut stream, Running, &target.url()).await;
        for message in says() {
            stream.say(message);
        }
        let next = window(&mut stream).await;
        assert_eq!(window(&mut stream).await, next + 1, "{name}: it goes on");
        let users = |m: &FromAgent| match m {
            FromAgent::Renew { users, .. } => Some(*users),
            _ => None,
        };
        assert_eq!(stream.hear_until(users).await, Some(2), "{name}");
        check_memory(&process, name);
    }
}

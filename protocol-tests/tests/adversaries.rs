//! The real coordinator and everything that a peer can do wrong: that peer is dropped with a reason, an honest agent of the
//! same run goes on with exact books, and memory stays bounded.

use metrics::{PhaseSums, SeriesId};
use plan::slot::Slot;
use proto::message::{
    Cumulative, FromAgent, PlanDigests, RejectCode, RunId, SeriesReport, ToAgent, WindowReport,
};
use protocol_tests::adversary::{Adversary, Frames, frame};
use protocol_tests::attacks::Fate::{Dropped, Ignored, Late, Taken, Unheard};
use protocol_tests::attacks::{ATTACKS, Fate, Place, STRANGERS, Says, histogram};
use protocol_tests::fleet::{Coordinator, report};
use protocol_tests::peer::{ScriptedAgent, empty_window, hello};
use protocol_tests::plan_file::platform;
use protocol_tests::process::TestDir;
use serde_json::Value;
use std::time::Duration;

/// What all adversaries together may cost the coordinator at most: a large message of each of a few of them at a time.
const MAX_GROWTH: u64 = 32 << 20;

/// An adversary that was let in as far as the start of the run.
async fn join(address: &str, name: &str, unread: Option<u32>) -> (Adversary, Place) {
    let mut peer = Adversary::dial(address, unread).await;
    peer.say_well(FromAgent::Hello(hello(name)));
    let prepare = |m: &ToAgent| match m {
        ToAgent::Prepare { run, bundle, .. } => Some((run.clone(), bundle.clone())),
        _ => None,
    };
    let (run, bundle) = peer.hear_until(prepare).await.expect("a plan");
    let plan = plan::Bundle::from_bytes(&bundle).expect("a bundle").compile().expect("a plan that is valid");
    let digests =
        PlanDigests { bundle_sha256: plan::sha256_hex(&bundle), meaning_sha256: plan.meaning_sha256() };
    peer.say_well(FromAgent::PlanState { run: run.clone(), state: Ok(digests) });
    let assign = |m: &ToAgent| match m {
        ToAgent::Assign { revision, seats, .. } => Some((*revision, seats.clone())),
        _ => None,
    };
    let (revision, seats) = peer.hear_until(assign).await.expect("users");
    peer.say_well(FromAgent::AssignAck { run: run.clone(), revision, clock_error: None });
    peer.hear_until(|m| matches!(m, ToAgent::Start { .. }).then_some(())).await.expect("a start");
    let own = |slot: &Slot| seats.iter().any(|seat| seat.slot == *slot);
    let foreign = (0..1_000_000).map(Slot).find(|slot| !own(slot)).expect("others have users");
    (peer, Place { run, foreign })
}

/// Lets `peer` do what it does, and sees what comes of it.
async fn attack(peer: &mut Adversary, name: &str, place: &Place, says: Says, fate: &Fate) {
    for message in says(place) {
        peer.say(message);
    }
    match fate {
        Dropped(reason) | Late(reason) => {
            let (code, message) =
                peer.rejection().await.unwrap_or_else(|| panic!("{name}: dropped without a word"));
            assert_eq!(code, RejectCode::Protocol, "{name}: {message}");
            assert!(message.contains(reason), "{name}: `{reason}` is not in: {message}");
        }
        Ignored | Taken => {
            peer.say_well(FromAgent::Renew { n: 99, users: 0 });
            // A lease waits for no disk, so it may come before an acknowledgement.
            let taken = matches!(fate, Taken);
            let answer = |m: &ToAgent| match m {
                ToAgent::WindowAck { .. } => Some(true),
                ToAgent::Lease { n: 99, .. } if !taken => Some(false),
                _ => None,
            };
            assert_eq!(peer.hear_until(answer).await, Some(taken), "{name}: goes on");
            peer.say_well(FromAgent::Goodbye { reason: "\u{1b}[2J".repeat(1000) });
        }
        Unheard(_) => {}
    }
}

/// Three requests, all but one of which succeed.
fn honest_window(run: &RunId) -> WindowReport {
    let cumulative = Cumulative { started: 3, ok: 2, failed: 1, aborted: 0 };
    WindowReport {
        started: 3,
        cumulative,
        series: vec![SeriesReport {
            series: SeriesId(0),
            ok: 2,
            failed: 1,
            bytes_in: 0,
            bytes_out: 0,
            messages_sent: 0,
            messages_received: 0,
            phases: PhaseSums::default(),
            latency: histogram(3).into(),
            service: Vec::new().into(),
        }],
        ..empty_window(run, 1, false)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_breaks_the_protocol_is_dropped_with_a_reason_and_costs_nobody_anything() {
    let dir = TestDir::new("adversaries");
    let users = 2 * (ATTACKS.len() + 1);
    let load = format!("{{ users: {users}, spawn_rate: {users}/s, duration: 10m, stop_timeout: 1s }}");
    let plan = dir.write("plan.yaml", &platform("http://127.0.0.1:1", &load, "100ms", "count >= 1"));
    let path = plan.to_str().expect("an ASCII path");
    let mut coordinator = Coordinator::start(dir.path(), ATTACKS.len() as u32 + 1, &[path]);
    let address = coordinator.address.clone();
    let before = coordinator.peak_memory();

    for (what, says, reason) in STRANGERS {
        let mut stranger = Adversary::dial(&address, None).await;
        stranger.say(says());
        let (code, message) =
            stranger.rejection().await.unwrap_or_else(|| panic!("{what}: turned away without a word"));
        assert_eq!(code, RejectCode::Protocol, "{what}: {message}");
        assert!(message.contains(reason), "{what}: `{reason}` is not in: {message}");
        assert!(!message.contains(char::is_control), "{what}: {message:?}");
    }
    frames(&address).await;

    let mut honest = ScriptedAgent::attach(&address, "honest").await;
    let joining = ATTACKS.iter().map(|(name, says, fate)| {
        let unread = matches!(fate, Unheard(_)).then_some(512);
        let address = address.clone();
        tokio::spawn(async move {
            let (mut peer, place) = join(&address, name, unread).await;
            attack(&mut peer, name, &place, *says, fate).await;
            // Until the end, so that nothing ends by itself.
            peer
        })
    });
    let joining: Vec<_> = joining.collect();
    let (run, _) = honest.start_run().await;
    honest.say(FromAgent::Window(Box::new(honest_window(&run))));
    let mut attacks = std::pin::pin!(async {
        let mut peers = Vec::new();
        for attack in joining {
            peers.push(attack.await.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic())));
        }
        peers
    });
    // Meanwhile the honest one keeps its lease.
    let mut renewals = tokio::time::interval(Duration::from_secs(1));
    let mut n = 0;
    let peers = loop {
        tokio::select! {
            peers = &mut attacks => break peers,
            _ = renewals.tick() => {
                n += 1;
                honest.say(FromAgent::Renew { n, users: 1 });
            }
        }
    };
    for (name, _, fate) in ATTACKS {
        let (with, reason) = match fate {
            Dropped(reason) | Unheard(reason) => (" with ", *reason),
            Late(reason) => (", which had no users any more, was dropped", *reason),
            Ignored | Taken => (" with ", "it left:  [2J [2J"),
        };
        let said = coordinator.line_with(&format!("agent {name}{with}"));
        assert!(said.contains(reason), "{name}: `{reason}` is not in: {said}");
        assert!(said.chars().count() < 1000 && !said.contains(char::is_control), "{name}: {said:?}");
    }
    if let (Some(before), Some(after)) = (before, coordinator.peak_memory()) {
        println!("the coordinator grew from {} to {} KiB", before >> 10, after >> 10);
        assert!(after < before + MAX_GROWTH, "{before} bytes grew to {after}");
    }

    let last = WindowReport {
        cumulative: Cumulative { started: 3, ok: 2, failed: 1, aborted: 0 },
        ..empty_window(&run, 2, true)
    };
    honest.say(FromAgent::Window(Box::new(last)));
    let ended = coordinator.wait();
    assert_eq!(ended.code, Some(98), "adversaries leave no pass: {}\n{}", ended.err, ended.out);
    judge(&report(&dir));
    drop(peers);
}

/// The honest agent's books are exact, and nothing of the others is in the totals but what was true.
fn judge(report: &Value) {
    let rows = report["accounting"]["per_agent"].as_array().expect("rows");
    let row = |name: &str| {
        rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}: {rows:#?}"))
    };
    let honest = row("honest");
    for (key, expected) in [("started", 3), ("merged", 3), ("aborted", 0), ("windows", 2)] {
        assert_eq!(honest[key], expected, "{key} of {honest}");
    }
    assert_eq!(honest["status"], "exact", "{honest}");
    let taken: u64 = rows.iter().map(|row| row["merged"].as_u64().expect("a count")).sum();
    assert_eq!(
        (taken, report["totals"]["requests"].as_u64()),
        (4, Some(4)),
        "the honest ones, and one with an odd text"
    );
    let errors = report["errors"].as_array().expect("errors");
    let odd = errors.iter().find(|error| error["message"].as_str().is_some_and(|text| text.contains("evil")));
    let text = odd.unwrap_or_else(|| panic!("{errors:#?}"))["message"].as_str().expect("a text");
    assert!(!text.contains(char::is_control), "{text:?}");
}

/// What no flood of frames may get rid of, in bytes.
const LIMIT: usize = 64 << 20;

/// Floods of frames before anything is said end the connection while they are small.
async fn frames(address: &str) {
    // A request with indexed fields only: POST, http, /.
    let request = [0x83, 0x86, 0x84];
    let reset =
        move |n: u32| [frame(1, 4, 2 * n + 1, &request), frame(3, 0, 2 * n + 1, &[0, 0, 0, 8])].concat();
    let continuation = move |n: u32| match n {
        0 => frame(1, 0, 1, &request),
        _ => frame(9, 0, 1, &[0x83; 1000]),
    };
    let settings = |_| frame(4, 0, 0, &[0, 4, 0, 1, 0, 0]);
    let pings = |_| frame(6, 0, 0, &[7; 8]);
    for (what, sent) in [
        ("rapid reset", Frames::connect(address).await.flood(reset, LIMIT).await),
        ("continuation", Frames::connect(address).await.flood(continuation, LIMIT).await),
        ("settings", Frames::connect(address).await.flood(settings, LIMIT).await),
        ("ping", Frames::connect(address).await.flood(pings, LIMIT).await),
    ] {
        assert!(sent < LIMIT, "{what}: {sent} bytes were taken");
    }
}

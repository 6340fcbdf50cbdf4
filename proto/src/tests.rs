//! What is said arrives as it was said, and what must not be said does not arrive.

use crate::message::{
    Caps, ChoreReport, Cumulative, FromAgent, HealthReport, Hello, HostReport, PlanDigests, PlanRefusal,
    Progress, RejectCode, Resume, Resumed, Roll, RunId, SeriesReport, ToAgent, Welcome, WindowReport,
};
use crate::version::Versions;
use crate::{Secret, decode, encode, limits, wire};
use bytes::Bytes;
use metrics::{ArrivalCounts, ErrorCount, ErrorKind, Histogram, PhaseSums, SeriesId};
use plan::chore::ChoreKind;
use plan::slot::{Seat, Slot};
use proptest::prelude::*;
use prost::Message as _;
use std::num::NonZero;
use std::time::Duration;

fn run() -> RunId {
    RunId("20261121-031500-ab12".to_owned())
}

fn histogram(samples: u64) -> Bytes {
    let mut histogram = Histogram::new();
    for i in 0..samples {
        histogram.record(Duration::from_micros(100 + 37 * i));
    }
    let mut bytes = Vec::new();
    histogram.encode_v2(&mut bytes);
    bytes.into()
}

fn hello() -> Hello {
    Hello {
        protocol: Versions { min: 1, max: 3 },
        build: "0.1.0".to_owned(),
        name: "host-b".to_owned(),
        incarnation: u64::MAX,
        cores: 8,
        max_users: 5000,
        caps: Caps::default(),
        resume: None,
        join: Some(Secret::from_bytes(*b"sixteen bytes ok")),
    }
}

fn resume(stopped: bool) -> Resume {
    Resume { run: run(), session: 1 << 40, stopped }
}

fn window() -> WindowReport {
    let series = |id, ok, failed| SeriesReport {
        series: SeriesId(id),
        ok,
        failed,
        bytes_in: 1000,
        bytes_out: 100,
        messages_sent: 3,
        messages_received: 4,
        phases: PhaseSums { connect: (1, 300), tls: (0, 0), first_byte: (ok, 9000), body: (ok, 70) },
        latency: histogram(ok + failed),
        service: if id % 2 == 1 { histogram(ok + failed) } else { Bytes::new() },
    };
    WindowReport {
        run: run(),
        seq: 3,
        index: 2,
        earlier_users: Vec::new(),
        users: 40,
        in_flight: 2,
        started: 12,
        aborted: 1,
        arrivals: ArrivalCounts { started: 6, dropped: 5 },
        cumulative: Cumulative { started: 30, ok: 25, failed: 2, aborted: 1 },
        series: vec![series(0, 5, 1), series(7, 4, 0)],
        errors: vec![ErrorCount {
            series: SeriesId(0),
            kind: ErrorKind::Status,
            message: "503 Service Unavailable".to_owned(),
            count: 1,
            first: Duration::from_micros(2_100_000),
            last: Duration::from_micros(2_100_000),
        }],
        health: HealthReport {
            cpu_permille: 420,
            lag: histogram(9),
            reconnects: 1,
            held_back: 3,
            memory_bytes: 5_000,
            memory_at_start_bytes: 4_000,
            connections: 7,
            host: HostReport {
                cpu_limit_permille: Some(1_500),
                steal_permille: Some(12),
                throttled: Some(Duration::from_micros(31_007)),
                throttled_periods: Some(4),
                descriptors: Some(90),
                descriptors_limit: Some(1_024),
                memory_used_bytes: None,
                memory_limit_bytes: Some(1 << 33),
            },
            starts: 12,
            late_starts: 2,
            late_start_max: Duration::from_micros(45_001),
            exhausted: 1,
        },
        last: true,
        progress: vec![progress(0, 1), progress(7, 300), progress(8, limits::MAX_ITERATION)],
        roll: Roll { revision: 7, leaving: vec![Slot(0), Slot(3), Slot(limits::MAX_SLOTS - 1)] },
    }
}

fn progress(slot: u32, iteration: u64) -> Progress {
    Progress { slot: Slot(slot), iteration, gave_up: slot == 8 }
}

fn seat(slot: u32, iteration: u64, not_before_us: u64) -> Seat {
    Seat { slot: Slot(slot), iteration, not_before: Duration::from_micros(not_before_us) }
}

fn setup_done() -> ChoreReport {
    ChoreReport {
        run: run(),
        chore: ChoreKind::Setup,
        values: Bytes::from_static(b"{\"tenant\":\"t-1\"}"),
        failed: None,
        took: Duration::from_micros(230_017),
        requests: 3,
        failures: 0,
        aborted: 0,
        errors: Vec::new(),
    }
}

fn teardown_done() -> ChoreReport {
    ChoreReport {
        chore: ChoreKind::Teardown,
        values: Bytes::new(),
        failed: Some("step 1 failed".to_owned()),
        failures: 1,
        aborted: 1,
        errors: window().errors,
        ..setup_done()
    }
}

fn over_the_wire_up(message: FromAgent) -> Result<FromAgent, crate::Malformed> {
    let bytes = encode::from_agent(message).encode_to_vec();
    decode::from_agent(wire::AgentMessage::decode(&bytes[..]).expect("our own bytes"))
}

fn over_the_wire_down(message: ToAgent) -> Result<ToAgent, crate::Malformed> {
    let bytes = encode::to_agent(message).encode_to_vec();
    decode::to_agent(wire::CoordinatorMessage::decode(&bytes[..]).expect("our own bytes"))
}

#[test]
fn what_an_agent_says_arrives_as_it_was_said() {
    let digests = PlanDigests { bundle_sha256: "ab".repeat(32), meaning_sha256: "01".repeat(32) };
    let messages = [
        FromAgent::Hello(hello()),
        FromAgent::Hello(Hello { resume: Some(resume(false)), ..hello() }),
        FromAgent::Hello(Hello { resume: Some(resume(true)), ..hello() }),
        FromAgent::Hello(Hello {
            caps: Caps { max_rps: NonZero::new(50), max_run_time: Some(Duration::from_mins(9)) },
            ..hello()
        }),
        FromAgent::PlanState { run: run(), state: Ok(digests) },
        FromAgent::PlanState { run: run(), state: Err("no such function".to_owned().into()) },
        FromAgent::PlanState { run: run(), state: Err(PlanRefusal::Forbidden("not there".to_owned())) },
        FromAgent::AssignAck { run: run(), revision: 9, clock_error: None },
        FromAgent::AssignAck { run: run(), revision: 9, clock_error: Some(Duration::from_micros(417)) },
        FromAgent::Renew { n: 4, users: 17 },
        FromAgent::Window(Box::new(window())),
        FromAgent::ChoreDone(Box::new(setup_done())),
        FromAgent::ChoreDone(Box::new(teardown_done())),
        FromAgent::Draining { reason: "SIGTERM".to_owned() },
        FromAgent::Goodbye { reason: "SIGTERM".to_owned() },
    ];
    for message in messages {
        assert_eq!(over_the_wire_up(message.clone()), Ok(message));
    }
}

#[test]
fn what_the_coordinator_says_arrives_as_it_was_said() {
    use RejectCode::{Full, Identity, Late, Name, Over, Plan, Protocol, Version, Wait};
    let renew = Duration::from_secs(1);
    let welcome = Welcome { protocol: 1, build: "0.1.0".to_owned(), session: 7, renew, resumed: None };
    let resumed = |lost| Some(Resumed { applied: 417, lost });
    let seats = [0, 1, 5, limits::MAX_SLOTS - 1].map(|slot| Seat::fresh(Slot(slot))).to_vec();
    let latest = u64::from(limits::MAX_WINDOW_INDEX) * 1_000_000;
    let moved = vec![seat(3, 0, 7_000_001), seat(9, limits::MAX_ITERATION, 0), seat(10, 4, latest)];
    let mut messages = vec![
        ToAgent::Welcome(Welcome { resumed: resumed(false), ..welcome.clone() }),
        ToAgent::Welcome(Welcome { resumed: resumed(true), ..welcome.clone() }),
        ToAgent::Welcome(welcome),
        ToAgent::Prepare { run: run(), bundle: Bytes::from_static(b"plan"), bundle_sha256: "ab".repeat(32) },
        ToAgent::Assign { run: run(), revision: 2, seats },
        ToAgent::Assign { run: run(), revision: 3, seats: vec![] },
        ToAgent::Assign { run: run(), revision: 4, seats: moved },
        ToAgent::Start { run: run(), after: Duration::from_micros(250_001), t0: Duration::from_micros(7) },
        ToAgent::Stop { run: run(), timeout: Duration::from_secs(30) },
        ToAgent::SetupValues { run: run(), values: Bytes::from_static(b"{\"tenant\":\"t-1\"}") },
        ToAgent::RunChore { run: run(), chore: ChoreKind::Setup },
        ToAgent::RunChore { run: run(), chore: ChoreKind::Teardown },
        ToAgent::WindowAck { run: run(), seq: 12 },
        ToAgent::Lease { n: 3, ttl: Duration::from_secs(4), clock: Duration::from_micros(9) },
    ];
    for code in [Version, Full, Late, Name, Protocol, Plan, Over, RejectCode::Secret, Identity, Wait] {
        messages.push(ToAgent::Reject { code, message: "why".to_owned() });
    }
    for message in messages {
        assert_eq!(over_the_wire_down(message.clone()), Ok(message));
    }
}

#[test]
fn a_secret_has_its_length_or_is_not_there() {
    for (length, good) in [(0, true), (15, false), (16, true), (17, false), (1 << 20, false)] {
        let mut message = encode::from_agent(FromAgent::Hello(hello()));
        let Some(wire::agent_message::Kind::Hello(hello)) = &mut message.kind else { unreachable!() };
        hello.join_secret = vec![7; length].into();
        match decode::from_agent(message) {
            Ok(FromAgent::Hello(hello)) => assert!(good && hello.join.is_some() == (length > 0), "{length}"),
            Ok(other) => panic!("{other:?}"),
            Err(error) => assert!(!good && error.to_string().contains("hello.join_secret"), "{error}"),
        }
    }
}

#[test]
fn what_an_agent_must_not_say_names_the_field_and_the_limit() {
    let check = |edit: &dyn Fn(&mut wire::Window), expected: &str| {
        let mut message = encode::from_agent(FromAgent::Window(Box::new(window())));
        let Some(wire::agent_message::Kind::Window(window)) = &mut message.kind else { unreachable!() };
        edit(window);
        let error = decode::from_agent(message).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(&|w| w.seq = 0, "window.seq: 0; windows count up from 1");
    check(&|w| w.run_id = String::new(), "window.run_id");
    check(&|w| w.run_id = "../../etc".to_owned(), "`../../etc` is not 1 to 64 letters");
    check(&|w| w.index = u32::MAX, "window.index: 4294967295 is over the limit");
    check(&|w| w.users = u32::MAX, "window.users");
    check(&|w| w.seconds = 3601, "window.seconds: 3601 is over the limit of 3600");
    check(&|w| w.seconds = 2, "window.earlier_users: holds 0 numbers; a window of 2 seconds has one fewer");
    check(
        &|w| w.earlier_users = vec![1],
        "window.earlier_users: holds 1 numbers; a window of 1 seconds has one",
    );
    check(
        &|w| (w.seconds, w.earlier_users) = (2, vec![u32::MAX]),
        "window.earlier_users: 4294967295 is over the limit",
    );
    check(
        &|w| (w.index, w.seconds, w.earlier_users) = (limits::MAX_WINDOW_INDEX, 2, vec![1]),
        "window.index: 34646401 is over the limit",
    );
    check(&|w| w.started = u64::MAX, "window.started");
    check(&|w| w.cumulative = None, "window.cumulative: is missing");
    check(&|w| w.health = None, "window.health: is missing");
    let health = |edit: &dyn Fn(&mut wire::Health), expected: &str| {
        check(&|w| edit(w.health.as_mut().expect("set")), expected);
    };
    health(&|h| h.late_starts = 13, "window.health.late_starts: 13 is over the limit of 12");
    health(&|h| h.exhausted = u64::MAX, "window.health.exhausted");
    health(&|h| h.late_start_max_us = u64::MAX, "window.health.late_start_max_us");
    let host = |edit: &dyn Fn(&mut wire::Host), expected: &str| {
        health(&|h| edit(h.host.as_mut().expect("set")), expected);
    };
    host(&|h| h.cpu_limit_permille = Some(u32::MAX), "window.health.host.cpu_limit_permille");
    host(&|h| h.throttled_us = Some(u64::MAX), "window.health.host.throttled_us");
    host(&|h| h.descriptors = Some(u64::MAX), "window.health.host.descriptors");
    host(&|h| h.memory_limit_bytes = Some(u64::MAX), "window.health.host.memory_limit_bytes");
    check(&|w| w.series.swap(0, 1), "window.series: series 0 stands after 7; ids rise");
    check(&|w| w.series[1].id = 0, "series 0 stands after 0");
    check(&|w| w.series[1].id = limits::MAX_SERIES, "window.series[1].id: 4096 is over the limit of 4095");
    check(&|w| w.series[0].ok = 6, "holds 6 samples, but 6 ok and 1 failed requests are counted");
    check(&|w| w.series[0].latency = Bytes::new(), "window.series[0].latency");
    check(&|w| w.series[0].latency = Bytes::from_static(&[0xff; 64]), "window.series[0].latency");
    check(&|w| w.series[0].service = Bytes::from_static(&[0xff; 64]), "window.series[0].service");
    check(&|w| w.series[0].service = histogram(1), "window.series[0].service");
    check(
        &|w| w.series = vec![wire::Series::default(); limits::MAX_SERIES as usize + 1],
        "4097 is over the limit of 4096",
    );
    check(&|w| w.errors = vec![wire::ErrorRow::default(); limits::MAX_ERROR_ROWS + 1], "window.errors");
    check(&|w| w.errors[0].kind = 0, "window.errors[0].kind: 0 is not an error kind");
    check(&|w| w.errors[0].last_us = u64::MAX, "window.errors[0].last_us");
    check(
        &|w| w.progress_slot_deltas[2] = 0,
        "window.progress_slot_deltas[2]: 0 does not lead to a higher slot",
    );
    check(&|w| w.progress_slot_deltas[0] = u32::MAX, "window.progress_slot_deltas[0]");
    check(
        &|w| w.progress_slot_deltas = vec![1; limits::MAX_SLOTS as usize + 1],
        "window.progress_slot_deltas: 1000001 is over the limit of 1000000",
    );
    check(
        &|w| w.leaving_slot_deltas[1] = 0,
        "window.leaving_slot_deltas[1]: 0 does not lead to a higher slot",
    );
    check(&|w| w.leaving_slot_deltas[0] = limits::MAX_SLOTS, "window.leaving_slot_deltas[0]");
    check(&|w| w.progress_iterations.truncate(2), "window.progress_iterations: holds 2 numbers for 3 slots");
    check(&|w| w.progress_iterations[1] = 0, "window.progress_iterations[1]: 0; whoever ended");
    check(
        &|w| w.progress_iterations[0] = u64::MAX,
        "window.progress_iterations[0]: 9223372036854775807 is over",
    );
}

#[test]
fn what_an_agent_must_not_say_of_a_chore_names_the_field_and_the_limit() {
    let check = |done: ChoreReport, edit: &dyn Fn(&mut wire::ChoreDone), expected: &str| {
        let mut message = encode::from_agent(FromAgent::ChoreDone(Box::new(done)));
        let Some(wire::agent_message::Kind::ChoreDone(done)) = &mut message.kind else { unreachable!() };
        edit(done);
        let error = decode::from_agent(message).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(setup_done(), &|d| d.chore = 0, "chore_done.chore: 0 is not a chore");
    check(setup_done(), &|d| d.chore = 9, "chore_done.chore: 9 is not a chore");
    check(setup_done(), &|d| d.run_id = "a b".to_owned(), "chore_done.run_id");
    check(setup_done(), &|d| d.values = Bytes::new(), "chore_done.values: not a JSON object");
    check(setup_done(), &|d| d.values = Bytes::from_static(b"[1]"), "chore_done.values: not a JSON object");
    check(setup_done(), &|d| d.values = Bytes::from_static(b"{\"a b\":1}"), "is not the name of a variable");
    check(setup_done(), &|d| d.values = vec![b' '; (1 << 20) + 1].into(), "the limit is 1048576");
    check(teardown_done(), &|d| d.values = Bytes::from_static(b"{}"), "a teardown saves nothing");
    check(teardown_done(), &|d| d.took_us = u64::MAX, "chore_done.took_us");
    check(teardown_done(), &|d| d.requests = u64::MAX, "chore_done.requests");
    check(teardown_done(), &|d| d.failures = 4, "chore_done.failures: 4 of 3 requests");
    check(teardown_done(), &|d| d.aborted = u64::MAX, "chore_done.aborted");
    check(teardown_done(), &|d| d.errors[0].kind = 0, "chore_done.errors[0].kind: 0 is not an error kind");
    let rows = || vec![wire::ErrorRow::default(); limits::MAX_ERROR_ROWS + 1];
    check(teardown_done(), &|d| d.errors = rows(), "chore_done.errors: 8193 is over the limit of 8192");
}

/// The reason for which an order of the coordinator's is refused.
fn refused(kind: wire::coordinator_message::Kind) -> String {
    decode::to_agent(wire::CoordinatorMessage { kind: Some(kind) }).expect_err("refused").to_string()
}

#[test]
fn what_the_coordinator_must_not_say_names_the_field_and_the_limit() {
    use wire::coordinator_message::Kind;
    let check = |kind: Kind, expected: &str| {
        let error = refused(kind);
        assert!(error.contains(expected), "{error}");
    };
    let run_id = || "r".to_owned();
    let assign = |slot_deltas| {
        Kind::Assign(wire::Assign { run_id: run_id(), revision: 1, slot_deltas, ..wire::Assign::default() })
    };
    let moved = |iterations, not_before_us_deltas| {
        let slot_deltas = vec![1, 1];
        Kind::Assign(wire::Assign {
            run_id: run_id(),
            revision: 1,
            slot_deltas,
            iterations,
            not_before_us_deltas,
        })
    };
    check(moved(vec![1], vec![]), "assign.iterations: holds 1 numbers for 2 slots");
    check(moved(vec![1, u64::MAX], vec![]), "assign.iterations[1]: 18446744073709551615 is over");
    check(moved(vec![], vec![0; 3]), "assign.not_before_us_deltas: holds 3 numbers for 2 slots");
    check(moved(vec![], vec![5, -6]), "assign.not_before_us_deltas[1]: -6 does not lead to a time");
    check(moved(vec![], vec![5, i64::MAX]), "assign.not_before_us_deltas[1]");
    check(moved(vec![], vec![i64::MAX, 0]), "assign.not_before_us_deltas[0]");
    check(assign(vec![3, 0]), "assign.slot_deltas[1]: 0 does not lead to a higher slot");
    check(assign(vec![3, u32::MAX]), "assign.slot_deltas[1]");
    check(assign(vec![limits::MAX_SLOTS]), "below 1000000");
    check(Kind::Start(wire::Start { run_id: run_id(), in_us: u64::MAX, t0_us: 0 }), "start.in_us");
    check(Kind::Start(wire::Start { run_id: run_id(), in_us: 0, t0_us: u64::MAX }), "start.t0_us");
    check(Kind::Stop(wire::Stop { run_id: run_id(), timeout_ms: u64::MAX }), "stop.timeout_ms");
    check(Kind::Lease(wire::Lease { n: 1, ttl_ms: u32::MAX, clock_us: 0 }), "lease.ttl_ms");
    check(Kind::Lease(wire::Lease { n: 1, ttl_ms: 1, clock_us: u64::MAX }), "lease.clock_us");
    check(Kind::Reject(wire::Reject { code: 0, message: String::new() }), "reject.code: 0 is not a code");
    check(Kind::Reject(wire::Reject { code: 99, message: String::new() }), "reject.code: 99 is not a code");
    check(Kind::Welcome(wire::Welcome::default()), "welcome.renew_ms: 0 is outside");
    let chore = |chore| Kind::RunChore(wire::RunChore { run_id: run_id(), chore });
    check(chore(0), "run_chore.chore: 0 is not a chore");
    check(chore(-1), "run_chore.chore: -1 is not a chore");
    let values = |values| Kind::SetupValues(wire::SetupValues { run_id: run_id(), values });
    check(values(Bytes::from_static(b"null")), "setup_values.values: not a JSON object");
    check(values(vec![b' '; (1 << 20) + 1].into()), "setup_values.values: 1048577 bytes");
    let prepare = wire::Prepare { run_id: run_id(), bundle: Bytes::new(), bundle_sha256: "AB".repeat(32) };
    check(Kind::Prepare(prepare), "prepare.bundle_sha256");
    let empty = decode::to_agent(wire::CoordinatorMessage { kind: None }).expect_err("refused");
    assert!(empty.to_string().contains("kind: is missing"), "{empty}");
}

#[test]
fn text_from_a_peer_is_bounded_and_printable() {
    let goodbye = |reason: String| match over_the_wire_up(FromAgent::Goodbye { reason }) {
        Ok(FromAgent::Goodbye { reason }) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(goodbye("a\u{1b}[2Jb\n".to_owned()), "a [2Jb ");
    let long = goodbye("é".repeat(100_000));
    assert_eq!(long.chars().count(), limits::MAX_TEXT_CHARS);
    assert!(long.ends_with('…'));
}

proptest! {
    #[test]
    fn any_bytes_give_a_message_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(message) = wire::AgentMessage::decode(&bytes[..]) {
            let _ = decode::from_agent(message);
        }
        if let Ok(message) = wire::CoordinatorMessage::decode(&bytes[..]) {
            let _ = decode::to_agent(message);
        }
    }

    #[test]
    fn a_window_with_one_byte_changed_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encode::from_agent(FromAgent::Window(Box::new(window()))).encode_to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(message) = wire::AgentMessage::decode(&bytes[..]) {
            let _ = decode::from_agent(message);
        }
    }
}

#[test]
fn an_agent_whose_system_tells_nothing_is_heard() {
    let mut message = encode::from_agent(FromAgent::Window(Box::new(window())));
    let Some(wire::agent_message::Kind::Window(bare)) = &mut message.kind else { unreachable!() };
    bare.health.as_mut().expect("set").host = None;
    let Ok(FromAgent::Window(decoded)) = decode::from_agent(message) else { panic!("it is refused") };
    assert_eq!(decoded.health.host, HostReport::default());
}

//! What peers can say wrong: a table of attacks, each with what has to come of it.

use crate::adversary::{bare_window, bytes, number, varint, window_with};
use crate::peer::{empty_window, hello};
use bytes::Bytes;
use metrics::{Histogram, PhaseSums, SeriesId};
use plan::slot::{Progress, Slot};
use proto::message::{Cumulative, FromAgent, PlanDigests, RunId, SeriesReport, WindowReport};
use std::time::Duration;

/// Windows and renewals that a flood consists of.
const FLOOD: usize = 10_000;

/// What an attacker knows of its run.
#[derive(Clone, Debug)]
pub struct Place {
    /// The run.
    pub run: RunId,
    /// A slot of somebody else.
    pub foreign: Slot,
}

/// What comes of an attack.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// The peer is dropped, with a reason that holds this.
    Dropped(&'static str),
    /// The same, but the peer had no users any more: nothing is lost with it.
    Late(&'static str),
    /// Nothing: it means nothing here.
    Ignored,
    /// It is taken as it is.
    Taken,
    /// The peer does not listen, so it is dropped without a word to it; the operator is told this.
    Unheard(&'static str),
}
use Fate::{Dropped, Ignored, Late, Taken, Unheard};

/// The messages of an attack, in order.
pub type Says = fn(&Place) -> Vec<Bytes>;

/// Window `seq` of second `seq - 1` in which `started` requests began and were given up.
fn window(place: &Place, seq: u64, started: u64) -> WindowReport {
    let aborted = started;
    let cumulative = Cumulative { started, ok: 0, failed: 0, aborted };
    WindowReport { started, aborted, cumulative, ..empty_window(&place.run, seq, false) }
}

fn plain(window: WindowReport) -> Bytes {
    window_with(window, &[])
}

/// The first window, with these fields on top.
fn first(place: &Place, fields: &[u8]) -> Vec<Bytes> {
    vec![window_with(window(place, 1, 0), fields)]
}

/// The first window, with `value` in field `field`.
fn first_with(place: &Place, field: u32, value: u64) -> Vec<Bytes> {
    first(place, &number(field, value))
}

/// The encoding of so many samples of 5 ms.
pub fn histogram(samples: u64) -> Vec<u8> {
    let mut histogram = Histogram::new();
    (0..samples).for_each(|_| histogram.record(Duration::from_millis(5)));
    let mut encoded = Vec::new();
    histogram.encode_v2(&mut encoded);
    encoded
}

/// A window's series `id` with `ok` requests and this histogram.
fn series(id: u64, ok: u64, latency: &[u8]) -> Vec<u8> {
    bytes(9, &[number(1, id), number(2, ok), bytes(10, latency)].concat())
}

/// An error row of series 0.
fn error_row(kind: u64, message: &str) -> Vec<u8> {
    bytes(10, &[number(2, kind), bytes(3, message.as_bytes()), number(4, 1)].concat())
}

/// The first window, with what its user `slot` did.
fn progress(place: &Place, slot: Slot, iteration: u64) -> Vec<Bytes> {
    let progress = vec![Progress { slot, iteration, gave_up: false }];
    vec![plain(WindowReport { progress, ..window(place, 1, 0) })]
}

fn renewals(n: usize) -> Vec<Bytes> {
    (1..=n as u64).map(|n| bytes(4, &number(1, n)).into()).collect()
}

/// A request that failed with an error whose text would move a terminal's cursor.
fn escape_sequences(place: &Place) -> Vec<Bytes> {
    let mut report = window(place, 1, 0);
    (report.started, report.cumulative) = (1, Cumulative { started: 1, ok: 0, failed: 1, aborted: 0 });
    report.series = vec![SeriesReport {
        series: SeriesId(0),
        ok: 0,
        failed: 1,
        bytes_in: 0,
        bytes_out: 0,
        messages_sent: 0,
        messages_received: 0,
        phases: PhaseSums::default(),
        latency: histogram(1).into(),
        service: Bytes::new(),
    }];
    vec![window_with(report, &error_row(1, "\u{1b}[2J\u{7}evil\r\ntext"))]
}

/// What joined agents do in a run, each under a name of its own.
pub const ATTACKS: &[(&str, Says, Fate)] = &[
    // Messages that are none.
    ("unset", |_| vec![Bytes::new()], Dropped("malformed message: kind: is missing")),
    ("unknown-kind", |_| vec![bytes(99, b"news").into()], Dropped("kind that this version does not know")),
    (
        "no-protobuf",
        |_| vec![vec![0xff; 16].into()],
        Dropped("malformed message: message: is not of the protocol"),
    ),
    ("wrong-type", |_| vec![number(5, 7).into()], Dropped("message: is not of the protocol")),
    (
        "giant",
        |_| vec![vec![0; 9 << 20].into()],
        Dropped("message: has 9437184 bytes, over the limit of 8388608"),
    ),
    (
        "no-cumulative",
        |p| vec![bare_window(&p.run, &bytes(11, &[]))],
        Dropped("window.cumulative: is missing"),
    ),
    ("no-health", |p| vec![bare_window(&p.run, &bytes(8, &[]))], Dropped("window.health: is missing")),
    (
        "no-state",
        |p| vec![bytes(2, &bytes(1, p.run.0.as_bytes())).into()],
        Dropped("plan_state.state: is missing"),
    ),
    ("error-kind", |p| first(p, &error_row(200, "x")), Dropped("errors[0].kind: 200 is not an error kind")),
    (
        "chore-kind",
        |p| vec![bytes(10, &[bytes(1, p.run.0.as_bytes()), number(2, 9)].concat()).into()],
        Dropped("chore_done.chore: 9 is not a chore"),
    ),
    (
        "chore-unasked",
        |p| vec![bytes(10, &[bytes(1, p.run.0.as_bytes()), number(2, 2)].concat()).into()],
        Dropped("it reports a teardown that it was not asked to run"),
    ),
    (
        "run-name",
        |p| first(p, &bytes(1, b"../../etc/passwd")),
        Dropped("window.run_id: `../../etc/passwd` is not"),
    ),
    // What does not belong here and now.
    ("other-run", |p| first(p, &bytes(1, b"another")), Ignored),
    (
        "old-revision",
        |p| vec![bytes(3, &[bytes(1, p.run.0.as_bytes()), number(2, 0)].concat()).into()],
        Ignored,
    ),
    (
        "future-revision",
        |p| vec![bytes(3, &[bytes(1, p.run.0.as_bytes()), number(2, u64::MAX)].concat()).into()],
        Ignored,
    ),
    (
        "hello-again",
        |_| vec![proto::raw::agent_bytes(FromAgent::Hello(hello("x"))).into()],
        Dropped("it said Hello twice"),
    ),
    // Sequence and second.
    ("seq-0", |p| first_with(p, 2, 0), Dropped("window.seq: 0; windows count up from 1")),
    ("seq-jump", |p| first_with(p, 2, 7), Dropped("window 7 arrived where 1 was next")),
    ("seq-max", |p| first_with(p, 2, u64::MAX), Dropped("arrived where 1 was next")),
    (
        "index-over",
        |p| first_with(p, 3, u64::from(u32::MAX)),
        Dropped("window.index: 4294967295 is over the limit"),
    ),
    ("index-ahead", |p| first_with(p, 3, 10_000), Dropped("its clock runs ahead by more than 10 s")),
    (
        "index-again",
        |p| vec![plain(window(p, 1, 0)), window_with(window(p, 2, 0), &number(3, 0))],
        Dropped("window 2 is of second 0, which came after second 0"),
    ),
    (
        "after-last",
        |p| vec![window_with(window(p, 1, 0), &number(12, 1)), plain(window(p, 2, 0))],
        Late("window 2 arrived after the last one"),
    ),
    // Numbers.
    (
        "users-over",
        |p| first_with(p, 4, 1 << 31),
        Dropped("window.users: 2147483648 is over the limit of 1000000"),
    ),
    ("started-over", |p| first_with(p, 6, u64::MAX), Dropped("window.started: 18446744073709551615 is over")),
    (
        "cumulative-over",
        |p| first(p, &bytes(8, &number(1, u64::MAX))),
        Dropped("window.cumulative.started: 18446744073709551615 is over"),
    ),
    ("cumulative-lie", |p| first(p, &bytes(8, &number(1, 3))), Dropped("its windows add up to")),
    (
        "cumulative-falls",
        |p| vec![plain(window(p, 1, 5)), plain(window(p, 2, 0))],
        Dropped("its windows add up to"),
    ),
    ("open-lie", |p| first_with(p, 5, 4), Dropped("0 requests started, 0 ended and 4 are open")),
    (
        "implausible",
        |p| vec![plain(window(p, 1, 1 << 40))],
        Dropped("window 1 says that 1099511627776 requests were started"),
    ),
    (
        "last-open",
        |p| first(p, &[number(6, 1), number(5, 1), bytes(8, &number(1, 1)), number(12, 1)].concat()),
        Dropped("the last window says that 1 requests are open"),
    ),
    (
        "bytes-over",
        |p| first(p, &bytes(9, &[number(4, u64::MAX), bytes(10, &histogram(0))].concat())),
        Dropped("bytes_in: 18446744073709551615 is over"),
    ),
    (
        "phase-over",
        |p| first(p, &bytes(9, &[bytes(6, &number(2, u64::MAX)), bytes(10, &histogram(0))].concat())),
        Dropped("series[0].connect: 18446744073709551615 is over"),
    ),
    // Series and histograms.
    (
        "series-undeclared",
        |p| first(p, &series(900, 0, &histogram(0))),
        Dropped("window 1 counts series 900, the plan has"),
    ),
    (
        "series-over",
        |p| first(p, &series(70_000, 0, &histogram(0))),
        Dropped("series[0].id: 70000 is over the limit of 4095"),
    ),
    (
        "series-fall",
        |p| first(p, &[series(1, 0, &histogram(0)), series(0, 0, &histogram(0))].concat()),
        Dropped("series 0 stands after 1; ids rise"),
    ),
    (
        "series-twice",
        |p| first(p, &[series(1, 0, &histogram(0)), series(1, 0, &histogram(0))].concat()),
        Dropped("series 1 stands after 1; ids rise"),
    ),
    (
        "series-many",
        |p| first(p, &series(0, 0, &histogram(0)).repeat(5000)),
        Dropped("window.series: 5000 is over the limit of 4096"),
    ),
    ("histogram-none", |p| first(p, &series(0, 0, b"")), Dropped("the histogram has 0 bytes")),
    (
        "histogram-cut",
        |p| first(p, &series(0, 3, &histogram(3)[..42])),
        Dropped("latency: the histogram announces"),
    ),
    (
        "histogram-other",
        |p| first(p, &series(0, 0, &[0x1f; 60])),
        Dropped("the histogram begins with 0x1f1f1f1f"),
    ),
    (
        "histogram-range",
        |p| first(p, &series(0, 0, &[&histogram(0)[..16], &[0xff; 24], &[0]].concat())),
        Dropped("the histogram begins at 18446744073709551615"),
    ),
    (
        "histogram-full",
        |p| {
            // The payload of an empty histogram is one byte; this one is an empty slot and a count of 2^60.
            let count = [&[0][..], &varint(1 << 61)].concat();
            let length = (count.len() as u32).to_be_bytes();
            let empty = histogram(0);
            first(p, &series(0, 0, &[&empty[..4], &length, &empty[8..40], &count].concat()))
        },
        Dropped("the histogram has more than 1099511627776 samples"),
    ),
    (
        "histogram-sum",
        |p| first(p, &series(0, 9, &histogram(3))),
        Dropped("holds 3 samples, but 9 ok and 0 failed"),
    ),
    (
        "lag-cut",
        |p| first(p, &bytes(11, &bytes(2, &[1, 2, 3]))),
        Dropped("window.health.lag: the histogram has 3 bytes"),
    ),
    // Errors, users, text.
    (
        "errors-many",
        |p| first(p, &error_row(1, "x").repeat(8193)),
        Dropped("window.errors: 8193 is over the limit of 8192"),
    ),
    ("errors-escape", escape_sequences, Taken),
    ("foreign-user", |p| progress(p, p.foreign, 1), Dropped("which is not this agent's")),
    (
        "user-over",
        |p| first(p, &[bytes(13, &varint(1 << 20)), bytes(14, &varint(2))].concat()),
        Dropped("does not lead to a higher slot below 1000000"),
    ),
    (
        "user-uneven",
        |p| first(p, &bytes(13, &varint(1))),
        Dropped("progress_iterations: holds 0 numbers for 1 slots"),
    ),
    (
        "iteration-over",
        |p| progress(p, p.foreign, 1 << 50),
        Dropped("progress_iterations[0]: 1125899906842624 is over"),
    ),
    (
        "digest",
        |p| {
            let state = Ok(PlanDigests { bundle_sha256: "é".repeat(32), meaning_sha256: String::new() });
            vec![proto::raw::agent_bytes(FromAgent::PlanState { run: p.run.clone(), state }).into()]
        },
        Dropped("plan_state.ready.bundle_sha256: is not 64 lower-case hexadecimal digits"),
    ),
    // Too much, too often.
    (
        "flood-renew",
        |_| renewals(FLOOD),
        Dropped("it sent more than 256 messages at once, or 10 in a second over time"),
    ),
    (
        "flood-window",
        |p| vec![plain(window(p, 1, 0)); FLOOD],
        Dropped("it sent more than 256 messages at once"),
    ),
    (
        "flood-large",
        |p| vec![window_with(window(p, 1, 0), &bytes(99, &vec![0; 64 << 10])); 300],
        Dropped("it sent more than 256 messages at once"),
    ),
    ("deaf", |_| renewals(200), Unheard("it let 128 messages pile up unread")),
];

/// What a stranger says first.
pub type FirstWord = fn() -> Bytes;

/// What strangers say instead of Hello, and why they are turned away.
pub const STRANGERS: &[(&str, FirstWord, &str)] = &[
    ("nothing", Bytes::new, "malformed message: kind: is missing"),
    ("no Hello", || bytes(4, &number(1, 1)).into(), "the first message must be Hello"),
    ("an empty Hello", || bytes(1, &[]).into(), "malformed message: hello.name: `` is not 1 to 64 letters"),
    ("no protobuf", || vec![0xff; 16].into(), "message: is not of the protocol"),
    ("a name that moves the cursor", || Hello::named("\u{1b}[2J"), "hello.name: ` [2J` is not 1 to 64"),
    ("a name that is a path", || Hello::named("../x"), "hello.name: `../x` is not 1 to 64"),
    ("a long name", || Hello::named(&"x".repeat(1000)), "is not 1 to 64"),
    (
        "no cores",
        || [Hello::named("x"), bytes(1, &number(6, 0)).into()].concat().into(),
        "hello.cores: 0 is outside",
    ),
    (
        "half a secret",
        || [Hello::named("x"), bytes(1, &bytes(15, b"half")).into()].concat().into(),
        "hello.join_secret: has 4 bytes",
    ),
];

/// Hellos as bytes.
struct Hello;

impl Hello {
    fn named(name: &str) -> Bytes {
        proto::raw::agent_bytes(FromAgent::Hello(hello(name))).into()
    }
}

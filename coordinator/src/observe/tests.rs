use super::*;
use crate::results::Results;
use metrics::threshold::Status;
use plan::observe::{Flaw, FlawKind};
use plan::{Bundle, Plan, Settings};
use std::sync::Arc;
use std::time::Duration;

/// A plan of 20 s, 4 s of them warm-up, with one probe that is asked every 2 s.
fn plan(thresholds: &str) -> Plan {
    let source = format!(
        "version: 1\nname: T\ntarget: http://localhost\nload: {{ users: 1, duration: 20s, warmup: 4s }}\n\
         users: {{ U: {{ tasks: {{ t: {{ get: / }} }} }} }}\n\
         observe: {{ pool: {{ get: /p, every: 2s, read: {{ a: $.a, b: $.b }}, thresholds: [ {thresholds} ] }} }}\n"
    );
    let bundle = Bundle { file: "plan.yaml".into(), source, settings: Settings::default() };
    bundle.compile().unwrap_or_else(|wrong| panic!("{thresholds}: {wrong}"))
}

fn flaw(kind: FlawKind, text: &str) -> Flaw {
    Flaw::new(kind, text)
}

/// Sample `nth`, with this value of `a` and 1 for `b`.
fn sample(nth: u64, value: Option<f64>) -> Sample {
    let a = value.ok_or_else(|| flaw(FlawKind::Missing, "no a"));
    Sample { probe: 0, due: Duration::from_secs(2 * nth), times: 1, figures: Ok(vec![a, Ok(1.0)]) }
}

/// Books of a run that told these values of `a`; `None` where it told none.
fn books(thresholds: &str, values: &[Option<f64>]) -> Books {
    let mut books = Books::new(&plan(thresholds));
    for (value, nth) in values.iter().zip(0..) {
        books.add(&sample(nth, *value));
    }
    books
}

/// How `sentence` came out, what was observed, and on how many samples.
fn check(sentence: &str, values: &[Option<f64>], expected: (Status, Option<f64>, u64)) {
    let judged = books(&format!("\"{sentence}\""), values).judged(false);
    let found = (judged[0].status, judged[0].observed, judged[0].samples);
    assert_eq!(found, expected, "{sentence} of {values:?}");
}

fn some(values: &[f64]) -> Vec<Option<f64>> {
    values.iter().copied().map(Some).collect()
}

#[test]
fn the_worst_sample_after_the_warm_up_decides() {
    // The first two are warm-up.
    let values = some(&[9.0, 9.0, 1.0, 5.0, 2.0]);
    check("a <= 5", &values, (Status::Pass, Some(5.0), 3));
    check("a <= 4 critical 5", &values, (Status::Warn, Some(5.0), 3));
    check("a < 5", &values, (Status::Fail, Some(5.0), 3));
    check("a >= 1", &values, (Status::Pass, Some(1.0), 3));
    check("a > 1", &values, (Status::Fail, Some(1.0), 3));
    check("a == 2", &values, (Status::Fail, Some(5.0), 3));
    check("a != 9", &values, (Status::Pass, Some(5.0), 3));
    check("b == 1", &values, (Status::Pass, Some(1.0), 3));
}

#[test]
fn no_samples_are_no_data_and_never_a_pass() {
    check("a <= 5", &[], (Status::NoData, None, 0));
    check("a <= 5", &some(&[1.0, 1.0]), (Status::NoData, None, 0));
    check("a <= 5", &[None, None, None, None], (Status::NoData, None, 0));
    check("a <= 5 samples 3", &some(&[0.0, 0.0, 1.0, 2.0]), (Status::NoData, None, 2));
    check("a <= 5 samples 2", &some(&[0.0, 0.0, 1.0, 2.0]), (Status::Pass, Some(2.0), 2));
    // What failed in between changes nothing.
    check("a <= 5", &[None, None, Some(3.0), None], (Status::Pass, Some(3.0), 1));
    let told = books("\"a <= 5\"", &[]).judged(false)[0].sentence();
    assert_eq!(told, "a of probe `pool` has no data, threshold a <= 5");
}

#[test]
fn windows_are_judged_by_their_mean() {
    // Windows of 6 s hold three samples; the first whole one ends with the fifth.
    let values = some(&[99.0, 99.0, 0.0, 6.0, 0.0, 3.0, 9.0]);
    check("a <= 4 over 6s", &values, (Status::Pass, Some(4.0), 3));
    check("a <= 3 over 6s", &values, (Status::Fail, Some(4.0), 3));
    check("a <= 1 over 16s", &values, (Status::NoData, None, 5));
    let judged = &books("\"a <= 3 critical 5 over 6s\"", &values).judged(false)[0];
    let span = judged.span.unwrap();
    assert_eq!((span.from, span.to, span.judged, span.missed), (8, 14, 3, 1));
    assert_eq!(
        judged.sentence(),
        "a of probe `pool` was 4 on average from 8 s to 14 s, the worst of 3 windows, 1 of which missed it; threshold \
         a <= 3 critical 5 over 6s"
    );
    check("a == 0.1 over 6s", &some(&[9.0, 9.0, 0.1, 0.1, 0.1, 0.1]), (Status::Pass, Some(0.1), 3));
    // A sample that failed leaves its place empty.
    check("a <= 3 over 6s", &[None, None, Some(1.0), None, Some(3.0)], (Status::Pass, Some(2.0), 2));
    check("a <= 3 over 6s samples 3", &[None, None, Some(1.0), None, Some(3.0)], (Status::NoData, None, 2));
}

#[test]
fn abort_stops_for_the_first_sample_that_misses_after_its_time() {
    let values = some(&[9.0, 9.0, 9.0, 1.0, 1.0, 9.0]);
    let breach = |sentence: &str| books(&format!("\"{sentence}\""), &values).breach().map(|b| b.at.as_secs());
    assert_eq!(breach("a <= 5"), None);
    assert_eq!(
        breach("a <= 5 abort after 1s"),
        Some(6),
        "missed in the first sample that counts, told in the next"
    );
    assert_eq!(breach("a <= 5 abort"), Some(10), "5 s after the warm-up at the earliest");
    assert_eq!(breach("a <= 9 abort"), None);
    assert_eq!(breach("a <= 5 samples 4 abort after 1s"), Some(10));
    let books = books("\"a <= 20\", \"a <= 5 abort after 1s\"", &values);
    let told = "the run stops: a of probe `pool` is 9, threshold a <= 5 abort after 1s";
    assert_eq!(books.breach().unwrap().told, told);
    let judged = books.judged(true);
    assert_eq!(judged[0].aborted, None);
    assert_eq!(
        judged[1].stopped_the_run().unwrap(),
        "the run was stopped after 6 s, because `a <= 5 abort after 1s` of probe `pool` was missed for certain"
    );
    assert_eq!(books.judged(false)[1].aborted, None, "something else stopped it");
}

#[test]
fn each_kind_of_failure_is_told_once_and_counted() {
    let mut books = Books::new(&plan(""));
    let failed = |nth, kind, text: &str| Sample { figures: Err(flaw(kind, text)), ..sample(nth, None) };
    let first = books.add(&failed(0, FlawKind::Timeout, "no answer within 2s"));
    assert_eq!(first, ["warning: probe `pool` has no value at 0.0 s: no answer within 2s"]);
    assert!(books.add(&failed(1, FlawKind::Timeout, "no answer within 2s")).is_empty());
    let other = books.add(&failed(2, FlawKind::Status, "the answer is HTTP 500"));
    assert_eq!(other, ["warning: probe `pool` has no value at 4.0 s: the answer is HTTP 500"]);
    assert_eq!(books.add(&sample(3, None)), ["warning: probe `pool` has no value at 6.0 s: no a"]);
    assert!(books.add(&sample(4, Some(1.0))).is_empty());
    let figures = books.figures();
    assert_eq!((figures[0].failures(), figures[1].failures()), (4, 3));
    assert_eq!(figures[0].flaws[&FlawKind::Timeout], (2, "no answer within 2s".to_owned()));
    assert_eq!(books.troubles(), ["probe `pool` gave no value of a 4 of 5 times: no answer within 2s"]);
}

#[test]
fn what_a_former_coordinator_sampled_is_not_taken_for_good() {
    let decided = |values: &[Option<f64>], lost: u64| {
        let mut books = Books::new(&plan("\"a <= 5\""));
        books.lost_before(Duration::from_secs(lost));
        for (value, nth) in values.iter().zip(lost.div_ceil(2)..) {
            books.add(&sample(nth, *value));
        }
        let judged = books.judged(false).remove(0);
        (judged.status, judged.undecided, books.figures()[0].failures())
    };
    assert_eq!(decided(&some(&[1.0, 1.0]), 9), (Status::Pass, true, 5));
    assert_eq!(decided(&some(&[1.0, 7.0]), 9), (Status::Fail, false, 5), "nothing makes that better");
    assert_eq!(decided(&some(&[1.0, 1.0, 1.0]), 4), (Status::Pass, false, 2), "it was warm-up");
}

#[test]
fn a_long_course_takes_no_more_memory_and_keeps_its_extremes() {
    let mut course = Course::default();
    for nth in 0..100_000_u64 {
        let value = match nth {
            70_001 => 5_000.0,
            123 => -7.0,
            _ => 10.0,
        };
        course.add(Duration::from_millis(100 * nth), (nth % 10 != 9).then_some(value));
    }
    let (points, whole) = (course.points(), course.whole().unwrap());
    assert!((200..=450).contains(&points.len()), "{}", points.len());
    assert_eq!((whole.due, whole.samples, whole.min, whole.max), (100_000, 90_000, -7.0, 5_000.0));
    assert!((whole.mean - (90_000.0 * 10.0 + 4_990.0 - 17.0) / 90_000.0).abs() < 1e-6, "{}", whole.mean);
    // The last sample has no value, so it is the one before.
    course.add(Duration::from_secs(10_000), Some(11.0));
    course.add(Duration::from_secs(10_001), None);
    assert_eq!(course.last(), Some(11.0));
    let points = course.points();
    assert!(points.windows(2).all(|pair| pair[0].at < pair[1].at));
    let peak = points.iter().find(|point| point.max > 10.0).unwrap();
    assert!(peak.at <= Duration::from_millis(7_000_100) && peak.mean < 100.0, "{peak:?}");
}

#[test]
fn numbers_are_told_as_they_are_written() {
    for (value, expected) in [
        (0.0, "0"),
        (3.0, "3"),
        (-2.5, "-2.5"),
        (0.125, "0.125"),
        (1_234_567.0, "1,234,567"),
        (1e-9, "1.0000e-9"),
        (1e18, "1.0000e18"),
    ] {
        assert_eq!(told(value), expected);
    }
}

#[test]
fn thresholds_on_figures_stand_among_the_others_while_the_run_lasts() {
    let mut results = Results::new(Arc::new(plan("\"a <= 4 critical 9\"")));
    let standing = |results: &Results| {
        let [one] = results.thresholds().try_into().expect("the plan has one");
        (one.expression, one.scope, one.status, one.observed)
    };
    let told = |status, observed: Option<&str>| {
        ("a <= 4 critical 9".to_owned(), "probe `pool`".to_owned(), status, observed.map(str::to_owned))
    };
    results.sampled(&sample(1, Some(99.0)));
    assert_eq!(standing(&results), told(Status::NoData, None), "that was warm-up");
    results.sampled(&sample(2, Some(5.0)));
    assert_eq!(standing(&results), told(Status::Warn, Some("5")));
}

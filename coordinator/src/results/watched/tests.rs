use crate::exit::ExitCode;
use crate::results::fixture::{Requests, Scripted, facts, plan};
use crate::results::{AgentId, JudgedThreshold, Record, Results, RunFacts, Span, Verdict};
use metrics::threshold::Status;
use plan::model::{GroupId, ThresholdScope};
use std::sync::Arc;
use std::time::Duration;

const PLAN: ThresholdScope = ThresholdScope::Plan;
const AUTH: ThresholdScope = ThresholdScope::Group(GroupId(0));
const A: AgentId = AgentId(0);

/// 100 requests of group `auth` in a second, and one of another group.
fn fast() -> Vec<Requests> {
    vec![(0, 50, 0, 100), (1, 50, 0, 100), (3, 1, 0, 900)]
}

fn slow() -> Vec<Requests> {
    vec![(0, 50, 0, 500), (1, 50, 0, 500), (3, 1, 0, 900)]
}

fn failing() -> Vec<Requests> {
    vec![(0, 0, 50, 100), (1, 0, 50, 100)]
}

fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// Ten seconds of an agent, of which the first `warmup` are warm-up; `change` at the end.
fn run(
    thresholds: &[(ThresholdScope, &str)],
    warmup: u64,
    requests: impl Fn(u32) -> Vec<Requests>,
    change: impl FnOnce(&mut RunFacts),
) -> Record {
    let mut plan = plan(thresholds);
    plan.warmup = secs(warmup);
    let mut results = Results::new(Arc::new(plan));
    let mut agent = Scripted::new(0, "a");
    results.agent_joined(A);
    for second in 0..9 {
        results.apply(A, &agent.window(second, 10, &requests(second))).unwrap();
    }
    results.apply(A, &agent.last(9, 0, &requests(9))).unwrap();
    let mut told = facts(&[&agent]);
    change(&mut told);
    results.finish(&told)
}

/// First second, end, windows judged, windows that missed a value.
type Window = (u32, u32, u64, u64);

fn outcome(judged: &JudgedThreshold) -> (Status, Option<f64>, Option<Window>) {
    let span = judged.span.map(|Span { from, to, judged, missed }| (from, to, judged, missed));
    (judged.judgement.status, judged.judgement.observed.map(f64::round), span)
}

#[test]
fn the_worst_window_decides() {
    // Slow from 4 s to 6 s.
    let requests = |second| if (4..6).contains(&second) { slow() } else { fast() };
    let check = |scope, sentence: &str, expected| {
        let record = run(&[(scope, sentence)], 0, requests, |_| {});
        assert_eq!(outcome(&record.thresholds[0]), expected, "{sentence}: {:?}", record.reasons);
        record
    };
    let missed = check(AUTH, "p95 <= 200ms over 2s", (Status::Fail, Some(500.0), Some((3, 5, 9, 3))));
    assert_eq!(
        missed.reasons[0],
        "p95 of group `auth` was 500 ms from 3 s to 5 s, the worst of 3 windows of 9 that missed it; threshold \
         p95 <= 200ms over 2s"
    );
    assert_eq!((missed.verdict, ExitCode::of(&missed)), (Verdict::Fail, ExitCode::Failed));
    check(AUTH, "p50 <= 200ms over 2s", (Status::Fail, Some(500.0), Some((4, 6, 9, 1))));
    check(AUTH, "p50 <= 200ms over 5s", (Status::Pass, Some(100.0), Some((0, 5, 6, 0))));
    check(AUTH, "p95 <= 200ms critical 600ms over 1s", (Status::Warn, Some(500.0), Some((4, 5, 10, 2))));
    check(AUTH, "max <= 450ms over 10s", (Status::Fail, Some(500.0), Some((0, 10, 1, 1))));
    check(AUTH, "mean <= 350ms over 3s", (Status::Fail, Some(367.0), Some((3, 6, 8, 2))));
    check(PLAN, "max <= 1s over 1s", (Status::Pass, Some(900.0), Some((0, 1, 10, 0))));
    check(PLAN, "rate >= 101/s over 2s", (Status::Pass, Some(101.0), Some((0, 2, 9, 0))));
    check(AUTH, "count >= 201 over 2s", (Status::Fail, Some(200.0), Some((0, 2, 9, 9))));
}

#[test]
fn what_ends_in_the_warm_up_or_after_the_schedule_is_in_no_window() {
    let cold = |second| if second < 3 { slow() } else { fast() };
    let record =
        run(&[(AUTH, "p95 <= 200ms over 2s"), (AUTH, "p95 <= 200ms abort after 1s")], 3, cold, |_| {});
    assert_eq!(record.verdict, Verdict::Pass, "{:?}", record.reasons);
    assert_eq!(record.thresholds[0].span, Some(Span { from: 3, to: 5, judged: 6, missed: 0 }));
    // Windows of the time after the schedule's end, while iterations finish.
    let mut results = Results::new(Arc::new(plan(&[(AUTH, "rate >= 100/s over 2s")])));
    let mut agent = Scripted::new(0, "a");
    for second in 0..13 {
        let requests = if second < 10 { fast() } else { vec![(0, 1, 0, 100)] };
        results.apply(A, &agent.window(second, 10, &requests)).unwrap();
    }
    results.apply(A, &agent.last(13, 0, &[])).unwrap();
    let record = results.finish(&facts(&[&agent]));
    assert_eq!(outcome(&record.thresholds[0]), (Status::Pass, Some(100.0), Some((0, 2, 9, 0))));
}

#[test]
fn a_stall_is_a_rate_of_nothing_and_no_latency() {
    let stall = |second| if (3..7).contains(&second) { Vec::new() } else { fast() };
    let record = run(
        &[
            (AUTH, "rate >= 50/s over 3s"),
            (AUTH, "p95 <= 200ms over 3s"),
            (AUTH, "p95 <= 200ms over 2s samples 150"),
        ],
        0,
        stall,
        |_| {},
    );
    assert_eq!(outcome(&record.thresholds[0]), (Status::Fail, Some(0.0), Some((3, 6, 8, 4))));
    // Two windows of three seconds had no request.
    assert_eq!(outcome(&record.thresholds[1]), (Status::Pass, Some(100.0), Some((0, 3, 6, 0))));
    assert_eq!(outcome(&record.thresholds[2]), (Status::Pass, Some(100.0), Some((0, 2, 4, 0))));
}

#[test]
fn no_window_is_no_pass() {
    let interrupted = |facts: &mut RunFacts| (facts.interrupted, facts.measured) = (Some(secs(2)), secs(2));
    let check = |scope, sentence: &str, requests: fn(u32) -> Vec<Requests>, reason: &str| {
        let record = run(&[(scope, sentence)], 0, requests, |_| {});
        assert_eq!(record.verdict, Verdict::Inconclusive, "{sentence}");
        assert_eq!(outcome(&record.thresholds[0]), (Status::NoData, None, None), "{sentence}");
        assert_eq!(record.reasons, [reason]);
    };
    let generation = ThresholdScope::Group(GroupId(1));
    let nothing = "rate of group `generation` had no window of 2 s with data, threshold rate <= 1/s over 2s";
    check(generation, "rate <= 1/s over 2s", |_| fast(), nothing);
    let few =
        "p95 of group `auth` had no window of 2 s with 201 requests, threshold p95 <= 1s over 2s samples 201";
    check(AUTH, "p95 <= 1s over 2s samples 201", |_| fast(), few);
    let whole = "p95 of group `auth` rests on only 1,000 requests, threshold p95 <= 1s samples 1001";
    check(AUTH, "p95 <= 1s samples 1001", |_| fast(), whole);
    // The operator stopped the run before a window was full; seconds after that count for nobody.
    let mut results = Results::new(Arc::new(plan(&[(AUTH, "p95 <= 1s over 3s")])));
    let mut agent = Scripted::new(0, "a");
    results.apply(A, &agent.window(0, 10, &fast())).unwrap();
    results.interrupted(secs(2));
    for second in 1..5 {
        results.apply(A, &agent.window(second, 10, &fast())).unwrap();
    }
    results.apply(A, &agent.last(5, 0, &[])).unwrap();
    let mut told = facts(&[&agent]);
    interrupted(&mut told);
    let record = results.finish(&told);
    assert_eq!(outcome(&record.thresholds[0]), (Status::NoData, None, None));
}

#[test]
fn windows_are_of_all_agents_together_in_whatever_order_they_come() {
    let sentence =
        [(AUTH, "p95 <= 200ms over 2s"), (AUTH, "rate >= 300/s over 1s"), (PLAN, "p50 <= 200ms over 5s")];
    let requests = |second| if (4..6).contains(&second) { slow() } else { fast() };
    let judged = |order: &dyn Fn(u32) -> Vec<u32>| {
        let mut results = Results::new(Arc::new(plan(&sentence)));
        let mut agents: Vec<Scripted> = (0..3).map(|id| Scripted::new(id, "a")).collect();
        for id in 0..3 {
            results.agent_joined(AgentId(id));
        }
        for second in 0..10 {
            for id in order(second) {
                let agent = &mut agents[id as usize];
                let window = match second {
                    9 => agent.last(second, 0, &requests(second)),
                    _ => agent.window(second, 10, &requests(second)),
                };
                results.apply(AgentId(id), &window).unwrap();
            }
        }
        let record = results.finish(&facts(&agents.iter().collect::<Vec<_>>()));
        record.thresholds.iter().map(outcome).collect::<Vec<_>>()
    };
    let in_order = judged(&|_| vec![0, 1, 2]);
    assert_eq!(in_order[0], (Status::Fail, Some(500.0), Some((3, 5, 9, 3))));
    assert_eq!(in_order[1], (Status::Pass, Some(300.0), Some((0, 1, 10, 0))));
    assert_eq!(judged(&|second| if second % 2 == 0 { vec![2, 0, 1] } else { vec![1, 2, 0] }), in_order);
}

/// When, since T0, the thresholds would stop the run, and which one.
fn breach(
    thresholds: &[(ThresholdScope, &str)],
    warmup: u64,
    requests: impl Fn(u32) -> Vec<Requests>,
) -> Option<(usize, u64)> {
    let mut plan = plan(thresholds);
    plan.warmup = secs(warmup);
    let mut results = Results::new(Arc::new(plan));
    let mut agent = Scripted::new(0, "a");
    results.agent_joined(A);
    for second in 0..10 {
        results.apply(A, &agent.window(second, 10, &requests(second))).unwrap();
        if let Some(breach) = results.breach() {
            assert_eq!(breach.at, secs(u64::from(second) + 1), "known as soon as the second is closed");
            assert!(results.breach_text().unwrap().starts_with("the run stops: "));
            return Some((breach.threshold, breach.at.as_secs()));
        }
    }
    None
}

#[test]
fn a_run_is_stopped_when_it_is_lost_and_not_before() {
    let check = |sentence: &str, warmup: u64, requests: fn(u32) -> Vec<Requests>, at: Option<u64>| {
        let thresholds = [(AUTH, "p95 <= 1ms"), (AUTH, sentence)];
        assert_eq!(breach(&thresholds, warmup, requests), at.map(|at| (1, at)), "{sentence}");
    };
    check("error_rate <= 1% abort", 0, |_| failing(), Some(5));
    check("error_rate <= 1% abort after 1s", 0, |_| failing(), Some(1));
    check("error_rate <= 1% abort after 2s", 3, |_| failing(), Some(5));
    check("error_rate <= 1% samples 301 abort after 1s", 0, |_| failing(), Some(4));
    check("error_rate <= 1%", 0, |_| failing(), None);
    check("error_rate <= 1% abort", 0, |_| fast(), None);
    check("p95 <= 200ms abort after 1s", 0, |s| if s < 4 { fast() } else { slow() }, Some(5));
    check("p95 <= 200ms critical 600ms abort after 1s", 0, |_| slow(), None);
    check("p95 <= 200ms over 3s abort after 1s", 0, |s| if s < 4 { fast() } else { slow() }, Some(5));
    check("p50 <= 200ms over 3s abort after 1s", 0, |s| if s < 4 { fast() } else { slow() }, Some(6));
    check("p50 <= 200ms over 3s abort after 9s", 0, |s| if s < 4 { fast() } else { slow() }, Some(9));
    check("count >= 5000 abort after 1s", 0, |_| fast(), None);
    check("rate >= 101/s abort after 2s", 0, |_| fast(), Some(2));
}

#[test]
fn what_stopped_the_run_stays_missed() {
    // All requests failed when the run was stopped; those that were running then all succeeded.
    let requests = |second| if second < 2 { failing() } else { fast() };
    let sentence = "error_rate <= 30% abort after 2s";
    let mut results = Results::new(Arc::new(plan(&[(AUTH, sentence), (AUTH, "p95 <= 200ms over 5s")])));
    let mut agent = Scripted::new(0, "a");
    for second in 0..9 {
        results.apply(A, &agent.window(second, 10, &requests(second))).unwrap();
        if second == 1 {
            results.interrupted(Duration::from_millis(2_100));
        }
    }
    results.apply(A, &agent.last(9, 0, &requests(9))).unwrap();
    let mut told = facts(&[&agent]);
    (told.aborted, told.measured) = (Some(Duration::from_millis(2_100)), secs(2));
    let record = results.finish(&told);
    assert_eq!((record.verdict, ExitCode::of(&record)), (Verdict::Fail, ExitCode::Failed));
    assert_eq!(
        record.reasons[..2],
        [
            format!(
                "the run was stopped after 2 s, because `{sentence}` of group `auth` was missed for certain"
            ),
            format!("error_rate of group `auth` is 100 %, threshold {sentence}"),
        ]
    );
    assert_eq!(record.thresholds[0].aborted, Some(secs(2)));
    assert_eq!(record.thresholds[1].judgement.status, Status::NoData, "there was no window of 5 s");
    assert!(!record.reasons.iter().any(|reason| reason.contains("interrupted")), "{:?}", record.reasons);
    // Not stopped, the same run recovers.
    let record = run(&[(AUTH, sentence)], 0, requests, |_| {});
    assert_eq!((record.verdict, record.thresholds[0].aborted), (Verdict::Pass, None));
}

#[test]
fn missing_requests_turn_a_window_only_if_it_cannot_bear_them() {
    // 200 requests in each window; p95 <= 200 ms bears 10 more that are slow.
    let lose = |missing: u64| {
        move |facts: &mut RunFacts| {
            facts.agents[0].finished = false;
            facts.agents[0].last_cumulative.started += missing;
            facts.agents[0].lost =
                Some(crate::results::Lost { reason: "killed".to_owned(), at: secs(10), quiet_at: secs(14) });
        }
    };
    let check = |sentence: &str, missing: u64, verdict: Verdict| {
        let record = run(&[(AUTH, sentence)], 0, |_| fast(), lose(missing));
        assert_eq!(record.verdict, verdict, "{sentence} with {missing} missing: {:?}", record.reasons);
    };
    check("p95 <= 200ms over 2s", 10, Verdict::Pass);
    check("p95 <= 200ms over 2s", 11, Verdict::Inconclusive);
    check("p95 <= 50ms over 2s", 11, Verdict::Fail);
    check("success_rate >= 99% over 2s", 2, Verdict::Pass);
    check("success_rate >= 99% over 2s", 3, Verdict::Inconclusive);
    check("rate >= 90/s over 2s", 1_000, Verdict::Pass);
    check("max <= 200ms over 2s", 1, Verdict::Inconclusive);
}

#[test]
fn a_window_that_comes_too_late_is_in_no_sliding_window_and_counts_as_missing() {
    let mut results = Results::new(Arc::new(plan(&[(AUTH, "p95 <= 200ms over 2s")])));
    let (mut prompt, mut tardy) = (Scripted::new(0, "prompt"), Scripted::new(1, "tardy"));
    results.agent_joined(AgentId(1));
    for second in 0..9 {
        results.apply(A, &prompt.window(second, 10, &fast())).unwrap();
    }
    results.apply(A, &prompt.last(9, 0, &fast())).unwrap();
    results.apply(AgentId(1), &tardy.window(0, 10, &slow())).unwrap();
    results.apply(AgentId(1), &tardy.last(9, 0, &[])).unwrap();
    let record = results.finish(&facts(&[&prompt, &tardy]));
    assert_eq!(outcome(&record.thresholds[0]), (Status::Pass, Some(100.0), Some((0, 2, 9, 0))));
    assert_eq!(record.verdict, Verdict::Inconclusive, "{:?}", record.reasons);
}

#[test]
fn windows_that_had_to_wait_keep_their_counts_and_their_latencies() {
    let sentences =
        [(AUTH, "rate >= 100/s over 5s"), (AUTH, "p95 <= 200ms over 5s"), (AUTH, "count <= 500 over 5s")];
    let mut results = Results::new(Arc::new(plan(&sentences)));
    let mut agent = Scripted::new(0, "a");
    results.agent_joined(A);
    let mut seconds: Vec<_> = (0..9).map(|second| agent.window(second, 10, &fast())).collect();
    seconds.push(agent.last(9, 0, &fast()));
    let mut seconds = seconds.into_iter();
    for span in [1, 4, 5] {
        let first = seconds.next().unwrap();
        let whole = (1..span).fold(first, |window, _| window.merged(&seconds.next().unwrap()).unwrap());
        results.apply(A, &whole).unwrap();
    }
    let record = results.finish(&facts(&[&agent]));
    let outcomes: Vec<_> = record.thresholds.iter().map(outcome).collect();
    assert_eq!(outcomes[0], (Status::Pass, Some(100.0), Some((0, 5, 6, 0))));
    assert_eq!(outcomes[1], (Status::Pass, Some(100.0), Some((0, 5, 6, 0))));
    assert_eq!(outcomes[2], (Status::Pass, Some(500.0), Some((0, 5, 6, 0))));
}

#[test]
fn only_the_seconds_of_the_longest_window_are_kept() {
    let mut plan =
        plan(&[(AUTH, "p95 <= 200ms over 3s"), (AUTH, "rate >= 1/s over 5s"), (PLAN, "p95 <= 1s abort")]);
    plan.schedule = plan::schedule::Schedule::constant(10, None, secs(1_000));
    let mut results = Results::new(Arc::new(plan));
    let mut agent = Scripted::new(0, "a");
    results.agent_joined(A);
    for second in 0..500 {
        results.apply(A, &agent.window(second, 10, &fast())).unwrap();
        let kept: Vec<usize> = results.watched.scopes.iter().map(|scope| scope.closed.len()).collect();
        assert!(kept[0] <= 5 && kept[1] == 0, "{kept:?} after {second}");
        assert!(results.watched.scopes.iter().all(|scope| scope.open.len() <= 1));
    }
}

#[test]
fn the_reasons_say_where_chance_could_have_turned_a_threshold() {
    // In each of ten seconds, so many requests take 300 ms and 100 ms.
    let check = |slow: u64, fast: u64, sentence: &str, verdict: Verdict, reasons: &[&str]| {
        let record = run(&[(AUTH, sentence)], 0, |_| vec![(0, slow, 0, 300), (1, fast, 0, 100)], |_| {});
        assert_eq!(record.verdict, verdict);
        assert_eq!(record.reasons, reasons);
    };
    let met = "the one threshold was met";
    check(1, 99, "p95 <= 200ms", Verdict::Pass, &[met]);
    check(
        4,
        96,
        "p95 <= 200ms",
        Verdict::Pass,
        &[met, "p95 of group `auth` is 100 ms, but the 95 % interval 100-300 ms straddles the limit 200 ms"],
    );
    check(
        6,
        94,
        "p95 <= 200ms critical 250ms",
        Verdict::Fail,
        &[
            "p95 of group `auth` is 300 ms, threshold p95 <= 200ms critical 250ms",
            "p95 of group `auth` is 300 ms, but the 95 % interval 100-300 ms straddles the limit 250 ms",
        ],
    );
    check(
        0,
        5,
        "p95 <= 1s",
        Verdict::Pass,
        &[
            met,
            "p95 of group `auth` is 100 ms, but the 95 % interval straddles the limit 1 s: 50 samples bound no upper end, it takes 72",
        ],
    );
    let record = run(&[(AUTH, "p95 <= 200ms")], 0, |_| vec![(0, 4, 0, 300), (1, 96, 0, 100)], |_| {});
    let row = &serde_json::to_value(crate::report::Report::new(&record)).unwrap()["thresholds"][0];
    assert_eq!(
        (&row["straddles"], &row["window"], &row["aborted_at_s"]),
        (&true.into(), &serde_json::Value::Null, &serde_json::Value::Null)
    );
    assert_eq!((row["ci_low"].as_f64(), row["ci_high"].as_f64()), (Some(99.968), Some(300.031)));
}

use super::fixture::{self, Requests, Scripted, facts, plan, record};
use super::*;
use crate::exit::ExitCode;
use metrics::{Recorder, Sample, Window};
use plan::model::{GroupId, ThresholdScope};
use proptest::prelude::*;
use proto::message::{HealthReport, SeriesReport};

mod merged;

const PLAN: ThresholdScope = ThresholdScope::Plan;
const AUTH: ThresholdScope = ThresholdScope::Group(GroupId(0));
const GENERATION: ThresholdScope = ThresholdScope::Group(GroupId(1));
const A: AgentId = AgentId(0);
const B: AgentId = AgentId(1);
const C: AgentId = AgentId(2);

/// 100 requests of group `auth` per second in 100 ms; one of them fails.
const STEADY: &[Requests] = &[(0, 9, 1, 100), (1, 90, 0, 100)];

fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// Loses the one agent at `at` with `in_flight` requests open.
fn lost(facts: &mut RunFacts, at: Duration) {
    facts.agents[0].finished = false;
    facts.agents[0].lost =
        Some(Lost { reason: "it closed the stream".to_owned(), at, quiet_at: at + crate::fleet::LEASE });
}

#[test]
fn verdicts_and_their_reasons() {
    type Change = fn(&mut RunFacts);
    let check = |thresholds: &[(ThresholdScope, &str)],
                 requests: &[Requests],
                 change: Change,
                 expected: (Verdict, ExitCode),
                 reasons: &[&str]| {
        let record = record(thresholds, requests, |_, facts| change(facts));
        assert_eq!((record.verdict, ExitCode::of(&record)), expected, "{:?}", record.reasons);
        assert_eq!(record.reasons, reasons);
    };
    let as_it_was: Change = |_| {};
    let passed = (Verdict::Pass, ExitCode::Passed);
    let warned = (Verdict::Warn, ExitCode::Passed);
    let failed = (Verdict::Fail, ExitCode::Failed);
    let inconclusive = (Verdict::Inconclusive, ExitCode::Inconclusive);

    check(&[], STEADY, as_it_was, passed, &["the plan states no thresholds"]);
    check(&[(AUTH, "p95 <= 200ms")], STEADY, as_it_was, passed, &["the one threshold was met"]);
    let two = [(AUTH, "p95 <= 200ms"), (PLAN, "success_rate >= 99%")];
    check(&two, STEADY, as_it_was, passed, &["all 2 thresholds were met"]);
    let warn = "p95 of group `auth` is 100 ms, threshold p95 <= 50ms critical 1s";
    check(&[(AUTH, "p95 <= 50ms critical 1s")], STEADY, as_it_was, warned, &[warn]);
    check(
        &[(AUTH, "p95 <= 50ms critical 1s"), (PLAN, "success_rate >= 99.5%"), (AUTH, "rate >= 100/s")],
        STEADY,
        as_it_was,
        failed,
        &["success_rate of all requests is 99 %, threshold success_rate >= 99.5%", warn],
    );
    let no_data = "p95 of group `generation` has no data, threshold p95 <= 1s";
    check(&[(GENERATION, "p95 <= 1s")], STEADY, as_it_was, inconclusive, &[no_data]);
    check(&[], &[], as_it_was, inconclusive, &["no request was measured"]);

    // An interruption ends a run without an answer, except that what was missed was missed.
    let interrupt: Change = |facts| facts.interrupted = Some(Duration::from_millis(9_900));
    let interrupted = (Verdict::Inconclusive, ExitCode::Interrupted);
    check(&[], STEADY, interrupt, interrupted, &["the run was interrupted after 9.9 s"]);
    check(
        &[(AUTH, "p95 <= 50ms")],
        STEADY,
        interrupt,
        (Verdict::Fail, ExitCode::Interrupted),
        &["p95 of group `auth` is 100 ms, threshold p95 <= 50ms", "the run was interrupted after 9.9 s"],
    );

    let not_started: Change = |facts| facts.not_started = Some("2 of 3 agents came".to_owned());
    let agents = (Verdict::Inconclusive, ExitCode::Agents);
    check(&[], &[], not_started, agents, &["the run did not start: 2 of 3 agents came"]);

    // Lost at the end of the last second: nothing can have started after it.
    let at_the_end: Change = |facts| lost(facts, seconds(10));
    let loss = "agent a was lost at 10.0 s (it closed the stream): at most 0 requests are missing";
    check(&[(AUTH, "p95 <= 200ms")], STEADY, at_the_end, passed, &["the one threshold was met", loss]);
    // It started 3 more than it finished, and those are missing.
    let three_open: Change = |facts| {
        lost(facts, seconds(10));
        facts.agents[0].last_cumulative.started += 3;
    };
    let loss = "agent a was lost at 10.0 s (it closed the stream): at most 3 requests are missing";
    check(&[(AUTH, "p95 <= 200ms")], STEADY, three_open, passed, &["the one threshold was met", loss]);
    check(
        &[(AUTH, "p95 <= 50ms"), (AUTH, "count >= 1003")],
        STEADY,
        three_open,
        failed,
        &[
            "p95 of group `auth` is 100 ms, threshold p95 <= 50ms",
            "count of group `auth` is 1,000, threshold count >= 1003: \
             the missing requests (at most 3) could change that",
            loss,
        ],
    );
    check(
        &[(AUTH, "count >= 1003")],
        STEADY,
        three_open,
        agents,
        &[
            "count of group `auth` is 1,000, threshold count >= 1003: \
             the missing requests (at most 3) could change that",
            loss,
        ],
    );
    check(
        &[(AUTH, "max <= 200ms")],
        STEADY,
        three_open,
        agents,
        &[
            "max of group `auth` is 100 ms, threshold max <= 200ms: \
             the missing requests (at most 3) could change that",
            loss,
        ],
    );
}

#[test]
fn rounding_never_makes_a_missed_value_look_met() {
    let record = record(&[(PLAN, "p95 <= 100.04ms"), (PLAN, "rate >= 100.001/s")], STEADY, |_, _| {});
    let observed: Vec<_> = record.thresholds.iter().map(|t| t.observed().unwrap()).collect();
    assert_eq!(observed, ["100.03 ms", "100.000/s"], "{:?}", record.reasons);
}

#[test]
fn an_unfit_generator_never_passes() {
    let check = |cpu_permille: u32, lag_ms: u64, verdict: Verdict, last_reason: &str| {
        let mut agent = Scripted::new(0, "a");
        (agent.cpu_permille, agent.lag) = (cpu_permille, Duration::from_millis(lag_ms));
        let mut results = Results::new(Arc::new(plan(&[(AUTH, "p95 <= 200ms")])));
        for second in 0..9 {
            results.apply(A, &agent.window(second, 10, STEADY)).unwrap();
        }
        results.apply(A, &agent.last(9, 10, STEADY)).unwrap();
        let record = results.finish(&facts(&[&agent]));
        assert_eq!(record.verdict, verdict, "{:?}", record.reasons);
        assert_eq!(record.reasons.last().unwrap(), last_reason);
    };
    check(500, 5, Verdict::Pass, "the one threshold was met");
    check(
        900,
        5,
        Verdict::Pass,
        "agent a used 90 % of its processor time in its busiest ten seconds (limit 85 %), from second 0 on, 10 s in all: \
         it may have added to the latencies; give it more cores or fewer users (--max-users), or add agents",
    );
    check(
        960,
        60,
        Verdict::Inconclusive,
        "agent a used 96 % of its processor time in its busiest ten seconds (limit 95 %), from second 0 on, 10 s in all: \
         what was measured is its own, not the target's; give it more cores or fewer users (--max-users), or add agents",
    );
}

#[test]
fn what_a_lost_agent_took_is_bounded() {
    let check = |at: Duration, assigned: u32, in_flight: u64, expected: Option<u64>| {
        let mut agent = Scripted::new(0, "a");
        agent.facts.users_assigned = assigned;
        let mut results = Results::new(Arc::new(plan(&[])));
        results.apply(A, &agent.window(0, 10, &[(0, 50, 0, 1)])).unwrap();
        let mut window = agent.window(1, 10, &[(0, 20, 0, 1)]);
        window.in_flight = in_flight;
        results.apply(A, &window).unwrap();
        let mut told = facts(&[&agent]);
        lost(&mut told, at);
        let record = results.finish(&told);
        assert_eq!(record.accounting.lost_at_most, expected, "lost at {at:?}");
        assert_eq!(record.accounting.agents[0].status, AccountStatus::Lost);
        assert!(!record.accounting.is_exact());
    };
    // Unseen from 2 s to 2.5 s and the lease of 4 s, at the pace of the busiest second: 4.5 * 50.
    check(Duration::from_millis(2_500), 10, 0, Some(225));
    check(Duration::from_millis(2_500), 10, 7, Some(232));
    check(Duration::from_millis(2_500), 20, 0, Some(450));
    check(Duration::from_millis(2_501), 10, 0, Some(226));
    check(seconds(60), 10, 0, Some(8 * 50));
    check(seconds(1), 10, 0, Some(3 * 50));

    // Lost before its first window: as fast as the others, or without a bound.
    let mut told = facts(&[&Scripted::new(0, "a")]);
    lost(&mut told, seconds(1));
    let alone = Results::new(Arc::new(plan(&[(PLAN, "count >= 1")]))).finish(&told);
    assert_eq!(alone.accounting.lost_at_most, None);
    assert_eq!((alone.verdict, ExitCode::of(&alone)), (Verdict::Inconclusive, ExitCode::Agents));
    let mut other = Scripted::new(1, "b");
    let mut results = Results::new(Arc::new(plan(&[])));
    results.apply(B, &other.last(9, 10, &[(0, 30, 0, 1)])).unwrap();
    told.agents.push(other.facts.clone());
    assert_eq!(results.finish(&told).accounting.lost_at_most, Some(5 * 30));
}

#[test]
fn totals_that_differ_are_no_exact_accounting() {
    let record = record(&[], STEADY, |_, facts| facts.agents[0].last_cumulative.ok += 2);
    assert_eq!(record.accounting.agents[0].status, AccountStatus::Mismatch);
    assert!(!record.accounting.is_exact());
    assert!(record.reasons[1].starts_with("agent a counted other totals"), "{:?}", record.reasons);
}

#[test]
fn a_second_waits_for_every_agent_but_not_forever() {
    let mut agents = [Scripted::new(0, "fast"), Scripted::new(1, "slow"), Scripted::new(2, "gone")];
    let mut results = Results::new(Arc::new(plan(&[])));
    for id in [A, B, C] {
        results.agent_joined(id);
    }
    let mut report = |results: &mut Results, id: AgentId, index: u32| {
        let window = agents[id.0 as usize].window(index, 3, &[(0, 10, 0, 100)]);
        results.apply(id, &window).unwrap();
        results.live().second
    };
    assert_eq!(report(&mut results, A, 0), None, "two have not reported");
    assert_eq!(report(&mut results, B, 0), None, "one has not reported");
    assert_eq!(report(&mut results, C, 0), Some(0));
    assert_eq!(report(&mut results, A, 1), Some(0));
    assert_eq!(report(&mut results, B, 1), Some(0));
    results.agent_gone(C);
    assert_eq!(results.live().second, Some(1), "nobody waits for one that is gone");
    assert_eq!(results.live().users, 6);
    for index in 2..7 {
        assert_eq!(report(&mut results, A, index), Some(1), "the slow one may still report");
    }
    assert_eq!(report(&mut results, A, 7), Some(2), "5 s ahead");
    assert_eq!(report(&mut results, B, 2), Some(2), "too late");
    assert_eq!(report(&mut results, B, 5), Some(5), "it says that it has nothing before");
    let told = facts(&[&agents[0], &agents[1], &agents[2]]);
    let record = results.finish(&told);
    let points: Vec<_> = record.timeline.iter().map(|p| (p.second, p.users, p.requests)).collect();
    assert_eq!(
        points,
        [(0, 9, 30), (1, 6, 20), (2, 3, 10), (3, 3, 10), (4, 3, 10), (5, 6, 20), (6, 3, 10), (7, 3, 10)]
    );
    assert_eq!(record.late, 10);
    assert_eq!(record.stats(PLAN).requests(), 130, "late requests are in the totals");
}

#[test]
fn live_shows_the_last_closed_second() {
    let mut agent = Scripted::new(0, "a");
    let mut plan = plan(&[]);
    plan.schedule = fixture::ramp();
    let mut results = Results::new(Arc::new(plan));
    assert_eq!(results.live(), Live::default());
    results.apply(A, &agent.window(0, 1, STEADY)).unwrap();
    results.apply(A, &agent.window(1, 2, &[(0, 7, 0, 200)])).unwrap();
    results.apply(A, &agent.window(2, 3, &[])).unwrap();
    let live = results.live();
    assert_eq!((live.second, live.users, live.target_users), (Some(2), 3, 4));
    assert_eq!((live.rps, live.requests, live.failures), (0, 107, 1));
    assert_eq!(live.p95.map(|p95| p95.as_millis()), Some(200), "of the second before");
    for index in 3..8 {
        results.apply(A, &agent.window(index, 3, &[])).unwrap();
    }
    assert_eq!(results.live().p95, None, "too old");
}

#[test]
fn a_run_without_the_asked_users_says_nothing_about_them() {
    let check = |last_second: u32, verdict: Verdict| {
        let mut agent = Scripted::new(0, "a");
        let mut results = Results::new(Arc::new(plan(&[(AUTH, "p95 <= 200ms")])));
        results.agent_joined(A);
        for second in 0..last_second {
            results.apply(A, &agent.window(second, 10, STEADY)).unwrap();
        }
        results.apply(A, &agent.last(last_second, 0, STEADY)).unwrap();
        let record = results.finish(&facts(&[&agent]));
        assert_eq!(record.verdict, verdict, "{:?}", record.reasons);
        assert!(record.accounting.is_exact(), "it left in good order");
    };
    check(9, Verdict::Pass);
    check(4, Verdict::Inconclusive);
}

#[test]
fn a_lost_agent_may_have_finished_its_iterations_unseen() {
    let mut agent = Scripted::new(0, "a");
    let mut with_drain = plan(&[]);
    with_drain.stop_timeout = seconds(30);
    let mut results = Results::new(Arc::new(with_drain));
    results.apply(A, &agent.window(9, 10, STEADY)).unwrap();
    let mut told = facts(&[&agent]);
    lost(&mut told, seconds(10));
    // From the end of the schedule at 10 s to the end of the lease at 14 s, a hundred a second.
    assert_eq!(results.finish(&told).accounting.lost_at_most, Some(400));
}

#[test]
fn missing_users_are_counted() {
    let record = record(&[], STEADY, |_, _| {});
    assert_eq!((record.users.target, record.users.missing), (seconds(100), seconds(0)));
}

#[test]
fn transactions_and_completions_are_judged_but_are_no_requests() {
    use plan::model::SeriesKind::{Completion, Evaluation, Request, Transaction};
    let check = |kind, is_request: bool| {
        let one = ThresholdScope::Request(metrics::SeriesId(1));
        let mut plan = plan(&[(PLAN, "count >= 1"), (AUTH, "count >= 1"), (one, "count >= 1")]);
        plan.series[1].kind = kind;
        let mut agent = Scripted::new(0, "a");
        let mut results = Results::new(Arc::new(plan));
        results.agent_joined(A);
        results.apply(A, &agent.window(0, 10, STEADY)).unwrap();
        let (counted, failures) = if is_request { (100, 1) } else { (10, 1) };
        assert_eq!((results.live().requests, results.live().failures), (counted, failures));
        results.apply(A, &agent.last(1, 0, &[(1, 0, 5, 7)])).unwrap();
        let record = results.finish(&facts(&[&agent]));
        let more = if is_request { 5 } else { 0 };
        for scope in [PLAN, AUTH] {
            assert_eq!(record.stats(scope).requests(), counted + more);
            assert_eq!(record.stats(scope).failed, failures + more);
        }
        assert_eq!(record.stats(one).requests(), 95, "its own thresholds see all of it");
        let samples: Vec<u64> = record.thresholds.iter().map(|t| t.judgement.samples).collect();
        assert_eq!(samples, [counted + more, counted + more, 95]);
        let timeline: Vec<(u64, u64)> = record.timeline.iter().map(|p| (p.requests, p.failures)).collect();
        assert_eq!(timeline, [(counted, failures), (more, more)]);
        let books = &record.accounting;
        assert_eq!((books.started, books.merged, books.is_exact()), (105, 105, true), "everything started");
    };
    check(Request(plan::model::Method::Get), true);
    check(Evaluation, true);
    check(Transaction, false);
    check(Completion, false);
}

#[test]
fn a_bad_window_changes_nothing() {
    let mut agent = Scripted::new(0, "a");
    let mut results = Results::new(Arc::new(plan(&[])));
    results.apply(A, &agent.window(0, 10, STEADY)).unwrap();
    let before = format!("{results:?}");
    let mut check = |spoil: fn(&mut WindowReport), expected: &str| {
        let mut window = agent.window(1, 10, STEADY);
        spoil(&mut window);
        let error = results.apply(A, &window).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(format!("{results:?}"), before, "{expected}");
    };
    check(|w| w.series[1].latency = vec![0xff; 64].into(), "the latencies of series 1");
    check(|w| w.series[1].latency = Vec::new().into(), "the latencies of series 1");
    check(|w| w.series[1].service = vec![0xff; 64].into(), "the latencies of series 1");
    check(
        |w| w.series[1].service = w.series[0].latency.clone(),
        "series 1 counts 90 requests, but its histogram holds ",
    );
    check(|w| w.series[1].ok += 1, "series 1 counts 91 requests, but its histogram holds 90");
    check(|w| w.series[1].series = SeriesId(4), "series 4 is not one of the plan's 4");
    check(|w| w.errors[0].series = SeriesId(u32::MAX), "series 4294967295 is not");
    check(|w| w.health.lag = vec![1, 2, 3].into(), "the agent's lag");
}

#[test]
fn a_series_that_is_full_refuses_more() {
    let mut agent = Scripted::new(0, "a");
    let mut results = Results::new(Arc::new(plan(&[])));
    results.series[0].ok = MAX_SAMPLES - 1;
    results.apply(A, &agent.window(0, 10, &[(0, 1, 0, 5)])).unwrap();
    let error = results.apply(A, &agent.window(1, 10, &[(0, 1, 0, 5)])).unwrap_err();
    assert_eq!(error, ApplyError::Full { series: 0, held: MAX_SAMPLES, added: 1 });
}

/// A window of a recorder as it would travel.
fn travelling(window: &Window, last: bool) -> WindowReport {
    let series = window.series.iter().map(|(&series, stats)| {
        let mut latency = Vec::new();
        stats.latency.encode_v2(&mut latency);
        SeriesReport {
            series,
            ok: stats.ok,
            failed: stats.failed,
            bytes_in: stats.bytes_in,
            bytes_out: stats.bytes_out,
            messages_sent: stats.messages_sent,
            messages_received: stats.messages_received,
            phases: stats.phases,
            latency: latency.into(),
            service: Vec::new().into(),
        }
    });
    WindowReport {
        index: window.index,
        started: window.started,
        series: series.collect(),
        errors: window.errors.rows().cloned().collect(),
        health: HealthReport::default(),
        last,
        ..Scripted::new(0, "a").window(0, 1, &[])
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn totals_equal_those_of_a_single_recorder(
        samples in prop::collection::vec((0_u32..3, 0_u32..4, 0_u64..6_000, 1_u64..5_000_000, any::<bool>()), 0..120),
    ) {
        let mut ordered = samples;
        ordered.sort_by_key(|sample| sample.2);
        let mut single = Recorder::new(4);
        let mut parts = [Recorder::new(4), Recorder::new(4), Recorder::new(4)];
        for (agent, series, ended_ms, latency_us, ok) in ordered {
            let ended = Duration::from_millis(ended_ms);
            let sample = Sample {
                series: SeriesId(series),
                ended,
                latency: Duration::from_micros(latency_us), late: Duration::ZERO,
                phases: metrics::Phases { body: Some(Duration::from_micros(latency_us / 2)), ..Default::default() },
                bytes_out: latency_us % 1000,
                bytes_in: latency_us % 777,
                outcome: if ok { Ok(()) } else { Err(metrics::Failure::new(metrics::ErrorKind::Reset, "reset")) },
            };
            for recorder in [&mut single, &mut parts[agent as usize]] {
                recorder.start(ended);
                recorder.record(&sample);
            }
        }
        let mut results = Results::new(Arc::new(plan(&[])));
        for (recorder, id) in parts.iter_mut().zip(0..) {
            for window in recorder.take_all() {
                results.apply(AgentId(id), &travelling(&window, false)).unwrap();
            }
        }
        let mut expected = vec![SeriesStats::default(); 4];
        for window in single.take_all() {
            for (series, stats) in &window.series {
                expected[series.0 as usize].merge(stats);
            }
        }
        let record = results.finish(&facts(&[]));
        prop_assert_eq!(&record.series, &expected);
        let mut all = SeriesStats::default();
        for stats in &expected {
            all.merge(stats);
        }
        prop_assert_eq!(record.stats(PLAN), all);
    }
}

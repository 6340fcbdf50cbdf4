//! Windows that cover several seconds.

use super::*;
use std::collections::VecDeque;

/// A run of ten seconds whose windows were merged as `spans` says, and told by one agent.
fn merged_as(spans: &[u32]) -> Record {
    let asked = [(PLAN, "p95 <= 50ms"), (PLAN, "error_rate <= 50%")];
    let mut results = Results::new(Arc::new(plan(&asked)));
    let mut agent = Scripted::new(0, "a");
    results.agent_joined(A);
    let mut seconds: VecDeque<_> = (0..9_u32)
        .map(|second| {
            let (users, ms) = (second + 1, 10 * (u64::from(second) + 1));
            agent.window(second, users, &[(0, 3 + u64::from(second), 1, ms), (3, 2, 0, 5)])
        })
        .collect();
    seconds.push_back(agent.last(9, 0, &[(0, 4, 0, 10)]));
    agent.facts.windows_applied = spans.len() as u64;
    for (&span, seq) in spans.iter().zip(1..) {
        let first = seconds.pop_front().expect("ten seconds");
        let whole = (1..span).fold(first, |window, _| window.merged(&seconds.pop_front().unwrap()).unwrap());
        results.apply(A, &WindowReport { seq, ..whole }).unwrap();
    }
    results.finish(&facts(&[&agent]))
}

#[test]
fn windows_of_several_seconds_change_no_count_no_percentile_and_no_user() {
    let exact = merged_as(&[1; 10]);
    assert_eq!(exact.accounting.coalesced_windows, 0);
    for (spans, coalesced) in [(&[10][..], 1), (&[1, 4, 5], 2), (&[2, 1, 3, 4], 3)] {
        let merged = merged_as(spans);
        assert_eq!(merged.accounting.coalesced_windows, coalesced);
        assert!(merged.accounting.is_exact(), "{spans:?}: {:?}", merged.accounting);
        assert_eq!(merged.series, exact.series, "{spans:?}");
        assert_eq!(merged.errors.total(), exact.errors.total(), "{spans:?}");
        assert_eq!((merged.verdict, merged.users), (exact.verdict, exact.users), "{spans:?}");
        let told = |record: &Record| {
            let points = record.timeline.iter().map(|point| (point.second, point.users, point.target_users));
            (points.collect::<Vec<_>>(), record.timeline.iter().map(|point| point.requests).sum::<u64>())
        };
        assert_eq!(told(&merged), told(&exact), "{spans:?}");
        assert_eq!(merged.late, 0);
    }
    let whole = merged_as(&[10]);
    let (points, all) = (&whole.timeline, exact.timeline.iter().map(|p| p.requests).sum::<u64>());
    assert!(points.iter().all(|p| p.requests.abs_diff(all / 10) <= 1), "the mean of its seconds: {points:?}");
    assert!(points[8].p95.is_none() && points[9].p95.is_some());
}

//! How often the whole comparison, all rows and both families of tests together, is wrong.

use super::simulated::{World, simulated};
use super::{Limits, compare};
use crate::report::Report;
use crate::report::model::ComparisonPart;

/// A service as it is: seconds differ, failures come in bursts.
const RESTLESS: World = World { slower: 1.0, failing: 0.02, weather: 0.05, bursts: true };

fn compared(base: &Report, current: &Report, limits: Limits) -> ComparisonPart {
    compare(base, current, limits).expect("they have requests in common")
}

/// Whether any row of the comparison says that something has changed.
fn alarmed(comparison: &ComparisonPart) -> bool {
    comparison.rows.iter().any(|row| matches!(row.change, "regression" | "improvement"))
}

#[test]
fn equal_runs_raise_a_false_alarm_at_most_once_in_a_hundred() {
    // Whatever the size of the change: the tests alone have to hold their level.
    let bare = Limits { min_shift: 0.0, min_failure_change: 0.0, ..Limits::default() };
    let (mut alarms, mut naive) = (0, 0);
    for pair in 0..500_u64 {
        let [mut base, mut current] =
            [2 * pair, 2 * pair + 1].map(|seed| simulated(seed * 1_000_003, RESTLESS));
        alarms += u32::from(alarmed(&compared(&base, &current, bare)));
        // Were requests taken as independent of each other, this is what would come of it.
        if pair % 5 == 0 {
            (base.intervals, current.intervals) = (None, None);
            naive += u32::from(alarmed(&compared(&base, &current, bare)));
        }
    }
    assert!(alarms <= 5, "{alarms} of 500 comparisons of equal runs raised a false alarm");
    assert!(naive >= 5, "{naive} of 100: these runs are no trial, a test that is too sure would pass");
}

#[test]
fn a_shift_of_a_tenth_is_found() {
    let (mut found, mut elsewhere) = (0, 0);
    for pair in 0..100_u64 {
        let [base, current] = [(0, 1.0), (1, 1.1)].map(|(side, slower)| {
            simulated(4_711 + (2 * pair + side) * 1_000_003, World { slower, ..RESTLESS })
        });
        let comparison = compared(&base, &current, Limits::default());
        let changed = |at: usize| comparison.rows[at].latency_change != "none";
        // All, two groups, then requests, the first of which is the slower one.
        let slower = &comparison.rows[3];
        assert!(slower.scope.starts_with("request:AuthUser/on_start/"), "{}", slower.scope);
        found += u32::from(comparison.outcome == "regression" && slower.latency_change == "slower");
        elsewhere += u32::from([2, 4, 5].into_iter().any(changed));
    }
    assert!(found >= 95, "a shift of 10 % was found in {found} of 100 comparisons");
    assert!(elsewhere <= 1, "{elsewhere} of 100 comparisons found what was not there");
}

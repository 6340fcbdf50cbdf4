use super::*;
use crate::simulated::Dice;

fn counts(requests: u64, failures: u64) -> Counts {
    Counts { requests, failures }
}

fn pair(base: Counts, current: Counts) -> FailurePair {
    FailurePair { name: "login".to_owned(), base, current }
}

fn alone(base: Counts, current: Counts) -> FailureRow {
    compare_failures(&[pair(base, current)], &[], &[], FailureSettings::default()).remove(0)
}

/// A run of 30 blocks of 4 requests, and last all of them, which fail `share` of the time; by how much more or less in a block, `level`
/// says.
fn run(dice: &mut Dice, share: f64, level: fn(&mut Dice) -> f64) -> (Vec<Counts>, Vec<Counts>) {
    let mut requests = vec![Counts::default(); 5];
    let blocks = (0..30).map(|_| {
        let share = (share * level(dice)).min(1.0);
        let mut block = Counts::default();
        for request in &mut requests[..4] {
            for _ in 0..40 {
                let failed = u64::from(dice.unit() <= share);
                *request = counts(request.requests + 1, request.failures + failed);
                block = counts(block.requests + 1, block.failures + failed);
            }
        }
        block
    });
    let blocks: Vec<Counts> = blocks.collect();
    let failures = blocks.iter().map(|block| block.failures).sum();
    requests[4] = counts(30 * 160, failures);
    (requests, blocks)
}

fn compared(dice: &mut Dice, base: f64, current: f64, level: fn(&mut Dice) -> f64) -> Vec<FailureRow> {
    let ((base, base_blocks), (current, current_blocks)) =
        (run(dice, base, level), run(dice, current, level));
    let pairs: Vec<FailurePair> =
        base.iter().zip(&current).map(|(base, current)| pair(*base, *current)).collect();
    compare_failures(&pairs, &base_blocks, &current_blocks, FailureSettings::default())
}

#[test]
fn the_exact_test_is_fishers() {
    let check = |base: Counts, current: Counts, expected: f64| {
        let p_value = fisher(base, current);
        assert!((p_value - expected).abs() <= 1e-4 * expected, "{base:?} {current:?}: {p_value}");
    };
    // Twice the smaller tail of the hypergeometric distribution: of the lady tasting tea, 2 * 17 / 70.
    check(counts(4, 1), counts(4, 3), 2.0 * 17.0 / 70.0);
    check(counts(4, 0), counts(4, 4), 2.0 / 70.0);
    check(counts(4, 4), counts(4, 0), 2.0 / 70.0);
    check(counts(100, 0), counts(100, 0), 1.0);
    check(counts(100, 7), counts(100, 7), 1.0);
    assert!(fisher(counts(1_000_000_000, 1_000_000), counts(1_000_000_000, 1_000_100)) > 0.9);
    assert!(fisher(counts(1_000_000_000, 1_000_000), counts(1_000_000_000, 1_100_000)) < 1e-100);
}

#[test]
fn what_is_told_of_failures() {
    let row = alone(counts(1_000, 0), counts(1_000, 30));
    assert_eq!((row.change, row.basis), (FailureChange::More, Basis::Samples));
    assert!((row.difference.unwrap() - 0.03).abs() < 1e-12);
    let (low, high) = (row.low.unwrap(), row.high.unwrap());
    assert!(low > 0.015 && low < 0.03 && high > 0.03 && high < 0.05, "{row:?}");
    assert_eq!(alone(counts(1_000, 30), counts(1_000, 0)).change, FailureChange::Fewer);
    assert_eq!(alone(counts(1_000, 3), counts(1_000, 5)).change, FailureChange::None);
    // Significant, but not worth an alarm: 0.05 points, and 1.02 times what it was.
    assert_eq!(alone(counts(10_000_000, 100), counts(10_000_000, 5_100)).change, FailureChange::None);
    assert_eq!(
        alone(counts(10_000_000, 5_000_000), counts(10_000_000, 5_100_000)).change,
        FailureChange::None
    );
    let few = alone(counts(1_000, 0), counts(29, 29));
    assert_eq!((few.change, few.p_value, few.basis), (FailureChange::Unknown, None, Basis::Nothing));
    assert_eq!(few.difference, Some(1.0));
    assert_eq!(alone(Counts::default(), counts(29, 29)).difference, None);
}

#[test]
fn one_bad_second_is_one_event() {
    let calm = vec![counts(100, 0); 20];
    let mut bad = calm.clone();
    bad[7] = counts(100, 60);
    let all = pair(counts(2_000, 0), counts(2_000, 60));
    let row = compare_failures(std::slice::from_ref(&all), &calm, &bad, FailureSettings::default()).remove(0);
    assert_eq!((row.change, row.basis), (FailureChange::None, Basis::Blocks(20, 20)), "{row:?}");
    let steady = vec![counts(100, 3); 20];
    let row = compare_failures(&[all], &calm, &steady, FailureSettings::default()).remove(0);
    assert_eq!(row.change, FailureChange::More, "{row:?}");
}

#[test]
fn equal_runs_raise_a_false_alarm_at_most_once_in_a_hundred() {
    let mut dice = Dice::new(1_121);
    let mut alarms = 0;
    for _ in 0..1_000 {
        let rows = compared(&mut dice, 0.03, 0.03, Dice::exponential);
        alarms += u32::from(rows.iter().any(|row| row.change != FailureChange::None));
    }
    assert!(alarms <= 10, "{alarms} of 1000 comparisons of equal runs raised a false alarm");
}

#[test]
fn three_times_the_failures_are_found() {
    let mut dice = Dice::new(2_026);
    let mut found = 0;
    for _ in 0..100 {
        let rows = compared(&mut dice, 0.03, 0.09, |dice| 0.5 + dice.unit());
        found += u32::from(rows[4].change == FailureChange::More);
    }
    assert!(found >= 95, "found in {found} of 100 comparisons");
}

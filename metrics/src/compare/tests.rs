use super::*;
use crate::simulated::Dice;
use std::time::Duration;

/// Seconds of a block.
const BLOCK: usize = 10;

/// A request of a run: 5 minutes in blocks of 10 s. Latencies are log-normal; every second has a level of its own, which remembers
/// the one before it; and each of 20 users has one, too, who come again and again. `slower` stretches all of them.
fn run(dice: &mut Dice, slower: f64, per_second: usize) -> Vec<SparseHistogram> {
    let mut level = 0.0;
    let mut users = Dice::new(7);
    let users: Vec<f64> = (0..20).map(|_| 0.15 * users.normal()).collect();
    let block = |dice: &mut Dice, level: &mut f64| {
        let mut latencies = Vec::with_capacity(BLOCK * per_second);
        for _ in 0..BLOCK {
            *level = 0.7 * *level + 0.03 * dice.normal();
            for _ in 0..per_second {
                let user = users[(dice.bits() % 20) as usize];
                let us = 40_000.0 * slower * (0.3 * dice.normal() + user + *level).exp();
                latencies.push(Duration::from_nanos((us * 1e3) as u64));
            }
        }
        latencies.into_iter().collect()
    };
    (0..30).map(|_| block(dice, &mut level)).collect()
}

/// `requests` requests of two runs, of which the first is `slower` in the second.
fn pairs(dice: &mut Dice, requests: usize, slower: f64, per_second: usize) -> Vec<Pair> {
    let pair = |number: usize| Pair {
        name: format!("request {number}"),
        base: run(dice, 1.0, per_second),
        current: run(dice, if number == 0 { slower } else { 1.0 }, per_second),
    };
    (0..requests).map(pair).collect()
}

#[test]
fn equal_runs_raise_a_false_alarm_at_most_once_in_a_hundred() {
    // Whatever the size of the shift: the tests alone have to hold their level.
    let settings = Settings { alarm: 0.01, shift: 0.0 };
    let mut dice = Dice::new(20_261_121);
    let (mut alarms, mut with_shift) = (0, 0);
    for _ in 0..1_000 {
        let pairs = pairs(&mut dice, 4, 1.0, 2);
        let alarmed = |settings| {
            let rows = Comparison::new(&pairs, settings).rows;
            u32::from(rows.iter().any(|row| row.change != Change::None))
        };
        alarms += alarmed(settings);
        with_shift += alarmed(Settings::default());
    }
    assert!(alarms <= 10, "{alarms} of 1000 comparisons of equal runs raised a false alarm");
    assert!(with_shift <= alarms, "to ask for a shift that is worth it only takes alarms away");
}

#[test]
fn a_shift_of_a_tenth_is_found() {
    let mut dice = Dice::new(4_711);
    let (mut found, mut others) = (0, 0);
    for _ in 0..100 {
        let comparison = Comparison::new(&pairs(&mut dice, 4, 1.1, 8), Settings::default());
        found += u32::from(comparison.rows[0].change == Change::Slower);
        others += u32::from(comparison.rows[1..].iter().any(|row| row.change != Change::None));
        assert!(comparison.rows[0].change != Change::Slower || comparison.is_slower());
    }
    assert!(found >= 95, "a shift of 10 % was found in {found} of 100 comparisons");
    assert!(others <= 1, "{others} comparisons found what was not there");
}

#[test]
fn the_interval_of_a_shift_holds_it() {
    let mut dice = Dice::new(99);
    let (mut p50, mut p95) = (0, 0);
    for _ in 0..200 {
        let comparison = Comparison::new(&pairs(&mut dice, 1, 1.1, 2), Settings::default());
        let holds = |shift: Option<Shift>| {
            let Shift { low, high, .. } = shift.unwrap();
            u32::from(low.is_some_and(|low| low <= 0.1) && high.is_some_and(|high| high >= 0.1))
        };
        p50 += holds(comparison.rows[0].p50);
        p95 += holds(comparison.rows[0].p95);
    }
    // 95 % of 200, less what chance takes.
    assert!(p50 >= 182 && p95 >= 182, "held {p50} and {p95} of 200 times");
}

#[test]
fn the_largest_of_few_samples_has_no_upper_end() {
    let run = |ms: u64| -> Vec<SparseHistogram> {
        let block = |n: u64| (0..3).map(|m| Duration::from_millis(ms + n + m)).collect();
        (0..15).map(block).collect()
    };
    let pair = Pair { name: "few".to_owned(), base: run(100), current: run(130) };
    let row = Comparison::new(&[pair], Settings::default()).rows.remove(0);
    let p99 = row.p99.unwrap();
    assert!(p99.relative > 0.2 && (p99.low, p99.high) == (None, None), "{p99:?}");
    let p50 = row.p50.unwrap();
    assert!(p50.low.unwrap() < p50.relative && p50.relative < p50.high.unwrap(), "{p50:?}");
}

#[test]
fn a_slow_tail_alone_is_found() {
    let mut dice = Dice::new(3);
    let mut pair = pairs(&mut dice, 1, 1.0, 8).remove(0);
    // One request in ten takes 200 ms more; the median does not notice.
    for block in &mut pair.current {
        let slow: SparseHistogram = (0..8).map(|_| Duration::from_millis(280)).collect();
        block.merge(&slow);
    }
    let row = Comparison::new(&[pair], Settings::default()).rows.remove(0);
    assert_eq!(row.change, Change::Slower, "{row:?}");
    assert!(row.p95.unwrap().relative > 2.0 && row.p50.unwrap().relative < 0.1, "{row:?}");
}

#[test]
fn what_is_told_of_a_pair() {
    let constant = |ms: u64, count: usize, blocks: usize| -> Vec<SparseHistogram> {
        (0..blocks).map(|_| (0..count).map(|_| Duration::from_millis(ms)).collect()).collect()
    };
    let check = |base: Vec<SparseHistogram>, current: Vec<SparseHistogram>, basis: Basis, change: Change| {
        let pair = Pair { name: "login".to_owned(), base, current };
        let row = Comparison::new(&[pair], Settings::default()).rows.remove(0);
        assert_eq!((row.basis, row.change, row.name.as_str()), (basis, change, "login"), "{row:?}");
        row
    };
    let row = check(constant(100, 10, 20), constant(110, 10, 20), Basis::Blocks(20, 20), Change::Slower);
    assert_eq!((row.superiority, row.base_samples, row.current_samples), (Some(1.0), 200, 200));
    let p50 = row.p50.unwrap();
    assert!((p50.relative - 0.1).abs() < 0.002, "{p50:?}");
    assert_eq!((p50.base.as_millis(), p50.current.as_millis()), (100, 110));
    check(constant(110, 10, 20), constant(100, 10, 20), Basis::Blocks(20, 20), Change::Faster);
    let same = check(constant(100, 10, 20), constant(100, 10, 20), Basis::Blocks(20, 20), Change::None);
    assert_eq!((same.superiority, same.p_value, same.p50.unwrap().relative), (Some(0.5), Some(1.0), 0.0));
    // Significant, but not worth an alarm.
    check(constant(100, 10, 20), constant(104, 10, 20), Basis::Blocks(20, 20), Change::None);
    // Without blocks, samples stand for themselves.
    check(constant(100, 200, 1), constant(110, 200, 1), Basis::Samples, Change::Slower);
    // More blocks than are looked at are joined.
    check(constant(100, 1, 100), constant(110, 2, 50), Basis::Blocks(34, 25), Change::Slower);
    let few = check(constant(100, 1, 20), constant(110, 10, 20), Basis::Nothing, Change::Unknown);
    assert_eq!((few.p_value, few.superiority), (None, None));
    assert!(few.p50.is_some());
    let none = check(Vec::new(), constant(110, 10, 20), Basis::Nothing, Change::Unknown);
    assert_eq!(none.p50, None);
    assert_eq!(Comparison::new(&[], Settings::default()).rows, []);
}

#[test]
fn p_values_are_adjusted_as_holm_has_it() {
    let adjusted = holm(&[Some(0.01), None, Some(0.04), Some(0.03), Some(0.005)]);
    assert_eq!(adjusted, [Some(0.03), None, Some(0.06), Some(0.06), Some(0.02)]);
    assert_eq!(holm(&[Some(0.9), Some(0.8)]), [Some(1.0), Some(1.0)]);
}

use super::*;
use proptest::prelude::*;

const S: u64 = 1_000_000_000;

fn secs(s: f64) -> Duration {
    Duration::from_secs_f64(s)
}

fn per_second(count: u64) -> Rate {
    Rate { count, per_ns: S }
}

fn hold(count: u64, s: f64) -> Phase {
    Phase { rate: per_second(count), shape: Shape::Hold, length: secs(s) }
}

fn ramp(count: u64, s: f64) -> Phase {
    Phase { rate: per_second(count), shape: Shape::Ramp, length: secs(s) }
}

fn even(phases: &[Phase]) -> Times {
    Times::new(&Arrivals::new(phases, Pattern::Even), 0)
}

#[test]
fn constant_rates_are_exact_to_the_nanosecond() {
    let mut times = even(&[hold(200, 300.0)]);
    for number in (0..60_000).step_by(7) {
        assert_eq!(times.at(number), Some(Duration::from_millis(5 * number)), "{number}");
    }
    assert_eq!(times.at(60_000), None, "the end is not part of the run");
    let thirds = Arrivals::constant(Rate { count: 1, per_ns: 3 * S }, secs(10.0), Pattern::Even);
    let mut times = Times::new(&thirds, 0);
    let all: Vec<_> = (0..5).map(|number| times.at(number).map(|at| at.as_secs())).collect();
    assert_eq!(all, [Some(0), Some(3), Some(6), Some(9), None]);
}

#[test]
fn ramps_pass_on_exactly_what_they_made() {
    // 50/s on average for 10 s, 100/s for 2 s, 50/s on average for 10 s.
    let mut times = even(&[ramp(100, 10.0), hold(100, 2.0), ramp(0, 10.0)]);
    assert_eq!(times.at(0), Some(Duration::ZERO));
    // 5·t² passes 125 at 5 s.
    let near = |at: Option<Duration>, expected: f64| {
        assert!(at.unwrap().abs_diff(secs(expected)) <= Duration::from_nanos(1), "{at:?} {expected}");
    };
    near(times.at(125), 5.0);
    near(times.at(500), 10.0);
    near(times.at(501), 10.01);
    near(times.at(700), 12.0);
    // From the end: the last 5 s hold 125.
    near(times.at(1075), 17.0);
    near(times.at(1199), 22.0 - (0.2_f64).sqrt());
    assert_eq!(times.at(1200), None);
}

#[test]
fn where_the_rate_is_zero_nothing_comes() {
    let mut times = even(&[hold(10, 1.0), hold(0, 5.0), hold(10, 1.0), ramp(0, 0.0), ramp(0, 3.0)]);
    assert_eq!(times.count_before(secs(1.0)), 10);
    assert_eq!(times.count_before(secs(6.0)), 10);
    assert_eq!(times.count_before(secs(6.05)), 11);
    assert_eq!(times.count_before(secs(100.0)), 20);
    let mut times = even(&[hold(10, 1.0), hold(0, 5.0), hold(10, 1.0), hold(0, 3.0)]);
    assert_eq!((times.at(9), times.at(10), times.at(20)), (Some(secs(0.9)), Some(secs(6.0)), None));
    assert_eq!(even(&[hold(0, 1.0)]).at(0), None);
    assert_eq!(even(&[]).at(0), None);
}

#[test]
fn what_is_expected_is_told() {
    let arrivals = Arrivals::new(&[ramp(100, 10.0), hold(50, 2.0)], Pattern::Even);
    let before = |s| arrivals.expected_before(secs(s)).round() as u64;
    let expected = [before(0.0), before(5.0), before(10.0), before(11.0), before(99.0)];
    assert_eq!(expected, [0, 125, 500, 550, 600]);
    assert_eq!((arrivals.expected().round(), arrivals.peak(), arrivals.end()), (600.0, 100.0, secs(12.0)));
}

#[test]
fn courses_are_told() {
    let told = |phases: &[Phase], pattern| Arrivals::new(phases, pattern).to_string();
    assert_eq!(told(&[hold(200, 300.0)], Pattern::Even), "200/s for 5m");
    let course = [hold(10, 60.0), ramp(200, 30.0), ramp(0, 1.5)];
    assert_eq!(told(&course, Pattern::Poisson), "10/s for 1m, to 200/s over 30s, to 0/s over 1.5s, poisson");
    assert!(told(&[hold(1, 1.0); 9], Pattern::Even).ends_with("1/s for 1s and 5 more stages"));
}

#[test]
fn the_logarithm_is_the_logarithm() {
    for n in 1..2000_u32 {
        for x in [f64::from(n) / 2000.0, f64::from(n) * 2_f64.powi(-53)] {
            assert!((ln(x) - x.ln()).abs() <= 4.0 * f64::EPSILON * x.ln().abs(), "{x}");
        }
    }
    assert!(ln(1.0).abs() <= 0.0);
    // To the last bit, on every machine.
    assert_eq!(
        Times::new(&Arrivals::constant(per_second(1), secs(9.0), Pattern::Poisson), 7).position,
        27_096_390_567_847_723_008
    );
}

#[test]
fn poisson_arrivals_have_the_mean_and_the_variance_of_their_law() {
    const RUNS: u64 = 2000;
    let arrivals = Arrivals::new(&[ramp(200, 5.0), hold(200, 2.5)], Pattern::Poisson);
    let (mut sum, mut squares) = (0.0, 0.0);
    for seed in 0..RUNS {
        let count = Times::new(&arrivals, seed).count_before(secs(7.5)) as f64;
        sum += count;
        squares += count * count;
    }
    let mean = sum / RUNS as f64;
    let variance = squares / RUNS as f64 - mean * mean;
    // Five standard errors: sqrt(1000 / 2000), and of a variance about 1000 * sqrt(2 / 2000).
    assert!((mean - 1000.0).abs() < 5.0 * 0.71, "{mean}");
    assert!((variance - 1000.0).abs() < 5.0 * 32.0, "{variance}");
}

#[test]
fn poisson_gaps_are_exponential_and_depend_on_the_seed_alone() {
    let arrivals = Arrivals::constant(per_second(1000), secs(60.0), Pattern::Poisson);
    let all = |seed| {
        let mut times = Times::new(&arrivals, seed);
        (0..).map_while(|number| times.at(number)).collect::<Vec<_>>()
    };
    let times = all(3);
    assert_eq!(times, all(3));
    assert_ne!(times, all(4));
    let gaps: Vec<f64> =
        times.windows(2).map(|pair| pair[1].abs_diff(pair[0]).as_secs_f64() * 1000.0).collect();
    for limit in [0.1_f64, 0.5, 1.0, 2.0, 4.0] {
        let longer = gaps.iter().filter(|&&gap| gap > limit).count() as f64 / gaps.len() as f64;
        assert!((longer - (-limit).exp()).abs() < 0.01, "{limit}: {longer}");
    }
}

fn phases() -> impl Strategy<Value = Vec<Phase>> {
    let rate = prop_oneof![
        (0_u64..2000).prop_map(per_second),
        (1_u64..100_000, 1_u64..1000).prop_map(|(count, periods)| Rate { count, per_ns: periods * S }),
    ];
    let phase = (rate, any::<bool>(), 0_u64..3_000_000_000).prop_map(|(rate, rises, ns)| Phase {
        rate,
        shape: if rises { Shape::Ramp } else { Shape::Hold },
        length: Duration::from_nanos(ns),
    });
    prop::collection::vec(phase, 1..6)
}

/// The area under the rate before `t`, the schoolbook way.
fn area(phases: &[Phase], t: Duration) -> f64 {
    let (mut left, mut level, mut area) = (t.as_secs_f64(), 0.0, 0.0);
    for phase in phases {
        let (length, to) = (phase.length.as_secs_f64(), phase.rate.per_second());
        let from = if phase.shape == Shape::Ramp { level } else { to };
        let x = left.min(length);
        if x > 0.0 {
            area += from * x + (to - from) * x * x / (2.0 * length);
        }
        (left, level) = (left - length, to);
        if left <= 0.0 {
            break;
        }
    }
    area
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_of_the_slots_makes_the_area_under_the_rate(
        phases in phases(), poisson: bool, users in 1_u32..50, owners in prop::collection::vec(0_usize..3, 50), at in 0.0_f64..1.1,
    ) {
        let pattern = if poisson { Pattern::Poisson } else { Pattern::Even };
        let arrivals = Arrivals::new(&phases, pattern);
        let t = arrivals.end().mul_f64(at);
        let mut all: Vec<(u64, Duration)> = Vec::new();
        for owner in 0..3 {
            let slots = (0..users).map(Slot).filter(|s| owners[s.0 as usize] == owner).map(|s| (s, ())).collect();
            let (mut times, mut number) = (Times::new(&arrivals, 5), 0);
            while let Some(mine) = next_of(&slots, users, number)
                && let Some(at) = times.at(mine)
            {
                prop_assert!(slots.contains_key(&home(mine, users)));
                all.push((mine, at));
                number = mine + 1;
            }
        }
        all.sort_unstable();
        prop_assert!(all.iter().zip(0..).all(|((number, _), expected)| *number == expected), "each exactly once");
        prop_assert!(all.windows(2).all(|pair| pair[0].1 <= pair[1].1), "in order");
        prop_assert!(all.iter().all(|(_, at)| *at < arrivals.end()));
        let before = all.iter().filter(|(_, at)| *at < t).count() as u64;
        prop_assert_eq!(Times::new(&arrivals, 5).count_before(t), before);
        if !poisson {
            let area = area(&phases, t);
            prop_assert!((before as f64 - area).abs() <= 1.000_001, "{} of {}", before, area);
        }
    }

    #[test]
    fn ramps_are_inverted_exactly(from in 0_u64..1_000_000, to in 0_u64..1_000_000, ns in 1_u64..Schedule::MAX_LENGTH.as_nanos() as u64, share in 0.0_f64..1.0) {
        let length = Duration::from_nanos(ns);
        let before = Phase { rate: per_second(from), shape: Shape::Hold, length: Duration::ZERO };
        let phase = Phase { rate: per_second(to), shape: Shape::Ramp, length };
        let arrivals = Arrivals::new(&[before, phase], Pattern::Even);
        let piece = arrivals.pieces[1];
        let area = (piece.to as f64 * share) as Fixed;
        let x = piece.inverse(area);
        prop_assert!(piece.area(x) >= area);
        prop_assert!(x == 0 || piece.area(x - 1) < area);
    }
}

//! Loads: what profiles and settings make of them.

use metrics::unit::Rate;
use plan::arrivals::{Arrivals, Pattern, Phase};
use plan::schedule::Shape;
use plan::{Bundle, Plan, Settings};
use std::time::Duration;

const PLATFORM: &str = include_str!("data/platform.yaml");

fn compile(source: &str, settings: Settings) -> Plan {
    let bundle = Bundle { file: "plan.yaml".into(), source: source.into(), settings };
    bundle.compile().unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}

fn profile(name: &str) -> Settings {
    Settings { profile: Some(name.into()), ..Settings::default() }
}

fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

fn per_second(count: u64) -> Rate {
    Rate { count, per_ns: 1_000_000_000 }
}

#[test]
fn warm_ups_are_laid_over_each_other_like_the_rest_of_the_load() {
    let source = "version: 1\nname: T\ntarget: http://a.example\n\
        load: { users: 1, duration: 5m, warmup: 30s }\n\
        profiles: { same: { users: 2 }, own: { warmup: 1m }, stages: { stages: [ { users: 1, for: 31s } ] } }\n\
        users: { A: { tasks: { t: { get: / } } } }\n";
    let check = |name: Option<&str>, given: Option<u64>, expected: u64| {
        let settings =
            Settings { profile: name.map(str::to_owned), warmup: given.map(secs), ..Settings::default() };
        assert_eq!(compile(source, settings).warmup, secs(expected), "{name:?} {given:?}");
    };
    check(None, None, 30);
    check(None, Some(0), 0);
    check(None, Some(7), 7);
    check(Some("same"), None, 30);
    check(Some("own"), None, 60);
    check(Some("own"), Some(3), 3);
    check(Some("stages"), None, 30);
    assert_eq!(compile(PLATFORM, Settings::default()).warmup, Duration::ZERO);
}

#[test]
fn arrivals_take_the_place_of_users() {
    let check = |name: &str, given: Option<u64>, arrivals: Option<Arrivals>, users: u32, end: u64| {
        let plan = compile(PLATFORM, Settings { duration: given.map(secs), ..profile(name) });
        assert_eq!(plan.arrivals, arrivals, "{name}");
        assert_eq!((plan.schedule.max_users(), plan.schedule.end()), (users, secs(end)), "{name}");
        assert_eq!(plan.schedule.users_at(Duration::ZERO), users, "{name}");
    };
    let constant = |pattern, s| Some(Arrivals::constant(per_second(20), secs(s), pattern));
    check("open", None, constant(Pattern::Even, 300), 30, 300);
    check("open", Some(20), constant(Pattern::Even, 20), 30, 20);
    // The plan's own duration means the same to both; its users and their spawn rate do not.
    check("visitors", None, constant(Pattern::Poisson, 300), 30, 300);
    let phase = |rate, shape, s| Phase { rate: per_second(rate), shape, length: secs(s) };
    let rush = [phase(100, Shape::Ramp, 30), phase(100, Shape::Hold, 300), phase(0, Shape::Ramp, 10)];
    check("rush", None, Some(Arrivals::new(&rush, Pattern::Even)), 200, 340);
    let crowd = Arrivals::new(&[phase(50, Shape::Hold, 60)], Pattern::Even);
    check("crowd", None, Some(crowd), 200, 60);
    assert_eq!(compile(PLATFORM, profile("light")).arrivals, None);
}

#[test]
fn users_take_the_place_of_arrivals() {
    let source = "version: 1\nname: T\ntarget: http://a.example\n\
        load: { arrivals: 20/s, max_users: 5, duration: 5m }\n\
        profiles: { closed: { users: 2 }, more: { max_users: 9 }, stages: { stages: [ { users: 1, for: 31s } ] } }\n\
        users: { A: { tasks: { t: { get: / } } } }\n";
    let check = |name: &str, open: bool, users: u32, end: u64| {
        let plan = compile(source, profile(name));
        let found = (plan.arrivals.is_some(), plan.schedule.max_users(), plan.schedule.end());
        assert_eq!(found, (open, users, secs(end)), "{name}");
    };
    check("closed", false, 2, 300);
    check("more", true, 9, 300);
    check("stages", false, 1, 31);
}

#[test]
fn waits_are_not_used_in_an_open_load_and_that_is_said() {
    let told = |name: &str| {
        let plan = compile(PLATFORM, profile(name));
        let warnings = plan.warnings.iter().filter(|warning| warning.problem.contains("wait"));
        warnings.map(|warning| warning.problem.clone()).collect::<Vec<_>>()
    };
    let [warning] = &told("open")[..] else { panic!("one warning") };
    assert!(warning.starts_with("`wait` is not used in a load of `arrivals`: `AuthUser`"), "{warning}");
    assert!(told("light").is_empty());
}

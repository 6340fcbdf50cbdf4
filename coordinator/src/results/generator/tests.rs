use super::*;
use crate::results::fixture::encoded;
use proto::message::{HealthReport, HostReport};

/// What is found after these seconds.
fn found(seconds: &[HealthReport]) -> Vec<Finding> {
    let mut health = AgentHealth::default();
    for (index, second) in seconds.iter().enumerate() {
        health.add(index as u32, 1, second);
    }
    findings(&health)
}

fn status(findings: &[Finding]) -> GeneratorStatus {
    findings.first().map_or(GeneratorStatus::Valid, |finding| finding.status)
}

/// A second in which the system said this.
fn host(host: HostReport) -> HealthReport {
    HealthReport { host, ..HealthReport::default() }
}

/// Holds what is found in `seconds` against a status, and the first text against one that it begins with.
fn check(seconds: &[HealthReport], expected: GeneratorStatus, text: &str) {
    let findings = found(seconds);
    assert_eq!(status(&findings), expected, "{findings:?}");
    let first = findings.into_iter().next().map_or(String::new(), Finding::text);
    assert!(if text.is_empty() { first.is_empty() } else { first.starts_with(text) }, "{first}");
}

#[test]
fn limits_of_processor_and_lag_are_exceeded_not_met() {
    use GeneratorStatus::{Degraded, Invalid, Valid};
    let check = |cpu_permille: u32, lag_us: u64, expected: GeneratorStatus| {
        let lag = encoded(&[(Duration::from_micros(lag_us.max(1)), 100)]).into();
        let got = status(&found(&[HealthReport { cpu_permille, lag, ..HealthReport::default() }]));
        assert_eq!(got, expected, "{cpu_permille} ‰, {lag_us} µs");
    };
    check(0, 0, Valid);
    // A slot of the histogram is up to 0.1 % wide.
    check(850, 19_980, Valid);
    check(851, 0, Degraded);
    check(0, 20_020, Degraded);
    check(1000, 49_950, Degraded);
    check(950, 199_000, Degraded);
    check(951, 50_050, Invalid);
    check(0, 201_000, Invalid);
}

#[test]
fn a_reason_says_what_how_much_the_limit_since_when_and_the_remedy() {
    let busy = |cpu_permille| HealthReport { cpu_permille, ..HealthReport::default() };
    let findings = found(&[busy(100), busy(999), busy(999), busy(998)]);
    assert_eq!(findings.len(), 0, "on average it was not: {findings:?}");
    let seconds: Vec<_> = [100, 999].into_iter().cycle().take(4).chain([999; 10]).map(busy).collect();
    let texts: Vec<String> = found(&seconds).into_iter().map(Finding::text).collect();
    assert_eq!(
        texts,
        [
            "used 99.9 % of its processor time in its busiest ten seconds (limit 85 %), from second 1 on, 12 s in all: it may \
          have added to the latencies; give it more cores or fewer users (--max-users), or add agents"
        ]
    );
}

#[test]
fn steal_for_three_seconds_in_a_row_degrades() {
    use GeneratorStatus::{Degraded, Valid};
    let seconds = |steal: &[u32]| -> Vec<HealthReport> {
        let of = |&steal: &u32| host(HostReport { steal_permille: Some(steal), ..HostReport::default() });
        steal.iter().map(of).collect()
    };
    check(&seconds(&[51, 900, 50, 51, 51]), Valid, "");
    let text = "lost up to 12 % of its machine's time to others by the hypervisor (limit 5 % for 3 s), from second 1 on, 3 s";
    check(&seconds(&[0, 51, 120, 51]), Degraded, text);
}

#[test]
fn any_throttling_degrades_and_much_of_it_invalidates() {
    use GeneratorStatus::{Degraded, Invalid, Valid};
    let second = |ms: u64| {
        host(HostReport {
            cpu_limit_permille: Some(100),
            throttled: Some(Duration::from_millis(ms)),
            throttled_periods: Some(u64::from(ms > 0)),
            ..HostReport::default()
        })
    };
    let run = |throttled: usize, ms: u64| -> Vec<HealthReport> {
        let busy = std::iter::repeat_n(second(ms), throttled);
        (0..5).map(|_| second(0)).chain(busy).chain((0..15).map(|_| second(0))).collect()
    };
    check(&run(0, 0), Valid, "");
    let little = "was held up by its CPU quota of 0.10 cores for 1 ms in 1 periods, 100 µs per second in its worst ten \
                  (limit none), from second 5 on, 1 s in all: it may have added";
    check(&run(1, 1), Degraded, little);
    check(
        &run(10, 50),
        Degraded,
        "was held up by its CPU quota of 0.10 cores for 500 ms in 10 periods, 50 ms per second",
    );
    let much = "was held up by its CPU quota of 0.10 cores for 4.2 s in 6 periods, 420 ms per second in its worst ten \
                (limit 50 ms per second), from second 5 on, 6 s in all: what was measured is its own";
    check(&run(6, 700), Invalid, much);
    // A system without control groups is not throttled.
    assert_eq!(found(&[host(HostReport::default())]).len(), 0);
}

#[test]
fn what_is_nearly_used_up_degrades_and_what_ran_out_invalidates() {
    use GeneratorStatus::{Degraded, Invalid, Valid};
    let descriptors = |n| {
        let (descriptors, descriptors_limit) = (Some(n), Some(1024));
        host(HostReport { descriptors, descriptors_limit, ..HostReport::default() })
    };
    check(&[descriptors(972)], Valid, "");
    let text = "had 1,000 of its 1,024 file descriptors open (limit 95 %), from second 1 on, 2 s in all: it may have added to \
                the latencies; raise its limit of open files (ulimit -n)";
    check(&[descriptors(972), descriptors(1000), descriptors(973)], Degraded, text);
    let memory = |mib: u64| {
        let (memory_used_bytes, memory_limit_bytes) = (Some(mib << 20), Some(512 << 20));
        host(HostReport { memory_used_bytes, memory_limit_bytes, ..HostReport::default() })
    };
    check(&[memory(486)], Valid, "");
    check(&[memory(487)], Degraded, "had 487 of 512 MiB of memory in use (limit 95 %), from second 0 on");
    let failed = |exhausted| HealthReport { exhausted, ..descriptors(1024) };
    let text = "failed 7 requests for want of a descriptor, port or memory of its own (limit 0), from second 1 on, 2 s in all: \
                what was measured is its own, not the target's; raise its limit of open files";
    check(&[failed(0), failed(6), failed(1)], Invalid, text);
}

#[test]
fn what_a_cap_held_back_is_told() {
    let second = |held_back| HealthReport { held_back, ..HealthReport::default() };
    check(&[second(0)], GeneratorStatus::Valid, "");
    let text = "held back 1,250 requests and messages, because it makes no more (--max-rps), from second 1 on, 2 s in all: it \
                may have added to the latencies; raise its --max-rps";
    check(&[second(0), second(250), second(1000)], GeneratorStatus::Degraded, text);
}

#[test]
fn late_starts_count_when_there_are_more_than_a_few_in_a_hundred() {
    use GeneratorStatus::{Degraded, Valid};
    let second = |starts, late_starts| {
        let late_start_max = Duration::from_millis(45);
        HealthReport { starts, late_starts, late_start_max, ..HealthReport::default() }
    };
    check(&[second(10, 4)], Valid, "");
    check(&[second(1000, 10)], Valid, "");
    let text =
        "began 11 of 1,000 users, iterations and arrivals more than 20 ms late, the latest 45 ms (limit 1 %)";
    check(&[second(990, 0), second(10, 11)], Degraded, text);
}

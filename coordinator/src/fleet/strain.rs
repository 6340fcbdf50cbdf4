//! What strains an agent in one second, so that it is not the target that is measured.
//!
//! Each limit stands here with its reason; what a whole run makes of it is in `results/generator.rs`.

use metrics::{Histogram, Percentile};
use proto::message::HealthReport;
use std::time::Duration;

/// Above this share of the processor time that it may use (in thousandths) an agent is busy: bursts within a second
/// already queue for a processor, and the queueing shows as latency.
pub(crate) const BUSY_PERMILLE: u32 = 850;

/// A thread that wakes later than this is late: a timer of an idle thread is at most a few milliseconds late, and 20 ms
/// is as much as a fast API's whole p95.
pub(crate) const LATE: Duration = Duration::from_millis(20);

/// Above this share of the machine's time that the hypervisor gives to others (in thousandths), what it does not give
/// shows as latency: one time slice in twenty, which is where a p95 stands.
pub(crate) const STEAL_PERMILLE: u32 = 50;

/// A quota that holds an agent up for longer than this in a second, a twentieth, decides its p95.
pub(crate) const THROTTLED: Duration = Duration::from_millis(50);

/// From this share of a limit on (in percent) the next burst goes over it: descriptors and memory.
pub(crate) const NEARLY_ALL_PERCENT: u64 = 95;

/// One thing that strains an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Strain {
    /// It used this share of its processor time, in thousandths.
    Busy(u32),
    /// Its threads woke so late, in the median: what is judged is one second, of which there are ten samples for each
    /// thread, and one that is late is no strain yet.
    Late(Duration),
    /// The hypervisor gave this share of the machine's time to others, in thousandths.
    Steal(u32),
    /// A quota held it up for so long.
    Throttled(Duration),
    /// It had so many of so many descriptors open.
    Descriptors(u64, u64),
    /// So many of so many bytes of memory were in use.
    Memory(u64, u64),
    /// So many requests failed for want of descriptors, ports or memory.
    Exhausted(u64),
}

impl Strain {
    /// What strained the agent in the second of `health`, or in the worst of so many seconds.
    pub(crate) fn of(health: &HealthReport, seconds: u32) -> Vec<Strain> {
        let host = &health.host;
        // It was validated when it arrived.
        let lag = Histogram::percentile_in_v2(&health.lag, Percentile::P50).unwrap_or_default();
        [
            Some(Strain::Busy(health.cpu_permille)).filter(|_| health.cpu_permille > BUSY_PERMILLE),
            lag.filter(|lag| *lag > LATE).map(Strain::Late),
            host.steal_permille.filter(|steal| *steal > STEAL_PERMILLE).map(Strain::Steal),
            host.throttled
                .map(|throttled| throttled / seconds.max(1))
                .filter(|throttled| *throttled > THROTTLED)
                .map(Strain::Throttled),
            nearly_all(host.descriptors, host.descriptors_limit).map(|(n, of)| Strain::Descriptors(n, of)),
            nearly_all(host.memory_used_bytes, host.memory_limit_bytes).map(|(n, of)| Strain::Memory(n, of)),
            Some(Strain::Exhausted(health.exhausted)).filter(|_| health.exhausted > 0),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// What it is, how much, and its limit.
    pub(crate) fn text(self) -> String {
        let percent = |permille: u32| f64::from(permille) / 10.0;
        let ms = |time: Duration| time.as_millis();
        match self {
            Strain::Busy(permille) => {
                format!("its processor is {} % busy (limit {} %)", percent(permille), percent(BUSY_PERMILLE))
            }
            Strain::Late(late) => format!("its threads wake {} ms late (limit {} ms)", ms(late), ms(LATE)),
            Strain::Steal(permille) => {
                let (steal, limit) = (percent(permille), percent(STEAL_PERMILLE));
                format!("the hypervisor takes {steal} % of its machine's time (limit {limit} %)")
            }
            Strain::Throttled(time) => {
                let (time, limit) = (ms(time), ms(THROTTLED));
                format!("its CPU quota holds it up for {time} ms of a second (limit {limit} ms)")
            }
            Strain::Descriptors(n, of) => {
                format!("{n} of its {of} file descriptors are open (limit {NEARLY_ALL_PERCENT} %)")
            }
            Strain::Memory(n, of) => {
                let (n, of) = (n >> 20, of >> 20);
                format!("{n} of {of} MiB of its memory are in use (limit {NEARLY_ALL_PERCENT} %)")
            }
            Strain::Exhausted(n) => {
                format!("{n} requests in a second failed, because it has no descriptor, port or memory left")
            }
        }
    }
}

/// `used` of `limit`, if that is nearly all.
pub(crate) fn nearly_all(used: Option<u64>, limit: Option<u64>) -> Option<(u64, u64)> {
    let (used, limit) = (used?, limit?);
    let nearly = u128::from(used) * 100 >= u128::from(limit) * u128::from(NEARLY_ALL_PERCENT);
    (limit > 0 && nearly).then_some((used, limit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::fixture::encoded;
    use proto::message::HostReport;

    #[test]
    fn limits_are_exceeded_not_met_but_the_last_twentieth_is_nearly_all() {
        let check = |change: &dyn Fn(&mut HealthReport, &mut HostReport), expected: &[&str]| {
            let (mut health, mut host) = (HealthReport::default(), HostReport::default());
            change(&mut health, &mut host);
            health.host = host;
            let got: Vec<String> = Strain::of(&health, 1).into_iter().map(Strain::text).collect();
            assert_eq!(got, expected);
        };
        let ms = Duration::from_millis;
        check(&|_, _| {}, &[]);
        check(&|h, _| h.cpu_permille = 850, &[]);
        check(&|h, _| h.cpu_permille = 851, &["its processor is 85.1 % busy (limit 85 %)"]);
        check(&|h, _| h.lag = encoded(&[(ms(1), 5), (ms(900), 5)]).into(), &[]);
        let late = "its threads wake 900 ms late (limit 20 ms)";
        check(&|h, _| h.lag = encoded(&[(ms(1), 4), (ms(900), 6)]).into(), &[late]);
        check(&|_, host| host.steal_permille = Some(50), &[]);
        let steal = "the hypervisor takes 5.1 % of its machine's time (limit 5 %)";
        check(&|_, host| host.steal_permille = Some(51), &[steal]);
        check(&|_, host| host.throttled = Some(THROTTLED), &[]);
        let throttled = "its CPU quota holds it up for 800 ms of a second (limit 50 ms)";
        check(&|_, host| host.throttled = Some(ms(800)), &[throttled]);
        let host = HostReport { throttled: Some(ms(800)), ..HostReport::default() };
        assert_eq!(
            Strain::of(&HealthReport { host, ..HealthReport::default() }, 16),
            [],
            "50 ms in each of 16 s"
        );
        let descriptors = |n: u64| {
            move |_: &mut HealthReport, host: &mut HostReport| {
                (host.descriptors, host.descriptors_limit) = (Some(n), Some(1000));
            }
        };
        check(&descriptors(949), &[]);
        check(&descriptors(950), &["950 of its 1000 file descriptors are open (limit 95 %)"]);
        let memory = "96 of 100 MiB of its memory are in use (limit 95 %)";
        check(
            &|_, h| (h.memory_used_bytes, h.memory_limit_bytes) = (Some(96 << 20), Some(100 << 20)),
            &[memory],
        );
        check(&|_, h| (h.memory_used_bytes, h.memory_limit_bytes) = (Some(9), None), &[]);
        check(&|_, h| (h.descriptors, h.descriptors_limit) = (Some(0), Some(0)), &[]);
        let exhausted = "1 requests in a second failed, because it has no descriptor, port or memory left";
        check(&|h, _| (h.exhausted, h.cpu_permille) = (1, 0), &[exhausted]);
    }
}

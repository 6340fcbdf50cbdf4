//! What the kernel says of processor time: quotas, how often they held a group up, and what the hypervisor took.
//!
//! Pure: text in, numbers out, and `None` for what the text does not say.

use std::time::Duration;

/// Processors that a quota allows, in thousandths of one; `None` without a quota. `text` is `cpu.max` of a group
/// (`QUOTA PERIOD`, or `max PERIOD`), or quota and period of version 1, where -1 is no quota.
pub(super) fn quota(text: &str) -> Option<u32> {
    let mut numbers = text.split_whitespace().map(str::parse::<u64>);
    let (quota, period) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    let permille = u128::from(quota) * 1000 / u128::from(Some(period).filter(|period| *period > 0)?);
    // Whatever is less than a thousandth still is something.
    Some(u32::try_from(permille).unwrap_or(u32::MAX).max(1))
}

/// How many processors `/proc/self/status` allows.
pub(super) fn allowed(status: &str) -> Option<u32> {
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let count = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.trim().parse::<u32>().ok()?, last.trim().parse::<u32>().ok()?);
        last.checked_sub(first)?.checked_add(1)
    };
    let counts: Option<Vec<u32>> = list.trim().split(',').map(count).collect();
    counts?.into_iter().try_fold(0_u32, u32::checked_add).filter(|count| *count > 0)
}

/// How often and how long a quota held a group up, since the group was made. The longer is the larger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Throttle {
    pub(super) time: Duration,
    pub(super) periods: u64,
}

impl Throttle {
    /// From `cpu.stat` of either version; groups at the top of version 2 do not say.
    pub(super) fn of(stat: &str) -> Option<Throttle> {
        let micros = number(stat, "throttled_usec").map(Duration::from_micros);
        let nanos = number(stat, "throttled_time").map(Duration::from_nanos);
        Some(Throttle { time: micros.or(nanos)?, periods: number(stat, "nr_throttled")? })
    }

    pub(super) fn since(self, before: Throttle) -> Throttle {
        Throttle {
            time: self.time.saturating_sub(before.time),
            periods: self.periods.saturating_sub(before.periods),
        }
    }
}

/// The machine's processor time since it started, in the kernel's ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Machine {
    all: u64,
    stolen: u64,
}

impl Machine {
    /// From `/proc/stat`: `cpu USER NICE SYSTEM IDLE IOWAIT IRQ SOFTIRQ STEAL ...`; guests are in USER and NICE already.
    pub(super) fn of(stat: &str) -> Option<Machine> {
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let times: Option<Vec<u64>> = line.split_whitespace().take(8).map(|word| word.parse().ok()).collect();
        let times = times.filter(|times| times.len() == 8)?;
        let all = times.iter().fold(0_u64, |sum, time| sum.saturating_add(*time));
        Some(Machine { all, stolen: times[7] })
    }

    /// Share of the time since `before` that was stolen, in thousandths; `None` when no time is counted.
    pub(super) fn steal_since(self, before: Machine) -> Option<u32> {
        let all = self.all.checked_sub(before.all).filter(|all| *all > 0)?;
        let stolen = u128::from(self.stolen.saturating_sub(before.stolen)) * 1000 / u128::from(all);
        Some(stolen.min(1000) as u32)
    }
}

/// The number beside `name` in lines of `NAME NUMBER`.
pub(super) fn number(text: &str, name: &str) -> Option<u64> {
    let mut words =
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?.split_whitespace();
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotas_of_both_versions() {
        let check = |text: &str, expected: Option<u32>| assert_eq!(quota(text), expected, "{text}");
        check("max 100000\n", None);
        check("10000 100000\n", Some(100));
        check("250000 100000\n", Some(2_500));
        check("1000 1000000000", Some(1));
        check("-1 100000", None);
        check("50000 0", None);
        check("18446744073709551615 1", Some(u32::MAX));
        for garbage in ["", "max", "50000", "half of it", "50000 x", "1e3 100000", "\u{0} \u{0}"] {
            check(garbage, None);
        }
    }

    #[test]
    fn processors_that_may_be_used() {
        let check = |list: &str, expected: Option<u32>| {
            let status = format!("Name:\tagent\nCpus_allowed:\t3\nCpus_allowed_list:\t{list}\nThreads:\t4\n");
            assert_eq!(allowed(&status), expected, "{list}");
        };
        check("0-1", Some(2));
        check("3", Some(1));
        check("0,2-3,8-15", Some(11));
        for garbage in ["", "3-1", "a", "0-", "0-4294967295", "0-4294967294,7", "1,,2"] {
            check(garbage, None);
        }
        assert_eq!(allowed("Name:\tagent\n"), None);
    }

    #[test]
    fn throttling_of_both_versions() {
        let two = "usage_usec 9\nuser_usec 5\nnr_periods 40\nnr_throttled 3\nthrottled_usec 250000\n";
        let one = "nr_periods 40\nnr_throttled 3\nthrottled_time 250000000\nnr_bursts 0\n";
        let expected = Throttle { time: Duration::from_millis(250), periods: 3 };
        assert_eq!(Throttle::of(two), Some(expected));
        assert_eq!(Throttle::of(one), Some(expected));
        assert_eq!(Throttle::of("usage_usec 9\nuser_usec 5\nsystem_usec 4\n"), None, "a group at the top");
        for garbage in
            ["", "nr_throttled", "nr_throttled x\nthrottled_usec 1", "throttled_usec -1\nnr_throttled 1"]
        {
            assert_eq!(Throttle::of(garbage), None, "{garbage}");
        }
        let more = Throttle { time: Duration::from_millis(300), periods: 5 };
        assert_eq!(more.since(expected), Throttle { time: Duration::from_millis(50), periods: 2 });
        assert_eq!(expected.since(more), Throttle::default(), "a new group of the same name");
    }

    #[test]
    fn steal_is_a_share_of_the_machines_time() {
        let before = Machine::of("cpu  100 0 50 800 10 0 5 35 7 0\ncpu0 1 2 3\n").expect("a line");
        assert_eq!(before, Machine { all: 1000, stolen: 35 });
        let check = |stat: &str, expected: Option<u32>| {
            assert_eq!(Machine::of(stat).and_then(|now| now.steal_since(before)), expected, "{stat}");
        };
        check("cpu  150 0 50 830 10 0 5 55 9 0\n", Some(200));
        check("cpu  150 0 50 850 10 0 5 35 9 0\n", Some(0));
        check("cpu  100 0 50 800 10 0 5 35 7 0\n", None);
        check("cpu  0 0 0 0 0 0 0 1\n", None);
        for garbage in ["", "cpu", "cpu 1 2 3 4 5 6 7", "cpu a b c d e f g h", "cpu0 1 2 3 4 5 6 7 8"] {
            check(garbage, None);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_fine(text: String, a: u64, b: u64) {
            let texts = [text.clone(), format!("{a} {b}"), format!("cpu {a} {b} {a} {b} {a} {b} {a} {b} {text}")];
            for text in texts {
                quota(&text);
                allowed(&format!("Cpus_allowed_list:{text}"));
                Throttle::of(&format!("nr_throttled {text}\nthrottled_usec {text}"));
                if let Some(machine) = Machine::of(&text) {
                    machine.steal_since(Machine { all: a, stolen: b });
                }
            }
        }
    }
}

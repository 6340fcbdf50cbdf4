//! The pause between iterations.

use metrics::unit::{Rate, UnitError, parse_duration, parse_rate};
use rand::{Rng, RngExt};
use std::time::Duration;

/// How long a user pauses after an iteration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wait {
    /// Not at all.
    None,
    /// `constant 2s`, or a bare `2s`.
    Constant(Duration),
    /// `1s..3s`: uniform.
    Uniform {
        /// Shortest pause.
        min: Duration,
        /// Longest pause.
        max: Duration,
    },
    /// `pacing 5s` (also `rate 0.2/s`): iterations start this far apart; a late one is not caught up.
    Pacing(Duration),
    /// `exponential 2s`: the mean of the distribution; at most 20 times it.
    Exponential(Duration),
}

/// How to write a wait.
const FORMS: &str =
    "write `1s..3s`, `2s`, `constant 2s`, `pacing 5s`, `rate 0.5/s`, `exponential 2s` or `none`";

impl Wait {
    /// Longest pause of an [`Exponential`](Wait::Exponential) wait in means: one in 485 million is cut.
    const MAX_MEANS: u32 = 20;

    /// Reads `1s..3s`, `constant 2s`, `2s`, `pacing 5s`, `rate 0.5/s`, `exponential 2s` or `none`.
    pub fn parse(text: &str) -> Result<Wait, UnitError> {
        let text = text.trim();
        if let Some((min, max)) = text.split_once("..") {
            let (min, max) = (parse_duration(min.trim())?, parse_duration(max.trim())?);
            return uniform(min, max);
        }
        match text.split_once(char::is_whitespace) {
            None if text == "none" => Ok(Wait::None),
            None if text.starts_with(|c: char| c.is_ascii_digit()) => {
                parse_duration(text).map(Wait::Constant).map_err(|error| match span(text) {
                    Some(own) => UnitError { remedy: format!("write `{own}`"), ..error },
                    None => error,
                })
            }
            Some(("constant", rest)) => parse_duration(rest.trim()).map(Wait::Constant),
            Some(("pacing", rest)) => parse_duration(rest.trim()).map(Wait::Pacing),
            Some(("exponential", rest)) => parse_duration(rest.trim()).map(Wait::Exponential),
            Some(("rate", rest)) => parse_rate(rest.trim()).map(|rate| Wait::Pacing(period(rate))),
            _ => Err(UnitError {
                problem: format!("`{}` is not a wait", crate::template::escaped(text, 60)),
                remedy: foreign(text).map_or_else(|| FORMS.into(), |own| format!("write `{own}`")),
            }),
        }
    }

    /// Reads a pause within an iteration: `2s`, `1s..3s`, `constant 2s` or `exponential 2s`.
    pub fn parse_pause(text: &str) -> Result<Wait, UnitError> {
        let remedy = || "write `2s`, `1s..3s`, `constant 2s` or `exponential 2s`".to_owned();
        let shown = crate::template::escaped(text.trim(), 60);
        match Wait::parse(text) {
            Ok(Wait::Pacing(_) | Wait::None) => Err(UnitError {
                problem: format!("`{shown}` is a wait between iterations, not a pause within one"),
                remedy: remedy(),
            }),
            Err(error) if error.remedy == FORMS => {
                Err(UnitError { problem: format!("`{shown}` is not a pause"), remedy: remedy() })
            }
            other => other,
        }
    }

    /// How far apart iterations are meant to start; `None` for waits that count from an iteration's end.
    pub fn period(&self) -> Option<Duration> {
        if let Wait::Pacing(period) = self { Some(*period) } else { None }
    }

    /// The mean time from the start of an iteration that takes `spent` to the start of the next one.
    pub fn mean_cycle(&self, spent: Duration) -> Duration {
        match *self {
            Wait::None => spent,
            Wait::Constant(pause) | Wait::Exponential(pause) => spent.saturating_add(pause),
            Wait::Uniform { min, max } => spent.saturating_add(min / 2 + max / 2),
            Wait::Pacing(period) => spent.max(period),
        }
    }

    /// The pause after an iteration that began `spent` ago.
    pub fn pause(&self, spent: Duration, rng: &mut impl Rng) -> Duration {
        match *self {
            Wait::None => Duration::ZERO,
            Wait::Constant(pause) => pause,
            Wait::Uniform { min, max } => {
                let (min, max) = (nanos(min), nanos(max));
                Duration::from_nanos(rng.random_range(min..=max.max(min)))
            }
            Wait::Pacing(period) => period.saturating_sub(spent),
            Wait::Exponential(mean) => {
                // Inverse of the distribution's CDF; 1-U is never 0, so the logarithm is finite.
                let means = -(1.0 - rng.random::<f64>()).ln();
                Duration::from_nanos((means.min(f64::from(Wait::MAX_MEANS)) * nanos(mean) as f64) as u64)
            }
        }
    }
}

/// `1s..3s` of `1-3s` and `1s-3s`.
fn span(text: &str) -> Option<String> {
    let (min, max) = text.split_once('-')?;
    let unit = max.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let bare = min.ends_with(|c: char| c.is_ascii_digit());
    let own = format!("{}{}..{}", min.trim(), if bare { unit } else { "" }, max.trim());
    Wait::parse(&own).is_ok().then_some(own)
}

/// The wait that Locust writes as `between(1, 3)` and the like.
fn foreign(text: &str) -> Option<String> {
    let (function, arguments) = text.strip_suffix(')')?.split_once('(')?;
    let numbers: Vec<f64> = arguments.split(',').map(|n| n.trim().parse().ok()).collect::<Option<_>>()?;
    let own = match (function.trim(), &numbers[..]) {
        ("between", [min, max]) => format!("{min}s..{max}s"),
        ("constant", [pause]) => format!("constant {pause}s"),
        ("constant_pacing", [period]) => format!("pacing {period}s"),
        ("constant_throughput", [rate]) => format!("rate {rate}/s"),
        _ => return None,
    };
    Wait::parse(&own).is_ok().then_some(own)
}

fn uniform(min: Duration, max: Duration) -> Result<Wait, UnitError> {
    if min > max {
        return Err(UnitError {
            problem: format!("the shortest pause, {min:?}, is longer than the longest, {max:?}"),
            remedy: format!("write `{max:?}..{min:?}`"),
        });
    }
    Ok(Wait::Uniform { min, max })
}

fn period(rate: Rate) -> Duration {
    Duration::from_nanos(rate.per_ns / rate.count.max(1))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Part, user_rng};
    use crate::slot::Slot;
    use proptest::prelude::*;

    const S: Duration = Duration::from_secs(1);

    fn pauses(wait: Wait, spent: Duration, count: u64) -> Vec<Duration> {
        (0..count).map(|n| wait.pause(spent, &mut user_rng(1, Slot(0), Part::Iteration(n)))).collect()
    }

    #[test]
    fn fixed_waits_do_not_depend_on_chance() {
        let check = |wait: Wait, spent: Duration, expected: Duration| {
            assert_eq!(pauses(wait, spent, 3), [expected; 3], "{wait:?} after {spent:?}");
        };
        check(Wait::None, S, Duration::ZERO);
        check(Wait::Constant(2 * S), S, 2 * S);
        check(Wait::Pacing(5 * S), 2 * S, 3 * S);
        check(Wait::Pacing(5 * S), 5 * S, Duration::ZERO);
        check(Wait::Pacing(5 * S), 60 * S, Duration::ZERO);
        check(Wait::Uniform { min: S, max: S }, S, S);
        check(Wait::Constant(Duration::MAX), S, Duration::MAX);
    }

    #[test]
    fn mean_cycles_are_those_of_the_pauses() {
        let check = |wait: Wait, seconds: u32| assert_eq!(wait.mean_cycle(3 * S), seconds * S, "{wait:?}");
        check(Wait::None, 3);
        check(Wait::Constant(2 * S), 5);
        check(Wait::Exponential(2 * S), 5);
        check(Wait::Uniform { min: S, max: 3 * S }, 5);
        check(Wait::Pacing(2 * S), 3);
        check(Wait::Pacing(7 * S), 7);
        assert_eq!((Wait::Pacing(7 * S).period(), Wait::Constant(7 * S).period()), (Some(7 * S), None));
        assert_eq!(Wait::Constant(Duration::MAX).mean_cycle(S), Duration::MAX);
    }

    #[test]
    fn uniform_waits_include_both_ends_and_spread_evenly() {
        let min = Duration::from_nanos(7);
        let narrow = pauses(Wait::Uniform { min, max: min + Duration::from_nanos(2) }, S, 100);
        for ns in 7..=9 {
            assert!(narrow.contains(&Duration::from_nanos(ns)), "{ns} is never drawn");
        }
        assert!(narrow.iter().all(|p| (7..=9).contains(&p.as_nanos())));
        let wide = pauses(Wait::Uniform { min: S, max: 3 * S }, S, 10_000);
        let mean = wide.iter().sum::<Duration>() / 10_000;
        assert!(mean.abs_diff(2 * S) < Duration::from_millis(25), "{mean:?}");
        let huge = Wait::Uniform { min: Duration::ZERO, max: Duration::MAX };
        assert_eq!(pauses(huge, S, 10).len(), 10);
    }

    #[test]
    fn exponential_waits_have_their_mean_and_their_cap() {
        let drawn = pauses(Wait::Exponential(S), S, 20_000);
        let mean = drawn.iter().sum::<Duration>() / 20_000;
        assert!(mean.abs_diff(S) < Duration::from_millis(25), "{mean:?}");
        let above_mean = drawn.iter().filter(|p| **p > S).count() as f64 / 20_000.0;
        assert!((above_mean - (-1.0_f64).exp()).abs() < 0.01, "{above_mean}");
        assert!(drawn.iter().all(|p| *p <= 20 * S));
        assert_eq!(Wait::Exponential(S).pause(S, &mut AlwaysOne), 20 * S);
    }

    #[test]
    fn waits_are_read() {
        let check = |text: &str, expected: Wait| assert_eq!(Wait::parse(text), Ok(expected), "{text}");
        check("none", Wait::None);
        check("2s", Wait::Constant(2 * S));
        check(" constant  1500ms ", Wait::Constant(S + S / 2));
        check("1s..3s", Wait::Uniform { min: S, max: 3 * S });
        check("500ms .. 1m", Wait::Uniform { min: S / 2, max: 60 * S });
        check("0s..0s", Wait::Uniform { min: Duration::ZERO, max: Duration::ZERO });
        check("pacing 5s", Wait::Pacing(5 * S));
        check("rate 0.5/s", Wait::Pacing(2 * S));
        check("rate 30/m", Wait::Pacing(2 * S));
        check("exponential 2s", Wait::Exponential(2 * S));
    }

    #[test]
    fn wrong_waits_say_how_to_write_them() {
        let check = |text: &str, problem: &str, remedy: &str| {
            let error = Wait::parse(text).unwrap_err();
            assert!(error.problem.contains(problem) && error.remedy.contains(remedy), "{text}: {error:?}");
        };
        check("", "`` is not a wait", "`1s..3s`");
        check("sometimes", "`sometimes` is not a wait", "`pacing 5s`");
        check("normal 2s", "`normal 2s` is not a wait", "`none`");
        check("pacing", "`pacing` is not a wait", "`pacing 5s`");
        check("3s..1s", "3s, is longer than the longest, 1s", "write `1s..3s`");
        for text in [
            "2",
            "1..3",
            "1s..",
            "..3s",
            "1s...3s",
            "constant",
            "constant x",
            "rate 5s",
            "pacing 2/s",
            "-1s",
            "1s..2s..3s",
        ] {
            let error = Wait::parse(text).unwrap_err();
            assert!(!error.problem.is_empty() && !error.remedy.is_empty(), "{text}: {error:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_wait_or_an_error(text in "(\\PC|[0-9.]|ms|s|constant |rate |pacing |exponential ){0,12}") {
            if let Ok(wait) = Wait::parse(&text) {
                wait.pause(S, &mut AlwaysOne);
            }
        }
    }

    /// Draws the largest number there is.
    struct AlwaysOne;

    impl rand::TryRng for AlwaysOne {
        type Error = std::convert::Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(u32::MAX)
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(u64::MAX)
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
            bytes.fill(u8::MAX);
            Ok(())
        }
    }
}

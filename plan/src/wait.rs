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
                parse_duration(text).map(Wait::Constant)
            }
            Some(("constant", rest)) => parse_duration(rest.trim()).map(Wait::Constant),
            Some(("pacing", rest)) => parse_duration(rest.trim()).map(Wait::Pacing),
            Some(("exponential", rest)) => parse_duration(rest.trim()).map(Wait::Exponential),
            Some(("rate", rest)) => parse_rate(rest.trim()).map(|rate| Wait::Pacing(period(rate))),
            _ => Err(UnitError {
                problem: format!("`{}` is not a wait", crate::template::escaped(text, 60)),
                remedy: FORMS.into(),
            }),
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

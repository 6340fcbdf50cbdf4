//! Laws that latencies follow.

use crate::quantity::{QuantityError, parse_duration};
use rand::{Rng, RngExt};
use std::str::FromStr;
use std::time::Duration;

/// How long something takes, as a probability distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Law {
    /// `constant 20ms`: always the same.
    Constant(Duration),
    /// `uniform 10ms..30ms`: any value between the two, all equally likely.
    Uniform {
        /// Shortest.
        min: Duration,
        /// Longest; not below `min`.
        max: Duration,
    },
    /// `lognormal 50ms sigma 0.4`: the usual shape of a service's latencies, with a tail to the right. Its
    /// p95 is `median·exp(1.645·sigma)`.
    LogNormal {
        /// Half of the values are below it.
        median: Duration,
        /// Standard deviation of the values' natural logarithm, from 0 to 3.
        sigma: f64,
    },
    /// `exponential 30ms`: without memory; at most 20 times its mean, which it reaches twice in a billion.
    Exponential {
        /// The mean.
        mean: Duration,
    },
}

/// Why the text of a law was refused, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LawError {
    /// No law of that name.
    #[error(
        "`{0}` is not a law; write `constant 20ms`, `uniform 10ms..30ms`, `lognormal 50ms sigma 0.4` or \
         `exponential 30ms`"
    )]
    Unknown(String),
    /// A duration in it is wrong.
    #[error(transparent)]
    Quantity(#[from] QuantityError),
    /// The bounds of `uniform` are the wrong way round.
    #[error(
        "`{0}` ends before it begins; write the shorter duration first, for instance `uniform 10ms..30ms`"
    )]
    Reversed(String),
    /// The sigma of `lognormal` is not a number, or too large.
    #[error("sigma `{0}` is not a number from 0 to 3; write for instance `lognormal 50ms sigma 0.4`")]
    Sigma(String),
}

/// Nothing takes longer than this, whatever the law.
const LONGEST: Duration = Duration::from_hours(1);

impl Law {
    /// The next value. Takes as many numbers from `rng` as the law needs: none, one or two.
    pub fn draw(&self, rng: &mut impl Rng) -> Duration {
        match *self {
            Law::Constant(duration) => duration,
            Law::Uniform { min, max } => min + max.saturating_sub(min).mul_f64(rng.random::<f64>()),
            Law::LogNormal { median, sigma } => {
                let seconds = median.as_secs_f64() * (sigma * standard_normal(rng)).exp();
                Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).min(LONGEST)
            }
            Law::Exponential { mean } => mean.mul_f64((-open_unit(rng).ln()).min(20.0)),
        }
    }
}

/// Uniform in `(0, 1]`, so that its logarithm is finite.
fn open_unit(rng: &mut impl Rng) -> f64 {
    1.0 - rng.random::<f64>()
}

/// Normal with mean 0 and deviation 1, by the method of Box and Muller (1958).
fn standard_normal(rng: &mut impl Rng) -> f64 {
    let radius = (-2.0 * open_unit(rng).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

impl FromStr for Law {
    type Err = LawError;

    fn from_str(text: &str) -> Result<Law, LawError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["constant", value] => Ok(Law::Constant(parse_duration(value)?)),
            ["uniform", range] => {
                let (min, max) = range.split_once("..").ok_or_else(|| LawError::Unknown(text.to_owned()))?;
                let (min, max) = (parse_duration(min)?, parse_duration(max)?);
                if max < min {
                    return Err(LawError::Reversed(range.to_owned()));
                }
                Ok(Law::Uniform { min, max })
            }
            ["lognormal", median, "sigma", sigma] => {
                let median = parse_duration(median)?;
                let wrong = || LawError::Sigma(sigma.to_owned());
                let sigma = sigma.parse().ok().filter(|s| (0.0..=3.0).contains(s)).ok_or_else(wrong)?;
                Ok(Law::LogNormal { median, sigma })
            }
            ["exponential", mean] => Ok(Law::Exponential { mean: parse_duration(mean)? }),
            _ => Err(LawError::Unknown(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn laws_read_as_they_are_written() {
        let check = |text: &str, expected: Law| {
            assert_eq!(text.parse::<Law>(), Ok(expected), "{text}");
        };
        check("constant 20ms", Law::Constant(ms(20)));
        check("  constant   0s ", Law::Constant(ms(0)));
        check("uniform 10ms..30ms", Law::Uniform { min: ms(10), max: ms(30) });
        check("uniform 1.5s..1.5s", Law::Uniform { min: ms(1500), max: ms(1500) });
        check("lognormal 50ms sigma 0.4", Law::LogNormal { median: ms(50), sigma: 0.4 });
        check("exponential 250us", Law::Exponential { mean: Duration::from_micros(250) });
    }

    #[test]
    fn wrong_laws_are_refused_with_a_remedy() {
        let check = |text: &str, problem: &str| {
            let error = text.parse::<Law>().unwrap_err().to_string();
            assert!(error.contains(problem) && error.contains("write"), "{text}: {error}");
        };
        check("", "`` is not a law");
        check("20ms", "`20ms` is not a law");
        check("normal 20ms", "`normal 20ms` is not a law");
        check("constant", "`constant` is not a law");
        check("constant 20ms 30ms", "is not a law");
        check("constant 20", "`20` has no unit");
        check("constant 1000s", "longer than the limit of 10 minutes");
        check("uniform 10ms", "is not a law");
        check("uniform 10ms..", "a duration is missing");
        check("uniform 30ms..10ms", "`30ms..10ms` ends before it begins");
        check("lognormal 50ms", "is not a law");
        check("lognormal 50ms sigma x", "sigma `x` is not a number from 0 to 3");
        check("lognormal 50ms sigma 3.1", "sigma `3.1`");
        check("lognormal 50ms sigma NaN", "sigma `NaN`");
        check("exponential -5ms", "`-5ms`");
    }

    /// Quantiles of 20,000 draws, in order of `probabilities`.
    fn quantiles(law: &str, probabilities: [f64; 3]) -> [f64; 3] {
        let law: Law = law.parse().unwrap();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
        let mut drawn: Vec<Duration> = (0..20_000).map(|_| law.draw(&mut rng)).collect();
        drawn.sort();
        probabilities.map(|p| drawn[((drawn.len() - 1) as f64 * p) as usize].as_secs_f64() * 1e3)
    }

    #[test]
    fn draws_have_the_laws_quantiles() {
        let check = |law: &str, expected: [f64; 3]| {
            let got = quantiles(law, [0.05, 0.5, 0.95]);
            for (got, expected) in got.into_iter().zip(expected) {
                assert!((got - expected).abs() <= 0.04 * expected, "{law}: {got} ms, not {expected} ms");
            }
        };
        check("constant 20ms", [20.0, 20.0, 20.0]);
        check("uniform 10ms..30ms", [11.0, 20.0, 29.0]);
        check("lognormal 50ms sigma 0.4", [25.89, 50.0, 96.54]);
        check("exponential 30ms", [1.539, 20.79, 89.87]);
    }

    proptest! {
        #[test]
        fn any_text_is_a_bounded_law_or_refused(
            text in "(constant|uniform|lognormal|exponential|.{0,9}) ?[0-9.]{0,9}(us|ms|s|m|µ)?(\\.\\.| sigma )?[0-9.]{0,5}(ms|s|m)?",
            seed: u64,
        ) {
            if let Ok(law) = text.parse::<Law>() {
                prop_assert!(law.draw(&mut Xoshiro256PlusPlus::seed_from_u64(seed)) <= LONGEST.mul_f64(4.0));
            }
        }
    }
}

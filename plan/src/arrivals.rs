//! Open load: when iterations start, whatever the users are doing.
//!
//! Arrivals are numbered through the whole fleet, from 0. Even ones come when the area under the rate passes
//! their number; Poisson ones when it passes the sum of so many exponential gaps of mean 1 (time rescaling:
//! Cinlar 1975, theorem 7.4.4), so both kinds follow any course of rates. Areas are integers of 2^-64 arrivals and
//! times integers of nanoseconds, so every agent computes the same instants and no error accumulates.
//!
//! ```text
//! area
//!   3 |           ,'      arrival 3 comes when the line reaches 3, and so on;
//!   2 |       ,-'         where it is level, nothing comes
//!   1 |   __,'
//!   0 +--'---------> t
//! ```

use crate::rng::{UserRng, arrivals_rng};
use crate::schedule::{Schedule, Shape};
use crate::slot::Slot;
use metrics::unit::{Rate, format_duration};
use rand::Rng;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How arrivals are spread where the rate is constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// At equal distances.
    Even,
    /// As independent visitors come: at exponential distances, the same in every run of a seed.
    Poisson,
}

/// One piece of the course of an arrival rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// The rate at its end; its count may be 0.
    pub rate: Rate,
    /// How it gets there.
    pub shape: Shape,
    /// How long it lasts.
    pub length: Duration,
}

/// The arrivals of a run, from T0 to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrivals {
    phases: Arc<[Phase]>,
    pieces: Arc<[Piece]>,
    pattern: Pattern,
    end_ns: u64,
}

/// For a person: `200/s for 5m`, `10/s for 1m, to 200/s over 30s, poisson`.
impl fmt::Display for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, phase) in self.phases.iter().enumerate().take(SHOWN_PHASES) {
            let comma = if at > 0 { ", " } else { "" };
            let (to, how) = if phase.shape == Shape::Ramp { ("to ", "over") } else { ("", "for") };
            let (rate, length) = (phase.rate.per_second(), format_duration(phase.length));
            write!(f, "{comma}{to}{rate}/s {how} {length}")?;
        }
        if let Some(more) = self.phases.len().checked_sub(SHOWN_PHASES).filter(|&more| more > 0) {
            write!(f, " and {more} more stages")?;
        }
        if self.pattern == Pattern::Poisson { f.write_str(", poisson") } else { Ok(()) }
    }
}

/// Phases that are told to a person.
const SHOWN_PHASES: usize = 4;

/// Arrivals per nanosecond in 2^-64, or an area in 2^-64 arrivals.
type Fixed = u128;

/// A piece of the area's line.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    start_ns: u64,
    length_ns: u64,
    line: Line,
    /// The area before it, and with it.
    from: Fixed,
    to: Fixed,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Line {
    /// A constant rate, as it was written: its multiples are exact.
    Level(Rate),
    /// A rate that rises (or falls) in a straight line; rounded down to 2^-64 arrivals per nanosecond.
    Slant { from: Fixed, to: Fixed },
}

impl Arrivals {
    /// Highest rate in arrivals per second.
    pub const MAX_PER_SECOND: u64 = 1_000_000;

    /// A course of rates, starting from 0.
    ///
    /// # Panics
    /// If a rate is above [`MAX_PER_SECOND`](Arrivals::MAX_PER_SECOND) or the whole is longer than
    /// [`Schedule::MAX_LENGTH`]: the reader of plans refuses both.
    pub fn new(phases: &[Phase], pattern: Pattern) -> Arrivals {
        let (mut start_ns, mut area) = (0, 0);
        let mut level = Rate { count: 0, per_ns: 1 };
        let mut pieces = Vec::with_capacity(phases.len());
        for phase in phases {
            assert!(
                u128::from(phase.rate.count) * 1_000_000_000
                    <= u128::from(phase.rate.per_ns) * u128::from(Arrivals::MAX_PER_SECOND),
                "the rate of {phase:?} is out of range"
            );
            let length_ns = u64::try_from(phase.length.as_nanos()).expect("a phase fits in the longest run");
            let made = level_area(phase.rate, length_ns);
            let (line, made) = match (phase.shape, fixed(level), fixed(phase.rate)) {
                (Shape::Ramp, from, to) if from != to => {
                    (Line::Slant { from, to }, u128::midpoint(level_area(level, length_ns), made))
                }
                _ => (Line::Level(phase.rate), made),
            };
            pieces.push(Piece { start_ns, length_ns, line, from: area, to: area + made });
            (start_ns, area, level) = (start_ns + length_ns, area + made, phase.rate);
        }
        assert!(u128::from(start_ns) <= Schedule::MAX_LENGTH.as_nanos(), "{phases:?} are too long");
        Arrivals { phases: phases.into(), pieces: pieces.into(), pattern, end_ns: start_ns }
    }

    /// `rate` for `duration`.
    pub fn constant(rate: Rate, duration: Duration, pattern: Pattern) -> Arrivals {
        Arrivals::new(&[Phase { rate, shape: Shape::Hold, length: duration }], pattern)
    }

    /// The course as it was given.
    pub fn phases(&self) -> &[Phase] {
        &self.phases
    }

    /// How they are spread.
    pub fn pattern(&self) -> Pattern {
        self.pattern
    }

    /// When the last phase ends: nothing arrives from here on.
    pub fn end(&self) -> Duration {
        Duration::from_nanos(self.end_ns)
    }

    /// How many are expected in all: the area under the rate.
    pub fn expected(&self) -> f64 {
        arrivals(self.pieces.last().map_or(0, |piece| piece.to))
    }

    /// How many are expected before `t`.
    pub fn expected_before(&self, t: Duration) -> f64 {
        arrivals(self.area(u64::try_from(t.as_nanos()).unwrap_or(u64::MAX).min(self.end_ns)))
    }

    /// The highest rate in arrivals per second.
    pub fn peak(&self) -> f64 {
        self.phases.iter().map(|phase| phase.rate.per_second()).fold(0.0, f64::max)
    }

    /// The whole area before `t` nanoseconds.
    fn area(&self, t: u64) -> Fixed {
        let piece = self.pieces.iter().rev().find(|piece| piece.start_ns <= t);
        piece.map_or(0, |piece| piece.from + piece.area((t - piece.start_ns).min(piece.length_ns)))
    }

    /// When the area passes `position`, if it does before the end.
    fn passes(&self, position: Fixed) -> Option<u64> {
        let piece = self.pieces[self.pieces.partition_point(|piece| piece.to <= position)..].first()?;
        let at = piece.start_ns + piece.inverse(position - piece.from);
        (at < self.end_ns).then_some(at)
    }
}

impl Piece {
    /// The area of its first `x` nanoseconds. All of it is exact, so that rounding adds up over no pieces.
    fn area(&self, x: u64) -> Fixed {
        let whole = self.to - self.from;
        match self.line {
            Line::Level(rate) => level_area(rate, x),
            Line::Slant { .. } if x >= self.length_ns => whole,
            Line::Slant { from, to } if from <= to => self.rise(from, to, x).min(whole),
            // A fall is a rise seen from its end.
            Line::Slant { from, to } => whole.saturating_sub(self.rise(to, from, self.length_ns - x)),
        }
    }

    /// `low·x + (high - low)·x²/2L`. No product passes 2^112: rates are below 2^55 and times below 2^56.
    fn rise(&self, low: Fixed, high: Fixed, x: u64) -> Fixed {
        let (x, twice) = (u128::from(x), 2 * u128::from(self.length_ns).max(1));
        let gained = (high - low) * x;
        low * x + gained / twice * x + gained % twice * x / twice
    }

    /// The first nanosecond at which its area is at least `area`.
    fn inverse(&self, area: Fixed) -> u64 {
        match self.line {
            Line::Level(rate) => {
                // c·x/p >= area, where only the fraction of `area` needs care: area·p may not fit.
                let per_ns = u128::from(rate.per_ns);
                let (whole, fraction) = (area >> 64, area & u128::from(u64::MAX));
                let needed = whole * per_ns + (fraction * per_ns).div_ceil(1 << 64);
                needed.div_ceil(u128::from(rate.count)) as u64
            }
            Line::Slant { from, to } => self.search(area, self.estimate(area, from, to)),
        }
    }

    /// About where its area is `area`: the root of a quadratic in the form that does not cancel.
    fn estimate(&self, area: Fixed, from: Fixed, to: Fixed) -> u64 {
        let (from, to, area) = (from as f64, to as f64, area as f64);
        let bend = (to - from) / (2.0 * self.length_ns as f64);
        let root = (from * from + 4.0 * bend * area).max(0.0).sqrt();
        (2.0 * area / (from + root)) as u64
    }

    /// Searches outwards from `guess`, which decides how long it takes and nothing else.
    fn search(&self, area: Fixed, guess: u64) -> u64 {
        let reached = |x: u64| self.area(x) >= area;
        let guess = guess.min(self.length_ns);
        let (mut low, mut high, mut step) = (guess, guess, 1);
        while high < self.length_ns && !reached(high) {
            (low, high, step) = (high, (high + step).min(self.length_ns), step * 2);
        }
        while low > 0 && reached(low) {
            (low, high, step) = (low.saturating_sub(step), low, step * 2);
        }
        // The area at `low` is too small (or `low` is 0), that at `high` is not.
        while low < high {
            let middle = low + (high - low) / 2;
            if reached(middle) { high = middle } else { low = middle + 1 }
        }
        high
    }
}

/// The times of a run's arrivals, taken in rising order.
#[derive(Clone, Debug)]
pub struct Times {
    arrivals: Arrivals,
    /// The arrival that `position` belongs to.
    number: u64,
    position: Fixed,
    /// Of the Poisson gaps.
    rng: Option<UserRng>,
}

impl Times {
    /// From the first arrival on, of a run with `seed`.
    pub fn new(arrivals: &Arrivals, seed: u64) -> Times {
        let mut rng = (arrivals.pattern == Pattern::Poisson).then(|| arrivals_rng(seed));
        let position = rng.as_mut().map_or(0, gap);
        Times { arrivals: arrivals.clone(), number: 0, position, rng }
    }

    /// The lowest number that may be asked for.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// When arrival `number` comes, as an offset from T0; `None` when the run ends before. Numbers may be left out, but
    /// not go back.
    ///
    /// # Panics
    /// In debug builds when `number` is lower than the last one.
    pub fn at(&mut self, number: u64) -> Option<Duration> {
        debug_assert!(number >= self.number, "{number} after {}", self.number);
        self.advance(number);
        self.arrivals.passes(self.position).map(Duration::from_nanos)
    }

    /// How many arrivals come before `t`, which must not go back either.
    pub fn count_before(&mut self, t: Duration) -> u64 {
        let t = u64::try_from(t.as_nanos()).unwrap_or(u64::MAX).min(self.arrivals.end_ns);
        let Some(last) = t.checked_sub(1) else { return 0 };
        let area = self.arrivals.area(last);
        if self.rng.is_some() {
            while self.position <= area {
                self.advance(self.number + 1);
            }
            return self.number;
        }
        let passed = area >> 64;
        // On a level stretch of the area the next one waits for its end.
        let next_too = self.arrivals.passes(passed << 64).is_some_and(|at| at <= last);
        passed as u64 + u64::from(next_too)
    }

    fn advance(&mut self, number: u64) {
        let Some(rng) = &mut self.rng else {
            self.number = number;
            self.position = u128::from(number) << 64;
            return;
        };
        let end = self.arrivals.pieces.last().map_or(0, |piece| piece.to);
        while self.number < number && self.position <= end {
            self.position += gap(rng);
            self.number += 1;
        }
    }
}

/// The slot whose turn arrival `number` is, of `users` slots (at least 1).
pub fn home(number: u64, users: u32) -> Slot {
    Slot((number % u64::from(users)) as u32)
}

/// The first arrival from `number` on whose [`home`] is one of `slots`, which are all below `users`.
pub fn next_of<T>(slots: &BTreeMap<Slot, T>, users: u32, number: u64) -> Option<u64> {
    let turn = home(number, users);
    let ahead = match slots.range(turn..).next() {
        Some((slot, _)) => u64::from(slot.0 - turn.0),
        None => u64::from(users) - u64::from(turn.0) + u64::from(slots.first_key_value()?.0.0),
    };
    Some(number + ahead)
}

/// Arrivals per nanosecond, rounded down.
fn fixed(rate: Rate) -> Fixed {
    (u128::from(rate.count) << 64) / u128::from(rate.per_ns)
}

/// What a constant rate makes in `x` nanoseconds, rounded down.
fn level_area(rate: Rate, x: u64) -> Fixed {
    let (count, per_ns) = (u128::from(rate.count) * u128::from(x), u128::from(rate.per_ns));
    ((count / per_ns) << 64) + ((count % per_ns) << 64) / per_ns
}

fn arrivals(area: Fixed) -> f64 {
    area as f64 / 2_f64.powi(64)
}

/// An exponential gap of mean 1: the inverse of the distribution's CDF at a number from (0, 1].
fn gap(rng: &mut UserRng) -> Fixed {
    let uniform = ((rng.next_u64() >> 11) + 1) as f64 / 2_f64.powi(53);
    (-ln(uniform) * 2_f64.powi(64)) as Fixed
}

/// The natural logarithm of a normal number, from operations that IEEE 754 defines to the last bit: the
/// platform's own may differ between agents. `2·atanh((m-1)/(m+1))` of the mantissa by its series, whose twelfth
/// term is below 2^-56.
fn ln(x: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    let mut exponent = ((x.to_bits() >> 52) & 0x7ff) as f64 - 1023.0;
    let mut mantissa = f64::from_bits((x.to_bits() & MANTISSA) | (1023 << 52));
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1.0;
    }
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let series = (0..12).rev().fold(0.0, |sum, n| sum * (s * s) + 1.0 / f64::from(2 * n + 1));
    exponent * std::f64::consts::LN_2 + 2.0 * s * series
}

#[cfg(test)]
mod tests;

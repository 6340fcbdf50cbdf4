//! The grammar of threshold sentences.

use super::bound::Bound;
use super::{Metric, Op, Threshold};
use crate::unit::{Decimal, UnitError, format_duration, parse_duration, quoted};
use std::cmp::Ordering;
use std::time::Duration;

const GRAMMAR: &str =
    "the order is METRIC OP VALUE [critical VALUE] [over WINDOW] [samples N] [abort [after TIME]]";

/// Longest sentence, in bytes.
pub(super) const LONGEST: usize = 200;

/// The sliding windows that can be judged, and the times to wait: whole seconds, and each of a window costs memory.
const WINDOWS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(1));

impl Threshold {
    /// Parses one sentence.
    ///
    /// # Errors
    /// Anything outside the grammar, a value that is not of the metric's unit, a target that no measurement
    /// can meet, a `critical` value that is not more lenient than the target, and windows and times that are not whole
    /// seconds from 1 s to 1 h.
    pub fn parse(text: &str) -> Result<Threshold, UnitError> {
        if text.len() > LONGEST {
            let problem = format!("a threshold of {} bytes is longer than {LONGEST}", text.len());
            return Err(UnitError::new(problem, "write one such as `p95 <= 200ms`"));
        }
        let words = words(text);
        let mut rest = words.iter().copied();
        let first = rest
            .next()
            .ok_or_else(|| UnitError::new("the threshold is empty", "write one such as `p95 <= 200ms`"))?;
        let metric = Metric::parse(first)?;
        let missing =
            |problem: String| UnitError::new(problem, format!("write one such as `{}`", metric.example()));
        let op = rest.next().ok_or_else(|| missing(format!("{} is compared with nothing", quoted(first))))?;
        let op = parse_op(op)?;
        let value = rest.next().ok_or_else(|| missing(format!("`{first} {op}` has no value")))?;
        let target = Bound::parse(metric, value)?;
        target.check_reachable(metric, op).map_err(|error| {
            UnitError::new(
                error.problem.replacen("this", &format!("`{first} {op} {value}`"), 1),
                error.remedy,
            )
        })?;
        let style = Style { example: "p95 <= 500ms", limit: "1s", judged: "requests" };
        let clauses = Clauses::parse(rest, &style, |text| parse_limit(text, metric, op, target))?;
        Ok(Threshold {
            expression: words.join(" "),
            metric,
            op,
            value: target.value(),
            critical: clauses.limit.map(Bound::value),
            over: clauses.over,
            samples: clauses.samples,
            abort: clauses.abort,
            target,
            limit: clauses.limit,
        })
    }
}

/// How clauses are spoken of in remedies.
pub(super) struct Style<'a> {
    /// A comparison that they may follow.
    pub(super) example: &'a str,
    /// A critical value for it.
    pub(super) limit: &'a str,
    /// What `samples` counts.
    pub(super) judged: &'a str,
}

/// What may follow the comparison; the critical value is of the kind that the target is.
pub(super) struct Clauses<B> {
    pub(super) limit: Option<B>,
    pub(super) over: Option<Duration>,
    pub(super) samples: Option<u64>,
    pub(super) abort: Option<Duration>,
    /// Whether `after` was read, which follows `abort` alone.
    after: bool,
}

impl<B> Clauses<B> {
    pub(super) fn parse<'a>(
        mut words: impl Iterator<Item = &'a str>,
        style: &Style<'_>,
        parse_limit: impl Fn(&str) -> Result<B, UnitError>,
    ) -> Result<Clauses<B>, UnitError> {
        let mut clauses = Clauses { limit: None, over: None, samples: None, abort: None, after: false };
        let Style { example, limit, judged } = *style;
        while let Some(word) = words.next() {
            let place =
                ["critical", "over", "samples", "abort", "after"].iter().position(|known| *known == word);
            let Some(place) = place else { return Err(unexpected(word)) };
            let reached = clauses.reached();
            if place < reached || (place == 4 && reached != 4) {
                return Err(UnitError::new(format!("`{word}` stands in the wrong place or twice"), GRAMMAR));
            }
            let mut value = |what: &str, clause: &str| {
                words.next().ok_or_else(|| {
                    UnitError::new(
                        format!("`{word}` has no {what}"),
                        format!("write one such as `{example} {clause}`"),
                    )
                })
            };
            match word {
                "critical" => {
                    let value = value("value", &format!("critical {limit}"))?;
                    clauses.limit = Some(parse_limit(value)?);
                }
                "over" => {
                    let window = value("window", "over 10s")?;
                    clauses.over = Some(parse_seconds("window", "over", window)?);
                }
                "samples" => {
                    let least = value("number", "samples 100")?;
                    clauses.samples = Some(parse_samples(least, judged, example)?);
                }
                "abort" => clauses.abort = Some(Threshold::ABORT_AFTER),
                _ => {
                    let time = value("time", "abort after 30s")?;
                    clauses.abort = Some(parse_seconds("time", "abort after", time)?);
                    clauses.after = true;
                }
            }
        }
        Ok(clauses)
    }

    /// The place in the grammar's order that the next clause may have at the earliest.
    fn reached(&self) -> usize {
        let read = [
            self.limit.is_some(),
            self.over.is_some(),
            self.samples.is_some(),
            self.abort.is_some(),
            self.after,
        ];
        read.iter().rposition(|stands| *stands).map_or(0, |last| last + 1)
    }
}

/// The words of a sentence; comparisons need no spaces around them.
pub(super) fn words(text: &str) -> Vec<&str> {
    let is_comparison = |character: char| matches!(character, '<' | '>' | '=' | '!' | '≤' | '≥' | '≠');
    let mut words = Vec::new();
    for mut part in text.split_whitespace() {
        while let Some(first) = part.chars().next() {
            let kind = is_comparison(first);
            let end = part.find(|next: char| is_comparison(next) != kind).unwrap_or(part.len());
            let (word, rest) = part.split_at(end);
            words.push(word);
            part = rest;
        }
    }
    words
}

pub(super) fn parse_op(word: &str) -> Result<Op, UnitError> {
    let meant = match word {
        "<" => return Ok(Op::Less),
        "<=" => return Ok(Op::LessOrEqual),
        ">" => return Ok(Op::Greater),
        ">=" => return Ok(Op::GreaterOrEqual),
        "==" => return Ok(Op::Equal),
        "!=" => return Ok(Op::NotEqual),
        "=" | "===" => Some("=="),
        "=<" | "≤" => Some("<="),
        "=>" | "≥" => Some(">="),
        "<>" | "≠" | "!==" => Some("!="),
        "below" | "under" => Some("<"),
        "above" | "over" => Some(">"),
        _ => None,
    };
    let remedy = match meant {
        Some(op) => format!("write `{op}`"),
        None => "use one of `<`, `<=`, `>`, `>=`, `==`, `!=`".to_owned(),
    };
    Err(UnitError::new(format!("{} is not a comparison", quoted(word)), remedy))
}

fn parse_limit(text: &str, metric: Metric, op: Op, target: Bound) -> Result<Bound, UnitError> {
    more_lenient(text, op, || Bound::parse(metric, text), |limit| limit.compare(target))
}

/// The critical value that `parse` makes of `text`, if it is more lenient than the target, to which it compares as
/// `compare` says.
pub(super) fn more_lenient<B>(
    text: &str,
    op: Op,
    parse: impl FnOnce() -> Result<B, UnitError>,
    compare: impl FnOnce(&B) -> Ordering,
) -> Result<B, UnitError> {
    let (lenient, side) = match op {
        Op::Less | Op::LessOrEqual => (Ordering::Greater, "above"),
        Op::Greater | Op::GreaterOrEqual => (Ordering::Less, "below"),
        Op::Equal | Op::NotEqual => {
            return Err(UnitError::new(
                format!("`critical` has no meaning with `{op}`"),
                "compare with `<`, `<=`, `>` or `>=`, or leave `critical` out",
            ));
        }
    };
    let limit = parse()?;
    if compare(&limit) != lenient {
        return Err(UnitError::new(
            format!("the critical value {} is not more lenient than the target", quoted(text)),
            format!("with `{op}`, write a critical value {side} the target"),
        ));
    }
    Ok(limit)
}

/// A window or a time of whole seconds, as it follows `words`.
fn parse_seconds(what: &str, words: &str, text: &str) -> Result<Duration, UnitError> {
    let time = parse_duration(text)?;
    let (shortest, longest) = WINDOWS;
    if time < shortest || time > longest || time.subsec_nanos() > 0 {
        let (shortest, longest) = (format_duration(shortest), format_duration(longest));
        return Err(UnitError::new(
            format!("the {what} {} is not a number of whole seconds up to an hour", quoted(text)),
            format!("write `{words} {shortest}` to `{words} {longest}`"),
        ));
    }
    Ok(time)
}

fn parse_samples(text: &str, judged: &str, example: &str) -> Result<u64, UnitError> {
    match Decimal::parse(text) {
        Ok(Decimal { digits, scale: 0 }) if digits > 0 => Ok(digits),
        _ => Err(UnitError::new(
            format!("{} is not a number of {judged}", quoted(text)),
            format!("write one such as `{example} samples 100`"),
        )),
    }
}

fn unexpected(word: &str) -> UnitError {
    let known = ["critical", "over", "samples", "abort", "after"];
    let close = |name: &&str| word.len() <= 40 && strsim::damerau_levenshtein(word, name) <= 2;
    let remedy = match known.iter().copied().find(|name| close(name)) {
        Some(name) => format!("did you mean `{name}`? Otherwise leave it out: {GRAMMAR}"),
        None => format!("leave it out: {GRAMMAR}"),
    };
    UnitError::new(format!("{} is not expected here", quoted(word)), remedy)
}

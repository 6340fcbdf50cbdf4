//! Thresholds on figures that the target tells of itself: `NAME OP VALUE [critical VALUE] [over WINDOW] [samples N]
//! [abort [after TIME]]`, in plain numbers.

use super::sentence::{Clauses, LONGEST, Style, more_lenient, parse_op, words};
use super::{Op, Status};
use crate::unit::{UnitError, quoted};
use std::fmt;
use std::time::Duration;

/// Longest number in a sentence, in bytes.
const LONGEST_NUMBER: usize = 40;

/// A sentence about a figure; made by [`FigureThreshold::parse`] only.
#[derive(Clone, Debug, PartialEq)]
pub struct FigureThreshold {
    /// The sentence as it was written, one space between its words.
    pub expression: String,
    /// The figure.
    pub name: String,
    /// How it compares.
    pub op: Op,
    /// The value to meet; finite.
    pub value: f64,
    /// With `critical`: missing `value` is a warning, missing this one a failure.
    pub critical: Option<f64>,
    /// With `over`: judged is the mean of each sliding window of this length, whole seconds from 1 s to 1 h.
    pub over: Option<Duration>,
    /// With `samples`: fewer of them are no data.
    pub samples: Option<u64>,
    /// With `abort`, missing it stops the run; not before so long after the warm-up.
    pub abort: Option<Duration>,
}

impl FigureThreshold {
    /// Parses one sentence. The name may be any word; whether there is such a figure is not known here.
    ///
    /// # Errors
    /// Anything outside the grammar, a value that is not a plain finite number, and a `critical` value that is not more
    /// lenient than the target.
    pub fn parse(text: &str) -> Result<FigureThreshold, UnitError> {
        let example = "write one such as `queue <= 100`";
        if text.len() > LONGEST {
            let problem = format!("a threshold of {} bytes is longer than {LONGEST}", text.len());
            return Err(UnitError::new(problem, example));
        }
        let words = words(text);
        let mut rest = words.iter().copied();
        let name = rest.next().ok_or_else(|| UnitError::new("the threshold is empty", example))?;
        let such = format!("write one such as `{name} <= 100`");
        let op = rest
            .next()
            .ok_or_else(|| UnitError::new(format!("{} is compared with nothing", quoted(name)), &*such))?;
        let op = parse_op(op)?;
        let value =
            rest.next().ok_or_else(|| UnitError::new(format!("`{name} {op}` has no value"), &*such))?;
        let target = number(name, value)?;
        let style = Style { example: &format!("{name} <= 100"), limit: "200", judged: "samples" };
        let limit = |text: &str| {
            more_lenient(text, op, || number(name, text), |limit: &f64| limit.total_cmp(&target))
        };
        let clauses = Clauses::parse(rest, &style, limit)?;
        Ok(FigureThreshold {
            expression: words.join(" "),
            name: name.to_owned(),
            op,
            value: target,
            critical: clauses.limit,
            over: clauses.over,
            samples: clauses.samples,
            abort: clauses.abort,
        })
    }

    /// How `observed` meets it.
    pub fn judge(&self, observed: f64) -> Status {
        let meets = |bound: f64| observed.partial_cmp(&bound).is_some_and(|ordering| self.op.holds(ordering));
        if meets(self.value) {
            Status::Pass
        } else if self.critical.is_some_and(meets) {
            Status::Warn
        } else {
            Status::Fail
        }
    }

    /// Whether `observed` is further on the wrong side than `before`.
    pub fn is_worse(&self, observed: f64, before: f64) -> bool {
        let (off, less_off) = ((observed - self.value).abs(), (before - self.value).abs());
        match self.op {
            Op::Less | Op::LessOrEqual => observed > before,
            Op::Greater | Op::GreaterOrEqual => observed < before,
            Op::Equal => off > less_off,
            Op::NotEqual => off < less_off,
        }
    }
}

impl fmt::Display for FigureThreshold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.expression)
    }
}

/// A plain number: digits, a sign, a point, an exponent.
fn number(name: &str, text: &str) -> Result<f64, UnitError> {
    let plain = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
    let parsed = text.parse::<f64>().ok().filter(|value| value.is_finite());
    if let Some(value) = parsed.filter(|_| text.len() <= LONGEST_NUMBER && text.chars().all(plain)) {
        // There is one zero.
        return Ok(value + 0.0);
    }
    let digits = text.find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c))).unwrap_or(text.len());
    let remedy = match text[..digits].parse::<f64>() {
        Ok(_) if digits < text.len() && text.parse::<f64>().is_err() => {
            format!(
                "figures have no unit: write `{}`, in whatever unit the target tells {name} in",
                &text[..digits]
            )
        }
        _ => "write a plain number such as `0`, `12.5` or `1e9`".to_owned(),
    };
    Err(UnitError::new(format!("{} is not a plain number", quoted(text)), remedy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(sentence: &str) -> FigureThreshold {
        FigureThreshold::parse(sentence).unwrap_or_else(|error| panic!("{sentence}: {error}"))
    }

    #[test]
    fn good_sentences_are_understood() {
        let s = |seconds| Some(Duration::from_secs(seconds));
        for (sentence, name, op, value, critical, over, samples, abort) in [
            ("overflow <= 0", "overflow", Op::LessOrEqual, 0.0, None, None, None, None),
            ("queue < 1.5e3 critical 2000", "queue", Op::Less, 1_500.0, Some(2_000.0), None, None, None),
            (
                "balance >= -5 critical -7.5",
                "balance",
                Op::GreaterOrEqual,
                -5.0,
                Some(-7.5),
                None,
                None,
                None,
            ),
            ("up == 1 abort", "up", Op::Equal, 1.0, None, None, None, s(5)),
            ("state != 3 over 10s samples 4", "state", Op::NotEqual, 3.0, None, s(10), Some(4), None),
            ("q <= +5 over 30s abort after 1m", "q", Op::LessOrEqual, 5.0, None, s(30), None, s(60)),
        ] {
            let threshold = parsed(sentence);
            assert_eq!((threshold.to_string().as_str(), threshold.name.as_str()), (sentence, name));
            assert_eq!(
                (threshold.op, threshold.value, threshold.critical),
                (op, value, critical),
                "{sentence}"
            );
            assert_eq!(
                (threshold.over, threshold.samples, threshold.abort),
                (over, samples, abort),
                "{sentence}"
            );
        }
        assert_eq!(parsed(" overflow<=0 "), parsed("overflow <= 0"));
        assert!(parsed("a <= -0").value.is_sign_positive());
    }

    #[test]
    fn broken_sentences_are_refused_with_a_remedy() {
        for (sentence, problem, remedy) in [
            ("", "the threshold is empty", "write one such as `queue <= 100`"),
            ("queue", "`queue` is compared with nothing", "write one such as `queue <= 100`"),
            ("queue <=", "`queue <=` has no value", "write one such as `queue <= 100`"),
            ("queue = 3", "`=` is not a comparison", "write `==`"),
            (
                "wait <= 5ms",
                "`5ms` is not a plain number",
                "figures have no unit: write `5`, in whatever unit the target tells wait in",
            ),
            (
                "share <= 99.5%",
                "`99.5%` is not a plain number",
                "figures have no unit: write `99.5`, in whatever unit the target tells share in",
            ),
            (
                "queue <= inf",
                "`inf` is not a plain number",
                "write a plain number such as `0`, `12.5` or `1e9`",
            ),
            (
                "queue <= 1e999",
                "`1e999` is not a plain number",
                "write a plain number such as `0`, `12.5` or `1e9`",
            ),
            (
                "queue <= few",
                "`few` is not a plain number",
                "write a plain number such as `0`, `12.5` or `1e9`",
            ),
            (
                "queue <= 5 critical 4",
                "the critical value `4` is not more lenient than the target",
                "with `<=`, write a critical value above the target",
            ),
            (
                "queue <= 5 critical",
                "`critical` has no value",
                "write one such as `queue <= 100 critical 200`",
            ),
            (
                "queue <= 5 samples x",
                "`x` is not a number of samples",
                "write one such as `queue <= 100 samples 100`",
            ),
            (
                "queue <= 5 over 500ms",
                "the window `500ms` is not a number of whole seconds up to an hour",
                "write `over 1s` to `over 1h`",
            ),
        ] {
            assert_eq!(FigureThreshold::parse(sentence), Err(UnitError::new(problem, remedy)), "{sentence}");
        }
    }

    #[test]
    fn a_value_meets_it_or_not_and_the_worse_of_two_is_known() {
        for (sentence, passes, warns, fails, worst) in [
            ("q <= 5 critical 8", 5.0, 6.0, 8.1, 9.0),
            ("q > 5 critical 2", 5.1, 5.0, 2.0, 1.0),
            ("q < 0.1 critical 0.2", 0.09, 0.1, 0.2, 0.3),
        ] {
            let threshold = parsed(sentence);
            let judged = [passes, warns, fails, worst].map(|value| threshold.judge(value));
            assert_eq!(judged, [Status::Pass, Status::Warn, Status::Fail, Status::Fail], "{sentence}");
            for pair in [passes, warns, fails, worst].windows(2) {
                assert!(
                    threshold.is_worse(pair[1], pair[0]) && !threshold.is_worse(pair[0], pair[1]),
                    "{sentence}"
                );
            }
        }
        let (is, is_not) = (parsed("q == 1"), parsed("q != 1"));
        assert_eq!((is.judge(1.0), is.judge(2.0)), (Status::Pass, Status::Fail));
        assert_eq!((is_not.judge(1.0), is_not.judge(2.0)), (Status::Fail, Status::Pass));
        assert!(is.is_worse(-3.0, 2.0) && is_not.is_worse(1.0, 2.0));
        assert_eq!(is_not.judge(f64::NAN), Status::Fail, "what is no number meets nothing");
    }

    proptest! {
        #[test]
        fn any_sentence_is_answered(
            sentence in "(q|.{0,5}) ?(<|<=|>=|==|!=|.{0,2}) ?-?[0-9.e]{0,22}.{0,3}( critical .{0,9})?( over .{0,6})?( abort)?|.*"
        ) {
            match FigureThreshold::parse(&sentence) {
                Ok(threshold) => prop_assert_eq!(&parsed(&threshold.expression), &threshold),
                Err(error) => prop_assert!(!error.problem.is_empty() && !error.remedy.is_empty()),
            }
        }
    }
}

//! The steps that decide what happens next, and how they are evaluated.

use crate::judge::Save;
use crate::model::{Request, Step};
use crate::scope::Scope;
use crate::template::{EvalError, Expression, JsonTemplate, from_json};
use crate::wait::Wait;
use metrics::SeriesId;
use minijinja::Value;
use std::time::Duration;

/// Most rounds of one run of a `repeat`.
pub const MAX_ROUNDS: u32 = 10_000;

/// Largest value that `set` gives a variable, as JSON, in bytes: a `set` in a `repeat` could double it each round.
pub const MAX_SET_BYTES: usize = 1 << 20;

/// `think`: a pause. A user that is told to stop meanwhile ends there.
#[derive(Debug)]
pub struct Think {
    /// How long: never [`Wait::Pacing`] or [`Wait::None`].
    pub wait: Wait,
}

/// `set`: gives variables values of its own.
#[derive(Debug)]
pub struct Set {
    /// Where a value that cannot be computed is counted.
    pub failures: SeriesId,
    /// Names and values; none sees another of the same step.
    pub variables: Vec<(String, JsonTemplate)>,
}

impl Set {
    /// Computes all values, then sets them.
    pub fn apply(&self, scope: &mut Scope) -> Result<(), EvalError> {
        let mut values = Vec::with_capacity(self.variables.len());
        for (name, template) in &self.variables {
            let value = template.to_json(scope).map_err(|EvalError(why)| refused(name, &why))?;
            // `to_json` stops at 16 MiB, so this is bounded work.
            let length = serde_json::to_vec(&value).map_or(0, |json| json.len());
            if length > MAX_SET_BYTES {
                return Err(refused(
                    name,
                    &format!("a value of {length} bytes; the limit is {MAX_SET_BYTES}"),
                ));
            }
            values.push(from_json(&value));
        }
        for ((name, _), value) in self.variables.iter().zip(values) {
            scope.save(name, value);
        }
        Ok(())
    }
}

fn refused(name: &str, why: &str) -> EvalError {
    EvalError(format!("set `{name}`: {why}"))
}

/// `if`
#[derive(Debug)]
pub struct If {
    /// Where a condition that cannot be evaluated is counted.
    pub failures: SeriesId,
    /// Decides.
    pub condition: Expression,
    /// When it is true; never empty.
    pub then: Vec<Step>,
    /// When it is not.
    pub otherwise: Vec<Step>,
}

impl If {
    /// The steps of the branch that is taken.
    pub fn branch(&self, scope: &Scope) -> Result<&[Step], EvalError> {
        let taken = self.condition.eval(scope)?.is_true();
        Ok(if taken { &self.then } else { &self.otherwise })
    }
}

/// `repeat`
#[derive(Debug)]
pub struct Repeat {
    /// Where a count that cannot be evaluated is counted.
    pub failures: SeriesId,
    /// How often.
    pub count: Count,
    /// What; never empty.
    pub steps: Vec<Step>,
}

/// How often a `repeat` runs its steps.
#[derive(Debug)]
pub enum Count {
    /// 1 to [`MAX_ROUNDS`].
    Fixed(u32),
    /// 0 to [`MAX_ROUNDS`], computed when the step begins.
    Computed(Expression),
}

impl Repeat {
    /// The number of rounds, computed once.
    pub fn rounds(&self, scope: &Scope) -> Result<u32, EvalError> {
        let expression = match &self.count {
            Count::Fixed(rounds) => return Ok(*rounds),
            Count::Computed(expression) => expression,
        };
        let value = expression.eval(scope)?;
        // What comes out of `env` is text.
        let rounds = match value.as_str() {
            Some(text) => text.trim().parse::<u32>().ok(),
            None => whole(&value),
        };
        rounds.filter(|rounds| *rounds <= MAX_ROUNDS).ok_or_else(|| {
            let found = crate::template::excerpt(&value);
            let source = crate::template::escaped(expression.source(), 80);
            EvalError(format!(
                "repeat: `{source}` is {found}, which is not a whole number from 0 to {MAX_ROUNDS}"
            ))
        })
    }
}

/// The whole number that `value` is; also when it is written as `3.0`.
fn whole(value: &Value) -> Option<u32> {
    if let Ok(number) = u32::try_from(value.clone()) {
        return Some(number);
    }
    let number = f64::try_from(value.clone()).ok()?;
    let fits = number.fract() == 0.0 && (0.0..=f64::from(MAX_ROUNDS)).contains(&number);
    fits.then_some(number as u32)
}

/// `group` with `steps`: a timed transaction.
#[derive(Debug)]
pub struct Transaction {
    /// Where it is measured: from the start of its first step to the end of its last, pauses included.
    pub series: SeriesId,
    /// What belongs to it; never empty.
    pub steps: Vec<Step>,
}

/// `stop`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Ends the iteration; the next one follows after the pause.
    Iteration,
    /// Ends the user's work: it does nothing more until its schedule ends.
    User,
}

/// `poll`: asks again and again until the answer decides.
#[derive(Debug)]
pub struct Poll {
    /// What is asked; it saves nothing. Each time is a request of its own series.
    pub request: Request,
    /// Where the completion is measured: from submit to done.
    pub completion: SeriesId,
    /// From the start of one request to the start of the next, at least.
    pub every: Duration,
    /// From the first request on; then the completion has failed.
    pub timeout: Duration,
    /// Done when this is true.
    pub until: Expression,
    /// Failed when this is true; looked at before `until`.
    pub fail_if: Option<Expression>,
    /// What to keep of the response that was done.
    pub save: Vec<Save>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::tests::facts;
    use crate::slot::Slot;
    use crate::template::Template;

    fn scope() -> Scope {
        let mut scope = Scope::for_class(&facts(1), "Shop", Slot(0));
        scope.save("n", Value::from(3));
        scope.save("text", Value::from(" 12 "));
        scope.save("long", Value::from("x".repeat(MAX_SET_BYTES - 2)));
        scope
    }

    #[test]
    fn rounds_are_whole_and_bounded() {
        let check = |source: &str, expected: Result<u32, &str>| {
            let count = Count::Computed(Expression::compile(source).unwrap());
            let repeat = Repeat { failures: SeriesId(0), count, steps: Vec::new() };
            match (repeat.rounds(&scope()), expected) {
                (Ok(rounds), Ok(expected)) => assert_eq!(rounds, expected, "{source}"),
                (Err(error), Err(expected)) => assert!(error.0.contains(expected), "{error}"),
                (found, _) => panic!("{source}: {found:?}"),
            }
        };
        check("n", Ok(3));
        check("n - 3", Ok(0));
        check("text", Ok(12));
        check("6 / 2", Ok(3));
        check("10000", Ok(MAX_ROUNDS));
        for wrong in ["10001", "-1", "n / 2", "'x'", "''", "[1]", "none", "1e300"] {
            check(wrong, Err("not a whole number from 0 to 10000"));
        }
        check("nothing", Err("`nothing` has no value"));
    }

    #[test]
    fn set_sets_all_or_nothing_and_keeps_types() {
        let text = |source: &str| JsonTemplate::Text(Template::compile(source).unwrap());
        let set = |variables: Vec<(&str, JsonTemplate)>| Set {
            failures: SeriesId(0),
            variables: variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        };
        let eval = |scope: &Scope, source: &str| Expression::compile(source).unwrap().eval(scope);
        let mut scope = scope();
        set(vec![
            ("n", text("${n + 1}")),
            ("was", text("${n}")),
            ("list", JsonTemplate::Array(vec![text("a${n}")])),
        ])
        .apply(&mut scope)
        .unwrap();
        assert!(eval(&scope, "n == 4 and was == 3 and list == ['a3']").unwrap().is_true());
        let error = set(vec![("n", text("${n + 1}")), ("bad", text("${nothing}"))]).apply(&mut scope);
        assert!(error.unwrap_err().0.starts_with("set `bad`: `nothing`"));
        assert!(eval(&scope, "n == 4").unwrap().is_true());
        set(vec![("fits", text("${long}"))]).apply(&mut scope).unwrap();
        let error = set(vec![("big", text("${long}y"))]).apply(&mut scope).unwrap_err();
        assert_eq!(error.0, "set `big`: a value of 1048577 bytes; the limit is 1048576");
    }
}

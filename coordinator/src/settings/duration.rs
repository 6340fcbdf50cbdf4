//! The length of a run: with a unit, or as seconds where a configuration of other tools has those.

use super::{Environment, Text, UsageError};
use std::time::Duration;

/// The length with its unit.
const WITH_UNIT: &str = "LOAD_TEST_DURATION";

/// The length in seconds.
const SECONDS: &str = "LOAD_TEST_DURATION_SECONDS";

/// What `--duration` or one of its variables says.
pub(super) fn duration(typed: Option<&str>, env: &Environment) -> Result<Option<Duration>, UsageError> {
    let with_unit = Text::find("--duration", WITH_UNIT, typed, env);
    let seconds = Text::find(SECONDS, SECONDS, None, env);
    match (with_unit, seconds) {
        (Some(text), Some(_)) if typed.is_none() => {
            let problem = format!("{WITH_UNIT} and {SECONDS} are both set");
            Err(text.error(problem, "unset one of them, or write --duration, which wins over both"))
        }
        (Some(text), _) => text.duration().map(Some),
        (None, Some(text)) => {
            let number = text.value.parse::<f64>().is_ok()
                && text.value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            if !number {
                let problem = format!("{} is not a number of seconds", text.quoted());
                return Err(
                    text.error(problem, format!("write for instance `300`, or set {WITH_UNIT} to `5m`"))
                );
            }
            Text { value: &format!("{}s", text.value), ..text }.duration().map(Some)
        }
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_has_a_unit_or_is_in_seconds() {
        let check = |typed: Option<&str>, env: &[(&str, &str)], expected: Result<Option<u64>, &str>| {
            let env = env.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
            let found = duration(typed, &env).map_err(|error| error.to_string());
            let expected = expected.map(|millis| millis.map(Duration::from_millis));
            assert_eq!(found, expected.map_err(str::to_owned), "{typed:?} {env:?}");
        };
        check(None, &[], Ok(None));
        check(Some("90s"), &[], Ok(Some(90_000)));
        check(None, &[(WITH_UNIT, "5m")], Ok(Some(300_000)));
        check(None, &[(SECONDS, "300")], Ok(Some(300_000)));
        check(None, &[(SECONDS, "0.5")], Ok(Some(500)));
        check(None, &[(SECONDS, ""), (WITH_UNIT, "1s")], Ok(Some(1_000)));
        check(Some("1s"), &[(SECONDS, "300"), (WITH_UNIT, "5m")], Ok(Some(1_000)));
        check(
            None,
            &[(SECONDS, "300"), (WITH_UNIT, "5m")],
            Err("LOAD_TEST_DURATION: LOAD_TEST_DURATION and LOAD_TEST_DURATION_SECONDS are both set; \
                 unset one of them, or write --duration, which wins over both"),
        );
        let remedy = "write for instance `300`, or set LOAD_TEST_DURATION to `5m`";
        let error = |value: &str| {
            format!("LOAD_TEST_DURATION_SECONDS: `{value}` is not a number of seconds; {remedy}")
        };
        check(None, &[(SECONDS, "5m")], Err(&error("5m")));
        check(None, &[(SECONDS, "-1")], Err(&error("-1")));
        check(None, &[(SECONDS, ".")], Err(&error(".")));
        check(
            None,
            &[(SECONDS, "0")],
            Err("LOAD_TEST_DURATION_SECONDS: `0s` is no time at all; write a time above zero, such as `30s`"),
        );
    }
}

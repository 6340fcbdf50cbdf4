//! What is said beside the results, and how.

use super::{Environment, Text, UsageError, switch};
use crate::cli::Cli;
use agent::log::{LogFormat, LogSettings, VARIABLE};

/// What `--log-format` and `--quiet` mean, or their variables.
///
/// # Errors
/// For a format that there is none of, and a variable that is neither yes nor no.
pub fn log_settings(cli: &Cli, env: &Environment) -> Result<LogSettings, UsageError> {
    let format = match Text::find("--log-format", VARIABLE, cli.log_format.as_deref(), env) {
        None => LogFormat::default(),
        Some(text) => match text.value {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            _ => {
                let problem = format!("{} is no format of lines", text.quoted());
                return Err(text.error(problem, "write `text` or `json`"));
            }
        },
    };
    Ok(LogSettings { format, quiet: cli.quiet || switch("LOAD_TEST_QUIET", env)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_variables_and_stand_anywhere() {
        let check = |line: &str, env: &[(&str, &str)], expected: Result<(LogFormat, bool), &str>| {
            let cli = Cli::read(std::iter::once("coordinator").chain(line.split_whitespace())).unwrap();
            let env = env.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
            let found = log_settings(&cli, &env).map_err(|error| error.to_string());
            let expected = expected.map(|(format, quiet)| LogSettings { format, quiet });
            assert_eq!(found, expected.map_err(str::to_owned), "{line} {env:?}");
            assert!(cli.run.typed.iter().all(|id| id == "plan"), "{:?}", cli.run.typed);
        };
        let (text, json) = (LogFormat::Text, LogFormat::Json);
        check("", &[], Ok((text, false)));
        check("plan.yaml --log-format json -q", &[], Ok((json, true)));
        check("check --log-format json", &[], Ok((json, false)));
        check("--log-format json --quiet check plan.yaml", &[], Ok((json, true)));
        check("report r -q", &[(VARIABLE, "json")], Ok((json, true)));
        check("--log-format text", &[(VARIABLE, "json"), ("LOAD_TEST_QUIET", "1")], Ok((text, true)));
        check("", &[(VARIABLE, ""), ("LOAD_TEST_QUIET", "0")], Ok((text, false)));
        check(
            "--log-format xml",
            &[],
            Err("--log-format: `xml` is no format of lines; write `text` or `json`"),
        );
        check(
            "",
            &[(VARIABLE, "JSON")],
            Err("LOAD_TEST_LOG_FORMAT: `JSON` is no format of lines; write `text` or `json`"),
        );
        check(
            "",
            &[("LOAD_TEST_QUIET", "so")],
            Err("LOAD_TEST_QUIET: `so` is neither yes nor no; write `1` or `0`"),
        );
    }
}

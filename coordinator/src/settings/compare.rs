//! What the flags of `coordinator compare` and `coordinator history` say, and those of a run about its baseline.

use super::{Environment, Text, UsageError, path, report_dir, switch};
use crate::cli::{CompareArgs, HistoryArgs, RunArgs};
use crate::compare::{Limits, OnRegression};
use crate::history::RunName;
use metrics::unit::parse_percent;
use std::path::PathBuf;

/// Runs that a history shows.
const DEFAULT_LIMIT: usize = 20;

/// How a comparison is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareFormat {
    /// For a terminal.
    Text,
    /// For programs.
    Json,
    /// For pull requests.
    Markdown,
}

/// Which runs to compare, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct CompareConfig {
    /// The earlier run.
    pub base: RunName,
    /// The run to judge.
    pub current: RunName,
    /// How it is told.
    pub format: CompareFormat,
    /// The file to write; none is standard output.
    pub out: Option<PathBuf>,
    /// Where runs are looked for.
    pub report_dir: PathBuf,
    /// When a change is one.
    pub limits: Limits,
}

/// How a history is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryFormat {
    /// For a terminal.
    Text,
    /// For programs.
    Json,
}

/// Which runs to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryConfig {
    /// Most runs.
    pub limit: usize,
    /// The plan's name, if only its runs are wanted.
    pub plan: Option<String>,
    /// How they are told.
    pub format: HistoryFormat,
    /// Where they are.
    pub report_dir: PathBuf,
}

/// What a run is compared with at its end.
#[derive(Clone, Debug, PartialEq)]
pub struct BaselineConfig {
    /// The flag or the variable that named it.
    pub source_name: &'static str,
    /// As it was named.
    pub name: RunName,
    /// What a regression does.
    pub on_regression: OnRegression,
    /// When a change is one.
    pub limits: Limits,
}

impl CompareConfig {
    /// Resolves flags over variables over defaults.
    pub fn resolve(args: &CompareArgs, env: &Environment) -> Result<CompareConfig, UsageError> {
        let format = Text::find("--format", "LOAD_TEST_COMPARE_FORMAT", args.format.as_deref(), env);
        let format = match format {
            None => CompareFormat::Text,
            Some(text) => match text.value {
                "text" => CompareFormat::Text,
                "json" => CompareFormat::Json,
                "markdown" => CompareFormat::Markdown,
                _ => {
                    let problem = format!("{} is no form of a comparison", text.quoted());
                    return Err(text.error(problem, "write `text`, `json` or `markdown`"));
                }
            },
        };
        Ok(CompareConfig {
            base: run_name(Text { source_name: "BASE", value: &args.base })?,
            current: run_name(Text { source_name: "CURRENT", value: &args.current })?,
            format,
            out: args.out.clone().or_else(|| path(env, "LOAD_TEST_COMPARE_OUT")),
            report_dir: report_dir(args.report_dir.as_ref(), env),
            limits: limits(args, env)?,
        })
    }
}

impl HistoryConfig {
    /// Resolves flags over variables over defaults.
    pub fn resolve(args: &HistoryArgs, env: &Environment) -> Result<HistoryConfig, UsageError> {
        let limit = Text::find("--limit", "LOAD_TEST_HISTORY_LIMIT", args.limit.as_deref(), env);
        let format = Text::find("--format", "LOAD_TEST_HISTORY_FORMAT", args.format.as_deref(), env);
        let plan = Text::find("--plan", "LOAD_TEST_HISTORY_PLAN", args.plan.as_deref(), env);
        Ok(HistoryConfig {
            limit: limit.map_or(Ok(DEFAULT_LIMIT as u64), |text| text.integer(1, 1_000_000))? as usize,
            plan: plan.map(|text| text.value.to_owned()),
            format: match format {
                None => HistoryFormat::Text,
                Some(text) => match text.value {
                    "text" => HistoryFormat::Text,
                    "json" => HistoryFormat::Json,
                    _ => {
                        let problem = format!("{} is no form of a history", text.quoted());
                        return Err(text.error(problem, "write `text` or `json`"));
                    }
                },
            },
            report_dir: report_dir(args.report_dir.as_ref(), env),
        })
    }
}

impl BaselineConfig {
    /// What a run is compared with, if anything. To fail on a regression without a baseline is a mistake.
    pub fn resolve(args: &RunArgs, env: &Environment) -> Result<Option<BaselineConfig>, UsageError> {
        let fails = args.fail_on_regression || switch("LOAD_TEST_FAIL_ON_REGRESSION", env)?;
        let Some(text) = Text::find("--baseline", "LOAD_TEST_BASELINE", args.baseline.as_deref(), env) else {
            // The variable alone may be set for all runs of a pipeline.
            if args.fail_on_regression {
                return Err(UsageError {
                    source_name: "--fail-on-regression",
                    problem: "there is no baseline that the run could be compared with".to_owned(),
                    remedy: "name one, as in `--baseline last`".to_owned(),
                });
            }
            return Ok(None);
        };
        Ok(Some(BaselineConfig {
            source_name: text.source_name,
            name: run_name(text)?,
            on_regression: if fails { OnRegression::Fail } else { OnRegression::Warn },
            limits: limits(&CompareArgs::default(), env)?,
        }))
    }
}

fn run_name(text: Text<'_>) -> Result<RunName, UsageError> {
    RunName::parse(text.value).map_err(|problem| {
        text.error(
            problem,
            "write a `report.json`, a run's directory or name, `last`, or `last~1` for the run before it",
        )
    })
}

fn limits(args: &CompareArgs, env: &Environment) -> Result<Limits, UsageError> {
    let known = Limits::default();
    let share = |flag, variable, typed: Option<&str>, default: f64, most: f64| {
        let Some(text) = Text::find(flag, variable, typed, env) else { return Ok(default) };
        let percent = parse_percent(text.value).map_err(|error| text.unit_error(error))?;
        if percent > most {
            return Err(
                text.error(format!("{} is out of range", text.quoted()), format!("write at most `{most}%`"))
            );
        }
        Ok(percent / 100.0)
    };
    let min_shift = share(
        "--min-shift",
        "LOAD_TEST_COMPARE_MIN_SHIFT",
        args.min_shift.as_deref(),
        known.min_shift,
        100.0,
    )?;
    let min_failure_change = share(
        "--min-failure-change",
        "LOAD_TEST_COMPARE_MIN_FAILURE_CHANGE",
        args.min_failure_change.as_deref(),
        known.min_failure_change,
        100.0,
    )?;
    let false_alarm = share(
        "--false-alarm",
        "LOAD_TEST_COMPARE_FALSE_ALARM",
        args.false_alarm.as_deref(),
        known.false_alarm,
        20.0,
    )?;
    Ok(Limits { false_alarm, min_shift, min_failure_change })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(env: &[(&str, &str)]) -> Environment {
        env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn compare(args: CompareArgs, env: &[(&str, &str)]) -> Result<CompareConfig, String> {
        let args = CompareArgs { base: "last~1".to_owned(), current: "last".to_owned(), ..args };
        CompareConfig::resolve(&args, &environment(env)).map_err(|error| error.to_string())
    }

    #[test]
    fn comparisons_are_asked_for_by_flags_and_variables() {
        let config = compare(CompareArgs::default(), &[]).unwrap();
        assert_eq!((config.base, config.current), (RunName::Last(1), RunName::Last(0)));
        assert_eq!((config.format, config.limits), (CompareFormat::Text, Limits::default()));
        let env = [
            ("LOAD_TEST_COMPARE_FORMAT", "json"),
            ("LOAD_TEST_COMPARE_OUT", "a.json"),
            ("LOAD_TEST_REPORT_DIR", "runs"),
            ("LOAD_TEST_COMPARE_MIN_SHIFT", "10%"),
            ("LOAD_TEST_COMPARE_MIN_FAILURE_CHANGE", "0.5%"),
            ("LOAD_TEST_COMPARE_FALSE_ALARM", "2%"),
        ];
        let config = compare(CompareArgs::default(), &env).unwrap();
        assert_eq!((config.format, config.out), (CompareFormat::Json, Some("a.json".into())));
        assert_eq!(config.report_dir, PathBuf::from("runs"));
        assert_eq!(config.limits, Limits { false_alarm: 0.02, min_shift: 0.1, min_failure_change: 0.005 });
        let typed = CompareArgs { format: Some("markdown".to_owned()), ..CompareArgs::default() };
        assert_eq!(compare(typed, &env).unwrap().format, CompareFormat::Markdown);
        let wrong = CompareArgs { format: Some("pdf".to_owned()), ..CompareArgs::default() };
        let error = compare(wrong, &[]).unwrap_err();
        assert_eq!(error, "--format: `pdf` is no form of a comparison; write `text`, `json` or `markdown`");
        let error = compare(CompareArgs::default(), &[("LOAD_TEST_COMPARE_FALSE_ALARM", "50%")]).unwrap_err();
        assert_eq!(error, "LOAD_TEST_COMPARE_FALSE_ALARM: `50%` is out of range; write at most `20%`");
    }

    #[test]
    fn histories_are_asked_for_by_flags_and_variables() {
        let check = |args: HistoryArgs, env: &[(&str, &str)]| {
            HistoryConfig::resolve(&args, &environment(env)).map_err(|error| error.to_string())
        };
        let config = check(HistoryArgs::default(), &[]).unwrap();
        assert_eq!((config.limit, config.plan, config.format), (20, None, HistoryFormat::Text));
        let env = [("LOAD_TEST_HISTORY_PLAN", "api"), ("LOAD_TEST_HISTORY_FORMAT", "json")];
        let config =
            check(HistoryArgs { limit: Some("3".to_owned()), ..HistoryArgs::default() }, &env).unwrap();
        assert_eq!(
            (config.limit, config.plan, config.format),
            (3, Some("api".to_owned()), HistoryFormat::Json)
        );
        let error =
            check(HistoryArgs { limit: Some("0".to_owned()), ..HistoryArgs::default() }, &[]).unwrap_err();
        assert!(error.starts_with("--limit: `0` is out of range"), "{error}");
    }

    #[test]
    fn a_run_has_a_baseline_only_if_it_is_named() {
        let check = |args: RunArgs, env: &[(&str, &str)]| {
            BaselineConfig::resolve(&args, &environment(env)).map_err(|error| error.to_string())
        };
        assert_eq!(check(RunArgs::default(), &[("LOAD_TEST_FAIL_ON_REGRESSION", "1")]), Ok(None));
        let config = check(RunArgs::default(), &[("LOAD_TEST_BASELINE", "last")]).unwrap().unwrap();
        assert_eq!((config.name, config.on_regression), (RunName::Last(0), OnRegression::Warn));
        let args = RunArgs {
            baseline: Some("a/report.json".to_owned()),
            fail_on_regression: true,
            ..RunArgs::default()
        };
        let config = check(args, &[]).unwrap().unwrap();
        assert_eq!(config.on_regression, OnRegression::Fail);
        assert_eq!(config.name, RunName::Named("a/report.json".into()));
        let error = check(RunArgs { fail_on_regression: true, ..RunArgs::default() }, &[]).unwrap_err();
        assert!(error.starts_with("--fail-on-regression: there is no baseline"), "{error}");
        let error =
            check(RunArgs { baseline: Some("last~x".to_owned()), ..RunArgs::default() }, &[]).unwrap_err();
        assert!(error.starts_with("--baseline: `last~x` is no run; write a `report.json`"), "{error}");
    }
}

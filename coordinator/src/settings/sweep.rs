//! What the flags of `coordinator sweep` say.

use super::{Environment, ResumeConfig, RunConfig, Text, UsageError, path, switch};
use crate::cli::{RunArgs, SweepArgs};
use metrics::unit::parse_duration;
use plan::schedule::Schedule;
use proto::limits::MAX_SLOTS;
use std::path::PathBuf;
use std::time::Duration;

/// The sizes when none are named.
pub const DEFAULT_SIZES: [u32; 4] = [100, 250, 500, 1000];

/// How long the system rests between two runs.
const DEFAULT_REST: Duration = Duration::from_secs(5);

/// Most runs of a sweep.
const MAX_SIZES: usize = 50;

/// How the table of a sweep is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepFormat {
    /// For a terminal.
    Text,
    /// For programs.
    Json,
    /// For pull requests.
    Markdown,
}

/// What happens after a size that does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// The next size.
    GoOn,
    /// The table.
    Stop,
}

/// Which sizes to run, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepConfig {
    /// Users at the peak of each run; no number twice.
    pub sizes: Vec<u32>,
    /// What is the same for all of them.
    pub run: RunConfig,
    /// The pause between two runs.
    pub rest: Duration,
    /// What happens after a size that does not pass.
    pub after_failure: AfterFailure,
    /// How the table is written.
    pub format: SweepFormat,
    /// Where to; none is standard output.
    pub out: Option<PathBuf>,
}

impl SweepConfig {
    /// Resolves flags over variables over defaults, as [`RunConfig::resolve`] does; so is `drawn_seed`.
    pub fn resolve(args: &SweepArgs, env: &Environment, drawn_seed: u64) -> Result<SweepConfig, UsageError> {
        let users = Text::find("--users", "LOAD_TEST_USERS", args.run.users.as_deref(), env);
        let sizes = users.map_or(Ok(DEFAULT_SIZES.to_vec()), sizes)?;
        let rest = Text::find("--rest", "LOAD_TEST_REST", args.rest.as_deref(), env);
        let format = Text::find("--format", "LOAD_TEST_SWEEP_FORMAT", args.format.as_deref(), env);
        let alone = RunArgs { users: None, ..args.run.clone() };
        let mut others = env.clone();
        others.remove("LOAD_TEST_USERS");
        let run = RunConfig::resolve(&alone, &others, drawn_seed)?;
        if let Some(baseline) = &run.baseline {
            return Err(UsageError {
                source_name: baseline.source_name,
                problem: "runs of other sizes are no baseline of each other".to_owned(),
                remedy: "leave it out, and compare runs of one size with `coordinator compare`".to_owned(),
            });
        }
        if ResumeConfig::resolve(&alone, &others)?.is_some() {
            return Err(UsageError {
                source_name: if alone.resume.is_some() { "--resume" } else { "LOAD_TEST_RESUME" },
                problem: "a sweep cannot be gone on with".to_owned(),
                remedy:
                    "end its last run with `coordinator --resume last`, and sweep the sizes that are left"
                        .to_owned(),
            });
        }
        Ok(SweepConfig {
            sizes,
            run,
            rest: rest.map_or(Ok(DEFAULT_REST), self::rest)?,
            after_failure: if args.fail_fast || switch("LOAD_TEST_FAIL_FAST", env)? {
                AfterFailure::Stop
            } else {
                AfterFailure::GoOn
            },
            format: format.map_or(Ok(SweepFormat::Text), self::format)?,
            out: args.out.clone().or_else(|| path(env, "LOAD_TEST_SWEEP_OUT")),
        })
    }
}

/// Numbers with commas or blanks between them.
fn sizes(text: Text<'_>) -> Result<Vec<u32>, UsageError> {
    let mut sizes = Vec::new();
    for value in text.value.split([',', ' ']).map(str::trim).filter(|value| !value.is_empty()) {
        let size = Text { value, ..text }.integer(1, MAX_SLOTS.into())? as u32;
        if sizes.contains(&size) {
            return Err(text.error(format!("{size} stands twice in {}", text.quoted()), "keep one of them"));
        }
        sizes.push(size);
    }
    match sizes.len() {
        0 => Err(text.error(format!("{} has no number", text.quoted()), "write for instance `100,250,500`")),
        1..=MAX_SIZES => Ok(sizes),
        n => Err(text.error(format!("{n} sizes are too many"), format!("write at most {MAX_SIZES}"))),
    }
}

/// A time that may be none at all.
fn rest(text: Text<'_>) -> Result<Duration, UsageError> {
    match parse_duration(text.value).map_err(|error| text.unit_error(error))? {
        rest if rest > Schedule::MAX_LENGTH => {
            let problem = format!("{} is longer than 400 days", text.quoted());
            Err(text.error(problem, "write a shorter time, such as `30s`"))
        }
        rest => Ok(rest),
    }
}

fn format(text: Text<'_>) -> Result<SweepFormat, UsageError> {
    match text.value {
        "text" => Ok(SweepFormat::Text),
        "json" => Ok(SweepFormat::Json),
        "markdown" => Ok(SweepFormat::Markdown),
        _ => {
            let problem = format!("{} is no form of a sweep", text.quoted());
            Err(text.error(problem, "write `text`, `json` or `markdown`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};

    fn resolve(line: &str, env: &[(&str, &str)]) -> Result<SweepConfig, String> {
        let cli = Cli::read(std::iter::once("coordinator").chain(line.split_whitespace())).unwrap();
        let Some(Command::Sweep(args)) = cli.command else { panic!("{line} is no sweep") };
        let env = env.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        SweepConfig::resolve(&args, &env, 7).map_err(|error| error.to_string())
    }

    #[test]
    fn sizes_come_from_the_flag_the_variable_or_are_the_usual_ones() {
        let check = |line: &str, env: &[(&str, &str)], expected: &[u32]| {
            let config = resolve(line, env).unwrap();
            assert_eq!((config.sizes.as_slice(), config.run.settings.users), (expected, None), "{line}");
        };
        check("sweep", &[], &[100, 250, 500, 1000]);
        check("sweep api.yaml --users 20,10", &[("LOAD_TEST_USERS", "5")], &[20, 10]);
        check("sweep", &[("LOAD_TEST_USERS", "5, 6")], &[5, 6]);
        let config =
            resolve("sweep api.yaml --duration 30s --expect-agents 2 --rest 0s --fail-fast", &[]).unwrap();
        assert_eq!(config.run.plan_path, PathBuf::from("api.yaml"));
        assert_eq!(config.run.settings.duration, Some(Duration::from_secs(30)));
        assert_eq!(config.run.expect_agents, 2);
        assert_eq!((config.rest, config.after_failure), (Duration::ZERO, AfterFailure::Stop));
        assert_eq!(resolve("sweep", &[]).unwrap().rest, Duration::from_secs(5));
    }

    #[test]
    fn what_makes_no_sweep_is_refused() {
        let check = |line: &str, env: &[(&str, &str)], expected: &str| {
            let error = resolve(line, env).unwrap_err();
            assert!(error.starts_with(expected), "{line}: {error}");
        };
        check(
            "sweep --users 100,x",
            &[],
            "--users: `x` is not a whole number; write a whole number from 1 to",
        );
        check("sweep --users 10,0", &[], "--users: `0` is out of range");
        check("sweep --users 10,20,10", &[], "--users: 10 stands twice in `10,20,10`; keep one of them");
        check("sweep", &[("LOAD_TEST_USERS", ",")], "LOAD_TEST_USERS: `,` has no number");
        let many: Vec<String> = (1..=51).map(|n: u32| n.to_string()).collect();
        check(
            &format!("sweep --users {}", many.join(",")),
            &[],
            "--users: 51 sizes are too many; write at most 50",
        );
        check("sweep --baseline last", &[], "--baseline: runs of other sizes are no baseline of each other");
        check("sweep", &[("LOAD_TEST_BASELINE", "last")], "LOAD_TEST_BASELINE: runs of other sizes");
        check("sweep --resume last", &[], "--resume: a sweep cannot be gone on with");
        check("sweep --rest 5", &[], "--rest: `5` has no unit");
        check("sweep --format csv", &[], "--format: `csv` is no form of a sweep");
    }
}

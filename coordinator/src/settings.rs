//! What the command line and the environment mean: valid values, or the flag, the value and the remedy.

mod colour;
mod compare;
mod duration;
mod log;
mod protection;
mod report;
mod resume;
mod sweep;
mod telemetry;

pub use colour::wants_colour;
pub use compare::{BaselineConfig, CompareConfig, CompareFormat, HistoryConfig, HistoryFormat};
use duration::duration;
pub use log::log_settings;
pub use protection::{Entry, JoinConfig, Protection, Terms, TlsConfig};
pub use report::ReportConfig;
pub use resume::{ResumeConfig, Which};
pub use sweep::{AfterFailure, DEFAULT_SIZES, SweepConfig, SweepFormat};
use telemetry::OTLP_HEADERS;
pub use telemetry::{OtlpConfig, OtlpHistograms, TelemetryConfig};

use crate::cli::{DemoArgs, DemoName, RunArgs};
use crate::fleet::{OnAgentJoin, OnAgentLoss};
use metrics::unit::{Rate, UnitError, parse_duration, parse_rate};
use plan::schedule::Schedule;
use plan::tags::TagFilter;
use plan::{Secrets, Settings};
use proto::limits::MAX_SLOTS;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The plan that is run when none is named.
pub const DEFAULT_PLAN: &str = "loadtest.yaml";

/// How long agents are waited for.
pub const DEFAULT_AGENTS_TIMEOUT: Duration = Duration::from_mins(1);

/// Where agents connect to: this machine only, until someone decides otherwise.
pub const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 5557);

/// Where reports go.
pub const DEFAULT_REPORT_DIR: &str = "reports";

/// Largest seed: the largest integer that every reader of `report.json` reads exactly.
pub const MAX_SEED: u64 = (1 << 53) - 1;

/// Most agents that can be waited for.
pub const MAX_AGENTS: u32 = 10_000;

/// How to run a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct RunConfig {
    /// The plan file.
    pub plan_path: PathBuf,
    /// Agents to wait for; 0 embeds one.
    pub expect_agents: u32,
    /// How long to wait for them.
    pub agents_timeout: Duration,
    /// What to do when one of them is lost.
    pub on_agent_loss: OnAgentLoss,
    /// What to do with one that comes when the run has begun.
    pub on_agent_join: OnAgentJoin,
    /// Where agents connect to.
    pub listen: SocketAddr,
    /// What protects that port.
    pub protection: Protection,
    /// Who hears of the run while it lasts.
    pub telemetry: TelemetryConfig,
    /// Whether the web page is left out.
    pub no_ui: bool,
    /// Where reports go.
    pub report_dir: PathBuf,
    /// What the run is compared with at its end.
    pub baseline: Option<BaselineConfig>,
    /// Names of secrets, and the files that hold them.
    pub secret_files: Vec<(String, PathBuf)>,
    /// What changes the plan.
    pub settings: Settings,
}

/// How to run the demo.
#[derive(Clone, Debug, PartialEq)]
pub struct DemoConfig {
    /// Which system is tested.
    pub name: DemoName,
    /// Users at the peak.
    pub users: Option<u32>,
    /// Length of the run.
    pub duration: Option<Duration>,
    /// Fixes every random choice.
    pub seed: u64,
    /// Where reports go.
    pub report_dir: PathBuf,
}

/// A flag or variable whose value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{source_name}: {problem}; {remedy}")]
pub struct UsageError {
    /// The flag or the environment variable, whichever gave the value.
    pub source_name: &'static str,
    /// What is wrong, the value included.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

/// The process's environment.
pub type Environment = BTreeMap<String, String>;

impl RunConfig {
    /// Resolves flags over variables over defaults. `drawn_seed` is the seed if none is asked for; its low 53
    /// bits are used.
    pub fn resolve(args: &RunArgs, env: &Environment, drawn_seed: u64) -> Result<RunConfig, UsageError> {
        let plan = args.plan.clone().or_else(|| path(env, "LOAD_TEST_PLAN"));
        let agents =
            Text::find("--expect-agents", "LOAD_TEST_EXPECT_AGENTS", args.expect_agents.as_deref(), env);
        let timeout =
            Text::find("--agents-timeout", "LOAD_TEST_AGENTS_TIMEOUT", args.agents_timeout.as_deref(), env);
        let loss =
            Text::find("--on-agent-loss", "LOAD_TEST_ON_AGENT_LOSS", args.on_agent_loss.as_deref(), env);
        let join =
            Text::find("--on-agent-join", "LOAD_TEST_ON_AGENT_JOIN", args.on_agent_join.as_deref(), env);
        let listen = Text::find("--listen", "LOAD_TEST_LISTEN", args.listen.as_deref(), env);
        let listen = listen.map_or(Ok(DEFAULT_LISTEN), Text::address)?;
        let expect_agents = agents.map_or(Ok(0), |t| t.integer(0, MAX_AGENTS.into()))? as u32;
        let profile = Text::find("--profile", "LOAD_TEST_PROFILE", args.profile.as_deref(), env);
        Ok(RunConfig {
            plan_path: plan.unwrap_or_else(|| DEFAULT_PLAN.into()),
            expect_agents,
            agents_timeout: timeout.map_or(Ok(DEFAULT_AGENTS_TIMEOUT), Text::duration)?,
            on_agent_loss: loss.map_or(Ok(OnAgentLoss::default()), Text::on_agent_loss)?,
            on_agent_join: join.map_or(Ok(OnAgentJoin::default()), Text::on_agent_join)?,
            listen,
            protection: Protection::resolve(args, env, listen, expect_agents)?,
            telemetry: TelemetryConfig::resolve(args, env)?,
            no_ui: args.no_ui || switch("LOAD_TEST_NO_UI", env)?,
            report_dir: report_dir(args.report_dir.as_ref(), env),
            baseline: BaselineConfig::resolve(args, env)?,
            secret_files: secret_files(&args.secret_file)?,
            settings: Settings {
                profile: profile.map(|t| t.value.to_owned()),
                target: Text::find("--target", "LOAD_TEST_HOST", args.target.as_deref(), env)
                    .map(Text::target)
                    .transpose()?,
                users: users(args.users.as_deref(), env)?,
                spawn_rate: Text::find(
                    "--spawn-rate",
                    "LOAD_TEST_SPAWN_RATE",
                    args.spawn_rate.as_deref(),
                    env,
                )
                .map(Text::rate)
                .transpose()?,
                duration: duration(args.duration.as_deref(), env)?,
                iterations: Text::find(
                    "--iterations",
                    "LOAD_TEST_ITERATIONS",
                    args.iterations.as_deref(),
                    env,
                )
                .map(|t| t.integer(1, 1_000_000_000).map(|n| n as u32))
                .transpose()?,
                warmup: Text::find("--warmup", "LOAD_TEST_WARMUP", args.warmup.as_deref(), env)
                    .map(Text::warmup)
                    .transpose()?,
                params: params(&args.set)?,
                tags: TagFilter {
                    include: tags("--include-tags", "LOAD_TEST_INCLUDE_TAGS", &args.include_tags, env)?,
                    exclude: tags("--exclude-tags", "LOAD_TEST_EXCLUDE_TAGS", &args.exclude_tags, env)?,
                },
                seed: seed(args.seed.as_deref(), env, drawn_seed)?,
                env: for_plans(env),
                secrets: secrets(env),
                ..Settings::default()
            },
        })
    }
}

impl DemoConfig {
    /// Resolves flags over variables over defaults, as [`RunConfig::resolve`] does.
    pub fn resolve(args: &DemoArgs, env: &Environment, drawn_seed: u64) -> Result<DemoConfig, UsageError> {
        Ok(DemoConfig {
            name: args.name,
            users: users(args.users.as_deref(), env)?,
            duration: duration(args.duration.as_deref(), env)?,
            seed: seed(args.seed.as_deref(), env, drawn_seed)?,
            report_dir: report_dir(args.report_dir.as_ref(), env),
        })
    }
}

/// What plans may read of the environment: all but what lets agents in, and metrics out.
fn for_plans(env: &Environment) -> Environment {
    let mut env = env.clone();
    env.remove("LOAD_TEST_JOIN");
    env.remove(OTLP_HEADERS);
    env
}

fn users(typed: Option<&str>, env: &Environment) -> Result<Option<u32>, UsageError> {
    let text = Text::find("--users", "LOAD_TEST_USERS", typed, env);
    text.map(|t| t.integer(1, MAX_SLOTS.into()).map(|users| users as u32)).transpose()
}

/// `NAME=VALUE` of each `--set`.
fn params(typed: &[String]) -> Result<BTreeMap<String, String>, UsageError> {
    let mut params = BTreeMap::new();
    for value in typed {
        let text = Text { source_name: "--set", value };
        let Some((name, given)) = value.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            let problem = format!("{} is not NAME=VALUE", text.quoted());
            return Err(text.error(problem, "write for instance `--set item=5`"));
        };
        if params.insert(name.to_owned(), given.to_owned()).is_some() {
            let name = Text { value: name, ..text }.quoted();
            return Err(text.error(format!("{name} is given twice"), "keep one of them"));
        }
    }
    Ok(params)
}

/// The tags of each use of the flag, or of the variable; commas or blanks stand between them.
fn tags(
    flag: &'static str,
    variable: &'static str,
    typed: &[String],
    env: &Environment,
) -> Result<BTreeSet<String>, UsageError> {
    let mut found = BTreeSet::new();
    let typed: Vec<Text<'_>> = match typed {
        [] => Text::find(flag, variable, None, env).into_iter().collect(),
        typed => typed.iter().map(|value| Text { source_name: flag, value }).collect(),
    };
    for text in typed {
        let tags = text.value.split([',', ' ']).map(str::trim).filter(|tag| !tag.is_empty());
        let tags: Vec<String> = tags.map(str::to_owned).collect();
        if tags.is_empty() {
            let remedy = format!("write for instance `{flag} smoke,api`, or leave it out");
            return Err(text.error(format!("{} names no tag", text.quoted()), remedy));
        }
        found.extend(tags);
    }
    Ok(found)
}

/// The secrets of the environment.
fn secrets(env: &Environment) -> Secrets {
    let mut secrets = Secrets::default();
    for (name, value) in env {
        if let Some(name) = name.strip_prefix(Secrets::VARIABLE_PREFIX) {
            secrets.insert(name, value);
        }
    }
    secrets
}

/// `NAME=PATH` of each `--secret-file`.
fn secret_files(typed: &[String]) -> Result<Vec<(String, PathBuf)>, UsageError> {
    let read = |value: &String| {
        let text = Text { source_name: "--secret-file", value };
        match value.split_once('=') {
            Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok((name.to_owned(), path.into())),
            _ => Err(text.error(
                format!("{} is not NAME=PATH", text.quoted()),
                "write for instance `--secret-file api_key=/run/secrets/key`",
            )),
        }
    };
    typed.iter().map(read).collect()
}

fn seed(typed: Option<&str>, env: &Environment, drawn: u64) -> Result<u64, UsageError> {
    let text = Text::find("--seed", "LOAD_TEST_SEED", typed, env);
    text.map_or(Ok(drawn & MAX_SEED), |t| t.integer(0, MAX_SEED))
}

fn report_dir(typed: Option<&PathBuf>, env: &Environment) -> PathBuf {
    typed.cloned().or_else(|| path(env, "LOAD_TEST_REPORT_DIR")).unwrap_or_else(|| DEFAULT_REPORT_DIR.into())
}

fn path(env: &Environment, variable: &str) -> Option<PathBuf> {
    env.get(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn switch(variable: &'static str, env: &Environment) -> Result<bool, UsageError> {
    let Some(text) = Text::find(variable, variable, None, env) else { return Ok(false) };
    match text.value.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(text.error(format!("{} is neither yes nor no", text.quoted()), "write `1` or `0`")),
    }
}

/// A value as it was typed, and where.
#[derive(Clone, Copy)]
struct Text<'a> {
    source_name: &'static str,
    value: &'a str,
}

impl<'a> Text<'a> {
    /// The flag's value, or the variable's if that is set and not empty.
    fn find(
        flag: &'static str,
        variable: &'static str,
        typed: Option<&'a str>,
        env: &'a Environment,
    ) -> Option<Text<'a>> {
        let variable_value = || env.get(variable).map(String::as_str).filter(|value| !value.is_empty());
        match typed {
            Some(value) => Some(Text { source_name: flag, value }),
            None => variable_value().map(|value| Text { source_name: variable, value }),
        }
    }

    fn integer(self, min: u64, max: u64) -> Result<u64, UsageError> {
        let remedy = format!("write a whole number from {min} to {max}");
        match self.value.parse() {
            Ok(n) if (min..=max).contains(&n) => Ok(n),
            Ok(_) => Err(self.error(format!("{} is out of range", self.quoted()), remedy)),
            Err(_) if is_digits(self.value) => {
                Err(self.error(format!("{} is out of range", self.quoted()), remedy))
            }
            Err(_) => Err(self.error(format!("{} is not a whole number", self.quoted()), remedy)),
        }
    }

    fn duration(self) -> Result<Duration, UsageError> {
        match parse_duration(self.value).map_err(|error| self.unit_error(error))? {
            Duration::ZERO => Err(self.error(
                format!("{} is no time at all", self.quoted()),
                "write a time above zero, such as `30s`",
            )),
            duration if duration > Schedule::MAX_LENGTH => Err(self.error(
                format!("{} is longer than 400 days", self.quoted()),
                "write a shorter time, such as `24h`",
            )),
            duration => Ok(duration),
        }
    }

    /// Whole seconds, or none.
    fn warmup(self) -> Result<Duration, UsageError> {
        match parse_duration(self.value).map_err(|error| self.unit_error(error))? {
            warmup if warmup.subsec_nanos() > 0 => Err(self.error(
                format!("{} is not a whole number of seconds", self.quoted()),
                "write for instance `30s`: statistics are kept by the second",
            )),
            warmup if warmup > Schedule::MAX_LENGTH => Err(self.error(
                format!("{} is longer than 400 days", self.quoted()),
                "write a shorter time, such as `30s`",
            )),
            warmup => Ok(warmup),
        }
    }

    /// A bare number is per second, as in the tools that people come from.
    fn rate(self) -> Result<Rate, UsageError> {
        let bare = self.value.starts_with(|c: char| c.is_ascii_digit())
            && self.value.chars().all(|c| c.is_ascii_digit() || c == '.');
        let rate = if bare { parse_rate(&format!("{}/s", self.value)) } else { parse_rate(self.value) };
        rate.map_err(|error| self.unit_error(error))
    }

    fn on_agent_loss(self) -> Result<OnAgentLoss, UsageError> {
        match self.value {
            "rebalance" => Ok(OnAgentLoss::Rebalance),
            "hold" => Ok(OnAgentLoss::Hold),
            "abort" => Ok(OnAgentLoss::Abort),
            _ => {
                Err(self
                    .error(format!("{} is no policy", self.quoted()), "write `rebalance`, `hold` or `abort`"))
            }
        }
    }

    fn on_agent_join(self) -> Result<OnAgentJoin, UsageError> {
        match self.value {
            "standby" => Ok(OnAgentJoin::Standby),
            "share" => Ok(OnAgentJoin::Share),
            "refuse" => Ok(OnAgentJoin::Refuse),
            _ => {
                Err(self
                    .error(format!("{} is no policy", self.quoted()), "write `standby`, `share` or `refuse`"))
            }
        }
    }

    fn address(self) -> Result<SocketAddr, UsageError> {
        let remedy = "write an IP address and a port, such as `127.0.0.1:5557` or `0.0.0.0:5557`";
        self.value
            .parse()
            .map_err(|_| self.error(format!("{} is not an address to listen on", self.quoted()), remedy))
    }

    fn target(self) -> Result<String, UsageError> {
        let text = self.value.trim();
        let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let refuse = |problem: &dyn Display| {
            self.error(
                format!("{} {problem}", self.quoted()),
                "write a base URL, such as `https://api.example.com`",
            )
        };
        let parsed = reqwest::Url::parse(&url).map_err(|error| refuse(&format!("is not a URL ({error})")))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            let remedy = "write the address without `user:password@`";
            return Err(self.error("the target holds credentials, which would stand in reports", remedy));
        }
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(refuse(&"has a query or a fragment; requests have their own"));
        }
        match parsed.scheme() {
            "http" | "https" => Ok(url),
            scheme => Err(refuse(&format!("has the scheme `{scheme}`"))),
        }
    }

    fn unit_error(self, error: UnitError) -> UsageError {
        self.error(error.problem, error.remedy)
    }

    fn error(self, problem: impl Into<String>, remedy: impl Into<String>) -> UsageError {
        UsageError { source_name: self.source_name, problem: problem.into(), remedy: remedy.into() }
    }

    /// The value in backquotes, bounded and without control characters.
    fn quoted(self) -> String {
        let shown: String = self.value.chars().take(60).flat_map(char::escape_debug).collect();
        let more = if self.value.chars().nth(60).is_some() { "…" } else { "" };
        format!("`{shown}{more}`")
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests;

//! What the flags say about going on with a run.

use super::{
    Environment, Protection, TelemetryConfig, Text, UsageError, for_plans, report_dir, secret_files, secrets,
};
use crate::cli::RunArgs;
use crate::journal::{DoorFlags, Head, runs};
use plan::Secrets;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Flags that go with `--resume`: where things are, and what lets agents in. What a run does is settled.
const OPEN: [&str; 18] = [
    "resume",
    "report_dir",
    "listen",
    "state_dir",
    "tls",
    "tls_cert",
    "tls_key",
    "tls_ca",
    "insecure",
    "join_file",
    "join_ttl",
    "join_uses",
    "secret_file",
    "no_ui",
    "metrics_listen",
    "metrics_linger",
    "otlp_endpoint",
    "otlp_histograms",
];

/// Which run to go on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The newest one.
    Last,
    /// The one of this name.
    Named(String),
}

/// How to go on with a run.
#[derive(Clone, Debug)]
pub struct ResumeConfig {
    /// Which one.
    pub which: Which,
    /// Where its folder is.
    pub report_dir: PathBuf,
    /// Values that the plan may read.
    pub env: Environment,
    /// Secrets of the environment.
    pub secrets: Secrets,
    /// Names of secrets, and the files that hold them.
    pub secret_files: Vec<(String, PathBuf)>,
    /// Who hears of the run while it lasts.
    pub telemetry: TelemetryConfig,
    args: RunArgs,
    /// All of it.
    environment: Environment,
}

impl ResumeConfig {
    /// What was asked for; `None` where nothing is to be gone on with.
    ///
    /// # Errors
    /// When no run can have that name, and for flags that contradict what the run was started with.
    pub fn resolve(args: &RunArgs, env: &Environment) -> Result<Option<ResumeConfig>, UsageError> {
        let Some(text) = Text::find("--resume", "LOAD_TEST_RESUME", args.resume.as_deref(), env) else {
            return Ok(None);
        };
        let which = match text.value {
            "last" => Which::Last,
            name if runs::is_name(name) => Which::Named(name.to_owned()),
            _ => {
                let remedy = "write the name of a folder in --report-dir, or `last`";
                return Err(text.error(format!("{} is no name of a run", text.quoted()), remedy));
            }
        };
        if let Some(flag) = args.typed.iter().find(|id| !OPEN.contains(&id.as_str())) {
            let flag = match flag.as_str() {
                "plan" => "a plan".to_owned(),
                flag => format!("--{}", flag.replace('_', "-")),
            };
            let problem = format!("goes on with a run as it was started, and {flag} would change it");
            return Err(
                text.error(problem, format!("leave {flag} away, or start a new run without --resume"))
            );
        }
        Ok(Some(ResumeConfig {
            which,
            report_dir: report_dir(args.report_dir.as_ref(), env),
            env: for_plans(env),
            secrets: secrets(env),
            secret_files: secret_files(&args.secret_file)?,
            telemetry: TelemetryConfig::resolve(args, env)?,
            args: args.clone(),
            environment: env.clone(),
        }))
    }

    /// Where agents attach and what protects that, for a run that was started as `head` says.
    ///
    /// # Errors
    /// As [`Protection::resolve`].
    pub fn door(&self, head: &Head) -> Result<(SocketAddr, Protection), UsageError> {
        let typed = &self.args;
        // The variable is for runs that begin: agents know where this one was.
        let listen = typed.listen.as_deref().map(|value| Text { source_name: "--listen", value });
        let listen = listen.map_or(Ok(head.listen), Text::address)?;
        let DoorFlags { tls, insecure, tls_cert, tls_key, tls_ca, state_dir, join_file } = head.door.clone();
        let agreed = self.environment.get("LOAD_TEST_JOIN").is_some_and(|join| !join.is_empty());
        let flags = RunArgs {
            tls: typed.tls || tls,
            insecure: typed.insecure || (insecure && !typed.tls),
            tls_cert: typed.tls_cert.clone().or(tls_cert),
            tls_key: typed.tls_key.clone().or(tls_key),
            tls_ca: typed.tls_ca.clone().or(tls_ca),
            state_dir: typed.state_dir.clone().or(state_dir),
            join_file: typed.join_file.clone().or(join_file.filter(|_| !agreed)),
            join_ttl: typed.join_ttl.clone(),
            join_uses: typed.join_uses.clone(),
            ..RunArgs::default()
        };
        let protection = Protection::resolve(&flags, &self.environment, listen, head.expect_agents)?;
        Ok((listen, protection))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;

    fn resolve(line: &str, env: &[(&str, &str)]) -> Result<Option<ResumeConfig>, String> {
        let words = std::iter::once("coordinator").chain(line.split_whitespace());
        let env = env.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        ResumeConfig::resolve(&Cli::read(words).unwrap().run, &env).map_err(|error| error.to_string())
    }

    #[test]
    fn a_run_is_named_or_the_newest() {
        let which = |line: &str, env: &[(&str, &str)]| resolve(line, env).unwrap().map(|config| config.which);
        assert_eq!(which("", &[]), None);
        assert_eq!(which("plan.yaml --users 3", &[("LOAD_TEST_RESUME", "")]), None);
        assert_eq!(which("--resume last", &[]), Some(Which::Last));
        let named = Some(Which::Named("20261121-120000-0a1b".to_owned()));
        assert_eq!(which("", &[("LOAD_TEST_RESUME", "20261121-120000-0a1b")]), named);
        let all = "--resume last --listen 127.0.0.1:1 --report-dir r --state-dir s --tls --join-ttl 1h --join-uses 4 \
                   --secret-file a=b --no-ui";
        assert_eq!(which(all, &[("LOAD_TEST_USERS", "9")]), Some(Which::Last), "a variable may stand");
    }

    #[test]
    fn a_run_that_goes_on_is_not_changed() {
        for (line, flag) in [
            ("--resume last --users 4", "--users"),
            ("plan.yaml --resume last", "a plan"),
            ("--resume last --on-agent-loss hold", "--on-agent-loss"),
            ("--resume last -T smoke", "--include-tags"),
            ("--resume last --expect-agents 3", "--expect-agents"),
            ("--resume last --seed 3", "--seed"),
        ] {
            let expected = format!(
                "--resume: goes on with a run as it was started, and {flag} would change it; leave {flag} away, or start a \
                 new run without --resume"
            );
            assert_eq!(resolve(line, &[]).unwrap_err(), expected, "{line}");
        }
        let error = resolve("--resume ../etc", &[]).unwrap_err();
        assert!(error.starts_with("--resume: `../etc` is no name of a run; "), "{error}");
        let error = resolve("--users 3", &[("LOAD_TEST_RESUME", "last")]).unwrap_err();
        assert!(error.starts_with("LOAD_TEST_RESUME: goes on "), "{error}");
    }
}

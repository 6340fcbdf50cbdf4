//! The agent's command line.

use crate::log::LogFormat;
use crate::policy::{Policy, Rule, Targets};
use clap::Parser;
use clap::builder::FalseyValueParser;
use metrics::unit::parse_duration;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

/// Exit codes of the agent's program, for its help.
const AFTER_HELP: &str = "\
Example, on each load-generating host; the coordinator prints the whole command:
  agent --coordinator 10.0.0.1:5557 --join muster1.…

An agent that may also load a public host, on one port:
  agent --coordinator 10.0.0.1:5557 --join muster1.… --allow-target private,shop.example.com:443

An agent on a machine that others use, too:
  agent --coordinator 10.0.0.1:5557 --join muster1.… --max-users 200 --max-rps 500 --max-run-time 1h

The agent dials the coordinator, waits for a run, and stays for the next one until it is stopped.
Ctrl-C or SIGTERM drains it: its users finish their iterations and go on at other agents one by one, what
they did is delivered, and the agent leaves with exit code 0. A second signal ends it at once.

Exit codes: 0 stopped · 1 internal error · 2 usage · 4 refused by the coordinator, or refused it";

/// Runs users for a coordinator.
#[derive(Clone, Debug, Parser)]
#[command(name = "agent", version, about = "Muster agent: makes load for a coordinator", after_help = AFTER_HELP)]
pub struct Cli {
    /// The coordinator's address; port 5557 unless given.
    #[arg(long, value_name = "HOST[:PORT]", env = "LOAD_TEST_COORDINATOR", value_parser = coordinator)]
    pub coordinator: String,

    /// What the coordinator printed: it says which key is the coordinator's, and lets this agent in. Needed unless
    /// the coordinator is on this machine.
    #[arg(long, value_name = "STRING", env = "LOAD_TEST_JOIN", hide_env_values = true)]
    pub join: Option<String>,

    /// A file that holds the join string, so that it does not show in the list of processes.
    #[arg(long, value_name = "PATH", env = "LOAD_TEST_JOIN_FILE", conflicts_with = "join")]
    pub join_file: Option<PathBuf>,

    /// Trust coordinators whose certificate is signed by an authority in this PEM file and names their host.
    #[arg(long, value_name = "PATH", env = "LOAD_TEST_TLS_CA")]
    pub tls_ca: Option<PathBuf>,

    /// This agent's certificate chain, PEM; without one it makes a key of its own at each start, or takes the one of an agent
    /// whose results it delivers.
    #[arg(long, value_name = "PATH", env = "LOAD_TEST_TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The key of that certificate, PEM.
    #[arg(long, value_name = "PATH", env = "LOAD_TEST_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Go to a coordinator on another machine without encryption and authentication.
    #[arg(long, env = "LOAD_TEST_INSECURE", value_parser = FalseyValueParser::new())]
    pub insecure: bool,

    /// This agent's name in reports: letters, digits, `.`, `_`, `-` [default: HOSTNAME-PID].
    #[arg(long, env = "LOAD_TEST_AGENT_NAME", value_parser = name)]
    pub name: Option<String>,

    /// Where results that are not delivered are kept, so that they outlive this process (mode 0600, removed when they are
    /// delivered); an agent that is started with the same directory and coordinator delivers them first
    /// [default: $XDG_STATE_HOME/muster/agent, else ~/.local/state/muster/agent; on Windows %LOCALAPPDATA%\muster\agent].
    #[arg(long, value_name = "DIRECTORY", env = "LOAD_TEST_SPOOL_DIR")]
    pub spool_dir: Option<PathBuf>,

    /// Keep results that are not delivered in memory only.
    #[arg(long, env = "LOAD_TEST_NO_SPOOL", value_parser = FalseyValueParser::new())]
    pub no_spool: bool,

    /// Engine threads [default: one per core].
    #[arg(long, env = "LOAD_TEST_THREADS", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: Option<u32>,

    /// The most users this agent accepts, whatever the coordinator asks [default: what its open-files limit allows].
    #[arg(long, env = "LOAD_TEST_MAX_USERS", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_users: Option<u32>,

    /// Where users may connect, whatever the coordinator asks: a host (api.example.com, *.example.com), an address
    /// (203.0.113.7, `[2001:db8::1]`), a range (10.0.0.0/8), `loopback`, `private` or `any`, each with a port or ports if
    /// need be (:443, :8000-8999); `unix` or `unix:/PATH` for Unix sockets. Separated by commas, or given several times;
    /// what is given replaces the default. Looked at on the resolved address, for each connection. Cloud metadata and
    /// other link-local addresses are never connected to [default: loopback,private].
    #[arg(long, value_name = "PATTERN", env = "LOAD_TEST_ALLOW_TARGET", value_delimiter = ',')]
    pub allow_target: Vec<Rule>,

    /// The most requests and messages per second that all users of this agent make together, whatever the coordinator asks:
    /// those beyond wait, and the report says so [default: no cap].
    #[arg(long, value_name = "N", env = "LOAD_TEST_MAX_RPS", value_parser = rps)]
    pub max_rps: Option<NonZero<u32>>,

    /// The longest run this agent takes part in, stop timeout included, for instance 30m or 2h: a longer one is refused
    /// before it starts, and one that lasts longer all the same is stopped [default: no cap].
    #[arg(long, value_name = "DURATION", env = "LOAD_TEST_MAX_RUN_TIME", value_parser = run_time)]
    pub max_run_time: Option<Duration>,

    /// How long users may take to finish their iterations when the agent is stopped: `10s`, `2m`, `0s` to give them up
    /// at once; the plan's `stop_timeout` counts if that is shorter.
    #[arg(long, value_name = "DURATION", env = "LOAD_TEST_DRAIN_TIMEOUT", default_value = "30s", value_parser = drain_timeout)]
    pub drain_timeout: Duration,

    /// How lines on standard error are written: for people, or as JSON objects, one a line.
    #[arg(long, value_name = "FORMAT", env = "LOAD_TEST_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,

    /// Write warnings and errors only.
    #[arg(short, long, env = "LOAD_TEST_QUIET", value_parser = FalseyValueParser::new())]
    pub quiet: bool,
}

impl Cli {
    /// What the agent does at most, with descriptors for so many users.
    pub fn policy(&self, room: u32) -> Policy {
        Policy {
            targets: Targets::new(self.allow_target.clone()),
            max_users: self.max_users.unwrap_or(room).min(room),
            max_rps: self.max_rps,
            max_run_time: self.max_run_time,
        }
    }
}

/// Longest wait for running iterations: as long as a plan's `stop_timeout` may be.
const MAX_DRAIN_TIMEOUT: Duration = Duration::from_millis(proto::limits::MAX_STOP_TIMEOUT_MS);

fn drain_timeout(text: &str) -> Result<Duration, String> {
    let timeout = parse_duration(text).map_err(|error| error.to_string())?;
    if timeout > MAX_DRAIN_TIMEOUT {
        return Err(format!(
            "{text} is longer than 24h, the most that a plan's stop_timeout may be; write at most 24h"
        ));
    }
    Ok(timeout)
}

fn coordinator(text: &str) -> Result<String, String> {
    let address = text.trim().trim_start_matches("http://").trim_end_matches('/');
    let with_port = match address.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') || host.ends_with(']') => {
            port.parse::<NonZero<u16>>().map_err(|_| {
                format!("`{port}` is not a port; write HOST:PORT, for instance 10.0.0.1:5557")
            })?;
            address.to_owned()
        }
        _ => format!("{address}:5557"),
    };
    let authority = with_port.parse::<http::uri::Authority>();
    let good = authority.is_ok_and(|authority| !authority.host().is_empty() && !with_port.contains('@'));
    good.then_some(with_port).ok_or_else(|| "write HOST:PORT, for instance 10.0.0.1:5557".to_owned())
}

fn rps(text: &str) -> Result<NonZero<u32>, String> {
    let number = text.parse().ok().filter(|rps: &NonZero<u32>| rps.get() <= 10_000_000);
    number.ok_or_else(|| "write a whole number from 1 to 10000000, for instance 500".to_owned())
}

fn run_time(text: &str) -> Result<Duration, String> {
    let time = parse_duration(text).map_err(|error| error.to_string())?;
    let least = Duration::from_secs(1);
    if time < least { Err("write at least 1s, for instance 30m".to_owned()) } else { Ok(time) }
}

fn name(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if (1..=64).contains(&text.len()) && text.chars().all(good) && !text.starts_with('.') {
        Ok(text.to_owned())
    } else {
        Err("write 1 to 64 letters, digits, `.`, `_` or `-`, for instance host-b".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drain_timeouts() {
        assert_eq!(drain_timeout("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(drain_timeout("0s"), Ok(Duration::ZERO));
        assert!(drain_timeout("25h").unwrap_err().contains("at most 24h"));
        assert!(drain_timeout("30").is_err(), "a bare number has no unit");
    }

    #[test]
    fn addresses() {
        let check = |text: &str, expected: Result<&str, &str>| match (coordinator(text), expected) {
            (Ok(got), Ok(expected)) => assert_eq!(got, expected, "{text}"),
            (Err(got), Err(expected)) => assert!(got.contains(expected), "{text}: {got}"),
            (got, _) => panic!("{text}: {got:?}"),
        };
        check("10.0.0.1:5557", Ok("10.0.0.1:5557"));
        check("coordinator", Ok("coordinator:5557"));
        check("http://coordinator:80/", Ok("coordinator:80"));
        check("[::1]:5557", Ok("[::1]:5557"));
        check("host:port", Err("`port` is not a port"));
        check("", Err("write HOST:PORT"));
        check(":5557", Err("write HOST:PORT"));
        check("host:0", Err("`0` is not a port"));
        check("[::1", Err("write HOST:PORT"));
        check("user@host:1", Err("write HOST:PORT"));
        check("a b:1", Err("write HOST:PORT"));
    }

    #[test]
    fn caps() {
        let check = |flags: &[&str], expected: &str| {
            let args = ["agent", "--coordinator", "h"].iter().chain(flags);
            let got = match Cli::try_parse_from(args) {
                Ok(cli) => cli.policy(100).to_string(),
                Err(error) => error.to_string(),
            };
            assert!(got.contains(expected), "{flags:?}: {got}");
        };
        check(&[], "targets: loopback,private; at most 100 users");
        check(&["--max-users", "7"], "at most 7 users");
        check(&["--max-users", "700"], "at most 100 users");
        check(
            &["--max-rps", "50", "--max-run-time", "90m"],
            "at most 100 users, 50 requests/s, runs of 1h30m",
        );
        check(&["--allow-target", "any", "--allow-target", "unix,::1"], "targets: any,unix,::1;");
        check(&["--max-rps", "0"], "write a whole number from 1 to 10000000, for instance 500");
        check(&["--max-rps", "10000001"], "write a whole number");
        check(&["--max-run-time", "0s"], "write at least 1s, for instance 30m");
        check(&["--max-run-time", "5"], "'5' for '--max-run-time <DURATION>'");
    }
}

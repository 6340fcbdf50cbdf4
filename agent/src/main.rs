//! The agent's program.

use agent::app::Spool;
use agent::cli::Cli;
use agent::link::Way;
use agent::log::{self, LogSettings, say};
use agent::session::Exit;
use agent::spool::Spools;
use agent::{app, link};
use clap::Parser;
use proto::Secret;
use proto::tls::Identity;
use std::num::NonZero;
use std::process::ExitCode;
use system::stop::Stop;
use system::{descriptors, host_name, state_home};
use tokio::sync::mpsc;

/// Descriptors that are not users' connections: the coordinator's, event queues, standard streams.
const SPARE_DESCRIPTORS: u64 = 64;

fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| log::exit("agent", &error));
    LogSettings { format: cli.log_format, quiet: cli.quiet }.start("agent");
    let name = cli.name.clone().unwrap_or_else(default_name);
    let start = match Start::new(&cli, &name) {
        Ok(start) => start,
        Err(problem) => {
            say(&format!("error: {problem}"));
            return ExitCode::from(2);
        }
    };
    if let Some(warning) = start.way.warning(&cli.coordinator) {
        say(&warning);
    }
    match run(&cli, name, start) {
        Ok(Exit::Left | Exit::Recovered) => ExitCode::SUCCESS,
        Ok(Exit::Broken(message)) => {
            say(&format!("error: {message}"));
            ExitCode::FAILURE
        }
        Ok(Exit::Rejected(message)) => {
            say(&format!("error: refused: {message}"));
            ExitCode::from(4)
        }
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// How an agent goes to its coordinator, and what it brings along.
struct Start {
    way: Way,
    join: Option<Secret>,
    spool: Option<Spool>,
}

impl Start {
    fn new(cli: &Cli, name: &str) -> Result<Start, String> {
        let spools = spools(cli);
        let left = spools.as_ref().map(|spools| spools.claim(&cli.coordinator, name));
        let (left, notes) = left.unwrap_or_default();
        for note in &notes {
            say(note);
        }
        // Whoever comes after an agent that died is that agent to the coordinator.
        let key = match left.iter().find_map(|left| left.owner.key.clone()) {
            Some(key) => key,
            None => Identity::generate_key()?,
        };
        let (way, join) = Way::of(cli, &key)?;
        let ways = left.into_iter().map(|left| {
            let (way, _) = Way::of(cli, left.owner.key.as_deref().unwrap_or(&key))?;
            Ok((left, link::dial(&cli.coordinator, way)?))
        });
        let left = ways.collect::<Result<Vec<_>, String>>()?;
        let key = (matches!(way, Way::Tls(_)) && cli.tls_cert.is_none()).then_some(key);
        Ok(Start { way, join, spool: spools.map(|spools| Spool { spools, key, left }) })
    }
}

/// Where `cli` wants what is not delivered to be kept.
fn spools(cli: &Cli) -> Option<Spools> {
    if cli.no_spool {
        return None;
    }
    let path = cli.spool_dir.clone().or_else(|| Spools::default_path(|name| std::env::var_os(name)));
    if path.is_none() {
        say(&format!(
            "{}: results that are not delivered are kept in memory only (--spool-dir names a directory for them, \
             --no-spool says that this is meant)",
            state_home::NONE
        ));
    }
    path.map(Spools::new)
}

fn run(cli: &Cli, name: String, start: Start) -> anyhow::Result<Exit> {
    let descriptors = descriptors::raise(u64::MAX);
    let room = u32::try_from(descriptors.saturating_sub(SPARE_DESCRIPTORS)).unwrap_or(u32::MAX).max(1);
    let cores =
        std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX));
    let policy = cli.policy(room);
    let config = app::AgentConfig {
        name,
        threads: NonZero::new(cli.threads.unwrap_or(cores)).unwrap_or(NonZero::<u32>::MIN),
        policy,
        coordinator: cli.coordinator.clone(),
        incarnation: rand::random(),
        join: start.join,
        drain_timeout: cli.drain_timeout,
        last_resort: app::LastResort::EndProcess,
    };
    say(&config.policy.to_string());
    let connect = link::dial(&cli.coordinator, start.way).map_err(anyhow::Error::msg)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let leave = signals()?;
        Ok(app::run(config, connect, start.spool, leave, Box::new(say)).await?)
    })
}

/// The host's name and the process id: several agents of one host keep apart.
fn default_name() -> String {
    let host = host_name::host_name().unwrap_or_default();
    let host: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(48).collect();
    let host = if host.is_empty() { "agent".to_owned() } else { host };
    format!("{host}-{}", std::process::id())
}

/// The wishes that the process ends, as they come.
fn signals() -> std::io::Result<mpsc::Receiver<String>> {
    let (sender, receiver) = mpsc::channel(4);
    let mut stop = Stop::listen()?;
    tokio::spawn(async move { while sender.send(stop.next().await.to_owned()).await.is_ok() {} });
    Ok(receiver)
}

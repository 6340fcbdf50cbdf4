//! The agent's program.

use agent::cli::Cli;
use agent::link::Way;
use agent::session::Exit;
use agent::{app, link};
use clap::Parser;
use proto::Secret;
use std::io::Write as _;
use std::num::NonZero;
use std::process::ExitCode;
use tokio::sync::mpsc;

/// Descriptors that are not users' connections: the coordinator's, event queues, standard streams.
const SPARE_DESCRIPTORS: u64 = 64;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let (way, join) = match Way::of(&cli) {
        Ok(way) => way,
        Err(problem) => {
            say(&format!("error: {problem}"));
            return ExitCode::from(2);
        }
    };
    if let Some(warning) = way.warning(&cli.coordinator) {
        say(&warning);
    }
    match run(cli, way, join) {
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

/// Writes a line to standard error. Nobody reading it is no reason to stop, so a failure is ignored.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn run(cli: Cli, way: Way, join: Option<Secret>) -> anyhow::Result<Exit> {
    let descriptors = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024);
    let room = u32::try_from(descriptors.saturating_sub(SPARE_DESCRIPTORS)).unwrap_or(u32::MAX).max(1);
    let cores =
        std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX));
    let policy = cli.policy(room);
    let config = app::AgentConfig {
        name: cli.name.unwrap_or_else(default_name),
        threads: NonZero::new(cli.threads.unwrap_or(cores)).unwrap_or(NonZero::<u32>::MIN),
        policy,
        coordinator: cli.coordinator.clone(),
        incarnation: rand::random(),
        join,
        drain_timeout: cli.drain_timeout,
        last_resort: app::LastResort::EndProcess,
    };
    say(&config.policy.to_string());
    let connect = link::dial(&cli.coordinator, way).map_err(anyhow::Error::msg)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let leave = signals()?;
        Ok(app::run(config, connect, leave, Box::new(say)).await?)
    })
}

/// The host's name and the process id: several agents of one host keep apart.
fn default_name() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let host: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(48).collect();
    let host = if host.is_empty() { "agent".to_owned() } else { host };
    format!("{host}-{}", std::process::id())
}

/// The signals that ask the process to end, as they come.
fn signals() -> std::io::Result<mpsc::Receiver<String>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (sender, receiver) = mpsc::channel(4);
    for (kind, name) in [(SignalKind::interrupt(), "Ctrl-C"), (SignalKind::terminate(), "SIGTERM")] {
        let (mut signal, sender) = (signal(kind)?, sender.clone());
        tokio::spawn(async move {
            while signal.recv().await.is_some() {
                if sender.send(name.to_owned()).await.is_err() {
                    break;
                }
            }
        });
    }
    Ok(receiver)
}

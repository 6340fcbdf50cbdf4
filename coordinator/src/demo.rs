//! `coordinator demo`: the main job against a target of its own, on a machine with nothing but this program.

use crate::embedded::LocalTarget;
use crate::exit::ExitCode;
use crate::fleet::{OnAgentJoin, OnAgentLoss};
use crate::report::Styles;
use crate::run::{Job, run, tell};
use crate::settings::{DEFAULT_AGENTS_TIMEOUT, DEFAULT_LISTEN, DemoConfig, Protection, TelemetryConfig};
use crate::terminal::say;
use plan::{Bundle, Settings};
use std::collections::BTreeMap;
use tokio::sync::mpsc;

/// The plan that is shown.
const PLAN: &str = include_str!("../../examples/platform-api.yaml");

/// Its name, for messages.
const FILE: &str = "examples/platform-api.yaml";

/// The profile that takes less than half a minute.
const PROFILE: &str = "demo";

/// Where the plan's setup and teardown ask, and nobody else.
const SEED: &str = "/api/v1/seed";

/// Starts the demo target and an embedded agent and runs the Platform plan. As [`run`].
///
/// # Errors
/// As [`run`], and when the target cannot be started.
pub async fn demo(config: DemoConfig, styles: Styles, stop: mpsc::Receiver<()>) -> anyhow::Result<ExitCode> {
    let target = demo_target()?;
    say(&format!("demo target: {} (what it saw: {}/truth)", target.url(), target.url()));
    let settings = Settings {
        profile: Some(PROFILE.to_owned()),
        target: Some(target.url()),
        users: config.users,
        spawn_rate: None,
        duration: config.duration,
        warmup: None,
        params: BTreeMap::new(),
        seed: config.seed,
        env: BTreeMap::new(),
        ..Settings::default()
    };
    let job = Job {
        bundle: Bundle { file: FILE.to_owned(), source: PLAN.to_owned(), settings },
        expect_agents: 0,
        agents_timeout: DEFAULT_AGENTS_TIMEOUT,
        on_agent_loss: OnAgentLoss::default(),
        on_agent_join: OnAgentJoin::default(),
        listen: DEFAULT_LISTEN,
        protection: Protection::None,
        local_target: LocalTarget::Yes,
        report_dir: config.report_dir,
        telemetry: TelemetryConfig::default(),
        baseline: None,
        styles,
    };
    let code = run(job, stop).await?;
    let truth = target.truth();
    let chores = truth.endpoints.iter().filter(|endpoint| endpoint.path.starts_with(SEED));
    let chores: u64 = chores.map(|endpoint| endpoint.requests).sum();
    let users = truth.total - chores;
    tell(&format!("demo target saw {users} requests, and {chores} of setup and teardown\n"));
    target.stop();
    Ok(code)
}

fn demo_target() -> anyhow::Result<::demo::Running> {
    ::demo::spawn(::demo::Config::default())
        .map_err(|error| anyhow::anyhow!("cannot start the demo target: {error:#}"))
}

//! `coordinator demo`: the main job against a target of its own, on a machine with nothing but this program.

use crate::cli::DemoName;
use crate::embedded::LocalTarget;
use crate::exit::ExitCode;
use crate::fleet::{OnAgentJoin, OnAgentLoss};
use crate::report::Styles;
use crate::run::{Job, Teller, run, tell};
use crate::settings::{DEFAULT_AGENTS_TIMEOUT, DEFAULT_LISTEN, DemoConfig, Protection, TelemetryConfig};
use crate::terminal::say;
use plan::{Bundle, Settings};
use std::collections::BTreeMap;
use tokio::sync::mpsc;

/// A system that is shown.
struct System {
    /// Its plan.
    plan: &'static str,
    /// The plan's name, for messages.
    file: &'static str,
    /// The profile that takes less than half a minute; none if the plan itself does.
    profile: Option<&'static str>,
    /// Where the plan's setup and teardown ask, and nobody else.
    chores: &'static [&'static str],
}

/// The profile that takes less than half a minute.
const PROFILE: Option<&str> = Some("demo");

impl System {
    fn of(name: DemoName) -> System {
        match name {
            DemoName::PlatformApi => System {
                plan: include_str!("../../examples/platform-api.yaml"),
                file: "examples/platform-api.yaml",
                profile: PROFILE,
                chores: &["/api/v1/seed"],
            },
            DemoName::TaskWorkflow => System {
                plan: include_str!("../../examples/task-workflow.yaml"),
                file: "examples/task-workflow.yaml",
                profile: PROFILE,
                chores: &["/api/v1/tasks/seed"],
            },
            DemoName::TaskWorkflowBenchmark => System {
                plan: include_str!("../../examples/task-workflow-benchmark.yaml"),
                file: "examples/task-workflow-benchmark.yaml",
                profile: None,
                chores: &["/api/v1/tasks/seed"],
            },
            DemoName::MessageIngest => System {
                plan: include_str!("../../examples/message-ingest.yaml"),
                file: "examples/message-ingest.yaml",
                profile: PROFILE,
                chores: &["/api/v1/messages/health", "/api/v1/messages/accounting"],
            },
            DemoName::CommandBus => System {
                plan: include_str!("../../examples/command-bus.yaml"),
                file: "examples/command-bus.yaml",
                profile: PROFILE,
                chores: &["/api/v1/commands/health"],
            },
            DemoName::WebsocketTasks => System {
                plan: include_str!("../../examples/websocket-tasks.yaml"),
                file: "examples/websocket-tasks.yaml",
                profile: PROFILE,
                chores: &["/api/v1/ws-tasks"],
            },
        }
    }
}

/// What the target's database holds of what was acknowledged.
fn kept(name: DemoName, target: &::demo::Running) -> anyhow::Result<String> {
    Ok(match name {
        DemoName::PlatformApi => {
            let ::demo::PlatformTruth { acknowledged, stored, seeded } = target.platform()?;
            format!(
                "{} accounts, {} generations and {} payments acknowledged, {}, {} and {} stored; {seeded} accounts of setup left",
                acknowledged.accounts,
                acknowledged.generations,
                acknowledged.payments,
                stored.accounts,
                stored.generations,
                stored.payments
            )
        }
        DemoName::TaskWorkflow | DemoName::TaskWorkflowBenchmark => {
            let ::demo::TasksTruth { acknowledged, stored } = target.tasks()?;
            format!(
                "{} tasks acknowledged, {} stored; {} changes of a status acknowledged, {} stored",
                acknowledged.created, stored.created, acknowledged.changed, stored.changed
            )
        }
        DemoName::MessageIngest => {
            let ::demo::MessagesTruth { acknowledged, stored, pending, lost, duplicated } =
                target.messages()?;
            let pending = if pending == 0 { String::new() } else { format!(", {pending} pending") };
            format!(
                "{acknowledged} messages acknowledged, {stored} stored{pending}, {lost} lost, {duplicated} duplicated"
            )
        }
        DemoName::CommandBus => {
            let truth = target.commands()?;
            let ::demo::CommandsTruth { accepted, completed, dead_letter, lost, ended_twice, .. } = truth;
            let pending = truth.pending + truth.running + truth.failed;
            let workers = truth.workers.map(|attempts| attempts.to_string()).join(" + ");
            format!(
                "{accepted} commands accepted: {completed} completed, {dead_letter} in dead-letter, {pending} pending, \
                 {lost} lost, {ended_twice} ended twice; {} attempts, by worker {workers}",
                truth.attempts
            )
        }
        DemoName::WebsocketTasks => {
            let ::demo::SessionsTruth { sessions, acknowledged, stored, completed, stored_completed, .. } =
                target.sessions()?;
            format!(
                "{acknowledged} tasks of {sessions} sessions acknowledged, {stored} stored; {completed} completed, \
                 {stored_completed} stored as completed"
            )
        }
    })
}

/// Starts the demo target and an embedded agent and runs the plan that `config` names. As [`run`].
///
/// # Errors
/// As [`run`], and when the target cannot be started.
pub async fn demo(config: DemoConfig, styles: Styles, stop: mpsc::Receiver<()>) -> anyhow::Result<ExitCode> {
    let system = System::of(config.name);
    let target = demo_target()?;
    say(&format!("demo target: {} (what it saw: {}/truth)", target.url(), target.url()));
    let settings = Settings {
        profile: system.profile.map(str::to_owned),
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
        bundle: Bundle { file: system.file.to_owned(), source: system.plan.to_owned(), settings },
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
        teller: Teller::Run,
    };
    let code = run(job, stop).await?;
    let truth = target.truth();
    let is_chore = |path: &str| system.chores.iter().any(|chore| path.starts_with(chore));
    let chores = truth.endpoints.iter().filter(|endpoint| is_chore(&endpoint.path));
    let chores: u64 = chores.map(|endpoint| endpoint.requests).sum();
    let users = truth.total - chores;
    tell(&format!("demo target saw {users} requests, and {chores} of setup and teardown\n"));
    tell(&format!("demo target's database: {}\n", kept(config.name, &target)?));
    target.stop();
    Ok(code)
}

fn demo_target() -> anyhow::Result<::demo::Running> {
    ::demo::spawn(::demo::Config::default())
        .map_err(|error| anyhow::anyhow!("cannot start the demo target: {error:#}"))
}

//! One run from a plan to its exit code: the pieces put together.

use crate::embedded::{Embedded, LocalTarget};
use crate::exit::ExitCode;
use crate::fleet::{
    AgentId, Cause, ChoreConfig, ChoreConfigs, Fleet, FleetConfig, NotStarted, OnAgentJoin, OnAgentLoss,
    Outcome,
};
use crate::grpc::{Observer, Port, drive, serve};
use crate::reach::{self, Reach};
use crate::report::{Report, ReportError, Style, render_text, write_json};
use crate::results::{AgentFacts, GaveUp, Results, RunFacts};
use crate::secure::Door;
use crate::settings::Protection;
use crate::terminal::{Progress, Screen, say};
use jiff::Timestamp;
use plan::chore::{Chore, ChoreKind};
use plan::{Bundle, Files, Plan, sha256_hex};
use proto::message::{PlanDigests, RunId, WindowReport};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// How long agents may take to read what was said last before the process ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// Connections that are not agents' are told one by one up to here.
const SHOWN_STRANGERS: u32 = 10;

/// What to run, and where the results go.
#[derive(Debug)]
pub struct Job {
    /// The plan with this run's settings.
    pub bundle: Bundle,
    /// Agents to wait for; 0 runs an embedded one.
    pub expect_agents: u32,
    /// How long to wait for them.
    pub agents_timeout: Duration,
    /// What to do when one of them is lost.
    pub on_agent_loss: OnAgentLoss,
    /// What to do with one that comes when the run has begun.
    pub on_agent_join: OnAgentJoin,
    /// Where agents attach.
    pub listen: SocketAddr,
    /// What protects that port.
    pub protection: Protection,
    /// Whether the target runs in this process too.
    pub local_target: LocalTarget,
    /// The directory that gets a directory for the run.
    pub report_dir: PathBuf,
    /// Whether the result may carry colour.
    pub style: Style,
}

/// Runs `job`; each item of `stop` is the operator's wish to stop it. The result goes to standard output,
/// everything else to standard error.
///
/// # Errors
/// Faults of this machine: a port that is taken, a report that cannot be written.
pub async fn run(mut job: Job, stop: mpsc::Receiver<()>) -> anyhow::Result<ExitCode> {
    let plan = match job.bundle.compile() {
        Ok(plan) => Arc::new(plan),
        Err(diagnostics) => {
            say(diagnostics.to_string().trim_end());
            return Ok(ExitCode::Plan);
        }
    };
    job.bundle.retain_env(&plan);
    let bytes = job.bundle.to_bytes();
    // They are in the bytes, which agents get, and in the plan.
    job.bundle.settings.files = Files::default();
    let digests = PlanDigests { bundle_sha256: sha256_hex(&bytes), meaning_sha256: plan.meaning_sha256() };
    let run_id = RunId(run_id());
    // Better now than after a run whose report finds no place.
    std::fs::create_dir_all(&job.report_dir)
        .map_err(|source| ReportError { path: job.report_dir.clone(), source })?;
    let progress = Arc::new(Mutex::new(Progress::new(Screen::of_stderr(), plan.schedule.end())));
    let note = {
        let progress = progress.clone();
        move |text: &str| progress.lock().expect("no holder panics").note(text)
    };

    let door = (job.expect_agents > 0).then(|| Door::new(&job.protection, job.listen)).transpose();
    let port = match door {
        Ok(None) => None,
        Ok(Some(door)) => Some(listen(&plan, &job, door, &note).await?),
        Err(problem) => {
            say(&format!("error: {problem}"));
            return Ok(ExitCode::Usage);
        }
    };
    greet(&plan, &job, &note).await;

    let (stop_serving, serving_stopped) = oneshot::channel::<()>();
    let stopped = async {
        let _ = serving_stopped.await;
    };
    let connection_note = note.clone();
    let strangers = AtomicU32::new(0);
    let (network, server) =
        serve(port, stopped, move |text| match strangers.fetch_add(1, Ordering::Relaxed) {
            0..SHOWN_STRANGERS => connection_note(&text),
            SHOWN_STRANGERS => connection_note("more connections that are not agents' are not shown"),
            _ => {}
        });
    let embedded = match job.expect_agents {
        0 => Some(Embedded::start(network.local.clone(), rand::random(), job.local_target)?),
        _ => None,
    };
    let origin = Instant::now();
    let fleet = Fleet::new(fleet_config(&plan, &job, &run_id, bytes, digests.clone()), Duration::ZERO);
    let mut watch = Watch {
        results: Results::new(plan.clone()),
        progress: progress.clone(),
        started: None,
        ended: None,
        chore: false,
    };
    let outcome = drive(fleet, origin, network.events, stop, &mut watch).await;
    progress.lock().expect("no holder panics").finish();

    // The streams end by themselves now; connections that do not are cut.
    let _ = stop_serving.send(());
    let _ = tokio::time::timeout(FAREWELL, server).await;
    drop(embedded);

    let facts = watch.facts(outcome, run_id, &plan, sha256_hex(job.bundle.source.as_bytes()));
    if let Some(reason) = facts.not_started.as_ref().filter(|_| !facts.did_anything()) {
        say(&format!("error: {reason}"));
        let interrupted = facts.interrupted.is_some();
        return Ok(if interrupted { ExitCode::Interrupted } else { ExitCode::Agents });
    }
    let record = watch.results.finish(&facts);
    let report = Report::new(&record);
    // On disk first: a reader of standard output that went away must not cost the report.
    let written = write_json(&job.report_dir, &report);
    tell(&render_text(&report, job.style));
    tell(&format!("report: {}\n", written?.display()));
    Ok(ExitCode::of(&record))
}

/// Writes to standard output; nobody reading it is no fault of the run.
pub fn tell(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// The time in UTC and four random digits: sorts by time, and two runs of one second keep apart.
fn run_id() -> String {
    format!("{}-{:04x}", Timestamp::now().strftime("%Y%m%d-%H%M%S"), rand::random::<u16>())
}

async fn listen(plan: &Plan, job: &Job, door: Door, note: &impl Fn(&str)) -> anyhow::Result<Port> {
    let listener = TcpListener::bind(job.listen).await.map_err(|error| {
        anyhow::anyhow!(
            "cannot listen on {} (--listen): {error}; is another coordinator running?",
            job.listen
        )
    })?;
    // Each agent is a connection.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let address = listener.local_addr()?;
    note(&format!(
        "waiting for {} agents on {address}; on each host: {}{}",
        job.expect_agents,
        door.command(address),
        reach::allowance(&plan.target)
    ));
    for remark in door.remarks(address) {
        note(&remark);
    }
    Ok(Port { listener: Box::new(listener), tls: door.tls, gate: door.gate })
}

/// What should be known about `plan`, read from `file`, before it runs; a line each, ready to be said.
pub fn plan_warnings(plan: &Plan, file: &str) -> Vec<String> {
    let line = |warning: &plan::diagnostic::Diagnostic| {
        let place = format!("{file}:{}:{}", warning.line, warning.column);
        format!("warning: {place}: {}; {}", warning.problem, warning.remedy)
    };
    plan.warnings.iter().map(line).collect()
}

/// Says what is going to happen, and whether the target answers at all.
async fn greet(plan: &Plan, job: &Job, note: &impl Fn(&str)) {
    let profile = plan.profile.as_ref().map_or(String::new(), |profile| format!(", profile {profile}"));
    note(&format!(
        "{}{profile}: {}{} users{} for {} s{}, seed {}",
        plan.name,
        plan.arrivals.as_ref().map_or(String::new(), |arrivals| format!("arrivals {arrivals}, on at most ")),
        plan.schedule.max_users(),
        plan.iterations.map_or(String::new(), |n| format!(", {} iterations, at most", n.total())),
        plan.schedule.end().as_secs_f64(),
        if plan.warmup.is_zero() {
            String::new()
        } else {
            format!(", the first {} s of it as warm-up", plan.warmup.as_secs())
        },
        job.bundle.settings.seed
    ));
    let (asked, most) = (plan.schedule.asked_users(), plan.schedule.max_users());
    if most < asked {
        note(&format!(
            "warning: the run ends when {most} of {asked} users have started; make it longer, or start faster"
        ));
    }
    for warning in plan_warnings(plan, &job.bundle.file) {
        note(&warning);
    }
    if !plan.selection.filter.is_empty() {
        note(&plan.selection.to_string());
    }
    if !plan.classes.iter().any(|class| class.connection.is_direct()) {
        note(&format!("target {}: users reach it by ways of their own", plan.target));
        return;
    }
    let reach = reach::check(&plan.target).await;
    let level = if matches!(reach, Reach::Unreachable(_)) { "warning: " } else { "" };
    note(&format!("{level}target {} {reach}", plan.target));
}

fn fleet_config(plan: &Plan, job: &Job, run: &RunId, bundle: Vec<u8>, digests: PlanDigests) -> FleetConfig {
    FleetConfig {
        run: run.clone(),
        build: env!("CARGO_PKG_VERSION").to_owned(),
        bundle: bundle.into(),
        digests,
        n_series: plan.series.len() as u32,
        users: plan.schedule.max_users(),
        classes: plan.slots.clone(),
        schedule: plan.schedule.clone(),
        iterations: plan.iterations,
        on_agent_loss: job.on_agent_loss,
        on_agent_join: job.on_agent_join,
        open: plan.arrivals.is_some(),
        stop_timeout: plan.stop_timeout,
        expect_agents: job.expect_agents.max(1),
        agents_timeout: job.agents_timeout,
        chores: ChoreConfigs {
            setup: plan.setup.as_ref().map(chore_config),
            teardown: plan.teardown.as_ref().map(chore_config),
        },
        capacity_remedy: match job.expect_agents {
            0 => "raise the limit of open files (ulimit -n), run agents on other hosts (--expect-agents)",
            _ => "add agents, raise their --max-users or their limit of open files (ulimit -n)",
        }
        .to_owned(),
    }
}

fn chore_config(chore: &Chore) -> ChoreConfig {
    ChoreConfig { timeout: chore.timeout, n_series: chore.series.len() as u32 }
}

/// Watches the fleet: adds windows to the results, shows progress.
struct Watch {
    results: Results,
    progress: Arc<Mutex<Progress>>,
    started: Option<(Instant, Timestamp)>,
    /// When the newest window arrived; the last one arrives when the last iteration is over.
    ended: Option<(Instant, Timestamp)>,
    /// Whether setup or teardown is going on.
    chore: bool,
}

impl Observer for Watch {
    fn apply(&mut self, agent: AgentId, window: &WindowReport) {
        self.ended = Some((Instant::now(), Timestamp::now()));
        if let Err(error) = self.results.apply(agent, window) {
            // The accounting shows what is missing.
            self.note(&format!("window {} of agent {} cannot be added: {error}", window.seq, agent.0));
        }
    }

    fn gone(&mut self, agent: AgentId) {
        self.results.agent_gone(agent);
    }

    fn started(&mut self, after: Duration, agents: &[AgentId]) {
        let wall = Timestamp::now().checked_add(after).unwrap_or(Timestamp::MAX);
        self.started = Some((Instant::now() + after, wall));
        for agent in agents {
            self.results.agent_joined(*agent);
        }
    }

    fn joined(&mut self, agent: AgentId) {
        self.results.agent_joined(agent);
    }

    fn stopping(&mut self, at: Duration) {
        self.results.interrupted(at);
    }

    fn chore(&mut self, kind: ChoreKind, agent: Option<&str>) {
        self.chore = agent.is_some();
        if let Some(agent) = agent {
            let text = format!("{} on agent {agent}…", kind.name());
            self.progress.lock().expect("no holder panics").show_chore(&text);
        }
    }

    fn note(&mut self, text: &str) {
        self.progress.lock().expect("no holder panics").note(text);
    }

    fn tick(&mut self) {
        if let Some((t0, _)) = self.started.filter(|_| !self.chore) {
            let elapsed = Instant::now().saturating_duration_since(t0);
            self.progress.lock().expect("no holder panics").show(elapsed, &self.results.live());
        }
    }
}

impl Watch {
    fn facts(&self, outcome: Outcome, run_id: RunId, plan: &Plan, plan_sha256: String) -> RunFacts {
        let now = (Instant::now(), Timestamp::now());
        let (t0, started_at) = self.started.unwrap_or(now);
        let (end, ended_at) = self.ended.unwrap_or(now);
        let stopped = outcome.stopped.as_ref().map(|(at, _)| *at);
        let gave_up = match &outcome.stopped {
            Some((at, Cause::AgentLost(agent))) => Some(GaveUp { at: *at, agent: agent.clone() }),
            Some((_, Cause::Operator | Cause::Done)) | None => None,
        };
        let done = stopped.filter(|_| matches!(outcome.stopped, Some((_, Cause::Done))));
        let (not_started, interrupted) = match outcome.started {
            Ok(_) => (None, stopped.filter(|_| gave_up.is_none() && done.is_none())),
            Err(NotStarted::Agents(reason) | NotStarted::Setup(reason)) => (Some(reason), None),
            Err(NotStarted::Interrupted) => {
                (Some("interrupted before the run began".to_owned()), Some(Duration::ZERO))
            }
        };
        RunFacts {
            run_id,
            plan_sha256,
            started_at,
            ended_at,
            measured: end.saturating_duration_since(t0).min(stopped.unwrap_or(plan.schedule.end())),
            start_skew: outcome.start_skew,
            agents: outcome.agents.iter().map(AgentFacts::from).collect(),
            interrupted,
            done,
            gave_up,
            not_started,
            setup: outcome.setup,
            teardown: outcome.teardown,
        }
    }
}

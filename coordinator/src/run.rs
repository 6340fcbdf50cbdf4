//! One run from a plan to its exit code: the pieces put together.

use crate::clock::{Origin, RunClock};
use crate::compare::Baseline;
use crate::embedded::{Embedded, LocalTarget};
use crate::exit::ExitCode;
use crate::fleet::{
    ChoreConfig, ChoreConfigs, Fleet, FleetConfig, NotStarted, OnAgentJoin, OnAgentLoss, Outcome, SessionId,
};
use crate::grpc::{Port, drive, serve};
use crate::history;
use crate::journal::{
    BaselineMark, Digests, Folder, Head, RecordedFleet, Store, Writer, runs, without_secrets,
};
use crate::observe::Sampler;
use crate::past::read_baseline;
use crate::reach::{self, Reach};
use crate::report::{GitHub, Report, ReportError, Styles, deliver, render_text};
use crate::secure::Door;
use crate::settings::{BaselineConfig, Protection, TelemetryConfig};
use crate::telemetry::{About, Exposure};
use crate::terminal::{Progress, Screen, say, tell_end};
use crate::watch::Watch;
use jiff::Timestamp;
use plan::chore::Chore;
use plan::scope::RunFacts;
use plan::{Bundle, Files, Plan, sha256_hex};
use proto::message::{PlanDigests, RunId};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// How long agents may take to read what was said last before the process ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// Connections that are not agents' are told one by one up to here.
const SHOWN_STRANGERS: u32 = 10;

/// What to run, and where the results go.
#[derive(Clone, Debug)]
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
    /// Who hears of the run while it lasts.
    pub telemetry: TelemetryConfig,
    /// What the run is compared with at its end.
    pub baseline: Option<BaselineConfig>,
    /// Whether what is printed may carry colour.
    pub styles: Styles,
    /// Who tells the result.
    pub teller: Teller,
}

/// Who tells the result of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Teller {
    /// The run, on standard output.
    #[default]
    Run,
    /// Who had it run: standard output stays free for that, and where the files are goes to standard error.
    Caller,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// What scripts get.
    pub code: ExitCode,
    /// What was measured; none if nothing was done.
    pub report: Option<Report>,
    /// Where agents attached.
    pub listen: SocketAddr,
}

/// Runs `job`; each item of `stop` is the operator's wish to stop it. The result goes to standard output,
/// everything else to standard error.
///
/// # Errors
/// Faults of this machine: a port that is taken, a report that cannot be written.
pub async fn run(job: Job, stop: mpsc::Receiver<()>) -> anyhow::Result<ExitCode> {
    Ok(run_to_its_end(job, stop).await?.code)
}

/// As [`run`], with what was measured.
pub(crate) async fn run_to_its_end(mut job: Job, stop: mpsc::Receiver<()>) -> anyhow::Result<Ended> {
    let listen = job.listen;
    let refused = |code| Ok(Ended { code, report: None, listen });
    let plan = match job.bundle.compile() {
        Ok(plan) => Arc::new(plan),
        Err(diagnostics) => {
            say(diagnostics.to_string().trim_end());
            return refused(ExitCode::Plan);
        }
    };
    let baseline = match baseline(&job, &plan) {
        Ok(baseline) => baseline,
        Err(problem) => {
            say(&format!("error: {problem}"));
            return refused(ExitCode::Plan);
        }
    };
    job.bundle.retain_env(&plan);
    let bytes = job.bundle.to_bytes();
    let digests = PlanDigests { bundle_sha256: sha256_hex(&bytes), meaning_sha256: plan.meaning_sha256() };
    let run_id = RunId(run_id());
    // Better now than after a run whose report finds no place.
    std::fs::create_dir_all(&job.report_dir)
        .map_err(|source| ReportError { path: job.report_dir.clone(), source })?;
    let progress =
        Arc::new(Mutex::new(Progress::new(Screen::of_stderr(), plan.schedule.end(), job.styles.error)));
    let note = noting(&progress);

    let port = match open_port(&plan, &mut job, &note).await? {
        Ok(port) => port,
        Err(problem) => {
            say(&format!("error: {problem}"));
            return refused(ExitCode::Usage);
        }
    };
    let exposure = match Exposure::open(&job.telemetry, About::new(&run_id.0, &plan), &note).await {
        Ok(exposure) => exposure,
        Err(problem) => {
            say(&format!("error: {problem}"));
            return refused(ExitCode::Usage);
        }
    };
    if let Some(hint) = runs::hint(&job.report_dir) {
        note(&hint);
    }
    greet(&plan, &job, &note).await;
    if let Some((baseline, remarks)) = &baseline {
        tell_baseline(baseline, remarks, &note);
    }
    let clock = RunClock::start();
    let folder = Folder::create(&job.report_dir, &run_id.0)?;
    let head = head(&job, &run_id, clock.origin().clone(), &digests, baseline.as_ref());
    let store = Store::create(&folder.journal(), &head)
        .map_err(|error| anyhow::anyhow!("{error}; choose another directory with --report-dir"))?;
    // They are in the bytes, which agents get, and in the plan.
    job.bundle.settings.files = Files::default();

    let fleet = Fleet::new(fleet_config(&plan, &job, &run_id, bytes, digests), Duration::ZERO);
    let watch = Watch::new(plan.clone(), progress.clone());
    let fleet = RecordedFleet::new(fleet, 0);
    let (before, embeds) = (SessionId(0), job.expect_agents == 0);
    let baseline = baseline.map(|(baseline, _)| baseline);
    Conduct { job, plan, run_id, clock, folder, progress, watch, baseline, exposure }
        .drive_to_the_end(Start { port, store, fleet, before, embeds }, stop)
        .await
}

/// A run in the hands of this process.
pub(crate) struct Conduct {
    pub(crate) job: Job,
    pub(crate) plan: Arc<Plan>,
    pub(crate) run_id: RunId,
    pub(crate) clock: RunClock,
    pub(crate) folder: Folder,
    pub(crate) progress: Arc<Mutex<Progress>>,
    pub(crate) watch: Watch,
    /// What the run is compared with at its end.
    pub(crate) baseline: Option<Baseline>,
    pub(crate) exposure: Exposure,
}

/// From where a run is conducted.
pub(crate) struct Start {
    /// Where agents attach, if they do.
    pub(crate) port: Option<Port>,
    pub(crate) store: Store,
    pub(crate) fleet: RecordedFleet,
    /// The newest stream that there was.
    pub(crate) before: SessionId,
    /// Whether an agent runs in this process.
    pub(crate) embeds: bool,
}

impl Conduct {
    /// Drives the run from `start` on.
    pub(crate) async fn drive_to_the_end(
        mut self,
        start: Start,
        stop: mpsc::Receiver<()>,
    ) -> anyhow::Result<Ended> {
        let Start { port, store, fleet, before, embeds } = start;
        let (stop_serving, serving_stopped) = oneshot::channel::<()>();
        let stopped = async {
            let _ = serving_stopped.await;
        };
        let note = noting(&self.progress);
        let strangers = AtomicU32::new(0);
        let (network, mut server) =
            serve(port, before, stopped, move |text| match strangers.fetch_add(1, Ordering::Relaxed) {
                0..SHOWN_STRANGERS => note(&text),
                SHOWN_STRANGERS => note("more connections that are not agents' are not shown"),
                _ => {}
            });
        let embedded = if embeds {
            Some(Embedded::start(network.local.clone(), rand::random(), self.job.local_target)?)
        } else {
            None
        };
        let journal = Writer::start(store)?;
        let facts = RunFacts {
            run_id: self.run_id.0.clone(),
            agent_name: String::new(),
            env: self.job.bundle.settings.env.clone(),
            seed: self.plan.seed,
        };
        self.watch.expose(self.exposure.exhibit(&self.clock));
        self.watch.sample(Sampler::start(&self.plan, facts, &self.clock), self.clock.now());
        let driven = drive(fleet, &self.clock, journal, network.events, stop, &mut self.watch).await;
        self.watch.end_sampling().await;
        self.progress.lock().expect("no holder panics").finish();

        // The streams end by themselves now; connections that do not are cut.
        let _ = stop_serving.send(());
        if tokio::time::timeout(FAREWELL, &mut server).await.is_err() {
            server.abort();
        }
        drop(embedded);
        let (ended, exposure) = self.finish(driven?);
        exposure.finish().await;
        Ok(ended)
    }

    /// Tells how the run went.
    pub(crate) fn finish(self, outcome: Outcome) -> (Ended, Exposure) {
        let Conduct { job, plan, run_id, clock, folder, mut watch, baseline, exposure, .. } = self;
        let plan_sha256 = sha256_hex(job.bundle.source.as_bytes());
        let no_journal = matches!(outcome.started, Err(NotStarted::Journal(_)));
        let facts = watch.facts(outcome, &clock, run_id.clone(), &plan, plan_sha256);
        if let Some(reason) = facts.not_started.as_ref().filter(|_| !facts.did_anything()) {
            say(&format!("error: {reason}"));
            folder.seal();
            let code = match facts.interrupted {
                Some(_) => ExitCode::Interrupted,
                None if no_journal => ExitCode::Internal,
                None => ExitCode::Agents,
            };
            return (Ended { code, report: None, listen: job.listen }, exposure);
        }
        let last = watch.last_look();
        let record = watch.results.finish(&facts);
        if let Some(last) = last {
            last.close(record.verdict.name());
        }
        let mut report = Report::new(&record);
        if let Some(baseline) = &baseline {
            baseline.judge(&mut report);
        }
        // On disk first: a reader of standard output that went away must not cost the report.
        let github = GitHub::new(|name| std::env::var(name).ok());
        let delivered = deliver(&job.report_dir, &std::env::temp_dir(), &report, &github);
        match job.teller {
            Teller::Run => {
                tell(&render_text(&report, job.styles.output));
                tell(&delivered.told);
            }
            Teller::Caller => delivered.told.lines().for_each(say),
        }
        for problem in &delivered.problems {
            say(problem);
        }
        if delivered.in_place {
            // What cannot be put down is found when runs are listed.
            if let Err(problem) = history::record(&job.report_dir, &report) {
                say(&format!("warning: the index of {} is not kept: {problem}", job.report_dir.display()));
            }
            folder.seal();
        }
        let code = ExitCode::of(&record).after_comparison(report.exit_code).with_report(delivered.complete);
        tell_end(&report, &job.report_dir.join(&report.run.id), code.number());
        (Ended { code, report: Some(report), listen: job.listen }, exposure)
    }
}

/// The run's baseline, read before anything begins, and what should be known about it.
pub(crate) fn baseline(job: &Job, plan: &Plan) -> Result<Option<(Baseline, Vec<String>)>, String> {
    let read =
        |config| read_baseline(config, &job.report_dir, plan, &sha256_hex(job.bundle.source.as_bytes()));
    job.baseline.as_ref().map(read).transpose()
}

fn tell_baseline(baseline: &Baseline, remarks: &[String], note: &impl Fn(&str)) {
    let run = &baseline.report.run;
    note(&format!("baseline: run {} of {} ({})", run.id, run.started_at, baseline.path.display()));
    for remark in remarks {
        note(&format!("warning: {remark}"));
    }
}

/// Tells people something above the progress line.
pub(crate) fn noting(progress: &Arc<Mutex<Progress>>) -> impl Fn(&str) + Clone + Send + Sync + 'static {
    let progress = progress.clone();
    move |text: &str| progress.lock().expect("no holder panics").note(text)
}

/// Opens the port for agents, if any are expected, and puts down which it is.
pub(crate) async fn open_port(
    plan: &Plan,
    job: &mut Job,
    note: &impl Fn(&str),
) -> anyhow::Result<Result<Option<Port>, String>> {
    if job.expect_agents == 0 {
        return Ok(Ok(None));
    }
    let door = match Door::new(&job.protection, job.listen) {
        Ok(door) => door,
        Err(problem) => return Ok(Err(problem)),
    };
    let (port, address) = listen(plan, job, door, note).await?;
    job.listen.set_port(address.port());
    Ok(Ok(Some(port)))
}

/// What `job` is started with, for the coordinator that may have to go on with it.
fn head(
    job: &Job,
    run_id: &RunId,
    origin: Origin,
    digests: &PlanDigests,
    baseline: Option<&(Baseline, Vec<String>)>,
) -> Head {
    let (bundle, env, secrets, files) = without_secrets(&job.bundle);
    let folder = Path::new(&job.bundle.file).parent().unwrap_or(Path::new(""));
    Head {
        run: run_id.0.clone(),
        build: env!("CARGO_PKG_VERSION").to_owned(),
        origin,
        digests: Digests {
            bundle_sha256: digests.bundle_sha256.clone(),
            meaning_sha256: digests.meaning_sha256.clone(),
        },
        folder: absolute(folder),
        env,
        secrets,
        files,
        expect_agents: job.expect_agents,
        agents_timeout: job.agents_timeout,
        on_agent_loss: job.on_agent_loss,
        on_agent_join: job.on_agent_join,
        listen: job.listen,
        door: job.protection.flags(),
        baseline: baseline.map(|(baseline, _)| BaselineMark::new(baseline)),
        bundle,
    }
}

/// `path` from wherever a coordinator is started.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::env::current_dir().map_or_else(|_| path.to_owned(), |here| here.join(path))
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

async fn listen(
    plan: &Plan,
    job: &Job,
    door: Door,
    note: &impl Fn(&str),
) -> anyhow::Result<(Port, SocketAddr)> {
    let listener = TcpListener::bind(job.listen).await.map_err(|error| {
        anyhow::anyhow!(
            "cannot listen on {} (--listen): {error}; is another coordinator running?",
            job.listen
        )
    })?;
    // Each agent is a connection.
    let _ = system::descriptors::raise(u64::MAX);
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
    Ok((Port { listener: Box::new(listener), tls: door.tls, gate: door.gate }, address))
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

pub(crate) fn fleet_config(
    plan: &Plan,
    job: &Job,
    run: &RunId,
    bundle: Vec<u8>,
    digests: PlanDigests,
) -> FleetConfig {
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

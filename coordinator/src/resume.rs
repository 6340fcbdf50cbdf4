//! `coordinator --resume`: going on with a run whose coordinator was ended.
//!
//! Everything that the fleet core was told is told again ([`journal`](crate::journal)), and with it the results are
//! rebuilt; then the port is opened where it was, and agents that come back within their lease go on as if nothing had
//! happened.

use crate::clock::RunClock;
use crate::embedded::LocalTarget;
use crate::exit::ExitCode;
use crate::files;
use crate::fleet::{Input, Outcome, Output, SessionId};
use crate::grpc::observe;
use crate::journal::runs::{self, Run, Standing};
use crate::journal::{
    BaselineMark, Folder, FolderError, Head, Record, RecordedFleet, Replayed, Store, StoreError, replay,
};
use crate::report::Styles;
use crate::run::{Conduct, Job, Start, Teller, baseline, fleet_config, noting, open_port};
use crate::settings::{ResumeConfig, UsageError, Which};
use crate::telemetry::{About, Exposure};
use crate::terminal::{Progress, Screen, say};
use crate::watch::Watch;
use plan::{Bundle, Files, Plan, Secrets, sha256_hex};
use proto::message::RunId;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

/// How many runs a message names.
const SHOWN_RUNS: usize = 5;

/// Why a run cannot be gone on with; for a person.
#[derive(Debug)]
enum Problem {
    /// It was asked for wrongly.
    Usage(String),
    /// This machine is at fault.
    Machine(String),
}

/// Goes on with the run that `config` names; each item of `stop` is the operator's wish to stop it. As
/// [`run`](crate::run::run).
///
/// # Errors
/// As [`run`](crate::run::run).
pub async fn resume(
    config: ResumeConfig,
    styles: Styles,
    stop: mpsc::Receiver<()>,
) -> anyhow::Result<ExitCode> {
    let past = match Past::open(&config, styles) {
        Ok(past) => past,
        Err(Problem::Usage(problem)) => {
            say(&format!("error: --resume: {problem}"));
            return Ok(ExitCode::Usage);
        }
        Err(Problem::Machine(problem)) => {
            say(&format!("error: --resume: {problem}"));
            return Ok(ExitCode::Internal);
        }
    };
    Box::pin(past.go_on(stop)).await
}

/// A run that was begun by another process.
struct Past {
    folder: Folder,
    store: Store,
    head: Head,
    job: Job,
    plan: Arc<Plan>,
    bundle: Vec<u8>,
}

impl Past {
    fn open(config: &ResumeConfig, styles: Styles) -> Result<Past, Problem> {
        let run = find(config)?;
        let id = &run.id;
        let folder = Folder::open(run.folder.clone()).map_err(|error| match error {
            FolderError::Held { .. } => Problem::Usage(format!("run {id}: {error}")),
            FolderError::Io { .. } => Problem::Machine(error.to_string()),
        })?;
        let (store, head) = Store::open(&folder.journal())?;
        if head.build != env!("CARGO_PKG_VERSION") {
            return Err(Problem::Usage(format!(
                "run {id} was started by version {} of Muster, and this is {}; go on with it with that version",
                head.build,
                env!("CARGO_PKG_VERSION")
            )));
        }
        let (bundle, bytes) = whole_bundle(&head, config)?;
        let plan = bundle.compile().map_err(|diagnostics| Problem::Usage(diagnostics.to_string()))?;
        if plan.meaning_sha256() != head.digests.meaning_sha256 {
            return Err(Problem::Usage(format!(
                "run {id}: this program reads the plan differently than the one that started the run; use that one"
            )));
        }
        let (listen, protection) = config.door(&head)?;
        let mut job = Job {
            bundle,
            expect_agents: head.expect_agents,
            agents_timeout: head.agents_timeout,
            on_agent_loss: head.on_agent_loss,
            on_agent_join: head.on_agent_join,
            listen,
            protection,
            local_target: LocalTarget::No,
            report_dir: config.report_dir.clone(),
            telemetry: config.telemetry.clone(),
            baseline: head.baseline.as_ref().map(BaselineMark::config),
            styles,
            teller: Teller::Run,
        };
        job.bundle.settings.files = Files::default();
        Ok(Past { folder, store, head, job, plan: Arc::new(plan), bundle: bytes })
    }

    async fn go_on(self, stop: mpsc::Receiver<()>) -> anyhow::Result<ExitCode> {
        let Past { folder, mut store, head, mut job, plan, bundle } = self;
        let progress =
            Arc::new(Mutex::new(Progress::new(Screen::of_stderr(), plan.schedule.end(), job.styles.error)));
        let note = noting(&progress);
        let run_id = RunId(head.run.clone());
        let config = fleet_config(&plan, &job, &run_id, bundle, head.plan_digests());
        let mut watch = Watch::of_the_past(plan.clone(), progress.clone());
        let (replayed, outcome) = match tell_again(&mut store, config, &mut watch) {
            Ok(told) => told,
            Err(error) => {
                say(&format!("error: --resume: {error}"));
                return Ok(ExitCode::Usage);
            }
        };
        watch.caught_up();
        let (clock, remark) = RunClock::resume(head.origin.clone(), replayed.at);
        note(&format!(
            "going on with run {run_id} of {}: {} records are kept (start {} of it)",
            plan.name,
            replayed.records,
            store.epoch()
        ));
        if let Some(remark) = remark {
            note(&remark);
        }
        // What was measured is worth more than what it is compared with.
        let baseline = baseline(&job, &plan).unwrap_or_else(|problem| {
            note(&format!("warning: {problem}; the run goes on without its baseline"));
            None
        });
        let baseline = baseline.map(|(baseline, _)| baseline);
        let about = About::new(&run_id.0, &plan);
        let exposure = match Exposure::open(&job.telemetry, about, &note).await {
            Ok(exposure) => exposure,
            Err(problem) => {
                say(&format!("error: {problem}"));
                return Ok(ExitCode::Usage);
            }
        };
        let mut conduct =
            Conduct { job: job.clone(), plan, run_id, clock, folder, progress, watch, baseline, exposure };
        if let Some(outcome) = outcome {
            note("it was over, only its report was not written");
            let now = conduct.clock.now();
            conduct.watch.sample(None, now);
            return Ok(conduct.finish(outcome).0.code);
        }
        let port = match open_port(&conduct.plan, &mut job, &note).await? {
            Ok(port) => port,
            Err(problem) => {
                say(&format!("error: {problem}"));
                return Ok(ExitCode::Usage);
            }
        };
        conduct.job = job;
        let embedded = head.expect_agents == 0;
        let Replayed { fleet, records, newest_session, .. } = replayed;
        let mut fleet = RecordedFleet::new(fleet, records);
        fleet.handle_input(conduct.clock.now(), Input::Resumed { embedded });
        let embeds = embedded && !conduct.watch.has_started();
        let start = Start { port, store, fleet, before: SessionId(newest_session), embeds };
        Ok(conduct.drive_to_the_end(start, stop).await?.code)
    }
}

/// Tells a fleet of `config` all that is kept, and shows `watch` what came of it; how the run ended, if it did.
fn tell_again(
    store: &mut Store,
    config: crate::fleet::FleetConfig,
    watch: &mut Watch,
) -> Result<(Replayed, Option<Outcome>), StoreError> {
    let mut outcome = None;
    let mut replaying = replay(config);
    store.read(|record: Record| {
        replaying.tell(record, |at, output| {
            if let Some(Output::Finished(end)) = observe(watch, at, output) {
                outcome = Some(end);
            }
        })
    })?;
    Ok((replaying, outcome))
}

/// The run that is meant, if it can be gone on with.
fn find(config: &ResumeConfig) -> Result<Run, Problem> {
    let dir = config.report_dir.display();
    let all = runs::list(&config.report_dir);
    let run = match &config.which {
        Which::Last => all.first().ok_or_else(|| {
            Problem::Usage(format!("there is no run in {dir}; --report-dir says where they are"))
        })?,
        Which::Named(name) => all.iter().find(|run| run.id == *name).ok_or_else(|| {
            let newest: Vec<String> = all.iter().take(SHOWN_RUNS).map(told).collect();
            let newest = if newest.is_empty() {
                "there is none".to_owned()
            } else {
                format!("the newest are {}", newest.join(", "))
            };
            Problem::Usage(format!(
                "there is no run {name} in {dir}; {newest}; --report-dir says where they are"
            ))
        })?,
    };
    if run.standing == Standing::Over {
        let unfinished = all.iter().find(|run| run.standing == Standing::Unfinished);
        let other = unfinished.map(|run| format!("; run {} was not finished", run.id)).unwrap_or_default();
        let report = run.folder.join("report.json");
        let (id, report) = (&run.id, report.display());
        return Err(Problem::Usage(format!("run {id} is over, and its report is {report}{other}")));
    }
    Ok(run.clone())
}

fn told(run: &Run) -> String {
    let standing = match run.standing {
        Standing::Over => "over",
        Standing::GoingOn => "going on",
        Standing::Unfinished => "not finished",
    };
    format!("{} ({standing})", run.id)
}

/// The bundle with what was not kept: variables, secrets and files as they are now, which is as they were or a mistake.
fn whole_bundle(head: &Head, config: &ResumeConfig) -> Result<(Bundle, Vec<u8>), Problem> {
    let id = &head.run;
    let mut bundle = Bundle::from_bytes(&head.bundle).map_err(|error| {
        Problem::Usage(format!("run {id}: the plan in its journal cannot be read: {error}"))
    })?;
    let mut missing = Vec::new();
    for name in &head.env {
        match config.env.get(name) {
            Some(value) => drop(bundle.settings.env.insert(name.clone(), value.clone())),
            None => missing.push(name.clone()),
        }
    }
    let mut secrets = config.secrets.clone();
    for (name, path) in &config.secret_files {
        let value = files::read_secret(path)
            .map_err(|problem| Problem::Usage(format!("--secret-file {name}: {problem}")))?;
        secrets.insert(name, value);
    }
    for name in &head.secrets {
        match secrets.exact(name) {
            Some(value) => bundle.settings.secrets.insert(name, value),
            None => missing.push(format!("{}{name} (or --secret-file {name}=…)", Secrets::VARIABLE_PREFIX)),
        }
    }
    if !missing.is_empty() {
        return Err(Problem::Usage(format!(
            "run {id} was started with variables whose values are not kept, and which are not set now: {}; set them to \
             what they were",
            missing.join(", ")
        )));
    }
    bundle.settings.files = files::read(&bundle, &head.folder.join("plan"));
    for mark in &head.files {
        let path = head.folder.join(&mark.name);
        let problem = match bundle.settings.files.get(&mark.name) {
            Some(Ok(content)) if sha256_hex(content) == mark.sha256 => continue,
            Some(Ok(_)) => "has changed since the run began".to_owned(),
            Some(Err(problem)) => format!("cannot be read: {problem}"),
            None => "is not there".to_owned(),
        };
        let (name, path) = (&mark.name, path.display());
        return Err(Problem::Usage(format!(
            "run {id}: file {name} of the plan {problem} ({path}); put back what it was"
        )));
    }
    let bytes = bundle.to_bytes();
    if sha256_hex(&bytes) != head.digests.bundle_sha256 {
        let secrets = head.secrets.iter().map(|name| format!("{}{name}", Secrets::VARIABLE_PREFIX));
        let names: Vec<String> = head.env.iter().cloned().chain(secrets).collect();
        return Err(Problem::Usage(format!(
            "run {id} was started with other values of {}, which are not kept; set them to what they were",
            names.join(", ")
        )));
    }
    Ok((bundle, bytes))
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        match error {
            StoreError::Damaged { .. } | StoreError::Fenced { .. } => Problem::Usage(error.to_string()),
            StoreError::Failed { .. } => Problem::Machine(error.to_string()),
        }
    }
}

impl From<UsageError> for Problem {
    fn from(error: UsageError) -> Problem {
        Problem::Usage(error.to_string())
    }
}

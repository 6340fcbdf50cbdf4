//! Watches the fleet: adds windows to the results, shows progress, and knows at the end how it went.

use crate::clock::RunClock;
use crate::fleet::{AgentId, Cause, Member, NotStarted, Outcome};
use crate::grpc::Observer;
use crate::observe::{Sampler, Samples};
use crate::results::{AgentFacts, AgentStanding, GaveUp, Results, RunFacts, WhyGivenUp};
use crate::telemetry::{Course, Exhibit, LastLook};
use crate::terminal::{Progress, Tables};
use plan::Plan;
use plan::chore::ChoreKind;
use proto::message::{RunId, WindowReport};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// See the module. Times are those of the run's clock.
pub struct Watch {
    /// What was measured.
    pub results: Results,
    progress: Arc<Mutex<Progress>>,
    /// How many closed seconds the tables show.
    shown: u32,
    /// What the agents of the run are called.
    names: BTreeMap<AgentId, String>,
    /// T0.
    started: Option<Duration>,
    /// When the newest window arrived; the last one arrives when the last iteration is over.
    ended: Option<Duration>,
    /// Setup or teardown, if one is going on.
    chore: Option<ChoreKind>,
    /// Whether all this happened before, and was told then.
    silent: bool,
    /// Whether the run is being stopped.
    stops: bool,
    /// Since T0.
    stopped_at: Option<Duration>,
    /// Where what the target tells of itself comes from.
    samples: Samples,
    /// Where others see how the run stands.
    exhibit: Option<Exhibit>,
}

impl Watch {
    /// Shows `progress` of a run of `plan`, of which nothing has happened yet.
    pub fn new(plan: Arc<Plan>, progress: Arc<Mutex<Progress>>) -> Watch {
        Watch {
            results: Results::new(plan),
            progress,
            names: BTreeMap::new(),
            shown: 0,
            started: None,
            ended: None,
            chore: None,
            silent: false,
            stops: false,
            stopped_at: None,
            samples: None,
            exhibit: None,
        }
    }

    /// The same, of a run of which something has happened that was told when it did.
    pub fn of_the_past(plan: Arc<Plan>, progress: Arc<Mutex<Progress>>) -> Watch {
        Watch { silent: true, ..Watch::new(plan, progress) }
    }

    /// What happens from now on is news.
    pub fn caught_up(&mut self) {
        self.silent = false;
    }

    /// Others see how the run stands at `exhibit`.
    pub(crate) fn expose(&mut self, exhibit: Option<Exhibit>) {
        self.exhibit = exhibit;
    }

    /// What others will see from now on, if they see anything; the verdict is yet to come.
    pub(crate) fn last_look(&mut self) -> Option<LastLook> {
        let course = self.course();
        self.exhibit.take().map(|exhibit| exhibit.last_look(course, &self.results))
    }

    fn course(&self) -> Course {
        Course { started: self.started, stopped: self.stopped_at, chore: self.chore }
    }

    /// Samples come from `samples` from `now` on; of a run that has begun, those before are lost.
    pub(crate) fn sample(&mut self, samples: Samples, now: Duration) {
        self.samples = samples;
        if let (Some(at), Some(sampler)) = (self.stopped_at, &self.samples) {
            sampler.stop(at);
        }
        let Some(t0) = self.started else { return };
        let from = now.saturating_sub(t0);
        if let Some(sampler) = &self.samples {
            sampler.begin(t0, from);
        }
        for note in self.results.lose_samples_before(from) {
            self.note(&note);
        }
    }

    /// No more samples are wanted.
    pub(crate) async fn end_sampling(&mut self) {
        self.take_samples();
        let Some(sampler) = self.samples.take() else { return };
        for sample in sampler.finish().await {
            self.results.sampled(&sample);
        }
    }

    fn take_samples(&mut self) {
        while let Some(sample) = self.samples.as_mut().and_then(Sampler::next) {
            for note in self.results.sampled(&sample) {
                self.note(&note);
            }
        }
    }

    /// Whether T0 is known.
    pub fn has_started(&self) -> bool {
        self.started.is_some()
    }

    /// How the run went, as far as only its driver knows.
    pub fn facts(
        &self,
        outcome: Outcome,
        clock: &RunClock,
        run_id: RunId,
        plan: &Plan,
        plan_sha256: String,
    ) -> RunFacts {
        let now = clock.now();
        let t0 = self.started.unwrap_or(now);
        let end = self.ended.unwrap_or(now);
        let stopped = outcome.stopped.as_ref().map(|(at, _)| *at);
        let gave_up = match &outcome.stopped {
            Some((at, Cause::AgentLost(agent))) => {
                Some(GaveUp { at: *at, why: WhyGivenUp::AgentLost(agent.clone()) })
            }
            Some((at, Cause::Journal(why))) => {
                Some(GaveUp { at: *at, why: WhyGivenUp::Journal(why.clone()) })
            }
            Some((_, Cause::Operator | Cause::Done | Cause::Threshold)) | None => None,
        };
        let done = stopped.filter(|_| matches!(outcome.stopped, Some((_, Cause::Done))));
        let aborted = stopped.filter(|_| matches!(outcome.stopped, Some((_, Cause::Threshold))));
        let ended_by_itself = gave_up.is_some() || done.is_some() || aborted.is_some();
        let (not_started, interrupted) = match outcome.started {
            Ok(_) => (None, stopped.filter(|_| !ended_by_itself)),
            Err(NotStarted::Agents(reason) | NotStarted::Setup(reason)) => (Some(reason), None),
            Err(NotStarted::Journal(reason)) => {
                (Some(format!("the journal of the run cannot be written: {reason}")), None)
            }
            Err(NotStarted::Interrupted) => {
                (Some("interrupted before the run began".to_owned()), Some(Duration::ZERO))
            }
        };
        RunFacts {
            run_id,
            plan_sha256,
            started_at: clock.date(t0),
            t0,
            ended_at: clock.date(end),
            measured: end.saturating_sub(t0).min(stopped.unwrap_or(plan.schedule.end())),
            start_skew: outcome.start_skew,
            agents: outcome.agents.iter().map(AgentFacts::from).collect(),
            interrupted,
            done,
            gave_up,
            aborted,
            not_started,
            setup: outcome.setup,
            teardown: outcome.teardown,
        }
    }

    /// What stands since the last second was closed.
    fn tables(&self) -> Tables {
        let thresholds = self.results.thresholds();
        if !self.progress().shows_tables() {
            return Tables { thresholds, ..Tables::default() };
        }
        let named = |agent: AgentStanding| {
            let name = self.names.get(&agent.agent).cloned();
            (name.unwrap_or_else(|| format!("agent {}", agent.agent.0)), agent)
        };
        let agents = self.results.agents().into_iter().map(named).collect();
        Tables { parts: self.results.parts(), thresholds, figures: self.results.figures(), agents }
    }

    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress.lock().expect("no holder panics")
    }
}

impl Observer for Watch {
    fn apply(&mut self, at: Duration, agent: AgentId, window: &WindowReport) {
        self.ended = Some(at);
        if let Err(error) = self.results.apply(agent, window) {
            // The accounting shows what is missing.
            self.note(&format!("window {} of agent {} cannot be added: {error}", window.seq, agent.0));
        }
    }

    fn gone(&mut self, agent: AgentId) {
        self.results.agent_gone(agent);
    }

    fn started(&mut self, at: Duration, after: Duration, agents: &[Member]) {
        self.started = Some(at + after);
        if let Some(sampler) = &self.samples {
            sampler.begin(at + after, Duration::ZERO);
        }
        for agent in agents {
            self.joined(agent);
        }
    }

    fn joined(&mut self, agent: &Member) {
        self.results.agent_joined(agent.id);
        self.names.insert(agent.id, agent.name.clone());
    }

    fn stopping(&mut self, at: Duration) {
        self.stops = true;
        self.stopped_at = Some(at);
        if let Some(sampler) = &self.samples {
            sampler.stop(at);
        }
        self.results.interrupted(at);
    }

    fn chore(&mut self, kind: ChoreKind, agent: Option<&str>) {
        self.chore = agent.map(|_| kind);
        if let Some(agent) = agent.filter(|_| !self.silent) {
            self.progress().show_chore(&format!("{} on agent {agent}…", kind.name()));
        }
    }

    fn note(&mut self, text: &str) {
        if !self.silent {
            self.progress().note(text);
        }
    }

    fn wants_stop(&mut self) -> bool {
        let text = self.results.breach_text().filter(|_| !self.stops);
        if let Some(text) = &text {
            self.stops = true;
            self.note(text);
        }
        text.is_some()
    }

    fn tick(&mut self, now: Duration) {
        self.take_samples();
        let course = self.course();
        if let Some(exhibit) = &mut self.exhibit {
            exhibit.look(now, course, &self.results);
        }
        let Some(t0) = self.started.filter(|_| self.chore.is_none()) else { return };
        let closed = self.results.closed_seconds();
        if closed > self.shown {
            self.shown = closed;
            let tables = self.tables();
            self.progress().set_tables(tables);
        }
        self.progress().show(now.saturating_sub(t0), &self.results.live());
    }
}

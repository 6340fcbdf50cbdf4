//! Asks, on time: a task for each probe.

use super::Sample;
use super::ask::Asker;
use crate::clock::RunClock;
use metrics::unit::format_duration;
use plan::Plan;
use plan::observe::{Flaw, FlawKind, Probe};
use plan::scope::RunFacts;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Samples that wait to be added; with so many, probes wait, too.
const MAX_WAITING: usize = 1024;

/// How long an answer that is awaited when the run is over may take from then on: less than the farewell of the tasks.
/// A run that ends with its iterations ends about when a sample is due, and that one tells how all of it ended.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// How long tasks that were told to end may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// When samples are due, in times of the run's clock.
#[derive(Clone, Copy, Debug)]
struct Load {
    /// T0.
    begin: Option<Duration>,
    /// What is due before, since T0, is not asked for any more.
    from: Duration,
    /// What is due then or later, since T0, is not asked for.
    end: Duration,
}

/// The tasks of all probes. Dropped, it ends them.
pub(crate) struct Sampler {
    load: watch::Sender<Load>,
    samples: mpsc::Receiver<Sample>,
    tasks: JoinSet<()>,
}

/// Where samples come from: what the observer of a run holds.
pub(crate) type Samples = Option<Sampler>;

impl Sampler {
    /// Starts the tasks of `plan`'s probes; they wait for T0. `None` for a plan without any.
    pub(crate) fn start(plan: &Arc<Plan>, facts: RunFacts, clock: &RunClock) -> Samples {
        if plan.probes.is_empty() {
            return None;
        }
        let facts = Arc::new(facts);
        let begin = Load { begin: None, from: Duration::ZERO, end: plan.schedule.end() };
        let (load, watched) = watch::channel(begin);
        let (sender, samples) = mpsc::channel(MAX_WAITING);
        let mut tasks = JoinSet::new();
        for number in 0..plan.probes.len() {
            let (plan, facts, clock) = (plan.clone(), facts.clone(), clock.clone());
            let task = Task { plan, number, facts, clock, load: watched.clone(), samples: sender.clone() };
            tasks.spawn(task.run());
        }
        Some(Sampler { load, samples, tasks })
    }

    /// T0 is known; what was due before `from`, since T0, is gone.
    pub(crate) fn begin(&self, t0: Duration, from: Duration) {
        self.load.send_modify(|load| (load.begin, load.from) = (Some(t0), from));
    }

    /// Nobody is wanted from `at` on, since T0.
    pub(crate) fn stop(&self, at: Duration) {
        self.load.send_modify(|load| load.end = load.end.min(at));
    }

    /// The next sample, if one is there.
    pub(crate) fn next(&mut self) -> Option<Sample> {
        self.samples.try_recv().ok()
    }

    /// Ends the tasks; what is still open is given up. The samples that are there.
    pub(crate) async fn finish(self) -> Vec<Sample> {
        let Sampler { load, mut samples, mut tasks } = self;
        drop(load);
        let mut last = Vec::new();
        let all = async {
            while let Some(sample) = samples.recv().await {
                last.push(sample);
            }
        };
        let _ = timeout(FAREWELL, all).await;
        tasks.abort_all();
        last
    }
}

/// The task of one probe.
struct Task {
    plan: Arc<Plan>,
    number: usize,
    facts: Arc<RunFacts>,
    clock: RunClock,
    load: watch::Receiver<Load>,
    samples: mpsc::Sender<Sample>,
}

impl Task {
    async fn run(mut self) {
        let Ok(load) = self.load.wait_for(|load| load.begin.is_some()).await.map(|load| *load) else {
            return;
        };
        let (t0, every) = (load.begin.unwrap_or_default(), self.probe().every);
        let due = |nth: u64| Duration::from_nanos(nanos(every).saturating_mul(nth));
        let mut nth = nanos(load.from).div_ceil(nanos(every).max(1));
        let mut asker = None;
        loop {
            if due(nth) >= self.load.borrow_and_update().end {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep_until(self.clock.instant(t0 + due(nth))) => {}
                changed = self.load.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
            }
            let figures = self.sample(&mut asker).await;
            let sample = Sample { probe: self.number, due: due(nth), times: 1, figures };
            if self.samples.send(sample).await.is_err() {
                return;
            }
            nth += 1;
            // Nobody asks twice at once to make up for a machine that stood still.
            let all = nanos(self.load.borrow().end).div_ceil(nanos(every).max(1));
            let passed = (nanos(self.clock.now().saturating_sub(t0)) / nanos(every).max(1)).min(all);
            if passed > nth {
                let text = "the coordinator was too busy to ask";
                let figures = Err(Flaw::new(FlawKind::NotAsked, text));
                let gap = Sample { probe: self.number, due: due(nth), times: passed - nth, figures };
                if self.samples.send(gap).await.is_err() {
                    return;
                }
                nth = passed;
            }
        }
    }

    fn probe(&self) -> &Probe {
        &self.plan.probes[self.number]
    }

    /// One answer, within the probe's time.
    async fn sample(&self, asker: &mut Option<Asker>) -> Result<Vec<Result<f64, Flaw>>, Flaw> {
        let limit = self.probe().timeout;
        let mut load = self.load.clone();
        let over = async {
            let _ = load.wait_for(|_| false).await;
            tokio::time::sleep(LAST_ANSWER).await;
        };
        let late = |what: &str| Flaw::new(FlawKind::Timeout, format!("no answer {what}"));
        let found = tokio::select! {
            found = timeout(limit, self.answer(asker)) => {
                found.unwrap_or_else(|_| Err(late(&format!("within {}", format_duration(limit)))))
            }
            () = over => Err(late("when the run was over")),
        };
        found.map_err(|flaw| {
            let hidden = self.plan.params.secrets().hide(&flaw.text);
            Flaw { text: hidden.unwrap_or(flaw.text), ..flaw }
        })
    }

    async fn answer(&self, asker: &mut Option<Asker>) -> Result<Vec<Result<f64, Flaw>>, Flaw> {
        if asker.is_none() {
            let asked = self.probe().asked(&self.plan, &self.facts);
            let asked = asked.map_err(|why| Flaw::new(FlawKind::NotAsked, why))?;
            *asker = Some(Asker::new(self.probe(), &self.plan, asked).await?);
        }
        let Some(asker) = asker else { unreachable!("it was made above") };
        let body = asker.ask().await?;
        // A large answer must not keep the fleet waiting.
        let (plan, number) = (self.plan.clone(), self.number);
        let read = tokio::task::spawn_blocking(move || plan.probes[number].read(&body));
        read.await.map_err(|_| Flaw::new(FlawKind::Format, "the answer could not be read"))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

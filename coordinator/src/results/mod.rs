//! What a run measured, from the agents' windows to the verdict.
//!
//! **Invariant:** this module is pure: no clock, no runtime, no I/O. It is driven by the fleet, which fences
//! windows (right session, next sequence number) before they come here, and each window is added whole or not
//! at all. What ends in the warm-up counts in the accounting and the timeline alone. Histograms are merged as
//! they travelled; a percentile is only ever taken from merged histograms.
//!
//! Reading order: [`Results`] (adds windows), [`Live`] (what progress shows), [`RunFacts`] (what only the
//! driver knows), [`Record`] (everything a report says), then how its parts are judged: [`Accounting`],
//! [`Generator`], [`Verdict`].

mod accounting;
mod agent_health;
mod agent_totals;
mod arrivals;
mod cost;
mod facts;
#[cfg(test)]
pub(crate) mod fixture;
mod generator;
mod intervals;
mod judged;
mod live;
mod missing;
mod point;
pub(crate) mod quantity;
mod record;
mod service;
mod sliding;
mod snapshot;
mod standing;
#[cfg(test)]
mod tests;
mod timeline;
mod user_time;
mod verdict;
mod warmup;
mod watched;

pub use accounting::{Account, AccountStatus, Accounting};
pub use arrivals::ArrivalTotals;
pub use cost::Cost;
pub use facts::{AgentFacts, GaveUp, Left, Lost, RunFacts, WhyGivenUp};
pub use generator::{Generator, GeneratorAgent, GeneratorStatus};
pub use intervals::Interval;
pub use judged::JudgedThreshold;
pub use live::Live;
pub use point::Point;
pub use record::Record;
pub use sliding::Span;
pub use snapshot::{SeriesSnapshot, Snapshot};
pub use standing::{AgentStanding, PartStanding, ThresholdStanding};
pub use user_time::UserTime;
pub use verdict::Verdict;
pub use watched::Breach;

pub use crate::fleet::AgentId;
use crate::fleet::Iterations;
use crate::observe::{Books, Sample};

use agent_totals::AgentTotals;
use arrivals::ArrivalBooks;
use intervals::Intervals;
use metrics::{Counts, DecodeError, ErrorTable, Histogram, SeriesId, SeriesStats, Traffic};
use plan::Plan;
use proto::message::WindowReport;
use service::ServiceTimes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use timeline::{Latencies, Requests, Timeline};
use warmup::{Part, WarmUp};
use watched::Watched;

/// Why a window was refused. Nothing of it was added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// It names a series that the plan does not have: the agent runs another plan.
    #[error("series {series} is not one of the plan's {count}")]
    UnknownSeries {
        /// The number that was sent.
        series: u32,
        /// How many series the plan has.
        count: usize,
    },
    /// A series' histogram does not decode.
    #[error("the latencies of series {series} are no histogram: {why}")]
    Latency {
        /// The series.
        series: u32,
        /// What is wrong.
        why: DecodeError,
    },
    /// A series' histogram does not hold as many samples as the window counts.
    #[error("series {series} counts {counted} requests, but its histogram holds {held}")]
    Count {
        /// The series.
        series: u32,
        /// `ok + failed`.
        counted: u64,
        /// Samples in the histogram.
        held: u64,
    },
    /// A series would hold more samples than a histogram can count.
    #[error("{added} requests on top of {held} are more than series {series} can count")]
    Full {
        /// The series.
        series: u32,
        /// What it holds.
        held: u64,
        /// What the window would add.
        added: u64,
    },
    /// The histogram of the agent's own lateness does not decode.
    #[error("the agent's lag is no histogram: {0}")]
    Lag(DecodeError),
}

/// Most distinct error messages kept in a run; further ones are folded into one row per series and kind.
const MAX_ERROR_MESSAGES: usize = 1000;

/// Most samples of one series: half of what a histogram can count, so that adding a window to it cannot fail.
const MAX_SAMPLES: u64 = 1 << 52;

/// Totals and timeline of one run.
#[derive(Debug)]
pub struct Results {
    plan: Arc<Plan>,
    series: Vec<SeriesStats>,
    errors: ErrorTable,
    agents: BTreeMap<AgentId, AgentTotals>,
    timeline: Timeline,
    intervals: Intervals,
    service: ServiceTimes,
    warmup: WarmUp,
    /// In an open load.
    arrivals: Option<ArrivalBooks>,
    iterations: Iterations,
    watched: Watched,
    figures: Books,
}

impl Results {
    /// Nothing measured yet.
    pub fn new(plan: Arc<Plan>) -> Results {
        Results {
            series: plan.series.iter().map(|_| SeriesStats::default()).collect(),
            errors: ErrorTable::new(MAX_ERROR_MESSAGES),
            agents: BTreeMap::new(),
            timeline: Timeline::new(&plan),
            intervals: Intervals::new(plan.series.len()),
            service: ServiceTimes::new(plan.series.len()),
            warmup: WarmUp::new(plan.warmup),
            arrivals: ArrivalBooks::new(&plan),
            iterations: Iterations::new(plan.schedule.max_users(), plan.iterations),
            watched: Watched::new(&plan),
            figures: Books::new(&plan),
            plan,
        }
    }

    /// Announces an agent before its first window, so that the first seconds wait for it.
    pub fn agent_joined(&mut self, agent: AgentId) {
        self.timeline.attach(agent);
    }

    /// Adds a window that the fleet has fenced (right session, next sequence number). All or nothing.
    pub fn apply(&mut self, agent: AgentId, window: &WindowReport) -> Result<(), ApplyError> {
        let second = self.decode(window)?;
        if !window.health.lag.is_empty() {
            Histogram::samples_in_v2(&window.health.lag).map_err(ApplyError::Lag)?;
        }
        // Honest agents merge no seconds across the warm-up's end; of one that does, nothing of the window is judged.
        let (part, second_at) = (self.warmup.part(window.index), window.last_second());
        if let Some(arrivals) = &mut self.arrivals {
            arrivals.add(part, window.arrivals);
        }
        let pace = match &self.arrivals {
            Some(arrivals) => arrivals.pace(second_at).0,
            None if window.seconds() > 1 => mean_users(window),
            None => user_time::present(&self.plan.schedule, second_at, window.users),
        };
        self.agents.entry(agent).or_default().add(window, part, pace);
        self.watched.add(window, &second);
        self.timeline.add(agent, window, &second);
        self.watched.close_before(self.timeline.first_open());
        self.iterations.apply(&window.progress);
        match part {
            Part::WarmUp => self.warmup.leave_out(&second),
            Part::Measured => {
                self.service.add(window, &second, &self.intervals);
                self.intervals.add(window, &second);
                self.add_up(window);
            }
        }
        Ok(())
    }

    /// Adds a window that `decode` has read to the totals, but for its latencies, which the intervals add up.
    fn add_up(&mut self, window: &WindowReport) {
        for report in &window.series {
            let stats = &mut self.series[report.series.0 as usize];
            stats.ok = stats.ok.saturating_add(report.ok);
            stats.failed = stats.failed.saturating_add(report.failed);
            stats.carry(&Traffic {
                messages_sent: report.messages_sent,
                messages_received: report.messages_received,
                bytes_in: report.bytes_in,
                bytes_out: report.bytes_out,
            });
            stats.phases.merge(&report.phases);
        }
        for row in &window.errors {
            self.errors.add(row.series, row.kind, &row.message, row.count, row.first, row.last);
        }
    }

    /// No more windows will come from `agent`: the timeline stops waiting for it.
    pub fn agent_gone(&mut self, agent: AgentId) {
        self.timeline.detach(agent);
        self.watched.close_before(self.timeline.first_open());
        if let Some(totals) = self.agents.get_mut(&agent) {
            (totals.users, totals.latest) = (0, None);
        }
    }

    /// Someone asked the run to stop `at` after T0: no users are wanted from then on.
    pub fn interrupted(&mut self, at: Duration) {
        self.timeline.stop(at);
        self.watched.stop(at);
    }

    /// The threshold with `abort` that is missed whatever comes, if there is one: the run is to stop. It is certain at the
    /// end of a closed second and stays so.
    pub fn breach(&self) -> Option<&Breach> {
        self.watched.breach()
    }

    /// A breach in words, for a person.
    pub fn breach_text(&self) -> Option<String> {
        let figure = || self.figures.breach().map(|breach| breach.told.clone());
        self.breach().map(|breach| judged::breach_text(breach, &self.plan)).or_else(figure)
    }

    /// Adds what a probe told; gives what a person should know of it.
    pub fn sampled(&mut self, sample: &Sample) -> Vec<String> {
        self.figures.add(sample)
    }

    /// What probes told before `time`, since T0, is gone; gives what a person should know of it.
    pub fn lose_samples_before(&mut self, time: Duration) -> Vec<String> {
        self.figures.lost_before(time.min(self.plan.schedule.end()))
    }

    /// What a progress line shows.
    pub fn live(&self) -> Live {
        let counted = || self.plan.series.iter().zip(&self.series).filter(|(series, _)| series.is_request());
        let requests = counted().map(|(_, stats)| stats.requests()).sum();
        let failures = counted().map(|(_, stats)| stats.failed).sum();
        let users = self.agents.values().map(|agent| agent.users).fold(0, u32::saturating_add);
        let warmup = self.warmup.part(self.timeline.newest().unwrap_or(0)) == Part::WarmUp;
        let (requests, failures) = if warmup { self.warmup.left_out() } else { (requests, failures) };
        let dropped = self.arrivals.as_ref().map_or(0, ArrivalBooks::dropped);
        let iterations = self.iterations.counts().map(|(finite, done, _)| (done, finite.total()));
        Live { warmup, iterations, dropped, ..self.timeline.live(requests, failures, users) }
    }

    /// Everything a report says. Windows that come after this are lost; so are those that were never sent,
    /// which `facts` tells.
    pub fn finish(self, facts: &RunFacts) -> Record {
        Record::new(self, facts)
    }

    /// Checks everything that could be wrong with the window's series and errors, and adds up its requests:
    /// transactions and completions are made of them and do not count beside them.
    fn decode(&self, window: &WindowReport) -> Result<Requests, ApplyError> {
        let count = self.series.len();
        let known = |SeriesId(series): SeriesId| {
            if (series as usize) < count {
                Ok(series)
            } else {
                Err(ApplyError::UnknownSeries { series, count })
            }
        };
        let mut requests = Requests::default();
        for report in &window.series {
            let series = known(report.series)?;
            let counted = report.ok.saturating_add(report.failed);
            let of_requests = self.plan.series[series as usize].is_request();
            if of_requests {
                requests.count = requests.count.saturating_add(counted);
                requests.failures = requests.failures.saturating_add(report.failed);
            }
            let read =
                |bytes: &[u8]| Counts::from_v2(bytes).map_err(|why| ApplyError::Latency { series, why });
            let counts = read(&report.latency)?;
            let service = (!report.service.is_empty()).then(|| read(&report.service)).transpose()?;
            let held = [Some(counts.count()), service.as_ref().map(Counts::count)];
            requests.latencies.push(Latencies { counts, service, of_requests });
            if let Some(held) = held.into_iter().flatten().find(|held| *held != counted) {
                return Err(ApplyError::Count { series, counted, held });
            }
            let before = self.series[series as usize].requests();
            if before.saturating_add(counted) > MAX_SAMPLES {
                return Err(ApplyError::Full { series, held: before, added: counted });
            }
        }
        for row in &window.errors {
            known(row.series)?;
        }
        Ok(requests)
    }
}

/// Users that a window of several seconds had on average, who made what it counts.
fn mean_users(window: &WindowReport) -> u32 {
    let sum: u64 = window.earlier_users.iter().chain([&window.users]).map(|&users| u64::from(users)).sum();
    (sum / u64::from(window.seconds())) as u32
}

//! The verdict: what the run says about the system under test.
//!
//! A missed threshold is a failure, whatever else went wrong, unless the requests that are missing could have
//! turned it. Short of that, anything that leaves a doubt makes the run inconclusive: only a run without doubts
//! warns or passes.

use super::accounting::{Account, AccountStatus, Accounting};
use super::arrivals::ArrivalTotals;
use super::facts::{AgentFacts, GaveUp, RunFacts, WhyGivenUp};
use super::generator::{Generator, GeneratorStatus};
use super::judged::JudgedThreshold;
use super::quantity;
use super::user_time::UserTime;
use crate::observe::JudgedFigure;
use metrics::threshold::Status;
use metrics::{ErrorKind, ErrorTable};
use plan::Plan;
use plan::finite::Finite;

/// What the run says about the system under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every threshold was met.
    Pass,
    /// Every critical value was met, some targets were not.
    Warn,
    /// A threshold was missed.
    Fail,
    /// The run does not say.
    Inconclusive,
}

impl Verdict {
    /// As it stands in reports.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
            Verdict::Inconclusive => "inconclusive",
        }
    }
}

/// Everything that the verdict rests on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence<'a> {
    pub(super) plan: &'a Plan,
    pub(super) facts: &'a RunFacts,
    pub(super) thresholds: &'a [JudgedThreshold],
    pub(super) figures: &'a [JudgedFigure],
    /// What went wrong with probes.
    pub(super) troubles: &'a [String],
    pub(super) accounting: &'a Accounting,
    pub(super) generator: &'a Generator,
    /// After the warm-up.
    pub(super) users: UserTime,
    /// In an open load.
    pub(super) arrivals: Option<&'a ArrivalTotals>,
    /// Requests, transactions and completions that were not left out.
    pub(super) measured: u64,
    pub(super) errors: &'a ErrorTable,
    pub(super) iterations: Option<(Finite, u64, u64)>,
}

/// How much of the asked load is lost: enough to spoil the run, or to be worth a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    Grave,
    Slight,
}

/// More than this share of the asked user-seconds (or arrivals) missing, and the run says little about the asked load: what
/// 900 users saw is not what 1000 would have seen. In percent.
const MISSING_USERS_PERCENT: u128 = 5;

impl Evidence<'_> {
    /// The verdict and its reasons in plain words, the decisive ones first.
    pub(super) fn weigh(self) -> (Verdict, Vec<String>) {
        let started = self.facts.not_started.is_none();
        let stopped = self.thresholds.iter().filter_map(|t| t.stopped_the_run(self.plan));
        let stopped = stopped.chain(self.figures.iter().filter_map(JudgedFigure::stopped_the_run));
        let missed = if started { stopped.chain(self.decided(Status::Fail)).collect() } else { Vec::new() };
        let doubts = self.doubts();
        let warned = self.decided(Status::Warn);
        let (verdict, decisive) = if !missed.is_empty() {
            (Verdict::Fail, [missed, doubts, warned].concat())
        } else if !doubts.is_empty() {
            (Verdict::Inconclusive, [doubts, warned].concat())
        } else if !warned.is_empty() {
            (Verdict::Warn, warned)
        } else {
            (Verdict::Pass, vec![self.why_passed()])
        };
        let few = self.arrivals_lost(Loss::Slight);
        let given_up = Vec::from_iter(self.given_up());
        let unfit = self.unfitness(GeneratorStatus::Degraded);
        (
            verdict,
            [decisive, self.doubtful(), few, given_up, self.losses(), self.troubles.to_vec(), unfit].concat(),
        )
    }

    /// The thresholds that came out as `status`, whatever is missing.
    fn decided(self, status: Status) -> Vec<String> {
        let decided = |t: &&JudgedThreshold| t.judgement.status == status && !t.is_undecided();
        let figures = self.figures.iter().filter(|t| t.status == status && !t.undecided);
        let decided = self.thresholds.iter().filter(decided).map(|t| t.sentence(self.plan));
        decided.chain(figures.map(JudgedFigure::sentence)).collect()
    }

    /// The thresholds that chance could have turned. It changes no verdict, but somebody should know.
    fn doubtful(self) -> Vec<String> {
        let decided = self.thresholds.iter().filter(|t| !t.is_undecided());
        decided.filter_map(|t| t.doubtful(self.plan)).collect()
    }

    /// Why the run does not say.
    fn doubts(self) -> Vec<String> {
        let mut doubts = Vec::new();
        let not_started = self.facts.not_started.as_ref();
        doubts.extend(not_started.map(|why| format!("the run did not start: {why}")));
        if let Some(at) = self.facts.interrupted {
            doubts.push(format!("the run was interrupted after {:.1} s", at.as_secs_f64()));
        }
        if let Some(GaveUp { at, why }) = &self.facts.gave_up {
            let why = match why {
                WhyGivenUp::AgentLost(agent) => format!("agent {agent} was lost (--on-agent-loss abort)"),
                WhyGivenUp::Journal(why) => format!("its journal could not be written: {why}"),
            };
            doubts.push(format!("the run was stopped after {:.1} s, because {why}", at.as_secs_f64()));
        }
        if not_started.is_some() {
            return doubts;
        }
        if self.measured == 0 {
            let after = if self.accounting.merged == 0 { "" } else { " after the warm-up" };
            doubts.push(format!("no request was measured{after}"));
        }
        doubts.extend(self.too_few_iterations());
        doubts.extend(self.too_few_users());
        doubts.extend(self.arrivals_lost(Loss::Grave));
        doubts.extend(self.never_sent());
        doubts.extend(self.unfitness(GeneratorStatus::Invalid));
        let missing = match (self.accounting.lost_at_most, self.accounting.unknown.map(quantity::count)) {
            (Some(0), Some(n)) => format!("the requests without an answer ({n}) could change that"),
            (_, Some(n)) => format!("the missing requests (at most {n}) could change that"),
            (_, None) => "an unknown number of requests is missing and could change that".to_owned(),
        };
        let undecided = self.thresholds.iter().filter(|t| t.is_undecided());
        doubts.extend(undecided.map(|t| format!("{}: {missing}", t.sentence(self.plan))));
        let lost = "the samples of a coordinator that was ended are lost and could change that";
        let undecided = self.figures.iter().filter(|t| t.undecided);
        doubts.extend(undecided.map(|t| format!("{}: {lost}", t.sentence())));
        doubts.extend(self.decided(Status::NoData));
        doubts
    }

    /// Requests that could not be made from their templates, or that agents do not allow: no fault of the target.
    fn never_sent(self) -> Vec<String> {
        let of_kind = |kind: ErrorKind, whose: &str| {
            let rows = self.errors.rows().filter(|row| row.kind == kind);
            let (n, example) = rows.fold((0_u64, None), |(n, first), row| {
                (n.saturating_add(row.count), first.or(Some(&row.message)))
            });
            let n = quantity::count(n);
            example.map(|why| format!("{n} requests were never sent, {whose}: {why}"))
        };
        let unmade = of_kind(ErrorKind::Template, "the plan could not make them");
        let forbidden = of_kind(ErrorKind::Forbidden, "their agents do not allow them");
        unmade.into_iter().chain(forbidden).collect()
    }

    fn too_few_iterations(self) -> Option<String> {
        let (finite, done, given_up) = self.iterations.filter(|_| self.facts.aborted.is_none())?;
        (done.saturating_add(given_up) < finite.total()).then(|| {
            let (done, total) = (quantity::count(done), quantity::count(finite.total()));
            format!("{done} of {total} iterations were done in time")
        })
    }

    fn given_up(self) -> Option<String> {
        let (finite, _, given_up) = self.iterations?;
        let (n, total) = (quantity::count(given_up), quantity::count(finite.total()));
        (given_up > 0).then(|| format!("users that stopped by themselves gave up {n} of {total} iterations"))
    }

    fn too_few_users(self) -> Option<String> {
        let UserTime { target, missing } = self.users;
        (missing.as_nanos() * 100 > target.as_nanos() * MISSING_USERS_PERCENT).then(|| {
            let (missing, target) = (missing.as_secs(), target.as_secs());
            let (missing, target) = (quantity::count(missing), quantity::count(target));
            format!("{missing} of {target} user-seconds are missing: the asked load was not there")
        })
    }

    /// What is to be said of arrivals that were dropped, or made by nobody, if the loss is of that size.
    fn arrivals_lost(self, size: Loss) -> Vec<String> {
        let Some(arrivals) = self.arrivals.filter(|_| self.facts.not_started.is_none()) else {
            return Vec::new();
        };
        let is = |lost: u64, of: u64| {
            let grave = u128::from(lost) * 100 > u128::from(of) * MISSING_USERS_PERCENT;
            lost > 0 && grave == (size == Loss::Grave)
        };
        let spoils = if size == Loss::Grave { ": the asked load was not there" } else { "" };
        let ((all, dropped), missing) = (arrivals.measured, arrivals.missing());
        let n = quantity::count;
        let mut lost = Vec::new();
        if is(dropped, all) {
            let busy =
                format!("{} of {} arrivals were dropped, because no user was idle", n(dropped), n(all));
            lost.push(format!("{busy}{spoils}; raise `max_users`"));
        }
        if is(missing, arrivals.scheduled) {
            let (missing, scheduled) = (n(missing), n(arrivals.scheduled));
            lost.push(format!(
                "{missing} of {scheduled} arrivals were not made as far as anybody knows{spoils}"
            ));
        }
        lost
    }

    fn unfitness(self, status: GeneratorStatus) -> Vec<String> {
        if self.generator.status == status { self.generator.reasons() } else { Vec::new() }
    }

    fn why_passed(self) -> String {
        match self.thresholds.len() + self.figures.len() {
            0 => "the plan states no thresholds".to_owned(),
            1 => "the one threshold was met".to_owned(),
            n => format!("all {n} thresholds were met"),
        }
    }

    /// What is missing, agent by agent.
    fn losses(self) -> Vec<String> {
        let agents = self.facts.agents.iter().zip(&self.accounting.agents);
        let mut losses: Vec<String> = agents
            .filter(|(facts, account)| {
                let gone = facts.lost.is_some() || facts.left.is_some() || facts.handed_over.is_some();
                account.status != AccountStatus::Exact || gone
            })
            .map(|(facts, account)| match &facts.lost {
                Some(lost) => {
                    let (name, at) = (&account.name, lost.at.as_secs_f64());
                    let delivered = "it came back and delivered all that it had measured".to_owned();
                    let exact = account.status == AccountStatus::Exact && facts.finished;
                    let missing = if exact { delivered } else { missing(account) };
                    let moved = moved(facts);
                    format!("agent {name} was lost at {at:.1} s ({}): {missing}{moved}", lost.reason)
                }
                None if account.status == AccountStatus::Exact => {
                    let when = facts.left.as_ref().map(|left| {
                        format!(
                            " at {:.1} s ({}), all that it did is counted",
                            left.at.as_secs_f64(),
                            left.reason
                        )
                    });
                    format!(
                        "agent {} left before the end{}{}",
                        account.name,
                        when.unwrap_or_default(),
                        moved(facts)
                    )
                }
                None if account.status == AccountStatus::Mismatch => {
                    format!(
                        "agent {} counted other totals than were merged: {}",
                        account.name,
                        missing(account)
                    )
                }
                None => format!("agent {} did not finish: {}", account.name, missing(account)),
            })
            .collect();
        let Accounting { started, merged, aborted, .. } = *self.accounting;
        if losses.is_empty() && !self.accounting.is_exact() {
            losses
                .push(format!("{started} requests were started, but {merged} merged and {aborted} aborted"));
        }
        losses
    }
}

/// What became of a lost agent's users.
fn moved(facts: &AgentFacts) -> String {
    let Some(handed_over) = &facts.handed_over else { return String::new() };
    let (moved, at) = (u64::from(handed_over.moved), handed_over.at.as_secs_f64());
    let all = quantity::count(moved + u64::from(handed_over.stranded));
    let waited = match handed_over.waited {
        0 => String::new(),
        n => format!(
            "; {} waited, because the agents with room for them were saturated",
            quantity::count(n.into())
        ),
    };
    format!("; {} of its {all} users went on elsewhere from {at:.1} s on{waited}", quantity::count(moved))
}

fn missing(account: &Account) -> String {
    match account.lost_at_most {
        Some(1) => "at most 1 request is missing".to_owned(),
        Some(n) => format!("at most {} requests are missing", quantity::count(n)),
        None => "an unknown number of requests is missing".to_owned(),
    }
}

//! What a plan would do, without doing it: who the users are, how many requests they make, what judges them,
//! and where values come from.
//!
//! **Invariant:** explaining is pure; [`render`] turns the explanation into text.

mod data;
mod probes;
mod rates;
#[cfg(test)]
mod tests;
mod text;
mod variables;

pub use data::{DataRow, Wanted};
pub use probes::{FigureRow, ProbeRow};
pub use rates::{ASSUMED_RESPONSE, Rates};
pub use text::render;
pub use variables::{SavedVariable, saved_variables};

use crate::fleet::deal;
use crate::report::model::Money;
use crate::results::quantity;
use metrics::unit::Price;
use plan::chore::{Chore, ChoreKind};
use plan::finite::Finite;
use plan::model::{Series, SeriesKind, ThresholdScope};
use plan::slot::{Share, Slot};
use plan::tags::WrittenTask;
use plan::{Plan, Settings};
use std::time::Duration;

/// Users times agents up to which the deal of a run is made in full; beyond, only averages are told.
const MAX_DEALT: u64 = 100_000_000;

/// A plan, explained.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The plan's name, and its profile in parentheses.
    pub title: String,
    /// The system under test.
    pub target: String,
    /// The most users at once.
    pub users: u32,
    /// When they are all there, from the first start.
    pub full_at: Duration,
    /// In an open load, what arrives, and how many users are busy with it on average at its peak.
    pub arrivals: Option<(String, f64)>,
    /// When the run ends, from the first start.
    pub end: Duration,
    /// How many iterations end it before.
    pub iterations: Option<u64>,
    /// What of it, from the first start, thresholds and totals leave out.
    pub warmup: Duration,
    /// How long running iterations may take to finish after that.
    pub stop_timeout: Duration,
    /// What the agents cost until the end, in words, if the plan states a price.
    pub cost: Option<String>,
    /// Agents that share the users.
    pub agents: u32,
    /// The user classes in plan order.
    pub classes: Vec<ClassRow>,
    /// The API groups in plan order, and last the requests without one.
    pub groups: Vec<GroupRow>,
    /// What is done once, on one agent.
    pub chores: Vec<ChoreRow>,
    /// What judges what; those of one scope together.
    pub thresholds: Vec<ScopeRow>,
    /// What is asked of the target itself, in plan order.
    pub probes: Vec<ProbeRow>,
    /// The data sources in plan order.
    pub data: Vec<DataRow>,
    /// Every task that is written and its tags; none where nothing has a tag.
    pub tasks: Vec<WrittenTask>,
    /// What the flags leave of them, in a sentence.
    pub selection: Option<String>,
    /// What steps save and who uses it.
    pub variables: Vec<SavedVariable>,
    /// Name, value, and whether the settings gave it.
    pub params: Vec<(String, String, bool)>,
    /// The environment variables that the plan reads, and whether they are set.
    pub environment: Vec<(String, bool)>,
}

/// One user class.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassRow {
    /// Its name.
    pub name: String,
    /// `weight 3` or `fixed 2`.
    pub share: String,
    /// Its users at full load.
    pub users: u32,
    /// The fewest and the most of them that one agent has; `None` for fleets too large to deal here.
    pub per_agent: Option<(u32, u32)>,
    /// Iterations per second of all of them at full load.
    pub iterations: f64,
    /// Requests per second of all of them at full load.
    pub requests: f64,
}

/// One API group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupRow {
    /// `None` for the requests without a group.
    pub name: Option<String>,
    /// Requests per second at full load.
    pub rate: f64,
    /// Its series.
    pub series: Vec<SeriesRow>,
}

/// One series.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesRow {
    /// Its method: `GET`, `POLL`, ...
    pub method: &'static str,
    /// The request's name.
    pub name: String,
    /// Its user class.
    pub class: String,
    /// Its task.
    pub task: String,
    /// Per second at full load; `None` for what each user does once.
    pub rate: Option<f64>,
}

/// What is done once, on one agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChoreRow {
    /// `setup` or `teardown`.
    pub name: &'static str,
    /// Its requests by name.
    pub requests: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
}

/// The thresholds of one scope.
#[derive(Clone, Debug, PartialEq)]
pub struct ScopeRow {
    /// `plan`, `group:NAME` or `request:NAME`.
    pub scope: String,
    /// The sentences.
    pub sentences: Vec<String>,
    /// The names of the series that they judge together; none for all.
    pub series: Vec<String>,
}

/// Explains `plan`, which was compiled with `settings`, for so many agents (at least 1).
pub fn explain(plan: &Plan, settings: &Settings, agents: u32) -> Explanation {
    let agents = agents.max(1);
    let rates = Rates::at_full_load(plan);
    let profile = plan.profile.as_ref().map_or(String::new(), |profile| format!(" ({profile})"));
    let set = |name: &str| settings.params.contains_key(name);
    Explanation {
        title: format!("{}{profile}", plan.name),
        target: plan.target.to_string(),
        users: plan.schedule.max_users(),
        full_at: plan.schedule.full_at(),
        arrivals: plan.arrivals.as_ref().map(|arrivals| (arrivals.to_string(), rates.busy)),
        end: plan.schedule.end(),
        iterations: plan.iterations.map(Finite::total),
        warmup: plan.warmup,
        stop_timeout: plan.stop_timeout,
        cost: plan.agent_hour.map(|price| cost(price, plan, agents)),
        agents,
        classes: classes(plan, &rates, agents),
        groups: groups(plan, &rates),
        chores: chores(plan),
        thresholds: thresholds(plan),
        probes: probes::probe_rows(plan),
        data: data::data_rows(plan, &rates),
        tasks: tasks(plan),
        selection: (!plan.selection.filter.is_empty()).then(|| plan.selection.to_string()),
        variables: saved_variables(plan),
        params: plan
            .params
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_string(), set(name)))
            .collect(),
        environment: plan
            .env_used
            .iter()
            .map(|name| (name.clone(), settings.env.contains_key(name)))
            .collect(),
    }
}

fn tasks(plan: &Plan) -> Vec<WrittenTask> {
    let tasks = &plan.selection.tasks;
    if tasks.iter().any(|task| !task.tags.is_empty()) { tasks.clone() } else { Vec::new() }
}

/// What the agents cost if they attach when the first user starts and stay to the end.
fn cost(price: Price, plan: &Plan, agents: u32) -> String {
    let fleet =
        if agents == 1 { "1 agent".to_owned() } else { format!("{} agents", quantity::count(agents.into())) };
    let total = Money::new(price.of(plan.schedule.end().saturating_mul(agents))).text();
    let most = if plan.iterations.is_some() { "at most" } else { "about" };
    format!("{most} {total} {} for {fleet} until the end, at {price} per hour each", price.currency)
}

fn classes(plan: &Plan, rates: &Rates, agents: u32) -> Vec<ClassRow> {
    let per_agent = per_agent(plan, agents);
    let row = |(at, class): (usize, &plan::model::UserClass)| ClassRow {
        name: class.name.clone(),
        share: match class.share {
            Share::Weight(weight) => format!("weight {weight}"),
            Share::Fixed(users) => format!("fixed {users}"),
        },
        users: rates.users[at],
        per_agent: per_agent.as_ref().map(|dealt| dealt[at]),
        iterations: rates.iterations[at],
        requests: rates.requests[at],
    };
    plan.classes.iter().enumerate().map(row).collect()
}

/// The fewest and the most users of each class that one agent has, by the very deal of a run.
fn per_agent(plan: &Plan, agents: u32) -> Option<Vec<(u32, u32)>> {
    let users = plan.schedule.max_users();
    if u64::from(users) * u64::from(agents) > MAX_DEALT {
        return None;
    }
    let hands = deal(users, &plan.slots, &vec![u32::MAX; agents as usize])?;
    let count = |hand: &[Slot]| {
        let mut counts = vec![0_u32; plan.classes.len()];
        for slot in hand {
            counts[plan.slots.of(*slot).0 as usize] += 1;
        }
        counts
    };
    let mut bounds = vec![(u32::MAX, 0); plan.classes.len()];
    for counts in hands.iter().map(|hand| count(hand)) {
        for ((fewest, most), count) in bounds.iter_mut().zip(counts) {
            *fewest = count.min(*fewest);
            *most = count.max(*most);
        }
    }
    Some(bounds)
}

fn groups(plan: &Plan, rates: &Rates) -> Vec<GroupRow> {
    let row = |series: &Series| SeriesRow {
        method: series.method(),
        name: series.name.clone(),
        class: plan.classes[series.class.0 as usize].name.clone(),
        task: series.task.clone(),
        rate: rates.series[series.id.0 as usize],
    };
    let ids = (0..plan.groups.len() as u32).map(|id| Some(plan::model::GroupId(id)));
    ids.chain([None])
        .map(|id| {
            // What could not be evaluated is expected never to be counted.
            let told = |s: &&Series| s.group == id && s.kind != SeriesKind::Evaluation;
            let series: Vec<SeriesRow> = plan.series.iter().filter(told).map(row).collect();
            let requests = plan.series.iter().filter(|s| told(s) && s.is_request());
            GroupRow {
                name: id.map(|id| plan.groups[id.0 as usize].name.clone()),
                rate: requests.filter_map(|s| rates.series[s.id.0 as usize]).sum(),
                series,
            }
        })
        .filter(|group| !group.series.is_empty())
        .collect()
}

fn chores(plan: &Plan) -> Vec<ChoreRow> {
    let row = |(kind, chore): (ChoreKind, &Chore)| ChoreRow {
        name: kind.name(),
        requests: chore
            .series
            .iter()
            .filter(|series| matches!(series.kind, SeriesKind::Request(_)))
            .map(|series| series.name.clone())
            .collect(),
        timeout: chore.timeout,
    };
    let of = |kind, chore: &'_ Option<Chore>| chore.as_ref().map(|chore| row((kind, chore)));
    [of(ChoreKind::Setup, &plan.setup), of(ChoreKind::Teardown, &plan.teardown)]
        .into_iter()
        .flatten()
        .collect()
}

fn thresholds(plan: &Plan) -> Vec<ScopeRow> {
    let mut rows: Vec<(ThresholdScope, ScopeRow)> = Vec::new();
    for scoped in &plan.thresholds {
        let sentence = scoped.threshold.expression.clone();
        if let Some((_, row)) = rows.iter_mut().find(|(scope, _)| *scope == scoped.scope) {
            row.sentences.push(sentence);
            continue;
        }
        let (scope, covers): (String, Vec<&Series>) = match scoped.scope {
            ThresholdScope::Plan => ("plan".to_owned(), Vec::new()),
            ThresholdScope::Group(id) => (
                format!("group:{}", plan.groups[id.0 as usize].name),
                plan.series
                    .iter()
                    .filter(|s| s.group == Some(id) && s.is_request() && s.kind != SeriesKind::Evaluation)
                    .collect(),
            ),
            ThresholdScope::Request(id) => {
                let series = &plan.series[id.0 as usize];
                (format!("request:{}", series.name), vec![series])
            }
        };
        let series = covers.iter().map(|s| s.name.clone()).collect();
        rows.push((scoped.scope, ScopeRow { scope, sentences: vec![sentence], series }));
    }
    rows.into_iter().map(|(_, row)| row).collect()
}

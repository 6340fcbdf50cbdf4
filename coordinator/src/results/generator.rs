//! Whether the generator was fit to measure: a machine that is itself the bottleneck measures itself.

use super::agent_health::{AgentHealth, Spells};
use super::agent_totals::AgentTotals;
use super::facts::RunFacts;
use super::{AgentId, quantity};
use crate::fleet::strain::{BUSY_PERMILLE, LATE, NEARLY_ALL_PERCENT, STEAL_PERMILLE};
use metrics::Percentile;
use std::collections::BTreeMap;
use std::time::Duration;

/// Above this share (in thousandths, over its busiest ten seconds) an agent has no processor time left; with
/// [`STARVED_LAG`] its latencies are its own.
const STARVED_PERMILLE: u32 = 950;

/// Above this lateness an agent without processor time is invalid.
const STARVED_LAG: Duration = Duration::from_millis(50);

/// Above this lateness an agent is invalid whatever its processor says (a stopped container, a swapping
/// machine): it is of the size of the limits that people set.
const TOO_LATE: Duration = Duration::from_millis(200);

/// The hypervisor must take too much for so many seconds in a row: a neighbour that starts up is no reason.
const STEAL_SECONDS: u32 = 3;

/// A quota that holds an agent up for longer than this per second, over its worst ten seconds, decides p95 and all above
/// it: one request in twenty waits for the quota, not for the target.
const THROTTLED_TOO_MUCH: Duration = Duration::from_millis(50);

/// More late starts than this, in percent of all, and the load was not quite the one that was asked for.
const LATE_STARTS_PERCENT: u64 = 1;

/// Fewer late starts than this are no share of anything.
const LATE_STARTS_FEW: u64 = 5;

/// How fit a generator was; later is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GeneratorStatus {
    /// It measured the target.
    Valid,
    /// It may have added to the latencies.
    Degraded,
    /// It measured itself.
    Invalid,
}

impl GeneratorStatus {
    /// As it stands in reports.
    pub fn name(self) -> &'static str {
        match self {
            GeneratorStatus::Valid => "valid",
            GeneratorStatus::Degraded => "degraded",
            GeneratorStatus::Invalid => "invalid",
        }
    }
}

/// How fit the whole fleet was: as fit as the worst agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generator {
    /// The worst agent's.
    pub status: GeneratorStatus,
    /// Each agent's figures.
    pub agents: Vec<GeneratorAgent>,
}

/// One agent's figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratorAgent {
    /// Its name.
    pub name: String,
    /// Version of its program.
    pub build: String,
    /// Cores it may use.
    pub cores: u32,
    /// How busy it was on average, in thousandths: its busiest engine thread's share of one core, or its
    /// process's share of all its cores, whichever is larger; `None` without a window.
    pub cpu_permille: Option<u32>,
    /// The same over its busiest ten seconds (the whole of a shorter run), by which it is judged.
    pub cpu_permille_worst: Option<u32>,
    /// The same in its busiest second.
    pub cpu_permille_max: Option<u32>,
    /// 99th percentile of how late its threads woke up.
    pub lag_p99: Option<Duration>,
    /// Connections made again because the server had closed them.
    pub reconnects: u64,
    /// The most memory of its process, in bytes; 0 where its system does not tell.
    pub memory_bytes: u64,
    /// The most WebSocket connections at once.
    pub connections: u64,
    /// By how many bytes its process had then grown for each of them since before its first user; `None` with too
    /// few to tell.
    pub growth_per_connection: Option<u64>,
    /// The processors that it may use at most, in thousandths of one.
    pub cpu_limit_permille: Option<u32>,
    /// Share of its machine's time that the hypervisor gave to others, on average, in thousandths.
    pub steal_permille: Option<u32>,
    /// The same in the worst second.
    pub steal_permille_max: Option<u32>,
    /// How long its CPU quota held it up.
    pub throttled: Option<Duration>,
    /// Users, iterations and arrivals that began.
    pub starts: u64,
    /// Those of them that began more than 20 ms later than they should have.
    pub late_starts: u64,
    /// How late the latest was.
    pub late_start_max: Duration,
    /// Descriptors in the second in which the largest share of them was open, and how many it may have had then.
    pub descriptors: Option<(u64, u64)>,
    /// Bytes of memory in use in the second in which least was left, in a control group of the agent or on the machine,
    /// and how much there was.
    pub memory: Option<(u64, u64)>,
    /// Requests that failed because its machine had no descriptor, port or memory left for them.
    pub exhausted: u64,
    /// Requests and messages that its own cap on their rate held back.
    pub held_back: u64,
    /// Its status.
    pub status: GeneratorStatus,
    /// Why it is not valid, the worst first: what, how much, the limit, since when, what that means, and the remedy. Each
    /// goes on after the agent's name.
    pub reasons: Vec<String>,
}

impl Generator {
    /// Judges every agent that sent windows; the others are the accounting's matter.
    pub(super) fn new(facts: &RunFacts, totals: &BTreeMap<AgentId, AgentTotals>) -> Generator {
        let none = AgentTotals::default();
        let agents: Vec<GeneratorAgent> = facts
            .agents
            .iter()
            .map(|agent| {
                let health = &totals.get(&agent.id).unwrap_or(&none).health;
                let findings = findings(health);
                let cpu_permille = health.cpu.mean();
                let steal_permille = health.steal.mean();
                GeneratorAgent {
                    name: agent.name.clone(),
                    build: agent.build.clone(),
                    cores: agent.cores,
                    cpu_permille,
                    cpu_permille_worst: health.cpu_permille_worst(),
                    cpu_permille_max: cpu_permille.map(|_| health.cpu.max),
                    lag_p99: health.lag.percentile(Percentile::P99),
                    reconnects: health.reconnects,
                    memory_bytes: health.memory_bytes_max,
                    connections: health.connections_max(),
                    growth_per_connection: health.growth_per_connection(),
                    cpu_limit_permille: health.cpu_limit_permille,
                    steal_permille,
                    steal_permille_max: steal_permille.map(|_| health.steal.max),
                    throttled: health.throttled,
                    starts: health.starts,
                    late_starts: health.late_starts,
                    late_start_max: health.late_start_max,
                    descriptors: health.descriptors,
                    memory: health.memory,
                    exhausted: health.exhausted,
                    held_back: health.held_back,
                    status: findings.first().map_or(GeneratorStatus::Valid, |finding| finding.status),
                    reasons: findings.into_iter().map(Finding::text).collect(),
                }
            })
            .collect();
        let status = agents.iter().map(|agent| agent.status).max().unwrap_or(GeneratorStatus::Valid);
        Generator { status, agents }
    }

    /// Why it is not valid, the worst agents first.
    pub(super) fn reasons(&self) -> Vec<String> {
        let mut unfit: Vec<_> = self.agents.iter().filter(|a| a.status != GeneratorStatus::Valid).collect();
        unfit.sort_by_key(|agent| std::cmp::Reverse(agent.status));
        let of_agent = |agent: &GeneratorAgent| {
            let name = agent.name.clone();
            agent.reasons.iter().map(move |reason| format!("agent {name} {reason}")).collect::<Vec<_>>()
        };
        unfit.into_iter().flat_map(of_agent).collect()
    }
}

/// One reason why an agent is not valid.
#[derive(Clone, Debug)]
struct Finding {
    status: GeneratorStatus,
    /// What, how much, and the limit.
    what: String,
    /// In which seconds.
    spells: Spells,
    remedy: &'static str,
}

impl Finding {
    fn text(self) -> String {
        let Finding { status, what, spells, remedy } = self;
        let since = spells.since.map_or(String::new(), |since| {
            let seconds = spells.seconds;
            format!(", from second {since} on, {seconds} s in all")
        });
        let meaning = match status {
            GeneratorStatus::Invalid => "what was measured is its own, not the target's",
            GeneratorStatus::Degraded | GeneratorStatus::Valid => "it may have added to the latencies",
        };
        format!("{what}{since}: {meaning}; {remedy}")
    }
}

const MORE_CORES: &str = "give it more cores or fewer users (--max-users), or add agents";
const ALONE: &str = "let nothing else run on its machine, give it fewer users (--max-users), or add agents";
const OWN_CORES: &str = "use a machine whose processors are not shared with others, or add agents";
const HIGHER_QUOTA: &str = "raise its CPU limit (cpu.max; in Kubernetes resources.limits.cpu), or give it fewer users \
                            (--max-users)";
const MORE_FILES: &str = "raise its limit of open files (ulimit -n), or give it fewer users (--max-users)";
const MORE_MEMORY: &str = "raise its memory limit, or give it fewer users (--max-users)";
const MORE_PORTS: &str = "raise its limit of open files (ulimit -n) and its range of ports (net.ipv4.ip_local_port_range), \
                          give it fewer users (--max-users), or add agents";

const HIGHER_RATE: &str = "raise its --max-rps, ask for less, or add agents";

/// What is wrong with an agent, the worst first.
fn findings(health: &AgentHealth) -> Vec<Finding> {
    let all = [
        exhausted(health),
        throttled(health),
        late(health),
        busy(health),
        robbed(health),
        late_starts(health),
        crowded(health),
        full(health),
        held_back(health),
    ];
    let mut findings: Vec<Finding> = all.into_iter().flatten().collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.status));
    findings
}

fn degraded_unless(invalid: bool) -> GeneratorStatus {
    if invalid { GeneratorStatus::Invalid } else { GeneratorStatus::Degraded }
}

fn lag(health: &AgentHealth) -> Duration {
    health.lag.percentile(Percentile::P99).unwrap_or_default()
}

fn is_starved(health: &AgentHealth) -> bool {
    health.cpu_permille_worst().unwrap_or(0) > STARVED_PERMILLE && lag(health) > STARVED_LAG
}

fn busy(health: &AgentHealth) -> Option<Finding> {
    let worst = health.cpu_permille_worst().filter(|worst| *worst > BUSY_PERMILLE)?;
    let starved = is_starved(health);
    let used = quantity::percent(f64::from(worst) / 10.0);
    let limit = quantity::percent(f64::from(if starved { STARVED_PERMILLE } else { BUSY_PERMILLE }) / 10.0);
    let what = format!("used {used} of its processor time in its busiest ten seconds (limit {limit})");
    Some(Finding { status: degraded_unless(starved), what, spells: health.busy, remedy: MORE_CORES })
}

fn late(health: &AgentHealth) -> Option<Finding> {
    let lag = Some(lag(health)).filter(|lag| *lag > LATE)?;
    let starved = is_starved(health);
    let (limit, note) = match () {
        () if lag > TOO_LATE => (TOO_LATE, ""),
        () if starved => (STARVED_LAG, " without processor time left"),
        () => (LATE, ""),
    };
    let (late, limit) = (quantity::latency(lag), quantity::latency(limit));
    let what = format!("woke up {late} late (p99, limit {limit}{note})");
    let status = degraded_unless(starved || lag > TOO_LATE);
    Some(Finding { status, what, spells: health.late, remedy: ALONE })
}

fn robbed(health: &AgentHealth) -> Option<Finding> {
    (health.robbed.longest >= STEAL_SECONDS).then(|| {
        let percent = |permille: u32| quantity::percent(f64::from(permille) / 10.0);
        let (most, limit) = (percent(health.steal.max), percent(STEAL_PERMILLE));
        let what = format!(
            "lost up to {most} of its machine's time to others by the hypervisor (limit {limit} for {STEAL_SECONDS} s)"
        );
        Finding { status: GeneratorStatus::Degraded, what, spells: health.robbed, remedy: OWN_CORES }
    })
}

fn throttled(health: &AgentHealth) -> Option<Finding> {
    let all = health.throttled.filter(|all| !all.is_zero())?;
    let worst = Duration::from_micros(health.throttled_stretch.worst().unwrap_or(0));
    let much = worst > THROTTLED_TOO_MUCH;
    let quota = health.cpu_limit_permille.map_or(String::new(), |permille| {
        format!(" of {} cores", quantity::decimal(f64::from(permille) / 1e3, 2))
    });
    let limit = if much {
        format!("{} per second", quantity::latency(THROTTLED_TOO_MUCH))
    } else {
        "none".to_owned()
    };
    let (all, worst) = (quantity::latency(all), quantity::latency(worst));
    let periods = quantity::count(health.throttled_periods);
    let what = format!(
        "was held up by its CPU quota{quota} for {all} in {periods} periods, {worst} per second in its worst ten \
         (limit {limit})"
    );
    Some(Finding { status: degraded_unless(much), what, spells: health.throttling, remedy: HIGHER_QUOTA })
}

fn late_starts(health: &AgentHealth) -> Option<Finding> {
    let (late, all) = (health.late_starts, health.starts);
    let too_many =
        late >= LATE_STARTS_FEW && late.saturating_mul(100) > all.saturating_mul(LATE_STARTS_PERCENT);
    too_many.then(|| {
        let (late, all) = (quantity::count(late), quantity::count(all));
        let (limit, most) = (quantity::latency(LATE), quantity::latency(health.late_start_max));
        let what = format!(
            "began {late} of {all} users, iterations and arrivals more than {limit} late, the latest {most} \
             (limit {LATE_STARTS_PERCENT} %)"
        );
        Finding { status: GeneratorStatus::Degraded, what, spells: health.lateness, remedy: MORE_CORES }
    })
}

fn crowded(health: &AgentHealth) -> Option<Finding> {
    let (open, limit) = health.descriptors.filter(|_| health.crowded.since.is_some())?;
    let (open, limit) = (quantity::count(open), quantity::count(limit));
    let what = format!("had {open} of its {limit} file descriptors open (limit {NEARLY_ALL_PERCENT} %)");
    Some(Finding { status: GeneratorStatus::Degraded, what, spells: health.crowded, remedy: MORE_FILES })
}

fn full(health: &AgentHealth) -> Option<Finding> {
    let (used, limit) = health.memory.filter(|_| health.full.since.is_some())?;
    let mebibytes = |bytes: u64| quantity::count(bytes >> 20);
    let (used, limit) = (mebibytes(used), mebibytes(limit));
    let what = format!("had {used} of {limit} MiB of memory in use (limit {NEARLY_ALL_PERCENT} %)");
    Some(Finding { status: GeneratorStatus::Degraded, what, spells: health.full, remedy: MORE_MEMORY })
}

fn exhausted(health: &AgentHealth) -> Option<Finding> {
    (health.exhausted > 0).then(|| {
        let n = quantity::count(health.exhausted);
        let what =
            format!("failed {n} requests for want of a descriptor, port or memory of its own (limit 0)");
        Finding { status: GeneratorStatus::Invalid, what, spells: health.exhaustion, remedy: MORE_PORTS }
    })
}

fn held_back(health: &AgentHealth) -> Option<Finding> {
    (health.held_back > 0).then(|| {
        let n = quantity::count(health.held_back);
        let what = format!("held back {n} requests and messages, because it makes no more (--max-rps)");
        Finding { status: GeneratorStatus::Degraded, what, spells: health.holding_back, remedy: HIGHER_RATE }
    })
}

#[cfg(test)]
mod tests;

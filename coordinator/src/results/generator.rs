//! Whether the generator was fit to measure: a machine that is itself the bottleneck measures itself.

use super::agent_totals::AgentTotals;
use super::facts::RunFacts;
use super::{AgentId, quantity};
use metrics::Percentile;
use std::collections::BTreeMap;
use std::time::Duration;

/// Above this share (in thousandths, over its busiest ten seconds) an agent is degraded: bursts within a second
/// already queue for a processor, and the queueing shows as latency.
const BUSY_PERMILLE: u32 = 850;

/// Above this share an agent has no processor time left; with [`STARVED_LAG`] its latencies are its own.
const STARVED_PERMILLE: u32 = 950;

/// Above this lateness (p99) an agent is degraded: a timer of an idle thread is at most a few milliseconds
/// late, and 20 ms is as much as a fast API's whole p95.
const LATE: Duration = Duration::from_millis(20);

/// Above this lateness an agent without processor time is invalid.
const STARVED_LAG: Duration = Duration::from_millis(50);

/// Above this lateness an agent is invalid whatever its processor says (a stopped container, a swapping
/// machine): it is of the size of the limits that people set.
const TOO_LATE: Duration = Duration::from_millis(200);

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
    /// Its status.
    pub status: GeneratorStatus,
}

impl Generator {
    /// Judges every agent that sent windows; the others are the accounting's matter.
    pub(super) fn new(facts: &RunFacts, totals: &BTreeMap<AgentId, AgentTotals>) -> Generator {
        let none = AgentTotals::default();
        let agents: Vec<GeneratorAgent> = facts
            .agents
            .iter()
            .map(|agent| {
                let totals = totals.get(&agent.id).unwrap_or(&none);
                let cpu_permille = totals.cpu_permille_mean();
                let lag_p99 = totals.lag.percentile(Percentile::P99);
                GeneratorAgent {
                    name: agent.name.clone(),
                    build: agent.build.clone(),
                    cores: agent.cores,
                    cpu_permille,
                    cpu_permille_worst: totals.cpu_permille_worst(),
                    cpu_permille_max: cpu_permille.map(|_| totals.cpu_permille_max),
                    lag_p99,
                    reconnects: totals.reconnects,
                    memory_bytes: totals.memory_bytes_max,
                    connections: totals.connections_max(),
                    growth_per_connection: totals.growth_per_connection(),
                    status: status(
                        totals.cpu_permille_worst().unwrap_or(0),
                        lag_p99.unwrap_or(Duration::ZERO),
                    ),
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
        unfit.into_iter().map(GeneratorAgent::reason).collect()
    }
}

impl GeneratorAgent {
    fn reason(&self) -> String {
        let cpu = quantity::percent(f64::from(self.cpu_permille_worst.unwrap_or(0)) / 10.0);
        let lag = quantity::latency(self.lag_p99.unwrap_or(Duration::ZERO));
        let verdict = match self.status {
            GeneratorStatus::Invalid => "its latencies are its own, not the target's",
            GeneratorStatus::Degraded | GeneratorStatus::Valid => "it may have added to the latencies",
        };
        let name = &self.name;
        format!(
            "agent {name} used {cpu} of its processor at its busiest and woke up {lag} late (p99): {verdict}"
        )
    }
}

fn status(cpu_permille: u32, lag_p99: Duration) -> GeneratorStatus {
    let starved = cpu_permille > STARVED_PERMILLE && lag_p99 > STARVED_LAG;
    if lag_p99 > TOO_LATE || starved {
        GeneratorStatus::Invalid
    } else if cpu_permille > BUSY_PERMILLE || lag_p99 > LATE {
        GeneratorStatus::Degraded
    } else {
        GeneratorStatus::Valid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_exceeded_not_met() {
        use GeneratorStatus::{Degraded, Invalid, Valid};
        let check = |cpu: u32, lag_us: u64, expected: GeneratorStatus| {
            assert_eq!(status(cpu, Duration::from_micros(lag_us)), expected, "{cpu} ‰, {lag_us} µs");
        };
        check(0, 0, Valid);
        check(850, 20_000, Valid);
        check(851, 0, Degraded);
        check(0, 20_001, Degraded);
        check(1000, 50_000, Degraded);
        check(950, 200_000, Degraded);
        check(951, 50_001, Invalid);
        check(0, 200_001, Invalid);
    }
}

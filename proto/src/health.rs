//! How an agent itself fares, from window to window.

use crate::decode::{Decoded, at_most, over, samples_in};
use crate::encode::micros;
use crate::limits::{MAX_CLOCK_US, MAX_COUNT, MAX_CPU_PERMILLE, MAX_MEMORY_BYTES};
use crate::wire;
use bytes::Bytes;
use std::time::Duration;

/// How an agent fared in one window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HealthReport {
    /// How busy it was, in thousandths, at most 1000: its busiest engine thread's share of one core, or its
    /// process's share of all its cores, whichever is larger.
    pub cpu_permille: u32,
    /// How late the engine's threads woke up: histogram in V2 encoding.
    pub lag: Bytes,
    /// Connections made again because the server had closed them between requests.
    pub reconnects: u64,
    /// Requests and messages that the agent's own cap on their rate (`--max-rps`) held back.
    pub held_back: u64,
    /// Memory of the agent's process in bytes; 0 where the system does not tell.
    pub memory_bytes: u64,
    /// The same before the run's first user.
    pub memory_at_start_bytes: u64,
    /// WebSocket connections open at the window's end.
    pub connections: u64,
    /// What its system says of it.
    pub host: HostReport,
    /// Users, iterations and arrivals that began in the window.
    pub starts: u64,
    /// Those of them that began more than 20 ms later than they should have.
    pub late_starts: u64,
    /// How late the latest was.
    pub late_start_max: Duration,
    /// Requests that failed because the agent's own machine had no descriptor, port or memory left for them.
    pub exhausted: u64,
}

/// What an agent's system says of it in one window; `None` is what the system does not tell, and limits that there are
/// not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostReport {
    /// The processors that the agent may use at most, in thousandths of one.
    pub cpu_limit_permille: Option<u32>,
    /// Share of the machine's processor time that the hypervisor gave to others, in thousandths, at most 1000.
    pub steal_permille: Option<u32>,
    /// How long the quota of its control groups held it up.
    pub throttled: Option<Duration>,
    /// How many times it did.
    pub throttled_periods: Option<u64>,
    /// Its open files and sockets.
    pub descriptors: Option<u64>,
    /// How many it may have.
    pub descriptors_limit: Option<u64>,
    /// Memory that is taken where least is left: in a control group of the agent, or on the whole machine; in bytes.
    pub memory_used_bytes: Option<u64>,
    /// How much there is in all.
    pub memory_limit_bytes: Option<u64>,
}

pub(crate) fn encode(health: HealthReport) -> wire::Health {
    let HostReport { cpu_limit_permille, steal_permille, .. } = health.host;
    wire::Health {
        cpu_permille: health.cpu_permille,
        lag: health.lag,
        reconnects: health.reconnects,
        held_back: health.held_back,
        memory_bytes: health.memory_bytes,
        memory_at_start_bytes: health.memory_at_start_bytes,
        connections: health.connections,
        host: Some(wire::Host {
            cpu_limit_permille,
            steal_permille,
            throttled_us: health.host.throttled.map(micros),
            throttled_periods: health.host.throttled_periods,
            descriptors: health.host.descriptors,
            descriptors_limit: health.host.descriptors_limit,
            memory_used_bytes: health.host.memory_used_bytes,
            memory_limit_bytes: health.host.memory_limit_bytes,
        }),
        starts: health.starts,
        late_starts: health.late_starts,
        late_start_max_us: micros(health.late_start_max),
        exhausted: health.exhausted,
    }
}

pub(crate) fn decode(m: wire::Health) -> Decoded<HealthReport> {
    samples_in(&m.lag, "window.health.lag")?;
    let bytes = |count, field| at_most(count, MAX_MEMORY_BYTES, field);
    let count = |count, field| at_most(count, MAX_COUNT, field);
    let starts = count(m.starts, "window.health.starts")?;
    if m.late_starts > starts {
        return Err(over("window.health.late_starts", m.late_starts, starts));
    }
    let late_us = at_most(m.late_start_max_us, MAX_CLOCK_US, "window.health.late_start_max_us")?;
    Ok(HealthReport {
        cpu_permille: m.cpu_permille.min(1000),
        lag: m.lag,
        reconnects: count(m.reconnects, "window.health.reconnects")?,
        held_back: count(m.held_back, "window.health.held_back")?,
        memory_bytes: bytes(m.memory_bytes, "window.health.memory_bytes")?,
        memory_at_start_bytes: bytes(m.memory_at_start_bytes, "window.health.memory_at_start_bytes")?,
        connections: count(m.connections, "window.health.connections")?,
        host: host(&m.host.unwrap_or_default())?,
        starts,
        late_starts: m.late_starts,
        late_start_max: Duration::from_micros(late_us),
        exhausted: count(m.exhausted, "window.health.exhausted")?,
    })
}

fn host(m: &wire::Host) -> Decoded<HostReport> {
    let within = |value: Option<u64>, max: u64, field: &str| {
        value.map(|value| at_most(value, max, &format!("window.health.host.{field}"))).transpose()
    };
    let cpu_limit =
        within(m.cpu_limit_permille.map(u64::from), MAX_CPU_PERMILLE.into(), "cpu_limit_permille")?;
    Ok(HostReport {
        cpu_limit_permille: cpu_limit.map(|permille| permille as u32),
        steal_permille: m.steal_permille.map(|permille| permille.min(1000)),
        throttled: within(m.throttled_us, MAX_CLOCK_US, "throttled_us")?.map(Duration::from_micros),
        throttled_periods: within(m.throttled_periods, MAX_COUNT, "throttled_periods")?,
        descriptors: within(m.descriptors, MAX_COUNT, "descriptors")?,
        descriptors_limit: within(m.descriptors_limit, u64::MAX, "descriptors_limit")?,
        memory_used_bytes: within(m.memory_used_bytes, MAX_MEMORY_BYTES, "memory_used_bytes")?,
        memory_limit_bytes: within(m.memory_limit_bytes, MAX_MEMORY_BYTES, "memory_limit_bytes")?,
    })
}

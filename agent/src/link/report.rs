//! An engine's window, or the end of its chore, as it travels.

use crate::engine::{AgentWindow, ChoreOutcome};
use crate::host::HostUse;
use bytes::Bytes;
use metrics::Histogram;
use proto::message::{ChoreReport, Cumulative, HealthReport, HostReport, RunId, SeriesReport, WindowReport};

/// `window` for the wire. Run, number and totals are the session's to fill in.
pub(super) fn report(window: &AgentWindow, last: bool) -> Box<WindowReport> {
    let series = window
        .window
        .series
        .iter()
        .map(|(&series, stats)| SeriesReport {
            series,
            ok: stats.ok,
            failed: stats.failed,
            bytes_in: stats.bytes_in,
            bytes_out: stats.bytes_out,
            messages_sent: stats.messages_sent,
            messages_received: stats.messages_received,
            phases: stats.phases,
            latency: encoded(&stats.latency),
            service: stats.service.as_ref().map(encoded).unwrap_or_default(),
        })
        .collect();
    Box::new(WindowReport {
        run: RunId(String::new()),
        seq: 0,
        index: window.window.index,
        earlier_users: Vec::new(),
        users: window.users,
        in_flight: window.in_flight,
        started: window.window.started,
        aborted: window.window.aborted,
        arrivals: window.window.arrivals,
        cumulative: Cumulative::default(),
        series,
        errors: window.window.errors.rows().cloned().collect(),
        health: HealthReport {
            cpu_permille: (window.health.cpu.clamp(0.0, 1.0) * 1000.0).round() as u32,
            lag: encoded(&window.health.lag),
            reconnects: window.health.reconnects,
            held_back: window.health.held_back,
            memory_bytes: window.health.memory_bytes,
            memory_at_start_bytes: window.health.memory_at_start_bytes,
            connections: window.health.connections,
            host: host_report(&window.health.host),
            starts: window.health.starts.begun,
            late_starts: window.health.starts.late,
            late_start_max: window.health.starts.late_max,
            exhausted: window.health.exhausted,
        },
        last,
        progress: window.progress.clone(),
        roll: window.roll.clone(),
    })
}

fn host_report(host: &HostUse) -> HostReport {
    HostReport {
        cpu_limit_permille: host.cpu_limit_permille,
        steal_permille: host.steal_permille,
        throttled: host.throttled,
        throttled_periods: host.throttled_periods,
        descriptors: host.descriptors,
        descriptors_limit: host.descriptors_limit,
        memory_used_bytes: host.memory_used_bytes,
        memory_limit_bytes: host.memory_limit_bytes,
    }
}

/// A chore's end for the wire. The run is the session's to fill in.
pub(super) fn chore_report(outcome: ChoreOutcome) -> Box<ChoreReport> {
    Box::new(ChoreReport {
        run: RunId(String::new()),
        chore: outcome.kind,
        values: outcome.values.into(),
        failed: outcome.failed,
        took: outcome.took,
        requests: outcome.requests,
        failures: outcome.failures,
        aborted: outcome.aborted,
        errors: outcome.errors,
    })
}

fn encoded(histogram: &Histogram) -> Bytes {
    let mut bytes = Vec::new();
    histogram.encode_v2(&mut bytes);
    bytes.into()
}

//! The results as they stand, in small: what is exposed while the run goes on.

use super::{ArrivalBooks, Live, Results};
use crate::observe::FigureStanding;
use crate::telemetry::Distribution;
use metrics::{ErrorKind, Histogram, SeriesId};
use std::collections::BTreeMap;

/// The results as they stand.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// What a progress line shows.
    pub live: Live,
    /// In plan order; all but the warm-up.
    pub series: Vec<SeriesSnapshot>,
    /// Requests that the warm-up left out, and those of them that failed.
    pub warmup: (u64, u64),
    /// Arrivals that were served, and dropped, in an open load.
    pub arrivals: Option<(u64, u64)>,
    /// Agents that windows are expected of.
    pub agents: usize,
    /// Those that came, and are gone.
    pub agents_gone: usize,
    /// Thousandths of its processor time that each of the former took in its last window.
    pub processor: Vec<u32>,
    /// Figures of the target.
    pub figures: Vec<FigureStanding>,
}

/// One series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesSnapshot {
    /// Those that succeeded.
    pub ok: u64,
    /// Those that failed.
    pub failed: u64,
    /// Why, as far as messages were kept apart: always by kind.
    pub kinds: BTreeMap<ErrorKind, u64>,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// WebSocket messages received.
    pub messages_received: u64,
    /// WebSocket messages sent.
    pub messages_sent: u64,
    /// How long all of them took.
    pub latency: Distribution,
}

impl SeriesSnapshot {
    /// Adds another one.
    pub fn add(&mut self, other: &SeriesSnapshot) {
        for (sum, more) in [
            (&mut self.ok, other.ok),
            (&mut self.failed, other.failed),
            (&mut self.bytes_in, other.bytes_in),
            (&mut self.bytes_out, other.bytes_out),
            (&mut self.messages_received, other.messages_received),
            (&mut self.messages_sent, other.messages_sent),
        ] {
            *sum = sum.saturating_add(more);
        }
        for (kind, count) in &other.kinds {
            *self.kinds.entry(*kind).or_default() += count;
        }
        self.latency.add(&other.latency);
    }
}

impl Results {
    /// How they stand. It takes about 20 µs for each series, and holds a few hundred numbers of it.
    pub fn snapshot(&self) -> Snapshot {
        let mut series: Vec<SeriesSnapshot> = self
            .series
            .iter()
            .zip(0..)
            .map(|(stats, id)| SeriesSnapshot {
                ok: stats.ok,
                failed: stats.failed,
                kinds: BTreeMap::new(),
                bytes_in: stats.bytes_in,
                bytes_out: stats.bytes_out,
                messages_received: stats.messages_received,
                messages_sent: stats.messages_sent,
                latency: Distribution::of(&Histogram::from(&self.intervals.latency([SeriesId(id)]))),
            })
            .collect();
        for row in self.errors.rows() {
            if let Some(series) = series.get_mut(row.series.0 as usize) {
                let count = series.kinds.entry(row.kind).or_default();
                *count = count.saturating_add(row.count);
            }
        }
        let attached = |agent| self.timeline.expects(agent);
        Snapshot {
            live: self.live(),
            series,
            warmup: self.warmup.left_out(),
            arrivals: self.arrivals.as_ref().map(ArrivalBooks::so_far),
            agents: self.timeline.expected(),
            agents_gone: self.agents.keys().filter(|agent| !attached(**agent)).count(),
            processor: self
                .agents
                .iter()
                .filter(|(agent, _)| attached(**agent))
                .map(|(_, totals)| totals.latest.as_ref().map_or(0, |latest| latest.cpu_permille))
                .collect(),
            figures: self.figures.standing(),
        }
    }
}

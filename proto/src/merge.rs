//! Neighbouring windows as one, for a coordinator that is slow to take them.
//!
//! Pure. Counts are sums and latencies are added exactly, so what is merged says the same in total; what is lost is
//! when, within the window, things happened. Merging is associative: whichever neighbours are merged first, the window in
//! the end is the same to the last byte.

use crate::limits::{MAX_AGENT_MESSAGE, MAX_CLOCK_US, MAX_COUNT, MAX_ERROR_ROWS, MAX_WINDOW_SECONDS};
use crate::message::{HealthReport, HostReport, SeriesReport, WindowReport};
use bytes::Bytes;
use metrics::{ErrorCount, ErrorKind, ErrorTable, Histogram, PhaseSums, SeriesId};
use plan::slot::{Progress, Slot};
use std::collections::BTreeMap;
use std::time::Duration;

/// Largest merged window in bytes of memory, which is more than it has on the wire: whatever was merged can be sent.
const MAX_MERGED: usize = MAX_AGENT_MESSAGE / 2;

/// Most error messages that keep rows of their own in a merged window, the first in the order of the table; the others are
/// counted in the row that folds their series and kind.
const MAX_MESSAGES: usize = 1000;

/// Longest throttling that a receiver takes.
const MAX_THROTTLED: Duration = Duration::from_micros(MAX_CLOCK_US);

/// Highest sum of bytes or of times in µs that a receiver takes; 2^50 µs are 35 years.
const MAX_SUM: u64 = 1 << 50;

impl WindowReport {
    /// This window and `next` as one; number and totals are those of `next`. `None` if `next` does not follow right after
    /// this one in the same run, or if the two together would be over a limit of the wire.
    pub fn merged(&self, next: &WindowReport) -> Option<WindowReport> {
        // Named one by one, so that a new field cannot be forgotten here.
        let WindowReport {
            run,
            seq,
            index,
            earlier_users,
            users,
            in_flight,
            started,
            aborted,
            arrivals,
            cumulative,
            series,
            errors,
            health,
            last,
            progress,
            roll,
        } = next;
        let follows = !self.last && self.run == *run && self.last_second().checked_add(1) == Some(*index);
        let short = self.seconds().saturating_add(next.seconds()) <= MAX_WINDOW_SECONDS;
        if !follows || !short {
            return None;
        }
        let mut users_before = self.earlier_users.clone();
        users_before.push(self.users);
        users_before.extend(earlier_users);
        let mut all_arrivals = self.arrivals;
        all_arrivals.add(*arrivals);
        let merged = WindowReport {
            run: run.clone(),
            seq: *seq,
            index: self.index,
            earlier_users: users_before,
            users: *users,
            in_flight: *in_flight,
            started: count(self.started, *started)?,
            aborted: count(self.aborted, *aborted)?,
            arrivals: all_arrivals,
            cumulative: *cumulative,
            series: all_series(&self.series, series)?,
            errors: all_errors(&self.errors, errors)?,
            health: worst(&self.health, health)?,
            last: *last,
            progress: newest(&self.progress, progress),
            roll: roll.clone(),
        };
        (merged.footprint() <= MAX_MERGED).then_some(merged)
    }

    /// This window with everything counted as given up without a result: the last resort where not even merged windows
    /// find room. Its numbers still add up, and nobody takes a request for a success or a failure that it was not known to be.
    #[must_use]
    pub fn without_results(mut self) -> WindowReport {
        let ended = self.ok() + self.failed();
        self.aborted += ended;
        self.series.clear();
        self.errors.clear();
        self
    }

    /// About how many bytes of memory it takes.
    pub fn footprint(&self) -> usize {
        let series: usize =
            self.series.iter().map(|s| size_of::<SeriesReport>() + s.latency.len() + s.service.len()).sum();
        let errors: usize = self.errors.iter().map(|row| size_of::<ErrorCount>() + row.message.len()).sum();
        let progress =
            self.progress.len() * size_of::<Progress>() + self.roll.leaving.len() * size_of::<Slot>();
        let users = self.earlier_users.len() * size_of::<u32>();
        size_of::<WindowReport>() + series + errors + progress + users + self.health.lag.len()
    }
}

fn count(one: u64, other: u64) -> Option<u64> {
    one.checked_add(other).filter(|sum| *sum <= MAX_COUNT)
}

fn sum(one: u64, other: u64) -> Option<u64> {
    one.checked_add(other).filter(|sum| *sum <= MAX_SUM)
}

fn all_series(one: &[SeriesReport], other: &[SeriesReport]) -> Option<Vec<SeriesReport>> {
    let mut all: BTreeMap<SeriesId, SeriesReport> = one.iter().map(|s| (s.series, s.clone())).collect();
    for report in other {
        match all.get_mut(&report.series) {
            Some(before) => add_series(before, report)?,
            None => drop(all.insert(report.series, report.clone())),
        }
    }
    Some(all.into_values().collect())
}

fn add_series(all: &mut SeriesReport, more: &SeriesReport) -> Option<()> {
    let SeriesReport {
        series: _,
        ok,
        failed,
        bytes_in,
        bytes_out,
        messages_sent,
        messages_received,
        phases,
        latency,
        service,
    } = more;
    all.ok = count(all.ok, *ok)?;
    all.failed = count(all.failed, *failed)?;
    all.bytes_in = sum(all.bytes_in, *bytes_in)?;
    all.bytes_out = sum(all.bytes_out, *bytes_out)?;
    all.messages_sent = count(all.messages_sent, *messages_sent)?;
    all.messages_received = count(all.messages_received, *messages_received)?;
    all.phases.merge(phases);
    if !all.service.is_empty() || !service.is_empty() {
        all.service = histogram(all.service_times(), more.service_times())?;
    }
    all.latency = histogram(&all.latency, latency)?;
    let PhaseSums { connect, tls, first_byte, body } = all.phases;
    let good = [connect, tls, first_byte, body].iter().all(|(n, us)| *n <= MAX_COUNT && *us <= MAX_SUM);
    good.then_some(())
}

fn histogram(one: &Bytes, other: &Bytes) -> Option<Bytes> {
    match (one.is_empty(), other.is_empty()) {
        (true, _) => Some(other.clone()),
        (_, true) => Some(one.clone()),
        (false, false) => Histogram::sum_v2(one, other).ok().map(Bytes::from),
    }
}

/// Which messages are folded depends on nothing but the messages that there are, so the order of merging does not matter.
fn all_errors(one: &[ErrorCount], other: &[ErrorCount]) -> Option<Vec<ErrorCount>> {
    type Key = (SeriesId, ErrorKind, String);
    let mut kept: BTreeMap<Key, ErrorCount> = BTreeMap::new();
    let mut folds: BTreeMap<Key, ErrorCount> = BTreeMap::new();
    for row in one.iter().chain(other) {
        let to = if row.message == ErrorTable::FOLD_MESSAGE { &mut folds } else { &mut kept };
        add_error(to, row.clone())?;
    }
    while kept.len() > MAX_MESSAGES {
        let Some((_, row)) = kept.pop_last() else { break };
        add_error(&mut folds, ErrorCount { message: ErrorTable::FOLD_MESSAGE.to_owned(), ..row })?;
    }
    kept.extend(folds);
    (kept.len() <= MAX_ERROR_ROWS).then(|| kept.into_values().collect())
}

fn add_error(rows: &mut BTreeMap<(SeriesId, ErrorKind, String), ErrorCount>, row: ErrorCount) -> Option<()> {
    let key = (row.series, row.kind, row.message.clone());
    if let Some(all) = rows.get_mut(&key) {
        all.count = count(all.count, row.count)?;
        all.first = all.first.min(row.first);
        all.last = all.last.max(row.last);
    } else {
        rows.insert(key, row);
    }
    Some(())
}

fn worst(one: &HealthReport, other: &HealthReport) -> Option<HealthReport> {
    let HealthReport {
        cpu_permille,
        lag,
        reconnects,
        memory_bytes,
        memory_at_start_bytes,
        connections,
        host,
        starts,
        late_starts,
        late_start_max,
        exhausted,
        held_back,
    } = other;
    Some(HealthReport {
        cpu_permille: one.cpu_permille.max(*cpu_permille),
        lag: histogram(&one.lag, lag)?,
        reconnects: count(one.reconnects, *reconnects)?,
        memory_bytes: one.memory_bytes.max(*memory_bytes),
        memory_at_start_bytes: one.memory_at_start_bytes.max(*memory_at_start_bytes),
        connections: one.connections.max(*connections),
        host: worst_host(&one.host, host),
        starts: count(one.starts, *starts)?,
        late_starts: count(one.late_starts, *late_starts)?,
        late_start_max: one.late_start_max.max(*late_start_max),
        exhausted: count(one.exhausted, *exhausted)?,
        held_back: count(one.held_back, *held_back)?,
    })
}

/// Of limits the tighter one, of what is used up the fuller one with its limit, of throttling all.
fn worst_host(one: &HostReport, other: &HostReport) -> HostReport {
    let HostReport {
        cpu_limit_permille,
        steal_permille,
        throttled,
        throttled_periods,
        descriptors,
        descriptors_limit,
        memory_used_bytes,
        memory_limit_bytes,
    } = *other;
    let (descriptors, descriptors_limit) =
        fuller((one.descriptors, one.descriptors_limit), (descriptors, descriptors_limit));
    let (memory_used_bytes, memory_limit_bytes) =
        fuller((one.memory_used_bytes, one.memory_limit_bytes), (memory_used_bytes, memory_limit_bytes));
    let longer = |one: Duration, other: Duration| one.saturating_add(other).min(MAX_THROTTLED);
    let more = |one: u64, other: u64| one.saturating_add(other).min(MAX_COUNT);
    HostReport {
        cpu_limit_permille: both(one.cpu_limit_permille, cpu_limit_permille, u32::min),
        steal_permille: both(one.steal_permille, steal_permille, u32::max),
        throttled: both(one.throttled, throttled, longer),
        throttled_periods: both(one.throttled_periods, throttled_periods, more),
        descriptors,
        descriptors_limit,
        memory_used_bytes,
        memory_limit_bytes,
    }
}

/// What is known of the two, or both of them joined.
fn both<T>(one: Option<T>, other: Option<T>, join: impl FnOnce(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(join(one, other)),
        (one, other) => one.or(other),
    }
}

type Used = (Option<u64>, Option<u64>);

/// Whichever of (used, limit) has the larger share in use; of equal ones the larger. What says both comes before what does
/// not.
fn fuller(one: Used, other: Used) -> Used {
    let rank = |(used, limit): Used| {
        let share = used.zip(limit).map(|(used, limit)| (u128::from(used) << 64) / u128::from(limit.max(1)));
        (share, used, limit)
    };
    if rank(one) >= rank(other) { one } else { other }
}

/// Where each user stands by the later of the two.
fn newest(one: &[Progress], other: &[Progress]) -> Vec<Progress> {
    let all: BTreeMap<Slot, Progress> = one.iter().chain(other).map(|user| (user.slot, *user)).collect();
    all.into_values().collect()
}

#[cfg(test)]
mod tests;

//! From a run's record to the model of its report.

use super::model::{
    AccountRow, AccountingPart, ArrivalsPart, ChorePart, CostPart, EncodedHistogram, ErrorRow, GeneratorPart,
    GeneratorRow, GroupRow, IntervalRow, IntervalSeries, IntervalsPart, IterationsPart, LatencyIntervals,
    LatencyPart, LossRow, NotJudgedRow, ObservedRow, PhasesPart, Report, RequestRow, Run, SCHEMA_VERSION,
    StartErrorPart, TagsPart, ThresholdRow, TimelineRow, Totals, UserClassRow, UsersPart, WindowPart,
};
use crate::exit::ExitCode;
use crate::fleet::ChoreEnd;
use crate::results::{
    Accounting, AgentFacts, ArrivalTotals, Generator, Interval, JudgedThreshold, Point, Record, Span,
};
use jiff::Timestamp;
use metrics::threshold::Status;
use metrics::{ErrorKind, Histogram, Percentile, PhaseSums, SeriesId, SeriesStats};
use plan::Plan;
use plan::chore::Chore;
use plan::model::{ClassId, GroupId, Series, SeriesKind, ThresholdScope};
use plan::tags::Selection;
use std::collections::BTreeMap;
use std::time::Duration;

impl Report {
    /// The report of a finished run.
    pub fn new(record: &Record) -> Report {
        let totals = |scope| Totals::new(&record.stats(scope), record.measured);
        let groups = record.plan.groups.iter().zip(0..);
        let thresholds = record.thresholds.iter().map(|t| ThresholdRow::new(t, &record.plan));
        let classes = record.plan.classes.iter().zip(0..);
        Report {
            schema_version: SCHEMA_VERSION,
            run: Run::new(record),
            verdict: record.verdict.name(),
            exit_code: ExitCode::of(record).number(),
            reasons: record.reasons.clone(),
            thresholds: thresholds.chain(record.figures.iter().map(ThresholdRow::of_figure)).collect(),
            totals: totals(ThresholdScope::Plan),
            groups: groups
                .map(|(group, id)| GroupRow {
                    name: group.name.clone(),
                    totals: totals(ThresholdScope::Group(GroupId(id))),
                })
                .collect(),
            user_classes: classes
                .map(|(class, id)| UserClassRow {
                    name: class.name.clone(),
                    totals: Totals::new(&record.class_stats(ClassId(id)), record.measured),
                })
                .collect(),
            requests: requests(record),
            errors: errors(record),
            accounting: AccountingPart::new(&record.accounting),
            generator: GeneratorPart::new(&record.generator),
            users: UsersPart {
                target_user_seconds: record.users.target.as_secs_f64(),
                actual_user_seconds: record.users.actual().as_secs_f64(),
                missing_user_seconds: record.users.missing.as_secs_f64(),
                start_skew_ms: record.facts.start_skew.map(milliseconds),
                losses: losses(record),
                iterations: record.iterations.map(|(finite, done, given_up)| IterationsPart {
                    target: finite.total(),
                    done,
                    given_up,
                }),
            },
            arrivals: record.arrivals.as_ref().map(ArrivalsPart::new),
            timeline: record.timeline.iter().map(|point| timeline(point, record.timeline_step)).collect(),
            setup: chore(record.plan.setup.as_ref(), record.facts.setup.as_ref()),
            teardown: chore(record.plan.teardown.as_ref(), record.facts.teardown.as_ref()),
            observed: record.observed.iter().map(ObservedRow::new).collect(),
            cost: record.cost.as_ref().map(CostPart::new),
            baseline: None,
            intervals: Some(intervals(record)),
            late: record.late,
        }
    }
}

fn chore(chore: Option<&Chore>, end: Option<&ChoreEnd>) -> Option<ChorePart> {
    chore.zip(end).map(|(chore, end)| ChorePart::new(chore, end))
}

impl Run {
    fn new(record: &Record) -> Run {
        let (plan, facts) = (&record.plan, &record.facts);
        let mut target = plan.target.clone();
        // These fail only for URLs without a host, which have no credentials either.
        let _ = target.set_username("");
        let _ = target.set_password(None);
        Run {
            id: facts.run_id.to_string(),
            name: plan.name.clone(),
            profile: plan.profile.clone(),
            seed: plan.seed,
            plan_sha256: facts.plan_sha256.clone(),
            target: target.as_str().trim_end_matches('/').to_owned(),
            started_at: facts.started_at.to_string(),
            ended_at: facts.ended_at.to_string(),
            duration_s: facts.measured.as_secs_f64(),
            warmup_s: plan.warmup.min(facts.measured).as_secs_f64(),
            warmup_requests: record.left_out,
            tags: (!plan.selection.filter.is_empty()).then(|| TagsPart::new(&plan.selection)),
        }
    }
}

impl TagsPart {
    fn new(selection: &Selection) -> TagsPart {
        let row = |(scope, expression): &(String, String)| NotJudgedRow {
            scope: scope.clone(),
            expression: expression.clone(),
        };
        TagsPart {
            include: selection.filter.include.iter().cloned().collect(),
            exclude: selection.filter.exclude.iter().cloned().collect(),
            tasks: selection.kept(),
            tasks_in_plan: selection.tasks.len(),
            not_judged: selection.unjudged.iter().map(row).collect(),
            told: selection.to_string(),
        }
    }
}

impl ThresholdRow {
    fn new(judged: &JudgedThreshold, plan: &Plan) -> ThresholdRow {
        let (threshold, judgement) = (&judged.threshold, &judged.judgement);
        ThresholdRow {
            scope: match judged.scope {
                ThresholdScope::Plan => "plan".to_owned(),
                ThresholdScope::Group(id) => format!("group:{}", plan.groups[id.0 as usize].name),
                ThresholdScope::Request(id) => format!("request:{}", path(plan, &plan.series[id.0 as usize])),
            },
            metric: threshold.metric.name(),
            expression: threshold.expression.clone(),
            observed: judgement.observed.map(thousandths),
            unit: threshold.metric.unit(),
            level: judged.level(),
            status: status_name(judgement.status),
            samples: judgement.samples,
            ci_low: judgement.interval.and_then(|interval| interval.low).map(milliseconds),
            ci_high: judgement.interval.and_then(|interval| interval.high).map(milliseconds),
            straddles: judgement.straddled.is_some(),
            window: judged.span.map(|Span { from, to, judged, missed }| WindowPart {
                from_s: from,
                to_s: to,
                judged,
                missed,
            }),
            aborted_at_s: judged.aborted.map(|at| at.as_secs_f64()),
            undecided: judged.is_undecided(),
            observed_text: judged.observed(),
        }
    }
}

/// As `thresholds[].status` has it.
pub(super) fn status_name(status: Status) -> &'static str {
    match status {
        Status::Pass => "pass",
        Status::Warn => "warn",
        Status::Fail => "fail",
        Status::NoData => "no_data",
    }
}

impl Totals {
    fn new(stats: &SeriesStats, measured: Duration) -> Totals {
        let requests = stats.requests();
        let seconds = measured.as_secs_f64();
        let h = &stats.latency;
        Totals {
            requests,
            failures: stats.failed,
            success_rate: (requests > 0).then(|| stats.ok as f64 / requests as f64),
            rps: (seconds > 0.0).then(|| thousandths(requests as f64 / seconds)),
            bytes_in: stats.bytes_in,
            bytes_out: stats.bytes_out,
            messages_sent: stats.messages_sent,
            messages_received: stats.messages_received,
            latency_ms: LatencyPart::new(h),
            service_ms: LatencyPart::new(stats.service()),
            latency_ci_ms: LatencyIntervals::new(h),
            latency_hdr: EncodedHistogram::new(h),
        }
    }
}

impl LatencyPart {
    fn new(h: &Histogram) -> LatencyPart {
        let percentile = |p: Percentile| h.percentile(p).map(milliseconds);
        LatencyPart {
            min: h.min().map(milliseconds),
            mean: h.mean().map(milliseconds),
            stddev: h.stddev().map(milliseconds),
            p50: percentile(Percentile::P50),
            p75: percentile(Percentile::P75),
            p90: percentile(Percentile::P90),
            p95: percentile(Percentile::P95),
            p99: percentile(Percentile::P99),
            p99_9: percentile(Percentile::P99_9),
            max: h.max().map(milliseconds),
        }
    }
}

impl LatencyIntervals {
    fn new(latency: &Histogram) -> LatencyIntervals {
        let of = |p: Percentile| match latency.percentile_interval(p) {
            Some(interval) => [interval.low.map(milliseconds), interval.high.map(milliseconds)],
            None => [None, None],
        };
        LatencyIntervals {
            p50: of(Percentile::P50),
            p75: of(Percentile::P75),
            p90: of(Percentile::P90),
            p95: of(Percentile::P95),
            p99: of(Percentile::P99),
            p99_9: of(Percentile::P99_9),
        }
    }
}

fn requests(record: &Record) -> Vec<RequestRow> {
    let plan = &record.plan;
    let row = |(series, stats): (&Series, &SeriesStats)| RequestRow {
        name: series.name.clone(),
        group: series.group.map(|id| plan.groups[id.0 as usize].name.clone()),
        user_class: plan.classes[series.class.0 as usize].name.clone(),
        task: series.task.clone(),
        method: series.method(),
        totals: Totals::new(stats, record.measured),
        phases_ms: phases(&stats.phases),
    };
    plan.series.iter().zip(&record.series).filter(shown).map(row).collect()
}

/// Evaluations are counted only where they failed; most tasks have none to show.
fn shown((series, stats): &(&Series, &SeriesStats)) -> bool {
    series.kind != SeriesKind::Evaluation || stats.requests() > 0
}

/// The intervals, with series by their row of `requests`.
fn intervals(record: &Record) -> IntervalsPart {
    let rows: BTreeMap<SeriesId, usize> = record
        .plan
        .series
        .iter()
        .zip(&record.series)
        .filter(shown)
        .zip(0..)
        .map(|((series, _), row)| (series.id, row))
        .collect();
    let series = |(id, bytes): &(SeriesId, Vec<u8>)| {
        let latency_hdr = EncodedHistogram::from_v2(bytes.clone()).ok()?;
        Some(IntervalSeries { request: *rows.get(id)?, latency_hdr })
    };
    let row = |interval: &Interval| IntervalRow {
        t_s: interval.start,
        failures: interval.failures,
        bytes_in: interval.bytes_in,
        series: interval.series.iter().filter_map(series).collect(),
    };
    IntervalsPart { length_s: record.interval_length, rows: record.intervals.iter().map(row).collect() }
}

fn phases(sums: &PhaseSums) -> PhasesPart {
    let mean =
        |(count, sum_us): (u64, u64)| (count > 0).then(|| thousandths(sum_us as f64 / count as f64 / 1e3));
    PhasesPart {
        connect: mean(sums.connect),
        tls: mean(sums.tls),
        first_byte: mean(sums.first_byte),
        body: mean(sums.body),
    }
}

fn errors(record: &Record) -> Vec<ErrorRow> {
    let plan = &record.plan;
    let at =
        |since: Duration| record.facts.started_at.saturating_add(since).unwrap_or(Timestamp::MAX).to_string();
    let row = |error: &metrics::ErrorCount| ErrorRow {
        request: path(plan, &plan.series[error.series.0 as usize]),
        kind: kind_name(error.kind),
        message: error.message.clone(),
        count: error.count,
        first_at: at(error.first),
        last_at: at(error.last),
    };
    let mut rows: Vec<ErrorRow> = record.errors.rows().map(row).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.count));
    rows
}

fn losses(record: &Record) -> Vec<LossRow> {
    let gone =
        |agent: &&AgentFacts| agent.lost.is_some() || agent.left.is_some() || agent.handed_over.is_some();
    let row = |agent: &AgentFacts| LossRow {
        agent: agent.name.clone(),
        kind: if agent.lost.is_some() { "lost" } else { "left" },
        left_at_s: agent.left.as_ref().map(|left| left.at.as_secs_f64()),
        lost_at_s: agent.lost.as_ref().map(|lost| lost.at.as_secs_f64()),
        users: agent.users_assigned,
        moved: agent.handed_over.map_or(0, |handed_over| handed_over.moved),
        stranded: agent.handed_over.map_or(0, |handed_over| handed_over.stranded),
        waited: agent.handed_over.map_or(0, |handed_over| handed_over.waited),
        moved_at_s: agent.handed_over.map(|handed_over| handed_over.at.as_secs_f64()),
    };
    record.facts.agents.iter().filter(gone).map(row).collect()
}

impl AccountingPart {
    fn new(accounting: &Accounting) -> AccountingPart {
        let per_agent = accounting.agents.iter().map(|agent| AccountRow {
            name: agent.name.clone(),
            users: agent.users,
            started: agent.started,
            merged: agent.merged,
            aborted: agent.aborted,
            windows: agent.windows,
            status: agent.status.name(),
            joined_at_s: agent.joined.map(|at| at.as_secs_f64()),
        });
        AccountingPart {
            status: if accounting.is_exact() { "exact" } else { "incomplete" },
            started: accounting.started,
            merged: accounting.merged,
            aborted: accounting.aborted,
            lost_at_most: accounting.lost_at_most,
            coalesced_windows: accounting.coalesced_windows,
            per_agent: per_agent.collect(),
        }
    }
}

impl ArrivalsPart {
    fn new(totals: &ArrivalTotals) -> ArrivalsPart {
        let late = &totals.start_error;
        let percentile = |p: Percentile| late.percentile(p).map(milliseconds);
        ArrivalsPart {
            scheduled: totals.scheduled,
            started: totals.started,
            dropped: totals.dropped,
            start_error_ms: StartErrorPart {
                p50: percentile(Percentile::P50),
                p90: percentile(Percentile::P90),
                p99: percentile(Percentile::P99),
                max: late.max().map(milliseconds),
            },
        }
    }
}

impl GeneratorPart {
    fn new(generator: &Generator) -> GeneratorPart {
        let share = |permille: u32| f64::from(permille) / 1e3;
        let agents = generator.agents.iter().map(|agent| GeneratorRow {
            name: agent.name.clone(),
            build: agent.build.clone(),
            cores: agent.cores,
            cpu: agent.cpu_permille.map(share),
            cpu_max: agent.cpu_permille_max.map(share),
            lag_ms_p99: agent.lag_p99.map(milliseconds),
            reconnects: agent.reconnects,
            memory_bytes: Some(agent.memory_bytes).filter(|bytes| *bytes > 0),
            connections: agent.connections,
            memory_growth_per_connection: agent.growth_per_connection,
            cpu_limit: agent.cpu_limit_permille.map(share),
            steal: agent.steal_permille.map(share),
            steal_max: agent.steal_permille_max.map(share),
            throttled_ms: agent.throttled.map(milliseconds),
            starts: agent.starts,
            late_starts: agent.late_starts,
            late_start_ms_max: milliseconds(agent.late_start_max),
            descriptors: agent.descriptors.map(|(open, _)| open),
            descriptors_limit: agent.descriptors.map(|(_, limit)| limit),
            memory_used: agent.memory.map(|(used, _)| used),
            memory_limit: agent.memory.map(|(_, limit)| limit),
            exhausted: agent.exhausted,
            held_back: agent.held_back,
            status: agent.status.name(),
            reasons: agent.reasons.clone(),
        });
        GeneratorPart { status: generator.status.name(), agents: agents.collect() }
    }
}

fn timeline(point: &Point, step: u32) -> TimelineRow {
    TimelineRow {
        t_s: point.second,
        users: point.users,
        target_users: point.target_users,
        rps: thousandths(point.requests as f64 / f64::from(step)),
        failures: point.failures,
        dropped: point.dropped,
        p50_ms: point.p50.map(milliseconds),
        p95_ms: point.p95.map(milliseconds),
        p99_ms: point.p99.map(milliseconds),
        agents_cpu_max: point.cpu_permille.map(|permille| f64::from(permille) / 1e3),
        agents_lag_ms: point.lag.map(milliseconds),
    }
}

/// A series' name that no other has: `CLASS/TASK/NAME`.
fn path(plan: &Plan, series: &Series) -> String {
    format!("{}/{}/{}", plan.classes[series.class.0 as usize].name, series.task, series.name)
}

/// The names of the closed set, for reports and alerts.
pub(crate) fn kind_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Dns => "dns",
        ErrorKind::Refused => "refused",
        ErrorKind::Connect => "connect",
        ErrorKind::Tls => "tls",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Reset => "reset",
        ErrorKind::Protocol => "protocol",
        ErrorKind::TooLarge => "too_large",
        ErrorKind::Status => "status",
        ErrorKind::Assertion => "assertion",
        ErrorKind::Template => "template",
        ErrorKind::Closed => "closed",
        ErrorKind::Forbidden => "forbidden",
    }
}

/// To whole microseconds, which is what was measured.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_nanos() as f64 / 1e3).round() / 1e3
}

pub(super) fn thousandths(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

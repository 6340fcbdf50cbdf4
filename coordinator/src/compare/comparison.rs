//! From two reports to the model of their comparison.

use super::blocks::Blocks;
use super::limits::Limits;
use super::{differences, findings};
use crate::report::Report;
use crate::report::model::{
    COMPARISON_VERSION, ComparedCost, ComparedFigures, ComparedRun, ComparisonPart, ComparisonRow,
    RequestRow, ShiftPart, ShiftsPart, Totals,
};
use crate::report::text::with_method;
use metrics::compare::{
    Basis, Change, Comparison, Counts, FailureChange, FailurePair, FailureRow, Pair, Row, Shift,
    compare_failures,
};
use std::collections::HashMap;

/// Why two runs have nothing that could be compared; for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Incomparable {
    /// A run in which nothing was measured.
    #[error(
        "run {0} measured no request, so there is nothing to compare; name a run that has requests in its report"
    )]
    Empty(String),
    /// They share no request.
    #[error(
        "run {base} (`{base_plan}`) and run {current} (`{current_plan}`) have no request in common; name two runs of one plan"
    )]
    Nothing {
        /// The base run.
        base: String,
        /// Its plan's name.
        base_plan: String,
        /// The current run.
        current: String,
        /// Its plan's name.
        current_plan: String,
    },
}

/// Compares the run of `current` with that of `base`.
///
/// # Errors
/// When nothing can be compared, in words.
pub fn compare(base: &Report, current: &Report, limits: Limits) -> Result<ComparisonPart, Incomparable> {
    for report in [base, current] {
        if report.requests.iter().all(|row| row.totals.requests == 0) {
            return Err(Incomparable::Empty(report.run.id.clone()));
        }
    }
    let subjects = subjects(base, current);
    if !subjects.iter().any(Subject::is_request_of_both) {
        return Err(Incomparable::Nothing {
            base: base.run.id.clone(),
            base_plan: base.run.name.clone(),
            current: current.run.id.clone(),
            current_plan: current.run.name.clone(),
        });
    }
    let (base_blocks, current_blocks) = (Blocks::new(base), Blocks::new(current));
    let both: Vec<&Subject<'_>> =
        subjects.iter().filter(|subject| subject.base.is_some() && subject.current.is_some()).collect();
    let pairs: Vec<Pair> = both
        .iter()
        .map(|subject| Pair {
            name: subject.scope.clone(),
            base: base_blocks.latencies(|row| subject.part.holds(row, Side::Base)),
            current: current_blocks.latencies(|row| subject.part.holds(row, Side::Current)),
        })
        .collect();
    let counts = |totals: Option<&Totals>| {
        totals.map_or(Counts::default(), |t| Counts { requests: t.requests, failures: t.failures })
    };
    let failures: Vec<FailurePair> = both
        .iter()
        .map(|subject| FailurePair {
            name: subject.scope.clone(),
            base: counts(subject.base),
            current: counts(subject.current),
        })
        .collect();
    let latencies = Comparison::new(&pairs, limits.of_latencies()).rows;
    let failures = compare_failures(
        &failures,
        &base_blocks.failures(),
        &current_blocks.failures(),
        limits.of_failures(),
    );
    let mut tested = latencies.into_iter().zip(failures);
    let (shared, alone): (Vec<&Subject<'_>>, Vec<&Subject<'_>>) =
        subjects.iter().partition(|subject| subject.base.is_some() && subject.current.is_some());
    let mut rows: Vec<ComparisonRow> = shared.iter().map(|subject| row(subject, tested.next())).collect();
    rows.extend(alone.iter().map(|subject| row(subject, None)));
    let tested = || rows.iter().filter(|row| row.latency_p_value.is_some());
    let by_samples = (tested().filter(|row| row.blocks.is_none()).count(), tested().count());
    let changed = |word: &str| rows.iter().any(|row| row.change == word);
    let outcome = match () {
        () if changed("regression") => "regression",
        () if changed("improvement") || changed("none") => "no_regression",
        () => "unknown",
    };
    Ok(ComparisonPart {
        comparison_version: COMPARISON_VERSION,
        base: compared_run(base),
        current: compared_run(current),
        outcome,
        on_regression: None,
        findings: findings::findings(&rows),
        differences: differences::differences(base, current, by_samples),
        limits: limits.into(),
        rows,
    })
}

fn compared_run(report: &Report) -> ComparedRun {
    let run = &report.run;
    ComparedRun {
        id: run.id.clone(),
        name: run.name.clone(),
        profile: run.profile.clone(),
        plan_sha256: run.plan_sha256.clone(),
        target: run.target.clone(),
        started_at: run.started_at.clone(),
        duration_s: run.duration_s,
        warmup_s: run.warmup_s,
        users: differences::users(report),
        cost: report.cost.as_ref().map(|cost| ComparedCost {
            currency: cost.currency.clone(),
            total: cost.total,
            per_million_requests: cost.per_million_requests,
        }),
        verdict: report.verdict,
    }
}

/// Which of the two runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Base,
    Current,
}

/// Which requests a row is of.
enum Part<'a> {
    All,
    Group(&'a str),
    /// One request: its row in each run, by address.
    One(Option<&'a RequestRow>, Option<&'a RequestRow>),
}

impl Part<'_> {
    fn holds(&self, row: &RequestRow, side: Side) -> bool {
        match self {
            Part::All => row.is_request(),
            Part::Group(name) => row.is_request() && row.group.as_deref() == Some(*name),
            Part::One(base, current) => {
                let own = if side == Side::Base { base } else { current };
                own.is_some_and(|own| std::ptr::eq(own, row))
            }
        }
    }
}

/// What a row is of.
struct Subject<'a> {
    scope: String,
    name: String,
    part: Part<'a>,
    base: Option<&'a Totals>,
    current: Option<&'a Totals>,
}

impl Subject<'_> {
    fn is_request_of_both(&self) -> bool {
        let some = |totals: Option<&Totals>| totals.is_some_and(|totals| totals.requests > 0);
        matches!(self.part, Part::One(..)) && some(self.base) && some(self.current)
    }
}

/// All requests, groups, requests: in the order of the current run, then what the base run alone has.
fn subjects<'a>(base: &'a Report, current: &'a Report) -> Vec<Subject<'a>> {
    let mut subjects = vec![Subject {
        scope: "plan".to_owned(),
        name: "all requests".to_owned(),
        part: Part::All,
        base: Some(&base.totals),
        current: Some(&current.totals),
    }];
    let group = |report: &'a Report, name: &str| {
        report.groups.iter().find(|group| group.name == name).map(|group| &group.totals)
    };
    let gone = base.groups.iter().filter(|known| group(current, &known.name).is_none());
    for name in current.groups.iter().chain(gone).map(|group| &group.name) {
        subjects.push(Subject {
            scope: format!("group:{name}"),
            name: name.clone(),
            part: Part::Group(name),
            base: group(base, name),
            current: group(current, name),
        });
    }
    // Rows of one name are told apart by their order.
    let mut known: HashMap<(String, &str), Vec<&'a RequestRow>> = HashMap::new();
    for row in base.requests.iter().rev() {
        known.entry((row.path(), row.method)).or_default().push(row);
    }
    let mut matched: Vec<*const RequestRow> = Vec::new();
    for row in &current.requests {
        let earlier = known.get_mut(&(row.path(), row.method)).and_then(Vec::pop);
        matched.extend(earlier.map(std::ptr::from_ref));
        subjects.push(request(earlier, Some(row)));
    }
    let gone = base.requests.iter().filter(|row| !matched.contains(&std::ptr::from_ref(*row)));
    subjects.extend(gone.map(|row| request(Some(row), None)));
    subjects
}

fn request<'a>(base: Option<&'a RequestRow>, current: Option<&'a RequestRow>) -> Subject<'a> {
    let row = current.or(base).expect("a subject is a row of one of the runs");
    Subject {
        scope: format!("request:{}", row.path()),
        name: with_method(row.method, &row.name),
        part: Part::One(base, current),
        base: base.map(|row| &row.totals),
        current: current.map(|row| &row.totals),
    }
}

fn row(subject: &Subject<'_>, tested: Option<(Row, FailureRow)>) -> ComparisonRow {
    let figures = |totals: &Totals| ComparedFigures {
        requests: totals.requests,
        failures: totals.failures,
        success_rate: totals.success_rate,
        rps: totals.rps,
        p50_ms: totals.latency_ms.p50,
        p95_ms: totals.latency_ms.p95,
        p99_ms: totals.latency_ms.p99,
    };
    let latency_change = match tested.as_ref().map(|(latencies, _)| latencies.change) {
        Some(Change::Slower) => "slower",
        Some(Change::Faster) => "faster",
        Some(Change::None) => "none",
        Some(Change::Unknown) | None => "unknown",
    };
    let failure_change = match tested.as_ref().map(|(_, failures)| failures.change) {
        Some(FailureChange::More) => "more",
        Some(FailureChange::Fewer) => "fewer",
        Some(FailureChange::None) => "none",
        Some(FailureChange::Unknown) | None => "unknown",
    };
    let change = match (&subject.base, &subject.current) {
        (None, _) => "new",
        (_, None) => "gone",
        _ => match (latency_change, failure_change) {
            ("slower", _) | (_, "more") => "regression",
            ("faster", _) | (_, "fewer") => "improvement",
            ("unknown", "unknown") => "unknown",
            _ => "none",
        },
    };
    let (latencies, failures) = tested.unzip();
    let shift = |pick: fn(&Row) -> Option<Shift>| latencies.as_ref().and_then(pick).map(shift_part);
    ComparisonRow {
        scope: subject.scope.clone(),
        name: subject.name.clone(),
        base: subject.base.map(figures),
        current: subject.current.map(figures),
        change,
        latency_change,
        failure_change,
        shift: ShiftsPart { p50: shift(|row| row.p50), p95: shift(|row| row.p95), p99: shift(|row| row.p99) },
        failure_difference: failures.as_ref().and_then(|row| {
            row.difference.map(|value| ShiftPart {
                value: rounded(value),
                low: row.low.map(rounded),
                high: row.high.map(rounded),
            })
        }),
        superiority: latencies.as_ref().and_then(|row| row.superiority).map(rounded),
        latency_p_value: latencies.as_ref().and_then(|row| row.p_value),
        failure_p_value: failures.as_ref().and_then(|row| row.p_value),
        blocks: latencies.as_ref().and_then(|row| match row.basis {
            Basis::Blocks(base, current) => Some([base, current]),
            Basis::Samples | Basis::Nothing => None,
        }),
    }
}

fn shift_part(shift: Shift) -> ShiftPart {
    ShiftPart { value: rounded(shift.relative), low: shift.low.map(rounded), high: shift.high.map(rounded) }
}

/// Six decimals say more than any test.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

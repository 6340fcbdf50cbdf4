//! What has changed, in plain words.

use crate::report::model::{ComparisonRow, ShiftPart};
use crate::results::quantity;

/// Regressions first, each from the whole to the single request.
pub(super) fn findings(rows: &[ComparisonRow]) -> Vec<String> {
    let worse = rows.iter().filter(|row| row.latency_change == "slower").map(latencies);
    let failing = rows.iter().filter(|row| row.failure_change == "more").map(failures);
    let faster = rows.iter().filter(|row| row.latency_change == "faster").map(latencies);
    let mending = rows.iter().filter(|row| row.failure_change == "fewer").map(failures);
    let alone = |change: &str, side: &str| {
        let names: Vec<String> = rows.iter().filter(|row| row.change == change).map(whose).collect();
        (!names.is_empty()).then(|| {
            let shown = names.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
            let more = names.len().saturating_sub(5);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("only in the {side} run, and not compared: {shown}{more}")
        })
    };
    let alone = [alone("gone", "base"), alone("new", "current")];
    worse.chain(failing).chain(faster).chain(mending).chain(alone.into_iter().flatten()).collect()
}

/// What a row is of.
fn whose(row: &ComparisonRow) -> String {
    match row.scope.split_once(':') {
        Some(("group", name)) => format!("group `{name}`"),
        Some((_, path)) => format!("request `{path}`"),
        None => row.name.clone(),
    }
}

/// What became worse of a row, for a line among others: `group `auth`: p50 +12.3 %, p95 +9.8 %, failures +0.52 points`.
pub(super) fn brief(row: &ComparisonRow) -> String {
    let slower = row.latency_change == "slower";
    let shift = |name: &str, shift: Option<ShiftPart>| {
        let shift = shift.filter(|_| slower)?;
        Some(format!("{name} {}", signed_percent(shift.value)))
    };
    let more = row.failure_difference.filter(|_| row.failure_change == "more");
    let more = more.map(|shift| format!("failures {}", points(shift.value)));
    let told: Vec<String> =
        [shift("p50", row.shift.p50), shift("p95", row.shift.p95), more].into_iter().flatten().collect();
    format!("{}: {}", whose(row), told.join(", "))
}

fn latencies(row: &ComparisonRow) -> String {
    let slower = row.latency_change == "slower";
    let verb = if slower { "slower" } else { "faster" };
    let figures = |pick: fn(&crate::report::model::ComparedFigures) -> Option<f64>| {
        (row.base.as_ref().and_then(pick), row.current.as_ref().and_then(pick))
    };
    let told = [
        ("p50", row.shift.p50, figures(|side| side.p50_ms)),
        ("p95", row.shift.p95, figures(|side| side.p95_ms)),
    ];
    let told: Vec<String> = told
        .into_iter()
        .filter_map(|(name, shift, (before, after))| {
            let ms = |ms: f64| quantity::milliseconds_to(ms, 3);
            Some(format!(
                "{name} {} -> {} ({})",
                ms(before?),
                ms(after?),
                with_interval(shift?, signed_percent)
            ))
        })
        .collect();
    format!("{} became {verb}: {}; {}", whose(row), told.join(", "), probability(row.latency_p_value))
}

fn failures(row: &ComparisonRow) -> String {
    let verb = if row.failure_change == "more" { "fails more often" } else { "fails less often" };
    let verb = if row.scope == "plan" { verb.replace("fails", "fail") } else { verb.to_owned() };
    let share = |side: &Option<crate::report::model::ComparedFigures>| {
        let rate = side.as_ref().and_then(|side| side.success_rate);
        rate.map_or("-".to_owned(), |rate| quantity::percent((1.0 - rate) * 100.0))
    };
    let shift =
        row.failure_difference.map_or(String::new(), |shift| format!(" ({})", with_interval(shift, points)));
    format!(
        "{} {verb}: {} -> {} of requests{shift}; {}",
        whose(row),
        share(&row.base),
        share(&row.current),
        probability(row.failure_p_value)
    )
}

/// `+20 %, 95 % interval +12 % to +28 %`
fn with_interval(shift: ShiftPart, unit: fn(f64) -> String) -> String {
    let interval = match (shift.low, shift.high) {
        (Some(low), Some(high)) => format!(", 95 % interval {} to {}", unit(low), unit(high)),
        _ => String::new(),
    };
    format!("{}{interval}", unit(shift.value))
}

/// `+12.3 %` of a share.
pub(crate) fn signed_percent(share: f64) -> String {
    let percent = share * 100.0;
    let decimals = usize::from(percent.abs() < 99.95);
    let text = quantity::decimal(percent.abs(), decimals);
    let sign = match () {
        () if text.bytes().all(|b| b == b'0' || b == b'.') => "±",
        () if percent < 0.0 => "-",
        () => "+",
    };
    format!("{sign}{text} %")
}

fn points(share: f64) -> String {
    let sign = if share < 0.0 { "-" } else { "+" };
    format!("{sign}{} points", quantity::decimal((share * 100.0).abs(), 2))
}

/// How probable it is by chance.
fn probability(p_value: Option<f64>) -> String {
    match p_value {
        Some(p) if p < 0.0001 => "p < 0.0001".to_owned(),
        Some(p) => format!("p = {p:.4}"),
        None => "not tested".to_owned(),
    }
}

/// What a row's change is called in a table.
pub(crate) fn change_word(change: &str) -> &'static str {
    match change {
        "regression" => "WORSE",
        "improvement" => "better",
        "none" => "same",
        "new" => "new",
        "gone" => "gone",
        _ => "unknown",
    }
}

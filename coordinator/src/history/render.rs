//! A history as text and as JSON.

use super::{Entry, History};
use crate::report::Style;
use crate::report::grid::{Fill, Grid, Tone};
use crate::results::quantity;
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;

/// The first `limit` runs as a table, and what else is to be said.
pub fn render_text(history: &History, report_dir: &Path, limit: usize, style: Style) -> String {
    let mut text = String::new();
    if history.runs.is_empty() {
        let _ = writeln!(text, "no runs in {}", report_dir.display());
    } else {
        let mut grid = Grid::new(&[
            ("RUN", Fill::Text(24)),
            ("NAME", Fill::Text(24)),
            ("STARTED (UTC)", Fill::Text(16)),
            ("LENGTH", Fill::Number),
            ("USERS", Fill::Number),
            ("VERDICT", Fill::Text(12)),
            ("REQUESTS", Fill::Number),
            ("SUCCESS", Fill::Number),
            ("P95", Fill::Number),
            ("TARGET", Fill::Text(32)),
        ]);
        for entry in history.runs.iter().take(limit) {
            let (tone, cells) = row(entry);
            grid.row(tone, cells);
        }
        text.push_str(&grid.render(style));
        if let Some(more) = history.runs.len().checked_sub(limit).filter(|&more| more > 0) {
            let _ = writeln!(text, "... and {more} older runs; --limit shows more");
        }
    }
    let gone: Vec<&str> = history
        .runs
        .iter()
        .take(limit)
        .filter(|entry| entry.report.is_none())
        .map(|entry| entry.id.as_str())
        .collect();
    if !gone.is_empty() {
        let _ = writeln!(text, "* its folder is gone; this is what is known of it");
    }
    for id in &history.going_on {
        let _ = writeln!(text, "run {id} is going on");
    }
    for id in &history.unfinished {
        let _ = writeln!(text, "run {id} was not finished; `coordinator --resume {id}` goes on with it");
    }
    text
}

fn row(entry: &Entry) -> (Tone, Vec<String>) {
    let (tone, verdict) = match entry.verdict.as_str() {
        "pass" => (Tone::Good, "pass"),
        "warn" => (Tone::Doubtful, "WARN"),
        "fail" => (Tone::Bad, "FAIL"),
        _ => (Tone::Doubtful, "INCONCLUSIVE"),
    };
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let profile = entry.profile.as_ref().map_or(String::new(), |profile| format!(" ({profile})"));
    let started = entry.started_at.get(..16).unwrap_or(&entry.started_at).replace('T', " ");
    let gone = if entry.report.is_none() { "*" } else { "" };
    let cells = vec![
        format!("{}{gone}", entry.id),
        format!("{}{profile}", entry.name),
        started,
        length(entry.duration_s),
        quantity::count(entry.users.into()),
        verdict.to_owned(),
        quantity::count(entry.requests),
        or_dash(entry.success_rate.map(|share| quantity::percent(share * 100.0))),
        or_dash(entry.p95_ms.map(quantity::milliseconds)),
        entry.target.clone(),
    ];
    (tone, cells)
}

/// `45 s`, `5m 30s`, `2h 05m`.
fn length(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    match whole {
        0..60 => format!("{} s", quantity::decimal(seconds, usize::from(seconds.fract() > 0.05))),
        60..3600 => format!("{}m {:02}s", whole / 60, whole % 60),
        _ => format!("{}h {:02}m", whole / 3600, whole % 3600 / 60),
    }
}

/// The first `limit` runs, what is damaged, and what is not over.
pub fn render_json(history: &History, limit: usize) -> String {
    let damaged: Vec<_> = history
        .damaged
        .iter()
        .map(|damaged| json!({ "id": damaged.id, "problem": damaged.problem }))
        .collect();
    let runs: Vec<&Entry> = history.runs.iter().take(limit).collect();
    let value = json!({
        "history_version": 1,
        "runs": runs,
        "older": history.runs.len().saturating_sub(limit),
        "damaged": damaged,
        "unfinished": history.unfinished,
        "going_on": history.going_on,
    });
    format!("{}\n", serde_json::to_string_pretty(&value).expect("plain text and numbers"))
}

//! The run on a terminal while it lasts: a bar, and tables of its parts, thresholds and agents.

use super::line::{clock, figures, time_left};
use crate::observe::FigureStanding;
use crate::report::Style;
use crate::report::escape;
use crate::report::figure_text;
use crate::report::grid::{Fill, Grid, Tone};
use crate::results::{AgentStanding, Live, PartStanding, ThresholdStanding, quantity};
use metrics::threshold::Status;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// What stands in the tables.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// Groups or requests, and all of them at the end.
    pub parts: Vec<PartStanding>,
    /// Thresholds in plan order.
    pub thresholds: Vec<ThresholdStanding>,
    /// Figures of the target in plan order.
    pub figures: Vec<FigureStanding>,
    /// Agents with their names.
    pub agents: Vec<(String, AgentStanding)>,
}

/// Room on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// Columns of a line.
    pub(super) columns: usize,
    /// Lines.
    pub(super) lines: usize,
}

/// Cells of the bar.
const BAR: usize = 24;

/// The run as it stands `elapsed` after T0, in lines that fit `room`. Where they do not, each table gives way by its last
/// rows, the longest first; what is bad comes first in it.
pub(super) fn view(
    elapsed: Duration,
    total: Duration,
    live: &Live,
    tables: &Tables,
    room: Room,
    style: Style,
) -> String {
    let mut sections = [
        thresholds(&tables.thresholds),
        parts(&tables.parts),
        figures_of_the_target(&tables.figures),
        agents(&tables.agents),
    ];
    let head = [bar(elapsed, total, live), figures(live)].map(|line| escape::fit(&line, room.columns));
    // A table of which nothing but its title fits is left out.
    let mut left = room.lines.saturating_sub(head.len() + 1);
    fit(&mut sections, left);
    let mut text = head.join("\n");
    for section in sections {
        let lines = section.lines();
        if section.shown == 0 || lines > left {
            continue;
        }
        left -= lines;
        text.push('\n');
        text.push_str(&section.render(room.columns, style));
    }
    text.trim_end().to_owned()
}

/// `[########----------------]  33 %  00:12 / 00:36  ETA 00:24`.
fn bar(elapsed: Duration, total: Duration, live: &Live) -> String {
    let share = match live.iterations {
        Some((done, all)) if all > 0 => done as f64 / all as f64,
        _ if total.is_zero() => 1.0,
        _ => elapsed.as_secs_f64() / total.as_secs_f64(),
    }
    .min(1.0);
    let full = (share * BAR as f64) as usize;
    format!(
        "[{}{}] {:>3} %  {} / {}{}  ETA {}",
        "#".repeat(full),
        "-".repeat(BAR - full),
        (share * 100.0) as u64,
        clock(elapsed),
        clock(total),
        if live.warmup { "  warm-up" } else { "" },
        time_left(elapsed, total, live),
    )
}

/// One table, of which the first rows are shown.
struct Section {
    columns: &'static [(&'static str, Fill)],
    rows: Vec<(Tone, Vec<String>)>,
    shown: usize,
}

impl Section {
    fn new(columns: &'static [(&'static str, Fill)], rows: Vec<(Tone, Vec<String>)>) -> Section {
        Section { columns, shown: rows.len(), rows }
    }

    /// With the empty line before it, its title, and a line for what is not shown.
    fn lines(&self) -> usize {
        if self.shown == 0 { 0 } else { 2 + self.shown + usize::from(self.shown < self.rows.len()) }
    }

    fn render(&self, width: usize, style: Style) -> String {
        let mut grid = Grid::new(self.columns);
        for (tone, cells) in self.rows.iter().take(self.shown) {
            grid.row(*tone, cells.clone());
        }
        let mut text = format!("\n{}", grid.render_within(width, style));
        if let Some(more) = self.rows.len().checked_sub(self.shown).filter(|&more| more > 0) {
            let _ = writeln!(text, "... and {more} more");
        }
        text.truncate(text.trim_end().len());
        text
    }
}

/// Takes rows away, from the longest table first, until all fit `lines`.
fn fit(sections: &mut [Section], lines: usize) {
    while sections.iter().map(Section::lines).sum::<usize>() > lines {
        let longest = sections.iter_mut().max_by_key(|section| section.shown).expect("there are four");
        match longest.shown {
            0 => return,
            // The line that tells of what is not shown takes the place of a row.
            shown if shown == longest.rows.len() && shown > 2 => longest.shown -= 2,
            _ => longest.shown -= 1,
        }
    }
}

fn thresholds(standing: &[ThresholdStanding]) -> Section {
    let mut rows: Vec<(u8, Tone, Vec<String>)> = standing
        .iter()
        .map(|threshold| {
            let (rank, tone, status) = match threshold.status {
                Status::Fail => (0, Tone::Bad, "FAIL"),
                Status::Warn => (1, Tone::Doubtful, "WARN"),
                Status::NoData => (2, Tone::Plain, "-"),
                Status::Pass => (3, Tone::Good, "ok"),
            };
            let observed = threshold.observed.clone().unwrap_or_else(|| "-".to_owned());
            let cells =
                vec![threshold.expression.clone(), threshold.scope.clone(), observed, status.to_owned()];
            (rank, tone, cells)
        })
        .collect();
    rows.sort_by_key(|(rank, ..)| *rank);
    let columns =
        &[("THRESHOLD", Fill::Text(36)), ("SCOPE", Fill::Rest), ("NOW", Fill::Number), ("", Fill::Text(4))];
    Section::new(columns, rows.into_iter().map(|(_, tone, cells)| (tone, cells)).collect())
}

fn parts(standing: &[PartStanding]) -> Section {
    let latency = |latency: Option<Duration>| latency.map_or("-".to_owned(), quantity::latency);
    let row = |part: &PartStanding| {
        let tone = if part.failures > 0 { Tone::Doubtful } else { Tone::Plain };
        let share = match part.requests {
            0 => String::new(),
            n => quantity::percent_to(part.failures as f64 * 100.0 / n as f64, 1),
        };
        let cells = vec![
            part.name.clone(),
            quantity::count(part.requests),
            quantity::count(part.failures),
            share,
            quantity::decimal(part.rps, 1),
            latency(part.p50),
            latency(part.p95),
            latency(part.p99),
        ];
        (tone, cells)
    };
    // What they come to stands first: it is the last that gives way.
    let (all, others) = standing.split_last().map_or((None, standing), |(all, others)| (Some(all), others));
    let mut others: Vec<&PartStanding> = others.iter().collect();
    others.sort_by_key(|part| part.failures == 0);
    let columns = &[
        ("REQUESTS", Fill::Rest),
        ("COUNT", Fill::Number),
        ("FAILED", Fill::Number),
        ("", Fill::Number),
        ("RPS", Fill::Number),
        ("P50", Fill::Number),
        ("P95", Fill::Number),
        ("P99", Fill::Number),
    ];
    Section::new(columns, all.into_iter().chain(others).map(row).collect())
}

fn figures_of_the_target(standing: &[FigureStanding]) -> Section {
    let row = |figure: &FigureStanding| {
        let tone = if figure.newest.is_none() && figure.failures > 0 { Tone::Doubtful } else { Tone::Plain };
        let cells = vec![
            figure.name.clone(),
            figure.probe.clone(),
            figure.newest.map_or_else(|| "-".to_owned(), figure_text),
            quantity::count(figure.samples),
            quantity::count(figure.failures),
        ];
        (tone, cells)
    };
    let columns = &[
        ("OBSERVED", Fill::Rest),
        ("PROBE", Fill::Text(20)),
        ("NOW", Fill::Number),
        ("SAMPLES", Fill::Number),
        ("FAILED", Fill::Number),
    ];
    Section::new(columns, standing.iter().map(row).collect())
}

fn agents(standing: &[(String, AgentStanding)]) -> Section {
    let mut standing: Vec<&(String, AgentStanding)> = standing.iter().collect();
    standing.sort_by_key(|(_, agent)| (agent.strain.is_none(), std::cmp::Reverse(agent.cpu_permille)));
    let row = |(name, agent): &&(String, AgentStanding)| {
        let tone = if agent.strain.is_some() { Tone::Bad } else { Tone::Plain };
        let cells = vec![
            name.clone(),
            quantity::count(agent.users.into()),
            quantity::percent_to(f64::from(agent.cpu_permille) / 10.0, 1),
            agent.lag.map_or("-".to_owned(), quantity::latency),
            agent.strain.clone().unwrap_or_else(|| "ok".to_owned()),
        ];
        (tone, cells)
    };
    let columns = &[
        ("AGENT", Fill::Text(24)),
        ("USERS", Fill::Number),
        ("CPU", Fill::Number),
        ("LAG P99", Fill::Number),
        ("HEALTH", Fill::Rest),
    ];
    Section::new(columns, standing.iter().map(row).collect())
}

/// How many thresholds stand in which way: `thresholds 3 ok, 1 FAIL`; nothing without any.
pub(super) fn thresholds_told(standing: &[ThresholdStanding]) -> Option<String> {
    let mut counts: BTreeMap<u8, (&str, usize)> = BTreeMap::new();
    for threshold in standing {
        let (rank, name) = match threshold.status {
            Status::Fail => (0, "FAIL"),
            Status::Warn => (1, "WARN"),
            Status::Pass => (2, "ok"),
            Status::NoData => (3, "without data"),
        };
        counts.entry(rank).or_insert((name, 0)).1 += 1;
    }
    let told: Vec<String> = counts.values().map(|(name, n)| format!("{n} {name}")).collect();
    (!told.is_empty()).then(|| format!("thresholds {}", told.join(", ")))
}

#[cfg(test)]
mod tests;

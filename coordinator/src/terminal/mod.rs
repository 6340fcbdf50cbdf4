//! Progress on standard error while a run lasts.

mod line;
mod turning;
mod view;

pub use agent::log::say;
pub use line::progress_line;
pub use view::Tables;

use crate::report::{Report, Style, escape};
use crate::results::Live;
use agent::log::{self, LogFormat, LogSettings, TARGET};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;
use turning::Turning;
use view::{Room, view};

/// Runs up to this long get a line per second where there is no terminal, longer ones a line per
/// [`SPARSE`]: a log keeps every line.
const SHORT_RUN: Duration = Duration::from_mins(2);

/// How far apart the lines of a long run are.
const SPARSE: Duration = Duration::from_secs(5);

/// Where progress goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screen {
    /// A terminal: one line that is drawn again.
    Terminal,
    /// A log: one line after the other.
    Log,
}

impl Screen {
    /// What standard error is: only lines for people, all of them, may be drawn on a terminal.
    pub fn of_stderr() -> Screen {
        let all = log::settings() == LogSettings::default();
        if all && std::io::stderr().is_terminal() { Screen::Terminal } else { Screen::Log }
    }
}

/// Progress of one run on standard error.
#[derive(Debug)]
pub struct Progress {
    total: Duration,
    style: Style,
    /// `None` writes lines.
    bar: Option<ProgressBar>,
    due: Duration,
    tables: Tables,
    turning: Turning,
}

impl Progress {
    /// Progress of a run that lasts `total`; in colour only on a terminal.
    pub fn new(screen: Screen, total: Duration, style: Style) -> Progress {
        let bar = (screen == Screen::Terminal).then(|| {
            let target = ProgressDrawTarget::stderr();
            let bar = ProgressBar::with_draw_target(None, target);
            bar.set_style(ProgressStyle::with_template("{msg}").expect("the template is a constant"));
            bar
        });
        Progress {
            total,
            style,
            bar,
            due: Duration::ZERO,
            tables: Tables::default(),
            turning: Turning::default(),
        }
    }

    /// Whether there is room for tables.
    pub fn shows_tables(&self) -> bool {
        self.bar.is_some()
    }

    /// Takes in what stands in the tables since a second was closed, and tells which thresholds have turned.
    pub fn set_tables(&mut self, tables: Tables) {
        for turned in self.turning.second(&tables.thresholds) {
            self.note(&turned);
        }
        self.tables = tables;
    }

    /// Shows the run as it stands `elapsed` after T0; in a log, only when a line is due.
    pub fn show(&mut self, elapsed: Duration, live: &Live) {
        match &self.bar {
            Some(bar) => {
                let view = view(elapsed, self.total, live, &self.tables, room(), self.style);
                // What is drawn again without need flickers.
                if view != bar.message() {
                    bar.set_message(view);
                }
            }
            None if elapsed >= self.due => {
                self.due = next_line(elapsed, self.total);
                let line = progress_line(elapsed, self.total, live, &self.tables.thresholds);
                tell_progress(&line, elapsed, live);
            }
            None => {}
        }
    }

    /// Shows what is done beside the run itself: once in a log.
    pub fn show_chore(&mut self, text: &str) {
        let text = escape(text);
        match &self.bar {
            Some(bar) => bar.set_message(text),
            None => say(&text),
        }
    }

    /// Prints a line of its own above the progress line. Names in it may come from outside.
    pub fn note(&self, text: &str) {
        let text = &escape(text);
        match &self.bar {
            Some(bar) => bar.suspend(|| say(text)),
            None => say(text),
        }
    }

    /// Takes the bar away.
    pub fn finish(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A line of progress; in JSON, with its figures.
fn tell_progress(line: &str, elapsed: Duration, live: &Live) {
    tracing::info!(
        target: TARGET,
        program = log::program(),
        event = "progress",
        elapsed_s = thousandths(elapsed),
        warmup = live.warmup,
        users = live.users,
        target_users = live.target_users,
        rps = live.rps,
        requests = live.requests,
        failures = live.failures,
        dropped = live.dropped,
        p95_ms = live.p95.map(|p95| thousandths(p95 * 1000)),
        "{line}"
    );
}

/// Tells machines how the run ended, and where its report is; people read it on standard output.
pub(crate) fn tell_end(report: &Report, folder: &Path, exit_code: u8) {
    if log::settings().format != LogFormat::Json {
        return;
    }
    tracing::info!(
        target: TARGET,
        program = log::program(),
        event = "end",
        run = report.run.id.as_str(),
        verdict = report.verdict,
        exit_code,
        report = %folder.join("report.json").display(),
        "the run is over: {}",
        report.verdict
    );
}

/// In seconds, to the millisecond.
fn thousandths(time: Duration) -> f64 {
    time.as_millis() as f64 / 1e3
}

/// When the line after the one at `elapsed` is due; on whole seconds, so that late lines do not drift.
fn next_line(elapsed: Duration, total: Duration) -> Duration {
    let apart = if total <= SHORT_RUN { 1 } else { SPARSE.as_secs() };
    Duration::from_secs((elapsed.as_secs() / apart + 1) * apart)
}

/// What the terminal has room for; a usual one where it does not say.
fn room() -> Room {
    let (lines, columns) = console::Term::stderr().size_checked().unwrap_or((24, 80));
    Room { columns: columns.into(), lines: lines.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_every_second_of_a_short_run_and_every_five_of_a_long_one() {
        let check = |elapsed_ms: u64, total_s: u64, expected_s: u64| {
            let next = next_line(Duration::from_millis(elapsed_ms), Duration::from_secs(total_s));
            assert_eq!(next, Duration::from_secs(expected_s), "{elapsed_ms} ms of {total_s} s");
        };
        check(0, 25, 1);
        check(1_050, 25, 2);
        check(9_999, 120, 10);
        check(0, 121, 5);
        check(5_100, 300, 10);
        check(12_000, 300, 15);
    }
}

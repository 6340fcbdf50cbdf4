//! Figures of the target itself, and the thresholds on them.

use super::build::status_name;
use super::grid::{Fill, Grid, Tone};
use super::model::{ObservedPoint, ObservedRow, Report, ThresholdRow, WindowPart};
use super::text::Style;
use crate::observe::{FigureRecord, JudgedFigure, Point, told};
use crate::results::{Span, quantity};

/// A figure as a person reads it.
pub(crate) fn figure_text(value: f64) -> String {
    told(rounded(value))
}

/// Figures that are shown as text; `report.json` has all of them.
const SHOWN_FIGURES: usize = 20;

impl ObservedRow {
    /// Of a figure.
    pub(super) fn new(record: &FigureRecord) -> ObservedRow {
        let whole = record.course.whole().filter(|whole| whole.samples > 0);
        let point = |point: &Point| {
            let of_several = |value: f64| (point.samples > 1).then_some(value);
            ObservedPoint {
                t_s: (point.at.as_secs_f64() * 1e3).round() / 1e3,
                value: (point.samples > 0).then_some(point.mean),
                min: of_several(point.min),
                max: of_several(point.max),
            }
        };
        let reason = |(kind, (count, text)): (&plan::observe::FlawKind, &(u64, String))| {
            let times =
                if *count == 1 { "once".to_owned() } else { format!("{} times", quantity::count(*count)) };
            format!("{} ({times}): {text}", kind.name())
        };
        ObservedRow {
            probe: record.probe.clone(),
            name: record.name.clone(),
            samples: whole.map_or(0, |whole| whole.samples),
            failures: record.failures(),
            reasons: record.flaws.iter().map(reason).collect(),
            min: whole.map(|whole| whole.min),
            mean: whole.map(|whole| whole.mean),
            max: whole.map(|whole| whole.max),
            last: record.course.last(),
            points: record.course.points().iter().map(point).collect(),
        }
    }

    /// The lowest value, the mean, the highest and the last, as a person reads them.
    pub(super) fn range_texts(&self) -> [String; 4] {
        let text = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), figure_text);
        [self.min, self.mean, self.max, self.last].map(text)
    }

    /// How many samples failed and why, after what is told of the others; nothing if none did.
    pub(super) fn failures_told(&self) -> String {
        match self.failures {
            0 => String::new(),
            n => format!(" Samples without a value: {}; {}.", quantity::count(n), self.reasons.join("; ")),
        }
    }
}

impl ThresholdRow {
    /// Of a threshold on a figure.
    pub(super) fn of_figure(judged: &JudgedFigure) -> ThresholdRow {
        ThresholdRow {
            scope: judged.scope(),
            metric: judged.threshold.name.clone(),
            expression: judged.threshold.expression.clone(),
            observed: judged.observed,
            unit: "",
            level: judged.level(),
            status: status_name(judged.status),
            samples: judged.samples,
            ci_low: None,
            ci_high: None,
            straddles: false,
            window: judged.span.map(|Span { from, to, judged, missed }| WindowPart {
                from_s: from,
                to_s: to,
                judged,
                missed,
            }),
            aborted_at_s: judged.aborted.map(|at| at.as_secs_f64()),
            undecided: judged.undecided,
            observed_text: judged.observed_text(),
        }
    }
}

/// A line for each figure.
pub(super) fn render(report: &Report, style: Style) -> String {
    if report.observed.is_empty() {
        return String::new();
    }
    let mut grid = Grid::new(&[
        ("OBSERVED", Fill::Rest),
        ("PROBE", Fill::Text(20)),
        ("SAMPLES", Fill::Number),
        ("FAILED", Fill::Number),
        ("MIN", Fill::Number),
        ("MEAN", Fill::Number),
        ("MAX", Fill::Number),
        ("LAST", Fill::Number),
    ]);
    for row in report.observed.iter().take(SHOWN_FIGURES) {
        let tone = if row.failures > 0 { Tone::Doubtful } else { Tone::Plain };
        let counts = [row.samples, row.failures].map(quantity::count);
        let cells = [vec![row.name.clone(), row.probe.clone()], counts.into(), row.range_texts().into()];
        grid.row(tone, cells.concat());
    }
    let more = match report.observed.len().checked_sub(SHOWN_FIGURES).filter(|&more| more > 0) {
        Some(more) => format!("... and {more} more figures in report.json\n"),
        None => String::new(),
    };
    format!("{}{more}", grid.render(style))
}

/// With two decimals, or three digits if that is more: many figures are seconds.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || value.abs() >= 1e12 {
        return value;
    }
    let decimals = (2.0 - value.abs().log10().floor()).clamp(2.0, 9.0);
    let scale = 10_f64.powf(decimals);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_two_decimals_or_three_digits() {
        for (value, expected) in [
            (0.0, "0"),
            (1234.5678, "1,234.57"),
            (-7.0, "-7"),
            (0.004_218, "0.00422"),
            (0.98765, "0.988"),
            (3e-5, "3.0000e-5"),
            (1e13, "10,000,000,000,000"),
        ] {
            assert_eq!(told(rounded(value)), expected);
        }
    }
}

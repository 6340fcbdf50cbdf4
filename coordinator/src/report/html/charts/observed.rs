//! Figures of the target itself, one chart each.

use super::{Chart, MAX_POINTS, Readout, amount, over_time, shown};
use crate::report::html::plot::{Line, SERIES};
use crate::report::model::{ObservedPoint, ObservedRow, Report};

/// Most figures that have charts.
const MAX_CHARTS: usize = 12;

/// The charts of all figures that have points.
pub(super) fn charts(report: &Report) -> Vec<Chart> {
    let drawn = report.observed.iter().filter(|row| !row.points.is_empty());
    drawn.take(MAX_CHARTS).zip(1..).map(|(row, at)| chart(row, at, report.run.duration_s.max(1.0))).collect()
}

fn chart(row: &ObservedRow, at: usize, end: f64) -> Chart {
    let each = row.points.len().div_ceil(MAX_POINTS).max(1);
    let line = |colour, filled, value: fn(&ObservedPoint) -> Option<f64>| Line {
        colour,
        filled,
        points: row.points.iter().step_by(each).map(|point| (point.t_s, value(point))).collect(),
    };
    let mut lines = vec![line(SERIES[3], true, |point| point.value)];
    let joined = row.points.iter().any(|point| point.min != point.max);
    if joined {
        lines.push(line(SERIES[0], false, |point| point.min.or(point.value)));
        lines.push(line(SERIES[1], false, |point| point.max.or(point.value)));
    }
    let names = if joined { &["mean", "lowest", "highest"][..] } else { &["value"] };
    let read: Vec<_> = names.iter().copied().zip(&lines).collect();
    let [min, _, max, last] = row.range_texts();
    let range = match row.samples {
        0 => "The target told no value.".to_owned(),
        _ => format!("What the target said of itself: {min} to {max}, at last {last}."),
    };
    let remark = if joined { " Each point is several samples." } else { "" };
    Chart {
        id: format!("chart-observed-{at}"),
        title: format!("{}: {}", shown(&row.probe, 40), shown(&row.name, 40)),
        about: format!("{range}{remark}{}", shown(&row.failures_told(), 400)),
        legend: if joined {
            names.iter().zip(&lines).map(|(name, line)| ((*name).to_owned(), line.colour)).collect()
        } else {
            Vec::new()
        },
        readout: Some(Readout::new(end, "", &read)),
        svg: over_time(end, &lines, amount),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::full;

    #[test]
    fn samples_that_were_joined_show_their_extremes_and_figures_below_zero_are_drawn() {
        let mut report = full();
        report.observed[0].points[0].value = Some(-5.0);
        report.observed[0].points[0].min = Some(-9.0);
        let chart = &charts(&report)[0];
        assert_eq!(
            chart.legend.iter().map(|(name, _)| &**name).collect::<Vec<_>>(),
            ["mean", "lowest", "highest"]
        );
        let readout = chart.readout.as_ref().unwrap();
        assert_eq!((&*readout.times, &*readout.lines), ("0.5,2.5", "mean:-5,;lowest:-9,;highest:2,"));
        assert!(chart.svg.iter().all(|(_, svg)| svg.contains("-10")), "the axis goes below zero");
        report.observed[0].points.iter_mut().for_each(|point| (point.min, point.max) = (None, None));
        assert!(charts(&report)[0].legend.is_empty());
        report.observed[0].samples = 0;
        assert!(charts(&report)[0].about.starts_with("The target told no value. Samples without"));
        report.observed[0].points.clear();
        assert!(charts(&report).is_empty());
    }
}

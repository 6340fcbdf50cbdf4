//! What is asked of the target itself.

use crate::report::Style;
use crate::report::grid::{Fill, Grid, Tone};
use metrics::unit::format_duration;
use plan::Plan;
use plan::observe::{Figure, FigureSource, Probe};
use std::time::Duration;

/// A probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeRow {
    /// Its name.
    pub name: String,
    /// What it asks, with each expression shown in braces.
    pub url: String,
    /// From one sample to the next.
    pub every: Duration,
    /// What it reads, in plan order.
    pub figures: Vec<FigureRow>,
}

/// A figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FigureRow {
    /// Its name.
    pub name: String,
    /// Where it stands in the answer.
    pub source: String,
    /// The sentences that judge it.
    pub thresholds: Vec<String>,
}

/// The probes of `plan`.
pub(super) fn probe_rows(plan: &Plan) -> Vec<ProbeRow> {
    let figure = |probe: &Probe, figure: &Figure| FigureRow {
        name: figure.name.clone(),
        source: match &figure.source {
            FigureSource::Json(path) => path.source().to_owned(),
            FigureSource::Metric(selector) => selector.source().to_owned(),
        },
        thresholds: probe
            .thresholds
            .iter()
            .filter(|threshold| threshold.name == figure.name)
            .map(|threshold| threshold.expression.clone())
            .collect(),
    };
    let row = |probe: &Probe| ProbeRow {
        name: probe.name.clone(),
        url: probe.url.display_name(),
        every: probe.every,
        figures: probe.figures.iter().map(|one| figure(probe, one)).collect(),
    };
    plan.probes.iter().map(row).collect()
}

/// A line for each figure and each threshold on it.
pub(super) fn render(probes: &[ProbeRow], style: Style) -> String {
    if probes.is_empty() {
        return String::new();
    }
    let mut grid = Grid::new(&[
        ("PROBE", Fill::Text(24)),
        ("EVERY", Fill::Number),
        ("FIGURE", Fill::Text(30)),
        ("THRESHOLD", Fill::Rest),
    ]);
    for probe in probes {
        let mut first = [probe.name.clone(), format_duration(probe.every)];
        let mut second = [probe.url.clone(), String::new()];
        for figure in &probe.figures {
            let none = vec!["not judged".to_owned()];
            let sentences = if figure.thresholds.is_empty() { &none } else { &figure.thresholds };
            for (line, name) in [&figure.name, &figure.source].into_iter().enumerate() {
                let name = if line == 0 { name.clone() } else { format!("  {name}") };
                let sentence = sentences.get(line).cloned().unwrap_or_default();
                grid.row(Tone::Plain, [first.to_vec(), vec![name, sentence]].concat());
                first = std::mem::take(&mut second);
            }
            for sentence in sentences.iter().skip(2) {
                let cells = [first.to_vec(), vec![String::new(), sentence.clone()]].concat();
                grid.row(Tone::Plain, cells);
                first = std::mem::take(&mut second);
            }
        }
    }
    grid.render(style)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::{Bundle, Settings};

    #[test]
    fn probes_are_told_with_their_figures_and_what_judges_them() {
        let source = "version: 1\nname: T\ntarget: http://localhost\nload: { users: 1, duration: 20s }\n\
             users: { U: { tasks: { t: { get: / } } } }\nparams: { where: pool }\nobserve:\n  \
             pool: { get: '/api/${params.where}', every: 2s, read: { overflow: $.overflow, size: $.size }, \
             thresholds: [ overflow <= 0, overflow <= 2 over 5s, overflow <= 9 abort ] }\n  \
             metrics: { get: /metrics, read: { queue: { metric: queue_depth, labels: { queue: mail } } } }\n";
        let bundle =
            Bundle { file: "plan.yaml".into(), source: source.into(), settings: Settings::default() };
        let plan = bundle.compile().unwrap_or_else(|wrong| panic!("{wrong}"));
        let told = render(&probe_rows(&plan), Style::Plain);
        let lines: Vec<Vec<&str>> = told.lines().map(|line| line.split_whitespace().collect()).collect();
        let expected: Vec<Vec<&str>> = "\
PROBE EVERY FIGURE THRESHOLD
pool 2s overflow overflow <= 0
/api/{params.where} $.overflow overflow <= 2 over 5s
overflow <= 9 abort
size not judged
$.size
metrics 5s queue not judged
/metrics queue_depth{queue=\"mail\"}"
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines, expected, "{told}");
        assert_eq!(render(&[], Style::Plain), "");
    }
}

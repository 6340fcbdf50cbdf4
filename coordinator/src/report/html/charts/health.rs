//! How the agents fared second by second: the one that fared worst.

use super::{Chart, Readout, Time, amount, latency};
use crate::report::html::plot::{SERIES, WRONG};
use crate::report::model::TimelineRow;
use crate::results::quantity;

/// Above this share of its processor time an agent is busy (`BUSY_PERMILLE` of the fleet).
const LIMIT_PERCENT: f64 = 85.0;

/// Processor time of the busiest agent and lateness of the latest, if any agent told them.
pub(super) fn charts(time: &Time<'_>) -> Vec<Chart> {
    let rows = || time.buckets.iter().flat_map(|bucket| bucket.iter());
    let worst = |value: fn(&TimelineRow) -> Option<f64>| {
        move |bucket: &[TimelineRow]| bucket.iter().filter_map(value).reduce(f64::max)
    };
    let highest = |value: fn(&TimelineRow) -> Option<f64>| rows().filter_map(value).reduce(f64::max);
    let busy = |row: &TimelineRow| row.agents_cpu_max.map(|share| share * 100.0);
    let mut charts = Vec::new();
    if let Some(most) = highest(busy) {
        let lines =
            [time.line(WRONG, false, |_| Some(LIMIT_PERCENT)), time.line(SERIES[0], true, worst(busy))];
        charts.push(Chart {
            id: "chart-agents-cpu".to_owned(),
            title: "Agent health: the busiest agent".to_owned(),
            about: format!(
                "Processor time of the agent that was busiest in each second, in percent of what it may use; at most {}.{}",
                quantity::percent_to(most, 1),
                time.remark("the busiest of them")
            ),
            legend: vec![("processor time".to_owned(), SERIES[0]), ("limit".to_owned(), WRONG)],
            readout: Some(Readout::new(time.end, "%", &[("processor time", &lines[1])])),
            svg: time.draw(&lines, amount),
        });
    }
    if let Some(latest) = highest(|row| row.agents_lag_ms) {
        let lines = [time.line(SERIES[1], true, worst(|row| row.agents_lag_ms))];
        charts.push(Chart {
            id: "chart-agents-lag".to_owned(),
            title: "Agent health: late wake-ups".to_owned(),
            about: format!(
                "How late the threads of the worst agent woke in each second (p99); at most {}. So much an agent may add to a latency.{}",
                quantity::milliseconds_to(latest, 3),
                time.remark("the worst of them")
            ),
            legend: Vec::new(),
            readout: Some(Readout::new(time.end, "ms", &[("p99", &lines[0])])),
            svg: time.draw(&lines, latency),
        });
    }
    charts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::sample;

    #[test]
    fn the_worst_agent_of_each_second_is_drawn_where_agents_told() {
        let mut report = sample();
        for (row, n) in report.timeline.iter_mut().zip(0..) {
            (row.agents_cpu_max, row.agents_lag_ms) = (Some(f64::from(n) / 10.0), Some(f64::from(n) * 2.0));
        }
        let drawn = charts(&Time::new(&report));
        let ids: Vec<&str> = drawn.iter().map(|chart| &*chart.id).collect();
        assert_eq!(ids, ["chart-agents-cpu", "chart-agents-lag"]);
        assert!(drawn[0].about.contains("at most 90 %"), "{}", drawn[0].about);
        assert!(drawn[1].about.contains("at most 18 ms"), "{}", drawn[1].about);
        for row in &mut report.timeline {
            (row.agents_cpu_max, row.agents_lag_ms) = (None, None);
        }
        assert!(charts(&Time::new(&report)).is_empty(), "a report of before");
    }
}

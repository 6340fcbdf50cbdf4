//! The charts of the page: what is drawn, its legend, and what a reader who does not see it is told.

mod health;
mod observed;

use super::plot::{ASKED, Bar, Format, LEFT, Label, Line, Lines, RIGHT, SERIES, WRONG, bars};
use super::shown;
use crate::report::model::{GeneratorRow, Report, TimelineRow};
use crate::results::quantity;
use maud::{Markup, PreEscaped, html};
use plotters::style::RGBColor;
use std::fmt::Write as _;

/// Most points of a line; a longer timeline is drawn with several seconds to a point.
const MAX_POINTS: usize = 450;

/// Most lines of one chart.
const MAX_LINES: usize = SERIES.len();

/// Most agents in the chart of their health; the busiest are shown.
const MAX_AGENTS: usize = 24;

/// A chart on the page.
struct Chart {
    id: String,
    title: String,
    /// What it shows, for readers who do not see it, and below the title.
    about: String,
    /// Name and colour of each line.
    legend: Vec<(String, RGBColor)>,
    svg: [(Format, String); 2],
    readout: Option<Readout>,
}

/// The values of a chart over time, which the page's script reads out below the pointer.
struct Readout {
    end: f64,
    /// `ms`, or nothing.
    unit: &'static str,
    /// Seconds, with commas between them.
    times: String,
    /// `NAME:VALUE,VALUE;NAME:…`; the names are ours.
    lines: String,
}

impl Readout {
    fn new(end: f64, unit: &'static str, lines: &[(&'static str, &Line)]) -> Readout {
        let joined = |values: &mut dyn Iterator<Item = String>| values.collect::<Vec<_>>().join(",");
        let number = |value: f64| ((value * 1e3).round() / 1e3).to_string();
        let points = lines.first().map_or(&[][..], |(_, line)| &line.points);
        let line = |(name, line): &(&'static str, &Line)| {
            let mut values = line.points.iter().map(|(_, value)| value.map_or(String::new(), number));
            format!("{name}:{}", joined(&mut values))
        };
        Readout {
            end,
            unit,
            times: joined(&mut points.iter().map(|(second, _)| number(*second))),
            lines: lines.iter().map(line).collect::<Vec<_>>().join(";"),
        }
    }
}

/// All charts that there is anything to draw for.
pub(super) fn render(report: &Report) -> Markup {
    let time = Time::new(report);
    let mut charts = Vec::new();
    if !report.timeline.is_empty() {
        charts.extend([users(&time), rates(&time), latencies(&time)]);
    }
    charts.extend(distribution(report));
    charts.extend(agents(report));
    charts.extend(health::charts(&time));
    charts.extend(observed::charts(report));
    if charts.is_empty() {
        return html! { p.quiet { "The run has no second to draw." } };
    }
    html! { div.charts { @for chart in &charts { (figure(chart)) } } }
}

fn figure(chart: &Chart) -> Markup {
    html! {
        figure id=(chart.id) {
            figcaption {
                h3 { (chart.title) }
                @if !chart.legend.is_empty() {
                    ul.legend {
                        @for (name, colour) in &chart.legend {
                            li { (key(*colour)) (name) }
                        }
                    }
                }
            }
            @let values = chart.readout.as_ref();
            div.plot role="img" aria-label={ (chart.title) ": " (chart.about) } tabindex=[values.map(|_| "0")]
                data-end=[values.map(|of| of.end)] data-unit=[values.map(|of| of.unit)]
                data-times=[values.map(|of| &of.times)] data-lines=[values.map(|of| &of.lines)] {
                @for (format, svg) in &chart.svg {
                    div class=(format.class()) data-left=(LEFT) data-right=(RIGHT) { (PreEscaped(svg)) }
                }
            }
            @if values.is_some() { p.readout role="status" {} }
            p.about { (chart.about) }
        }
    }
}

/// A stroke in the colour of a line; the style sheet puts the theme's in its place, as in charts.
fn key(colour: RGBColor) -> Markup {
    let value = format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2);
    html! {
        svg.key viewBox="0 0 24 8" aria-hidden="true" focusable="false" {
            line x1="1" y1="4" x2="23" y2="4" stroke=(value) stroke-width="4" {}
        }
    }
}

fn drawn(draw: impl Fn(Format) -> String) -> [(Format, String); 2] {
    Format::ALL.map(|format| (format, draw(format)))
}

/// The timeline, with neighbours joined until there are few enough.
struct Time<'a> {
    buckets: Vec<&'a [TimelineRow]>,
    end: f64,
    warmup: f64,
}

impl<'a> Time<'a> {
    fn new(report: &'a Report) -> Time<'a> {
        let rows = &report.timeline;
        let each = rows.len().div_ceil(MAX_POINTS).max(1);
        let end = rows.last().map_or(1.0, |row| f64::from(row.t_s)).max(report.run.duration_s);
        Time { buckets: rows.chunks(each).collect(), end, warmup: report.run.warmup_s }
    }

    fn line(&self, colour: RGBColor, filled: bool, value: impl Fn(&[TimelineRow]) -> Option<f64>) -> Line {
        let mut points = Vec::with_capacity(self.buckets.len());
        let mut before: Option<u32> = None;
        for bucket in &self.buckets {
            let (first, last) = (bucket[0].t_s, bucket[bucket.len() - 1].t_s);
            // Seconds that nobody reported have no row: the line has a gap there.
            let usual = (bucket.len() as u32).max(1) * 2;
            if before.is_some_and(|before| first.saturating_sub(before) > usual) {
                points.push((f64::from(first), None));
            }
            before = Some(last);
            points.push((f64::from(last), value(bucket)));
        }
        Line { colour, filled, points }
    }

    fn draw(&self, lines: &[Line], y_label: Label) -> [(Format, String); 2] {
        over_time(self.end, lines, y_label)
    }

    /// What stands below a chart: joined seconds, and a warm-up that is in none of the totals.
    fn remark(&self, joined: &str) -> String {
        let each = self.buckets.first().map_or(1, |bucket| bucket.len());
        let mut remark = String::new();
        if each > 1 {
            remark = format!(" Each point is {each} seconds: {joined}.");
        }
        if self.warmup > 0.0 {
            let seconds = quantity::decimal(self.warmup, 0);
            let _ = write!(remark, " The first {seconds} s are warm-up, which no total counts.");
        }
        remark
    }
}

fn users(time: &Time<'_>) -> Chart {
    let last = |value: fn(&TimelineRow) -> u32| {
        move |bucket: &[TimelineRow]| bucket.last().map(|row| f64::from(value(row)))
    };
    let lines = [
        time.line(ASKED, false, last(|row| row.target_users)),
        time.line(SERIES[0], true, last(|row| row.users)),
    ];
    let peak = |of: fn(&TimelineRow) -> u32| {
        time.buckets.iter().flat_map(|bucket| bucket.iter()).map(of).max().unwrap_or(0)
    };
    Chart {
        id: "chart-users".to_owned(),
        title: "Users".to_owned(),
        about: format!(
            "At most {} users; {} were asked for.{}",
            quantity::count(peak(|row| row.users).into()),
            quantity::count(peak(|row| row.target_users).into()),
            time.remark("the last one's users")
        ),
        legend: vec![("running".to_owned(), SERIES[0]), ("asked for".to_owned(), ASKED)],
        readout: Some(Readout::new(time.end, "", &[("running", &lines[1]), ("asked for", &lines[0])])),
        svg: time.draw(&lines, amount),
    }
}

fn rates(time: &Time<'_>) -> Chart {
    let mean = |value: fn(&TimelineRow) -> f64| {
        move |bucket: &[TimelineRow]| Some(bucket.iter().map(value).sum::<f64>() / bucket.len() as f64)
    };
    let lines = [
        time.line(SERIES[0], true, mean(|row| row.rps)),
        time.line(WRONG, false, mean(|row| row.failures as f64)),
    ];
    let rows = || time.buckets.iter().flat_map(|bucket| bucket.iter());
    let highest = rows().map(|row| row.rps).fold(0.0, f64::max);
    let failures = rows().fold(0_u64, |sum, row| sum.saturating_add(row.failures));
    Chart {
        id: "chart-rate".to_owned(),
        title: "Requests and failures per second".to_owned(),
        about: format!(
            "At most {} requests per second, {} failures in all.{}",
            quantity::decimal(highest, 1),
            quantity::count(failures),
            time.remark("their mean")
        ),
        legend: vec![("requests".to_owned(), SERIES[0]), ("failures".to_owned(), WRONG)],
        readout: Some(Readout::new(time.end, "", &[("requests/s", &lines[0]), ("failures/s", &lines[1])])),
        svg: time.draw(&lines, amount),
    }
}

fn latencies(time: &Time<'_>) -> Chart {
    let worst = |value: fn(&TimelineRow) -> Option<f64>| {
        move |bucket: &[TimelineRow]| bucket.iter().filter_map(value).reduce(f64::max)
    };
    let lines = [
        time.line(SERIES[1], false, worst(|row| row.p99_ms)),
        time.line(SERIES[0], false, worst(|row| row.p95_ms)),
        time.line(SERIES[2], false, worst(|row| row.p50_ms)),
    ];
    let rows = || time.buckets.iter().flat_map(|bucket| bucket.iter());
    let highest = |of: fn(&TimelineRow) -> Option<f64>| {
        rows().filter_map(of).reduce(f64::max).map_or("-".to_owned(), |ms| quantity::milliseconds_to(ms, 3))
    };
    Chart {
        id: "chart-latency".to_owned(),
        title: "Latency percentiles over time".to_owned(),
        about: format!(
            "In the worst second, p50 was {}, p95 {}, p99 {}.{}",
            highest(|row| row.p50_ms),
            highest(|row| row.p95_ms),
            highest(|row| row.p99_ms),
            time.remark("the worst of them")
        ),
        legend: vec![
            ("p50".to_owned(), SERIES[2]),
            ("p95".to_owned(), SERIES[0]),
            ("p99".to_owned(), SERIES[1]),
        ],
        readout: Some(Readout::new(
            time.end,
            "ms",
            &[("p50", &lines[2]), ("p95", &lines[1]), ("p99", &lines[0])],
        )),
        svg: time.draw(&lines, latency),
    }
}

/// Latency of each group on a scale of percentiles, on which each further nine takes the same room.
fn distribution(report: &Report) -> Option<Chart> {
    let groups = report.groups.iter().map(|group| (shown(&group.name, 40), &group.totals));
    let all = std::iter::once(("all requests".to_owned(), &report.totals));
    let mut rows: Vec<_> = groups.filter(|(_, totals)| totals.latency_hdr.is_some()).collect();
    rows.sort_by_key(|(_, totals)| std::cmp::Reverse(totals.requests));
    let more = rows.len().saturating_sub(MAX_LINES);
    rows.truncate(MAX_LINES);
    if rows.is_empty() {
        rows = all.filter(|(_, totals)| totals.latency_hdr.is_some()).collect();
    }
    let most = rows.iter().map(|(_, totals)| totals.requests).max()?;
    // Beyond that percentile there is one sample.
    let end = (most as f64).log10().clamp(1.0, 6.0);
    let lines: Vec<Line> = rows
        .iter()
        .zip(SERIES)
        .filter_map(|((_, totals), colour)| {
            let histogram = totals.latency_hdr.as_ref()?.histogram();
            Some(Line { colour, filled: false, points: nines(&histogram, end) })
        })
        .collect();
    let legend = rows.iter().zip(SERIES).map(|((name, _), colour)| (name.clone(), colour)).collect();
    let remark = if more > 0 { format!(" {more} smaller groups are left out.") } else { String::new() };
    Some(Chart {
        id: "chart-distribution".to_owned(),
        title: "Latency distribution by group".to_owned(),
        about: format!(
            "How long the given share of requests took at most; each further nine takes the same room.{remark}"
        ),
        legend,
        readout: None,
        svg: drawn(|format| {
            Lines { x: (0.0, end), ticks: shares(end), x_label: percentile, y_label: latency, all: &lines }
                .draw(format)
        }),
    })
}

/// (nines, milliseconds): the steps of a histogram's distribution; those too narrow to be seen are joined.
fn nines(histogram: &metrics::Histogram, end: f64) -> Vec<(f64, Option<f64>)> {
    let total = histogram.count() as f64;
    let narrow = end / 400.0;
    let mut steps: Vec<(f64, f64, f64)> = Vec::new();
    let mut below = 0_u64;
    for (value, count) in histogram.iter_recorded() {
        let ms = value.as_nanos() as f64 / 1e6;
        let from = -(1.0 - below as f64 / total).log10();
        below = below.saturating_add(count);
        let left = 1.0 - below as f64 / total;
        let to = if left > 0.0 { (-left.log10()).min(end) } else { end };
        match steps.last_mut() {
            Some((begin, until, highest)) if to - *begin < narrow => (*until, *highest) = (to, ms),
            _ => steps.push((from.min(end), to, ms)),
        }
    }
    steps.into_iter().flat_map(|(from, to, ms)| [(from, Some(ms)), (to, Some(ms))]).collect()
}

/// Processor time of each agent, of what it may use.
fn agents(report: &Report) -> Option<Chart> {
    let mut agents: Vec<&GeneratorRow> =
        report.generator.agents.iter().filter(|agent| agent.cpu.is_some()).collect();
    if agents.is_empty() {
        return None;
    }
    agents.sort_by(|a, b| b.cpu_max.unwrap_or(0.0).total_cmp(&a.cpu_max.unwrap_or(0.0)));
    let more = agents.len().saturating_sub(MAX_AGENTS);
    agents.truncate(MAX_AGENTS);
    let rows = |columns: usize| -> Vec<Bar> {
        let bar = |agent: &&GeneratorRow| Bar {
            name: shown(&agent.name, columns),
            solid: agent.cpu.unwrap_or(0.0),
            faint: agent.cpu_max.unwrap_or(0.0),
        };
        agents.iter().map(bar).collect()
    };
    let lag = agents.iter().filter_map(|agent| agent.lag_ms_p99).reduce(f64::max);
    let lag = lag.map_or(String::new(), |ms| {
        format!(" The latest wake-ups (p99) were {} late.", quantity::milliseconds_to(ms, 3))
    });
    let left_out =
        if more > 0 { format!(" {more} agents that were less busy are left out.") } else { String::new() };
    Some(Chart {
        id: "chart-agents".to_owned(),
        title: "Agent health: processor time".to_owned(),
        about: format!(
            "Mean (dark) and busiest second (light) of what each agent may use; one that is above the line for ten seconds is degraded.{lag}{left_out}"
        ),
        legend: vec![("processor time".to_owned(), SERIES[0]), ("limit".to_owned(), WRONG)],
        readout: None,
        svg: drawn(|format| bars(&rows(if format == Format::Wide { 18 } else { 10 }), 0.85, format)),
    })
}

/// Seconds since T0 as `m:ss` or `h:mm:ss`.
fn clock(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// `1.5k`, `2M`.
fn amount(value: f64) -> String {
    for (unit, size) in [("G", 1e9), ("M", 1e6), ("k", 1e3)] {
        if value.abs() >= size {
            return format!("{}{unit}", trimmed(value / size));
        }
    }
    trimmed(value)
}

fn trimmed(value: f64) -> String {
    ((value * 100.0).round() / 100.0).to_string()
}

fn latency(ms: f64) -> String {
    if ms > 0.0 { quantity::milliseconds_to(ms, 3) } else { "0".to_owned() }
}

/// Lines over the seconds of a run.
fn over_time(end: f64, lines: &[Line], y_label: Label) -> [(Format, String); 2] {
    drawn(|format| {
        Lines { x: (0.0, end), ticks: times(end, format), x_label: clock, y_label, all: lines }.draw(format)
    })
}

/// Round times up to `end`, as many as fit.
fn times(end: f64, format: Format) -> Vec<f64> {
    let steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200];
    let fits = |step: &u64| end / *step as f64 <= format.labels() as f64;
    let days = (end / 86_400.0 / format.labels() as f64).ceil().max(1.0) as u64 * 86_400;
    let step = steps.into_iter().find(fits).unwrap_or(days);
    (0..=(end / step as f64) as u64).map(|n| (n * step) as f64).collect()
}

/// The shares that a scale up to so many nines has labels for, as nines: 0, 50, 90, 99 %, and on.
fn shares(end: f64) -> Vec<f64> {
    let half = 2_f64.log10();
    [0.0, half].into_iter().chain((1..=6).map(f64::from)).filter(|nines| *nines <= end + 1e-9).collect()
}

/// So many nines as a percentage.
fn percentile(nines: f64) -> String {
    match nines.round() as u32 {
        0 if nines > 0.1 => "50 %".to_owned(),
        0 => "0 %".to_owned(),
        1 => "90 %".to_owned(),
        2 => "99 %".to_owned(),
        more => format!("99.{} %", "9".repeat(more as usize - 2)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics::Histogram;
    use std::time::Duration;

    #[test]
    fn labels_are_short_and_round() {
        assert_eq!([0.0, 59.6, 61.0, 3_661.0].map(clock), ["0:00", "1:00", "1:01", "1:01:01"]);
        let amounts = [0.0, 950.0, 1_500.0, 2e6, 3e9, -2_500.0].map(amount);
        assert_eq!(amounts, ["0", "950", "1.5k", "2M", "3G", "-2.5k"]);
        assert_eq!(
            shares(2.5).into_iter().map(percentile).collect::<Vec<_>>(),
            ["0 %", "50 %", "90 %", "99 %"]
        );
        assert_eq!(percentile(4.0), "99.99 %");
        assert_eq!(times(10.0, Format::Wide), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        for end in [0.0, 1.0, 7.5, 3_600.0, 90_000.0, 4e6, 4e9] {
            for format in Format::ALL {
                let ticks = times(end, format);
                assert!((1..=format.labels() + 1).contains(&ticks.len()), "{end}: {ticks:?}");
            }
        }
    }

    #[test]
    fn a_distribution_goes_up_in_steps_to_the_largest() {
        let mut histogram = Histogram::new();
        for us in 1..=10_000_u64 {
            histogram.record(Duration::from_micros(us));
        }
        let points = nines(&histogram, 4.0);
        assert!(points.len() < 2_000, "{}", points.len());
        assert!(points.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1));
        assert_eq!(points.last().map(|(x, ms)| (*x, ms.unwrap().round() as u64)), Some((4.0, 10)));
        let at = |nines: f64| points.iter().find(|(x, _)| *x >= nines).and_then(|(_, ms)| *ms).unwrap();
        assert!((at(1.0) - 9.0).abs() < 0.05 && (at(2.0) - 9.9).abs() < 0.05, "{} {}", at(1.0), at(2.0));
    }

    #[test]
    fn seconds_that_nobody_reported_are_a_gap() {
        let mut report = crate::report::tests::sample();
        report.timeline.drain(3..7);
        let time = Time::new(&report);
        let line = time.line(ASKED, false, |_| Some(1.0));
        let gaps = line.points.iter().filter(|(_, value)| value.is_none()).count();
        assert_eq!((gaps, line.points.len()), (1, 7));
    }
}

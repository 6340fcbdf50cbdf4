//! Drawing with plotters: one chart as SVG, which needs no script, prints, and scales.
//!
//! Colours stand in the SVG as the page's light theme has them; the page's style sheet replaces each by the one of the
//! theme in use, by its value. Units are half pixels, since plotters has whole coordinates only. Text in a chart is
//! ours, or escaped and cut; plotters escapes it for XML.

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::prelude::*;
use std::ops::Range;

/// Where a chart is shown: it is drawn once for each, as text cannot shrink with the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Beside another one on a large screen, and on paper.
    Wide,
    /// On a phone.
    Narrow,
}

impl Format {
    pub(super) const ALL: [Format; 2] = [Format::Wide, Format::Narrow];

    /// Its class on the page.
    pub(super) fn class(self) -> &'static str {
        match self {
            Format::Wide => "wide",
            Format::Narrow => "narrow",
        }
    }

    /// Width in half pixels.
    fn width(self) -> u32 {
        match self {
            Format::Wide => 1200,
            Format::Narrow => 600,
        }
    }

    /// How many labels fit beside each other.
    pub(super) fn labels(self) -> usize {
        match self {
            Format::Wide => 8,
            Format::Narrow => 4,
        }
    }
}

/// Height of a chart in half pixels.
const HEIGHT: u32 = 460;

/// Room for labels, and around the plot.
pub(super) const LEFT: u32 = 120;
pub(super) const RIGHT: u32 = 48;
const BOTTOM: u32 = 56;
const TOP: u32 = 16;

/// Size of text in half pixels, as plotters counts it.
const TEXT: u32 = 29;

/// Largest value that is drawn; what is larger is drawn at the edge.
const LARGEST: f64 = 1e12;

/// Colours of series: those of Okabe and Ito, which people with any colour vision tell apart, darkened where they would
/// be too faint on white.
pub(super) const SERIES: [RGBColor; 8] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x8A, 0x64),
    RGBColor(0xB8, 0x5A, 0x92),
    RGBColor(0x2F, 0x93, 0xCB),
    RGBColor(0xB3, 0x7B, 0x00),
    RGBColor(0x5B, 0x4F, 0xA8),
    RGBColor(0x5C, 0x66, 0x70),
];

/// What was asked for, beside what was there.
pub(super) const ASKED: RGBColor = RGBColor(0x6B, 0x77, 0x85);

/// What went wrong.
pub(super) const WRONG: RGBColor = RGBColor(0xC2, 0x25, 0x1F);

const GRID: RGBColor = RGBColor(0xDD, 0xE3, 0xE9);
const INK: RGBColor = RGBColor(0x4A, 0x55, 0x61);

/// One line of a chart.
pub(super) struct Line {
    pub(super) colour: RGBColor,
    /// Whether the room below it is filled.
    pub(super) filled: bool,
    /// In order of x; a line ends where there is no value.
    pub(super) points: Vec<(f64, Option<f64>)>,
}

/// How numbers along an axis are written.
pub(super) type Label = fn(f64) -> String;

/// A chart of lines.
pub(super) struct Lines<'a> {
    pub(super) x: (f64, f64),
    /// Where the x axis has labels.
    pub(super) ticks: Vec<f64>,
    pub(super) x_label: Label,
    pub(super) y_label: Label,
    pub(super) all: &'a [Line],
}

impl Lines<'_> {
    /// As SVG.
    pub(super) fn draw(&self, format: Format) -> String {
        let mut svg = String::new();
        self.draw_into(&mut svg, format).expect("a string takes every drawing");
        tidy(&svg)
    }

    fn draw_into(&self, svg: &mut String, format: Format) -> Result<(), Box<dyn std::error::Error>> {
        let root = SVGBackend::with_string(svg, (format.width(), HEIGHT)).into_drawing_area();
        let values = || self.all.iter().flat_map(|line| &line.points).filter_map(|(_, value)| *value);
        let top = round_up(values().fold(0.0, f64::max));
        // Only figures of the target can be below zero.
        let lowest = values().fold(0.0, f64::min);
        let bottom = if lowest < 0.0 { -round_up(-lowest) } else { 0.0 };
        let (from, to) = self.x;
        let mut chart = ChartBuilder::on(&root)
            .margin_top(TOP)
            .margin_right(RIGHT)
            .x_label_area_size(BOTTOM)
            .y_label_area_size(LEFT)
            .build_cartesian_2d(
                Axis { range: from..to.max(from + 1e-3), ticks: self.ticks.clone() },
                bottom..top,
            )?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(ShapeStyle::from(GRID).stroke_width(2))
            .axis_style(ShapeStyle::from(GRID).stroke_width(2))
            .label_style(("sans-serif", TEXT, &INK))
            .x_labels(format.labels() + 2)
            .y_labels(5)
            .x_label_formatter(&|x| (self.x_label)(*x))
            .y_label_formatter(&|y| (self.y_label)(*y))
            .draw()?;
        for line in self.all {
            let stroke = ShapeStyle::from(line.colour).stroke_width(4);
            for part in line.points.split(|(_, value)| value.is_none()) {
                let part: Vec<(f64, f64)> = part
                    .iter()
                    .filter_map(|(x, value)| Some((x.clamp(from, to), value.as_ref()?.clamp(bottom, top))))
                    .collect();
                match part.as_slice() {
                    [] => {}
                    [alone] => {
                        chart.draw_series([Circle::new(*alone, 4, stroke.filled())])?;
                    }
                    _ => {
                        if line.filled {
                            let fill = line.colour.mix(0.14);
                            chart.draw_series(AreaSeries::new(part.iter().copied(), 0.0, fill))?;
                        }
                        chart.draw_series(LineSeries::new(part, stroke))?;
                    }
                }
            }
        }
        drop(chart);
        root.present()?;
        Ok(())
    }
}

/// An axis that has labels where it is told to.
struct Axis {
    range: Range<f64>,
    ticks: Vec<f64>,
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl From<Range<f64>> for Axis {
    fn from(range: Range<f64>) -> Axis {
        Axis { range, ticks: Vec::new() }
    }
}

/// A bar: its name, a solid part and a faint one behind it, from 0 to 1.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) solid: f64,
    pub(super) faint: f64,
}

/// Bars beneath each other, with a line at `limit`, from 0 to 1.
pub(super) fn bars(bars: &[Bar], limit: f64, format: Format) -> String {
    let mut svg = String::new();
    draw_bars(&mut svg, bars, limit, format).expect("a string takes every drawing");
    tidy(&svg)
}

fn draw_bars(
    svg: &mut String,
    bars: &[Bar],
    limit: f64,
    format: Format,
) -> Result<(), Box<dyn std::error::Error>> {
    let count = bars.len().max(1);
    let height = BOTTOM + TOP + 56 * count as u32;
    let root = SVGBackend::with_string(svg, (format.width(), height)).into_drawing_area();
    let names = match format {
        Format::Wide => 300,
        Format::Narrow => 180,
    };
    let mut chart = ChartBuilder::on(&root)
        .margin_top(TOP)
        .margin_right(RIGHT)
        .x_label_area_size(BOTTOM)
        .y_label_area_size(names)
        .build_cartesian_2d(0.0..1.0, 0.0..count as f64)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .light_line_style(TRANSPARENT)
        .bold_line_style(ShapeStyle::from(GRID).stroke_width(2))
        .axis_style(ShapeStyle::from(GRID).stroke_width(2))
        .label_style(("sans-serif", TEXT, &INK))
        .x_labels(5)
        .y_labels(0)
        .x_label_formatter(&|x| format!("{:.0} %", x * 100.0))
        .draw()?;
    for (bar, at) in bars.iter().zip(0..) {
        let (low, high) = ((count - 1 - at) as f64 + 0.24, (count - at) as f64 - 0.24);
        let colour = SERIES[0];
        for (share, style) in [(bar.faint, colour.mix(0.3).filled()), (bar.solid, colour.filled())] {
            let share = share.clamp(0.0, 1.0);
            chart.draw_series([Rectangle::new([(0.0, low), (share, high)], style)])?;
        }
        let (x, y) = chart.backend_coord(&(0.0, f64::midpoint(low, high)));
        let style = TextStyle::from(("sans-serif", TEXT).into_font()).color(&INK).pos(
            plotters::style::text_anchor::Pos::new(
                plotters::style::text_anchor::HPos::Right,
                plotters::style::text_anchor::VPos::Center,
            ),
        );
        root.draw(&Text::new(bar.name.clone(), (x - 16, y), style))?;
    }
    let limit_style = ShapeStyle::from(WRONG).stroke_width(3);
    chart.draw_series(LineSeries::new([(limit, 0.0), (limit, count as f64)], limit_style))?;
    drop(chart);
    root.present()?;
    Ok(())
}

/// The next of 1, 2, 2.5, 5 times a power of ten; above nothing, 1.
fn round_up(value: f64) -> f64 {
    let value = value.min(LARGEST);
    if value.is_nan() || value <= 1e-9 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    let fits = steps.into_iter().map(|step| step * power).find(|top| *top >= value * 1.02);
    fits.unwrap_or(power * 12.0)
}

/// The drawing without what the page says better: its size is the page's, its font too.
fn tidy(svg: &str) -> String {
    let body = svg.split_once('>').map_or("", |(_, body)| body);
    let view =
        svg.split_once("viewBox=\"").and_then(|(_, rest)| rest.split_once('"')).map_or("", |(view, _)| view);
    let body = body
        .replace(" font-family=\"sans-serif\"", "")
        .replace(" opacity=\"1\"", "")
        .replace(" \"/>", "\"/>");
    format!("<svg viewBox=\"{view}\" aria-hidden=\"true\" focusable=\"false\">{body}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tops_are_round_and_above() {
        for (value, top) in [(0.0, 1.0), (0.97, 1.0), (1.0, 1.5), (99.0, 120.0), (612.0, 800.0), (9.9, 12.0)]
        {
            assert!((round_up(value) - top).abs() < 1e-9, "{value}: {}", round_up(value));
        }
        assert!(round_up(f64::NAN) > 0.0 && round_up(1e300) < 1e13);
    }

    #[test]
    fn gaps_end_a_line_and_odd_values_stay_inside() {
        let points =
            vec![(0.0, Some(1.0)), (1.0, Some(2.0)), (2.0, None), (3.0, Some(-5.0)), (4.0, Some(1e300))];
        let lines = [Line { colour: SERIES[0], filled: false, points }];
        let chart = Lines {
            x: (0.0, 4.0),
            ticks: vec![0.0, 2.0],
            x_label: |x| x.to_string(),
            y_label: |y| y.to_string(),
            all: &lines,
        };
        for format in Format::ALL {
            let svg = chart.draw(format);
            assert_eq!(
                svg.matches("<polyline").count(),
                2 + svg.matches("stroke=\"#DDE3E9\" stroke-width=\"2\" points").count(),
                "{svg}"
            );
            assert!(svg.starts_with("<svg viewBox=\"0 0 "), "{svg}");
            assert!(!svg.contains("http"), "{svg}");
        }
        let nothing = Lines {
            x: (0.0, 0.0),
            ticks: vec![0.0, 2.0],
            x_label: |x| x.to_string(),
            y_label: |y| y.to_string(),
            all: &[],
        };
        assert!(nothing.draw(Format::Wide).ends_with("</svg>\n"));
    }
}

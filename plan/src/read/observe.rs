//! `observe`: probes, and what their figures have to meet.

use super::Reader;
use super::fields::Fields;
use super::load::Course;
use super::suggest;
use super::value::Expected;
use super::variables::Visible;
use crate::diagnostic::{Problem, Span, shown};
use crate::language;
use crate::observe::{
    DEFAULT_EVERY, DEFAULT_TIMEOUT, EVERY, Figure, FigureSource, MAX_FIGURES, MAX_PROBES, MetricSelector,
    Probe,
};
use crate::yaml::{Entry, Kind, Node, Value};
use metrics::threshold::FigureThreshold;
use metrics::unit::format_duration;
use std::time::Duration;
use url::Url;

/// Most thresholds of a probe.
const MAX_THRESHOLDS: usize = 100;
/// Most samples that all windows of `observe` may hold.
const MAX_WINDOW_SAMPLES: u128 = 200_000;

const OBSERVE: Expected = Expected {
    what: "a mapping from names to probes",
    remedy: "write `observe: { pool: { get: /pool-status, read: { overflow: $.overflow } } }`",
};
const READ: Expected = Expected {
    what: "a mapping from figures to where they stand",
    remedy: "write `read: { overflow: $.overflow }`, or `read: { queue: queue_depth }` for a metric of Prometheus",
};
const SOURCE: Expected = Expected {
    what: "where the figure stands",
    remedy: "write a JSONPath such as `$.overflow`, or a metric such as `'http_requests_total{code=\"500\"}'`",
};
const SENTENCES: Expected =
    Expected { what: "a list of thresholds", remedy: "write a list of sentences: `[ \"overflow <= 0\" ]`" };
const SENTENCE: Expected = Expected {
    what: "a threshold such as `overflow <= 0`",
    remedy: "write `NAME OP VALUE [critical VALUE] [over WINDOW] [samples N] [abort [after TIME]]`",
};

/// A probe, and where its thresholds stand.
#[derive(Debug)]
pub(super) struct DeclaredProbe {
    probe: Probe,
    place: Span,
    sentences: Vec<Span>,
}

impl Reader<'_> {
    /// `observe:`
    pub(super) fn observe(&mut self, entry: Option<&Entry>, target: Option<&Url>) -> Vec<DeclaredProbe> {
        let entries = entry.and_then(|e| self.named(&e.value, OBSERVE, MAX_PROBES)).unwrap_or_default();
        entries.iter().filter_map(|entry| self.probe(entry, target)).collect()
    }

    fn probe(&mut self, entry: &Entry, target: Option<&Url>) -> Option<DeclaredProbe> {
        self.check_name(&entry.key, entry.key_span);
        let fields = Fields::new(self, &entry.value, entry.key_span, &language::PROBE)?;
        let visible = Visible::probe();
        let get = self.required(&fields, "get", "get: /api/admin/pool-status");
        let url = get.and_then(|e| self.url(&e.value, &visible));
        let headers = self.headers(fields.get("headers"), &visible);
        let every = match fields.get("every") {
            Some(entry) => self.every(&entry.value),
            None => Some(DEFAULT_EVERY),
        };
        let timeout = match fields.get("timeout") {
            Some(entry) => self.probe_timeout(&entry.value, every),
            None => Some(every.unwrap_or(DEFAULT_EVERY).min(DEFAULT_TIMEOUT)),
        };
        let read = self.required(&fields, "read", "read: { overflow: $.overflow }");
        let figures = read.and_then(|e| self.figures(e));
        let thresholds =
            fields.get("thresholds").map(|e| self.figure_thresholds(&e.value, read)).unwrap_or_default();
        let (sentences, thresholds) = thresholds.into_iter().unzip();
        let probe = Probe {
            name: entry.key.clone(),
            url: url?,
            headers,
            every: every?,
            timeout: timeout?,
            connection: self.http.settings(),
            figures: figures?,
            thresholds,
        };
        // What is wrong with a name in a template has been told.
        if let (Some(target), true) = (target, self.problems.is_empty())
            && let Err(problem) = probe.fill_in(&self.constants, target)
        {
            let problem = self.settings.secrets.hide(&problem).unwrap_or(problem);
            let place = get.map_or(entry.key_span, |e| e.value.span);
            let remedy = "it is filled in once, before the run, from `env`, `params` and `secret`";
            self.report(Problem::new(place, format!("probe {}: {problem}", shown(&entry.key)), remedy));
        }
        Some(DeclaredProbe { probe, place: entry.key_span, sentences })
    }

    fn every(&mut self, node: &Node) -> Option<Duration> {
        let every = self.positive_duration(node)?;
        let (shortest, longest) = EVERY;
        if !(shortest..=longest).contains(&every) {
            let (shortest, longest) = (format_duration(shortest), format_duration(longest));
            let problem =
                format!("a sample every {} is not within {shortest} to {longest}", format_duration(every));
            self.report(Problem::new(
                node.span,
                problem,
                format!("write `every: {shortest}` to `every: {longest}`"),
            ));
            return None;
        }
        Some(every)
    }

    fn probe_timeout(&mut self, node: &Node, every: Option<Duration>) -> Option<Duration> {
        let timeout = self.positive_duration(node)?;
        let Some(every) = every.filter(|every| timeout > *every) else { return Some(timeout) };
        let every = format_duration(every);
        let problem = format!(
            "a timeout of {} is longer than the {every} from one sample to the next",
            format_duration(timeout)
        );
        self.report(Problem::new(
            node.span,
            problem,
            format!("write `timeout: {every}` or less, or a longer `every`"),
        ));
        None
    }

    /// `read:`
    fn figures(&mut self, entry: &Entry) -> Option<Vec<Figure>> {
        let entries = self.named(&entry.value, READ, MAX_FIGURES)?;
        if entries.is_empty() {
            self.report(Problem::new(entry.value.span, "a probe that reads nothing", READ.remedy));
            return None;
        }
        let figures: Vec<_> = entries
            .iter()
            .map(|entry| {
                self.check_figure_name(entry);
                Some(Figure { name: entry.key.clone(), source: self.figure_source(entry)? })
            })
            .collect();
        figures.into_iter().collect()
    }

    /// Reports a name that no threshold could say.
    fn check_figure_name(&mut self, entry: &Entry) {
        let name = &entry.key;
        let part = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !starts || !name.chars().all(part) {
            let problem = format!("{} cannot be the name of a figure", shown(name));
            let remedy = "use letters, digits, `_`, `.` and `-`, and begin with a letter: thresholds say it";
            self.report(Problem::new(entry.key_span, problem, remedy));
        } else {
            self.check_name(name, entry.key_span);
        }
    }

    fn figure_source(&mut self, entry: &Entry) -> Option<FigureSource> {
        if let Value::Mapping(_) = entry.value.value {
            return self.written_out_figure(entry);
        }
        let text = self.text(&entry.value, SOURCE)?;
        if text.trim_start().starts_with('$') {
            return self.json_path(&entry.value).map(FigureSource::Json);
        }
        self.compiled(&entry.value, MetricSelector::compile(&text)).map(FigureSource::Metric)
    }

    /// `{ json: $.overflow }`, `{ metric: queue_depth, labels: { queue: mail } }`
    fn written_out_figure(&mut self, entry: &Entry) -> Option<FigureSource> {
        let fields = Fields::new(self, &entry.value, entry.key_span, &language::FIGURE)?;
        let labels = fields.get("labels");
        match (fields.get("json"), fields.get("metric")) {
            (Some(json), None) => {
                if let Some(labels) = labels {
                    let problem = "`labels` beside `json`: only metrics have labels";
                    self.report(Problem::new(labels.key_span, problem, "remove it, or write `metric: NAME`"));
                }
                self.json_path(&json.value).map(FigureSource::Json)
            }
            (None, Some(metric)) => {
                let expected =
                    Expected { what: "the name of a metric", remedy: "write for instance `queue_depth`" };
                let name = self.text(&metric.value, expected)?;
                let entries = labels.and_then(|e| {
                    let expected =
                        Expected { what: "labels (a mapping)", remedy: "write `labels: { queue: mail }`" };
                    self.named(&e.value, expected, MAX_FIGURES)
                });
                let mut pairs = Vec::new();
                for label in entries.unwrap_or_default() {
                    let expected = Expected {
                        what: "the value of a label",
                        remedy: "write a text or a number: `code: 500`",
                    };
                    pairs.push((label.key.as_str(), self.label_value(&label.value, expected)?));
                }
                let pairs = pairs.iter().map(|(name, value)| (*name, value.as_str()));
                self.compiled(&metric.value, MetricSelector::with_labels(&name, pairs))
                    .map(FigureSource::Metric)
            }
            (None, None) => {
                let remedy = "write `json: $.path`, or `metric: NAME` with `labels`";
                self.report(Problem::new(fields.place, "a figure without a source", remedy));
                None
            }
            (Some(json), Some(metric)) => {
                let problem = "`metric` beside `json`: a figure has one source";
                self.report(
                    Problem::new(metric.key_span, problem, "remove one of them")
                        .related(json.key_span, "the other one"),
                );
                None
            }
        }
    }

    fn label_value(&mut self, node: &Node, expected: Expected) -> Option<String> {
        let constant = self.constant(node, expected)?;
        if constant.kind == Kind::Null {
            self.wrong(node, expected);
            return None;
        }
        Some(constant.text)
    }

    /// `thresholds:` of a probe; `read` names its figures.
    fn figure_thresholds(&mut self, node: &Node, read: Option<&Entry>) -> Vec<(Span, FigureThreshold)> {
        let items = self.list(node, SENTENCES).unwrap_or_default();
        if !self.at_most(items.len(), MAX_THRESHOLDS, "`thresholds` of a probe", node.span) {
            return Vec::new();
        }
        let names: Option<Vec<&str>> = read.and_then(|entry| match &entry.value.value {
            Value::Mapping(entries) if !entries.is_empty() => {
                Some(entries.iter().map(|e| e.key.as_str()).collect())
            }
            _ => None,
        });
        let mut thresholds = Vec::new();
        for item in items {
            let Some(text) = self.text(item, SENTENCE) else { continue };
            let end = |c: char| c.is_whitespace() || "<>=!≤≥≠".contains(c);
            let name = text.trim_start().split(end).next().unwrap_or_default();
            match &names {
                Some(names) if !name.is_empty() && !names.contains(&name) => {
                    let problem = format!("this probe reads no figure {}", shown(name));
                    let otherwise = "name a figure of its `read`";
                    let remedy = suggest::remedy(name, names.iter().copied(), otherwise);
                    self.report(Problem::new(item.span, problem, remedy));
                }
                _ => {
                    let threshold = self.parsed(item, SENTENCE, FigureThreshold::parse);
                    thresholds.extend(threshold.map(|threshold| (item.span, threshold)));
                }
            }
        }
        thresholds
    }

    /// Reports thresholds of `probes` that no sample of the measured time could reach, and gives the probes.
    pub(super) fn reachable_figures(&mut self, declared: Vec<DeclaredProbe>, course: &Course) -> Vec<Probe> {
        let (end, warmup) = (course.schedule.end(), course.warmup);
        let mut held = 0_u128;
        for DeclaredProbe { probe, place, sentences } in &declared {
            let samples = samples_between(probe.every, warmup, end);
            for (threshold, place) in probe.thresholds.iter().zip(sentences) {
                held += threshold.over.unwrap_or_default().as_nanos() / probe.every.as_nanos().max(1);
                self.reachable_figure(threshold, *place, samples, end.saturating_sub(warmup));
            }
            if samples == 0 && probe.thresholds.is_empty() {
                let every = format_duration(probe.every);
                let problem = format!(
                    "no sample of probe {} is after the warm-up: one is taken every {every}",
                    shown(&probe.name)
                );
                self.warnings.push(Problem::new(
                    *place,
                    problem,
                    "write a shorter `every`, or make the load longer",
                ));
            }
        }
        if let Some(first) = declared.first().filter(|_| held > MAX_WINDOW_SAMPLES) {
            let problem = format!(
                "the windows (`over`) of all probes hold {held} samples together; at most {MAX_WINDOW_SAMPLES} may be held"
            );
            self.report(Problem::new(first.place, problem, "write shorter windows, or a longer `every`"));
        }
        declared.into_iter().map(|declared| declared.probe).collect()
    }

    fn reachable_figure(
        &mut self,
        threshold: &FigureThreshold,
        place: Span,
        samples: u128,
        measured: Duration,
    ) {
        let time = format_duration(measured);
        let least = threshold.samples.unwrap_or(1);
        if u128::from(least) > samples {
            let problem = format!(
                "this could never be judged: {time} are measured, and {samples} samples are taken in them{}",
                if least > 1 { format!(", not {least}") } else { String::new() }
            );
            self.report(Problem::new(place, problem, "write a shorter `every`, or make the load longer"));
        } else if let Some(over) = threshold.over.filter(|over| *over > measured) {
            let problem = format!(
                "the window `over {}` is longer than what is measured, {time}: it could never be judged",
                format_duration(over)
            );
            self.report(Problem::new(place, problem, "write a shorter window, or make the load longer"));
        } else if let Some(after) = threshold.abort.filter(|after| *after >= measured) {
            let after = format_duration(after);
            let problem = format!(
                "`abort` may stop the run {after} after the warm-up, when it is over: {time} are measured"
            );
            let remedy = "write `abort after TIME` with a shorter time, or remove it";
            self.warnings.push(Problem::new(place, problem, remedy));
        }
    }
}

/// How many samples are taken from `from` on and before `end`; the first of all is at 0.
fn samples_between(every: Duration, from: Duration, end: Duration) -> u128 {
    let before = |time: Duration| time.as_nanos().div_ceil(every.as_nanos().max(1));
    before(end).saturating_sub(before(from))
}

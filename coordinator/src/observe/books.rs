//! What all probes have told so far.

use super::course::Course;
use super::judged::{FigureBreach, JudgedFigure, Judging};
use crate::results::quantity;
use plan::Plan;
use plan::observe::{Flaw, FlawKind, Probe};
use std::collections::BTreeMap;
use std::time::Duration;

/// What one request of a probe came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Which probe of the plan.
    pub probe: usize,
    /// When it was due, since T0.
    pub due: Duration,
    /// How many samples, due one after the other from then on, came to this; 1 but where nobody asked.
    pub times: u64,
    /// The figures in the order of the plan, or why there is none at all.
    pub figures: Result<Vec<Result<f64, Flaw>>, Flaw>,
}

/// The samples of all probes, and how they are judged.
#[derive(Clone, Debug)]
pub struct Books {
    probes: Vec<Book>,
    breach: Option<FigureBreach>,
    /// Samples that were due before were with a coordinator that is gone.
    lost: Option<Duration>,
}

#[derive(Clone, Debug)]
struct Book {
    name: String,
    every: Duration,
    figures: Vec<FigureRecord>,
    /// With the figure that each judges.
    judging: Vec<(usize, Judging)>,
}

/// What is known of a figure at the end.
#[derive(Clone, Debug)]
pub struct FigureRecord {
    /// The probe's name.
    pub probe: String,
    /// Its own.
    pub name: String,
    /// All its samples, those of the warm-up too.
    pub course: Course,
    /// The newest sample, if that has a value.
    pub newest: Option<f64>,
    /// How often there was no value, and the first text of each kind.
    pub flaws: BTreeMap<FlawKind, (u64, String)>,
}

/// A figure as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct FigureStanding {
    /// The probe's name.
    pub probe: String,
    /// Its own.
    pub name: String,
    /// The newest sample, if that has a value.
    pub newest: Option<f64>,
    /// Samples with a value.
    pub samples: u64,
    /// Samples without.
    pub failures: u64,
}

impl FigureRecord {
    /// How many samples have no value.
    pub fn failures(&self) -> u64 {
        self.flaws.values().map(|(count, _)| count).fold(0, |sum: u64, count| sum.saturating_add(*count))
    }
}

impl Books {
    /// Nothing told yet.
    pub fn new(plan: &Plan) -> Books {
        let book = |probe: &Probe| Book {
            name: probe.name.clone(),
            every: probe.every,
            figures: probe
                .figures
                .iter()
                .map(|figure| FigureRecord {
                    probe: probe.name.clone(),
                    name: figure.name.clone(),
                    course: Course::default(),
                    newest: None,
                    flaws: BTreeMap::new(),
                })
                .collect(),
            judging: probe
                .thresholds
                .iter()
                .filter_map(|threshold| {
                    let figure = probe.figures.iter().position(|figure| figure.name == threshold.name)?;
                    Some((figure, Judging::new(threshold, probe.every, plan.warmup)))
                })
                .collect(),
        };
        Books { probes: plan.probes.iter().map(book).collect(), breach: None, lost: None }
    }

    /// Adds a sample; those of one probe come in order of time. Gives what a person should know of it: each kind of
    /// failure is told once for each probe.
    pub fn add(&mut self, sample: &Sample) -> Vec<String> {
        let Some(book) = self.probes.get_mut(sample.probe) else { return Vec::new() };
        let mut notes = Vec::new();
        let new = |book: &Book, kind| !book.figures.iter().any(|figure| figure.flaws.contains_key(&kind));
        let found: Vec<Result<f64, &Flaw>> = match &sample.figures {
            Ok(figures) => figures.iter().map(|value| value.as_ref().copied()).collect(),
            Err(flaw) => vec![Err(flaw); book.figures.len()],
        };
        for (at, found) in found.iter().enumerate().take(book.figures.len()) {
            if let Err(flaw) = found {
                if new(book, flaw.kind) {
                    let (name, seconds) = (&book.name, sample.due.as_secs_f64());
                    notes.push(format!(
                        "warning: probe `{name}` has no value at {seconds:.1} s: {}",
                        flaw.text
                    ));
                }
                let (count, _) =
                    book.figures[at].flaws.entry(flaw.kind).or_insert_with(|| (0, flaw.text.clone()));
                *count = count.saturating_add(sample.times);
            }
            book.figures[at].newest = found.ok();
            // A long gap is one point.
            book.figures[at].course.add(sample.due, found.ok());
        }
        for (nth, (figure, judging)) in book.judging.iter_mut().enumerate() {
            let value = found.get(*figure).and_then(|found| found.ok());
            if judging.add(sample.due, value) && self.breach.is_none() {
                let threshold = judging.threshold();
                let told = format!(
                    "the run stops: {} of probe `{}` is {}, threshold {}",
                    threshold.name,
                    book.name,
                    judging.worst_told(),
                    threshold.expression
                );
                self.breach =
                    Some(FigureBreach { probe: sample.probe, threshold: nth, at: sample.due, told });
            }
        }
        notes
    }

    /// What was sampled before `time` was with a coordinator that is gone: how many times each probe was asked.
    pub fn lost_before(&mut self, time: Duration) -> Vec<String> {
        self.lost = Some(time);
        let lost: Vec<Sample> = (0..)
            .zip(&self.probes)
            .map(|(probe, book)| {
                let times = time.as_nanos().div_ceil(book.every.as_nanos().max(1));
                let text = "the coordinator that had asked was ended, and its samples with it";
                let figures = Err(Flaw::new(FlawKind::NotAsked, text));
                Sample {
                    probe,
                    due: Duration::ZERO,
                    times: u64::try_from(times).unwrap_or(u64::MAX),
                    figures,
                }
            })
            .collect();
        lost.iter().filter(|sample| sample.times > 0).flat_map(|sample| self.add(sample)).collect()
    }

    /// The threshold with `abort` that was missed, if there is one.
    pub fn breach(&self) -> Option<&FigureBreach> {
        self.breach.as_ref()
    }

    /// Every figure in plan order.
    pub fn figures(&self) -> Vec<FigureRecord> {
        self.probes.iter().flat_map(|book| book.figures.iter().cloned()).collect()
    }

    /// How every figure stands, in plan order.
    pub fn standing(&self) -> Vec<FigureStanding> {
        let standing = |record: &FigureRecord| FigureStanding {
            probe: record.probe.clone(),
            name: record.name.clone(),
            newest: record.newest,
            samples: record.course.whole().map_or(0, |whole| whole.samples),
            failures: record.failures(),
        };
        self.probes.iter().flat_map(|book| &book.figures).map(standing).collect()
    }

    /// Every threshold in plan order; `stopped` is whether the breach stopped the run.
    pub fn judged(&self, stopped: bool) -> Vec<JudgedFigure> {
        let breach = self.breach.as_ref().filter(|_| stopped);
        let of = |(probe, book): (usize, &Book)| {
            let aborted = |nth| {
                breach
                    .filter(|breach| (breach.probe, breach.threshold) == (probe, nth))
                    .map(|breach| breach.at)
            };
            let judged = book.judging.iter().enumerate();
            judged
                .map(|(nth, (_, judging))| judging.finish(&book.name, self.lost, aborted(nth)))
                .collect::<Vec<_>>()
        };
        self.probes.iter().enumerate().flat_map(of).collect()
    }

    /// What went wrong with probes, a sentence each.
    pub fn troubles(&self) -> Vec<String> {
        let worst = |book: &Book| {
            let figure = book.figures.iter().max_by_key(|figure| figure.failures())?;
            let failures = figure.failures();
            let due = figure.course.whole().map_or(0, |whole| whole.samples).saturating_add(failures);
            let (_, (_, why)) = figure.flaws.iter().max_by_key(|(_, (count, _))| *count)?;
            let (name, figure) = (&book.name, &figure.name);
            let (failures, due) = (quantity::count(failures), quantity::count(due));
            Some(format!("probe `{name}` gave no value of {figure} {failures} of {due} times: {why}"))
        };
        self.probes.iter().filter_map(worst).collect()
    }
}

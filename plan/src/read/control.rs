//! `think`, `set`, `if`, `repeat`, `group` and `stop`.

use super::Reader;
use super::fields::Fields;
use super::groups::Groups;
use super::steps::StepPlace;
use super::users::Workload;
use super::value::Expected;
use super::variables::{Names, ON_START, Visible, refuse_variable_name};
use crate::diagnostic::{Problem, shown};
use crate::flow::{Count, If, MAX_ROUNDS, Repeat, Set, Stop, Think, Transaction};
use crate::model::{Series, SeriesKind, Step, ThresholdScope};
use crate::template::Template;
use crate::wait::Wait;
use crate::yaml::{Entry, Node};
use metrics::SeriesId;

/// Most variables of one `set`.
const MAX_SET: usize = 100;
/// What evaluations that failed are called in reports.
const EVALUATIONS: &str = "steps";

impl Reader<'_> {
    pub(super) fn think(&mut self, entry: &Entry) -> Option<Step> {
        let expected = Expected {
            what: "a pause such as `1s..3s`",
            remedy: "write `2s`, `1s..3s`, `constant 2s` or `exponential 2s`",
        };
        let wait = self.wait(&entry.value, expected, Wait::parse_pause)?;
        Some(Step::Think(Think { wait }))
    }

    pub(super) fn set(
        &mut self,
        entry: &Entry,
        place: &StepPlace<'_>,
        visible: &mut Visible<'_>,
        workload: &mut Workload,
    ) -> Option<Step> {
        let expected = Expected {
            what: "a mapping from variables to their values",
            remedy: "write `set: { page: 1, path: \"/items/${id}\" }`",
        };
        let entries = self.named(&entry.value, expected, MAX_SET)?;
        if entries.is_empty() {
            self.report(Problem::new(entry.value.span, "there is no variable", expected.remedy));
            return None;
        }
        let mut variables = Vec::new();
        for entry in entries {
            if let Some((problem, remedy)) = refuse_variable_name(&entry.key) {
                self.report(Problem::new(entry.key_span, problem, remedy));
            }
            variables.push(self.json(&entry.value, visible).map(|value| (entry.key.clone(), value)));
        }
        visible.save(entries.iter().map(|e| e.key.clone()));
        let failures = self.evaluations(entry, place, workload);
        Some(Step::Set(Set { failures: failures?, variables: variables.into_iter().collect::<Option<_>>()? }))
    }

    pub(super) fn branches(
        &mut self,
        fields: &Fields<'_>,
        entry: &Entry,
        place: &StepPlace<'_>,
        visible: &mut Visible<'_>,
        groups: &mut Groups,
        workload: &mut Workload,
    ) -> Option<Step> {
        let expected = Expected {
            what: "an expression such as `user.iteration == 0`",
            remedy: "write a condition on saved variables, `user` or `env`",
        };
        let condition = self.expression(&entry.value, visible, Names::Request, "if", expected);
        let failures = self.evaluations(entry, place, workload);
        let inner = place.deeper();
        let mut yes = visible.clone();
        let then = self
            .required(fields, "then", "then: [ { get: / } ]")
            .and_then(|entry| self.steps(entry, &inner, &mut yes, groups, workload));
        let mut no = visible.clone();
        let otherwise = match fields.get("else") {
            Some(entry) => self.steps(entry, &inner, &mut no, groups, workload),
            None => Some(Vec::new()),
        };
        visible.join(yes, no, entry.key_span, "this `if` saves it in one branch only");
        let (failures, condition, then, otherwise) = (failures?, condition?, then?, otherwise?);
        Some(Step::If(Box::new(If { failures, condition, then, otherwise })))
    }

    pub(super) fn repeat(
        &mut self,
        fields: &Fields<'_>,
        entry: &Entry,
        place: &StepPlace<'_>,
        visible: &mut Visible<'_>,
        groups: &mut Groups,
        workload: &mut Workload,
    ) -> Option<Step> {
        let count = self.count(&entry.value, visible);
        let failures = self.evaluations(entry, place, workload);
        let steps = self.required(fields, "steps", "steps: [ { get: / } ]");
        let before = visible.clone();
        let outer = std::mem::replace(&mut visible.repeats, true);
        let steps = steps.and_then(|e| self.steps(e, &place.deeper(), visible, groups, workload));
        if let Some(Count::Computed(_)) = count {
            let after = visible.clone();
            visible.join(after, before, entry.key_span, "this `repeat` saves it, but may have no round");
        }
        visible.repeats = outer;
        Some(Step::Repeat(Box::new(Repeat { failures: failures?, count: count?, steps: steps? })))
    }

    fn count(&mut self, node: &Node, visible: &Visible<'_>) -> Option<Count> {
        if !node.scalar().is_some_and(|s| s.text.contains("${")) {
            return self.integer(node, 1, MAX_ROUNDS).map(Count::Fixed);
        }
        let expected = Expected {
            what: "a number of rounds",
            remedy: "write a whole number, or one `${…}` that gives it",
        };
        let single = self.template(node, expected, visible).map(Template::into_single)?;
        if single.is_none() {
            self.wrong(node, expected);
        }
        single.map(Count::Computed)
    }

    pub(super) fn transaction(
        &mut self,
        fields: &Fields<'_>,
        entry: &Entry,
        place: &StepPlace<'_>,
        visible: &mut Visible<'_>,
        groups: &mut Groups,
        workload: &mut Workload,
    ) -> Option<Step> {
        let expected = Expected { what: "the transaction's name", remedy: "write it in quotes" };
        let name = self.name(&entry.value, expected);
        let series = name.and_then(|name| {
            self.measured(fields, SeriesKind::Transaction, name, entry.value.span, place, workload)
        });
        let steps = fields.get("steps")?;
        let steps = self.steps(steps, &place.deeper(), visible, groups, workload);
        Some(Step::Transaction(Transaction { series: series?, steps: steps? }))
    }

    pub(super) fn stop(
        &mut self,
        entry: &Entry,
        place: &StepPlace<'_>,
        visible: &mut Visible<'_>,
    ) -> Option<Step> {
        let expected =
            Expected { what: "`iteration` or `user`", remedy: "write `stop: iteration` or `stop: user`" };
        visible.ended = true;
        let word = self.text(&entry.value, expected)?;
        if let Some(kind) = place.chore {
            let problem = format!("`stop` in {}, which has no iteration and no user to end", kind.name());
            self.report(Problem::new(entry.key_span, problem, "use `if` around the steps after it"));
            return None;
        }
        match word.as_str() {
            "iteration" if place.task == ON_START => {
                let problem = "`stop: iteration` in on_start, which is no iteration";
                self.report(Problem::new(entry.value.span, problem, "write `stop: user`, or remove it"));
                None
            }
            "iteration" => Some(Step::Stop(Stop::Iteration)),
            "user" => Some(Step::Stop(Stop::User)),
            _ => {
                let problem = format!("expected {}, found {}", expected.what, shown(&word));
                self.report(Problem::new(entry.value.span, problem, expected.remedy));
                None
            }
        }
    }

    /// The series of a transaction or completion, with the step's thresholds.
    pub(super) fn measured(
        &mut self,
        fields: &Fields<'_>,
        kind: SeriesKind,
        name: String,
        at: crate::diagnostic::Span,
        place: &StepPlace<'_>,
        workload: &mut Workload,
    ) -> Option<SeriesId> {
        let thresholds = fields.get("thresholds").map(|e| self.thresholds(&e.value)).unwrap_or_default();
        let (class, task, group) = (place.class, place.task.to_owned(), place.group);
        let series = self.series(Series { id: SeriesId(0), class, task, name, kind, group }, at, workload)?;
        workload.judge(series, thresholds);
        Some(series)
    }

    /// The task's series of evaluations that failed.
    pub(super) fn evaluations(
        &mut self,
        entry: &Entry,
        place: &StepPlace<'_>,
        workload: &mut Workload,
    ) -> Option<SeriesId> {
        let (class, task, name) = (place.class, place.task.to_owned(), EVALUATIONS.to_owned());
        let (kind, group) = (SeriesKind::Evaluation, place.group);
        let series = Series { id: SeriesId(0), class, task, name, kind, group };
        self.series(series, entry.key_span, workload)
    }
}

impl Workload {
    /// Adds thresholds of a series; a flow that is called twice brings them twice.
    pub(super) fn judge(&mut self, series: SeriesId, thresholds: Vec<metrics::Threshold>) {
        let scope = ThresholdScope::Request(series);
        for threshold in thresholds {
            let known = |(other, t): &(ThresholdScope, metrics::Threshold)| {
                *other == scope && t.expression == threshold.expression
            };
            if !self.thresholds.iter().any(known) {
                self.thresholds.push((scope, threshold));
            }
        }
    }
}

//! User classes and their tasks.

use super::Reader;
use super::fields::Fields;
use super::groups::Groups;
use super::rows::RowName;
use super::saved_names::SavedName;
use super::steps::StepPlace;
use super::value::Expected;
use super::variables::{ON_START, Visible};
use crate::data::Binding;
use crate::diagnostic::{Problem, Span, shown};
use crate::language::{self, MAX_USERS, MAX_WEIGHT, METHODS};
use crate::model::{ClassId, GroupId, Method, Series, Task, ThresholdScope, UserClass};
use crate::slot::{Classes, Share};
use crate::wait::Wait;
use crate::yaml::{Entry, Node};
use metrics::unit::UnitError;
use metrics::{SeriesId, Threshold};
use std::collections::HashMap;
use std::rc::Rc;

/// Most user classes of a plan.
const MAX_CLASSES: usize = 200;
/// Most tasks of a user class.
const MAX_TASKS: usize = 500;

const WAIT: Expected = Expected {
    what: "a wait such as `1s..3s`",
    remedy: "write `2s`, `1s..3s`, `constant 2s`, `pacing 5s`, `rate 0.5/s` or `exponential 2s`",
};

/// What users do.
#[derive(Debug)]
pub(super) struct Workload {
    pub(super) classes: Vec<UserClass>,
    pub(super) slots: Classes,
    pub(super) series: Vec<Series>,
    /// Those of requests.
    pub(super) thresholds: Vec<(ThresholdScope, Threshold)>,
    /// Where each series was first named; by class, task and name.
    pub(super) places: HashMap<(ClassId, String, String), (SeriesId, Span)>,
    /// Whether the number of series has been complained about.
    pub(super) overflow: bool,
    /// Steps of flows that were read, at each call.
    pub(super) called_steps: u32,
    /// Where each class says what data it has.
    pub(super) data_places: Vec<Option<Span>>,
}

impl Workload {
    /// That of nobody.
    pub(super) fn empty() -> Workload {
        Workload {
            classes: Vec::new(),
            slots: Classes::new(&[1]).expect("one class of weight 1 is a valid wheel"),
            series: Vec::new(),
            thresholds: Vec::new(),
            places: HashMap::new(),
            overflow: false,
            called_steps: 0,
            data_places: Vec::new(),
        }
    }
}

/// The surroundings of the steps of one class.
#[derive(Clone, Copy)]
struct Surroundings<'a> {
    id: ClassId,
    entry: &'a Entry,
    group: Option<GroupId>,
    saves: &'a [SavedName],
    rows: &'a Rc<[RowName]>,
}

impl<'a> Surroundings<'a> {
    /// Of the steps of `task`.
    fn place(&self, task: &'a str) -> StepPlace<'a> {
        let (class, group) = (self.id, self.group);
        StepPlace { class, group, task, chore: None, depth: 0, call: None, conversation: None }
    }
}

impl Reader<'_> {
    /// `users:`
    pub(super) fn users(
        &mut self,
        entry: &Entry,
        groups: &mut Groups,
        saves: &[SavedName],
    ) -> Option<Workload> {
        let expected = Expected {
            what: "a mapping from names to user classes",
            remedy: "write `users: { NAME: { tasks: { NAME: { get: / } } } }`",
        };
        let entries = self.named(&entry.value, expected, MAX_CLASSES)?;
        if entries.is_empty() {
            self.report(Problem::new(entry.key_span, "there is no user class", expected.remedy));
            return None;
        }
        self.select(entry);
        let mut workload = Workload::empty();
        let mut kept = 0;
        for entry in entries {
            self.check_name(&entry.key, entry.key_span);
            let mark = workload.mark();
            self.excluded = !self.keeps_class(entry);
            let class = self.user_class(entry, ClassId(kept), groups, saves, &mut workload);
            if std::mem::take(&mut self.excluded) {
                self.leave_out(&entry.key, &mut workload, mark);
                continue;
            }
            kept += 1;
            workload.classes.extend(class);
        }
        (workload.classes.len() == kept as usize).then_some(workload)
    }

    fn user_class(
        &mut self,
        entry: &Entry,
        id: ClassId,
        groups: &mut Groups,
        saves: &[SavedName],
        workload: &mut Workload,
    ) -> Option<UserClass> {
        let fields = Fields::new(self, &entry.value, entry.key_span, &language::USER_CLASS)?;
        let share = self.share(&fields);
        let group = fields.get("group").and_then(|e| self.group(&e.value, groups));
        let wait = match fields.get("wait") {
            Some(entry) => self.wait(&entry.value, WAIT, Wait::parse),
            None => Some(Wait::None),
        };
        let of_plan = self.http.clone();
        let rows: Rc<[RowName]> = self.rows_of(fields.get("data"), &entry.key, saves).into();
        let data: Vec<Option<Binding>> =
            rows.iter().map(|row| self.binding(row, entry, id, group, workload)).collect();
        workload.data_places.push(fields.get("data").map(|e| e.value.span));
        let connection = self.class_http(&fields, &entry.key, saves, &rows);
        self.tags(&fields);
        let around = Surroundings { id, entry, group, saves, rows: &rows };
        let mut visible = Visible::task(&entry.key, ON_START, saves).with_rows(&rows);
        let on_start = match fields.get(ON_START) {
            Some(entry) => self.steps(entry, &around.place(ON_START), &mut visible, groups, workload),
            None => Some(Vec::new()),
        };
        let example = "tasks: { home: { get: / } }";
        let tasks = self
            .required(&fields, "tasks", example)
            .and_then(|tasks| self.tasks(tasks, &around, &visible, groups, workload));
        self.http = of_plan;
        Some(UserClass {
            name: entry.key.clone(),
            share: share?,
            wait: wait?,
            connection,
            data: data.into_iter().collect::<Option<_>>()?,
            on_start: on_start?,
            tasks: tasks?,
        })
    }

    /// `weight` or `fixed`.
    fn share(&mut self, fields: &Fields<'_>) -> Option<Share> {
        let weight = self.weight(fields).map(Share::Weight);
        let Some(fixed) = fields.get("fixed") else { return weight };
        if let Some(other) = fields.get("weight") {
            let problem = "`fixed` beside `weight`: a class has so many users, or a share of the rest";
            self.report(
                Problem::new(fixed.key_span, problem, "keep one of them")
                    .related(other.key_span, "the weight"),
            );
            return None;
        }
        self.integer(&fixed.value, 1, MAX_USERS).map(Share::Fixed)
    }

    fn weight(&mut self, fields: &Fields<'_>) -> Option<u32> {
        match fields.get("weight") {
            Some(entry) => self.integer(&entry.value, 1, MAX_WEIGHT),
            None => Some(1),
        }
    }

    /// A wait of the kinds that `parse` takes.
    pub(super) fn wait(
        &mut self,
        node: &Node,
        expected: Expected,
        parse: fn(&str) -> Result<Wait, UnitError>,
    ) -> Option<Wait> {
        if let Some(text) = node.scalar().filter(|s| s.is_number()).map(|s| &s.text) {
            let problem =
                format!("expected {}, found {}: a bare number has no unit", expected.what, node.describe());
            self.report(
                Problem::new(node.span, problem, format!("write `{text}s` or `{text}ms`")).label("no unit"),
            );
            return None;
        }
        self.parsed(node, expected, parse)
    }

    fn tasks(
        &mut self,
        entry: &Entry,
        around: &Surroundings<'_>,
        on_start: &Visible<'_>,
        groups: &mut Groups,
        workload: &mut Workload,
    ) -> Option<Vec<Task>> {
        let expected =
            Expected { what: "a mapping from names to tasks", remedy: "write `tasks: { home: { get: / } }`" };
        let entries = self.named(&entry.value, expected, MAX_TASKS)?;
        if entries.is_empty() {
            self.report(Problem::new(entry.key_span, "there is no task", expected.remedy));
            return None;
        }
        let class = &around.entry.key;
        let class_is_excluded = self.excluded;
        // All of them, so that every problem is reported.
        let mut tasks: Vec<Option<Task>> = Vec::with_capacity(entries.len());
        for entry in entries {
            let mut visible = Visible::task(class, &entry.key, around.saves).with_rows(around.rows);
            visible.inherit(on_start);
            let mark = workload.mark();
            self.excluded = class_is_excluded || !self.keeps_task(around.entry, entry);
            let task = self.task(entry, around, &mut visible, groups, workload);
            if std::mem::replace(&mut self.excluded, class_is_excluded) {
                self.leave_out(class, workload, mark);
            } else {
                tasks.push(task);
            }
        }
        tasks.into_iter().collect()
    }

    /// `steps`, or one step written inline.
    fn task(
        &mut self,
        entry: &Entry,
        around: &Surroundings<'_>,
        visible: &mut Visible<'_>,
        groups: &mut Groups,
        workload: &mut Workload,
    ) -> Option<Task> {
        let name = &entry.key;
        if self.check_name(name, entry.key_span) && name == ON_START {
            let problem = "a task cannot be called `on_start`";
            self.report(Problem::new(
                entry.key_span,
                problem,
                "choose another name, or move it out of `tasks`",
            ));
        }
        let fields = Fields::new(self, &entry.value, entry.key_span, &language::TASK)?;
        let weight = self.weight(&fields);
        self.tags(&fields);
        let Some(steps) = fields.get("steps") else {
            let step = self.any_step(&fields, &around.place(name), visible, groups, workload);
            return Some(Task { name: name.clone(), weight: weight?, steps: vec![step?] });
        };
        let inline = language::STEP.keys.iter().filter(|key| key.name != "steps");
        let inline = inline.into_iter().find_map(|key| fields.get(key.name));
        if let Some(inline) = inline {
            let problem = format!("{} beside `steps`", shown(&inline.key));
            let remedy = "a task is one step written inline or a list of `steps`; move this into a step";
            self.report(Problem::new(inline.key_span, problem, remedy).related(steps.key_span, "the steps"));
        }
        let steps = self.steps(steps, &around.place(name), visible, groups, workload);
        Some(Task { name: name.clone(), weight: weight?, steps: steps? })
    }
}

/// The method of a verb.
pub(super) fn method(verb: &str) -> Option<Method> {
    const ORDER: [Method; 7] = [
        Method::Get,
        Method::Post,
        Method::Put,
        Method::Patch,
        Method::Delete,
        Method::Head,
        Method::Options,
    ];
    METHODS.iter().position(|name| *name == verb).map(|at| ORDER[at])
}

//! User classes and their tasks.

use super::Reader;
use super::fields::Fields;
use super::groups::Groups;
use super::steps::StepPlace;
use super::value::Expected;
use super::variables::{ON_START, SavedName, Visible};
use crate::diagnostic::{Problem, Span, shown};
use crate::language::{self, MAX_WEIGHT, METHODS};
use crate::model::{ClassId, GroupId, Method, Series, Step, Task, ThresholdScope, UserClass};
use crate::slot::Classes;
use crate::wait::Wait;
use crate::yaml::{Entry, Node};
use metrics::{SeriesId, Threshold};
use std::collections::HashMap;

/// Most user classes of a plan.
const MAX_CLASSES: usize = 200;
/// Most tasks of a user class.
const MAX_TASKS: usize = 500;
/// Most steps of a task or of `on_start`.
const MAX_STEPS: usize = 1000;

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
}

/// The surroundings of the steps of one class.
#[derive(Clone, Copy)]
struct Surroundings<'a> {
    id: ClassId,
    name: &'a str,
    group: Option<GroupId>,
    saves: &'a [SavedName],
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
        let mut workload = Workload {
            classes: Vec::new(),
            slots: Classes::new(&[1]).expect("one class of weight 1 is a valid wheel"),
            series: Vec::new(),
            thresholds: Vec::new(),
            places: HashMap::new(),
            overflow: false,
        };
        for (index, entry) in entries.iter().enumerate() {
            self.check_name(&entry.key, entry.key_span);
            if let Some(class) = self.user_class(entry, ClassId(index as u32), groups, saves, &mut workload) {
                workload.classes.push(class);
            }
        }
        (workload.classes.len() == entries.len()).then_some(workload)
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
        let weight = self.weight(&fields);
        let group = fields.get("group").and_then(|e| self.group(&e.value, groups));
        let wait = match fields.get("wait") {
            Some(entry) => self.wait(&entry.value),
            None => Some(Wait::None),
        };
        let around = Surroundings { id, name: &entry.key, group, saves };
        let mut visible = Visible::task(&entry.key, ON_START, saves);
        let on_start = match fields.get(ON_START) {
            Some(entry) => self.steps(entry, &around, ON_START, &mut visible, groups, workload),
            None => Some(Vec::new()),
        };
        let example = "tasks: { home: { get: / } }";
        let tasks = self.required(&fields, "tasks", example)?;
        let tasks = self.tasks(tasks, &around, &visible, groups, workload);
        Some(UserClass {
            name: entry.key.clone(),
            weight: weight?,
            wait: wait?,
            on_start: on_start?,
            tasks: tasks?,
        })
    }

    fn weight(&mut self, fields: &Fields<'_>) -> Option<u32> {
        match fields.get("weight") {
            Some(entry) => self.integer(&entry.value, 1, MAX_WEIGHT),
            None => Some(1),
        }
    }

    fn wait(&mut self, node: &Node) -> Option<Wait> {
        let expected = Expected {
            what: "a wait such as `1s..3s`",
            remedy: "write `2s`, `1s..3s`, `constant 2s`, `pacing 5s`, `rate 0.5/s` or `exponential 2s`",
        };
        if let Some(text) = node.scalar().filter(|s| s.is_number()).map(|s| &s.text) {
            let problem =
                format!("expected {}, found {}: a bare number has no unit", expected.what, node.describe());
            self.report(
                Problem::new(node.span, problem, format!("write `{text}s` or `{text}ms`")).label("no unit"),
            );
            return None;
        }
        self.parsed(node, expected, Wait::parse)
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
        // All of them, so that every problem is reported.
        let tasks: Vec<Option<Task>> = entries
            .iter()
            .map(|entry| {
                let mut visible = Visible::task(around.name, &entry.key, around.saves);
                visible.inherit(on_start);
                self.task(entry, around, &mut visible, groups, workload)
            })
            .collect();
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
        if self.later_verb(&entry.value, visible, groups, around.group) {
            return None;
        }
        let fields = Fields::new(self, &entry.value, entry.key_span, &language::TASK)?;
        let weight = self.weight(&fields);
        let Some(steps) = fields.get("steps") else {
            let place = StepPlace { class: around.id, group: around.group, task: name };
            let step = self.step(&fields, &place, visible, groups, workload);
            return Some(Task { name: name.clone(), weight: weight?, steps: vec![step?] });
        };
        let inline = language::STEP.keys.iter().find_map(|key| fields.get(key.name));
        if let Some(inline) = inline {
            let problem = format!("{} beside `steps`", shown(&inline.key));
            let remedy = "a task is one step written inline or a list of `steps`; move this into a step";
            self.report(Problem::new(inline.key_span, problem, remedy).related(steps.key_span, "the steps"));
        }
        let steps = self.steps(steps, around, name, visible, groups, workload);
        Some(Task { name: name.clone(), weight: weight?, steps: steps? })
    }

    fn steps(
        &mut self,
        entry: &Entry,
        around: &Surroundings<'_>,
        task: &str,
        visible: &mut Visible<'_>,
        groups: &mut Groups,
        workload: &mut Workload,
    ) -> Option<Vec<Step>> {
        let expected =
            Expected { what: "a list of steps", remedy: "write a list: `- get: /` on a line for each step" };
        let items = self.list(&entry.value, expected)?;
        if items.is_empty() {
            let remedy = if task == ON_START {
                "add a step, or remove `on_start`"
            } else {
                "add a step: `[ { get: / } ]`"
            };
            self.report(Problem::new(entry.key_span, "there is no step", remedy));
            return None;
        }
        if !self.at_most(items.len(), MAX_STEPS, "a list of steps", entry.key_span) {
            return None;
        }
        let place = StepPlace { class: around.id, group: around.group, task };
        let steps: Vec<Option<Step>> = items
            .iter()
            .map(|item| {
                if self.later_verb(item, visible, groups, around.group) {
                    visible.next_step([]);
                    return None;
                }
                let fields = Fields::new(self, item, item.span, &language::STEP)?;
                self.step(&fields, &place, visible, groups, workload)
            })
            .collect();
        steps.into_iter().collect()
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

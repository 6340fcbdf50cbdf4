//! `tags` of user classes and tasks, and which of them the settings leave.

use super::Reader;
use super::fields::Fields;
use super::groups::Groups;
use super::suggest;
use super::users::Workload;
use super::value::{Expected, MAX_NAME};
use super::variables::Wrong;
use crate::diagnostic::{Problem, shown};
use crate::model::{Series, ThresholdScope};
use crate::tags::{Selection, TagFilter, WrittenTask};
use crate::yaml::{Entry, Kind, Node, Value};
use metrics::Threshold;
use std::collections::BTreeSet;

/// Most tags of a user class or a task.
const MAX_TAGS: usize = 100;

const TAGS: Expected = Expected { what: "a list of tags", remedy: "write `tags: [ smoke, slow ]`" };
const TAG: Expected = Expected { what: "a tag such as `smoke`", ..TAGS };

/// How far a workload was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    series: usize,
    thresholds: usize,
    data_places: usize,
}

impl Workload {
    pub(super) fn mark(&self) -> Mark {
        let (series, thresholds) = (self.series.len(), self.thresholds.len());
        Mark { series, thresholds, data_places: self.data_places.len() }
    }

    /// Forgets what was read since `mark`; gives the thresholds of it, with what they stand on.
    fn rewind(&mut self, mark: Mark, class: &str) -> Vec<(String, String)> {
        let told = |(scope, threshold): (ThresholdScope, Threshold)| {
            let ThresholdScope::Request(id) = scope else { return None };
            let Series { task, name, .. } = self.series.get(id.0 as usize)?;
            Some((format!("request:{class}/{task}/{name}"), threshold.expression))
        };
        let dropped = self.thresholds.drain(mark.thresholds..).filter_map(told).collect();
        self.series.truncate(mark.series);
        self.data_places.truncate(mark.data_places);
        self.places.retain(|_, (id, _)| (id.0 as usize) < mark.series);
        dropped
    }
}

impl Reader<'_> {
    /// `tags` of a user class or a task. Which tasks they select is known before, by [`written`].
    pub(super) fn tags(&mut self, fields: &Fields<'_>) {
        let Some(entry) = fields.get("tags") else { return };
        let Some(items) = self.list(&entry.value, TAGS) else { return };
        if items.is_empty() {
            self.report(Problem::new(entry.value.span, "there is no tag", "add one, or remove `tags`"));
        }
        self.at_most(items.len(), MAX_TAGS, "`tags`", entry.key_span);
        let mut found = BTreeSet::new();
        for item in items {
            let Some(tag) = item.scalar().filter(|scalar| scalar.kind() == Kind::Text) else {
                self.wrong(item, TAG);
                continue;
            };
            if !is_tag(&tag.text) {
                let problem = format!("{} cannot be a tag", shown(&tag.text));
                let remedy =
                    format!("use letters, digits, `-`, `_`, `.`, `:` and `/`, at most {MAX_NAME} of them");
                self.report(Problem::new(item.span, problem, remedy));
            } else if !found.insert(tag.text.as_str()) {
                let problem = format!("the tag {} is here twice", shown(&tag.text));
                self.report(Problem::new(item.span, problem, "remove one of them"));
            }
        }
    }

    /// Looks which tasks of `users` the settings leave. Where that makes no sense, it is reported and all are kept.
    pub(super) fn select(&mut self, users: &Entry) {
        let filter = &self.settings.tags;
        let tasks = written(&users.value, filter);
        if let Err((_, (problem, remedy))) = check_filter(&tasks, filter) {
            self.report(Problem::new(users.key_span, problem, remedy));
            return;
        }
        self.selection = Selection { filter: filter.clone(), tasks, unjudged: Vec::new() };
    }

    /// Whether any task of a user class is kept.
    pub(super) fn keeps_class(&self, class: &Entry) -> bool {
        let filter = &self.selection.filter;
        filter.is_empty() || tasks_of(class).is_none_or(|tasks| tasks.iter().any(|t| keeps(filter, class, t)))
    }

    pub(super) fn keeps_task(&self, class: &Entry, task: &Entry) -> bool {
        self.selection.filter.is_empty() || keeps(&self.selection.filter, class, task)
    }

    /// Drops from `workload` what was read since `mark` for `class`.
    pub(super) fn leave_out(&mut self, class: &str, workload: &mut Workload, mark: Mark) {
        self.selection.unjudged.extend(workload.rewind(mark, class));
    }

    /// Drops the groups that no request is left of, and their `thresholds`.
    pub(super) fn drop_empty_groups(
        &mut self,
        groups: &mut Groups,
        series: &mut [Series],
        thresholds: &mut Vec<(ThresholdScope, Threshold)>,
    ) {
        if self.selection.filter.is_empty() {
            return;
        }
        let used: BTreeSet<_> = series.iter().filter_map(|series| series.group).collect();
        let of_dropped =
            |scope: &ThresholdScope| matches!(scope, ThresholdScope::Group(group) if !used.contains(group));
        for (scope, threshold) in thresholds.iter().filter(|(scope, _)| of_dropped(scope)) {
            let ThresholdScope::Group(group) = scope else { continue };
            let name = groups.names().nth(group.0 as usize).unwrap_or_default();
            self.selection.unjudged.push((format!("group:{name}"), threshold.expression.clone()));
        }
        thresholds.retain(|(scope, _)| !of_dropped(scope));
        let numbers = groups.keep(&used);
        for group in series.iter_mut().filter_map(|series| series.group.as_mut()) {
            *group = numbers[group];
        }
        for (scope, _) in thresholds {
            if let ThresholdScope::Group(group) = scope {
                *group = numbers[group];
            }
        }
    }
}

fn is_tag(text: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || "-_.:/".contains(c);
    !text.is_empty() && text.chars().count() <= MAX_NAME && text.chars().all(fits)
}

/// The entries under `key`, where there is a mapping.
fn entries_of<'n>(entry: &'n Entry, key: &str) -> Option<&'n [Entry]> {
    let Value::Mapping(keys) = &entry.value.value else { return None };
    match &keys.iter().find(|entry| entry.key == key)?.value.value {
        Value::Mapping(entries) => Some(entries),
        _ => None,
    }
}

fn tasks_of(class: &Entry) -> Option<&[Entry]> {
    entries_of(class, "tasks")
}

/// The tags of a user class or a task as they stand; what is wrong with them is reported where it is read.
fn tags_of(entry: &Entry) -> impl Iterator<Item = &str> {
    let keys = match &entry.value.value {
        Value::Mapping(keys) => &keys[..],
        _ => &[],
    };
    let tags = keys.iter().find(|entry| entry.key == "tags").map(|entry| &entry.value.value);
    let items = match tags {
        Some(Value::Sequence(items)) => &items[..],
        _ => &[],
    };
    items.iter().filter_map(|item| Some(item.scalar()?.text.as_str()))
}

fn keeps(filter: &TagFilter, class: &Entry, task: &Entry) -> bool {
    filter.keeps(tags_of(class).chain(tags_of(task)))
}

/// The tasks of `users` in plan order, and which of them `filter` keeps.
pub(super) fn written(users: &Node, filter: &TagFilter) -> Vec<WrittenTask> {
    let Value::Mapping(classes) = &users.value else { return Vec::new() };
    let of_class = |class: &Entry| -> Vec<WrittenTask> {
        let mut tags: Vec<String> = Vec::new();
        for tag in tags_of(class) {
            tags.push(tag.to_owned());
        }
        let task = |task: &Entry| {
            let own = tags_of(task).filter(|tag| !tags.iter().any(|known| known == tag));
            WrittenTask {
                class: class.key.clone(),
                task: task.key.clone(),
                tags: tags.iter().cloned().chain(own.map(str::to_owned)).collect(),
                kept: keeps(filter, class, task),
            }
        };
        tasks_of(class).unwrap_or_default().iter().map(task).collect()
    };
    classes.iter().flat_map(of_class).collect()
}

/// Whether every tag of `filter` is one of a task, and any task is left; if not, the flag and what is wrong.
pub(super) fn check_filter(tasks: &[WrittenTask], filter: &TagFilter) -> Result<(), (&'static str, Wrong)> {
    const INCLUDE: &str = "--include-tags";
    const EXCLUDE: &str = "--exclude-tags";
    let known: BTreeSet<&str> = tasks.iter().flat_map(|task| &task.tags).map(String::as_str).collect();
    for (flag, tags) in [(INCLUDE, &filter.include), (EXCLUDE, &filter.exclude)] {
        let Some(unknown) = tags.iter().find(|tag| !known.contains(tag.as_str())) else { continue };
        let list = suggest::list(known.iter().copied());
        let remedy = match &suggest::closest(unknown, known.iter().copied())[..] {
            _ if known.is_empty() => format!("give tasks `tags: [ {unknown} ]`, or leave {flag} out"),
            [] => format!("the tags are {list}"),
            close => format!("{} (the tags are {list})", suggest::did_you_mean(close)),
        };
        return Err((flag, (format!("no task has the tag {}", shown(unknown)), remedy)));
    }
    if filter.is_empty() || tasks.is_empty() || tasks.iter().any(|task| task.kept) {
        return Ok(());
    }
    // Each tag is one of a task, so what is included is excluded as well.
    let remedy = if filter.include.is_empty() {
        "every task has one of these tags; exclude fewer"
    } else {
        "every task with an included tag has an excluded one as well; exclude fewer, or include more"
    };
    Err((EXCLUDE, (format!("{filter} leave no task"), remedy.to_owned())))
}

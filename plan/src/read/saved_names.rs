//! Who saves which variable, by the text of the plan alone: what is wrong with it is reported when it is read.

use super::variables::ON_START;
use crate::chore::ChoreKind;
use crate::yaml::{Node, Value};
use std::collections::BTreeSet;

/// Who saves a variable, anywhere in the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SavedName {
    pub(super) name: String,
    /// None for a chore.
    pub(super) class: String,
    pub(super) task: String,
    /// Which step of the task's own list.
    pub(super) step: usize,
    /// Whether a step within that one does.
    pub(super) nested: bool,
}

impl SavedName {
    /// Whether setup does.
    pub(super) fn is_of_setup(&self) -> bool {
        self.class.is_empty() && self.task == "setup"
    }

    /// Whether it is `name`, saved by a user of `class`.
    pub(super) fn is_of(&self, name: &str, class: &str) -> bool {
        self.name == name && self.class == class
    }
}

/// Every `save` of the plan, for messages about names that are saved somewhere else. Looks at the text only;
/// what is wrong with it is reported when it is read.
pub(super) fn saved_names(users: &Node, setup: Option<&Node>) -> Vec<SavedName> {
    let mut found = setup.map(|steps| chore_saves(steps, ChoreKind::Setup)).unwrap_or_default();
    for class in entries(users) {
        if let Some(steps) = child(&class.value, ON_START) {
            scan_steps(steps, &class.key, ON_START, &mut found);
        }
        for task in child(&class.value, "tasks").map(entries).unwrap_or_default() {
            match child(&task.value, "steps") {
                Some(steps) => scan_steps(steps, &class.key, &task.key, &mut found),
                None => scan_step(&task.value, &class.key, &task.key, 0, &mut found),
            }
        }
    }
    found
}

/// Every `save` of a chore.
pub(super) fn chore_saves(steps: &Node, kind: ChoreKind) -> Vec<SavedName> {
    let mut found = Vec::new();
    scan_steps(steps, "", kind.name(), &mut found);
    found
}

/// Whether a step of `flow` saves `name`.
pub(super) fn flow_saves(flow: &Node, name: &str) -> bool {
    let mut found = Vec::new();
    if let Some(steps) = child(flow, "steps") {
        scan_steps(steps, "", "", &mut found);
    }
    found.iter().any(|save| save.name == name)
}

fn scan_steps(steps: &Node, class: &str, task: &str, found: &mut Vec<SavedName>) {
    if let Value::Sequence(items) = &steps.value {
        for (index, step) in items.iter().enumerate() {
            scan_step(step, class, task, index, found);
        }
    }
}

fn scan_step(step: &Node, class: &str, task: &str, index: usize, found: &mut Vec<SavedName>) {
    scan_saves(step, class, task, (index, false), found);
}

/// What `step` itself saves or sets.
fn saved_by(step: &Node) -> impl Iterator<Item = &crate::yaml::Entry> {
    let received = child(step, "receive").and_then(|receive| child(receive, "save"));
    ["save", "set"].iter().filter_map(move |key| child(step, key)).chain(received).flat_map(entries)
}

/// The names that `steps` save, on any way and in any flow that they call, by the text only.
pub(super) fn names_saved<'n>(
    steps: &'n Node,
    flows: &dyn Fn(&str) -> Option<&'n Node>,
    called: &mut BTreeSet<&'n str>,
    names: &mut BTreeSet<String>,
) {
    let Value::Sequence(items) = &steps.value else { return };
    for step in items {
        for saved in saved_by(step) {
            names.insert(saved.key.clone());
        }
        for steps in ["steps", "then", "else", "messages"].iter().filter_map(|key| child(step, key)) {
            names_saved(steps, flows, called, names);
        }
        let flow = child(step, "call").and_then(Node::scalar).map(|name| name.text.as_str());
        if let Some(flow) = flow.filter(|flow| called.insert(flow)).and_then(flows)
            && let Some(steps) = child(flow, "steps")
        {
            names_saved(steps, flows, called, names);
        }
    }
}

fn scan_saves(step: &Node, class: &str, task: &str, at: (usize, bool), found: &mut Vec<SavedName>) {
    for save in saved_by(step) {
        found.push(SavedName {
            name: save.key.clone(),
            class: class.to_owned(),
            task: task.to_owned(),
            step: at.0,
            nested: at.1,
        });
    }
    for list in ["steps", "then", "else", "messages"].iter().filter_map(|key| child(step, key)) {
        if let Value::Sequence(items) = &list.value {
            for step in items {
                scan_saves(step, class, task, (at.0, true), found);
            }
        }
    }
}

pub(super) fn entries(node: &Node) -> &[crate::yaml::Entry] {
    if let Value::Mapping(entries) = &node.value { entries } else { &[] }
}

fn child<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    entries(node).iter().find(|e| e.key == key).map(|e| &e.value)
}

//! API groups and thresholds.

use super::Reader;
use super::fields::Fields;
use super::load::Profile;
use super::suggest;
use super::value::Expected;
use crate::diagnostic::{Problem, Span, shown};
use crate::language;
use crate::model::{Group, GroupId, ThresholdScope};
use crate::yaml::{Entry, Node};
use metrics::Threshold;
use std::collections::{BTreeMap, BTreeSet};

/// Most groups of a plan.
const MAX_GROUPS: usize = 1000;

/// The groups of the plan.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    groups: Vec<Declared>,
}

#[derive(Clone, Debug)]
struct Declared {
    name: String,
    place: Span,
    thresholds: Vec<Threshold>,
    /// Whether a request belongs to it, or would if it were right.
    used: bool,
}

impl Groups {
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().map(|g| g.name.as_str())
    }

    fn find(&self, name: &str) -> Option<GroupId> {
        self.groups.iter().position(|g| g.name == name).map(|at| GroupId(at as u32))
    }

    pub(super) fn mark_used(&mut self, group: GroupId) {
        self.groups[group.0 as usize].used = true;
    }

    /// The thresholds of all groups, those of `profile` in place of a group's own.
    pub(super) fn thresholds(&self, profile: Option<&Profile>) -> Vec<(ThresholdScope, Threshold)> {
        let of = |group: &Declared| {
            let overlay = profile.and_then(|p| p.groups.iter().find(|(name, _)| *name == group.name));
            overlay.map_or_else(|| group.thresholds.clone(), |(_, thresholds)| thresholds.clone())
        };
        self.groups
            .iter()
            .enumerate()
            .flat_map(|(id, group)| {
                let scope = ThresholdScope::Group(GroupId(id as u32));
                of(group).into_iter().map(move |threshold| (scope, threshold))
            })
            .collect()
    }

    /// Keeps these alone; gives the number that each of them has then.
    pub(super) fn keep(&mut self, kept: &BTreeSet<GroupId>) -> BTreeMap<GroupId, GroupId> {
        let mut at = 0..;
        self.groups.retain(|_| at.next().is_some_and(|id| kept.contains(&GroupId(id))));
        kept.iter().copied().zip((0..).map(GroupId)).collect()
    }

    pub(super) fn into_model(self) -> Vec<Group> {
        self.groups.into_iter().map(|g| Group { name: g.name }).collect()
    }
}

const GROUPS: Expected = Expected {
    what: "a mapping from names to groups",
    remedy: "write `groups: { NAME: { thresholds: [ \"p95 <= 200ms\" ] } }`",
};

impl Reader<'_> {
    /// `groups:` of the plan.
    pub(super) fn groups(&mut self, entry: Option<&Entry>) -> Groups {
        let mut groups = Groups::default();
        let entries = entry.and_then(|e| self.named(&e.value, GROUPS, MAX_GROUPS)).unwrap_or_default();
        for entry in entries {
            self.check_name(&entry.key, entry.key_span);
            let thresholds = self.group_thresholds(entry).unwrap_or_default();
            let (name, place) = (entry.key.clone(), entry.key_span);
            groups.groups.push(Declared { name, place, thresholds, used: false });
        }
        groups
    }

    /// `groups:` of a profile: the thresholds of each group that it names.
    pub(super) fn overlaid_groups(&mut self, entry: &Entry, known: &Groups) -> Vec<(String, Vec<Threshold>)> {
        let entries = self.named(&entry.value, GROUPS, MAX_GROUPS).unwrap_or_default();
        let mut overlay = Vec::new();
        for entry in entries {
            if known.find(&entry.key).is_none() {
                self.unknown_group(&entry.key, entry.key_span, known);
            }
            if let Some(thresholds) = self.group_thresholds(entry) {
                overlay.push((entry.key.clone(), thresholds));
            }
        }
        overlay
    }

    /// `None` without `thresholds:`.
    fn group_thresholds(&mut self, entry: &Entry) -> Option<Vec<Threshold>> {
        let fields = Fields::new(self, &entry.value, entry.key_span, &language::GROUP)?;
        fields.get("thresholds").map(|e| self.thresholds(&e.value))
    }

    /// A list of threshold sentences; those that are wrong are left out.
    pub(super) fn thresholds(&mut self, node: &Node) -> Vec<Threshold> {
        let list = Expected {
            what: "a list of thresholds",
            remedy: "write a list of sentences: `[ \"p95 <= 200ms\", \"success_rate >= 99%\" ]`",
        };
        let sentence = Expected {
            what: "a threshold such as `p95 <= 200ms`",
            remedy: "write `METRIC OP VALUE [critical VALUE] [over WINDOW] [samples N] [abort [after TIME]]`",
        };
        let items = self.list(node, list).unwrap_or_default();
        items.iter().filter_map(|item| self.threshold(item, sentence)).collect()
    }

    fn threshold(&mut self, node: &Node, sentence: Expected) -> Option<Threshold> {
        let threshold = self.parsed(node, sentence, Threshold::parse)?;
        self.sentences.push((node.span, threshold.expression.clone()));
        Some(threshold)
    }

    /// The group that a user class or a request names.
    pub(super) fn group(&mut self, node: &Node, groups: &mut Groups) -> Option<GroupId> {
        let expected = Expected { what: "the name of a group", remedy: "name one of the plan's `groups`" };
        let name = self.text(node, expected)?;
        let found = groups.find(&name);
        if found.is_none() {
            // What it was probably meant to be is not unused as well.
            let close = suggest::closest(&name, groups.names()).first().and_then(|n| groups.find(n));
            if let Some(group) = close {
                groups.mark_used(group);
            }
            self.unknown_group(&name, node.span, groups);
        }
        found
    }

    fn unknown_group(&mut self, name: &str, place: Span, known: &Groups) {
        let otherwise = if known.groups.is_empty() {
            "declare it at the top level: `groups: { NAME: { thresholds: […] } }`"
        } else {
            "declare it under `groups`, or use one of those that are there"
        };
        let remedy = suggest::remedy(name, known.names(), otherwise);
        self.report(Problem::new(place, format!("there is no group {}", shown(name)), remedy));
    }

    /// Reports groups that no request belongs to.
    pub(super) fn unused_groups(&mut self, groups: &Groups) {
        for group in groups.groups.iter().filter(|g| !g.used) {
            let name = shown(&group.name);
            let problem = if group.thresholds.is_empty() {
                format!("no request belongs to group {name}")
            } else {
                format!("no request belongs to group {name}, so its thresholds could never be judged")
            };
            let remedy = format!("give a request or a user class `group: {}`, or remove it", group.name);
            self.report(Problem::new(group.place, problem, remedy));
        }
    }
}

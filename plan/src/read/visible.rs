//! What an expression sees where it stands.

use super::rows::RowName;
use super::saved_names::SavedName;
use crate::chore::ChoreKind;
use crate::diagnostic::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// The variables that a step sees, and what is known about the others.
#[derive(Clone, Debug)]
pub(super) struct Visible<'a> {
    pub(super) place: Place<'a>,
    /// Saved by earlier steps.
    pub(super) saved: BTreeSet<String>,
    /// Saved on the way by some steps that may not have run: where, and why.
    pub(super) partly: BTreeMap<String, (Span, &'static str)>,
    /// Steps that are not read yet may have saved anything.
    pub(super) open_ended: bool,
    /// A step before this one stops the iteration or the user.
    pub(super) ended: bool,
    /// The flow that the step belongs to, and where it is called.
    pub(super) call: Option<(String, Span)>,
    /// The chore that the step belongs to.
    pub(super) chore: Option<ChoreKind>,
    /// Whether the step is within a `repeat`.
    pub(super) repeats: bool,
    /// The rows of the user class.
    pub(super) rows: Rc<[RowName]>,
}

#[derive(Clone, Debug)]
pub(super) enum Place<'a> {
    /// Evaluated once, when the plan is read; secrets only where nobody is told what came out.
    Constant { secrets: bool },
    /// In a step.
    Step { class: &'a str, task: &'a str, index: usize, saves: &'a [SavedName] },
}

impl<'a> Visible<'a> {
    /// Of values that are the same for the whole run.
    pub(super) fn constant() -> Visible<'a> {
        Visible::at(Place::Constant { secrets: false })
    }

    /// Of what the coordinator fills in itself, once, and tells nobody.
    pub(super) fn probe() -> Visible<'a> {
        Visible::at(Place::Constant { secrets: true })
    }

    /// Of the first step of a task.
    pub(super) fn task(class: &'a str, task: &'a str, saves: &'a [SavedName]) -> Visible<'a> {
        Visible::at(Place::Step { class, task, index: 0, saves })
    }

    /// Of the first step of a chore.
    pub(super) fn chore(kind: ChoreKind, saves: &'a [SavedName]) -> Visible<'a> {
        let place = Place::Step { class: "", task: kind.name(), index: 0, saves };
        Visible { chore: Some(kind), ..Visible::at(place) }
    }

    fn at(place: Place<'a>) -> Visible<'a> {
        Visible {
            place,
            saved: BTreeSet::new(),
            partly: BTreeMap::new(),
            open_ended: false,
            ended: false,
            call: None,
            chore: None,
            repeats: false,
            rows: Rc::default(),
        }
    }

    /// Whether an earlier step saved `name`.
    pub(super) fn has_saved(&self, name: &str) -> bool {
        self.saved.contains(name)
    }

    /// With the rows of the user class.
    pub(super) fn with_rows(self, rows: &Rc<[RowName]>) -> Visible<'a> {
        Visible { rows: Rc::clone(rows), ..self }
    }

    /// Lets all further steps see what `on_start` saved.
    pub(super) fn inherit(&mut self, on_start: &Visible<'_>) {
        self.saved.extend(on_start.saved.iter().cloned());
        self.partly.extend(on_start.partly.iter().map(|(name, why)| (name.clone(), *why)));
        self.open_ended |= on_start.open_ended;
    }

    /// Lets all further steps see `names`.
    pub(super) fn save(&mut self, names: impl IntoIterator<Item = String>) {
        self.saved.extend(names);
    }

    pub(super) fn is_constant(&self) -> bool {
        matches!(self.place, Place::Constant { .. })
    }

    /// Goes on to step `index` of the task's own list.
    pub(super) fn at_step(&mut self, step: usize) {
        if let Place::Step { index, .. } = &mut self.place {
            *index = step;
        }
    }

    /// What is known after two ways, of which one was taken: what both saved, unless one of them stops. `why`
    /// a variable of one of them is not, is told at `place`.
    pub(super) fn join(&mut self, one: Visible<'a>, other: Visible<'a>, place: Span, why: &'static str) {
        let ended = one.ended && other.ended;
        let open_ended = one.open_ended || other.open_ended;
        let mut after = match (one.ended, other.ended) {
            (true, false) => other,
            (false, true) => one,
            _ => {
                let mut both = one;
                let only = both.saved.symmetric_difference(&other.saved).cloned();
                both.partly.extend(only.map(|name| (name, (place, why))));
                both.partly.extend(other.partly);
                both.saved = both.saved.intersection(&other.saved).cloned().collect();
                both
            }
        };
        (after.ended, after.open_ended) = (ended, open_ended);
        *self = after;
    }
}

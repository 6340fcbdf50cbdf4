//! `setup` and `teardown`, and what `setup.NAME` may be.

use super::Reader;
use super::fields::Fields;
use super::groups::Groups;
use super::saved_names::{chore_saves, names_saved};
use super::steps::StepPlace;
use super::suggest::{closest, did_you_mean, list};
use super::users::Workload;
use super::variables::{Visible, Wrong, not_a_function, wrong};
use crate::chore::{Chore, ChoreKind, ChoreSeries, DEFAULT_TIMEOUT, MAX_TIMEOUT};
use crate::diagnostic::{Problem, shown};
use crate::model::ClassId;
use crate::template::Variable;
use crate::yaml::Node;
use std::collections::BTreeSet;
use std::time::Duration;

/// What is known of setup's variables at its end.
#[derive(Debug, Default)]
pub(super) struct SetupNames {
    saved: BTreeSet<String>,
    /// Saved on some of the ways through setup.
    partly: BTreeSet<String>,
    /// Setup could not be read: it may have saved anything.
    open_ended: bool,
}

impl SetupNames {
    fn of(visible: &Visible<'_>) -> SetupNames {
        SetupNames {
            saved: visible.saved.clone(),
            partly: visible.partly.keys().cloned().collect(),
            open_ended: visible.open_ended,
        }
    }
}

impl Reader<'_> {
    /// `setup` or `teardown` with its time limit.
    pub(super) fn chore(&mut self, kind: ChoreKind, fields: &Fields<'_>, groups: &Groups) -> Option<Chore> {
        let limit = match kind {
            ChoreKind::Setup => "setup_timeout",
            ChoreKind::Teardown => "teardown_timeout",
        };
        let timeout = fields.get(limit).map(|entry| (entry, self.chore_timeout(&entry.value)));
        let Some(entry) = fields.get(kind.name()) else {
            if let Some((entry, _)) = timeout {
                let problem = format!("`{limit}` limits nothing: the plan has no `{}`", kind.name());
                self.report(Problem::new(entry.key_span, problem, "remove it"));
            }
            return None;
        };
        // Its requests belong to no group, and its thresholds judge nothing.
        let (mut groups, mut workload) = (groups.clone(), Workload::empty());
        let saves = chore_saves(&entry.value, kind);
        let setup_saves = fields.get("setup").map(|e| chore_saves(&e.value, ChoreKind::Setup));
        let saves = match kind {
            ChoreKind::Setup => saves,
            ChoreKind::Teardown => [saves, setup_saves.unwrap_or_default()].concat(),
        };
        let mut visible = Visible::chore(kind, &saves);
        let place = StepPlace {
            class: ClassId(0),
            group: None,
            task: kind.name(),
            chore: Some(kind),
            depth: 0,
            call: None,
            conversation: None,
        };
        let steps = self.steps(entry, &place, &mut visible, &mut groups, &mut workload);
        if kind == ChoreKind::Setup {
            let names = SetupNames::of(&visible);
            self.setup = Some(SetupNames { open_ended: names.open_ended || steps.is_none(), ..names });
        }
        let series = workload.series.into_iter();
        let series = series.map(|series| ChoreSeries { name: series.name, kind: series.kind }).collect();
        let timeout = timeout.map_or(Some(DEFAULT_TIMEOUT), |(_, timeout)| timeout);
        let connection = self.http.settings();
        Some(Chore { steps: steps?, timeout: timeout?, connection, series })
    }

    /// What setup will have saved, by its text: for what is read before it.
    pub(super) fn foresee_setup(&mut self, setup: &Node) {
        let mut saved = BTreeSet::new();
        names_saved(setup, &|name| self.flow_named(name), &mut BTreeSet::new(), &mut saved);
        self.setup = Some(SetupNames { saved, ..SetupNames::default() });
    }

    fn chore_timeout(&mut self, node: &Node) -> Option<Duration> {
        let timeout = self.positive_duration(node)?;
        if timeout > MAX_TIMEOUT {
            self.report(Problem::new(node.span, "longer than 24 hours", "choose at most `24h`"));
            return None;
        }
        Some(timeout)
    }

    /// Reports what only requests of users can have. In a flow it is ignored: users may call that too.
    pub(super) fn refuse_measuring(
        &mut self,
        fields: &Fields<'_>,
        verb: Option<&str>,
        place: &StepPlace<'_>,
    ) {
        let Some(kind) = place.chore.filter(|_| place.call.is_none()) else { return };
        let name = kind.name();
        let of_group = fields.get("group").filter(|_| verb != Some("group"));
        for entry in of_group.into_iter().chain(fields.get("thresholds")) {
            let problem = format!("{} in {name}, which is not measured", shown(&entry.key));
            let remedy = "remove it; `expect` says what a good response is";
            self.report(Problem::new(entry.key_span, problem, remedy));
        }
    }

    /// Reports `thresholds` of a part of a chore's step.
    pub(super) fn refuse_thresholds(&mut self, fields: &Fields<'_>, place: &StepPlace<'_>) {
        let (Some(kind), Some(entry)) = (place.chore, fields.get("thresholds")) else { return };
        let problem = format!("`thresholds` in {}, which is not measured", kind.name());
        let remedy = "remove it; `expect` says what a good message is";
        self.report(Problem::new(entry.key_span, problem, remedy));
    }

    /// Whether `setup.NAME` has a value where it stands.
    pub(super) fn check_setup(&self, variable: &Variable, visible: &Visible<'_>) -> Result<(), Wrong> {
        let own;
        let names = match (visible.chore, &self.setup) {
            (Some(ChoreKind::Setup), _) => {
                own = SetupNames::of(visible);
                &own
            }
            (_, Some(names)) => names,
            (_, None) => {
                return wrong(
                    "`setup` is not defined here: the plan has no `setup`",
                    "add `setup: [ { post: /seed, save: { NAME: $.name } } ]`, or use a saved variable",
                );
            }
        };
        let Some(name) = variable.path.get(1) else {
            return wrong("`setup` stands for all that setup saves", "name one: `setup.NAME`");
        };
        let full = format!("setup.{name}");
        if variable.called && variable.path.len() == 2 {
            return not_a_function(&full);
        }
        if names.saved.contains(name) || names.open_ended {
            return Ok(());
        }
        if names.partly.contains(name) {
            return wrong(
                format!("{} may have no value: only some of the ways through setup save it", shown(&full)),
                "`save` or `set` it on every way, for instance with `set` before the branches",
            );
        }
        let close = closest(name, names.saved.iter().map(String::as_str));
        let remedy = if !close.is_empty() {
            let close: Vec<String> = close.iter().map(|name| format!("setup.{name}")).collect();
            did_you_mean(&close.iter().map(String::as_str).collect::<Vec<_>>())
        } else if visible.chore == Some(ChoreKind::Setup) {
            "`save` or `set` it in an earlier step".to_owned()
        } else if names.saved.is_empty() {
            "`save` or `set` it in setup, which saves nothing".to_owned()
        } else {
            format!(
                "`save` or `set` it in setup, which saves {}",
                list(names.saved.iter().map(String::as_str))
            )
        };
        wrong(format!("there is no {}", shown(&full)), remedy)
    }
}

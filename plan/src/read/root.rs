//! The top level of the plan.

use super::Reader;
use super::fields::Fields;
use super::flags::known_profile;
use super::groups::Groups;
use super::load::Course;
use super::saved_names::saved_names;
use super::suggest;
use super::users::Workload;
use super::value::Expected;
use super::variables::Visible;
use crate::chore::ChoreKind;
use crate::diagnostic::{Problem, Span, shown};
use crate::language;
use crate::model::{Plan, ThresholdScope, UserClass};
use crate::params::Params;
use crate::slot::{Classes, Share};
use crate::wait::Wait;
use crate::yaml::{Entry, Kind, Node};
use std::sync::Arc;

/// Most thresholds of a plan.
const MAX_THRESHOLDS: usize = 2000;

impl<'s> Reader<'s> {
    /// Reads the whole plan. `None` only after something was reported.
    pub(super) fn plan(&mut self, root: &Node) -> Option<Plan> {
        let top = Span { start: root.span.start, end: root.span.start };
        let fields = Fields::new(self, root, top, &language::PLAN)?;
        self.version(&fields);
        let name = self.required(&fields, "name", "name: My API").and_then(|entry| {
            let expected = Expected { what: "text", remedy: "write the name in quotes" };
            self.name(&entry.value, expected)
        });
        let params = self.params(fields.get("params"), fields.get("profiles"), fields.place);
        let target = self.target(&fields);
        let agent_hour = self.agent_hour(fields.get("cost"));
        let mut groups = self.groups(fields.get("groups"));
        let plan_thresholds = fields.get("thresholds").map(|e| self.thresholds(&e.value)).unwrap_or_default();
        let profiles = self.profiles(fields.get("profiles"), &groups);
        let chosen = self.chosen_profile(&fields);
        let base = fields.get("load").and_then(|entry| self.load(&entry.value, entry.key_span));
        let load = self.final_load(&fields, base, &profiles, chosen);
        self.data(fields.get("data"));
        self.flows(fields.get("flows"));
        self.plan_http(&fields);
        let setup = self.chore(ChoreKind::Setup, &fields, &groups);
        let workload = self.workload(&fields, &mut groups);
        let teardown = self.chore(ChoreKind::Teardown, &fields, &groups);
        let probes = self.observe(fields.get("observe"), target.as_ref());
        self.unused_flows();
        self.unused_data();
        self.unused_groups(&groups);

        let mut thresholds = Vec::new();
        let chosen = chosen.and_then(|name| profiles.iter().find(|p| p.name == name));
        thresholds.extend(
            chosen
                .and_then(|p| p.thresholds.clone())
                .unwrap_or(plan_thresholds)
                .into_iter()
                .map(|t| (ThresholdScope::Plan, t)),
        );
        thresholds.extend(groups.thresholds(chosen));
        let mut workload = workload?;
        thresholds.extend(std::mem::take(&mut workload.thresholds));
        self.drop_empty_groups(&mut groups, &mut workload.series, &mut thresholds);
        self.at_most(thresholds.len(), MAX_THRESHOLDS, "all `thresholds` together", top);
        let load = load?;
        let probes = self.reachable_figures(probes, &load);
        let Course { schedule, arrivals, stop_timeout, warmup, iterations } = load;
        self.judging(&thresholds, schedule.end().saturating_sub(warmup), top);
        self.enough_classes(&fields, &workload.slots, schedule.max_users())?;
        let users = schedule.max_users();
        self.share_rows(&mut workload.classes, &workload.data_places, &workload.slots, users)?;
        if arrivals.is_some() {
            self.unused_waits(&fields, &workload.classes);
        }
        Some(Plan {
            name: name?,
            profile: self.settings.profile.clone(),
            target: target?,
            seed: self.settings.seed,
            params: self.with_used_secrets(params),
            schedule,
            arrivals,
            stop_timeout,
            warmup,
            iterations,
            agent_hour,
            groups: groups.into_model(),
            thresholds: thresholds
                .into_iter()
                .map(|(scope, threshold)| crate::model::ScopedThreshold { scope, threshold })
                .collect(),
            classes: workload.classes,
            slots: workload.slots,
            series: workload.series,
            setup,
            teardown,
            probes,
            data: self.data_sources(),
            selection: std::mem::take(&mut self.selection),
            env_used: std::mem::take(&mut self.env_used),
            warnings: Vec::new(),
        })
    }

    fn with_used_secrets(&self, mut params: Arc<Params>) -> Arc<Params> {
        Arc::make_mut(&mut params).retain_secrets(&self.secrets_used);
        params
    }

    fn version(&mut self, fields: &Fields<'_>) {
        let Some(entry) = self.required(fields, "version", "version: 1") else { return };
        let other = entry.value.scalar().filter(|s| matches!(s.kind(), Kind::Integer(n) if n != 1));
        if let Some(scalar) = other {
            let problem =
                format!("this version of Muster reads plans of version 1, not {}", shown(&scalar.text));
            self.report(Problem::new(entry.value.span, problem, "write `version: 1`, or use a newer Muster"));
        } else {
            self.integer(&entry.value, 1, 1);
        }
    }

    /// The entry of a key that has to be there.
    pub(super) fn required<'n>(
        &mut self,
        fields: &Fields<'n>,
        key: &'static str,
        example: &str,
    ) -> Option<&'n Entry> {
        let entry = fields.get(key);
        if entry.is_none() {
            let problem = format!("`{key}` is missing");
            self.report(Problem::new(fields.place, problem, format!("add `{example}`")));
        }
        entry
    }

    /// The profile of the settings, if the plan has it.
    fn chosen_profile(&mut self, fields: &Fields<'_>) -> Option<&'s str> {
        let settings = self.settings;
        let name = settings.profile.as_deref()?;
        let entry = fields.get("profiles");
        let known: &[Entry] = match entry.map(|e| &e.value.value) {
            Some(crate::yaml::Value::Mapping(entries)) => entries,
            _ => &[],
        };
        let Err((problem, remedy)) = known_profile(name, known) else { return Some(name) };
        self.report(Problem::new(entry.map_or(fields.place, |e| e.key_span), problem, remedy));
        None
    }

    /// Reports users that no class is left for.
    fn enough_classes(&mut self, fields: &Fields<'_>, slots: &Classes, users: u32) -> Option<()> {
        let Some(limit) = slots.limit().filter(|&limit| users > limit) else { return Some(()) };
        let problem = format!("the load has {users} users, and the user classes, all `fixed`, only {limit}");
        let remedy = if self.selection.filter.is_empty() {
            "give one of them a `weight`, to take the rest, or ask for fewer users".to_owned()
        } else {
            format!(
                "{} leave these; give one of them a `weight`, or ask for fewer users",
                self.selection.filter
            )
        };
        self.report(Problem::new(fields.get("users")?.key_span, problem, remedy));
        None
    }

    /// The plan's own `http:`, which may read what setup saves.
    fn plan_http(&mut self, fields: &Fields<'_>) {
        let setup = fields.get("setup").map(|e| &e.value);
        if let Some(setup) = setup {
            self.foresee_setup(setup);
        }
        let saves = fields.get("users").map(|e| saved_names(&e.value, setup)).unwrap_or_default();
        self.http = self.http(fields.get("http"), &Visible::task("", "", &saves));
    }

    /// Warns of waits in an open load. They are no errors: other profiles may need them.
    fn unused_waits(&mut self, fields: &Fields<'_>, classes: &[UserClass]) {
        let waiting: Vec<&str> = classes
            .iter()
            .filter(|class| class.wait != Wait::None)
            .map(|class| class.name.as_str())
            .collect();
        if let (Some(entry), false) = (fields.get("users"), waiting.is_empty()) {
            let problem = format!("`wait` is not used in a load of `arrivals`: {}", suggest::list(waiting));
            let remedy = "keep it for loads of `users`, or remove it";
            self.warnings.push(Problem::new(entry.key_span, problem, remedy));
        }
    }

    fn workload(&mut self, fields: &Fields<'_>, groups: &mut Groups) -> Option<Workload> {
        let example = "users: { Visitor: { tasks: { home: { get: / } } } }";
        let entry = self.required(fields, "users", example)?;
        let saves = saved_names(&entry.value, fields.get("setup").map(|e| &e.value));
        let mut workload = self.users(entry, groups, &saves)?;
        let shares: Vec<Share> = workload.classes.iter().map(|c| c.share).collect();
        let Some(slots) = Classes::shared(&shares) else {
            if !self.problems.is_empty() {
                return None;
            }
            let problem = format!(
                "the weights (or the fixed numbers) of the user classes share so little that their order repeats \
                 only after more than {} users",
                Classes::MAX_PERIOD
            );
            self.report(Problem::new(entry.key_span, problem, "use smaller or rounder numbers"));
            return None;
        };
        workload.slots = slots;
        Some(workload)
    }
}

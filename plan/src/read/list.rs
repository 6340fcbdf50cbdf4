//! Lists of steps, and which kind of step each is.

use super::Reader;
use super::fields::Fields;
use super::groups::Groups;
use super::steps::StepPlace;
use super::suggest::list;
use super::users::{Workload, method};
use super::value::Expected;
use super::variables::{ON_START, Visible};
use crate::diagnostic::{Problem, shown};
use crate::language::{FLOW_KEYS, FLOW_VERBS, MESSAGE_VERBS, METHODS, SEND_KEYS};
use crate::model::Step;
use crate::yaml::Entry;

/// Most steps of one list.
const MAX_STEPS: usize = 1000;
/// Deepest nesting of steps in steps, through flows as well.
const MAX_DEPTH: u32 = 16;

impl Reader<'_> {
    /// A list of steps under any key.
    pub(super) fn steps(
        &mut self,
        entry: &Entry,
        place: &StepPlace<'_>,
        visible: &mut Visible<'_>,
        groups: &mut Groups,
        workload: &mut Workload,
    ) -> Option<Vec<Step>> {
        let expected =
            Expected { what: "a list of steps", remedy: "write a list: `- get: /` on a line for each step" };
        let items = self.list(&entry.value, expected)?;
        if items.is_empty() {
            let remedy = match entry.key.as_str() {
                ON_START | "else" | "setup" | "teardown" => format!("add a step, or remove `{}`", entry.key),
                "messages" => "add a step: `[ { receive: {} } ]`".into(),
                _ => "add a step: `[ { get: / } ]`".into(),
            };
            self.report(Problem::new(entry.key_span, "there is no step", remedy));
            return None;
        }
        if !self.at_most(items.len(), MAX_STEPS, "a list of steps", entry.key_span) {
            return None;
        }
        if place.depth > MAX_DEPTH {
            let problem = format!("steps within steps, {} deep; the limit is {MAX_DEPTH}", place.depth);
            let remedy = "use fewer `if`, `repeat`, `group` and `call` within each other";
            self.report(Problem::new(entry.key_span, problem, remedy));
            visible.open_ended = true;
            return None;
        }
        let mut steps = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            if visible.ended {
                let remedy = "remove what comes after, or put the `stop` into an `if`";
                self.report(Problem::new(
                    item.span,
                    "this step is never reached: one before it stops",
                    remedy,
                ));
                break;
            }
            if place.depth == 0 {
                visible.at_step(index);
            }
            if place.call.is_some() && !self.may_call_step(entry.key_span, workload) {
                visible.open_ended = true;
                return None;
            }
            let step = Fields::new(self, item, item.span, place.table())
                .and_then(|fields| self.any_step(&fields, place, visible, groups, workload));
            steps.push(step);
        }
        steps.into_iter().collect()
    }

    /// One step, by its verb.
    pub(super) fn any_step(
        &mut self,
        fields: &Fields<'_>,
        place: &StepPlace<'_>,
        visible: &mut Visible<'_>,
        groups: &mut Groups,
        workload: &mut Workload,
    ) -> Option<Step> {
        let mut verbs = fields.among(METHODS);
        for (verb, _) in FLOW_VERBS.iter().filter(|(verb, _)| *verb != "group") {
            verbs.extend(fields.get(verb).map(|entry| (*verb, entry)));
        }
        if let (true, Some(group), Some(_)) = (verbs.is_empty(), fields.get("group"), fields.get("steps")) {
            verbs.push(("group", group));
        }
        if place.conversation.is_some() {
            verbs.extend(fields.among(MESSAGE_VERBS));
        }
        verbs.sort_by_key(|(_, entry)| entry.key_span.start);
        if let [first, second, ..] = verbs[..] {
            let problem = format!("`{}` beside `{}`: a step does one thing", second.0, first.0);
            self.report(
                Problem::new(second.1.key_span, problem, "make two steps of it")
                    .related(first.1.key_span, "the step's verb"),
            );
        }
        let verb = match verbs[..] {
            [verb] => Some(verb),
            [] if !fields.beyond => {
                let known = METHODS.iter().copied().chain(FLOW_VERBS.iter().map(|(verb, _)| *verb));
                let messages = place.conversation.map_or(&[][..], |_| MESSAGE_VERBS);
                let known = messages.iter().copied().chain(known);
                let remedy = match fields.unknown("url").or_else(|| fields.unknown("path")) {
                    Some(url) => match url.value.scalar() {
                        Some(url) => format!(
                            "write the method and the URL in one: `get: {}`",
                            crate::template::escaped(&url.text, 60)
                        ),
                        None => "write the method and the URL in one: `get: /path`".to_owned(),
                    },
                    None => format!("begin it with one of {}", list(known)),
                };
                self.report(Problem::new(fields.place, "a step without a verb", remedy));
                None
            }
            _ => None,
        };
        self.refuse_measuring(fields, verb.map(|(verb, _)| verb), place);
        if let Some((verb, entry, conversation)) = verb.and_then(|(verb, entry)| {
            let verb = MESSAGE_VERBS.iter().find(|known| **known == verb)?;
            Some((*verb, entry, place.conversation?))
        }) {
            let what = format!("a `{verb}` step");
            let beside = if verb.starts_with("send") { SEND_KEYS } else { &[] };
            let keys = [&[verb], beside].concat();
            self.refuse_keys(fields, |key| keys.contains(&key), &what, Some(&keys));
            return self.message(fields, (verb, entry), conversation, place, visible, workload);
        }
        let flow_keys = verb.and_then(|(verb, _)| FLOW_VERBS.iter().find(|(known, _)| *known == verb));
        let Some((verb, entry)) = verb.filter(|_| flow_keys.is_some()) else {
            let request = verb.and_then(|(verb, entry)| Some((method(verb)?, entry)));
            if request.is_some() {
                self.refuse_keys(fields, |key| !FLOW_KEYS.contains(&key), "a request", None);
            }
            return self.step(fields, request, place, visible, groups, workload);
        };
        let keys = flow_keys.map_or(&[][..], |(_, keys)| keys);
        let what = format!("a `{verb}` step");
        self.refuse_keys(
            fields,
            |key| ["weight", "tags"].contains(&key) || keys.contains(&key),
            &what,
            Some(keys),
        );
        match verb {
            "think" => self.think(entry),
            "set" => self.set(entry, place, visible, workload),
            "if" => self.branches(fields, entry, place, visible, groups, workload),
            "repeat" => self.repeat(fields, entry, place, visible, groups, workload),
            "call" => self.call(entry, place, visible, groups, workload),
            "stop" => self.stop(entry, place, visible),
            "poll" => self.poll(fields, entry, place, visible, groups, workload),
            "websocket" => self.websocket(fields, entry, place, visible, groups, workload),
            _ => self.transaction(fields, entry, place, visible, groups, workload),
        }
    }

    /// Reports the keys of `fields` that a step like this one, `what`, does not have.
    fn refuse_keys(
        &mut self,
        fields: &Fields<'_>,
        has: impl Fn(&str) -> bool,
        what: &str,
        keys: Option<&[&str]>,
    ) {
        for (key, entry) in fields.all().filter(|(key, _)| !has(key)) {
            let owners = FLOW_VERBS.iter().filter(|(_, keys)| keys.contains(&key)).map(|(verb, _)| *verb);
            let owners = owners.chain(SEND_KEYS.contains(&key).then_some("send"));
            let remedy = match keys {
                Some(keys) => format!("remove it; the keys of {what} are {}", list(keys.iter().copied())),
                None => format!("remove it; {} belongs to {}", shown(key), list(owners)),
            };
            self.report(Problem::new(entry.key_span, format!("{} in {what}", shown(key)), remedy));
        }
    }
}

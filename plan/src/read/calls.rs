//! `flows`, and the steps that call them.
//!
//! A flow is read anew at each call, with the variables that are visible there and for the task that calls it:
//! its requests feed that task's series, and what it saves is visible after the call.

use super::Reader;
use super::fields::Fields;
use super::groups::Groups;
use super::saved_names::flow_saves;
use super::steps::StepPlace;
use super::suggest::{closest, remedy};
use super::users::Workload;
use super::value::Expected;
use super::variables::Visible;
use crate::diagnostic::{Problem, Span, shown};
use crate::language;
use crate::model::Step;
use crate::yaml::{Entry, Node};
use std::rc::Rc;

/// Most flows of a plan.
const MAX_FLOWS: usize = 500;
/// Most steps that all calls of a plan come to: flows that call flows multiply.
const MAX_CALLED_STEPS: u32 = 20_000;

/// One of `flows`.
#[derive(Debug)]
pub(super) struct Flow {
    entry: Rc<Entry>,
    called: bool,
}

impl Flow {
    /// Whether one of its steps saves `name`.
    pub(super) fn saves(&self, name: &str) -> bool {
        flow_saves(&self.entry.value, name)
    }
}

/// A call that is being read, and the one around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    name: &'a str,
    outer: Option<&'a Call<'a>>,
}

impl Call<'_> {
    /// From the outermost in.
    fn names(&self) -> Vec<&str> {
        let mut names = self.outer.map(Call::names).unwrap_or_default();
        names.push(self.name);
        names
    }
}

impl Reader<'_> {
    /// `flows:`; their steps are read where they are called.
    pub(super) fn flows(&mut self, entry: Option<&Entry>) {
        let expected = Expected {
            what: "a mapping from names to flows",
            remedy: "write `flows: { login: { steps: [ { post: /login } ] } }`",
        };
        let entries = entry.and_then(|e| self.named(&e.value, expected, MAX_FLOWS)).unwrap_or_default();
        for entry in entries {
            self.check_name(&entry.key, entry.key_span);
            self.flows.push(Flow { entry: Rc::new(entry.clone()), called: false });
        }
    }

    /// The mapping of a flow.
    pub(super) fn flow_named(&self, name: &str) -> Option<&Node> {
        self.flows.iter().find(|flow| flow.entry.key == name).map(|flow| &flow.entry.value)
    }

    /// Reports flows that nothing calls.
    pub(super) fn unused_flows(&mut self) {
        for flow in std::mem::take(&mut self.flows).iter().filter(|flow| !flow.called) {
            let problem = format!("flow {} is never called", shown(&flow.entry.key));
            let remedy = format!("call it: `- call: {}`, or remove it", flow.entry.key);
            self.report(Problem::new(flow.entry.key_span, problem, remedy));
        }
    }

    pub(super) fn call(
        &mut self,
        entry: &Entry,
        place: &StepPlace<'_>,
        visible: &mut Visible<'_>,
        groups: &mut Groups,
        workload: &mut Workload,
    ) -> Option<Step> {
        let Some(flow) = self.flow_of(entry, place.call) else {
            // Nobody knows what it would have saved.
            visible.open_ended = true;
            return None;
        };
        let fields = Fields::new(self, &flow.value, flow.key_span, &language::FLOW)?;
        let steps = self.required(&fields, "steps", "steps: [ { get: / } ]")?;
        let call = Call { name: &flow.key, outer: place.call };
        let inner = StepPlace { depth: place.depth + 1, call: Some(&call), ..*place };
        let outer = visible.call.replace((flow.key.clone(), entry.value.span));
        let steps = self.steps(steps, &inner, visible, groups, workload);
        visible.call = outer;
        steps.map(Step::Call)
    }

    /// The flow that `entry` names, if it may be called within `calls`.
    fn flow_of(&mut self, entry: &Entry, calls: Option<&Call<'_>>) -> Option<Rc<Entry>> {
        let expected = Expected { what: "the name of a flow", remedy: "name one of the plan's `flows`" };
        let name = self.text(&entry.value, expected)?;
        let span = entry.value.span;
        let names: Vec<String> = self.flows.iter().map(|f| f.entry.key.clone()).collect();
        let known = || names.iter().map(String::as_str);
        let Some(at) = known().position(|n| n == name) else {
            // What it was probably meant to be is not unused as well.
            let close = closest(&name, known()).first().and_then(|n| known().position(|k| k == *n));
            if let Some(at) = close {
                self.flows[at].called = true;
            }
            let otherwise = if names.is_empty() {
                "declare it at the top level: `flows: { NAME: { steps: […] } }`"
            } else {
                "the flows are"
            };
            let remedy = remedy(&name, known(), otherwise);
            self.report(Problem::new(span, format!("there is no flow {}", shown(&name)), remedy));
            return None;
        };
        self.flows[at].called = true;
        let calls = calls.map(Call::names).unwrap_or_default();
        if let Some(first) = calls.iter().position(|n| *n == name) {
            let cycle: Vec<&str> = calls[first..].iter().copied().chain([name.as_str()]).collect();
            let problem = format!("flow {} calls itself: {}", shown(&name), cycle.join(" -> "));
            let remedy = "use `repeat`, or remove one of the calls";
            self.report(
                Problem::new(span, problem, remedy).related(self.flows[at].entry.key_span, "the flow"),
            );
            return None;
        }
        Some(Rc::clone(&self.flows[at].entry))
    }

    /// Counts a step of a flow; `false`, and reported once, when they are too many.
    pub(super) fn may_call_step(&mut self, at: Span, workload: &mut Workload) -> bool {
        workload.called_steps = workload.called_steps.saturating_add(1);
        if workload.called_steps == MAX_CALLED_STEPS + 1 {
            let problem = format!(
                "the calls of flows come to more than {MAX_CALLED_STEPS} steps; flows that call flows multiply"
            );
            self.report(Problem::new(at, problem, "call fewer flows, or use `repeat`"));
        }
        workload.called_steps <= MAX_CALLED_STEPS
    }
}

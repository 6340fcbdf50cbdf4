//! Where variables come from and who uses them.

use metrics::SeriesId;
use plan::Plan;
use plan::flow::Count;
use plan::model::{Body, Part, Request, Step};
use plan::template::{Expression, Template};
use plan::websocket::{Message, Payload, Wanted};
use std::collections::BTreeMap;

/// Who has what setup saves.
const ALL: &str = "(all)";

/// One variable that a `save` or `set` of a plan gives a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedVariable {
    /// The variable.
    pub name: String,
    /// The user class whose users have it; `(all)` for what setup saves, `-` for what only teardown has.
    pub class: String,
    /// The step that saves it: task, number from 1 (`2.1` is the first within the second), request.
    pub saved_by: String,
    /// The steps that use this very value.
    pub used_by: Vec<String>,
}

/// Every `save` and `set` in plan order.
pub fn saved_variables(plan: &Plan) -> Vec<SavedVariable> {
    let mut found = Vec::new();
    let mut of_setup = Savers::new();
    if let Some(chore) = &plan.setup {
        let series = chore.series.iter().map(|series| series.name.as_str()).collect();
        let mut trace = Trace { series, class: ALL, task: "setup", setup: None, found: &mut found };
        trace.steps("", &chore.steps, &mut of_setup);
    }
    for class in &plan.classes {
        let series = plan.series.iter().map(|series| series.name.as_str()).collect();
        let setup = Some(&of_setup);
        let mut trace = Trace { series, class: &class.name, task: "on_start", setup, found: &mut found };
        let mut of_user = Savers::new();
        trace.steps("", &class.on_start, &mut of_user);
        for task in &class.tasks {
            trace.task = &task.name;
            // What a task saves ends with its iteration.
            trace.steps("", &task.steps, &mut of_user.clone());
        }
    }
    if let Some(chore) = &plan.teardown {
        let series = chore.series.iter().map(|series| series.name.as_str()).collect();
        let setup = Some(&of_setup);
        let mut trace = Trace { series, class: "-", task: "teardown", setup, found: &mut found };
        trace.steps("", &chore.steps, &mut Savers::new());
    }
    found
}

/// Who may have saved the present value of each variable, as indices of what was found.
type Savers<'p> = BTreeMap<&'p str, Vec<usize>>;

/// Follows the steps of one task.
struct Trace<'p, 'f> {
    /// The names of the series that the steps feed.
    series: Vec<&'p str>,
    class: &'p str,
    task: &'p str,
    /// Who saves each `setup.NAME`; `None` in setup itself, where it is what is visible.
    setup: Option<&'f Savers<'p>>,
    found: &'f mut Vec<SavedVariable>,
}

impl<'p> Trace<'p, '_> {
    /// `parent` is the number of the step around them, with a dot.
    fn steps(&mut self, parent: &str, steps: &'p [Step], visible: &mut Savers<'p>) {
        for (number, step) in (1..).zip(steps) {
            self.step(&format!("{parent}{number}"), step, visible);
        }
    }

    fn step(&mut self, number: &str, step: &'p Step, visible: &mut Savers<'p>) {
        let inner = format!("{number}.");
        match step {
            Step::Request(request) => {
                let place = self.place(number, self.name(request.series));
                self.uses(&place, expressions(request), visible);
                self.saves(&place, request.save.iter().map(|save| save.name.as_str()), visible);
            }
            Step::Poll(poll) => {
                let place = self.place(number, self.name(poll.request.series));
                let mut read = expressions(&poll.request);
                read.push(&poll.until);
                read.extend(&poll.fail_if);
                self.uses(&place, read, visible);
                self.saves(&place, poll.save.iter().map(|save| save.name.as_str()), visible);
            }
            Step::Set(set) => {
                let place = self.place(number, "set");
                let read = set.variables.iter().flat_map(|(_, value)| value.expressions()).collect();
                self.uses(&place, read, visible);
                self.saves(&place, set.variables.iter().map(|(name, _)| name.as_str()), visible);
            }
            Step::If(branches) => {
                self.uses(&self.place(number, "if"), vec![&branches.condition], visible);
                let mut otherwise = visible.clone();
                self.steps(&inner, &branches.then, visible);
                self.steps(&format!("{number}.else."), &branches.otherwise, &mut otherwise);
                join(visible, otherwise);
            }
            Step::Repeat(repeat) => {
                let before = match &repeat.count {
                    Count::Fixed(_) => None,
                    Count::Computed(count) => {
                        self.uses(&self.place(number, "repeat"), vec![count], visible);
                        Some(visible.clone())
                    }
                };
                self.steps(&inner, &repeat.steps, visible);
                // A later round sees what an earlier one saved.
                self.steps(&inner, &repeat.steps, &mut visible.clone());
                join(visible, before.unwrap_or_default());
            }
            Step::Transaction(transaction) => self.steps(&inner, &transaction.steps, visible),
            Step::Call(steps) => self.steps(&inner, steps, visible),
            Step::WebSocket(socket) => {
                let place = self.place(number, self.name(socket.request.series));
                let mut read = expressions(&socket.request);
                read.extend(socket.isolation.iter().flat_map(|isolation| isolation.only.expressions()));
                self.uses(&place, read, visible);
                self.steps(&inner, &socket.steps, visible);
            }
            Step::Message(message) => self.message(number, message, visible),
            _ => {}
        }
    }

    fn message(&mut self, number: &str, message: &'p Message, visible: &mut Savers<'p>) {
        match message {
            Message::Send(send) => {
                let read = match &send.payload {
                    Payload::Json(value) => value.expressions(),
                    Payload::Text(text) | Payload::Binary(text) => text.expressions().collect(),
                };
                self.uses(&self.place(number, "send"), read, visible);
            }
            Message::Receive(receive) => {
                let place = self.place(number, self.name(receive.series));
                let until = if let Wanted::Until(until) = &receive.wanted { Some(until) } else { None };
                let mut read: Vec<&Expression> = until.into_iter().chain(&receive.fail_if).collect();
                read.extend(&receive.expect.that);
                read.extend(receive.expect.json.iter().flat_map(|(_, value)| value.expressions()));
                self.uses(&place, read, visible);
                self.saves(&place, receive.save.iter().map(|save| save.name.as_str()), visible);
            }
            Message::Ping(_) => {}
            Message::Close(close) => {
                self.uses(&self.place(number, "close"), close.reason.expressions().collect(), visible);
            }
        }
    }

    fn name(&self, series: SeriesId) -> &'p str {
        self.series[series.0 as usize]
    }

    fn place(&self, number: &str, what: &str) -> String {
        format!("{} {number}: {what}", self.task)
    }

    /// Takes note that the step at `place` reads what `expressions` name.
    fn uses(&mut self, place: &str, expressions: Vec<&Expression>, visible: &Savers<'_>) {
        for variable in expressions.into_iter().flat_map(Expression::variables) {
            let savers = match (variable.path.as_slice(), self.setup) {
                ([root, name, ..], Some(of_setup)) if root == "setup" => of_setup.get(name.as_str()),
                ([root, name, ..], None) if root == "setup" => visible.get(name.as_str()),
                ([name, ..], _) => visible.get(name.as_str()),
                ([], _) => None,
            };
            for &saver in savers.into_iter().flatten() {
                let variable = &mut self.found[saver];
                let of_users = variable.class == ALL && ![ALL, "-"].contains(&self.class);
                let place = if of_users { format!("{} {place}", self.class) } else { place.to_owned() };
                if !variable.used_by.contains(&place) {
                    variable.used_by.push(place);
                }
            }
        }
    }

    /// Takes note that the step at `place` saves `names`.
    fn saves(&mut self, place: &str, names: impl Iterator<Item = &'p str>, visible: &mut Savers<'p>) {
        for name in names {
            let same = |v: &SavedVariable| v.name == name && v.saved_by == place && v.class == self.class;
            let saver = self.found.iter().position(same).unwrap_or_else(|| {
                self.found.push(SavedVariable {
                    name: name.to_owned(),
                    class: self.class.to_owned(),
                    saved_by: place.to_owned(),
                    used_by: Vec::new(),
                });
                self.found.len() - 1
            });
            visible.insert(name, vec![saver]);
        }
    }
}

/// Lets `visible` come from either of two ways.
fn join<'p>(visible: &mut Savers<'p>, other: Savers<'p>) {
    for (name, savers) in other {
        let known = visible.entry(name).or_default();
        for saver in savers {
            if !known.contains(&saver) {
                known.push(saver);
            }
        }
    }
}

/// Every expression of a request and its checks.
fn expressions(request: &Request) -> Vec<&Expression> {
    fn pairs(pairs: &[(String, Template)]) -> impl Iterator<Item = &Template> {
        pairs.iter().map(|(_, value)| value)
    }
    let mut templates = vec![&request.url];
    templates.extend(pairs(&request.query));
    templates.extend(pairs(&request.headers));
    let mut found = Vec::new();
    match &request.body {
        Body::Empty => {}
        Body::Json(value) => found.extend(value.expressions()),
        Body::Form(fields) => templates.extend(pairs(fields)),
        Body::Multipart(parts) => templates.extend(parts.iter().flat_map(Part::templates)),
        Body::Text(text) => templates.push(text),
    }
    templates.extend(request.settings.auth.iter().flat_map(|sent| sent.auth.templates()));
    found.extend(templates.into_iter().flat_map(Template::expressions));
    found.extend(request.expect.json.iter().flat_map(|(_, value)| value.expressions()));
    found.extend(&request.expect.that);
    found
}

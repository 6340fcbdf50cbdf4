//! Which names an expression may use where it stands.

use super::Reader;
use super::rows::{check_row, no_row};
use super::saved_names::SavedName;
use super::suggest::{closest, did_you_mean, list, remedy};
use super::visible::Place;
pub(super) use super::visible::Visible;
use crate::Secrets;
use crate::diagnostic::{Problem, shown};
use crate::scope::{MESSAGE_NAMES, NAMESPACES, RESPONSE_NAMES};
use crate::template::{EvalError, Expression, Variable, fake_functions, known_functions};
use crate::yaml::Node;

/// Words of the expression language.
const KEYWORDS: &[&str] = &[
    "true", "false", "none", "True", "False", "None", "and", "or", "not", "in", "is", "if", "else", "loop",
    "self",
];

/// The task name of steps in `on_start`.
pub(super) const ON_START: &str = "on_start";

/// What is being filled in or checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// A request: there is no response yet.
    Request,
    /// A check of the response.
    Response,
    /// What a `receive` says of a message.
    Message,
}

impl Reader<'_> {
    /// Reports names that mean nothing where `expression` stands; gives whether there were none.
    pub(super) fn check_expression(
        &mut self,
        node: &Node,
        expression: &Expression,
        visible: &Visible<'_>,
        names: Names,
    ) -> bool {
        if self.problems.is_full() {
            return false;
        }
        let mut valid = true;
        for variable in expression.variables() {
            let checked = match variable.path[0].as_str() {
                "env" => self.check_env(&variable, expression),
                "params" => self.check_param(&variable),
                "secret" if !matches!(visible.place, Place::Constant { secrets: false }) => {
                    self.check_secret(&variable)
                }
                "setup" if !visible.is_constant() => self.check_setup(&variable, visible),
                _ => check(&variable, visible, names),
            };
            if let Err((problem, remedy)) = checked {
                let mut found = Problem::new(node.place(&variable.range), problem, remedy);
                if let Some((place, why)) = visible.partly.get(&variable.path[0]) {
                    found = found.related(*place, *why);
                } else if let Some((flow, place)) = &visible.call {
                    found = found.related(*place, format!("flow {} is called here", shown(flow)));
                }
                self.report(found);
                valid = false;
            }
        }
        valid && self.check_constant(node, expression)
    }

    /// Reports an expression that cannot be computed whatever a user does: nothing in it is known later.
    fn check_constant(&mut self, node: &Node, expression: &Expression) -> bool {
        // What is left out may lack its environment.
        let excluded = self.excluded;
        let known_now = |variable: &Variable| {
            let name = variable.path[0].as_str();
            (name == "env" && !excluded)
                || ["params", "fake"].contains(&name)
                || known_functions().contains(&name)
        };
        if !expression.variables().iter().all(known_now) {
            return true;
        }
        let Err(EvalError(why)) = expression.eval(&self.constants) else { return true };
        let remedy = "change it: it would fail each time";
        self.report(Problem::new(node.place(&expression.range()), why, remedy));
        false
    }

    /// `secret.NAME` in an expression.
    fn check_secret(&mut self, variable: &Variable) -> Result<(), Wrong> {
        let Some(name) = variable.path.get(1) else {
            return wrong("`secret` stands for all secrets", "name one: `secret.NAME`");
        };
        if variable.called && variable.path.len() == 2 {
            return not_a_function(&format!("secret.{name}"));
        }
        if !self.excluded {
            self.secrets_used.insert(name.clone());
        }
        if self.excluded || self.settings.secrets.get(name).is_some() {
            return Ok(());
        }
        let variable = format!("{}{}", Secrets::VARIABLE_PREFIX, name.to_ascii_uppercase());
        wrong(
            format!("the secret {} is not given", shown(name)),
            format!("set {variable}, in the environment or in `.env`, or give --secret-file {name}=PATH"),
        )
    }

    fn check_env(&mut self, variable: &Variable, expression: &Expression) -> Result<(), Wrong> {
        let Some(name) = variable.path.get(1) else {
            return wrong("`env` stands for all environment variables", "name one: `env.NAME`");
        };
        if variable.called && variable.path.len() == 2 {
            return wrong(
                format!("{} is not a function", shown(&format!("env.{name}"))),
                format!("write `env.{name}`"),
            );
        }
        if let Some(secret) = name.strip_prefix(Secrets::VARIABLE_PREFIX) {
            return wrong(
                format!("{} is a secret, which reports would show", shown(&format!("env.{name}"))),
                format!("write `secret.{secret}`"),
            );
        }
        self.env_used.insert(name.clone());
        if !self.excluded
            && expression.source() == format!("env.{name}")
            && !self.settings.env.contains_key(name)
        {
            return wrong(
                format!("environment variable {} is not set", shown(name)),
                format!("set it, or write `${{env.{name} or 'default'}}`"),
            );
        }
        Ok(())
    }
}

/// A problem and its remedy.
pub(super) type Wrong = (String, String);

pub(super) fn wrong<T>(problem: impl Into<String>, remedy: impl Into<String>) -> Result<T, Wrong> {
    Err((problem.into(), remedy.into()))
}

fn check(variable: &Variable, visible: &Visible<'_>, names: Names) -> Result<(), Wrong> {
    let name = variable.path[0].as_str();
    if let Place::Constant { secrets } = visible.place {
        let remedy = if secrets {
            "only `env`, `params` and `secret` are known here"
        } else {
            "only `env` and `params` are known here: `${env.NAME or 'default'}`"
        };
        return wrong(
            format!("{} has no value here: this is read once, before the run", shown(name)),
            remedy,
        );
    }
    if let (Some(row), Place::Step { task, .. }) =
        (visible.rows.iter().find(|row| row.name == name), &visible.place)
    {
        return check_row(row, variable, task);
    }
    let calls_name = variable.called && variable.path.len() == 1;
    if visible.saved.contains(name) {
        return if calls_name { not_a_function(name) } else { Ok(()) };
    }
    if let Some(kind) = visible.chore
        && ["user", "row"].contains(&name)
    {
        let problem = format!("{} has no value in {}: no user runs it", shown(name), kind.name());
        return wrong(problem, "only `env`, `params`, `run`, `agent` and functions are known there");
    }
    if name == "fake" {
        return check_fake(variable);
    }
    if name == "repeat" && !visible.repeats {
        let problem = "`repeat` has no value here: this is not within a `repeat`";
        return wrong(problem, "use it in the `steps` of a `repeat`");
    }
    if let Some((_, members)) = NAMESPACES.iter().find(|(namespace, _)| *namespace == name) {
        return check_member(variable, members);
    }
    if RESPONSE_NAMES.contains(&name) {
        return match names {
            Names::Response if calls_name => not_a_function(name),
            Names::Response => Ok(()),
            Names::Message => {
                wrong(format!("{} is not known here: a message is no response", shown(name)), "use `message`")
            }
            Names::Request => wrong(
                format!("{} is not known here: there is no response yet", shown(name)),
                format!("use {} in `expect`; to use a part of the response later, `save` it", shown(name)),
            ),
        };
    }
    if MESSAGE_NAMES.contains(&name) {
        return match names {
            Names::Message if calls_name => not_a_function(name),
            Names::Message => Ok(()),
            _ => wrong(
                format!("{} is known in `receive` only", shown(name)),
                "to use a part of a message later, `save` it in `receive`",
            ),
        };
    }
    if known_functions().contains(&name) {
        return if calls_name {
            Ok(())
        } else {
            wrong(format!("{} is a function", shown(name)), format!("call it: `{name}(…)`"))
        };
    }
    if name == "row" {
        return no_row(variable, &visible.rows);
    }
    if visible.open_ended { Ok(()) } else { undefined(name, calls_name, visible, names) }
}

pub(super) fn not_a_function(name: &str) -> Result<(), Wrong> {
    wrong(format!("{} is not a function", shown(name)), format!("write {} without `()`", shown(name)))
}

fn check_fake(variable: &Variable) -> Result<(), Wrong> {
    let Some(function) = variable.path.get(1) else {
        return wrong("`fake` is a family of functions", "call one of them, for instance `fake.email()`");
    };
    let full = format!("fake.{function}");
    if !fake_functions().contains(&function.as_str()) {
        return wrong(
            format!("there is no {}", shown(&full)),
            member_remedy(function, "fake.", fake_functions(), "()"),
        );
    }
    if variable.called && variable.path.len() == 2 {
        return Ok(());
    }
    wrong(format!("{} is a function", shown(&full)), format!("call it: `{full}()`"))
}

/// What may follow `prefix`, the likeliest if one is close.
pub(super) fn member_remedy(member: &str, prefix: &str, members: &[&str], suffix: &str) -> String {
    let full = |member: &&str| format!("{prefix}{member}{suffix}");
    match &closest(member, members.iter().copied())[..] {
        [] => {
            let all: Vec<String> = members.iter().map(full).collect();
            format!("there are {}", list(all.iter().map(String::as_str)))
        }
        close => {
            let close: Vec<String> = close.iter().map(full).collect();
            did_you_mean(&close.iter().map(String::as_str).collect::<Vec<_>>())
        }
    }
}

fn check_member(variable: &Variable, members: &[&str]) -> Result<(), Wrong> {
    let name = variable.path[0].as_str();
    let whole = || members.iter().map(|m| format!("`{name}.{m}`")).collect::<Vec<_>>().join(", ");
    match variable.path.get(1) {
        None => wrong(format!("{} is not a value", shown(name)), format!("write one of {}", whole())),
        Some(member) if !members.contains(&member.as_str()) => wrong(
            format!("there is no {}", shown(&format!("{name}.{member}"))),
            member_remedy(member, &format!("{name}."), members, ""),
        ),
        Some(member) if variable.called && variable.path.len() == 2 => {
            not_a_function(&format!("{name}.{member}"))
        }
        Some(_) => Ok(()),
    }
}

fn undefined(name: &str, called: bool, visible: &Visible<'_>, names: Names) -> Result<(), Wrong> {
    let problem = format!("{} is not defined here", shown(name));
    if called {
        let remedy = remedy(name, known_functions().iter().copied().chain(["fake"]), "the functions are");
        return wrong(format!("there is no function {}", shown(name)), remedy);
    }
    if visible.partly.contains_key(name) {
        let problem =
            format!("{} may have no value here: only some of the ways to this step save it", shown(name));
        return wrong(
            problem,
            "`save` or `set` it on every way, for instance with `set` before the branches",
        );
    }
    if let Some(remedy) = saved_elsewhere(name, visible) {
        return wrong(problem, remedy);
    }
    let response = match names {
        Names::Response => RESPONSE_NAMES,
        Names::Message => MESSAGE_NAMES,
        Names::Request => &[],
    };
    let known = visible.saved.iter().map(String::as_str).chain(response.iter().copied());
    let known = known
        .chain(["env", "params", "fake"])
        .chain(NAMESPACES.iter().map(|(namespace, _)| *namespace))
        .chain(known_functions().iter().copied());
    let close = closest(name, known);
    let remedy = if close.is_empty() {
        let saved: Vec<&str> = visible.saved.iter().map(String::as_str).collect();
        let saved = if saved.is_empty() { "none so far".into() } else { list(saved) };
        let before = if visible.call.is_some() { "before the call" } else { "in an earlier step" };
        format!("`save` it {before} (saved variables here: {saved}), or use `env.{name}`")
    } else {
        did_you_mean(&close)
    };
    wrong(problem, remedy)
}

/// The remedy when some step does save `name`, only not one that this step could see.
fn saved_elsewhere(name: &str, visible: &Visible<'_>) -> Option<String> {
    let Place::Step { class, task, index, saves } = &visible.place else { return None };
    let of_name = || saves.iter().filter(|s| s.name == name);
    let shown = shown(name);
    if (*task != "setup" || !class.is_empty()) && of_name().any(SavedName::is_of_setup) {
        return Some(format!("{shown} is saved by setup; write `setup.{name}`"));
    }
    if let Some(save) = of_name().find(|s| s.class == *class && s.task == *task) {
        return Some(if save.step == *index && save.nested {
            format!("{shown} is saved by a step further on, or on another way than this one; save it before")
        } else if save.step == *index {
            format!("{shown} is saved by this very step, so only later steps see it")
        } else {
            format!(
                "{shown} is saved by step {} of {}, which comes later; move that step before this one",
                save.step + 1,
                task_name(class, task)
            )
        });
    }
    if let Some(save) = of_name().find(|s| s.class == *class) {
        return Some(format!(
            "{shown} is saved by {}, but variables saved in a task are only visible to later steps of that task; \
             save it in on_start",
            task_name(class, &save.task)
        ));
    }
    let save = of_name().next()?;
    if class.is_empty() {
        let of = crate::diagnostic::shown(&save.class);
        return Some(format!("{shown} is saved by user class {of}; move this into the `http` of that class"));
    }
    Some(format!(
        "{shown} is saved by user class {}, but users do not share variables; save it in on_start of {}",
        crate::diagnostic::shown(&save.class),
        crate::diagnostic::shown(class)
    ))
}

fn task_name(class: &str, task: &str) -> String {
    let own = task == ON_START || class.is_empty();
    if own { task.to_owned() } else { format!("task {}", shown(task)) }
}

/// Why `name` cannot be a variable's name, and what to do.
pub(super) fn refuse_variable_name(name: &str) -> Option<Wrong> {
    let mut chars = name.chars();
    let starts_well = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !starts_well || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        let problem = format!("{} cannot be the name of a variable", shown(name));
        return Some((problem, "use letters, digits and `_`, and begin with a letter".into()));
    }
    let taken = name == "env"
        || name == "row"
        || name == "secret"
        || name == "params"
        || name == "fake"
        || name == "setup"
        || NAMESPACES.iter().any(|(namespace, _)| *namespace == name)
        || RESPONSE_NAMES.contains(&name)
        || MESSAGE_NAMES.contains(&name)
        || KEYWORDS.contains(&name)
        || known_functions().contains(&name);
    taken.then(|| {
        let problem = format!("{} has a meaning of its own in expressions", shown(name));
        (problem, format!("choose another name, for instance `my_{name}`"))
    })
}

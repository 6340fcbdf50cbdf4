//! The values that a running user's expressions see.

use crate::arrivals::home;
use crate::chore::{ChoreKind, SetupValues};
use crate::data::{Binding, Per, Row, Source};
use crate::model::{ClassId, Plan, UserClass};
use crate::params::Params;
use crate::rng::{Part, UserRng, chore_rng, user_rng};
use crate::slot::Slot;
use crate::template::{is_keyword, known_functions, write_json};
use crate::wait::Wait;
use minijinja::Value;
use minijinja::value::Object;
use rand::RngExt;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Names that hold other names: what may follow them. `env` and `params` are not among
/// them, they hold what the plan reads and declares.
pub const NAMESPACES: &[(&str, &[&str])] = &[
    ("user", &["slot", "class", "iteration"]),
    ("run", &["id"]),
    ("agent", &["name"]),
    ("repeat", &["index"]),
];

/// Names that only the checks of a response (`expect`, `until`) see.
pub const RESPONSE_NAMES: &[&str] = &["status", "headers", "body", "json"];

/// Names that only `receive` sees: the message, and the last one that was sent.
pub const MESSAGE_NAMES: &[&str] = &["message", "sent"];

/// Whether `save` may give a variable this name: letters, digits and `_`, not a digit first, and no name that
/// means something else already.
pub fn is_variable_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let spelled = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let taken = ["env", "fake", "row", "setup", "params", "secret"].contains(&name)
        || RESPONSE_NAMES.contains(&name)
        || MESSAGE_NAMES.contains(&name)
        || NAMESPACES.iter().any(|(space, _)| *space == name)
        || known_functions().contains(&name)
        || is_keyword(name);
    spelled && !taken
}

/// What is the same for every user of a run.
#[derive(Clone, Debug)]
pub struct RunFacts {
    /// `run.id`
    pub run_id: String,
    /// `agent.name`
    pub agent_name: String,
    /// `env.NAME`, only the names that the plan reads.
    pub env: std::collections::BTreeMap<String, String>,
    /// Fixes every random choice of the run.
    pub seed: u64,
}

/// One user's variables and random numbers. Everything random is a function of (seed, slot, iteration), so a
/// user makes the same choices wherever it runs.
pub struct Scope {
    shared: Arc<Shared>,
}

impl Scope {
    /// A user's scope before its `on_start`.
    pub fn new(facts: &Arc<RunFacts>, plan: &Plan, class: ClassId, slot: Slot) -> Scope {
        let class = plan.classes.get(class.0 as usize);
        let data = class.map(|class| Arc::clone(&class.data)).unwrap_or_default();
        let rank = if data.is_empty() { 0 } else { plan.slots.rank(slot) };
        let rows = Rows { data, rank };
        let scope = Scope::build(facts, class.map_or("", |class| &class.name), slot, &plan.params, rows);
        scope.shared.live().take_rows(&scope.shared, Per::User, (slot, rank), 0);
        scope
    }

    /// [`new`](Scope::new) by the name of the class alone, without parameters.
    pub fn for_class(facts: &Arc<RunFacts>, class: &str, slot: Slot) -> Scope {
        Scope::with_params(facts, class, slot, &Arc::default())
    }

    /// [`new`](Scope::new) by the name of the class and the plan's parameters.
    pub(crate) fn with_params(facts: &Arc<RunFacts>, class: &str, slot: Slot, params: &Arc<Params>) -> Scope {
        Scope::build(facts, class, slot, params, Rows::default())
    }

    fn build(facts: &Arc<RunFacts>, class: &str, slot: Slot, params: &Arc<Params>, rows: Rows) -> Scope {
        let live = Live {
            rng: user_rng(facts.seed, slot, Part::OnStart),
            iteration: 0,
            round: None,
            now: 0,
            kept: Vec::new(),
            saved: Vec::new(),
            setup: Some(SetupValues::default()),
            rows: vec![None; rows.data.len()].into(),
            lacking: None,
            reply: None,
        };
        let shared = Shared {
            facts: Arc::clone(facts),
            params: Arc::clone(params),
            class: Value::from(class),
            slot,
            rows,
            live: Mutex::new(live),
        };
        Scope { shared: Arc::new(shared) }
    }

    /// The scope of a chore. In setup, `setup.NAME` is what it has saved itself so far.
    pub fn for_chore(facts: &Arc<RunFacts>, plan: &Plan, kind: ChoreKind) -> Scope {
        let scope = Scope::with_params(facts, "", Slot(0), &plan.params);
        {
            let mut live = scope.shared.live();
            live.rng = chore_rng(facts.seed, kind);
            if kind == ChoreKind::Setup {
                live.setup = None;
            }
        }
        scope
    }

    /// Sets what `setup.NAME` is.
    pub fn see_setup(&mut self, values: &SetupValues) {
        self.shared.live().setup = Some(values.clone());
    }

    /// All saved variables as a JSON object, for [`SetupValues::from_json`].
    ///
    /// # Errors
    /// When one of them is no JSON, or all together are larger than [`SetupValues::MAX_BYTES`].
    pub fn saved_json(&self) -> Result<Vec<u8>, String> {
        let saved = self.shared.live().saved.clone();
        let json = saved_json(&saved)?;
        // What every agent has to read is read here first.
        SetupValues::from_json(&json).map_err(|why| format!("what setup saved cannot travel: {why}"))?;
        Ok(json)
    }

    /// Sets a variable, as `save` does.
    pub fn save(&mut self, name: &str, value: Value) {
        set(&mut self.shared.live().saved, name, value);
    }

    /// Ends `on_start`: what it saved stays with the user.
    pub fn keep_saved(&mut self) {
        let live = &mut *self.shared.live();
        for (name, value) in std::mem::take(&mut live.saved) {
            set(&mut live.kept, &name, value);
        }
    }

    /// Begins iteration `iteration` (0-based): drops what the last iteration saved, reseeds the random
    /// numbers from (seed, slot, iteration) and takes the rows of this iteration.
    pub fn begin_iteration(&mut self, iteration: u64) {
        let mut live = self.shared.live();
        live.saved.clear();
        live.iteration = iteration;
        live.rng = user_rng(self.shared.facts.seed, self.shared.slot, Part::Iteration(iteration));
        live.take_rows(&self.shared, Per::Iteration, (self.shared.slot, self.shared.rows.rank), iteration);
    }

    /// The data of which no row is left for this user, if there is any: it must not go on. Asked before
    /// `on_start` and after the start of each iteration.
    pub fn exhausted(&self) -> Option<&Binding> {
        let lacking = self.shared.live().lacking?;
        self.shared.rows.data.get(lacking)
    }

    /// Begins the iteration that serves arrival `number` of the fleet in an open load. Its random numbers and the rows
    /// that are kept for an iteration are those of its home, the slot whose turn it was, whoever of the same class
    /// serves it; so of the users that share a source, each has one row in each round of turns.
    pub fn begin_arrival(&mut self, plan: &Plan, number: u64) {
        let users = plan.schedule.max_users().max(1);
        let (home, round) = (home(number, users), number / u64::from(users));
        let rows = &self.shared.rows;
        let rank = if rows.data.is_empty() { 0 } else { plan.slots.rank(home) };
        let mut live = self.shared.live();
        live.saved.clear();
        live.iteration = number;
        live.rng = user_rng(self.shared.facts.seed, home, Part::Iteration(number));
        live.take_rows(&self.shared, Per::Iteration, (home, rank), round);
    }

    /// The wall clock for `now()`, in milliseconds since 1970; the driver sets it before each request.
    pub fn set_now(&mut self, unix_ms: u64) {
        self.shared.live().now = unix_ms;
    }

    /// Sets what `repeat.index` is, 0-based; `None` outside of `repeat`. Gives what it was.
    pub fn set_round(&mut self, round: Option<u32>) -> Option<u32> {
        std::mem::replace(&mut self.shared.live().round, round)
    }

    /// Draws the index of the next task of `class` by weight from this iteration's random numbers.
    pub fn pick_task(&mut self, class: &UserClass) -> usize {
        let total: u64 = class.tasks.iter().map(|task| u64::from(task.weight)).sum();
        if total == 0 {
            return 0;
        }
        let mut drawn = self.shared.with_rng(|rng| rng.random_range(0..total));
        let passed = |weight: u32| match drawn.checked_sub(u64::from(weight)) {
            Some(rest) => {
                drawn = rest;
                false
            }
            None => true,
        };
        class.tasks.iter().map(|task| task.weight).position(passed).unwrap_or(0)
    }

    /// Draws the pause after an iteration that began `spent` ago from this iteration's random numbers.
    pub fn pause(&mut self, wait: &Wait, spent: Duration) -> Duration {
        self.shared.with_rng(|rng| wait.pause(spent, rng))
    }

    /// What `status`, `headers`, `body`, `json`, `message` and `sent` are; `None` outside checks.
    pub(crate) fn set_reply(&mut self, reply: Option<Reply>) {
        self.shared.live().reply = reply;
    }

    /// The value of a name and the attributes behind it.
    pub(crate) fn lookup(&self, path: &[String]) -> Option<Value> {
        let (name, attributes) = path.split_first()?;
        if let (Some(space), [attribute]) = (Space::named(name), attributes) {
            return self.shared.member(space, attribute);
        }
        if let (Some((source, row)), [column]) = (self.shared.row(name), attributes) {
            return source.table.value(row, column);
        }
        let root = self.shared.get_value_by_str(name)?;
        let value = attributes.iter().try_fold(root, |value, attribute| value.get_attr(attribute).ok())?;
        (!value.is_undefined()).then_some(value)
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The scope as the root of an evaluation.
    pub(crate) fn value(&self) -> Value {
        Value::from_dyn_object(Arc::clone(&self.shared))
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("slot", &self.shared.slot).finish_non_exhaustive()
    }
}

/// The names of a response or of a message, as values.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: Value,
    pub(crate) headers: Value,
    pub(crate) body: Value,
    pub(crate) json: Value,
    pub(crate) message: Value,
    pub(crate) sent: Value,
}

/// What evaluations share with the scope. A user belongs to one thread, so the lock is never contended; it
/// exists because MiniJinja wants its objects shareable.
pub(crate) struct Shared {
    facts: Arc<RunFacts>,
    params: Arc<Params>,
    class: Value,
    slot: Slot,
    rows: Rows,
    live: Mutex<Live>,
}

/// The data of a user.
#[derive(Default)]
struct Rows {
    data: Arc<[Binding]>,
    /// The user's number within its class.
    rank: u32,
}

struct Live {
    rng: UserRng,
    iteration: u64,
    /// Of the `repeat` that the user is in, the innermost.
    round: Option<u32>,
    now: u64,
    /// What `on_start` saved.
    kept: Vec<(Box<str>, Value)>,
    /// What this iteration (or `on_start`, while it runs) saved; hides what is kept.
    saved: Vec<(Box<str>, Value)>,
    /// What `setup` holds; in setup itself, what is saved.
    setup: Option<SetupValues>,
    /// The row of each binding, in their order.
    rows: Box<[Option<u32>]>,
    /// The first binding that had no row when it was asked for one.
    lacking: Option<usize>,
    reply: Option<Reply>,
}

impl Live {
    /// Takes the rows that are kept so long, of the user at a slot that has a rank in its class.
    fn take_rows(&mut self, shared: &Shared, per: Per, (slot, rank): (Slot, u32), iteration: u64) {
        let data = &shared.rows.data;
        for (at, binding) in data.iter().enumerate().filter(|(_, binding)| binding.source.per == per) {
            let row = binding.source.row(shared.facts.seed, &binding.turn(slot, rank, iteration));
            self.rows[at] = row;
            if row.is_none() {
                self.lacking.get_or_insert(at);
            }
        }
    }
}

fn saved_json(saved: &[(Box<str>, Value)]) -> Result<Vec<u8>, String> {
    let mut json = b"{".to_vec();
    for (index, (name, value)) in saved.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        // Names of variables need no escapes.
        json.extend_from_slice(format!("\"{name}\":").as_bytes());
        write_json(value, &mut json).map_err(|why| format!("`{name}`, which setup saved: {why}"))?;
        if json.len() > SetupValues::MAX_BYTES {
            let limit = SetupValues::MAX_BYTES;
            return Err(format!(
                "what setup saved comes to more than {limit} bytes as JSON with `{name}`; save less"
            ));
        }
    }
    json.push(b'}');
    Ok(json)
}

/// Users save a handful of variables: a list is smaller and faster than a map.
fn set(variables: &mut Vec<(Box<str>, Value)>, name: &str, value: Value) {
    match variables.iter_mut().find(|(known, _)| &**known == name) {
        Some((_, slot)) => *slot = value,
        None => variables.push((name.into(), value)),
    }
}

impl Shared {
    /// The name under which functions find the scope; no expression can spell it.
    pub(crate) const OWN_NAME: &'static str = "(scope)";

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `draw` take from the user's stream. `draw` must not evaluate anything in this scope.
    pub(crate) fn with_rng<T>(&self, draw: impl FnOnce(&mut UserRng) -> T) -> T {
        draw(&mut self.live().rng)
    }

    pub(crate) fn now(&self) -> u64 {
        self.live().now
    }

    /// The row called `name`.
    fn row(&self, name: &str) -> Option<(&Arc<Source>, u32)> {
        let at = self.rows.data.iter().position(|binding| binding.name == name)?;
        Some((&self.rows.data[at].source, self.live().rows[at]?))
    }

    fn member(&self, space: Space, name: &str) -> Option<Value> {
        match (space, name) {
            (Space::Env, name) => self.facts.env.get(name).map(Value::from),
            (Space::Params, name) => self.params.get(name),
            (Space::Secret, name) => self.params.secrets().get(name).map(Value::from),
            (Space::User, "slot") => Some(Value::from(self.slot.0)),
            (Space::User, "class") => Some(self.class.clone()),
            (Space::User, "iteration") => Some(Value::from(self.live().iteration)),
            (Space::Run, "id") => Some(Value::from(&self.facts.run_id)),
            (Space::Setup, name) => {
                let live = self.live();
                match &live.setup {
                    Some(values) => values.value(name),
                    None => live.saved.iter().find(|(known, _)| **known == *name).map(|(_, v)| v.clone()),
                }
            }
            (Space::Repeat, "index") => self.live().round.map(Value::from),
            (Space::Agent, "name") => Some(Value::from(&self.facts.agent_name)),
            _ => None,
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("scope")
    }
}

impl Object for Shared {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, name: &str) -> Option<Value> {
        if let Some(space) = Space::named(name) {
            return Some(Value::from_object(Names { scope: Arc::clone(self), space }));
        }
        if name == Shared::OWN_NAME {
            return Some(Value::from_dyn_object(Arc::clone(self)));
        }
        if let Some((source, number)) = self.row(name) {
            return Some(Value::from_object(Row { source: Arc::clone(source), number }));
        }
        let live = self.live();
        let of_reply = live.reply.as_ref().and_then(|reply| match name {
            "status" => Some(&reply.status),
            "headers" => Some(&reply.headers),
            "body" => Some(&reply.body),
            "json" => Some(&reply.json),
            "message" => Some(&reply.message),
            "sent" => Some(&reply.sent),
            _ => None,
        });
        let saved =
            || live.saved.iter().chain(&live.kept).find(|(known, _)| &**known == name).map(|(_, v)| v);
        of_reply.or_else(saved).cloned()
    }
}

/// A name that holds names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Space {
    Env,
    Params,
    Secret,
    User,
    Run,
    Agent,
    Repeat,
    Setup,
}

impl Space {
    fn named(name: &str) -> Option<Space> {
        match name {
            "env" => Some(Space::Env),
            "params" => Some(Space::Params),
            "secret" => Some(Space::Secret),
            "user" => Some(Space::User),
            "run" => Some(Space::Run),
            "agent" => Some(Space::Agent),
            "repeat" => Some(Space::Repeat),
            "setup" => Some(Space::Setup),
            _ => None,
        }
    }
}

/// A [`Space`] as a value.
#[derive(Debug)]
struct Names {
    scope: Arc<Shared>,
    space: Space,
}

impl Object for Names {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.scope.member(self.space, key.as_str()?)
    }
}

#[cfg(test)]
pub(crate) mod tests;

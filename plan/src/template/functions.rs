//! The functions of the language. Everything random comes from the user's own stream.

use super::characters::random_string;
use super::environment::invalid;
use super::{fake, value};
use crate::rng::UserRng;
use crate::scope::Shared;
use minijinja::value::{Object, Rest, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value};
use rand::RngExt;
use std::sync::Arc;

/// The functions that stand alone: `rand`, `choice`, ...
pub fn known_functions() -> &'static [&'static str] {
    &["choice", "dict", "now", "rand", "random_string", "range", "uuid"]
}

/// What may follow `fake.`: `email`, `name`, ...
pub fn fake_functions() -> &'static [&'static str] {
    fake::NAMES
}

/// A function without arguments.
#[derive(Clone, Copy, Debug)]
pub(super) enum Simple {
    Uuid,
    Now,
    Fake(fake::Kind),
}

impl Simple {
    pub(super) fn named(path: &[String]) -> Option<Simple> {
        match path {
            [name] if name == "uuid" => Some(Simple::Uuid),
            [name] if name == "now" => Some(Simple::Now),
            [root, name] if root == "fake" => fake::Kind::named(name).map(Simple::Fake),
            _ => None,
        }
    }

    pub(super) fn call(self, scope: &Shared) -> Value {
        match self {
            Simple::Uuid => scope.with_rng(|rng| {
                let uuid = uuid::Builder::from_random_bytes(rng.random()).into_uuid();
                Value::from(uuid.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()) as &str)
            }),
            Simple::Now => Value::from(scope.now()),
            Simple::Fake(kind) => Value::from(scope.with_rng(|rng| kind.draw(rng, None))),
        }
    }
}

pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_function("rand", |state: &State<'_, '_>, args: Rest<Value>| {
        in_scope(state, |scope| scope.with_rng(|rng| rand(rng, &args)))
    });
    environment.add_function("choice", |state: &State<'_, '_>, args: Rest<Value>| {
        in_scope(state, |scope| scope.with_rng(|rng| choice(rng, &args)))
    });
    environment.add_function("random_string", |state: &State<'_, '_>, args: Rest<Value>| {
        in_scope(state, |scope| scope.with_rng(|rng| random_string(rng, &args)))
    });
    environment.add_function("uuid", |state: &State<'_, '_>| in_scope(state, |s| Ok(Simple::Uuid.call(s))));
    environment.add_function("now", |state: &State<'_, '_>| in_scope(state, |s| Ok(Simple::Now.call(s))));
    environment.add_global("fake", Value::from_object(Fake));
}

fn in_scope(state: &State<'_, '_>, f: impl FnOnce(&Shared) -> Result<Value, Error>) -> Result<Value, Error> {
    let scope = state.lookup(Shared::OWN_NAME);
    match scope.as_ref().and_then(Value::downcast_object_ref::<Shared>) {
        Some(scope) => f(scope),
        None => Err(invalid("random values exist only where a user runs")),
    }
}

/// The name `fake`.
#[derive(Debug)]
struct Fake;

impl Object for Fake {
    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let Some(kind) = fake::Kind::named(method) else {
            let problem = format!("there is no fake.{method}(); there are {}", fake::NAMES.join(", "));
            return Err(Error::new(ErrorKind::UnknownMethod, problem));
        };
        let size = match args {
            [] => None,
            [size] => Some(fake_size(kind, size)?),
            _ => {
                return Err(invalid(format!("fake.{method} takes at most one argument, got {}", args.len())));
            }
        };
        in_scope(state, |scope| Ok(Value::from(scope.with_rng(|rng| kind.draw(rng, size)))))
    }
}

fn fake_size(kind: fake::Kind, size: &Value) -> Result<usize, Error> {
    let name = kind.name();
    if !kind.takes_size() {
        return Err(invalid(format!("fake.{name} takes no argument; write `fake.{name}()`")));
    }
    size.as_usize().filter(|size| (1..=fake::MAX_SIZE).contains(size)).ok_or_else(|| {
        let got = value::excerpt(size);
        invalid(format!("fake.{name} takes a number from 1 to {}, got {got}", fake::MAX_SIZE))
    })
}

fn rand(rng: &mut UserRng, args: &[Value]) -> Result<Value, Error> {
    let wrong = |what: &str| {
        let got: Vec<String> = args.iter().take(3).map(value::excerpt).collect();
        invalid(format!("{what}, got rand({}); write for instance `rand(1, 10)`", got.join(", ")))
    };
    let [low, high] = args else { return Err(wrong("rand takes two numbers")) };
    if low.is_integer() && high.is_integer() {
        let (Some(low), Some(high)) = (low.as_i64(), high.as_i64()) else {
            return Err(wrong("rand takes integers from -2^63 to 2^63-1"));
        };
        if low > high {
            return Err(wrong("the first number of rand must not be above the second"));
        }
        return Ok(Value::from(rng.random_range(low..=high)));
    }
    let number = |v: &Value| if v.is_number() { f64::try_from(v.clone()).ok() } else { None };
    let (Some(low), Some(high)) = (number(low), number(high)) else {
        return Err(wrong("rand takes two numbers"));
    };
    if !(high - low).is_finite() {
        return Err(wrong("rand takes finite numbers"));
    }
    if low > high {
        return Err(wrong("the first number of rand must not be above the second"));
    }
    Ok(Value::from(rng.random_range(low..=high)))
}

/// Longest list that `choice` draws from when it has to be walked.
const MAX_CHOICES: usize = 1_000_000;

fn choice(rng: &mut UserRng, args: &[Value]) -> Result<Value, Error> {
    let wrong = |what: &str| {
        let got: Vec<String> = args.iter().take(3).map(value::excerpt).collect();
        invalid(format!("{what}, got choice({}); write for instance `choice(['a', 'b'])`", got.join(", ")))
    };
    let [list] = args else { return Err(wrong("choice takes one list")) };
    if !matches!(list.kind(), ValueKind::Seq | ValueKind::Iterable) {
        return Err(wrong("choice takes a list"));
    }
    let Some(len) = list.len().filter(|&len| len <= MAX_CHOICES) else {
        return Err(wrong("choice takes a list of at most 1000000 values"));
    };
    if len == 0 {
        return Err(wrong("choice needs at least one value"));
    }
    let index = rng.random_range(0..len as u64) as usize;
    if list.kind() == ValueKind::Seq {
        return list.get_item_by_index(index);
    }
    list.try_iter()?.nth(index).ok_or_else(|| invalid("the list is shorter than it says"))
}

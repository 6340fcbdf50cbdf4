use super::{json_schema, schema_text};
use crate::bundle::{Bundle, Settings};
use crate::diagnostic::Problems;
use crate::language;
use crate::yaml::{self, Kind, Node};
use jsonschema::Validator;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const SAMPLE: &str = include_str!("../../tests/data/platform.yaml");

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn validator() -> Validator {
    jsonschema::draft202012::new(&json_schema()).expect("a schema of draft 2020-12")
}

/// The plan as a JSON Schema sees it.
fn plain(node: &Node) -> Value {
    match &node.value {
        yaml::Value::Mapping(entries) => {
            entries.iter().map(|e| (e.key.clone(), plain(&e.value))).collect::<serde_json::Map<_, _>>().into()
        }
        yaml::Value::Sequence(items) => items.iter().map(plain).collect(),
        yaml::Value::Scalar(scalar) => match scalar.kind() {
            Kind::Null => Value::Null,
            Kind::Bool(value) => value.into(),
            Kind::Integer(value) => serde_json::from_str(&value.to_string()).expect("digits"),
            Kind::Float(value) => value.into(),
            Kind::Text => scalar.text.clone().into(),
        },
    }
}

fn read(source: &str) -> Value {
    plain(&yaml::load(source, &mut Problems::default()).expect("YAML"))
}

/// The sample and every example, with their names.
fn plans() -> Vec<(String, String)> {
    let mut plans = vec![("the sample".to_owned(), SAMPLE.to_owned())];
    for file in std::fs::read_dir(repository().join("examples")).expect("examples") {
        let path = file.expect("readable").path();
        if path.extension().is_some_and(|e| e == "yaml") {
            plans.push((path.display().to_string(), std::fs::read_to_string(path).expect("text")));
        }
    }
    assert!(plans.len() > 1, "there are examples");
    plans
}

#[test]
fn every_example_is_valid_and_names_the_schema() {
    let validator = validator();
    for (name, source) in plans() {
        let errors: Vec<String> =
            validator.iter_errors(&read(&source)).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
        let hint = "# yaml-language-server: $schema=../docs/plan.schema.json\n";
        assert!(name == "the sample" || source.starts_with(hint), "{name} begins with {hint}");
    }
}

/// Every mapping of the language in `value`, as the pointer to it.
fn mappings(value: &Value, pointer: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.push(pointer.to_owned());
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                mappings(member, &format!("{pointer}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                mappings(item, &format!("{pointer}/{at}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn every_misspelt_key_is_refused() {
    let validator = validator();
    let mut tried = 0;
    for (name, source) in plans() {
        let plan = read(&source);
        let mut pointers = Vec::new();
        mappings(&plan, "", &mut pointers);
        for pointer in pointers {
            let keys: Vec<String> = plan
                .pointer(&pointer)
                .and_then(Value::as_object)
                .expect("a mapping")
                .keys()
                .cloned()
                .collect();
            let known = |key: &&String| language::TABLES.iter().any(|table| table.key(key).is_some());
            // Below these, keys are the user's own.
            let free = ["/json", "/form", "/query", "/headers", "/params", "/groups", "/tasks", "/users"];
            if free.iter().any(|end| pointer.ends_with(end)) || pointer.contains("/json/") {
                continue;
            }
            for key in keys.iter().filter(known) {
                let mut wrong = plan.clone();
                let mapping = wrong.pointer_mut(&pointer).and_then(Value::as_object_mut).expect("a mapping");
                let value = mapping.remove(key).expect("it is there");
                mapping.insert(format!("{key}q"), value);
                assert!(!validator.is_valid(&wrong), "{name}: `{key}q` at {pointer:?} passes");
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "only {tried} keys");
}

#[test]
fn values_of_the_wrong_form_are_refused() {
    let validator = validator();
    let good = read(SAMPLE);
    let check = |pointer: &str, wrong: &[Value], right: &[Value]| {
        for (values, expected) in [(wrong, false), (right, true)] {
            for value in values {
                let mut plan = good.clone();
                *plan.pointer_mut(pointer).expect("the sample has it") = value.clone();
                assert_eq!(validator.is_valid(&plan), expected, "{pointer}: {value}");
            }
        }
    };
    check("/version", &[json!(2), json!("1")], &[]);
    check("/load/users", &[json!(0), json!("many"), json!(1.5)], &[json!(7), json!("${params.burst}")]);
    check(
        "/load/duration",
        &[json!(5), json!("5"), json!("5 parsecs"), json!("10/s")],
        &[json!("1h30m"), json!("1.5s"), json!("${env.X or 1}s")],
    );
    check(
        "/cost/agent_hour",
        &[json!(0.12), json!("0.12"), json!("0.12 usd"), json!("-1 USD"), json!("0.0000001 USD")],
        &[json!("0.12 USD"), json!("3EUR"), json!("${env.PRICE or '1 USD'}")],
    );
    check("/load/spawn_rate", &[json!(10), json!("5s")], &[json!("0.5/s"), json!("600/min")]);
    check(
        "/users/AuthUser/wait",
        &[json!(3), json!("3"), json!("pacing"), json!("sometimes")],
        &["2s", "1s..3s", "500ms .. 1m", "constant 2s", "pacing 5s", "rate 0.5/s", "exponential 2s", "none"]
            .map(Value::from),
    );
    check(
        "/thresholds",
        &[json!("p95 <= 1s"), json!(["p95"]), json!(["p951 <= 1s"]), json!(["latency <= 1s"])],
        &[json!(["p99.9<=1s", "count > 5", "success_rate >= 99% abort"])],
    );
    check(
        "/observe/pool/thresholds",
        &[json!("overflow <= 0"), json!(["overflow"]), json!(["overflow <= few"])],
        &[json!(["overflow<=0", "queue.depth > -1.5e3 critical -2e3 over 5s"])],
    );
    check(
        "/observe/pool/read",
        &[json!({}), json!({ "1a": "$.a" }), json!({ "a": 7 })],
        &[json!({ "a-b": "up" })],
    );
    let status = "/users/AuthUser/on_start/0/expect/status";
    check(status, &[json!(99), json!("7xx"), json!([]), json!(true)], &[json!("2xx"), json!([200, "4xx"])]);
    check("/params", &[json!([1]), json!({ "1a": 1 }), json!({ "a": [1] })], &[json!({ "a": null })]);
}

#[test]
fn required_keys_are_those_that_the_reader_misses() {
    let minimal = "version: 1\nname: T\ntarget: http://localhost\nload: { stages: [ { users: 1, for: 1s } ] }\n\
                   observe: { p: { get: /p, read: { a: $.a } } }\n\
                   cost: { agent_hour: 1 USD }\n\
                   users: { U: { tasks: { t: { websocket: /, messages: [ { send: a } ], \
                   isolation: { pattern: a, only: a } } } } }\n";
    let refused = |source: &str| {
        let bundle =
            Bundle { file: "plan.yaml".into(), source: source.to_owned(), settings: Settings::default() };
        (bundle.compile().is_err(), !validator().is_valid(&read(source)))
    };
    assert_eq!(refused(minimal), (false, false));
    for (from, to) in [
        ("version: 1\n", ""),
        ("name: T\n", ""),
        (&minimal[minimal.find("users: { U").expect("it has users")..], ""),
        ("users: 1, ", ""),
        ("stages: [ { users: 1, for: 1s } ]", "max_users: 1, arrivals: [ { for: 1s } ]"),
        ("agent_hour: 1 USD", ""),
        ("pattern: a, ", ""),
        (", only: a", ""),
        ("get: /p, ", ""),
        (", read: { a: $.a }", ""),
        (&minimal[minimal.find("tasks").expect("it has tasks")..], "} }\n"),
    ] {
        assert!(minimal.contains(from), "{from}");
        assert_eq!(refused(&minimal.replace(from, to)), (true, true), "without {from}");
    }
    assert_eq!(language::REQUIRED.len(), 11, "each of them is taken out above");
}

#[test]
fn the_committed_schema_is_the_generated_one() {
    let path = repository().join("docs/plan.schema.json");
    let text = schema_text();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).expect("docs/ can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let committed: Value = serde_json::from_str(&committed).unwrap_or_default();
    assert!(committed == json_schema(), "docs/plan.schema.json is old; write it anew with UPDATE_GOLDEN=1");
}

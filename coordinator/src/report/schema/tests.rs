use crate::report::Report;
use crate::report::tests::{full, hostile, sample};
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn made() -> Value {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = serde_json::to_value(generator.into_root_schema_for::<Report>()).unwrap();
    schema["title"] = "Muster report.json".into();
    schema["properties"]["schema_version"] = json!({
        "const": crate::report::model::SCHEMA_VERSION,
        "description": "Version of this schema: rises when a key changes its meaning or goes away. Keys may be added."
    });
    schema
}

/// The same schema without room for keys that it does not name.
fn strict(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(strict);
            if fields.contains_key("properties") {
                fields.insert("unevaluatedProperties".to_owned(), false.into());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(strict),
        _ => {}
    }
}

#[test]
fn the_published_schema_is_that_of_the_model() {
    let text = format!("{}\n", serde_json::to_string_pretty(&made()).unwrap());
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/report.schema.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap();
    assert!(
        text == published,
        "docs/report.schema.json is not that of the model: UPDATE_GOLDEN=1 cargo test -p coordinator schema"
    );
}

#[test]
fn reports_are_what_the_schema_says_and_nothing_else() {
    let mut schema = made();
    strict(&mut schema);
    let validator = jsonschema::draft202012::new(&schema).expect("a schema of draft 2020-12");
    let check = |report: &Value, ok: bool| {
        let errors: Vec<String> = validator
            .iter_errors(report)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(errors.is_empty(), ok, "{errors:#?}");
    };
    for report in [sample(), hostile(), full()] {
        check(&serde_json::to_value(report).unwrap(), true);
    }
    let broken = |pointer: &str, value: Value| {
        let mut report = serde_json::to_value(sample()).unwrap();
        *report.pointer_mut(pointer).unwrap() = value;
        check(&report, false);
    };
    broken("/verdict", "maybe".into());
    broken("/schema_version", 2.into());
    broken("/totals/requests", (-1).into());
    broken("/requests/0/method", "FETCH".into());
    broken("/run", json!({ "id": "x" }));
    broken("/groups/0", json!({ "name": "x", "other": 1 }));
}

/// Every name of a property below `value`.
fn properties<'a>(value: &'a Value, names: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::Object(here)) = fields.get("properties") {
                names.extend(here.keys().map(String::as_str));
            }
            fields.values().for_each(|value| properties(value, names));
        }
        Value::Array(items) => items.iter().for_each(|value| properties(value, names)),
        _ => {}
    }
}

#[test]
fn every_key_is_described() {
    let docs =
        concat!(include_str!("../../../../docs/REPORTS.md"), include_str!("../../../../docs/MEASUREMENT.md"));
    let code = docs.split('`').skip(1).step_by(2);
    let described: BTreeSet<&str> =
        code.flat_map(|code| code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')).collect();
    let schema = made();
    let mut names = BTreeSet::new();
    properties(&schema, &mut names);
    let missing: Vec<_> = names.difference(&described).collect();
    assert!(names.len() > 100 && missing.is_empty(), "not in docs/REPORTS.md: {missing:?}");
}

//! Every key misspelt, every value of the wrong type, every unknown name: caught at its place.

use crate::bundle::{Bundle, Settings};
use crate::diagnostic::{Diagnostic, Diagnostics, Problems, Span};
use crate::language::{self, Key, Shape, Table};
use crate::yaml::{self, Entry, Node, Value};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::path::Path;

const SAMPLE: &str = include_str!("../../tests/data/platform.yaml");
const ROWS: &str = include_str!("../../tests/data/rows.yaml");

/// The samples and, where the repository has them, the examples.
fn plans() -> Vec<String> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let files = std::fs::read_dir(examples).into_iter().flatten().flatten().map(|file| file.path());
    let yaml = files.filter(|path| path.extension().is_some_and(|e| e == "yaml"));
    let texts = yaml.map(|path| std::fs::read_to_string(path).expect("an example is text"));
    [SAMPLE, ROWS].map(str::to_owned).into_iter().chain(texts).collect()
}

fn bundle(source: String) -> Bundle {
    let mut bundle = Bundle { file: "plan.yaml".into(), source, settings: Settings::default() };
    for name in bundle.file_names() {
        let folders = ["tests/data", "../examples"].map(|f| Path::new(env!("CARGO_MANIFEST_DIR")).join(f));
        let content = folders.iter().find_map(|folder| std::fs::read(folder.join(&name)).ok());
        let content = content.or_else(|| pem(&name));
        bundle.settings.files.insert(name, content.ok_or_else(|| "no such file".to_owned()));
    }
    bundle
}

/// What has the form of a certificate or a key, and is none.
fn pem(name: &str) -> Option<Vec<u8>> {
    let label = match name {
        "ca.pem" | "client.pem" => "CERTIFICATE",
        "client.key" => "PRIVATE KEY",
        _ => return None,
    };
    Some(format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n").into_bytes())
}

fn problems(source: String) -> Option<Diagnostics> {
    bundle(source).compile().err()
}

fn tree(source: &str) -> Node {
    yaml::load(source, &mut Problems::default()).expect("the sample is YAML")
}

fn replaced(source: &str, span: Span, with: &str) -> String {
    format!("{}{with}{}", &source[..span.start], &source[span.end..])
}

/// Line and column by the shortest way there is.
fn position(source: &str, offset: usize) -> (usize, usize) {
    let before = &source[..offset];
    let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
    (before.matches('\n').count() + 1, column)
}

/// Visits every key of the language, with its table, and every value below user-chosen names with its shape.
fn walk<'n>(
    node: &'n Node,
    table: &'static Table,
    visit: &mut impl FnMut(&'n Entry, &'static Key, &'static Table),
) {
    let Value::Mapping(entries) = &node.value else { panic!("the sample has a mapping for {}", table.name) };
    for entry in entries {
        let key = table.key(&entry.key).expect("the sample has no unknown keys");
        visit(entry, key, table);
        let children: Vec<&Node> = match &entry.value.value {
            Value::Mapping(entries) => entries.iter().map(|e| &e.value).collect(),
            Value::Sequence(items) => items.iter().collect(),
            Value::Scalar(_) => Vec::new(),
        };
        match key.shape {
            Shape::Table(table) => walk(&entry.value, table, visit),
            Shape::Named(table) | Shape::List(table) => {
                for node in children {
                    walk(node, table, visit);
                }
            }
            Shape::Arrivals => match &entry.value.value {
                Value::Mapping(_) => walk(&entry.value, &language::ARRIVALS, visit),
                _ => children.into_iter().for_each(|node| walk(node, &language::ARRIVAL_STAGE, visit)),
            },
            Shape::Parts => {
                for node in children.into_iter().filter(|node| node.scalar().is_none()) {
                    walk(node, &language::PART, visit);
                }
            }
            Shape::Figures => {
                for node in children.into_iter().filter(|node| node.scalar().is_none()) {
                    walk(node, &language::FIGURE, visit);
                }
            }
            Shape::Saves => {
                for node in children.into_iter().filter(|node| node.scalar().is_none()) {
                    walk(node, &language::SAVE, visit);
                }
            }
            _ => {}
        }
    }
}

/// `word` with one letter deleted, doubled, swapped with the next, or replaced.
fn misspellings(word: &str) -> BTreeSet<String> {
    let letters: Vec<char> = word.chars().collect();
    let mut all = BTreeSet::new();
    for at in 0..letters.len() {
        let mut edit = |change: &dyn Fn(&mut Vec<char>)| {
            let mut letters = letters.clone();
            change(&mut letters);
            all.insert(letters.into_iter().collect::<String>());
        };
        edit(&|l| {
            l.remove(at);
        });
        edit(&|l| l.insert(at, l[at]));
        edit(&|l| l[at] = 'q');
        edit(&|l| l[at] = l[at].to_ascii_uppercase());
        if at + 1 < letters.len() {
            edit(&|l| l.swap(at, at + 1));
        }
    }
    all.remove(word);
    all
}

fn at(diagnostics: &Diagnostics, place: (usize, usize)) -> Vec<&Diagnostic> {
    diagnostics.iter().filter(|d| (d.line, d.column) == place).collect()
}

#[test]
fn every_misspelt_key_is_found_and_put_right() {
    let mut tried = 0;
    for source in plans() {
        walk(&tree(&source), &language::PLAN, &mut |entry, key, table| {
            for wrong in misspellings(key.name) {
                if table.key(&wrong).is_some() {
                    continue;
                }
                tried += 1;
                let place = position(&source, entry.key_span.start);
                let found = problems(replaced(&source, entry.key_span, &wrong));
                let found = found.unwrap_or_else(|| panic!("`{wrong}` for `{}` passes", key.name));
                let fitting = at(&found, place);
                assert!(
                    fitting
                        .iter()
                        .any(|d| d.problem.contains(&wrong) && d.remedy.contains(&format!("`{}`", key.name))),
                    "`{wrong}` for `{}` at {place:?}:\n{found}",
                    key.name
                );
                assert!(found.len() <= 2, "one slip, many errors: `{wrong}` for `{}`:\n{found}", key.name);
                assert!(
                    found.to_string().contains(&format!("plan.yaml:{}:{}\n", place.0, place.1)),
                    "{found}"
                );
            }
        });
    }
    assert!(tried > 1000, "only {tried} misspellings");
}

/// Values that a shape does not take.
#[allow(clippy::too_many_lines, reason = "a table")]
fn wrong_values(shape: Shape) -> &'static [&'static str] {
    match shape {
        Shape::Text => &["7", "true", "[a]", "{a: 1}", "~"],
        Shape::Integer(..) => {
            &["abc", "1.5", "\"5\"", "-1", "99999999999", "[1]", "{a: 1}", "true", "~", "5s", "1e3"]
        }
        Shape::Duration => {
            &["5", "abc", "5 parsecs", "10/s", "[5s]", "{a: 1}", "true", "-5s", "~", "\"5\"", "1.5"]
        }
        Shape::Rate => {
            &["10", "abc", "5s", "10/parsec", "[10/s]", "{a: 1}", "true", "-1/s", "0/s", "~", "1.5"]
        }
        Shape::Size => &[
            "5",
            "abc",
            "5 parsecs",
            "5s",
            "[1MiB]",
            "{a: 1}",
            "true",
            "-1MiB",
            "~",
            "\"5\"",
            "0B",
            "2GiB",
            "1.5",
        ],
        Shape::Price => &[
            "0.12",
            "\"0.12\"",
            "abc",
            "-1 USD",
            "0 USD",
            "0.12 usd",
            "$5",
            "5 dollars",
            "1000001 USD",
            "[1 USD]",
            "{a: 1}",
            "true",
            "~",
            "0.0000001 USD",
            "5s",
        ],
        Shape::Switch => &["maybe", "1", "yes", "On", "[on]", "{a: 1}", "~", "\"true\""],
        Shape::RateOrZero => &["10", "abc", "5s", "0", "0/parsec", "[10/s]", "-1/s", "1000001/s", "~"],
        Shape::Arrivals => &[
            "10",
            "abc",
            "0/s",
            "1000001/s",
            "[10/s]",
            "[]",
            "{a: 1}",
            "{}",
            "{ pattern: even }",
            "true",
            "~",
        ],
        Shape::Wait => &["5", "abc", "[1s]", "3s..1s", "rate 5", "1..3", "pacing", "true", "~", "{a: 1}"],
        Shape::Pause => {
            &["5", "abc", "[1s]", "3s..1s", "rate 5/s", "pacing 2s", "none", "1..3", "true", "~", "{a: 1}"]
        }
        Shape::Count(..) => {
            &["abc", "0", "1.5", "-1", "10001", "\"3\"", "[1]", "{a: 1}", "\"${zz_q}\"", "\"a${1}\"", "~"]
        }
        Shape::Addresses => &[
            "7",
            "abc",
            "[a]",
            "~",
            "{ a: b }",
            "{ a: 7 }",
            "{ \"a b\": 127.0.0.1 }",
            "{ a: \"127.0.0.1:0\" }",
        ],
        Shape::Sources => &["7", "abc", "[a]", "~", "{a: b}", "true", "[]", "\"127.0.0.1:80\""],
        Shape::Word(_) => &["7", "abc", "[a]", "{a: 1}", "~", "true"],
        Shape::Template => &["[a]", "{a: b}", "~", "\"${zz_q}\"", "\"${1 +}\"", "\"${\""],
        Shape::Json => &["\"${zz_q}\"", "[ { a: \"${zz_q}\" } ]", "\"${fake.nothing()}\"", "1e999", "\"${\""],
        Shape::Templates => &["7", "abc", "[a]", "~", "{ a: [1] }", "{ a: ~ }", "{ a: \"${zz_q}\" }"],
        Shape::Texts => &["7", "abc", "~", "{a: b}", "[7]", "[]", "[~]", "[\"a b\"]", "[a, a]"],
        Shape::Thresholds => {
            &["7", "abc", "~", "{a: b}", "[7]", "[\"p95 <= 5\"]", "[\"p95 <= 200ms oops\"]", "[~]"]
        }
        Shape::FigureThresholds => {
            &["7", "abc", "~", "{a: b}", "[7]", "[\"zz_q <= 5\"]", "[\"overflow <= 5ms\"]", "[~]"]
        }
        Shape::Figures => &[
            "7",
            "abc",
            "[a]",
            "~",
            "{}",
            "{ x: 7 }",
            "{ x: [a] }",
            "{ x: {} }",
            "{ x: { jsn: $.a } }",
            "{ 1x: $.a }",
        ],
        Shape::Statuses => &["abc", "99", "600", "7xx", "[abc]", "true", "2.5", "~", "{a: 1}", "[[200]]"],
        Shape::Expressions => &["7", "[7]", "\"1 +\"", "\"zz_q > 1\"", "{a: b}", "~", "\"${status}\""],
        Shape::Check | Shape::Condition => {
            &["7", "[a]", "\"1 +\"", "\"zz_q > 1\"", "{a: b}", "~", "true", "\"${user.slot}\""]
        }
        Shape::Sets => &["7", "abc", "[a]", "~", "{}", "{ x: \"${zz_q}\" }", "{ 1x: 1 }", "{ env: 1 }"],
        Shape::Parts => {
            &["7", "abc", "[a]", "~", "{ a: [b] }", "{ a: {} }", "{ a: { fil: x } }", "{ a: { file: x } }"]
        }
        Shape::Saves => &[
            "7",
            "abc",
            "[a]",
            "~",
            "{ x: 7 }",
            "{ x: abc }",
            "{ x: [a] }",
            "{ x: { cookie: a } }",
            "{ 1x: $.a }",
            "{ env: $.a }",
        ],
        Shape::Params => {
            &["7", "abc", "[a]", "~", "{ a: [1] }", "{ 1a: 1 }", "{ a: .inf }", "{ a: \"${zz_q}\" }"]
        }
        Shape::Rows => {
            &["7", "abc", "~", "[]", "{a: b}", "[7]", "[~]", "[{}]", "[{a: 1}, {b: 1}]", "[{a: 1}, {}]"]
        }
        Shape::Types(_) => &["7", "abc", "[a]", "~", "{ a: 7 }", "{ a: text }", "{ zz_q: integer }"],
        Shape::RowSources => &["7", "abc", "[a]", "~", "{}", "{ row: abc }", "{ env: abc }", "{ 1a: abc }"],
        Shape::JsonChecks => &["7", "abc", "[a]", "~", "{ nope: 1 }", "{ $.a: \"${zz_q}\" }"],
        Shape::Table(_) | Shape::Named(_) => &["7", "abc", "[1]", "~"],
        Shape::List(_) => &["7", "abc", "{a: b}", "~", "[7]", "[~]"],
        Shape::Later => &[],
    }
}

#[test]
fn every_value_of_the_wrong_type_is_found_on_its_line() {
    let mut tried = 0;
    for source in plans() {
        walk(&tree(&source), &language::PLAN, &mut |entry, key, _| {
            if source[entry.value.span.range()].contains('\n') {
                return;
            }
            for wrong in wrong_values(key.shape) {
                tried += 1;
                let place = position(&source, entry.value.span.start);
                let found = problems(replaced(&source, entry.value.span, wrong));
                let found =
                    found.unwrap_or_else(|| panic!("`{}: {wrong}` on line {} passes", key.name, place.0));
                assert!(
                    found.iter().any(|d| d.line == place.0 && d.column >= place.1),
                    "`{}: {wrong}` at {place:?}:\n{found}",
                    key.name
                );
                assert!(found.iter().all(|d| !d.problem.is_empty() && !d.remedy.is_empty()), "{found}");
            }
        });
    }
    assert!(tried > 500, "only {tried} wrong values");
}

#[test]
fn every_unknown_name_in_a_template_is_found_at_its_column() {
    let mut tried = 0;
    for source in plans() {
        for (open, _) in source.match_indices("${") {
            let start = open + 2;
            let rest = &source[start..];
            let length = rest.find(|c: char| !c.is_alphanumeric() && !"_.".contains(c)).unwrap_or(rest.len());
            if length == 0 || source[..open].rsplit('\n').next().is_some_and(|line| line.contains('#')) {
                continue;
            }
            tried += 1;
            let found = problems(replaced(&source, Span { start, end: start + length }, "zz_q"));
            let found = found.unwrap_or_else(|| panic!("an unknown name passes for {}", &rest[..length]));
            let place = position(&source, start);
            assert!(at(&found, place).iter().any(|d| d.problem.contains("`zz_q`")), "{place:?}:\n{found}");
        }
    }
    assert!(tried > 15, "only {tried} names");
}

#[test]
fn every_unknown_name_in_a_check_is_found_at_its_column() {
    let mut tried = 0;
    for source in plans() {
        let tree = tree(&source);
        let mut scalars = Vec::new();
        walk(&tree, &language::PLAN, &mut |entry, key, _| {
            if matches!(key.shape, Shape::Expressions | Shape::Check | Shape::Condition) {
                match &entry.value.value {
                    Value::Sequence(items) => scalars.extend(items),
                    _ => scalars.push(&entry.value),
                }
            }
        });
        let mut spans = Vec::new();
        for node in scalars {
            let text = &node.scalar().expect("checks are texts").text;
            let length = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
            spans.push(node.place(&(0..length)));
        }
        for span in spans {
            tried += 1;
            let found = problems(replaced(&source, span, "zz_q")).expect("an unknown name is an error");
            let place = position(&source, span.start);
            assert!(at(&found, place).iter().any(|d| d.problem.contains("`zz_q`")), "{place:?}:\n{found}");
        }
    }
    assert!(tried > 2, "only {tried} names");
}

/// The compiler gives a plan or an explanation that can be shown.
fn never_panics(source: String) {
    if let Some(found) = problems(source) {
        assert!(found.len() > 0);
        assert!(found.to_string().contains("plan.yaml:"), "{found}");
        assert!(found.coloured().contains("plan.yaml:"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_gives_a_plan_or_an_explanation(source in "(\\PC|[ \n\t:{}\\[\\]\"'&*#|>$-]){0,200}") {
        never_panics(source);
    }

    #[test]
    fn any_damage_gives_a_plan_or_an_explanation(
        from in 0..SAMPLE.len(),
        length in 0_usize..40,
        with in "(\\PC|[ \n\t\r:{}\\[\\]\"'&*#|>$-]){0,6}",
    ) {
        let from = SAMPLE.floor_char_boundary(from);
        let to = SAMPLE.floor_char_boundary((from + length).min(SAMPLE.len()));
        never_panics(replaced(SAMPLE, Span { start: from, end: to.max(from) }, &with));
    }

    #[test]
    fn any_line_moved_gives_a_plan_or_an_explanation(from in 0_usize..80, to in 0_usize..80, indent in 0_usize..12) {
        let mut lines: Vec<String> = SAMPLE.lines().map(str::to_owned).collect();
        let line = lines.remove(from % lines.len());
        let to = to % lines.len();
        lines.insert(to, format!("{}{}", " ".repeat(indent), line.trim_start()));
        never_panics(lines.join("\n"));
    }
}

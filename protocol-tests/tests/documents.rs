//! Every piece of a plan that the documents show is valid.

use plan::{Bundle, Settings};
use std::path::Path;

/// What a piece needs around it: the top-level keys that it does not have itself.
const AROUND: &[(&str, &str)] = &[
    ("version:", "version: 1\n"),
    ("name:", "name: T\n"),
    ("target:", "target: http://localhost\n"),
    ("load:", "load: { users: 1, duration: 1s }\n"),
    ("users:", "users: { U: { tasks: { t: { get: / } } } }\n"),
];

/// A user whose `on_start` gives the variables of the examples values.
const USER: &str = "users:\n  U:\n    on_start: [ { set: { token: t, id: 1, page: 1, total: 1 } } ]\n";

/// The whole plan that a piece stands in: a plan, top-level keys, tasks or a list of steps.
fn whole(piece: &str) -> String {
    let indented = |by: &str| format!("{by}{}\n", piece.trim_end().replace('\n', &format!("\n{by}")));
    let steps = piece.starts_with("- ");
    let mut plan = if steps {
        format!("{USER}    tasks:\n      t:\n        steps:\n{}", indented("          "))
    } else if piece.starts_with("tasks:") {
        format!("{USER}{}", indented("    "))
    } else {
        piece.to_owned()
    };
    if piece.contains("call: submit") {
        plan.push_str("flows: { submit: { steps: [ { post: /orders, save: { order: $.id } } ] } }\n");
    }
    for (key, line) in AROUND {
        if !plan.lines().any(|line| line.starts_with(key)) {
            plan.insert_str(0, line);
        }
    }
    plan
}

/// What the files of examples hold.
struct Certificate {
    certificate: String,
    key: String,
}

impl Certificate {
    fn new() -> Certificate {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        Certificate { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() }
    }

    fn file(&self, name: &str) -> String {
        match name.rsplit('.').next() {
            Some("pem") => self.certificate.clone(),
            Some("key") => self.key.clone(),
            Some("jsonl") => "{\"id\": 1, \"name\": \"a\"}\n".to_owned(),
            _ => "id,email,password\n1,a@example.com,x\n".to_owned(),
        }
    }
}

/// Checks every piece of `document`; how many there are.
fn check(document: &str) -> usize {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(document);
    let text = std::fs::read_to_string(&path).expect("UTF-8");
    let pieces: Vec<&str> =
        text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect();
    let certificate = Certificate::new();
    for piece in &pieces {
        let source = whole(piece);
        // An example may read a variable, a secret and files that are not here.
        let env = [("PASSWORD".to_owned(), "pass".to_owned())].into();
        let mut bundle =
            Bundle { file: document.to_owned(), source, settings: Settings { env, ..Settings::default() } };
        for name in bundle.file_names() {
            let content = certificate.file(&name);
            bundle.settings.files.insert(name, Ok(content.into_bytes()));
        }
        if let Err(diagnostics) = bundle.compile() {
            panic!("{document}:\n{}\n{diagnostics}", bundle.source);
        }
    }
    pieces.len()
}

#[test]
fn the_plans_in_the_documents_are_valid() {
    assert!(check("README.md") >= 2);
    assert!(check("docs/PLAN.md") >= 7);
    assert!(check("docs/COMING_FROM.md") >= 6);
}

#[test]
fn the_reference_names_every_key() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/PLAN.md");
    let text = std::fs::read_to_string(path).expect("UTF-8");
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    // Odd parts of a line are between backticks.
    let named: Vec<&str> = text
        .lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .flat_map(|code| code.split(|c| !is_part(c)))
        .collect();
    for table in plan::language::TABLES {
        let read = table.keys.iter().filter(|key| !matches!(key.shape, plan::language::Shape::Later));
        for key in read {
            assert!(
                named.contains(&key.name),
                "docs/PLAN.md says nothing of `{}`, a key of {}",
                key.name,
                table.name
            );
        }
    }
}

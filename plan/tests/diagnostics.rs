//! What the compiler says about broken plans, to the letter.

#![allow(clippy::format_collect, reason = "small texts, made once")]

use plan::diagnostic::Diagnostics;
use plan::{Bundle, Settings};

const BASE: &str = "\
version: 1
name: T
target: http://localhost
load: { users: 1, duration: 1s }
users:
  U:
    tasks:
      t: { get: / }
";

fn with_settings(source: &str, settings: Settings) -> Diagnostics {
    let bundle = Bundle { file: "plan.yaml".into(), source: source.into(), settings };
    bundle.compile().expect_err("the plan is broken")
}

fn problems(source: &str) -> Diagnostics {
    let mut settings = Settings::default();
    for (name, content) in [
        ("accounts.csv", Ok("email,password,id\na@example.com,x,1\nb@example.com,y,2\n")),
        ("ragged.csv", Ok("email,password\na@example.com\nb@example.com,y\n")),
        ("semicolon.csv", Ok("email;password\na@example.com;x\n")),
        ("unclosed.csv", Ok("email,password\na@example.com,\"x\n")),
        ("objects.jsonl", Ok("{\"id\": 1}\n[2]\n")),
        ("missing.csv", Err("No such file or directory")),
        ("missing.pem", Err("No such file or directory")),
        ("notes.pem", Ok("the certificates are on the other machine\n")),
        ("half.pem", Ok("-----BEGIN CERTIFICATE-----\nAAAA\n")),
        ("client.pem", Ok("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")),
        (
            "locked.key",
            Ok("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"),
        ),
    ] {
        settings.files.insert(name, content.map(Into::into).map_err(str::to_owned));
    }
    with_settings(source, settings)
}

/// One line for each problem, and one for its remedy.
fn told(diagnostics: &Diagnostics) -> String {
    diagnostics.iter().map(|d| format!("{}:{} {}\n    {}\n", d.line, d.column, d.problem, d.remedy)).collect()
}

/// `UPDATE_GOLDEN=1` writes down what is said now; read the difference before it is committed.
#[test]
fn broken_plans_are_explained_as_written_down() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut rows = 0;
    let names = ["broken.txt", "broken_flow.txt", "broken_http.txt", "broken_chores.txt", "broken_data.txt"];
    for name in names.into_iter().chain(["broken_websocket.txt", "broken_observe.txt", "broken_cost.txt"]) {
        let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
        let file = std::fs::read_to_string(&path).expect("the file of broken plans");
        let mut blocks = file.trim_end().split("\n\n");
        let mut updated = vec![blocks.next().unwrap_or_default().to_owned()];
        for row in blocks {
            let part = |start: &str| -> String {
                row.lines().filter_map(|l| l.strip_prefix(start)).map(|l| format!("{l}\n")).collect()
            };
            let (change, expected): (Vec<&str>, Vec<&str>) =
                row.lines().partition(|line| line.starts_with(['-', '+']));
            let (out, new) = (part("- "), part("+ "));
            assert!(BASE.contains(&out) && !out.is_empty(), "not a line of the plan: {out}");
            let told = told(&problems(&BASE.replacen(&out, &new, 1)));
            if !update {
                assert_eq!(told.trim_end(), expected.join("\n"), "{name}:\n{row}");
            }
            updated.push(format!("{}\n{}", change.join("\n"), told.trim_end()));
            rows += 1;
        }
        if update {
            std::fs::write(&path, updated.join("\n\n") + "\n").expect("the file can be written");
        }
    }
    assert!(rows > 100, "only {rows} rows");
}

fn check(source: &str, expected: &str) {
    let found = problems(source).to_string();
    assert_eq!(found, expected.trim_matches('\n'), "\n{found}\n");
}

#[test]
fn a_misspelt_key_is_shown_with_what_it_was_meant_to_be() {
    check(
        &BASE.replace("duration", "duratoin"),
        "
error: unknown key `duratoin` in `load`
 --> plan.yaml:4:19
  |
4 | load: { users: 1, duratoin: 1s }
  |                   ^^^^^^^^ unknown key
  |
  = help: did you mean `duration`?
",
    );
}

#[test]
fn a_bare_number_is_shown_with_its_units() {
    check(
        &BASE.replace("1s", "30"),
        "
error: expected a duration such as `30s`, found the number `30`: a bare number has no unit
 --> plan.yaml:4:29
  |
4 | load: { users: 1, duration: 30 }
  |                             ^^ no unit
  |
  = help: write `30s` or `30ms`
",
    );
}

#[test]
fn a_key_that_is_here_twice_is_shown_with_both_places() {
    check(
        &BASE.replace("users:\n", "name: U\nusers:\n"),
        "
error: the key `name` is here twice
 --> plan.yaml:5:1
  |
2 | name: T
  | ---- first here
...
5 | name: U
  | ^^^^ again
  |
  = help: remove one of the two, or rename it
",
    );
}

#[test]
fn an_undefined_variable_is_underlined_within_its_template() {
    check(
        &BASE.replace("get: /", "get: \"/ü/${tokn}\""),
        r#"
error: `tokn` is not defined here
 --> plan.yaml:8:23
  |
8 |       t: { get: "/ü/${tokn}" }
  |                       ^^^^
  |
  = help: `save` it in an earlier step (saved variables here: none so far), or use `env.tokn`
"#,
    );
}

#[test]
fn a_variable_of_another_task_is_explained() {
    let source = BASE
        .replace("t: { get: / }", "t: { get: \"/${id}\" }\n      create: { post: /, save: { id: $.id } }");
    check(
        &source,
        r#"
error: `id` is not defined here
 --> plan.yaml:8:21
  |
8 |       t: { get: "/${id}" }
  |                     ^^
  |
  = help: `id` is saved by task `create`, but variables saved in a task are only visible to later steps of that task; save it in on_start
"#,
    );
}

#[test]
fn a_variable_that_a_flow_lacks_is_shown_with_the_call() {
    let flows = "flows:\n  me: { steps: [ { get: \"/me/${token}\" } ] }\n";
    check(
        &format!("{}{flows}", BASE.replace("get: /", "call: me")),
        r#"
error: `token` is not defined here
  --> plan.yaml:10:32
   |
 8 |       t: { call: me }
   |                  -- flow `me` is called here
 9 | flows:
10 |   me: { steps: [ { get: "/me/${token}" } ] }
   |                                ^^^^^
   |
   = help: `save` it before the call (saved variables here: none so far), or use `env.token`
"#,
    );
}

#[test]
fn a_variable_of_one_branch_is_shown_with_the_branches() {
    let steps = "steps: [ { if: user.slot > 1, then: [ { set: { a: 1 } } ] }, { get: \"/${a}\" } ]";
    check(
        &BASE.replace("get: /", steps),
        r#"
error: `a` may have no value here: only some of the ways to this step save it
 --> plan.yaml:8:84
  |
8 |       t: { steps: [ { if: user.slot > 1, then: [ { set: { a: 1 } } ] }, { get: "/${a}" } ] }
  |                       -- this `if` saves it in one branch only                     ^
  |
  = help: `save` or `set` it on every way, for instance with `set` before the branches
"#,
    );
}

#[test]
fn flows_that_call_flows_are_bounded() {
    let calls = |name: &str| vec![format!("{{ call: {name} }}"); 100].join(", ");
    let flows = format!(
        "flows:\n  a: {{ steps: [ {} ] }}\n  b: {{ steps: [ {} ] }}\n  c: {{ steps: [ {} ] }}\n  d: {{ steps: [ {{ think: 1s }} ] }}\n",
        calls("b"),
        calls("c"),
        calls("d")
    );
    let found = told(&problems(&format!("{}{flows}", BASE.replace("get: /", "call: a"))));
    assert!(found.contains("more than 20000 steps"), "{found}");
    assert_eq!(found.lines().count(), 2, "{found}");
}

#[test]
fn everything_is_reported_in_one_go() {
    let source = BASE.replace("name: T", "nme: T").replace("1s", "1").replace("get: /", "get: me");
    check(
        &source,
        "
error: unknown key `nme` in a plan
 --> plan.yaml:2:1
  |
2 | nme: T
  | ^^^ unknown key
  |
  = help: did you mean `name`?

error: expected a duration such as `30s`, found the number `1`: a bare number has no unit
 --> plan.yaml:4:29
  |
4 | load: { users: 1, duration: 1 }
  |                             ^ no unit
  |
  = help: write `1s` or `1ms`

error: the URL `me` does not begin with `/` or with http:// or https://
 --> plan.yaml:8:17
  |
8 |       t: { get: me }
  |                 ^^
  |
  = help: write `/me`
",
    );
}

#[test]
fn yaml_that_breaks_off_is_shown_where_it_does() {
    check(
        &BASE.replace("get: /", "get: /${id}"),
        r#"
error: not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'
 --> plan.yaml:8:19
  |
8 |       t: { get: /${id} }
  |                   ^
  |
  = help: inside `{ }` and `[ ]` a text with `${…}` has to be quoted: "…${…}…"
"#,
    );
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_move_nothing() {
    let source = format!(
        "\u{feff}{}",
        BASE.replace("version: 1", "verison: 1").replace("name: T", "nme: T").replace('\n', "\r\n")
    );
    check(
        &source,
        "
error: unknown key `verison` in a plan
 --> plan.yaml:1:1
  |
1 | verison: 1
  | ^^^^^^^ unknown key
  |
  = help: did you mean `version`?

error: unknown key `nme` in a plan
 --> plan.yaml:2:1
  |
2 | nme: T
  | ^^^ unknown key
  |
  = help: did you mean `name`?
",
    );
}

#[test]
fn an_empty_plan_is_an_error_too() {
    check(
        "",
        "
error: the plan is empty
 --> plan.yaml:1:1
  |
1 |
  | ^
  |
  = help: a plan begins with `version: 1`, `name:`, `target:`, `load:` and `users:`
",
    );
    assert_eq!(told(&problems("# nothing\n")), told(&problems("")));
}

#[test]
fn only_the_first_twenty_are_shown() {
    let keys: String = (0..25).map(|n| format!("bogus{n}: 1\n")).collect();
    let found = problems(&format!("{BASE}{keys}"));
    assert_eq!(found.len(), 25);
    let shown = found.to_string();
    assert_eq!(shown.matches("error: ").count(), Diagnostics::SHOWN);
    assert!(shown.ends_with("\n\n… and 5 more"), "{shown}");
}

#[test]
fn colour_is_only_on_request() {
    let found = problems("version: 2");
    assert!(!found.to_string().contains('\u{1b}'));
    assert!(found.coloured().contains('\u{1b}'));
}

#[test]
fn a_plan_over_a_mebibyte_is_refused() {
    let source = format!("{BASE}#{}\n", "x".repeat(1 << 20));
    assert_eq!(problems(&source).iter().next().map(|d| d.line), Some(1));
    assert!(problems(&source).to_string().contains("the limit is 1048576"));
}

#[test]
fn settings_are_checked_like_the_plan() {
    let profiles = BASE.replace("users:\n", "profiles: { light: { users: 2 } }\nusers:\n");
    let check = |source: &str, settings: Settings, expected: &str| {
        assert_eq!(told(&with_settings(source, settings)), expected);
    };
    let profile = |name: &str| Settings { profile: Some(name.into()), ..Settings::default() };
    check(
        &profiles,
        profile("lihgt"),
        "5:1 the plan has no profile `lihgt`\n    did you mean `light`? (its profiles are `light`)\n",
    );
    check(&profiles, profile("zzz"), "5:1 the plan has no profile `zzz`\n    its profiles are: `light`\n");
    check(
        BASE,
        profile("zzz"),
        "1:1 the plan has no profile `zzz`\n    the plan has no profiles; leave --profile out\n",
    );
    check(
        BASE,
        Settings { target: Some("host".into()), ..Settings::default() },
        "3:9 the target `host` given by --target or LOAD_TEST_HOST does not begin with http:// or https://\n    \
         write `http://host`\n",
    );
    check(
        BASE,
        Settings { users: Some(0), ..Settings::default() },
        "4:1 --users is 0\n    give 1 to 1000000\n",
    );
    check(
        &BASE.replace("users: 1, duration: 1s", "stages: [ { users: 3, for: 1s } ]"),
        Settings { duration: Some(std::time::Duration::from_secs(1)), ..Settings::default() },
        "4:1 --spawn-rate and --duration cannot change `stages`\n    \
         give --users too, which replaces the stages\n",
    );
}

#[test]
fn aliases_cannot_make_a_small_plan_large() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for n in 1..12 {
        let aliases = vec![format!("*a{}", n - 1); 9].join(", ");
        bomb = format!("{bomb}a{n}: &a{n} [{aliases}]\n");
    }
    assert!(problems(&bomb).to_string().contains("the plan is too large here"));
    let deep = |levels| problems(&"[".repeat(levels)).to_string();
    assert!(deep(65).contains("nested more than 64 levels deep"), "{}", deep(65));
    assert!(deep(100_000).contains("plan.yaml:1:"));
    let text = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 1000].join(", "));
    assert!(problems(&text).to_string().contains("the plan is too large here"));
}

#[test]
fn bounds_name_their_limit() {
    let tasks: String = (0..501).map(|n| format!("      t{n}: {{ get: / }}\n")).collect();
    let found = told(&problems(&BASE.replace("      t: { get: / }\n", &tasks)));
    assert!(found.contains("the limit is 500"), "{found}");
    let classes: String = (0..201).map(|n| format!("  U{n}: {{ tasks: {{ t: {{ get: / }} }} }}\n")).collect();
    let found = told(&problems(&format!("{BASE}{classes}")));
    assert!(found.contains("the limit is 200"), "{found}");
    let steps = vec!["{ get: / }"; 1001].join(", ");
    let found = told(&problems(&BASE.replace("get: /", &format!("steps: [ {steps} ]"))));
    assert!(found.contains("the limit is 1000"), "{found}");
    let thresholds = vec!["p95 < 1s"; 2001].join(", ");
    let found = told(&problems(&format!("{BASE}thresholds: [ {thresholds} ]")));
    assert!(found.contains("the limit is 2000"), "{found}");
    let path = format!("$[?{}@.a{}", "@[?".repeat(100), "]".repeat(101));
    let found = told(&problems(&BASE.replace("get: /", &format!("get: /, save: {{ a: \"{path}\" }}"))));
    assert!(found.contains("the limit is 6"), "{found}");
    let series: Vec<String> = (0..10)
        .map(|task| {
            let steps: Vec<String> = (0..450).map(|n| format!("{{ get: /{n} }}")).collect();
            format!("      t{task}: {{ steps: [ {} ] }}\n", steps.join(", "))
        })
        .collect();
    let found = told(&problems(&BASE.replace("      t: { get: / }\n", &series.concat())));
    assert_eq!(found.matches("more than 4096 series").count(), 1, "{found}");
}

//! Plans of which the settings leave a part.

use plan::model::ThresholdScope;
use plan::tags::TagFilter;
use plan::{Bundle, Plan, Settings};

const PLAN: &str = "\
version: 1
name: T
target: http://localhost
load: { users: 8, duration: 1s }
thresholds: [ \"rate >= 1/s\" ]
groups:
  slow: { thresholds: [ \"p95 <= 5s\" ] }
  quick: { thresholds: [ \"p95 <= 50ms\", \"max <= 1s\" ] }
  rest: {}
profiles: { strict: { groups: { slow: { thresholds: [ \"p99 <= 6s\" ] } } } }
data: { items: { rows: [ { id: 1 }, { id: 2 }, { id: 3 }, { id: 4 }, { id: 5 }, { id: 6 }, { id: 7 }, { id: 8 } ], pick: unique, per: iteration, when_exhausted: fail } }
flows: { login: { steps: [ { post: /login, thresholds: [ \"p50 <= 1s\" ] } ] } }
users:
  Buyer:
    tags: [ shop ]
    weight: 3
    group: quick
    on_start: [ { call: login } ]
    tasks:
      look: { get: /items, tags: [ smoke ] }
      buy: { post: /orders, group: slow, tags: [ slow, write ], thresholds: [ \"max <= 9s\" ] }
      plain: { get: /plain, weight: 2 }
  Writer:
    data: items
    tasks:
      write: { post: \"/text/${secret.key}\", group: slow, tags: [ write, slow ], headers: { x: \"${env.X}\" } }
  Watcher:
    fixed: 2
    tasks:
      watch: { get: /watch, group: rest, tags: [ smoke ] }
      probe: { get: /probe }
";

fn bundle(include: &[&str], exclude: &[&str]) -> Bundle {
    let set = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect();
    let tags = TagFilter { include: set(include), exclude: set(exclude) };
    let mut settings = Settings { tags, ..Settings::default() };
    settings.env.insert("X".to_owned(), "1".to_owned());
    settings.secrets.insert("key", "k");
    Bundle { file: "plan.yaml".into(), source: PLAN.into(), settings }
}

fn compile(include: &[&str], exclude: &[&str]) -> Plan {
    let bundle = bundle(include, exclude);
    assert_eq!(bundle.check_settings(), Ok(()));
    bundle.compile().unwrap_or_else(|e| panic!("{e}"))
}

/// `class: task task; ...`
fn tasks(plan: &Plan) -> String {
    let class = |class: &plan::model::UserClass| {
        let tasks: Vec<&str> = class.tasks.iter().map(|task| task.name.as_str()).collect();
        format!("{}: {}", class.name, tasks.join(" "))
    };
    plan.classes.iter().map(class).collect::<Vec<_>>().join("; ")
}

fn thresholds(plan: &Plan) -> Vec<String> {
    let scope = |scope| match scope {
        ThresholdScope::Plan => "plan",
        ThresholdScope::Group(group) => &plan.groups[group.0 as usize].name,
        ThresholdScope::Request(id) => &plan.series[id.0 as usize].name,
    };
    plan.thresholds.iter().map(|t| format!("{}: {}", scope(t.scope), t.threshold.expression)).collect()
}

#[test]
fn tasks_are_kept_by_their_tags_and_those_of_their_class() {
    let check = |include: &[&str], exclude: &[&str], expected: &str| {
        assert_eq!(tasks(&compile(include, exclude)), expected, "{include:?} {exclude:?}");
    };
    let all = "Buyer: look buy plain; Writer: write; Watcher: watch probe";
    check(&[], &[], all);
    check(&["smoke"], &[], "Buyer: look; Watcher: watch");
    check(&["shop"], &[], "Buyer: look buy plain");
    check(&["shop"], &["slow"], "Buyer: look plain");
    check(&[], &["slow"], "Buyer: look plain; Watcher: watch probe");
    check(&[], &["shop"], "Writer: write; Watcher: watch probe");
    check(&["write", "smoke"], &["shop"], "Writer: write; Watcher: watch");
}

#[test]
fn what_is_left_is_numbered_and_judged_as_a_plan_of_its_own() {
    let plan = compile(&["smoke"], &[]);
    let series: Vec<String> = plan
        .series
        .iter()
        .zip(0..)
        .map(|(series, number)| {
            assert_eq!(series.id.0, number);
            let group = series.group.map_or("-", |group| &plan.groups[group.0 as usize].name);
            format!("{} {} {} {group}", plan.classes[series.class.0 as usize].name, series.task, series.name)
        })
        .collect();
    assert_eq!(
        series,
        ["Buyer on_start POST /login quick", "Buyer look GET /items quick", "Watcher watch GET /watch rest"]
    );
    assert_eq!(plan.groups.iter().map(|g| g.name.as_str()).collect::<Vec<_>>(), ["quick", "rest"]);
    assert_eq!(
        thresholds(&plan),
        ["plan: rate >= 1/s", "quick: p95 <= 50ms", "quick: max <= 1s", "POST /login: p50 <= 1s"]
    );
    let unjudged: Vec<String> =
        plan.selection.unjudged.iter().map(|(scope, sentence)| format!("{scope}: {sentence}")).collect();
    assert_eq!(unjudged, ["request:Buyer/buy/POST /orders: max <= 9s", "group:slow: p95 <= 5s"]);
    assert_eq!(plan.slots.counts(2, 8), [6, 2], "the users of Writer are Buyers now");
    let told = "--include-tags smoke: 2 of 6 tasks are run; not judged, as no request is left: \
                request:Buyer/buy/POST /orders `max <= 9s`, group:slow `p95 <= 5s`";
    assert_eq!(plan.selection.to_string(), told);

    let plan = compile(&[], &["shop"]);
    assert_eq!(thresholds(&plan), ["plan: rate >= 1/s", "slow: p95 <= 5s"]);
    assert_eq!(plan.selection.unjudged.len(), 4, "{:?}", plan.selection.unjudged);
    assert_eq!(plan.classes[0].data[0].failures.map(|series| series.0), Some(0));
}

#[test]
fn agents_compile_the_same_part() {
    let mut sent = bundle(&["shop", "write"], &["smoke"]);
    let plan = sent.compile().unwrap_or_else(|e| panic!("{e}"));
    sent.retain_env(&plan);
    let received = Bundle::from_bytes(&sent.to_bytes()).expect("an encoding");
    assert_eq!(received, sent);
    let same = received.compile().unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(same.meaning_sha256(), plan.meaning_sha256());
    assert_eq!(same.selection, plan.selection);
    assert_ne!(compile(&["shop"], &["smoke"]).meaning_sha256(), plan.meaning_sha256());
}

#[test]
fn what_is_left_out_needs_no_secrets_and_no_environment() {
    let without = |include: &[&str]| {
        let mut bundle = bundle(include, &[]);
        bundle.settings.env.clear();
        bundle.settings.secrets = plan::Secrets::default();
        bundle
    };
    let plan = without(&["shop"]).compile().unwrap_or_else(|e| panic!("{e}"));
    assert!(plan.params.secrets().get("key").is_none());
    let told = without(&["write"]).compile().unwrap_err().to_string();
    assert!(told.contains("the secret `key` is not given") && told.contains("`X` is not set"), "{told}");
    let mut sent = bundle(&["shop"], &[]);
    let plan = sent.compile().unwrap_or_else(|e| panic!("{e}"));
    sent.retain_env(&plan);
    assert!(sent.settings.secrets.get("key").is_none(), "a secret leaves this machine for nothing");
}

#[test]
fn what_is_left_out_has_to_be_right_all_the_same() {
    let mut broken = bundle(&["smoke"], &[]);
    broken.source = broken.source.replace("post: /orders", "post: \"/orders/${tokn}\"");
    let told = broken.compile().unwrap_err().to_string();
    assert!(told.contains("`tokn` is not defined here"), "{told}");
    // Two problems of two classes are two, whichever of them is left out.
    broken.source = PLAN.replace("get: /probe", "gett: /probe").replace("weight: 3", "weight: 0");
    let told = broken.compile().unwrap_err();
    assert_eq!(told.iter().count(), 2, "{told}");
}

#[test]
fn flags_that_leave_nothing_or_name_nothing_are_refused_at_once_and_in_the_plan() {
    let check = |include: &[&str], exclude: &[&str], flag: &str, problem: &str, remedy: &str| {
        let bundle = bundle(include, exclude);
        let error = bundle.check_settings().unwrap_err();
        assert_eq!((error.flag, error.problem.as_str(), error.remedy.as_str()), (flag, problem, remedy));
        let told = bundle.compile().unwrap_err();
        let first = told.iter().next().expect("a problem");
        assert_eq!((first.line, first.column), (13, 1), "{told}");
        assert_eq!((first.problem.as_str(), first.remedy.as_str()), (problem, remedy));
        assert_eq!(told.iter().count(), 1, "{told}");
    };
    check(
        &["shop", "somke"],
        &[],
        "--include-tags",
        "no task has the tag `somke`",
        "did you mean `smoke`? (the tags are `shop`, `slow`, `smoke`, `write`)",
    );
    check(
        &[],
        &["nightly"],
        "--exclude-tags",
        "no task has the tag `nightly`",
        "the tags are `shop`, `slow`, `smoke`, `write`",
    );
    check(
        &["slow"],
        &["write"],
        "--exclude-tags",
        "--include-tags slow --exclude-tags write leave no task",
        "every task with an included tag has an excluded one as well; exclude fewer, or include more",
    );
    let mut untagged = bundle(&["smoke"], &[]);
    untagged.source = "version: 1\nname: T\ntarget: http://localhost\nload: { users: 1, duration: 1s }\n\
                       users: { U: { tasks: { t: { get: / } } } }\n"
        .to_owned();
    let error = untagged.check_settings().unwrap_err();
    assert_eq!(
        error.to_string(),
        "--include-tags: no task has the tag `smoke`; give tasks `tags: [ smoke ]`, or leave --include-tags out"
    );
    untagged.settings.tags = TagFilter::default();
    let mut all = untagged.clone();
    all.source = all.source.replace("get: /", "get: /, tags: [ a ]");
    all.settings.tags.exclude.insert("a".to_owned());
    let error = all.check_settings().unwrap_err();
    assert_eq!(error.remedy, "every task has one of these tags; exclude fewer");
}

#[test]
fn a_tag_that_is_missing_because_the_plan_is_wrong_is_left_to_the_compiler() {
    let mut broken = bundle(&["smoke"], &[]);
    broken.source = PLAN.replace("tags:", "tag:");
    assert_eq!(broken.check_settings(), Ok(()));
    let told = broken.compile().unwrap_err().to_string();
    assert!(told.contains("did you mean `tags`?"), "{told}");
}

#[test]
fn users_that_no_class_is_left_for_are_told_with_the_flags() {
    let bundle = bundle(&["smoke"], &["shop"]);
    let told = bundle.compile().unwrap_err();
    let first = told.iter().next().expect("a problem");
    assert_eq!(first.problem, "the load has 8 users, and the user classes, all `fixed`, only 2");
    assert_eq!(
        first.remedy,
        "--include-tags smoke --exclude-tags shop leave these; give one of them a `weight`, or ask for fewer users"
    );
}

#[test]
fn a_profile_that_is_not_there_is_refused_at_once_and_in_the_plan() {
    let check = |name: &str, source: &str, remedy: &str| {
        let mut bundle = bundle(&[], &[]);
        bundle.settings.profile = Some(name.to_owned());
        bundle.source = source.to_owned();
        let error = bundle.check_settings().unwrap_err();
        assert_eq!((error.flag, error.remedy.as_str()), ("--profile", remedy));
        assert_eq!(error.problem, format!("the plan has no profile `{name}`"));
        let told = bundle.compile().unwrap_err();
        assert!(told.iter().any(|d| d.problem == error.problem && d.remedy == remedy), "{told}");
    };
    check("strikt", PLAN, "did you mean `strict`? (its profiles are `strict`)");
    check("nightly", PLAN, "its profiles are: `strict`");
    let without = PLAN.lines().filter(|line| !line.starts_with("profiles")).collect::<Vec<_>>().join("\n");
    check("strict", &without, "the plan has no profiles; leave --profile out");
}

//! `params:` and `--set`: declared once, typed, and refused by name.

use plan::model::{ClassId, Step};
use plan::scope::{RunFacts, Scope};
use plan::slot::Slot;
use plan::{Bundle, Settings};
use std::collections::BTreeMap;
use std::sync::Arc;

const PLAN: &str = "\
version: 1
name: T
target: http://${params.host}
params: { host: localhost, users: 4, share: 1.5, strict: false, any: ~, quoted: \"7\", home: \"${env.HOME_PATH or '/'}\" }
load: { users: \"${params.users}\", duration: 1s }
users:
  U:
    tasks:
      t:
        post: \"${params.home}\"
        json: [ \"${params.host}\", \"${params.users}\", \"${params.share}\", \"${params.strict}\", \"${params.any}\", \"${params.quoted}\" ]
";

fn bundle(set: &[(&str, &str)]) -> Bundle {
    let params = set.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    let settings = Settings { params, ..Settings::default() };
    Bundle { file: "plan.yaml".into(), source: PLAN.into(), settings }
}

#[test]
fn values_are_typed_as_their_defaults_are() {
    let check = |set: &[(&str, &str)], expected: &str, users: u32, target: &str| {
        let bundle = bundle(set);
        assert_eq!(bundle.check_settings(), Ok(()));
        let plan = bundle.compile().unwrap_or_else(|e| panic!("{e}"));
        let values: Vec<String> = plan.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(values.join(" "), expected);
        assert_eq!((plan.schedule.max_users(), plan.target.as_str()), (users, target));
    };
    let defaults = "any=null home=\"/\" host=\"localhost\" quoted=\"7\" share=1.5 strict=false users=4";
    check(&[], defaults, 4, "http://localhost/");
    check(
        &[("host", "10"), ("users", "7"), ("share", "2"), ("strict", "true"), ("any", "x=y"), ("quoted", "")],
        "any=\"x=y\" home=\"/\" host=\"10\" quoted=\"\" share=2 strict=true users=7",
        7,
        "http://0.0.0.10/",
    );
}

#[test]
fn values_that_are_not_declared_or_do_not_fit_are_refused_at_once_and_in_the_plan() {
    let check = |name: &str, value: &str, problem: &str, remedy: &str| {
        let bundle = bundle(&[(name, value)]);
        let error = bundle.check_settings().unwrap_err();
        assert_eq!((error.problem.as_str(), error.remedy.as_str()), (problem, remedy));
        let told = bundle.compile().unwrap_err();
        let first = told.iter().next().expect("a problem");
        assert_eq!((first.line, first.column), (4, 1), "{told}");
        assert_eq!((first.problem.as_str(), first.remedy.as_str()), (problem, remedy));
    };
    check("hots", "x", "the plan has no parameter `hots`", "did you mean `host`?");
    check(
        "zzzzzzzz",
        "x",
        "the plan has no parameter `zzzzzzzz`",
        "its parameters are: `any`, `home`, `host`, `quoted`, `share`, `strict`, `users`",
    );
    let number = "give a number, as its default 4 is";
    check("users", "many", "`many` is no value for the parameter `users`", number);
    check(
        "strict",
        "yes",
        "`yes` is no value for the parameter `strict`",
        "give `true` or `false`, as its default false is",
    );
}

#[test]
fn requests_see_values_with_their_types() {
    let plan = bundle(&[("users", "7")]).compile().unwrap_or_else(|e| panic!("{e}"));
    let facts =
        RunFacts { run_id: String::new(), agent_name: String::new(), env: BTreeMap::default(), seed: 1 };
    let scope = Scope::new(&Arc::new(facts), &plan, ClassId(0), Slot(0));
    let Step::Request(request) = &plan.classes[0].tasks[0].steps[0] else { panic!("a request") };
    let rendered = request.render(&plan.target, &scope).expect("every parameter has a value");
    assert_eq!(rendered.url, "http://localhost/");
    assert_eq!(String::from_utf8_lossy(&rendered.body), r#"["localhost",7,1.5,false,null,"7"]"#);
}

#[test]
fn a_text_that_is_no_plan_is_left_to_the_compiler() {
    let broken = |source: &str| Bundle { source: source.into(), ..bundle(&[("host", "x")]) };
    assert_eq!(broken("[").check_settings(), Ok(()));
    assert_eq!(broken("params: 7").check_settings(), Ok(()));
    assert!(broken("name: T").check_settings().is_err(), "a plan without parameters takes none");
}

#[test]
fn a_profile_has_values_of_its_own_and_set_comes_last() {
    let profiles =
        "profiles:\n  large: { duration: 2s, params: { users: 9, host: 10 } }\n  plain: { duration: 3s }\n";
    let check = |profile: Option<&str>, set: &[(&str, &str)], users: u32, host: &str| {
        let mut bundle = bundle(set);
        bundle.source.push_str(profiles);
        bundle.settings.profile = profile.map(str::to_owned);
        assert_eq!(bundle.check_settings(), Ok(()));
        let plan = bundle.compile().unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((plan.schedule.max_users(), plan.target.as_str()), (users, host), "{profile:?} {set:?}");
        assert!(
            plan.params.iter().any(|(name, value)| (name, value.to_string().as_str()) == ("share", "1.5"))
        );
    };
    check(None, &[], 4, "http://localhost/");
    check(Some("plain"), &[], 4, "http://localhost/");
    check(Some("large"), &[], 9, "http://0.0.0.10/");
    check(Some("large"), &[("users", "7")], 7, "http://0.0.0.10/");
}

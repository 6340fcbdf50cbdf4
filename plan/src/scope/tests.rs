//! A user's variables, task choices and random numbers.

use super::*;
use crate::model::{ConnectionSettings, Task, UserClass};
use crate::template::Template;
use std::collections::HashSet;

pub(crate) fn facts(seed: u64) -> Arc<RunFacts> {
    Arc::new(RunFacts {
        run_id: "run-7".into(),
        agent_name: "eu-1".into(),
        env: [("HOST".to_owned(), "example.org".to_owned())].into(),
        seed,
    })
}

fn render(scope: &Scope, text: &str) -> Result<String, String> {
    let mut out = String::new();
    Template::compile(text).unwrap().render(scope, &mut out).map_err(|e| e.0)?;
    Ok(out)
}

fn shop() -> UserClass {
    let task = |name: &str, weight| Task { name: name.into(), weight, steps: Vec::new() };
    UserClass {
        name: "Shop".into(),
        share: crate::slot::Share::Weight(1),
        wait: Wait::None,
        connection: ConnectionSettings::default(),
        data: std::sync::Arc::default(),
        on_start: Vec::new(),
        tasks: vec![task("browse", 70), task("search", 25), task("buy", 5)],
    }
}

#[test]
fn on_start_stays_and_iterations_pass() {
    let mut scope = Scope::for_class(&facts(1), "Shop", Slot(3));
    let check =
        |scope: &Scope, text: &str, expected: &str| assert_eq!(render(scope, text).unwrap(), expected);
    scope.save("token", Value::from("first"));
    scope.keep_saved();
    scope.begin_iteration(0);
    scope.save("id", Value::from(5));
    scope.save("token", Value::from("hidden"));
    check(&scope, "${token} ${id}", "hidden 5");
    scope.begin_iteration(8);
    check(&scope, "${token} ${id is defined} ${user.iteration}", "first false 8");
    check(
        &scope,
        "${user.slot}/${user.class}/${run.id}/${agent.name}/${env.HOST}",
        "3/Shop/run-7/eu-1/example.org",
    );
    assert_eq!(
        render(&scope, "${id}").unwrap_err(),
        "`id`: `id` has no value; a step before this one must save it"
    );
    scope.set_now(1_700_000_000_123);
    check(&scope, "${now()} ${now() // 1000}", "1700000000123 1700000000");
}

#[test]
fn a_choice_depends_on_seed_slot_and_iteration_and_on_nothing_else() {
    let text = "${rand(0, 1000000000)} ${uuid()} ${fake.email()} ${choice(['a', 'b'])} ${rand(0, 1.0)}";
    let draw = |seed, slot, iteration| {
        let mut scope = Scope::for_class(&facts(seed), "Shop", Slot(slot));
        render(&scope, "${uuid()}").unwrap();
        scope.begin_iteration(iteration);
        let task = scope.pick_task(&shop());
        (task, render(&scope, text).unwrap())
    };
    assert_eq!(draw(1, 2, 3), draw(1, 2, 3));
    let all = [draw(1, 2, 3), draw(2, 2, 3), draw(1, 3, 3), draw(1, 2, 4)];
    assert_eq!(all.iter().map(|(_, text)| text).collect::<HashSet<_>>().len(), all.len());
}

#[test]
fn tasks_are_picked_by_weight() {
    let mut scope = Scope::for_class(&facts(1), "Shop", Slot(0));
    let mut picked = [0_u32; 3];
    for iteration in 0..20_000 {
        scope.begin_iteration(iteration);
        picked[scope.pick_task(&shop())] += 1;
    }
    for (task, expected) in [(0, 14_000), (1, 5_000), (2, 1_000_u32)] {
        // Five standard deviations of a binomial distribution are at most 5·√(20000/4) = 354.
        assert!(picked[task].abs_diff(expected) < 354, "{picked:?}");
    }
    let mut heavy = shop();
    heavy.tasks.iter_mut().for_each(|task| task.weight = u32::MAX);
    assert!((0..10).all(|_| scope.pick_task(&heavy) < 3));
}

#[test]
fn a_pause_is_drawn_from_the_iteration() {
    let wait = Wait::Uniform { min: Duration::ZERO, max: Duration::from_secs(9) };
    let draw = |iteration| {
        let mut scope = Scope::for_class(&facts(1), "Shop", Slot(0));
        scope.begin_iteration(iteration);
        scope.pause(&wait, Duration::ZERO)
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
fn variables_cannot_take_names_that_mean_something() {
    let check = |names: &[&str], expected: bool| {
        for name in names {
            assert_eq!(is_variable_name(name), expected, "{name}");
        }
    };
    check(&["token", "_t", "Id2", "environment"], true);
    check(
        &["", "2nd", "a-b", "a.b", "ü", "env", "json", "user", "rand", "fake", "row", "not", "None"],
        false,
    );
}

#[test]
fn setup_sees_what_it_saves_and_users_see_what_it_saved() {
    let bundle = crate::Bundle {
        file: "plan.yaml".into(),
        source: include_str!("../../tests/data/platform.yaml").into(),
        settings: crate::Settings::default(),
    };
    let plan = bundle.compile().unwrap_or_else(|e| panic!("{e}"));
    let mut setup = Scope::for_chore(&facts(1), &plan, ChoreKind::Setup);
    assert_eq!(
        render(&setup, "${setup.tenant}").unwrap_err(),
        "`setup.tenant`: `setup.tenant` has no value; setup did not save it"
    );
    setup.save("tenant", Value::from("t-1"));
    setup.save("all", crate::template::from_json(&serde_json::json!({ "n": 1, "list": [1.5, null] })));
    assert_eq!(render(&setup, "${tenant} ${setup.tenant} ${setup.all.n + 1}").unwrap(), "t-1 t-1 2");

    let values = SetupValues::from_json(&setup.saved_json().unwrap()).unwrap();
    let mut user = Scope::new(&facts(1), &plan, ClassId(0), Slot(0));
    assert!(render(&user, "${setup.tenant}").is_err(), "nothing is known before it is told");
    user.see_setup(&values);
    user.save("own", Value::from(1));
    user.begin_iteration(0);
    assert_eq!(render(&user, "${setup.tenant} ${setup['all'].list[0]}").unwrap(), "t-1 1.5");
    assert!(render(&user, "${setup.own}").is_err(), "what a user saves is its own");

    let draw = |scope: &Scope| render(scope, "${uuid()}").unwrap();
    let teardown = || Scope::for_chore(&facts(1), &plan, ChoreKind::Teardown);
    assert_eq!(draw(&teardown()), draw(&teardown()));
    assert_ne!(draw(&teardown()), draw(&setup));
}

#[test]
fn what_setup_saves_is_bounded_and_json() {
    let check = |value: Value, expected: &str| {
        let mut scope = Scope::for_class(&facts(1), "", Slot(0));
        scope.save("small", Value::from(1));
        scope.save("big", value);
        let error = scope.saved_json().unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    check(Value::from("x".repeat(SetupValues::MAX_BYTES)), "more than 1048576 bytes as JSON with `big`");
    check(Value::from(f64::NAN), "`big`, which setup saved: NaN is not a number");
    let nested = (0..127).fold(Value::from(1), |inner, _| Value::from(vec![inner]));
    check(nested, "cannot travel");
}

#[test]
fn arrivals_of_a_class_take_the_rows_of_its_source_in_order_whoever_serves_them() {
    let rows: Vec<String> = (0..30).map(|n| format!("{{ n: {n} }}")).collect();
    let rows = rows.join(", ");
    let source = format!(
        "version: 1\nname: T\ntarget: http://localhost\nload: {{ arrivals: 9/s, max_users: 7, duration: 9s }}\n\
         data: {{ numbers: {{ rows: [ {rows} ], pick: unique, per: iteration }} }}\n\
         users:\n  A: {{ weight: 2, data: numbers, tasks: {{ t: {{ get: \"/${{row.n}}\" }} }} }}\n  \
         B: {{ weight: 1, tasks: {{ t: {{ get: / }} }} }}\n"
    );
    let bundle = crate::Bundle { file: "plan.yaml".into(), source, settings: crate::Settings::default() };
    let plan = bundle.compile().unwrap_or_else(|e| panic!("{e}"));
    let facts = facts(1);
    let path = ["row".to_owned(), "n".to_owned()];
    let row = |number: u64, server: Slot| {
        let mut scope = Scope::new(&facts, &plan, plan.slots.of(server), server);
        scope.begin_arrival(&plan, number);
        (
            scope.lookup(&path).map(|n| n.to_string()),
            scope.pick_task(&plan.classes[0]),
            scope.exhausted().is_some(),
        )
    };
    let mut next = 0;
    for number in 0..60 {
        let home = home(number, 7);
        if plan.slots.of(home) != ClassId(0) {
            continue;
        }
        let other = (0..7).map(Slot).find(|&slot| slot != home && plan.slots.of(slot) == ClassId(0));
        let expected = (next < 30).then(|| next.to_string());
        assert_eq!((row(number, home).0, row(number, home).2), (expected, next >= 30), "arrival {number}");
        assert_eq!(row(number, home), row(number, other.expect("more than one")));
        next += 1;
    }
    assert!(next > 30, "rows ran out");
}

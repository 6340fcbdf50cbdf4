use super::*;
use crate::report::Style;
use plan::Bundle;

const PLAN: &str = "\
version: 1
name: Shop
target: http://${params.host}
params: { host: localhost, burst: 3 }
load: { users: 100, spawn_rate: 10/s, hold: 1m, warmup: 15s }
thresholds: [ \"error_rate <= 5%\" ]
data:
  buyers: { rows: [ { name: a }, { name: b } ], pick: unique }
  items: { rows: [ { id: 1 } ], pick: unique, per: iteration }
  colours: { rows: [ { id: 1 } ] }
groups: { api: { thresholds: [ \"p95 <= 200ms\", \"rate >= ${env.RATE or 10}/s\" ] } }
users:
  Shopper:
    weight: 3
    data: buyers
    group: api
    wait: 1s..2s
    on_start: [ { post: /login, save: { token: $.token, unused: $.id } } ]
    tasks:
      browse: { weight: 3, get: /items, headers: { authorization: \"Bearer ${token}\" } }
      order:
        steps:
          - { post: /orders, json: { by: \"${token}\" }, save: { id: $.id } }
          - { get: \"/orders/${id}\", thresholds: [ \"max <= 1s\" ], expect: { that: \"json.id == id\" } }
  Writer: { weight: 1, data: { item: items, colour: colours }, wait: pacing 5s, tasks: { write: { post: /text } } }
  Flow:
    fixed: 2
    wait: constant 1s
    tasks:
      flow:
        steps:
          - set: { n: 1, old: 2 }
          - group: checkout
            steps:
              - think: 1s..3s
              - repeat: 4
                steps:
                  - { get: \"/page/${n}\", save: { n: $.next } }
              - if: n > 3
                then: [ { get: /then }, { set: { done: true } } ]
                else: [ { set: { done: false } } ]
          - poll: \"/jobs/${n}\"
            every: 1s
            until: json.done == done
  Watcher: { fixed: 4, tasks: { watch: { get: /watch } } }
";

fn explained(agents: u32) -> Explanation {
    let settings = Settings {
        params: [("host".to_owned(), "shop.example".to_owned())].into(),
        env: [("RATE".to_owned(), "20".to_owned())].into(),
        seed: 5,
        ..Settings::default()
    };
    let bundle = Bundle { file: "shop.yaml".into(), source: PLAN.into(), settings: settings.clone() };
    explain(&bundle.compile().unwrap_or_else(|e| panic!("{e}")), &settings, agents)
}

#[test]
fn a_price_is_told_for_the_whole_fleet() {
    let check = |load: &str, agents: u32, expected: &str| {
        let source = PLAN.replace("load: { users: 100, spawn_rate: 10/s, hold: 1m, warmup: 15s }", load);
        let source = format!("{source}cost: {{ agent_hour: 0.36 USD }}\n");
        let settings =
            Settings { params: [("host".to_owned(), "a".to_owned())].into(), ..Settings::default() };
        let bundle = Bundle { file: "shop.yaml".into(), source, settings: settings.clone() };
        let plan = bundle.compile().unwrap_or_else(|e| panic!("{e}"));
        let text = render(&explain(&plan, &settings, agents), Style::Plain);
        assert!(text.contains(expected), "{text}");
    };
    check(
        "load: { users: 100, duration: 5m }",
        4,
        "cost       about 0.1200 USD for 4 agents until the end, at 0.36 USD per hour each",
    );
    let finite = "load: { users: 100, iterations: 1000, duration: 10h }";
    check(finite, 1, "cost       at most 3.60 USD for 1 agent until the end, at 0.36 USD per hour each");
    assert!(!render(&explained(3), Style::Plain).contains("cost  "));
}

#[test]
fn rates_follow_from_waits_weights_and_steps() {
    let explanation = explained(3);
    let rows: Vec<String> = explanation
        .classes
        .iter()
        .map(|c| format!("{} {} {:?} {:.3} {:.3}", c.name, c.users, c.per_agent, c.iterations, c.requests))
        .collect();
    // Shopper: 71 users, a cycle of (3 * 1.6 + 1 * 1.7) / 4 = 1.625 s, 5 requests in 4 iterations.
    // Flow: 2 users, a cycle of 2 s thinking, 4.5 requests, 1 poll of 0.1 s each and 1 s waiting.
    // Writer: 23 users, one in 5 s. Watcher: 4 users without a pause, 10/s each.
    assert_eq!(
        rows,
        [
            "Shopper 71 Some((23, 24)) 43.692 54.615",
            "Writer 23 Some((7, 8)) 4.600 4.600",
            "Flow 2 Some((0, 1)) 0.563 3.099",
            "Watcher 4 Some((1, 2)) 40.000 40.000",
        ]
    );
    let total: f64 = explanation.classes.iter().map(|c| c.requests).sum();
    // The evaluations of the plan, all 0, are told nowhere; the transaction and the completion count as no request.
    let of_groups: f64 = explanation.groups.iter().map(|g| g.rate).sum();
    assert!((total - of_groups).abs() < 1e-9, "{total} {of_groups}");
}

#[test]
fn chores_are_explained_with_the_way_of_what_setup_saves() {
    let chores = "setup_timeout: 2m\nsetup:\n  - { post: /seed, save: { tenant: $.id, unused: $.x } }\n  \
        - { repeat: 2, steps: [ { get: \"/seed/${setup.tenant}\" } ] }\n\
        teardown: [ { delete: \"/seed/${setup.tenant}\" }, { think: 1s } ]\n";
    let source = format!("{chores}{}", PLAN.replace("get: /items,", "get: \"/items/${setup.tenant}\","));
    let bundle = Bundle { file: "shop.yaml".into(), source, settings: Settings::default() };
    let plan = bundle.compile().unwrap_or_else(|e| panic!("{e}"));
    let explanation = explain(&plan, &Settings::default(), 1);
    let variables: Vec<String> = explanation
        .variables
        .iter()
        .filter(|v| v.class == "(all)")
        .map(|v| format!("{} {} <- {}: {}", v.class, v.name, v.saved_by, v.used_by.join(", ")))
        .collect();
    assert_eq!(
        variables,
        [
            "(all) tenant <- setup 1: POST /seed: setup 2.1: GET /seed/{setup.tenant}, \
             Shopper browse 1: GET /items/{setup.tenant}, teardown 1: DELETE /seed/{setup.tenant}",
            "(all) unused <- setup 1: POST /seed: ",
        ]
    );
    let text = render(&explanation, Style::Plain);
    let expected = "\
ONCE      TIME LIMIT  REQUEST
setup             2m  POST /seed
                      GET /seed/{setup.tenant}
teardown          1m  DELETE /seed/{setup.tenant}
on one agent, not measured
";
    assert!(text.contains(expected), "{text}");
    let mut series = explanation.groups.iter().flat_map(|group| &group.series);
    assert!(!series.any(|series| series.name.contains("seed")), "they are no series of users");
}

#[test]
fn open_loads_are_explained_by_their_arrivals() {
    let source = PLAN
        .replace("users: 100, spawn_rate: 10/s, hold: 1m", "arrivals: 200/s, max_users: 104, duration: 5m");
    let bundle = Bundle { file: "shop.yaml".into(), source, settings: Settings::default() };
    let plan = bundle.compile().unwrap_or_else(|e| panic!("{e}"));
    let explanation = explain(&plan, &bundle.settings, 2);
    let iterations: Vec<f64> = explanation.classes.iter().map(|class| class.iterations).collect();
    // Each class's users of 104.
    assert_eq!(
        iterations.iter().map(|i| (i * 104.0 / 200.0).round()).collect::<Vec<_>>(),
        [74.0, 24.0, 2.0, 4.0]
    );
    let text = render(&explanation, Style::Plain);
    let expected = "\
LOAD
arrivals  200/s for 5m
users     at most 104; about 33.0 are busy at the peak; `wait` is not used
warm-up   the first 15s, which thresholds and totals leave out
end       5m after the first start
then      30s for running iterations to finish
";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn fleets_too_large_to_deal_get_averages() {
    let explanation = explained(2_000_000);
    assert_eq!(explanation.classes[0].per_agent, None);
    assert!(render(&explanation, Style::Plain).contains("about 0.0"));
}

#[test]
fn the_explanation_is_told_as_written_down() {
    let text = render(&explained(3), Style::Plain);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/check.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &text).expect("the tests' data can be written");
    }
    let expected = std::fs::read_to_string(path).expect("it is committed");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert_eq!(text, expected, "\n{text}");
}

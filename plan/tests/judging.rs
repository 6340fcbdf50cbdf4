//! Thresholds that are judged while the run goes on: what a plan may ask for, and what it is warned of.

use plan::{Bundle, Plan, Settings};
use std::fmt::Write as _;
use std::time::Duration;

fn compile(source: &str, settings: Settings) -> Result<Plan, String> {
    let bundle = Bundle { file: "plan.yaml".into(), source: source.into(), settings };
    bundle.compile().map_err(|diagnostics| diagnostics.to_string())
}

fn plan(load: &str, threshold: &str) -> String {
    format!(
        "version: 1\nname: T\ntarget: http://localhost\nload: {load}\nthresholds: [ \"{threshold}\" ]\n\
         profiles: {{ smoke: {{ duration: 10s, thresholds: [ \"p95 <= 1s\" ] }}, long: {{ duration: 10m }} }}\n\
         users: {{ U: {{ tasks: {{ t: {{ get: / }} }} }} }}\n"
    )
}

#[test]
fn windows_have_to_fit_into_what_is_measured_of_this_run() {
    let profile = |name: &str| Settings { profile: Some(name.to_owned()), ..Settings::default() };
    let load = "{ users: 2, duration: 20s, warmup: 5s }";
    let fits = |threshold: &str, settings: Settings| compile(&plan(load, threshold), settings).map(|_| ());
    assert_eq!(fits("p95 <= 1s over 15s", Settings::default()), Ok(()));
    let refused = fits("p95 <= 1s over 16s", Settings::default()).unwrap_err();
    assert!(refused.contains("`over 16s` is longer than what is measured, 15s"), "{refused}");
    assert!(refused.contains("plan.yaml:5:15"), "{refused}");
    // The profile decides, and so do settings of the command line.
    assert_eq!(fits("p95 <= 1s over 1m", profile("long")), Ok(()));
    let short = Settings { duration: Some(Duration::from_secs(8)), ..Settings::default() };
    assert!(fits("p95 <= 1s over 15s", short).is_err());
    // A profile with thresholds of its own has no use for the plan's.
    let without_warmup = plan("{ users: 2, duration: 20s }", "p95 <= 1s over 16s");
    assert!(compile(&without_warmup, profile("smoke")).is_ok());
}

#[test]
fn an_abort_that_has_no_time_is_told() {
    let told = |threshold: &str| {
        let plan = compile(&plan("{ users: 2, duration: 20s, warmup: 5s }", threshold), Settings::default())
            .unwrap();
        plan.warnings.iter().map(|w| (w.line, w.column, w.problem.clone())).collect::<Vec<_>>()
    };
    assert_eq!(told("p95 <= 1s abort"), []);
    assert_eq!(told("p95 <= 1s abort after 14s"), []);
    let problem = "`abort` may stop the run 15s after the warm-up, when it is over: 15s are measured";
    assert_eq!(told("p95 <= 1s abort after 15s"), [(5, 15, problem.to_owned())]);
}

#[test]
fn all_windows_together_are_bounded() {
    let source = |groups: u32| {
        let mut text =
            "version: 1\nname: T\ntarget: http://localhost\nload: { users: 2, duration: 2h }\ngroups:\n"
                .to_owned();
        for group in 0..groups {
            // Of one scope, the longest counts.
            let _ = writeln!(
                text,
                "  g{group}: {{ thresholds: [ \"p95 <= 1s over 1h\", \"p50 <= 1s over 30m\" ] }}"
            );
        }
        text.push_str("users:\n  U:\n    tasks:\n");
        for group in 0..groups {
            let _ = writeln!(text, "      t{group}: {{ get: /{group}, group: g{group} }}");
        }
        text
    };
    assert!(compile(&source(55), Settings::default()).is_ok());
    let refused = compile(&source(56), Settings::default()).unwrap_err();
    assert!(refused.contains("hold 201600 seconds together; at most 200000 may be held"), "{refused}");
}

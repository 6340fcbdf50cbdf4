//! Runs that an agent refuses.

use super::*;
use proto::message::PlanRefusal;

#[test]
fn an_agent_that_reads_the_plan_differently_is_turned_away() {
    let check = |state: Result<PlanDigests, PlanRefusal>, expected: &str| {
        let mut h = Harness::new(1, 1);
        h.attach(1, "a");
        let outputs = h.says(1, FromAgent::PlanState { run: id("r"), state });
        let (code, text) = rejection(&outputs, 1);
        assert_eq!(code, RejectCode::Plan);
        assert!(text.contains(expected), "{text}");
        h.wait(60 * S);
        assert_eq!(h.fleet.phase, Phase::Over);
    };
    let other = || "f".repeat(64);
    check(Ok(PlanDigests { bundle_sha256: other(), ..digests() }), "the plan arrived changed");
    check(Ok(PlanDigests { meaning_sha256: other(), ..digests() }), "reads the plan differently");
    check(Err("no such function".to_owned().into()), "agent a cannot run the plan: no such function");
}

#[test]
fn an_agent_that_does_not_allow_the_run_ends_the_muster() {
    let mut h = Harness::new(2, 1);
    h.attach(1, "a");
    h.attach(2, "b");
    let state = Err(PlanRefusal::Forbidden("8.8.8.8:80 is not in --allow-target private".to_owned()));
    let end = h.says(2, FromAgent::PlanState { run: id("r"), state });
    let Err(NotStarted::Agents(reason)) = &outcome(&end).started else { panic!("{end:?}") };
    assert_eq!(reason, "agent b does not allow this run: 8.8.8.8:80 is not in --allow-target private");
}

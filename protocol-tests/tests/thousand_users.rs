//! The main job at its full number of users, alone on the machine: four real agents, the real coordinator, and the
//! demo target as the judge.

use protocol_tests::fleet::{four_agents, reported, truth};
use protocol_tests::plan_file::platform;
use protocol_tests::process::TestDir;

#[test]
fn a_thousand_users_on_four_agents_are_counted_exactly_as_the_target_saw_them() {
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let dir = TestDir::new("thousand");
    let load = "{ users: 10, spawn_rate: 1/s, duration: 1m }";
    let plan = platform(&target.url(), load, "3s..6s", "success_rate >= 99%");
    let args = ["--users", "1000", "--spawn-rate", "250", "--duration", "9s", "--seed", "7"];
    let (code, text, report) = four_agents(&dir, &plan, &args);

    assert_eq!(reported(&report), truth(&target), "{text}");
    assert!(reported(&report).len() == 4, "every endpoint was used: {:?}", reported(&report));
    assert_eq!(report["accounting"]["status"], "exact", "{text}");
    assert_eq!(report["accounting"]["started"], report["totals"]["requests"]);
    assert_eq!(report["totals"]["failures"], 0, "{text}");

    let per_agent = report["accounting"]["per_agent"].as_array().expect("agents");
    let users: Vec<u64> = per_agent.iter().map(|agent| agent["users"].as_u64().expect("users")).collect();
    assert_eq!(users, [250; 4]);
    let timeline = report["timeline"].as_array().expect("a timeline");
    let peak = timeline.iter().map(|point| point["users"].as_u64().unwrap_or(0)).max();
    assert_eq!(peak, Some(1000), "all users existed at once");
    // The ramp is fleet-wide: 250·(t + 1) users at the end of second t. Agents count theirs when they wake up after
    // it, which a busy machine may delay; four ramps of 250 each would be off by hundreds.
    for (t, point) in timeline.iter().take(3).enumerate() {
        let users = point["users"].as_u64().expect("users");
        let target = point["target_users"].as_u64().expect("target");
        assert!(users.abs_diff(250 * (t as u64 + 1)) <= 60, "second {t}: {users} users");
        assert!(users.abs_diff(target) <= 60, "second {t}: {users} users, {target} planned");
    }
    assert_eq!(code, Some(report["exit_code"].as_i64().expect("a code") as i32));
    assert!(text.contains("accounting: exact"), "{text}");
}

//! Ctrl-C twice: nothing reaches the target any more, and the report is there.

use protocol_tests::fleet::{Coordinator, report};
use protocol_tests::process::TestDir;
use protocol_tests::recorder::Recorder;
use std::time::Duration;

#[test]
fn after_the_second_ctrl_c_nothing_reaches_the_target_and_the_run_is_reported() {
    // Requests are still open when the operator has lost patience: waiting for them would count them as answered.
    let target = Recorder::start(Duration::from_secs(8));
    let dir = TestDir::new("hard-stop");
    let text = format!(
        "version: 1\nname: Hard stop\ntarget: {}\nload: {{ users: 20, duration: 100s, stop_timeout: 60s }}\nusers:\n  \
         User:\n    tasks:\n      look: {{ get: /look, headers: {{ x-slot: \"${{user.slot}}\" }} }}\n",
        target.url()
    );
    let plan = dir.write("plan.yaml", &text);
    let mut coordinator = Coordinator::start(dir.path(), 2, &[plan.to_str().expect("an ASCII path")]);
    let agents = ["a", "b"].map(|name| coordinator.agent(dir.path(), name));
    target.until(|seen| seen.requests.len() == 20);
    coordinator.signal("INT");
    coordinator.line_with("again to stop at once");
    coordinator.signal("INT");
    coordinator.line_with("again to quit without a report");
    let ended = coordinator.wait();
    // Until the target has noticed that they are gone, the next ones would have come.
    target.until(|seen| seen.open == 0);
    drop(agents);
    assert_eq!(ended.code, Some(130), "{}", ended.err);
    assert_eq!(target.seen().requests.len(), 20);
    let report = report(&dir);
    let books = &report["accounting"];
    assert_eq!((&books["status"], &books["aborted"]), (&"exact".into(), &20.into()), "{}", ended.out);
}

//! A user's iterations are its own: none is begun twice, and what is told of them is what happened.

use crate::rig::{Rig, http, plan};
use crate::server::{Answer, Server, Truth};
use crate::simple;
use agent::engine::StopMode;
use plan::slot::{Seat, Slot};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The iterations that the server saw of each slot, in order.
fn seen(truth: &Truth) -> BTreeMap<u32, Vec<u64>> {
    let mut seen: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for request in &truth.requests {
        let (slot, iteration) = request.path()[1..].split_once('/').expect("/SLOT/ITERATION");
        seen.entry(slot.parse().unwrap()).or_default().push(iteration.parse().unwrap());
    }
    seen
}

#[tokio::test]
async fn a_second_life_goes_on_where_the_first_ended() {
    let server = Server::start(|_| Answer::ok(""));
    let stages = "stages: [ {users: 3, for: 700ms}, {users: 0, for: 500ms}, {users: 3, for: 700ms} ]";
    let text = simple(stages, "wait: 20ms", "get: \"/${user.slot}/${user.iteration}\"");
    let outcome = Rig::running(&plan(&text, &http(&server)), 3).await.finish().await;
    let seen = seen(&server.truth());
    assert_eq!(server.truth().connections, 6, "three users that live twice");
    let mut told: BTreeMap<u32, u64> = BTreeMap::new();
    let mut ended = 0;
    for window in &outcome.windows {
        assert!(window.progress.is_sorted_by_key(|user| user.slot), "{:?}", window.progress);
        for user in &window.progress {
            let before = told.insert(user.slot.0, user.iteration);
            assert!(before < Some(user.iteration), "numbers rise");
        }
        ended += window.window.series.values().map(metrics::SeriesStats::requests).sum::<u64>();
        assert!(told.values().sum::<u64>() <= ended, "what is known as done is in the statistics");
    }
    for (slot, iterations) in &seen {
        assert_eq!(*iterations, (0..iterations.len() as u64).collect::<Vec<_>>(), "user {slot}");
        assert_eq!(told[slot], iterations.len() as u64, "user {slot}");
    }
    assert_eq!(seen.len(), 3);
}

#[tokio::test]
async fn a_user_goes_on_where_its_seat_says_and_not_before() {
    let server = Server::start(|_| Answer::ok(""));
    let text = simple("users: 2, duration: 1h", "wait: 5ms", "get: \"/${user.slot}/${user.iteration}\"");
    let plan = plan(&text, &http(&server));
    let mut rig = Rig::start(Vec::new());
    rig.prepare(&plan).await.unwrap();
    let t0 = Instant::now();
    let moved = Seat { slot: Slot(1), iteration: 7, not_before: Duration::from_millis(300) };
    rig.engine.run(t0, 1, vec![Seat::fresh(Slot(0)), moved]);
    server.until(|truth| seen(truth).get(&1).is_some_and(|of| of.len() > 3)).await;
    assert!(t0.elapsed() >= Duration::from_millis(300));
    assert_eq!(seen(&server.truth())[&1][..3], [7, 8, 9]);

    // It leaves, and is given back by someone who does not know how far it came.
    rig.engine.run(t0, 1, vec![Seat::fresh(Slot(0))]);
    server.until(|truth| truth.ended == 1).await;
    let left = seen(&server.truth())[&1].len();
    rig.engine.run(t0, 1, vec![Seat::fresh(Slot(0)), moved]);
    server.until(|truth| seen(truth)[&1].len() > left + 3).await;
    rig.stop(StopMode::Graceful { timeout: Duration::from_mins(1) }).await;
    let seen = seen(&server.truth());
    assert!(seen[&1].iter().copied().eq(7..7 + seen[&1].len() as u64), "{:?}", seen[&1]);
    assert_eq!(server.truth().connections, 3, "the other user is not disturbed");
}

//! Open load: arrivals come whatever the users do.

use crate::rig::{Outcome, Rig, http, plan};
use crate::server::{Answer, Server, Then};
use crate::{held, simple};
use agent::engine::StopMode;
use plan::slot::{Seat, Slot};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Started and dropped.
fn arrivals(outcome: &Outcome) -> (u64, u64) {
    let all = outcome.windows.iter().map(|window| window.window.arrivals);
    all.fold((0, 0), |(started, dropped), counts| (started + counts.started, dropped + counts.dropped))
}

/// The arrivals that the server saw (`/SLOT/NUMBER`), with the slots that served them.
fn served(server: &Server) -> BTreeMap<u64, u64> {
    let mut served = BTreeMap::new();
    for seen in &server.truth().requests {
        if let Some((slot, number)) = seen.path()[1..].split_once('/') {
            let number = number.parse().expect("a number");
            assert_eq!(served.insert(number, slot.parse().expect("a slot")), None, "{number} twice");
        }
    }
    served
}

const EACH: &str = "get: \"/${user.slot}/${user.iteration}\"";

#[tokio::test]
async fn every_arrival_is_served_once_by_the_slot_whose_turn_it_is() {
    let server = Server::start(|_| Answer::ok(""));
    let load = "arrivals: [ { rate: 80/s, over: 1s }, { rate: 80/s, for: 1s } ], max_users: 100";
    let plan = plan(&simple(load, "wait: 1h", EACH), &http(&server));
    let outcome = Rig::running(&plan, 100).await.finish().await;
    assert_eq!(arrivals(&outcome), (120, 0));
    let expected: BTreeMap<u64, u64> = (0..120).map(|number| (number, number % 100)).collect();
    assert_eq!(served(&server), expected);
    assert_eq!((outcome.total.ok, outcome.total.failed, outcome.aborted), (120, 0, 0));
    let lag: u64 = outcome.windows.iter().map(|window| window.health.lag.count()).sum();
    assert!(lag >= 120, "each start shows how late it was");
}

#[tokio::test]
async fn arrivals_that_find_everybody_busy_are_dropped_and_counted() {
    let server = Server::start(held);
    let load = "arrivals: 50/s, max_users: 3, duration: 1s";
    let plan = plan(&simple(load, "wait: none", EACH), &http(&server));
    let mut rig = Rig::running(&plan, 3).await;
    assert_eq!(rig.window().await.users, 3);
    server.release();
    let outcome = rig.finish().await;
    assert_eq!(arrivals(&outcome), (3, 47));
    assert_eq!((outcome.total.ok, outcome.aborted), (3, 0), "those that run may finish");
    // Nobody can serve them, so none of them has waited.
    assert_eq!(served(&server).into_keys().collect::<Vec<_>>(), [0, 1, 2]);
}

#[tokio::test]
async fn users_enter_with_their_first_arrival_and_try_again_with_the_next() {
    let server = Server::start(|seen| match seen.path() {
        "/login" if seen.number == 0 => {
            Answer::raw("HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n", Then::KeepOpen)
        }
        _ => Answer::ok("{\"t\":\"secret\"}"),
    });
    let user = "on_start: [ { post: /login, save: { token: $.t } } ]";
    let text = simple("arrivals: 20/s, max_users: 2, duration: 1s", user, "get: \"/task/${token}\"");
    let outcome = Rig::running(&plan(&text, &http(&server)), 2).await.finish().await;
    assert_eq!(arrivals(&outcome), (20, 0));
    let truth = server.truth();
    let count = |path: &str| truth.requests.iter().filter(|seen| seen.path() == path).count();
    assert_eq!((count("/login"), count("/task/secret")), (3, 19), "one arrival ended at the login");
    assert_eq!((truth.connections, outcome.total.failed), (2, 1));
}

#[tokio::test]
async fn latencies_count_from_the_intended_start() {
    let server = Server::start(|_| Answer::ok(""));
    let plan =
        plan(&simple("arrivals: 100/s, max_users: 200, duration: 1s", "wait: none", EACH), &http(&server));
    let mut rig = Rig::start(Vec::new());
    rig.prepare(&plan).await.expect("a plan that can be run");
    // The agent is half a second late: what should have been served by then has waited since.
    let late = Duration::from_millis(500);
    let seats = (0..200).map(|slot| Seat::fresh(Slot(slot))).collect();
    rig.engine.run(Instant::now().checked_sub(late).expect("an uptime"), 1, seats);
    let outcome = rig.finish().await;
    assert_eq!((arrivals(&outcome), outcome.total.ok), ((100, 0), 100));
    let latency = &outcome.total.latency;
    assert!(latency.max().is_some_and(|max| max >= late), "{latency:?}");
    assert!(latency.min().is_some_and(|min| min < late), "those that came later were served at once");
}

#[tokio::test]
async fn arrivals_follow_their_slots() {
    let server = Server::start(|_| Answer::ok(""));
    let load = "arrivals: 100/s, max_users: 4, duration: 1h";
    let plan = plan(&simple(load, "wait: none", EACH), &http(&server));
    let mut rig = Rig::start(Vec::new());
    rig.prepare(&plan).await.expect("a plan that can be run");
    let t0 = Instant::now();
    let seat = |slot| Seat::fresh(Slot(slot));
    rig.engine.run(t0, 1, vec![seat(0), seat(1)]);
    server.until(|truth| truth.requests.len() >= 6).await;
    let moved = Seat { not_before: Duration::from_millis(800), ..seat(2) };
    rig.engine.run(t0, 1, vec![seat(0), moved]);
    rig.window().await;
    let outcome = rig.stop(StopMode::Graceful { timeout: Duration::from_mins(1) }).await;
    let served = served(&server);
    assert_eq!(served.len() as u64, arrivals(&outcome).0);
    let of = |slot: u64| served.keys().copied().filter(move |number| number % 4 == slot).collect::<Vec<_>>();
    assert!(of(0).into_iter().eq((0..).step_by(4).take(of(0).len())), "undisturbed");
    assert!(of(1).len() < of(0).len() && of(3).is_empty());
    assert_eq!(of(2).first(), Some(&82), "the first one after its seat allows");
}

#[tokio::test]
async fn any_number_of_agents_makes_the_same_requests() {
    let mut seen: Vec<Vec<String>> = Vec::new();
    for agents in [1, 2, 8] {
        let server = Server::start(|_| Answer::ok(""));
        let load = "arrivals: { rate: 100/s, pattern: poisson }, max_users: 80, duration: 1s";
        let each = "get: \"/${user.slot}/${user.iteration}/${rand(1, 1000000)}\"";
        let plan = plan(&simple(load, "wait: none", each), &http(&server));
        let mut rigs = Vec::new();
        for _ in 0..agents {
            let mut rig = Rig::start(Vec::new());
            rig.prepare(&plan).await.expect("a plan that can be run");
            rigs.push(rig);
        }
        let t0 = Instant::now();
        for (agent, rig) in rigs.iter().enumerate() {
            let slots = (0..80).filter(|slot| slot % agents == agent);
            rig.engine.run(t0, 1, slots.map(|slot| Seat::fresh(Slot(slot as u32))).collect());
        }
        for rig in rigs {
            assert_eq!(arrivals(&rig.finish().await).1, 0, "nothing is dropped");
        }
        let mut paths: Vec<String> = server.truth().requests.iter().map(|s| s.path().to_owned()).collect();
        paths.sort_unstable();
        seen.push(paths);
    }
    assert!(seen[0].len() > 50, "{} arrivals", seen[0].len());
    assert!(seen.iter().all(|paths| *paths == seen[0]));
}

//! The real wire and both real drivers in simulated networks: each seed is a world, played twice.
//!
//! `MUSTER_SEEDS=FROM..TO` plays others, `MUSTER_SEED=N` one of them with its whole trace.

use protocol_tests::simulation::{Show, Tally, wire};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What CI plays.
const SEEDS: std::ops::Range<u64> = 0..24;

fn play(seed: u64, show: Show) -> Result<Tally, String> {
    let replay = format!("MUSTER_SEED={seed} cargo test -p protocol-tests --test network -- --nocapture");
    let played = wire::simulate(seed, show)
        .map_err(|broken| format!("{}\nseed {seed}: {}\n{replay}", broken.tail, broken.what))?;
    let again = wire::simulate(seed, Show::Tail)
        .map_err(|broken| format!("seed {seed}, only the second time: {}\n{replay}", broken.what))?;
    if played.hash != again.hash {
        return Err(format!("seed {seed}: not played the same way twice\n{replay}"));
    }
    Ok(played.tally)
}

#[test]
fn every_invariant_holds_over_the_real_wire() {
    if let Ok(seed) = std::env::var("MUSTER_SEED") {
        let tally = play(seed.parse().expect("MUSTER_SEED is a number"), Show::All);
        println!("{:#?}", tally.unwrap_or_else(|failure| panic!("{failure}")));
        return;
    }
    let range = match std::env::var("MUSTER_SEEDS") {
        Ok(text) => {
            let (from, to) = text.split_once("..").expect("MUSTER_SEEDS is FROM..TO");
            from.parse().expect("a number")..to.parse().expect("a number")
        }
        Err(_) => SEEDS,
    };
    let seeds: Vec<u64> = range.collect();
    let (next, broken) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let total = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match play(seed, Show::Tail) {
                        Ok(tally) => {
                            let mut total = total.lock().expect("nobody panics with it");
                            *total = total.plus(tally);
                        }
                        Err(failure) => broken.lock().expect("nobody panics with it").push(failure),
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().expect("nobody panicked with it");
    let total = total.into_inner().expect("nobody panicked with it");
    println!("{} worlds: {total:?}", seeds.len());
    assert!(broken.is_empty(), "{} worlds are broken:\n{}", broken.len(), broken.join("\n\n"));
    if seeds.len() >= SEEDS.count() {
        // Worlds in which nothing happens prove nothing.
        let Tally { requests, windows, lost, moved, begun, exact, .. } = total;
        assert!(requests > 1000 && windows > 100 && begun > 15 && exact > 5, "{total:?}");
        assert!(lost > 3 && moved > 10, "{total:?}");
    }
}

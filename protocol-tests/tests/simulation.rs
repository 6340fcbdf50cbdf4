//! Both cores in simulated worlds: each seed is one, played twice.
//!
//! `MUSTER_SEEDS=FROM..TO` plays others, `MUSTER_SEED=N` one of them with its whole trace.

use protocol_tests::simulation::{Show, Tally, simulate};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What CI plays.
const SEEDS: Range<u64> = 0..500;

/// Seeds that once broke an invariant; they come first.
const KNOWN: &str = include_str!("data/seeds.txt");

fn known() -> impl Iterator<Item = u64> {
    let lines = KNOWN.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty()).map(|line| line.parse().expect("a seed in data/seeds.txt"))
}

/// A seed that breaks something.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Failure {
    seed: u64,
    what: String,
    /// The end of its trace, and how to see all of it.
    shown: String,
}

/// Plays `seed` twice; what broke, and how to see it again.
fn play(seed: u64, show: Show) -> Result<Tally, Failure> {
    let replay = format!("MUSTER_SEED={seed} cargo test -p protocol-tests --test simulation -- --nocapture");
    let first = simulate(seed, show).map_err(|broken| Failure {
        seed,
        what: broken.what,
        shown: format!("{}\n{replay}", broken.tail),
    })?;
    let second = simulate(seed, Show::Tail).map_err(|broken| Failure {
        seed,
        what: format!("only the second time: {}", broken.what),
        shown: replay.clone(),
    })?;
    if first.hash != second.hash {
        return Err(Failure { seed, what: "not played the same way twice".to_owned(), shown: replay });
    }
    Ok(first.tally)
}

#[test]
fn every_invariant_holds_in_every_world() {
    if let Ok(seed) = std::env::var("MUSTER_SEED") {
        let tally = play(seed.parse().expect("MUSTER_SEED is a number"), Show::All);
        println!("{:#?}", tally.unwrap_or_else(|failure| panic!("{}", failure.what)));
        return;
    }
    let range = match std::env::var("MUSTER_SEEDS") {
        Ok(text) => {
            let (from, to) = text.split_once("..").expect("MUSTER_SEEDS is FROM..TO");
            from.parse().expect("a number")..to.parse().expect("a number")
        }
        Err(_) => SEEDS,
    };
    let seeds: Vec<u64> = known().chain(range).collect();
    let (next, broken) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let total = Mutex::new(Tally::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
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
    let mut broken = broken.into_inner().expect("nobody panicked with it");
    broken.sort();
    let total = total.into_inner().expect("nobody panicked with it");
    println!("{} worlds: {total:?}", seeds.len());
    if seeds.len() >= 500 {
        // Worlds in which nothing happens prove nothing.
        let Tally {
            requests,
            windows,
            inherited,
            lost,
            moved,
            begun,
            exact,
            completed,
            chores,
            counts,
            joined,
            left,
            resumed,
        } = total;
        let all =
            [requests, windows, lost, moved, begun, exact, completed, chores, counts, joined, left, resumed];
        assert_eq!(all.map(|n| n >= 50), [true; 12], "{total:?}");
        assert!(inherited >= 10, "{total:?}");
    }
    if let Some(first) = broken.first() {
        let all: Vec<String> =
            broken.iter().map(|failure| format!("seed {}: {}", failure.seed, failure.what)).collect();
        panic!("{}\n{} worlds are broken:\n{}", first.shown, all.len(), all.join("\n"));
    }
}

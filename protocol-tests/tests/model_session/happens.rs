//! What can happen to an agent, in any order.

use proptest::prelude::*;
use proto::message::RejectCode;

/// What happens next.
#[derive(Clone, Debug)]
pub enum Happens {
    Wait(u64),
    Connected,
    Broken,
    Welcome { knows: bool, lost: bool, applied: u64 },
    Granted { which: usize, ttl: u64 },
    Prepare { run: u8 },
    Prepared { well: bool },
    Assign { run: u8, revision: u64, slots: Vec<u32> },
    Start { run: u8 },
    Stop { run: u8, timeout: u64 },
    Window { started: u64, last: bool },
    Acknowledged { ahead: u64 },
    Rejected { code: RejectCode },
}
use Happens as H;

/// Any of it, the usual more often.
fn happens() -> impl Strategy<Value = Happens> {
    let run = || prop_oneof![8 => Just(1_u8), 1 => Just(2)];
    prop_oneof![
        6 => prop::sample::select(vec![5, 100, 600, 600, 1000, 1000, 1700, 4200]).prop_map(H::Wait),
        4 => Just(H::Connected),
        1 => Just(H::Broken),
        4 => (prop::bool::weighted(0.8), prop::bool::weighted(0.2), 0_u64..3)
            .prop_map(|(knows, lost, applied)| H::Welcome { knows, lost, applied }),
        6 => (0_usize..3, prop::sample::select(vec![0, 4000, 4000, 4000, 60_000]))
            .prop_map(|(which, ttl)| H::Granted { which, ttl }),
        3 => run().prop_map(|run| H::Prepare { run }),
        3 => prop::bool::weighted(0.9).prop_map(|well| H::Prepared { well }),
        3 => (run(), 0_u64..5, prop::collection::btree_set(0_u32..9, 0..4)).prop_map(|(run, revision, slots)| {
            H::Assign { run, revision, slots: slots.into_iter().collect() }
        }),
        3 => run().prop_map(|run| H::Start { run }),
        1 => (run(), prop::sample::select(vec![0, 2000])).prop_map(|(run, timeout)| H::Stop { run, timeout }),
        8 => (0_u64..50, prop::bool::weighted(0.1)).prop_map(|(started, last)| H::Window { started, last }),
        4 => (0_u64..4).prop_map(|ahead| H::Acknowledged { ahead }),
        1 => prop::sample::select(vec![RejectCode::Over, RejectCode::Wait, RejectCode::Full])
            .prop_map(|code| H::Rejected { code }),
    ]
}

/// A story; most begin as every run does.
pub fn story() -> impl Strategy<Value = Vec<Happens>> {
    use Happens as H;
    let beginning = vec![
        H::Connected,
        H::Welcome { knows: false, lost: false, applied: 0 },
        H::Granted { which: 0, ttl: 4000 },
        H::Prepare { run: 1 },
        H::Prepared { well: true },
        H::Assign { run: 1, revision: 1, slots: vec![0, 3] },
        H::Start { run: 1 },
    ];
    let began =
        prop::bool::weighted(0.7).prop_map(move |usual| if usual { beginning.clone() } else { Vec::new() });
    (began, prop::collection::vec(happens(), 1..120)).prop_map(|(began, rest)| [began, rest].concat())
}

//! How random stories are told to the models of both cores.

use proptest::test_runner::{Config, RngSeed};

/// `cases` stories, the same each time, so that what a run of the tests says is about what it tests. Others are told with
/// `PROPTEST_RNG_SEED` and `PROPTEST_CASES`.
pub fn stories(cases: u32) -> Config {
    // Both are read there.
    let told = Config { failure_persistence: None, ..Config::default() };
    let is_set = |name| std::env::var_os(name).is_some();
    Config {
        cases: if is_set("PROPTEST_CASES") { told.cases } else { cases },
        rng_seed: if is_set("PROPTEST_RNG_SEED") { told.rng_seed } else { RngSeed::Fixed(1) },
        ..told
    }
}

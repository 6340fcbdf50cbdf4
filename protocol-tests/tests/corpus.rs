//! What the fuzzers of `fuzz/` have found worth keeping, as normal tests.

use protocol_tests::hostile::TARGETS;
use std::path::Path;
use std::time::{Duration, Instant};

/// Far more than any of them takes; a hang is found, a slow machine is not.
const LONG: Duration = Duration::from_secs(20);

#[test]
fn every_kept_input_is_survived() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (name, target) in TARGETS {
        let files =
            std::fs::read_dir(corpus.join(name)).unwrap_or_else(|e| panic!("the corpus of {name}: {e}"));
        let mut tried = 0;
        for file in files {
            let path = file.expect("readable").path();
            let bytes = std::fs::read(&path).expect("readable");
            let began = Instant::now();
            target(&bytes);
            assert!(began.elapsed() < LONG, "{} took {:?}", path.display(), began.elapsed());
            tried += 1;
        }
        assert!(tried >= 5, "{name} has {tried} inputs");
    }
}

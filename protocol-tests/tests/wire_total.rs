//! Any bytes are a message or no message, and never a panic: whatever a frame holds, decoding it is total, and what it gives is
//! the same after another trip over the wire.

use proptest::prelude::*;
use proto::message::RunId;
use proto::raw;
use protocol_tests::attacks::{ATTACKS, Place, STRANGERS};

/// Messages that are nearly right: every attack but the floods and the giants.
fn near_messages() -> Vec<Vec<u8>> {
    let place = Place { run: RunId("r".to_owned()), foreign: plan::slot::Slot(7) };
    let attacks = ATTACKS.iter().flat_map(|(_, says, _)| says(&place).into_iter().take(2));
    let strangers = STRANGERS.iter().map(|(_, says, _)| says());
    attacks.chain(strangers).map(|bytes| bytes.to_vec()).filter(|bytes| bytes.len() < 10_000).collect()
}

fn check(bytes: &[u8]) {
    match raw::from_agent(bytes) {
        Ok(message) => {
            let again = raw::from_agent(&raw::agent_bytes(message.clone()));
            assert_eq!(again, Ok(message), "what was understood is said again");
        }
        Err(problem) => {
            assert!(!problem.is_empty() && problem.chars().count() < 2000, "a bounded reason: {problem}");
            assert!(!problem.contains(char::is_control), "that can be shown: {problem:?}");
        }
    }
    let _ = raw::to_agent(bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_are_a_message_or_none(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        check(&bytes);
    }

    #[test]
    fn nearly_right_messages_are_a_message_or_none(
        pair in (prop::sample::select(near_messages()), prop::sample::select(near_messages())),
        cut in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        both in any::<bool>(),
    ) {
        let mut bytes = pair.0;
        if both {
            bytes.extend(pair.1);
        } else {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        for (at, byte) in changes {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        check(&bytes);
    }
}

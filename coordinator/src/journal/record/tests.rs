use super::*;
use proptest::prelude::*;
use proto::Secret;
use proto::message::{Hello, Resume, RunId};
use proto::version;
use std::collections::BTreeMap;

fn hello(join: Option<Secret>) -> FromAgent {
    FromAgent::Hello(Hello {
        protocol: version::SUPPORTED,
        build: "0.1.0".to_owned(),
        name: "a".to_owned(),
        incarnation: 7,
        cores: 2,
        max_users: 30,
        caps: proto::message::Caps::default(),
        resume: Some(Resume { run: RunId("r".to_owned()), session: 3, stopped: true }),
        join,
    })
}

/// Every input that is kept.
fn inputs() -> Vec<Option<Input>> {
    let session = SessionId(9);
    let mut inputs = vec![
        None,
        Some(Input::Attached { session, peer: "10.0.0.7:4000".to_owned() }),
        Some(Input::Received { session, message: hello(None) }),
        Some(Input::Received { session, message: FromAgent::Renew { n: 4, users: 5 } }),
        Some(Input::Detached { session, reason: "it closed the stream: ö".to_owned() }),
        Some(Input::Broke { session, problem: "it says too much".to_owned() }),
        Some(Input::Stop),
        Some(Input::StopNow),
        Some(Input::Abort),
        Some(Input::Resumed { embedded: false }),
        Some(Input::Resumed { embedded: true }),
    ];
    inputs.extend(CODES.map(|code| Some(Input::Refused { session, code, message: "no".to_owned() })));
    inputs
}

#[test]
fn records_are_read_back_as_they_were() {
    for (n, input) in inputs().into_iter().enumerate() {
        let at = Duration::from_nanos(1_234_567_891 + n as u64);
        let bytes = encode(at, input.as_ref()).expect("it is kept");
        let record = decode(bytes.into()).unwrap();
        assert_eq!((record.at, format!("{:?}", record.input)), (at, format!("{input:?}")));
    }
    let failed = Input::JournalFailed { reason: "full".to_owned(), unkept: BTreeMap::new() };
    assert_eq!(encode(Duration::ZERO, Some(&failed)), None);
}

#[test]
fn the_secret_of_an_agent_is_not_kept() {
    let secret = *b"never in a file!";
    let session = SessionId(1);
    let message = hello(Some(Secret::from_bytes(secret)));
    let bytes = encode(Duration::ZERO, Some(&Input::Received { session, message })).unwrap();
    assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    let Some(Input::Received { message: FromAgent::Hello(hello), .. }) = decode(bytes.into()).unwrap().input
    else {
        panic!("a Hello was kept")
    };
    assert_eq!((hello.join, hello.incarnation), (None, 7));
}

#[test]
fn texts_are_bounded() {
    let reason = "ä".repeat(MAX_TEXT);
    let bytes = encode(Duration::ZERO, Some(&Input::Detached { session: SessionId(1), reason })).unwrap();
    assert_eq!(bytes.len(), HEAD + MAX_TEXT);
    assert!(decode(bytes.into()).is_ok());
}

proptest! {
    #[test]
    fn any_bytes_are_a_record_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0_u8..10) {
        let mut tagged = bytes.clone();
        if let Some(first) = tagged.first_mut() {
            *first = kind;
        }
        for bytes in [bytes, tagged] {
            if let Ok(record) = decode(bytes.into()) {
                prop_assert!(encode(record.at, record.input.as_ref()).is_some());
            }
        }
    }
}

use super::*;
use proto::message::{Cumulative, HealthReport};

pub(crate) fn window(index: u32, started: u64) -> Box<WindowReport> {
    Box::new(WindowReport {
        run: RunId("r-1".to_owned()),
        seq: 0,
        index,
        earlier_users: Vec::new(),
        users: 2,
        in_flight: 0,
        started,
        aborted: started,
        arrivals: metrics::ArrivalCounts::default(),
        cumulative: Cumulative {
            started: started * u64::from(index + 1),
            aborted: started * u64::from(index + 1),
            ..Cumulative::default()
        },
        series: Vec::new(),
        errors: Vec::new(),
        health: HealthReport { lag: empty_histogram(), ..HealthReport::default() },
        last: false,
        progress: Vec::new(),
        roll: proto::message::Roll::default(),
    })
}

fn empty_histogram() -> bytes::Bytes {
    let mut bytes = Vec::new();
    metrics::Histogram::new().encode_v2(&mut bytes);
    bytes.into()
}

pub(crate) fn owner(key: Option<&str>) -> Owner {
    Owner { coordinator: "host:5557".to_owned(), name: "a".to_owned(), key: key.map(str::to_owned) }
}

pub(crate) fn part() -> Part {
    Part { run: RunId("r-1".to_owned()), session: 7, warmup: 3 }
}

fn read_all(mut bytes: &[u8]) -> (Vec<Record>, End) {
    let mut records = Vec::new();
    loop {
        match read(&mut bytes).unwrap() {
            Ok((record, _)) => records.push(record),
            Err(end) => return (records, end),
        }
    }
}

#[test]
fn what_is_written_is_read_again() {
    let merged = Box::new(WindowReport { seq: 2, ..*window(1, 4) });
    let entries = [
        Entry::Closed(window(0, 4)),
        Entry::Numbered(1),
        Entry::Merged(merged),
        Entry::Acknowledged(u64::MAX),
    ];
    let mut bytes = head(&owner(Some("PEM")), &part());
    for said in &entries {
        bytes.extend(entry(said.clone()).unwrap());
    }
    let mut expected = vec![Record::Head(owner(Some("PEM")), part())];
    expected.extend(entries.map(Record::Entry));
    assert_eq!(read_all(&bytes), (expected, End::Whole));
    assert_eq!((entry(Entry::Over), entry(Entry::Began(part()))), (None, None));
}

#[test]
fn a_key_is_not_shown() {
    assert!(!format!("{:?}", owner(Some("PEM"))).contains("PEM"));
}

#[test]
fn bodies_that_say_nothing_are_named() {
    let check = |bytes: Vec<u8>, expected: &str| match read_all(&bytes) {
        (records, End::Cut(why)) if records.is_empty() => assert!(why.contains(expected), "{why}"),
        other => panic!("{expected}: {other:?}"),
    };
    check(framed(b'?', b""), "unknown kind 63");
    check(framed(b'N', b"1234567"), "not 8 bytes");
    check(framed(b'C', b"\xff\xff"), "");
    check(framed(b'C', &raw::agent_bytes(FromAgent::Renew { n: 1, users: 0 })), "something else");
    check(framed(b'H', b"{}"), "`muster_spool` is not a number");
    check(framed(b'H', br#"{"muster_spool":2}"#), "version 2");
    check(vec![0; 64], "a record of 0 bytes");
    check(vec![0xff; 64], "a record of 4294967295 bytes, at most");
}

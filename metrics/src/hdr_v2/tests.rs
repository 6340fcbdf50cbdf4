use super::*;
use crate::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};
use proptest::prelude::*;
use std::time::Duration;

fn recorded(latencies: &[u64]) -> Histogram {
    let mut histogram = Histogram::new();
    for latency in latencies {
        histogram.record(Duration::from_micros(*latency));
    }
    histogram
}

fn encoded(histogram: &Histogram) -> Vec<u8> {
    let mut bytes = Vec::new();
    histogram.encode_v2(&mut bytes);
    bytes
}

fn decoded(bytes: &[u8]) -> Result<Histogram, DecodeError> {
    let mut histogram = Histogram::new();
    let added = histogram.merge_v2(bytes)?;
    assert_eq!(histogram.count(), added);
    Ok(histogram)
}

/// A message with our header and these numbers for counts and runs.
fn message(numbers: &[i64]) -> Vec<u8> {
    let mut payload = Vec::new();
    for number in numbers {
        write_varint(*number, &mut payload);
    }
    message_of(&payload)
}

fn message_of(payload: &[u8]) -> Vec<u8> {
    let mut bytes = encoded(&Histogram::new())[..HEADER_BYTES].to_vec();
    bytes[4..8].copy_from_slice(&u32::try_from(payload.len()).unwrap().to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn library_reads(bytes: &[u8]) -> Option<hdrhistogram::Histogram<u64>> {
    Deserializer::new().deserialize::<u64, _>(&mut &bytes[..]).ok()
}

/// Slot by slot, what we read is what the library read.
fn assert_same(ours: &Histogram, library: &hdrhistogram::Histogram<u64>) {
    assert_eq!(ours.count(), library.len());
    let theirs =
        library.iter_recorded().map(|value| (value.value_iterated_to().min(HIGH), value.count_at_value()));
    let ours = ours.iter_recorded().map(|(value, count)| (u64::try_from(value.as_micros()).unwrap(), count));
    assert_eq!(ours.collect::<Vec<_>>(), theirs.collect::<Vec<_>>());
}

fn check_encoding(latencies: &[u64]) {
    let histogram = recorded(latencies);
    let bytes = encoded(&histogram);
    assert_eq!(decoded(&bytes).as_ref(), Ok(&histogram));

    let library = library_reads(&bytes).expect("the library reads our bytes");
    assert_same(&histogram, &library);
    let mut rewritten = Vec::new();
    V2Serializer::new().serialize(&library, &mut rewritten).unwrap();
    assert_eq!(bytes, rewritten, "the library writes the same bytes");

    let mut longer = b"before".to_vec();
    histogram.encode_v2(&mut longer);
    assert_eq!(&longer[6..], bytes, "encoding appends");
}

#[test]
fn encodings_of_edge_cases_read_back() {
    for latencies in [
        &[][..],
        &[1],
        &[2],
        &[3],
        &[1, 3],
        &[2_047, 2_048, 2_049],
        &[HIGH],
        &[1, HIGH],
        &[1; 64],
        &[7_000; 1_024],
    ] {
        check_encoding(latencies);
    }
}

#[test]
fn every_length_of_varint_reads_back() {
    for bits in 0..63 {
        for number in [1_i64 << bits, -(1_i64 << bits), (1 << bits) - 1] {
            let mut bytes = Vec::new();
            write_varint(number, &mut bytes);
            assert_eq!(read_varint(&bytes), Some((number, bytes.len())));
            assert_eq!(read_varint(&bytes[..bytes.len() - 1]), None);
        }
    }
    assert_eq!(read_varint(&[0xff; 9]), Some((i64::MIN, 9)));
}

#[test]
fn a_foreign_header_is_refused() {
    let patched = |at: usize, patch: &[u8]| {
        let mut bytes = encoded(&recorded(&[5]));
        bytes[at..at + patch.len()].copy_from_slice(patch);
        bytes
    };
    let whole = encoded(&recorded(&[5]));
    let cases: [(Vec<u8>, DecodeError, &str); 11] = [
        (
            vec![],
            DecodeError::HeaderTruncated { length: 0 },
            "the histogram has 0 bytes, its header alone has 40",
        ),
        (
            whole[..39].to_vec(),
            DecodeError::HeaderTruncated { length: 39 },
            "the histogram has 39 bytes, its header alone has 40",
        ),
        (
            patched(0, &0x1c84_9314_u32.to_be_bytes()),
            DecodeError::Cookie { found: 0x1c84_9314 },
            "the histogram begins with 0x1c849314, not with 0x1c849313 (V2, uncompressed)",
        ),
        (
            patched(4, &u32::MAX.to_be_bytes()),
            DecodeError::PayloadLength { announced: u32::MAX, actual: whole.len() - 40 },
            "the histogram announces 4294967295 bytes of counts, 2 follow its header",
        ),
        (
            whole[..whole.len() - 1].to_vec(),
            DecodeError::PayloadLength { announced: 2, actual: 1 },
            "the histogram announces 2 bytes of counts, 1 follow its header",
        ),
        (
            [&whole[..], &[0]].concat(),
            DecodeError::PayloadLength { announced: 2, actual: 3 },
            "the histogram announces 2 bytes of counts, 3 follow its header",
        ),
        (
            patched(8, &[0, 0, 0, 1]),
            DecodeError::IndexOffset { found: 1 },
            "the histogram has the normalizing index offset 1, it must be 0",
        ),
        (
            patched(12, &[0, 0, 0, 5]),
            DecodeError::Digits { found: 5 },
            "the histogram has 5 significant digits, it must have 3",
        ),
        (
            patched(16, &2_u64.to_be_bytes()),
            DecodeError::Lowest { found: 2 },
            "the histogram begins at 2 µs, it must begin at 1 µs",
        ),
        (
            patched(24, &u64::MAX.to_be_bytes()),
            DecodeError::Highest { found: u64::MAX },
            "the histogram ends at 18446744073709551615 µs, it must end at 3600000000 µs",
        ),
        (
            patched(32, &2_f64.to_be_bytes()),
            DecodeError::Ratio { bits: 2_f64.to_bits() },
            "the histogram has the value ratio 2, it must be 1",
        ),
    ];
    for (bytes, error, text) in cases {
        assert_eq!(decoded(&bytes), Err(error.clone()));
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn impossible_counts_are_refused() {
    let last = i64::try_from(LAST).unwrap();
    let most = i64::try_from(MAX_SAMPLES).unwrap();
    for (numbers, error) in [
        (&[1][..], DecodeError::SlotOutOfRange { slot: 0 }),
        (&[-last, 1, 1], DecodeError::SlotOutOfRange { slot: LAST + 1 }),
        (&[-last - 2], DecodeError::RunTooLong { slot: 0, run: LAST as u64 + 2 }),
        (&[-last, 1, -1], DecodeError::RunTooLong { slot: LAST + 1, run: 1 }),
        (&[-last, 1, 0], DecodeError::RunTooLong { slot: LAST + 1, run: 1 }),
        (&[0, i64::MIN], DecodeError::RunTooLong { slot: 1, run: 1 << 63 }),
        (&[0, most + 1], DecodeError::TooManySamples),
        (&[0, most, 1], DecodeError::TooManySamples),
        (&[0, i64::MAX, i64::MAX, i64::MAX], DecodeError::TooManySamples),
    ] {
        assert_eq!(decoded(&message(numbers)), Err(error), "{numbers:?}");
    }
    assert_eq!(decoded(&message_of(&[0, 0x80])), Err(DecodeError::CountTruncated { offset: 1 }));
    assert_eq!(decoded(&message_of(&[0xff; 8])), Err(DecodeError::CountTruncated { offset: 0 }));
}

#[test]
fn unusual_spellings_are_read() {
    let last = i64::try_from(LAST).unwrap();
    for (numbers, expected) in [
        (&[][..], recorded(&[])),
        (&[0], recorded(&[])),
        (&[-last - 1], recorded(&[])),
        (&[-1, 1], recorded(&[1])),
        (&[-2, 1, -5, 0], recorded(&[2])),
        (&[-last, 2], recorded(&[HIGH, HIGH])),
    ] {
        assert_eq!(decoded(&message(numbers)), Ok(expected), "{numbers:?}");
    }
}

#[test]
fn a_refused_histogram_leaves_no_trace() {
    let mut totals = recorded(&[5, 6]);
    let late_error = message(&[0, 1, 1, 1, -3, 9, i64::MIN]);
    assert!(totals.merge_v2(&late_error).is_err());
    assert_eq!(totals, recorded(&[5, 6]));
}

#[test]
fn totals_are_bounded() {
    let largest = message(&[0, i64::try_from(MAX_SAMPLES).unwrap()]);
    let mut totals = Histogram::new();
    for _ in 0..MAX_TOTAL / MAX_SAMPLES {
        assert_eq!(totals.merge_v2(&largest), Ok(MAX_SAMPLES));
    }
    let full = DecodeError::TotalsFull { held: MAX_TOTAL, added: MAX_SAMPLES };
    assert_eq!(totals.merge_v2(&largest), Err(full));
    assert_eq!(totals.count(), MAX_TOTAL);
    assert_eq!(totals.merge_v2(&message(&[0])), Ok(0));
}

/// Decodes what may be anything; where it is accepted, the library must have read the same.
fn check_any(bytes: &[u8]) {
    let mut totals = recorded(&[5, 6, 70_000]);
    let before = totals.clone();
    match totals.merge_v2(bytes) {
        Err(_) => assert_eq!(totals, before),
        Ok(added) => {
            assert_eq!(totals.count(), before.count() + added);
            let library = library_reads(bytes).expect("what we accept, the library reads");
            assert_same(&decoded(bytes).unwrap(), &library);
        }
    }
}

proptest! {
    #[test]
    fn encodings_read_back(latencies in prop::collection::vec(0..HIGH + 10, 0..100)) {
        check_encoding(&latencies);
    }

    #[test]
    fn merging_bytes_is_merging(ours in prop::collection::vec(1..HIGH, 0..40), theirs in prop::collection::vec(1..HIGH, 0..40)) {
        let mut merged = recorded(&ours);
        prop_assert_eq!(merged.merge_v2(&encoded(&recorded(&theirs))), Ok(theirs.len() as u64));
        prop_assert_eq!(merged, recorded(&[ours, theirs].concat()));
    }

    #[test]
    fn arbitrary_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check_any(&bytes);
    }

    #[test]
    fn arbitrary_counts_are_answered(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        check_any(&message_of(&payload));
    }

    #[test]
    fn mutated_encodings_are_answered(
        latencies in prop::collection::vec(1..HIGH, 1..50),
        mutations in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = encoded(&recorded(&latencies));
        for (at, byte) in mutations {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        check_any(&bytes);
    }

    #[test]
    fn sound_counts_are_accepted_as_the_library_does(
        numbers in prop::collection::vec(prop_oneof![-600_i64..0, Just(0), 1..100_000_i64], 0..40),
    ) {
        // At most 40 * 600 + 1 slots might be too many: then both refuse, or only zeros are left over.
        let numbers = [vec![-1], numbers].concat();
        let bytes = message(&numbers);
        let slots: u64 = numbers.iter().map(|number| if *number < 0 { number.unsigned_abs() } else { 1 }).sum();
        if slots <= LAST as u64 + 1 {
            let library = library_reads(&bytes).expect("the library reads sound counts");
            assert_same(&decoded(&bytes).unwrap(), &library);
        } else {
            prop_assert!(decoded(&bytes).is_err());
        }
    }
}

proptest! {
    #[test]
    fn the_sum_of_encodings_is_the_encoding_of_one_recorder(
        latencies in prop::collection::vec((1_u64..10_000_000, 0_usize..3), 0..120),
    ) {
        let part = |owner| {
            let own = latencies.iter().filter(|(_, whose)| *whose == owner).map(|(latency, _)| *latency);
            encoded(&recorded(&own.collect::<Vec<_>>()))
        };
        let sum = |left: &[u8], right: &[u8]| Histogram::sum_v2(left, right).unwrap();
        let (a, b, c) = (part(0), part(1), part(2));
        let whole = encoded(&recorded(&latencies.iter().map(|(latency, _)| *latency).collect::<Vec<_>>()));
        prop_assert_eq!(&sum(&sum(&a, &b), &c), &whole);
        prop_assert_eq!(&sum(&a, &sum(&b, &c)), &whole);
        prop_assert_eq!(&sum(&c, &sum(&a, &b)), &whole);
    }
}

#[test]
fn a_sum_is_refused_where_its_parts_are_or_together_are_too_many() {
    let good = encoded(&recorded(&[5]));
    let most = i64::try_from(MAX_SAMPLES).unwrap();
    assert!(Histogram::sum_v2(&good, b"garbage").is_err() && Histogram::sum_v2(b"garbage", &good).is_err());
    assert_eq!(Histogram::sum_v2(&message(&[0, most]), &good), Err(DecodeError::TooManySamples));
    assert!(Histogram::sum_v2(&message(&[0, most - 1]), &good).is_ok());
}

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const AT: Duration = Duration::from_secs(3);

fn add(table: &mut ErrorTable, series: u32, kind: ErrorKind, message: &str) {
    table.add(SeriesId(series), kind, message, 1, AT, AT);
}

fn shown(table: &ErrorTable) -> Vec<(u32, ErrorKind, &str, u64)> {
    table.rows().map(|row| (row.series.0, row.kind, row.message.as_str(), row.count)).collect()
}

#[test]
fn equal_errors_share_a_row() {
    let mut table = ErrorTable::new(10);
    let s = Duration::from_secs;
    table.add(SeriesId(1), ErrorKind::Status, "status 500", 2, s(5), s(6));
    table.add(SeriesId(0), ErrorKind::Timeout, "no answer", 1, s(9), s(9));
    table.add(SeriesId(1), ErrorKind::Status, "status 500", 3, s(2), s(4));
    table.add(SeriesId(1), ErrorKind::Status, "status 503", 1, s(1), s(1));
    table.add(SeriesId(1), ErrorKind::Reset, "status 500", 1, s(1), s(1));
    table.add(SeriesId(1), ErrorKind::Reset, "never", 0, s(1), s(1));
    assert_eq!(
        shown(&table),
        [
            (0, ErrorKind::Timeout, "no answer", 1),
            (1, ErrorKind::Reset, "status 500", 1),
            (1, ErrorKind::Status, "status 500", 5),
            (1, ErrorKind::Status, "status 503", 1),
        ]
    );
    let merged = table.rows().nth(2).unwrap();
    assert_eq!((merged.first, merged.last), (s(2), s(6)));
}

#[test]
fn messages_are_bounded_and_plain() {
    let long = "é".repeat(201);
    let cut = format!("{}…", "é".repeat(199));
    let fits = "é".repeat(200);
    for (message, kept) in [
        ("status 500", "status 500"),
        ("", ""),
        ("two\r\nlines\tand a tab", "two  lines and a tab"),
        ("\u{1b}[31mred\u{0}\u{7f}\u{9b}", "\u{fffd}[31mred\u{fffd}\u{fffd}\u{fffd}"),
        ("abc\u{202e}fed\u{2066}", "abc\u{fffd}fed\u{fffd}"),
        (&fits, &fits),
        (&long, &cut),
    ] {
        let mut table = ErrorTable::default();
        add(&mut table, 0, ErrorKind::Protocol, message);
        assert_eq!(shown(&table), [(0, ErrorKind::Protocol, kept, 1)]);
    }
}

#[test]
fn a_full_table_folds_by_series_and_kind() {
    let mut table = ErrorTable::new(2);
    for number in 0..5 {
        add(&mut table, 0, ErrorKind::Status, &format!("status 50{number}"));
    }
    add(&mut table, 1, ErrorKind::Status, "status 500");
    add(&mut table, 0, ErrorKind::Reset, "reset");
    add(&mut table, 0, ErrorKind::Status, "status 500");
    assert_eq!(
        shown(&table),
        [
            (0, ErrorKind::Reset, ErrorTable::FOLD_MESSAGE, 1),
            (0, ErrorKind::Status, ErrorTable::FOLD_MESSAGE, 3),
            (0, ErrorKind::Status, "status 500", 2),
            (0, ErrorKind::Status, "status 501", 1),
            (1, ErrorKind::Status, ErrorTable::FOLD_MESSAGE, 1),
        ]
    );
    let mut copy = ErrorTable::new(2);
    copy.merge(&table);
    assert_eq!(copy.total(), table.total());
    let mut roomy = ErrorTable::new(10);
    roomy.merge(&table);
    assert_eq!(shown(&roomy), shown(&table), "fold rows stay fold rows");
}

#[test]
fn a_message_that_reads_like_a_fold_takes_no_room() {
    let mut table = ErrorTable::new(1);
    add(&mut table, 0, ErrorKind::Status, ErrorTable::FOLD_MESSAGE);
    add(&mut table, 0, ErrorKind::Status, "status 500");
    add(&mut table, 0, ErrorKind::Status, "status 501");
    let fold = (0, ErrorKind::Status, ErrorTable::FOLD_MESSAGE, 2);
    assert_eq!(shown(&table), [fold, (0, ErrorKind::Status, "status 500", 1)]);
}

#[test]
fn messages_that_differ_in_numbers_are_told_apart_as_long_as_they_are_few() {
    let mut table = ErrorTable::new(100);
    for status in 500..510 {
        add(&mut table, 0, ErrorKind::Status, &format!("status {status}"));
    }
    add(&mut table, 0, ErrorKind::Status, "no status");
    add(&mut table, 1, ErrorKind::Status, "status 500");
    add(&mut table, 0, ErrorKind::Assertion, "status 500");
    assert_eq!(table.rows().count(), 13);
    let before = table.clone();
    add(&mut table, 0, ErrorKind::Status, "status 509");
    assert_eq!(table.rows().count(), 13, "it is there already");
    table.add(SeriesId(0), ErrorKind::Status, "status 510", 3, Duration::ZERO, AT * 2);
    assert_eq!(
        shown(&table),
        [
            (0, ErrorKind::Status, "no status", 1),
            (0, ErrorKind::Status, "status {number}", 14),
            (0, ErrorKind::Assertion, "status 500", 1),
            (1, ErrorKind::Status, "status 500", 1),
        ]
    );
    let joined = table.rows().nth(1).unwrap();
    assert_eq!((joined.first, joined.last), (Duration::ZERO, AT * 2));
    // One that is joined is joined wherever it goes on.
    let mut other = before;
    other.merge(&table);
    assert_eq!(
        other.rows().nth(1).map(|row| (row.message.as_str(), row.count)),
        Some(("status {number}", 24))
    );
}

#[test]
fn distinct_messages_cannot_fill_the_memory() {
    let mut table = ErrorTable::new(Window::MAX_ERRORS);
    for number in 0..100_000 {
        add(&mut table, 4, ErrorKind::Assertion, &format!("order {number} is not there"));
    }
    assert_eq!(shown(&table), [(4, ErrorKind::Assertion, "order {number} is not there", 100_000)]);
    // Those that have nothing in common.
    let mut table = ErrorTable::new(Window::MAX_ERRORS);
    for number in 0_u32..20_000 {
        let letters: String =
            number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'g')).collect();
        add(&mut table, 4, ErrorKind::Assertion, &letters);
    }
    assert_eq!(table.rows().count(), Window::MAX_ERRORS + 1);
    assert_eq!(table.total(), 20_000);
}

#[test]
fn distinct_series_cannot_fill_the_memory() {
    let mut table = ErrorTable::new(0);
    let kinds = [ErrorKind::Dns, ErrorKind::Tls, ErrorKind::Template];
    for number in 0..100_000_u32 {
        // The last kind comes only when no more fold rows are made.
        let kind = kinds[if number < 50_000 { number as usize % 2 } else { 2 }];
        add(&mut table, number, kind, "no");
    }
    assert_eq!(table.rows().count(), ErrorTable::MAX_FOLDS + 1);
    assert_eq!(table.total(), 100_000);
    let of_kind = |kind| table.rows().filter(|row| row.kind == kind).map(|row| row.count).sum::<u64>();
    assert_eq!(kinds.map(of_kind), [25_000, 25_000, 50_000]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn sums_are_exact_over_splits_and_folds(
        events in prop::collection::vec((0_u32..3, 0_usize..2, 0_u32..16, 1_u64..5, 0_u64..100), 0..80),
        owners in prop::collection::vec(0_usize..3, 80),
        max_rows in 0_usize..90,
    ) {
        let kinds = [ErrorKind::Status, ErrorKind::Assertion];
        let mut parts = vec![ErrorTable::new(max_rows); 3];
        let mut whole = ErrorTable::new(max_rows);
        let mut sums = BTreeMap::<_, u64>::new();
        for ((series, kind, message, count, at), owner) in events.into_iter().zip(owners) {
            let (series, kind, message) = (SeriesId(series), kinds[kind], format!("m{message}"));
            let at = Duration::from_secs(at);
            parts[owner].add(series, kind, &message, count, at, at);
            whole.add(series, kind, &message, count, at, at);
            *sums.entry((series, kind)).or_default() += count;
        }
        let mut merged = ErrorTable::new(max_rows);
        for part in &parts {
            merged.merge(part);
        }
        for table in [&merged, &whole] {
            let mut observed = BTreeMap::<_, u64>::new();
            for row in table.rows() {
                *observed.entry((row.series, row.kind)).or_default() += row.count;
            }
            prop_assert_eq!(&observed, &sums, "exact by series and kind");
            prop_assert!(table.rows().count() <= max_rows + 6);
            let keys: Vec<_> = table.rows().map(|row| (row.series, row.kind, &row.message)).collect();
            prop_assert!(keys.is_sorted() && keys.windows(2).all(|pair| pair[0] != pair[1]));
        }
        // A full table of messages that have nothing in common depends on their order.
        if max_rows >= 6 * ErrorTable::MAX_ALIKE {
            prop_assert_eq!(whole.folds, 0);
            prop_assert_eq!(merged, whole, "without folds, parts add up to the whole");
        }
    }
}

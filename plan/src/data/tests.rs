use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Rows as JSON, one a line; or the problems.
fn told(table: Result<Table, FileProblems>) -> String {
    let table = match table {
        Ok(table) => table,
        Err(problems) => {
            let (found, more) = problems.into_parts();
            let place =
                |p: &FileProblem| p.place.map_or("-".into(), |(line, column)| format!("{line}:{column}"));
            let lines: Vec<String> = found.iter().map(|p| format!("{} {}", place(p), p.what)).collect();
            return format!(
                "{}{}",
                lines.join("\n"),
                if more > 0 { format!("\n+{more}") } else { String::new() }
            );
        }
    };
    let source = source(table, Pick::Sequential, Per::User, Exhausted::Stop);
    let row = |number| Value::from_object(Row { source: Arc::clone(&source), number });
    let rows = (0..source.table.rows()).map(|n| serde_json::to_string(&row(n)).unwrap());
    rows.collect::<Vec<_>>().join("\n")
}

fn source(table: Table, pick: Pick, per: Per, when_exhausted: Exhausted) -> Arc<Source> {
    Arc::new(Source { name: "d".into(), index: 3, table, pick, per, when_exhausted })
}

fn csv(text: &str) -> String {
    told(read_csv(text.as_bytes(), b',', &BTreeMap::new()))
}

fn typed(text: &str, types: &[(&str, CellType)]) -> String {
    let types = types.iter().map(|(name, cells)| ((*name).to_owned(), *cells)).collect();
    told(read_csv(text.as_bytes(), b',', &types))
}

#[test]
fn csv_is_read_as_the_standard_says() {
    let ab = "{\"a\":\"1\",\"b\":\"2\"}";
    for text in [
        "a,b\n1,2\n",
        "a,b\n1,2",
        "a,b\r\n1,2\r\n",
        "a,b\r1,2\r",
        "\u{feff}a,b\n\n\n1,2\n\n",
        "\"a\",\"b\"\n\"1\",2",
    ] {
        assert_eq!(csv(text), ab, "{text:?}");
    }
    assert_eq!(csv("a,b\n\"x \"\"y\"\", z\",\n"), r#"{"a":"x \"y\", z","b":""}"#);
    assert_eq!(csv("a\n\"line\r\nbreak\"\n"), r#"{"a":"line\r\nbreak"}"#);
    assert_eq!(csv("a\n\"\"\nü €\n"), "{\"a\":\"\"}\n{\"a\":\"ü €\"}");
    assert_eq!(told(read_csv(b"a;b\n1,5;2\n", b';', &BTreeMap::new())), r#"{"a":"1,5","b":"2"}"#);
}

#[test]
fn wrong_csv_is_explained_at_its_place() {
    let check = |text: &str, expected: &str| assert_eq!(csv(text), expected, "{text:?}");
    check("", "- the file is empty");
    check("\n\r\n", "- the file is empty");
    check("a,b\n", "- the file has a header and no row below it");
    check("a,,b\n1,2,3", "1:3 column 2 has no name");
    check("a, b\n1,2", "1:3 the name ` b` of column 2 begins or ends with white space");
    check("a,b,a\n1,2,3", "1:5 column 3 is called `a`, as column 1 is");
    check(
        "a,b\n1\n2,3,4\n5,6\n",
        "2:1 this row has 1 value, the header names 2 columns\n3:1 this row has 3 values, the header names 2 columns",
    );
    check("a,b\n1,\"x\ny\n", "2:3 this quote is never closed");
    check("a,b\nü,x\"y\n", "2:4 a quote in a value that does not begin with one");
    check("a,b\nü, \"y\"\n", "2:4 a quote in a value that does not begin with one");
    check("a,b\n\"q\nr\"s,1\n", "3:3 text behind a closing quote");
    let ragged = format!("a,b\n{}", "1\n".repeat(9));
    assert!(
        csv(&ragged).ends_with("6:1 this row has 1 value, the header names 2 columns\n+4"),
        "{}",
        csv(&ragged)
    );
    let bytes = |bytes: &[u8]| told(read_csv(bytes, b',', &BTreeMap::new()));
    assert_eq!(bytes(b"a,b\n\xc3\xbc,\xff\n"), "2:3 the byte 0xff is not UTF-8");
    assert_eq!(bytes(b"\xff\xfea\0"), "1:1 the file is UTF-16, not UTF-8");
    let wide = "a,".repeat(MAX_COLUMNS + 1);
    assert_eq!(csv(&wide.replace('a', "1")), "1:3 column 2 is called `1`, as column 1 is");
    assert_eq!(csv(&format!("a\n{wide}")), "2:1 a row of more than 1000 values");
}

#[test]
fn columns_have_the_types_that_the_plan_gives_them() {
    use CellType::{Boolean, Integer, Json, Number};
    let types = [("i", Integer), ("n", Number), ("b", Boolean), ("j", Json)];
    assert_eq!(
        typed(
            "i,n,b,j,t\n-7,1e3,true,\"{\"\"x\"\": [1]}\",5\n9223372036854775807,-0.5,false,null,\n",
            &types
        ),
        "{\"i\":-7,\"n\":1000.0,\"b\":true,\"j\":{\"x\":[1]},\"t\":\"5\"}\n\
         {\"i\":9223372036854775807,\"n\":-0.5,\"b\":false,\"j\":null,\"t\":\"\"}"
    );
    let wrong = [
        ("i", "1.5 1e3 9223372036854775808 0x10 ~"),
        ("n", "1,5 nan inf .inf 1e999 0x10 x"),
        ("b", "yes 1 TRUE"),
        ("j", "{a:1} [1 nul"),
    ];
    for (column, values) in wrong {
        for value in values.split(' ') {
            let found = typed(&format!("i,n,b,j\n{}", row_with(column, value)), &types);
            assert!(
                found.starts_with("2:") && found.contains(&format!("in column `{column}`, found `{value}`")),
                "{found}"
            );
        }
    }
    assert_eq!(typed("i\n \"1\"\n", &[]).lines().count(), 1);
    assert_eq!(typed("k,i\n1,\n", &types), "2:3 expected a whole number in column `i`, found nothing");
}

/// A row of the columns `i,n,b,j` in which one value is another.
fn row_with(column: &str, value: &str) -> String {
    let quoted = format!("\"{value}\"");
    let cell = |name: &str, sound: &str| if name == column { quoted.clone() } else { sound.to_owned() };
    [cell("i", "1"), cell("n", "1"), cell("b", "true"), cell("j", "1")].join(",")
}

#[test]
fn json_lines_keep_their_types() {
    let check =
        |text: &str, expected: &str| assert_eq!(told(read_json_lines(text.as_bytes())), expected, "{text:?}");
    check(
        "{\"a\": 1, \"b\": [null]}\r\n\n {\"b\": 2.5, \"a\": \"x\"} ",
        "{\"a\":1,\"b\":[null]}\n{\"a\":\"x\",\"b\":2.5}",
    );
    check("\n\n", "- the file is empty");
    check("7\n", "1:1 not a JSON object: invalid type: integer `7`, expected an object");
    check("{\"ü\": 1 x}", "1:9 not a JSON object: expected `,` or `}`");
    check("{\"a\": 1}\n{\"a\": 1", "2:7 not a JSON object: EOF while parsing an object");
    check("{\"a\": 1, \"a\": 2}", "1:16 not a JSON object: `a` is here twice");
    check("{}", "1:1 an object without members");
    check(
        "{\"a\": 1}\n{\"a\": 1, \"b\": 2}\n{\"b\": 2}",
        "2:1 this row has `b`, the first one has not\n3:1 this row has no `a`, the first one has",
    );
    let deep = "[".repeat(1000);
    assert!(told(read_json_lines(format!("{{\"a\":{deep}").as_bytes())).contains("recursion limit"));
}

/// A table of so many rows.
fn rows(count: u32) -> Table {
    let text = (0..count).fold("id\n".to_owned(), |text, n| format!("{text}{n}\n"));
    read_csv(text.as_bytes(), b',', &BTreeMap::new()).unwrap()
}

fn turn(rank: u32, users: u32, iteration: u64) -> Turn {
    Turn { slot: Slot(rank * 3), rank: rank.into(), users: users.into(), iteration }
}

#[test]
fn rows_take_little_more_than_their_text() {
    let row = |n: u32| format!("user-{n}@example.com,secret-{n},{n}");
    let text = (0..100_000).map(row).fold("email,password,id".to_owned(), |text, row| text + "\n" + &row);
    let table = read_csv(text.as_bytes(), b',', &BTreeMap::new()).unwrap();
    assert_eq!(table.rows(), 100_000);
    assert!(table.bytes() <= text.len() + 3 * 4 * 100_000, "{} for {}", table.bytes(), text.len());
}

proptest! {
    #[test]
    fn any_bytes_give_a_table_or_problems(bytes: Vec<u8>, delimiter in prop::sample::select(vec![b',', b';', b'\t'])) {
        let types = [("a".to_owned(), CellType::Integer), ("b".to_owned(), CellType::Json)].into();
        let _ = told(read_csv(&bytes, delimiter, &types));
        let _ = told(read_json_lines(&bytes));
    }

    #[test]
    fn texts_of_csv_characters_give_a_table_or_problems(text in "[ab1,\"\r\nü]{0,40}") {
        let types = [("a".to_owned(), CellType::Integer)].into();
        let found = told(read_csv(format!("a,b\n{text}").as_bytes(), b',', &types));
        prop_assert!(!found.is_empty());
    }

    #[test]
    fn what_is_written_as_csv_is_read_again(
        cells in prop::collection::vec(prop::collection::vec(".{0,8}|[,\"\r\n]{0,4}", 3), 1..20),
        line_end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
    ) {
        let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
        let line = |row: &Vec<String>| row.iter().map(quoted).collect::<Vec<_>>().join(",") + line_end;
        let text: String = std::iter::once(format!("a,b,c{line_end}")).chain(cells.iter().map(line)).collect();
        let table = read_csv(text.as_bytes(), b',', &BTreeMap::new()).expect("sound");
        prop_assert_eq!(table.rows() as usize, cells.len());
        for (number, row) in (0..).zip(&cells) {
            for (column, cell) in ["a", "b", "c"].iter().zip(row) {
                let value = table.value(number, column);
                prop_assert_eq!(value.as_ref().and_then(Value::as_str), Some(cell.as_str()));
            }
        }
    }

    /// However the users are spread over agents, and wherever one goes on after a move: a turn is all that
    /// counts, and no two turns have the same row.
    #[test]
    fn unique_rows_are_unique_and_used_in_order(
        count in 1_u32..60, users in 1_u32..20, iterations in 1_u64..6, per_user: bool,
    ) {
        let per = if per_user { Per::User } else { Per::Iteration };
        let source = source(rows(count), Pick::Unique, per, Exhausted::Stop);
        let mut seen = BTreeSet::new();
        let mut without = 0;
        for iteration in 0..if per_user { 1 } else { iterations } {
            for rank in (0..users).rev() {
                match source.row(7, &turn(rank, users, iteration)) {
                    Some(row) => prop_assert!(seen.insert(row), "row {} twice", row),
                    None => without += 1,
                }
            }
        }
        let turns = u64::from(users) * if per_user { 1 } else { iterations };
        prop_assert_eq!(seen.len() as u64, turns.min(count.into()));
        prop_assert_eq!(without, turns - seen.len() as u64);
        prop_assert_eq!(seen.last().map_or(0, |last| last + 1) as usize, seen.len());
        if per_user {
            let turns = (0..users).map(|rank| source.row(7, &turn(rank, users, 5)));
            prop_assert!(turns.eq((0..users).map(|rank| source.row(8, &turn(rank, users, 0)))), "kept for life");
        }
    }

    #[test]
    fn sequential_rows_come_in_rounds(count in 1_u32..40, users in 1_u32..20, iterations in 1_u64..9) {
        let source = source(rows(count), Pick::Sequential, Per::Iteration, Exhausted::Stop);
        let picked = (0..iterations).flat_map(|i| (0..users).map(move |rank| (rank, i)));
        let picked: Vec<u32> = picked.filter_map(|(rank, i)| source.row(7, &turn(rank, users, i))).collect();
        let expected: Vec<u32> = (0..count).cycle().take(picked.len()).collect();
        prop_assert_eq!(picked, expected);
    }

    #[test]
    fn each_round_of_a_shuffle_has_every_row_once(count in 1_u32..200, seed: u64, round in 0_u64..5) {
        let source = source(rows(count), Pick::Shuffle, Per::Iteration, Exhausted::Stop);
        let first = u64::from(count) * round;
        let order: Vec<u32> =
            (first..first + u64::from(count)).filter_map(|i| source.row(seed, &turn(0, 1, i))).collect();
        let seen: BTreeSet<u32> = order.iter().copied().collect();
        prop_assert_eq!(seen.len(), count as usize);
        prop_assert_eq!(seen.last().copied(), Some(count - 1));
    }

    #[test]
    fn random_rows_depend_on_user_and_iteration_alone(
        seed: u64, slot: u32, iteration: u64, users in 1_u64..1000, rank in 0_u64..1000,
    ) {
        let source = source(rows(50), Pick::Random, Per::Iteration, Exhausted::Stop);
        let here = source.row(seed, &Turn { slot: Slot(slot), rank: 0, users: 1, iteration });
        prop_assert_eq!(here, source.row(seed, &Turn { slot: Slot(slot), rank, users, iteration }));
        prop_assert!(here.is_some_and(|row| row < 50));
    }
}

#[test]
fn picks_are_spread_and_seeded() {
    let check = |pick: Pick| {
        let source = source(rows(40), pick, Per::Iteration, Exhausted::Stop);
        let picked = |seed: u64, from: u64| -> Vec<u32> {
            (from..from + 40).filter_map(|i| source.row(seed, &turn(0, 1, i))).collect()
        };
        assert_ne!(picked(1, 0), picked(2, 0), "{pick:?}: the seed matters");
        assert_ne!(picked(1, 0), picked(1, 40), "{pick:?}: rounds differ");
        assert_ne!(picked(1, 0), (0..40).collect::<Vec<_>>(), "{pick:?}: not in order");
        let mut counts = [0_u32; 40];
        for row in (0..100).flat_map(|round| picked(3, round * 40)) {
            counts[row as usize] += 1;
        }
        assert!(counts.iter().all(|count| (50..=150).contains(count)), "{pick:?}: {counts:?}");
    };
    check(Pick::Shuffle);
    check(Pick::Random);
    let cycled = source(rows(3), Pick::Unique, Per::User, Exhausted::Cycle);
    assert_eq!(
        (0..5).filter_map(|rank| cycled.row(1, &turn(rank, 5, 0))).collect::<Vec<_>>(),
        [0, 1, 2, 0, 1]
    );
    let far = source(rows(3), Pick::Unique, Per::Iteration, Exhausted::Stop);
    assert_eq!(far.row(1, &turn(7, 9, u64::MAX)), None);
}

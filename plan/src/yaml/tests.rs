use super::{Kind, Node, Value, load, plain_kind};
use crate::diagnostic::Problems;

fn tree(source: &str) -> Node {
    let mut problems = Problems::default();
    let root = load(source, &mut problems).expect("the text is YAML");
    assert!(problems.is_empty(), "{problems:?}");
    root
}

/// The tree in one line, each scalar as it stands in the source.
fn shape(node: &Node, source: &str) -> String {
    match &node.value {
        Value::Scalar(_) => source[node.span.range()].to_owned(),
        Value::Sequence(items) => {
            let items: Vec<String> = items.iter().map(|item| shape(item, source)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Mapping(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|e| format!("{}={}", &source[e.key_span.range()], shape(&e.value, source)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

#[test]
fn spans_are_those_of_the_source() {
    let check = |source: &str, expected: &str| assert_eq!(shape(&tree(source), source), expected);
    check("a: b\nc: [d, 'e' , \"f\" ]\n", "{a=b, c=[d, 'e', \"f\"]}");
    check("ä: ö # ü\r\n\"ß\": { é: \"è\" }\r\n", "{ä=ö, \"ß\"={é=\"è\"}}");
    check("\u{feff}a: b", "{a=b}");
    check("a:\nb: c", "{a=a, b=c}");
    check("- a\n- b: c\n  d: e\n", "[a, {b=c, d=e}]");
    check("a: &x { b: c }\nd: *x\n", "{a={b=c}, d={b=c}}");
    check("a: |\n  b\n  c\nd: e\n", "{a=b\n  c, d=e}");
    check(r#"a: "b \"c\\"  # d"#, r#"{a="b \"c\\"}"#);
    check("a: 'it''s'  # d'\nb: '' # c", "{a='it''s', b=''}");
}

#[test]
fn places_within_scalars_are_exact_where_the_text_is_verbatim() {
    let check = |source: &str, word: &str, expected: &str| {
        let Value::Mapping(entries) = tree(source).value else { panic!("a mapping") };
        let node = &entries[0].value;
        let at = node.scalar().unwrap().text.find(word).unwrap();
        assert_eq!(&source[node.place(&(at..at + word.len())).range()], expected);
    };
    check("a: one two\n", "two", "two");
    check("a: 'one two' \n", "two", "two");
    check("a: &x \"öne two\"\n", "two", "two");
    check("a: \"one two\"  # \"more\"\n", "two", "two");
    check("a: 'one two' # it's more\n", "two", "two");
    check("a: \"one\\ttwo\"\n", "two", "\"one\\ttwo\"");
    check("a: one\n  two\n", "two", "one\n  two");
    check("a: >\n  one\n  two\n", "two", "one\n  two");
}

#[test]
fn plain_scalars_are_typed_by_the_core_schema() {
    let check = |text: &str, expected: Kind| assert_eq!(plain_kind(text), expected, "{text}");
    for text in ["", "~", "null", "NULL"] {
        check(text, Kind::Null);
    }
    check("true", Kind::Bool(true));
    check("FALSE", Kind::Bool(false));
    for text in [
        "yes", "no", "on", "tRue", "nul", "1s", "1_000", "0x", "0b1", "-", ".", "e5", "1e", "+.", "1:30",
        "0o8",
    ] {
        check(text, Kind::Text);
    }
    for (text, value) in [("0", 0), ("-7", -7), ("+7", 7), ("007", 7), ("0o17", 15), ("0xfF", 255)] {
        check(text, Kind::Integer(value));
    }
    for (text, value) in
        [("1.5", 1.5), (".5", 0.5), ("5.", 5.0), ("-1e3", -1000.0), ("1E+2", 100.0), (".inf", f64::INFINITY)]
    {
        check(text, Kind::Float(value));
    }
    check(&"9".repeat(400), Kind::Float(f64::INFINITY));
    assert!(matches!(plain_kind(".nan"), Kind::Float(n) if n.is_nan()));
}

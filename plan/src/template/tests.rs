//! Templates as plans write them, wrong ones, and hostile ones.

use super::*;
use crate::scope::tests::facts;
use crate::slot::Slot;
use minijinja::Value;
use proptest::prelude::*;
use std::collections::HashSet;

fn scope() -> Scope {
    let mut scope = Scope::for_class(&facts(7), "Shop", Slot(3));
    scope.save("id", Value::from(41));
    scope.save("token", Value::from("a\"b\\ü\n"));
    scope.save("price", Value::from(1.5));
    scope.save("empty", Value::from(()));
    let order = serde_json::json!({"items": [{"id": 1}, {"id": 2}], "open": true, "big": u64::MAX});
    scope.save("order", from_json(&order));
    scope
}

fn text(template: &str) -> Result<String, String> {
    let mut out = String::from("^");
    Template::compile(template).map_err(|e| e.problem)?.render(&scope(), &mut out).map_err(|e| e.0)?;
    Ok(out.strip_prefix('^').unwrap().to_owned())
}

fn json(template: &str) -> Result<String, String> {
    let mut out = Vec::new();
    let template = JsonTemplate::Text(Template::compile(template).map_err(|e| e.problem)?);
    template.render(&scope(), &mut out).map_err(|e| e.0)?;
    let parsed: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(template.to_json(&scope()).unwrap(), parsed);
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn templates_render_as_text() {
    let check = |template: &str, expected: &str| assert_eq!(text(template).unwrap(), expected, "{template}");
    check("", "");
    check("plain {{ id }} {% raw %} # $ $5 ü", "plain {{ id }} {% raw %} # $ $5 ü");
    check("/orders/${id}", "/orders/41");
    check("${id}${id}-${ id }", "4141-41");
    check("$${id} costs $$${id}", "${id} costs $${id}");
    check("$", "$");
    check("a$${", "a${");
    check("${'$'}${id}", "$41");
    check("${ {'a': 1}['a'] }", "1");
    check("${ {'a': {'b': 2}}.a.b }", "2");
    check("${{'a': {'b': 2}}}", r#"{"a":{"b":2}}"#);
    check(r#"${ choice(['}', "}"]) }"#, "}");
    check(r"${ 'it\'s }' }", "it's }");
    check("${'ü' ~ 'é'}ß", "üéß");
    check("${token}", "a\"b\\ü\n");
    check("${price} ${price * 2} ${7 // 2} ${2 ** 10}", "1.5 3.0 3 1024");
    check("${order.items[1].id} ${order.items | length} ${order['open']}", "2 2 true");
    check("${order.items}", r#"[{"id":1},{"id":2}]"#);
    check("${env.HOST or 'x'} ${env.NOPE or 'x'} ${nope or 'y'}", "example.org x y");
    check("${'a' if id > 40 else 'b'} ${id is divisibleby 41} ${nope is defined}", "a true false");
    check("${'a b/c&ü' | urlencode}", "a%20b%2Fc%26%C3%BC");
    check("${['a', 1] | join('-')} ${[1, none] | tojson} ${'aXa' | replace('X', '')}", "a-1 [1,null] aa");
    check("${'x' * 5}${empty or ''}", "xxxxx");
    check("${[1.0, 'a\n\"']}", r#"[1.0,"a\n\""]"#);
}

#[test]
fn a_share_becomes_a_percentage_exactly() {
    let check = |share: &str, expected: &str| {
        assert_eq!(text(&format!("${{{share} | percent}}")).unwrap(), expected, "{share}");
    };
    check("'0.99'", "99%");
    check("0.57", "57%");
    check("'0.07'", "7%");
    check("'0.9'", "90%");
    check("'0.99950'", "99.95%");
    check("'0.0012'", "0.12%");
    check("0", "0%");
    check("'0.0'", "0%");
    check("1", "100%");
    check("1.0", "100%");
    check("'1.000'", "100%");
    check("' 99.9% '", "99.9%");
    for wrong in ["99", "'1.01'", "'-0.5'", "'0.9.9'", "'.5'", "'1e-3'", "''", "'0,99'"] {
        let error = text(&format!("${{{wrong} | percent}}")).unwrap_err();
        assert!(error.contains("is neither a share from 0 to 1 nor a percentage"), "{wrong}: {error}");
    }
}

#[test]
fn a_single_expression_keeps_its_type_in_json() {
    let check = |template: &str, expected: &str| assert_eq!(json(template).unwrap(), expected, "{template}");
    check("${id}", "41");
    check(" ${id}", r#"" 41""#);
    check("${id}${id}", r#""4141""#);
    check("${id | string}", r#""41""#);
    check("${price}", "1.5");
    check("${order.open}", "true");
    check("${empty}", "null");
    check("${order.big}", "18446744073709551615");
    check("${order.items}", r#"[{"id":1},{"id":2}]"#);
    check("${token}", r#""a\"b\\ü\n""#);
    check("a \"quoted\"\u{1} ${id}", "\"a \\\"quoted\\\"\\u0001 41\"");
    check("literal \"", r#""literal \"""#);
    let tree = JsonTemplate::Object(vec![
        ("z\"".into(), JsonTemplate::Array(vec![JsonTemplate::Null, JsonTemplate::Bool(false)])),
        ("a".into(), JsonTemplate::Number(3.into())),
        ("t".into(), JsonTemplate::Text(Template::literal("${id}"))),
        ("o".into(), JsonTemplate::Object(Vec::new())),
    ]);
    let mut out = Vec::new();
    tree.render(&scope(), &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), r#"{"z\"":[null,false],"a":3,"t":"${id}","o":{}}"#);
}

#[test]
fn wrong_templates_say_where() {
    let check = |template: &str, at: &str, problem: &str| {
        let error = Template::compile(template).unwrap_err();
        assert_eq!((&template[error.range.clone()], &*error.problem), (at, problem), "{template}: {error:?}");
    };
    check("ü ${id", "${", "this `${` is not closed");
    check("${id} ${'a}", "'", "the string that begins here has no end");
    check("ü${ f(1 }", "(", "this `(` is not closed");
    check("${ [1 ) }", "[", "this `[` is not closed");
    check("${ 1 ) }", ")", "this `)` closes nothing");
    check("a ${}", "${}", "the expression is empty");
    check("a ${  }", "${  }", "the expression is empty");
    check("${id | uper}", "uper", "there is no filter `uper`");
    check("${id | map('upper')}", "map", "there is no filter `map`");
    check("${id is not odds}", "odds", "there is no test `odds`");
    check("ü ${1 +* 2}", "*", "unexpected `*`");
    check("${id ü}", "ü", "unexpected character");
    let error = Template::compile("${id | uper}").unwrap_err();
    assert_eq!(error.remedy.as_deref(), Some("did you mean `upper`?"));
    let error = Expression::compile(" json.id > ").unwrap_err();
    assert!(error.problem.contains("unexpected end of input"), "{error:?}");
}

#[test]
fn failing_templates_say_what_to_do() {
    let check =
        |template: &str, expected: &str| assert_eq!(text(template).unwrap_err(), expected, "{template}");
    check("${nope}", "`nope`: `nope` has no value; a step before this one must save it");
    check("${nope.x}", "`nope.x`: `nope.x` has no value; a step before this one must save it");
    check(
        "${order.nope + 1}",
        "`order.nope + 1`: `order.nope` has no value; a step before this one must save it",
    );
    check(
        "${env.NOPE}",
        "`env.NOPE`: the environment variable NOPE is not set; set it, or write `env.NOPE or 'default'`",
    );
    check("${json.id}", "`json.id`: the response has no `json.id`");
    check(
        "${empty}",
        "`empty`: the value is null, which no text can show; write `… or ''` for an empty text",
    );
    check("${[nope]}", "`[nope]`: a part of the value is not defined");
    check("${1e999}", "`1e999`: inf is not a number that JSON can carry");
    check("${id / 0}", "`id / 0`: unable to calculate 41 / 0");
    let rand = "; write for instance `rand(1, 10)`";
    check("${rand('a')}", &format!("`rand('a')`: rand takes two numbers, got rand(\"a\"){rand}"));
    check("${rand('a', 1)}", &format!("`rand('a', 1)`: rand takes two numbers, got rand(\"a\", 1){rand}"));
    check(
        "${rand(5, 1)}",
        &format!("`rand(5, 1)`: the first number of rand must not be above the second, got rand(5, 1){rand}"),
    );
    check(
        "${rand(-1e308, 1e308)}",
        &format!("`rand(-1e308, 1e308)`: rand takes finite numbers, got rand(-1e+308, 1e+308){rand}"),
    );
    let choice = "; write for instance `choice(['a', 'b'])`";
    check("${choice([])}", &format!("`choice([])`: choice needs at least one value, got choice([]){choice}"));
    check("${choice('ab')}", &format!("`choice('ab')`: choice takes a list, got choice(\"ab\"){choice}"));
    check("${choice(1, 2)}", &format!("`choice(1, 2)`: choice takes one list, got choice(1, 2){choice}"));
    check("${fake.word(3)}", "`fake.word(3)`: fake.word takes no argument; write `fake.word()`");
    check("${fake.sentence(0)}", "`fake.sentence(0)`: fake.sentence takes a number from 1 to 1000, got 0");
    let error = text("${fake.nobody()}").unwrap_err();
    assert!(error.starts_with("`fake.nobody()`: there is no fake.nobody(); there are city, "), "{error}");
}

#[test]
fn free_names_are_found_in_order() {
    let check = |text: &str, expected: &str| {
        let expression = Expression::compile(text).unwrap();
        let show = |v: Variable| {
            assert!(text[v.range.clone()].starts_with(&v.path[0]));
            format!("{}{}", v.path.join("."), if v.called { "()" } else { "" })
        };
        let got: Vec<String> = expression.variables().into_iter().map(show).collect();
        assert_eq!(got.join(" "), expected, "{text}");
    };
    check("1 + 2.5e3", "");
    check("env.X or 'y'", "env.X");
    check("env['X'] ~ env[\"Y\"] ~ env[name] ~ env['a' ~ 'b']", "env.X env.Y env name env");
    check("token if not json.done and x is not none else a.b.c", "token json.done x a.b.c");
    check("fake.email() ~ uuid() ~ rand(low, high=top)", "fake.email() uuid() rand() low top");
    check("x | default(y) | upper is string", "x y");
    check("n is divisibleby k", "n k");
    check("{'a': b}['c'].d + 'it is x'", "b");
    check("row.1.name", "row");
    let template = Template::compile("ü/${a}/${ b.c }").unwrap();
    let found: Vec<_> =
        template.expressions().map(|e| (e.source(), e.range(), e.variables()[0].range.clone())).collect();
    assert_eq!(found, [("a", 5..6, 5..6), ("b.c", 11..14, 11..14)]);
}

#[test]
fn names_show_expressions_in_braces() {
    let check = |text: &str, expected: &str| {
        assert_eq!(Template::compile(text).unwrap().display_name(), expected);
    };
    check("/api/v1/generation/${id}", "/api/v1/generation/{id}");
    check("/${ fake.word() }/$${x}", "/{fake.word()}/${x}");
    assert_eq!(Template::compile("a$${b").unwrap().as_literal(), Some("a${b"));
    assert_eq!(Template::compile("").unwrap().as_literal(), Some(""));
    assert_eq!(Template::compile("a${b}").unwrap().as_literal(), None);
    assert_eq!(Template::literal("${b}").as_literal(), Some("${b}"));
}

#[test]
fn random_values_keep_their_bounds_and_reach_them() {
    let scope = scope();
    let draw = |text: &str| -> HashSet<String> {
        let expression = Expression::compile(text).unwrap();
        (0..300).map(|_| expression.eval(&scope).unwrap().to_string()).collect()
    };
    assert_eq!(draw("rand(1, 3)"), HashSet::from(["1", "2", "3"].map(String::from)));
    assert_eq!(draw("rand(4, 4)").len(), 1);
    assert_eq!(draw("choice(['a', 'b'])"), HashSet::from(["a", "b"].map(String::from)));
    assert_eq!(draw("choice(range(2, 4))"), HashSet::from(["2", "3"].map(String::from)));
    assert!(draw("rand(1, 2.0)").iter().all(|x| (1.0..=2.0).contains(&x.parse::<f64>().unwrap())));
    let uuids = draw("uuid()");
    assert_eq!(uuids.len(), 300);
    assert!(uuids.iter().all(|u| u.len() == 36 && u.as_bytes()[14] == b'4'));
    let marker = |text: &String| text.len() == 8 && text.bytes().all(|b| b.is_ascii_uppercase());
    let markers = draw("random_string(8, 'A-Z')");
    assert!(markers.len() == 300 && markers.iter().all(marker), "{markers:?}");
    assert_eq!(draw("random_string(1, 'a-b_')"), HashSet::from(["a", "b", "_"].map(String::from)));
    assert!(draw("random_string(20)").iter().all(|s| s.chars().all(|c| c.is_ascii_alphanumeric())));
    assert!(draw("rand(-9223372036854775808, 9223372036854775807)").len() == 300);
}

#[test]
fn every_fake_function_is_seeded_and_says_something() {
    for name in fake_functions() {
        let draw = || text(&format!("${{fake.{name}()}}|${{fake.{name}()}}")).unwrap();
        let drawn = draw();
        assert_eq!(drawn, draw(), "{name}");
        let (a, b) = drawn.split_once('|').unwrap();
        assert!(!a.is_empty() && !b.is_empty(), "{name}: {drawn}");
    }
    assert_eq!(text("${fake.password(20)}").unwrap().len(), 20);
    assert_eq!(text("${fake.sentence(5)}").unwrap().split(' ').count(), 5);
    assert_eq!(text("${fake.words(3)}").unwrap().split(' ').count(), 3);
}

#[test]
fn mail_addresses_do_not_repeat_and_reach_nobody() {
    let mut seen = HashSet::new();
    let expression = Expression::compile("fake.email()").unwrap();
    for slot in 0..100_000 {
        let address = expression.eval(&Scope::for_class(&facts(1), "Shop", Slot(slot))).unwrap().to_string();
        let (mailbox, domain) = address.split_once('@').unwrap();
        assert!(["example.com", "example.net", "example.org"].contains(&domain), "{address}");
        assert!(
            mailbox.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.'),
            "{address}"
        );
        assert!(seen.insert(address));
    }
}

#[test]
fn large_expressions_are_refused_or_fit_a_small_stack() {
    let chain = |unit: &str, count: usize| format!("{}1", unit.repeat(count));
    let mut texts: Vec<String> = ["1+", "1~", "not ", "-", "1<", "1 and ", "1 if 1 else ", "("]
        .iter()
        .map(|u| chain(u, 200))
        .collect();
    texts.extend(["[0]", ".a", "|abs", "()", " is odd"].iter().map(|unit| format!("a{}", unit.repeat(120))));
    texts.extend(["[", "{1:", "f("].iter().map(|unit| unit.repeat(140)));
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(move || {
        for text in texts {
            if let Ok(expression) = Expression::compile(&text) {
                let _ = expression.eval(&scope());
            }
        }
        for text in [chain("1+", 100_000), chain("-", 100_000), "(".repeat(100_000), "[".repeat(50_000)] {
            Expression::compile(&text).unwrap_err();
        }
    });
    thread.unwrap().join().unwrap();
    let long = format!("choice([{}])", vec!["'x'"; 1500].join(", "));
    assert_eq!(text(&format!("${{{long}}}")).unwrap(), "x");
}

#[test]
fn large_values_are_refused() {
    let check = |text_: &str, part: &str| {
        let error = text(text_).unwrap_err();
        assert!(error.contains(part), "{text_}: {error}");
    };
    check("${[[0] * 1000] * 1000000000}", "repeated sequence is too large");
    check("${['a' * 100000] * 1000}", "the value is larger than");
    check("${[['a' * 10000] * 100] * 1000000}", "the value is larger than");
    check("${('a' * 100000) | replace('a', 'a' * 100000)}", "replace makes a text of more than");
    check("${range(10000) | join('a' * 100000)}", "join makes a text of more than");
    check("${'a' * 10 * 10 * 10 * 10 * 10}", "5 multiplications; at most 4 are allowed");
}

#[test]
fn every_listed_filter_and_test_exists() {
    let filters = environment::FILTERS.iter().map(|name| format!("'a' | {name}"));
    for expression in filters.chain(environment::TESTS.iter().map(|name| format!("'a' is {name}"))) {
        if let Err(error) = Expression::compile(&expression).unwrap().eval(&scope()) {
            assert!(!error.0.contains("unknown"), "{error}");
        }
    }
}

#[test]
fn plans_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>() {}
    shared::<JsonTemplate>();
    sent::<Scope>();
}

/// Expressions that a person could have written.
fn expression_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "(id|token|nope|x_1|env\\.HOST|user\\.slot|order\\.items)",
        "(0|41|1\\.5|2e3|0x1F|'a is b'|\"c,d\"|true|none)",
        "(uuid\\(\\)|now\\(\\)|fake\\.word\\(\\))",
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), "( \\+ | ~ | and | or | == | in | not in | < )", inner.clone())
                .prop_map(|(a, op, b)| format!("{a}{op}{b}")),
            (inner.clone(), "( \\| upper| \\| default\\(y\\)| is none| is not odd|\\.a|\\[0\\]|\\['k'\\])")
                .prop_map(|(a, tail)| format!("(({a}){tail})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {{'k': {b}}}]")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("({a}) if ({b}) else ({c})")),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_compiles_or_says_where_it_does_not(text in "(\\PC|[${}()'\"|.]|\\$\\{){0,60}") {
        match Template::compile(&text) {
            Ok(template) => {
                let mut out = String::new();
                let _ = template.render(&scope(), &mut out);
            }
            Err(error) => {
                prop_assert!(text.get(error.range.clone()).is_some(), "{:?}", error);
                prop_assert!(!error.range.is_empty(), "{:?}", error);
            }
        }
        if let Err(error) = Expression::compile(&text) {
            prop_assert!(text.get(error.range.clone()).is_some(), "{:?}", error);
        }
    }

    #[test]
    fn free_names_are_those_that_the_engine_sees(text in expression_text()) {
        let expression = Expression::compile(&text).unwrap();
        let ours: HashSet<String> = expression.variables().into_iter().map(|v| v.path[0].clone()).collect();
        let theirs = environment::environment().compile_expression(&text).unwrap().undeclared_variables(false);
        prop_assert_eq!(ours, theirs);
        let _ = expression.eval(&scope());
    }

    #[test]
    fn text_without_dollars_is_left_alone(text in "[^$]{0,40}") {
        prop_assert_eq!(super::tests::text(&text).unwrap(), text);
    }
}

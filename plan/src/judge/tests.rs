//! Every way in which a response can fail, and what a request looks like on the wire.

use super::*;
use crate::model::{Body, Method, Request};
use crate::scope::tests::facts;
use crate::scope::{RunFacts, Scope};
use crate::slot::Slot;
use crate::template::{Expression, JsonTemplate, Template};
use metrics::{ErrorKind, SeriesId};
use minijinja::Value;
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

fn request() -> Request {
    Request {
        series: SeriesId(0),
        method: Method::Get,
        url: Template::literal("/"),
        query: Vec::new(),
        headers: Vec::new(),
        body: Body::Empty,
        expect: Expect::default(),
        save: Vec::new(),
        settings: Box::default(),
    }
}

fn scope() -> Scope {
    let mut known = RunFacts::clone(&facts(1));
    known.env.insert("KEY".to_owned(), "hunter2".to_owned());
    let mut scope = Scope::for_class(&Arc::new(known), "Shop", Slot(0));
    scope.save("id", Value::from(7));
    scope.save("word", Value::from("a b&c=d/ü"));
    scope.save("lines", Value::from("x\r\nevil: 1"));
    scope
}

fn template(text: &str) -> Template {
    Template::compile(text).unwrap()
}

fn path(text: &str) -> JsonPath {
    JsonPath::compile(text).unwrap()
}

/// One `expect` or `save`.
enum Rule {
    Status(&'static str),
    Time(u64),
    Json(&'static str, JsonTemplate),
    That(&'static str),
    Save(&'static str),
    Header(&'static str),
}
use Rule::{Header, Json, Save as Keep, Status, That, Time};

fn judged_by(rules: Vec<Rule>) -> Request {
    let mut request = request();
    for rule in rules {
        match rule {
            Status(text) => request.expect.statuses.push(StatusPattern::parse(text).unwrap()),
            Time(ms) => request.expect.max_time = Some(Duration::from_millis(ms)),
            Json(at, expected) => request.expect.json.push((path(at), expected)),
            That(text) => request.expect.that.push(Expression::compile(text).unwrap()),
            Keep(at) => request.save.push(Save {
                name: "kept".into(),
                source: Source::JsonPath(path(at)),
                default: None,
            }),
            Header(name) => {
                request.save.push(Save {
                    name: "kept".into(),
                    source: Source::header(name).unwrap(),
                    default: None,
                });
            }
        }
    }
    request
}

fn judge(rules: Vec<Rule>, status: u16, body: &[u8]) -> Result<String, (ErrorKind, String)> {
    let headers = [
        ("content-type".to_owned(), b"text/html".to_vec()),
        ("location".to_owned(), b"/orders/7".to_vec()),
        ("location".to_owned(), b"/second".to_vec()),
    ];
    let response = Response { status, headers: &headers, body, elapsed: Duration::from_micros(1_204_321) };
    let mut scope = scope();
    judged_by(rules).judge(&response, &mut scope).map_err(|f| (f.kind, f.message.into_owned()))?;
    assert_eq!(scope.lookup(&["status".to_owned()]), None, "checks leave nothing behind");
    let kept = scope.lookup(&["kept".to_owned()]);
    Ok(kept.map_or_else(String::new, |kept| serde_json::to_string(&kept).unwrap()))
}

fn number(n: u32) -> JsonTemplate {
    JsonTemplate::Number(n.into())
}

const BODY: &[u8] =
    br#"{"id": 7, "ratio": 2.0, "items": [{"id": 1}, {"id": 2}], "state": "done", "none": null}"#;

#[test]
fn good_responses_pass_and_are_saved() {
    let check = |rules: Vec<Rule>, status: u16, expected: &str| {
        assert_eq!(judge(rules, status, BODY).unwrap(), expected);
    };
    check(vec![], 200, "");
    check(vec![], 399, "");
    check(vec![Status("404")], 404, "");
    check(vec![Status("201"), Status("5xx")], 503, "");
    check(vec![Time(1205)], 200, "");
    check(vec![Json("$.id", number(7)), Json("$.ratio", number(2))], 200, "");
    check(vec![Json("$.id", JsonTemplate::Text(template("${id}")))], 200, "");
    check(
        vec![That("status == 200 and json.id == id and json.items[1].id == 2 and json.none is none")],
        200,
        "",
    );
    check(vec![That("headers.location == '/orders/7' and headers['Content-Type'] == 'text/html'")], 200, "");
    check(vec![That("'done' in body"), That("json.items | length == 2"), That("'id' in json")], 200, "");
    check(vec![Keep("$.state")], 200, r#""done""#);
    check(vec![Keep("$.items[*].id")], 200, "[1,2]");
    check(vec![Keep("$.items[0]")], 200, r#"{"id":1}"#);
    check(vec![Keep("$.none")], 200, "null");
    check(vec![Header("Location")], 200, r#""/orders/7""#);
}

#[test]
fn what_the_environment_holds_stays_out_of_messages() {
    let rules =
        || [Json("$.state", JsonTemplate::Text(template("${env.KEY}"))), That("json.state == env.KEY")];
    for rule in rules() {
        let (_, message) = judge(vec![rule], 200, BODY).unwrap_err();
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[test]
fn failures_say_what_was_expected() {
    use ErrorKind::{Assertion, Status as BadStatus};
    let check = |rules: Vec<Rule>, status: u16, body: &[u8], kind: ErrorKind, message: &str| {
        assert_eq!(judge(rules, status, body).unwrap_err(), (kind, message.to_owned()));
    };
    check(vec![], 503, b"", BadStatus, "503 Service Unavailable");
    check(vec![], 400, b"", BadStatus, "400 Bad Request");
    check(vec![], 599, b"", BadStatus, "status 599");
    check(vec![Status("200"), Status("201")], 500, b"", BadStatus, "status 500, expected 200 or 201");
    check(vec![Status("2xx"), Time(1)], 302, b"", BadStatus, "status 302, expected 2xx");
    check(vec![Time(1000)], 200, b"", Assertion, "took 1.21s, expected at most 1s");
    check(vec![Json("$.id", number(8))], 200, BODY, Assertion, "`$.id` is 7, expected 8");
    check(vec![Json("$.items[*].id", number(1))], 200, BODY, Assertion, "`$.items[*].id` is 2, expected 1");
    check(
        vec![Json("$.id", JsonTemplate::Text(template("${nope}")))],
        200,
        BODY,
        Assertion,
        "`nope`: `nope` has no value; a step before this one must save it",
    );
    check(
        vec![Json("$.nope", number(8))],
        200,
        br#"{"a":1}"#,
        Assertion,
        "`$.nope` found nothing in the response (its keys: a)",
    );
    check(vec![That("json.id > 7")], 200, BODY, Assertion, "`json.id > 7` is not true (json.id = 7)");
    check(
        vec![That("json.nope == 1")],
        200,
        BODY,
        Assertion,
        "`json.nope == 1`: the response has no `json.nope`",
    );
    check(
        vec![That("json.nope > 1")],
        200,
        BODY,
        Assertion,
        "`json.nope > 1`: the response has no `json.nope`",
    );
    check(
        vec![That("json.nope.a")],
        200,
        BODY,
        Assertion,
        "`json.nope.a`: the response has no `json.nope.a`",
    );
    check(
        vec![That("json.a or id < 7")],
        200,
        BODY,
        Assertion,
        "`json.a or id < 7` is not true (json.a is missing, id = 7)",
    );
    check(vec![That("false")], 200, b"", Assertion, "`false` is not true");
    check(
        vec![Keep("$.access_token")],
        200,
        b"{\"detail\":\"a\\u0000\"}\n",
        Assertion,
        "save `kept`: `$.access_token` found nothing in the response (its keys: detail)",
    );
    check(vec![Header("x-id")], 200, b"", Assertion, "save `kept`: the response has no header `x-id`");
    let html =
        "the body is not JSON: expected value at line 1 column 1 (content-type: text/html; body: <html>)";
    check(vec![Keep("$.a")], 200, b"<html>", Assertion, &format!("save `kept`: {html}"));
    check(vec![That("json.id > 0")], 200, b"<html>", Assertion, html);
    check(vec![Json("$.a", number(1))], 200, b"<html>", Assertion, html);
    let empty = "the body is not JSON: EOF while parsing a value at line 1 column 0 (content-type: text/html; body: empty)";
    check(vec![That("json")], 200, b"", Assertion, empty);
}

#[test]
fn a_failed_save_saves_nothing() {
    let mut request = judged_by(vec![Keep("$.id")]);
    request.save.push(Save { name: "other".into(), source: Source::JsonPath(path("$.nope")), default: None });
    let mut scope = scope();
    let response = Response { status: 200, headers: &[], body: BODY, elapsed: Duration::ZERO };
    request.judge(&response, &mut scope).unwrap_err();
    assert_eq!(scope.lookup(&["kept".to_owned()]), None);
}

#[test]
fn messages_about_large_bodies_are_short() {
    let body = format!("{{\"a\": \"{}\"}}", "ü".repeat(1_000_000));
    for rules in [
        vec![Keep("$.b")],
        vec![Json("$.a", number(1))],
        vec![That("json.a == 1")],
        vec![That("body == 1")],
        vec![That("json == 1")],
    ] {
        let (_, message) = judge(rules, 200, body.as_bytes()).unwrap_err();
        let cut = message.contains('…') || message.ends_with("(its keys: a)");
        assert!(message.chars().count() < 250 && cut, "{message}");
    }
}

#[test]
fn bodies_are_read_only_when_something_asks() {
    let check = |rules: Vec<Rule>, expected: bool| assert_eq!(judged_by(rules).needs_body(), expected);
    check(vec![], false);
    check(vec![Status("200"), Time(1), That("status == 200 and headers.location"), Header("etag")], false);
    check(vec![That("'x' in body")], true);
    check(vec![That("json['a'] == 1")], true);
    check(vec![Json("$.a", number(1))], true);
    check(vec![Keep("$.a")], true);
}

#[test]
fn wrong_rules_say_where() {
    let check = |error: crate::template::CompileError, range: std::ops::Range<usize>, problem: &str| {
        assert_eq!((error.range.clone(), error.problem.contains(problem)), (range, true), "{error:?}");
        assert!(error.remedy.is_some());
    };
    for text in ["20", "2xxx", "99", "600", "6xx", "0xx", "+20", "ok", "", "2é"] {
        check(StatusPattern::parse(text).unwrap_err(), 0..text.len(), "is not a status");
    }
    check(JsonPath::compile("token").unwrap_err(), 0..5, "not a JSONPath");
    check(JsonPath::compile("").unwrap_err(), 0..0, "not a JSONPath");
    check(JsonPath::compile("$.a[").unwrap_err(), 2..4, "not a JSONPath");
    check(JsonPath::compile("$..a..b..c").unwrap_err(), 0..10, "3 descents");
    check(JsonPath::compile(&"$[".repeat(1000)).unwrap_err(), 0..2000, "2000 bytes");
    check(JsonPath::compile(&format!("$[?{}", "(".repeat(500))).unwrap_err(), 0..503, "501 brackets");
    check(Source::header("a b").unwrap_err(), 0..3, "is not the name of a header");
}

fn rendered(change: impl FnOnce(&mut Request)) -> Result<RenderedRequest, String> {
    let mut request = request();
    change(&mut request);
    let target = url::Url::parse("http://shop.test:8080/base").unwrap();
    request.render(&target, &scope()).map_err(|e| e.0)
}

#[test]
fn urls_are_joined_and_encoded() {
    let check = |url: &str, expected: &str| {
        assert_eq!(rendered(|r| r.url = template(url)).unwrap().url, expected, "{url}");
    };
    check("/orders/${id}", "http://shop.test:8080/base/orders/7");
    check("/", "http://shop.test:8080/base/");
    check("/a b\n\tü?x=1 2", "http://shop.test:8080/base/a%20b%0A%09%C3%BC?x=1%202");
    check("/${word}", "http://shop.test:8080/base/a%20b&c=d/%C3%BC");
    check("/${word | urlencode}", "http://shop.test:8080/base/a%20b%26c%3Dd%2F%C3%BC");
    check("/a#part", "http://shop.test:8080/base/a");
    check("//other.test/x", "http://shop.test:8080/base//other.test/x");
    check("https://other.test/x?y", "https://other.test/x?y");
    check("HTTP://other.test", "http://other.test/");
    let query = rendered(|r| {
        r.url = template("/s?a=1");
        r.query = vec![("q &".into(), template("${word}")), ("n".into(), template("${id}"))];
    });
    assert_eq!(query.unwrap().url, "http://shop.test:8080/base/s?a=1&q+%26=a+b%26c%3Dd%2F%C3%BC&n=7");
    let query = rendered(|r| r.query = vec![("n".into(), template("${id}"))]);
    assert_eq!(query.unwrap().url, "http://shop.test:8080/base/?n=7");
}

#[test]
fn wrong_requests_are_not_sent() {
    let check = |change: &dyn Fn(&mut Request), message: &str| {
        let error = rendered(change).unwrap_err();
        assert!(error.contains(message), "{error}");
    };
    check(&|r| r.url = template("ftp://x/y"), "the URL `ftp://x/y` has a scheme other than http and https");
    check(&|r| r.url = template("file:///etc/passwd"), "has a scheme other than http and https");
    check(&|r| r.url = template("orders"), "write a path that starts with `/`");
    check(&|r| r.url = template(""), "write a path that starts with `/`");
    check(&|r| r.url = template("http://"), "is not valid: empty host");
    check(&|r| r.url = template("/${nope}"), "`nope` has no value");
    let header = "the header `x-a` would hold the control character `\\r`: `x\\r\\nevil: 1`";
    check(&|r| r.headers = vec![("x-a".into(), template("${lines}"))], header);
    check(&|r| r.headers = vec![("x-a".into(), Template::literal("\0"))], "control character `\\u{0}`");
    check(&|r| r.body = Body::Text(template("${nope}")), "`nope` has no value");
}

#[test]
fn bodies_imply_their_content_type() {
    let check = |body: Body, own: Option<&str>, expected: &str, media_type: Option<&str>| {
        let request = rendered(|r| {
            r.body = body;
            r.headers = own.map(|own| ("content-type".to_owned(), template(own))).into_iter().collect();
        });
        let request = request.unwrap();
        assert_eq!(String::from_utf8(request.body).unwrap(), expected);
        let headers: Vec<_> = request.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(headers, media_type.map(|m| ("content-type", m)).into_iter().collect::<Vec<_>>());
    };
    let json = || {
        let members =
            vec![("id".to_owned(), JsonTemplate::Text(template("${id}"))), ("n".to_owned(), number(1))];
        Body::Json(JsonTemplate::Object(members))
    };
    check(Body::Empty, None, "", None);
    check(json(), None, r#"{"id":7,"n":1}"#, Some("application/json"));
    check(json(), Some("application/vnd.api+json"), r#"{"id":7,"n":1}"#, Some("application/vnd.api+json"));
    let form = Body::Form(vec![("a b".into(), template("${word}")), ("n".into(), template("${id}"))]);
    check(form, None, "a+b=a+b%26c%3Dd%2F%C3%BC&n=7", Some("application/x-www-form-urlencoded"));
    check(Body::Text(template("id=${id}")), None, "id=7", None);
}

proptest! {
    #[test]
    fn no_body_can_break_a_check(
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "[\\[\\]{}\",:0-9a-ü\\\\ ]{0,60}".prop_map(String::into_bytes),
            (0_usize..3000, "[\\[{\"]").prop_map(|(n, open)| open.repeat(n).into_bytes()),
        ],
        status in any::<u16>(),
    ) {
        for rules in [
            vec![],
            vec![Status("2xx"), Time(5000)],
            vec![Keep("$..a[?@.b > 1]")],
            vec![Json("$", JsonTemplate::Null)],
            vec![That("json.a[0].b == body or headers or status > 7")],
        ] {
            if let Err((_, message)) = judge(rules, status, &body) {
                prop_assert!(message.len() < 2000, "{}", message);
            }
        }
    }

    #[test]
    fn plain_paths_are_what_the_url_parser_makes_of_them(path in "/[a-zA-Z0-9/._~-]{0,20}") {
        let url = rendered(|r| r.url = Template::literal(path.as_str())).unwrap().url;
        let parsed = url::Url::parse(&format!("http://shop.test:8080/base{path}")).unwrap();
        prop_assert_eq!(url, parsed.as_str());
    }

    #[test]
    fn any_address_becomes_a_url_or_an_error(address in "(\\PC|[/:?#@%. \\x00-\\x1f]){0,40}") {
        for address in [address.clone(), format!("/{address}"), format!("http://{address}")] {
            if let Ok(request) = rendered(|r| r.url = Template::literal(address.as_str())) {
                prop_assert!(request.url.bytes().all(|b| b.is_ascii_graphic()), "{}", request.url);
                prop_assert!(request.url.starts_with("http"));
            }
        }
    }

    #[test]
    fn any_json_path_compiles_or_says_where(text in "(\\$|\\PC|[.\\[\\]?()@*'!&|<=>]){0,40}") {
        if let Err(error) = JsonPath::compile(&text) {
            prop_assert!(text.get(error.range.clone()).is_some(), "{:?}", error);
        }
    }
}

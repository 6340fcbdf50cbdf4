//! How requests are made: what `http:` says is what the server sees.

use crate::rig::{Outcome, Rig, http, plan};
use crate::server::{Answer, Seen, Server, Then};
use metrics::ErrorKind;
use std::fmt::Write;
use std::io::Write as _;
use std::sync::{Arc, OnceLock};

/// A response with these header lines and body.
fn answer(status: u16, headers: &str, body: &[u8]) -> Answer {
    let mut bytes =
        format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n{headers}\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    Answer::raw(bytes, Then::KeepOpen)
}

fn redirect(status: u16, to: &str) -> Answer {
    answer(status, &format!("location: {to}\r\n"), b"")
}

/// A plan that runs `steps` once, by one user of a class with the keys `http`.
fn once_text(http_keys: &str, steps: &str) -> String {
    format!(
        "version: 1\nname: test\ntarget: TARGET\nload: {{ users: 1, duration: 1h }}\nusers:\n  User:\n    \
         wait: 1h\n    http: {{ {http_keys} }}\n    tasks:\n      task: {{ steps: [ {steps} ] }}\n"
    )
}

/// Runs such a plan to its end.
async fn played(server: &Server, http_keys: &str, steps: &str) -> Outcome {
    Rig::start(Vec::new()).once(&plan(&once_text(http_keys, steps), &http(server)), 1).await
}

/// The same for plans that ask nobody else and do nothing but requests.
async fn once(server: &Server, http_keys: &str, steps: &str) -> Outcome {
    let outcome = played(server, http_keys, steps).await;
    assert_eq!(outcome.started, server.truth().requests.len() as u64, "every request is in the books");
    assert_eq!(outcome.aborted, 0);
    outcome
}

/// `METHOD path [body] header=value ...` of each request, with those `headers` that it has.
fn seen(server: &Server, headers: &[&str]) -> Vec<String> {
    let show = |seen: &Seen| {
        let mut text = seen.head.split(' ').take(2).collect::<Vec<_>>().join(" ");
        if !seen.body.is_empty() {
            write!(text, " [{}]", seen.body).unwrap();
        }
        for line in seen.head.lines().skip(1) {
            let (name, value) = line.split_once(": ").expect("a header");
            if headers.contains(&name) {
                write!(text, " {name}={value}").unwrap();
            }
        }
        text
    };
    server.truth().requests.iter().map(show).collect()
}

fn failures(outcome: &Outcome) -> Vec<String> {
    outcome.failures.iter().map(|(kind, (count, message))| format!("{count} {kind:?}: {message}")).collect()
}

#[tokio::test]
async fn redirects_keep_or_drop_method_and_body() {
    let check = async |status: u16, step: &str, expected: [&str; 2]| {
        let server = Server::start(move |seen| match seen.path() {
            "/a" => redirect(status, "b?c=d#e"),
            _ => Answer::ok("{\"id\":1}"),
        });
        let outcome = once(&server, "", step).await;
        assert_eq!(seen(&server, &["content-type"]), expected, "{status}");
        assert_eq!((outcome.total.ok, outcome.total.failed), (2, 0), "{:?}", failures(&outcome));
        assert_eq!(server.truth().connections, 1);
    };
    let post = "{ post: /a, json: 1, expect: { status: 200, that: \"json.id == 1\" } }";
    let typed = "POST /a [1] content-type=application/json";
    for status in [301, 302, 303] {
        check(status, post, [typed, "GET /b?c=d"]).await;
        check(status, "{ head: /a }", ["HEAD /a", "HEAD /b?c=d"]).await;
    }
    for status in [307, 308] {
        check(status, post, [typed, "POST /b?c=d [1] content-type=application/json"]).await;
        check(status, "{ get: /a }", ["GET /a", "GET /b?c=d"]).await;
    }
}

#[tokio::test]
async fn redirects_are_the_response_where_the_plan_says_so() {
    let check = async |keys: &str, step: &str| {
        let server = Server::start(|_| redirect(302, "/elsewhere"));
        let outcome = once(&server, keys, step).await;
        assert_eq!((outcome.total.ok, outcome.total.failed), (1, 0), "{:?}", failures(&outcome));
    };
    check("redirects: 0", "{ get: / }").await;
    check("", "{ get: /, redirects: 0, expect: { that: \"status == 302\" } }").await;
    check("", "{ get: /, expect: { status: 302 }, save: { place: { header: location } } }").await;
    check("", "{ get: /, expect: { status: 3xx } }").await;
    let server =
        Server::start(|seen| if seen.path() == "/" { answer(302, "", b"") } else { redirect(304, "/x") });
    let outcome = once(&server, "", "{ get: / }, { get: /b }").await;
    assert_eq!(outcome.total.ok, 2, "a redirect to nowhere, and what is none");
}

#[tokio::test]
async fn redirects_that_lead_nowhere_fail() {
    let check = async |keys: &str, location: &'static str, sent: u64, expected: &str| {
        let server =
            Server::start(move |seen| redirect(302, &location.replace('N', &seen.number.to_string())));
        let outcome = once(&server, keys, "{ get: /a }, { get: /never }").await;
        assert_eq!(failures(&outcome), [format!("1 Protocol: {expected}")]);
        assert_eq!(outcome.started, sent);
    };
    check("redirects: 3", "/a", 4, "more than 3 redirects, in a loop, in the redirect to `/a`").await;
    check("", "/N", 11, "more than 10 redirects, in the redirect to `/10`").await;
    let scheme = "scheme `ftp` in a URL, expected http or https, in the redirect to `ftp://x/`";
    check("", "ftp://x/", 1, scheme).await;
    let scheme = "scheme `file` in a URL, expected http or https, in the redirect to `file:///etc/passwd`";
    check("", "file:///etc/passwd", 1, scheme).await;
    check("", "http://", 1, "empty host, in the redirect to `http://`").await;
}

#[tokio::test]
async fn what_proves_who_asks_goes_to_no_other_origin() {
    let home: Arc<OnceLock<String>> = Arc::default();
    let back = home.clone();
    let other = Server::start(move |_| redirect(307, &format!("{}/back", back.get().expect("set below"))));
    let away = format!("http://{}/away", other.address);
    let server = Server::start(move |seen| match seen.path() {
        "/a" => redirect(307, "/b"),
        "/b" => redirect(307, &away),
        _ => Answer::ok(""),
    });
    home.set(http(&server)).expect("set once");
    let headers = "headers: { authorization: s, cookie: a=1, x-trace: t, host: h.test }";
    let text = format!(
        "version: 1\nname: test\ntarget: TARGET\nload: {{ users: 1, duration: 1h }}\nusers:\n  User:\n    \
         wait: 1h\n    tasks:\n      task: {{ put: /a, body: x, {headers} }}\n"
    );
    let outcome = Rig::start(Vec::new()).once(&plan(&text, &http(&server)), 1).await;
    assert_eq!((outcome.total.ok, outcome.total.failed), (4, 0), "{:?}", failures(&outcome));
    let shown = ["authorization", "cookie", "x-trace", "host"];
    let all = "host=h.test authorization=s cookie=a=1 x-trace=t";
    let address = server.address;
    assert_eq!(
        seen(&server, &shown),
        [
            format!("PUT /a [x] {all}"),
            format!("PUT /b [x] {all}"),
            format!("PUT /back [x] host={address} x-trace=t")
        ]
    );
    assert_eq!(seen(&other, &shown), [format!("PUT /away [x] host={} x-trace=t", other.address)]);
}

#[tokio::test]
async fn a_user_keeps_its_cookies() {
    let script = |seen: &Seen| match seen.path() {
        "/login" => {
            answer(303, "location: /home\r\nset-cookie: sid=1; Path=/\r\nset-cookie: deep=2\r\n", b"")
        }
        "/logout" => answer(200, "set-cookie: sid=; Path=/; Max-Age=0\r\n", b""),
        _ => Answer::ok(""),
    };
    let steps = "{ post: /login }, { get: /x, headers: { cookie: own=3 } }, { get: /logout }, { get: /end }";
    let server = Server::start(script);
    once(&server, "", steps).await;
    let expected = [
        "POST /login",
        "GET /home cookie=deep=2; sid=1",
        "GET /x cookie=own=3; deep=2; sid=1",
        "GET /logout cookie=deep=2; sid=1",
        "GET /end cookie=deep=2",
    ];
    assert_eq!(seen(&server, &["cookie"]), expected);
    let server = Server::start(script);
    once(&server, "cookies: off", steps).await;
    let expected = ["POST /login", "GET /home", "GET /x cookie=own=3", "GET /logout", "GET /end"];
    assert_eq!(seen(&server, &["cookie"]), expected);
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(body).expect("a Vec takes anything");
    encoder.finish().expect("a Vec takes anything")
}

#[tokio::test]
async fn compressed_bodies_are_read_where_something_looks_at_them() {
    let server = Server::start(|seen| {
        let whole = gzip(b"{\"id\": 7}");
        let body = match seen.path() {
            "/bomb" => gzip(&vec![b' '; 20 << 20]),
            "/cut" => whole[..whole.len() - 4].to_vec(),
            _ => whole,
        };
        answer(200, "content-encoding: gzip\r\n", &body)
    });
    let check = "expect: { that: \"json.id == 7\" }";
    let steps = |path: &str| format!("{{ get: {path}, {check} }}");
    let outcome = once(&server, "", &format!("{}, {{ get: /bomb }}, {{ get: /cut }}", steps("/whole"))).await;
    assert_eq!(failures(&outcome), [""; 0], "what nobody looks at is not decoded");
    assert_eq!(seen(&server, &["accept-encoding"])[0], "GET /whole accept-encoding=gzip, deflate, br, zstd");
    server.until(|truth| truth.bytes_written >= outcome.total.bytes_in).await;
    assert_eq!(outcome.total.bytes_in, server.truth().bytes_written, "what crosses the wire is counted");

    let failed = async |keys: &str, step: String, expected: &str| {
        let bodies = Server::start(move |seen| match seen.path() {
            "/bomb" => answer(200, "content-encoding: gzip\r\n", &gzip(&vec![b' '; 20 << 20])),
            _ => answer(200, "content-encoding: gzip\r\n", &gzip(b"{\"id\": 7}")[..20]),
        });
        let outcome = once(&bodies, keys, &step).await;
        let [failure] = &failures(&outcome)[..] else { panic!("one failure: {:?}", failures(&outcome)) };
        assert!(failure.contains(expected), "{failure}");
        seen(&bodies, &["accept-encoding"])
    };
    failed("", steps("/cut"), "1 Protocol: the body is not valid gzip: it breaks off").await;
    failed("", steps("/bomb"), "1 TooLarge: the decoded response body is more than 500 times").await;
    failed("body_limit: 100kB", steps("/bomb"), "larger than the limit of 100000 bytes").await;
    let sent = failed("compression: off", steps("/cut"), "1 Assertion: the body is not JSON").await;
    assert_eq!(sent, ["GET /cut"], "nothing is asked for and nothing undone");
}

#[tokio::test]
async fn who_asks() {
    let server = Server::start(|_| Answer::ok("{\"t\":\"abc\"}"));
    let class = "auth: { basic: { user: \"user-${user.slot}\", password: \"ä:b\" } }";
    let other = Server::start(|_| Answer::ok(""));
    let away = format!("{{ get: \"{0}/\" }}, {{ get: \"{0}/\", auth: {{ bearer: x }} }}, ", http(&other));
    let steps = "{ get: /basic, save: { token: $.t } }, { get: /bearer, auth: { bearer: \"${token}\" } }, \
                 { get: /own, headers: { authorization: Own } }";
    let outcome = played(&server, class, &(away + steps)).await;
    assert_eq!((outcome.total.ok, outcome.total.failed), (5, 0), "{:?}", failures(&outcome));
    let told = seen(&other, &["authorization"]);
    assert_eq!(told, ["GET /", "GET / authorization=Bearer x"], "other origins are told only on request");
    let expected = [
        "GET /basic authorization=Basic dXNlci0wOsOkOmI=",
        "GET /bearer authorization=Bearer abc",
        "GET /own authorization=Own",
    ];
    assert_eq!(seen(&server, &["authorization"]), expected);
}

#[tokio::test]
async fn limits_of_one_request() {
    let server = Server::start(|seen| match seen.path() {
        "/slow" => Answer::raw("", Then::Hang),
        "/half" => Answer::raw("HTTP/1.1 200 x\r\ncontent-length: 9\r\n\r\nx", Then::Hang),
        "/hop" => redirect(302, "/slow"),
        _ => Answer::ok("0123456789"),
    });
    let check = async |step: &str, kind: ErrorKind, expected: &str| {
        let text = format!(
            "version: 1\nname: test\ntarget: TARGET\nload: {{ users: 1, duration: 1h }}\nusers:\n  User:\n    \
             wait: 1h\n    tasks:\n      task: {{ {step} }}\n"
        );
        let outcome = Rig::start(Vec::new()).once(&plan(&text, &http(&server)), 1).await;
        let failure = outcome.failures.get(&kind).unwrap_or_else(|| panic!("{:?}", outcome.failures));
        assert_eq!((failure.0, failure.1.as_str(), outcome.total.failed), (1, expected, 1), "{step}");
    };
    let first = "timed out after 60 ms waiting for the first byte of the response";
    check("get: /slow, timeout: 60ms", ErrorKind::Timeout, first).await;
    check("get: /slow, first_byte_timeout: 60ms", ErrorKind::Timeout, first).await;
    check("get: /hop, timeout: 60ms", ErrorKind::Timeout, first).await;
    let body = "timed out after 60 ms reading the response body";
    check("get: /half, first_byte_timeout: 50s, timeout: 60ms", ErrorKind::Timeout, body).await;
    let large = "the response body is larger than the limit of 9 bytes";
    check("get: /, body_limit: 9B, expect: { that: \"body != ''\" }", ErrorKind::TooLarge, large).await;
}

#[tokio::test]
async fn forms_of_parts() {
    let server = Server::start(|_| Answer::ok(""));
    once(&server, "", "{ post: /a, multipart: { who: \"${user.class}\", n: 1 } }").await;
    let part = |name: &str, text: &str| {
        format!("--muster-part-0\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
    };
    let body = format!("{}{}--muster-part-0--\r\n", part("who", "User"), part("n", "1"));
    let expected = format!("POST /a [{body}] content-type=multipart/form-data; boundary=muster-part-0");
    assert_eq!(seen(&server, &["content-type"]), [expected]);
}

#[tokio::test]
async fn polls_are_asked_as_their_class_asks() {
    let server = Server::start(|seen| match seen.path() {
        "/job" if seen.number == 0 => redirect(302, "/moved"),
        _ => answer(200, "content-encoding: gzip\r\nset-cookie: c=1\r\n", &gzip(b"{\"done\": true}")),
    });
    let keys = "auth: { bearer: b }, first_byte_timeout: 20s";
    let poll = "{ poll: /job, until: json.done, every: 10ms, timeout: 30s }";
    let outcome = played(&server, keys, &format!("{poll}, {poll}")).await;
    assert_eq!(failures(&outcome), [""; 0]);
    let expected = [
        "GET /job authorization=Bearer b",
        "GET /moved authorization=Bearer b",
        "GET /job authorization=Bearer b cookie=c=1",
    ];
    assert_eq!(seen(&server, &["authorization", "cookie"]), expected);

    // One request of a poll waits as long as its class does, and the poll as long as it says itself.
    let server = Server::start(|_| Answer::raw("", Then::Hang));
    let poll = "{ poll: /job, until: json.done, every: 10ms, timeout: 150ms }";
    let outcome = played(&server, "timeout: 60ms", poll).await;
    let late = "timed out after 60 ms waiting for the first byte of the response";
    let told: Vec<&str> = outcome.failures.values().map(|(_, message)| message.as_str()).collect();
    assert!(outcome.total.failed >= 3, "two requests at least, and the poll: {:?}", failures(&outcome));
    assert!(told[0].contains(late) || told[0].contains("not done after 150 ms"), "{told:?}");
    let server = Server::start(|_| Answer::raw("", Then::Hang));
    let outcome = played(&server, "timeout: 20s", poll).await;
    assert_eq!((outcome.total.failed, server.truth().requests.len()), (2, 1), "{:?}", failures(&outcome));
}

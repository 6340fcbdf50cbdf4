//! How users reach the target: by which address, from which, through what.

use crate::certificate::localhost;
use crate::relay::Relay;
#[cfg(unix)]
use crate::relay::unix_socket;
use crate::rig::{Outcome, Rig, http, plan};
use crate::server::{Answer, Server};
use std::net::SocketAddr;

/// Runs users of a class with the keys `http` for one iteration each.
async fn played(rig: Rig, users: u32, target: &str, http_keys: &str, steps: &str) -> Outcome {
    let text = format!(
        "version: 1\nname: test\ntarget: TARGET\nload: {{ users: {users}, duration: 1h }}\nusers:\n  User:\n    \
         wait: 1h\n    http: {{ {http_keys} }}\n    tasks:\n      task: {{ steps: [ {steps} ] }}\n"
    );
    rig.once(&plan(&text, target), users).await
}

pub(crate) fn failures(outcome: &Outcome) -> Vec<String> {
    outcome.failures.iter().map(|(kind, (count, message))| format!("{count} {kind:?}: {message}")).collect()
}

fn hosts(server: &Server) -> Vec<String> {
    let of = |head: &str| head.lines().find_map(|line| line.strip_prefix("host: ").map(str::to_owned));
    server.truth().requests.iter().filter_map(|seen| of(&seen.head)).collect()
}

/// Nobody listens there.
fn unused() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("the port")
}

#[tokio::test]
async fn names_can_be_given_addresses() {
    let server = Server::start(|_| Answer::ok(""));
    let nobody = unused();
    let keys = format!(
        "resolve: {{ api.test: \"{}\", \"api.test:81\": \"{nobody}\", other.test: 127.0.0.1 }}",
        server.address
    );
    let port = server.address.port();
    let steps =
        format!("{{ get: / }}, {{ get: \"http://other.test:{port}/\" }}, {{ get: \"http://API.test:81/\" }}");
    let outcome = played(Rig::start(Vec::new()), 1, "http://api.test", &keys, &steps).await;
    assert_eq!(hosts(&server), ["api.test".to_owned(), format!("other.test:{port}")]);
    assert_eq!(failures(&outcome), [format!("1 Refused: connection refused by {nobody}")]);
}

#[tokio::test]
async fn users_take_turns_at_the_source_addresses() {
    let server = Server::start(|_| Answer::ok(""));
    let relay = Relay::to(server.address).await;
    let target = format!("http://{}", relay.address);
    let keys = "source: [ 127.0.0.2, 127.0.0.3 ]";
    let outcome = played(Rig::start(Vec::new()), 4, &target, keys, "{ get: / }").await;
    assert_eq!((outcome.total.ok, outcome.total.failed), (4, 0), "{:?}", failures(&outcome));
    let mut peers: Vec<String> = relay.peers().iter().map(ToString::to_string).collect();
    peers.sort();
    assert_eq!(peers, ["127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.3"]);

    let outcome = played(Rig::start(Vec::new()), 1, &target, "source: 192.0.2.1", "{ get: / }").await;
    let [failure] = &failures(&outcome)[..] else { panic!("one failure: {:?}", failures(&outcome)) };
    assert!(failure.starts_with(&format!("1 Connect: cannot connect to {}: ", relay.address)), "{failure}");
    assert!(failure.ends_with("(from 192.0.2.1)"), "{failure}");
}

#[tokio::test]
#[cfg(unix)]
async fn a_socket_leads_to_the_target_only() {
    let (server, other) = (Server::start(|_| Answer::ok("")), Server::start(|_| Answer::ok("")));
    let dir = std::env::temp_dir().join(format!("muster-{}-socket", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    let path = dir.join("api.sock");
    unix_socket(&path, server.address);
    let keys = format!("unix: {}", path.display());
    let steps = format!("{{ get: / }}, {{ get: / }}, {{ get: \"{}/\" }}", http(&other));
    let outcome = played(Rig::start(Vec::new()), 1, "http://api.test", &keys, &steps).await;
    assert_eq!((outcome.total.ok, outcome.total.failed), (3, 0), "{:?}", failures(&outcome));
    assert_eq!((hosts(&server), hosts(&other).len()), (vec!["api.test".to_owned(); 2], 1));
    assert_eq!(server.truth().connections, 1, "it is used again");
    let keys = format!("unix: {}", dir.join("none.sock").display());
    let outcome = played(Rig::start(Vec::new()), 1, "http://api.test", &keys, "{ get: / }").await;
    let [failure] = &failures(&outcome)[..] else { panic!("one failure: {:?}", failures(&outcome)) };
    assert!(
        failure.starts_with("1 Connect: cannot connect to /") && failure.contains("none.sock"),
        "{failure}"
    );
    std::fs::remove_dir_all(&dir).expect("the directory is ours");
}

#[tokio::test]
async fn requests_are_handed_to_the_proxy_whole() {
    let proxy = Server::start(|_| Answer::ok(""));
    let keys = format!("proxy: \"http://ada:l%40ve@{}\"", proxy.address);
    let steps = "{ get: \"/a?b=c\" }, { get: / }";
    let outcome = played(Rig::start(Vec::new()), 1, "http://api.test:8000", &keys, steps).await;
    assert_eq!((outcome.total.ok, outcome.total.failed), (2, 0), "{:?}", failures(&outcome));
    let truth = proxy.truth();
    let head = &truth.requests[0].head;
    assert!(head.starts_with("GET http://api.test:8000/a?b=c HTTP/1.1\r\nhost: api.test:8000\r\n"), "{head}");
    assert!(head.contains("\r\nproxy-authorization: Basic YWRhOmxAdmU="), "{head}");
    assert_eq!(truth.connections, 1);
}

#[tokio::test]
async fn some_hosts_are_reached_without_the_proxy() {
    let (proxy, server) = (Server::start(|_| Answer::ok("")), Server::start(|_| Answer::ok("")));
    let port = server.address.port();
    let keys = format!(
        "proxy: \"http://{}\", no_proxy: [ a.test, 127.0.0.0/8 ], resolve: {{ a.test: 127.0.0.1, b.a.test: 127.0.0.1 }}",
        proxy.address
    );
    let steps = format!(
        "{{ get: / }}, {{ get: \"http://B.a.test:{port}/\" }}, {{ get: \"http://ba.test:{port}/\" }}"
    );
    let outcome = played(Rig::start(Vec::new()), 1, &http(&server), &keys, &steps).await;
    assert_eq!((outcome.total.ok, outcome.total.failed), (3, 0), "{:?}", failures(&outcome));
    assert_eq!(hosts(&proxy), [format!("ba.test:{port}")]);
    assert_eq!(hosts(&server), [format!("127.0.0.1:{port}"), format!("b.a.test:{port}")]);
}

#[tokio::test]
async fn encrypted_requests_go_through_a_tunnel() {
    let (acceptor, root) = localhost();
    let server = Server::start_tls(acceptor, |_| Answer::ok(""));
    let proxy = Relay::proxy("HTTP/1.1 200 go on\r\nx: y\r\n\r\n", server.address).await;
    let keys = format!("proxy: \"http://ada:@{}\", keep_alive: off", proxy.address);
    let outcome =
        played(Rig::start(vec![root]), 1, "https://localhost:7", &keys, "{ get: / }, { get: / }").await;
    assert_eq!((outcome.total.ok, outcome.total.failed), (2, 0), "{:?}", failures(&outcome));
    assert_eq!(outcome.total.phases.tls.0, 2, "each connection is measured");
    server.until(|truth| truth.ended == 2).await;
    let asked =
        "CONNECT localhost:7 HTTP/1.1\r\nhost: localhost:7\r\nproxy-authorization: Basic YWRhOg==\r\n\r\n";
    assert!(proxy.asked().iter().all(|head| head == asked), "{:?}", proxy.asked());
    assert_eq!(hosts(&server), ["localhost:7", "localhost:7"]);
}

#[tokio::test]
async fn proxies_that_do_not_help_are_named() {
    let check = async |answer: &'static str, expected: &str| {
        let proxy = Relay::proxy(answer, unused()).await;
        let keys = format!("proxy: \"http://{}\"", proxy.address);
        let outcome = played(Rig::start(Vec::new()), 1, "https://localhost:7", &keys, "{ get: / }").await;
        let expected = expected.replace("PROXY", &proxy.address.to_string());
        assert_eq!(failures(&outcome), [format!("1 {expected}")]);
    };
    let refused = "Connect: the proxy PROXY refused to connect to localhost:7: status 407";
    check("HTTP/1.1 407 who are you\r\n\r\n", refused).await;
    check("no HTTP at all\r\n\r\n", "Protocol: the proxy PROXY does not answer in HTTP").await;
    let cut = "Reset: connection closed before the response was complete, by the proxy PROXY";
    check("HTTP/1.1 200", cut).await;
    let nobody = unused();
    let keys = format!("proxy: \"http://{nobody}\"");
    let outcome = played(Rig::start(Vec::new()), 1, "http://api.test", &keys, "{ get: / }").await;
    assert_eq!(failures(&outcome), [format!("1 Refused: connection refused by {nobody}, the proxy")]);
}

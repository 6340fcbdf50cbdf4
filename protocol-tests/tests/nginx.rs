//! Against a real nginx: HTTP/2, TLS with an own authority and client certificates, connections that the server ends,
//! compressed bodies. Where nginx is not installed this says so, loudly, and tests nothing.

use protocol_tests::fleet::report;
use protocol_tests::process::{Process, TestDir};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use serde_json::Value;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Requests that nginx answers on one connection.
const PER_CONNECTION: u64 = 10;

/// The program, where it is installed.
fn program() -> Option<&'static str> {
    ["nginx", "/usr/sbin/nginx"].into_iter().find(|name| {
        let version = Command::new(name).arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status();
        version.is_ok_and(|status| status.success())
    })
}

/// An nginx of the test's own, stopped when dropped.
struct Nginx {
    child: Child,
    /// HTTP, HTTP/2 without encryption, HTTP/2 and HTTP/1.1 with, and the same for those with a certificate.
    ports: [u16; 4],
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Nginx {
    /// Starts it in `dir`, which holds the certificates. Ports that somebody else takes meanwhile are replaced.
    fn start(program: &str, dir: &TestDir) -> Nginx {
        for _ in 0..5 {
            let free = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
            let ports = free.each_ref().map(|listener| listener.local_addr().expect("bound").port());
            drop(free);
            let config = dir.write("nginx.conf", &config(dir, ports));
            let child = Command::new(program)
                .args(["-p".as_ref(), dir.path().as_os_str(), "-c".as_ref(), config.as_os_str()])
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("nginx starts");
            let mut nginx = Nginx { child, ports };
            if nginx.answers() {
                return nginx;
            }
        }
        let log = std::fs::read_to_string(dir.path().join("error.log")).unwrap_or_default();
        panic!("nginx does not start: {log}");
    }

    fn answers(&mut self) -> bool {
        let patience = Instant::now() + Duration::from_secs(20);
        while Instant::now() < patience && matches!(self.child.try_wait(), Ok(None)) {
            if self.ports.iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok()) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

fn config(dir: &TestDir, [plain, http2, tls, mutual]: [u16; 4]) -> String {
    let dir = dir.path().display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {dir}/{kind};\n"))
        .concat();
    let server = |listen: String, more: &str| {
        format!(
            "  server {{\n    listen 127.0.0.1:{listen};\n    {more}\n    location / {{ root {dir}/www; }}\n    \
             location /who {{ default_type application/json; return 200 '{{\"who\": \"$ssl_client_s_dn\"}}'; }}\n    \
             location /old {{ return 302 /items.json; }}\n  }}\n"
        )
    };
    let certificate = format!("ssl_certificate {dir}/server.pem; ssl_certificate_key {dir}/server.key;");
    let verified = format!("{certificate} ssl_client_certificate {dir}/ca.pem; ssl_verify_client on;");
    let servers = [
        server(plain.to_string(), ""),
        server(format!("{http2} http2"), ""),
        server(format!("{tls} ssl http2"), &certificate),
        server(format!("{mutual} ssl http2"), &verified),
    ]
    .concat();
    format!(
        "daemon off; master_process off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/error.log;\n\
         events {{ worker_connections 512; }}\nhttp {{\n{temporary}  types {{ application/json json; }}\n  \
         log_format seen '$server_protocol $connection $status $sent_http_content_encoding $request_uri';\n  \
         access_log {dir}/seen.log seen;\n  keepalive_requests {PER_CONNECTION};\n  gzip on; gzip_types application/json;\n  \
         gzip_min_length 1;\n{servers}}}\n"
    )
}

/// An authority, and certificates of it for `localhost` and for a client.
fn certificates(dir: &TestDir) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority =
        CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed");
    dir.write("ca.pem", &authority.pem());
    for (name, purpose) in
        [("server", ExtendedKeyUsagePurpose::ServerAuth), ("client", ExtendedKeyUsagePurpose::ClientAuth)]
    {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.extended_key_usages = vec![purpose];
        let certificate = params.signed_by(&key, &authority).expect("signed");
        dir.write(&format!("{name}.pem"), &certificate.pem());
        dir.write(&format!("{name}.key"), &key.serialize_pem());
    }
}

/// Runs one user of a class with the keys `http` against `target` for as many iterations as it takes to see
/// `connections` on nginx's side.
fn run(dir: &TestDir, target: &str, http: &str, steps: &str) -> (Value, Vec<Vec<String>>) {
    let _ = std::fs::remove_dir_all(dir.path().join("reports"));
    std::fs::write(dir.path().join("seen.log"), "").expect("the log is ours");
    let plan = format!(
        "version: 1\nname: nginx\ntarget: {target}\nload: {{ users: 2, duration: 2s, stop_timeout: 10s }}\nusers:\n  User:\n    \
         wait: 5ms\n    http: {{ {http} }}\n    tasks:\n      task: {{ steps: [ {steps} ] }}\n"
    );
    dir.write("plan.yaml", &plan);
    let ended = Process::start("coordinator", dir.path(), ["plan.yaml", "--no-ui"]).wait();
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
    let report = report(dir);
    let log = std::fs::read_to_string(dir.path().join("seen.log")).expect("nginx wrote its log");
    let lines = log.lines().map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
    // The coordinator looks by itself, before the run, whether the target answers.
    (report, lines.filter(|line| line[4] != "/").collect())
}

/// Checks that nothing failed, that nginx saw exactly what is reported, all of it in `protocol`, and that
/// connections that it ended were made anew and counted.
fn check(report: &Value, seen: &[Vec<String>], protocol: &str) {
    let requests = report["totals"]["requests"].as_u64().expect("a number");
    assert_eq!(report["totals"]["failures"], 0, "{:#}", report["errors"]);
    assert_eq!((requests, report["accounting"]["status"].as_str()), (seen.len() as u64, Some("exact")));
    assert!(requests > 2 * PER_CONNECTION, "only {requests} requests");
    let other: Vec<_> = seen.iter().filter(|line| line[0] != protocol).collect();
    assert!(other.is_empty(), "{other:?}");
    let mut connections: Vec<&str> = seen.iter().map(|line| line[1].as_str()).collect();
    connections.sort_unstable();
    connections.dedup();
    let reconnects = report["generator"]["agents"][0]["reconnects"].as_u64().expect("a number");
    assert_eq!(connections.len() as u64, reconnects + 2, "two users");
    assert!(reconnects >= requests / PER_CONNECTION - 2, "{reconnects} reconnects for {requests} requests");
}

#[test]
fn a_real_nginx_is_spoken_to_in_every_way() {
    let Some(program) = program() else {
        // Not by `eprintln!`, which the harness keeps to itself.
        let notice = "\n*** SKIPPED: nginx is not installed; HTTP/2, TLS and keep-alive are not tested against it ***\n\n";
        let _ = std::io::stderr().write_all(notice.as_bytes());
        return;
    };
    let dir = TestDir::new("nginx");
    certificates(&dir);
    std::fs::create_dir(dir.path().join("www")).expect("a folder");
    dir.write("www/items.json", &format!("{{\"items\": [{}0]}}", "1,".repeat(5000)));
    let nginx = Nginx::start(program, &dir);
    let [plain, http2, tls, mutual] = nginx.ports;
    let get = "{ get: /items.json, expect: { that: \"json.items | length == 5001\" } }";

    let (report, seen) = run(&dir, &format!("http://localhost:{plain}"), "", get);
    check(&report, &seen, "HTTP/1.1");
    assert!(seen.iter().all(|line| line[3] == "gzip"), "compressed bodies are asked for and undone");
    let sizes = (report["totals"]["bytes_in"].as_u64(), report["totals"]["requests"].as_u64());
    assert!(matches!(sizes, (Some(bytes), Some(requests)) if bytes < requests * 2000), "{sizes:?}");

    let (report, seen) = run(&dir, &format!("http://localhost:{http2}"), "version: 2, compression: off", get);
    check(&report, &seen, "HTTP/2.0");
    assert!(seen.iter().all(|line| line[3] == "-"), "nothing is compressed");

    let target = format!("https://localhost:{tls}");
    let (report, seen) = run(&dir, &target, "tls: { ca: ca.pem }", "{ get: /old }");
    check(&report, &seen, "HTTP/2.0");
    assert!(report["requests"][0]["phases_ms"]["tls"].as_f64().is_some(), "{:#}", report["requests"][0]);
    let (report, seen) = run(&dir, &target, "tls: { ca: ca.pem }, version: 1", get);
    check(&report, &seen, "HTTP/1.1");

    let target = format!("https://localhost:{mutual}");
    let who = "{ get: /who, expect: { that: \"json.who == 'CN=client'\" } }";
    let files = "tls: { ca: ca.pem, cert: client.pem, key: client.key }";
    let (report, seen) = run(&dir, &target, files, who);
    check(&report, &seen, "HTTP/2.0");
    let text = serde_json::to_string(&report).expect("JSON");
    assert!(!text.contains("PRIVATE KEY"), "a key is nobody's business");

    // Without a certificate nginx answers 400; without the authority the agent hangs up.
    let (report, _) = run(&dir, &target, "tls: { ca: ca.pem }", "{ get: /who }");
    assert_eq!(report["totals"]["success_rate"], 0.0, "{:#}", report["totals"]);
    assert!(
        report["errors"][0]["message"].as_str().is_some_and(|m| m.contains("400")),
        "{:#}",
        report["errors"]
    );
    let (report, _) = run(&dir, &target, "", "{ get: /who }");
    assert_eq!(report["errors"][0]["kind"], "tls", "{:#}", report["errors"]);
}

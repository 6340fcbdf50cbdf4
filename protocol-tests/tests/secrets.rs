//! Secrets reach the target and nobody else.

use protocol_tests::process::{Process, TestDir};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

const SECRET: &str = "Tr0ub4dor&3/horse";

/// A target that gives back whatever it is told: in bodies, and in redirects to where nobody can follow.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let Some(request) = lines.next() else { return };
                let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let told = headers.iter().find_map(|line| line.strip_prefix("x-key: ")).unwrap_or_default();
                let (status, location) = if request.contains("/redirect") {
                    ("302 Found", format!("location: ftp://{told}/\r\n"))
                } else {
                    ("200 OK", String::new())
                };
                let body = serde_json::json!({ "echo": told, "headers": headers }).to_string();
                let _ = write!(
                    &stream,
                    "HTTP/1.1 {status}\r\n{location}content-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
            });
        }
    });
    format!("http://{address}")
}

fn plan(target: &str) -> String {
    format!(
        r#"version: 1
name: Echo
target: {target}
load: {{ users: 2, duration: 2s }}
users:
  Caller:
    wait: 100ms
    tasks:
      json: {{ get: /json, headers: {{ x-key: "${{secret.api_key}}" }}, expect: {{ json: {{ $.echo: other }} }} }}
      that: {{ get: /that, headers: {{ x-key: "${{secret.api_key}}" }}, expect: {{ that: "json.echo == 'x' or json.headers == secret.api_key" }} }}
      cut: {{ get: /cut, headers: {{ x-key: "${{'p' * 50}}${{secret.api_key}}" }}, expect: {{ that: "json.echo == 'x'" }} }}
      basic: {{ get: /basic, auth: {{ basic: {{ user: ada, password: "${{secret.api_key}}" }} }}, expect: {{ that: "json.headers == ''" }} }}
      redirect: {{ get: /redirect, headers: {{ x-key: "${{secret.api_key}}" }}, expect: {{ status: 200 }} }}
      url: {{ get: "/${{secret.api_key}}", expect: {{ status: 500 }} }}
      broken: {{ get: "${{secret.api_key}}" }}
      set: {{ steps: [ {{ set: {{ a: "${{secret.api_key}}" }} }}, {{ repeat: "${{a}}", steps: [ {{ get: / }} ] }} ] }}
"#
    )
}

#[test]
fn a_target_that_gives_secrets_back_does_not_get_them_into_reports() {
    let dir = TestDir::new("secrets");
    dir.write("plan.yaml", &plan(&echo()));
    dir.write("key", &format!("{SECRET}\n"));
    let check = Process::start("coordinator", dir.path(), ["check", "plan.yaml"]).wait();
    assert_eq!(check.code, Some(3), "{}", check.err);
    assert!(check.err.contains("the secret `api_key` is not given"), "{}", check.err);
    assert!(check.err.contains("set LOAD_TEST_SECRET_API_KEY"), "{}", check.err);

    let args = ["plan.yaml", "--secret-file", "api_key=key", "--no-ui", "--seed", "1"];
    let ended = Process::start("coordinator", dir.path(), args).wait();
    let reports = std::fs::read_dir(dir.path().join("reports")).expect("a report").flatten();
    let report: String = reports
        .flat_map(|run| std::fs::read_dir(run.path()).expect("a directory").flatten())
        .map(|file| std::fs::read_to_string(file.path()).expect("text"))
        .collect();
    assert!(report.contains("***"), "something was hidden: {report}");
    for (text, what) in [(&report, "report"), (&ended.err, "standard error"), (&ended.out, "standard output")]
    {
        for shown in ["Tr0ub", "horse", "VHIwdWI", "cjB1Yj", "IwdWI0"] {
            assert!(!text.contains(shown), "`{shown}` in the {what}: {text}");
        }
    }
}

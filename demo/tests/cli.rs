//! The binary through its command line.

mod client;

use client::Client;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo-target"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A running process that does not outlive its test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_says_where_it_listens_and_stops_at_sigterm() {
    let arguments = ["--listen", "127.0.0.1:0", "--latency", "*=constant 1ms", "--fail", "auth/health=100%"];
    let mut process = Process(command(&arguments).spawn().unwrap());
    let mut stdout = BufReader::new(process.0.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let address: SocketAddr =
        line.trim_end().strip_prefix("demo-target listening on http://").unwrap().parse().unwrap();
    assert_ne!(address.port(), 0);

    let mut client = Client::connect(address);
    assert_eq!(client.get("/api/v1/auth/health").0, 503);
    assert_eq!(client.get("/truth").1["total"], 1);
    assert_eq!(client.post("/truth/reset", "").1["total"], 0);

    if cfg!(unix) {
        let killed = Command::new("kill").arg(process.0.id().to_string()).status().unwrap();
        assert!(killed.success());
        assert!(process.0.wait().unwrap().success());
    } else {
        // Nothing but its console can ask it to end.
        process.0.kill().unwrap();
    }
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "it prints one line and no more");
}

#[test]
fn wrong_flags_name_the_value_and_the_remedy() {
    let check = |arguments: &[&str], expected: [&str; 3]| {
        let output = command(arguments).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        for text in expected {
            assert!(stderr.contains(text), "{arguments:?}: no `{text}` in {stderr}");
        }
    };
    check(&["--latency", "auth/login=20ms"], ["--latency", "auth/login=20ms", "write `constant 20ms`"]);
    check(&["--latency", "auth/logon=constant 1ms"], ["--latency", "`auth/logon`", "write one of"]);
    check(&["--latency", "nonsense"], ["--latency", "there is no `=`", "write the endpoint"]);
    check(&["--fail", "*=2"], ["--fail", "`2` has no unit", "write `2%`"]);
    check(&["--listen", "8000"], ["--listen", "8000", "127.0.0.1:8000"]);
    check(&["--seed", "x"], ["--seed", "'x'", "invalid digit"]);
}

#[test]
fn what_it_cannot_use_is_named() {
    let check = |arguments: &[&str], expected: [&str; 2]| {
        let output = command(arguments).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        for text in expected {
            assert!(stderr.contains(text), "{arguments:?}: no `{text}` in {stderr}");
        }
    };
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    check(&["--listen", &address], [&address, "choose another address with --listen"]);
    let path = "/nowhere/at/all.db";
    check(&["--listen", "127.0.0.1:0", "--database", path], [path, "choose another with --database"]);
}

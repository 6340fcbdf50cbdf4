//! WebSocket tasks, down to the frames.

mod client;

use client::Client;
use demo::{Config, Law, Running, SessionsTruth};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// As little of a WebSocket as the tests need: messages below 64 KiB, masked with zeros.
struct Socket(BufReader<TcpStream>);

impl Socket {
    fn open(address: SocketAddr, id: &str) -> Socket {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let handshake = format!(
            "GET /ws/{id} HTTP/1.1\r\nhost: demo\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(handshake.as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            assert!(reader.read_until(b'\n', &mut head).unwrap() > 0, "it stays open");
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        Socket(reader)
    }

    fn frame(&mut self, code: u8, payload: &[u8]) {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&[0x80 | code, 0x80 | 0x7e][..], &length, &[0; 4]].concat();
        self.0.get_mut().write_all(&[&head, payload].concat()).unwrap();
    }

    fn send(&mut self, message: &Value) {
        self.frame(1, message.to_string().as_bytes());
    }

    fn receive(&mut self) -> Value {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).unwrap();
        assert_eq!(head[0], 0x81, "a text message");
        let mut length = usize::from(head[1]);
        if length == 126 {
            let mut long = [0; 2];
            self.0.read_exact(&mut long).unwrap();
            length = u16::from_be_bytes(long).into();
        }
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).unwrap();
        serde_json::from_slice(&payload).unwrap()
    }

    /// What answers `message`, so many events.
    fn ask(&mut self, message: &Value, events: usize) -> Vec<Value> {
        self.send(message);
        (0..events).map(|_| self.receive()).collect()
    }

    fn close(mut self) {
        self.frame(8, &1000_u16.to_be_bytes());
        self.0.read_to_end(&mut Vec::new()).unwrap();
    }
}

fn quick() -> Config {
    Config::default().latency("ws/output", Law::Constant(Duration::ZERO)).unwrap()
}

fn task(lines: u32) -> Value {
    json!({ "id": "a", "task": "Print exactly: \"ä\"", "lines": lines })
}

/// What became of the tasks once no session is open.
fn settled(running: &Running) -> SessionsTruth {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let truth = running.sessions().unwrap();
        if truth.open == 0 {
            return truth;
        }
        assert!(Instant::now() < until, "{truth:?}");
        std::thread::yield_now();
    }
}

#[test]
fn a_task_is_stored_and_its_output_streamed() {
    let running = demo::spawn(quick()).unwrap();
    let mut socket = Socket::open(running.addr, "one");
    let output = |line: u32| json!({ "event_type": "output", "id": "a", "line": line, "data": "\"ä\"" });
    let expected = [
        json!({ "event_type": "started", "id": "a", "task": 1 }),
        output(1),
        output(2),
        output(3),
        json!({ "event_type": "complete", "id": "a", "task": 1, "lines": 3 }),
    ];
    assert_eq!(socket.ask(&task(3), 5), expected);
    // One line without a number of them, and no id without one.
    let events = socket.ask(&json!({ "task": "Print exactly: b" }), 3);
    assert_eq!((&events[1]["data"], &events[1]["id"]), (&json!("b"), &Value::Null));
    let (open, mut client) = (running.sessions().unwrap(), Client::connect(running.addr));
    let told = client.get("/api/v1/ws-tasks/accounting").1;
    assert_eq!(told, serde_json::to_value(open).unwrap());
    socket.close();
    let all = SessionsTruth {
        sessions: 1,
        open: 0,
        acknowledged: 2,
        stored: 2,
        completed: 2,
        stored_completed: 2,
        lost: 0,
    };
    assert_eq!((open, settled(&running)), (SessionsTruth { open: 1, ..all }, all));
    assert_eq!(client.get("/api/v1/ws-tasks/health"), (200, json!({ "status": "ok" })));
}

#[test]
fn what_is_no_task_is_refused_and_not_stored() {
    let running = demo::spawn(quick()).unwrap();
    let mut socket = Socket::open(running.addr, "one");
    for wrong in [task(0), task(1001), json!({ "task": "rm" }), json!(7)] {
        let told = &socket.ask(&wrong, 1)[0];
        assert_eq!(told["event_type"], "error", "{told}");
        assert!(told["error"].as_str().unwrap().contains("\"lines\" from 1 to 1000"), "{told}");
    }
    socket.close();
    assert_eq!(settled(&running), SessionsTruth { sessions: 1, ..SessionsTruth::default() });
}

#[test]
fn tasks_are_there_after_a_restart_with_how_they_ended() {
    let path = std::env::temp_dir().join(format!("demo-sessions-{}.db", std::process::id()));
    let config = quick().database(path.clone()).fail("ws/output", "100%".parse().unwrap()).unwrap();
    let first = demo::spawn(config).unwrap();
    let mut failing = Socket::open(first.addr, "fails");
    assert_eq!(failing.ask(&task(2), 2)[1]["event_type"], "error");
    failing.close();
    first.stop();
    let running = demo::spawn(quick().database(path.clone())).unwrap();
    let mut good = Socket::open(running.addr, "good");
    assert_eq!(good.ask(&task(1), 3)[2]["task"], 2, "the first one is still there");
    good.close();
    assert_eq!(settled(&running).stored, 1, "of this server");
    let database = Connection::open(&path).unwrap();
    let mut statement =
        database.prepare("SELECT session, content, lines, status FROM ws_tasks ORDER BY id").unwrap();
    let rows: Vec<(String, String, u32, String)> =
        statement.query_map([], |row| row.try_into()).unwrap().map(Result::unwrap).collect();
    let row = |session: &str, lines, status: &str| (session.into(), "\"ä\"".into(), lines, status.into());
    assert_eq!(rows, [row("fails", 2, "failed"), row("good", 1, "completed")]);
    drop(running);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
}

#[test]
fn the_status_counts_sessions_and_leaves_no_trace() {
    let running = demo::spawn(quick()).unwrap();
    let mut client = Client::connect(running.addr);
    let sockets = ["a", "b", "c"].map(|id| Socket::open(running.addr, id));
    let mut told = client.get("/api/admin/ws-status").1;
    // A session is counted after its handshake.
    while told["open_sessions"] != 3 {
        told = client.get("/api/admin/ws-status").1;
    }
    assert_eq!((&told["most_sessions"], &told["batches"]), (&json!(3), &json!(0)), "{told}");
    sockets.into_iter().for_each(Socket::close);
    settled(&running);
    let told = client.get("/api/admin/ws-status").1;
    assert_eq!(
        (&told["open_sessions"], &told["most_sessions"], &told["batches"]),
        (&json!(0), &json!(3), &json!(1))
    );
    #[cfg(target_os = "linux")]
    assert!(told["resident_mib"].as_f64() > Some(1.0), "{told}");
    let told = client.post("/api/admin/ws-status", "").1;
    assert_eq!(
        (&told["most_sessions"], &told["batches"], &told["sessions"]),
        (&json!(0), &json!(0), &json!(3))
    );
    assert_eq!(running.truth().endpoints.iter().filter(|e| e.path.contains("ws-status")).count(), 0);
    assert_eq!(running.truth().total, 3, "the handshakes");
}

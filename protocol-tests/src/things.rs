//! A target on which things are made and removed: `POST /things` makes one, `GET /things/ID` shows it, `DELETE
//! /things/ID` removes it. It remembers every request.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// Longest wait for requests. Never reached when all is well; a test that hangs must not hang CI.
const PATIENCE: Duration = Duration::from_secs(120);

/// See the module.
#[derive(Debug)]
pub struct Things {
    /// Its base URL.
    pub url: String,
    store: Arc<Store>,
}

#[derive(Debug, Default)]
struct Store {
    state: Mutex<State>,
    changed: Condvar,
}

/// What the target knows.
#[derive(Debug, Default)]
pub struct State {
    made: u32,
    /// Things that exist.
    pub there: BTreeSet<String>,
    /// How often each `METHOD /path` was asked for.
    pub seen: BTreeMap<String, u64>,
}

impl State {
    /// Requests whose `METHOD /path` begins like this.
    pub fn count(&self, start: &str) -> u64 {
        self.seen.iter().filter(|(request, _)| request.starts_with(start)).map(|(_, count)| count).sum()
    }

    fn answer(&mut self, method: &str, path: &str) -> (u16, String) {
        *self.seen.entry(format!("{method} {path}")).or_default() += 1;
        let id = path.strip_prefix("/things/").unwrap_or_default();
        match method {
            "POST" if path == "/things" => {
                self.made += 1;
                let id = format!("thing-{}", self.made);
                self.there.insert(id.clone());
                (201, format!("{{\"id\":\"{id}\"}}"))
            }
            "GET" if self.there.contains(id) => (200, "{}".to_owned()),
            "DELETE" if self.there.remove(id) => (200, "{}".to_owned()),
            _ => (404, "{}".to_owned()),
        }
    }
}

impl Things {
    /// Serves on a port of its own until the process ends.
    pub fn serve() -> Things {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let store = Arc::new(Store::default());
        let shared = store.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let store = shared.clone();
                // A connection that breaks is the client's business.
                std::thread::spawn(move || serve(&store, &stream));
            }
        });
        Things { url, store }
    }

    /// What it knows now.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.store.state.lock().expect("no holder panics")
    }

    /// Waits until `enough` is true of what it knows.
    pub fn until(&self, enough: impl Fn(&State) -> bool) {
        let state = self.state();
        let waited = self.store.changed.wait_timeout_while(state, PATIENCE, |state| !enough(state));
        let (state, timeout) = waited.expect("no holder panics");
        assert!(!timeout.timed_out(), "it never came to it: {state:?}");
    }
}

/// Answers one request after the other; bodies are read and ignored.
fn serve(store: &Store, stream: &TcpStream) -> Option<()> {
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let mut words = line.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let header = header.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        reader.by_ref().take(length).read_to_end(&mut Vec::new()).ok()?;
        let (status, body) = store.state.lock().expect("no holder panics").answer(&method, &path);
        store.changed.notify_all();
        let length = body.len();
        write!(writer, "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n\r\n{body}").ok()?;
    }
}

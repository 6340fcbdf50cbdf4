//! A target that writes down every request that users make, and how many connections they have.
//!
//! Users name themselves in the header [`SLOT`]. What comes without it, as the coordinator's reachability check does,
//! is answered and forgotten.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The header in which the plans of tests say which user makes a request.
pub const SLOT: &str = "x-slot";

/// Longest wait for something to arrive. Never reached when all is well; a test that hangs must not hang CI.
const PATIENCE: Duration = Duration::from_secs(120);

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which connection, counted from 0.
    pub connection: usize,
    /// When its head was complete.
    pub at: Instant,
    /// `METHOD PATH`, the query included.
    pub line: String,
    /// Headers with names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

impl Seen {
    /// The value of header `name`, empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The value of header `name` as a number.
    pub fn number(&self, name: &str) -> u64 {
        self.header(name).parse().unwrap_or_else(|_| panic!("{name} is a number in {self:?}"))
    }
}

/// Everything that a [`Recorder`] saw.
#[derive(Clone, Debug, Default)]
pub struct Seens {
    /// In order of arrival.
    pub requests: Vec<Seen>,
    /// Connections that users made.
    pub connections: usize,
    /// Those that are open now.
    pub open: usize,
    /// The most of them that were open at once.
    pub most_open: usize,
}

/// How long after its arrival a request is answered.
type Pause = dyn Fn(Duration) -> Duration + Send + Sync;

/// A running target; it answers every request with 200 and `{}` after a pause. Its threads end with the process.
#[derive(Debug)]
pub struct Recorder {
    address: SocketAddr,
    seen: Arc<Mutex<Seens>>,
}

impl Recorder {
    /// Listens on a port of its own and answers each request `after` it arrived.
    pub fn start(after: Duration) -> Recorder {
        Recorder::pausing(move |_| after)
    }

    /// Listens on a port of its own and answers each request when as long has passed as `pause` says of the time at which it
    /// arrived, counted from the arrival of a user's first request.
    pub fn pausing(pause: impl Fn(Duration) -> Duration + Send + Sync + 'static) -> Recorder {
        let pause: Arc<Pause> = Arc::new(pause);
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("bound");
        let seen = Arc::new(Mutex::new(Seens::default()));
        let shared = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (seen, pause) = (shared.clone(), pause.clone());
                std::thread::spawn(move || {
                    let mut connection = None;
                    // The end of a connection, whatever the reason, is all that it can say.
                    let _ = serve(stream, &mut connection, &*pause, &seen);
                    change(&seen, |seen| seen.open -= usize::from(connection.is_some()));
                });
            }
        });
        Recorder { address, seen }
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until what it saw meets `condition`.
    pub fn until(&self, condition: impl Fn(&Seens) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !change(&self.seen, |seen| condition(seen)) {
            assert!(Instant::now() < until, "what is waited for does not come");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What it saw so far.
    pub fn seen(&self) -> Seens {
        change(&self.seen, |seen| seen.clone())
    }
}

fn change<T>(seen: &Mutex<Seens>, change: impl FnOnce(&mut Seens) -> T) -> T {
    change(&mut seen.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Counts a user's first request on a connection, and gives the connection's number.
fn open(seen: &mut Seens) -> usize {
    seen.connections += 1;
    seen.open += 1;
    seen.most_open = seen.most_open.max(seen.open);
    seen.connections - 1
}

fn serve(
    stream: TcpStream,
    connection: &mut Option<usize>,
    pause: &Pause,
    seen: &Mutex<Seens>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first)? == 0 {
            return Ok(());
        }
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let at = Instant::now();
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let line = first.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
        let body = String::from_utf8_lossy(&body).into_owned();
        if headers.contains_key(SLOT) {
            change(seen, |seen| {
                let connection = *connection.get_or_insert_with(|| open(seen));
                seen.requests.push(Seen { connection, at, line, headers, body });
            });
        }
        let first = change(seen, |seen| seen.requests.first().map_or(at, |first| first.at));
        let ready = at + pause(at.saturating_duration_since(first));
        std::thread::sleep(ready.saturating_duration_since(Instant::now()));
        writer
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")?;
    }
}

//! A scripted HTTP server on a port of its own: it answers as it is told, also wrongly, and knows the truth
//! about everything it saw.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio_rustls::TlsAcceptor;

/// What becomes of the connection once the bytes of an answer are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// The next request is read.
    KeepOpen,
    /// It is closed in order.
    Close,
    /// It is reset.
    Reset,
    /// Nothing happens, ever.
    Hang,
}

/// The bytes that answer a request.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
    pub(crate) then: Then,
    /// Wait for [`Server::release`] before answering.
    pub(crate) held: bool,
}

impl Answer {
    /// These bytes and what then.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>, then: Then) -> Answer {
        Answer { bytes: bytes.into(), then, held: false }
    }

    /// A 200 with `body`.
    pub(crate) fn ok(body: &str) -> Answer {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        Answer::raw(head + body, Then::KeepOpen)
    }
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// How many requests had arrived before it.
    pub(crate) number: usize,
    /// Request line and headers.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Seen {
    /// The path with its query.
    pub(crate) fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or("")
    }
}

/// Everything that the server saw.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    pub(crate) requests: Vec<Seen>,
    pub(crate) connections: usize,
    /// Connections that ended, from whichever side.
    pub(crate) ended: usize,
    pub(crate) bytes_read: u64,
    pub(crate) bytes_written: u64,
}

type Script = dyn Fn(&Seen) -> Answer + Send + Sync;

struct Shared {
    truth: Mutex<Truth>,
    changed: Notify,
    released: tokio::sync::watch::Sender<bool>,
    script: Box<Script>,
}

/// See the module. Stops when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    /// Dropping it ends the server's thread.
    _alive: oneshot::Sender<()>,
}

impl Server {
    /// Answers every request with what `script` says.
    pub(crate) fn start(script: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Server {
        Server::launch(None, Box::new(script))
    }

    /// The same over TLS.
    pub(crate) fn start_tls(
        tls: TlsAcceptor,
        script: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Server {
        Server::launch(Some(tls), Box::new(script))
    }

    fn launch(tls: Option<TlsAcceptor>, script: Box<Script>) -> Server {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("the port");
        listener.set_nonblocking(true).expect("non-blocking");
        let shared = Arc::new(Shared {
            truth: Mutex::default(),
            changed: Notify::new(),
            released: tokio::sync::watch::Sender::new(false),
            script,
        });
        let (alive, dropped) = oneshot::channel::<()>();
        let serving = shared.clone();
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.spawn(accept(listener, tls, serving));
            let _ = runtime.block_on(dropped);
        });
        Server { address, shared, _alive: alive }
    }

    /// Lets every held answer go.
    pub(crate) fn release(&self) {
        self.shared.released.send_replace(true);
    }

    /// What it saw up to now.
    pub(crate) fn truth(&self) -> MutexGuard<'_, Truth> {
        self.shared.truth.lock().expect("no test holds it and panics")
    }

    /// Waits until what it saw meets `condition`; gives up loudly rather than never.
    pub(crate) async fn until(&self, condition: impl Fn(&Truth) -> bool) {
        let met = async {
            loop {
                let changed = self.shared.changed.notified();
                if condition(&self.truth()) {
                    return;
                }
                changed.await;
            }
        };
        let patient = tokio::time::timeout(Duration::from_mins(1), met).await;
        assert!(patient.is_ok(), "the server waited in vain: {:?}", self.truth());
    }
}

impl Shared {
    fn note(&self, change: impl FnOnce(&mut Truth)) {
        change(&mut self.truth.lock().expect("no test holds it and panics"));
        self.changed.notify_waiters();
    }
}

async fn accept(listener: std::net::TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let listener = TcpListener::from_std(listener).expect("a runtime with I/O");
    while let Ok((stream, _)) = listener.accept().await {
        shared.note(|truth| truth.connections += 1);
        let (tls, shared) = (tls.clone(), shared.clone());
        tokio::spawn(async move {
            match tls {
                None => serve(stream, &shared).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, &shared).await;
                    }
                }
            }
            shared.note(|truth| truth.ended += 1);
        });
    }
}

async fn serve<S: Peer>(mut stream: S, shared: &Shared) {
    let mut buffer = Vec::new();
    while let Some((head, body)) = read_request(&mut stream, &mut buffer, shared).await {
        let mut seen = Seen { number: 0, head, body };
        shared.note(|truth| {
            seen.number = truth.requests.len();
            truth.requests.push(seen.clone());
        });
        let answer = (shared.script)(&seen);
        if answer.held {
            let mut released = shared.released.subscribe();
            let _ = released.wait_for(|&released| released).await;
        }
        if stream.write_all(&answer.bytes).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        shared.note(|truth| truth.bytes_written += answer.bytes.len() as u64);
        match answer.then {
            Then::KeepOpen => {}
            Then::Close => {
                let _ = stream.shutdown().await;
                return;
            }
            Then::Reset => {
                stream.tcp().set_zero_linger().expect("a socket");
                return;
            }
            Then::Hang => {
                // Until the other side closes.
                let _ = stream.read(&mut [0; 1]).await;
                return;
            }
        }
    }
}

/// Reads one request; `None` at the connection's end.
async fn read_request<S: Peer>(
    stream: &mut S,
    buffer: &mut Vec<u8>,
    shared: &Shared,
) -> Option<(String, String)> {
    loop {
        if let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let whole = end + 4 + length.map_or(0, |text| text.parse().expect("a content length"));
            if buffer.len() >= whole {
                let body = String::from_utf8_lossy(&buffer[end + 4..whole]).into_owned();
                buffer.drain(..whole);
                return Some((head, body));
            }
        }
        let read = stream.read_buf(buffer).await.ok().filter(|&read| read > 0)?;
        shared.note(|truth| truth.bytes_read += read as u64);
    }
}

trait Peer: AsyncRead + AsyncWrite + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Peer for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Peer for tokio_rustls::server::TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

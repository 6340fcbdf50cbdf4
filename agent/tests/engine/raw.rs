//! A scripted server of WebSockets and HTTP on a port of its own: it speaks in bytes, so it can also speak wrongly.

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

/// One connection whose request was read.
pub(crate) struct Peer {
    stream: Box<dyn Stream>,
    /// Request line and headers.
    pub(crate) head: String,
}

impl Peer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    /// The answer that accepts, with more header lines.
    pub(crate) fn acceptance(&self, more: &str) -> String {
        let accept = derive_accept_key(self.header("sec-websocket-key").unwrap_or_default().as_bytes());
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nconnection: keep-alive, Upgrade\r\n\
             sec-websocket-accept: {accept}\r\n{more}\r\n"
        )
    }

    pub(crate) fn accept(&mut self) {
        let acceptance = self.acceptance("");
        self.write(acceptance.as_bytes());
    }

    /// Writes bytes; the client may be gone.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Writes bytes, unless the client is gone.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// The next so many bytes.
    pub(crate) fn exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).ok().map(|()| bytes)
    }

    /// Writes `bytes` again and again until the client is gone; how many it took.
    pub(crate) fn flood(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while self.stream.write_all(bytes).is_ok() {
            taken += bytes.len();
        }
        taken
    }

    /// Reads until the client is gone, whatever it says.
    pub(crate) fn drain(&mut self) {
        let mut bytes = [0; 4096];
        while self.stream.read(&mut bytes).is_ok_and(|read| read > 0) {}
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.write(&frame(0x81, text.as_bytes()));
    }

    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        self.write(&close(code, reason));
    }

    /// The first byte and the unmasked payload of the next frame; `None` at the end of the stream.
    pub(crate) fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).ok()?;
        assert_eq!(head[1] & 0x80, 0x80, "a client masks its frames");
        let length = match head[1] & 0x7f {
            126 => {
                let mut long = [0; 2];
                self.stream.read_exact(&mut long).ok()?;
                usize::from(u16::from_be_bytes(long))
            }
            127 => {
                let mut long = [0; 8];
                self.stream.read_exact(&mut long).ok()?;
                u64::from_be_bytes(long) as usize
            }
            short => usize::from(short),
        };
        let (mut mask, mut payload) = ([0; 4], vec![0; length]);
        self.stream.read_exact(&mut mask).ok()?;
        self.stream.read_exact(&mut payload).ok()?;
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        Some((head[0], payload))
    }

    /// The next text, pings and pongs left out.
    pub(crate) fn read_text(&mut self) -> Option<String> {
        loop {
            match self.read()? {
                (0x81, payload) => return String::from_utf8(payload).ok(),
                (0x88, _) => return None,
                _ => {}
            }
        }
    }

    /// Answers the client's close, or waits until it is gone.
    pub(crate) fn until_closed(&mut self) {
        while let Some((first, payload)) = self.read() {
            if first == 0x88 {
                self.write(&frame(0x88, &payload));
                return;
            }
        }
    }

    /// Waits until the client is gone, whatever it sends.
    pub(crate) fn until_gone(&mut self) {
        while self.read().is_some() {}
    }
}

/// An unmasked frame.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..126 => bytes.push(short as u8),
        medium @ 126..0x1_0000 => {
            bytes.push(126);
            bytes.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            bytes.push(127);
            bytes.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes
}

/// A close frame.
pub(crate) fn close(code: u16, reason: &str) -> Vec<u8> {
    frame(0x88, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

/// See the module. Stops when dropped.
pub(crate) struct Raw {
    pub(crate) address: SocketAddr,
    finished: UnboundedReceiver<()>,
    over: Arc<AtomicBool>,
}

impl Raw {
    /// Runs `script` for each connection, on a thread of its own.
    pub(crate) fn start(script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Raw {
        Raw::launch(None, script)
    }

    /// The same over TLS.
    pub(crate) fn start_tls(
        tls: Arc<ServerConfig>,
        script: impl Fn(&mut Peer) + Send + Sync + 'static,
    ) -> Raw {
        Raw::launch(Some(tls), script)
    }

    fn launch(tls: Option<Arc<ServerConfig>>, script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Raw {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("the port");
        let (done, finished) = unbounded_channel();
        let over = Arc::new(AtomicBool::new(false));
        let (script, ends) = (Arc::new(script), over.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                let (tls, script, done) = (tls.clone(), script.clone(), done.clone());
                std::thread::spawn(move || {
                    if let Some(mut peer) = stream.ok().and_then(|stream| request(stream, tls)) {
                        script(&mut peer);
                    }
                    // The test is over if nobody listens.
                    let _ = done.send(());
                });
            }
        });
        Raw { address, finished, over }
    }

    /// Waits until the script of a connection is over.
    pub(crate) async fn served(&mut self) {
        let patience = Duration::from_mins(1);
        let served = tokio::time::timeout(patience, self.finished.recv()).await;
        served.expect("a connection within the test's patience").expect("a server that lives");
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn request(stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> Option<Peer> {
    stream.set_read_timeout(Some(Duration::from_mins(1))).ok()?;
    stream.set_write_timeout(Some(Duration::from_mins(1))).ok()?;
    let mut stream: Box<dyn Stream> = match tls {
        None => Box::new(stream),
        Some(tls) => Box::new(StreamOwned::new(ServerConnection::new(tls).ok()?, stream)),
    };
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    Some(Peer { stream, head: String::from_utf8(head).ok()? })
}

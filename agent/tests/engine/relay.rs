//! What stands between an agent and a server: a proxy, a socket, a port.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Passes everything on until it is dropped.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    peers: Arc<Mutex<Vec<IpAddr>>>,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Passes on to `to`.
    pub(crate) async fn to(to: SocketAddr) -> Relay {
        Relay::start(move |mut stream| async move {
            forward(&mut stream, to).await;
            String::new()
        })
        .await
    }

    /// A proxy that answers requests for tunnels with `answer`, and makes one if that is a 200.
    pub(crate) async fn proxy(answer: &'static str, to: SocketAddr) -> Relay {
        Relay::start(move |mut stream| async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { break };
                head.push(byte);
            }
            let _ = stream.write_all(answer.as_bytes()).await;
            if answer.contains(" 200 ") {
                forward(&mut stream, to).await;
            }
            String::from_utf8(head).expect("the request is text")
        })
        .await
    }

    async fn start<F: Future<Output = String> + Send + 'static>(
        serve: impl Fn(TcpStream) -> F + Send + 'static,
    ) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the port");
        let (peers, asked) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<Mutex<Vec<_>>>::default());
        let (seen, heads) = (peers.clone(), asked.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                seen.lock().expect("no test panics with it").push(peer.ip());
                let (served, heads) = (serve(stream), heads.clone());
                tokio::spawn(async move {
                    let head = served.await;
                    heads.lock().expect("no test panics with it").push(head);
                });
            }
        });
        Relay { address, peers, asked, task }
    }

    /// Where connections came from.
    pub(crate) fn peers(&self) -> Vec<IpAddr> {
        self.peers.lock().expect("no test panics with it").clone()
    }

    /// The requests for tunnels whose connections have ended.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no test panics with it").clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A Unix socket that leads to `to`, while the runtime lives.
#[cfg(unix)]
pub(crate) fn unix_socket(path: &std::path::Path, to: SocketAddr) {
    let listener = tokio::net::UnixListener::bind(path).expect("a new path");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move { forward(&mut stream, to).await });
        }
    });
}

async fn forward(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), to: SocketAddr) {
    if let Ok(mut server) = TcpStream::connect(to).await {
        let _ = copy_bidirectional(stream, &mut server).await;
    }
}

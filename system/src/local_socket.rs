//! Sockets that have a path on this machine: Unix sockets.

use std::io;
use std::path::Path;

pub use side::LocalSocket;

/// Connects to the one at `path`.
///
/// # Errors
/// When nobody listens there; on Windows always.
pub async fn connect(path: &Path) -> io::Result<LocalSocket> {
    side::connect(path).await
}

/// Two that are connected to each other, without a path.
///
/// # Errors
/// When the system has no more of them.
pub fn pair() -> io::Result<(LocalSocket, LocalSocket)> {
    side::pair()
}

#[cfg(unix)]
mod side {
    use std::io;
    use std::path::Path;
    use tokio::net::UnixStream;

    /// A stream over such a socket.
    pub type LocalSocket = UnixStream;

    pub(super) async fn connect(path: &Path) -> io::Result<LocalSocket> {
        UnixStream::connect(path).await
    }

    pub(super) fn pair() -> io::Result<(LocalSocket, LocalSocket)> {
        UnixStream::pair()
    }
}

/// Windows has such sockets, but neither the standard library nor tokio does there.
#[cfg(windows)]
mod side {
    use std::future::Ready;
    use std::io;
    use std::path::Path;
    use tokio::io::{DuplexStream, duplex};

    /// As many bytes wait in either direction as a socket's buffer holds.
    const BUFFER: usize = 64 << 10;

    /// An end of a pair within this process: there are no others.
    pub type LocalSocket = DuplexStream;

    pub(super) fn connect(_: &Path) -> Ready<io::Result<LocalSocket>> {
        let why = "this program knows no Unix sockets on Windows; run the agent on Linux or macOS, or let the \
                   target listen on TCP";
        std::future::ready(Err(io::Error::new(io::ErrorKind::Unsupported, why)))
    }

    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it may fail")]
    pub(super) fn pair() -> io::Result<(LocalSocket, LocalSocket)> {
        Ok(duplex(BUFFER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn what_one_end_says_the_other_hears() {
        let (mut near, mut far) = pair().unwrap();
        near.write_all(b"hello").await.unwrap();
        drop(near);
        let mut heard = String::new();
        far.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "hello");
        assert!(connect(Path::new("/nowhere/at/all.sock")).await.is_err());
    }
}

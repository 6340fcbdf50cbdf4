//! Ports that a program listens on.

use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpSocket};

/// Listens on `address`, with room for `backlog` connections that wait to be accepted. A port whose last owner has just ended
/// is free at once. Must be called within a runtime.
///
/// # Errors
/// When the address is taken, or not one of this machine's.
pub fn listen(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // On Windows that is so by itself, and this would let somebody else listen beside us.
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(address)?;
    socket.listen(backlog)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_has_one_owner() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = listen(any, 8).unwrap();
        let address = listener.local_addr().unwrap();
        assert!(listen(address, 8).is_err());
        drop(listener);
        assert!(listen(address, 8).is_ok());
    }
}

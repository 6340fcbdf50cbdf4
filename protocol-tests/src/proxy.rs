//! A wire that tests can break: connections to a coordinator that end, or go silent.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Forwards connections from a port of its own to another address. Its threads end with the process.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    wire: Arc<Wire>,
}

#[derive(Debug, Default)]
struct Wire {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Nothing passes, in either direction; nothing is lost.
    silent: bool,
    /// Counts the cuts.
    cuts: u64,
    open: Vec<TcpStream>,
}

impl Proxy {
    /// A wire to `target`, an address such as `127.0.0.1:5557`.
    pub fn start(target: &str) -> Proxy {
        let target: SocketAddr = target.parse().expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("bound");
        let wire = Arc::new(Wire::default());
        let shared = wire.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let wire = shared.clone();
                std::thread::spawn(move || {
                    // The end of a connection, whatever the reason, is all that it can say.
                    let _ = wire.carry(near, target);
                });
            }
        });
        Proxy { address, wire }
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Ends every connection; new ones are welcome.
    pub fn cut(&self) {
        let mut state = self.wire.lock();
        state.cuts += 1;
        for stream in state.open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.wire.changed.notify_all();
    }

    /// Lets nothing pass any more, without a word to either end.
    pub fn silence(&self) {
        self.wire.lock().silent = true;
    }

    /// Lets everything pass again, also what was held up.
    pub fn restore(&self) {
        self.wire.lock().silent = false;
        self.wire.changed.notify_all();
    }
}

impl Wire {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something may pass; `false` if the connection was cut since `cuts`.
    fn open(&self, cuts: u64) -> bool {
        let held_up = |state: &mut State| state.silent && state.cuts == cuts;
        let state = self.changed.wait_while(self.lock(), held_up).unwrap_or_else(PoisonError::into_inner);
        state.cuts == cuts
    }

    fn carry(self: &Arc<Wire>, near: TcpStream, target: SocketAddr) -> std::io::Result<()> {
        let cuts = self.lock().cuts;
        if !self.open(cuts) {
            return Ok(());
        }
        let far = TcpStream::connect(target)?;
        for stream in [&near, &far] {
            stream.set_nodelay(true)?;
            self.lock().open.push(stream.try_clone()?);
        }
        let (back_from, back_to) = (far.try_clone()?, near.try_clone()?);
        let wire = self.clone();
        std::thread::spawn(move || wire.pump(back_from, back_to, cuts));
        self.pump(near, far, cuts);
        Ok(())
    }

    fn pump(&self, mut from: TcpStream, mut to: TcpStream, cuts: u64) {
        let mut bytes = [0; 16 << 10];
        while let Ok(n @ 1..) = from.read(&mut bytes) {
            if !self.open(cuts) || to.write_all(&bytes[..n]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }
}

//! Connections that have not joined yet: how many there may be, for how long, and how much they may send.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;

/// Connections of one address that have not joined: agents behind one router all join in a moment.
pub(super) const MAX_PER_ADDRESS: u32 = 64;

/// How long a connection may take to join, TLS included.
const JOIN_TIMEOUT: Duration = Duration::from_secs(15);

/// Bytes that it may send until then: a Hello and what HTTP/2 needs around it have a few hundred.
const JOIN_BYTES: usize = 64 << 10;

/// Connections per address that have not joined.
#[derive(Clone, Debug, Default)]
pub(super) struct Addresses(Arc<Mutex<HashMap<IpAddr, u32>>>);

impl Addresses {
    /// Room for one more connection of `address`, if there is any.
    pub(super) fn room(&self, address: IpAddr) -> Option<Room> {
        let mut counts = self.0.lock().expect("no holder panics");
        let count = counts.entry(address).or_default();
        if *count >= MAX_PER_ADDRESS {
            return None;
        }
        *count += 1;
        Some(Room { addresses: self.clone(), address })
    }
}

/// A connection's place among those of its address.
#[derive(Debug)]
pub(super) struct Room {
    addresses: Addresses,
    address: IpAddr,
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut counts = self.addresses.0.lock().expect("no holder panics");
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// What a connection holds until it has joined; clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Ticket(Arc<State>);

#[derive(Debug)]
struct State {
    joined: AtomicBool,
    held: Mutex<Option<(OwnedSemaphorePermit, Option<Room>)>>,
}

impl Ticket {
    pub(super) fn new(permit: OwnedSemaphorePermit, room: Option<Room>) -> Ticket {
        Ticket(Arc::new(State { joined: AtomicBool::new(false), held: Mutex::new(Some((permit, room))) }))
    }

    /// The connection has joined: it makes room for others.
    pub(super) fn joined(&self) {
        self.0.joined.store(true, Ordering::Release);
        drop(self.0.held.lock().expect("no holder panics").take());
    }
}

/// Watches what a connection reads until it has joined.
#[derive(Debug)]
pub(super) struct Watch {
    ticket: Ticket,
    until: Pin<Box<Sleep>>,
    bytes: usize,
}

impl Watch {
    pub(super) fn new(ticket: Ticket) -> Watch {
        Watch { ticket, until: Box::pin(tokio::time::sleep(JOIN_TIMEOUT)), bytes: 0 }
    }

    /// Whether the watch is over, because the connection has joined; an error when it has to go.
    pub(super) fn look(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        if self.ticket.0.joined.load(Ordering::Acquire) {
            return Ok(true);
        }
        if self.bytes > JOIN_BYTES {
            return Err(io::Error::other("it sent too much before it joined"));
        }
        match self.until.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::Error::new(io::ErrorKind::TimedOut, "it did not join in time")),
            Poll::Pending => Ok(false),
        }
    }

    /// Takes note of what was read.
    pub(super) fn read(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

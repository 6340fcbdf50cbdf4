//! The coordinator's end of the wire: connections in, the fleet core's decisions out.

mod connection;
mod cut;
mod driver;
mod entrance;
mod listen;
mod listener;
mod pace;
mod reader;
mod stranger;

pub use connection::Peer;
pub use driver::{Observer, TakenOver, drive, observe};
pub use listen::{Fleetwork, LocalDial, Port, serve};
pub use listener::{Listener, Wire};

//! The coordinator's end of the wire: connections in, the fleet core's decisions out.

mod connection;
mod driver;
mod entrance;
mod listen;
mod stranger;

pub use connection::Peer;
pub use driver::{Observer, drive};
pub use listen::{Fleetwork, LocalDial, Port, serve};

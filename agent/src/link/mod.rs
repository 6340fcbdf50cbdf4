//! The link: carries out what the session core decides, over a stream to the coordinator and with the engine.

mod clock;
mod dial;
mod driver;
mod report;
mod way;

pub use dial::{Connect, DialError, dial};
pub use driver::{Link, drive};
pub use way::Way;

//! The link: carries out what the session core decides, over a stream to the coordinator and with the engine.

mod dial;
mod driver;
mod report;

pub use dial::{Connect, tcp};
pub use driver::{Link, drive};

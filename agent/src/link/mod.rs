//! The link: carries out what the session core decides, over a stream to the coordinator and with the engine.

mod clock;
mod conversation;
mod dial;
mod driver;
mod load;
mod report;
mod way;

pub use clock::SinceBoot;
pub use dial::{Connect, DialError, Open, Stream, dial, dial_over};
pub(crate) use driver::drive_with;
pub use driver::{Link, Reading, drive};
pub use load::Load;
pub use way::Way;

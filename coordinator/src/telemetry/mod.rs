//! Metrics of the coordinator itself, for Prometheus and whatever speaks OTLP.
//!
//! Which metrics there are is pure (`families`): a function of what does not change in a run ([`About`]) and how it stands
//! ([`Moment`]). How it stands is looked up when somebody asks, at most once a second, by the fleet's driver between two
//! events, and is small ([`Distribution`]); texts and messages are made of it away from the runtime's thread. So a
//! scraper costs the fleet a few milliseconds a second at most, and nothing when nobody asks.

mod board;
mod distribution;
mod exposure;
mod families;
mod family;
mod otlp;
mod prometheus;
mod server;
#[cfg(test)]
mod tests;

pub use board::Board;
pub(crate) use board::{Course, Exhibit, LastLook};
pub use distribution::{BOUNDS, Distribution, SCHEMA};
pub(crate) use exposure::Exposure;
pub use families::{About, MAX_SERIES, Moment, OTHERS, Phase, families};
pub use family::{Family, Labels, Unit, Value};
pub use otlp::request as otlp_request;
pub use prometheus::Exposition;

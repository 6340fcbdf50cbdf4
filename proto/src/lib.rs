//! The wire: typed messages, their encoding, validation, limits and version negotiation.
//!
//! **Invariant:** types generated from the .proto files do not leave this crate, and a message that leaves it
//! has passed every check of [`message`]: text is bounded, counts agree, histograms decode. A message that
//! does not is [`Malformed`], never a panic.
//!
//! Reading order: [`message`] (what is said), [`limits`], [`version`], [`client`] and [`server`] (typed ends
//! of the one gRPC stream).

pub mod client;
mod decode;
mod encode;
pub mod limits;
mod link_error;
mod malformed;
pub mod message;
mod parts;
pub mod raw;
pub mod server;
#[cfg(test)]
mod tests;
pub mod version;

pub use link_error::LinkError;
pub use malformed::Malformed;

/// Generated from `proto/muster/v1/fleet.proto`.
#[allow(clippy::pedantic, missing_docs, unreachable_pub)]
mod wire {
    tonic::include_proto!("muster.v1");
}

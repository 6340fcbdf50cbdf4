//! The wire: typed messages, their encoding, validation, limits and version negotiation.
//!
//! **Invariant:** types generated from the .proto files do not leave this crate, and a message that leaves it
//! has passed every check of [`message`]: text is bounded, counts agree, histograms decode. A message that
//! does not is [`Malformed`], never a panic.
//!
//! Reading order: [`message`] (what is said), [`limits`], [`version`], [`client`] and [`server`] (typed ends
//! of the one gRPC stream), [`join`] (what agents join with), [`tls`] (how both ends prove who they are).

pub mod client;
mod decode;
pub mod defect;
mod encode;
mod fingerprint;
mod health;
pub mod join;
pub mod limits;
mod link_error;
mod malformed;
mod merge;
pub mod message;
mod parts;
pub mod raw;
pub mod refusal;
mod secret;
pub mod server;
#[cfg(test)]
mod tests;
pub mod tls;
pub mod version;

pub use fingerprint::Fingerprint;
pub use link_error::LinkError;
pub use malformed::Malformed;
pub use secret::Secret;

/// Generated from `proto/muster/v1/fleet.proto`.
#[allow(clippy::pedantic, clippy::large_enum_variant, missing_docs, unreachable_pub)]
mod wire {
    tonic::include_proto!("muster.v1");
}

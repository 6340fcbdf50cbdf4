//! YAML text to a tree with positions.
//!
//! YAML 1.2 with the core schema, minus what would let a plan say one thing and look like another:
//! duplicate keys, merge keys, tags, keys that are not scalars, and more than one document are refused.

mod loader;
mod node;
#[cfg(test)]
mod tests;

pub(crate) use loader::load;
pub(crate) use node::{Entry, Kind, Node, Scalar, Value, describe, plain_kind};

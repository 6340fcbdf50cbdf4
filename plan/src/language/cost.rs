//! The keys of `cost`.

use super::{Shape, Table, key};

/// `cost:`
pub static COST: Table = Table {
    name: "`cost`",
    keys: &[key("agent_hour", Shape::Price, "what an agent costs per hour, with its currency: 0.12 USD")],
    also: None,
};

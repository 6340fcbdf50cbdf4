//! The coordinator: musters the agents, merges what they saw, and gives the verdict.

pub mod fleet;
pub mod grpc;

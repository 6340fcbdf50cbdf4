//! What differs between Linux, macOS and Windows. All other rooms are the same everywhere.
//!
//! A file per noun, with its sides beside each other: [`stop`] (how a process is asked to end), [`private`] (files that are
//! nobody else's), [`durable`] (names that survive a loss of power), [`identity`] (whether a name still means an open file), [`state_home`]
//! (where a user's programs keep things), [`boot`] (time since the machine was started), [`alarm`] (a fine timer), [`processor`] and [`memory`]
//! (what this process used), [`descriptors`] (how many it may have), [`exhaustion`] (which errors mean that this machine has no more),
//! [`listen`] (ports), [`local_socket`] (sockets with a path), [`terminal`] (whether colours are drawn), [`host_name`].
//!
//! What a system does not have is `None`, or an error that says so: never a number that nobody measured.

pub mod alarm;
pub mod boot;
pub mod descriptors;
pub mod durable;
pub mod exhaustion;
pub mod host_name;
pub mod identity;
pub mod listen;
pub mod local_socket;
pub mod memory;
pub mod private;
pub mod processor;
pub mod state_home;
pub mod stop;
pub mod terminal;

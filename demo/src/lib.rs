//! A target for load tests with known latencies, which tells the truth about every request it saw.
//!
//! A load tester is checked by asking two questions: does it report the latencies that the server has, and does
//! it report every request that the server saw? This server answers both. Each endpoint follows a latency
//! [`Law`] that the caller chooses, and [`Truth`] holds exact counts, per endpoint and status.
//!
//! The state of the example systems lives in a real SQLite database, so that the answers depend on what was
//! sent before, as they do in the systems that it stands in for.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! let config = demo::Config::default().latency("auth/login", "constant 20ms".parse()?)?;
//! let target = demo::spawn(config)?;
//! // ... send requests to target.addr ...
//! println!("{} requests", target.truth().total);
//! # Ok(())
//! # }
//! ```
//!
//! The modules [`platform`], [`workflow`], [`ingest`], [`bus`] and [`tasks`] describe the example systems.
//!
//! # How exact the latencies are
//!
//! The law says when the answer is ready, counted from the arrival of the request's head. Work that the
//! endpoint really does (a database transaction) happens within that time, and adds to it only where it takes
//! longer. The server waits with a timer of its own, because the sleeps of tokio end on whole milliseconds; on
//! an idle machine it is late by a fraction of one.

mod behaviour;
mod body;
pub mod bus;
mod config;
mod endpoint;
mod figures;
pub mod ingest;
mod law;
pub mod platform;
mod quantity;
mod running;
mod server;
mod store;
pub mod tasks;
mod timer;
mod truth;
mod users;
pub mod workflow;

pub use bus::CommandsTruth;
pub use config::{Config, Selector, SelectorError, Setting};
pub use ingest::MessagesTruth;
pub use law::{Law, LawError};
pub use platform::{PlatformCounts, PlatformTruth};
pub use quantity::{QuantityError, Share};
pub use running::{Running, spawn};
pub use server::{bind, serve};
pub use tasks::SessionsTruth;
pub use truth::{EndpointTruth, Truth, WebSocketTruth};
pub use users::{AGENT, REQUEST, SLOT, UserRequest, UsersTruth};
pub use workflow::{TaskCounts, TasksTruth};

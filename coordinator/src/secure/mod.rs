//! Who may attach: keys, join strings, admission.
//!
//! Reading order: [`Protection`](crate::settings::Protection) (what the operator asked for), [`Door`] (what
//! becomes of it: TLS settings, a gate, the command for agents), [`Gate`] (lets agents in or refuses them),
//! [`admission`] (the rules; pure), [`Join`] (what is known of one join string; pure), [`Joins`] and [`StateDir`]
//! (where that and the coordinator's key are kept).

pub mod admission;
mod door;
mod gate;
mod join;
mod joins;
mod state;

pub use door::Door;
pub use gate::{Gate, Pass, Refused};
pub use join::{Join, Standing};
pub use joins::Joins;
pub use state::StateDir;

use crate::settings::{JoinConfig, Terms};
use jiff::Timestamp;
use proto::join::JoinString;
use proto::{Fingerprint, Secret};

/// Makes a join string in advance, for `coordinator join`; the text for standard error says what it is good for.
///
/// # Errors
/// What stands in the way and the remedy.
pub fn invite(config: &JoinConfig) -> Result<(JoinString, String), String> {
    let state = StateDir::required(config.state_dir.as_ref())?;
    let pin = match &config.certificate {
        Some(path) => state::pin_of(path)?,
        None => state.key()?.fingerprint(),
    };
    let join = issue(&state.joins()?, pin, config.terms)?;
    let text = format!(
        "the join string lets in {} until {}; its secret is kept, hashed, in {}",
        agents(config.terms.uses),
        expiry(config.terms),
        state.path().display()
    );
    Ok((join, text))
}

/// Makes a join string for the coordinator whose key has the fingerprint `pin`.
fn issue(joins: &Joins, pin: Fingerprint, terms: Terms) -> Result<JoinString, String> {
    let join = JoinString { pin, secret: Secret::from_bytes(rand::random()) };
    joins.add(join.secret.fingerprint(), unused(terms))?;
    Ok(join)
}

/// What is known of a join string that is made now.
fn unused(terms: Terms) -> Join {
    Join::new(unix_now().saturating_add(terms.ttl.as_secs()), terms.uses)
}

/// So many agents, in words.
fn agents(uses: u32) -> String {
    if uses == 1 { "1 agent".to_owned() } else { format!("up to {uses} agents") }
}

fn expiry(terms: Terms) -> String {
    let at = Timestamp::now().checked_add(terms.ttl).unwrap_or(Timestamp::MAX);
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Seconds since 1970.
fn unix_now() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap_or(0)
}

//! The rules of admission. Pure: `now` (the time since an origin of the driver's choice) and `unix_now` (seconds
//! since 1970) are arguments.
//!
//! A key is let in for a join secret, once; from then on the key is enough, so that an agent can come back when
//! the secret has expired. A name belongs to the key that came with it, until the lease of its last stream is
//! surely over: nobody else can take over an agent's session or its users.

use super::{Join, Standing};
use proto::Fingerprint;
use proto::message::RejectCode;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

/// Failed tries that an address has in each [`TRIES_TIME`].
pub const MAX_TRIES: usize = 10;

/// The time in which they are counted.
pub const TRIES_TIME: Duration = Duration::from_mins(1);

/// Addresses whose failed tries are remembered; beyond, the one that failed longest ago is forgotten. A secret of
/// 128 bits cannot be guessed from any number of addresses; the limit keeps logs and CPU quiet.
const MAX_ADDRESSES: usize = 4096;

/// How long a name stays its key's after the last stream: until the lease is surely over (see [`crate::fleet`]). Not
/// longer: an agent that was started again has another key, and wants to deliver what it measured.
pub const NAME_HELD: Duration = Duration::from_secs(5);

/// Somebody who wants to attach.
#[derive(Clone, Copy, Debug)]
pub struct Knock<'a> {
    /// From where.
    pub address: IpAddr,
    /// The key that the TLS handshake proved.
    pub key: Fingerprint,
    /// The name it gives itself.
    pub name: &'a str,
}

/// What is known of what it shows.
#[derive(Clone, Copy, Debug)]
pub enum Shown<'a> {
    /// Its certificate was enough.
    Certificate,
    /// No secret.
    Nothing,
    /// A secret of no join string that is known.
    Unknown,
    /// The secret of this one.
    Known(&'a Join),
}

/// Whether a use of the join string is spent on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// It was let in before, or needs no secret.
    Again,
    /// It is let in for its secret.
    New,
}

/// Why somebody is not let in. Told to the operator and to the agent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Shows no secret.
    #[error(
        "agent {0} shows no join secret, and this coordinator lets in nobody without one; start it with the --join \
         string that the coordinator printed"
    )]
    NoSecret(String),
    /// Shows a secret that is not one of this coordinator's.
    #[error(
        "the join secret of agent {0} is not one of this coordinator's; copy the string that it printed at its start, \
         or make one with `coordinator join`"
    )]
    Wrong(String),
    /// Shows a secret too late.
    #[error(
        "the join string of agent {name} expired {late_s} s ago; use the one of the coordinator's last start, or make \
         another with `coordinator join` (--ttl)"
    )]
    Expired {
        /// The agent's name.
        name: String,
        /// Since when, in seconds.
        late_s: u64,
    },
    /// Shows a secret that let in as many as it may.
    #[error(
        "the join string of agent {name} let in {uses} agents, as many as it may; make another with `coordinator join` \
         (--uses), or start the coordinator with more --join-uses"
    )]
    UsedUp {
        /// The agent's name.
        name: String,
        /// How many.
        uses: u32,
    },
    /// Gives itself the name of an agent with another key.
    #[error(
        "agent {0} is attached with another key: this would be another agent's identity; start this agent with another \
         --name"
    )]
    Identity(String),
    /// The same, but that agent has gone, and its lease is not over yet.
    #[error(
        "the name {name} is still that of an agent with another key, whose lease may not be over; ask again in {wait_s} \
         s, or start this agent with another --name"
    )]
    NameHeld {
        /// The agent's name.
        name: String,
        /// How long, in seconds.
        wait_s: u64,
    },
    /// Its address failed too often.
    #[error(
        "{MAX_TRIES} tries to join from {address} failed within a minute; wait {wait_s} s, and start agents there with \
         the --join string that the coordinator printed"
    )]
    TooManyTries {
        /// The address, or its network.
        address: IpAddr,
        /// How long, in seconds.
        wait_s: u64,
    },
}

impl Refusal {
    /// What the agent is told beside the text: whether asking again can help.
    pub fn code(&self) -> RejectCode {
        match self {
            Refusal::NoSecret(_) | Refusal::Wrong(_) | Refusal::Expired { .. } | Refusal::UsedUp { .. } => {
                RejectCode::Secret
            }
            Refusal::Identity(_) => RejectCode::Identity,
            Refusal::NameHeld { .. } | Refusal::TooManyTries { .. } => RejectCode::Wait,
        }
    }
}

/// Who was let in, who speaks for which name, and who failed how often.
#[derive(Debug, Default)]
pub struct Admission {
    keys: BTreeSet<Fingerprint>,
    names: BTreeMap<String, Holder>,
    tries: BTreeMap<IpAddr, VecDeque<Duration>>,
}

#[derive(Debug)]
struct Holder {
    key: Fingerprint,
    /// Streams that are open.
    streams: u32,
    /// When the last one ended.
    left: Duration,
}

impl Admission {
    /// Judges somebody who knocks at `now`; failed tries count. Nobody is in before [`enter`](Admission::enter).
    pub fn judge(
        &mut self,
        now: Duration,
        unix_now: u64,
        knock: Knock<'_>,
        shown: Shown<'_>,
    ) -> Result<Admitted, Refusal> {
        let admitted = if self.keys.contains(&knock.key) {
            Admitted::Again
        } else {
            self.tries_left(now, knock.address)?;
            prove(unix_now, knock, shown).inspect_err(|_| self.failed(now, knock.address))?
        };
        match self.names.get(knock.name) {
            Some(holder) if holder.key != knock.key && holder.streams > 0 => {
                Err(Refusal::Identity(knock.name.to_owned()))
            }
            Some(holder) if holder.key != knock.key && now < holder.left + NAME_HELD => {
                Err(Refusal::NameHeld {
                    name: knock.name.to_owned(),
                    wait_s: seconds((holder.left + NAME_HELD).saturating_sub(now)),
                })
            }
            _ => Ok(admitted),
        }
    }

    /// Lets in who was judged good: `key` speaks for `name` from now on.
    pub fn enter(&mut self, now: Duration, name: &str, key: Fingerprint) {
        self.keys.insert(key);
        self.names.retain(|_, holder| holder.streams > 0 || now < holder.left + NAME_HELD);
        let holder = self.names.entry(name.to_owned()).or_insert(Holder { key, streams: 0, left: now });
        holder.key = key;
        holder.streams += 1;
    }

    /// A stream of an agent of this name ended.
    pub fn leave(&mut self, now: Duration, name: &str) {
        if let Some(holder) = self.names.get_mut(name) {
            holder.streams = holder.streams.saturating_sub(1);
            holder.left = now;
        }
    }

    fn tries_left(&mut self, now: Duration, address: IpAddr) -> Result<(), Refusal> {
        let address = network(address);
        let Some(tries) = self.tries.get_mut(&address) else { return Ok(()) };
        while tries.front().is_some_and(|at| *at + TRIES_TIME <= now) {
            tries.pop_front();
        }
        match tries.front() {
            Some(oldest) if tries.len() >= MAX_TRIES => Err(Refusal::TooManyTries {
                address,
                wait_s: seconds((*oldest + TRIES_TIME).saturating_sub(now)),
            }),
            _ => Ok(()),
        }
    }

    fn failed(&mut self, now: Duration, address: IpAddr) {
        let address = network(address);
        if self.tries.len() >= MAX_ADDRESSES && !self.tries.contains_key(&address) {
            let stalest = self.tries.iter().min_by_key(|(_, tries)| tries.back().copied());
            if let Some(stalest) = stalest.map(|(address, _)| *address) {
                self.tries.remove(&stalest);
            }
        }
        self.tries.entry(address).or_default().push_back(now);
    }
}

fn prove(unix_now: u64, knock: Knock<'_>, shown: Shown<'_>) -> Result<Admitted, Refusal> {
    let name = || knock.name.to_owned();
    match shown {
        Shown::Certificate => Ok(Admitted::Again),
        Shown::Nothing => Err(Refusal::NoSecret(name())),
        Shown::Unknown => Err(Refusal::Wrong(name())),
        Shown::Known(join) => match join.standing(unix_now, &knock.key) {
            Standing::Admitted => Ok(Admitted::Again),
            Standing::Welcome => Ok(Admitted::New),
            Standing::Expired(late_s) => Err(Refusal::Expired { name: name(), late_s }),
            Standing::UsedUp(uses) => Err(Refusal::UsedUp { name: name(), uses }),
        },
    }
}

/// An IPv4 address, or the /64 of an IPv6 one: whoever has one address there has them all.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Whole seconds, rounded up.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests;

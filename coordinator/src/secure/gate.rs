//! The gate: admission with a clock and what is kept of join strings.

use super::admission::{Admission, Admitted, Knock, Refusal, Shown};
use super::{Joins, unix_now};
use crate::grpc::Peer;
use proto::Secret;
use proto::message::{Hello, RejectCode};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Lets agents in, or refuses them.
#[derive(Debug)]
pub struct Gate {
    rule: Rule,
    origin: Instant,
    inside: Mutex<Inside>,
}

#[derive(Debug)]
enum Rule {
    /// Everybody: on loopback, in this process, or where the operator insists.
    Everybody,
    /// Those with a secret of these.
    Secrets(Joins),
    /// Those whose certificate the TLS handshake accepted.
    Certificates,
}

#[derive(Debug, Default)]
struct Inside {
    admission: Admission,
    /// Addresses whose lock was told, and when it was.
    told: Option<(IpAddr, Duration)>,
}

/// Somebody is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// For the agent.
    pub code: RejectCode,
    /// For people at both ends.
    pub message: String,
    /// Whether the operator hears of it: a flood of tries is told once.
    pub aloud: bool,
}

/// A stream that was let in; dropped when it ends.
#[derive(Debug)]
pub struct Pass {
    gate: Arc<Gate>,
    name: Option<String>,
}

impl Gate {
    /// A gate that is open.
    pub fn open() -> Gate {
        Gate::new(Rule::Everybody)
    }

    /// A gate for those who know a secret of `joins`.
    pub fn for_secrets(joins: Joins) -> Gate {
        Gate::new(Rule::Secrets(joins))
    }

    /// A gate for those with a certificate that TLS accepts.
    pub fn for_certificates() -> Gate {
        Gate::new(Rule::Certificates)
    }

    fn new(rule: Rule) -> Gate {
        Gate { rule, origin: Instant::now(), inside: Mutex::default() }
    }

    /// Whether it lets in whoever comes.
    pub fn is_open(&self) -> bool {
        matches!(self.rule, Rule::Everybody)
    }

    /// Lets in who says `hello` from `peer`, or says why not. The secret does not go further than here. May wait
    /// for a file that another process is using.
    pub fn admit(self: &Arc<Gate>, peer: &Peer, hello: &mut Hello) -> Result<Pass, Refused> {
        let secret = hello.join.take();
        if self.is_open() {
            return Ok(Pass { gate: self.clone(), name: None });
        }
        let (Some(address), Some(key)) = (peer.ip, peer.key) else {
            // TLS asks every agent for a certificate.
            let message = format!("agent {} proved no key; install the same version of Muster", hello.name);
            return Err(Refused { code: RejectCode::Protocol, message, aloud: true });
        };
        let knock = Knock { address, key, name: &hello.name };
        self.decide(knock, secret.as_ref())?;
        Ok(Pass { gate: self.clone(), name: Some(hello.name.clone()) })
    }

    fn decide(&self, knock: Knock<'_>, secret: Option<&Secret>) -> Result<(), Refused> {
        let judge = |shown: Shown<'_>| self.judge(knock, shown);
        let decided = match (&self.rule, secret) {
            (Rule::Everybody, _) => return Ok(()),
            (Rule::Certificates, _) => Ok(judge(Shown::Certificate)),
            (Rule::Secrets(_), None) => Ok(judge(Shown::Nothing)),
            (Rule::Secrets(joins), Some(secret)) => joins.decide(secret.fingerprint(), |join| {
                let verdict = judge(join.map_or(Shown::Unknown, Shown::Known));
                let new = matches!(verdict, Ok(Admitted::New)).then_some(knock.key);
                (verdict, new)
            }),
        };
        match decided {
            Ok(Ok(_)) => {
                self.inside().admission.enter(self.now(), knock.name, knock.key);
                Ok(())
            }
            Ok(Err(refusal)) => Err(self.refused(&refusal)),
            Err(problem) => {
                let message = format!("what is known of join strings cannot be read or written: {problem}");
                Err(Refused { code: RejectCode::Wait, message, aloud: true })
            }
        }
    }

    fn judge(&self, knock: Knock<'_>, shown: Shown<'_>) -> Result<Admitted, Refusal> {
        self.inside().admission.judge(self.now(), unix_now(), knock, shown)
    }

    fn refused(&self, refusal: &Refusal) -> Refused {
        let aloud = match refusal {
            Refusal::TooManyTries { address, wait_s } => {
                let until = self.now() + Duration::from_secs(*wait_s);
                let mut inside = self.inside();
                let told = inside.told.is_some_and(|(told, end)| told == *address && self.now() < end);
                if !told {
                    inside.told = Some((*address, until));
                }
                !told
            }
            _ => true,
        };
        Refused { code: refusal.code(), message: refusal.to_string(), aloud }
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    fn inside(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.inside.lock().expect("no holder panics")
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            self.gate.inside().admission.leave(self.gate.now(), &name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Join;
    use super::*;
    use proto::{Fingerprint, version};

    fn hello(name: &str, join: Option<Secret>) -> Hello {
        Hello {
            protocol: version::SUPPORTED,
            build: String::new(),
            name: name.to_owned(),
            incarnation: 1,
            cores: 1,
            max_users: 1,
            caps: proto::message::Caps::default(),
            resume: None,
            join,
        }
    }

    #[test]
    fn the_secret_ends_here_and_a_flood_is_told_once() {
        let secret = Secret::from_bytes([1; Secret::BYTES]);
        let joins = Joins::in_memory();
        joins.add(secret.fingerprint(), Join::new(u64::MAX, 9)).unwrap();
        let gate = Arc::new(Gate::for_secrets(joins));
        let peer = |n: u8| Peer::of("10.0.0.7:1".parse().unwrap(), Some(Fingerprint::of(&[n])));
        let mut good = hello("a", Some(secret.clone()));
        let pass = gate.admit(&peer(1), &mut good).unwrap();
        assert_eq!(good.join, None);
        let refused = gate.admit(&peer(2), &mut hello("a", Some(secret))).unwrap_err();
        assert_eq!(refused.code, RejectCode::Identity);
        drop(pass);
        let mut told = Vec::new();
        for _ in 0..30 {
            let wrong = Secret::from_bytes([9; Secret::BYTES]);
            told.push(gate.admit(&peer(2), &mut hello("b", Some(wrong))).unwrap_err().aloud);
        }
        assert_eq!(told.iter().filter(|aloud| **aloud).count(), 11, "each failed try and the lock: {told:?}");
    }

    #[test]
    fn an_open_gate_asks_for_nothing_and_one_for_certificates_for_a_key() {
        let nobody = Peer::of("127.0.0.1:1".parse().unwrap(), None);
        assert!(Arc::new(Gate::open()).admit(&nobody, &mut hello("a", None)).is_ok());
        let gate = Arc::new(Gate::for_certificates());
        assert!(gate.admit(&nobody, &mut hello("a", None)).is_err());
        let known = Peer::of("127.0.0.1:1".parse().unwrap(), Some(Fingerprint::of(b"k")));
        assert!(gate.admit(&known, &mut hello("a", None)).is_ok());
    }
}

//! The door for agents: what protects it, and the command that gets through it.

use super::state::read;
use super::{Gate, Joins, StateDir, agents, expiry, issue, unix_now, unused};
use crate::settings::{Entry, Protection, Terms, TlsConfig};
use proto::join::JoinString;
use proto::tls::{Clients, Identity, authorities, server};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// The door for agents.
pub struct Door {
    /// What speaks TLS there; nothing is encrypted without.
    pub tls: Option<TlsAcceptor>,
    /// Who gets in.
    pub gate: Arc<Gate>,
    /// What agents are started with beside the address.
    flags: String,
    /// What the operator should know of it.
    remarks: Vec<String>,
}

impl Door {
    /// Makes keys and join strings as `protection` asks, for a coordinator at `listen`.
    ///
    /// # Errors
    /// Why there can be no such protection, and the remedy.
    pub fn new(protection: &Protection, listen: SocketAddr) -> Result<Door, String> {
        match protection {
            Protection::None => Ok(Door::unprotected("", Vec::new())),
            Protection::Insecure => {
                let warning = format!(
                    "WARNING: --insecure: {listen} takes agents without encryption and authentication. Whoever is on \
                     the network can read this plan and the secrets in it, pose as an agent, and make results up. \
                     Without --insecure, agents join over TLS with one string."
                );
                Ok(Door::unprotected(" --insecure", vec![warning]))
            }
            Protection::Tls(config) => Door::with_tls(config).map_err(|problem| {
                if listen.ip().to_canonical().is_loopback() {
                    return problem;
                }
                format!(
                    "--listen {listen} is open to the network, and without TLS and authentication it does not start: \
                     {problem} (--insecure starts it unprotected)"
                )
            }),
        }
    }

    fn unprotected(flags: &str, remarks: Vec<String>) -> Door {
        Door { tls: None, gate: Arc::new(Gate::open()), flags: flags.to_owned(), remarks }
    }

    fn with_tls(config: &TlsConfig) -> Result<Door, String> {
        let state = || StateDir::required(config.state_dir.as_ref());
        let identity = match &config.certificate {
            Some((certificate, key)) => own_certificate(certificate, key)?,
            None => state()?.key()?,
        };
        let (clients, gate, flags, remarks) = match &config.entry {
            Entry::Certificates(path) => {
                let pem = read("--tls-ca", path)?;
                let roots = authorities(&pem)
                    .map_err(|problem| format!("--tls-ca: {}: {problem}", path.display()))?;
                let flags = " --tls-ca CA --tls-cert CERTIFICATE --tls-key KEY".to_owned();
                let remark = "agents check that the certificate names the host that they dial".to_owned();
                (Clients::Of(roots), Gate::for_certificates(), flags, vec![remark])
            }
            entry => {
                // With a certificate of its own, nothing has to be kept.
                let joins = match (&config.state_dir, &config.certificate) {
                    (None, Some(_)) => Joins::in_memory(),
                    _ => state()?.joins()?,
                };
                let (flags, remark) = invitation(entry, &joins, &identity)?;
                (Clients::AnyKey, Gate::for_secrets(joins), flags, vec![remark])
            }
        };
        let settings = server(&identity, clients).map_err(|problem| format!("TLS: {problem}"))?;
        Ok(Door { tls: Some(TlsAcceptor::from(Arc::new(settings))), gate: Arc::new(gate), flags, remarks })
    }

    /// The command that starts an agent for the coordinator at `address`.
    pub fn command(&self, address: SocketAddr) -> String {
        format!("agent --coordinator {}{}", reachable(address), self.flags)
    }

    /// What the operator should know of it, at `address`.
    pub fn remarks(&self, address: SocketAddr) -> Vec<String> {
        let mut remarks = self.remarks.clone();
        if address.ip().is_unspecified() {
            remarks.push(
                "agents may use any other address or name of this machine that they reach, too".to_owned(),
            );
        }
        remarks
    }
}

fn own_certificate(certificate: &Path, key: &Path) -> Result<Identity, String> {
    let (chain, private) = (read("--tls-cert", certificate)?, read("--tls-key", key)?);
    Identity::read(&chain, &private).map_err(|problem| format!("--tls-cert, --tls-key: {problem}"))
}

/// The join flags of the command for agents, and what to know of them.
fn invitation(entry: &Entry, joins: &Joins, identity: &Identity) -> Result<(String, String), String> {
    match entry {
        Entry::New(terms) => {
            let join = issue(joins, identity.fingerprint(), *terms)?;
            let remark = format!("the join string lets in {} until {}", agents(terms.uses), expiry(*terms));
            Ok((format!(" --join {}", join.reveal()), remark))
        }
        Entry::Agreed { source_name, join, terms } => {
            agreed(source_name, join, *terms, joins, identity)?;
            Ok((" --join-file FILE".to_owned(), format!("agents join with the string of {source_name}")))
        }
        Entry::InFile { path, terms } => {
            let text = String::from_utf8_lossy(&read("--join-file", path)?).into_owned();
            let join = JoinString::parse(&text).map_err(|problem| format!("--join-file: {problem}"))?;
            agreed("--join-file", &join, *terms, joins, identity)?;
            let flags = format!(" --join-file {}", path.display());
            Ok((flags, format!("agents join with the string in {}", path.display())))
        }
        Entry::Certificates(_) => Ok((String::new(), String::new())),
    }
}

/// Takes a join string that was agreed on in advance.
fn agreed(
    source_name: &str,
    join: &JoinString,
    terms: Terms,
    joins: &Joins,
    identity: &Identity,
) -> Result<(), String> {
    if join.pin != identity.fingerprint() {
        return Err(format!(
            "{source_name}: the join string is for a coordinator with another key ({:.12}…, and this one has {:.12}…); \
             give this one the state directory (--state-dir) or the certificate that the string was made with",
            join.pin,
            identity.fingerprint()
        ));
    }
    let secret = join.secret.fingerprint();
    let known = joins.decide(secret, |known| (known.map(|known| known.expires_at), None))?;
    match known {
        Some(end) if end <= unix_now() => Err(format!(
            "{source_name}: the join string has expired; make another with `coordinator join` (--ttl)"
        )),
        Some(_) => Ok(()),
        // Made elsewhere, with the same key: the operator vouches for it.
        None => joins.add(secret, unused(terms)),
    }
}

/// `HOST:PORT` by which others reach `address`.
fn reachable(address: SocketAddr) -> String {
    if !address.ip().is_unspecified() {
        return address.to_string();
    }
    match outgoing() {
        Some(ip) => SocketAddr::new(ip, address.port()).to_string(),
        None => format!("THIS-HOST:{}", address.port()),
    }
}

/// This machine's address on the way to others. No packet is sent: connecting a datagram socket only asks for the
/// route, here to addresses that belong to nobody (RFC 5737, RFC 3849).
fn outgoing() -> Option<IpAddr> {
    let ask = |from: &str, to: &str| {
        let socket = UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_unspecified())
    };
    ask("0.0.0.0:0", "192.0.2.1:9").or_else(|| ask("[::]:0", "[2001:db8::1]:9"))
}

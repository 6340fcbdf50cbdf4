//! What protects the connection to the coordinator.

use crate::cli::Cli;
use proto::Secret;
use proto::join::JoinString;
use proto::tls::{Identity, Trust, authorities, client};
use rustls::ClientConfig;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

/// Largest file with a join string, a certificate or a key, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// What protects the connection to the coordinator.
#[derive(Clone, Debug)]
pub enum Way {
    /// Nothing, on this machine only.
    Plain,
    /// Nothing, wherever the coordinator is: the operator insists.
    PlainAnywhere,
    /// TLS: both ends prove that they hold a key.
    Tls(Arc<ClientConfig>),
}

impl Way {
    /// What `cli` asks for, with the secret to show to the coordinator. `key` (PEM) is who this agent is where `cli` says
    /// nothing.
    ///
    /// # Errors
    /// A flag, what is wrong with it and the remedy. Never holds the join string.
    pub fn of(cli: &Cli, key: &str) -> Result<(Way, Option<Secret>), String> {
        let join = join_string(cli)?;
        if cli.insecure {
            if join.is_some() || cli.tls_ca.is_some() || cli.tls_cert.is_some() {
                return Err(
                    "--insecure: contradicts --join, --join-file, --tls-ca and --tls-cert (and their \
                            variables); leave it away"
                        .to_owned(),
                );
            }
            return Ok((Way::PlainAnywhere, None));
        }
        let roots = cli.tls_ca.as_ref().map(|path| {
            read("--tls-ca", path).and_then(|pem| {
                authorities(&pem).map_err(|problem| format!("--tls-ca: {}: {problem}", path.display()))
            })
        });
        let trust = match (&join, roots.transpose()?) {
            (Some(join), Some(roots)) => Trust::Both(join.pin, roots),
            (Some(join), None) => Trust::Pin(join.pin),
            (None, Some(roots)) => Trust::Authorities(roots),
            (None, None) if cli.tls_cert.is_some() => {
                return Err(
                    "--tls-cert: nothing says which coordinator to trust; give --tls-ca, the authority that \
                            signed its certificate, or --join"
                        .to_owned(),
                );
            }
            (None, None) if is_elsewhere(&cli.coordinator) => return Err(Way::unprotected(&cli.coordinator)),
            (None, None) => return Ok((Way::Plain, None)),
        };
        let identity = match (&cli.tls_cert, &cli.tls_key) {
            (Some(certificate), Some(key)) => {
                let (certificate, key) = (read("--tls-cert", certificate)?, read("--tls-key", key)?);
                Identity::read(&certificate, &key)
                    .map_err(|problem| format!("--tls-cert, --tls-key: {problem}"))?
            }
            _ => Identity::from_key("muster agent", key)?,
        };
        let config = client(&identity, trust).map_err(|problem| format!("TLS: {problem}"))?;
        Ok((Way::Tls(Arc::new(config)), join.map(|join| join.secret)))
    }

    /// Why an agent does not go to `coordinator` without protection, and what to do.
    pub(super) fn unprotected(coordinator: &str) -> String {
        format!(
            "{coordinator} is not on this machine, and nothing protects the way there; give the --join string that \
             the coordinator printed, or --tls-ca, --tls-cert and --tls-key (--insecure goes there unprotected)"
        )
    }

    /// What to say about it at every start.
    pub fn warning(&self, coordinator: &str) -> Option<String> {
        matches!(self, Way::PlainAnywhere).then(|| {
            format!(
                "WARNING: --insecure: the connection to {coordinator} is neither encrypted nor authenticated. Whoever \
                 is on the network can read plans and the secrets in them, change results, and make this agent send \
                 load wherever they like."
            )
        })
    }
}

fn join_string(cli: &Cli) -> Result<Option<JoinString>, String> {
    let (flag, text) = match (&cli.join, &cli.join_file) {
        (Some(text), _) if !text.is_empty() => ("--join", text.clone()),
        (_, Some(path)) => {
            let text = String::from_utf8_lossy(&read("--join-file", path)?).into_owned();
            ("--join-file", text)
        }
        _ => return Ok(None),
    };
    JoinString::parse(&text).map(Some).map_err(|problem| format!("{flag}: {problem}"))
}

/// Whether `coordinator` (`HOST:PORT`) is an address of another machine; what a name means shows when it is dialled.
fn is_elsewhere(coordinator: &str) -> bool {
    let host = coordinator.rsplit_once(':').map_or(coordinator, |(host, _)| host);
    let address: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
    address.is_ok_and(|address| !address.to_canonical().is_loopback())
}

fn read(flag: &str, path: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read as _;
    let shown = path.display();
    let mut content = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut content));
    read.map_err(|error| format!("{flag}: {shown}: {error}"))?;
    if content.len() as u64 > MAX_FILE {
        return Err(format!("{flag}: {shown} has more than {MAX_FILE} bytes; it is another file"));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn way(line: &str) -> Result<&'static str, String> {
        let cli = Cli::try_parse_from(std::iter::once("agent").chain(line.split_whitespace())).unwrap();
        Way::of(&cli, &Identity::generate_key().unwrap()).map(|(way, secret)| match (way, secret) {
            (Way::Plain, None) => "plain",
            (Way::PlainAnywhere, None) => "insecure",
            (Way::Tls(_), Some(_)) => "TLS and a secret",
            (Way::Tls(_), None) => "TLS",
            (other, _) => panic!("a secret without TLS: {other:?}"),
        })
    }

    #[test]
    fn what_protects_the_way() {
        let join = JoinString {
            pin: proto::Fingerprint::of(b"key"),
            secret: Secret::from_bytes([7; Secret::BYTES]),
        };
        assert_eq!(way("--coordinator 127.0.0.1"), Ok("plain"));
        assert_eq!(way("--coordinator [::1]:5557"), Ok("plain"));
        assert_eq!(way("--coordinator localhost"), Ok("plain"), "to be seen when it is dialled");
        assert_eq!(way("--coordinator 10.0.0.1 --insecure"), Ok("insecure"));
        let with = format!("--coordinator 10.0.0.1 --join {}", join.reveal());
        assert_eq!(way(&with), Ok("TLS and a secret"));
        let refused = way("--coordinator 10.0.0.1").unwrap_err();
        assert!(
            refused.contains("10.0.0.1:5557 is not on this machine") && refused.contains("--join"),
            "{refused}"
        );
        let short = way(&with[..with.len() - 5]).unwrap_err();
        assert!(short.starts_with("--join: ") && short.contains("cut short"), "{short}");
        assert!(!short.contains("muster1."), "{short}");
        let both = way(&format!("{with} --insecure")).unwrap_err();
        assert!(both.contains("contradicts --join"), "{both}");
        let missing = way("--coordinator 10.0.0.1 --join-file /nowhere/join").unwrap_err();
        assert!(missing.starts_with("--join-file: /nowhere/join: "), "{missing}");
        let trustless = way("--coordinator 10.0.0.1 --tls-cert a --tls-key b").unwrap_err();
        assert!(trustless.contains("--tls-ca"), "{trustless}");
    }
}

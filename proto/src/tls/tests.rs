use super::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ClientConnection, ServerConnection};
use std::sync::Arc;

/// An authority and a certificate chain that it signed, with its key.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    fn identity(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Identity::read(certificate.as_bytes(), key.serialize_pem().as_bytes()).unwrap()
    }

    fn roots(&self) -> RootCertStore {
        authorities(self.pem.as_bytes()).unwrap()
    }
}

/// Shakes hands over memory; gives back what the coordinator knows of the agent's key.
fn shake(
    agent: &Identity,
    trust: Trust,
    coordinator: &Identity,
    clients: Clients,
) -> Result<Fingerprint, rustls::Error> {
    shake_hands(client(agent, trust).unwrap(), server(coordinator, clients).unwrap())
}

fn shake_hands(
    agent: rustls::ClientConfig,
    coordinator: rustls::ServerConfig,
) -> Result<Fingerprint, rustls::Error> {
    let name = "coordinator.test".try_into().unwrap();
    let mut agent = ClientConnection::new(Arc::new(agent), name)?;
    let mut coordinator = ServerConnection::new(Arc::new(coordinator))?;
    let mut wire = Vec::new();
    while agent.is_handshaking() || coordinator.is_handshaking() {
        wire.clear();
        agent.write_tls(&mut wire).unwrap();
        coordinator.read_tls(&mut wire.as_slice()).unwrap();
        coordinator.process_new_packets()?;
        wire.clear();
        coordinator.write_tls(&mut wire).unwrap();
        agent.read_tls(&mut wire.as_slice()).unwrap();
        agent.process_new_packets()?;
    }
    assert_eq!(agent.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    assert_eq!(coordinator.alpn_protocol(), Some(&b"h2"[..]));
    fingerprint(&coordinator.peer_certificates().unwrap()[0])
}

#[test]
fn a_key_is_known_by_its_fingerprint_over_files_and_restarts() {
    let pem = Identity::generate_key().unwrap();
    let first = Identity::from_key("coordinator", &pem).unwrap();
    let again = Identity::from_key("coordinator", &pem).unwrap();
    assert_eq!(first.fingerprint(), again.fingerprint(), "the certificate is new, the key is not");
    let agent = Identity::generate("agent").unwrap();
    assert_ne!(first.fingerprint(), agent.fingerprint());
    assert_eq!(Fingerprint::parse(&first.fingerprint().to_string()), Some(first.fingerprint()));
    let seen = shake(&agent, Trust::Pin(first.fingerprint()), &again, Clients::AnyKey).unwrap();
    assert_eq!(seen, agent.fingerprint());
}

#[test]
fn the_wrong_key_is_refused() {
    let (agent, real, other) = (
        Identity::generate("a").unwrap(),
        Identity::generate("c").unwrap(),
        Identity::generate("c").unwrap(),
    );
    let refused = shake(&agent, Trust::Pin(real.fingerprint()), &other, Clients::AnyKey);
    let expected = rustls::CertificateError::ApplicationVerificationFailure;
    assert_eq!(refused, Err(rustls::Error::InvalidCertificate(expected)));
}

#[test]
fn authorities_speak_for_both_ends_and_for_nobody_else() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let coordinator = ours.identity("coordinator.test");
    let trust = || Trust::Authorities(ours.roots());
    let clients = || Clients::Of(ours.roots());
    let agent = ours.identity("agent.test");
    assert_eq!(shake(&agent, trust(), &coordinator, clients()), Ok(agent.fingerprint()));
    let both = Trust::Both(coordinator.fingerprint(), ours.roots());
    assert!(shake(&agent, both, &coordinator, clients()).is_ok());
    let wrong_pin = Trust::Both(agent.fingerprint(), ours.roots());
    assert!(shake(&agent, wrong_pin, &coordinator, clients()).is_err());
    let stranger = theirs.identity("agent.test");
    assert!(shake(&stranger, trust(), &coordinator, clients()).is_err(), "an agent of another authority");
    let self_made = Identity::generate("agent.test").unwrap();
    assert!(shake(&self_made, trust(), &coordinator, clients()).is_err(), "an agent of no authority");
    let elsewhere = ours.identity("elsewhere.test");
    assert!(shake(&agent, trust(), &elsewhere, clients()).is_err(), "a coordinator of another name");
    let fake = theirs.identity("coordinator.test");
    assert!(shake(&agent, trust(), &fake, clients()).is_err(), "a coordinator of another authority");
}

#[test]
fn an_agent_that_shows_no_key_is_refused() {
    let ours = Authority::new();
    let coordinator = ours.identity("coordinator.test");
    let mute =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(ours.roots())
            .with_no_client_auth();
    for clients in [Clients::AnyKey, Clients::Of(ours.roots())] {
        let coordinator = server(&coordinator, clients).unwrap();
        assert_eq!(shake_hands(mute.clone(), coordinator), Err(rustls::Error::NoCertificatesPresented));
    }
}

#[test]
fn files_that_are_no_keys_or_certificates_are_told_apart() {
    let key = Identity::generate_key().unwrap();
    let (ours, other) = (Authority::new(), Identity::generate_key().unwrap());
    let check = |result: Result<Identity, String>, expected: &str| {
        let problem = result.unwrap_err();
        assert!(problem.contains(expected), "{problem}");
    };
    check(Identity::from_key("c", "nothing"), "no private key in PKCS#8 PEM");
    check(Identity::from_key("c", &ours.pem), "no private key in PKCS#8 PEM");
    check(Identity::read(b"", key.as_bytes()), "the certificate: it holds no certificate in PEM");
    check(Identity::read(ours.pem.as_bytes(), b""), "the key: it holds no private key in PEM");
    check(Identity::read(ours.pem.as_bytes(), other.as_bytes()), "the certificate and the key: ");
    assert!(authorities(key.as_bytes()).unwrap_err().contains("no certificate"), "a key is no authority");
    assert!(!format!("{:?}", Identity::from_key("c", &key).unwrap()).contains("PRIVATE"));
}

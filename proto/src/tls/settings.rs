//! The two ends' TLS settings.

use super::Identity;
use super::verify::{AnyKey, CoordinatorOf};
use crate::Fingerprint;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::ring::default_provider;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::sync::Arc;

/// What both ends agree to speak inside.
const PROTOCOL: &[u8] = b"h2";

/// What makes an agent trust a coordinator.
#[derive(Clone, Debug)]
pub enum Trust {
    /// The key has this fingerprint. Names and dates in its certificate do not matter.
    Pin(Fingerprint),
    /// One of these authorities signed its certificate, which is good for the name that was dialled, today.
    Authorities(RootCertStore),
    /// Both.
    Both(Fingerprint, RootCertStore),
}

/// Which keys a coordinator talks to at all.
#[derive(Clone, Debug)]
pub enum Clients {
    /// Any, as long as the other end proves that it holds it: who that is, is decided by what it says.
    AnyKey,
    /// Those in a certificate that one of these authorities signed.
    Of(RootCertStore),
}

/// Settings of an agent.
///
/// # Errors
/// When there is no authority in `trust`.
pub fn client(identity: &Identity, trust: Trust) -> Result<ClientConfig, String> {
    let provider = Arc::new(default_provider());
    let (pin, authorities) = match trust {
        Trust::Pin(pin) => (Some(pin), None),
        Trust::Authorities(roots) => (None, Some(roots)),
        Trust::Both(pin, roots) => (Some(pin), Some(roots)),
    };
    let authorities = authorities
        .map(|roots| WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone()).build())
        .transpose()
        .map_err(|error| error.to_string())?;
    let verifier = CoordinatorOf::new(pin, authorities, provider.signature_verification_algorithms);
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified.clone())));
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    // Each connection proves its keys afresh.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Settings of a coordinator.
///
/// # Errors
/// When there is no authority in `clients`.
pub fn server(identity: &Identity, clients: Clients) -> Result<ServerConfig, String> {
    let provider = Arc::new(default_provider());
    let verifier = match clients {
        Clients::AnyKey => Arc::new(AnyKey(provider.signature_verification_algorithms)) as Arc<_>,
        Clients::Of(roots) => WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
            .build()
            .map_err(|error| error.to_string())?,
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| error.to_string())?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified.clone())));
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

//! TLS settings: ring, HTTP/1.1 by ALPN, the system's authorities.

use super::trust::AnyCertificate;
use plan::model::TlsSettings;
use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use std::sync::{Arc, OnceLock};
use tokio_rustls::TlsConnector;

/// Sessions that one user can resume: one for each connection that it keeps.
const SESSIONS_PER_USER: usize = super::limits::MAX_CONNECTIONS_PER_USER;

/// TLS settings shared by all threads, loaded when the first is needed: reading the system's authorities takes
/// milliseconds.
#[derive(Debug)]
pub(super) struct Tls {
    extra_roots: Vec<CertificateDer<'static>>,
    base: OnceLock<Result<ClientConfig, String>>,
}

impl Tls {
    /// Trusts `extra_roots` besides the system's authorities.
    pub(super) fn new(extra_roots: Vec<CertificateDer<'static>>) -> Tls {
        Tls { extra_roots, base: OnceLock::new() }
    }

    /// Loads the authorities, once.
    pub(super) fn load(&self) -> Result<&ClientConfig, String> {
        self.base.get_or_init(|| base(&self.extra_roots)).as_ref().map_err(Clone::clone)
    }

    /// A connector for one user, with its own session cache: a shared one would let a new user resume another
    /// user's session and make handshakes look cheaper than they are.
    pub(super) fn for_user(&self, settings: &TlsSettings) -> Result<TlsConnector, String> {
        let mut config = self.load()?.clone();
        if settings.insecure {
            config.dangerous().set_certificate_verifier(Arc::new(AnyCertificate::default()));
        }
        config.resumption = Resumption::in_memory_sessions(SESSIONS_PER_USER);
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

fn base(extra_roots: &[CertificateDer<'static>]) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    // Single unreadable files do not matter as long as some authority is found.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for root in extra_roots {
        roots.add(root.clone()).map_err(|e| format!("extra root certificate: {e}"))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("TLS versions: {e}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

//! TLS settings: ring, the system's authorities, and what a plan says of a user class.

use super::trust::AnyCertificate;
use plan::model::{HttpVersion, TlsSettings};
use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use std::sync::{Arc, OnceLock};
use tokio_rustls::TlsConnector;

/// Sessions that one user can resume: one for each connection that it keeps.
const SESSIONS_PER_USER: usize = super::limits::MAX_CONNECTIONS_PER_USER;

/// The authorities that an engine trusts, loaded when they are first needed: reading the system's takes
/// milliseconds.
#[derive(Debug)]
pub(super) struct Authorities {
    extra: Vec<CertificateDer<'static>>,
    loaded: OnceLock<Result<RootCertStore, String>>,
}

impl Authorities {
    /// Those of the system and `extra`.
    pub(super) fn new(extra: Vec<CertificateDer<'static>>) -> Authorities {
        Authorities { extra, loaded: OnceLock::new() }
    }

    fn load(&self) -> Result<&RootCertStore, String> {
        self.loaded.get_or_init(|| roots(&self.extra)).as_ref().map_err(Clone::clone)
    }
}

fn roots(extra: &[CertificateDer<'static>]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    // Single unreadable files do not matter as long as some authority is found.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for root in extra {
        roots.add(root.clone()).map_err(|e| format!("extra root certificate: {e}"))?;
    }
    Ok(roots)
}

/// TLS settings of one user class, shared by all threads and made when the first is needed.
#[derive(Debug)]
pub(super) struct Tls {
    authorities: Arc<Authorities>,
    settings: TlsSettings,
    base: OnceLock<Result<ClientConfig, String>>,
}

impl Tls {
    /// As `settings` say.
    pub(super) fn new(authorities: Arc<Authorities>, settings: TlsSettings) -> Tls {
        Tls { authorities, settings, base: OnceLock::new() }
    }

    /// Makes the settings, once.
    pub(super) fn load(&self) -> Result<&ClientConfig, String> {
        let base = || config(self.authorities.load()?.clone(), &self.settings);
        self.base.get_or_init(base).as_ref().map_err(Clone::clone)
    }

    /// A connector for one user that offers `version`, with its own session cache: a shared one would let a new
    /// user resume another user's session and make handshakes look cheaper than they are.
    pub(super) fn for_user(&self, version: HttpVersion) -> Result<TlsConnector, String> {
        let mut config = self.load()?.clone();
        let offered: &[&[u8]] = match version {
            HttpVersion::Auto => &[b"h2", b"http/1.1"],
            HttpVersion::Http1 => &[b"http/1.1"],
            HttpVersion::Http2 => &[b"h2"],
        };
        config.alpn_protocols = offered.iter().map(|protocol| protocol.to_vec()).collect();
        config.resumption = Resumption::in_memory_sessions(SESSIONS_PER_USER);
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

fn config(mut roots: RootCertStore, settings: &TlsSettings) -> Result<ClientConfig, String> {
    for authority in &settings.authorities {
        roots.add(authority.clone()).map_err(|e| format!("an authority of the plan: {e}"))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("TLS versions: {e}"))?
        .with_root_certificates(roots);
    let mut config = match &settings.client {
        None => config.with_no_client_auth(),
        Some(client) => config
            .with_client_auth_cert(client.chain.clone(), client.key.clone_key())
            .map_err(|e| format!("client certificate: {e}"))?,
    };
    if settings.insecure {
        config.dangerous().set_certificate_verifier(Arc::new(AnyCertificate::default()));
    }
    Ok(config)
}

//! A key and the certificate that shows it.

use super::certificates;
use crate::Fingerprint;
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::sync::Arc;

/// One end's key and certificate chain. `Debug` shows the key's fingerprint only.
#[derive(Clone)]
pub struct Identity {
    pub(super) certified: Arc<CertifiedKey>,
    fingerprint: Fingerprint,
}

impl Identity {
    /// A new key for `name`, kept nowhere, with a certificate that it signed itself.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn generate(name: &str) -> Result<Identity, String> {
        let key = KeyPair::generate().map_err(|error| format!("cannot make a key: {error}"))?;
        Identity::self_signed(name, &key)
    }

    /// A new key as the text of a PEM file (PKCS#8, ECDSA P-256).
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn generate_key() -> Result<String, String> {
        let key = KeyPair::generate().map_err(|error| format!("cannot make a key: {error}"))?;
        Ok(key.serialize_pem())
    }

    /// The key in `pem` (PKCS#8) with a certificate for `name` that it signed itself just now.
    ///
    /// # Errors
    /// When it is no such key.
    pub fn from_key(name: &str, pem: &str) -> Result<Identity, String> {
        let key = KeyPair::from_pem(pem)
            .map_err(|error| format!("it holds no private key in PKCS#8 PEM ({error})"))?;
        Identity::self_signed(name, &key)
    }

    /// An operator's certificate chain (its own certificate first) and its key, both PEM.
    ///
    /// # Errors
    /// What cannot be read, or that they do not belong together; starts with which of the two.
    pub fn read(certificate: &[u8], key: &[u8]) -> Result<Identity, String> {
        let chain = certificates(certificate).map_err(|problem| format!("the certificate: {problem}"))?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| format!("the key: it holds no private key in PEM ({error})"))?;
        Identity::new(chain, key).map_err(|error| format!("the certificate and the key: {error}"))
    }

    /// The fingerprint of its public key.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn self_signed(name: &str, key: &KeyPair) -> Result<Identity, String> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate =
            params.self_signed(key).map_err(|error| format!("cannot sign a certificate: {error}"))?;
        let der = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        Identity::new(vec![certificate.der().clone()], der)
            .map_err(|error| format!("cannot use the key: {error}"))
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Identity, rustls::Error> {
        let certified = CertifiedKey::from_der(chain, key, &default_provider())?;
        let fingerprint = super::fingerprint(certified.end_entity_cert()?)?;
        Ok(Identity { certified: Arc::new(certified), fingerprint })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.fingerprint).finish()
    }
}

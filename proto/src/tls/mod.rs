//! TLS between agents and coordinator: 1.3 only, ring only.
//!
//! Both ends prove that they hold a key. What makes a key the right one: for the coordinator's, that its
//! fingerprint stands in the join string, or that an authority of the operator's has signed its certificate; for
//! an agent's, that it came with a join secret (the coordinator's admission decides that), or again an authority.

mod identity;
mod settings;
mod verify;

pub use identity::Identity;
pub use settings::{Clients, Trust, client, server};

use crate::Fingerprint;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::ParsedCertificate;

/// The fingerprint of the key that `certificate` is about.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> Result<Fingerprint, rustls::Error> {
    let key = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
    Ok(Fingerprint::of(&key))
}

/// The certificates in `pem`, of which there is at least one.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err("it holds no certificate in PEM".to_owned()),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("it is no PEM file ({error})")),
    }
}

/// The authorities whose certificates stand in `pem`.
pub fn authorities(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(|error| format!("a certificate in it cannot be used: {error}"))?;
    }
    Ok(roots)
}

#[cfg(test)]
mod tests;

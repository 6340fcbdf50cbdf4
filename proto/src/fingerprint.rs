//! Keys and secrets by their digests.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use std::fmt;
use subtle::ConstantTimeEq as _;

/// SHA-256 of a public key (its SubjectPublicKeyInfo in DER) or of a secret: says which one it is without being it.
#[derive(Clone, Copy, Eq, PartialOrd, Ord)]
pub struct Fingerprint([u8; Fingerprint::BYTES]);

impl Fingerprint {
    /// Length in bytes.
    pub const BYTES: usize = 32;

    /// Length of its text in characters.
    pub const CHARS: usize = 43;

    /// The fingerprint of `bytes`.
    pub fn of(bytes: &[u8]) -> Fingerprint {
        Fingerprint(Sha256::digest(bytes).into())
    }

    /// A fingerprint from its bytes.
    pub fn from_bytes(bytes: [u8; Fingerprint::BYTES]) -> Fingerprint {
        Fingerprint(bytes)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; Fingerprint::BYTES] {
        &self.0
    }

    /// Reads what [`Display`](fmt::Display) writes.
    pub fn parse(text: &str) -> Option<Fingerprint> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Fingerprint(bytes.try_into().ok()?))
    }
}

/// Takes the same time wherever two differ.
impl PartialEq for Fingerprint {
    fn eq(&self, other: &Fingerprint) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// Unpadded URL-safe base64: 43 characters. A precision (`{:.12}`) shortens it.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:.12}…")
    }
}

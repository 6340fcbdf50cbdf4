//! What an agent shows to be let in.

use crate::Fingerprint;
use std::fmt;

/// A join secret of 128 random bits. It is kept where it has to be sent; who checks it keeps its
/// [`Fingerprint`] only. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; Secret::BYTES]);

impl Secret {
    /// Length in bytes.
    pub const BYTES: usize = 16;

    /// A secret of these bytes, which must come from a generator fit for keys.
    pub fn from_bytes(bytes: [u8; Secret::BYTES]) -> Secret {
        Secret(bytes)
    }

    /// Its bytes, to be sent.
    pub fn as_bytes(&self) -> &[u8; Secret::BYTES] {
        &self.0
    }

    /// Its fingerprint, to be kept.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

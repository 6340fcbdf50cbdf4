//! What one end tells the other when they cannot even begin to talk, and how the other recognises it.
//!
//! Between them lie TLS and HTTP/2, so what arrives is the text of an error.

use bytes::{BufMut as _, Bytes, BytesMut};

/// What a coordinator that takes TLS tells an agent that does not speak it.
const TLS_WANTED: &str = "this port takes TLS";

/// The answer in plain HTTP/2 to an agent that speaks no TLS: empty SETTINGS, then GOAWAY with the reason
/// INADEQUATE_SECURITY and a text (RFC 9113, sections 6.5, 6.8 and 7).
pub fn tls_wanted() -> Bytes {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const GOAWAY: [u8; 6] = [7, 0, 0, 0, 0, 0];
    const INADEQUATE_SECURITY: u32 = 12;
    let mut answer = BytesMut::from(&SETTINGS[..]);
    answer.put_uint(8 + TLS_WANTED.len() as u64, 3);
    answer.put_slice(&GOAWAY);
    answer.put_u32(0);
    answer.put_u32(INADEQUATE_SECURITY);
    answer.put_slice(TLS_WANTED.as_bytes());
    answer.freeze()
}

/// Whether `error` tells of [`tls_wanted`].
pub fn wants_tls(error: &str) -> bool {
    error.contains(TLS_WANTED)
}

/// Whether `error` tells that the other end did not accept a certificate: with TLS 1.3 that shows only after the
/// handshake, as an alert (RFC 8446, section 6.2).
pub fn is_about_certificates(error: &str) -> bool {
    error.split_once("received fatal alert: ").is_some_and(|(_, alert)| {
        let name: String = alert.chars().take_while(char::is_ascii_alphabetic).collect();
        matches!(
            name.as_str(),
            "UnknownCA"
                | "CertificateRequired"
                | "BadCertificate"
                | "CertificateExpired"
                | "CertificateRevoked"
                | "CertificateUnknown"
                | "UnsupportedCertificate"
                | "DecryptError"
                | "AccessDenied"
        )
    })
}

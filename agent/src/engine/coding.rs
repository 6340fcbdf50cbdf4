//! Undoing the content codings of a response: gzip, deflate, br, zstd.
//!
//! A small body can hold an immense one. Decoding stops at the limit for bodies, and at a ratio that no honest
//! body has; it never holds more than the limit.

use super::http::{BodyUse, Reply, Terms};
use super::limits::{MAX_CODINGS, MAX_DECODING_RATIO, RATIO_FREE_BYTES};
use super::outgoing::Codings;
use brotli_decompressor::Decompressor;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};
use metrics::{ErrorKind, Failure};
use ruzstd::decoding::StreamingDecoder;
use std::borrow::Cow;
use std::io::{self, Read};

/// What requests say that they accept.
pub(super) const ACCEPTED: HeaderValue = HeaderValue::from_static("gzip, deflate, br, zstd");

/// Bytes decoded at a time.
const CHUNK: usize = 16 << 10;

/// Largest zstd window in bytes, as RFC 9659 limits it for HTTP.
const MAX_ZSTD_WINDOW: u64 = 8 << 20;

/// Undoes the codings of a reply's body where something is to look at it and codings were asked for.
///
/// # Errors
/// Those of [`decoded`].
pub(super) fn undo(reply: &mut Reply, terms: &Terms) -> Result<(), Failure> {
    if terms.body == BodyUse::Discard || terms.codings == Codings::None {
        return Ok(());
    }
    if let Cow::Owned(body) = decoded(&reply.headers, &reply.body, terms.limits.kept_body)? {
        reply.body = body;
    }
    Ok(())
}

/// `body` without the codings that `headers` name; at most `limit` bytes.
///
/// # Errors
/// [`ErrorKind::TooLarge`] beyond the limit or the ratio, [`ErrorKind::Protocol`] for a coding that is not known
/// and for a body that is not what it claims to be.
fn decoded<'a>(headers: &HeaderMap, body: &'a [u8], limit: u64) -> Result<Cow<'a, [u8]>, Failure> {
    let mut body = Cow::Borrowed(body);
    if body.is_empty() || !headers.contains_key(CONTENT_ENCODING) {
        return Ok(body);
    }
    let protocol = |message: String| Failure::new(ErrorKind::Protocol, message);
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        codings.extend(text.split(',').map(|coding| coding.trim().to_owned()));
    }
    codings.retain(|coding| !coding.is_empty() && coding != "identity");
    if codings.len() > MAX_CODINGS {
        let count = codings.len();
        return Err(protocol(format!("a body with {count} content codings; the limit is {MAX_CODINGS}")));
    }
    let arrived = body.len() as u64;
    // The last one named was applied last.
    for coding in codings.iter().rev() {
        let mut out = Sink { bytes: Vec::new(), limit, arrived };
        let end = match coding.as_str() {
            "gzip" | "x-gzip" => out.drain(MultiGzDecoder::new(&*body)),
            "deflate" if is_zlib(&body) => out.drain(ZlibDecoder::new(&*body)),
            "deflate" => out.drain(DeflateDecoder::new(&*body)),
            "br" => out.drain(Decompressor::new(&*body, CHUNK)),
            "zstd" => out.drain_zstd(&body),
            _ => {
                return Err(protocol(format!(
                    "the body has the content coding `{coding}`, which is not known"
                )));
            }
        };
        match end {
            Ok(()) => body = Cow::Owned(out.bytes),
            Err(End::Failure(failure)) => return Err(failure),
            Err(End::Broken(error)) => {
                return Err(protocol(format!("the body is not valid {coding}: {error}")));
            }
        }
    }
    Ok(body)
}

/// `deflate` means the zlib format; some servers leave the wrapping out.
fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [a, b, ..] if a & 15 == 8 && (u16::from(*a) << 8 | u16::from(*b)).is_multiple_of(31))
}

/// Why decoding ended early.
enum End {
    Failure(Failure),
    Broken(String),
}

/// Takes decoded bytes up to the limits.
struct Sink {
    bytes: Vec<u8>,
    limit: u64,
    /// Bytes of the body as it arrived.
    arrived: u64,
}

impl Sink {
    fn drain(&mut self, mut decoder: impl Read) -> Result<(), End> {
        let mut chunk = [0; CHUNK];
        loop {
            let read = match decoder.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(End::Broken("it breaks off".to_owned()));
                }
                Err(error) => return Err(End::Broken(error.to_string())),
            };
            let size = (self.bytes.len() + read) as u64;
            let too_large = |what: String| Err(End::Failure(Failure::new(ErrorKind::TooLarge, what)));
            if size > self.limit {
                return too_large(format!(
                    "the decoded response body is larger than the limit of {} bytes",
                    self.limit
                ));
            }
            if size > RATIO_FREE_BYTES && size / self.arrived > MAX_DECODING_RATIO {
                return too_large(format!(
                    "the decoded response body is more than {MAX_DECODING_RATIO} times as large as what arrived"
                ));
            }
            self.bytes.extend_from_slice(&chunk[..read]);
        }
    }

    /// One frame after the other.
    fn drain_zstd(&mut self, mut body: &[u8]) -> Result<(), End> {
        while !body.is_empty() {
            let decoder = StreamingDecoder::new_with_max_window_size(&mut body, MAX_ZSTD_WINDOW)
                .map_err(|error| End::Broken(error.to_string()))?;
            self.drain(decoder)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

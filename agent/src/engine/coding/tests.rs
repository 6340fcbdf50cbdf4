//! Every coding undone, every way to break one.

use super::*;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::io::Write;

const CODINGS: [&str; 5] = ["gzip", "zlib", "deflate", "br", "zstd"];

fn encoded(coding: &str, body: &[u8]) -> Vec<u8> {
    fn finish<W: Write>(mut encoder: W, body: &[u8]) -> W {
        encoder.write_all(body).unwrap();
        encoder
    }
    let best = Compression::best();
    match coding {
        "gzip" => finish(GzEncoder::new(Vec::new(), best), body).finish().unwrap(),
        "zlib" => finish(ZlibEncoder::new(Vec::new(), best), body).finish().unwrap(),
        "deflate" => finish(DeflateEncoder::new(Vec::new(), best), body).finish().unwrap(),
        "br" => brotli(body),
        "zstd" => compress_to_vec(body, CompressionLevel::Fastest),
        other => panic!("no coding {other}"),
    }
}

/// Stored, not compressed: RFC 7932 section 9.2, a window of 16 bits, uncompressed meta-blocks, an empty last one.
fn brotli(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut first = true;
    for block in body.chunks(1 << 16) {
        // (WBITS 1 bit,) ISLAST 1 bit, MNIBBLES 2 bits, MLEN - 1 in 16 bits, ISUNCOMPRESSED 1 bit.
        let head = ((block.len() as u32 - 1) << 3 | 1 << 19) << u32::from(first);
        out.extend_from_slice(&head.to_le_bytes()[..3]);
        out.extend_from_slice(block);
        first = false;
    }
    out.push(if first { 0b110 } else { 0b11 });
    out
}

/// The header says `deflate` for both kinds of it.
fn headers(coding: &str) -> HeaderMap {
    let coding = coding.replace("zlib", "deflate");
    HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_str(&coding).unwrap())])
}

fn told(coding: &str, body: &[u8], limit: u64) -> String {
    match decoded(&headers(coding), body, limit) {
        Ok(body) => String::from_utf8_lossy(&body).into_owned(),
        Err(failure) => format!("{:?}: {}", failure.kind, failure.message),
    }
}

#[test]
fn every_coding_is_undone() {
    for coding in CODINGS {
        for text in ["x", "hello hello hello", &"{\"id\":1}".repeat(20_000)] {
            assert_eq!(told(coding, &encoded(coding, text.as_bytes()), 1 << 20), text, "{coding}");
        }
        assert_eq!(told(coding, b"", 0), "", "a body that is not there is not decoded");
        assert_eq!(told(coding, &encoded(coding, b""), 0), "");
    }
    assert_eq!(told("GZip", &encoded("gzip", b"x"), 9), "x");
    assert_eq!(told("identity", b"x", 9), "x");
    let twice = encoded("br", &encoded("gzip", b"hello"));
    assert_eq!(told("gzip, br", &twice, 99), "hello");
    let members = [encoded("gzip", b"a"), encoded("gzip", b"b")].concat();
    assert_eq!(told("gzip", &members, 9), "ab");
    let frames = [encoded("zstd", b"a"), encoded("zstd", b"b")].concat();
    assert_eq!(told("zstd", &frames, 9), "ab");
}

#[test]
fn broken_bodies_are_told() {
    for coding in CODINGS {
        let text = "hello hello hello, said the server, and hung up";
        let whole = encoded(coding, text.as_bytes());
        let got = told(coding, &whole[..whole.len() / 2], 99);
        assert!(got.starts_with("Protocol: the body is not valid "), "{coding}: {got}");
        let got = told(coding, b"{\"not\": \"compressed\"}", 99);
        assert!(got.starts_with("Protocol: the body is not valid "), "{coding}: {got}");
    }
    let whole = encoded("gzip", b"hello");
    assert_eq!(
        told("gzip", &whole[..whole.len() - 3], 99),
        "Protocol: the body is not valid gzip: it breaks off"
    );
    assert_eq!(
        told("compress", b"x", 99),
        "Protocol: the body has the content coding `compress`, which is not known"
    );
    let many = "Protocol: a body with 5 content codings; the limit is 4";
    assert_eq!(told("gzip,gzip,gzip,gzip,gzip", b"x", 99), many);
}

#[test]
fn bombs_are_defused() {
    let zeros = vec![0; 3 << 20];
    for coding in ["gzip", "zlib", "deflate", "zstd"] {
        let bomb = encoded(coding, &zeros);
        assert!(bomb.len() < 10_000);
        let limited = "TooLarge: the decoded response body is larger than the limit of 100000 bytes";
        assert_eq!(told(coding, &bomb, 100_000), limited, "{coding}");
        let ratio = "TooLarge: the decoded response body is more than 500 times as large as what arrived";
        assert_eq!(told(coding, &bomb, 1 << 30), ratio, "{coding}");
        let small = encoded(coding, &zeros[..1 << 20]);
        assert_eq!(told(coding, &small, 1 << 20).len(), 1 << 20, "small bodies may be of any ratio");
    }
    // 3 MiB of zeros, as the reference encoder writes them at its best.
    let bomb = *b"\x9b\xff\xff\x2f\xf8\x27\x00\xe2\xb1\x40\x20\xf7\xfe\x05";
    let limited = "TooLarge: the decoded response body is larger than the limit of 100000 bytes";
    assert_eq!(told("br", &bomb, 100_000), limited);
    let ratio = "TooLarge: the decoded response body is more than 500 times as large as what arrived";
    assert_eq!(told("br", &bomb, 1 << 30), ratio);
    let exact = encoded("br", &[b'x'; 1000]);
    assert_eq!(told("br", &exact, 1000).len(), 1000);
    assert!(told("br", &exact, 999).starts_with("TooLarge"));
}

proptest! {
    #[test]
    fn any_bytes_are_decoded_or_refused(coding in 0..CODINGS.len(), body: Vec<u8>) {
        let _ = told(CODINGS[coding], &body, 1 << 16);
    }

    #[test]
    fn damage_is_refused_or_bounded(coding in 0..CODINGS.len(), at: prop::sample::Index, byte: u8) {
        let mut body = encoded(CODINGS[coding], "hello hello, {\"id\": 17}".repeat(50).as_bytes());
        let at = at.index(body.len());
        body[at] = byte;
        let _ = told(CODINGS[coding], &body, 1 << 16);
    }
}

//! The heads of requests and responses (RFC 9112, sections 2 to 6), as bytes.

use super::framing::Framing;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use metrics::{ErrorKind, Failure};
use std::fmt::Write;
use std::mem::MaybeUninit;

/// Most header fields that a response may have.
const MAX_FIELDS: usize = 100;

/// What stands before a response's body.
#[derive(Debug)]
pub(in crate::engine) struct Head {
    pub(in crate::engine) status: u16,
    pub(in crate::engine) headers: HeaderMap,
    /// Whether the other side goes on with the connection after the response.
    pub(super) keeps: bool,
    /// Of HTTP/1.0, which knows no chunks.
    old: bool,
}

impl Head {
    /// The head at the beginning of `bytes` and its length; `None` if it is not all there.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<(Head, usize)>, Failure> {
        let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
        let mut response = httparse::Response::new(&mut []);
        let mut config = httparse::ParserConfig::default();
        config.allow_obsolete_multiline_headers_in_responses(true);
        let parsed = config.parse_response_with_uninit_headers(&mut response, bytes, &mut fields);
        let length = match parsed {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(why) => return Err(unreadable(why)),
        };
        let (Some(status), Some(version)) = (response.code, response.version) else { return Ok(None) };
        if !(100..=999).contains(&status) {
            return Err(unreadable(httparse::Error::Status));
        }
        let mut headers = HeaderMap::with_capacity(response.headers.len());
        // One copy that all values share.
        let (start, all) = (bytes.as_ptr().addr(), Bytes::copy_from_slice(&bytes[..length]));
        for field in response.headers.iter() {
            let name = HeaderName::from_bytes(field.name.as_bytes());
            let at = field.value.as_ptr().addr().wrapping_sub(start);
            let value = match field.value {
                // The parser gives an empty value no place.
                [] => Bytes::new(),
                folded if folded.contains(&b'\n') => unfolded(folded),
                value => all.slice(at..at + value.len()),
            };
            match (name, HeaderValue::from_maybe_shared(value)) {
                (Ok(name), Ok(value)) => headers.append(name, value),
                _ => return Err(unreadable(httparse::Error::HeaderValue)),
            };
        }
        let old = version == 0;
        let keeps = status != 101 && keeps(&headers, old);
        Ok(Some((Head { status, headers, keeps, old }, length)))
    }

    /// Whether the response itself is yet to come.
    pub(super) fn is_informational(&self) -> bool {
        matches!(self.status, 100 | 102..=199)
    }

    /// How long the body is (RFC 9112, section 6.3). That of an answer to HEAD is `bodiless`.
    pub(super) fn framing(&self, bodiless: bool) -> Result<Framing, Failure> {
        if bodiless || matches!(self.status, 101 | 204 | 304) {
            return Ok(Framing::Length(0));
        }
        if self.headers.contains_key(TRANSFER_ENCODING) {
            if self.old {
                return Err(protocol("unexpected transfer-encoding parsed"));
            }
            let last = self.headers.get_all(TRANSFER_ENCODING).iter().next_back();
            let last = last.and_then(|value| value.as_bytes().rsplit(|&byte| byte == b',').next());
            let chunked = last.is_some_and(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"chunked"));
            return Ok(if chunked { Framing::chunked() } else { Framing::ToEnd });
        }
        let mut length = None;
        for value in self.headers.get_all(CONTENT_LENGTH) {
            // A list of the same number is that number.
            for number in value.as_bytes().split(|&byte| byte == b',') {
                let bytes = number_of(number.trim_ascii());
                if bytes.is_none() || length.is_some_and(|known| Some(known) != bytes) {
                    return Err(protocol("invalid content-length parsed"));
                }
                length = bytes;
            }
        }
        Ok(length.map_or(Framing::ToEnd, Framing::Length))
    }
}

/// A value of several lines as one (RFC 9112, section 5.2).
fn unfolded(value: &[u8]) -> Bytes {
    value.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }).collect()
}

/// Whether a head ends in `bytes`.
pub(super) fn ends(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|two| two == b"\n\n") || bytes.windows(3).any(|three| three == b"\n\r\n")
}

/// Appends the head of `request` to `out`.
pub(super) fn write(request: &http::Request<Bytes>, out: &mut Vec<u8>) {
    out.extend_from_slice(request.method().as_str().as_bytes());
    out.push(b' ');
    let uri = request.uri();
    if uri.scheme().is_none() {
        out.extend_from_slice(uri.path_and_query().map_or("/", |path| path.as_str()).as_bytes());
    } else {
        let mut text = String::new();
        write!(text, "{uri}").expect("a String takes anything");
        out.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in request.headers() {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Whether a connection persists (RFC 9112, section 9.3).
fn keeps(headers: &HeaderMap, old: bool) -> bool {
    !closes(headers) && (!old || connection_says(headers, b"keep-alive"))
}

/// Whether who sent `headers` is done with the connection (RFC 9112, section 9.6).
pub(super) fn closes(headers: &HeaderMap) -> bool {
    connection_says(headers, b"close")
}

fn connection_says(headers: &HeaderMap, option: &[u8]) -> bool {
    let values = headers.get_all(CONNECTION).iter();
    let mut options = values.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    options.any(|said| said.trim_ascii().eq_ignore_ascii_case(option))
}

fn number_of(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn unreadable(why: httparse::Error) -> Failure {
    match why {
        httparse::Error::TooManyHeaders => {
            Failure::new(ErrorKind::TooLarge, "the response's header section is larger than the limit")
        }
        httparse::Error::Version => protocol("invalid HTTP version parsed"),
        httparse::Error::Status => protocol("invalid HTTP status-code parsed"),
        _ => protocol("invalid HTTP header parsed"),
    }
}

fn protocol(message: &'static str) -> Failure {
    Failure::new(ErrorKind::Protocol, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// How a head is seen: `status framing keeps length`, or what is wrong with it.
    fn seen(text: &str, bodiless: bool) -> String {
        match Head::read(text.as_bytes()) {
            Ok(None) => "incomplete".to_owned(),
            Ok(Some((head, length))) => match head.framing(bodiless) {
                Ok(framing) => format!("{} {framing:?} {} {}", head.status, head.keeps, text.len() - length),
                Err(failure) => failure.message.into_owned(),
            },
            Err(failure) => failure.message.into_owned(),
        }
    }

    #[test]
    fn framings() {
        let check = |lines: &str, expected: &str| {
            assert_eq!(seen(&format!("{lines}\n\n"), false), expected, "{lines}");
        };
        check("HTTP/1.1 200 OK", "200 ToEnd true 0");
        check("HTTP/1.1 200", "200 ToEnd true 0");
        check("HTTP/1.1 200 OK\ncontent-length: 7", "200 Length(7) true 0");
        check("HTTP/1.1 200 OK\nContent-Length: 7, 7\ncontent-length: 7", "200 Length(7) true 0");
        check("HTTP/1.0 200 OK\ncontent-length: 7", "200 Length(7) false 0");
        check("HTTP/1.0 200 OK\ncontent-length: 7\nconnection: Keep-Alive", "200 Length(7) true 0");
        check("HTTP/1.1 200 OK\ncontent-length: 7\nconnection: x, CLOSE", "200 Length(7) false 0");
        check("HTTP/1.1 204 OK\ncontent-length: 7", "204 Length(0) true 0");
        check("HTTP/1.1 304 OK\ncontent-length: 7", "304 Length(0) true 0");
        check("HTTP/1.1 101 OK", "101 Length(0) false 0");
        check("HTTP/1.1 200 OK\ntransfer-encoding: gzip", "200 ToEnd true 0");
        check("HTTP/1.0 200 OK\ntransfer-encoding: chunked", "unexpected transfer-encoding parsed");
        for wrong in ["", "-1", "+1", "1 2", "0x1", "1,2", "99999999999999999999", "1,"] {
            check(&format!("HTTP/1.1 200 OK\ncontent-length: {wrong}"), "invalid content-length parsed");
        }
        let chunked = seen("HTTP/1.1 200 OK\ntransfer-encoding: gzip, Chunked\ncontent-length: 7\n\n", false);
        assert!(chunked.contains("Chunked"), "{chunked}");
        assert_eq!(seen("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n", true), "200 Length(0) true 0");
        assert_eq!(seen("HTTP/1.1 200 OK\r\n\r\nrest", false), "200 ToEnd true 4");
    }

    #[test]
    fn wrong_heads() {
        let check = |text: &str, expected: &str| assert_eq!(seen(text, false), expected, "{text}");
        check("", "incomplete");
        check("HTTP/1.1 200 OK\r\na: b\r\n", "incomplete");
        check("HTTP/2 200 OK\r\n\r\n", "invalid HTTP version parsed");
        check("HTTP/1.1 099 OK\r\n\r\n", "invalid HTTP status-code parsed");
        check("HTTP/1.1 200 OK\r\na b: c\r\n\r\n", "invalid HTTP header parsed");
        check("HTTP/1.1 200 OK\r\na: \0\r\n\r\n", "invalid HTTP header parsed");
        let many = "a: b\r\n".repeat(MAX_FIELDS + 1);
        check(
            &format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
            "the response's header section is larger than the limit",
        );
    }

    #[test]
    fn fields_keep_order_and_bytes() {
        let (head, _) = Head::read(b"HTTP/1.1 200 OK\r\nB: 1\r\na:\r\nb:  \xff 2 \r\n\r\n").unwrap().unwrap();
        let all: Vec<_> = head.headers.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
        assert_eq!(all, [("b", &b"1"[..]), ("b", b"\xff 2"), ("a", b"")]);
    }

    #[test]
    fn folded_values_are_one_line() {
        let check = |value: &str, expected: &str| {
            let text = format!("HTTP/1.1 200 OK\r\na:{value}\r\n\r\n");
            let (head, length) = Head::read(text.as_bytes()).unwrap().unwrap();
            assert_eq!((&head.headers["a"], length), (&HeaderValue::from_str(expected).unwrap(), text.len()));
        };
        check(" b\r\n\tc", "b  \tc");
        check("\r\n b\n c", "b  c");
        check("\r\n  ", "");
    }

    #[test]
    fn requests_are_written_as_they_are() {
        let check = |uri: &str, expected: &str| {
            let request =
                http::Request::post(uri).header("A", "b").header("a", "c").body(Bytes::new()).unwrap();
            let mut out = Vec::new();
            write(&request, &mut out);
            assert_eq!(
                String::from_utf8(out).unwrap(),
                format!("POST {expected} HTTP/1.1\r\na: b\r\na: c\r\n\r\n")
            );
        };
        check("/x?y=1", "/x?y=1");
        check("http://t.test:81/x?y=1", "http://t.test:81/x?y=1");
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), start in any::<bool>()) {
            let bytes = if start { [b"HTTP/1.1 200 OK\r\n", bytes.as_slice()].concat() } else { bytes };
            if let Ok(Some((head, length))) = Head::read(&bytes) {
                prop_assert!(length <= bytes.len());
                prop_assert!(ends(&bytes[..length]));
                let _ = head.framing(false);
            }
        }
    }
}

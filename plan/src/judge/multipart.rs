//! Bodies of type multipart/form-data (RFC 7578).

use std::borrow::Cow;

/// One part with its templates filled in.
#[derive(Clone, Debug, Default)]
pub(super) struct Piece<'a> {
    pub(super) name: &'a str,
    pub(super) file_name: Option<String>,
    pub(super) media_type: Option<String>,
    pub(super) content: Cow<'a, [u8]>,
}

/// The body of `pieces` and its media type. The boundary depends on nothing but the pieces, so the same request
/// is the same everywhere, and is part of none of them.
pub(super) fn encode(pieces: &[Piece<'_>]) -> (Vec<u8>, String) {
    let mut number = 0_u64;
    let mut boundary = format!("muster-part-{number}");
    // Ends, for nothing holds every number.
    while pieces.iter().any(|piece| holds(&piece.content, boundary.as_bytes())) {
        number += 1;
        boundary = format!("muster-part-{number}");
    }
    let size: usize = pieces.iter().map(|piece| piece.content.len() + 200).sum();
    let mut body = Vec::with_capacity(size);
    for piece in pieces {
        let name = quoted(piece.name);
        body.extend(format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"").into_bytes());
        if let Some(file_name) = &piece.file_name {
            body.extend(format!("; filename=\"{}\"", quoted(file_name)).into_bytes());
        }
        if let Some(media_type) = &piece.media_type {
            let media_type = media_type.replace(['\r', '\n'], " ");
            body.extend(format!("\r\ncontent-type: {media_type}").into_bytes());
        }
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(&piece.content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (body, format!("multipart/form-data; boundary={boundary}"))
}

/// As browsers write it.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// Whether `needle` stands in `text`; looks closer only where its first byte does.
fn holds(text: &[u8], needle: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == needle[0]) {
        if rest[at..].starts_with(needle) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece<'a>(name: &'a str, content: &'a str) -> Piece<'a> {
        Piece { name, content: content.as_bytes().into(), ..Piece::default() }
    }

    fn check(pieces: &[Piece<'_>], boundary: &str, expected: &str) {
        let (body, media_type) = encode(pieces);
        assert_eq!(media_type, format!("multipart/form-data; boundary={boundary}"));
        let expected = expected.replace('|', "\r\n").replace('B', boundary);
        assert_eq!(String::from_utf8_lossy(&body), expected);
    }

    #[test]
    fn parts_stand_between_boundaries_that_none_of_them_holds() {
        let part = "--B|content-disposition: form-data; name=";
        check(&[], "muster-part-0", "--B--|");
        check(
            &[piece("a", "1"), piece("b\"\n", "ü\r\n")],
            "muster-part-0",
            &format!("{part}\"a\"||1|{part}\"b%22%0A\"||ü|||--B--|").replace("|||--", "||--"),
        );
        check(
            &[piece("a", "mm--muster-part-0")],
            "muster-part-1",
            &format!("{part}\"a\"||mm--muster-part-0|--B--|"),
        );
        let file = Piece {
            file_name: Some("a \"b\".png".to_owned()),
            media_type: Some("image/png\r\nx: y".to_owned()),
            content: Cow::Borrowed(b"\xff\x00"),
            ..piece("f", "")
        };
        let head = "; filename=\"a %22b%22.png\"|content-type: image/png  x: y||\u{fffd}\0|--B--|";
        check(&[file], "muster-part-0", &format!("{part}\"f\"{head}"));
    }
}

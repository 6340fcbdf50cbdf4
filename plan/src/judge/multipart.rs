//! Bodies of type multipart/form-data (RFC 7578).

use std::fmt::Write as _;

/// The body of `parts` (name and content) and its media type. The boundary depends on nothing but the parts, so
/// the same request is the same everywhere, and is part of none of them.
pub(super) fn encode(parts: &[(&str, String)]) -> (Vec<u8>, String) {
    let mut number = 0_u64;
    let mut boundary = format!("muster-part-{number}");
    // Ends, for no text holds every number.
    while parts.iter().any(|(_, content)| content.contains(boundary.as_str())) {
        number += 1;
        boundary = format!("muster-part-{number}");
    }
    let mut body = String::new();
    for (name, content) in parts {
        let name = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
        write!(body, "--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n")
            .expect("a String takes any text");
    }
    write!(body, "--{boundary}--\r\n").expect("a String takes any text");
    (body.into_bytes(), format!("multipart/form-data; boundary={boundary}"))
}

#[cfg(test)]
mod tests {
    use super::encode;

    fn check(parts: &[(&str, &str)], boundary: &str, expected: &str) {
        let parts: Vec<(&str, String)> = parts.iter().map(|(n, c)| (*n, (*c).to_owned())).collect();
        let (body, media_type) = encode(&parts);
        assert_eq!(media_type, format!("multipart/form-data; boundary={boundary}"));
        let expected = expected.replace('|', "\r\n").replace('B', boundary);
        assert_eq!(String::from_utf8(body).unwrap(), expected);
    }

    #[test]
    fn parts_stand_between_boundaries_that_none_of_them_holds() {
        let part = "--B|content-disposition: form-data; name=";
        check(&[], "muster-part-0", "--B--|");
        check(
            &[("a", "1"), ("b\"\n", "ü\r\n")],
            "muster-part-0",
            &format!("{part}\"a\"||1|{part}\"b%22%0A\"||ü|||--B--|").replace("|||--", "||--"),
        );
        check(&[("a", "--muster-part-0")], "muster-part-1", &format!("{part}\"a\"||--muster-part-0|--B--|"));
    }
}

//! What an error message is without what differs from one request to the next.

/// A message with its numbers, names and addresses taken out: what two messages have in common that tell of the same
/// mistake.
///
/// `order 4711 is not there` becomes `order {number} is not there`. Folded are, where they stand as words of their own:
/// UUIDs (`{uuid}`), IP addresses with or without a port (`{address}`), numbers, also with a point or a sign (`{number}`),
/// words of eight and more hexadecimal digits of which at least one is a decimal digit, and what begins with `0x`
/// (`{hex}`), e-mail addresses (`{email}`), and what stands in quotes (`"{text}"`). The fingerprint of a fingerprint is
/// itself.
pub(crate) fn fingerprint(message: &str) -> String {
    let mut folded = fold(message);
    // What was folded may leave something else to fold beside it; after a few times nothing does.
    for _ in 0..MOST_ROUNDS {
        let again = fold(&folded);
        if again == folded {
            break;
        }
        folded = again;
    }
    folded
}

const MOST_ROUNDS: u32 = 8;

/// What stands for what was folded.
const STANDS_FOR: [&str; 6] = ["{text}", "{uuid}", "{address}", "{email}", "{number}", "{hex}"];

fn fold(message: &str) -> String {
    let mut folded = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(first) = rest.chars().next() {
        if let Some(folded_before) = STANDS_FOR.iter().find(|stand| rest.starts_with(**stand)) {
            folded.push_str(folded_before);
            rest = &rest[folded_before.len()..];
            continue;
        }
        if let Some(quoted) = quoted(rest, first, &folded) {
            folded.push(first);
            folded.push_str("{text}");
            folded.push(first);
            rest = &rest[quoted..];
            continue;
        }
        let word = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
        if word == 0 {
            folded.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        // What ends a sentence is no part of a number.
        let tail = rest[..word].trim_end_matches(['.', ':', '-', '@']).len();
        let word = if tail == 0 { word } else { tail };
        push_folded(&rest[..word], &mut folded);
        rest = &rest[word..];
    }
    folded
}

/// Length of what stands in quotes at the start of `rest`, the quotes included; not an apostrophe within a word.
fn quoted(rest: &str, first: char, before: &str) -> Option<usize> {
    if !matches!(first, '"' | '\'' | '`') {
        return None;
    }
    if first == '\'' && before.ends_with(char::is_alphanumeric) {
        return None;
    }
    let inside = &rest[1..];
    let end = inside.find(first)?;
    // What is empty in every message differs in none.
    (end > 0).then_some(end + 2)
}

fn in_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | ':' | '-' | '_' | '@' | '+' | '%')
}

fn push_folded(word: &str, folded: &mut String) {
    if is_uuid(word) {
        return folded.push_str("{uuid}");
    }
    if is_address(word) {
        return folded.push_str("{address}");
    }
    if is_email(word) {
        return folded.push_str("{email}");
    }
    // `id:4711`, `user_17` and `a-4711`: the parts have meanings of their own.
    for part in word.split_inclusive([':', '-', '_', '+', '@', '%']) {
        let (bare, separator) = match part.char_indices().last() {
            Some((end, ':' | '-' | '_' | '+' | '@' | '%')) => part.split_at(end),
            _ => (part, ""),
        };
        push_part(bare, folded);
        folded.push_str(separator);
    }
}

fn push_part(part: &str, folded: &mut String) {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    if digits == 0 {
        return folded.push_str(part);
    }
    let hexadecimal = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if part.strip_prefix("0x").is_some_and(hexadecimal) {
        return folded.push_str("{hex}");
    }
    if part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return folded.push_str("{number}");
    }
    if part.len() >= 8 && hexadecimal(part) {
        return folded.push_str("{hex}");
    }
    // Digits within a word: `30ms`, `worker17`. The letters are kept.
    let mut chars = part.chars().peekable();
    while let Some(next) = chars.next() {
        if !next.is_ascii_digit() {
            folded.push(next);
            continue;
        }
        while chars.peek().is_some_and(|c| c.is_ascii_digit() || *c == '.') {
            chars.next();
        }
        folded.push_str("{number}");
    }
}

/// 8-4-4-4-12 hexadecimal digits.
fn is_uuid(word: &str) -> bool {
    let mut groups = word.split('-');
    let fits =
        |group: &str, length: usize| group.len() == length && group.bytes().all(|b| b.is_ascii_hexdigit());
    [8, 4, 4, 4, 12].iter().all(|&length| groups.next().is_some_and(|group| fits(group, length)))
        && groups.next().is_none()
}

/// An IPv4 address, or an IPv6 address with at least two colons; with or without a port.
fn is_address(word: &str) -> bool {
    let host =
        word.rsplit_once(':').filter(|(host, port)| !host.contains(':') && port.parse::<u16>().is_ok());
    let host = host.map_or(word, |(host, _)| host);
    // Purely textual: nothing is connected or looked up.
    let four = host.split('.').count() == 4 && host.split('.').all(|part| part.parse::<u8>().is_ok());
    let groups = word.split(':').count();
    let six = (3..=9).contains(&groups)
        && word.split(':').all(|part| part.len() <= 4 && part.bytes().all(|b| b.is_ascii_hexdigit()))
        && (word.contains("::") || groups == 8);
    four || six
}

fn is_email(word: &str) -> bool {
    word.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && host.contains('.') && !host.contains(['@', ':']) && host.len() > 3
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_differs_from_request_to_request_is_folded() {
        for (message, folded) in [
            ("no answer", "no answer"),
            ("", ""),
            ("order 4711 is not there.", "order {number} is not there."),
            ("took 3.25 s, limit 1.5 s", "took {number} s, limit {number} s"),
            ("took 30ms of 12.5ms", "took {number}ms of {number}ms"),
            ("user 1b4e28ba-2fa1-11d2-883f-0016d3cca427 is gone", "user {uuid} is gone"),
            ("at 0x7fff5fbff8c0: segfault", "at {hex}: segfault"),
            ("trace 4bf92f3577b34da6a3ce929d0e0e4736", "trace {hex}"),
            ("commit deadbeef, decade", "commit deadbeef, decade"),
            ("cannot reach 10.0.0.17:8080 or fe80::1", "cannot reach {address} or {address}"),
            ("[2001:db8::8:800:200c:417a]:443 refused", "[{address}]:{number} refused"),
            ("no column \"price_17\" in 'orders'", "no column \"{text}\" in '{text}'"),
            ("don't ask user's name of user-17", "don't ask user's name of user-{number}"),
            ("id:4711,worker17 -5 +7 50%", "id:{number},worker{number} -{number} +{number} {number}%"),
            ("mail to mara.kovac@example.org bounced", "mail to {email} bounced"),
            ("at 2026-11-21T08:00:00Z", "at {number}-{number}-{number}T{number}:{number}:{number}Z"),
            ("unclosed \"quote 5", "unclosed \"quote {number}"),
            ("é 5 ü", "é {number} ü"),
        ] {
            assert_eq!(fingerprint(message), folded, "{message}");
            assert_eq!(fingerprint(folded), folded, "{message}, twice");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_a_fingerprint_that_is_its_own(text in "(.|[0-9a-f]{1,9}|[-:.@\"' {}_%+]){0,40}") {
            let once = fingerprint(&text);
            prop_assert_eq!(fingerprint(&once), once);
        }
    }
}

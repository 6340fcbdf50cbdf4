//! The join string: all that an agent needs to trust its coordinator and to be trusted.
//!
//! `muster1.PIN.SECRET`: the fingerprint of the coordinator's public key, and a secret with a checksum over
//! everything before it, both in unpadded URL-safe base64. It is 79 characters long and means nothing to a shell.

use crate::{Fingerprint, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// What every join string of this format begins with.
const PREFIX: &str = "muster1.";

/// Bytes of the checksum: one in four billion mistakes goes unseen, and that one is refused by the coordinator.
const CHECKSUM: usize = 4;

/// Where the secret begins: after the prefix, the pin and a dot.
const SECRET_AT: usize = PREFIX.len() + Fingerprint::CHARS + 1;

/// Characters of the secret and the checksum.
const SECRET_CHARS: usize = 27;

/// Length of a join string in characters, all of them ASCII.
pub const JOIN_CHARS: usize = SECRET_AT + SECRET_CHARS;

/// Which coordinator to trust, and what to show to it. `Debug` does not show the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinString {
    /// The coordinator's public key.
    pub pin: Fingerprint,
    /// What it lets agents in for.
    pub secret: Secret,
}

/// Why a text is no join string. Never holds the text: it may be a secret but for one character.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// There is nothing.
    #[error("the join string is empty; copy it from the line that the coordinator prints at its start")]
    Empty,
    /// It does not begin as join strings do.
    #[error("this is no join string: it does not begin with `muster1.`; copy the whole of it")]
    Prefix,
    /// It begins as those of a later format might.
    #[error(
        "the join string is of another version of Muster (it does not begin with `muster1.`); install the same \
         version as the coordinator's"
    )]
    Version,
    /// A character that never occurs in one.
    #[error(
        "character {at} of the join string is {what}, which never occurs in one; copy it again, on one line"
    )]
    Character {
        /// Which character, from 1.
        at: usize,
        /// What stands there.
        what: &'static str,
    },
    /// The end is missing.
    #[error("the join string is cut short: {chars} of {JOIN_CHARS} characters; copy the whole of it")]
    Short {
        /// How long it is.
        chars: usize,
    },
    /// Something stands behind it.
    #[error("the join string is too long: {chars} characters, not {JOIN_CHARS}; copy nothing else with it")]
    Long {
        /// How long it is.
        chars: usize,
    },
    /// Its length is right and its text is not.
    #[error("a character of the join string is wrong (its checksum does not match); copy it again")]
    Checksum,
}

impl JoinString {
    /// Reads a join string; white space around it is left out.
    ///
    /// # Errors
    /// When it is not exactly one.
    pub fn parse(text: &str) -> Result<JoinString, JoinError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(JoinError::Empty);
        }
        if !text.starts_with(PREFIX) {
            let short = PREFIX.starts_with(text).then_some(JoinError::Short { chars: text.chars().count() });
            let digits = text.strip_prefix("muster").and_then(|rest| rest.split_once('.'));
            let other = digits.is_some_and(|(n, _)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
            return Err(short.unwrap_or(if other { JoinError::Version } else { JoinError::Prefix }));
        }
        if let Some((at, c)) = text.chars().enumerate().find(|(_, c)| !is_allowed(*c)) {
            return Err(JoinError::Character { at: at + 1, what: what_it_is(c) });
        }
        match text.len() {
            chars if chars < JOIN_CHARS => return Err(JoinError::Short { chars }),
            chars if chars > JOIN_CHARS => return Err(JoinError::Long { chars }),
            _ => {}
        }
        let pin = &text[PREFIX.len()..SECRET_AT - 1];
        let decoded = URL_SAFE_NO_PAD.decode(&text[SECRET_AT..]).map_err(|_| JoinError::Checksum)?;
        let (secret, sum) = decoded.split_at(Secret::BYTES);
        let secret: [u8; Secret::BYTES] = secret.try_into().expect("split there");
        let pin = Fingerprint::parse(pin).ok_or(JoinError::Checksum)?;
        if text.as_bytes()[SECRET_AT - 1] != b'.' || *sum != checksum(&pin, &secret) {
            return Err(JoinError::Checksum);
        }
        Ok(JoinString { pin, secret: Secret::from_bytes(secret) })
    }

    /// The string itself, with the secret in it: for the operator's eyes and the agent's command line.
    pub fn reveal(&self) -> String {
        let mut end = self.secret.as_bytes().to_vec();
        end.extend(checksum(&self.pin, self.secret.as_bytes()));
        format!("{PREFIX}{}.{}", self.pin, URL_SAFE_NO_PAD.encode(end))
    }
}

fn checksum(pin: &Fingerprint, secret: &[u8; Secret::BYTES]) -> [u8; CHECKSUM] {
    let digest =
        Sha256::new().chain_update(PREFIX).chain_update(pin.as_bytes()).chain_update(secret).finalize();
    digest[..CHECKSUM].try_into().expect("a digest is longer")
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.".contains(c)
}

fn what_it_is(c: char) -> &'static str {
    match c {
        '\n' | '\r' => "a line break",
        c if c.is_whitespace() => "white space",
        '\'' | '"' | '`' => "a quotation mark",
        '…' => "an ellipsis",
        '=' | '+' | '/' => "of another alphabet",
        c if c.is_control() => "a control character",
        c if c.is_ascii() => "punctuation",
        _ => "not ASCII",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn join(seed: u8) -> JoinString {
        let pin = Fingerprint::of(&[seed]);
        JoinString {
            pin,
            secret: Secret::from_bytes(std::array::from_fn(|i| seed.wrapping_mul(7) ^ i as u8)),
        }
    }

    #[test]
    fn what_is_written_is_read_again_and_a_shell_leaves_it_alone() {
        for seed in 0..=255 {
            let text = join(seed).reveal();
            assert_eq!(text.len(), JOIN_CHARS);
            assert!(text.chars().all(is_allowed), "{text}");
            assert_eq!(JoinString::parse(&text), Ok(join(seed)));
            assert_eq!(JoinString::parse(&format!(" {text}\r\n")), Ok(join(seed)), "a file's end");
        }
        assert!(!format!("{:?}", join(1)).contains(&join(1).reveal()[SECRET_AT..]));
    }

    #[test]
    fn mistakes_are_told_apart() {
        let good = join(1).reveal();
        let check = |text: &str, expected: JoinError| {
            assert_eq!(JoinString::parse(text), Err(expected.clone()), "{text}");
            assert!(
                text.trim().is_empty() || !expected.to_string().contains(text),
                "it never shows the text"
            );
        };
        check("", JoinError::Empty);
        check(" \n", JoinError::Empty);
        check("SWMTKN-1-abc", JoinError::Prefix);
        check(&good[1..], JoinError::Prefix);
        check("muster", JoinError::Short { chars: 6 });
        check(&good.replace("muster1.", "muster2."), JoinError::Version);
        check(&good.replace("muster1.", "MUSTER1."), JoinError::Prefix);
        check(&good[..40], JoinError::Short { chars: 40 });
        check(&format!("{good}{good}"), JoinError::Long { chars: 2 * JOIN_CHARS });
        let broken = format!("{}\n{}", &good[..40], &good[40..]);
        check(&broken, JoinError::Character { at: 41, what: "a line break" });
        check(&format!("{good}'"), JoinError::Character { at: 80, what: "a quotation mark" });
        check(&format!("{}…", &good[..20]), JoinError::Character { at: 21, what: "an ellipsis" });
        let dot = format!("{}-{}", &good[..SECRET_AT - 1], &good[SECRET_AT..]);
        check(&dot, JoinError::Checksum);
    }

    proptest! {
        #[test]
        fn any_truncation_and_any_changed_character_is_refused(seed: u8, at in 0..JOIN_CHARS, c in "[ -~äß…\n]") {
            let good = join(seed).reveal();
            prop_assert!(JoinString::parse(&good[..at]).is_err());
            prop_assert!(JoinString::parse(&good[at + 1..]).is_err());
            let changed = format!("{}{c}{}", &good[..at], &good[at + 1..]);
            prop_assert!(changed == good || JoinString::parse(&changed).is_err(), "{}", changed);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,200}") {
            let _ = JoinString::parse(&text);
            let _ = JoinString::parse(&format!("muster1.{text}"));
        }
    }
}

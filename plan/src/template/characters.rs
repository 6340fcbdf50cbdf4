//! `random_string(length, characters)`: text for markers, codes and keys.

use super::environment::invalid;
use super::value;
use crate::rng::UserRng;
use minijinja::{Error, Value};
use rand::RngExt;

/// What a text is made of if the plan does not say.
const DEFAULT: &str = "A-Za-z0-9";
/// Longest text in characters.
const MAX_LENGTH: usize = 100_000;
/// Most different characters to draw from.
const MAX_CHARACTERS: usize = 1000;

pub(super) fn random_string(rng: &mut UserRng, args: &[Value]) -> Result<Value, Error> {
    let wrong = |what: &str| {
        let got: Vec<String> = args.iter().take(3).map(value::excerpt).collect();
        let got = got.join(", ");
        invalid(format!("{what}, got random_string({got}); write for instance `random_string(8, 'A-Z')`"))
    };
    let (length, characters) = match args {
        [length] => (length, DEFAULT),
        [length, characters] => {
            let text = characters.as_str();
            (length, text.ok_or_else(|| wrong("random_string takes its characters as a text"))?)
        }
        _ => return Err(wrong("random_string takes a length, and characters to choose from")),
    };
    let length = length.as_usize().filter(|length| (1..=MAX_LENGTH).contains(length));
    let length = length.ok_or_else(|| wrong("random_string takes a length from 1 to 100000"))?;
    let characters = parse(characters).map_err(wrong)?;
    let text: String =
        (0..length).map(|_| characters[rng.random_range(0..characters.len() as u64) as usize]).collect();
    Ok(Value::from(text))
}

/// The characters that `text` lists; `A-Z` stands for all from the one to the other, and `-` first or last for itself.
fn parse(text: &str) -> Result<Vec<char>, &'static str> {
    let mut characters = Vec::new();
    let mut rest = text.chars();
    while let Some(first) = rest.next() {
        let mut ahead = rest.clone();
        let last = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(last)) => {
                rest = ahead;
                last
            }
            _ => first,
        };
        if last < first {
            return Err("a range of random_string goes from the lower character to the higher one");
        }
        for character in first..=last {
            if characters.len() == MAX_CHARACTERS {
                return Err("random_string chooses from at most 1000 characters");
            }
            characters.push(character);
        }
    }
    if characters.is_empty() { Err("random_string needs characters to choose from") } else { Ok(characters) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_listed_or_given_as_ranges() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let found = parse(text).map(String::from_iter);
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{text}: {found}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        };
        check("A-F", Ok("ABCDEF"));
        check("a-c0-2_", Ok("abc012_"));
        check("abc", Ok("abc"));
        check("-a", Ok("-a"));
        check("a-", Ok("a-"));
        check("-", Ok("-"));
        check("--", Ok("--"));
        check("a-c-e", Ok("abc-e"));
        check("x-x", Ok("x"));
        check("ä-ö", Ok("äåæçèéêëìíîïðñòóôõö"));
        check("", Err("needs characters"));
        check("Z-A", Err("from the lower"));
        check("\u{0}-\u{10ffff}", Err("at most 1000"));
    }
}

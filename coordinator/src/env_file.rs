//! Files of environment variables: `.env`, or the one that `--env-file` names.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Read when no other is named, and only if it is there.
const DEFAULT: &str = ".env";

/// The variable that names another.
const VARIABLE: &str = "LOAD_TEST_ENV_FILE";

/// Largest file, in bytes.
const LARGEST: u64 = 1 << 20;

/// What is written in such a file.
const REMEDY: &str = "write one NAME=VALUE per line";

/// Puts the variables of the file into the environment of this process, which wins where it has them already. `typed` is what
/// `--env-file` says. To be called before there are threads.
///
/// # Errors
/// A file that was named and cannot be read, or one with a line that is not `NAME=VALUE`; without what stands in it, which may
/// be a secret.
pub fn load(typed: Option<&Path>) -> Result<(), String> {
    let variable = || std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    let (source_name, path) = match (typed, variable()) {
        (Some(path), _) => (Some("--env-file"), path.to_owned()),
        (None, Some(path)) => (Some(VARIABLE), path),
        (None, None) => (None, DEFAULT.into()),
    };
    let place = source_name.map_or(String::new(), |name| format!("{name}: "));
    let wrong = |problem: String| format!("{place}{}: {problem}", path.display());
    let text = match read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match source_name {
                None => Ok(()),
                Some(_) => {
                    Err(wrong("there is no such file; name one with a NAME=VALUE per line".to_owned()))
                }
            };
        }
        Err(error) => return Err(wrong(format!("{error}; name a file with a NAME=VALUE per line"))),
    };
    let literal = literal(&text).map_err(wrong)?;
    dotenvy::from_read(literal.as_bytes()).map_err(|_| wrong(format!("it cannot be read; {REMEDY}")))
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::other(format!("it is larger than {LARGEST} bytes")));
    }
    Ok(text)
}

/// The same with every value as it is meant, in single quotes: dotenvy fills `$NAME` in and refuses blanks, and a password
/// that was cut would be found by its failures alone.
fn literal(text: &str) -> Result<String, String> {
    let mut out = String::new();
    for (line, nth) in text.trim_start_matches('\u{feff}').lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) =
            line.split_once('=').ok_or_else(|| format!("line {nth} cannot be read; {REMEDY}"))?;
        let name = name.trim();
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
        if !is_name {
            return Err(format!("line {nth} has no name that a variable may have; {REMEDY}"));
        }
        let value = meant(value.trim()).ok_or_else(|| {
            format!("line {nth} has a quote that is not closed, or text behind it; {REMEDY}")
        })?;
        if value.contains('\0') {
            return Err(format!("line {nth} has a zero byte, which no variable may have; {REMEDY}"));
        }
        let _ = writeln!(out, "{name}='{}'", value.replace('\'', r"'\''"));
    }
    Ok(out)
}

/// A value without its quotes and the comment behind it. In double quotes `\"`, `\\` and `\n` are what they are elsewhere; all else
/// stands for itself. `None` if a quote is not closed, or something stands behind it.
fn meant(value: &str) -> Option<String> {
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        let comment = value.find(" #").or_else(|| value.find("\t#")).unwrap_or(value.len());
        let comment = if value.starts_with('#') { 0 } else { comment };
        return Some(value[..comment].trim_end().to_owned());
    };
    let mut out = String::new();
    let mut rest = value[1..].chars();
    loop {
        match rest.next()? {
            c if c == quote => break,
            '\\' if quote == '"' => match rest.next()? {
                'n' => out.push('\n'),
                c @ ('"' | '\\') => out.push(c),
                c => out.extend(['\\', c]),
            },
            c => out.push(c),
        }
    }
    let behind = rest.as_str().trim_start();
    (behind.is_empty() || behind.starts_with('#')).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What dotenvy makes of it.
    fn parsed(text: &str) -> Result<Vec<(String, String)>, String> {
        let literal = literal(text)?;
        let pairs = dotenvy::from_read_iter(literal.as_bytes());
        Ok(pairs.map(|pair| pair.expect("every value is quoted")).collect())
    }

    #[test]
    fn values_are_what_is_written() {
        let check = |line: &str, expected: &str| {
            let found = parsed(&format!("# before\n\nA=1\n{line}\nZ=2\n")).unwrap();
            let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            assert_eq!(found, [pair("A", "1"), pair("N", expected), pair("Z", "2")], "{line}");
        };
        check("N=plain", "plain");
        check("  export N = plain  ", "plain");
        check("N=", "");
        check("N=pa$word1", "pa$word1");
        check("N=pa$$word${A}", "pa$$word${A}");
        check("N=\"pa$word\"", "pa$word");
        check("N='pa$word'", "pa$word");
        check("N=hello world", "hello world");
        check("N=a#b", "a#b");
        check("N=a # b", "a");
        check("N=# b", "");
        check("N='a # b' # c", "a # b");
        check("N=C:\\dir\\t", "C:\\dir\\t");
        check("N=\"a\\\"b\\\\c\\nd\\te\"", "a\"b\\c\nd\\te");
        check("N=it's", "it's");
        check("N=\"it's\"", "it's");
        check("N=a=b==", "a=b==");
        check("N=ü ß", "ü ß");
        check("N=value\r", "value");
    }

    #[test]
    fn what_is_no_variable_is_named_by_its_line() {
        let check = |text: &str, expected: &str| assert_eq!(parsed(text).unwrap_err(), expected, "{text:?}");
        check("A=1\nsecret words\n", "line 2 cannot be read; write one NAME=VALUE per line");
        check("=1", "line 1 has no name that a variable may have; write one NAME=VALUE per line");
        check("a b=1", "line 1 has no name that a variable may have; write one NAME=VALUE per line");
        check(
            "A='1",
            "line 1 has a quote that is not closed, or text behind it; write one NAME=VALUE per line",
        );
        check(
            "A=\"1\" 2",
            "line 1 has a quote that is not closed, or text behind it; write one NAME=VALUE per line",
        );
        check(
            "\n\nA=a\0b",
            "line 3 has a zero byte, which no variable may have; write one NAME=VALUE per line",
        );
        assert_eq!(parsed("\u{feff}A=1").unwrap().len(), 1);
    }
}

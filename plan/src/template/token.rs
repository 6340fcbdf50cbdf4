//! The tokens of an expression: enough of MiniJinja's lexer to find the closing brace and the free names.

use super::{CompileError, Variable};
use std::ops::Range;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Number,
    /// A string in quotes.
    Text,
    /// An operator, a bracket or anything else.
    Symbol,
}

/// One token and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) range: Range<usize>,
}

/// Where an expression ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// At the end of the text.
    End,
    /// At the `}` that closes the `${` before it.
    Brace,
}

const KEYWORDS: &[&str] =
    &["and", "or", "not", "in", "is", "if", "else", "true", "True", "false", "False", "none", "None"];

/// Whether `name` is part of the language's grammar.
pub(crate) fn is_keyword(name: &str) -> bool {
    KEYWORDS.contains(&name)
}

/// The tokens of `text` from `start`, and where the expression ends.
pub(super) fn scan(text: &str, start: usize, until: Until) -> Result<(Vec<Token>, usize), CompileError> {
    let mut tokens = Vec::new();
    let mut open: Vec<(char, usize)> = Vec::new();
    let mut at = start;
    while let Some(c) = text[at..].chars().next() {
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let after_dot = tokens.last().is_some_and(|t: &Token| &text[t.range.clone()] == ".");
        let (kind, len) = match c {
            '"' | '\'' => (Kind::Text, text_len(text, at)?),
            '0'..='9' => (Kind::Number, number_len(&text.as_bytes()[at..], after_dot)),
            '_' | 'a'..='z' | 'A'..='Z' => (Kind::Name, name_len(&text.as_bytes()[at..])),
            _ => (Kind::Symbol, symbol_len(&text[at..])),
        };
        match c {
            '(' | '[' | '{' => open.push((c, at)),
            '}' if open.is_empty() && until == Until::Brace => return Ok((tokens, at)),
            ')' | ']' | '}' => close(&mut open, c, at)?,
            _ => {}
        }
        tokens.push(Token { kind, range: at..at + len });
        at += len;
    }
    match open.pop() {
        _ if until == Until::Brace => Err(CompileError {
            range: start.saturating_sub(2)..start,
            problem: "this `${` is not closed".into(),
            remedy: Some("close it with `}`, or write `$${` for a literal `${`".into()),
        }),
        Some((bracket, at)) => Err(unclosed(bracket, at)),
        None => Ok((tokens, at)),
    }
}

fn close(open: &mut Vec<(char, usize)>, closing: char, at: usize) -> Result<(), CompileError> {
    match open.pop() {
        Some(('(', _)) if closing == ')' => Ok(()),
        Some(('[', _)) if closing == ']' => Ok(()),
        Some(('{', _)) if closing == '}' => Ok(()),
        Some((bracket, at)) => Err(unclosed(bracket, at)),
        None => Err(CompileError {
            range: at..at + 1,
            problem: format!("this `{closing}` closes nothing"),
            remedy: Some("take it away".into()),
        }),
    }
}

fn unclosed(bracket: char, at: usize) -> CompileError {
    let closing = match bracket {
        '(' => ')',
        '[' => ']',
        _ => '}',
    };
    CompileError {
        range: at..at + 1,
        problem: format!("this `{bracket}` is not closed"),
        remedy: Some(format!("close it with `{closing}`")),
    }
}

fn text_len(text: &str, at: usize) -> Result<usize, CompileError> {
    let bytes = &text.as_bytes()[at..];
    let mut i = 1;
    while let Some(&byte) = bytes.get(i) {
        match byte {
            b'\\' => i += 2,
            _ if byte == bytes[0] => return Ok(i + 1),
            _ => i += 1,
        }
    }
    Err(CompileError {
        range: at..at + 1,
        problem: "the string that begins here has no end".into(),
        remedy: Some(format!("close it with `{}`", char::from(bytes[0]))),
    })
}

/// A number right after a dot is an index: `row.1.0` is `row[1][0]`.
fn number_len(bytes: &[u8], after_dot: bool) -> usize {
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit() || **b == b'_').count();
    if let [b'0', b'x' | b'X' | b'o' | b'O' | b'b' | b'B', ..] = bytes {
        return 2 + name_len(&bytes[2..]);
    }
    let mut len = digits(0);
    if !after_dot && bytes.get(len) == Some(&b'.') && bytes.get(len + 1).is_some_and(u8::is_ascii_digit) {
        len += 1 + digits(len + 1);
    }
    match &bytes[len..] {
        [b'e' | b'E', b'0'..=b'9', ..] => len + 1 + digits(len + 1),
        [b'e' | b'E', b'+' | b'-', b'0'..=b'9', ..] => len + 2 + digits(len + 2),
        _ => len,
    }
}

fn name_len(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count()
}

fn symbol_len(text: &str) -> usize {
    match text.as_bytes() {
        [b'/', b'/', ..] | [b'*', b'*', ..] | [b'=' | b'!' | b'<' | b'>', b'=', ..] => 2,
        _ => text.chars().next().map_or(0, char::len_utf8),
    }
}

/// The role of the name at `index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Free,
    Filter,
    Test,
    /// A keyword, an attribute or the name of an argument.
    Other,
}

fn role(text: &str, tokens: &[Token], index: usize) -> Role {
    let word = |i: usize| tokens.get(i).map(|t| &text[t.range.clone()]);
    let before = |n: usize| index.checked_sub(n).and_then(word);
    let name = word(index).unwrap_or_default();
    match (before(2), before(1)) {
        (_, Some("is")) if name == "not" => return Role::Other,
        (_, Some("|")) => return Role::Filter,
        (Some("is"), Some("not")) => return Role::Test,
        (dot, Some("is")) if dot != Some(".") => return Role::Test,
        (_, Some(".")) => return Role::Other,
        _ => {}
    }
    if KEYWORDS.contains(&name) || word(index + 1) == Some("=") { Role::Other } else { Role::Free }
}

/// The free names in the order in which they stand; ranges are those of the tokens.
pub(super) fn variables(text: &str, tokens: &[Token]) -> Vec<Variable> {
    let free = |&i: &usize| tokens[i].kind == Kind::Name && role(text, tokens, i) == Role::Free;
    (0..tokens.len()).filter(free).map(|i| variable(text, tokens, i)).collect()
}

fn variable(text: &str, tokens: &[Token], index: usize) -> Variable {
    let word = |i: usize| tokens.get(i).map(|t| (t.kind, &text[t.range.clone()]));
    let mut path = vec![text[tokens[index].range.clone()].to_owned()];
    let mut last = index;
    loop {
        match (word(last + 1), word(last + 2), word(last + 3)) {
            (Some((_, ".")), Some((Kind::Name, name)), _) => {
                path.push(name.to_owned());
                last += 2;
            }
            (Some((_, "[")), Some((Kind::Text, key)), Some((_, "]"))) if !key.contains('\\') => {
                path.push(key[1..key.len() - 1].to_owned());
                last += 3;
            }
            (next, _, _) => {
                let called = next == Some((Kind::Symbol, "("));
                return Variable { path, range: tokens[index].range.start..tokens[last].range.end, called };
            }
        }
    }
}

/// Names of filters and tests that do not exist here, and expressions that are too large to be meant.
pub(super) fn check(text: &str, tokens: &[Token]) -> Result<(), CompileError> {
    check_operators(text, tokens)?;
    for (i, token) in tokens.iter().enumerate().filter(|(_, t)| t.kind == Kind::Name) {
        let (what, known) = match role(text, tokens, i) {
            Role::Filter => ("filter", super::environment::FILTERS),
            Role::Test => ("test", super::environment::TESTS),
            Role::Free | Role::Other => continue,
        };
        let name = &text[token.range.clone()];
        if !known.contains(&name) {
            let near = known
                .iter()
                .max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)));
            let remedy = match near.filter(|near| strsim::jaro_winkler(name, near) > 0.8) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", known.join(", ")),
            };
            return Err(CompileError {
                range: token.range.clone(),
                problem: format!("there is no {what} `{name}`"),
                remedy: Some(remedy),
            });
        }
    }
    check_size(text, tokens)
}

/// Operators of other languages, and how they are written here.
fn check_operators(text: &str, tokens: &[Token]) -> Result<(), CompileError> {
    for (i, token) in tokens.iter().enumerate().filter(|(_, t)| t.kind == Kind::Symbol) {
        let next = tokens.get(i + 1).filter(|next| next.range.start == token.range.end);
        let end = next.map_or(token.range.end, |next| next.range.end);
        let (range, remedy) = match (&text[token.range.clone()], next.map(|n| &text[n.range.clone()])) {
            ("&", Some("&")) => (token.range.start..end, "write `and`"),
            ("|", Some("|")) => (token.range.start..end, "write `or`"),
            ("==", Some("=")) => (token.range.start..end, "write `==`"),
            ("!=", Some("=")) => (token.range.start..end, "write `!=`"),
            ("!", _) => (token.range.clone(), "write `not`"),
            ("?", _) => (token.range.clone(), "write `a if condition else b`"),
            _ => continue,
        };
        let problem = format!("there is no operator `{}`", &text[range.clone()]);
        return Err(CompileError { range, problem, remedy: Some(remedy.into()) });
    }
    Ok(())
}

/// Most tokens in an expression.
const MAX_TOKENS: usize = 4096;
/// Most operators and brackets in an expression. The compiler recurses once per operator.
const MAX_OPERATORS: usize = 256;
/// Most multiplications in an expression: each may repeat a string to 100 MB.
const MAX_PRODUCTS: usize = 4;

fn check_size(text: &str, tokens: &[Token]) -> Result<(), CompileError> {
    let words = || tokens.iter().filter(|t| t.kind != Kind::Text).map(|t| &text[t.range.clone()]);
    let operators = words().filter(|w| !matches!(*w, "," | ":" | ")" | "]" | "}"));
    let operators =
        operators.filter(|w| KEYWORDS.contains(w) || !w.starts_with(|c: char| c.is_alphanumeric()));
    let counts = [
        (tokens.len(), MAX_TOKENS, "tokens"),
        (operators.count(), MAX_OPERATORS, "operators"),
        (words().filter(|w| *w == "*").count(), MAX_PRODUCTS, "multiplications"),
    ];
    for (count, limit, what) in counts {
        if count > limit {
            return Err(CompileError {
                range: tokens[0].range.start..tokens[tokens.len() - 1].range.end,
                problem: format!("the expression has {count} {what}; at most {limit} are allowed"),
                remedy: Some("split it, or move the values into a data file".into()),
            });
        }
    }
    Ok(())
}

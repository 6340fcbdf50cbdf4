//! Text from outside, made harmless for a terminal.

/// `text` in at most `width` columns: what cannot be printed (control characters, escape sequences, marks that
/// turn the direction of text) is shown as an escape, and what does not fit is replaced by `…`.
pub(crate) fn fit(text: &str, width: usize) -> String {
    let escaped = escape(text);
    if columns(&escaped) <= width {
        return escaped;
    }
    let mut fitted = String::new();
    let mut left = width.saturating_sub(1);
    for c in escaped.chars() {
        let Some(rest) = left.checked_sub(column_width(c)) else { break };
        left = rest;
        fitted.push(c);
    }
    fitted.push('…');
    fitted
}

/// `text` without anything that a terminal would act on.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\'' | '"' | '\\' => escaped.push(c),
            _ => escaped.extend(c.escape_debug()),
        }
    }
    escaped
}

/// Columns that escaped text takes.
pub(crate) fn columns(escaped: &str) -> usize {
    escaped.chars().map(column_width).sum()
}

/// 2 from the first East Asian wide letters on, which is never too few for a printable character.
fn column_width(c: char) -> usize {
    if c < '\u{1100}' || ('\u{2010}'..='\u{2027}').contains(&c) { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_shown_not_acted_on() {
        let check = |text: &str, width: usize, expected: &str| assert_eq!(fit(text, width), expected);
        check("GET /api/v1/me", 14, "GET /api/v1/me");
        check("GET /api/v1/me", 13, "GET /api/v1/…");
        check("a\u{1b}[2J\r\nb", 40, "a\\u{1b}[2J\\r\\nb");
        check("\u{202e}evil\u{200b}", 40, "\\u{202e}evil\\u{200b}");
        check("it's \"C:\\x\"", 40, "it's \"C:\\x\"");
        check("日本語の名前", 7, "日本語…");
        check("", 0, "");
        check("abc", 0, "…");
    }
}

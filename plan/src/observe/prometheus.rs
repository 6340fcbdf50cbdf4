//! The text that Prometheus scrapes (version 0.0.4, and what OpenMetrics adds to a line).

use std::borrow::Cow;

/// The samples of an answer.
#[derive(Debug)]
pub(super) struct Exposition<'a> {
    pub(super) samples: Vec<MetricSample<'a>>,
}

/// One line: a series and its value.
#[derive(Debug, PartialEq)]
pub(super) struct MetricSample<'a> {
    pub(super) name: &'a str,
    labels: Vec<(&'a str, Cow<'a, str>)>,
    pub(super) value: f64,
}

impl MetricSample<'_> {
    /// The value of a label; a label that is not there is empty, as in PromQL.
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }
}

impl<'a> Exposition<'a> {
    /// Reads `body`; or gives the number of the first line that is none, from 1 on.
    pub(super) fn parse(body: &'a [u8]) -> Result<Exposition<'a>, usize> {
        let text = std::str::from_utf8(body)
            .map_err(|error| body[..error.valid_up_to()].split(|byte| *byte == b'\n').count())?;
        let mut samples = Vec::new();
        for (line, number) in text.lines().zip(1_usize..) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            samples.push(sample(line).ok_or(number)?);
        }
        if samples.is_empty() && !text.contains('#') { Err(1) } else { Ok(Exposition { samples }) }
    }
}

/// `NAME{LABEL="VALUE",…} VALUE [TIME] [# EXEMPLAR]`
fn sample(line: &str) -> Option<MetricSample<'_>> {
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    if !is_metric_name(name) {
        return None;
    }
    let rest = rest.trim_start();
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let mut words = rest.split_whitespace();
    let value = number(words.next()?)?;
    match words.next() {
        None | Some("#") => {}
        Some(time) => {
            time.parse::<f64>().ok()?;
            if words.next().is_some_and(|word| word != "#") {
                return None;
            }
        }
    }
    Some(MetricSample { name, labels, value })
}

/// What follows `{`, up to and without `}`; and the rest.
#[allow(clippy::type_complexity, reason = "one use")]
fn labels(mut rest: &str) -> Option<(Vec<(&str, Cow<'_, str>)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start().strip_prefix('"')?;
        let end = closing_quote(after)?;
        let name = name.trim_end();
        if !is_label_name(name) {
            return None;
        }
        labels.push((name, unescaped(&after[..end])));
        rest = after[end + 1..].trim_start();
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest.starts_with('}') => {}
            None => return None,
        }
    }
}

/// Where the text ends that began with a quote.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n') => plain.push('\n'),
                other => plain.push(other.unwrap_or('\\')),
            },
            other => plain.push(other),
        }
    }
    Cow::Owned(plain)
}

fn number(text: &str) -> Option<f64> {
    let plain = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
    match text {
        "NaN" => Some(f64::NAN),
        "+Inf" | "Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        _ if text.chars().all(plain) => text.parse().ok(),
        _ => None,
    }
}

/// Whether it may name a metric.
pub(super) fn is_metric_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether it may name a label.
pub(super) fn is_label_name(name: &str) -> bool {
    is_metric_name(name) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

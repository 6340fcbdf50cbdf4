//! Builds the tree from the parser's events, within a budget.

use super::node::{Entry, Node, Scalar, Style, Value};
use crate::diagnostic::{Problem, Problems, Span, shown};
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};
use std::collections::HashMap;

/// Largest plan in bytes.
const MAX_SOURCE: usize = 1 << 20;
/// Most nodes, those that aliases repeat included.
const MAX_NODES: usize = 100_000;
/// Deepest nesting, that of aliased nodes included.
const MAX_DEPTH: usize = 64;
/// Most bytes of scalars, those that aliases repeat included.
const MAX_TEXT: usize = 4 * MAX_SOURCE;

/// Reads one YAML document. `None` when there is none or it breaks off; duplicate keys and the like are
/// reported and left out of the tree.
pub(crate) fn load(source: &str, problems: &mut Problems) -> Option<Node> {
    if source.len() > MAX_SOURCE {
        let problem = format!("the plan has {} bytes; the limit is {MAX_SOURCE}", source.len());
        problems.push(Problem::new(Span::default(), problem, "split it, or move data out of the plan"));
        return None;
    }
    let mut loader = Loader::new(source, problems);
    match loader.run() {
        Ok(root) => root,
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

/// A collection whose end has not come yet.
struct Open {
    span: Span,
    anchor: usize,
    value: Value,
    /// Of a mapping: the key whose value comes next. `Refused` keys drop their value.
    key: Key,
    /// Of a mapping: its keys so far.
    keys: HashMap<String, Span>,
}

enum Key {
    Next,
    Known(String, Span),
    Refused,
}

struct Loader<'a, 'p> {
    source: &'a str,
    /// Byte offset of each character; empty if all are one byte long.
    offsets: Vec<usize>,
    problems: &'p mut Problems,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    text: usize,
    root: Option<Node>,
}

impl<'a, 'p> Loader<'a, 'p> {
    fn new(source: &'a str, problems: &'p mut Problems) -> Loader<'a, 'p> {
        let offsets =
            if source.is_ascii() { Vec::new() } else { source.char_indices().map(|(at, _)| at).collect() };
        Loader {
            source,
            offsets,
            problems,
            open: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            text: 0,
            root: None,
        }
    }

    fn run(&mut self) -> Result<Option<Node>, Problem> {
        let mut parser = Parser::new_from_str(self.source);
        let mut documents = 0;
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|e| self.syntax(&e))?;
            let span = self.span(span);
            match event {
                Event::DocumentStart(_) => documents += 1,
                Event::StreamEnd => break,
                _ => {}
            }
            if documents > 1 {
                let remedy = "keep one plan per file: remove the `---` and what follows";
                return Err(Problem::new(span, "a second YAML document begins here", remedy));
            }
            self.event(event, span)?;
        }
        let root = self.root.take();
        if root.is_none() {
            let remedy = "a plan begins with `version: 1`, `name:`, `target:`, `load:` and `users:`";
            return Err(Problem::new(Span::default(), "the plan is empty", remedy));
        }
        Ok(root)
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), span);
                let node = self.scalar(text.into_owned(), style, span);
                self.add(node, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), span);
                self.begin(Value::Sequence(Vec::new()), anchor, span)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), span);
                self.begin(Value::Mapping(Vec::new()), anchor, span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    let remedy = "close the anchored value before the alias";
                    return Err(Problem::new(span, "an alias inside the value that it stands for", remedy));
                };
                let (nodes, text, depth) = weigh(node);
                if self.open.len() + depth > MAX_DEPTH {
                    return Err(too_deep(span));
                }
                self.spend(nodes.saturating_sub(1), text, span)?;
                let node = self.anchors[&anchor].clone();
                self.add(node, 0)
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn scalar(&self, text: String, style: ScalarStyle, span: Span) -> Node {
        // The parser counts white space and a comment after a quoted scalar, and the line break after a block, to it.
        let raw = self.source[span.range()].trim_end();
        let raw = &raw[..quoted_length(raw).unwrap_or(raw.len())];
        let span = Span { start: span.start, end: span.start + raw.len() };
        let plain = style == ScalarStyle::Plain;
        let verbatim_at = match style {
            ScalarStyle::Plain => raw.ends_with(&text).then(|| span.end - text.len()),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                let inner = raw.get(..raw.len().saturating_sub(1)).unwrap_or_default();
                inner.ends_with(&text).then(|| span.end - 1 - text.len())
            }
            ScalarStyle::Literal | ScalarStyle::Folded => None,
        };
        let style = if plain { Style::Plain } else { Style::Quoted };
        Node { span, value: Value::Scalar(Scalar { text, style, verbatim_at }) }
    }

    fn begin(&mut self, value: Value, anchor: usize, span: Span) -> Result<(), Problem> {
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(span));
        }
        self.open.push(Open { span, anchor, value, key: Key::Next, keys: HashMap::new() });
        Ok(())
    }

    fn end(&mut self, span: Span) -> Result<(), Problem> {
        let open = self.open.pop().expect("the parser ends only what it began");
        let last = match &open.value {
            Value::Sequence(items) => items.last().map(|n| n.span.end),
            Value::Mapping(entries) => entries.last().map(|e| e.value.span.end.max(e.key_span.end)),
            Value::Scalar(_) => None,
        };
        // A block collection has no end of its own: the parser reports where the next thing begins.
        let end = if span.start == span.end { last.unwrap_or(open.span.end) } else { span.end };
        let end = self.source[..end].trim_end().len();
        let span = Span { start: open.span.start, end: end.max(open.span.start) };
        self.add(Node { span, value: open.value }, open.anchor)
    }

    /// A complete node: an item, a key, a key's value or the root.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        let text = node.scalar().map_or(0, |s| s.text.len());
        self.spend(1, text, node.span)?;
        if anchor != 0 {
            let (nodes, text, _) = weigh(&node);
            self.spend(nodes, text, node.span)?;
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.value {
            Value::Sequence(items) => items.push(node),
            Value::Mapping(entries) => match std::mem::replace(&mut open.key, Key::Next) {
                Key::Next => open.key = key(node, &mut open.keys, self.problems),
                Key::Known(key, key_span) => entries.push(entry(key, key_span, node)),
                Key::Refused => {}
            },
            Value::Scalar(_) => unreachable!("scalars are never open"),
        }
        Ok(())
    }

    fn spend(&mut self, nodes: usize, text: usize, span: Span) -> Result<(), Problem> {
        self.nodes += nodes;
        self.text += text;
        if self.nodes > MAX_NODES || self.text > MAX_TEXT {
            let problem = format!(
                "the plan is too large here: more than {MAX_NODES} values or {MAX_TEXT} bytes of text, \
                 aliases written out"
            );
            return Err(Problem::new(span, problem, "use fewer aliases, or split the plan"));
        }
        Ok(())
    }

    fn refuse_tag(&mut self, tagged: bool, span: Span) {
        if tagged {
            let remedy = "remove the tag; quote the value to make it text";
            self.problems.push(Problem::new(
                span,
                "YAML tags (`!…`) are not part of the plan language",
                remedy,
            ));
        }
    }

    fn span(&self, span: saphyr_parser::Span) -> Span {
        let start = self.offset(span.start.index());
        Span { start, end: self.offset(span.end.index()).max(start) }
    }

    /// The parser counts characters.
    fn offset(&self, characters: usize) -> usize {
        if self.offsets.is_empty() {
            characters.min(self.source.len())
        } else {
            self.offsets.get(characters).copied().unwrap_or(self.source.len())
        }
    }

    fn syntax(&self, error: &ScanError) -> Problem {
        let mut at = self.offset(error.marker().index());
        if speaks_of_tabs(error.info()) {
            // The parser points at the value before it.
            at += self.source[at..].find('\t').unwrap_or(0);
        }
        let rest = &self.source[at..];
        let span = Span { start: at, end: at + rest.chars().next().map_or(0, char::len_utf8) };
        let start = self.source[..at].rfind('\n').map_or(0, |n| n + 1);
        let line = self.source[start..].lines().next().unwrap_or_default();
        Problem::new(span, format!("not valid YAML: {}", error.info()), remedy(error.info(), line, rest))
    }
}

/// Whether the parser complains about a tab (and not, say, of something unprintable).
fn speaks_of_tabs(info: &str) -> bool {
    info.split(|c: char| !c.is_alphabetic()).any(|word| word == "tab" || word == "tabs")
}

/// What most likely went wrong on `line`; `rest` begins at the place that the parser complains about.
fn remedy(info: &str, line: &str, rest: &str) -> &'static str {
    if info.contains("quoted scalar") {
        "close the quote that opens here"
    } else if info.contains("control character") || rest.starts_with('\0') || info.contains("unprintable") {
        "remove the character that cannot be printed"
    } else if speaks_of_tabs(info) || line.trim_start_matches(' ').starts_with('\t') || line.ends_with('\t') {
        "indent with spaces; YAML does not allow tabs there"
    } else if info.contains("unknown anchor") {
        "define the anchor (`&name`) above its alias (`*name`)"
    } else if line.contains("${") && line.contains(['{', '[']) && !rest.starts_with(['@', '`', '%']) {
        "inside `{ }` and `[ ]` a text with `${…}` has to be quoted: \"…${…}…\""
    } else if rest.starts_with(['@', '`', '%', '"', '\'', '*', '&', '!', '|', '>']) {
        "put the whole value in quotes; if it is, see that the quotes are closed"
    } else if info.contains("mapping values are not allowed") || info.contains("':'") {
        "indent keys of one mapping alike, close brackets above, and quote a value that contains `: `"
    } else {
        "look at the indentation, quotes and brackets of this line and of the one above"
    }
}

fn too_deep(span: Span) -> Problem {
    Problem::new(span, format!("nested more than {MAX_DEPTH} levels deep"), "flatten this part of the plan")
}

fn entry(key: String, key_span: Span, mut value: Node) -> Entry {
    // `key:` without a value: the parser's place for what is not there may be anywhere up to the next key.
    if value.span.start == value.span.end || value.scalar().is_some_and(is_absent) {
        value.span = key_span;
    }
    Entry { key, key_span, value }
}

fn is_absent(scalar: &Scalar) -> bool {
    scalar.text.is_empty() && scalar.style == Style::Plain
}

fn key(node: Node, keys: &mut HashMap<String, Span>, problems: &mut Problems) -> Key {
    let Value::Scalar(scalar) = node.value else {
        let remedy = "a key is a word; templates are written `${…}`, and in quotes where YAML asks for it";
        problems.push(Problem::new(node.span, "a key that is a list or a mapping", remedy));
        return Key::Refused;
    };
    if scalar.text == "<<" && scalar.style == Style::Plain {
        let remedy = "write the keys out, or use an alias for a whole value (`key: *name`)";
        problems.push(Problem::new(node.span, "merge keys (`<<`) are not part of YAML 1.2", remedy));
        return Key::Refused;
    }
    if let Some(first) = keys.insert(scalar.text.clone(), node.span) {
        let problem = format!("the key {} is here twice", shown(&scalar.text));
        problems.push(
            Problem::new(node.span, problem, "remove one of the two, or rename it")
                .label("again")
                .related(first, "first here"),
        );
        return Key::Refused;
    }
    Key::Known(scalar.text, node.span)
}

/// Nodes, bytes of text and depth of a tree.
fn weigh(node: &Node) -> (usize, usize, usize) {
    let add = |(n, t, d): (usize, usize, usize), child: &Node| {
        let (nodes, text, depth) = weigh(child);
        (n + nodes, t + text, d.max(depth))
    };
    let (nodes, text, depth) = match &node.value {
        Value::Scalar(scalar) => return (1, scalar.text.len(), 0),
        Value::Sequence(items) => items.iter().fold((0, 0, 0), add),
        Value::Mapping(entries) => entries.iter().fold((0, 0, 0), |sum, e| {
            let (nodes, text, depth) = add(sum, &e.value);
            (nodes + 1, text + e.key.len(), depth)
        }),
    };
    (nodes + 1, text, depth + 1)
}

/// Bytes from a quote to the one that closes it, both included; `None` for what is not quoted.
fn quoted_length(raw: &str) -> Option<usize> {
    let quote = raw.bytes().next().filter(|byte| matches!(byte, b'"' | b'\''))?;
    let mut bytes = raw.bytes().enumerate().skip(1).peekable();
    while let Some((at, byte)) = bytes.next() {
        let is_escape = match quote {
            b'"' => byte == b'\\',
            _ => byte == quote && bytes.peek().is_some_and(|&(_, next)| next == quote),
        };
        if is_escape {
            bytes.next();
        } else if byte == quote {
            return Some(at + 1);
        }
    }
    None
}

//! What is wrong with a plan: the place, the value, the limit and the remedy.

mod problem;
mod render;

pub(crate) use problem::{Problem, Problems, Span, shown};
use render::Colour;
use std::ops::Range;

/// One thing that is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted from 1 in characters.
    pub column: usize,
    /// The bytes of the plan's text at fault; on character boundaries.
    pub span: Range<usize>,
    /// What is wrong.
    pub problem: String,
    /// A few words that stand right beside the place; may be empty.
    pub label: String,
    /// What to write instead.
    pub remedy: String,
    /// Another place that has to do with it, and what it is.
    pub related: Option<(Range<usize>, String)>,
}

/// Everything that is wrong with a plan, in the order of the text; never empty.
///
/// `Display` shows at most [`SHOWN`](Diagnostics::SHOWN) of them the way rustc does, without colour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    file: String,
    source: String,
    all: Vec<Diagnostic>,
}

impl Diagnostics {
    /// How many are shown before `… and N more`.
    pub const SHOWN: usize = 20;

    /// Says where `problems` are.
    ///
    /// # Panics
    /// When there are none.
    pub(crate) fn new(file: &str, source: &str, problems: Problems) -> Diagnostics {
        let diagnostics = located(source, problems);
        assert!(!diagnostics.is_empty(), "diagnostics say at least one thing");
        Diagnostics { file: file.to_owned(), source: source.to_owned(), all: diagnostics }
    }

    /// The file's name as the user gave it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The text of the plan.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// All of them, in the order of the text.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.all.iter()
    }

    /// How many there are; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// What `Display` shows, with ANSI colours for a terminal.
    pub fn coloured(&self) -> String {
        render::render(self, Colour::Ansi)
    }
}

/// Sorts `problems` and says where they are; the same thing said twice (of an alias, say) counts once.
pub(crate) fn located(source: &str, problems: Problems) -> Vec<Diagnostic> {
    let mut problems = problems.into_vec();
    problems.sort_by_key(|p| (p.span.start, p.span.end));
    let mut lines = Lines::new(source);
    let mut diagnostics: Vec<Diagnostic> = Vec::with_capacity(problems.len());
    for problem in problems {
        let (line, column) = lines.position(problem.span.start);
        let diagnostic = Diagnostic {
            line,
            column,
            span: problem.span.range(),
            problem: problem.what,
            label: problem.label,
            remedy: problem.remedy,
            related: problem.related.map(|related| (related.0.range(), related.1)),
        };
        if !diagnostics.contains_recently(&diagnostic) {
            diagnostics.push(diagnostic);
        }
    }
    diagnostics
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl std::fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&render::render(self, Colour::None))
    }
}

impl std::error::Error for Diagnostics {}

/// Sorted diagnostics repeat themselves only next to each other: on the same span.
trait ContainsRecently {
    fn contains_recently(&self, diagnostic: &Diagnostic) -> bool;
}

impl ContainsRecently for Vec<Diagnostic> {
    fn contains_recently(&self, diagnostic: &Diagnostic) -> bool {
        self.iter().rev().take_while(|d| d.span == diagnostic.span).any(|d| d == diagnostic)
    }
}

/// Turns ascending byte offsets into lines and columns in one pass over the text.
struct Lines<'a> {
    source: &'a str,
    line: usize,
    line_start: usize,
    /// Everything before this offset has been looked at.
    seen: usize,
}

impl<'a> Lines<'a> {
    fn new(source: &'a str) -> Lines<'a> {
        let line_start = if source.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
        Lines { source, line: 1, line_start, seen: line_start }
    }

    fn position(&mut self, offset: usize) -> (usize, usize) {
        let offset = offset.max(self.seen);
        for (at, _) in self.source[self.seen..offset].match_indices('\n') {
            self.line += 1;
            self.line_start = self.seen + at + 1;
        }
        self.seen = offset;
        (self.line, self.source[self.line_start..offset].chars().count() + 1)
    }
}

/// Not part of the first line's columns.
const BYTE_ORDER_MARK: char = '\u{feff}';

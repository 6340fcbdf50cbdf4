//! A problem as the reader finds it, before lines are counted.

use std::ops::Range;

/// Bytes of the plan's text, on character boundaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    pub(crate) fn new(range: Range<usize>) -> Span {
        Span { start: range.start, end: range.end }
    }

    pub(crate) fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// What is wrong at a place.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(super) span: Span,
    pub(super) what: String,
    pub(super) label: String,
    pub(super) remedy: String,
    pub(super) related: Option<Box<(Span, String)>>,
}

impl Problem {
    pub(crate) fn new(span: Span, problem: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem { span, what: problem.into(), label: String::new(), remedy: remedy.into(), related: None }
    }

    /// A few words right beside the place.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Problem {
        self.label = label.into();
        self
    }

    /// Another place that has to do with it.
    pub(crate) fn related(mut self, span: Span, what: impl Into<String>) -> Problem {
        self.related = Some(Box::new((span, what.into())));
        self
    }
}

/// The problems found so far. Bounded: a plan made of nothing but mistakes costs no more than its text.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: Vec<Problem>,
}

impl Problems {
    /// More than anyone reads; beyond it, problems are dropped.
    const MAX: usize = 1000;

    /// Adds a problem, unless the very same one is there: a flow is read at each of its calls.
    pub(crate) fn push(&mut self, problem: Problem) {
        let same = |other: &Problem| {
            (other.span, &other.what, &other.related) == (problem.span, &problem.what, &problem.related)
        };
        if !self.is_full() && !self.found.iter().any(same) {
            self.found.push(problem);
        }
    }

    /// Whether further problems would be dropped, so that looking for them is in vain.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() >= Problems::MAX
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(super) fn into_vec(self) -> Vec<Problem> {
        self.found
    }
}

/// `text` between back quotes, as it may stand in a message: bounded, on one line, nothing that a terminal obeys.
pub(crate) fn shown(text: &str) -> String {
    const MAX: usize = 60;
    let mut out = String::from("`");
    for (n, c) in text.chars().enumerate() {
        if n == MAX {
            out.push('…');
            break;
        }
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out.push('`');
    out
}

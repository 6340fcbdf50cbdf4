//! Diagnostics as text, the way rustc shows its own.

use super::{BYTE_ORDER_MARK, Diagnostic, Diagnostics};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::fmt::Write as _;
use std::ops::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    None,
    Ansi,
}

/// At most [`Diagnostics::SHOWN`] of them, one blank line apart.
pub(super) fn render(diagnostics: &Diagnostics, colour: Colour) -> String {
    let renderer = match colour {
        Colour::None => Renderer::plain(),
        Colour::Ansi => Renderer::styled(),
    };
    let all = &diagnostics.all;
    let mut out = all
        .iter()
        .take(Diagnostics::SHOWN)
        .map(|d| renderer.render(&[group(diagnostics, d)]))
        .collect::<Vec<_>>()
        .join("\n\n");
    if let Some(more) = all.len().checked_sub(Diagnostics::SHOWN).filter(|&n| n > 0) {
        let _ = write!(out, "\n\n… and {more} more");
    }
    out
}

fn group<'a>(diagnostics: &'a Diagnostics, d: &'a Diagnostic) -> Group<'a> {
    let source = &diagnostics.source;
    let primary = one_line(source, &d.span);
    let related = d.related.as_ref().map(|(span, what)| (one_line(source, span), what));
    let (mut from, mut to, mut line) = (primary.start, primary.end, d.line);
    if let Some((other, _)) = &related {
        if other.start < from {
            line -= source[other.start..from].matches('\n').count();
        }
        (from, to) = (from.min(other.start), to.max(other.end));
    }
    let window = line_start(source, from)..line_end(source, to);
    let within = |span: &Range<usize>| span.start - window.start..span.end - window.start;

    let mut annotation = AnnotationKind::Primary.span(within(&primary));
    if !d.label.is_empty() {
        annotation = annotation.label(&d.label);
    }
    let mut snippet = Snippet::source(&source[window.clone()])
        .path(&diagnostics.file)
        .line_start(line)
        .annotation(annotation);
    if let Some((span, what)) = &related {
        snippet = snippet.annotation(AnnotationKind::Context.span(within(span)).label(*what));
    }
    Level::ERROR.primary_title(&d.problem).element(snippet).element(Level::HELP.message(&d.remedy))
}

/// The part of `span` that is on its first line.
fn one_line(source: &str, span: &Range<usize>) -> Range<usize> {
    let end = line_end(source, span.start).max(span.start);
    span.start..span.end.clamp(span.start, end)
}

fn line_start(source: &str, offset: usize) -> usize {
    let mark = if source.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
    source[..offset].rfind('\n').map_or(mark, |at| at + 1).min(offset)
}

fn line_end(source: &str, offset: usize) -> usize {
    let end = source[offset..].find('\n').map_or(source.len(), |at| offset + at);
    if source[offset..end].ends_with('\r') { end - 1 } else { end }
}

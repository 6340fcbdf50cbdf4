//! An element of an HTML document, found by a CSS selector while the document streams by: no tree is built, so
//! that hostile documents cost little memory and time.

use crate::template::{CompileError, escaped};
use lol_html::errors::RewritingError;
use lol_html::html_content::{Element, TextChunk};
use lol_html::{ElementContentHandlers, HtmlRewriter, MemorySettings, Selector, Settings};
use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// Longest selector in bytes.
const MAX_BYTES: usize = 1024;
/// Largest HTML document in bytes.
const MAX_DOCUMENT: usize = 2 << 20;
/// Memory for the elements that are open, in bytes: enough for about two thousand within each other. Each end
/// tag is looked up in all of them.
const MAX_OPEN: usize = 256 << 10;

/// A CSS selector, and what of the element it finds.
pub struct Selection {
    source: String,
    selector: Selector,
    /// The attribute; its text without one.
    pub attribute: Option<String>,
}

impl fmt::Debug for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Selection").field(&self.source).field(&self.attribute).finish()
    }
}

/// How far the search has come.
#[derive(Debug, PartialEq)]
enum Search {
    Looking,
    /// The text so far of the element, which is open.
    Inside(String),
    Found(String),
}

/// Ends a search that has found what it looks for.
#[derive(Debug, thiserror::Error)]
#[error("found")]
struct Enough;

impl Selection {
    /// Compiles a CSS selector: types, classes, ids, attributes, `:not()`, `:nth-child()`, descendants (`a b`) and
    /// children (`a > b`).
    pub fn compile(text: &str, attribute: Option<String>) -> Result<Selection, CompileError> {
        let refused = |problem: String, remedy: &str| {
            Err(CompileError { range: 0..text.len(), problem, remedy: Some(remedy.to_owned()) })
        };
        if text.len() > MAX_BYTES {
            let problem = format!("the selector has {} bytes; at most {MAX_BYTES} are allowed", text.len());
            return refused(problem, "write a shorter one");
        }
        match text.parse::<Selector>() {
            Ok(selector) => Ok(Selection { source: text.to_owned(), selector, attribute }),
            Err(error) => {
                let why = escaped(error.to_string().trim_end_matches('.'), 120);
                refused(format!("not a CSS selector: {why}"), "write for instance `input[name=csrf]`")
            }
        }
    }

    /// The selector as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The attribute or the text of the first element that has it.
    pub(super) fn find(&self, body: &[u8]) -> Result<Option<String>, String> {
        if body.len() > MAX_DOCUMENT {
            return Err(format!("an HTML body of {} bytes; the limit is {MAX_DOCUMENT}", body.len()));
        }
        let search = Rc::new(RefCell::new(Search::Looking));
        let mut settings = Settings::new();
        settings.strict = false;
        settings.memory_settings = MemorySettings::new();
        settings.memory_settings.max_allowed_memory_usage = MAX_OPEN;
        settings.element_content_handlers = vec![(Cow::Borrowed(&self.selector), self.handlers(&search))];
        let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| {});
        // In pieces: an unfinished tag is kept, and counts towards the limit.
        let read = body.chunks(64 << 10).try_for_each(|piece| rewriter.write(piece));
        let ended = read.and_then(|()| rewriter.end());
        match ended {
            Ok(()) => {}
            Err(RewritingError::ContentHandlerError(error)) if error.is::<Enough>() => {}
            Err(RewritingError::MemoryLimitExceeded(_)) => {
                return Err(
                    "an HTML body with too many elements within each other, or too large a tag".to_owned()
                );
            }
            Err(error) => {
                return Err(format!("the HTML body cannot be read: {}", escaped(&error.to_string(), 120)));
            }
        }
        let found = match search.replace(Search::Looking) {
            Search::Looking => None,
            Search::Inside(text) | Search::Found(text) => Some(text),
        };
        Ok(found.map(|text| html_escape::decode_html_entities(&text).trim().to_owned()))
    }

    fn handlers(&self, search: &Rc<RefCell<Search>>) -> ElementContentHandlers<'_> {
        let handlers = ElementContentHandlers::default();
        if let Some(attribute) = &self.attribute {
            let search = Rc::clone(search);
            return handlers.element(move |element: &mut Element<'_, '_>| {
                let Some(value) = element.get_attribute(attribute) else { return Ok(()) };
                search.replace(Search::Found(value));
                Err(Enough.into())
            });
        }
        let (begun, within) = (Rc::clone(search), Rc::clone(search));
        handlers
            .element(move |element: &mut Element<'_, '_>| {
                if *begun.borrow() != Search::Looking {
                    return Ok(());
                }
                begun.replace(Search::Inside(String::new()));
                let ended = Rc::clone(&begun);
                match element.end_tag_handlers() {
                    Some(handlers) => handlers.push(Box::new(move |_| {
                        if let Search::Inside(text) = ended.replace(Search::Looking) {
                            ended.replace(Search::Found(text));
                        }
                        Err(Enough.into())
                    })),
                    None => return Err(Enough.into()),
                }
                Ok(())
            })
            .text(move |chunk: &mut TextChunk<'_>| {
                if let Search::Inside(text) = &mut *within.borrow_mut() {
                    text.push_str(chunk.as_str());
                }
                Ok(())
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(selector: &str, attribute: Option<&str>, body: &[u8]) -> Result<Option<String>, String> {
        Selection::compile(selector, attribute.map(str::to_owned)).unwrap().find(body)
    }

    #[test]
    fn selectors_give_a_text_or_an_attribute() {
        let page = b"<!doctype html><title>Shop &amp; more</title><form><input name=q><input name=csrf value='a&amp;b'>\
                     <p class='x y'> one <b>two</b> </p><p>three</p></form><div>a<div>b</div>c</div>d";
        let check = |selector: &str, attribute: Option<&str>, expected: Option<&str>| {
            assert_eq!(found(selector, attribute, page), Ok(expected.map(str::to_owned)), "{selector}");
        };
        check("input[name=csrf]", Some("value"), Some("a&b"));
        check("input", Some("value"), Some("a&b"));
        check("form p.x", None, Some("one two"));
        check("form > p:not(.x)", None, Some("three"));
        check("title", None, Some("Shop & more"));
        check("div", None, Some("abc"));
        check("input", None, Some(""));
        check("a", Some("href"), None);
        check("h1", None, None);
    }

    #[test]
    fn hostile_documents_are_bounded() {
        let check = |body: &[u8], expected: Result<Option<&str>, &str>| {
            let expected = expected.map(|o| o.map(str::to_owned)).map_err(str::to_owned);
            assert_eq!(found("p", None, body), expected);
        };
        check(b"\xff\x00<p>\xff", Ok(Some("\u{fffd}")));
        check(b"<p", Ok(None));
        check(b"<p>open", Ok(Some("open")));
        check(&vec![b' '; MAX_DOCUMENT + 1], Err("an HTML body of 2097153 bytes; the limit is 2097152"));
        let deep = "<div>".repeat(100_000);
        let too_much = "an HTML body with too many elements within each other, or too large a tag";
        check(deep.as_bytes(), Err(too_much));
        let large = format!("<i a='{}'>", "x".repeat(1 << 20));
        assert_eq!(found("i", None, large.as_bytes()), Err(too_much.to_owned()));
        let flat = "<br><IMG src=x><div></div></nothing>".repeat(50_000);
        check(flat.as_bytes(), Ok(None));
    }

    #[test]
    fn what_is_no_selector_says_why() {
        for wrong in ["a[", "", "a ~ b", "a::before", "p:hover"] {
            let error = Selection::compile(wrong, None).unwrap_err();
            assert!(error.problem.starts_with("not a CSS selector: "), "{error:?}");
        }
        assert!(Selection::compile(&"a".repeat(1025), None).is_err());
    }

    proptest! {
        #[test]
        fn any_body_is_read_to_its_end(body in prop::collection::vec(any::<u8>(), 0..400), tags in "[<>/a-c =]{0,200}") {
            let _ = found("a > b", None, &body);
            let _ = found("c", Some("a"), tags.as_bytes());
        }
    }
}

//! The keys of a part of a `multipart` body.

use super::{Shape, Table, key};

/// One of `multipart:`, written out.
pub static PART: Table = Table {
    name: "a part",
    keys: &[
        key("file", Shape::Text, "the file that it holds"),
        key("text", Shape::Template, "the text that it holds"),
        key("filename", Shape::Template, "what the file is called; by default as the file is"),
        key("type", Shape::Template, "its media type"),
    ],
    also: None,
};

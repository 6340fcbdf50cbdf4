//! The keys of `expect` and `save`.

use super::{Shape, Table, key};

/// `expect:`
pub static EXPECT: Table = Table {
    name: "`expect`",
    keys: &[
        key("status", Shape::Statuses, "the status is one of these"),
        key("time", Shape::Duration, "the response is complete within"),
        key("json", Shape::JsonChecks, "the JSON body holds these values"),
        key("that", Shape::Expressions, "this is true"),
    ],
    also: None,
};

/// One of `save:`, written out.
pub static SAVE: Table = Table {
    name: "the source of a variable",
    keys: &[
        key("json", Shape::Text, "a JSONPath into the body"),
        key("header", Shape::Text, "the name of a header"),
        key("regex", Shape::Text, "a regular expression over the body; its group, or all that it matches"),
        key("css", Shape::Text, "a CSS selector into an HTML body; the first element's text"),
        key("attribute", Shape::Text, "with `css`: the element's attribute in place of its text"),
        key("default", Shape::Json, "the value when there is nothing; without it, that fails the request"),
    ],
    also: None,
};

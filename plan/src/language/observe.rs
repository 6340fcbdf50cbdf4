//! The keys of `observe`.

use super::{Shape, Table, key};

/// One of `observe:`
pub static PROBE: Table = Table {
    name: "a probe",
    keys: &[
        key("get", Shape::Template, "what to ask: a path on the target, or an absolute URL"),
        key("every", Shape::Duration, "from one sample to the next, 100ms to 1h; 5s without it"),
        key("timeout", Shape::Duration, "how long the answer may take; `every` without it, at most 5s"),
        key("headers", Shape::Templates, "request headers"),
        key("read", Shape::Figures, "the figures in the answer: names, and where each stands"),
        key("thresholds", Shape::FigureThresholds, "what the figures have to meet"),
    ],
    also: None,
};

/// One of `read:`, written out.
pub static FIGURE: Table = Table {
    name: "the source of a figure",
    keys: &[
        key("json", Shape::Text, "a JSONPath into the answer"),
        key("metric", Shape::Text, "the name of a metric, or a selector, in Prometheus text"),
        key("labels", Shape::Templates, "with `metric`: labels that the series has"),
    ],
    also: None,
};

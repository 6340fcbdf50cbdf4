//! The keys of the plan language as data: what may stand where, and what for. The reader refuses every key
//! that is not in its table, and a JSON Schema can be made from them.

mod cost;
mod expect;
mod flow;
mod http;
mod observe;
mod part;
pub(crate) mod peers;
mod websocket;

pub use cost::COST;
pub use expect::{EXPECT, SAVE};
pub use flow::{FLOW_KEYS, FLOW_VERBS};
pub use http::{AUTH, BASIC_AUTH, HTTP, TLS, VERSIONS};
pub use observe::{FIGURE, PROBE};
pub use part::PART;
pub(crate) use websocket::SEND_KEYS;
pub use websocket::{CLOSE, ISOLATION, MESSAGE, MESSAGE_EXPECT, MESSAGE_VERBS, PING, RECEIVE};

use crate::flow::MAX_ROUNDS;
use std::fmt;

/// The keys of one kind of mapping.
#[derive(Debug)]
pub struct Table {
    /// The mapping, with its article: `a user class`.
    pub name: &'static str,
    /// Its own keys.
    pub keys: &'static [Key],
    /// A table whose keys it has too.
    pub also: Option<&'static Table>,
}

/// One key.
#[derive(Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What its value is.
    pub shape: Shape,
    /// What it is for, in a few words.
    pub about: &'static str,
}

/// What the value of a key is.
#[derive(Clone, Copy)]
pub enum Shape {
    /// Text without templates of run-time values.
    Text,
    /// A whole number between both, inclusive.
    Integer(u32, u32),
    /// `500ms`, `2s`, `1h30m`.
    Duration,
    /// `10/s`.
    Rate,
    /// `64KiB`, `16MiB`.
    Size,
    /// `0.12 USD`.
    Price,
    /// `on` or `off`.
    Switch,
    /// `1s..3s`, `pacing 5s`, ...
    Wait,
    /// `2s`, `1s..3s`, `exponential 2s`: a pause within a task.
    Pause,
    /// A whole number between both, inclusive, or one `${…}` that gives it.
    Count(u32, u32),
    /// User-chosen host names, and the address of each.
    Addresses,
    /// An address or a list of them.
    Sources,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Text with `${…}` that is filled in for every request.
    Template,
    /// User-chosen names, and a template for each.
    Templates,
    /// Any value, with `${…}` in its texts.
    Json,
    /// A list of texts.
    Texts,
    /// A list of threshold sentences.
    Thresholds,
    /// A list of threshold sentences about the figures of a probe.
    FigureThresholds,
    /// User-chosen figures, and where each stands.
    Figures,
    /// `200`, `2xx` or a list of them.
    Statuses,
    /// User-chosen JSONPaths, and the value that each has to find.
    JsonChecks,
    /// An expression or a list of them.
    Expressions,
    /// One expression about the response.
    Check,
    /// One expression; there is no response.
    Condition,
    /// User-chosen variables, and any value with `${…}` in its texts for each.
    Sets,
    /// User-chosen fields of a form, and a template or what the part holds for each.
    Parts,
    /// User-chosen variables, and where each comes from.
    Saves,
    /// User-chosen parameters, and the default of each.
    Params,
    /// `10/s`, or `0/s` for nothing at all.
    RateOrZero,
    /// A rate, a mapping with one, or a list of stages.
    Arrivals,
    /// Rows: mappings from columns to any value, all with the same columns.
    Rows,
    /// User-chosen columns, and one of these words for each.
    Types(&'static [&'static str]),
    /// The name of a data source; or user-chosen names, and a data source for each.
    RowSources,
    /// A mapping.
    Table(&'static Table),
    /// User-chosen names, and a mapping for each.
    Named(&'static Table),
    /// A list of mappings.
    List(&'static Table),
    /// Part of the language, but not read by this version.
    Later,
}

impl fmt::Debug for Shape {
    /// Tables by name only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Table(table) => write!(f, "Table({})", table.name),
            Shape::Named(table) => write!(f, "Named({})", table.name),
            Shape::List(table) => write!(f, "List({})", table.name),
            Shape::Integer(min, max) => write!(f, "Integer({min}, {max})"),
            Shape::Count(min, max) => write!(f, "Count({min}, {max})"),
            other => f.write_str(other.simple_name()),
        }
    }
}

impl Shape {
    fn simple_name(self) -> &'static str {
        match self {
            Shape::Text => "Text",
            Shape::Integer(..) => "Integer",
            Shape::Duration => "Duration",
            Shape::Rate => "Rate",
            Shape::Size => "Size",
            Shape::Price => "Price",
            Shape::Switch => "Switch",
            Shape::Wait => "Wait",
            Shape::Pause => "Pause",
            Shape::Count(..) => "Count",
            Shape::Addresses => "Addresses",
            Shape::Sources => "Sources",
            Shape::Word(_) => "Word",
            Shape::Template => "Template",
            Shape::Templates => "Templates",
            Shape::Json => "Json",
            Shape::Texts => "Texts",
            Shape::Thresholds => "Thresholds",
            Shape::FigureThresholds => "FigureThresholds",
            Shape::Figures => "Figures",
            Shape::Statuses => "Statuses",
            Shape::JsonChecks => "JsonChecks",
            Shape::Expressions => "Expressions",
            Shape::Check => "Check",
            Shape::Condition => "Condition",
            Shape::Sets => "Sets",
            Shape::Parts => "Parts",
            Shape::Saves => "Saves",
            Shape::Params => "Params",
            Shape::RateOrZero => "RateOrZero",
            Shape::Arrivals => "Arrivals",
            Shape::Rows => "Rows",
            Shape::Types(_) => "Types",
            Shape::RowSources => "RowSources",
            Shape::Table(_) => "Table",
            Shape::Named(_) => "Named",
            Shape::List(_) => "List",
            Shape::Later => "Later",
        }
    }
}

impl Table {
    /// All its keys, its own first.
    pub fn all_keys(&self) -> impl Iterator<Item = &'static Key> {
        let also = self.also.map_or(&[][..], |table| table.keys).iter();
        self.keys.iter().chain(also.filter(|key| self.keys.iter().all(|own| own.name != key.name)))
    }

    /// The key of this name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.all_keys().find(|key| key.name == name)
    }
}

const fn key(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, shape, about }
}

/// Most users of a plan.
pub const MAX_USERS: u32 = 1_000_000;
/// Most iterations that end a run.
pub(crate) const MAX_ITERATIONS: u32 = 1_000_000_000;
/// Largest weight of a user class or a task.
pub const MAX_WEIGHT: u32 = 10_000;
/// The verbs of requests.
pub const METHODS: &[&str] = &["get", "post", "put", "patch", "delete", "head", "options"];
/// How arrivals may be spread.
pub const PATTERNS: &[&str] = &["even", "poisson"];
/// How rows are picked.
pub const PICKS: &[&str] = &["unique", "sequential", "shuffle", "random"];
/// How long rows are kept.
pub const PERS: &[&str] = &["user", "iteration"];
/// What users do without a unique row.
pub const EXHAUSTIONS: &[&str] = &["stop", "cycle", "fail"];
/// What the columns of a CSV file may be.
pub const COLUMN_TYPES: &[&str] = &["string", "integer", "number", "boolean", "json"];
/// What `stop` may end.
pub const STOPS: &[&str] = &["iteration", "user"];

/// All tables, from the top of the plan down.
pub static TABLES: &[&Table] = &[
    &PLAN,
    &LOAD,
    &COST,
    &STAGE,
    &ARRIVALS,
    &ARRIVAL_STAGE,
    &PROFILE,
    &DATA,
    &GROUP,
    &USER_CLASS,
    &FLOW,
    &TASK,
    &STEP,
    &EXPECT,
    &PART,
    &SAVE,
    &HTTP,
    &AUTH,
    &BASIC_AUTH,
    &TLS,
    &MESSAGE,
    &RECEIVE,
    &MESSAGE_EXPECT,
    &PING,
    &CLOSE,
    &ISOLATION,
    &PROBE,
    &FIGURE,
];

/// Keys that a mapping cannot do without, whatever the command line says.
pub static REQUIRED: &[(&Table, &str)] = &[
    (&PLAN, "version"),
    (&PLAN, "name"),
    (&PLAN, "users"),
    (&COST, "agent_hour"),
    (&STAGE, "users"),
    (&ARRIVAL_STAGE, "rate"),
    (&USER_CLASS, "tasks"),
    (&ISOLATION, "pattern"),
    (&ISOLATION, "only"),
    (&PROBE, "get"),
    (&PROBE, "read"),
];

/// The whole plan.
pub static PLAN: Table = Table {
    name: "a plan",
    keys: &[
        key("version", Shape::Integer(1, 1), "version of the plan language"),
        key("name", Shape::Text, "what reports call the plan"),
        key("target", Shape::Text, "base URL of the system under test"),
        key("params", Shape::Params, "values that --set NAME=VALUE changes, and their defaults"),
        key("load", Shape::Table(&LOAD), "how many users, and when"),
        key("profiles", Shape::Named(&PROFILE), "overlays of load and thresholds, chosen with --profile"),
        key("groups", Shape::Named(&GROUP), "API groups: requests that share thresholds"),
        key("thresholds", Shape::Thresholds, "what all requests together have to meet"),
        key("users", Shape::Named(&USER_CLASS), "the user classes"),
        key("flows", Shape::Named(&FLOW), "steps that tasks `call` by name"),
        key("http", Shape::Table(&HTTP), "how requests are made"),
        key("setup", Shape::List(&STEP), "what one agent does once, before the first user starts"),
        key("setup_timeout", Shape::Duration, "how long `setup` may take; 60s without it"),
        key("teardown", Shape::List(&STEP), "what one agent does once, when no user is left"),
        key("teardown_timeout", Shape::Duration, "how long `teardown` may take; 60s without it"),
        key("data", Shape::Named(&DATA), "tables of rows that users read"),
        key("observe", Shape::Named(&PROBE), "figures of the target itself, sampled and judged"),
        key("cost", Shape::Table(&COST), "what agents cost; reports then tell the cost of the run"),
    ],
    also: None,
};

/// `load:`
pub static LOAD: Table = Table {
    name: "`load`",
    keys: &[
        key("users", Shape::Integer(1, MAX_USERS), "how many users"),
        key("spawn_rate", Shape::Rate, "how fast they start; all at once without it"),
        key("duration", Shape::Duration, "from the first start to the end, ramp included"),
        key("hold", Shape::Duration, "from the end of the ramp to the end"),
        key("iterations", Shape::Integer(1, MAX_ITERATIONS), "how many end the run, shared by all users"),
        key("stages", Shape::List(&STAGE), "a course of user numbers, in place of users and duration"),
        key("stop_timeout", Shape::Duration, "how long iterations may take to finish at the end"),
        key("warmup", Shape::Duration, "whole seconds at the start that thresholds and totals leave out"),
        key("arrivals", Shape::Arrivals, "open load: how many iterations start, whatever the users do"),
        key(
            "max_users",
            Shape::Integer(1, MAX_USERS),
            "with `arrivals`: how many iterations may run at once",
        ),
    ],
    also: None,
};

/// One of `stages:`.
pub static STAGE: Table = Table {
    name: "a stage",
    keys: &[
        key("users", Shape::Integer(0, MAX_USERS), "users at its end"),
        key("over", Shape::Duration, "change to that many in a straight line, for so long"),
        key("for", Shape::Duration, "have that many at once, for so long"),
    ],
    also: None,
};

/// `arrivals:`, written out.
pub static ARRIVALS: Table = Table {
    name: "`arrivals`",
    keys: &[
        key("rate", Shape::Rate, "how many start per time"),
        key("stages", Shape::List(&ARRIVAL_STAGE), "a course of rates, in place of one"),
        key("pattern", Shape::Word(PATTERNS), "how they are spread: even without it"),
    ],
    also: None,
};

/// One stage of `arrivals:`.
pub static ARRIVAL_STAGE: Table = Table {
    name: "a stage of arrivals",
    keys: &[
        key("rate", Shape::RateOrZero, "the rate at its end"),
        key("over", Shape::Duration, "change to that rate in a straight line, for so long"),
        key("for", Shape::Duration, "have that rate at once, for so long"),
    ],
    also: None,
};

/// One of `profiles:`.
pub static PROFILE: Table = Table {
    name: "a profile",
    keys: &[
        key("groups", Shape::Named(&GROUP), "other thresholds of groups"),
        key("thresholds", Shape::Thresholds, "other thresholds of all requests together"),
        key("params", Shape::Params, "other values of the plan's parameters"),
    ],
    also: Some(&LOAD),
};

/// One of `data:`.
pub static DATA: Table = Table {
    name: "a data source",
    keys: &[
        key("csv", Shape::Text, "a file of comma-separated values, its columns named by its first line"),
        key("jsonl", Shape::Text, "a file with a JSON object on each line"),
        key("rows", Shape::Rows, "the rows themselves"),
        key("delimiter", Shape::Text, "what stands between the values of the CSV file, if not a comma"),
        key("types", Shape::Types(COLUMN_TYPES), "the columns of the CSV file that are not text"),
        key("pick", Shape::Word(PICKS), "how a row is picked; sequential without it"),
        key("per", Shape::Word(PERS), "how long a row is kept; unique rows for the user's life without it"),
        key("when_exhausted", Shape::Word(EXHAUSTIONS), "what users do when no unique row is left"),
    ],
    also: None,
};

/// One of `groups:`.
pub static GROUP: Table = Table {
    name: "a group",
    keys: &[key("thresholds", Shape::Thresholds, "what its requests together have to meet")],
    also: None,
};

/// One of `users:`.
pub static USER_CLASS: Table = Table {
    name: "a user class",
    keys: &[
        key("weight", Shape::Integer(1, MAX_WEIGHT), "its share of the users that `fixed` classes leave"),
        key("fixed", Shape::Integer(1, MAX_USERS), "how many users, in place of a share"),
        key("group", Shape::Text, "the group of its requests that name none"),
        key("tags", Shape::Texts, "tags of all its tasks, for --include-tags and --exclude-tags"),
        key("wait", Shape::Wait, "the pause between tasks"),
        key("http", Shape::Table(&HTTP), "how its requests are made, where that differs from the plan"),
        key("on_start", Shape::List(&STEP), "what each user does once, first"),
        key("tasks", Shape::Named(&TASK), "what it does, weighted"),
        key("data", Shape::RowSources, "the data source whose columns are `row.COLUMN`"),
    ],
    also: None,
};

/// One of `flows:`.
pub static FLOW: Table =
    Table { name: "a flow", keys: &[key("steps", Shape::List(&STEP), "what it does, in order")], also: None };

/// One of `tasks:`: `steps`, or one step written inline.
pub static TASK: Table = Table {
    name: "a task",
    keys: &[
        key("weight", Shape::Integer(1, MAX_WEIGHT), "its share of the iterations"),
        key("tags", Shape::Texts, "what --include-tags and --exclude-tags choose it by"),
        key("steps", Shape::List(&STEP), "what it does, in order"),
    ],
    also: Some(&STEP),
};

/// One of `steps:` or `on_start:`.
pub static STEP: Table = Table {
    name: "a step",
    keys: &[
        key("get", Shape::Template, "URL of a GET request"),
        key("post", Shape::Template, "URL of a POST request"),
        key("put", Shape::Template, "URL of a PUT request"),
        key("patch", Shape::Template, "URL of a PATCH request"),
        key("delete", Shape::Template, "URL of a DELETE request"),
        key("head", Shape::Template, "URL of a HEAD request"),
        key("options", Shape::Template, "URL of an OPTIONS request"),
        key("name", Shape::Text, "what reports call the request"),
        key("group", Shape::Text, "its API group"),
        key("query", Shape::Templates, "query parameters"),
        key("headers", Shape::Templates, "request headers"),
        key("json", Shape::Json, "a JSON body"),
        key("form", Shape::Templates, "a form body"),
        key("multipart", Shape::Parts, "a form body of parts (multipart/form-data)"),
        key("body", Shape::Template, "a body as it is"),
        key("expect", Shape::Table(&EXPECT), "what a good response looks like"),
        key("save", Shape::Saves, "what to keep of the response"),
        key("thresholds", Shape::Thresholds, "what this request has to meet"),
        http::TIMEOUT_OF_STEP,
        http::FIRST_BYTE_TIMEOUT,
        http::REDIRECTS,
        http::COMPRESSION,
        http::BODY_LIMIT,
        http::AUTH_KEY,
        key("think", Shape::Pause, "a pause"),
        key("repeat", Shape::Count(1, MAX_ROUNDS), "how often to run `steps`"),
        key("if", Shape::Condition, "whether to run `then` or `else`"),
        key("then", Shape::List(&STEP), "what to do if it is true"),
        key("else", Shape::List(&STEP), "what to do if it is not"),
        key("set", Shape::Sets, "variables and their values"),
        key("call", Shape::Text, "the flow to run"),
        key("stop", Shape::Word(STOPS), "what to end: the iteration or the user"),
        key("poll", Shape::Template, "URL to ask again and again"),
        key("every", Shape::Duration, "from one poll to the next"),
        key("until", Shape::Check, "when it is done"),
        key("fail_if", Shape::Check, "when it has failed"),
        key("steps", Shape::List(&STEP), "the steps of a `repeat` or of a `group`"),
        key("websocket", Shape::Template, "URL of a WebSocket: a path, ws:// or wss://"),
        key("subprotocols", Shape::Texts, "what to offer; the server has to choose one"),
        key("messages", Shape::List(&MESSAGE), "what to do while the connection is open"),
        key("isolation", Shape::Table(&ISOLATION), "what no message may carry"),
    ],
    also: None,
};

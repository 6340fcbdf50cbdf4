//! The validated plan: what the YAML text means once nothing in it is wrong.

mod connection;
mod http;
mod no_proxy;
mod part;

pub use connection::{
    ClientCertificate, ConnectionSettings, DEFAULT_CONNECT_TIMEOUT, HttpVersion, Proxy, Resolve, TlsSettings,
};
pub use http::{
    Auth, AuthReach, DEFAULT_BODY_LIMIT, DEFAULT_REDIRECTS, DEFAULT_TIMEOUT, MAX_BODY_LIMIT, MAX_REDIRECTS,
    MAX_TIMEOUT, RequestSettings, SentAuth,
};
pub use no_proxy::NoProxy;

pub use part::{Part, PartContent};

use crate::arrivals::Arrivals;
use crate::chore::Chore;
use crate::data::{Binding, Source};
use crate::diagnostic::Diagnostic;
use crate::finite::Finite;
use crate::flow::{If, Poll, Repeat, Set, Stop, Think, Transaction};
use crate::judge::{Expect, Save};
use crate::observe::Probe;
use crate::params::Params;
use crate::schedule::Schedule;
use crate::slot::{Classes, Share};
use crate::tags::Selection;
use crate::template::{JsonTemplate, Template};
use crate::wait::Wait;
use crate::websocket::{Message, WebSocket};
use metrics::unit::Price;
use metrics::{SeriesId, Threshold};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Index of a user class in [`Plan::classes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(pub u32);

/// Index of an API group in [`Plan::groups`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

/// A whole, valid plan with profile and command-line settings applied.
#[derive(Debug)]
pub struct Plan {
    /// The plan's name.
    pub name: String,
    /// The profile that was chosen.
    pub profile: Option<String>,
    /// Base URL of the system under test: scheme `http` or `https`, a host, no query, no trailing slash.
    pub target: url::Url,
    /// Fixes every random choice of the run.
    pub seed: u64,
    /// Values that the plan reads as `params.NAME`, those of the settings included.
    pub params: Arc<Params>,
    /// When users exist. In an open load, the slots that may serve arrivals, all the time.
    pub schedule: Schedule,
    /// When iterations start, in an open load. Users start with their first arrival.
    pub arrivals: Option<Arrivals>,
    /// How long running iterations may take to finish after the schedule's end.
    pub stop_timeout: Duration,
    /// What ends in these first whole seconds is left out of thresholds and totals.
    pub warmup: Duration,
    /// How many iterations end the run; `None` if only time does.
    pub iterations: Option<Finite>,
    /// What an agent costs per hour.
    pub agent_hour: Option<Price>,
    /// API groups in plan order.
    pub groups: Vec<Group>,
    /// Every threshold of the plan in plan order: first the plan's own, then the groups', then the requests'.
    pub thresholds: Vec<ScopedThreshold>,
    /// User classes in plan order.
    pub classes: Vec<UserClass>,
    /// Which class each slot has.
    pub slots: Classes,
    /// Every series; `series[i].id == SeriesId(i)`.
    pub series: Vec<Series>,
    /// What is done once before the first user starts.
    pub setup: Option<Chore>,
    /// What is done once when no user is left.
    pub teardown: Option<Chore>,
    /// What the coordinator asks the target about itself, in plan order.
    pub probes: Vec<Probe>,
    /// Data sources in plan order.
    pub data: Vec<Arc<Source>>,
    /// Which of the tasks that are written are the ones above.
    pub selection: Selection,
    /// Names of the environment variables that the plan reads; only these travel to the agents.
    pub env_used: BTreeSet<String>,
    /// What is allowed but should be known before the run, in the order of the text.
    pub warnings: Vec<Diagnostic>,
}

/// An API group: series that share thresholds.
#[derive(Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
}

/// A threshold and what it judges.
#[derive(Debug)]
pub struct ScopedThreshold {
    /// What it judges.
    pub scope: ThresholdScope,
    /// The sentence.
    pub threshold: Threshold,
}

/// What a threshold judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThresholdScope {
    /// All requests of the plan.
    Plan,
    /// The series of one group.
    Group(GroupId),
    /// One series.
    Request(SeriesId),
}

/// One named stream of measurements.
#[derive(Debug)]
pub struct Series {
    /// Its number.
    pub id: SeriesId,
    /// The user class whose users feed it.
    pub class: ClassId,
    /// The task, or `on_start`.
    pub task: String,
    /// The request's name: by default method and path with each expression shown in braces.
    pub name: String,
    /// What is measured.
    pub kind: SeriesKind,
    /// The API group, if any.
    pub group: Option<GroupId>,
}

impl Series {
    /// What reports show as its method: `GET`, ...; `GROUP`, `POLL` and `EVAL` for what is not one request; `WS`,
    /// `RECV`, `PING`, `SESSION` and `ISOLATION` for conversations.
    pub fn method(&self) -> &'static str {
        match self.kind {
            SeriesKind::Request(method) => method.as_str(),
            SeriesKind::Transaction => "GROUP",
            SeriesKind::Completion => "POLL",
            SeriesKind::Evaluation => "EVAL",
            SeriesKind::Connect => "WS",
            SeriesKind::Receive => "RECV",
            SeriesKind::Ping => "PING",
            SeriesKind::Session => "SESSION",
            SeriesKind::Isolation => "ISOLATION",
        }
    }

    /// Whether it counts in the totals of the plan and of its group. Transactions and completions do not: they
    /// are made of requests that do. Of a conversation the handshake is the one request.
    pub fn is_request(&self) -> bool {
        self.kind.is_request()
    }
}

impl SeriesKind {
    /// Whether it counts requests, or what would have been one.
    pub fn is_request(self) -> bool {
        matches!(self, SeriesKind::Request(_) | SeriesKind::Evaluation | SeriesKind::Connect)
    }
}

/// What a series measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesKind {
    /// HTTP requests of one method.
    Request(Method),
    /// Runs of a `group` step, as a whole.
    Transaction,
    /// Runs of a `poll` step, from submit to done.
    Completion,
    /// `if`, `repeat` and `set` that could not be evaluated: requests that were never made, so they count as
    /// failed requests. What could be evaluated is not counted.
    Evaluation,
    /// Handshakes of `websocket` steps; the messages and bytes of the conversation count here too.
    Connect,
    /// What `receive` waited for: from the last message sent to it.
    Receive,
    /// Round trips of `ping`.
    Ping,
    /// Conversations as a whole: from the start of the handshake to the end of the close.
    Session,
    /// Whether a conversation got what is another user's.
    Isolation,
}

/// A named kind of virtual user.
#[derive(Debug)]
pub struct UserClass {
    /// Its name.
    pub name: String,
    /// How many of the users are of it.
    pub share: Share,
    /// The pause between iterations.
    pub wait: Wait,
    /// How its users connect.
    pub connection: ConnectionSettings,
    /// The rows that its users have.
    pub data: Arc<[Binding]>,
    /// Steps that a user runs once before its first iteration; their saved variables stay with the user.
    pub on_start: Vec<Step>,
    /// What it does, weighted; never empty.
    pub tasks: Vec<Task>,
}

/// A weighted unit of work; one run of it is an iteration.
#[derive(Debug)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// Its share of the iterations, relative to the class's other tasks.
    pub weight: u32,
    /// What it does, in order; never empty.
    pub steps: Vec<Step>,
}

/// One thing that a task does.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step {
    /// One HTTP request.
    Request(Request),
    /// A request repeated until something is done.
    Poll(Box<Poll>),
    /// A pause.
    Think(Think),
    /// Variables.
    Set(Set),
    /// A decision.
    If(Box<If>),
    /// A loop.
    Repeat(Box<Repeat>),
    /// Steps measured as a whole.
    Transaction(Transaction),
    /// The steps of a flow that is called.
    Call(Vec<Step>),
    /// The end of the iteration or of the user.
    Stop(Stop),
    /// A WebSocket conversation.
    WebSocket(Box<WebSocket>),
    /// One thing done in the conversation around it.
    Message(Message),
}

/// An HTTP request as a template.
#[derive(Debug)]
pub struct Request {
    /// Where its measurements go.
    pub series: SeriesId,
    /// The method.
    pub method: Method,
    /// A path below the target (starts with `/`) or an absolute URL.
    pub url: Template,
    /// Query parameters, appended to the URL's own, percent-encoded when rendered.
    pub query: Vec<(String, Template)>,
    /// Headers; names are lower case.
    pub headers: Vec<(String, Template)>,
    /// The body.
    pub body: Body,
    /// What counts as success.
    pub expect: Expect,
    /// What to keep of the response.
    pub save: Vec<Save>,
    /// How it is made.
    pub settings: Box<RequestSettings>,
}

/// A request body as a template.
#[derive(Debug)]
pub enum Body {
    /// None.
    Empty,
    /// `json:`; sent as `application/json`.
    Json(JsonTemplate),
    /// `form:`; sent as `application/x-www-form-urlencoded`.
    Form(Vec<(String, Template)>),
    /// `multipart:`; sent as `multipart/form-data`, each field as a part of its own.
    Multipart(Vec<Part>),
    /// `body:`; sent as it is, without a content type of its own.
    Text(Template),
}

/// HTTP methods of request steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
    /// HEAD
    Head,
    /// OPTIONS
    Options,
}

impl Method {
    /// The method as it goes on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Head => "HEAD",
            Method::Options => "OPTIONS",
        }
    }
}

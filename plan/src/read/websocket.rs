//! `websocket`, and the steps that stand in its `messages`.

use super::Reader;
use super::fields::Fields;
use super::groups::Groups;
use super::steps::{QUERY, StepPlace};
use super::users::Workload;
use super::value::Expected;
use super::variables::Visible;
use crate::diagnostic::{Problem, Span, shown};
use crate::judge::Expect;
use crate::language::{self, Table};
use crate::model::{Body, GroupId, Method, Request, Series, SeriesKind, Step};
use crate::template::Template;
use crate::websocket::{Close, Isolation, Message, Payload, Ping, Send, WebSocket, decode};
use crate::yaml::{Entry, Kind, Node, Scalar, Value};
use metrics::SeriesId;
use regex::bytes::RegexBuilder;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

/// How long connecting may take, when the plan does not say.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a pong is waited for, when the plan does not say.
const PONG: Duration = Duration::from_secs(10);
/// Most subprotocols that are offered.
const MAX_SUBPROTOCOLS: usize = 16;
/// Largest compiled pattern in bytes, which also bounds the work for each byte of a message.
const MAX_PATTERN: usize = 1 << 20;

/// What the steps of a conversation share.
#[derive(Debug)]
pub(super) struct Conversation {
    /// What the names of its series begin with.
    pub(super) name: String,
    pub(super) group: Option<GroupId>,
    /// `receive` steps read so far.
    pub(super) receives: Cell<u32>,
    /// The messages sent so far that have names.
    pub(super) sent: RefCell<Vec<Sent>>,
    /// `close` steps read so far.
    closes: Cell<u32>,
}

/// A message that has a name.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) name: Arc<str>,
    pub(super) at: Span,
    /// Whether a `receive` waits for its answer.
    pub(super) answered: bool,
}

impl StepPlace<'_> {
    /// The keys of a step that stands here.
    pub(super) fn table(&self) -> &'static Table {
        if self.conversation.is_some() { &language::MESSAGE } else { &language::STEP }
    }
}

impl Reader<'_> {
    pub(super) fn websocket(
        &mut self,
        fields: &Fields<'_>,
        entry: &Entry,
        place: &StepPlace<'_>,
        visible: &mut Visible<'_>,
        groups: &mut Groups,
        workload: &mut Workload,
    ) -> Option<Step> {
        if place.conversation.is_some() {
            let problem = "`websocket` in the `messages` of another";
            self.report(Problem::new(entry.key_span, problem, "make it a step beside that one"));
            return None;
        }
        let group = match fields.get("group") {
            Some(entry) => self.group(&entry.value, groups),
            None => place.group,
        };
        if let Some(group) = group {
            groups.mark_used(group);
        }
        let url = self.url_of(&entry.value, ["ws://", "wss://"], visible);
        let query = self.templates(fields.get("query"), QUERY, visible);
        let headers = self.handshake_headers(fields.get("headers"), visible);
        let settings = self.request_settings(fields, place, visible);
        let subprotocols = fields.get("subprotocols").map(|e| self.subprotocols(e)).unwrap_or_default();
        let timeout = match fields.get("timeout") {
            Some(entry) => self.positive_duration(&entry.value),
            None => Some(CONNECT),
        };
        let guard = fields
            .get("isolation")
            .map(|entry| Fields::new(self, &entry.value, entry.key_span, &language::ISOLATION));
        let isolation = match &guard {
            Some(guard) => guard.as_ref().and_then(|guard| self.isolation(guard, visible)).map(Some),
            None => Some(None),
        };
        let name = self.request_name(fields, Some(("WS", entry)), url.as_ref());
        let (name, at) = name.unzip();
        let whole = if fields.get("name").is_some() { name.as_deref()? } else { place.task }.to_owned();
        let at = at?;
        let around = StepPlace { group, ..*place };
        let (class, task, kind) = (place.class, place.task.to_owned(), SeriesKind::Connect);
        let series = Series { id: SeriesId(0), class, task, name: name?, kind, group };
        let series = self.series(series, at, workload);
        let session = format!("{whole} / session");
        let session = self.measured(fields, SeriesKind::Session, session, at, &around, workload);
        let judged =
            guard.as_ref().and_then(Option::as_ref).filter(|guard| guard.get("thresholds").is_some());
        let isolated = match judged {
            Some(guard) => {
                self.refuse_thresholds(guard, place);
                let name = format!("{whole} / isolation");
                self.measured(guard, SeriesKind::Isolation, name, at, &around, workload).map(Some)
            }
            None => Some(None),
        };
        let conversation = Conversation {
            name: whole,
            group,
            receives: Cell::new(0),
            closes: Cell::new(0),
            sent: RefCell::default(),
        };
        let inner = StepPlace { group, conversation: Some(&conversation), ..place.deeper() };
        let before = visible.clone();
        let messages = self.required(fields, "messages", "messages: [ { receive: {} } ]");
        let steps = messages.and_then(|entry| self.steps(entry, &inner, visible, groups, workload));
        if steps.is_some() {
            self.unanswered(&conversation);
        }
        // A `close` ends no more than the conversation.
        let (closes, ended) = (conversation.closes.get(), std::mem::take(&mut visible.ended));
        if closes > u32::from(ended) {
            let after = visible.clone();
            let why = "a `close` in this conversation may come before it is saved";
            visible.join(after, before, entry.key_span, why);
        }
        visible.ended = ended && closes == 0;
        let request = Request {
            settings: Box::new(settings),
            series: series?,
            method: Method::Get,
            url: url?,
            query,
            headers,
            body: Body::Empty,
            expect: Expect::default(),
            save: Vec::new(),
        };
        Some(Step::WebSocket(Box::new(WebSocket {
            request,
            subprotocols,
            timeout: timeout?,
            session: session?,
            isolation: isolation?.map(Arc::new),
            isolated: isolated?,
            steps: steps?,
        })))
    }

    /// `headers`, without those that make the handshake.
    fn handshake_headers(&mut self, entry: Option<&Entry>, visible: &Visible<'_>) -> Vec<(String, Template)> {
        let headers = self.headers(entry, visible);
        let entries = entry.map(|e| &e.value.value);
        let Some(Value::Mapping(entries)) = entries else { return headers };
        for entry in entries {
            let name = entry.key.to_ascii_lowercase();
            let remedy = if name == "sec-websocket-protocol" {
                "use `subprotocols: [ … ]`"
            } else if name.starts_with("sec-websocket-") || name == "upgrade" || name == "connection" {
                "remove it"
            } else {
                continue;
            };
            let problem = format!("the header {} belongs to the handshake", shown(&entry.key));
            self.report(Problem::new(entry.key_span, problem, remedy));
        }
        headers
    }

    fn subprotocols(&mut self, entry: &Entry) -> Vec<String> {
        let expected =
            Expected { what: "a list of subprotocols", remedy: "write `subprotocols: [ chat.v1 ]`" };
        let Some(items) = self.list(&entry.value, expected) else { return Vec::new() };
        if items.is_empty() {
            self.report(Problem::new(entry.value.span, "there is no subprotocol", expected.remedy));
        }
        self.at_most(items.len(), MAX_SUBPROTOCOLS, "`subprotocols`", entry.key_span);
        let mut found: Vec<String> = Vec::new();
        for item in items {
            let expected = Expected { what: "a subprotocol such as `chat.v1`", ..expected };
            let Some(name) = self.text(item, expected) else { continue };
            let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
            if name.is_empty() || !name.chars().all(token) {
                let problem = format!("{} cannot be a subprotocol", shown(&name));
                self.report(Problem::new(item.span, problem, "use letters, digits, `.` and `-`"));
            } else if found.contains(&name) {
                let problem = format!("the subprotocol {} is here twice", shown(&name));
                self.report(Problem::new(item.span, problem, "remove one of them"));
            } else {
                found.push(name);
            }
        }
        found
    }

    fn isolation(&mut self, fields: &Fields<'_>, visible: &Visible<'_>) -> Option<Isolation> {
        let pattern = self.required(fields, "pattern", "pattern: \"MARKER_[A-Z]{8}\"");
        let pattern = pattern.and_then(|entry| self.marker_pattern(&entry.value));
        let expected =
            Expected { what: "the user's own marker", remedy: "write for instance `\"${marker}\"`" };
        let only = self
            .required(fields, "only", "only: \"${marker}\"")
            .and_then(|entry| self.text_template(&entry.value, expected, visible));
        Some(Isolation { pattern: pattern?, only: only? })
    }

    fn marker_pattern(&mut self, node: &Node) -> Option<regex::bytes::Regex> {
        let expected = Expected {
            what: "a regular expression",
            remedy: "write what every marker matches, for instance \"MARKER_[A-Z]{8}\"",
        };
        let text = self.text(node, expected)?;
        let problem = match RegexBuilder::new(&text).size_limit(MAX_PATTERN).build() {
            Ok(pattern) if pattern.is_match(b"") => {
                format!("the pattern {} matches the empty text", shown(&text))
            }
            Ok(pattern) => return Some(pattern),
            Err(regex::Error::CompiledTooBig(limit)) => {
                format!("the pattern {} needs more than {limit} bytes", shown(&text))
            }
            Err(error) => {
                // The last line says what is wrong; those before draw where.
                let error = error.to_string();
                let why = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
                format!("{} is not a regular expression: {why}", shown(&text))
            }
        };
        self.report(Problem::new(node.span, problem, expected.remedy));
        None
    }

    /// A step that stands in `messages` only.
    pub(super) fn message(
        &mut self,
        fields: &Fields<'_>,
        (verb, entry): (&str, &Entry),
        conversation: &Conversation,
        place: &StepPlace<'_>,
        visible: &mut Visible<'_>,
        workload: &mut Workload,
    ) -> Option<Step> {
        let message = match verb {
            "send" | "send_binary" => {
                let payload = match verb {
                    "send" => self.payload(&entry.value, visible),
                    _ => self.binary(&entry.value, visible),
                };
                let name = match fields.get("as") {
                    Some(entry) => self.sent_as(entry, conversation).map(Some),
                    None => Some(None),
                };
                let failures = self.evaluations(entry, place, workload);
                Message::Send(Send { failures: failures?, payload: payload?, name: name? })
            }
            "receive" => {
                Message::Receive(Box::new(self.receive(entry, conversation, place, visible, workload)?))
            }
            "ping" => {
                let fields = Fields::new(self, &entry.value, entry.key_span, &language::PING)?;
                self.refuse_thresholds(&fields, place);
                let timeout = match fields.get("timeout") {
                    Some(entry) => self.positive_duration(&entry.value),
                    None => Some(PONG),
                };
                let around = StepPlace { group: conversation.group, ..*place };
                let name = format!("{} / ping", conversation.name);
                let at = entry.key_span;
                let series = self.measured(&fields, SeriesKind::Ping, name, at, &around, workload);
                Message::Ping(Ping { series: series?, timeout: timeout? })
            }
            _ => {
                conversation.closes.set(conversation.closes.get() + 1);
                visible.ended = true;
                let fields = Fields::new(self, &entry.value, entry.key_span, &language::CLOSE)?;
                let code = match fields.get("code") {
                    Some(entry) => self.close_code(&entry.value),
                    None => Some(1000),
                };
                let expected = Expected { what: "the reason", remedy: "write it in quotes" };
                let reason = match fields.get("reason") {
                    Some(entry) => self.reason(&entry.value, expected, visible),
                    None => Some(Template::literal("")),
                };
                let failures = self.evaluations(entry, place, workload);
                Message::Close(Close { failures: failures?, code: code?, reason: reason? })
            }
        };
        Some(Step::Message(message))
    }

    fn payload(&mut self, node: &Node, visible: &Visible<'_>) -> Option<Payload> {
        let expected = Expected {
            what: "a message",
            remedy: "write a mapping or a list to send it as JSON, or a text to send it as it is",
        };
        match node.scalar().map(Scalar::kind) {
            Some(Kind::Text | Kind::Null) => self.template(node, expected, visible).map(Payload::Text),
            _ => self.json(node, visible).map(Payload::Json),
        }
    }

    fn binary(&mut self, node: &Node, visible: &Visible<'_>) -> Option<Payload> {
        let expected =
            Expected { what: "a binary message in base64", remedy: "write for instance `send_binary: AAEC`" };
        if node.scalar().is_some_and(|s| s.kind() == Kind::Null) {
            self.wrong(node, expected);
            return None;
        }
        let template = self.template(node, expected, visible)?;
        if let Some(Err(problem)) = template.as_literal().map(decode) {
            self.report(Problem::new(node.span, problem, expected.remedy));
            return None;
        }
        Some(Payload::Binary(template))
    }

    fn reason(&mut self, node: &Node, expected: Expected, visible: &Visible<'_>) -> Option<Template> {
        let template = self.text_template(node, expected, visible)?;
        let length = template.as_literal().map_or(0, str::len);
        if length > Close::MAX_REASON {
            let problem = format!("a reason of {length} bytes; the limit is {}", Close::MAX_REASON);
            self.report(Problem::new(node.span, problem, "shorten it"));
            return None;
        }
        Some(template)
    }

    /// A code that may be sent: 1004 to 1006 and 1012 to 2999 are reserved.
    fn close_code(&mut self, node: &Node) -> Option<u16> {
        let code = self.integer(node, 1000, 4999)?;
        if matches!(code, 1000..=1003 | 1007..=1013 | 3000..=4999) {
            return u16::try_from(code).ok();
        }
        let problem = format!("the close code {code} is reserved");
        self.report(Problem::new(node.span, problem, "write 1000, or one from 3000 to 4999"));
        None
    }
}

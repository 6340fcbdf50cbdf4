//! A response and how checks read it: its JSON is parsed at most once, and only if something asks for it.

use super::expect::JsonPath;
use crate::scope::Reply;
use crate::template::{Expression, escaped, from_json};
use minijinja::Value;
use minijinja::value::{Enumerator, Object};
use serde_json::Value as Json;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

/// A response as the engine saw it.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// Status code.
    pub status: u16,
    /// Headers in order of arrival; names lower case.
    pub headers: &'a [(String, Vec<u8>)],
    /// The whole body; empty when [`Request::needs_body`](crate::model::Request::needs_body) is false.
    pub body: &'a [u8],
    /// From the request's start to the last byte.
    pub elapsed: Duration,
}

/// Characters of a body in a message.
const EXCERPT: usize = 120;

/// A response while it is judged.
pub(super) struct Reading<'a> {
    response: Response<'a>,
    kind: Kind,
    json: OnceCell<Result<Arc<Json>, String>>,
}

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Response,
    /// Of a WebSocket conversation; the body is all there is.
    Message,
}

impl<'a> Reading<'a> {
    pub(super) fn new(response: Response<'a>) -> Reading<'a> {
        Reading { response, kind: Kind::Response, json: OnceCell::new() }
    }

    /// Of a message, which is the body of `response`.
    pub(super) fn of_message(response: Response<'a>) -> Reading<'a> {
        Reading { response, kind: Kind::Message, json: OnceCell::new() }
    }

    /// The JSON value, or else the text; bytes that are no text are replaced.
    pub(super) fn value(&self) -> Value {
        match self.json() {
            Ok(json) => whole(json),
            Err(_) => Value::from(String::from_utf8_lossy(self.response.body)),
        }
    }

    pub(super) fn json(&self) -> Result<&Arc<Json>, &str> {
        let parsed = self.json.get_or_init(|| {
            serde_json::from_slice(self.response.body).map(Arc::new).map_err(|error| {
                if self.kind == Kind::Message {
                    return format!("the message is not JSON: {error} ({})", self.excerpt());
                }
                let media_type = self.header("content-type").unwrap_or(Cow::Borrowed("none"));
                let media_type = escaped(&media_type, 60);
                format!(
                    "the body is not JSON: {error} (content-type: {media_type}; body: {})",
                    self.excerpt()
                )
            })
        });
        parsed.as_ref().map_err(String::as_str)
    }

    /// The first header called `name`.
    pub(super) fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        let (_, value) = self.response.headers.iter().find(|(known, _)| known == name)?;
        Some(String::from_utf8_lossy(value))
    }

    pub(super) fn nothing_at(&self, path: &JsonPath) -> String {
        let whole = match self.kind {
            Kind::Response => "response",
            Kind::Message => "message",
        };
        format!("`{}` found nothing in the {whole} ({})", escaped(path.source(), 80), self.outline())
    }

    /// What the body is, without its values: they may be secrets, and would make each message another one.
    fn outline(&self) -> String {
        match self.json.get().and_then(|json| json.as_ref().ok()).map(Arc::as_ref) {
            Some(Json::Object(members)) if members.is_empty() => "an empty object".to_owned(),
            Some(Json::Object(members)) => {
                let keys: Vec<String> = members.keys().take(8).map(|key| escaped(key, 30)).collect();
                let more = if members.len() > keys.len() { ", …" } else { "" };
                format!("its keys: {}{more}", keys.join(", "))
            }
            Some(Json::Array(items)) => format!("a list of {}", items.len()),
            Some(_) => "a single value".to_owned(),
            None => "no JSON".to_owned(),
        }
    }

    pub(super) fn body(&self) -> &[u8] {
        self.response.body
    }

    /// How large the body is, for a message.
    pub(super) fn size(&self) -> String {
        match self.response.body.len() {
            0 => "empty".to_owned(),
            1 => "1 byte".to_owned(),
            length => format!("{length} bytes"),
        }
    }

    fn excerpt(&self) -> String {
        if self.response.body.is_empty() {
            return "empty".into();
        }
        // A character has at most four bytes; one more character tells that there is more.
        let head = &self.response.body[..self.response.body.len().min(4 * (EXCERPT + 1))];
        escaped(&String::from_utf8_lossy(head), EXCERPT)
    }

    /// The names of the response that `expressions` read.
    pub(super) fn reply<'e>(&self, expressions: impl Iterator<Item = &'e Expression>) -> Result<Reply, &str> {
        let (mut headers, mut body, mut json) = (false, false, false);
        for expression in expressions {
            headers |= expression.reads("headers");
            body |= expression.reads("body");
            json |= expression.reads("json");
        }
        let mut reply = Reply { status: Value::from(self.response.status), ..Reply::default() };
        if headers {
            let lossy = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
            let headers = self.response.headers.iter().map(|(name, value)| (name.clone(), lossy(value)));
            reply.headers = Value::from_object(Headers(headers.collect()));
        }
        if body {
            reply.body = Value::from(String::from_utf8_lossy(self.response.body));
        }
        if json {
            reply.json = whole(self.json()?);
        }
        Ok(reply)
    }
}

/// A parsed JSON text as a value; of an object, only the members that are asked for become values.
fn whole(json: &Arc<Json>) -> Value {
    match &**json {
        Json::Object(_) => Value::from_object(Members(Arc::clone(json))),
        other => from_json(other),
    }
}

/// `headers`: names in any case; the first of several.
#[derive(Debug)]
struct Headers(Vec<(String, String)>);

impl Object for Headers {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        let (_, value) = self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(key))?;
        Some(Value::from(value))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.iter().map(|(name, _)| Value::from(name)).collect())
    }
}

/// `json`, when it is an object: a member becomes a value when it is asked for.
#[derive(Debug)]
struct Members(Arc<Json>);

impl Object for Members {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(key.as_str()?).map(from_json)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let members = self.0.as_object().into_iter().flat_map(serde_json::Map::keys);
        Enumerator::Values(members.map(Value::from).collect())
    }
}

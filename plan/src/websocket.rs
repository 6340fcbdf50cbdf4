//! WebSocket conversations: what is sent, what is waited for, and what must never arrive.

use crate::judge::{JsonPath, Save};
use crate::model::{Request, Step};
use crate::scope::Scope;
use crate::template::{EvalError, Expression, JsonTemplate, Template, escaped};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metrics::{ErrorKind, Failure, SeriesId};
use regex::bytes::Regex;
use std::sync::Arc;
use std::time::Duration;

/// `websocket`: a connection, and the steps that use it.
#[derive(Debug)]
pub struct WebSocket {
    /// The handshake: a GET without body; its series has the conversation's messages and bytes too.
    pub request: Request,
    /// Offered in this order; the server has to choose one, if there is any.
    pub subprotocols: Vec<String>,
    /// From the start of the handshake to its end, at most.
    pub timeout: Duration,
    /// Where the conversation is measured as a whole.
    pub session: SeriesId,
    /// What no message may carry.
    pub isolation: Option<Arc<Isolation>>,
    /// Where it is counted whether one did, if that is judged.
    pub isolated: Option<SeriesId>,
    /// What happens while it is open; never empty.
    pub steps: Vec<Step>,
}

/// One thing done in a conversation.
#[derive(Debug)]
pub enum Message {
    /// `send` and `send_binary`
    Send(Send),
    /// `receive`
    Receive(Box<Receive>),
    /// `ping`
    Ping(Ping),
    /// `close`
    Close(Close),
}

/// `send` or `send_binary`: one message.
#[derive(Debug)]
pub struct Send {
    /// Where a message that cannot be made, or not be sent, is counted.
    pub failures: SeriesId,
    /// Its content.
    pub payload: Payload,
    /// What a [`Receive`] calls it that waits for its answer.
    pub name: Option<Arc<str>>,
}

/// The content of a message as a template.
#[derive(Debug)]
pub enum Payload {
    /// A JSON value, sent as text.
    Json(JsonTemplate),
    /// Text as it is.
    Text(Template),
    /// Base64 of what is sent as binary.
    Binary(Template),
}

/// A message with every template filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outbound {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
}

impl Payload {
    /// Fills the templates in.
    pub fn render(&self, scope: &Scope) -> Result<Outbound, EvalError> {
        match self {
            Payload::Json(template) => {
                let mut bytes = Vec::new();
                template.render(scope, &mut bytes)?;
                let text =
                    String::from_utf8(bytes).map_err(|_| EvalError("the JSON is not UTF-8".to_owned()))?;
                Ok(Outbound::Text(text))
            }
            Payload::Text(template) => {
                let mut text = String::new();
                template.render(scope, &mut text)?;
                Ok(Outbound::Text(text))
            }
            Payload::Binary(template) => {
                let mut text = String::new();
                template.render(scope, &mut text)?;
                decode(&text).map(Outbound::Binary).map_err(EvalError)
            }
        }
    }
}

/// The bytes that `text` is the base64 of, or what is wrong with it.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, String> {
    STANDARD
        .decode(text)
        .map_err(|error| format!("send_binary: `{}` is not base64: {error}", escaped(text, 60)))
}

/// `receive`: waits for a message, for a time, or for the end of the conversation.
#[derive(Debug)]
pub struct Receive {
    /// From the message that it answers to what is waited for.
    pub series: SeriesId,
    /// The name of the [`Send`] whose answer it is; that of the last message sent, or else of the handshake, if
    /// there is none.
    pub answers: Option<Arc<str>>,
    /// What is waited for.
    pub wanted: Wanted,
    /// A message of which this is true is a failure; looked at before anything else.
    pub fail_if: Option<Expression>,
    /// How long it is waited for.
    pub timeout: Duration,
    /// What the message has to be like.
    pub expect: MessageExpect,
    /// What to keep of it: JSONPaths only.
    pub save: Vec<Save>,
}

/// What a [`Receive`] waits for.
#[derive(Debug)]
pub enum Wanted {
    /// The next message.
    Any,
    /// The first message of which this is true.
    Until(Expression),
    /// Every message for so long; `expect` holds for each.
    For(Duration),
    /// That the server closes the connection with this code.
    Close(u16),
}

/// What a good message is like.
#[derive(Debug, Default)]
pub struct MessageExpect {
    /// Longest round trip.
    pub max_time: Option<Duration>,
    /// What must stand in it.
    pub json: Vec<(JsonPath, JsonTemplate)>,
    /// What must be true.
    pub that: Vec<Expression>,
}

/// `ping`: a round trip without a message.
#[derive(Debug)]
pub struct Ping {
    /// Where it is measured.
    pub series: SeriesId,
    /// How long the pong may take.
    pub timeout: Duration,
}

/// `close`: ends the conversation.
#[derive(Debug)]
pub struct Close {
    /// Where a reason that cannot be made is counted.
    pub failures: SeriesId,
    /// 1000 to 4999.
    pub code: u16,
    /// At most 123 bytes are sent.
    pub reason: Template,
}

impl Close {
    /// Most bytes of a reason: a control frame has 125, of which the code takes two.
    pub const MAX_REASON: usize = 123;

    /// Fills the reason in.
    pub fn reason(&self, scope: &Scope) -> Result<String, EvalError> {
        let mut reason = String::new();
        self.reason.render(scope, &mut reason)?;
        if reason.len() > Close::MAX_REASON {
            return Err(EvalError(format!(
                "close: the reason `{}` has {} bytes; the limit is {}",
                escaped(&reason, 60),
                reason.len(),
                Close::MAX_REASON
            )));
        }
        Ok(reason)
    }
}

/// `isolation`: no message may carry another user's marker.
#[derive(Debug)]
pub struct Isolation {
    /// What a marker looks like.
    pub pattern: Regex,
    /// The one marker that is this user's own; filled in when the conversation begins.
    pub only: Template,
}

impl Isolation {
    /// The user's own marker.
    pub fn own(&self, scope: &Scope) -> Result<String, EvalError> {
        let mut own = String::new();
        self.only.render(scope, &mut own)?;
        if self.pattern.find(own.as_bytes()).is_some_and(|found| found.as_bytes() == own.as_bytes()) {
            return Ok(own);
        }
        let pattern = escaped(self.pattern.as_str(), 60);
        Err(EvalError(format!("isolation: `{}` does not match `{pattern}`", escaped(&own, 60))))
    }

    /// Finds a marker in `message` that is not `own`.
    pub fn check(&self, message: &[u8], own: &str) -> Result<(), Failure> {
        match self.pattern.find_iter(message).find(|found| found.as_bytes() != own.as_bytes()) {
            None => Ok(()),
            Some(foreign) => {
                let head = &foreign.as_bytes()[..foreign.len().min(4 * 64)];
                let foreign = escaped(&String::from_utf8_lossy(head), 64);
                let problem = format!("isolation: a message carries `{foreign}`, which is not this user's");
                Err(Failure::new(ErrorKind::Assertion, problem))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::tests::facts;
    use crate::slot::Slot;

    fn template(text: &str) -> Template {
        Template::compile(text).unwrap()
    }

    #[test]
    fn payloads_render_to_text_or_bytes() {
        let scope = Scope::for_class(&facts(1), "Shop", Slot(7));
        let check = |payload: Payload, expected: Result<Outbound, &str>| {
            let found = payload.render(&scope).map_err(|error| error.0);
            assert_eq!(found, expected.map_err(str::to_owned));
        };
        let object = vec![("slot".to_owned(), JsonTemplate::Text(template("${user.slot}")))];
        check(Payload::Json(JsonTemplate::Object(object)), Ok(Outbound::Text("{\"slot\":7}".into())));
        check(Payload::Text(template("hi ${user.slot}")), Ok(Outbound::Text("hi 7".into())));
        check(Payload::Binary(template("AAEC")), Ok(Outbound::Binary(vec![0, 1, 2])));
        check(
            Payload::Binary(template("A${user.slot}")),
            Err("send_binary: `A7` is not base64: Invalid padding"),
        );
    }

    #[test]
    fn a_foreign_marker_is_named_and_bounded() {
        let isolation =
            Isolation { pattern: Regex::new("MARK_[A-Z]+").unwrap(), only: template("MARK_${user.class}") };
        let check = |message: &[u8], expected: Option<&str>| {
            let found = isolation.check(message, "MARK_OWN").err().map(|f| f.message.into_owned());
            assert_eq!(found.as_deref(), expected);
        };
        check(b"nothing", None);
        check(b"MARK_OWN and MARK_OWN \xff", None);
        check(
            b"MARK_OWN MARK_OTHER",
            Some("isolation: a message carries `MARK_OTHER`, which is not this user's"),
        );
        let long = format!("MARK_{}", "A".repeat(1_000));
        let found = isolation.check(long.as_bytes(), "MARK_OWN").unwrap_err();
        assert!(found.message.len() < 200, "{}", found.message);
    }

    #[test]
    fn the_own_marker_must_be_one() {
        let isolation =
            |only| Isolation { pattern: Regex::new("MARK_[A-Z]+").unwrap(), only: template(only) };
        let scope = Scope::for_class(&facts(1), "SHOP", Slot(0));
        assert_eq!(isolation("MARK_${user.class}").own(&scope).unwrap(), "MARK_SHOP");
        let error = isolation("MARK_${user.slot}").own(&scope).unwrap_err();
        assert_eq!(error.0, "isolation: `MARK_0` does not match `MARK_[A-Z]+`");
    }

    #[test]
    fn a_reason_fits_a_control_frame() {
        let scope = Scope::for_class(&facts(1), "Shop", Slot(0));
        let close =
            |reason: &str| Close { failures: SeriesId(0), code: 1000, reason: Template::literal(reason) };
        assert_eq!(close(&"é".repeat(61)).reason(&scope).unwrap().len(), 122);
        assert!(close(&"é".repeat(62)).reason(&scope).unwrap_err().0.contains("124 bytes; the limit is 123"));
    }
}

//! What a received message means for the `receive` that waits.

use super::checks::{assertion, check_json, check_time, holds, keep, source, values};
use super::response::{Reading, Response};
use crate::scope::{Reply, Scope};
use crate::template::Expression;
use crate::websocket::{Receive, Wanted};
use metrics::Failure;
use std::time::Duration;

/// A message as the engine received it.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// Its content; text or binary.
    pub payload: &'a [u8],
    /// The message that it answers; empty if there was none.
    pub sent: &'a [u8],
    /// From that, or else from the handshake's end, to now.
    pub elapsed: Duration,
}

/// What a message is to a `receive`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Not what it waits for; why not, where `until` could not be evaluated on it.
    Other(Option<String>),
    /// What it waits for, and good.
    Wanted,
    /// `fail_if` is true of it, or it is what was waited for and not good.
    Failed(Failure),
}

impl Receive {
    /// What `message` means. Saves what is to be saved when it is what was wanted. A condition that cannot be
    /// evaluated on a message (a heartbeat, say, that has none of its fields) is not true of it.
    pub fn judge(&self, message: &Received<'_>, scope: &mut Scope) -> Heard {
        let response = Response { status: 0, headers: &[], body: message.payload, elapsed: message.elapsed };
        let reading = Reading::of_message(response);
        let conditions = self.until().into_iter().chain(&self.fail_if).chain(&self.expect.that);
        scope.set_reply(Some(reading.message(message.sent, conditions)));
        let heard = self.decide(scope);
        let heard = match heard {
            Heard::Wanted => self.check(&reading, message.elapsed, scope),
            other => other,
        };
        scope.set_reply(None);
        match heard {
            Heard::Wanted => match keep(&self.save, &reading, scope) {
                Ok(()) if matches!(self.wanted, Wanted::For(_)) => Heard::Other(None),
                Ok(()) => Heard::Wanted,
                Err(problem) => Heard::Failed(assertion(problem)),
            },
            other => other,
        }
    }

    fn until(&self) -> Option<&Expression> {
        if let Wanted::Until(until) = &self.wanted { Some(until) } else { None }
    }

    fn decide(&self, scope: &Scope) -> Heard {
        if let Some(fail_if) = &self.fail_if
            && fail_if.eval(scope).is_ok_and(|value| value.is_true())
        {
            let problem = format!("{} is true{}", source(fail_if), values(fail_if, scope));
            return Heard::Failed(assertion(problem));
        }
        match &self.wanted {
            Wanted::Any | Wanted::For(_) => Heard::Wanted,
            Wanted::Close(_) => Heard::Other(None),
            Wanted::Until(until) => match until.eval(scope) {
                Ok(value) if value.is_true() => Heard::Wanted,
                Ok(_) => Heard::Other(None),
                Err(error) => Heard::Other(Some(error.0)),
            },
        }
    }

    fn check(&self, reading: &Reading<'_>, elapsed: Duration, scope: &Scope) -> Heard {
        let checked = check_time(self.expect.max_time, elapsed)
            .and_then(|()| check_json(&self.expect.json, reading, scope))
            .and_then(|()| self.expect.that.iter().try_for_each(|that| holds(that, scope)));
        match checked {
            Ok(()) => Heard::Wanted,
            Err(problem) => Heard::Failed(assertion(problem)),
        }
    }

    /// What is waited for, as messages show it.
    pub fn wanted(&self) -> String {
        match &self.wanted {
            Wanted::Any => "a message".to_owned(),
            Wanted::Until(until) => format!("a message with {}", source(until)),
            Wanted::For(_) => "messages".to_owned(),
            Wanted::Close(code) => format!("a close with {code}"),
        }
    }
}

impl Reading<'_> {
    /// The names of the message that `conditions` read.
    fn message<'e>(&self, sent: &[u8], conditions: impl Iterator<Item = &'e Expression>) -> Reply {
        let (mut reads_message, mut reads_sent) = (false, false);
        for condition in conditions {
            reads_message |= condition.reads("message");
            reads_sent |= condition.reads("sent");
        }
        let mut reply = Reply::default();
        if reads_message {
            reply.message = self.value();
        }
        if reads_sent {
            let response = Response { status: 0, headers: &[], body: sent, elapsed: Duration::ZERO };
            reply.sent = Reading::of_message(response).value();
        }
        reply
    }
}

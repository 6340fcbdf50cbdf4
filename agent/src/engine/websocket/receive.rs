//! `receive`: waits until a message decides, for a time, or for the end.

use super::connection::{Asked, Conversation, End, Waiting};
use super::failure::described;
use crate::engine::progress::text;
use crate::engine::steps::Halt;
use crate::engine::user::User;
use metrics::{ErrorKind, Failure};
use plan::judge::{Heard, Received};
use plan::websocket::{Receive, Wanted};
use std::time::{Duration, Instant};
use tokio::time::timeout_at;

impl User {
    pub(super) async fn receive(
        &mut self,
        receive: &Receive,
        conversation: &mut Conversation,
    ) -> Result<(), Halt> {
        let shared = self.shared.clone();
        let began = Instant::now();
        if let Wanted::For(time) = receive.wanted {
            let outcome = self.receive_for(receive, time, conversation).await?;
            let ended = Instant::now();
            shared.tally.open(ended).end(receive.series, ended, ended - began, outcome.clone());
            return outcome.map_err(Halt::Failed);
        }
        let open = shared.tally.open(began);
        let asked = match asked(receive, conversation) {
            Ok(asked) => asked,
            Err(failure) => {
                open.end(receive.series, Instant::now(), Duration::ZERO, Err(failure.clone()));
                return Err(Halt::Failed(failure));
            }
        };
        let mut why = None;
        let waiting = self.receive_one(receive, &asked, conversation, &mut why);
        let waited = timeout_at((began + receive.timeout).into(), waiting).await;
        let (outcome, arrived) = match waited {
            Ok(Ok(arrived)) => (Ok(()), arrived),
            Ok(Err(failure)) => (Err(failure), Instant::now()),
            Err(_) => (Err(late(receive, why)), Instant::now()),
        };
        let latency = arrived.saturating_duration_since(asked.at);
        open.end(receive.series, Instant::now(), latency, outcome.clone());
        outcome.map_err(Halt::Failed)
    }

    /// When what was waited for arrived. `why` tells why the last message was not it.
    async fn receive_one(
        &mut self,
        receive: &Receive,
        asked: &Asked,
        conversation: &mut Conversation,
        why: &mut Option<String>,
    ) -> Result<Instant, Failure> {
        // Answers may come in another order than the messages went.
        let others = receive.answers.as_ref().is_some_and(|name| {
            conversation.named.iter().any(|(other, sent)| other != name && !sent.answered)
        });
        loop {
            let message = match (conversation.next().await, &receive.wanted) {
                (Ok(message), _) => message,
                (Err(End::Closed(frame)), Wanted::Close(code)) => {
                    let found = frame.as_ref().map(|frame| u16::from(frame.code));
                    if found == Some(*code) {
                        conversation.agreed = true;
                        return Ok(Instant::now());
                    }
                    let problem =
                        format!("closed by the server {}, expected {code}", described(frame.as_ref()));
                    return Err(Failure::new(ErrorKind::Closed, problem));
                }
                (Err(end), _) => return Err(end.failure()),
            };
            match self.hear(receive, &message, asked) {
                Heard::Wanted => {
                    conversation.take_back(receive.answers.as_deref());
                    return Ok(message.arrived);
                }
                Heard::Failed(failure) => return Err(failure),
                Heard::Other(reason) => *why = reason,
            }
            if others {
                conversation.set_aside(message);
            }
            // Messages that wait already must not keep the thread from its other users.
            tokio::task::coop::consume_budget().await;
        }
    }

    /// Takes every message for `time`. A user that is told to stop meanwhile ends there.
    async fn receive_for(
        &mut self,
        receive: &Receive,
        time: Duration,
        conversation: &mut Conversation,
    ) -> Result<Result<(), Failure>, Halt> {
        let until = self.shared.now().saturating_add(time);
        let asked = conversation.last.clone();
        loop {
            let message = tokio::select! {
                biased;
                () = self.rest(until) => break,
                message = conversation.next() => message,
            };
            match message.map(|message| self.hear(receive, &message, &asked)) {
                Ok(Heard::Failed(failure)) => return Ok(Err(failure)),
                Ok(Heard::Wanted | Heard::Other(_)) => {}
                Err(end) => return Ok(Err(end.failure())),
            }
        }
        if self.shared.now() >= self.place.stop.at() { Err(Halt::Stopped) } else { Ok(Ok(())) }
    }

    fn hear(&mut self, receive: &Receive, message: &Waiting, asked: &Asked) -> Heard {
        self.read_clock();
        let received = Received {
            payload: &message.payload,
            sent: &asked.payload,
            elapsed: message.arrived.saturating_duration_since(asked.at),
        };
        receive.judge(&received, &mut self.scope)
    }
}

/// The message whose answer `receive` waits for.
fn asked(receive: &Receive, conversation: &Conversation) -> Result<Asked, Failure> {
    let Some(name) = &receive.answers else { return Ok(conversation.last.clone()) };
    conversation.named.get(name).map(|sent| sent.asked.clone()).ok_or_else(|| {
        Failure::new(ErrorKind::Template, format!("answers: no message has been sent as `{name}`"))
    })
}

fn late(receive: &Receive, why: Option<String>) -> Failure {
    let why = why.map_or(String::new(), |why| format!(" (the last message: {why})"));
    let problem = format!("{} did not come within {}{why}", receive.wanted(), text(receive.timeout));
    Failure::new(ErrorKind::Timeout, problem)
}

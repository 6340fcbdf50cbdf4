//! The steps of `messages` that send something.

use super::connection::{Asked, Conversation, Named};
use super::{attend, failure};
use crate::engine::limits::SEND_TIMEOUT;
use crate::engine::progress::text;
use crate::engine::steps::Halt;
use crate::engine::user::User;
use bytes::Bytes;
use futures_util::Sink;
use metrics::{ErrorKind, Failure};
use plan::websocket::{Close, Message as Step, Outbound, Ping, Send};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

impl User {
    /// A step that stands in `messages` only.
    pub(in crate::engine) async fn message(&mut self, step: &Step) -> Result<(), Halt> {
        let shared = self.shared.clone();
        let mut conversation = self.conversation.take().expect("messages are read only in a conversation");
        match step {
            Step::Send(_) | Step::Ping(_) => drop(attend(&mut conversation, shared.admit()).await),
            Step::Receive(_) | Step::Close(_) => shared.job.permit.wait().await,
        }
        let result = match step {
            Step::Send(send) => self.send(send, &mut conversation).await,
            Step::Receive(receive) => self.receive(receive, &mut conversation).await,
            Step::Ping(ping) => self.ping(ping, &mut conversation).await,
            Step::Close(close) => self.farewell(close, &mut conversation),
        };
        self.conversation = Some(conversation);
        result
    }

    /// A pause in a conversation; one that ends meanwhile fails it.
    pub(in crate::engine) async fn pause_in_conversation(&mut self, until: Duration) -> Result<(), Halt> {
        let mut conversation = self.conversation.take().expect("the caller has looked");
        let ended = tokio::select! {
            biased;
            () = poll_fn(|cx| conversation.poll_listen(cx)) => true,
            () = self.rest(until) => false,
        };
        let failure = conversation.end.as_ref().filter(|_| ended).map(super::connection::End::failure);
        self.conversation = Some(conversation);
        failure.map_or(Ok(()), |failure| Err(Halt::Failed(failure)))
    }

    async fn send(&mut self, send: &Send, conversation: &mut Conversation) -> Result<(), Halt> {
        self.read_clock();
        let rendered = send.payload.render(&self.scope);
        let message = match self.evaluated(send.failures, rendered)? {
            Outbound::Text(text) => Message::text(text),
            Outbound::Binary(bytes) => Message::binary(bytes),
        };
        let payload = match &message {
            Message::Text(text) => text.clone().into(),
            other => other.clone().into_data(),
        };
        let now = Instant::now();
        conversation.send(message).await.map_err(Halt::Failed)?;
        conversation.last = Asked { payload, at: now };
        if let Some(name) = &send.name {
            let named = Named { asked: conversation.last.clone(), answered: false };
            conversation.named.insert(name.clone(), named);
        }
        conversation.count_sent();
        Ok(())
    }

    async fn ping(&mut self, ping: &Ping, conversation: &mut Conversation) -> Result<(), Halt> {
        let shared = self.shared.clone();
        let began = Instant::now();
        let open = shared.tally.open(began);
        let outcome = match timeout(ping.timeout, conversation.round_trip()).await {
            Ok(outcome) => outcome,
            Err(_) => {
                Err(Failure::new(ErrorKind::Timeout, format!("no pong came within {}", text(ping.timeout))))
            }
        };
        let ended = Instant::now();
        open.end(ping.series, ended, ended - began, outcome.clone());
        outcome.map_err(Halt::Failed)
    }

    fn farewell(&mut self, close: &Close, conversation: &mut Conversation) -> Result<(), Halt> {
        self.read_clock();
        let reason = close.reason(&self.scope);
        let reason = self.evaluated(close.failures, reason)?;
        conversation.farewell = Some(CloseFrame { code: close.code.into(), reason: reason.into() });
        Err(Halt::Closed)
    }
}

impl Conversation {
    /// Sends `message`; what arrives meanwhile is taken in, so that two full buffers cannot wait for each other.
    async fn send(&mut self, message: Message) -> Result<(), Failure> {
        if let Some(end) = &self.end {
            return Err(end.failure());
        }
        let mut message = Some(message);
        let sending = poll_fn(|cx| {
            let _ = self.poll_listen(cx);
            if let Some(end) = &self.end {
                return Poll::Ready(Err(end.failure()));
            }
            let mut socket = Pin::new(&mut self.socket);
            if message.is_some() {
                ready!(socket.as_mut().poll_ready(cx)).map_err(|e| failure::of(&e))?;
                let message = message.take().expect("it has just been looked at");
                socket.as_mut().start_send(message).map_err(|e| failure::of(&e))?;
            }
            socket.poll_flush(cx).map_err(|e| failure::of(&e))
        });
        timeout(SEND_TIMEOUT, sending).await.unwrap_or_else(|_| {
            let limit = text(SEND_TIMEOUT);
            Err(Failure::new(ErrorKind::Timeout, format!("a message was not taken within {limit}")))
        })
    }

    /// Sends a ping and waits for its pong.
    async fn round_trip(&mut self) -> Result<(), Failure> {
        self.pings += 1;
        let payload = Bytes::copy_from_slice(&self.pings.to_be_bytes());
        self.send(Message::Ping(payload.clone())).await?;
        poll_fn(|cx| {
            let ended = self.poll_listen(cx);
            if self.pong.as_ref() == Some(&payload) {
                return Poll::Ready(Ok(()));
            }
            ready!(ended);
            Poll::Ready(Err(self
                .end
                .as_ref()
                .map_or_else(failure::without_close, super::connection::End::failure)))
        })
        .await
    }
}

//! The end of a conversation.

use super::connection::{Conversation, End};
use super::failure;
use crate::engine::limits::{CLOSE_TIMEOUT, LEAVE_TIMEOUT};
use crate::engine::progress::text;
use futures_util::{Sink, Stream};
use metrics::{ErrorKind, Failure};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Poll, ready};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

impl Conversation {
    /// Says goodbye and waits for the answer. A peer that has said it already, in good order, is as good: which of
    /// the two comes first is chance.
    pub(super) async fn close(&mut self) -> Result<(), Failure> {
        self.over = true;
        if self.end.is_none() {
            let closing = async {
                self.say_goodbye().await?;
                poll_fn(|cx| self.poll_listen(cx)).await;
                Ok(())
            };
            let Ok(said) = timeout(CLOSE_TIMEOUT, closing).await else {
                let limit = text(CLOSE_TIMEOUT);
                let problem = format!("the server did not answer the close within {limit}");
                let failure = Failure::new(ErrorKind::Timeout, problem);
                self.end = Some(End::Broken(failure.clone()));
                return Err(failure);
            };
            said?;
            // The answer repeats the code; a server that simply closes the connection was told to.
            return match &self.end {
                Some(End::Broken(failure)) if failure.kind != ErrorKind::Reset => Err(failure.clone()),
                _ => Ok(()),
            };
        }
        match &self.end {
            None | Some(End::Closed(None)) => Ok(()),
            Some(End::Closed(Some(frame)))
                if self.agreed || matches!(frame.code, CloseCode::Normal | CloseCode::Away) =>
            {
                Ok(())
            }
            Some(end) => Err(end.failure()),
        }
    }

    async fn say_goodbye(&mut self) -> Result<(), Failure> {
        let normal = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        let mut frame = Some(self.farewell.take().unwrap_or(normal));
        poll_fn(|cx| {
            let mut socket = Pin::new(&mut self.socket);
            if frame.is_some() {
                ready!(socket.as_mut().poll_ready(cx)).map_err(|e| failure::of(&e))?;
                socket.as_mut().start_send(Message::Close(frame.take())).map_err(|e| failure::of(&e))?;
            }
            socket.poll_flush(cx).map_err(|e| failure::of(&e))
        })
        .await
    }

    /// Gives the peer the chance to close the connection first: it says goodbye if nobody has yet, and waits for
    /// the end of the stream, both for a short while.
    pub(super) async fn leave(&mut self) {
        if let Some(End::Broken(_)) = self.end {
            return;
        }
        self.over = true;
        let leaving = async {
            if self.end.is_none() && self.say_goodbye().await.is_err() {
                return;
            }
            poll_fn(|cx| {
                loop {
                    match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                        item @ Some(Ok(_)) => self.take_in(item),
                        Some(Err(_)) | None => return Poll::Ready(()),
                    }
                }
            })
            .await;
        };
        // Whoever does not close in time is cut off.
        let _ = timeout(LEAVE_TIMEOUT, leaving).await;
    }
}

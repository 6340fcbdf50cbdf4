//! What a server may say: the parts of [`hostile`](crate::engine::hostile) that are about conversations.

use super::connection::Conversation;
use super::handshake::{Upgraded, shake};
use crate::engine::counting_io::Wire;
use crate::engine::progress::Progress;
use crate::engine::stream::Stream;
use crate::engine::tally::Tally;
use metrics::{Failure, SeriesId};
use std::rc::Rc;
use std::time::Instant;

/// Why the handshake over `stream` fails; its answer cannot fit a key that nobody knew.
pub(in crate::engine) async fn refused(mut stream: Stream, wire: &Wire) -> Failure {
    let request = http::Request::new(());
    let offered = ["a.v1".to_owned()];
    let shaken = shake(&mut stream, &request, &offered, wire, &Progress::default()).await;
    shaken.expect_err("the key is random")
}

/// Has a conversation over `stream` until it ends: how many messages came, and why no more do.
pub(in crate::engine) async fn heard(stream: Stream, wire: Rc<Wire>) -> (usize, Failure) {
    let now = Instant::now();
    let tally = Rc::new(Tally::new(now, 1, plan::Secrets::default()));
    let upgraded = Upgraded { stream, wire, tail: Vec::new() };
    let mut conversation = Conversation::new(upgraded, now, SeriesId(0), tally, None).await;
    let mut messages = 0;
    let end = loop {
        match conversation.next().await {
            Ok(_) => messages += 1,
            Err(end) => break end,
        }
    };
    let _ = conversation.close().await;
    conversation.leave().await;
    (messages, end.failure())
}

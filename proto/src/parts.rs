//! Large bundles in parts: between two of them leases pass, so an agent keeps its lease however long a bundle
//! takes to arrive, and neither end buffers more than it has to.

use crate::message::ToAgent;
use crate::{Malformed, decode, encode, wire};
use bytes::{Bytes, BytesMut};
use plan::Bundle;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio_stream::Stream;
use wire::coordinator_message::Kind;

/// Bytes of a bundle in one message: a fraction of a second on a slow network.
const PART_BYTES: usize = 256 << 10;

/// Messages that wait behind a bundle; beyond, they stay where they are.
const MAX_QUEUED: usize = 16;

/// What the coordinator says, with large bundles in parts.
pub(crate) struct Parted<S> {
    messages: S,
    /// The bundle that is on its way.
    sending: Option<wire::Prepare>,
    /// What was said after it.
    queued: VecDeque<ToAgent>,
}

impl<S> Parted<S> {
    pub(crate) fn new(messages: S) -> Parted<S> {
        Parted { messages, sending: None, queued: VecDeque::new() }
    }

    /// The next piece of the bundle that is on its way: a part, or what is left of it with its Prepare.
    fn piece(&mut self) -> Option<wire::CoordinatorMessage> {
        let prepare = self.sending.as_mut()?;
        if prepare.bundle.len() > PART_BYTES {
            let content = prepare.bundle.split_to(PART_BYTES);
            let kind = Kind::BundlePart(wire::BundlePart { content });
            return Some(wire::CoordinatorMessage { kind: Some(kind) });
        }
        self.sending.take().map(|prepare| wire::CoordinatorMessage { kind: Some(Kind::Prepare(prepare)) })
    }

    /// Takes what is said next; `None` when it has to wait.
    fn take(&mut self, message: ToAgent) -> Option<wire::CoordinatorMessage> {
        let message = encode::to_agent(message);
        match message.kind {
            Some(Kind::Prepare(prepare)) => {
                self.sending = Some(prepare);
                self.piece()
            }
            _ => Some(message),
        }
    }
}

impl<S: Stream<Item = ToAgent> + Unpin> Stream for Parted<S> {
    type Item = wire::CoordinatorMessage;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        while self.sending.is_some() && self.queued.len() < MAX_QUEUED {
            match Pin::new(&mut self.messages).poll_next(cx) {
                Poll::Ready(Some(lease @ ToAgent::Lease { .. })) => {
                    return Poll::Ready(Some(encode::to_agent(lease)));
                }
                Poll::Ready(Some(message)) => self.queued.push_back(message),
                // At the end, the rest is not wanted any more than at any other time.
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        if let Some(piece) = self.piece() {
            return Poll::Ready(Some(piece));
        }
        if let Some(message) = self.queued.pop_front() {
            return Poll::Ready(self.take(message));
        }
        Pin::new(&mut self.messages)
            .poll_next(cx)
            .map(|message| message.and_then(|message| self.take(message)))
    }
}

/// Puts bundles together again.
#[derive(Default)]
pub(crate) struct Whole {
    parts: BytesMut,
}

impl Whole {
    /// Takes the next message; `None` when it was part of one.
    pub(crate) fn take(&mut self, message: wire::CoordinatorMessage) -> Option<Result<ToAgent, Malformed>> {
        match message.kind {
            Some(Kind::BundlePart(part)) => self.add(&part.content).err().map(Err),
            Some(Kind::Prepare(mut prepare)) if !self.parts.is_empty() => {
                if let Err(error) = self.add(&prepare.bundle) {
                    return Some(Err(error));
                }
                prepare.bundle = std::mem::take(&mut self.parts).freeze();
                Some(decode::to_agent(wire::CoordinatorMessage { kind: Some(Kind::Prepare(prepare)) }))
            }
            kind => Some(decode::to_agent(wire::CoordinatorMessage { kind })),
        }
    }

    fn add(&mut self, content: &Bytes) -> Result<(), Malformed> {
        let total = self.parts.len() + content.len();
        if total > Bundle::MAX_BYTES {
            return Err(decode::over("bundle_part.content", total as u64, Bundle::MAX_BYTES as u64));
        }
        self.parts.extend_from_slice(content);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::RunId;
    use std::time::Duration;

    fn prepare(length: usize) -> ToAgent {
        let bundle = (0..length).map(|i| (i / 7) as u8).collect::<Vec<u8>>().into();
        ToAgent::Prepare { run: RunId("r".into()), bundle, bundle_sha256: "ab".repeat(32) }
    }

    fn lease(n: u64) -> ToAgent {
        ToAgent::Lease { n, ttl: Duration::from_secs(4), clock: Duration::ZERO }
    }

    fn acknowledged(seq: u64) -> ToAgent {
        ToAgent::WindowAck { run: RunId("r".into()), seq }
    }

    /// What goes over the wire.
    fn sent(messages: Vec<ToAgent>) -> Vec<wire::CoordinatorMessage> {
        let mut parted = Parted::new(tokio_stream::iter(messages));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut sent = Vec::new();
        loop {
            match Pin::new(&mut parted).poll_next(&mut cx) {
                Poll::Ready(Some(message)) => sent.push(message),
                Poll::Ready(None) => return sent,
                // The iterator gives others their turn now and then.
                Poll::Pending => {}
            }
        }
    }

    fn received(sent: Vec<wire::CoordinatorMessage>) -> Vec<ToAgent> {
        let mut whole = Whole::default();
        sent.into_iter().filter_map(|message| whole.take(message)).map(Result::unwrap).collect()
    }

    #[test]
    fn bundles_of_any_size_arrive_whole() {
        let sizes = [0, 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES, 5 * PART_BYTES + 12];
        for (length, pieces) in sizes.into_iter().zip([1, 1, 1, 2, 2, 6]) {
            let messages = vec![lease(1), prepare(length), acknowledged(1), prepare(3), acknowledged(2)];
            let sent = sent(messages.clone());
            assert_eq!(sent.len(), 4 + pieces, "{length}");
            assert_eq!(received(sent), messages, "{length}");
        }
    }

    #[test]
    fn leases_pass_a_bundle_and_nothing_else_does() {
        let messages: Vec<ToAgent> =
            vec![prepare(3 * PART_BYTES), acknowledged(1), lease(1), acknowledged(2), lease(2)];
        let sent = sent(messages.clone());
        let is_lease = |m: &wire::CoordinatorMessage| matches!(m.kind, Some(Kind::Lease(_)));
        assert_eq!(sent.iter().position(is_lease), Some(1), "right after the first part");
        let order = [2, 4, 0, 1, 3].map(|at| messages[at].clone());
        assert_eq!(received(sent), order);
    }

    #[test]
    fn many_messages_wait_behind_a_bundle_in_order() {
        let mut messages = vec![prepare(9 * PART_BYTES)];
        messages.extend((1..=100).map(acknowledged));
        assert_eq!(received(sent(messages.clone())), messages);
    }

    #[test]
    fn parts_without_end_are_refused() {
        let part = || {
            let content = vec![0; 8 << 20].into();
            wire::CoordinatorMessage { kind: Some(Kind::BundlePart(wire::BundlePart { content })) }
        };
        let mut whole = Whole::default();
        let refused = (0..20).find_map(|_| whole.take(part())).unwrap().unwrap_err();
        assert!(refused.to_string().contains("bundle_part.content"), "{refused}");
        assert!(whole.parts.len() <= Bundle::MAX_BYTES);
    }
}

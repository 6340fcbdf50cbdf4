//! Windows on their way: numbered, kept until they are acknowledged, sent again over the next stream.

use proto::message::{Cumulative, RunId, WindowReport};
use std::collections::VecDeque;

/// The windows of one run. A window never changes once it has its number, so that the coordinator can tell one that it
/// has from one that it has not.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Rising by number without holes.
    kept: VecDeque<Box<WindowReport>>,
    /// How many of them, from the front, went out over the present stream.
    sent: usize,
    cumulative: Cumulative,
    newest: u64,
    last: Option<u64>,
}

impl Outbox {
    /// Takes in a window of the engine: gives it its run, its number and the totals so far.
    pub(super) fn push(&mut self, run: &RunId, mut window: Box<WindowReport>) {
        self.newest += 1;
        self.cumulative.started += window.started;
        self.cumulative.aborted += window.aborted;
        self.cumulative.ok += window.ok();
        self.cumulative.failed += window.failed();
        window.run = run.clone();
        window.seq = self.newest;
        window.cumulative = self.cumulative;
        if window.last {
            self.last = Some(self.newest);
        }
        self.kept.push_back(window);
    }

    /// The next window to send over the present stream.
    pub(super) fn next(&mut self) -> Option<Box<WindowReport>> {
        let window = self.kept.get(self.sent)?.clone();
        self.sent += 1;
        Some(window)
    }

    /// Window `seq` and all before it have arrived.
    pub(super) fn acknowledged(&mut self, seq: u64) {
        while self.kept.pop_front_if(|window| window.seq <= seq).is_some() {
            self.sent = self.sent.saturating_sub(1);
        }
    }

    /// There is another stream; over the earlier ones `applied` and all before it have arrived.
    pub(super) fn rewind(&mut self, applied: u64) {
        self.acknowledged(applied);
        self.sent = 0;
    }

    /// Whether the run's last window is in.
    pub(super) fn is_complete(&self) -> bool {
        self.last.is_some()
    }

    /// Whether the run's last window has arrived.
    pub(super) fn is_delivered(&self) -> bool {
        self.is_complete() && self.kept.is_empty()
    }

    /// Requests that ended in all windows.
    pub(super) fn requests(&self) -> u64 {
        self.cumulative.ok + self.cumulative.failed
    }

    /// Requests that ended in windows that are not acknowledged.
    pub(super) fn undelivered(&self) -> u64 {
        self.kept.iter().map(|window| window.ok() + window.failed()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{id, report};
    use super::*;

    fn sent(outbox: &mut Outbox) -> Vec<(u64, u64)> {
        std::iter::from_fn(|| outbox.next()).map(|w| (w.seq, w.cumulative.started)).collect()
    }

    #[test]
    fn what_is_not_acknowledged_is_sent_again_as_it_was() {
        let mut outbox = Outbox::default();
        for index in 0..4 {
            outbox.push(&id("r"), report(index, 10, 0, index == 3));
        }
        assert_eq!(sent(&mut outbox), [(1, 10), (2, 20), (3, 30), (4, 40)]);
        assert_eq!(sent(&mut outbox), []);
        outbox.acknowledged(1);
        assert_eq!(sent(&mut outbox), [], "an acknowledgement sends nothing again");
        outbox.rewind(2);
        assert_eq!(sent(&mut outbox), [(3, 30), (4, 40)], "number and totals stay");
        outbox.acknowledged(3);
        assert!(outbox.is_complete() && !outbox.is_delivered());
        outbox.rewind(1);
        assert_eq!(sent(&mut outbox), [(4, 40)], "what was acknowledged is not there any more");
        outbox.acknowledged(4);
        assert!(outbox.is_delivered());
    }
}

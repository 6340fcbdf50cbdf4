//! Windows on their way: numbered when they are first sent, kept until they are acknowledged, sent again over the next
//! stream.
//!
//! A slow coordinator costs neither users nor memory. Only so many windows are out at a time; the others wait without a
//! number, and where too many wait, neighbours are merged into one, with all counts exact. What was sent once never
//! changes, so the coordinator can tell a window that it has from one that it has not.

use super::keep::Entry;
use proto::defect::{Defect, seeded};
use proto::message::{Cumulative, RunId, WindowReport};
use std::collections::VecDeque;

/// Most windows that are out over a stream and not acknowledged. One is due each second, and an acknowledgement takes a
/// round trip and the coordinator's write to disk: eight are in time even where that takes seconds.
pub(super) const MOST_OUT: usize = 8;

/// Most windows that wait, where merging can help: a minute keeps its seconds apart, an hour its minutes.
pub(super) const MOST_WAITING: usize = 60;

/// Most bytes of memory that waiting windows take.
pub(super) const MOST_WAITING_BYTES: usize = 16 << 20;

/// Most pairs that are tried to be merged at a time.
const MOST_TRIES: usize = 4;

/// The windows of one run.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Were sent before, rising by number without holes.
    numbered: VecDeque<Box<WindowReport>>,
    /// How many of them, from the front, went out over the present stream.
    out: usize,
    /// Were never sent.
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    /// Windows from this second on are not merged with those before it.
    seam: u32,
    cumulative: Cumulative,
    /// The highest number that was given.
    newest: u64,
    complete: bool,
    /// Requests whose results found no room.
    dropped: u64,
    /// Whether changes are told as entries.
    kept: bool,
    /// Those that were not asked for yet.
    entries: Vec<Entry>,
}

/// A window that was never sent.
#[derive(Debug)]
struct Waiting {
    window: Box<WindowReport>,
    /// It is not as it was when it was told as [`Entry::Closed`].
    changed: bool,
}

impl Outbox {
    /// Keeps windows from `second` on apart from those before it: the end of the warm-up must not disappear in a window.
    pub(super) fn keep_apart(&mut self, second: u32) {
        self.seam = second;
    }

    /// As was said there.
    pub(super) fn seam(&self) -> u32 {
        self.seam
    }

    /// Takes in a window of the engine: gives it its run and the totals so far.
    pub(super) fn push(&mut self, run: &RunId, mut window: Box<WindowReport>) {
        self.cumulative.started += window.started;
        self.cumulative.aborted += window.aborted;
        self.cumulative.ok += window.ok();
        self.cumulative.failed += window.failed();
        window.run = run.clone();
        window.seq = 0;
        window.cumulative = self.cumulative;
        self.complete |= window.last;
        if self.kept {
            self.entries.push(Entry::Closed(window.clone()));
        }
        self.wait(window);
        self.make_room();
    }

    fn wait(&mut self, window: Box<WindowReport>) {
        self.waiting_bytes += window.footprint();
        self.waiting.push_back(Waiting { window, changed: false });
    }

    /// The next window to send over the present stream, if one more may be out.
    pub(super) fn next(&mut self) -> Option<Box<WindowReport>> {
        if self.out >= MOST_OUT {
            return None;
        }
        if self.out == self.numbered.len() {
            let Waiting { mut window, changed } = self.waiting.pop_front()?;
            self.waiting_bytes -= window.footprint();
            self.newest += 1;
            window.seq = self.newest;
            if self.kept {
                let entry =
                    if changed { Entry::Merged(window.clone()) } else { Entry::Numbered(self.newest) };
                self.entries.push(entry);
            }
            self.numbered.push_back(window);
        }
        let window = self.numbered.get(self.out)?.clone();
        self.out += 1;
        Some(window)
    }

    /// Window `seq` and all before it have arrived.
    pub(super) fn acknowledged(&mut self, seq: u64) {
        let first = self.numbered.front().map(|window| window.seq);
        if self.kept && first.is_some_and(|first| first <= seq) {
            self.entries.push(Entry::Acknowledged(seq.min(self.newest)));
        }
        while self.numbered.pop_front_if(|window| window.seq <= seq).is_some() {
            self.out = self.out.saturating_sub(1);
        }
    }

    /// There is another stream; over the earlier ones `applied` and all before it have arrived.
    pub(super) fn rewind(&mut self, applied: u64) {
        self.acknowledged(applied);
        if seeded(Defect::M11) {
            self.numbered.clear();
        }
        self.out = 0;
    }

    /// Whether the run's last window is in.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether the run's last window has arrived.
    pub(super) fn is_delivered(&self) -> bool {
        self.is_complete() && self.windows() == 0
    }

    /// Requests that ended in all windows.
    pub(super) fn requests(&self) -> u64 {
        self.cumulative.ok + self.cumulative.failed
    }

    /// Requests that ended in windows that are not acknowledged.
    pub(super) fn undelivered(&self) -> u64 {
        self.kept_windows().map(|window| window.ok() + window.failed()).sum()
    }

    /// How many windows are not acknowledged.
    pub(super) fn windows(&self) -> usize {
        self.numbered.len() + self.waiting.len()
    }

    fn kept_windows(&self) -> impl Iterator<Item = &WindowReport> {
        let waiting = self.waiting.iter().map(|waiting| &*waiting.window);
        self.numbered.iter().map(|window| &**window).chain(waiting)
    }

    /// Requests that were counted as given up since it was last asked, because their results found no room.
    pub(super) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    /// Merges waiting windows until they keep to their bounds. Neighbours that cover the least time together come first, so
    /// that old and new seconds are treated alike.
    fn make_room(&mut self) {
        while self.waiting.len() > MOST_WAITING || self.waiting_bytes > MOST_WAITING_BYTES {
            if !self.merge_two() && !self.drop_results() {
                return;
            }
        }
    }

    /// Merges two neighbours, if any can be. Tries few, because the lease waits meanwhile: those that cover the least time,
    /// or where bytes are too many, the smallest.
    fn merge_two(&mut self) -> bool {
        let too_large = self.waiting_bytes > MOST_WAITING_BYTES;
        let pair = |at: usize| (&*self.waiting[at].window, &*self.waiting[at + 1].window);
        let cost = |at: &usize| match pair(*at) {
            (one, other) if too_large => one.footprint() + other.footprint(),
            (one, other) => (one.seconds() + other.seconds()) as usize,
        };
        let mut pairs: Vec<usize> = (0..self.waiting.len().saturating_sub(1)).collect();
        pairs.retain(|&at| {
            let (one, other) = pair(at);
            self.seam <= one.index || other.index < self.seam
        });
        pairs.sort_by_key(cost);
        let merged = pairs.into_iter().take(MOST_TRIES).find_map(|at| {
            let (one, other) = pair(at);
            one.merged(other).map(|merged| (at, merged))
        });
        let Some((at, merged)) = merged else { return false };
        let next = self.waiting.remove(at + 1).map_or(0, |next| next.window.footprint());
        self.replace(at, merged);
        self.waiting_bytes -= next;
        true
    }

    fn replace(&mut self, at: usize, by: WindowReport) {
        let Waiting { window, changed } = &mut self.waiting[at];
        *changed = true;
        self.waiting_bytes += by.footprint();
        self.waiting_bytes -= std::mem::replace(&mut **window, by).footprint();
    }

    /// Where nothing can be merged and bytes are too many: counts the results of the largest window as given up. Its
    /// totals, and those of every window after it, say so.
    fn drop_results(&mut self) -> bool {
        if self.waiting_bytes <= MOST_WAITING_BYTES {
            return false;
        }
        let full = self.waiting.iter().enumerate().filter(|(_, waiting)| !waiting.window.series.is_empty());
        let Some((at, largest)) = full.max_by_key(|(_, waiting)| waiting.window.footprint()) else {
            return false;
        };
        let (ok, failed) = (largest.window.ok(), largest.window.failed());
        let bare = largest.window.as_ref().clone().without_results();
        self.replace(at, bare);
        let later = self.waiting.iter_mut().skip(at).map(|waiting| {
            waiting.changed = true;
            &mut waiting.window.cumulative
        });
        for totals in later.chain(std::iter::once(&mut self.cumulative)) {
            totals.ok -= ok;
            totals.failed -= failed;
            totals.aborted += ok + failed;
        }
        self.dropped += ok + failed;
        true
    }
}

/// Keeping and taking in again.
impl Outbox {
    /// From now on changes are told as entries.
    pub(super) fn keep(&mut self) {
        self.kept = true;
    }

    /// Changes are told no more.
    pub(super) fn keep_no_more(&mut self) {
        self.kept = false;
        self.entries.clear();
    }

    /// The changes since this was last asked.
    pub(super) fn take_entries(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries)
    }

    /// Entries that make what is left to deliver, instead of all that were told.
    pub(super) fn rewritten(&self) -> Vec<Entry> {
        let arrived = self.numbered.front().map_or(self.newest, |first| first.seq - 1);
        let numbered = self.numbered.iter().cloned().map(Entry::Merged);
        let waiting = self.waiting.iter().map(|waiting| Entry::Closed(waiting.window.clone()));
        std::iter::once(Entry::Acknowledged(arrived)).chain(numbered).chain(waiting).collect()
    }

    /// A window was closed by another process.
    pub(super) fn restore(&mut self, mut window: Box<WindowReport>) {
        window.seq = 0;
        self.cumulative = window.cumulative;
        self.wait(window);
    }

    /// The other process gave the first window without a number this one; `false` if that cannot be.
    pub(super) fn restore_number(&mut self, seq: u64) -> bool {
        if seq != self.newest + 1 || self.waiting.is_empty() {
            return false;
        }
        if let Some(Waiting { mut window, .. }) = self.waiting.pop_front() {
            self.waiting_bytes -= window.footprint();
            window.seq = seq;
            self.newest = seq;
            self.numbered.push_back(window);
        }
        true
    }

    /// The other process merged those that waited to this; `false` if that cannot be.
    pub(super) fn restore_merged(&mut self, window: Box<WindowReport>) -> bool {
        if window.seq != self.newest + 1 {
            return false;
        }
        let covered = |waiting: &mut Waiting| waiting.window.index <= window.last_second();
        while let Some(waiting) = self.waiting.pop_front_if(covered) {
            self.waiting_bytes -= waiting.window.footprint();
        }
        if self.waiting.is_empty() {
            self.cumulative = window.cumulative;
        }
        self.newest = window.seq;
        self.numbered.push_back(window);
        true
    }

    /// Of the other process's windows these have arrived.
    pub(super) fn restore_acknowledged(&mut self, seq: u64) {
        self.acknowledged(seq);
        self.newest = self.newest.max(seq);
    }

    /// Nothing more comes from the other process.
    pub(super) fn seal(&mut self) {
        self.complete = true;
        self.make_room();
    }

    /// Drops the windows without a number if the coordinator has applied windows with higher numbers than were given as far
    /// as anybody knows here: they may be among them. Requests in those that are dropped.
    pub(super) fn drop_uncertain(&mut self, applied: u64) -> u64 {
        if applied <= self.newest {
            return 0;
        }
        self.newest = applied;
        self.waiting_bytes = 0;
        self.waiting.drain(..).map(|waiting| waiting.window.ok() + waiting.window.failed()).sum()
    }
}

#[cfg(test)]
mod tests;

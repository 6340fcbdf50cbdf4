//! How far each user of a thread has come, by the second in which it ended an iteration.
//!
//! By the second, because the window that says that an iteration is done must not leave before the one that holds its
//! requests: an iteration that is known as done is never run again, and so must never be lost from the statistics.

use plan::slot::Progress;
use std::cell::RefCell;
use std::collections::VecDeque;

/// How far the users came that ended iterations in one second. A user may stand there twice; the later one counts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) second: u32,
    pub(super) users: Vec<Progress>,
}

/// A user's newest line, for the next one in the same second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    second: u32,
    index: usize,
}

/// See the module. Holds one line per user and second, whatever the pace.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Rising by second.
    seconds: RefCell<VecDeque<Ended>>,
}

impl Ledger {
    /// A user ended an iteration, or gave up, in `second`, which is not before any that was told or
    /// [taken](Ledger::take). `line` is the user's own note, `None` at first.
    pub(super) fn ended(&self, progress: Progress, second: u32, line: &mut Option<Line>) {
        let mut seconds = self.seconds.borrow_mut();
        if seconds.back().is_none_or(|newest| newest.second < second) {
            seconds.push_back(Ended { second, users: Vec::new() });
        }
        let newest = seconds.back_mut().expect("it has just been made sure of");
        match line {
            Some(known) if known.second == newest.second => newest.users[known.index] = progress,
            _ => {
                *line = Some(Line { second: newest.second, index: newest.users.len() });
                newest.users.push(progress);
            }
        }
    }

    /// Takes the seconds below `closed`.
    pub(super) fn take(&self, closed: u32) -> Vec<Ended> {
        let mut seconds = self.seconds.borrow_mut();
        std::iter::from_fn(|| seconds.pop_front_if(|ended| ended.second < closed)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::slot::Slot;

    fn progress(slot: u32, iteration: u64) -> Progress {
        Progress { slot: Slot(slot), iteration, gave_up: false }
    }

    #[test]
    fn a_user_has_one_line_for_each_second() {
        let ledger = Ledger::default();
        let (mut a, mut b) = (None, None);
        let tell = |slot, second, iteration, line: &mut Option<Line>| {
            ledger.ended(progress(slot, iteration), second, line);
        };
        tell(7, 0, 1, &mut a);
        tell(3, 0, 5, &mut b);
        tell(7, 0, 2, &mut a);
        tell(7, 2, 3, &mut a);
        tell(7, 2, 4, &mut a);
        let ended = |second, users: &[(u32, u64)]| Ended {
            second,
            users: users.iter().map(|&(slot, iteration)| progress(slot, iteration)).collect(),
        };
        assert_eq!(ledger.take(2), [ended(0, &[(7, 2), (3, 5)])]);
        assert_eq!(ledger.take(2), []);
        tell(3, 3, 6, &mut b);
        assert_eq!(ledger.take(u32::MAX), [ended(2, &[(7, 4)]), ended(3, &[(3, 6)])]);
        tell(3, 3, 9, &mut None);
        assert_eq!(ledger.take(4), [ended(3, &[(3, 9)])]);
    }
}

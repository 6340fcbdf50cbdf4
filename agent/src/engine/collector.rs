//! Merges the threads' windows into the agent's, by second.
//!
//! Pure: it is told what each thread reports and says which seconds every thread has passed. It never emits an
//! index twice, out of order, or before all threads are past it.

use super::ledger::Ended;
use super::starts::Starts;
use metrics::{Histogram, SeriesStats, Window};
use plan::slot::{Progress, Roll, Slot};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What one engine thread reports at a second's boundary.
#[derive(Debug)]
pub(super) struct ThreadReport {
    /// Which thread.
    pub(super) thread: usize,
    /// Nothing more will come from it for seconds `0..closed`.
    pub(super) closed: u32,
    /// Windows of seconds below `closed` since its last report; empty seconds are left out.
    pub(super) windows: Vec<Window>,
    /// Iterations that ended in seconds below `closed` since its last report.
    pub(super) ended: Vec<Ended>,
    /// Its users now.
    pub(super) users: u32,
    /// How late it woke since its last report.
    pub(super) lag: Histogram,
    /// Share of a core that it used since its last report.
    pub(super) busy: f64,
    /// Connections it had to make anew since its last report.
    pub(super) reconnects: u64,
    /// What began since its last report.
    pub(super) starts: Starts,
    /// Requests that the machine had no descriptor, port or memory left for, since its last report.
    pub(super) exhausted: u64,
    /// Requests and messages that the agent's own cap held back since its last report.
    pub(super) held_back: u64,
    /// Its WebSocket connections now.
    pub(super) connections: u64,
    /// Which users it has at the end of the newest second that it closes.
    pub(super) roll: Roll,
    /// Whether more will follow.
    pub(super) progress: ThreadProgress,
}

/// Whether a thread's part of the run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ThreadProgress {
    /// More seconds follow.
    Running,
    /// This was its last report; the run's last second is not before the last that it closed.
    Finished,
}

/// One second of all threads.
#[derive(Debug)]
pub(super) struct Second {
    pub(super) window: Window,
    pub(super) users: u32,
    /// Started in this second or before, and ended in none of them.
    pub(super) in_flight: u64,
    pub(super) lag: Histogram,
    /// Of the busiest thread.
    pub(super) busy: f64,
    pub(super) reconnects: u64,
    pub(super) starts: Starts,
    pub(super) exhausted: u64,
    pub(super) held_back: u64,
    /// How far users came that ended iterations.
    pub(super) progress: BTreeMap<Slot, Progress>,
    pub(super) connections: u64,
    /// The oldest assignment that a thread followed; `None` when all have finished.
    pub(super) revision: Option<u64>,
    pub(super) leaving: BTreeSet<Slot>,
}

/// What [`Collector::next`] found complete.
#[derive(Debug)]
pub(super) enum Collected {
    /// A second with others to follow.
    Second(Second),
    /// The last one.
    Last(Second),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Collector {
    threads: Vec<ThreadState>,
    /// Index of the front of `pending`.
    first: u32,
    pending: VecDeque<Second>,
    /// Requests open at the end of the last second that was emitted.
    in_flight: u64,
}

#[derive(Clone, Debug)]
struct ThreadState {
    closed: u32,
    progress: ThreadProgress,
    roll: Roll,
}

impl Collector {
    /// For a run on `threads` threads, at least 1, whose second `first` is the first one here.
    pub(super) fn new(threads: usize, first: u32) -> Collector {
        assert!(threads > 0, "a run has at least 1 thread");
        let state = ThreadState { closed: first, progress: ThreadProgress::Running, roll: Roll::default() };
        Collector { threads: vec![state; threads], first, pending: VecDeque::new(), in_flight: 0 }
    }

    /// Takes a report in; each closes at least one second more than the thread's last.
    pub(super) fn accept(&mut self, report: &ThreadReport) {
        let before = self.threads[report.thread].clone();
        assert!(
            before.progress == ThreadProgress::Running && before.closed < report.closed,
            "thread {} reports {} closed after {before:?}",
            report.thread,
            report.closed
        );
        self.threads[report.thread] =
            ThreadState { closed: report.closed, progress: report.progress, roll: report.roll.clone() };
        for index in before.closed..report.closed {
            // Who is gone now may still have been there when an earlier second ended.
            let roll = if index + 1 == report.closed { &report.roll } else { &before.roll };
            let second = self.second(index);
            second.revision = Some(second.revision.map_or(roll.revision, |oldest| oldest.min(roll.revision)));
            second.leaving.extend(&roll.leaving);
            second.users += report.users;
            second.connections += report.connections;
            second.busy = second.busy.max(report.busy);
        }
        for window in &report.windows {
            self.second(window.index).window.merge(window);
        }
        for Ended { second, users } in &report.ended {
            self.second(*second).progress.extend(users.iter().map(|user| (user.slot, *user)));
        }
        let newest = self.second(report.closed - 1);
        newest.lag.merge(&report.lag);
        newest.reconnects += report.reconnects;
        newest.starts.add(report.starts);
        newest.exhausted += report.exhausted;
        newest.held_back += report.held_back;
    }

    /// The next second that every thread is past; `None` until there is one.
    pub(super) fn next(&mut self) -> Option<Collected> {
        let passed = |t: &ThreadState| t.closed > self.first || t.progress == ThreadProgress::Finished;
        if !self.threads.iter().all(passed) {
            return None;
        }
        let mut second = self.pending.pop_front()?;
        self.first += 1;
        let ended =
            second.window.series.values().map(SeriesStats::requests).sum::<u64>() + second.window.aborted;
        // Taken from the counts, not when the thread wakes a little later, so that windows always add up.
        self.in_flight = (self.in_flight + second.window.started).saturating_sub(ended);
        second.in_flight = self.in_flight;
        let over = self.threads.iter().all(|t| t.progress == ThreadProgress::Finished);
        Some(if over && self.pending.is_empty() {
            Collected::Last(second)
        } else {
            Collected::Second(second)
        })
    }

    fn second(&mut self, index: u32) -> &mut Second {
        let place =
            index.checked_sub(self.first).expect("a thread reports a second only before it is emitted");
        while self.pending.len() <= place as usize {
            let index = self.first + self.pending.len() as u32;
            self.pending.push_back(Second {
                window: Window::new(index),
                users: 0,
                in_flight: 0,
                lag: Histogram::new(),
                busy: 0.0,
                reconnects: 0,
                starts: Starts::default(),
                exhausted: 0,
                held_back: 0,
                progress: BTreeMap::new(),
                connections: 0,
                revision: None,
                leaving: BTreeSet::new(),
            });
        }
        &mut self.pending[place as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ThreadProgress::{Finished, Running};

    fn report(thread: usize, closed: u32, started: &[(u32, u64)], progress: ThreadProgress) -> ThreadReport {
        let window = |&(index, started): &(u32, u64)| Window { started, ..Window::new(index) };
        ThreadReport {
            thread,
            closed,
            windows: started.iter().map(window).collect(),
            ended: Vec::new(),
            users: 1 + thread as u32,
            lag: Histogram::new(),
            busy: 0.5,
            reconnects: 1,
            starts: Starts::default(),
            exhausted: 0,
            held_back: 0,
            connections: 0,
            roll: Roll::default(),
            progress,
        }
    }

    /// Feeds `reports` in; lists what comes out after each as `index:started:users:reconnects`, the last with `!`.
    fn check(threads: usize, reports: Vec<ThreadReport>, expected: &[&str]) {
        let mut collector = Collector::new(threads, 0);
        let got: Vec<String> = reports
            .into_iter()
            .map(|report| {
                collector.accept(&report);
                let mut out = Vec::new();
                while let Some(collected) = collector.next() {
                    let (second, mark) = match collected {
                        Collected::Second(second) => (second, ""),
                        Collected::Last(second) => (second, "!"),
                    };
                    let (w, users) = (&second.window, second.users);
                    out.push(format!("{}:{}:{users}:{}{mark}", w.index, w.started, second.reconnects));
                }
                out.join(" ")
            })
            .collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn one_thread_passes_through() {
        let reports = vec![
            report(0, 1, &[(0, 5)], Running),
            report(0, 2, &[(1, 6)], Running),
            report(0, 3, &[(2, 7)], Finished),
        ];
        check(1, reports, &["0:5:1:1", "1:6:1:1", "2:7:1:1!"]);
    }

    #[test]
    fn a_second_waits_for_the_slowest_thread_and_missing_ones_are_empty() {
        let reports = vec![
            report(0, 1, &[(0, 5)], Running),
            report(0, 3, &[(2, 7)], Running),
            report(1, 2, &[(0, 1)], Running),
            report(1, 3, &[(2, 1)], Running),
        ];
        check(2, reports, &["", "", "0:6:3:1 1:0:3:1", "2:8:3:2"]);
    }

    #[test]
    fn a_finished_thread_holds_nobody_up_and_the_last_second_is_the_latest_threads() {
        let reports = vec![
            report(1, 1, &[(0, 9)], Finished),
            report(0, 1, &[(0, 1)], Running),
            report(0, 3, &[], Running),
            report(0, 4, &[(3, 4)], Finished),
        ];
        check(2, reports, &["", "0:10:3:2", "1:0:1:0 2:0:1:1", "3:4:1:1!"]);
    }

    #[test]
    fn requests_in_flight_are_those_started_and_not_ended() {
        let mut collector = Collector::new(1, 0);
        let mut in_flight = |index: u32, started: u64, aborted: u64| {
            let mut report = report(0, index + 1, &[(index, started)], Running);
            report.windows[0].aborted = aborted;
            collector.accept(&report);
            match collector.next() {
                Some(Collected::Second(second)) => second.in_flight,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            [in_flight(0, 5, 0), in_flight(1, 1, 2), in_flight(2, 0, 0), in_flight(3, 1, 5)],
            [5, 4, 4, 0]
        );
    }

    #[test]
    fn progress_belongs_to_its_second_and_the_newest_of_a_user_counts() {
        let mut collector = Collector::new(2, 0);
        let ended = |second, users: &[(u32, u64)]| Ended {
            second,
            users: users
                .iter()
                .map(|&(slot, iteration)| Progress { slot: Slot(slot), iteration, gave_up: false })
                .collect(),
        };
        let mut report_with = |thread, closed, ended: Vec<Ended>| {
            collector.accept(&ThreadReport { ended, ..report(thread, closed, &[], Running) });
            let next = std::iter::from_fn(|| collector.next());
            let seconds = next.map(|collected| match collected {
                Collected::Second(second) | Collected::Last(second) => {
                    second.progress.into_values().map(|user| (user.slot.0, user.iteration)).collect()
                }
            });
            seconds.collect::<Vec<Vec<_>>>()
        };
        assert!(report_with(0, 2, vec![ended(0, &[(4, 1), (0, 1), (4, 2)]), ended(1, &[(4, 3)])]).is_empty());
        assert_eq!(
            report_with(1, 3, vec![ended(0, &[(1, 7)]), ended(2, &[(1, 9)])]),
            [vec![(0, 1), (1, 7), (4, 2)], vec![(4, 3)]]
        );
        assert_eq!(report_with(0, 3, vec![]), [vec![(1, 9)]]);
    }

    #[test]
    fn a_slot_is_free_when_every_thread_says_so() {
        let mut collector = Collector::new(2, 40);
        let mut after = |thread, closed, revision, leaving: &[u32], progress| {
            let roll = Roll { revision, leaving: leaving.iter().map(|&slot| Slot(slot)).collect() };
            collector.accept(&ThreadReport { roll, ..report(thread, closed, &[], progress) });
            let next = std::iter::from_fn(|| collector.next());
            let seconds = next.map(|collected| match collected {
                Collected::Second(second) | Collected::Last(second) => {
                    let leaving: Vec<u32> = second.leaving.iter().map(|slot| slot.0).collect();
                    (second.window.index, second.revision, leaving)
                }
            });
            seconds.collect::<Vec<_>>()
        };
        assert_eq!(after(0, 41, 3, &[4], Running), []);
        assert_eq!(
            after(1, 41, 2, &[], Running),
            [(40, Some(2), vec![4])],
            "the run begins here with second 40"
        );
        assert_eq!(after(0, 43, 3, &[], Running), []);
        let second_42 = (42, Some(3), vec![1]);
        assert_eq!(
            after(1, 43, 3, &[1], Running),
            [(41, Some(2), vec![4]), second_42],
            "4 may have been there in 41"
        );
        assert_eq!(after(0, 44, 3, &[], Finished), []);
        assert_eq!(after(1, 45, 3, &[], Finished), [(43, Some(3), vec![1]), (44, Some(3), vec![])]);
    }

    #[test]
    fn the_thread_that_finishes_later_may_report_first() {
        let reports = vec![report(0, 3, &[(2, 4)], Finished), report(1, 2, &[(1, 1)], Finished)];
        check(2, reports, &["", "0:0:3:0 1:1:3:1 2:4:1:1!"]);
    }
}

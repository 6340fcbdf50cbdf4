//! A timer finer than tokio's, whose sleeps end on whole milliseconds.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;
use tokio::sync::oneshot;

/// Wakes tasks at instants, from a thread that sleeps until the next one. The thread ends with the timer.
pub(crate) struct Timer {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    alarms: BinaryHeap<Reverse<Alarm>>,
    closed: bool,
}

/// Who to wake, and when.
struct Alarm {
    at: Instant,
    wake: oneshot::Sender<()>,
}

impl Timer {
    pub(crate) fn start() -> io::Result<Timer> {
        let shared = Arc::new(Shared::default());
        let thread_shared = Arc::clone(&shared);
        thread::Builder::new().name("timer".to_owned()).spawn(move || thread_shared.ring())?;
        Ok(Timer { shared })
    }

    /// Returns at `at`, or a little later; at once if that has passed.
    pub(crate) async fn sleep_until(&self, at: Instant) {
        if at <= Instant::now() {
            return;
        }
        let (wake, woken) = oneshot::channel();
        self.set(Alarm { at, wake });
        // An error would mean that the thread is gone; it stays as long as the timer does.
        let _ = woken.await;
    }

    fn set(&self, alarm: Alarm) {
        let mut queue = self.shared.lock();
        let is_next = queue.alarms.peek().is_none_or(|Reverse(next)| alarm.at < next.at);
        queue.alarms.push(Reverse(alarm));
        drop(queue);
        if is_next {
            self.shared.changed.notify_one();
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread.
    fn ring(&self) {
        let mut queue = self.lock();
        while !queue.closed {
            let now = Instant::now();
            let Some(Reverse(next)) = queue.alarms.peek() else {
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = next.at.saturating_duration_since(now);
            if left.is_zero() {
                // The task may have been dropped meanwhile, with nobody left to wake.
                let alarm = queue.alarms.pop();
                drop(queue);
                let _ = alarm.map(|Reverse(alarm)| alarm.wake.send(()));
                queue = self.lock();
            } else {
                queue = self.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Alarm) -> bool {
        self.at == other.at
    }
}

impl Eq for Alarm {}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Alarm) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Alarm {
    fn cmp(&self, other: &Alarm) -> Ordering {
        self.at.cmp(&other.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn alarms_ring_in_order_and_never_early() {
        let timer = Timer::start().unwrap();
        let start = Instant::now();
        let rung = Mutex::new(Vec::new());
        let sleep = async |millis: u64| {
            let at = start + Duration::from_millis(millis);
            timer.sleep_until(at).await;
            assert!(Instant::now() >= at, "{millis} ms rang early");
            rung.lock().unwrap().push(millis);
        };
        tokio::join!(sleep(60), sleep(20), sleep(0), sleep(40));
        assert_eq!(*rung.lock().unwrap(), [0, 20, 40, 60]);
    }

    #[tokio::test]
    async fn a_task_that_gave_up_disturbs_nobody() {
        let timer = Timer::start().unwrap();
        let now = Instant::now();
        let mut given_up = Box::pin(timer.sleep_until(now + Duration::from_millis(5)));
        let waker = std::task::Waker::noop();
        assert!(given_up.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending());
        drop(given_up);
        timer.sleep_until(now + Duration::from_millis(10)).await;
    }
}

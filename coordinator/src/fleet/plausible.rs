//! What a window says that cannot be, whatever the agent's own books say.

use super::{Fleet, Phase};
use proto::limits::{MAX_USER_RATE, MAX_WINDOW_AHEAD_S};
use proto::message::WindowReport;
use std::time::Duration;

impl Fleet {
    /// Whether `window`, of an agent whose newest one was of second `newest`, can be at `now`; why not.
    pub(super) fn plausible(
        &self,
        now: Duration,
        window: &WindowReport,
        newest: Option<u32>,
    ) -> Result<(), String> {
        let (seq, index) = (window.seq, window.index);
        if let Some(newest) = newest.filter(|&newest| index <= newest) {
            return Err(format!("window {seq} is of second {index}, which came after second {newest}"));
        }
        let Phase::Running { t0, .. } = self.phase else { return Ok(()) };
        let elapsed = now.saturating_sub(t0).as_secs();
        let end = window.last_second();
        if u64::from(end) > elapsed + u64::from(MAX_WINDOW_AHEAD_S) {
            return Err(format!(
                "window {seq} is of second {end}, but only {elapsed} s have passed since the start; its clock runs \
                 ahead by more than {MAX_WINDOW_AHEAD_S} s"
            ));
        }
        let seconds = elapsed + u64::from(MAX_WINDOW_AHEAD_S);
        let most = u64::from(self.config.users).saturating_mul(seconds).saturating_mul(MAX_USER_RATE);
        let started = window.cumulative.started;
        if started > most {
            return Err(format!(
                "window {seq} says that {started} requests were started, {} users cannot start more than {most} in \
                 {seconds} s",
                self.config.users
            ));
        }
        Ok(())
    }
}

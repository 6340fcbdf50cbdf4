//! The last resort: a plain thread that ends the process if its users do not stop.
//!
//! The session stops users when their lease is over, and each user looks itself. If neither comes to it, because the
//! runtime is stuck, the process must not go on making load that nobody controls.

use crate::engine::Permit;
use crate::log::say;
use std::sync::Arc;
use std::time::Duration;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(250);

/// For how many looks in a row users may be there without a permit: 3 s of the process's own time, so that one that was
/// stopped and goes on has the time to end them.
const PATIENCE: u32 = 12;

/// Counts the looks at which something was wrong.
#[derive(Debug, Default)]
struct Watchdog {
    overrun: u32,
}

impl Watchdog {
    /// Whether it has been too many.
    fn look(&mut self, overrun: bool) -> bool {
        self.overrun = if overrun { self.overrun + 1 } else { 0 };
        self.overrun >= PATIENCE
    }
}

/// Starts the thread. Its process ends by itself, or by it.
///
/// # Errors
/// When the operating system gives no thread.
pub(crate) fn start(permit: Arc<Permit>) -> std::io::Result<()> {
    std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
        let mut watchdog = Watchdog::default();
        while !watchdog.look(permit.is_overrun()) {
            std::thread::sleep(EVERY);
        }
        say("error: users went on although the lease is over; ending the process, their results are lost");
        std::process::abort();
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_bites_when_users_go_on_for_three_seconds() {
        let mut watchdog = Watchdog::default();
        for _ in 0..100 {
            assert!(!watchdog.look(false));
        }
        for _ in 1..PATIENCE {
            assert!(!watchdog.look(true));
        }
        assert!(!watchdog.look(false), "they have stopped");
        for _ in 1..PATIENCE {
            assert!(!watchdog.look(true));
        }
        assert!(watchdog.look(true));
    }
}

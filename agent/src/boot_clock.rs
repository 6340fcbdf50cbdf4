//! The agent's clock: it counts the time that the machine slept.
//!
//! A lease ends while its agent sleeps, too. The clock of [`std::time::Instant`] stands still then, so an agent that wakes
//! would believe that it still has one.

use proto::defect::{Defect, seeded};
use std::time::Duration;
use system::boot;

/// Now.
pub(crate) fn since_boot() -> Duration {
    if seeded(Defect::M5) { boot::since_first_call() } else { boot::since_boot() }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::process::Command;

    const CHILD: &str = "MUSTER_BOOT_CLOCK_CHILD";

    /// What the kernel says.
    fn uptime() -> Duration {
        let text = std::fs::read_to_string("/proc/uptime").expect("Linux has it");
        let seconds = text.split(' ').next().and_then(|first| first.parse().ok()).expect("seconds");
        Duration::from_secs_f64(seconds)
    }

    /// A machine that slept for a day is one whose clocks differ by a day, and a time namespace can be just that.
    #[test]
    fn the_time_that_the_machine_slept_counts() {
        let (here, kernel) = (since_boot(), uptime());
        assert!(here.abs_diff(kernel) < Duration::from_secs(2), "{here:?}, the kernel says {kernel:?}");
        if std::env::var_os(CHILD).is_some() {
            return;
        }
        let test = std::env::current_exe().expect("a test has a path");
        let mut command = Command::new("unshare");
        command.args(["--time", "--fork", "--boottime", "86400"]).arg(test).env(CHILD, "1");
        match command.args(["--exact", "boot_clock::tests::the_time_that_the_machine_slept_counts"]).output()
        {
            Ok(output) if output.status.success() => {}
            Ok(output) if output.stdout.is_empty() => {
                let why = String::from_utf8_lossy(&output.stderr).into_owned();
                eprintln!(
                    "SKIPPED: no time namespace here ({}); it takes Linux, root and unshare",
                    why.trim()
                );
            }
            Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stdout)),
            Err(error) => {
                eprintln!("SKIPPED: no time namespace here ({error}); it takes Linux, root and unshare");
            }
        }
    }
}

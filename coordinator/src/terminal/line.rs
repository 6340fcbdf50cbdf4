//! One line of progress.

use super::view::thresholds_told;
use crate::results::{Live, ThresholdStanding, quantity};
use std::time::Duration;

/// The run as it stands, in one line:
/// `00:12 / 00:25  users 60/100  rps 182  succeeded 2,181  failures 3 (0.1 %)  p95 48 ms  thresholds 2 ok  ETA 00:13`.
pub fn progress_line(
    elapsed: Duration,
    total: Duration,
    live: &Live,
    thresholds: &[ThresholdStanding],
) -> String {
    format!(
        "{} / {}{}  {}{}  ETA {}",
        clock(elapsed),
        clock(total),
        if live.warmup { "  warm-up" } else { "" },
        figures(live),
        thresholds_told(thresholds).map_or(String::new(), |told| format!("  {told}")),
        time_left(elapsed, total, live),
    )
}

/// Users, requests, failures and latency: `users 60/100  rps 182  succeeded 2,181  failures 3 (0.1 %)  p95 48 ms`.
pub(super) fn figures(live: &Live) -> String {
    let share = match live.requests {
        n if live.failures == 0 || n == 0 => String::new(),
        n => format!(" ({})", quantity::percent_to(live.failures as f64 * 100.0 / n as f64, 1)),
    };
    format!(
        "users {}/{}{}  rps {}  succeeded {}  failures {}{share}{}  p95 {}",
        quantity::count(live.users.into()),
        quantity::count(live.target_users.into()),
        live.iterations.map_or(String::new(), |(done, all)| {
            format!("  iterations {}/{}", quantity::count(done), quantity::count(all))
        }),
        quantity::count(live.rps),
        quantity::count(live.requests.saturating_sub(live.failures)),
        quantity::count(live.failures),
        if live.dropped > 0 { format!("  dropped {}", quantity::count(live.dropped)) } else { String::new() },
        live.p95.map_or("-".to_owned(), quantity::latency),
    )
}

/// Until the schedule ends, or the iterations are done if they go on as they did.
pub(super) fn time_left(elapsed: Duration, total: Duration, live: &Live) -> String {
    let left = total.saturating_sub(elapsed);
    let left = match live.iterations {
        Some((done, all)) if done > 0 => {
            left.min(elapsed.mul_f64(all.saturating_sub(done) as f64 / done as f64))
        }
        _ => left,
    };
    // Rounded up, so that the clock and the time that is left add up to the whole.
    clock(Duration::from_secs(left.as_secs() + u64::from(left.subsec_nanos() > 0)))
}

/// `MM:SS`, from an hour on `H:MM:SS`.
pub(super) fn clock(t: Duration) -> String {
    let (hours, minutes, seconds) = (t.as_secs() / 3600, t.as_secs() / 60 % 60, t.as_secs() % 60);
    if hours == 0 {
        format!("{minutes:02}:{seconds:02}")
    } else {
        format!("{hours}:{minutes:02}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_show_what_is_known() {
        let check = |elapsed_ms: u64, total_s: u64, live: Live, expected: &str| {
            let line =
                progress_line(Duration::from_millis(elapsed_ms), Duration::from_secs(total_s), &live, &[]);
            assert_eq!(line, expected);
        };
        let live = Live {
            second: Some(11),
            users: 60,
            target_users: 100,
            warmup: false,
            dropped: 0,
            iterations: None,
            rps: 182,
            requests: 2_184,
            failures: 3,
            p95: Some(Duration::from_micros(48_003)),
        };
        check(
            12_000,
            25,
            live,
            "00:12 / 00:25  users 60/100  rps 182  succeeded 2,181  failures 3 (0.1 %)  p95 48 ms  ETA 00:13",
        );
        check(
            12_400,
            25,
            live,
            "00:12 / 00:25  users 60/100  rps 182  succeeded 2,181  failures 3 (0.1 %)  p95 48 ms  ETA 00:13",
        );
        check(
            12_000,
            25,
            Live { warmup: true, dropped: 1_200, ..live },
            "00:12 / 00:25  warm-up  users 60/100  rps 182  succeeded 2,181  failures 3 (0.1 %)  dropped 1,200  p95 48 ms  ETA 00:13",
        );
        check(
            0,
            25,
            Live::default(),
            "00:00 / 00:25  users 0/0  rps 0  succeeded 0  failures 0  p95 -  ETA 00:25",
        );
        let busy = Live {
            users: 100_000,
            target_users: 100_000,
            rps: 12_345,
            requests: 1_000_000_000,
            failures: 1,
            p95: Some(Duration::from_millis(1520)),
            ..live
        };
        check(
            3_725_000,
            7_200,
            busy,
            "1:02:05 / 2:00:00  users 100,000/100,000  rps 12,345  succeeded 999,999,999  failures 1 (0.1 %)  p95 1.52 s  ETA 57:55",
        );
        check(
            30_000,
            25,
            Live { users: 2, target_users: 0, failures: 2_184, p95: None, rps: 0, ..live },
            "00:30 / 00:25  users 2/0  rps 0  succeeded 0  failures 2,184 (100 %)  p95 -  ETA 00:00",
        );
    }
}

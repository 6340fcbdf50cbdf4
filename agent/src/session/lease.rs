//! The right to make load, counted from when its renewal was sent.

use proto::defect::{Defect, seeded};
use std::collections::VecDeque;
use std::time::Duration;

/// Lifetime of the first lease, before the coordinator granted one.
const FIRST_TTL: Duration = Duration::from_secs(10);

/// Renewals whose answer is still awaited; older ones are forgotten, their answers ignored.
const MAX_PENDING: usize = 64;

/// A lease and its renewals. A grant counts from when the agent SENT the renewal, so the lease ends on the
/// agent before it ends in the coordinator's eyes, and no clocks need to agree.
#[derive(Debug)]
pub(super) struct Lease {
    renew_every: Duration,
    renew_at: Duration,
    over_at: Duration,
    /// Whether the coordinator has granted anything yet.
    granted: bool,
    last_n: u64,
    pending: VecDeque<(u64, Duration)>,
}

impl Lease {
    /// A lease whose first renewal, numbered as returned, goes out at `now`.
    pub(super) fn new(now: Duration, renew_every: Duration) -> (Lease, u64) {
        let mut lease = Lease {
            renew_every,
            renew_at: now,
            over_at: now + FIRST_TTL,
            granted: false,
            last_n: 0,
            pending: VecDeque::new(),
        };
        let n = lease.renew(now);
        (lease, n)
    }

    /// Goes on over another stream; the renewal numbered as returned goes out at `now`. The lease is none the longer for it.
    pub(super) fn go_on(&mut self, now: Duration, renew_every: Duration) -> u64 {
        self.renew_every = renew_every;
        self.renew(now)
    }

    /// The number of the renewal to send now, if one is due.
    pub(super) fn renew_if_due(&mut self, now: Duration) -> Option<u64> {
        (self.renew_at <= now).then(|| self.renew(now))
    }

    /// The answer to renewal `n` is here `now`; when that was sent, if it was and this is its first answer.
    pub(super) fn granted(&mut self, now: Duration, n: u64, ttl: Duration) -> Option<Duration> {
        let &(_, sent) = self.pending.iter().find(|&&(pending, _)| pending == n)?;
        // The first grant ends the provisional lease, also when that would have lasted longer.
        let earlier = if self.granted { self.over_at } else { Duration::ZERO };
        let from = if seeded(Defect::M3) { now } else { sent };
        self.over_at = earlier.max(from + ttl);
        self.granted = true;
        self.pending.retain(|&(pending, _)| pending > n);
        Some(sent)
    }

    /// From when on no load may be made.
    pub(super) fn over_at(&self) -> Duration {
        self.over_at
    }

    /// When something is to be done: a renewal, or noticing the end.
    pub(super) fn due_at(&self) -> Duration {
        self.renew_at.min(self.over_at)
    }

    /// The number of a renewal to send at `now`.
    pub(super) fn renew(&mut self, now: Duration) -> u64 {
        self.last_n += 1;
        self.renew_at = now + self.renew_every;
        self.pending.push_back((self.last_n, now));
        if self.pending.len() > MAX_PENDING {
            self.pending.pop_front();
        }
        self.last_n
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn a_grant_counts_from_when_its_renewal_was_sent() {
        let (mut lease, n) = Lease::new(S, S);
        assert_eq!((n, lease.over_at()), (1, S + FIRST_TTL));
        assert_eq!(lease.renew_if_due(S), None);
        assert_eq!(lease.renew_if_due(9 * S), Some(2));
        lease.granted(20 * S, 1, 4 * S);
        assert_eq!(lease.over_at(), 5 * S, "the first grant replaces the provisional lease");
        lease.granted(20 * S, 2, 4 * S);
        assert_eq!(lease.over_at(), 13 * S);
        lease.granted(20 * S, 2, 60 * S);
        lease.granted(20 * S, 7, 60 * S);
        lease.granted(20 * S, 1, 60 * S);
        assert_eq!(lease.over_at(), 13 * S, "repeated, unknown and outdated grants change nothing");
        assert_eq!(lease.due_at(), 10 * S);
    }
}

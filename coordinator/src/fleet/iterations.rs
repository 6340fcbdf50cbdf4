//! How far every user has come, over all agents.

use plan::finite::Finite;
use plan::slot::Slot;
use proto::message::Progress;

/// The iteration with which each user goes on. Applied with the windows, so an iteration counts as done exactly when
/// its requests are in the statistics.
#[derive(Clone, Debug)]
pub(crate) struct Iterations {
    users: Vec<User>,
    finite: Option<Finite>,
    done: u64,
    given_up: u64,
    /// Those of users that nobody has any more.
    stranded: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct User {
    next: u64,
    gave_up: bool,
}

impl Iterations {
    /// Of users `0..users`, none of which has done anything; `finite` says how many they are to do.
    pub(crate) fn new(users: u32, finite: Option<Finite>) -> Iterations {
        let users = vec![User::default(); users as usize];
        Iterations { users, finite, done: 0, given_up: 0, stranded: 0 }
    }

    /// The iteration with which `slot` goes on.
    pub(super) fn next(&self, slot: Slot) -> u64 {
        self.user(slot).next
    }

    /// How many iterations `slot` has left; `None` if there is no end to them.
    pub(super) fn left(&self, slot: Slot) -> Option<u64> {
        let User { next, gave_up } = self.user(slot);
        let share = self.finite?.share(slot);
        Some(if gave_up { 0 } else { share.saturating_sub(next) })
    }

    /// Nobody will do what `slot` has left.
    pub(super) fn strand(&mut self, slot: Slot) {
        self.stranded += self.left(slot).unwrap_or(0);
    }

    /// Somebody will, after all.
    pub(super) fn unstrand(&mut self, slot: Slot) {
        self.stranded = self.stranded.saturating_sub(self.left(slot).unwrap_or(0));
    }

    /// Whether all iterations are done, or will never be.
    pub(super) fn are_over(&self) -> bool {
        self.finite.is_some_and(|finite| finite.total() <= self.done + self.given_up + self.stranded)
    }

    /// Iterations that are done, in a run of so many, and those that users gave up.
    pub(crate) fn counts(&self) -> Option<(Finite, u64, u64)> {
        self.finite.map(|finite| (finite, self.done, self.given_up))
    }

    /// Whether `progress` can be; what it says if not.
    pub(super) fn judge(&self, progress: &Progress) -> Result<(), String> {
        let Progress { slot: Slot(slot), iteration, gave_up } = *progress;
        let User { next, gave_up: before } = self.user(progress.slot);
        if before {
            return Err(format!("that user {slot} goes on, which it had given up"));
        }
        if iteration < next || (iteration == next && !gave_up) {
            return Err(format!(
                "that user {slot} goes on with iteration {iteration}, which it had already with {next}"
            ));
        }
        match self.finite.map(|finite| finite.share(progress.slot)) {
            Some(share) if iteration > share => {
                Err(format!("that user {slot} did {iteration} iterations, which was to do {share}"))
            }
            None if gave_up => Err(format!("that user {slot} gave up iterations, which have no end")),
            _ => Ok(()),
        }
    }

    /// Takes note of progress that was judged.
    pub(crate) fn apply(&mut self, progress: &[Progress]) {
        for ended in progress {
            let Some(user) = self.users.get_mut(ended.slot.0 as usize) else { continue };
            self.done += ended.iteration.saturating_sub(user.next);
            *user = User { next: ended.iteration, gave_up: ended.gave_up };
            if let Some(finite) = self.finite.filter(|_| ended.gave_up) {
                self.given_up += finite.share(ended.slot).saturating_sub(ended.iteration);
            }
        }
    }

    fn user(&self, slot: Slot) -> User {
        self.users.get(slot.0 as usize).copied().unwrap_or_default()
    }
}

//! A user of an open load: it exists while it serves an arrival, and what it is between two of them waits in the
//! lobby.

use super::http::Client;
use super::reception::Arrival;
use super::roster::Place;
use super::shared::Shared;
use super::steps::Halt;
use super::user::User;
use plan::scope::Scope;
use std::fmt;
use std::rc::Rc;

/// What is kept of a user between two arrivals.
pub(super) struct Visitor {
    scope: Scope,
    client: Client,
    /// Whether its `on_start` has succeeded.
    entered: bool,
}

impl fmt::Debug for Visitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visitor").field("entered", &self.entered).finish_non_exhaustive()
    }
}

impl Visitor {
    /// The user of a slot before its first arrival.
    pub(super) fn new(shared: &Shared, place: &Place) -> Visitor {
        let (scope, client) = User::parts(shared, place);
        Visitor { scope, client, entered: false }
    }

    /// Serves `arrival`: one iteration, and before the first one `on_start`. If that fails, the arrival is over, and
    /// the next one tries again.
    ///
    /// The first request of it all counts from the intended start. What follows `on_start` does not: the time that
    /// a login takes, which each user does once, would stand in the latencies of another request.
    pub(super) async fn serve(self, shared: Rc<Shared>, place: Place, arrival: Arrival) {
        let slot = place.slot;
        let now = shared.now();
        let late = now.saturating_sub(arrival.at);
        shared.tally.begins(arrival.at, now);
        shared.tally.lag.borrow_mut().record(late);
        let Visitor { scope, client, mut entered } = self;
        let mut user = User::with(shared.clone(), place, scope, client);
        user.late = Some(late);
        let classes = &shared.job.plan.slots;
        let class = &shared.job.plan.classes[classes.of(slot).0 as usize];
        if user.is_out_of_rows() {
            return;
        }
        if !entered {
            let result = user.steps(&class.on_start).await;
            if matches!(result, Err(Halt::User)) {
                return;
            }
            entered = result.is_ok();
            user.scope.keep_saved();
        }
        if entered {
            user.scope.begin_arrival(&shared.job.plan, arrival.number);
            if user.is_out_of_rows() {
                return;
            }
            user.submitted = None;
            let task = user.scope.pick_task(class);
            // A failure is in the books already.
            if let Err(Halt::User) = user.steps(&class.tasks[task].steps).await {
                return;
            }
        }
        let (scope, client) = user.leave();
        shared.lobby.give_back(slot, Visitor { scope, client, entered }, classes, shared.now());
    }
}

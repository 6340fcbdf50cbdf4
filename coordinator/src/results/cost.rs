//! What the agents of a run cost, by the price of an hour that the plan states.

use super::facts::{AgentFacts, RunFacts};
use metrics::unit::Price;
use std::time::Duration;

/// What the agents of a run cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Of an agent-hour.
    pub price: Price,
    /// How many agents had users.
    pub agents: u32,
    /// How long they were attached, all together; whole milliseconds of each.
    pub time: Duration,
    /// Requests with a result, those of the warm-up included: they cost no less.
    pub requests: u64,
}

impl Cost {
    /// Counts each agent that had users, from when it attached (waiting for others costs, too) to the end of the run, or until it was
    /// lost or left. `None` where nobody had users.
    pub(super) fn new(price: Price, facts: &RunFacts, requests: u64) -> Option<Cost> {
        let length = facts.ended_at.duration_since(facts.started_at);
        let end = facts.t0.saturating_add(length.try_into().unwrap_or_default());
        let paid = |agent: &AgentFacts| {
            let gone = [agent.lost.as_ref().map(|lost| lost.at), agent.left.as_ref().map(|left| left.at)];
            let gone = gone.into_iter().flatten().min().map(|at| facts.t0.saturating_add(at));
            let time = gone.unwrap_or(end).min(end).saturating_sub(agent.attached);
            Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
        };
        let had_users = facts.agents.iter().filter(|agent| agent.users_assigned > 0);
        let (agents, time) = had_users.fold((0, Duration::ZERO), |(agents, time), agent| {
            (agents + 1, time.saturating_add(paid(agent)))
        });
        (agents > 0).then_some(Cost { price, agents, time, requests })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Left, Lost};
    use crate::results::fixture::{Scripted, facts};
    use metrics::unit::parse_price;

    #[test]
    fn agents_cost_from_when_they_attached_to_their_end() {
        let seconds = Duration::from_secs;
        let agent = |id: u32, attached: u64, users: u32| {
            let mut agent = Scripted::new(id, "a");
            (agent.facts.attached, agent.facts.users_assigned) = (seconds(attached), users);
            agent
        };
        let (early, late, idle) = (agent(1, 5, 10), agent(2, 63, 1), agent(3, 0, 0));
        let (mut lost, mut left) = (agent(4, 20, 10), agent(5, 20, 10));
        lost.facts.lost = Some(Lost { reason: String::new(), at: seconds(4), quiet_at: seconds(8) });
        left.facts.left = Some(Left { reason: String::new(), at: Duration::from_micros(2_500_900) });
        // T0 is at 60 s, and the run ends 10.5 s later.
        let check = |agents: &[&Scripted], expected: Option<(u32, u64)>| {
            let facts = RunFacts { t0: seconds(60), ..facts(agents) };
            let price = parse_price("0.12 USD").unwrap();
            let cost = Cost::new(price, &facts, 7);
            assert_eq!(cost.map(|cost| (cost.agents, cost.time.as_millis() as u64)), expected);
        };
        check(&[&early], Some((1, 65_500)));
        check(&[&late], Some((1, 7_500)));
        check(&[&lost], Some((1, 44_000)));
        check(&[&left], Some((1, 42_500)));
        check(&[&early, &late, &idle, &lost, &left], Some((4, 159_500)));
        check(&[&idle], None);
        check(&[], None);
    }
}

//! How many requests the users of a plan would make per second.

use plan::Plan;
use plan::model::{Step, UserClass};
use plan::slot::Slot;
use std::time::Duration;

/// How long each response is assumed to take.
pub const ASSUMED_RESPONSE: Duration = Duration::from_millis(100);

/// Expected rates while all users are there, if every request succeeds within [`ASSUMED_RESPONSE`].
#[derive(Clone, Debug, PartialEq)]
pub struct Rates {
    /// Users of each class.
    pub users: Vec<u32>,
    /// Iterations per second of each class.
    pub iterations: Vec<f64>,
    /// Requests per second of each class.
    pub requests: Vec<f64>,
    /// Requests per second of each series; `None` for those that each user feeds only once.
    pub series: Vec<Option<f64>>,
}

impl Rates {
    /// A user starts one iteration per mean cycle (renewal theory: the rate is one over the mean time between
    /// starts), and each task has its weight's share of the iterations.
    pub fn at_full_load(plan: &Plan) -> Rates {
        let mut rates = Rates {
            users: vec![0; plan.classes.len()],
            iterations: Vec::new(),
            requests: vec![0.0; plan.classes.len()],
            series: vec![None; plan.series.len()],
        };
        for slot in (0..plan.schedule.max_users()).map(Slot) {
            rates.users[plan.slots.of(slot).0 as usize] += 1;
        }
        for (at, class) in plan.classes.iter().enumerate() {
            let total: f64 = class.tasks.iter().map(|task| f64::from(task.weight)).sum();
            let iterations = f64::from(rates.users[at]) / mean_cycle(class);
            for task in &class.tasks {
                let rate = iterations * f64::from(task.weight) / total;
                for step in &task.steps {
                    if let Step::Request(request) = step {
                        *rates.series[request.series.0 as usize].get_or_insert(0.0) += rate;
                        rates.requests[at] += rate;
                    }
                }
            }
            rates.iterations.push(iterations);
        }
        rates
    }
}

/// Seconds from the start of one iteration to that of the next, on average over the tasks.
fn mean_cycle(class: &UserClass) -> f64 {
    let total: f64 = class.tasks.iter().map(|task| f64::from(task.weight)).sum();
    let weighted = |task: &plan::model::Task| {
        let requests = task.steps.iter().filter(|step| matches!(step, Step::Request(_))).count();
        let spent = ASSUMED_RESPONSE * u32::try_from(requests).unwrap_or(u32::MAX);
        class.wait.mean_cycle(spent).as_secs_f64() * f64::from(task.weight)
    };
    class.tasks.iter().map(weighted).sum::<f64>() / total
}

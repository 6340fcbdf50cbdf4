//! How many requests the users of a plan would make per second.

use metrics::SeriesId;
use plan::Plan;
use plan::flow::Count;
use plan::model::{Step, UserClass};
use plan::slot::Slot;
use plan::websocket::{Message, Wanted};
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
    /// Per second of each series; `None` for those that each user feeds only once.
    pub series: Vec<Option<f64>>,
    /// Users that run an iteration at a time, on average (Little 1961: rate times length).
    pub busy: f64,
}

impl Rates {
    /// In an open load, each class has its users' share of the arrivals at their peak. Otherwise, a user starts one iteration per mean cycle (renewal theory: the rate is one over the mean time between
    /// starts), and each task has its weight's share of the iterations.
    pub fn at_full_load(plan: &Plan) -> Rates {
        let mut rates = Rates {
            users: vec![0; plan.classes.len()],
            iterations: Vec::new(),
            requests: vec![0.0; plan.classes.len()],
            series: vec![None; plan.series.len()],
            busy: 0.0,
        };
        for slot in (0..plan.schedule.max_users()).map(Slot) {
            rates.users[plan.slots.of(slot).0 as usize] += 1;
        }
        for (at, class) in plan.classes.iter().enumerate() {
            let total: f64 = class.tasks.iter().map(|task| f64::from(task.weight)).sum();
            let users = f64::from(rates.users[at]);
            let iterations = match &plan.arrivals {
                Some(arrivals) => arrivals.peak() * users / f64::from(plan.schedule.max_users().max(1)),
                None => users / mean_cycle(class),
            };
            rates.busy += iterations * mean_iteration(class);
            for task in &class.tasks {
                let rate = iterations * f64::from(task.weight) / total;
                visit(&task.steps, rate, &mut |series, rate| {
                    *rates.series[series.0 as usize].get_or_insert(0.0) += rate;
                    if plan.series[series.0 as usize].is_request() {
                        rates.requests[at] += rate;
                    }
                });
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
        let spent = Duration::try_from_secs_f64(mean_length(&task.steps)).unwrap_or(Duration::MAX);
        class.wait.mean_cycle(spent).as_secs_f64() * f64::from(task.weight)
    };
    class.tasks.iter().map(weighted).sum::<f64>() / total
}

/// Seconds that an iteration takes, on average over the tasks.
fn mean_iteration(class: &UserClass) -> f64 {
    let total: f64 = class.tasks.iter().map(|task| f64::from(task.weight)).sum();
    let weighted = |task: &plan::model::Task| mean_length(&task.steps) * f64::from(task.weight);
    class.tasks.iter().map(weighted).sum::<f64>() / total
}

/// Tells `seen` every series that `steps` feed, and how often, if they begin `times` times. Assumes that an
/// `if` goes either way equally often, that a `repeat` of unknown length runs once, and that the first poll is
/// the last.
fn visit(steps: &[Step], times: f64, seen: &mut impl FnMut(SeriesId, f64)) {
    for step in steps {
        match step {
            Step::Request(request) => seen(request.series, times),
            Step::Poll(poll) => {
                seen(poll.request.series, times);
                seen(poll.completion, times);
            }
            Step::If(branches) => {
                visit(&branches.then, times / 2.0, seen);
                visit(&branches.otherwise, times / 2.0, seen);
            }
            Step::Repeat(repeat) => visit(&repeat.steps, times * rounds(&repeat.count), seen),
            Step::Transaction(transaction) => {
                seen(transaction.series, times);
                visit(&transaction.steps, times, seen);
            }
            Step::Call(steps) => visit(steps, times, seen),
            Step::WebSocket(socket) => {
                seen(socket.request.series, times);
                seen(socket.session, times);
                if let Some(isolated) = socket.isolated {
                    seen(isolated, times);
                }
                visit(&socket.steps, times, seen);
            }
            Step::Message(message) => match message {
                Message::Receive(receive) => seen(receive.series, times),
                Message::Ping(ping) => seen(ping.series, times),
                Message::Send(_) | Message::Close(_) => {}
            },
            _ => {}
        }
    }
}

/// How many seconds `steps` take on average, under the assumptions of [`visit`].
fn mean_length(steps: &[Step]) -> f64 {
    let of_step = |step: &Step| match step {
        Step::Request(_) | Step::Poll(_) => ASSUMED_RESPONSE.as_secs_f64(),
        Step::Think(think) => think.wait.mean_cycle(Duration::ZERO).as_secs_f64(),
        Step::If(branches) => f64::midpoint(mean_length(&branches.then), mean_length(&branches.otherwise)),
        Step::Repeat(repeat) => rounds(&repeat.count) * mean_length(&repeat.steps),
        Step::Transaction(transaction) => mean_length(&transaction.steps),
        Step::Call(steps) => mean_length(steps),
        Step::WebSocket(socket) => ASSUMED_RESPONSE.as_secs_f64() + mean_length(&socket.steps),
        Step::Message(message) => match message {
            Message::Receive(receive) => match receive.wanted {
                Wanted::For(time) => time.as_secs_f64(),
                _ => ASSUMED_RESPONSE.as_secs_f64(),
            },
            Message::Ping(_) => ASSUMED_RESPONSE.as_secs_f64(),
            Message::Send(_) | Message::Close(_) => 0.0,
        },
        _ => 0.0,
    };
    steps.iter().map(of_step).sum()
}

fn rounds(count: &Count) -> f64 {
    match count {
        Count::Fixed(rounds) => f64::from(*rounds),
        Count::Computed(_) => 1.0,
    }
}

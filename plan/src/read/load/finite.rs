//! `iterations`, and the numbers of the command line.

use super::{Given, Length, Load};
use crate::diagnostic::Problem;
use crate::language::MAX_ITERATIONS;
use crate::read::Reader;
use crate::yaml::Node;
use metrics::unit::{parse_duration, parse_rate};
use std::time::Duration;

/// When a run of so many iterations ends at the latest, unless the plan says otherwise.
const LATEST_END: Duration = Duration::from_hours(24);

impl Reader<'_> {
    /// `iterations`: a number; a time or a rate is told where it belongs.
    pub(super) fn iterations(&mut self, node: &Node) -> Option<u32> {
        let text = node.scalar().map_or("", |scalar| scalar.text.trim());
        let (what, key) = if parse_duration(text).is_ok() {
            ("a time", "duration")
        } else if parse_rate(text).is_ok() {
            ("a rate", "arrivals")
        } else {
            return self.integer(node, 1, MAX_ITERATIONS);
        };
        let problem = format!("expected a number of iterations, found {what}, `{text}`");
        let remedy = format!("write how many, for instance `iterations: 1000`, or `{key}: {text}`");
        self.report(Problem::new(node.span, problem, remedy));
        None
    }

    /// The load with what a number of iterations means to its users and its length, and that number.
    pub(super) fn finite(&mut self, load: &Load) -> Option<(Load, Option<u32>)> {
        let n = match load.iterations {
            Given::Absent => return Some((load.clone(), None)),
            Given::Broken => return None,
            Given::Value(n) => n,
        };
        if load.open.arrivals != Given::Absent {
            let remedy = "remove one: arrivals come at a rate until the `duration` is over";
            self.report(Problem::new(load.iterations_place, "`iterations` beside `arrivals`", remedy));
            return None;
        }
        let length = match &load.length {
            Given::Value(Length::Stages(_)) => {
                let remedy =
                    "give `users` and `spawn_rate` in place of the stages: the iterations end the run";
                self.report(Problem::new(load.iterations_place, "`iterations` beside `stages`", remedy));
                return None;
            }
            Given::Value(Length::Hold(_)) => {
                let remedy = "remove `hold`; `duration` may say when the run ends at the latest";
                self.report(Problem::new(load.iterations_place, "`iterations` beside `hold`", remedy));
                return None;
            }
            Given::Absent => Given::Value(Length::Duration(LATEST_END)),
            length => length.clone(),
        };
        let users = match load.users {
            // A user without an iteration has nothing to do.
            Given::Value(users) => Given::Value(users.min(n)),
            ref users => users.clone(),
        };
        Some((Load { users, length, ..load.clone() }, Some(n)))
    }
}

//! `arrivals` and `max_users`: open load.

use super::Reader;
use super::fields::Fields;
use super::load::Given;
use super::value::Expected;
use crate::arrivals::{Arrivals, Pattern, Phase};
use crate::diagnostic::{Problem, Span, shown};
use crate::language::{self, MAX_USERS};
use crate::schedule::{Schedule, Shape};
use crate::yaml::{Entry, Node, Value};
use metrics::unit::Rate;
use std::time::Duration;

/// Most stages of a course of rates.
const MAX_STAGES: usize = 1000;

/// What one mapping says about open load.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) arrivals: Given<Rates>,
    /// Where the arrivals stand; without any, where the load does.
    pub(super) place: Span,
    pub(super) max_users: Given<u32>,
    max_users_place: Span,
}

/// What `arrivals:` says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rates {
    pub(super) course: Course,
    pattern: Pattern,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Course {
    /// One rate, for as long as the load says.
    Constant(Rate),
    /// Rates with lengths of their own.
    Stages(Vec<Phase>),
}

impl Open {
    /// Nothing of it.
    pub(super) fn absent(place: Span) -> Open {
        Open { arrivals: Given::Absent, place, max_users: Given::Absent, max_users_place: place }
    }

    /// Whether its arrivals have lengths of their own.
    pub(super) fn is_staged(&self) -> bool {
        matches!(&self.arrivals, Given::Value(Rates { course: Course::Stages(_), .. }))
    }

    /// This over `base`. `closed` says that the overlay asks for users that repeat their tasks.
    pub(super) fn over(self, base: Open, closed: bool) -> Open {
        if closed || self.arrivals != Given::Absent {
            let max_users = if closed { Given::Absent } else { base.max_users };
            return Open { max_users: self.max_users.or(max_users), ..self };
        }
        let max_users_place =
            if self.max_users == Given::Absent { base.max_users_place } else { self.max_users_place };
        Open { max_users: self.max_users.or(base.max_users), max_users_place, ..base }
    }
}

impl Reader<'_> {
    /// `arrivals` and `max_users` of a load.
    pub(super) fn open(&mut self, fields: &Fields<'_>) -> Open {
        let (arrivals, max_users) = (fields.get("arrivals"), fields.get("max_users"));
        let open = Open {
            arrivals: Given::read(arrivals, |node| self.rates(node)),
            place: arrivals.map_or(fields.place, |e| e.key_span),
            max_users: Given::read(max_users, |node| self.integer(node, 1, MAX_USERS)),
            max_users_place: max_users.map_or(fields.place, |e| e.key_span),
        };
        if let Some(entry) = arrivals {
            self.refuse_beside(fields, entry, &open);
        }
        open
    }

    /// Reports the keys that have no meaning beside `arrivals`.
    fn refuse_beside(&mut self, fields: &Fields<'_>, arrivals: &Entry, open: &Open) {
        for (key, other) in fields.among(&["users", "spawn_rate", "duration", "hold", "stages"]) {
            let remedy = match key {
                "duration" if !open.is_staged() => continue,
                "duration" => "remove it: the stages of `arrivals` have lengths of their own",
                "users" => {
                    "write `max_users`: arrivals come whatever the users do, and that many may serve them"
                }
                "spawn_rate" => {
                    "remove it: a user starts with its first arrival; for a slow start, give `arrivals` stages"
                }
                "hold" => "write `duration`",
                _ => "put the stages into `arrivals`: `arrivals: [ { rate: 10/s, over: 30s } ]`",
            };
            let problem = format!("`{key}` beside `arrivals`");
            let problem = Problem::new(other.key_span, problem, remedy);
            self.report(problem.related(arrivals.key_span, "the arrivals"));
        }
    }

    /// `200/s`, a mapping with a pattern, or a list of stages.
    fn rates(&mut self, node: &Node) -> Option<Rates> {
        match &node.value {
            Value::Scalar(_) => {
                Some(Rates { course: Course::Constant(self.arrival_rate(node)?), pattern: Pattern::Even })
            }
            Value::Sequence(_) => {
                Some(Rates { course: Course::Stages(self.arrival_stages(node)?), pattern: Pattern::Even })
            }
            Value::Mapping(_) => self.rates_with_pattern(node),
        }
    }

    fn rates_with_pattern(&mut self, node: &Node) -> Option<Rates> {
        let fields = Fields::new(self, node, node.span, &language::ARRIVALS)?;
        let pattern = match fields.get("pattern") {
            None => Some(Pattern::Even),
            Some(entry) => self.pattern(&entry.value),
        };
        let course = match fields.among(&["rate", "stages"])[..] {
            [("rate", entry)] => self.arrival_rate(&entry.value).map(Course::Constant),
            [(_, entry)] => self.arrival_stages(&entry.value).map(Course::Stages),
            [] => {
                let remedy = "add `rate: 200/s`, or `stages: [ { rate: 200/s, over: 30s } ]`";
                self.report(Problem::new(fields.place, "arrivals without a rate", remedy));
                None
            }
            [_, (_, second), ..] => {
                let remedy = "keep one: `rate` is the same all the time, `stages` are a course of rates";
                self.report(Problem::new(second.key_span, "`stages` beside `rate`", remedy));
                None
            }
        };
        Some(Rates { course: course?, pattern: pattern? })
    }

    fn pattern(&mut self, node: &Node) -> Option<Pattern> {
        let expected =
            Expected { what: "`even` or `poisson`", remedy: "write `pattern: even` or `pattern: poisson`" };
        match self.text(node, expected)?.as_str() {
            "even" => Some(Pattern::Even),
            "poisson" => Some(Pattern::Poisson),
            other => {
                let problem = format!("expected {}, found {}", expected.what, shown(other));
                self.report(Problem::new(node.span, problem, expected.remedy));
                None
            }
        }
    }

    fn arrival_stages(&mut self, node: &Node) -> Option<Vec<Phase>> {
        let example = "write for instance `[ { rate: 200/s, over: 30s }, { rate: 200/s, for: 5m } ]`";
        let expected = Expected { what: "a list of stages", remedy: example };
        let items = self.list(node, expected)?;
        if !self.at_most(items.len(), MAX_STAGES, "`stages`", node.span) {
            return None;
        }
        let phases: Vec<Option<Phase>> = items.iter().map(|item| self.arrival_stage(item)).collect();
        let phases: Vec<Phase> = phases.into_iter().collect::<Option<_>>()?;
        let total = phases.iter().try_fold(Duration::ZERO, |sum, phase| sum.checked_add(phase.length));
        let problem = if total.is_none_or(|total| total > Schedule::MAX_LENGTH) {
            "the stages together are longer than 400 days"
        } else if Arrivals::new(&phases, Pattern::Even).expected() <= 0.0 {
            "nothing ever arrives in these stages"
        } else {
            return Some(phases);
        };
        self.report(Problem::new(node.span, problem, example));
        None
    }

    fn arrival_stage(&mut self, node: &Node) -> Option<Phase> {
        let fields = Fields::new(self, node, node.span, &language::ARRIVAL_STAGE)?;
        let rate =
            self.required(&fields, "rate", "rate: 200/s").and_then(|e| self.arrival_rate_or_none(&e.value));
        let (shape, length) = self.stage_length(&fields, "rate")?;
        Some(Phase { rate: rate?, shape, length })
    }

    /// `0/s` is a rate at which nothing comes.
    fn arrival_rate_or_none(&mut self, node: &Node) -> Option<Rate> {
        let zero = node.scalar().and_then(|scalar| scalar.text.trim().split_once('/')).is_some_and(
            |(number, unit)| number.parse() == Ok(0.0) && ["s", "m", "min", "h"].contains(&unit),
        );
        if zero { Some(Rate { count: 0, per_ns: 1_000_000_000 }) } else { self.arrival_rate(node) }
    }

    fn arrival_rate(&mut self, node: &Node) -> Option<Rate> {
        let rate = self.rate(node)?;
        let most = u128::from(Arrivals::MAX_PER_SECOND);
        if u128::from(rate.count) * 1_000_000_000 > u128::from(rate.per_ns) * most {
            let problem = format!("more than {most} arrivals per second");
            self.report(Problem::new(node.span, problem, format!("choose at most `{most}/s`")));
            return None;
        }
        Some(rate)
    }

    /// The arrivals of a load that has them (`given`), and the users that serve them. `duration` is the load's.
    pub(super) fn open_schedule(
        &mut self,
        open: &Open,
        given: &Rates,
        duration: &Given<Duration>,
        or_profile: &str,
    ) -> Option<(Schedule, Arrivals)> {
        if open.max_users == Given::Absent {
            let remedy = "add for instance `max_users: 200`: at most that many iterations run at once, so about \
                          the rate times the longest iteration";
            self.report(Problem::new(open.place, "`arrivals` without `max_users`", remedy));
        }
        let arrivals = match (&given.course, duration) {
            (Course::Stages(stages), Given::Absent) => Some(Arrivals::new(stages, given.pattern)),
            (Course::Stages(_), Given::Value(_)) => {
                let remedy = "remove it, or give the profile `arrivals` of its own";
                let problem = "a `duration` over `arrivals` whose stages have lengths of their own";
                self.report(Problem::new(open.place, problem, remedy));
                None
            }
            (Course::Constant(rate), Given::Value(duration)) => {
                Some(Arrivals::constant(*rate, *duration, given.pattern))
            }
            (Course::Constant(_), Given::Absent) => {
                let remedy = format!("add `duration: 5m` to `load`{or_profile}");
                self.report(Problem::new(open.place, "the load does not say how long", remedy));
                None
            }
            (_, Given::Broken) => None,
        };
        let (Given::Value(users), Some(arrivals)) = (&open.max_users, arrivals) else { return None };
        Some((Schedule::constant(*users, None, arrivals.end()), arrivals))
    }

    /// What stands in the way of `--users`, `--spawn-rate` and `--duration` of the command line.
    pub(super) fn refuse_settings(&mut self, open: &Open) -> Option<()> {
        let settings = self.settings;
        let (problem, remedy) = if settings.users.is_some() || settings.spawn_rate.is_some() {
            let remedy = "leave them out (LOAD_TEST_USERS and LOAD_TEST_SPAWN_RATE too): the rate of the arrivals \
                          and `max_users` stand in the plan";
            ("--users and --spawn-rate do not go with `arrivals`", remedy)
        } else if open.is_staged() && settings.duration.is_some() {
            let remedy =
                "leave it out (LOAD_TEST_DURATION too), or give the plan one rate: `arrivals: 200/s`";
            ("--duration cannot change the stages of `arrivals`", remedy)
        } else {
            return Some(());
        };
        self.report(Problem::new(open.place, problem, remedy));
        None
    }

    /// Reports `max_users` of a load without arrivals.
    pub(super) fn max_users_alone(&mut self, open: &Open) -> Option<()> {
        if open.max_users == Given::Absent {
            return Some(());
        }
        let remedy = "write `users`, or add `arrivals: 200/s`";
        self.report(Problem::new(open.max_users_place, "`max_users` without `arrivals`", remedy));
        None
    }

    /// `over` or `for` of a stage whose end `what` describes.
    pub(super) fn stage_length(&mut self, fields: &Fields<'_>, what: &str) -> Option<(Shape, Duration)> {
        match fields.among(&["over", "for"])[..] {
            [(key, entry)] => {
                let shape = if key == "over" { Shape::Ramp } else { Shape::Hold };
                Some((shape, self.bounded_duration(&entry.value)?))
            }
            [] => {
                let that = if what == "rate" { "that rate" } else { "that many" };
                let remedy =
                    format!("add `over: 10s` (a straight line to {that}) or `for: 5m` ({that} at once)");
                self.report(Problem::new(fields.place, "a stage without a length", remedy));
                None
            }
            [_, (_, second), ..] => {
                let remedy = "make two stages of it: first `over`, then `for`";
                self.report(Problem::new(second.key_span, "`for` beside `over`", remedy));
                None
            }
        }
    }
}

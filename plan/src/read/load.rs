//! `load`, `profiles` and the settings that override them: when users exist.

mod finite;
mod settings;

use super::Reader;
use super::arrivals::Open;
use super::fields::Fields;
use super::groups::Groups;
use super::value::Expected;
use crate::arrivals::Arrivals;
use crate::diagnostic::{Problem, Span};
use crate::finite::Finite;
use crate::language::{self, MAX_USERS};
use crate::schedule::{Schedule, Stage};
use crate::yaml::{Entry, Node};
use metrics::Threshold;
use metrics::unit::{Rate, format_duration};
use settings::settings_problem;
use std::time::Duration;

/// Most stages of a load.
const MAX_STAGES: usize = 1000;
/// Most profiles of a plan.
const MAX_PROFILES: usize = 100;
/// Longest `stop_timeout`.
const MAX_STOP_TIMEOUT: Duration = Duration::from_hours(24);

/// `stop_timeout` unless the plan says otherwise.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// What one mapping says about a key.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Given<T> {
    Absent,
    /// Something, but it was wrong and has been reported.
    Broken,
    Value(T),
}

impl<T> Given<T> {
    pub(super) fn read<'n>(entry: Option<&'n Entry>, read: impl FnOnce(&'n Node) -> Option<T>) -> Given<T> {
        match entry.map(|e| read(&e.value)) {
            None => Given::Absent,
            Some(None) => Given::Broken,
            Some(Some(value)) => Given::Value(value),
        }
    }

    /// `self`, or else what `base` gives.
    pub(super) fn or(self, base: Given<T>) -> Given<T> {
        if matches!(self, Given::Absent) { base } else { self }
    }
}

/// How long the run is.
#[derive(Clone, Debug, PartialEq)]
enum Length {
    /// From the first start.
    Duration(Duration),
    /// From the end of the ramp.
    Hold(Duration),
    Stages(Vec<Stage>),
}

/// The keys of a load, of a profile's load, or of both laid over each other.
#[derive(Clone, Debug)]
pub(super) struct Load {
    /// Where to report what is missing.
    place: Span,
    users: Given<u32>,
    users_place: Span,
    spawn_rate: Given<Rate>,
    length: Given<Length>,
    open: Open,
    stop_timeout: Given<Duration>,
    warmup: Given<Duration>,
    warmup_place: Span,
    iterations: Given<u32>,
    iterations_place: Span,
}

/// What a load comes to.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) schedule: Schedule,
    pub(super) arrivals: Option<Arrivals>,
    pub(super) stop_timeout: Duration,
    pub(super) warmup: Duration,
    pub(super) iterations: Option<Finite>,
}

/// One of `profiles:`.
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) name: String,
    load: Option<Load>,
    /// In place of the plan's own.
    pub(super) thresholds: Option<Vec<Threshold>>,
    /// In place of those of the groups named.
    pub(super) groups: Vec<(String, Vec<Threshold>)>,
}

impl Reader<'_> {
    /// `load:`
    pub(super) fn load(&mut self, node: &Node, place: Span) -> Option<Load> {
        let fields = Fields::new(self, node, place, &language::LOAD)?;
        Some(self.load_keys(&fields))
    }

    fn load_keys(&mut self, fields: &Fields<'_>) -> Load {
        let users = fields.get("users");
        let length = self.length(fields);
        let warmup = fields.get("warmup");
        let open = self.open(fields);
        // Reported there, once.
        let length = if open.is_staged() && length != Given::Absent { Given::Broken } else { length };
        let iterations = fields.get("iterations");
        Load {
            place: fields.place,
            users: Given::read(users, |n| self.integer(n, 1, MAX_USERS)),
            users_place: users.map_or(fields.place, |e| e.key_span),
            spawn_rate: Given::read(fields.get("spawn_rate"), |n| self.rate(n)),
            length: if fields.beyond && matches!(length, Given::Absent) { Given::Broken } else { length },
            open,
            stop_timeout: Given::read(fields.get("stop_timeout"), |n| self.stop_timeout(n)),
            warmup: Given::read(warmup, |n| self.warmup(n)),
            warmup_place: warmup.map_or(fields.place, |e| e.key_span),
            iterations: Given::read(iterations, |n| self.iterations(n)),
            iterations_place: iterations.map_or(fields.place, |e| e.key_span),
        }
    }

    fn length(&mut self, fields: &Fields<'_>) -> Given<Length> {
        let given = fields.among(&["duration", "hold", "stages"]);
        if let [(first, first_entry), (second, second_entry), ..] = given[..] {
            let remedy = "keep one: `duration` counts from the first start, `hold` from the end of the ramp, \
                          `stages` have lengths of their own";
            let problem = format!("`{second}` beside `{first}`");
            self.report(
                Problem::new(second_entry.key_span, problem, remedy)
                    .label("one too many")
                    .related(first_entry.key_span, "the other one"),
            );
        }
        let lengths: Vec<Given<Length>> = given
            .iter()
            .map(|(key, entry)| {
                Given::read(Some(entry), |node| match *key {
                    "duration" => self.positive_duration(node).map(Length::Duration),
                    "hold" => self.positive_duration(node).map(Length::Hold),
                    _ => self.stages(fields, entry).map(Length::Stages),
                })
            })
            .collect();
        match <[Given<Length>; 1]>::try_from(lengths) {
            Ok([length]) => length,
            Err(lengths) if lengths.is_empty() => Given::Absent,
            Err(_) => Given::Broken,
        }
    }

    fn stages(&mut self, fields: &Fields<'_>, entry: &Entry) -> Option<Vec<Stage>> {
        for (key, other) in fields.among(&["users", "spawn_rate"]) {
            let problem = format!("`{key}` beside `stages`");
            let remedy = "remove it: the stages say how many users there are, and when";
            self.report(Problem::new(other.key_span, problem, remedy).related(entry.key_span, "the stages"));
        }
        let expected = Expected {
            what: "a list of stages",
            remedy: "write `[ { users: 100, over: 10s }, { users: 100, for: 5m } ]`",
        };
        let items = self.list(&entry.value, expected)?;
        if !self.at_most(items.len(), MAX_STAGES, "`stages`", entry.key_span) {
            return None;
        }
        let stages: Vec<Option<Stage>> = items.iter().map(|item| self.stage(item)).collect();
        let stages: Vec<Stage> = stages.into_iter().collect::<Option<_>>()?;
        let total = stages.iter().try_fold(Duration::ZERO, |sum, s| sum.checked_add(s.length));
        let problem = if total.is_none_or(|t| t > Schedule::MAX_LENGTH) {
            "the stages together are longer than 400 days"
        } else if Schedule::stages(&stages).max_users() == 0 {
            "these stages never have a user"
        } else {
            return Some(stages);
        };
        let remedy = "write for instance `[ { users: 100, over: 10s }, { users: 100, for: 5m } ]`";
        self.report(Problem::new(entry.key_span, problem, remedy));
        None
    }

    fn stage(&mut self, node: &Node) -> Option<Stage> {
        let fields = Fields::new(self, node, node.span, &language::STAGE)?;
        let users =
            self.required(&fields, "users", "users: 100").and_then(|e| self.integer(&e.value, 0, MAX_USERS));
        let (shape, length) = self.stage_length(&fields, "users")?;
        Some(Stage { users: users?, shape, length })
    }

    /// How long iterations may take to finish; agents take no order to wait longer.
    fn stop_timeout(&mut self, node: &Node) -> Option<Duration> {
        let timeout = self.duration(node)?;
        if timeout > MAX_STOP_TIMEOUT {
            let remedy = "choose at most `24h`";
            self.report(Problem::new(node.span, "longer than 24 hours", remedy));
            return None;
        }
        Some(timeout)
    }

    pub(super) fn bounded_duration(&mut self, node: &Node) -> Option<Duration> {
        let duration = self.duration(node)?;
        if duration > Schedule::MAX_LENGTH {
            let problem = "longer than 400 days";
            self.report(Problem::new(node.span, problem, "choose at most `9600h`"));
            return None;
        }
        Some(duration)
    }

    /// Not zero.
    pub(super) fn positive_duration(&mut self, node: &Node) -> Option<Duration> {
        let duration = self.bounded_duration(node)?;
        if duration.is_zero() {
            self.report(Problem::new(node.span, "nothing happens in no time", "choose more than zero"));
            return None;
        }
        Some(duration)
    }

    /// `profiles:`
    pub(super) fn profiles(&mut self, entry: Option<&Entry>, groups: &Groups) -> Vec<Profile> {
        let expected = Expected {
            what: "a mapping from names to profiles",
            remedy: "write `profiles: { light: { users: 10 } }`",
        };
        let entries = entry.and_then(|e| self.named(&e.value, expected, MAX_PROFILES)).unwrap_or_default();
        entries.iter().map(|entry| self.profile(entry, groups)).collect()
    }

    fn profile(&mut self, entry: &Entry, groups: &Groups) -> Profile {
        self.check_name(&entry.key, entry.key_span);
        let mut profile =
            Profile { name: entry.key.clone(), load: None, thresholds: None, groups: Vec::new() };
        let Some(fields) = Fields::new(self, &entry.value, entry.key_span, &language::PROFILE) else {
            return profile;
        };
        profile.load = Some(self.load_keys(&fields));
        profile.thresholds = fields.get("thresholds").map(|e| self.thresholds(&e.value));
        if let Some(entry) = fields.get("groups") {
            profile.groups = self.overlaid_groups(entry, groups);
        }
        profile
    }

    /// The course of the chosen profile, with the settings applied. The other profiles are checked as well.
    pub(super) fn final_load(
        &mut self,
        fields: &Fields<'_>,
        base: Option<Load>,
        profiles: &[Profile],
        chosen: Option<&str>,
    ) -> Option<Course> {
        let base_broken = base.is_none() && fields.get("load").is_some();
        let absent = Load {
            place: fields.place,
            users: Given::Absent,
            users_place: fields.place,
            spawn_rate: Given::Absent,
            length: Given::Absent,
            open: Open::absent(fields.place),
            stop_timeout: Given::Absent,
            warmup: Given::Absent,
            warmup_place: fields.place,
            iterations: Given::Absent,
            iterations_place: fields.place,
        };
        let base = base.unwrap_or(absent);
        if base_broken {
            return None;
        }
        let mut result = None;
        for profile in profiles {
            let Some(overlay) = &profile.load else { continue };
            let Some(load) = self.overlay(&base, overlay) else { continue };
            if chosen == Some(profile.name.as_str()) {
                result = self.with_settings(load).and_then(|load| self.course(&load, ""));
            } else {
                self.course(&load, "");
            }
        }
        if self.settings.profile.is_none() {
            let load = self.with_settings(base)?;
            let or_profile = profiles.first().map_or(String::new(), |p| {
                format!(", or choose a profile, for instance `--profile {}`", p.name)
            });
            let says_nothing = load.users == Given::Absent && load.length == Given::Absent;
            if fields.get("load").is_none() && says_nothing {
                let remedy = format!(
                    "add `load: {{ users: 10, duration: 5m }}`, or give --users and --duration{or_profile}"
                );
                self.report(Problem::new(fields.place, "`load` is missing", remedy));
                return None;
            }
            result = self.course(&load, &or_profile);
        }
        result
    }

    fn overlay(&mut self, base: &Load, overlay: &Load) -> Option<Load> {
        let (base, overlay) = (base.clone(), overlay.clone());
        let stages = |length: &Given<Length>| matches!(length, Given::Value(Length::Stages(_)));
        let holds = matches!(overlay.length, Given::Value(Length::Hold(_) | Length::Stages(_)));
        let closed = overlay.users != Given::Absent || overlay.spawn_rate != Given::Absent || holds;
        let opens = overlay.open.arrivals != Given::Absent;
        if stages(&base.length) && !opens && overlay.length == Given::Absent && overlay.users != Given::Absent
        {
            let problem = "`users` over a `load` that has `stages`";
            let remedy = "add `duration` or `hold` to the profile, or give it `stages` of its own";
            self.report(Problem::new(overlay.users_place, problem, remedy));
            return None;
        }
        if stages(&base.length) && !opens && !stages(&overlay.length) && overlay.users == Given::Absent {
            let key = match overlay.length {
                Given::Value(Length::Hold(_)) => "hold",
                Given::Value(_) => "duration",
                _ => "spawn_rate",
            };
            if key != "spawn_rate" || overlay.spawn_rate != Given::Absent {
                let problem = format!("`{key}` over a `load` that has `stages`");
                let remedy = "add `users` and `duration` to the profile, or give it `stages` of its own";
                self.report(Problem::new(overlay.place, problem, remedy));
                return None;
            }
        }
        let stop_timeout = overlay.stop_timeout.or(base.stop_timeout);
        let warmup_place =
            if overlay.warmup == Given::Absent { base.warmup_place } else { overlay.warmup_place };
        let warmup = overlay.warmup.or(base.warmup);
        if stages(&overlay.length) {
            return Some(Load { stop_timeout, warmup, warmup_place, ..overlay });
        }
        let open = overlay.open.over(base.open, closed);
        let held = |length: &Given<Length>| matches!(length, Given::Value(Length::Hold(_)));
        // `hold` and `iterations` exclude each other, and so do `arrivals` and `iterations`: the overlay decides.
        let (iterations, iterations_place) = match overlay.iterations {
            Given::Absent if opens || held(&overlay.length) => (Given::Absent, base.iterations_place),
            Given::Absent => (base.iterations, base.iterations_place),
            own => (own, overlay.iterations_place),
        };
        let (users, spawn_rate, length) = if opens {
            // Only a duration means the same to both.
            let timed = matches!(base.length, Given::Value(Length::Duration(_))) && !open.is_staged();
            (Given::Absent, Given::Absent, if timed { base.length } else { Given::Absent })
        } else if iterations != Given::Absent && held(&base.length) {
            (base.users, base.spawn_rate, Given::Absent)
        } else {
            (base.users, base.spawn_rate, base.length)
        };
        Some(Load {
            place: overlay.place,
            users: overlay.users.or(users),
            users_place: overlay.users_place,
            spawn_rate: overlay.spawn_rate.or(spawn_rate),
            length: overlay.length.or(length),
            open,
            stop_timeout,
            warmup,
            warmup_place,
            iterations,
            iterations_place,
        })
    }

    /// Applies `--users`, `--spawn-rate`, `--duration`, `--iterations` and `--warmup`.
    fn with_settings(&mut self, mut load: Load) -> Option<Load> {
        let settings = self.settings;
        if let Some(problem) = settings_problem(settings) {
            self.report(Problem::new(load.place, problem.0, problem.1));
            return None;
        }
        if load.open.arrivals != Given::Absent {
            self.refuse_settings(&load.open)?;
        }
        if let Given::Value(Length::Stages(stages)) = &load.length {
            if settings.users.is_some() {
                load.length = Given::Value(Length::Duration(stages.iter().map(|s| s.length).sum()));
            } else if settings.spawn_rate.is_some() || settings.duration.is_some() {
                let problem = "--spawn-rate and --duration cannot change `stages`";
                self.report(Problem::new(load.place, problem, "give --users too, which replaces the stages"));
                return None;
            }
        }
        if let Some(users) = settings.users {
            load.users = Given::Value(users);
        }
        if let Some(rate) = settings.spawn_rate {
            load.spawn_rate = Given::Value(rate);
        }
        if let Some(duration) = settings.duration {
            load.length = Given::Value(Length::Duration(duration));
        }
        if let Some(iterations) = settings.iterations {
            load.iterations = Given::Value(iterations);
            if matches!(load.length, Given::Value(Length::Hold(_))) {
                load.length = Given::Absent;
            }
        }
        if let Some(warmup) = settings.warmup {
            load.warmup = Given::Value(warmup);
        }
        Some(load)
    }

    fn course(&mut self, load: &Load, or_profile: &str) -> Option<Course> {
        let (load, finite) = self.finite(load)?;
        let (schedule, arrivals) = self.schedule_and_arrivals(&load, or_profile)?;
        let stop_timeout = match load.stop_timeout {
            Given::Value(timeout) => timeout,
            Given::Absent => STOP_TIMEOUT,
            Given::Broken => return None,
        };
        let warmup = match load.warmup {
            Given::Value(warmup) => warmup,
            Given::Absent => Duration::ZERO,
            Given::Broken => return None,
        };
        let end = schedule.end();
        if warmup >= end {
            let (warmup, end) = (format_duration(warmup), format_duration(end));
            let problem = format!("a warm-up of {warmup} leaves nothing of a run of {end} to measure");
            let remedy = "choose a shorter `warmup` (--warmup 0s for none), or a longer run";
            self.report(Problem::new(load.warmup_place, problem, remedy));
            return None;
        }
        let iterations = finite.map(|n| Finite::new(u64::from(n), schedule.max_users()));
        Some(Course { schedule, arrivals, stop_timeout, warmup, iterations })
    }

    fn schedule_and_arrivals(
        &mut self,
        load: &Load,
        or_profile: &str,
    ) -> Option<(Schedule, Option<Arrivals>)> {
        match &load.open.arrivals {
            Given::Value(rates) => {
                let duration = match &load.length {
                    Given::Value(Length::Duration(duration)) => Given::Value(*duration),
                    Given::Absent => Given::Absent,
                    // Refused beside arrivals already.
                    Given::Broken | Given::Value(_) => Given::Broken,
                };
                let (schedule, arrivals) = self.open_schedule(&load.open, rates, &duration, or_profile)?;
                Some((schedule, Some(arrivals)))
            }
            Given::Broken => None,
            Given::Absent => {
                self.max_users_alone(&load.open)?;
                Some((self.schedule(load, or_profile)?, None))
            }
        }
    }

    fn schedule(&mut self, load: &Load, or_profile: &str) -> Option<Schedule> {
        if let Given::Value(Length::Stages(stages)) = &load.length {
            return Some(Schedule::stages(stages));
        }
        if load.users == Given::Absent && load.length != Given::Broken {
            let remedy = format!("add `users: 10` to `load`, or give --users{or_profile}");
            self.report(Problem::new(load.place, "the load does not say how many `users`", remedy));
        }
        if load.length == Given::Absent {
            let remedy =
                format!("add one of `duration: 5m`, `hold: 5m` and `stages: […]` to `load`{or_profile}");
            self.report(Problem::new(load.place, "the load does not say how long", remedy));
        }
        let spawn_rate = match load.spawn_rate {
            Given::Value(rate) => Some(rate),
            Given::Absent => None,
            Given::Broken => return None,
        };
        let (Given::Value(users), Given::Value(length)) = (&load.users, &load.length) else { return None };
        let ramp = spawn_rate.map_or(0.0, |rate| f64::from(*users) / rate.per_second());
        let hold = if let Length::Hold(hold) = length { hold.as_secs_f64() } else { 0.0 };
        if ramp + hold > Schedule::MAX_LENGTH.as_secs_f64() {
            let problem =
                format!("starting {users} users at this rate and holding them takes more than 400 days");
            self.report(Problem::new(load.place, problem, "raise `spawn_rate`, or choose a shorter time"));
            return None;
        }
        Some(match length {
            Length::Duration(duration) => Schedule::constant(*users, spawn_rate, *duration),
            Length::Hold(hold) => Schedule::held(*users, spawn_rate, *hold),
            Length::Stages(stages) => Schedule::stages(stages),
        })
    }
}

//! A model of the load engine: it keeps the contract of `agent::engine` and tells the oracle what it does.
//!
//! Users make requests one after the other; how long each takes, and how it ends, is a function of seed, slot and
//! iteration. All of an agent's users are on one thread, which does everything that is due when it wakes up.

use super::dice::Dice;
use super::oracle::{Oracle, Who};
use super::scenario::Scenario;
use super::window::Windows;
use plan::chore::ChoreKind;
use plan::finite::Finite;
use plan::schedule::{Life, Schedule};
use plan::slot::{Progress, Roll, Seat, Slot};
use proto::message::{ChoreReport, RunId, WindowReport};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// What the engine reports, as far as the session hears it.
#[derive(Debug)]
pub(super) enum Said {
    Prepared(Result<(), String>),
    Window(Box<WindowReport>),
    ChoreDone(Box<ChoreReport>),
}

/// Where the engine does something: true time, and who looks on.
pub(super) struct Scene<'a> {
    pub(super) now: Duration,
    /// What the process's own clock shows.
    pub(super) local: Duration,
    pub(super) who: Who,
    pub(super) oracle: &'a mut Oracle,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Engine {
    scenario: Arc<Scenario>,
    prepared: bool,
    run: Option<Run>,
    chore: Option<Chore>,
    said: Vec<Said>,
}

#[derive(Debug)]
struct Chore {
    kind: ChoreKind,
    ends_at: Duration,
    failed: Option<&'static str>,
}

#[derive(Debug)]
struct Run {
    seed: u64,
    t0: Duration,
    schedule: Schedule,
    stop_timeout: Duration,
    finite: Option<Finite>,
    upcoming: BTreeSet<Start>,
    users: BTreeMap<Slot, User>,
    /// When each user does something next.
    wakes: BTreeSet<(Duration, Slot)>,
    /// The iterations with which users that left would go on, and whether they gave up.
    left: BTreeMap<Slot, (u64, bool)>,
    /// Users that left, and the second in which each last told something.
    departed: BTreeMap<Slot, u32>,
    phase: Phase,
    windows: Windows,
    revision: u64,
    assigned: BTreeSet<Slot>,
    /// When users are aborted that are here and not to be.
    deadlines: BTreeMap<Slot, Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Start {
    at: Duration,
    slot: Slot,
    stop: Duration,
    iteration: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Scheduled,
    Ending { deadline: Duration },
    Aborting,
}

#[derive(Debug)]
struct User {
    stop: Duration,
    iteration: u64,
    gave_up: bool,
    wake: Duration,
    chance: Dice,
    /// Requests left in the iteration, and when the one at hand began; `None` while it rests.
    at_work: Option<(u64, Duration)>,
}

impl Engine {
    pub(super) fn new(scenario: Arc<Scenario>) -> Engine {
        Engine { scenario, prepared: false, run: None, chore: None, said: Vec::new() }
    }

    pub(super) fn prepare(&mut self) {
        let result = if self.run.is_some() || self.chore.is_some() {
            Err("the engine is at work".to_owned())
        } else {
            self.prepared = true;
            Ok(())
        };
        self.said.push(Said::Prepared(result));
    }

    pub(super) fn run(&mut self, scene: &mut Scene<'_>, revision: u64, seats: &[Seat], t0: Duration) {
        if let Some(run) = &mut self.run {
            run.reassign(scene, revision, seats);
        } else if self.prepared {
            let mut run = Run::new(&self.scenario, t0);
            let now = scene.local.saturating_sub(t0);
            run.windows.begin_with(now.as_secs() as u32);
            run.revision = revision;
            run.assigned = seats.iter().map(|seat| seat.slot).collect();
            run.plan_starts(seats, now);
            self.run = Some(run);
        } else {
            self.said.push(Said::Prepared(Err("no plan was prepared".to_owned())));
        }
        self.advance(scene);
    }

    /// Zero gives running iterations up at once.
    pub(super) fn stop(&mut self, scene: &mut Scene<'_>, timeout: Duration) {
        if let Some(run) = &mut self.run {
            let now = run.since_t0(scene);
            let timeout = timeout.min(run.stop_timeout);
            if timeout.is_zero() {
                run.abort(scene);
            } else {
                run.end_by(now, now + timeout);
            }
        }
        self.advance(scene);
    }

    pub(super) fn chore(&mut self, scene: &mut Scene<'_>, kind: ChoreKind) {
        if !self.prepared || self.run.is_some() || self.chore.is_some() {
            self.said.push(Said::ChoreDone(chore_report(kind, Some("the engine is at work"))));
            return;
        }
        let mut dice = Dice::new(self.scenario.seed, &[3, kind as u64]);
        let failed = dice.permille(100).then_some("step 1 failed");
        self.chore = Some(Chore { kind, ends_at: scene.local + dice.millis(20, 2500), failed });
        scene.oracle.chore_begins(scene.now, scene.who, kind);
    }

    pub(super) fn stop_chore(&mut self, scene: &mut Scene<'_>) {
        if let Some(chore) = &mut self.chore {
            chore.ends_at = scene.local;
            chore.failed = Some("it was stopped before its end");
        }
        self.advance(scene);
    }

    /// Does everything that is due.
    pub(super) fn advance(&mut self, scene: &mut Scene<'_>) {
        if let Some(chore) = self.chore.take_if(|chore| chore.ends_at <= scene.local) {
            scene.oracle.chore_ended(scene.who);
            self.said.push(Said::ChoreDone(chore_report(chore.kind, chore.failed)));
        }
        let Some(run) = &mut self.run else { return };
        if scene.local >= run.t0 {
            run.advance(scene);
        }
        let seconds = run.since_t0(scene).as_secs() as u32;
        let users = run.users.len() as u32;
        // Who is gone may have told something in the second that has begun.
        run.departed.retain(|_, told| *told >= seconds);
        let here: BTreeSet<Slot> = run.users.keys().chain(run.departed.keys()).copied().collect();
        let leaving = here.difference(&run.assigned).copied().collect();
        let roll = Roll { revision: run.revision, leaving };
        let over = run.users.is_empty() && run.phase != Phase::Scheduled;
        let closed = if over { seconds + 1 } else { seconds };
        let windows = run.windows.close(closed, users, &roll, over).into_iter();
        self.said.extend(windows.map(|window| Said::Window(Box::new(window))));
        if over {
            self.run = None;
        }
    }

    /// When something is due, by the process's clock.
    pub(super) fn due(&self) -> Option<Duration> {
        let chore = self.chore.as_ref().map(|chore| chore.ends_at);
        chore.into_iter().chain(self.run.as_ref().map(|run| run.t0 + run.next_at())).min()
    }

    /// What it has reported since it was last asked.
    pub(super) fn said(&mut self) -> Vec<Said> {
        std::mem::take(&mut self.said)
    }

    /// Whether users start and stop as the schedule says.
    pub(super) fn is_scheduled(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.phase == Phase::Scheduled)
    }

    /// Whether it makes any load.
    pub(super) fn is_busy(&self) -> bool {
        self.run.is_some() || self.chore.is_some()
    }
}

impl Run {
    fn new(scenario: &Scenario, t0: Duration) -> Run {
        let plan = &scenario.plan;
        Run {
            seed: scenario.seed,
            t0,
            schedule: plan.schedule.clone(),
            stop_timeout: plan.stop_timeout,
            finite: plan.iterations,
            upcoming: BTreeSet::new(),
            users: BTreeMap::new(),
            wakes: BTreeSet::new(),
            left: BTreeMap::new(),
            departed: BTreeMap::new(),
            phase: Phase::Scheduled,
            windows: Windows::default(),
            revision: 0,
            assigned: BTreeSet::new(),
            deadlines: BTreeMap::new(),
        }
    }

    fn since_t0(&self, scene: &Scene<'_>) -> Duration {
        scene.local.saturating_sub(self.t0)
    }

    fn plan_starts(&mut self, seats: &[Seat], now: Duration) {
        let schedule = &self.schedule;
        let start = |seat: Seat| {
            move |Life { start, stop }: Life| Start {
                at: start.max(seat.not_before),
                slot: seat.slot,
                stop,
                iteration: seat.iteration,
            }
        };
        let starts = seats.iter().flat_map(|&seat| schedule.lives(seat.slot).into_iter().map(start(seat)));
        self.upcoming = starts.filter(|start| start.stop > now && start.stop > start.at).collect();
    }

    fn reassign(&mut self, scene: &mut Scene<'_>, revision: u64, seats: &[Seat]) {
        let now = self.since_t0(scene);
        let scheduled = self.phase == Phase::Scheduled;
        if scene.local >= self.t0 && scheduled {
            self.start_due(scene, now);
        }
        self.revision = revision;
        self.assigned = seats.iter().map(|seat| seat.slot).collect();
        let others: Vec<Slot> =
            self.users.keys().copied().filter(|slot| !self.assigned.contains(slot)).collect();
        for slot in others {
            self.move_stop(slot, |stop| stop.min(now));
            self.deadlines.entry(slot).or_insert(now + self.stop_timeout);
        }
        if scheduled {
            self.plan_starts(seats, now);
        }
    }

    fn abort_overdue(&mut self, scene: &mut Scene<'_>, now: Duration) {
        let overdue: Vec<Slot> =
            self.deadlines.extract_if(.., |_, deadline| *deadline <= now).map(|(slot, _)| slot).collect();
        let second = now.as_secs() as u32;
        for slot in overdue {
            let Some(user) = self.users.remove(&slot) else { continue };
            self.wakes.remove(&(user.wake, slot));
            if user.at_work.is_some() {
                self.windows.aborted(second);
                // Begun is begun: should the user come back here, it goes on with the next one.
                scene.oracle.iteration_ended(scene.who, slot, user.iteration, second);
            }
            self.left.insert(slot, (user.iteration + u64::from(user.at_work.is_some()), user.gave_up));
            self.departed.insert(slot, second);
            scene.oracle.user_left(scene.who, slot, second);
        }
    }

    fn move_stop(&mut self, slot: Slot, to: impl FnOnce(Duration) -> Duration) {
        let Some(user) = self.users.get_mut(&slot) else { return };
        user.stop = to(user.stop);
        if user.at_work.is_none() {
            // It looks again whether to go on.
            self.wakes.remove(&(user.wake, slot));
            user.wake = user.wake.min(user.stop);
            self.wakes.insert((user.wake, slot));
        }
    }

    fn end_by(&mut self, now: Duration, deadline: Duration) {
        let deadline = match self.phase {
            Phase::Scheduled => deadline,
            Phase::Ending { deadline: earlier } => deadline.min(earlier),
            Phase::Aborting => return,
        };
        for slot in self.users.keys().copied().collect::<Vec<_>>() {
            self.move_stop(slot, |stop| stop.min(now));
        }
        self.phase = Phase::Ending { deadline };
    }

    fn abort(&mut self, scene: &mut Scene<'_>) {
        self.phase = Phase::Aborting;
        let second = self.since_t0(scene).as_secs() as u32;
        for (slot, user) in std::mem::take(&mut self.users) {
            if user.at_work.is_some() {
                self.windows.aborted(second);
            }
            scene.oracle.user_left(scene.who, slot, second);
        }
        self.wakes.clear();
    }

    fn advance(&mut self, scene: &mut Scene<'_>) {
        let (now, end) = (self.since_t0(scene), self.schedule.end());
        self.abort_overdue(scene, now);
        match self.phase {
            Phase::Scheduled => {
                self.start_due(scene, now);
                if now >= end {
                    self.end_by(end, end + self.stop_timeout);
                }
            }
            Phase::Ending { deadline } if now >= deadline => self.abort(scene),
            Phase::Ending { .. } | Phase::Aborting => {}
        }
        while let Some(&(wake, slot)) = self.wakes.first().filter(|(wake, _)| *wake <= now) {
            self.wakes.remove(&(wake, slot));
            self.wake(scene, slot, now);
        }
    }

    fn start_due(&mut self, scene: &mut Scene<'_>, now: Duration) {
        while let Some(&start) = self.upcoming.first().filter(|start| start.at <= now) {
            self.upcoming.pop_first();
            if start.stop <= now {
                continue;
            }
            self.deadlines.remove(&start.slot);
            if self.users.contains_key(&start.slot) {
                self.move_stop(start.slot, |_| start.stop);
                continue;
            }
            let (left, gave_up) = self.left.get(&start.slot).copied().unwrap_or_default();
            let user = User {
                stop: start.stop,
                iteration: start.iteration.max(left),
                gave_up,
                wake: now,
                chance: Dice::new(0, &[]),
                at_work: None,
            };
            scene.oracle.user_starts(scene.now, scene.who, start.slot);
            self.users.insert(start.slot, user);
            self.wakes.insert((now, start.slot));
        }
    }

    /// The user does what is next.
    fn wake(&mut self, scene: &mut Scene<'_>, slot: Slot, now: Duration) {
        let share = self.finite.map_or(u64::MAX, |finite| finite.share(slot));
        let second = now.as_secs() as u32;
        let Some(user) = self.users.get_mut(&slot) else { return };
        let requests = match user.at_work {
            None if now >= user.stop || user.iteration >= share || user.gave_up => {
                return self.leave(scene, slot, second);
            }
            None => {
                user.chance = Dice::new(self.seed, &[4, u64::from(slot.0), user.iteration]);
                scene.oracle.iteration_begins(scene.now, scene.who, slot, user.iteration);
                user.chance.between(1, 3)
            }
            Some((left, began)) => {
                let ok = !user.chance.permille(50);
                self.windows.ended(
                    second,
                    self.seed.wrapping_add(left) % 2 == 0,
                    ok,
                    now.saturating_sub(began),
                );
                scene.oracle.request_ended(scene.who, slot, second, ok);
                left - 1
            }
        };
        if requests > 0 {
            user.at_work = Some((requests, now));
            user.wake = now + user.chance.millis(60, 160);
            self.windows.started(second);
            scene.oracle.request_starts(scene.now, scene.who, slot, second);
        } else {
            user.at_work = None;
            scene.oracle.iteration_ended(scene.who, slot, user.iteration, second);
            user.iteration += 1;
            user.gave_up = self.finite.is_some() && user.chance.permille(3);
            let (iteration, gave_up) = (user.iteration, user.gave_up);
            self.windows.progress(second, Progress { slot, iteration, gave_up });
            if gave_up || iteration >= share {
                return self.leave(scene, slot, second);
            }
            user.wake = (now + user.chance.millis(0, 120)).min(user.stop.max(now));
        }
        self.wakes.insert((user.wake, slot));
    }

    fn leave(&mut self, scene: &mut Scene<'_>, slot: Slot, second: u32) {
        self.deadlines.remove(&slot);
        if let Some(user) = self.users.remove(&slot) {
            self.left.insert(slot, (user.iteration, user.gave_up));
            self.departed.insert(slot, second);
        }
        scene.oracle.user_left(scene.who, slot, second);
    }

    fn next_at(&self) -> Duration {
        let boundary = Duration::from_secs(u64::from(self.windows.closed()) + 1);
        let due = match self.phase {
            Phase::Scheduled => {
                let end = self.schedule.end();
                self.upcoming.first().map_or(end, |start| start.at.min(end))
            }
            Phase::Ending { deadline } => deadline,
            Phase::Aborting => boundary,
        };
        let overdue = self.deadlines.values().copied().min().unwrap_or(boundary);
        self.wakes.first().map_or(boundary, |(wake, _)| boundary.min(*wake)).min(due).min(overdue)
    }
}

fn chore_report(chore: ChoreKind, failed: Option<&str>) -> Box<ChoreReport> {
    Box::new(ChoreReport {
        run: RunId(String::new()),
        chore,
        values: match chore {
            ChoreKind::Setup => "{}".into(),
            ChoreKind::Teardown => bytes::Bytes::new(),
        },
        failed: failed.map(str::to_owned),
        took: Duration::ZERO,
        requests: 1,
        failures: u64::from(failed.is_some()),
        aborted: 0,
        errors: Vec::new(),
    })
}

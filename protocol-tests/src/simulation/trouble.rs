//! What goes wrong, done to the world, and undone.

use super::faults::{Death, Fault};
use super::network::Way;
use super::oracle::Who;
use super::world::{Event, World};
use agent::session;
use coordinator::fleet;
use std::time::Duration;

impl World {
    pub(super) fn wrong(&mut self, fault: Fault) {
        self.trace.line(self.now, format_args!("fault: {fault:?}"));
        match fault {
            Fault::Partition { node, up, down, lasts } => {
                let link = &mut self.network.links[node];
                link.up_blocked += u32::from(up);
                link.down_blocked += u32::from(down);
                self.push(self.now + lasts, Event::Heal(fault));
            }
            Fault::Slow { node, extra, lasts } => {
                self.network.links[node].extra += extra;
                self.push(self.now + lasts, Event::Heal(fault));
            }
            Fault::Break { node, noticed, arrive } => {
                if let Some(stream) = self.stream_of(node) {
                    self.network.streams[stream as usize].cut(arrive);
                    for (way, after) in [(Way::Down, noticed.by_agent), (Way::Up, noticed.by_coordinator)] {
                        if let Some(after) = after {
                            self.push(self.now + after, Event::Notice { stream, way, reason: "reset" });
                        }
                    }
                }
            }
            Fault::BreakAll => {
                for stream in
                    (0..self.nodes.len()).filter_map(|node| self.stream_of(node)).collect::<Vec<_>>()
                {
                    self.network.streams[stream as usize].cut(0);
                    for way in [Way::Down, Way::Up] {
                        let at = self.now + self.dice.millis(0, 50);
                        self.push(at, Event::Notice { stream, way, reason: "reset" });
                    }
                }
            }
            Fault::Crash { node, death, restart } => {
                if let Some(who) = self.nodes[node].process.as_ref().map(|process| process.who) {
                    self.crash(who, death);
                    if let Some(restart) = restart {
                        self.push(self.now + restart, Event::Boot { node });
                    }
                }
            }
            Fault::Pause { node, lasts } => {
                let until = &mut self.nodes[node].paused_until;
                *until = (*until).max(self.now + lasts);
                // Before anything that is due by then: the first thing that a process does is to look at its lease.
                self.push(self.now + lasts, Event::Heal(fault));
            }
            Fault::PauseCoordinator { lasts } => {
                let until = &mut self.coordinator.paused_until;
                *until = (*until).max(self.now + lasts);
            }
            Fault::Step { node, by } => self.step_clock(node, by),
            Fault::Leave { node } => self.ask_to_leave(node),
            Fault::Stop => {
                if self.coordinator.paused_until > self.now {
                    return self.push(self.coordinator.paused_until, Event::Fault(fault));
                }
                self.tell_fleet(fleet::Input::Stop);
            }
            Fault::CrashCoordinator { death, restart } => self.crash_coordinator(death, restart),
            Fault::DiskFull => self.coordinator.disk.full = true,
        }
    }

    pub(super) fn heal(&mut self, fault: Fault) {
        self.trace.line(self.now, format_args!("over: {fault:?}"));
        match fault {
            Fault::Partition { node, up, down, .. } => {
                let link = &mut self.network.links[node];
                link.up_blocked -= u32::from(up);
                link.down_blocked -= u32::from(down);
                self.retransmit(node);
            }
            Fault::Slow { node, extra, .. } => self.network.links[node].extra -= extra,
            Fault::Pause { node, .. } if self.nodes[node].paused_until <= self.now => {
                let local = self.nodes[node].clock.read(self.now);
                if let Some(process) = &mut self.nodes[node].process {
                    let who = process.who;
                    if process.session.poll_timeout().is_some_and(|due| due <= local) {
                        process.session.handle_timeout(local);
                    }
                    self.settle(who);
                }
            }
            _ => {}
        }
    }

    fn stream_of(&self, node: usize) -> Option<u64> {
        self.nodes[node].process.as_ref().and_then(|process| process.stream)
    }

    /// What was held up arrives, a while later.
    fn retransmit(&mut self, node: usize) {
        for number in 0..self.network.streams.len() {
            let stream = &self.network.streams[number];
            if stream.node != node {
                continue;
            }
            let (up, down) = (stream.up.len(), stream.down.len());
            let at = self.now + self.dice.millis(0, 900);
            for (way, count) in [(Way::Up, up), (Way::Down, down)] {
                for _ in 0..count {
                    self.push(at, Event::Arrive { stream: number as u64, way });
                }
            }
        }
    }

    fn crash(&mut self, who: Who, death: Death) {
        let node = self.oracle.look(who).node;
        let stream = self.stream_of(node);
        self.end(who);
        if death == Death::Unplugged {
            // Of what was not on the disk yet when the power went, any part is gone, from the end.
            let lost = self.dice.below(6) as usize;
            for entries in self.nodes[node].spools.values_mut() {
                entries.truncate(entries.len().saturating_sub(lost));
            }
        }
        if let Some(stream) = stream {
            self.network.streams[stream as usize].cut(self.dice.below(3) as usize);
            self.network.streams[stream as usize].agent_open = false;
            // Whoever is behind a partition does not hear it.
            if death == Death::Killed && !self.network.links[node].blocked(Way::Up) {
                let at = self.now + Duration::from_millis(20) + self.network.latency(node);
                self.push(at, Event::Notice { stream, way: Way::Up, reason: "reset" });
            }
        }
    }

    fn crash_coordinator(&mut self, death: Death, restart: Option<Duration>) {
        if !self.coordinator.is_alive() {
            return;
        }
        match restart {
            Some(restart) => self.push(self.now + restart, Event::BootCoordinator),
            None => self.coordinator.crashed = true,
        }
        self.coordinator.disk.crash();
        self.end_coordinator();
        for stream in 0..self.network.streams.len() as u64 {
            self.network.streams[stream as usize].cut(0);
            let node = self.network.streams[stream as usize].node;
            if death == Death::Killed && !self.network.links[node].blocked(Way::Down) {
                let at = self.now + self.network.latency(node);
                self.push(at, Event::Notice { stream, way: Way::Down, reason: "reset" });
            }
        }
    }

    fn step_clock(&mut self, node: usize, by: Duration) {
        let now = self.now;
        self.nodes[node].clock.step(now, by);
        if let Some(process) = &mut self.nodes[node].process {
            let who = process.who;
            process.session_timer.at = None;
            process.engine_timer.at = None;
            self.oracle.of(who).jumped += by;
            self.settle(who);
        }
    }

    fn ask_to_leave(&mut self, node: usize) {
        if self.nodes[node].paused_until > self.now {
            return self.push(self.nodes[node].paused_until, Event::Fault(Fault::Leave { node }));
        }
        let Some(process) = &mut self.nodes[node].process else { return };
        let who = process.who;
        if std::mem::replace(&mut process.leaving, true) {
            // The second time it ends at once.
            self.crash(who, Death::Killed);
        } else {
            self.tell(who, session::Input::Leave { reason: "it was asked to".to_owned() });
        }
    }
}

//! Mustering: from the first Hello until every agent has its users and the start is given.

use super::agent::{Agent, Stage};
use super::{
    AgentId, Fleet, LARGE_SKEW, LAST_WINDOW_GRACE, LONGEST_START_AHEAD, NotStarted, Output, Parting, Phase,
    RENEW, START_AHEAD, SessionId, deal,
};
use proto::message::{Hello, PlanDigests, PlanRefusal, RejectCode, ToAgent, Welcome};
use proto::version;
use std::time::Duration;

/// Most refusals remembered for the message when too few agents came.
const MAX_TURNED_AWAY: usize = 8;

impl Fleet {
    pub(super) fn hello(&mut self, now: Duration, session: SessionId, hello: Hello) {
        let Some(protocol) = version::SUPPORTED.negotiate(hello.protocol) else {
            let message = format!(
                "agent {} (build {}) speaks protocol version {}, this coordinator (build {}) speaks {}; \
                 install the same version of Muster on both",
                hello.name,
                hello.build,
                hello.protocol,
                self.config.build,
                version::SUPPORTED
            );
            return self.turn_away(session, RejectCode::Version, message);
        };
        if let Some(part) = self.part(&hello) {
            return self.reattach(now, part, session, &hello, protocol);
        }
        // The same process again: its old connection broke without a word.
        let before = |a: &&Agent| a.hello.name == hello.name && a.hello.incarnation == hello.incarnation;
        if let Some(old) = self.agents.iter().find(before).filter(|a| a.is_live()).map(|a| a.session)
            && (matches!(self.phase, Phase::Mustering { .. }) || self.is_standby(old))
        {
            self.outputs.push_back(Output::Close { session: old });
            self.lose(now, old, "it attached again", Parting::Silent);
        }
        if let Some((code, message)) = self.unwanted(now, &hello) {
            return self.turn_away(session, code, message);
        }
        let peer = self.greeting.remove(&session).map(|greeting| greeting.peer).unwrap_or_default();
        let build = self.config.build.clone();
        let welcome = Welcome { protocol, build, session: session.0, renew: RENEW, resumed: None };
        self.send(session, ToAgent::Welcome(welcome));
        let late = matches!(self.phase, Phase::Running { .. });
        self.has_late |= late;
        let (attached, expected) = (self.agents.len() + 1, self.config.expect_agents);
        let caps = hello.caps.text().map_or(String::new(), |caps| format!("; it allows at most {caps}"));
        self.note(if late {
            format!("agent {} attached from {peer}, to a run that has begun{caps}", hello.name)
        } else {
            format!("agent {} attached from {peer} ({attached} of {expected}){caps}", hello.name)
        });
        let agent = Agent::new(AgentId(self.next_agent), session, hello, peer, now);
        self.agents.push(Agent { late, ..agent });
        self.next_agent += 1;
    }

    /// Why an agent that speaks the protocol is not taken in.
    fn unwanted(&self, now: Duration, hello: &Hello) -> Option<(RejectCode, String)> {
        let name = &hello.name;
        match self.phase {
            Phase::TearingDown | Phase::Over => Some((RejectCode::Over, "the run is over".to_owned())),
            Phase::Running { .. } => self.unwanted_late(now, hello),
            Phase::Mustering { .. } => {
                let twin = |agent: &&Agent| agent.hello.name == *name;
                if let Some(twin) = self.agents.iter().find(twin) {
                    let message = format!(
                        "an agent named {name} is attached already, from {}; start this one with another --name",
                        twin.peer
                    );
                    return Some((RejectCode::Name, message));
                }
                let expected = self.config.expect_agents;
                (self.agents.len() >= expected as usize)
                    .then(|| (RejectCode::Full, format!("the run has the {expected} agents that it expects")))
            }
        }
    }

    /// Refuses a stream that is no agent of the run (any more).
    pub(super) fn turn_away(&mut self, session: SessionId, code: RejectCode, message: String) {
        let peer = self.greeting.remove(&session).map_or_else(String::new, |g| format!(" from {}", g.peer));
        self.warn(&format!("turned an agent{peer} away: {message}"));
        self.keep(format!("turned away: {message}"));
        self.send(session, ToAgent::Reject { code, message });
        self.outputs.push_back(Output::Close { session });
    }

    /// Says what came instead of an agent, and keeps it for the message when too few agents come.
    pub(super) fn remember(&mut self, text: String) {
        self.note(text.clone());
        self.keep(text);
    }

    fn keep(&mut self, text: String) {
        if self.turned_away.len() < MAX_TURNED_AWAY {
            self.turned_away.push(text);
        }
    }

    pub(super) fn plan_state(
        &mut self,
        now: Duration,
        session: SessionId,
        state: Result<PlanDigests, PlanRefusal>,
    ) {
        let Some(agent) =
            self.agents.iter_mut().find(|a| a.session == session && a.stage == Stage::Preparing)
        else {
            return;
        };
        let ours = &self.config.digests;
        let problem = match state {
            Ok(theirs) if theirs == *ours => {
                agent.stage = Stage::Ready;
                return;
            }
            Ok(theirs) if theirs.bundle_sha256 != ours.bundle_sha256 => format!(
                "the plan arrived changed at agent {}: sha256 {:.12}… there, {:.12}… here",
                agent.hello.name, theirs.bundle_sha256, ours.bundle_sha256
            ),
            Ok(theirs) => format!(
                "agent {} (build {}) reads the plan differently: meaning {:.12}… there, {:.12}… here (build {}); \
                 install the same version of Muster on both",
                agent.hello.name,
                agent.hello.build,
                theirs.meaning_sha256,
                ours.meaning_sha256,
                self.config.build
            ),
            Err(PlanRefusal::Forbidden(why)) => {
                let reason = format!("agent {} does not allow this run: {why}", agent.hello.name);
                return self.conclude(now, Err(NotStarted::Agents(reason)));
            }
            Err(PlanRefusal::Unable(why)) => format!("agent {} cannot run the plan: {why}", agent.hello.name),
        };
        self.agents.retain(|agent| agent.session != session);
        self.turn_away(session, RejectCode::Plan, problem);
    }

    pub(super) fn muster(&mut self, now: Duration) {
        let all = |agents: &[Agent], stage: &Stage| agents.iter().all(|agent| agent.stage == *stage);
        if self.agents.len() < self.config.expect_agents as usize {
            return;
        }
        self.prepare_waiting();
        if all(&self.agents, &Stage::Ready) {
            self.assign(now);
        } else if all(&self.agents, &Stage::Armed) {
            self.set_up_or_start(now);
        }
    }

    /// Sends the plan to those that do not have it.
    pub(super) fn prepare_waiting(&mut self) {
        let waiting: Vec<SessionId> =
            self.agents.iter().filter(|a| a.stage == Stage::Waiting).map(|a| a.session).collect();
        for session in waiting {
            let prepare = ToAgent::Prepare {
                run: self.config.run.clone(),
                bundle: self.config.bundle.clone(),
                bundle_sha256: self.config.digests.bundle_sha256.clone(),
            };
            self.send(session, prepare);
        }
        for agent in self.agents.iter_mut().filter(|a| a.stage == Stage::Waiting) {
            agent.stage = Stage::Preparing;
        }
    }

    fn assign(&mut self, now: Duration) {
        let capacities: Vec<u32> = self.agents.iter().map(Agent::room).collect();
        let users = self.config.users;
        let Some(hands) = deal(users, &self.config.classes, &capacities) else {
            let room: u64 = capacities.iter().map(|&c| u64::from(c)).sum();
            let reason = format!(
                "the plan needs {users} users, and there is room for {room} on {} agents; {}, or ask for fewer users",
                capacities.len(),
                self.config.capacity_remedy
            );
            return self.conclude(now, Err(NotStarted::Agents(reason)));
        };
        self.revision += 1;
        for (index, slots) in hands.into_iter().enumerate() {
            let agent = &mut self.agents[index];
            agent.stage = Stage::Assigned;
            agent.slots = slots;
            agent.most_users = 0;
            self.send_seats(index);
        }
    }

    pub(super) fn start(&mut self, now: Duration) {
        // Clocks may have drifted since.
        let drifted = |(error, at): (Duration, Duration)| error + now.saturating_sub(at) / 1000;
        let errors: Option<Vec<Duration>> =
            self.agents.iter().map(|agent| agent.clock_error.map(drifted)).collect();
        let ahead = start_ahead(errors.as_deref().unwrap_or_default());
        self.start_skew = errors.as_deref().map(skew);
        if let Some(skew) = self.start_skew.filter(|skew| *skew > LARGE_SKEW) {
            let ms = skew.as_millis();
            self.warn(&format!(
                "the agents may begin up to {ms} ms apart: their streams are too slow to know better"
            ));
        }
        let t0 = now + ahead;
        let overdue = t0 + self.config.schedule.end() + self.config.stop_timeout + LAST_WINDOW_GRACE;
        self.phase = Phase::Running { t0, stopped: None, overdue };
        for index in 0..self.agents.len() {
            self.agents[index].stage = Stage::Running;
            let session = self.agents[index].session;
            self.send_setup_values(session);
            self.send(session, ToAgent::Start { run: self.config.run.clone(), after: ahead, t0 });
        }
        let agents = self.agents.iter().map(Agent::member).collect();
        self.outputs.push_back(Output::Started { after: ahead, agents });
    }

    /// Too few agents came in time.
    pub(super) fn give_up(&mut self, now: Duration) {
        let (here, expected) = (self.agents.len(), self.config.expect_agents);
        let seconds = self.config.agents_timeout.as_secs_f64();
        let mut reason = if here < expected as usize {
            format!("{here} of {expected} agents attached within {seconds} s (--agents-timeout)")
        } else {
            let slow: Vec<&str> = self
                .agents
                .iter()
                .filter(|agent| !matches!(agent.stage, Stage::Ready | Stage::Armed))
                .map(|agent| agent.hello.name.as_str())
                .collect();
            format!("these agents were not ready within {seconds} s (--agents-timeout): {}", slow.join(", "))
        };
        for message in &self.turned_away {
            reason.push_str("; ");
            reason.push_str(message);
        }
        self.conclude(now, Err(NotStarted::Agents(reason)));
    }
}

/// How far ahead T0 is: a clock's error is the time that a message takes at most, and it may take longer next time.
fn start_ahead(errors: &[Duration]) -> Duration {
    let slowest = errors.iter().max().copied().unwrap_or_default();
    (4 * slowest).clamp(START_AHEAD, LONGEST_START_AHEAD)
}

/// How far apart two agents may begin, whose clocks are off by `errors` at most: none begins early, and each up to twice
/// its error late.
fn skew(errors: &[Duration]) -> Duration {
    let worst = errors.iter().max().copied().unwrap_or_default();
    if errors.len() < 2 { Duration::ZERO } else { 2 * worst }
}

//! Typed messages to wire messages.

use crate::message::{ChoreReport, FromAgent, PlanRefusal, RejectCode, SeriesReport, ToAgent, WindowReport};
use crate::{health, wire};
use metrics::ErrorCount;
use plan::chore::ChoreKind;
use plan::slot::{Seat, Slot};
use std::num::NonZero;
use std::time::Duration;

pub(crate) fn from_agent(message: FromAgent) -> wire::AgentMessage {
    use wire::agent_message::Kind;
    let kind = match message {
        FromAgent::Hello(hello) => Kind::Hello(wire::Hello {
            protocol_min: hello.protocol.min,
            protocol_max: hello.protocol.max,
            build: hello.build,
            name: hello.name,
            incarnation: hello.incarnation,
            cores: hello.cores,
            max_users: hello.max_users,
            max_rps: hello.caps.max_rps.map_or(0, NonZero::get),
            max_run_time_ms: hello
                .caps
                .max_run_time
                .map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
            resume: hello.resume.map(|resume| wire::Resume {
                run_id: resume.run.0,
                session: resume.session,
                stopped: resume.stopped,
            }),
            join_secret: hello.join.map(|join| join.as_bytes().to_vec().into()).unwrap_or_default(),
        }),
        FromAgent::PlanState { run, state } => {
            use wire::plan_state::{Ready, State};
            let forbidden = matches!(state, Err(PlanRefusal::Forbidden(_)));
            let state = match state {
                Ok(digests) => State::Ready(Ready {
                    bundle_sha256: digests.bundle_sha256,
                    meaning_sha256: digests.meaning_sha256,
                }),
                Err(PlanRefusal::Unable(why) | PlanRefusal::Forbidden(why)) => State::Refused(why),
            };
            Kind::PlanState(wire::PlanState { run_id: run.0, state: Some(state), forbidden })
        }
        FromAgent::AssignAck { run, revision, clock_error } => {
            let clock_error_us = clock_error.map(micros);
            Kind::AssignAck(wire::AssignAck { run_id: run.0, revision, clock_error_us })
        }
        FromAgent::Renew { n, users } => Kind::Renew(wire::Renew { n, users }),
        FromAgent::Window(window) => Kind::Window(report(*window)),
        FromAgent::ChoreDone(done) => Kind::ChoreDone(chore_done(*done)),
        FromAgent::Draining { reason } => Kind::Draining(wire::Draining { reason }),
        FromAgent::Goodbye { reason } => Kind::Goodbye(wire::Goodbye { reason }),
    };
    wire::AgentMessage { kind: Some(kind) }
}

pub(crate) fn to_agent(message: ToAgent) -> wire::CoordinatorMessage {
    use wire::coordinator_message::Kind;
    let kind = match message {
        ToAgent::Welcome(welcome) => Kind::Welcome(wire::Welcome {
            protocol: welcome.protocol,
            build: welcome.build,
            session: welcome.session,
            renew_ms: welcome.renew.as_millis() as u32,
            resumed: welcome
                .resumed
                .map(|resumed| wire::Resumed { applied: resumed.applied, lost: resumed.lost }),
        }),
        ToAgent::Reject { code, message } => {
            Kind::Reject(wire::Reject { code: reject_code(code) as i32, message })
        }
        ToAgent::Prepare { run, bundle, bundle_sha256 } => {
            Kind::Prepare(wire::Prepare { run_id: run.0, bundle, bundle_sha256 })
        }
        ToAgent::Assign { run, revision, seats } => Kind::Assign(assign(run.0, revision, &seats)),
        ToAgent::Start { run, after, t0 } => {
            Kind::Start(wire::Start { run_id: run.0, in_us: micros(after), t0_us: micros(t0) })
        }
        ToAgent::Stop { run, timeout } => {
            Kind::Stop(wire::Stop { run_id: run.0, timeout_ms: timeout.as_millis() as u64 })
        }
        ToAgent::SetupValues { run, values } => {
            Kind::SetupValues(wire::SetupValues { run_id: run.0, values })
        }
        ToAgent::RunChore { run, chore: kind } => {
            Kind::RunChore(wire::RunChore { run_id: run.0, chore: chore(kind) as i32 })
        }
        ToAgent::WindowAck { run, seq } => Kind::WindowAck(wire::WindowAck { run_id: run.0, seq }),
        ToAgent::Lease { n, ttl, clock } => {
            Kind::Lease(wire::Lease { n, ttl_ms: ttl.as_millis() as u32, clock_us: micros(clock) })
        }
    };
    wire::CoordinatorMessage { kind: Some(kind) }
}

fn reject_code(code: RejectCode) -> wire::reject::Code {
    match code {
        RejectCode::Version => wire::reject::Code::Version,
        RejectCode::Full => wire::reject::Code::Full,
        RejectCode::Late => wire::reject::Code::Late,
        RejectCode::Name => wire::reject::Code::Name,
        RejectCode::Protocol => wire::reject::Code::Protocol,
        RejectCode::Plan => wire::reject::Code::Plan,
        RejectCode::Over => wire::reject::Code::Over,
        RejectCode::Secret => wire::reject::Code::Secret,
        RejectCode::Identity => wire::reject::Code::Identity,
        RejectCode::Wait => wire::reject::Code::Wait,
    }
}

fn chore(kind: ChoreKind) -> wire::Chore {
    match kind {
        ChoreKind::Setup => wire::Chore::Setup,
        ChoreKind::Teardown => wire::Chore::Teardown,
    }
}

fn chore_done(done: ChoreReport) -> wire::ChoreDone {
    wire::ChoreDone {
        run_id: done.run.0,
        chore: chore(done.chore) as i32,
        values: done.values,
        failed: done.failed,
        took_us: micros(done.took),
        requests: done.requests,
        failures: done.failures,
        aborted: done.aborted,
        errors: done.errors.into_iter().map(error_row).collect(),
    }
}

fn report(window: WindowReport) -> wire::Window {
    wire::Window {
        seconds: window.seconds(),
        earlier_users: window.earlier_users,
        run_id: window.run.0,
        seq: window.seq,
        index: window.index,
        users: window.users,
        in_flight: window.in_flight,
        started: window.started,
        aborted: window.aborted,
        arrivals_started: window.arrivals.started,
        arrivals_dropped: window.arrivals.dropped,
        cumulative: Some(wire::Cumulative {
            started: window.cumulative.started,
            ok: window.cumulative.ok,
            failed: window.cumulative.failed,
            aborted: window.cumulative.aborted,
        }),
        series: window.series.into_iter().map(series).collect(),
        errors: window.errors.into_iter().map(error_row).collect(),
        health: Some(health::encode(window.health)),
        r#final: window.last,
        progress_slot_deltas: deltas(window.progress.iter().map(|p| p.slot)),
        progress_iterations: window.progress.iter().map(|p| 2 * p.iteration + u64::from(p.gave_up)).collect(),
        revision: window.roll.revision,
        leaving_slot_deltas: deltas(window.roll.leaving.into_iter()),
    }
}

fn assign(run_id: String, revision: u64, seats: &[Seat]) -> wire::Assign {
    let mut last = 0;
    let since_last = |seat: &Seat| {
        let us = micros(seat.not_before).cast_signed();
        us - std::mem::replace(&mut last, us)
    };
    let known = seats.iter().any(|seat| seat.iteration > 0);
    let moved = seats.iter().any(|seat| !seat.not_before.is_zero());
    wire::Assign {
        run_id,
        revision,
        slot_deltas: deltas(seats.iter().map(|seat| seat.slot)),
        iterations: if known { seats.iter().map(|seat| seat.iteration).collect() } else { Vec::new() },
        not_before_us_deltas: if moved { seats.iter().map(since_last).collect() } else { Vec::new() },
    }
}

fn series(series: SeriesReport) -> wire::Series {
    let phase = |(count, sum_us)| Some(wire::Phase { count, sum_us });
    wire::Series {
        id: series.series.0,
        ok: series.ok,
        failed: series.failed,
        bytes_in: series.bytes_in,
        bytes_out: series.bytes_out,
        messages_sent: series.messages_sent,
        messages_received: series.messages_received,
        connect: phase(series.phases.connect),
        tls: phase(series.phases.tls),
        first_byte: phase(series.phases.first_byte),
        body: phase(series.phases.body),
        latency: series.latency,
        service: series.service,
    }
}

fn error_row(row: ErrorCount) -> wire::ErrorRow {
    wire::ErrorRow {
        series: row.series.0,
        kind: row.kind as u32,
        message: row.message,
        count: row.count,
        first_us: micros(row.first),
        last_us: micros(row.last),
    }
}

fn deltas(slots: impl Iterator<Item = Slot>) -> Vec<u32> {
    let mut last = 0;
    slots.map(|slot| slot.0 - std::mem::replace(&mut last, slot.0)).collect()
}

pub(crate) fn micros(duration: Duration) -> u64 {
    duration.as_micros() as u64
}

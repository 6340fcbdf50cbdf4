//! Wire messages to typed messages. Total: any message gives a typed one or [`Malformed`].

use crate::limits::{
    MAX_CHORE_US, MAX_CLOCK_US, MAX_COUNT, MAX_ERROR_ROWS, MAX_ITERATION, MAX_LEASE_MS, MAX_NAME_CHARS,
    MAX_RUN_ID_CHARS, MAX_SERIES, MAX_SLOTS, MAX_START_IN_US, MAX_STOP_TIMEOUT_MS, MAX_TEXT_CHARS,
    MAX_WINDOW_INDEX, MAX_WINDOW_SECONDS,
};
use crate::message::{
    Caps, ChoreReport, Cumulative, FromAgent, Hello, PlanDigests, PlanRefusal, Progress, RejectCode, Resume,
    Resumed, Roll, RunId, SeriesReport, ToAgent, Welcome, WindowReport, error_kind,
};
use crate::version::Versions;
use crate::{Malformed, Secret, health, wire};
use bytes::Bytes;
use metrics::{ArrivalCounts, ErrorCount, ErrorTable, Histogram, PhaseSums, SeriesId};
use plan::chore::{ChoreKind, SetupValues};
use plan::slot::{Seat, Slot};
use std::fmt;
use std::num::NonZero;
use std::time::Duration;

pub(crate) type Decoded<T> = Result<T, Malformed>;

pub(crate) fn from_agent(message: wire::AgentMessage) -> Decoded<FromAgent> {
    use wire::agent_message::Kind;
    match required(message.kind, "kind")? {
        Kind::Hello(m) => hello(m).map(FromAgent::Hello),
        Kind::PlanState(m) => plan_state(m),
        Kind::AssignAck(m) => {
            let clock_error = m
                .clock_error_us
                .map(|us| at_most(us, MAX_CLOCK_US, "assign_ack.clock_error_us"))
                .transpose()?;
            Ok(FromAgent::AssignAck {
                run: run_id(m.run_id, "assign_ack.run_id")?,
                revision: m.revision,
                clock_error: clock_error.map(Duration::from_micros),
            })
        }
        Kind::Renew(m) => Ok(FromAgent::Renew { n: m.n, users: at_most(m.users, MAX_SLOTS, "renew.users")? }),
        Kind::Window(m) => window(m).map(|w| FromAgent::Window(Box::new(w))),
        Kind::ChoreDone(m) => chore_done(m).map(|done| FromAgent::ChoreDone(Box::new(done))),
        Kind::Draining(m) => Ok(FromAgent::Draining { reason: text(m.reason) }),
        Kind::Goodbye(m) => Ok(FromAgent::Goodbye { reason: text(m.reason) }),
    }
}

pub(crate) fn to_agent(message: wire::CoordinatorMessage) -> Decoded<ToAgent> {
    use wire::coordinator_message::Kind;
    Ok(match required(message.kind, "kind")? {
        Kind::Welcome(m) => ToAgent::Welcome(Welcome {
            protocol: m.protocol,
            build: text(m.build),
            session: m.session,
            renew: Duration::from_millis(u64::from(within(
                m.renew_ms,
                10,
                MAX_LEASE_MS,
                "welcome.renew_ms",
            )?)),
            resumed: m.resumed.map(|m| Resumed { applied: m.applied, lost: m.lost }),
        }),
        Kind::Reject(m) => ToAgent::Reject { code: reject_code(m.code)?, message: text(m.message) },
        Kind::Prepare(m) => {
            if m.bundle.len() > plan::Bundle::MAX_BYTES {
                return Err(over("prepare.bundle", m.bundle.len() as u64, plan::Bundle::MAX_BYTES as u64));
            }
            ToAgent::Prepare {
                run: run_id(m.run_id, "prepare.run_id")?,
                bundle: m.bundle,
                bundle_sha256: sha256(m.bundle_sha256, "prepare.bundle_sha256")?,
            }
        }
        Kind::BundlePart(_) => return Err(Malformed::new("bundle_part", "a part on its own")),
        Kind::Assign(m) => ToAgent::Assign {
            seats: seats(&m)?,
            run: run_id(m.run_id, "assign.run_id")?,
            revision: m.revision,
        },
        Kind::Start(m) => ToAgent::Start {
            run: run_id(m.run_id, "start.run_id")?,
            after: Duration::from_micros(at_most(m.in_us, MAX_START_IN_US, "start.in_us")?),
            t0: Duration::from_micros(at_most(m.t0_us, MAX_CLOCK_US, "start.t0_us")?),
        },
        Kind::Stop(m) => ToAgent::Stop {
            run: run_id(m.run_id, "stop.run_id")?,
            timeout: Duration::from_millis(at_most(m.timeout_ms, MAX_STOP_TIMEOUT_MS, "stop.timeout_ms")?),
        },
        Kind::SetupValues(m) => ToAgent::SetupValues {
            run: run_id(m.run_id, "setup_values.run_id")?,
            values: setup_values(m.values, "setup_values.values")?,
        },
        Kind::RunChore(m) => ToAgent::RunChore {
            run: run_id(m.run_id, "run_chore.run_id")?,
            chore: chore(m.chore, "run_chore.chore")?,
        },
        Kind::WindowAck(m) => ToAgent::WindowAck { run: run_id(m.run_id, "window_ack.run_id")?, seq: m.seq },
        Kind::Lease(m) => ToAgent::Lease {
            n: m.n,
            ttl: Duration::from_millis(u64::from(at_most(m.ttl_ms, MAX_LEASE_MS, "lease.ttl_ms")?)),
            clock: Duration::from_micros(at_most(m.clock_us, MAX_CLOCK_US, "lease.clock_us")?),
        },
    })
}

fn hello(m: wire::Hello) -> Decoded<Hello> {
    Ok(Hello {
        protocol: Versions { min: m.protocol_min, max: m.protocol_max },
        build: text(m.build),
        name: name(m.name, MAX_NAME_CHARS, "hello.name")?,
        incarnation: m.incarnation,
        cores: within(m.cores, 1, 65_536, "hello.cores")?,
        max_users: m.max_users.min(MAX_SLOTS),
        caps: Caps {
            max_rps: NonZero::new(m.max_rps),
            max_run_time: (m.max_run_time_ms > 0).then(|| Duration::from_millis(m.max_run_time_ms)),
        },
        resume: m.resume.map(resume).transpose()?,
        join: join_secret(&m.join_secret)?,
    })
}

fn resume(m: wire::Resume) -> Decoded<Resume> {
    Ok(Resume { run: run_id(m.run_id, "hello.resume.run_id")?, session: m.session, stopped: m.stopped })
}

fn join_secret(bytes: &[u8]) -> Decoded<Option<Secret>> {
    match (bytes.is_empty(), bytes.try_into()) {
        (true, _) => Ok(None),
        (false, Ok(bytes)) => Ok(Some(Secret::from_bytes(bytes))),
        (false, Err(_)) => {
            let problem = format!("has {} bytes; a secret has {}", bytes.len(), Secret::BYTES);
            Err(Malformed::new("hello.join_secret", problem))
        }
    }
}

fn plan_state(m: wire::PlanState) -> Decoded<FromAgent> {
    use wire::plan_state::State;
    let state = match required(m.state, "plan_state.state")? {
        State::Ready(ready) => Ok(PlanDigests {
            bundle_sha256: sha256(ready.bundle_sha256, "plan_state.ready.bundle_sha256")?,
            meaning_sha256: sha256(ready.meaning_sha256, "plan_state.ready.meaning_sha256")?,
        }),
        State::Refused(reason) if m.forbidden => Err(PlanRefusal::Forbidden(text(reason))),
        State::Refused(reason) => Err(PlanRefusal::Unable(text(reason))),
    };
    Ok(FromAgent::PlanState { run: run_id(m.run_id, "plan_state.run_id")?, state })
}

fn reject_code(code: i32) -> Decoded<RejectCode> {
    use wire::reject::Code;
    match Code::try_from(code) {
        Ok(Code::Version) => Ok(RejectCode::Version),
        Ok(Code::Full) => Ok(RejectCode::Full),
        Ok(Code::Late) => Ok(RejectCode::Late),
        Ok(Code::Name) => Ok(RejectCode::Name),
        Ok(Code::Protocol) => Ok(RejectCode::Protocol),
        Ok(Code::Plan) => Ok(RejectCode::Plan),
        Ok(Code::Over) => Ok(RejectCode::Over),
        Ok(Code::Secret) => Ok(RejectCode::Secret),
        Ok(Code::Identity) => Ok(RejectCode::Identity),
        Ok(Code::Wait) => Ok(RejectCode::Wait),
        Ok(Code::Unspecified) | Err(_) => Err(Malformed::new("reject.code", format!("{code} is not a code"))),
    }
}

fn chore(number: i32, field: &str) -> Decoded<ChoreKind> {
    match wire::Chore::try_from(number) {
        Ok(wire::Chore::Setup) => Ok(ChoreKind::Setup),
        Ok(wire::Chore::Teardown) => Ok(ChoreKind::Teardown),
        Ok(wire::Chore::Unspecified) | Err(_) => {
            Err(Malformed::new(field, format!("{number} is not a chore")))
        }
    }
}

fn setup_values(json: Bytes, field: &str) -> Decoded<Bytes> {
    match SetupValues::from_json(&json) {
        Ok(_) => Ok(json),
        Err(problem) => Err(Malformed::new(field, bounded(problem, MAX_TEXT_CHARS))),
    }
}

fn chore_done(m: wire::ChoreDone) -> Decoded<ChoreReport> {
    let chore = chore(m.chore, "chore_done.chore")?;
    let values = match chore {
        ChoreKind::Setup => setup_values(m.values, "chore_done.values")?,
        ChoreKind::Teardown if m.values.is_empty() => m.values,
        ChoreKind::Teardown => {
            return Err(Malformed::new("chore_done.values", "a teardown saves nothing"));
        }
    };
    if m.errors.len() > MAX_ERROR_ROWS {
        return Err(over("chore_done.errors", m.errors.len() as u64, MAX_ERROR_ROWS as u64));
    }
    if m.failures > m.requests {
        let problem = format!("{} of {} requests", m.failures, m.requests);
        return Err(Malformed::new("chore_done.failures", problem));
    }
    let errors = m.errors.into_iter().enumerate();
    Ok(ChoreReport {
        run: run_id(m.run_id, "chore_done.run_id")?,
        chore,
        values,
        failed: m.failed.map(text),
        took: Duration::from_micros(at_most(m.took_us, MAX_CHORE_US, "chore_done.took_us")?),
        requests: at_most(m.requests, MAX_COUNT, "chore_done.requests")?,
        failures: m.failures,
        aborted: at_most(m.aborted, MAX_COUNT, "chore_done.aborted")?,
        errors: errors.map(|row| error_row(row, "chore_done")).collect::<Decoded<_>>()?,
    })
}

fn window(m: wire::Window) -> Decoded<WindowReport> {
    if m.seq == 0 {
        return Err(Malformed::new("window.seq", "0; windows count up from 1"));
    }
    if m.series.len() > MAX_SERIES as usize {
        return Err(over("window.series", m.series.len() as u64, u64::from(MAX_SERIES)));
    }
    if m.errors.len() > MAX_ERROR_ROWS {
        return Err(over("window.errors", m.errors.len() as u64, MAX_ERROR_ROWS as u64));
    }
    let series = m.series.into_iter().enumerate().map(series_report).collect::<Decoded<Vec<_>>>()?;
    if let Some(pair) = series.windows(2).find(|pair| pair[0].series >= pair[1].series) {
        let problem = format!("series {} stands after {}; ids rise", pair[1].series.0, pair[0].series.0);
        return Err(Malformed::new("window.series", problem));
    }
    let errors = m.errors.into_iter().enumerate();
    let errors = errors.map(|row| error_row(row, "window")).collect::<Decoded<Vec<_>>>()?;
    let cumulative = required(m.cumulative, "window.cumulative")?;
    let progress = progress(&m.progress_slot_deltas, &m.progress_iterations)?;
    let count = |value, field| at_most(value, MAX_COUNT, field);
    let earlier_users = earlier_users(m.seconds, m.earlier_users)?;
    at_most(m.index.saturating_add(m.seconds.saturating_sub(1)), MAX_WINDOW_INDEX, "window.index")?;
    Ok(WindowReport {
        earlier_users,
        run: run_id(m.run_id, "window.run_id")?,
        seq: m.seq,
        index: m.index,
        users: at_most(m.users, MAX_SLOTS, "window.users")?,
        in_flight: count(m.in_flight, "window.in_flight")?,
        started: count(m.started, "window.started")?,
        aborted: count(m.aborted, "window.aborted")?,
        arrivals: ArrivalCounts {
            started: count(m.arrivals_started, "window.arrivals_started")?,
            dropped: count(m.arrivals_dropped, "window.arrivals_dropped")?,
        },
        cumulative: Cumulative {
            started: count(cumulative.started, "window.cumulative.started")?,
            ok: count(cumulative.ok, "window.cumulative.ok")?,
            failed: count(cumulative.failed, "window.cumulative.failed")?,
            aborted: count(cumulative.aborted, "window.cumulative.aborted")?,
        },
        series,
        errors,
        health: health::decode(required(m.health, "window.health")?)?,
        last: m.r#final,
        progress,
        roll: Roll {
            revision: m.revision,
            leaving: slots(&m.leaving_slot_deltas, "window.leaving_slot_deltas")?,
        },
    })
}

fn earlier_users(seconds: u32, users: Vec<u32>) -> Decoded<Vec<u32>> {
    let seconds = at_most(seconds.max(1), MAX_WINDOW_SECONDS, "window.seconds")?;
    if users.len() as u64 + 1 != u64::from(seconds) {
        let problem = format!("holds {} numbers; a window of {seconds} seconds has one fewer", users.len());
        return Err(Malformed::new("window.earlier_users", problem));
    }
    match users.iter().find(|&&users| users > MAX_SLOTS) {
        Some(&users) => Err(over("window.earlier_users", users.into(), MAX_SLOTS.into())),
        None => Ok(users),
    }
}

/// The name of a field of a row, put together only when something is wrong with it: a window has a thousand fields.
struct FieldOfRow {
    list: &'static str,
    row: usize,
    name: &'static str,
}

impl fmt::Display for FieldOfRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}].{}", self.list, self.row, self.name)
    }
}

fn series_report((i, m): (usize, wire::Series)) -> Decoded<SeriesReport> {
    let field = |name| FieldOfRow { list: "window.series", row: i, name };
    let count = |value, name| at_most(value, MAX_COUNT, &field(name));
    // Times add up to more than counts do; 2^50 µs is 35 years.
    let phase = |phase: Option<wire::Phase>, name| {
        let phase = phase.unwrap_or_default();
        Ok((count(phase.count, name)?, at_most(phase.sum_us, 1 << 50, &field(name))?))
    };
    let (ok, failed) = (count(m.ok, "ok")?, count(m.failed, "failed")?);
    let samples = samples_in(&m.latency, &field("latency"))?;
    if samples != ok + failed {
        let problem =
            format!("holds {samples} samples, but {ok} ok and {failed} failed requests are counted");
        return Err(Malformed::new(field("latency").to_string(), problem));
    }
    if !m.service.is_empty() {
        let samples = samples_in(&m.service, &field("service"))?;
        if samples != ok + failed {
            let problem =
                format!("holds {samples} samples, but {ok} ok and {failed} failed requests are counted");
            return Err(Malformed::new(field("service").to_string(), problem));
        }
    }
    Ok(SeriesReport {
        series: SeriesId(at_most(m.id, MAX_SERIES - 1, &field("id"))?),
        ok,
        failed,
        bytes_in: at_most(m.bytes_in, 1 << 50, &field("bytes_in"))?,
        bytes_out: at_most(m.bytes_out, 1 << 50, &field("bytes_out"))?,
        messages_sent: count(m.messages_sent, "messages_sent")?,
        messages_received: count(m.messages_received, "messages_received")?,
        phases: PhaseSums {
            connect: phase(m.connect, "connect")?,
            tls: phase(m.tls, "tls")?,
            first_byte: phase(m.first_byte, "first_byte")?,
            body: phase(m.body, "body")?,
        },
        latency: m.latency,
        service: m.service,
    })
}

fn error_row((i, m): (usize, wire::ErrorRow), of: &str) -> Decoded<ErrorCount> {
    let field = |name: &str| format!("{of}.errors[{i}].{name}");
    let Some(kind) = error_kind(m.kind) else {
        return Err(Malformed::new(field("kind"), format!("{} is not an error kind", m.kind)));
    };
    let at = |us, name: &str| {
        at_most(us, u64::from(MAX_WINDOW_INDEX) * 1_000_000, &field(name)).map(Duration::from_micros)
    };
    Ok(ErrorCount {
        series: SeriesId(at_most(m.series, MAX_SERIES - 1, &field("series"))?),
        kind,
        message: bounded(m.message, ErrorTable::MAX_MESSAGE_CHARS),
        count: at_most(m.count, MAX_COUNT, &field("count"))?,
        first: at(m.first_us, "first_us")?,
        last: at(m.last_us, "last_us")?,
    })
}

fn seats(m: &wire::Assign) -> Decoded<Vec<Seat>> {
    let slots = slots(&m.slot_deltas, "assign.slot_deltas")?;
    let one_each = |len: usize, field| {
        if len == 0 || len == slots.len() { Ok(()) } else { Err(uneven(field, len, slots.len())) }
    };
    one_each(m.iterations.len(), "assign.iterations")?;
    one_each(m.not_before_us_deltas.len(), "assign.not_before_us_deltas")?;
    let mut us = 0_i64;
    let seat = |(i, &slot): (usize, &Slot)| {
        let iteration = m.iterations.get(i).copied().unwrap_or(0);
        let delta = m.not_before_us_deltas.get(i).copied().unwrap_or(0);
        let latest = i64::from(MAX_WINDOW_INDEX) * 1_000_000;
        let Some(next) = us.checked_add(delta).filter(|us| (0..=latest).contains(us)) else {
            let problem = format!("{delta} does not lead to a time from 0 to {latest}");
            return Err(Malformed::new(format!("assign.not_before_us_deltas[{i}]"), problem));
        };
        us = next;
        Ok(Seat {
            slot,
            iteration: iteration_at_most(iteration, "assign.iterations", i)?,
            not_before: Duration::from_micros(us.unsigned_abs()),
        })
    };
    slots.iter().enumerate().map(seat).collect()
}

fn progress(deltas: &[u32], iterations: &[u64]) -> Decoded<Vec<Progress>> {
    let slots = slots(deltas, "window.progress_slot_deltas")?;
    if slots.len() != iterations.len() {
        return Err(uneven("window.progress_iterations", iterations.len(), slots.len()));
    }
    let ended = |(i, (slot, &number)): (usize, (Slot, &u64))| {
        let (iteration, gave_up) = (number / 2, number % 2 == 1);
        if number == 0 {
            let problem = "0; whoever ended an iteration goes on with 1 or later";
            return Err(Malformed::new(format!("window.progress_iterations[{i}]"), problem));
        }
        let iteration = iteration_at_most(iteration, "window.progress_iterations", i)?;
        Ok(Progress { slot, iteration, gave_up })
    };
    slots.into_iter().zip(iterations).enumerate().map(ended).collect()
}

fn iteration_at_most(iteration: u64, field: &str, i: usize) -> Decoded<u64> {
    if iteration <= MAX_ITERATION {
        return Ok(iteration);
    }
    Err(over(&format!("{field}[{i}]"), iteration, MAX_ITERATION))
}

fn uneven(field: &str, len: usize, slots: usize) -> Malformed {
    Malformed::new(field, format!("holds {len} numbers for {slots} slots"))
}

fn slots(deltas: &[u32], field: &str) -> Decoded<Vec<Slot>> {
    if deltas.len() > MAX_SLOTS as usize {
        return Err(over(field, deltas.len() as u64, u64::from(MAX_SLOTS)));
    }
    let mut slots: Vec<Slot> = Vec::with_capacity(deltas.len());
    for (i, &delta) in deltas.iter().enumerate() {
        let slot = match slots.last() {
            None => Some(delta),
            Some(last) => last.0.checked_add(delta).filter(|_| delta > 0),
        };
        let Some(slot) = slot.filter(|&slot| slot < MAX_SLOTS) else {
            let problem = format!("{delta} does not lead to a higher slot below {MAX_SLOTS}");
            return Err(Malformed::new(format!("{field}[{i}]"), problem));
        };
        slots.push(Slot(slot));
    }
    Ok(slots)
}

pub(crate) fn samples_in(bytes: &Bytes, field: &(impl fmt::Display + ?Sized)) -> Decoded<u64> {
    Histogram::samples_in_v2(bytes).map_err(|error| Malformed::new(field.to_string(), error.to_string()))
}

fn required<T>(value: Option<T>, field: &str) -> Decoded<T> {
    value.ok_or_else(|| Malformed::new(field, "is missing or of a kind that this version does not know"))
}

pub(crate) fn at_most<T: PartialOrd + Into<u64> + Copy>(
    value: T,
    max: T,
    field: &(impl fmt::Display + ?Sized),
) -> Decoded<T> {
    if value <= max { Ok(value) } else { Err(over(field, value.into(), max.into())) }
}

fn within(value: u32, min: u32, max: u32, field: &str) -> Decoded<u32> {
    if (min..=max).contains(&value) {
        Ok(value)
    } else {
        Err(Malformed::new(field, format!("{value} is outside {min}..={max}")))
    }
}

pub(crate) fn over(field: &(impl fmt::Display + ?Sized), value: u64, limit: u64) -> Malformed {
    Malformed::new(field.to_string(), format!("{value} is over the limit of {limit}"))
}

fn run_id(id: String, field: &str) -> Decoded<RunId> {
    name(id, MAX_RUN_ID_CHARS, field).map(RunId)
}

/// A name that may stand in a file name, a table or a log line as it is.
fn name(name: String, max_chars: usize, field: &str) -> Decoded<String> {
    let good = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.len() > max_chars || !name.chars().all(good) || name.starts_with('.') {
        let shown = bounded(name, max_chars);
        let problem = format!("`{shown}` is not 1 to {max_chars} letters, digits, `.`, `_` or `-`");
        return Err(Malformed::new(field, problem));
    }
    Ok(name)
}

fn sha256(hex: String, field: &str) -> Decoded<String> {
    if hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        Ok(hex)
    } else {
        Err(Malformed::new(field, "is not 64 lower-case hexadecimal digits"))
    }
}

/// Text for a person: bounded, without control characters.
fn text(text: String) -> String {
    bounded(text, MAX_TEXT_CHARS)
}

fn bounded(text: String, max_chars: usize) -> String {
    if text.len() <= max_chars && !text.contains(char::is_control) {
        return text;
    }
    let mut shown: String =
        text.chars().take(max_chars).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(max_chars).is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

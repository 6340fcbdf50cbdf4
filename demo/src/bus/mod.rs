//! A command bus: bulk jobs of commands, which four workers take from a durable queue, try again when they fail, and put into the
//! dead-letter queue when no attempt is left. Everything is JSON, and the queue is a table of the database.
//!
//! | request | answers |
//! |---|---|
//! | `POST /api/v1/commands/jobs` `{run, commands, mix, delay_ms, max_attempts, backoff_ms, lease_ms}` | 201 `{id, commands}`; 422 says which value cannot be |
//! | `POST /api/v1/commands/jobs/{id}/batches` `{commands}` | 202 `{first, last, accepted}`, when they are committed; 404; 409 if the job has room for fewer; 422 unless they are 1 to 1000 |
//! | `GET /api/v1/commands/jobs/{id}` | 200 `{id, run, commands, accepted, pending, running, failed, completed, dead_letter, remaining}`; 404 |
//! | `GET /api/v1/commands/jobs/{id}/result` | 200 all that is known of it, see below; 404 |
//! | `GET /api/v1/commands/jobs/{id}/dead-letters?limit=N` | 200 `{items, total}`, the latest first |
//! | `GET /api/v1/commands/{id}` | 200 `{id, job, behaviour, status, attempts, worker, error}`; 404 |
//! | `GET /api/v1/commands/health` | 200 `{status}`; 500 if the database does not answer |
//! | `GET /api/admin/bus-status` | 200 as a job's result, of all jobs of the run that opened one last |
//!
//! **Jobs.** Only `run` and `commands` (1 to 100,000) are required. `mix` is `{success, transient, permanent}` in percent: commands that succeed,
//! that fail the first time, and that always fail; it is kept exactly, without randomness. An attempt takes `delay_ms` (0), and the time
//! of `commands/process`. A command is tried up to `max_attempts` (3) times, `backoff_ms` (100) after its first failure and twice as long
//! after each further one. A worker has it for `lease_ms` (10,000).
//!
//! **States.** A command is `pending`, then `running` with a worker. From there it is `completed`; or `failed`, until its next attempt; or, when
//! that was the last one, `dead_letter`. A worker that dies leaves it `running`, and when the lease is over, another one takes it, be it
//! after a restart of the server. A worker that is slower than its lease is not heard any more: what it did does not count.
//!
//! **Results.** Counts (`accepted`, `pending`, `running`, `failed`, `completed`, `dead_letter`, `lost`, `ended_twice`, `attempts`, `failed_attempts`,
//! `abandoned_attempts`, `workers`: attempts of each), `mix` (commands of each behaviour), `generation_ms`, `elapsed_ms`, `throughput_per_s`, and `queue_ms`,
//! `processing_ms` and `end_to_end_ms`, each as `p50`, `p95`, `p99` and `max` in milliseconds. All of it is counted in the database, over all commands.
//!
//! **What goes wrong.** `--fail commands/process=...` lets attempts fail, `commands/crash` lets the worker die that makes one, `commands/lost` loses
//! commands, and `commands/repeat` forgets that one is completed, so that it is done again.
//!
//! Asking for the status leaves no trace in the truth.

mod bell;
mod figures;
mod job;
mod table;
mod worker;

pub use figures::CommandsTruth;
pub(crate) use table::SCHEMA;
pub(crate) use worker::Crew;

use crate::behaviour::Behaviour;
use crate::body::{Input, Limit, Refusal};
use crate::config::Config;
use crate::endpoint::{Endpoint, request};
use crate::law::Law;
use crate::platform::Clock;
use crate::store::Store;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use bell::Bell;
use figures::{Figures, Jobs, Progress};
use job::Job;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use table::Added;

/// Its endpoints and their default laws.
pub(crate) static ENDPOINTS: [Endpoint; 11] = [
    request("commands/open", Method::POST, "/api/v1/commands/jobs", 5),
    request("commands/batches", Method::POST, "/api/v1/commands/jobs/{id}/batches", 10),
    request("commands/progress", Method::GET, "/api/v1/commands/jobs/{id}", 3),
    request("commands/result", Method::GET, "/api/v1/commands/jobs/{id}/result", 15),
    request("commands/dead-letters", Method::GET, "/api/v1/commands/jobs/{id}/dead-letters", 5),
    request("commands/{id}", Method::GET, "/api/v1/commands/{id}", 2),
    request("commands/health", Method::GET, "/api/v1/commands/health", 1),
    work("commands/process"),
    work("commands/crash"),
    work("commands/lost"),
    work("commands/repeat"),
];

const fn work(name: &'static str) -> Endpoint {
    Endpoint { name, route: None, latency: Law::Constant(Duration::ZERO) }
}

/// Most commands of a batch.
const BATCH: i64 = 1000;

/// What requests and workers share.
pub(crate) struct Bus {
    store: Arc<Store>,
    clock: Clock,
    bell: Bell,
    process: Behaviour,
    crash: Behaviour,
    lost: Behaviour,
    repeat: Behaviour,
}

impl Bus {
    pub(crate) fn new(config: &Config, store: Arc<Store>) -> Arc<Bus> {
        let [.., process, crash, lost, repeat] = &ENDPOINTS;
        let behaviour = |endpoint| Behaviour::new(endpoint, config);
        Arc::new(Bus {
            store,
            clock: Clock::start(),
            bell: Bell::default(),
            process: behaviour(process),
            crash: behaviour(crash),
            lost: behaviour(lost),
            repeat: behaviour(repeat),
        })
    }

    /// The routes of the truth. The workers begin, and end with the router.
    pub(crate) fn router(self: &Arc<Bus>) -> std::io::Result<Router> {
        let crew = Arc::new(Crew::start(self)?);
        Ok(Router::new()
            .route("/api/v1/commands/jobs", post(open))
            .route("/api/v1/commands/jobs/{id}/batches", post(add))
            .route("/api/v1/commands/jobs/{id}", get(progress))
            .route("/api/v1/commands/jobs/{id}/result", get(result))
            .route("/api/v1/commands/jobs/{id}/dead-letters", get(dead_letters))
            .route("/api/v1/commands/{id}", get(find))
            .route("/api/v1/commands/health", get(health))
            .with_state(crew))
    }

    /// Where probes ask; it leaves no trace in the truth.
    pub(crate) fn status(self: &Arc<Bus>) -> Router {
        let status = async |State(bus): State<Arc<Bus>>| -> Result<Json<Figures>, Refusal> {
            let now = bus.clock.micros();
            let figures = bus.store.run(move |db| Figures::of(db, &Jobs::latest(db)?, now));
            Ok(Json(figures.await?))
        };
        Router::new().route("/api/admin/bus-status", get(status)).with_state(Arc::clone(self))
    }

    /// What became of all commands that the database knows. Waits for it, so not for asynchronous code.
    pub(crate) fn truth(&self) -> anyhow::Result<CommandsTruth> {
        Ok(self.store.wait(|connection| CommandsTruth::of(connection, &Jobs::all(connection)?))?)
    }
}

async fn open(
    State(crew): State<Arc<Crew>>,
    Input(job): Input<Job>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    job.check().map_err(|error| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error))?;
    let (commands, now) = (job.commands, crew.bus.clock.micros());
    let id = crew.bus.store.run(move |connection| table::open(connection, &job, now)).await?;
    Ok((StatusCode::CREATED, Json(json!({ "id": id, "commands": commands }))))
}

#[derive(Deserialize)]
struct Batch {
    commands: i64,
}

async fn add(
    State(crew): State<Arc<Crew>>,
    Path(id): Path<String>,
    Input(Batch { commands }): Input<Batch>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    if !(1..=BATCH).contains(&commands) {
        let error = format!("commands is {commands}; send a number from 1 to {BATCH}");
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error));
    }
    let (job, now) = (number(&id, "job")?, crew.bus.clock.micros());
    match crew.bus.store.run(move |connection| table::add(connection, job, commands, now)).await? {
        Added::NoJob => Err(unknown("job")),
        Added::TooMany { room } => {
            let error = format!("job {job} has room for {room} more commands; {commands} are too many");
            Err(Refusal::new(StatusCode::CONFLICT, error))
        }
        Added::Commands { first, last } => {
            crew.bus.bell.ring();
            Ok((StatusCode::ACCEPTED, Json(json!({ "first": first, "last": last, "accepted": commands }))))
        }
    }
}

async fn progress(State(crew): State<Arc<Crew>>, Path(id): Path<String>) -> Result<Json<Progress>, Refusal> {
    let id = number(&id, "job")?;
    let found = crew.bus.store.run(move |connection| Progress::of(connection, id)).await?;
    found.map(Json).ok_or_else(|| unknown("job"))
}

async fn result(State(crew): State<Arc<Crew>>, Path(id): Path<String>) -> Result<Json<Figures>, Refusal> {
    let (id, now) = (number(&id, "job")?, crew.bus.clock.micros());
    let figures = crew.bus.store.run(move |connection| Figures::of(connection, &Jobs::one(id), now)).await?;
    if figures.is_of_some() { Ok(Json(figures)) } else { Err(unknown("job")) }
}

async fn dead_letters(
    State(crew): State<Arc<Crew>>,
    Path(id): Path<String>,
    Limit(limit): Limit,
) -> Result<Json<impl Serialize>, Refusal> {
    let id = number(&id, "job")?;
    let (items, total) = crew.bus.store.run(move |db| table::dead_letters(db, id, limit)).await?;
    Ok(Json(json!({ "items": items, "total": total })))
}

async fn find(
    State(crew): State<Arc<Crew>>,
    Path(id): Path<String>,
) -> Result<Json<impl Serialize>, Refusal> {
    let id = number(&id, "command")?;
    let found = crew.bus.store.run(move |connection| table::find(connection, id)).await?;
    found.map(Json).ok_or_else(|| unknown("command"))
}

/// Asks the database, so that nothing is called healthy that could not store.
async fn health(State(crew): State<Arc<Crew>>) -> Result<Json<Value>, Refusal> {
    crew.bus.store.run(|connection| connection.query_row("SELECT 1", [], |_| Ok(()))).await?;
    Ok(Json(json!({ "status": "ok" })))
}

fn number(id: &str, what: &str) -> Result<i64, Refusal> {
    id.parse().map_err(|_| unknown(what))
}

fn unknown(what: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, format!("there is no {what} of this id"))
}

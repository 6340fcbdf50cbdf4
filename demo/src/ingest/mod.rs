//! Message ingest: a message is acknowledged when it is in the queue, and four workers commit what is there in
//! batches. Everything is JSON.
//!
//! | request | answers |
//! |---|---|
//! | `POST /api/v1/messages` `{user_id, channel_id, content}` | 202 `{id, status}`; 422 unless the user is 1 to 10000 and the channel 1 to 100; 503 when 10,000 messages wait |
//! | `GET /api/v1/messages/{id}` | 200 `{id, status}`, `queued` or `stored`; 404 |
//! | `GET /api/v1/messages/health` | 200 `{status}`; 500 if the database does not answer |
//! | `GET /api/v1/messages/accounting` | 200 [`MessagesTruth`], by the database |
//! | `GET /api/admin/ingest-status` | 200 the same, and `queue_depth`, `batches`, `messages_per_batch`, `worker_ms`, `end_to_end_ms`, `workers` |
//!
//! **Latencies.** `worker_ms` is how long a worker took for a batch, `end_to_end_ms` from the receipt of a message to its
//! commit; each as `p50`, `p95`, `p99` and `max` in milliseconds, of the latest 1024. A worker takes the time of
//! `messages/commit`, and that of the database.
//!
//! **What goes wrong.** Of the share of messages that `--fail messages/lost=...` sets, nothing is stored, although they were
//! acknowledged; those of `--fail messages/duplicate=...` are stored twice.
//!
//! Asking for the status leaves no trace in the truth.

mod desk;
mod recent;
mod table;

pub(crate) use desk::Desk;
pub(crate) use recent::Percentiles;
pub use table::MessagesTruth;

use crate::body::{Input, Refusal};
use crate::config::Config;
use crate::endpoint::{Endpoint, request};
use crate::law::Law;
use crate::store::Store;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use desk::Arrival;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Its endpoints and their default laws.
pub(crate) static ENDPOINTS: [Endpoint; 7] = [
    request("messages/send", Method::POST, "/api/v1/messages", 5),
    request("messages/{id}", Method::GET, "/api/v1/messages/{id}", 2),
    request("messages/health", Method::GET, "/api/v1/messages/health", 1),
    request("messages/accounting", Method::GET, "/api/v1/messages/accounting", 5),
    Endpoint { name: "messages/commit", route: None, latency: constant(25) },
    Endpoint { name: "messages/lost", route: None, latency: constant(0) },
    Endpoint { name: "messages/duplicate", route: None, latency: constant(0) },
];

const fn constant(millis: u64) -> Law {
    Law::Constant(Duration::from_millis(millis))
}

pub(crate) use table::SCHEMA;

/// Most messages that wait for a worker; the next one is refused.
const QUEUE: usize = 10_000;
/// The highest user; the first one is 1.
const USERS: u32 = 10_000;
/// The highest channel; the first one is 1.
const CHANNELS: u32 = 100;

/// What takes messages in. The workers end when it is dropped, and what is in the queue is stored.
pub(crate) struct Ingest {
    queue: SyncSender<Arrival>,
    desk: Arc<Desk>,
}

impl Ingest {
    pub(crate) fn new(config: &Config, store: Arc<Store>) -> anyhow::Result<Ingest> {
        let desk = Arc::new(Desk::new(config, store)?);
        let (queue, arrivals) = sync_channel(QUEUE);
        Desk::open(&desk, arrivals)?;
        Ok(Ingest { queue, desk })
    }

    /// What knows of the messages; it does not keep the workers.
    pub(crate) fn desk(&self) -> Arc<Desk> {
        Arc::clone(&self.desk)
    }

    /// The routes of the truth.
    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/api/v1/messages", post(send))
            .route("/api/v1/messages/{id}", get(find))
            .route("/api/v1/messages/health", get(health))
            .route("/api/v1/messages/accounting", get(accounting))
            .with_state(Arc::new(self))
    }
}

/// Where probes ask; its routes leave no trace in the truth.
pub(crate) fn status(desk: &Arc<Desk>) -> Router {
    let status = async |State(desk): State<Arc<Desk>>| -> Result<Json<Value>, Refusal> {
        let store = Arc::clone(desk.store());
        let inner = Arc::clone(&desk);
        let truth = store.run(move |connection| inner.truth_in(connection)).await?;
        Ok(Json(desk.status(truth)))
    };
    Router::new().route("/api/admin/ingest-status", get(status)).with_state(Arc::clone(desk))
}

#[derive(Deserialize)]
struct Message {
    user_id: u32,
    channel_id: u32,
    content: String,
}

async fn send(
    State(ingest): State<Arc<Ingest>>,
    Input(message): Input<Message>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let received = Instant::now();
    for (name, value, most) in
        [("user_id", message.user_id, USERS), ("channel_id", message.channel_id, CHANNELS)]
    {
        if !(1..=most).contains(&value) {
            let error = format!("{name} is {value}; send a number from 1 to {most}");
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error));
        }
    }
    let id = ingest.desk.accept();
    let Message { user_id, channel_id, content } = message;
    if ingest.queue.try_send(Arrival { id, user_id, channel_id, content, received }).is_err() {
        ingest.desk.refuse();
        let error = format!("{QUEUE} messages wait already; send more slowly");
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error));
    }
    Ok((StatusCode::ACCEPTED, Json(json!({ "id": id, "status": "queued" }))))
}

async fn find(State(ingest): State<Arc<Ingest>>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let unknown = || Refusal::new(StatusCode::NOT_FOUND, "there is no message of this id");
    let id: i64 = id.parse().map_err(|_| unknown())?;
    if ingest.desk.store().run(move |connection| table::is_stored(connection, id)).await? {
        return Ok(Json(json!({ "id": id, "status": "stored" })));
    }
    // What was refused has a number, too, and never is stored; nobody was told it.
    if ingest.desk.has_given(id) { Ok(Json(json!({ "id": id, "status": "queued" }))) } else { Err(unknown()) }
}

/// Asks the database, so that nothing is called healthy that could not store.
async fn health(State(ingest): State<Arc<Ingest>>) -> Result<Json<Value>, Refusal> {
    ingest.desk.store().run(|connection| connection.query_row("SELECT 1", [], |_| Ok(()))).await?;
    Ok(Json(json!({ "status": "ok" })))
}

async fn accounting(State(ingest): State<Arc<Ingest>>) -> Result<Json<MessagesTruth>, Refusal> {
    let desk = ingest.desk();
    Ok(Json(ingest.desk.store().run(move |connection| desk.truth_in(connection)).await?))
}

//! WebSocket tasks: a session at `/ws/{id}` takes tasks one after the other, keeps them in the database, and streams their
//! output.
//!
//! | message | answers |
//! |---|---|
//! | `{"task": "Print exactly: X"}` | `{"event_type": "started"}`, after the time of `ws/output` `{"event_type": "output", "line": 1, "data": "X"}`, then `{"event_type": "complete"}` |
//! | the same with `"lines": 5` (1 to 1000) | so many outputs, each after the time of `ws/output` |
//! | any other JSON or text | `{"event_type": "error", "error": "..."}` |
//! | a binary message | the same bytes |
//!
//! What a task has as `id` comes back in each of its events, so that a tester can correlate them. `started` and `complete`
//! are told when the database has committed them; both have the number of the row as `task`. The subprotocol `muster.v1` is
//! chosen where it is offered.
//!
//! | request | answers |
//! |---|---|
//! | `GET /api/v1/ws-tasks/health` | 200 `{status}`; 500 if the database does not answer |
//! | `GET /api/v1/ws-tasks/accounting` | 200 [`SessionsTruth`], by the database |
//! | `GET /api/admin/ws-status` | 200 `open_sessions`, `most_sessions`, `sessions`, `batches`, and the process's memory: `resident_mib`, `memory_per_session_kib`, `batch_growth_percent` ([how](#memory)) |
//! | `POST /api/admin/ws-status` | the same, begun again: what is open now counts as new |
//!
//! **What goes wrong.** Of the share of outputs that `--fail ws/output=...` sets, an `error` comes in place of the output, and
//! the task is over; of the share that `--fail ws/leak=...` sets, the output is that of another session: what a server without
//! isolation does; and of the share of sessions that `--fail ws/retain=...` sets, each leaves 64 KiB behind that are never freed.
//!
//! # Memory
//!
//! Figures are of the whole process, as the kernel counts resident memory; `null` where the system does not tell. A *batch* lasts
//! from the first session that is opened to the moment when none is open any more. `batch_growth_percent` compares the memory
//! after the last batch with that after the first one, 0 until there are two. `memory_per_session_kib` is what the process had
//! more when the most sessions were open than before the first one, divided by them; 0 until a session has ended or somebody asks.
//!
//! Asking for the status leaves no trace in the truth.

mod hall;
mod table;

pub(crate) use hall::Hall;
pub(crate) use table::SCHEMA;
pub use table::SessionsTruth;

use crate::behaviour::Behaviour;
use crate::body::Refusal;
use crate::config::Config;
use crate::endpoint::{Endpoint, request};
use crate::law::Law;
use crate::store::Store;
use crate::timer::Timer;
use crate::truth::{Ledger, Session};
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::Method;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use table::Outcome;

/// Its endpoints and their default laws.
pub(crate) static ENDPOINTS: [Endpoint; 6] = [
    Endpoint { name: "ws/{id}", route: Some((Method::GET, "/ws/{id}")), latency: constant(0) },
    Endpoint { name: "ws/output", route: None, latency: constant(20) },
    Endpoint { name: "ws/leak", route: None, latency: constant(0) },
    Endpoint { name: "ws/retain", route: None, latency: constant(0) },
    request("ws-tasks/health", Method::GET, "/api/v1/ws-tasks/health", 1),
    request("ws-tasks/accounting", Method::GET, "/api/v1/ws-tasks/accounting", 5),
];

const fn constant(millis: u64) -> Law {
    Law::Constant(Duration::from_millis(millis))
}

/// What a task begins with.
const COMMAND: &str = "Print exactly: ";
/// Most lines of a task.
const MOST_LINES: u32 = 1000;
/// Largest message in bytes; a larger one ends the session.
const LARGEST_MESSAGE: usize = 64 * 1024;
/// Read buffer of a session in bytes: thousands of them are open at once.
const READ_BUFFER: usize = 2048;
/// Bytes that a session leaves behind when it is told to.
const RETAINED: usize = 64 * 1024;

/// What the sessions share.
pub(crate) struct Tasks {
    ledger: Arc<Ledger>,
    store: Arc<Store>,
    hall: Arc<Hall>,
    timer: Timer,
    output: Behaviour,
    leak: Behaviour,
    retain: Behaviour,
    /// The last output of any session, and whose it was.
    last: Mutex<(u64, String)>,
    /// What sessions left behind.
    retained: Mutex<Vec<Vec<u8>>>,
}

impl Tasks {
    pub(crate) fn new(config: &Config, ledger: &Arc<Ledger>, store: Arc<Store>) -> anyhow::Result<Tasks> {
        let [_, output, leak, retain, ..] = &ENDPOINTS;
        Ok(Tasks {
            ledger: Arc::clone(ledger),
            hall: Arc::new(Hall::new(store.wait(table::last)?)),
            store,
            timer: Timer::start()?,
            output: Behaviour::new(output, config),
            leak: Behaviour::new(leak, config),
            retain: Behaviour::new(retain, config),
            last: Mutex::default(),
            retained: Mutex::default(),
        })
    }

    /// The routes of the truth.
    pub(crate) fn router(self: &Arc<Tasks>) -> Router {
        Router::new()
            .route("/ws/{id}", get(open))
            .route("/api/v1/ws-tasks/health", get(health))
            .route("/api/v1/ws-tasks/accounting", get(accounting))
            .with_state(Arc::clone(self))
    }

    /// What became of all tasks. Waits for the database, so not for asynchronous code.
    pub(crate) fn truth(&self) -> anyhow::Result<SessionsTruth> {
        let hall = Arc::clone(&self.hall);
        Ok(self.store.wait(move |connection| hall.truth_in(connection))?)
    }
}

/// Where probes ask; its routes leave no trace in the truth.
pub(crate) fn status(tasks: &Arc<Tasks>) -> Router {
    let status = async |State(tasks): State<Arc<Tasks>>| Json(tasks.hall.status());
    let restart = async |State(tasks): State<Arc<Tasks>>| {
        tasks.hall.restart();
        Json(tasks.hall.status())
    };
    Router::new().route("/api/admin/ws-status", get(status).post(restart)).with_state(Arc::clone(tasks))
}

/// Asks the database, so that nothing is called healthy that could not store.
async fn health(State(tasks): State<Arc<Tasks>>) -> Result<Json<Value>, Refusal> {
    tasks.store.run(|connection| connection.query_row("SELECT 1", [], |_| Ok(()))).await?;
    Ok(Json(json!({ "status": "ok" })))
}

async fn accounting(State(tasks): State<Arc<Tasks>>) -> Result<Json<SessionsTruth>, Refusal> {
    let hall = Arc::clone(&tasks.hall);
    Ok(Json(tasks.store.run(move |connection| hall.truth_in(connection)).await?))
}

async fn open(
    State(tasks): State<Arc<Tasks>>,
    Path(id): Path<String>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade
        .protocols(["muster.v1"])
        .read_buffer_size(READ_BUFFER)
        .max_message_size(LARGEST_MESSAGE)
        .max_frame_size(LARGEST_MESSAGE)
        .on_upgrade(async move |socket| {
            let guest = tasks.hall.enter();
            let session = tasks.ledger.session();
            // How it ends is the client's affair; truth and database have what was said.
            let _ = tasks.converse(socket, &session, &id).await;
            if tasks.retain.draw().fails {
                tasks.retained.lock().unwrap_or_else(PoisonError::into_inner).push(vec![1; RETAINED]);
            }
            drop(guest);
        })
}

/// A message of the client.
#[derive(Deserialize)]
struct Order {
    task: String,
    #[serde(default)]
    id: Value,
    #[serde(default = "one")]
    lines: u32,
}

fn one() -> u32 {
    1
}

/// A task that is about to be carried out.
struct Task {
    /// What the client calls it.
    id: Value,
    text: String,
    lines: u32,
}

impl Task {
    /// What a message asks for; `None` if it is no task.
    fn read(message: &str) -> Option<Task> {
        let order: Order = serde_json::from_str(message).ok()?;
        let text = order.task.strip_prefix(COMMAND)?.to_owned();
        (1..=MOST_LINES).contains(&order.lines).then_some(Task { id: order.id, text, lines: order.lines })
    }
}

impl Tasks {
    async fn converse(
        &self,
        mut socket: WebSocket,
        session: &Session,
        name: &str,
    ) -> Result<(), axum::Error> {
        while let Some(message) = socket.recv().await {
            match message? {
                Message::Text(text) => {
                    session.received();
                    self.accept(&mut socket, session, name, text.as_str()).await?;
                }
                Message::Binary(bytes) => {
                    session.received();
                    socket.send(Message::Binary(bytes)).await?;
                    session.sent();
                }
                // Pings and closes are answered by the library.
                Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {}
            }
        }
        Ok(())
    }

    /// Keeps the task in the database and carries it out.
    async fn accept(
        &self,
        socket: &mut WebSocket,
        session: &Session,
        name: &str,
        message: &str,
    ) -> Result<(), axum::Error> {
        let arrived = Instant::now();
        let Some(task) = Task::read(message) else {
            let error = format!(
                "send {{\"task\": \"{COMMAND}...\"}}, and with it \"lines\" from 1 to {MOST_LINES} if more than one"
            );
            return say(socket, session, json!({ "event_type": "error", "error": error })).await;
        };
        let (name, text, lines) = (name.to_owned(), task.text.clone(), task.lines);
        let begun = self.store.run(move |connection| table::begin(connection, &name, &text, lines)).await;
        let row = match begun {
            Ok(row) => row,
            Err(error) => {
                let event = json!({ "event_type": "error", "id": task.id, "error": error.to_string() });
                return say(socket, session, event).await;
            }
        };
        self.hall.begun();
        let carried_out = self.carry_out(socket, session, &task, row, arrived).await;
        if carried_out.is_err() {
            // Nobody is there any more to be told if the database does not take that either.
            let _ = self.store.run(move |connection| table::end(connection, row, Outcome::Abandoned)).await;
        }
        carried_out
    }

    async fn carry_out(
        &self,
        socket: &mut WebSocket,
        session: &Session,
        task: &Task,
        row: i64,
        arrived: Instant,
    ) -> Result<(), axum::Error> {
        let id = &task.id;
        say(socket, session, json!({ "event_type": "started", "id": id, "task": row })).await?;
        let mut due = arrived;
        for line in 1..=task.lines {
            let fate = self.output.draw();
            due += fate.delay;
            self.timer.sleep_until(due).await;
            if fate.fails {
                let ended =
                    self.store.run(move |connection| table::end(connection, row, Outcome::Failed)).await;
                let error = match ended {
                    Ok(()) => "this task fails because --fail says so".to_owned(),
                    Err(error) => error.to_string(),
                };
                return say(socket, session, json!({ "event_type": "error", "id": id, "error": error }))
                    .await;
            }
            let data = self.printed(session, task.text.clone());
            let event = json!({ "event_type": "output", "id": id, "line": line, "data": data });
            say(socket, session, event).await?;
        }
        match self.store.run(move |connection| table::end(connection, row, Outcome::Completed)).await {
            Ok(()) => {
                self.hall.completed();
                let event = json!({ "event_type": "complete", "id": id, "task": row, "lines": task.lines });
                say(socket, session, event).await
            }
            Err(error) => {
                let event = json!({ "event_type": "error", "id": id, "error": error.to_string() });
                say(socket, session, event).await
            }
        }
    }

    /// What is printed for `data`: that, or by way of a leak what another session printed last.
    fn printed(&self, session: &Session, data: String) -> String {
        let leaks = self.leak.draw().fails;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let others = (last.0 != session.number()).then(|| last.1.clone());
        *last = (session.number(), data.clone());
        others.filter(|other| leaks && !other.is_empty()).unwrap_or(data)
    }
}

async fn say(socket: &mut WebSocket, session: &Session, event: Value) -> Result<(), axum::Error> {
    socket.send(Message::text(event.to_string())).await?;
    session.sent();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tasks_are_carried_out() {
        let check = |message: &str, expected: Option<(&str, u32)>| {
            let task = Task::read(message);
            assert_eq!(task.as_ref().map(|task| (task.text.as_str(), task.lines)), expected, "{message}");
        };
        check(r#"{"task": "Print exactly: X"}"#, Some(("X", 1)));
        check(r#"{"task": "Print exactly: X", "lines": 1000, "id": 7}"#, Some(("X", 1000)));
        check(r#"{"task": "Print exactly: X", "lines": 0}"#, None);
        check(r#"{"task": "Print exactly: X", "lines": 1001}"#, None);
        check(r#"{"task": "Print exactly: X", "lines": "5"}"#, None);
        check(r#"{"task": "Delete everything"}"#, None);
        check("Print exactly: X", None);
    }
}

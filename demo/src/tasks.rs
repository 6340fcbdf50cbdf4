//! WebSocket tasks: a session at `/ws/{id}` takes tasks one after the other and tells how each goes on.
//!
//! | message | answers |
//! |---|---|
//! | `{"task": "Print exactly: X"}` | `{"event_type": "started"}`, after the time of `ws/output` `{"event_type": "output", "data": "X"}`, then `{"event_type": "complete"}` |
//! | any other JSON or text | `{"event_type": "error", "error": "..."}` |
//! | a binary message | the same bytes |
//!
//! What a task has as `id` comes back in each of its events, so that a tester can correlate them. Of the share
//! of outputs that `--fail ws/output=...` sets, an `error` comes in place of the output; of the share that `--fail
//! ws/leak=...` sets, the output is that of another session: what a server without isolation does. The
//! subprotocol `muster.v1` is chosen where it is offered.

use crate::behaviour::Behaviour;
use crate::config::Config;
use crate::endpoint::Endpoint;
use crate::law::Law;
use crate::timer::Timer;
use crate::truth::{Ledger, Session};
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::Method;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Its endpoints and their default laws.
pub(crate) static ENDPOINTS: [Endpoint; 3] = [
    Endpoint { name: "ws/{id}", route: Some((Method::GET, "/ws/{id}")), latency: constant(0) },
    Endpoint { name: "ws/output", route: None, latency: constant(20) },
    Endpoint { name: "ws/leak", route: None, latency: constant(0) },
];

const fn constant(millis: u64) -> Law {
    Law::Constant(Duration::from_millis(millis))
}

/// What a task begins with.
const COMMAND: &str = "Print exactly: ";
/// Largest message in bytes; a larger one ends the session.
const LARGEST_MESSAGE: usize = 64 * 1024;
/// Read buffer of a session in bytes: thousands of them are open at once.
const READ_BUFFER: usize = 2048;

/// What the sessions share.
struct Tasks {
    ledger: Arc<Ledger>,
    timer: Timer,
    output: Behaviour,
    leak: Behaviour,
    /// The last output of any session, and whose it was.
    last: Mutex<(u64, String)>,
}

/// Its route, with its state behind it.
pub(crate) fn router(config: &Config, ledger: &Arc<Ledger>) -> io::Result<Router> {
    let [_, output, leak] = &ENDPOINTS;
    let tasks = Tasks {
        ledger: Arc::clone(ledger),
        timer: Timer::start()?,
        output: Behaviour::new(output, config),
        leak: Behaviour::new(leak, config),
        last: Mutex::default(),
    };
    Ok(Router::new().route("/ws/{id}", get(open)).with_state(Arc::new(tasks)))
}

async fn open(State(tasks): State<Arc<Tasks>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .protocols(["muster.v1"])
        .read_buffer_size(READ_BUFFER)
        .max_message_size(LARGEST_MESSAGE)
        .max_frame_size(LARGEST_MESSAGE)
        .on_upgrade(async move |socket| {
            let session = tasks.ledger.session();
            // How it ends is the client's affair; the truth has what was said.
            let _ = tasks.converse(socket, &session).await;
        })
}

/// A message of the client.
#[derive(Deserialize)]
struct Order {
    task: String,
    #[serde(default)]
    id: Value,
}

impl Tasks {
    async fn converse(&self, mut socket: WebSocket, session: &Session) -> Result<(), axum::Error> {
        while let Some(message) = socket.recv().await {
            match message? {
                Message::Text(text) => {
                    session.received();
                    self.carry_out(&mut socket, session, text.as_str()).await?;
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

    async fn carry_out(
        &self,
        socket: &mut WebSocket,
        session: &Session,
        text: &str,
    ) -> Result<(), axum::Error> {
        let arrived = Instant::now();
        let order = serde_json::from_str::<Order>(text).ok();
        let task = order.and_then(|order| Some((order.task.strip_prefix(COMMAND)?.to_owned(), order.id)));
        let Some((data, id)) = task else {
            let error = format!("send {{\"task\": \"{COMMAND}...\"}}");
            return say(socket, session, json!({ "event_type": "error", "error": error })).await;
        };
        say(socket, session, json!({ "event_type": "started", "id": id })).await?;
        let fate = self.output.draw();
        self.timer.sleep_until(arrived + fate.delay).await;
        if fate.fails {
            let error = "this task fails because --fail says so";
            return say(socket, session, json!({ "event_type": "error", "id": id, "error": error })).await;
        }
        let data = self.printed(session, data);
        say(socket, session, json!({ "event_type": "output", "id": id, "data": data })).await?;
        say(socket, session, json!({ "event_type": "complete", "id": id })).await
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

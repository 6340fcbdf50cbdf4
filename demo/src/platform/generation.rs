//! Generations: asked for now, complete later.

use super::truth::Acknowledged;
use super::{Platform, total};
use crate::behaviour::Fate;
use crate::body::{Input, Limit, Refusal};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// When a generation will start and end is settled when it is created, so nothing has to run in between: its
/// status follows from what time it is. Times are in microseconds since 1970.
pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS generations (
        id INTEGER PRIMARY KEY, prompt TEXT NOT NULL,
        starts_at INTEGER NOT NULL, ends_at INTEGER NOT NULL, fails INTEGER NOT NULL
    );
";

/// The part of its time that a generation is queued.
const QUEUED_PART: i64 = 5;

#[derive(Deserialize)]
pub(super) struct Order {
    prompt: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Queued,
    Running,
    Done,
    Failed,
}

#[derive(Serialize)]
pub(super) struct Generation {
    id: i64,
    prompt: String,
    status: Status,
    result: Option<String>,
}

pub(super) async fn create(
    State(platform): State<Arc<Platform>>,
    Input(order): Input<Order>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let (now, fate) = (platform.clock.micros(), platform.completion.draw());
    let id = platform.store.run(move |connection| insert(connection, &order, now, fate)).await?;
    Acknowledged::one(&platform.acknowledged.generations);
    Ok((StatusCode::ACCEPTED, Json(json!({ "id": id, "status": Status::Queued }))))
}

pub(super) async fn list(
    State(platform): State<Arc<Platform>>,
    Limit(limit): Limit,
) -> Result<Json<Value>, Refusal> {
    let now = platform.clock.micros();
    let (items, total) = platform.store.run(move |connection| latest(connection, limit, now)).await?;
    Ok(Json(json!({ "items": items, "total": total })))
}

pub(super) async fn status(
    State(platform): State<Arc<Platform>>,
    Path(id): Path<String>,
) -> Result<Json<Generation>, Refusal> {
    let unknown = || Refusal::new(StatusCode::NOT_FOUND, "there is no generation of this id");
    let (id, now) = (id.parse().map_err(|_| unknown())?, platform.clock.micros());
    let found = platform.store.run(move |connection| find(connection, id, now)).await?;
    found.map(Json).ok_or_else(unknown)
}

fn insert(connection: &Connection, order: &Order, now: i64, fate: Fate) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO generations (prompt, starts_at, ends_at, fails) VALUES (?1, ?2, ?3, ?4)",
    )?;
    let length = micros(fate.delay);
    statement.insert((&order.prompt, now + length / QUEUED_PART, now + length, fate.fails))
}

fn latest(connection: &Connection, limit: u32, now: i64) -> rusqlite::Result<(Vec<Generation>, i64)> {
    let mut statement = connection.prepare_cached(
        "SELECT id, prompt, starts_at, ends_at, fails FROM generations ORDER BY id DESC LIMIT ?1",
    )?;
    let rows = statement.query_map([limit], |row| Generation::from_row(row, now))?;
    Ok((rows.collect::<Result<_, _>>()?, total(connection, "generations")?))
}

fn find(connection: &Connection, id: i64, now: i64) -> rusqlite::Result<Option<Generation>> {
    let mut statement = connection
        .prepare_cached("SELECT id, prompt, starts_at, ends_at, fails FROM generations WHERE id = ?1")?;
    statement.query_row([id], |row| Generation::from_row(row, now)).optional()
}

impl Generation {
    fn from_row(row: &Row<'_>, now: i64) -> rusqlite::Result<Generation> {
        let prompt: String = row.get("prompt")?;
        let status = Status::at(now, row.get("starts_at")?, row.get("ends_at")?, row.get("fails")?);
        let result = (status == Status::Done).then(|| format!("An answer to: {prompt}"));
        Ok(Generation { id: row.get("id")?, prompt, status, result })
    }
}

impl Status {
    fn at(now: i64, starts_at: i64, ends_at: i64, fails: bool) -> Status {
        match () {
            () if now >= ends_at && fails => Status::Failed,
            () if now >= ends_at => Status::Done,
            () if now >= starts_at => Status::Running,
            () => Status::Queued,
        }
    }
}

/// The time of day, which a database that is kept can be read against later; but never going back while
/// the server runs.
pub(crate) struct Clock {
    started: Instant,
    epoch_micros: i64,
}

impl Clock {
    pub(crate) fn start() -> Clock {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { started: Instant::now(), epoch_micros: micros(since_1970) }
    }

    pub(crate) fn micros(&self) -> i64 {
        self.epoch_micros.saturating_add(micros(self.started.elapsed()))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_follows_from_the_time() {
        let check = |now, expected, expected_if_it_fails| {
            assert_eq!(Status::at(now, 10, 50, false), expected, "at {now}");
            assert_eq!(Status::at(now, 10, 50, true), expected_if_it_fails, "at {now}");
        };
        check(0, Status::Queued, Status::Queued);
        check(9, Status::Queued, Status::Queued);
        check(10, Status::Running, Status::Running);
        check(49, Status::Running, Status::Running);
        check(50, Status::Done, Status::Failed);
        check(i64::MAX, Status::Done, Status::Failed);
    }
}

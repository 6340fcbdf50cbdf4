//! Tasks.

use super::cache::Key;
use super::{Workflow, unknown};
use crate::body::{DEFAULT_LIMIT, Input, Limit, Refusal};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rusqlite::types::{ToSql, ToSqlOutput};
use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// Numbers are never given twice, so that nobody takes a new task for one that was removed. Each change of a status is
/// written down by the database itself, in the same statement.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS tasks (
        id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, priority TEXT NOT NULL,
        status TEXT NOT NULL DEFAULT 'pending', created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, batch INTEGER
    );
    CREATE INDEX IF NOT EXISTS tasks_by_status ON tasks (status, id);
    CREATE INDEX IF NOT EXISTS tasks_by_batch ON tasks (batch);
    CREATE TABLE IF NOT EXISTS task_changes (id INTEGER PRIMARY KEY, task INTEGER NOT NULL, status TEXT NOT NULL);
    CREATE TRIGGER IF NOT EXISTS tasks_changed AFTER UPDATE OF status ON tasks BEGIN
        INSERT INTO task_changes (task, status) VALUES (new.id, new.status);
    END;
";

/// Longest title in characters.
const LONGEST_TITLE: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Pending,
    Running,
    Completed,
    Failed,
}

impl Status {
    pub(super) const ALL: [Status; 4] = [Status::Pending, Status::Running, Status::Completed, Status::Failed];

    fn name(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Running => "running",
            Status::Completed => "completed",
            Status::Failed => "failed",
        }
    }
}

impl ToSql for Status {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.name().into())
    }
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Priority {
    Low,
    #[default]
    Normal,
    High,
}

impl ToSql for Priority {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Priority::Low => "low",
            Priority::Normal => "normal",
            Priority::High => "high",
        }
        .into())
    }
}

#[derive(Deserialize)]
pub(super) struct Order {
    title: String,
    #[serde(default)]
    priority: Priority,
}

#[derive(Deserialize)]
pub(super) struct Change {
    status: Status,
}

pub(super) async fn list(
    State(workflow): State<Arc<Workflow>>,
    Limit(limit): Limit,
) -> Result<Response, Refusal> {
    workflow.look_up(Key::Latest(limit), move |connection| latest(connection, limit).map(Some)).await
}

pub(super) async fn by_status(
    State(workflow): State<Arc<Workflow>>,
    Path(name): Path<String>,
    Limit(limit): Limit,
) -> Result<Response, Refusal> {
    let Some(status) = Status::ALL.into_iter().find(|status| status.name() == name) else {
        let error = "there is no such status; ask for pending, running, completed or failed";
        return Err(Refusal::new(StatusCode::NOT_FOUND, error));
    };
    let read = move |connection: &Connection| latest_of(connection, status, limit).map(Some);
    workflow.look_up(Key::OfStatus(status, limit), read).await
}

pub(super) async fn find(
    State(workflow): State<Arc<Workflow>>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let id = id.parse().map_err(|_| unknown())?;
    workflow.look_up(Key::Task(id), move |connection| task(connection, id)).await
}

pub(super) async fn statistics(State(workflow): State<Arc<Workflow>>) -> Result<Response, Refusal> {
    workflow.look_up(Key::Statistics, |connection| counts(connection).map(Some)).await
}

pub(super) async fn create(
    State(workflow): State<Arc<Workflow>>,
    Input(order): Input<Order>,
) -> Result<Response, Refusal> {
    let length = order.title.chars().count();
    if !(1..=LONGEST_TITLE).contains(&length) {
        let error = format!("title has {length} characters; send 1 to {LONGEST_TITLE}");
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error));
    }
    let task = workflow.write(move |connection| insert(connection, &order).map(Some)).await?;
    workflow.acknowledged.created();
    Ok((StatusCode::CREATED, Json(&*task)).into_response())
}

pub(super) async fn change(
    State(workflow): State<Arc<Workflow>>,
    Path(id): Path<String>,
    Input(Change { status }): Input<Change>,
) -> Result<Response, Refusal> {
    let id = id.parse().map_err(|_| unknown())?;
    let task = workflow.write(move |connection| update(connection, id, status)).await?;
    workflow.acknowledged.changed();
    Ok(Json(&*task).into_response())
}

impl Workflow {
    /// Makes or changes the one task that `write` gives back, in the database and in the cache.
    async fn write<W>(&self, write: W) -> Result<Arc<Value>, Refusal>
    where
        W: FnOnce(&Connection) -> rusqlite::Result<Option<(i64, Value)>> + Send + 'static,
    {
        let cache = Arc::clone(&self.cache);
        let written = self.store.run(move |connection| {
            let written = write(connection)?.map(|(id, task)| (id, Arc::new(task)));
            if let Some((id, task)) = &written {
                cache.keep(Key::Task(*id), Arc::clone(task));
            }
            Ok(written)
        });
        written.await?.map(|(_, task)| task).ok_or_else(unknown)
    }
}

/// The columns of [`from_row`].
macro_rules! columns {
    () => {
        "id, title, priority, status, created_at"
    };
}
pub(super) const OF_BATCH: &str = concat!("SELECT ", columns!(), " FROM tasks WHERE batch = ?1");

pub(super) fn from_row(row: &Row<'_>) -> rusqlite::Result<(i64, Value)> {
    let (id, title, priority, status, created_at): (i64, String, String, String, String) = row.try_into()?;
    let task = json!({
        "id": id, "title": title, "priority": priority, "status": status, "created_at": created_at
    });
    Ok((id, task))
}

fn latest(connection: &Connection, limit: u32) -> rusqlite::Result<Value> {
    let mut statement =
        connection.prepare_cached(concat!("SELECT ", columns!(), " FROM tasks ORDER BY id DESC LIMIT ?1"))?;
    let rows = statement.query_map([limit], from_row)?.map(|row| row.map(|(_, task)| task));
    let items: Vec<Value> = rows.collect::<Result<_, _>>()?;
    let mut statement = connection.prepare_cached("SELECT count(*) FROM tasks")?;
    let total: i64 = statement.query_row([], |row| row.get(0))?;
    Ok(json!({ "items": items, "total": total }))
}

fn latest_of(connection: &Connection, status: Status, limit: u32) -> rusqlite::Result<Value> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        columns!(),
        " FROM tasks WHERE status = ?1 ORDER BY id DESC LIMIT ?2"
    ))?;
    let rows = statement.query_map((status, limit), from_row)?.map(|row| row.map(|(_, task)| task));
    let items: Vec<Value> = rows.collect::<Result<_, _>>()?;
    let mut statement = connection.prepare_cached("SELECT count(*) FROM tasks WHERE status = ?1")?;
    let total: i64 = statement.query_row([status], |row| row.get(0))?;
    Ok(json!({ "items": items, "total": total }))
}

/// What nearly everybody looks at: lists of the usual length, and counts.
pub(super) fn pages(connection: &Connection) -> rusqlite::Result<Vec<(Key, Value)>> {
    let mut pages = vec![
        (Key::Latest(DEFAULT_LIMIT), latest(connection, DEFAULT_LIMIT)?),
        (Key::Statistics, counts(connection)?),
    ];
    for status in Status::ALL {
        pages.push((Key::OfStatus(status, DEFAULT_LIMIT), latest_of(connection, status, DEFAULT_LIMIT)?));
    }
    Ok(pages)
}

fn task(connection: &Connection, id: i64) -> rusqlite::Result<Option<Value>> {
    let mut statement =
        connection.prepare_cached(concat!("SELECT ", columns!(), " FROM tasks WHERE id = ?1"))?;
    Ok(statement.query_row([id], from_row).optional()?.map(|(_, task)| task))
}

fn counts(connection: &Connection) -> rusqlite::Result<Value> {
    let mut statement = connection.prepare_cached("SELECT count(*) FROM tasks WHERE status = ?1")?;
    let mut by_status = serde_json::Map::new();
    let mut total = 0;
    for status in Status::ALL {
        let count: i64 = statement.query_row([status], |row| row.get(0))?;
        total += count;
        by_status.insert(status.name().to_owned(), count.into());
    }
    Ok(json!({ "total": total, "by_status": by_status }))
}

fn insert(connection: &Connection, order: &Order) -> rusqlite::Result<(i64, Value)> {
    let mut statement = connection.prepare_cached(concat!(
        "INSERT INTO tasks (title, priority) VALUES (?1, ?2) RETURNING ",
        columns!()
    ))?;
    statement.query_row((&order.title, order.priority), from_row)
}

fn update(connection: &Connection, id: i64, status: Status) -> rusqlite::Result<Option<(i64, Value)>> {
    let mut statement = connection
        .prepare_cached(concat!("UPDATE tasks SET status = ?2 WHERE id = ?1 RETURNING ", columns!()))?;
    statement.query_row((id, status), from_row).optional()
}

//! What a test does before and after: tasks to look at are made, and removed.

use super::Workflow;
use super::cache::Key;
use super::task::{OF_BATCH, from_row, pages};
use crate::body::{Input, Refusal};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use rusqlite::Connection;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Most tasks of a batch: they are made while everybody waits for the database.
const MOST_TASKS: u32 = 10_000;

#[derive(Deserialize)]
pub(super) struct Wish {
    tasks: u32,
}

pub(super) async fn seed(
    State(workflow): State<Arc<Workflow>>,
    Input(Wish { tasks }): Input<Wish>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    if !(1..=MOST_TASKS).contains(&tasks) {
        let error = format!("tasks is {tasks}; send a number from 1 to {MOST_TASKS}");
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error));
    }
    let cache = Arc::clone(&workflow.cache);
    let made = workflow.store.run(move |connection| {
        let first = insert(connection, tasks)?;
        let mut statement = connection.prepare_cached(OF_BATCH)?;
        for row in statement.query_map([first], from_row)? {
            let (id, task) = row?;
            cache.keep(Key::Task(id), Arc::new(task));
        }
        // A test begins with a cache that is as warm as it would be after a while.
        for (key, value) in pages(connection)? {
            cache.keep(key, Arc::new(value));
        }
        Ok(first)
    });
    let first = made.await?;
    let last = first + i64::from(tasks) - 1;
    Ok((StatusCode::CREATED, Json(json!({ "batch": first, "first": first, "last": last, "tasks": tasks }))))
}

pub(super) async fn remove(
    State(workflow): State<Arc<Workflow>>,
    Path(batch): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let unknown =
        || Refusal::new(StatusCode::NOT_FOUND, "there is no batch of this number; it may be removed already");
    let batch: i64 = batch.parse().map_err(|_| unknown())?;
    let cache = Arc::clone(&workflow.cache);
    let removed = workflow.store.run(move |connection| {
        let mut statement = connection.prepare_cached("DELETE FROM tasks WHERE batch = ?1 RETURNING id")?;
        let ids: Vec<i64> = statement.query_map([batch], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for id in &ids {
            cache.forget(Key::Task(*id));
        }
        Ok(ids.len())
    });
    match removed.await? {
        0 => Err(unknown()),
        removed => Ok(Json(json!({ "tasks": removed }))),
    }
}

/// The number of the first one, which is that of the batch. All in one statement, so that it is done as a whole or
/// not at all; nobody else writes meanwhile, so the numbers have no gaps.
fn insert(connection: &Connection, tasks: u32) -> rusqlite::Result<i64> {
    let mut statement = connection
        .prepare_cached("SELECT ifnull(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'tasks'")?;
    let first: i64 = statement.query_row([], |row| row.get(0))?;
    let mut statement = connection.prepare_cached(
        "WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?2 - 1)
         INSERT INTO tasks (title, priority, status, batch)
         SELECT 'Seeded task ' || (n + 1), 'normal',
             CASE n % 4 WHEN 0 THEN 'pending' WHEN 1 THEN 'running' WHEN 2 THEN 'completed' ELSE 'failed' END, ?1
         FROM numbers",
    )?;
    statement.execute((first, tasks))?;
    Ok(first)
}

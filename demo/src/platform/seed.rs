//! Accounts of a test of its own: made before it, removed after it.

use super::Platform;
use super::auth::SEEDED_PASSWORD;
use crate::body::{Input, Refusal};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use rusqlite::Connection;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Most accounts of a tenant: they are made while everybody waits for the database.
const MOST_USERS: u32 = 10_000;

/// What the name of a tenant begins with.
const PREFIX: &str = "tenant-";

#[derive(Deserialize)]
pub(super) struct Wish {
    users: u32,
}

pub(super) async fn create(
    State(platform): State<Arc<Platform>>,
    Input(Wish { users }): Input<Wish>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    if !(1..=MOST_USERS).contains(&users) {
        let error = format!("users is {users}; send a number from 1 to {MOST_USERS}");
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error));
    }
    // A database that is kept may have tenants that a server of the same seed made.
    let tenant = format!("{PREFIX}{}-{:x}", &platform.tokens.next()[..8], platform.clock.micros());
    let name = tenant.clone();
    platform.store.run(move |connection| insert(connection, &name, users)).await?;
    Ok((StatusCode::CREATED, Json(json!({ "tenant": tenant, "users": users }))))
}

pub(super) async fn delete(
    State(platform): State<Arc<Platform>>,
    Path(tenant): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let removed = if is_tenant(&tenant) {
        platform.store.run(move |connection| remove(connection, &tenant)).await?
    } else {
        0
    };
    if removed == 0 {
        let error = "there is no tenant of this name; it may be deleted already";
        return Err(Refusal::new(StatusCode::NOT_FOUND, error));
    }
    Ok(Json(json!({ "users": removed })))
}

/// All in one statement, so that it is done as a whole or not at all.
fn insert(connection: &Connection, tenant: &str, users: u32) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare_cached(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?2)
         INSERT INTO users (email, password) SELECT ?1 || '-user-' || n || '@example.com', ?3 FROM numbers",
    )?;
    statement.execute((tenant, users, SEEDED_PASSWORD))
}

/// How many accounts the tenant had.
fn remove(connection: &Connection, tenant: &str) -> rusqlite::Result<usize> {
    // A range, which the index of e-mails answers: `.` is the character after `-`.
    let mut statement = connection
        .prepare_cached("DELETE FROM users WHERE email >= ?1 || '-user-' AND email < ?1 || '-user.'")?;
    statement.execute([tenant])
}

/// Whether a tenant may be called that.
fn is_tenant(name: &str) -> bool {
    let rest = name.strip_prefix(PREFIX);
    rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'))
}

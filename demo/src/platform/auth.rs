//! Accounts.

use super::Platform;
use super::truth::Acknowledged;
use crate::body::{Input, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use rusqlite::{Connection, OptionalExtension};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};

/// Passwords are kept as they are given: these accounts are made up by load tests, and hashing would be work
/// that the latency law knows nothing of.
pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, password TEXT NOT NULL);
";

/// The password of every seeded account.
pub(super) const SEEDED_PASSWORD: &str = "demo-password";

#[derive(Deserialize)]
pub(super) struct Credentials {
    email: String,
    password: String,
}

pub(super) async fn register(
    State(platform): State<Arc<Platform>>,
    Input(credentials): Input<Credentials>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let email = credentials.email.clone();
    match platform.store.run(move |connection| insert(connection, &credentials)).await? {
        Some(id) => {
            Acknowledged::one(&platform.acknowledged.accounts);
            Ok((StatusCode::CREATED, Json(json!({ "id": id, "email": email }))))
        }
        None => Err(Refusal::new(StatusCode::CONFLICT, "this e-mail has an account; log in, or use another")),
    }
}

pub(super) async fn login(
    State(platform): State<Arc<Platform>>,
    Input(credentials): Input<Credentials>,
) -> Result<Json<Value>, Refusal> {
    if platform.store.run(move |connection| admit(connection, &credentials)).await? {
        Ok(Json(json!({ "access_token": platform.tokens.next(), "token_type": "bearer" })))
    } else {
        Err(Refusal::new(StatusCode::UNAUTHORIZED, "e-mail or password is wrong; register first"))
    }
}

pub(super) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// The number of the new account; `None` if the e-mail has one.
fn insert(connection: &Connection, credentials: &Credentials) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO users (email, password) VALUES (?1, ?2) ON CONFLICT (email) DO NOTHING",
    )?;
    let inserted = statement.execute([&credentials.email, &credentials.password])?;
    Ok((inserted > 0).then(|| connection.last_insert_rowid()))
}

/// Whether the credentials are right. A seeded account comes into being when it first logs in.
fn admit(connection: &Connection, credentials: &Credentials) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached("SELECT password FROM users WHERE email = ?1")?;
    let password: Option<String> = statement.query_row([&credentials.email], |row| row.get(0)).optional()?;
    match password {
        Some(password) => Ok(password == credentials.password),
        None if is_seeded(&credentials.email) && credentials.password == SEEDED_PASSWORD => {
            insert(connection, credentials).map(|_| true)
        }
        None => Ok(false),
    }
}

/// `demo-user-N@example.com`
fn is_seeded(email: &str) -> bool {
    email
        .strip_prefix("demo-user-")
        .and_then(|rest| rest.strip_suffix("@example.com"))
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Makes access tokens: opaque, all different, and not worth guessing, since no endpoint asks for one.
pub(super) struct Tokens(Mutex<Xoshiro256PlusPlus>);

impl Tokens {
    pub(super) fn new(seed: u64) -> Tokens {
        Tokens(Mutex::new(Xoshiro256PlusPlus::seed_from_u64(seed)))
    }

    pub(super) fn next(&self) -> String {
        let mut generator = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        format!("{:016x}{:016x}", generator.next_u64(), generator.next_u64())
    }
}

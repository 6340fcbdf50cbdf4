//! The Platform API: accounts, generations that complete in the background, and payments. Everything is JSON.
//!
//! | request | answers |
//! |---|---|
//! | `POST /api/v1/auth/register` `{email, password}` | 201 `{id, email}`; 409 if the e-mail has an account |
//! | `POST /api/v1/auth/login` `{email, password}` | 200 `{access_token, token_type}`; 401 |
//! | `GET /api/v1/auth/health` | 200 `{status}` |
//! | `POST /api/v1/generation/create` `{prompt}` | 202 `{id, status}` |
//! | `GET /api/v1/generation/list?limit=N` | 200 `{items, total}`, the latest first |
//! | `GET /api/v1/generation/{id}` | 200 `{id, prompt, status, result}`; 404 |
//! | `POST /api/v1/payments/create` `{amount, currency}` | 201 `{id, status}`; 422 unless `amount` is above 0 |
//! | `GET /api/v1/payments/list?limit=N` | 200 `{items, total}`, the latest first |
//! | `POST /api/v1/seed` `{users}` | 201 `{tenant, users}`; 422 unless `users` is 1 to 10000 |
//! | `DELETE /api/v1/seed/{tenant}` | 200 `{users}`, how many accounts it removed; 404 |
//!
//! A body that is not JSON or lacks a field is answered 422, one above 64 KiB 413; every error is
//! `{"error": "..."}`. A list holds 20 items unless `limit` says otherwise, and never more than 100.
//!
//! **Seeded accounts.** For load tests, every e-mail `demo-user-N@example.com` (N any number) that nobody has
//! registered has an account with the password `demo-password`. So a plan can log in without registering first.
//!
//! **Tenants.** `POST /api/v1/seed` makes accounts for one test: `TENANT-user-N@example.com`, N from 1 to `users`, with
//! the same password. Deleting the tenant removes them.
//!
//! **Generations.** A new one is `queued` for the first fifth of its time, then `running`, and at the end
//! `done`, or `failed` for the share of them that `--fail generation/done=...` sets.

mod auth;
mod generation;
mod payments;
mod seed;
mod truth;

pub use truth::{PlatformCounts, PlatformTruth};

pub(crate) use generation::Clock;

use crate::behaviour::Behaviour;
use crate::config::Config;
use crate::endpoint::{Endpoint, request, usual};
use crate::store::Store;
use axum::Router;
use axum::http::Method;
use axum::routing::{delete, get, post};
use std::sync::Arc;

/// Its endpoints and their default laws.
pub(crate) static ENDPOINTS: [Endpoint; 11] = [
    request("auth/register", Method::POST, "/api/v1/auth/register", 45),
    request("auth/login", Method::POST, "/api/v1/auth/login", 35),
    request("auth/health", Method::GET, "/api/v1/auth/health", 2),
    request("generation/create", Method::POST, "/api/v1/generation/create", 70),
    request("generation/list", Method::GET, "/api/v1/generation/list", 20),
    request("generation/{id}", Method::GET, "/api/v1/generation/{id}", 8),
    request("payments/create", Method::POST, "/api/v1/payments/create", 50),
    request("payments/list", Method::GET, "/api/v1/payments/list", 20),
    request("seed", Method::POST, "/api/v1/seed", 120),
    request("seed/{tenant}", Method::DELETE, "/api/v1/seed/{tenant}", 60),
    Endpoint { name: "generation/done", route: None, latency: usual(1500) },
];

/// What the handlers share.
pub(crate) struct Platform {
    store: Arc<Store>,
    tokens: auth::Tokens,
    clock: generation::Clock,
    completion: Behaviour,
    acknowledged: truth::Acknowledged,
    /// What a database that was there already held.
    before: PlatformCounts,
}

/// Its tables.
pub(crate) fn schema() -> String {
    [auth::SCHEMA, generation::SCHEMA, payments::SCHEMA].concat()
}

impl Platform {
    pub(crate) fn new(config: &Config, store: Arc<Store>) -> anyhow::Result<Platform> {
        let [.., completion] = &ENDPOINTS;
        let before = store.wait(truth::stored)?;
        Ok(Platform {
            store,
            tokens: auth::Tokens::new(config.seed),
            clock: generation::Clock::start(),
            completion: Behaviour::new(completion, config),
            acknowledged: truth::Acknowledged::default(),
            before,
        })
    }
}

/// Its routes, with its state behind them.
pub(crate) fn router(platform: Arc<Platform>) -> Router {
    Router::new()
        .route("/api/v1/auth/register", post(auth::register))
        .route("/api/v1/auth/login", post(auth::login))
        .route("/api/v1/auth/health", get(auth::health))
        .route("/api/v1/generation/create", post(generation::create))
        .route("/api/v1/generation/list", get(generation::list))
        .route("/api/v1/generation/{id}", get(generation::status))
        .route("/api/v1/payments/create", post(payments::create))
        .route("/api/v1/payments/list", get(payments::list))
        .route("/api/v1/seed", post(seed::create))
        .route("/api/v1/seed/{tenant}", delete(seed::delete))
        .with_state(platform)
}

/// How many rows a table has, for `total`. Rows are never deleted and numbered from 1 without gaps, so the
/// last one's number is the count, at the price of one look into the index.
fn total(connection: &rusqlite::Connection, table: &'static str) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached(&format!("SELECT ifnull(max(id), 0) FROM {table}"))?;
    statement.query_row([], |row| row.get(0))
}

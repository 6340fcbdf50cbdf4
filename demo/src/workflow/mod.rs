//! The task workflow: tasks that people list, look at, create and move on, with a cache before the database and two
//! questions for administrators. Everything is JSON.
//!
//! | request | answers |
//! |---|---|
//! | `GET /api/v1/tasks?limit=N` | 200 `{items, total}`, the latest first |
//! | `GET /api/v1/tasks/by-status/{status}?limit=N` | the same, of one status; 404 if there is no such status |
//! | `GET /api/v1/tasks/{id}` | 200 `{id, title, priority, status, created_at}`; 404 |
//! | `POST /api/v1/tasks` `{title, priority}` | 201 the task, `pending`; 422 unless the title has 1 to 200 characters |
//! | `PATCH /api/v1/tasks/{id}/status` `{status}` | 200 the task; 404, 422 |
//! | `GET /api/v1/tasks/statistics` | 200 `{total, by_status}` |
//! | `GET /api/v1/tasks/health` | 200 `{status}`; 500 if the database does not answer |
//! | `POST /api/v1/tasks/seed` `{tasks}` | 201 `{batch, first, last, tasks}`; 422 unless `tasks` is 1 to 10000 |
//! | `DELETE /api/v1/tasks/seed/{batch}` | 200 `{tasks}`, how many it removed; 404 |
//! | `GET /api/admin/pool-status` | 200 `{size, in_use, idle, overflow}` |
//! | `GET /api/admin/cache-statistics` | 200 `{entries, hits, misses, hit_rate}` |
//!
//! A status is `pending`, `running`, `completed` or `failed`, a priority `low`, `normal` (the default) or `high`.
//!
//! **Cache.** A task is written through: it is in the cache as soon as it is made or changed, until 4096 younger ones are. Lists
//! and statistics are kept for 5 s, so they may be that old. `hit_rate` is the percentage of all look-ups since the
//! server started that found something; 100 before the first one. Seeding leaves the cache warm: with the seeded tasks, the
//! lists of 20 and the statistics in it.
//!
//! **Probes.** A request of Muster's own probes (`observe`), known by its user agent, is answered at once and leaves no trace
//! in the truth, so that what users did can be counted there.

mod admin;
mod cache;
mod chores;
mod task;
mod truth;

pub use truth::{TaskCounts, TasksTruth};

use crate::body::Refusal;
use crate::endpoint::{Endpoint, request};
use crate::store::{Store, StoreError};
use crate::truth::Ledger;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post};
use axum::{Json, Router};
use cache::{Cache, Key};
use rusqlite::Connection;
use serde_json::Value;
use std::sync::Arc;
use truth::Acknowledged;

/// Its endpoints and their default laws.
pub(crate) static ENDPOINTS: [Endpoint; 11] = [
    request("tasks/list", Method::GET, "/api/v1/tasks", 8),
    request("tasks/by-status", Method::GET, "/api/v1/tasks/by-status/{status}", 6),
    request("tasks/{id}", Method::GET, "/api/v1/tasks/{id}", 3),
    request("tasks/create", Method::POST, "/api/v1/tasks", 10),
    request("tasks/{id}/status", Method::PATCH, "/api/v1/tasks/{id}/status", 8),
    request("tasks/statistics", Method::GET, "/api/v1/tasks/statistics", 15),
    request("tasks/health", Method::GET, "/api/v1/tasks/health", 1),
    request("tasks/seed", Method::POST, "/api/v1/tasks/seed", 60),
    request("tasks/seed/{batch}", Method::DELETE, "/api/v1/tasks/seed/{batch}", 30),
    request("admin/pool-status", Method::GET, "/api/admin/pool-status", 2),
    request("admin/cache-statistics", Method::GET, "/api/admin/cache-statistics", 2),
];

pub(crate) use task::SCHEMA;

/// Where administrators ask.
const ADMIN: &str = "/api/admin/";
/// What the user agent of a probe begins with.
const PROBE: &str = "muster-observe/";

/// Whether a request is a probe's: nobody's, as far as the truth goes.
pub(crate) fn is_probe(path: &str, headers: &HeaderMap) -> bool {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    path.starts_with(ADMIN) && agent.is_some_and(|agent| agent.starts_with(PROBE))
}

/// What the handlers share.
pub(crate) struct Workflow {
    store: Arc<Store>,
    ledger: Arc<Ledger>,
    cache: Arc<Cache>,
    acknowledged: Acknowledged,
    /// What the database held when the server started.
    before: TaskCounts,
}

impl Workflow {
    pub(crate) fn new(store: Arc<Store>, ledger: Arc<Ledger>) -> Result<Workflow, StoreError> {
        let before = store.wait(truth::stored)?;
        Ok(Workflow {
            store,
            ledger,
            cache: Arc::new(Cache::default()),
            acknowledged: Acknowledged::default(),
            before,
        })
    }

    /// Its routes.
    pub(crate) fn router(self: &Arc<Workflow>) -> Router {
        Router::new()
            .route("/api/v1/tasks", get(task::list).post(task::create))
            .route("/api/v1/tasks/by-status/{status}", get(task::by_status))
            .route("/api/v1/tasks/{id}", get(task::find))
            .route("/api/v1/tasks/{id}/status", patch(task::change))
            .route("/api/v1/tasks/statistics", get(task::statistics))
            .route("/api/v1/tasks/health", get(admin::health))
            .route("/api/v1/tasks/seed", post(chores::seed))
            .route("/api/v1/tasks/seed/{batch}", delete(chores::remove))
            .route("/api/admin/pool-status", get(admin::pool))
            .route("/api/admin/cache-statistics", get(admin::cache))
            .with_state(Arc::clone(self))
    }

    /// The answer that the cache has for `key`, or else what `read` finds, which the cache has from then on.
    ///
    /// The database's thread fills the cache, as it does for changes, so that no old value comes after a new one.
    async fn look_up<R>(&self, key: Key, read: R) -> Result<Response, Refusal>
    where
        R: FnOnce(&Connection) -> rusqlite::Result<Option<Value>> + Send + 'static,
    {
        if let Some(value) = self.cache.find(key) {
            return Ok(Json(&*value).into_response());
        }
        let cache = Arc::clone(&self.cache);
        let found = self.store.run(move |connection| {
            let found = read(connection)?.map(Arc::new);
            if let Some(value) = &found {
                cache.keep(key, Arc::clone(value));
            }
            Ok(found)
        });
        found.await?.map(|value| Json(&*value).into_response()).ok_or_else(unknown)
    }
}

fn unknown() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "there is no task of this id")
}

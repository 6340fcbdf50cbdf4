//! What administrators ask.

use super::Workflow;
use super::cache::Statistics;
use crate::body::Refusal;
use crate::figures::PoolStatus;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use std::sync::Arc;

/// Asks the database, so that nothing is called healthy that could not answer.
pub(super) async fn health(State(workflow): State<Arc<Workflow>>) -> Result<Json<Value>, Refusal> {
    workflow.store.run(|connection| connection.query_row("SELECT 1", [], |_| Ok(()))).await?;
    Ok(Json(json!({ "status": "ok" })))
}

pub(super) async fn pool(State(workflow): State<Arc<Workflow>>) -> Json<PoolStatus> {
    Json(PoolStatus::of(&workflow.ledger.truth()))
}

pub(super) async fn cache(State(workflow): State<Arc<Workflow>>) -> Json<Statistics> {
    Json(workflow.cache.statistics())
}

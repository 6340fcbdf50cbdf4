//! Payments.

use super::truth::Acknowledged;
use super::{Platform, total};
use crate::body::{Input, Limit, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rusqlite::{Connection, Row};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS payments (id INTEGER PRIMARY KEY, amount REAL NOT NULL, currency TEXT NOT NULL);
";

#[derive(Deserialize)]
pub(super) struct Order {
    amount: f64,
    currency: String,
}

#[derive(Serialize)]
struct Payment {
    id: i64,
    amount: f64,
    currency: String,
    status: &'static str,
}

/// The one status that there is: nobody is paid.
const ACCEPTED: &str = "accepted";

pub(super) async fn create(
    State(platform): State<Arc<Platform>>,
    Input(order): Input<Order>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    if order.amount <= 0.0 {
        let error = format!("amount is {}; send one above 0", order.amount);
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error));
    }
    let id = platform.store.run(move |connection| insert(connection, &order)).await?;
    Acknowledged::one(&platform.acknowledged.payments);
    Ok((StatusCode::CREATED, Json(json!({ "id": id, "status": ACCEPTED }))))
}

pub(super) async fn list(
    State(platform): State<Arc<Platform>>,
    Limit(limit): Limit,
) -> Result<Json<Value>, Refusal> {
    let (items, total) = platform.store.run(move |connection| latest(connection, limit)).await?;
    Ok(Json(json!({ "items": items, "total": total })))
}

fn insert(connection: &Connection, order: &Order) -> rusqlite::Result<i64> {
    let mut statement =
        connection.prepare_cached("INSERT INTO payments (amount, currency) VALUES (?1, ?2)")?;
    statement.insert((order.amount, &order.currency))
}

fn latest(connection: &Connection, limit: u32) -> rusqlite::Result<(Vec<Payment>, i64)> {
    let mut statement =
        connection.prepare_cached("SELECT id, amount, currency FROM payments ORDER BY id DESC LIMIT ?1")?;
    let rows = statement.query_map([limit], Payment::from_row)?;
    Ok((rows.collect::<Result<_, _>>()?, total(connection, "payments")?))
}

impl Payment {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Payment> {
        let (id, amount, currency) = row.try_into()?;
        Ok(Payment { id, amount, currency, status: ACCEPTED })
    }
}

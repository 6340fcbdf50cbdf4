//! Bodies and queries: what comes in, and the refusals that go out.

use crate::store::StoreError;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

/// An answer other than the hoped-for one: a status and what to do about it, as `{"error": ...}`.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    error: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, error: impl Into<String>) -> Refusal {
        Refusal { status, error: error.into() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, axum::Json(json!({ "error": self.error }))).into_response()
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

/// A JSON body. Whatever is wrong with it is answered 422; the content type is not looked at.
pub(crate) struct Input<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Input<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Input<T>, Refusal> {
        let unreadable = |error: String| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error);
        let bytes = Bytes::from_request(request, state).await.map_err(|e| unreadable(e.body_text()))?;
        serde_json::from_slice(&bytes)
            .map(Input)
            .map_err(|e| unreadable(format!("the body is not as it should be: {e}")))
    }
}

/// How many of the latest items a list shall hold: `?limit=N`, 20 without one, never more than 100.
pub(crate) struct Limit(pub(crate) u32);

pub(crate) const DEFAULT_LIMIT: u32 = 20;
const HIGHEST_LIMIT: u32 = 100;

#[derive(Deserialize)]
struct LimitQuery {
    limit: Option<u32>,
}

impl<S: Send + Sync> FromRequestParts<S> for Limit {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Limit, Refusal> {
        match Query::<LimitQuery>::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Limit(query.limit.unwrap_or(DEFAULT_LIMIT).min(HIGHEST_LIMIT))),
            Err(rejection) => Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, rejection.body_text())),
        }
    }
}

//! What the target tells of itself: a pool of connections, and counters as Prometheus scrapes them. Scraping leaves no
//! trace in the truth.

use crate::truth::{Ledger, Truth};
use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use serde::Serialize;
use std::fmt::Write as _;
use std::sync::Arc;

/// Connections of the pool. Each request in flight has one, and what there are no more of is overflow.
const POOL: u64 = 20;

/// The pool of connections.
#[derive(Serialize)]
pub(crate) struct PoolStatus {
    size: u64,
    in_use: u64,
    idle: u64,
    overflow: u64,
}

impl PoolStatus {
    /// The pool as it is now.
    pub(crate) fn of(truth: &Truth) -> PoolStatus {
        let busy: u64 = truth.endpoints.iter().map(|endpoint| endpoint.in_flight).sum();
        let in_use = busy.min(POOL);
        PoolStatus { size: POOL, in_use, idle: POOL - in_use, overflow: busy - in_use }
    }
}

pub(crate) fn router(ledger: &Arc<Ledger>) -> Router {
    let metrics = async |State(ledger): State<Arc<Ledger>>| {
        ([(CONTENT_TYPE, "text/plain; version=0.0.4")], exposition(&ledger.truth())).into_response()
    };
    Router::new().route("/metrics", get(metrics)).with_state(Arc::clone(ledger))
}

fn exposition(truth: &Truth) -> String {
    let pool = PoolStatus::of(truth);
    let mut text = String::new();
    for (name, about, value) in [
        ("demo_pool_size", "Connections of the pool.", pool.size),
        ("demo_pool_in_use", "Connections of the pool that a request has.", pool.in_use),
        ("demo_pool_overflow", "Requests beyond the pool.", pool.overflow),
    ] {
        let _ = writeln!(text, "# HELP {name} {about}\n# TYPE {name} gauge\n{name} {value}");
    }
    text.push_str(
        "# HELP http_requests_total Requests that were answered.\n# TYPE http_requests_total counter\n",
    );
    for endpoint in &truth.endpoints {
        for (code, count) in &endpoint.responses {
            let (method, path) = (&endpoint.method, &endpoint.path);
            let _ = writeln!(
                text,
                "http_requests_total{{method=\"{method}\",path=\"{path}\",code=\"{code}\"}} {count}"
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::Connection;
    use axum::http::HeaderMap;

    #[test]
    fn requests_in_flight_are_in_the_pool_and_beyond_it() {
        let routes = [("GET".to_owned(), "/a/{id}".to_owned())];
        let ledger = Ledger::new(routes.into_iter());
        let begin = || ledger.begin(Some(0), &Connection::default(), &HeaderMap::new());
        let mut open: Vec<_> = (0..22).map(|_| begin()).collect();
        begin().decide(503);
        let pool = PoolStatus::of(&ledger.truth());
        assert_eq!((pool.size, pool.in_use, pool.idle, pool.overflow), (20, 20, 0, 2));
        let text = exposition(&ledger.truth());
        assert!(text.contains("\ndemo_pool_overflow 2\n"), "{text}");
        assert!(
            text.ends_with("http_requests_total{method=\"GET\",path=\"/a/{id}\",code=\"503\"} 1\n"),
            "{text}"
        );
        open.truncate(1);
        let pool = PoolStatus::of(&ledger.truth());
        assert_eq!((pool.in_use, pool.idle, pool.overflow), (1, 19, 0));
    }
}

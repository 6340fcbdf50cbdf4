//! `/metrics` over HTTP, for few and short connections.

use super::board::Board;
use super::families::families;
use super::prometheus::Exposition;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Where metrics are.
pub(super) const PATH: &str = "/metrics";

/// Most connections at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 16;

/// How long a request's head may take.
const HEAD: Duration = Duration::from_secs(5);

/// How long a connection may take.
const CONNECTION: Duration = Duration::from_secs(30);

/// Answers whoever connects, one request each.
pub(super) async fn serve(listener: TcpListener, board: Arc<Board>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // No descriptors, say: it may be better soon.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let board = board.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let board = board.clone();
                async move { Ok::<_, Infallible>(answer(&board, &request).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            let _ = timeout(CONNECTION, connection).await;
            drop(place);
        });
    }
}

async fn answer(board: &Arc<Board>, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "this can be read only, with GET\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    if request.uri().path() != PATH {
        return text(StatusCode::NOT_FOUND, "metrics are at /metrics\n");
    }
    let accept = request.headers().get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let exposition = Exposition::wanted(&accept.collect::<Vec<_>>().join(","));
    let Some(moment) = board.ask().await else {
        return text(StatusCode::SERVICE_UNAVAILABLE, "the run has not begun yet\n");
    };
    // A large plan has a text of megabytes; the fleet shares this thread.
    let board = board.clone();
    let encoded =
        tokio::task::spawn_blocking(move || exposition.encode(families(board.about(), &moment))).await;
    match encoded {
        Ok(Ok(body)) => {
            let mut answer = Response::new(Full::new(body.into()));
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(exposition.content_type()));
            answer
        }
        _ => text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n"),
    }
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}

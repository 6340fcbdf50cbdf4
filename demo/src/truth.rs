//! What the server saw, counted exactly.

use crate::users::{Entry, Users, UsersTruth, micros_since};
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

/// What the server saw since it started, or since the last reset.
///
/// A request counts from the moment its head has been received; its response from the moment its status is
/// decided, which is before the client can have seen it. Requests to `/` and `/truth` do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    /// Every endpoint in a fixed order, whether it was asked or not; last the one of path `(unknown)`.
    pub endpoints: Vec<EndpointTruth>,
    /// Requests of all endpoints together.
    pub total: u64,
    /// Connections on which at least one of these requests came.
    pub connections: u64,
    /// What went over WebSockets.
    #[serde(default)]
    pub websocket: WebSocketTruth,
}

/// What went over WebSockets; the handshakes are requests of `/ws/{id}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebSocketTruth {
    /// Sessions that were opened.
    pub sessions: u64,
    /// Those of them that are open.
    pub open: u64,
    /// Messages received, without pings and closes.
    pub received: u64,
    /// Messages sent, without pongs and closes.
    pub sent: u64,
}

/// What one endpoint saw. Always `requests == sum of responses + aborted + in_flight`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointTruth {
    /// HTTP method; `*` for the requests that fit no endpoint.
    pub method: String,
    /// Route template such as `/api/v1/generation/{id}`, or `(unknown)`.
    pub path: String,
    /// Requests received.
    pub requests: u64,
    /// Responses by status code.
    pub responses: BTreeMap<u16, u64>,
    /// Requests given up before their status was decided, because the client closed the connection or the
    /// server was stopped.
    pub aborted: u64,
    /// Requests whose status is not decided yet.
    pub in_flight: u64,
}

impl Truth {
    /// The endpoint of that method and route template.
    pub fn endpoint(&self, method: &str, path: &str) -> Option<&EndpointTruth> {
        self.endpoints.iter().find(|e| e.method == method && e.path == path)
    }
}

/// HTTP status codes run from 100 to 999.
const STATUSES: usize = 900;

/// Counts requests. A reset begins a new page: requests that began on the old one are finished there, and
/// so never appear as responses without a request.
pub(crate) struct Ledger {
    routes: Vec<(String, String)>,
    page: RwLock<Arc<Page>>,
    started: Instant,
}

struct Page {
    number: u64,
    endpoints: Vec<Counts>,
    connections: AtomicU64,
    websocket: WebSocketCounts,
    users: Users,
}

#[derive(Default)]
struct WebSocketCounts {
    opened: AtomicU64,
    closed: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
}

/// A WebSocket session that has been counted.
pub(crate) struct Session {
    page: Arc<Page>,
    number: u64,
}

impl Session {
    /// Unlike that of any other session of its page.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Counts a message that was received.
    pub(crate) fn received(&self) {
        self.page.websocket.received.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a message that was sent.
    pub(crate) fn sent(&self) {
        self.page.websocket.sent.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.page.websocket.closed.fetch_add(1, Ordering::Release);
    }
}

struct Counts {
    requests: AtomicU64,
    aborted: AtomicU64,
    responses: Box<[AtomicU64]>,
}

/// One connection; knows on which page it has been counted last, and which one it was there.
#[derive(Clone, Default)]
pub(crate) struct Connection(Arc<Counted>);

#[derive(Default)]
struct Counted {
    page: AtomicU64,
    number: AtomicU64,
}

/// A request that has been counted and whose response has not.
pub(crate) struct Ticket {
    page: Arc<Page>,
    endpoint: usize,
    decided: bool,
    /// Where it is written down, if its user named itself.
    entry: Option<Entry>,
    started: Instant,
}

impl Ledger {
    /// For the endpoints of these methods and route templates, and one more for everything else.
    pub(crate) fn new(routes: impl Iterator<Item = (String, String)>) -> Ledger {
        let unknown = ("*".to_owned(), "(unknown)".to_owned());
        let routes: Vec<_> = routes.chain([unknown]).collect();
        let page = RwLock::new(Arc::new(Page::new(1, routes.len())));
        Ledger { routes, page, started: Instant::now() }
    }

    /// Counts a request; `endpoint` is its place among the routes, `None` for an unknown one.
    pub(crate) fn begin(
        &self,
        endpoint: Option<usize>,
        connection: &Connection,
        headers: &HeaderMap,
    ) -> Ticket {
        let (page, Connection(counted)) = (self.page(), connection);
        if counted.page.swap(page.number, Ordering::Relaxed) != page.number {
            counted.number.store(page.connections.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        }
        let endpoint = endpoint.unwrap_or(self.routes.len() - 1);
        page.endpoints[endpoint].requests.fetch_add(1, Ordering::Relaxed);
        let (started, number) = (self.started, counted.number.load(Ordering::Relaxed));
        let entry = page.users.begin(headers, number, micros_since(started));
        Ticket { page, endpoint, decided: false, entry, started }
    }

    /// The requests of users that name themselves.
    pub(crate) fn users(&self) -> UsersTruth {
        self.page().users.truth(micros_since(self.started))
    }

    /// Counts a WebSocket session.
    pub(crate) fn session(&self) -> Session {
        let page = self.page();
        let number = page.websocket.opened.fetch_add(1, Ordering::Relaxed) + 1;
        Session { page, number }
    }

    /// Starts again from zero.
    pub(crate) fn reset(&self) {
        let mut page = self.page.write().unwrap_or_else(PoisonError::into_inner);
        *page = Arc::new(Page::new(page.number + 1, self.routes.len()));
    }

    /// The counts as they are.
    pub(crate) fn truth(&self) -> Truth {
        let page = self.page();
        let endpoints: Vec<_> =
            self.routes.iter().zip(&page.endpoints).map(|(route, counts)| counts.truth(route)).collect();
        let total = endpoints.iter().map(|e| e.requests).sum();
        let connections = page.connections.load(Ordering::Relaxed);
        Truth { endpoints, total, connections, websocket: page.websocket.truth() }
    }

    fn page(&self) -> Arc<Page> {
        Arc::clone(&self.page.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Page {
    fn new(number: u64, endpoints: usize) -> Page {
        let zeros = || (0..STATUSES).map(|_| AtomicU64::new(0)).collect();
        let counts =
            || Counts { requests: AtomicU64::new(0), aborted: AtomicU64::new(0), responses: zeros() };
        Page {
            number,
            endpoints: (0..endpoints).map(|_| counts()).collect(),
            connections: AtomicU64::new(0),
            websocket: WebSocketCounts::default(),
            users: Users::default(),
        }
    }
}

impl WebSocketCounts {
    fn truth(&self) -> WebSocketTruth {
        // In this order no session is closed before it was opened.
        let closed = self.closed.load(Ordering::Acquire);
        let sessions = self.opened.load(Ordering::Acquire);
        let load = |count: &AtomicU64| count.load(Ordering::Acquire);
        WebSocketTruth {
            sessions,
            open: sessions - closed,
            received: load(&self.received),
            sent: load(&self.sent),
        }
    }
}

impl Counts {
    fn truth(&self, (method, path): &(String, String)) -> EndpointTruth {
        // What has been decided is read before what has begun: so every response that is seen here has its
        // request seen too, and the difference is what is in flight.
        let responses: BTreeMap<u16, u64> = (100..)
            .zip(&self.responses)
            .map(|(status, count)| (status, count.load(Ordering::Acquire)))
            .filter(|&(_, count)| count > 0)
            .collect();
        let aborted = self.aborted.load(Ordering::Acquire);
        let requests = self.requests.load(Ordering::Acquire);
        let in_flight = requests - aborted - responses.values().sum::<u64>();
        EndpointTruth { method: method.clone(), path: path.clone(), requests, responses, aborted, in_flight }
    }
}

impl Ticket {
    /// Counts the response.
    pub(crate) fn decide(mut self, status: u16) {
        self.decided = true;
        self.written(Some(status));
        let counts = &self.page.endpoints[self.endpoint];
        counts.responses[usize::from(status) - 100].fetch_add(1, Ordering::Release);
    }

    fn written(&self, status: Option<u16>) {
        if let Some(entry) = &self.entry {
            self.page.users.end(entry, status, micros_since(self.started));
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.decided {
            self.written(None);
            self.page.endpoints[self.endpoint].aborted.fetch_add(1, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        Ledger::new([("GET".to_owned(), "/a".to_owned()), ("POST".to_owned(), "/b".to_owned())].into_iter())
    }

    fn check(ledger: &Ledger, path: &str, expected: (u64, &[(u16, u64)], u64, u64)) {
        let truth = ledger.truth();
        let seen = truth.endpoints.iter().find(|e| e.path == path).unwrap();
        let (requests, responses, aborted, in_flight) = expected;
        assert_eq!((seen.requests, seen.aborted, seen.in_flight), (requests, aborted, in_flight), "{path}");
        assert_eq!(seen.responses, responses.iter().copied().collect(), "{path}");
    }

    #[test]
    fn a_request_is_in_flight_until_it_is_decided_or_given_up() {
        let (ledger, connection) = (ledger(), Connection::default());
        let [first, second, third] =
            [0, 0, 0].map(|endpoint| ledger.begin(Some(endpoint), &connection, &HeaderMap::new()));
        check(&ledger, "/a", (3, &[], 0, 3));
        first.decide(200);
        second.decide(999);
        check(&ledger, "/a", (3, &[(200, 1), (999, 1)], 0, 1));
        drop(third);
        check(&ledger, "/a", (3, &[(200, 1), (999, 1)], 1, 0));
        ledger.begin(None, &connection, &HeaderMap::new()).decide(404);
        check(&ledger, "(unknown)", (1, &[(404, 1)], 0, 0));
        check(&ledger, "/b", (0, &[], 0, 0));
        assert_eq!(ledger.truth().total, 4);
    }

    #[test]
    fn a_reset_takes_what_is_in_flight_with_it() {
        let (ledger, connection) = (ledger(), Connection::default());
        let before = ledger.begin(Some(1), &connection, &HeaderMap::new());
        ledger.reset();
        check(&ledger, "/b", (0, &[], 0, 0));
        before.decide(201);
        check(&ledger, "/b", (0, &[], 0, 0));
        assert_eq!(ledger.truth().connections, 0);
        ledger.begin(Some(1), &connection, &HeaderMap::new()).decide(201);
        check(&ledger, "/b", (1, &[(201, 1)], 0, 0));
        assert_eq!(ledger.truth().connections, 1);
    }

    #[test]
    fn a_connection_counts_once() {
        let ledger = ledger();
        let connections = [Connection::default(), Connection::default()];
        for connection in connections.iter().cycle().take(6) {
            ledger.begin(Some(0), connection, &HeaderMap::new()).decide(200);
        }
        let _unused = Connection::default();
        assert_eq!(ledger.truth().connections, 2);
    }
}

//! The requests of users that name themselves, one by one: who made which request, when, and over which connection.
//!
//! A request whose headers [`SLOT`] and [`REQUEST`] are numbers is written down; [`AGENT`] says which machine it came from. So a
//! checker can tell whether a user was in two places at once, and whether a request was made twice or never.

use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The header that says which user makes a request.
pub const SLOT: &str = "x-slot";

/// The header that says which of that user's requests it is.
pub const REQUEST: &str = "x-request";

/// The header that says which agent the user runs on.
pub const AGENT: &str = "x-agent";

/// The most requests that are written down; about 100 bytes each.
const MOST: usize = 500_000;

/// The longest name of an agent that is kept, in bytes.
const LONGEST_AGENT: usize = 64;

/// What users that name themselves have asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsersTruth {
    /// The server's clock now, in microseconds since it started.
    pub now_us: u64,
    /// Requests that are not in the list, because it was full.
    pub forgotten: u64,
    /// In the order in which their heads arrived.
    pub requests: Vec<UserRequest>,
}

/// One request of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRequest {
    /// The user.
    pub slot: u64,
    /// Which of its requests.
    pub request: u64,
    /// The agent it ran on; empty if it did not say.
    pub agent: String,
    /// The connection, counted from 0.
    pub connection: u64,
    /// When its head had arrived, on the server's clock.
    pub at_us: u64,
    /// When its status was decided, or when it was given up; `None` while it is open.
    pub ended_us: Option<u64>,
    /// Its status; `None` while it is open, and when it was given up.
    pub status: Option<u16>,
}

/// The list, as it is written.
#[derive(Debug, Default)]
pub(crate) struct Users(Mutex<UsersTruth>);

/// A request that has been written down: its place in the list.
#[derive(Debug)]
pub(crate) struct Entry(usize);

impl Users {
    /// Writes down a request that arrived `now` on `connection`, if its headers name a user.
    pub(crate) fn begin(&self, headers: &HeaderMap, connection: u64, now: u64) -> Option<Entry> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let slot = text(SLOT)?.parse().ok()?;
        let request = text(REQUEST)?.parse().ok()?;
        let agent = text(AGENT).filter(|name| name.len() <= LONGEST_AGENT).unwrap_or_default().to_owned();
        let mut users = self.lock();
        if users.requests.len() == MOST {
            users.forgotten += 1;
            return None;
        }
        let (ended_us, status) = (None, None);
        users.requests.push(UserRequest { slot, request, agent, connection, at_us: now, ended_us, status });
        Some(Entry(users.requests.len() - 1))
    }

    /// It was answered with `status`, or given up.
    pub(crate) fn end(&self, entry: &Entry, status: Option<u16>, now: u64) {
        let request = &mut self.lock().requests[entry.0];
        (request.ended_us, request.status) = (Some(now), status);
    }

    /// The list as it is `now`.
    pub(crate) fn truth(&self, now: u64) -> UsersTruth {
        UsersTruth { now_us: now, ..self.lock().clone() }
    }

    fn lock(&self) -> MutexGuard<'_, UsersTruth> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Microseconds since `origin`.
pub(crate) fn micros_since(origin: Instant) -> u64 {
    u64::try_from(origin.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_of_users_that_name_themselves_are_written_down() {
        let check = |headers: &[(&'static str, &str)], expected: Option<(u64, u64, &str)>| {
            let users = Users::default();
            let mut map = HeaderMap::new();
            for &(name, value) in headers {
                map.insert(name, value.parse().expect("a header"));
            }
            let entry = users.begin(&map, 7, 10);
            assert_eq!(entry.is_some(), expected.is_some(), "{headers:?}");
            let seen = users.truth(20);
            assert_eq!(seen.now_us, 20);
            let seen = seen.requests.first().map(|seen| (seen.slot, seen.request, seen.agent.as_str()));
            assert_eq!(seen, expected, "{headers:?}");
        };
        check(&[(SLOT, "3"), (REQUEST, "9"), (AGENT, "b")], Some((3, 9, "b")));
        check(&[(SLOT, "3"), (REQUEST, "9")], Some((3, 9, "")));
        check(&[(SLOT, "3"), (REQUEST, "9"), (AGENT, &"x".repeat(65))], Some((3, 9, "")));
        check(&[(SLOT, "3")], None);
        check(&[(REQUEST, "9")], None);
        check(&[(SLOT, "-3"), (REQUEST, "9")], None);
        check(&[(SLOT, "3"), (REQUEST, "nine")], None);
    }

    #[test]
    fn a_request_ends_once_and_is_open_until_then() {
        let users = Users::default();
        let mut map = HeaderMap::new();
        map.insert(SLOT, 1.into());
        map.insert(REQUEST, 0.into());
        let [answered, given_up, _open] = [10, 11, 12].map(|at| users.begin(&map, 0, at).expect("named"));
        users.end(&answered, Some(200), 15);
        users.end(&given_up, None, 16);
        let ends: Vec<_> =
            users.truth(20).requests.iter().map(|seen| (seen.at_us, seen.ended_us, seen.status)).collect();
        assert_eq!(ends, [(10, Some(15), Some(200)), (11, Some(16), None), (12, None, None)]);
    }
}

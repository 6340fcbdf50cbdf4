//! What the server can be asked, and how long it takes by default.

use crate::bus;
use crate::ingest;
use crate::law::Law;
use crate::platform;
use crate::tasks;
use crate::workflow;
use axum::http::Method;
use std::time::Duration;

/// Something that takes time: the answer to a request, or work that goes on after it.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// What settings call it: its path below `/api/v1/`, or a name of its own.
    pub(crate) name: &'static str,
    /// Method and route template; `None` for work that no request waits for.
    pub(crate) route: Option<(Method, &'static str)>,
    /// How long it takes unless the configuration says otherwise.
    pub(crate) latency: Law,
}

/// A request whose latency has the usual spread around a median in milliseconds.
pub(crate) const fn request(name: &'static str, method: Method, path: &'static str, millis: u64) -> Endpoint {
    Endpoint { name, route: Some((method, path)), latency: usual(millis) }
}

/// The usual spread around a median in milliseconds: p95 is 1.78 times it.
pub(crate) const fn usual(millis: u64) -> Law {
    Law::LogNormal { median: Duration::from_millis(millis), sigma: 0.35 }
}

/// Every endpoint of every example system. Truth lists them in this order.
pub(crate) fn all() -> impl Iterator<Item = &'static Endpoint> {
    let first = platform::ENDPOINTS.iter().chain(&tasks::ENDPOINTS).chain(&workflow::ENDPOINTS);
    first.chain(&ingest::ENDPOINTS).chain(&bus::ENDPOINTS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_and_routes_are_unique() {
        let names: BTreeSet<_> = all().map(|e| e.name).collect();
        let routes: BTreeSet<_> =
            all().filter_map(|e| e.route.as_ref()).map(|(method, path)| (method.as_str(), path)).collect();
        assert_eq!(names.len(), all().count());
        assert_eq!(routes.len(), all().filter(|e| e.route.is_some()).count());
    }
}

//! Whether the policy allows a plan, as far as that can be known before it runs. What is not known then (a redirect, a
//! URL from a variable, a name whose address changes) is seen to where users connect, in `dial.rs`.

use super::dial::Dialer;
use super::job::{ClassConnections, Job};
use super::origin::Origin;
use metrics::unit::format_duration;
use plan::Plan;
use plan::model::{Request, Step};
use plan::slot::Slot;
use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use url::Url;

/// How long all names of a plan may take to be resolved. The answer need not be known: users ask again.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);

/// Whether the policy allows what `job` is to do.
///
/// # Errors
/// The first thing that it does not allow, with the rule and the remedy.
pub(super) fn inspect(job: &Job) -> Result<(), String> {
    check_run_time(&job.plan, job.policy.max_run_time)?;
    let deadline = Instant::now() + LOOKUP_TIMEOUT;
    let mut known: BTreeMap<(String, u16), Vec<SocketAddr>> = BTreeMap::new();
    let mut lookup = |host: &str, port: u16| {
        let name = (host.to_owned(), port);
        known.entry(name).or_insert_with(|| lookup(host, port, deadline)).clone()
    };
    let plan = &job.plan;
    for (class, connections) in plan.classes.iter().zip(&job.connections) {
        let steps = class.tasks.iter().flat_map(|task| &task.steps).chain(&class.on_start);
        check_places(job, connections, steps, &mut lookup)?;
    }
    for chore in plan.setup.iter().chain(&plan.teardown) {
        check_places(job, &job.connections_as(&chore.connection), &chore.steps, &mut lookup)?;
    }
    Ok(())
}

fn check_run_time(plan: &Plan, most: Option<Duration>) -> Result<(), String> {
    let (end, timeout) = (plan.schedule.end(), plan.stop_timeout);
    let Some(most) = most.filter(|most| *most < end.saturating_add(timeout)) else { return Ok(()) };
    let (whole, most) = (format_duration(end.saturating_add(timeout)), format_duration(most));
    let (end, timeout) = (format_duration(end), format_duration(timeout));
    Err(format!(
        "the run may take {whole} (its load {end}, and `stop_timeout` {timeout}), and --max-run-time is {most}; make \
         the run shorter, or start the agent with --max-run-time {whole}"
    ))
}

/// Looks at the target and at every absolute URL whose host is written out.
fn check_places<'a>(
    job: &Job,
    connections: &ClassConnections,
    steps: impl IntoIterator<Item = &'a Step>,
    lookup: &mut impl FnMut(&str, u16) -> Vec<SocketAddr>,
) -> Result<(), String> {
    let mut urls = Vec::new();
    steps.into_iter().for_each(|step| collect(step, &mut urls));
    let mut places = vec![(format!("target `{}`", job.plan.target), (*job.target).clone())];
    for url in urls {
        if let Some(origin) = origin_of(&url)
            && places.iter().all(|(_, known)| *known != origin)
        {
            places.push((format!("URL `{url}`"), origin));
        }
    }
    let dialer = Dialer::new(connections, job.target.clone(), Slot(0));
    for (place, origin) in places {
        dialer.foresee(&origin, &mut *lookup).map_err(|why| format!("{place}: {why}"))?;
    }
    Ok(())
}

/// The URLs of the requests of `step`, with each expression in braces.
fn collect(step: &Step, urls: &mut Vec<String>) {
    let mut request = |request: &Request| urls.push(request.url.display_name());
    match step {
        Step::Request(made) => request(made),
        Step::Poll(poll) => request(&poll.request),
        Step::WebSocket(socket) => {
            request(&socket.request);
            socket.steps.iter().for_each(|step| collect(step, urls));
        }
        Step::If(decision) => {
            decision.then.iter().chain(&decision.otherwise).for_each(|step| collect(step, urls));
        }
        Step::Repeat(repeat) => repeat.steps.iter().for_each(|step| collect(step, urls)),
        Step::Transaction(transaction) => transaction.steps.iter().for_each(|step| collect(step, urls)),
        Step::Call(steps) => steps.iter().for_each(|step| collect(step, urls)),
        _ => {}
    }
}

/// Where a URL leads, if it is absolute and an expression does not decide that.
fn origin_of(url: &str) -> Option<Origin> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => "http",
        "https" | "wss" => "https",
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#', '\\']).next().filter(|authority| !authority.contains('{'))?;
    Origin::of(&Url::parse(&format!("{scheme}://{authority}")).ok()?).ok()
}

/// The addresses of a name; none if it has none, or it is not known in time.
fn lookup(host: &str, port: u16, deadline: Instant) -> Vec<SocketAddr> {
    let (sender, receiver) = mpsc::channel();
    let name = host.to_owned();
    // A thread of its own, because there is no giving up a resolution that hangs.
    let asking = std::thread::Builder::new().name("lookup".to_owned()).spawn(move || {
        let found = (name.as_str(), port).to_socket_addrs().map(Iterator::collect);
        let _ = sender.send(found.unwrap_or_default());
    });
    let left = deadline.saturating_duration_since(Instant::now());
    asking.ok().and_then(|_| receiver.recv_timeout(left).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_that_are_written_out_are_known() {
        let check = |url: &str, expected: Option<&str>| {
            assert_eq!(origin_of(url).map(|origin| origin.text).as_deref(), expected, "{url}");
        };
        check("http://a.test:8000/x/{id}?q={q}", Some("http://a.test:8000"));
        check("wss://a.test/chat", Some("https://a.test"));
        check("HTTP://A.test", Some("http://a.test"));
        check("http://{host}/x", None);
        check("http://a.test:{port}/x", None);
        check("/x", None);
        check("{url}", None);
        check("http://0x7f.1/", Some("http://127.0.0.1"));
    }
}

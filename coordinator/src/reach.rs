//! Whether the target answers at all, asked once before users start.

use std::fmt;
use std::time::{Duration, Instant};

/// How long the target may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What the target did when it was asked for its root.
#[derive(Debug)]
pub enum Reach {
    /// It answered; any status will do.
    Answered {
        /// The status.
        status: u16,
        /// How long it took.
        took: Duration,
    },
    /// It did not, and why.
    Unreachable(String),
}

/// Asks `target` for its root.
pub async fn check(target: &url::Url) -> Reach {
    let client = reqwest::Client::builder()
        .timeout(TIMEOUT)
        // Users connect directly, so the check does too.
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")))
        .build();
    let started = Instant::now();
    match async { client?.get(target.clone()).send().await }.await {
        Ok(response) => Reach::Answered { status: response.status().as_u16(), took: started.elapsed() },
        Err(error) => Reach::Unreachable(reason(&error)),
    }
}

/// The innermost cause, which is what a person can act on.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", TIMEOUT.as_secs());
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reach::Answered { status, took } => {
                write!(f, "answers (HTTP {status} in {} ms)", took.as_millis())
            }
            Reach::Unreachable(reason) => write!(
                f,
                "cannot be reached from here: {reason}. Is the service up, and is --target (LOAD_TEST_HOST) right? \
                 Users start all the same, and every request that fails is counted"
            ),
        }
    }
}

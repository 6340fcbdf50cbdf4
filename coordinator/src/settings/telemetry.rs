//! Who hears of a run while it lasts.

use super::{Environment, Text, UsageError};
use crate::cli::RunArgs;
use metrics::unit::parse_duration;
use std::net::SocketAddr;
use std::time::Duration;

/// Longest time for which metrics stay.
const MAX_LINGER: Duration = Duration::from_hours(1);

/// Who hears of a run while it lasts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TelemetryConfig {
    /// Where Prometheus may scrape.
    pub listen: Option<SocketAddr>,
    /// For how long after the end it may.
    pub linger: Duration,
}

impl TelemetryConfig {
    /// Resolves flags over variables over defaults.
    ///
    /// # Errors
    /// For what is no address, and no time.
    pub fn resolve(args: &RunArgs, env: &Environment) -> Result<TelemetryConfig, UsageError> {
        let listen =
            Text::find("--metrics-listen", "LOAD_TEST_METRICS_LISTEN", args.metrics_listen.as_deref(), env);
        let linger =
            Text::find("--metrics-linger", "LOAD_TEST_METRICS_LINGER", args.metrics_linger.as_deref(), env);
        Ok(TelemetryConfig {
            listen: listen.map(metrics_address).transpose()?,
            linger: linger.map_or(Ok(Duration::ZERO), time)?,
        })
    }
}

fn metrics_address(text: Text<'_>) -> Result<SocketAddr, UsageError> {
    text.value.parse().map_err(|_| {
        let remedy = "write an IP address and a port, such as `127.0.0.1:9464`";
        text.error(format!("{} is not an address to listen on", text.quoted()), remedy)
    })
}

fn time(text: Text<'_>) -> Result<Duration, UsageError> {
    let time = parse_duration(text.value).map_err(|error| text.unit_error(error))?;
    if time > MAX_LINGER {
        return Err(text.error(format!("{} is longer than 1h", text.quoted()), "write at most `1h`"));
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;

    #[test]
    fn metrics_are_off_unless_asked_for() {
        let check = |line: &str, env: &[(&str, &str)], expected: Result<(Option<&str>, u64), &str>| {
            let words = std::iter::once("coordinator").chain(line.split_whitespace());
            let env = env.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
            let found = TelemetryConfig::resolve(&Cli::read(words).unwrap().run, &env);
            let expected = expected.map(|(listen, linger)| TelemetryConfig {
                listen: listen.map(|address| address.parse().unwrap()),
                linger: Duration::from_secs(linger),
            });
            assert_eq!(found.map_err(|error| error.to_string()), expected.map_err(str::to_owned), "{line}");
        };
        check("", &[], Ok((None, 0)));
        check("--metrics-listen 127.0.0.1:9464 --metrics-linger 15s", &[], Ok((Some("127.0.0.1:9464"), 15)));
        let env = [("LOAD_TEST_METRICS_LISTEN", "[::1]:0"), ("LOAD_TEST_METRICS_LINGER", "0s")];
        check("", &env, Ok((Some("[::1]:0"), 0)));
        check(
            "--metrics-listen 9464",
            &[],
            Err(
                "--metrics-listen: `9464` is not an address to listen on; write an IP address and a port, such as \
                 `127.0.0.1:9464`",
            ),
        );
        check(
            "--metrics-linger 2h",
            &[],
            Err("--metrics-linger: `2h` is longer than 1h; write at most `1h`"),
        );
    }
}

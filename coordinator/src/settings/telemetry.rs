//! Who hears of a run while it lasts.

use super::{Environment, Text, UsageError};
use crate::cli::RunArgs;
use metrics::unit::parse_duration;
use reqwest::header::{HeaderName, HeaderValue};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;
use url::Url;

/// Longest time for which metrics stay.
const MAX_LINGER: Duration = Duration::from_hours(1);

/// The variable with headers for the collector, which may be secrets.
pub(super) const OTLP_HEADERS: &str = "LOAD_TEST_OTLP_HEADERS";

/// Where metrics go, below the collector's URL.
const OTLP_PATH: &str = "/v1/metrics";

/// In which buckets latencies are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OtlpHistograms {
    /// Few, of fixed bounds.
    #[default]
    Explicit,
    /// Eight for each doubling.
    Exponential,
}

/// An OpenTelemetry collector.
#[derive(Clone, PartialEq)]
pub struct OtlpConfig {
    /// Where it takes metrics.
    pub url: Url,
    /// What it is sent beside them; names are lower case.
    pub headers: Vec<(String, String)>,
    /// In which buckets latencies are.
    pub histograms: OtlpHistograms,
}

impl fmt::Debug for OtlpConfig {
    /// Without the values of headers.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.headers.iter().map(|(name, _)| name).collect();
        let OtlpConfig { url, histograms, .. } = self;
        formatter
            .debug_struct("OtlpConfig")
            .field("url", &url.as_str())
            .field("headers", &names)
            .field("histograms", histograms)
            .finish()
    }
}

/// Who hears of a run while it lasts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TelemetryConfig {
    /// Where Prometheus may scrape.
    pub listen: Option<SocketAddr>,
    /// For how long after the end it may.
    pub linger: Duration,
    /// Who is sent metrics.
    pub otlp: Option<OtlpConfig>,
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
            otlp: otlp(args, env)?,
        })
    }
}

fn otlp(args: &RunArgs, env: &Environment) -> Result<Option<OtlpConfig>, UsageError> {
    let kind = args.otlp_histograms.as_deref();
    let kind = match Text::find("--otlp-histograms", "LOAD_TEST_OTLP_HISTOGRAMS", kind, env) {
        None => OtlpHistograms::default(),
        Some(text) => match text.value {
            "explicit" => OtlpHistograms::Explicit,
            "exponential" => OtlpHistograms::Exponential,
            _ => {
                let problem = format!("{} is no kind of histogram", text.quoted());
                return Err(text.error(problem, "write `explicit` or `exponential`"));
            }
        },
    };
    let endpoint = args.otlp_endpoint.as_deref();
    let Some(text) = Text::find("--otlp-endpoint", "LOAD_TEST_OTLP_ENDPOINT", endpoint, env) else {
        return Ok(None);
    };
    let remedy = "write the URL of a collector, such as `http://127.0.0.1:4318`";
    let mut url = Url::parse(text.value)
        .map_err(|error| text.error(format!("{} is not a URL ({error})", text.quoted()), remedy))?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err(text.error(format!("{} is not an http or https URL", text.quoted()), remedy));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let remedy = format!("write the URL without `user:password@`, and a header in {OTLP_HEADERS}");
        return Err(text.error("the URL holds credentials, which would be shown", remedy));
    }
    if !url.path().ends_with(OTLP_PATH) {
        let path = format!("{}{OTLP_PATH}", url.path().trim_end_matches('/'));
        url.set_path(&path);
    }
    Ok(Some(OtlpConfig { url, headers: headers(env)?, histograms: kind }))
}

/// `name=value,name=value`; what is wrong with it is told without the values.
fn headers(env: &Environment) -> Result<Vec<(String, String)>, UsageError> {
    let Some(text) = Text::find(OTLP_HEADERS, OTLP_HEADERS, None, env) else { return Ok(Vec::new()) };
    let mut headers = Vec::new();
    for (number, pair) in text.value.split(',').enumerate() {
        let wrong = || {
            let problem = format!("header {} of it is no NAME=VALUE that could be sent", number + 1);
            text.error(problem, "write for instance `authorization=Bearer TOKEN,x-scope=load`")
        };
        let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_owned());
        if HeaderName::from_bytes(name.as_bytes()).is_err() || HeaderValue::from_str(&value).is_err() {
            return Err(wrong());
        }
        headers.push((name, value));
    }
    Ok(headers)
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
                otlp: None,
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

    #[test]
    fn collectors_have_a_url_and_headers_that_are_not_shown() {
        let check = |line: &str, headers: &str, expected: Result<(&str, usize, OtlpHistograms), &str>| {
            let words = std::iter::once("coordinator").chain(line.split_whitespace());
            let env = Environment::from([(OTLP_HEADERS.to_owned(), headers.to_owned())]);
            let found = TelemetryConfig::resolve(&Cli::read(words).unwrap().run, &env);
            assert!(!format!("{found:?}").contains("s3cret"), "{found:?}");
            let found = found.map(|config| config.otlp.expect("it was asked for"));
            match (found, expected) {
                (Ok(found), Ok((url, headers, histograms))) => {
                    assert_eq!(
                        (found.url.as_str(), found.headers.len(), found.histograms),
                        (url, headers, histograms)
                    );
                }
                (found, expected) => {
                    let found = found.map(|_| ()).map_err(|error| error.to_string());
                    assert_eq!(found, expected.map(|_| ()).map_err(str::to_owned), "{line}");
                }
            }
        };
        let explicit = OtlpHistograms::Explicit;
        check("--otlp-endpoint http://c:4318", "", Ok(("http://c:4318/v1/metrics", 0, explicit)));
        check("--otlp-endpoint https://c/otlp/", "", Ok(("https://c/otlp/v1/metrics", 0, explicit)));
        check(
            "--otlp-endpoint http://c/v1/metrics --otlp-histograms exponential",
            "Authorization=Bearer s3cret=, x=y",
            Ok(("http://c/v1/metrics", 2, OtlpHistograms::Exponential)),
        );
        check(
            "--otlp-endpoint c:4318",
            "",
            Err(
                "--otlp-endpoint: `c:4318` is not an http or https URL; write the URL of a collector, such as \
                 `http://127.0.0.1:4318`",
            ),
        );
        check(
            "--otlp-endpoint http://ada:s3cret@c",
            "",
            Err("--otlp-endpoint: the URL holds credentials, which would be shown; write the URL without \
                 `user:password@`, and a header in LOAD_TEST_OTLP_HEADERS"),
        );
        check(
            "--otlp-endpoint http://c",
            "a=b,s3cret",
            Err(
                "LOAD_TEST_OTLP_HEADERS: header 2 of it is no NAME=VALUE that could be sent; write for instance \
                 `authorization=Bearer TOKEN,x-scope=load`",
            ),
        );
        check(
            "--otlp-endpoint http://c --otlp-histograms fine",
            "",
            Err("--otlp-histograms: `fine` is no kind of histogram; write `explicit` or `exponential`"),
        );
    }
}

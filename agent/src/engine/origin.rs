//! Where requests go: scheme, host and port.

use http::HeaderValue;
use url::{Host, Url};

/// Whether the connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

/// An origin with everything that is constant for its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// `https://host:port`, the port only when it is not the scheme's own.
    pub(super) text: String,
    pub(super) scheme: Scheme,
    /// Name or address, an IPv6 address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// The `host` header.
    pub(super) host_header: HeaderValue,
}

impl Origin {
    /// The origin of `url`; an error names what it lacks.
    pub(super) fn of(url: &Url) -> Result<Origin, String> {
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => return Err(format!("scheme `{other}` in a URL, expected http or https")),
        };
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return Err("a URL without a host".to_owned()),
        };
        let text = url.origin().ascii_serialization();
        let authority = text.split_once("://").map_or(text.as_str(), |(_, authority)| authority);
        let host_header =
            HeaderValue::from_str(authority).map_err(|_| format!("host `{authority}` in a URL"))?;
        let port = url.port_or_known_default().ok_or("a URL without a port")?;
        Ok(Origin { text, scheme, host, port, host_header })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_of_urls() {
        let check = |url: &str, expected: &str| {
            let got = match Origin::of(&Url::parse(url).unwrap()) {
                Ok(o) => format!("{} {} {} {}", o.text, o.host, o.port, o.host_header.to_str().unwrap()),
                Err(e) => e,
            };
            assert_eq!(got, expected);
        };
        check("http://a.test/x?y", "http://a.test a.test 80 a.test");
        check("https://A.test:443", "https://a.test a.test 443 a.test");
        check("http://127.0.0.1:8000", "http://127.0.0.1:8000 127.0.0.1 8000 127.0.0.1:8000");
        check("http://[::1]:81/", "http://[::1]:81 ::1 81 [::1]:81");
        check("ftp://a.test/", "scheme `ftp` in a URL, expected http or https");
    }
}

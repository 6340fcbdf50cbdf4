//! A rendered request as it goes to the connection.

use super::coding;
use super::origin::{Origin, Scheme};
use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION,
    TRANSFER_ENCODING, USER_AGENT,
};
use http::uri::{Authority, PathAndQuery, Uri};
use metrics::{ErrorKind, Failure};
use plan::judge::RenderedRequest;
use plan::model::{Method, RequestSettings};
use std::sync::Arc;
use url::Url;

/// Sent unless the plan sets another.
const DEFAULT_USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("muster/", env!("CARGO_PKG_VERSION")));
const DEFAULT_ACCEPT: HeaderValue = HeaderValue::from_static("*/*");

/// Which codings of the response are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codings {
    /// All that can be undone.
    Known,
    /// None.
    None,
}

impl Codings {
    /// What a plan says of a request.
    pub(super) fn of(settings: &RequestSettings) -> Codings {
        if settings.compression { Codings::Known } else { Codings::None }
    }
}

/// A request with its templates filled in.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) method: Method,
    /// Absolute.
    pub(super) url: String,
    /// Lower-case name and value.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
    pub(super) codings: Codings,
}

impl Draft {
    /// Of a request that the plan has rendered.
    pub(super) fn new(method: Method, rendered: RenderedRequest, codings: Codings) -> Draft {
        let RenderedRequest { url, headers, body } = rendered;
        Draft { method, url, headers, body: body.into(), codings }
    }
}

/// A request and where it goes.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) origin: Arc<Origin>,
    pub(super) request: http::Request<Bytes>,
}

/// How a request is written on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// With its path, as HTTP/1.1 does.
    Path,
    /// With its whole URL, for a proxy to HTTP/1.1.
    Absolute { authorization: Option<HeaderValue> },
    /// With its whole URL and without a host header, as HTTP/2 does.
    Http2,
}

impl Form {
    /// Gives a request to `origin`, of any form, this one.
    pub(super) fn shape(&self, request: &mut http::Request<Bytes>, origin: &Origin) {
        if *self == Form::Path && request.uri().authority().is_none() {
            return;
        }
        // What the plan gives as the host is the authority, if it can be one.
        let given = request.headers().get(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
        let authority = given.or_else(|| request.uri().authority().cloned()).unwrap_or_else(|| {
            Authority::try_from(origin.host_header.as_bytes()).expect("the host of a URL is an authority")
        });
        let path = request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        if *self == Form::Path {
            let host = HeaderValue::from_str(authority.as_str()).expect("an authority is visible text");
            request.headers_mut().insert(HOST, host);
            *request.uri_mut() = path.into();
            return;
        }
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(match origin.scheme {
            Scheme::Http => http::uri::Scheme::HTTP,
            Scheme::Https => http::uri::Scheme::HTTPS,
        });
        parts.authority = Some(authority);
        parts.path_and_query = Some(path);
        *request.uri_mut() = Uri::from_parts(parts).expect("scheme, authority and path make a URL");
        match self {
            Form::Absolute { authorization: Some(authorization) } => {
                request.headers_mut().insert(PROXY_AUTHORIZATION, authorization.clone());
            }
            Form::Http2 => {
                request.headers_mut().remove(HOST);
            }
            Form::Path | Form::Absolute { authorization: None } => {}
        }
    }
}

/// Builds the request; a failure is of kind [`ErrorKind::Template`], for the request never leaves.
pub(super) fn build(target: &Arc<Origin>, draft: &Draft) -> Result<Outgoing, Failure> {
    let (origin, path) = locate(target, &draft.url)?;
    let mut request = http::Request::new(draft.body.clone());
    *request.method_mut() = wire_method(draft.method);
    *request.uri_mut() = path.into();
    *request.headers_mut() = headers(&origin, draft)?;
    Ok(Outgoing { origin, request })
}

/// Splits an absolute URL into origin and path. URLs below the target, as nearly all are, need no parsing.
fn locate(target: &Arc<Origin>, url: &str) -> Result<(Arc<Origin>, PathAndQuery), Failure> {
    if let Some(rest) = url.strip_prefix(target.text.as_str())
        && rest.starts_with('/')
        && rest.is_ascii()
        && !rest.contains('#')
        && let Ok(path) = PathAndQuery::try_from(rest)
    {
        return Ok((target.clone(), path));
    }
    let unusable = |why: &dyn std::fmt::Display| unsendable(format!("URL `{url}`: {why}"));
    let url = Url::parse(url).map_err(|e| unusable(&e))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(unsendable("credentials in a URL are not sent: use an `authorization` header"));
    }
    let origin = Origin::of(&url).map_err(|e| unusable(&e))?;
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let path = PathAndQuery::try_from(path).map_err(|e| unusable(&e))?;
    Ok((if origin == **target { target.clone() } else { Arc::new(origin) }, path))
}

fn headers(origin: &Origin, draft: &Draft) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::with_capacity(draft.headers.len() + 6);
    headers.insert(HOST, origin.host_header.clone());
    headers.insert(USER_AGENT, DEFAULT_USER_AGENT);
    headers.insert(ACCEPT, DEFAULT_ACCEPT);
    if draft.codings == Codings::Known {
        headers.insert(ACCEPT_ENCODING, coding::ACCEPTED);
    }
    let mut replaced = [HOST, USER_AGENT, ACCEPT, ACCEPT_ENCODING].map(Some);
    for (name, value) in &draft.headers {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| unsendable(format!("`{name}` is not a header name")))?;
        let value = HeaderValue::from_bytes(value.as_bytes())
            .map_err(|_| unsendable(format!("the value of header `{name}` holds a control character")))?;
        // The framing is the engine's own: it must fit the body exactly.
        if name == CONTENT_LENGTH || name == TRANSFER_ENCODING {
            continue;
        }
        let default = replaced.iter_mut().find(|default| default.as_ref() == Some(&name));
        if default.is_some_and(|default| default.take().is_some()) {
            headers.insert(name, value);
        } else {
            headers.append(name, value);
        }
    }
    let expects_body = matches!(draft.method, Method::Post | Method::Put | Method::Patch);
    if expects_body || !draft.body.is_empty() {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(draft.body.len()));
    }
    Ok(headers)
}

fn wire_method(method: Method) -> http::Method {
    match method {
        Method::Get => http::Method::GET,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Patch => http::Method::PATCH,
        Method::Delete => http::Method::DELETE,
        Method::Head => http::Method::HEAD,
        Method::Options => http::Method::OPTIONS,
    }
}

fn unsendable(message: impl Into<std::borrow::Cow<'static, str>>) -> Failure {
    Failure::new(ErrorKind::Template, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    /// Renders `METHOD origin path | header: value | ...`.
    fn check(method: Method, url: &str, headers: &[(&str, &str)], body: &str, expected: &str) {
        let target = Arc::new(Origin::of(&Url::parse("http://t.test:8000").unwrap()).unwrap());
        let rendered = RenderedRequest {
            url: url.to_owned(),
            headers: headers.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect(),
            body: body.as_bytes().to_vec(),
        };
        let got = match build(&target, &Draft::new(method, rendered, Codings::None)) {
            Err(failure) => format!("{:?}: {}", failure.kind, failure.message),
            Ok(out) => {
                let mut text = format!("{} {} {}", out.request.method(), out.origin.text, out.request.uri());
                for (name, value) in out.request.headers() {
                    write!(text, " | {name}: {}", String::from_utf8_lossy(value.as_bytes())).unwrap();
                }
                text
            }
        };
        assert_eq!(got, expected.replace("muster/V", concat!("muster/", env!("CARGO_PKG_VERSION"))));
    }

    #[test]
    fn defaults_are_sent_unless_the_plan_sets_them() {
        let url = "http://t.test:8000/a?b=c";
        let to = "http://t.test:8000 /a?b=c";
        let standard = "host: t.test:8000 | user-agent: muster/V | accept: */*";
        check(Method::Get, url, &[], "", &format!("GET {to} | {standard}"));
        check(Method::Post, url, &[], "", &format!("POST {to} | {standard} | content-length: 0"));
        check(Method::Delete, url, &[], "é", &format!("DELETE {to} | {standard} | content-length: 2"));
        let own = [("host", "x"), ("accept", "a"), ("accept", "b"), ("content-length", "9")];
        check(
            Method::Put,
            url,
            &own,
            "123",
            &format!("PUT {to} | host: x | user-agent: muster/V | accept: a | accept: b | content-length: 3"),
        );
    }

    #[test]
    fn urls_need_not_be_below_the_target() {
        let rest = "user-agent: muster/V | accept: */*";
        let get = |url: &str, expected: &str| check(Method::Get, url, &[], "", expected);
        get("https://o.test/x#y", &format!("GET https://o.test /x | host: o.test | {rest}"));
        get("http://t.test:8000", &format!("GET http://t.test:8000 / | host: t.test:8000 | {rest}"));
        get("http://t.test:80001/x", "Template: URL `http://t.test:80001/x`: invalid port number");
        get(
            "http://t.test:8000/ü b",
            &format!("GET http://t.test:8000 /%C3%BC%20b | host: t.test:8000 | {rest}"),
        );
        get("http://u@o.test/", "Template: credentials in a URL are not sent: use an `authorization` header");
        get("x", "Template: URL `x`: relative URL without a base");
    }

    #[test]
    fn bad_headers_never_leave() {
        let get = |name, value, expected: &str| {
            check(Method::Get, "http://t.test:8000/", &[(name, value)], "", expected);
        };
        get("a b", "x", "Template: `a b` is not a header name");
        get("a", "x\r\nb: y", "Template: the value of header `a` holds a control character");
    }
}

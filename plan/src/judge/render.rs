//! A request with every template filled in.

use super::multipart;
use crate::model::{Auth, AuthReach, Body, Part, PartContent, Request, SentAuth};
use crate::scope::Scope;
use crate::template::{EvalError, Template, escaped};
use crate::websocket::WebSocket;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;
use std::fmt::Write;
use url::Url;
use url::form_urlencoded::Serializer;

/// A request with every template filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedRequest {
    /// Absolute URL.
    pub url: String,
    /// Lower-case name and value. Holds `content-type` when the body implies one and the plan gives none.
    pub headers: Vec<(String, String)>,
    /// The body, empty for none.
    pub body: Vec<u8>,
}

impl Request {
    /// Fills the templates in. `target` is [`Plan::target`](crate::Plan::target).
    pub fn render(&self, target: &Url, scope: &Scope) -> Result<RenderedRequest, EvalError> {
        self.render_at(target, absolute(target, &text(&self.url, scope)?)?, scope)
    }

    fn render_at(&self, target: &Url, mut url: String, scope: &Scope) -> Result<RenderedRequest, EvalError> {
        if !self.query.is_empty() {
            let separator = if url.contains('?') { '&' } else { '?' };
            url.push_str(separator.encode_utf8(&mut [0; 4]));
            let start = url.len();
            url = pairs(Serializer::for_suffix(url, start), &self.query, scope)?;
        }
        let mut headers = Vec::with_capacity(self.headers.len() + 1);
        for (name, template) in &self.headers {
            headers.push((name.clone(), header_value(name, text(template, scope)?)?));
        }
        let has = |headers: &[(String, String)], wanted: &str| headers.iter().any(|(name, _)| name == wanted);
        let auth = self.settings.auth.as_ref().filter(|_| !has(&headers, AUTHORIZATION));
        if let Some(SentAuth { auth, reach }) = auth
            && (*reach == AuthReach::AnyOrigin || is_at(target, &url))
        {
            headers.push((AUTHORIZATION.into(), header_value(AUTHORIZATION, auth.render(scope)?)?));
        }
        let (body, media_type) = self.body.render(scope)?;
        if let Some(media_type) = media_type.filter(|_| !has(&headers, "content-type")) {
            headers.push(("content-type".into(), media_type.into_owned()));
        }
        Ok(RenderedRequest { url, headers, body })
    }
}

const AUTHORIZATION: &str = "authorization";

/// Whether `url` has the origin of `target`.
fn is_at(target: &Url, url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.origin() == target.origin())
}

impl Auth {
    /// The value of the `authorization` header.
    fn render(&self, scope: &Scope) -> Result<String, EvalError> {
        Ok(match self {
            Auth::Bearer(token) => format!("Bearer {}", text(token, scope)?),
            Auth::Basic { user, password } => {
                let user = text(user, scope)?;
                if user.contains(':') {
                    let problem = "the user name has a colon, which basic authentication cannot carry";
                    return Err(EvalError(problem.into()));
                }
                format!("Basic {}", STANDARD.encode(format!("{user}:{}", text(password, scope)?)))
            }
        })
    }
}

impl WebSocket {
    /// Fills the templates of the handshake in. Its URL begins with `http` or `https`, as a request's does.
    pub fn render(&self, target: &Url, scope: &Scope) -> Result<RenderedRequest, EvalError> {
        let address = text(&self.request.url, scope)?;
        let scheme = |name: &str| {
            address.get(..name.len()).filter(|head| head.eq_ignore_ascii_case(name)).map(|_| name.len())
        };
        let address = match (scheme("ws://"), scheme("wss://")) {
            (Some(end), _) => format!("http://{}", &address[end..]),
            (_, Some(end)) => format!("https://{}", &address[end..]),
            _ if address.starts_with('/') => address,
            _ => {
                let address = escaped(&address, 120);
                let problem = format!("the URL `{address}` does not begin with `/`, ws:// or wss://");
                return Err(EvalError(problem));
            }
        };
        self.request.render_at(target, absolute(target, &address)?, scope)
    }
}

impl Body {
    /// The bytes and the media type that they imply.
    fn render(&self, scope: &Scope) -> Result<(Vec<u8>, Option<Cow<'static, str>>), EvalError> {
        Ok(match self {
            Body::Empty => (Vec::new(), None),
            Body::Json(template) => {
                let mut bytes = Vec::new();
                template.render(scope, &mut bytes)?;
                (bytes, Some("application/json".into()))
            }
            Body::Form(fields) => {
                let form = pairs(Serializer::new(String::new()), fields, scope)?;
                (form.into_bytes(), Some("application/x-www-form-urlencoded".into()))
            }
            Body::Multipart(parts) => {
                let pieces = parts.iter().map(|part| piece(part, scope)).collect::<Result<Vec<_>, _>>()?;
                let (body, media_type) = multipart::encode(&pieces);
                (body, Some(media_type.into()))
            }
            Body::Text(template) => (text(template, scope)?.into_bytes(), None),
        })
    }
}

fn text(template: &Template, scope: &Scope) -> Result<String, EvalError> {
    let mut out = String::new();
    template.render(scope, &mut out)?;
    Ok(out)
}

fn pairs(
    mut serializer: Serializer<'_, String>,
    pairs: &[(String, Template)],
    scope: &Scope,
) -> Result<String, EvalError> {
    let mut value = String::new();
    for (name, template) in pairs {
        value.clear();
        template.render(scope, &mut value)?;
        serializer.append_pair(name, &value);
    }
    Ok(serializer.finish())
}

/// `address` below `target`, or as it is if it is absolute; percent-encoded, without fragment.
fn absolute(target: &Url, address: &str) -> Result<String, EvalError> {
    let refused = |why: &str| EvalError(format!("the URL `{}` {why}", escaped(address, 120)));
    let mut whole = String::new();
    if address.starts_with('/') {
        whole.push_str(target.as_str().trim_end_matches('/'));
        if is_plain(address) {
            whole.push_str(address);
            return Ok(whole);
        }
    }
    // The parser would drop these silently.
    for c in address.chars() {
        if c.is_ascii_control() || c == ' ' {
            let _ = write!(whole, "%{:02X}", u32::from(c));
        } else {
            whole.push(c);
        }
    }
    let mut url = Url::parse(&whole)
        .map_err(|error| refused(&format!("is not valid: {error}; write a path that starts with `/`")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("has a scheme other than http and https"));
    }
    url.set_fragment(None);
    Ok(url.into())
}

/// Whether the URL parser would leave `path` as it is.
fn is_plain(path: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.' | b'~');
    path.bytes().all(plain) && !path.contains("/.")
}

fn header_value(name: &str, value: String) -> Result<String, EvalError> {
    match value.chars().find(|&c| c.is_ascii_control() && c != '\t') {
        None => Ok(value),
        // Its value is nobody's business.
        Some(c) if name == AUTHORIZATION => Err(EvalError(format!(
            "the header `{name}` would hold the control character `{}`; header values are one line of text",
            c.escape_default(),
        ))),
        Some(c) => Err(EvalError(format!(
            "the header `{name}` would hold the control character `{}`: `{}`; \
             header values are one line of text",
            c.escape_default(),
            escaped(&value, 60)
        ))),
    }
}

fn piece<'a>(part: &'a Part, scope: &Scope) -> Result<multipart::Piece<'a>, EvalError> {
    let filled = |template: &Option<Template>| template.as_ref().map(|t| text(t, scope)).transpose();
    Ok(multipart::Piece {
        name: &part.name,
        file_name: filled(&part.file_name)?,
        media_type: filled(&part.media_type)?,
        content: match &part.content {
            PartContent::Text(template) => text(template, scope)?.into_bytes().into(),
            PartContent::File { bytes, .. } => (&**bytes).into(),
        },
    })
}

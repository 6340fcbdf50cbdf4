//! The cookies of one user (RFC 6265), from its start to its end.

use super::limits::{MAX_COOKIE_BYTES, MAX_COOKIES_PER_USER};
use cookie_store::{Cookie, CookieStore, RawCookie};
use http::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use std::cmp::Reverse;
use url::Url;

/// See the module. Costs nothing until the first cookie comes.
#[derive(Debug, Default)]
pub(super) struct Jar {
    store: Option<Box<CookieStore>>,
}

impl Jar {
    /// Adds the cookies for a request of `url` to its `headers`, behind those that the plan gives.
    pub(super) fn add_to(&self, headers: &mut HeaderMap, url: &str) {
        let Some(store) = &self.store else { return };
        let Ok(url) = Url::parse(url) else { return };
        let mut cookies = store.matches(&url);
        if cookies.is_empty() {
            return;
        }
        // Longer paths first, as the standard wants; names make the order the same in every run.
        cookies.sort_by_key(|cookie| (Reverse(cookie.path.len()), cookie.name().to_owned()));
        let mut value = headers.get(COOKIE).map_or_else(Vec::new, |given| given.as_bytes().to_vec());
        for cookie in cookies {
            if !value.is_empty() {
                value.extend_from_slice(b"; ");
            }
            value.extend_from_slice(cookie.name().as_bytes());
            value.push(b'=');
            value.extend_from_slice(cookie.value().as_bytes());
        }
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            headers.insert(COOKIE, value);
        }
    }

    /// Keeps the cookies that came with the answer to a request of `url`.
    pub(super) fn keep(&mut self, headers: &HeaderMap, url: &str) {
        if !headers.contains_key(SET_COOKIE) {
            return;
        }
        let Ok(url) = Url::parse(url) else { return };
        let store = self.store.get_or_insert_default();
        for value in headers.get_all(SET_COOKIE) {
            let text = Some(value.as_bytes()).filter(|bytes| bytes.len() <= MAX_COOKIE_BYTES);
            let text = text.and_then(|bytes| std::str::from_utf8(bytes).ok());
            let Some(raw) = text.and_then(|text| RawCookie::parse(text).ok()) else { continue };
            // A domain without a dot is all of `com`, or of the intranet.
            if raw.domain().is_some_and(|domain| !domain.contains('.') && Some(domain) != url.host_str()) {
                continue;
            }
            let Ok(cookie) = Cookie::try_from_raw_cookie(&raw, &url) else { continue };
            if has_room(store, &cookie) {
                // What the standard wants ignored is refused here.
                let _ = store.insert(cookie.into_owned(), &url);
            }
        }
    }
}

/// Whether `cookie` replaces one or there may be one more, once those that have expired are gone.
fn has_room(store: &mut CookieStore, cookie: &Cookie<'_>) -> bool {
    if store.iter_any().count() < MAX_COOKIES_PER_USER {
        return true;
    }
    let place = |cookie: &Cookie<'_>| {
        (String::from(&cookie.domain), String::from(&cookie.path), cookie.name().to_owned())
    };
    let (domain, path, name) = place(cookie);
    if store.contains_any(&domain, &path, &name) {
        return true;
    }
    let expired: Vec<_> = store.iter_any().filter(|cookie| cookie.is_expired()).map(place).collect();
    for (domain, path, name) in expired {
        store.remove(&domain, &path, &name);
    }
    store.iter_any().count() < MAX_COOKIES_PER_USER
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(jar: &mut Jar, url: &str, cookies: &[&str]) {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(SET_COOKIE, HeaderValue::from_str(cookie).unwrap());
        }
        jar.keep(&headers, url);
    }

    fn sent(jar: &Jar, url: &str) -> String {
        let mut headers = HeaderMap::new();
        jar.add_to(&mut headers, url);
        headers.get(COOKIE).map_or(String::new(), |value| value.to_str().unwrap().to_owned())
    }

    /// What `url` is sent after `from` has set `cookies`.
    fn check(from: &str, cookies: &[&str], url: &str, expected: &str) {
        let mut jar = Jar::default();
        keep(&mut jar, from, cookies);
        assert_eq!(sent(&jar, url), expected, "{cookies:?} from {from} to {url}");
    }

    #[test]
    fn cookies_go_where_they_belong() {
        let a = "http://a.test/x/y";
        check(a, &["s=1", "t=2; Path=/"], "http://a.test/x/z", "s=1; t=2");
        check(a, &["s=1"], "http://a.test/z", "");
        check(a, &["s=1; Path=/"], "http://b.test/", "");
        check(a, &["s=1; Path=/"], "http://www.a.test/", "");
        check(a, &["s=1; Path=/"], "http://a.test:81/", "s=1");
        check("http://www.a.test/", &["s=1; Domain=a.test"], "http://b.a.test/", "s=1");
        check("http://www.a.test/", &["s=1; Domain=.a.test"], "http://a.test/", "s=1");
        check(a, &["s=1; Domain=b.test"], "http://b.test/", "");
        check(a, &["s=1; Domain=test; Path=/"], "http://b.test/", "");
        check("http://localhost/", &["s=1; Domain=localhost"], "http://localhost/", "s=1");
        check("http://127.0.0.1:8000/", &["s=1"], "http://127.0.0.1:8000/", "s=1");
        check("https://a.test/", &["s=1; Secure"], "http://a.test/", "");
        check("https://a.test/", &["s=1; Secure; HttpOnly"], "https://a.test/", "s=1");
    }

    #[test]
    fn cookies_end() {
        let a = "http://a.test/";
        check(a, &["s=1", "s=2"], a, "s=2");
        check(a, &["s=1", "s=; Max-Age=0"], a, "");
        check(a, &["s=1; Max-Age=-5"], a, "");
        check(a, &["s=1; Max-Age=3600"], a, "s=1");
        check(a, &["s=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], a, "");
        check(a, &["s=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60"], a, "s=1");
        check(a, &["", "=", "; ; ;", "no value"], a, "");
    }

    #[test]
    fn the_jar_is_bounded() {
        let (mut jar, url) = (Jar::default(), "http://a.test/");
        for n in 0..=MAX_COOKIES_PER_USER {
            keep(&mut jar, url, &[&format!("c{n:03}=1")]);
        }
        assert_eq!(sent(&jar, url).matches('=').count(), MAX_COOKIES_PER_USER);
        assert!(!sent(&jar, url).contains("c100"));
        keep(&mut jar, url, &["c000=2", "c001=; Max-Age=0", "c100=1"]);
        let cookies = sent(&jar, url);
        assert!(cookies.starts_with("c000=2; c002=1") && cookies.ends_with("c100=1"), "{cookies}");
        check(url, &[&format!("s={}", "x".repeat(MAX_COOKIE_BYTES))], url, "");
    }
}

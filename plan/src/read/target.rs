//! The base URL of the system under test.

use super::Reader;
use super::fields::Fields;
use super::value::Expected;
use crate::diagnostic::{Problem, Span, shown};
use url::Url;

const EXPECTED: Expected =
    Expected { what: "a base URL", remedy: "write a URL such as `https://staging.example.com`" };

impl Reader<'_> {
    /// The target of the settings, or else of the plan. The plan's is checked as far as it can be even when it is
    /// overridden.
    pub(super) fn target(&mut self, fields: &Fields<'_>) -> Option<Url> {
        let entry = fields.get("target");
        let settings = self.settings;
        if let Some(text) = &settings.target {
            if let Some(entry) = entry
                && entry.value.scalar().is_none_or(|s| !s.text.contains("${"))
            {
                let text = self.text(&entry.value, EXPECTED)?;
                self.base_url(&text, entry.value.span, "")?;
            }
            let place = entry.map_or(fields.place, |e| e.value.span);
            return self.base_url(text, place, " given by --target or LOAD_TEST_HOST");
        }
        let Some(entry) = entry else {
            let remedy = "add `target: https://…`, or give --target or LOAD_TEST_HOST";
            self.report(Problem::new(fields.place, "`target` is missing", remedy));
            return None;
        };
        let text = self.text(&entry.value, EXPECTED)?;
        self.base_url(&text, entry.value.span, "")
    }

    fn base_url(&mut self, text: &str, place: Span, origin: &str) -> Option<Url> {
        match base_url(text) {
            Ok(url) => Some(url),
            Err((problem, remedy)) => {
                let problem = format!("the target {}{origin} {problem}", shown(text));
                self.report(Problem::new(place, problem, remedy));
                None
            }
        }
    }
}

/// The URL, or what is wrong with it and the remedy.
fn base_url(text: &str) -> Result<Url, (String, String)> {
    let lower = text.to_ascii_lowercase();
    if !lower.starts_with("http://") && !lower.starts_with("https://") {
        let remedy = if text.contains("://") {
            "use http:// or https://".to_owned()
        } else {
            format!("write {}", shown(&format!("http://{text}")))
        };
        return Err(("does not begin with http:// or https://".into(), remedy));
    }
    let mut url = Url::parse(text).map_err(|e| (format!("is not a URL: {e}"), EXPECTED.remedy.to_owned()))?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(("has no host".into(), EXPECTED.remedy.into()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(("has a user name or password".into(), "send an `authorization` header instead".into()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        let remedy = "end it at the path; give parameters with `query:` in the requests";
        return Err(("has a query or a fragment".into(), remedy.into()));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

//! Request steps and the series that they feed.

use super::Reader;
use super::calls::Call;
use super::fields::Fields;
use super::groups::Groups;
use super::users::Workload;
use super::value::{Expected, MAX_NAME};
use super::variables::Visible;
use super::websocket::Conversation;
use crate::chore::ChoreKind;
use crate::diagnostic::{Problem, Span, shown};
use crate::model::{Body, ClassId, GroupId, Method, Request, Series, SeriesKind, Step};
use crate::template::{JsonTemplate, Template};
use crate::yaml::{Entry, Kind, Node, Value};
use metrics::SeriesId;

/// Most series of a plan.
const MAX_SERIES: usize = 4096;

/// Where a step stands.
#[derive(Clone, Copy)]
pub(super) struct StepPlace<'a> {
    pub(super) class: ClassId,
    /// The class's own.
    pub(super) group: Option<GroupId>,
    pub(super) task: &'a str,
    /// The chore, for steps that no user runs.
    pub(super) chore: Option<ChoreKind>,
    /// How many steps it stands within, calls of flows included.
    pub(super) depth: u32,
    /// The call of the flow that it belongs to.
    pub(super) call: Option<&'a Call<'a>>,
    /// The conversation that it is part of.
    pub(super) conversation: Option<&'a Conversation>,
}

impl StepPlace<'_> {
    /// Of the steps within this one.
    pub(super) fn deeper(&self) -> Self {
        StepPlace { depth: self.depth + 1, ..*self }
    }
}

impl Reader<'_> {
    /// One request.
    pub(super) fn step(
        &mut self,
        fields: &Fields<'_>,
        verb: Option<(Method, &Entry)>,
        place: &StepPlace<'_>,
        visible: &mut Visible<'_>,
        groups: &mut Groups,
        workload: &mut Workload,
    ) -> Option<Step> {
        let group = match fields.get("group") {
            Some(entry) => self.group(&entry.value, groups),
            None => place.group,
        };
        if let Some(group) = group {
            groups.mark_used(group);
        }
        let url = verb.and_then(|(_, entry)| self.url(&entry.value, visible));
        let query = self.templates(fields.get("query"), QUERY, visible);
        let headers = self.headers(fields.get("headers"), visible);
        let body = self.body(fields, verb.map(|(method, _)| method), visible);
        let expect = self.expect(fields.get("expect"), visible);
        let save = self.save(fields.get("save"));
        let settings = self.request_settings(fields, place, visible);
        visible.save(save.iter().map(|s| s.name.clone()));
        let named = verb.map(|(method, entry)| (method.as_str(), entry));
        let name = self.request_name(fields, named, url.as_ref());
        let thresholds = fields.get("thresholds").map(|e| self.thresholds(&e.value)).unwrap_or_default();
        let ((name, name_place), (method, _)) = (name?, verb?);
        let (class, task) = (place.class, place.task.to_owned());
        let kind = SeriesKind::Request(method);
        let series = Series { id: SeriesId(0), class, task, name, kind, group };
        let series = self.series(series, name_place, workload)?;
        workload.judge(series, thresholds);
        Some(Step::Request(Request {
            series,
            method,
            url: url?,
            query,
            headers,
            body: body?,
            expect: expect?,
            save,
            settings: settings.into(),
        }))
    }

    pub(super) fn url(&mut self, node: &Node, visible: &Visible<'_>) -> Option<Template> {
        self.url_of(node, ["http://", "https://"], visible)
    }

    /// A path, or an absolute URL of one of these schemes.
    pub(super) fn url_of(
        &mut self,
        node: &Node,
        schemes: [&str; 2],
        visible: &Visible<'_>,
    ) -> Option<Template> {
        let expected =
            Expected { what: "a URL", remedy: "write a path such as `/api/v1/me`, or an absolute URL" };
        let template = self.text_template(node, expected, visible)?;
        let text = &node.scalar()?.text;
        let lower = text.to_ascii_lowercase();
        let begins = ["/", "${"].iter().chain(&schemes).any(|start| lower.starts_with(start));
        let blank = |t: &str| t.contains(|c: char| c.is_whitespace() || c.is_control());
        let (problem, remedy) = if !begins {
            let write = match text.split_once("://") {
                Some((scheme, rest)) => {
                    let secure = scheme.to_ascii_lowercase().ends_with('s');
                    format!("{}{rest}", schemes[usize::from(secure)])
                }
                None => format!("/{text}"),
            };
            let problem = format!("does not begin with `/` or with {} or {}", schemes[0], schemes[1]);
            (problem, format!("write {}", shown(&write)))
        } else if template.as_literal().is_some_and(blank) {
            ("has white space in it".to_owned(), "percent-encode it, or use `query:`".to_owned())
        } else if template.literals().any(|t| t.contains(['{', '}'])) {
            let remedy = "write `${name}` for a value, or `%7B` and `%7D` for the braces themselves";
            ("has a brace in it that fills in nothing".to_owned(), remedy.to_owned())
        } else {
            return Some(template);
        };
        self.report(Problem::new(node.span, format!("the URL {} {problem}", shown(text)), remedy));
        None
    }

    pub(super) fn templates(
        &mut self,
        entry: Option<&Entry>,
        expected: Expected,
        visible: &Visible<'_>,
    ) -> Vec<(String, Template)> {
        let entries = entry.and_then(|e| self.named(&e.value, expected, usize::MAX)).unwrap_or_default();
        entries
            .iter()
            .filter_map(|e| Some((e.key.clone(), self.template(&e.value, PAIR_VALUE, visible)?)))
            .collect()
    }

    pub(super) fn headers(
        &mut self,
        entry: Option<&Entry>,
        visible: &Visible<'_>,
    ) -> Vec<(String, Template)> {
        let entries = entry.and_then(|e| self.named(&e.value, HEADERS, usize::MAX)).unwrap_or_default();
        let mut headers: Vec<(String, Template)> = Vec::new();
        for entry in entries {
            let name = entry.key.to_ascii_lowercase();
            if let Some((problem, remedy)) = refuse_header(&name, &headers) {
                self.report(Problem::new(entry.key_span, problem, remedy));
            }
            let Some(value) = self.template(&entry.value, PAIR_VALUE, visible) else { continue };
            if value.as_literal().is_some_and(|v| v.contains(|c: char| c.is_control() && c != '\t')) {
                let problem = "a header value with line breaks or control characters";
                self.report(Problem::new(entry.value.span, problem, "write it on one line"));
            }
            headers.push((name, value));
        }
        headers
    }

    fn body(&mut self, fields: &Fields<'_>, method: Option<Method>, visible: &Visible<'_>) -> Option<Body> {
        let given = fields.among(&["json", "form", "multipart", "body"]);
        if let [(first, first_entry), (second, second_entry), ..] = given[..] {
            let problem = format!("`{second}` beside `{first}`: a request has one body");
            self.report(
                Problem::new(second_entry.key_span, problem, "remove one of them")
                    .related(first_entry.key_span, "the other one"),
            );
        }
        if let (Some(method @ (Method::Get | Method::Head)), Some((key, entry))) = (method, given.first()) {
            let problem = format!("`{key}` in a {} request, which has no body", method.as_str());
            let remedy = "send it with `query:`, or use `post:`";
            self.report(Problem::new(entry.key_span, problem, remedy));
        }
        let bodies: Vec<Option<Body>> = given
            .iter()
            .map(|(key, entry)| match *key {
                "json" => self.json(&entry.value, visible).map(Body::Json),
                "form" => {
                    let pairs = self.templates(Some(entry), FORM, visible);
                    Some(Body::Form(pairs))
                }
                "multipart" => self.multipart(entry, visible),
                _ => self.text_template(&entry.value, BODY, visible).map(Body::Text),
            })
            .collect();
        bodies.into_iter().next().unwrap_or(Some(Body::Empty))
    }

    /// Any value, with templates in its texts.
    pub(super) fn json(&mut self, node: &Node, visible: &Visible<'_>) -> Option<JsonTemplate> {
        match &node.value {
            Value::Sequence(items) => {
                let items: Vec<_> = items.iter().map(|item| self.json(item, visible)).collect();
                items.into_iter().collect::<Option<_>>().map(JsonTemplate::Array)
            }
            Value::Mapping(entries) => {
                let members: Vec<_> =
                    entries.iter().map(|e| Some((e.key.clone(), self.json(&e.value, visible)?))).collect();
                members.into_iter().collect::<Option<_>>().map(JsonTemplate::Object)
            }
            Value::Scalar(scalar) => match scalar.kind() {
                Kind::Null => Some(JsonTemplate::Null),
                Kind::Bool(value) => Some(JsonTemplate::Bool(value)),
                Kind::Text => self.template(node, PAIR_VALUE, visible).map(JsonTemplate::Text),
                Kind::Integer(n) => self.json_number(node, serde_json::Number::from_i128(n)),
                Kind::Float(n) => self.json_number(node, serde_json::Number::from_f64(n)),
            },
        }
    }

    fn json_number(&mut self, node: &Node, number: Option<serde_json::Number>) -> Option<JsonTemplate> {
        if number.is_none() {
            let problem = format!("{} cannot be written in JSON", node.describe());
            self.report(Problem::new(node.span, problem, "put it in quotes to send it as text"));
        }
        number.map(JsonTemplate::Number)
    }

    /// `name`, or else the method and the URL without its query; and where to report what is wrong with it.
    pub(super) fn request_name(
        &mut self,
        fields: &Fields<'_>,
        verb: Option<(&str, &Entry)>,
        url: Option<&Template>,
    ) -> Option<(String, Span)> {
        if let Some(entry) = fields.get("name") {
            let expected = Expected { what: "the request's name", remedy: "write it in quotes" };
            return Some((self.name(&entry.value, expected)?, entry.value.span));
        }
        let ((method, entry), url) = (verb?, url?);
        let display = url.display_name();
        let words: Vec<&str> = without_query(&display).split_whitespace().collect();
        let name = format!("{method} {}", words.join(" "));
        let length = name.chars().count();
        if length > MAX_NAME {
            let problem =
                format!("the name made of this URL has {length} characters; the limit is {MAX_NAME}");
            self.report(Problem::new(entry.value.span, problem, "give the request a shorter `name`"));
            return None;
        }
        self.check_name(&name, entry.value.span).then_some((name, entry.value.span))
    }

    /// The number of a series; steps of one task that have the same name share it.
    pub(super) fn series(
        &mut self,
        series: Series,
        place: Span,
        workload: &mut Workload,
    ) -> Option<SeriesId> {
        let key = (series.class, series.task.clone(), series.name.clone());
        if let Some(&(id, first)) = workload.places.get(&key) {
            let other = &workload.series[id.0 as usize];
            let is_request = |series: &Series| matches!(series.kind, SeriesKind::Request(_));
            let what = if is_request(other) != is_request(&series) {
                "kinds of measurement"
            } else if other.kind != series.kind {
                "methods"
            } else if other.group != series.group {
                "groups"
            } else {
                return Some(id);
            };
            let problem = format!(
                "two requests of this task are called {}, with different {what}",
                shown(&series.name)
            );
            self.report(
                Problem::new(place, problem, "give them different names (`name: …`)")
                    .related(first, "the other one"),
            );
            return None;
        }
        if workload.series.len() >= MAX_SERIES {
            if !std::mem::replace(&mut workload.overflow, true) {
                let problem =
                    format!("the plan has more than {MAX_SERIES} series (class, task and request name)");
                self.report(Problem::new(
                    place,
                    problem,
                    "give requests that belong together the same `name`",
                ));
            }
            return None;
        }
        let id = SeriesId(workload.series.len() as u32);
        workload.places.insert(key, (id, place));
        workload.series.push(Series { id, ..series });
        Some(id)
    }
}

pub(super) const QUERY: Expected =
    Expected { what: "query parameters (a mapping)", remedy: "write `query: { page: 1, sort: name }`" };
const FORM: Expected =
    Expected { what: "form fields (a mapping)", remedy: "write `form: { user: ada, remember: 1 }`" };
const HEADERS: Expected =
    Expected { what: "headers (a mapping)", remedy: "write `headers: { accept: text/html }`" };
const BODY: Expected = Expected { what: "the body's text", remedy: "write it in quotes, or use `json:`" };
pub(super) const PAIR_VALUE: Expected = Expected {
    what: "a single value",
    remedy: "write a text, a number or a `${…}`; in quotes if it is empty",
};

/// Why this is no header for a plan to set, and what to do.
fn refuse_header(name: &str, before: &[(String, Template)]) -> Option<(String, String)> {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(token) {
        let problem = format!("{} cannot be a header's name", shown(name));
        return Some((problem, "use letters, digits and `-`".into()));
    }
    if before.iter().any(|(other, _)| other == name) {
        let problem = format!("the header {} is here twice: case makes no difference", shown(name));
        return Some((problem, "remove one of them".into()));
    }
    let framing = ["content-length", "transfer-encoding"].contains(&name);
    framing.then(|| (format!("{} follows from the body", shown(name)), "remove it".into()))
}

/// `display` up to its query or fragment; a `?` inside braces belongs to an expression.
fn without_query(display: &str) -> &str {
    let mut depth = 0_i32;
    let cut = display.char_indices().find(|&(_, c)| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth <= 0 && (c == '?' || c == '#')
    });
    cut.map_or(display, |(at, _)| &display[..at])
}

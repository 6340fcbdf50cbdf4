//! `http:` of the plan and of user classes, and what requests say about themselves; the nearest wins.

use super::Reader;
use super::connection::GivenConnection;
use super::fields::Fields;
use super::rows::RowName;
use super::saved_names::{SavedName, names_saved};
use super::steps::StepPlace;
use super::value::Expected;
use super::variables::{ON_START, Visible};
use crate::chore::ChoreKind;
use crate::diagnostic::{Problem, Span, shown};
use crate::language::{AUTH, BASIC_AUTH, HTTP};
use crate::model::{
    Auth, AuthReach, ConnectionSettings, DEFAULT_TIMEOUT, MAX_BODY_LIMIT, MAX_REDIRECTS, MAX_TIMEOUT,
    RequestSettings, SentAuth,
};
use crate::template::{Expression, Template};
use crate::yaml::{Entry, Kind, Node};
use metrics::unit::{self, format_duration, format_size};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What is said at one place; `None` leaves it to the place around it.
#[derive(Clone, Debug, Default)]
pub(super) struct GivenHttp {
    timeout: Option<Duration>,
    first_byte_timeout: Option<Duration>,
    redirects: Option<u32>,
    compression: Option<bool>,
    body_limit: Option<u64>,
    auth: Option<GivenAuth>,
    connection: GivenConnection,
}

/// `auth:` and the saved variables that it reads.
#[derive(Clone, Debug)]
struct GivenAuth {
    auth: Arc<Auth>,
    place: Span,
    reads: Vec<String>,
    /// The `setup.NAME`s that it reads.
    reads_setup: Vec<String>,
    /// Whether it reads what only users have.
    reads_user: bool,
}

impl GivenHttp {
    /// This, and where it is silent what `around` says.
    pub(super) fn over(self, around: &GivenHttp) -> GivenHttp {
        GivenHttp {
            timeout: self.timeout.or(around.timeout),
            first_byte_timeout: self.first_byte_timeout.or(around.first_byte_timeout),
            redirects: self.redirects.or(around.redirects),
            compression: self.compression.or(around.compression),
            body_limit: self.body_limit.or(around.body_limit),
            auth: self.auth.or_else(|| around.auth.clone()),
            connection: self.connection.over(&around.connection),
        }
    }

    /// How users connect.
    pub(super) fn settings(&self) -> ConnectionSettings {
        self.connection.settings()
    }

    /// Longest time for a whole request that says nothing itself.
    pub(super) fn request_timeout(&self) -> Duration {
        self.timeout.unwrap_or(DEFAULT_TIMEOUT)
    }
}

impl Reader<'_> {
    /// `http:`; says nothing without it.
    pub(super) fn http(&mut self, entry: Option<&Entry>, visible: &Visible<'_>) -> GivenHttp {
        let fields = entry.and_then(|e| Fields::new(self, &e.value, e.key_span, &HTTP));
        let Some(fields) = fields else { return GivenHttp::default() };
        let mut given = self.of_request(&fields, visible);
        given.connection = self.connection(&fields);
        given
    }

    /// `http:` of a user class, over the plan's from here on. What its requests are given may be anything that its
    /// `on_start` saves.
    pub(super) fn class_http(
        &mut self,
        fields: &Fields<'_>,
        class: &str,
        saves: &[SavedName],
        rows: &Rc<[RowName]>,
    ) -> ConnectionSettings {
        let mut names = BTreeSet::new();
        if let Some(on_start) = fields.get(ON_START) {
            names_saved(&on_start.value, &|name| self.flow_named(name), &mut BTreeSet::new(), &mut names);
        }
        let mut visible = Visible::task(class, "", saves).with_rows(rows);
        visible.save(names);
        self.http = self.http(fields.get("http"), &visible).over(&self.http);
        self.http.settings()
    }

    /// The keys that `http:` and requests share.
    fn of_request(&mut self, fields: &Fields<'_>, visible: &Visible<'_>) -> GivenHttp {
        GivenHttp {
            timeout: fields.get("timeout").and_then(|e| self.timeout(&e.value)),
            first_byte_timeout: fields.get("first_byte_timeout").and_then(|e| self.timeout(&e.value)),
            redirects: fields.get("redirects").and_then(|e| self.integer(&e.value, 0, MAX_REDIRECTS)),
            compression: fields.get("compression").and_then(|e| self.switch(&e.value)),
            body_limit: fields.get("body_limit").and_then(|e| self.body_limit(&e.value)),
            auth: fields.get("auth").and_then(|e| self.auth(e, visible)),
            ..GivenHttp::default()
        }
    }

    /// What holds for one request: its own keys over those of its class and its plan.
    pub(super) fn request_settings(
        &mut self,
        fields: &Fields<'_>,
        place: &StepPlace<'_>,
        visible: &Visible<'_>,
    ) -> RequestSettings {
        self.two_authorizations(fields);
        let own = self.of_request(fields, visible);
        let reach = if own.auth.is_some() { AuthReach::AnyOrigin } else { AuthReach::Target };
        let mut given = own.over(&self.http);
        given.auth = given.auth.filter(|auth| self.is_for_chore(auth, place, visible));
        let unknown = |auth: &GivenAuth| auth.reads.iter().find(|name| !visible.has_saved(name)).cloned();
        let auth = match given.auth.map(|auth| (unknown(&auth), auth)) {
            Some((None, auth)) => Some(SentAuth { auth: auth.auth, reach }),
            // Before `on_start` has saved what the class's `auth` reads, requests go without it: they earn it.
            Some((Some(_), _)) if place.task == ON_START => None,
            Some((Some(name), auth)) => {
                if !visible.open_ended {
                    let name = shown(&name);
                    let problem = format!("{name} may have no value when a task begins");
                    let remedy = format!("`save` or `set` {name} on every way through `on_start`");
                    self.report(Problem::new(auth.place, problem, remedy));
                }
                None
            }
            None => None,
        };
        let default = RequestSettings::default();
        RequestSettings {
            timeout: given.timeout.unwrap_or(default.timeout),
            first_byte_timeout: given.first_byte_timeout,
            redirects: given.redirects.unwrap_or(default.redirects),
            compression: given.compression.unwrap_or(default.compression),
            body_limit: given.body_limit.unwrap_or(default.body_limit),
            auth,
        }
    }

    fn two_authorizations(&mut self, fields: &Fields<'_>) {
        let (Some(auth), Some(headers)) = (fields.get("auth"), fields.get("headers")) else { return };
        let crate::yaml::Value::Mapping(headers) = &headers.value.value else { return };
        if let Some(header) = headers.iter().find(|e| e.key.eq_ignore_ascii_case("authorization")) {
            let problem = format!("`auth` beside the header {}", shown(&header.key));
            self.report(
                Problem::new(auth.key_span, problem, "remove one of them")
                    .related(header.key_span, "the other one"),
            );
        }
    }

    fn auth(&mut self, entry: &Entry, visible: &Visible<'_>) -> Option<GivenAuth> {
        let fields = Fields::new(self, &entry.value, entry.key_span, &AUTH)?;
        let auth = match fields.among(&["basic", "bearer"])[..] {
            [("basic", entry)] => self.basic(entry, visible)?,
            [(_, entry)] => Auth::Bearer(self.text_template(&entry.value, TOKEN, visible)?),
            [] => {
                let remedy =
                    "write `{ bearer: \"${token}\" }` or `{ basic: { user: ada, password: secret } }`";
                self.report(Problem::new(fields.place, "`auth` without a scheme", remedy));
                return None;
            }
            [(_, first), (_, second), ..] => {
                self.report(
                    Problem::new(second.key_span, "`bearer` beside `basic`", "remove one of them")
                        .related(first.key_span, "the other one"),
                );
                return None;
            }
        };
        let names: Vec<_> = auth
            .templates()
            .into_iter()
            .flat_map(Template::expressions)
            .flat_map(Expression::variables)
            .collect();
        let reads = names.iter().map(|v| v.path[0].clone()).filter(|name| visible.has_saved(name)).collect();
        let of_setup = names.iter().filter(|v| v.path[0] == "setup");
        let reads_setup = of_setup.filter_map(|v| v.path.get(1).cloned()).collect();
        let reads_user = names.iter().any(|v| ["user", "row"].contains(&v.path[0].as_str()));
        Some(GivenAuth { auth: Arc::new(auth), place: entry.key_span, reads, reads_setup, reads_user })
    }

    /// Whether the request at `place` is sent with `auth`: those of setup go without one that reads what it has
    /// not saved yet, because they earn it.
    fn is_for_chore(&mut self, auth: &GivenAuth, place: &StepPlace<'_>, visible: &Visible<'_>) -> bool {
        let Some(kind) = place.chore else { return true };
        if auth.reads_user {
            let problem = format!("{} sends this `auth`, and no user runs that", kind.name());
            let remedy = "use `setup.NAME` or `env.NAME` in it, or move it into the user classes";
            self.report(Problem::new(auth.place, problem, remedy));
        }
        kind != ChoreKind::Setup || auth.reads_setup.iter().all(|name| visible.has_saved(name))
    }

    fn basic(&mut self, entry: &Entry, visible: &Visible<'_>) -> Option<Auth> {
        let fields = Fields::new(self, &entry.value, entry.key_span, &BASIC_AUTH)?;
        let user = self.required(&fields, "user", "user: ada");
        let user_template = user.and_then(|e| self.template(&e.value, CREDENTIAL, visible));
        let password = self.required(&fields, "password", "password: \"${env.PASSWORD}\"");
        let password = password.and_then(|e| self.template(&e.value, CREDENTIAL, visible));
        let literal = user_template.as_ref().and_then(Template::as_literal);
        if let (Some(entry), Some(true)) = (user, literal.map(|text| text.contains(':'))) {
            let problem = "a user name with a colon, which basic authentication cannot carry";
            self.report(Problem::new(entry.value.span, problem, "choose another user name"));
        }
        Some(Auth::Basic { user: user_template?, password: password? })
    }

    pub(super) fn timeout(&mut self, node: &Node) -> Option<Duration> {
        let timeout = self.positive_duration(node)?;
        if timeout > MAX_TIMEOUT {
            let problem = format!(
                "a timeout of {} is longer than the limit of {}",
                format_duration(timeout),
                format_duration(MAX_TIMEOUT)
            );
            self.report(Problem::new(node.span, problem, "choose a shorter one"));
            return None;
        }
        Some(timeout)
    }

    fn body_limit(&mut self, node: &Node) -> Option<u64> {
        let expected =
            Expected { what: "a size such as `16MiB`", remedy: "write a number and its unit: `64KiB`" };
        if let Some(text) = node.scalar().filter(|s| s.is_number()).map(|s| &s.text) {
            let problem =
                format!("expected {}, found {}: a bare number has no unit", expected.what, node.describe());
            let remedy = format!("write `{text}KiB` or `{text}MiB`");
            self.report(Problem::new(node.span, problem, remedy).label("no unit"));
            return None;
        }
        let limit = self.parsed(node, expected, unit::parse_size)?;
        if !(1..=MAX_BODY_LIMIT).contains(&limit) {
            let problem = format!("a body limit of {} is out of range", format_size(limit));
            let remedy = format!("choose 1B to {}", format_size(MAX_BODY_LIMIT));
            self.report(Problem::new(node.span, problem, remedy).label("out of range"));
            return None;
        }
        Some(limit)
    }

    /// `on` or `off`.
    pub(super) fn switch(&mut self, node: &Node) -> Option<bool> {
        let expected = Expected { what: "`on` or `off`", remedy: "write `on` or `off`" };
        let constant = self.constant(node, expected)?;
        match (constant.kind, constant.text.as_str()) {
            (Kind::Bool(on), _) => Some(on),
            (Kind::Text, "on") => Some(true),
            (Kind::Text, "off") => Some(false),
            _ => {
                self.wrong(node, expected);
                None
            }
        }
    }
}

const TOKEN: Expected = Expected { what: "a token", remedy: "write `bearer: \"${token}\"`" };
const CREDENTIAL: Expected =
    Expected { what: "a single value", remedy: "write a text or a `${…}`; in quotes if it is empty" };

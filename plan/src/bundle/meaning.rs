//! What a plan means, as text: one fact a line, independent of how the model is laid out in memory.

use crate::arrivals::{Arrivals, Times};
use crate::chore::ChoreKind;
use crate::data::{self, Binding};
use crate::flow::{Count, Poll, Stop};
use crate::judge::{Expect, JsonPath, Save, Source, StatusPattern};
use crate::model::{
    Auth, Body, ConnectionSettings, Part, PartContent, Plan, Proxy, Request, RequestSettings, Resolve,
    SentAuth, Step, ThresholdScope, TlsSettings,
};
use crate::observe::{Figure, FigureSource, Probe};
use crate::schedule::{Schedule, Shape};
use crate::slot::{Share, Slot};
use crate::template::{Expression, JsonTemplate, Template};
use crate::wait::Wait;
use crate::websocket::{Message, MessageExpect, Payload, Receive, Send, Wanted, WebSocket};
use std::fmt::Write as _;
use std::time::Duration;

/// At how many instants, slots and lives the schedule and the interleave of classes are looked at.
const PROBES: u32 = 256;

/// Facts as lines. Texts are quoted, so no text can pass for another fact.
struct Facts {
    lines: String,
}

impl Facts {
    fn add(&mut self, name: &str, value: impl std::fmt::Display) {
        writeln!(self.lines, "{name} {value}").expect("a String takes any text");
    }

    fn text(&mut self, name: &str, value: &str) {
        self.add(name, quoted(value));
    }
}

/// The rendering that [`Plan::meaning_sha256`] digests.
pub(super) fn describe(plan: &Plan) -> String {
    let mut facts = Facts { lines: String::new() };
    facts.text("plan", &plan.name);
    facts.text("target", plan.target.as_str());
    facts.add("seed", plan.seed);
    for (name, value) in plan.params.iter() {
        facts.add("param", format_args!("{name} {value}"));
    }
    facts.add("stop_timeout", plan.stop_timeout.as_nanos());
    facts.add("warmup", plan.warmup.as_nanos());
    if let Some(finite) = plan.iterations {
        facts.add("iterations", finite.total());
    }
    if let Some(price) = plan.agent_hour {
        facts.add("agent_hour", price);
    }
    schedule(&mut facts, &plan.schedule);
    if let Some(given) = &plan.arrivals {
        arrivals(&mut facts, given, plan.seed);
    }
    for group in &plan.groups {
        facts.text("group", &group.name);
    }
    for scoped in &plan.thresholds {
        let scope = match scoped.scope {
            ThresholdScope::Plan => "plan".into(),
            ThresholdScope::Group(id) => format!("group {}", id.0),
            ThresholdScope::Request(id) => format!("series {}", id.0),
        };
        facts.text(&format!("threshold of {scope}"), &scoped.threshold.expression);
    }
    for series in &plan.series {
        let group = series.group.map_or(-1, |g| i64::from(g.0));
        let place =
            format!("series {} class {} group {group} {}", series.id.0, series.class.0, series.method());
        facts.add(&place, format_args!("{} {}", quoted(&series.task), quoted(&series.name)));
    }
    for source in &plan.data {
        data(&mut facts, source);
    }
    for asked in &plan.probes {
        probe(&mut facts, asked);
    }
    let order: Vec<String> = (0..PROBES).map(|s| plan.slots.of(Slot(s)).0.to_string()).collect();
    facts.add("slots", order.join(","));
    for class in &plan.classes {
        facts.text("class", &class.name);
        match class.share {
            Share::Weight(weight) => facts.add("weight", weight),
            Share::Fixed(users) => facts.add("fixed", users),
        }
        facts.add("wait", wait(&class.wait));
        connection(&mut facts, &class.connection);
        for Binding { name, source, first_rank, users, failures } in class.data.iter() {
            let failures = failures.map_or(-1, |series| i64::from(series.0));
            facts.add(
                &format!("rows {name}"),
                format_args!("{} {first_rank} {users} {failures}", source.index),
            );
        }
        steps(&mut facts, &class.on_start);
        for task in &class.tasks {
            facts.text("task", &task.name);
            facts.add("weight", task.weight);
            steps(&mut facts, &task.steps);
        }
    }
    for (kind, chore) in [(ChoreKind::Setup, &plan.setup), (ChoreKind::Teardown, &plan.teardown)] {
        let Some(chore) = chore else { continue };
        facts.add(kind.name(), chore.timeout.as_nanos());
        for series in &chore.series {
            facts.add("chore series", format_args!("{:?} {}", series.kind, quoted(&series.name)));
        }
        steps(&mut facts, &chore.steps);
    }
    facts.lines
}

fn probe(facts: &mut Facts, probe: &Probe) {
    let Probe { name, url, headers, every, timeout, connection, figures, thresholds } = probe;
    facts.text("probe", name);
    facts.add("every", format_args!("{} {} {}", every.as_nanos(), timeout.as_nanos(), template(url)));
    pairs(facts, "header", headers);
    self::connection(facts, connection);
    for Figure { name, source } in figures {
        match source {
            FigureSource::Json(path) => facts.text(&format!("figure {name} json"), path.source()),
            FigureSource::Metric(selector) => facts.text(&format!("figure {name} metric"), selector.source()),
        }
    }
    for threshold in thresholds {
        facts.text("threshold of it", &threshold.expression);
    }
}

fn data(facts: &mut Facts, source: &data::Source) {
    let data::Source { name, index, table, pick, per, when_exhausted } = source;
    facts.text(&format!("data {index}"), name);
    facts.add("pick", format_args!("{pick:?} {per:?} {when_exhausted:?}"));
    for column in table.columns() {
        facts.add("column", format_args!("{:?} {}", column.cells, quoted(&column.name)));
    }
    facts.add("cells", format_args!("{} {}", table.rows(), table.sha256()));
}

fn schedule(facts: &mut Facts, schedule: &Schedule) {
    facts.add("end", schedule.end().as_nanos());
    facts.add("max_users", schedule.max_users());
    let probe = |n: u32, of: u128| (of * u128::from(n) / u128::from(PROBES)) as u64;
    for n in 0..PROBES {
        let at = Duration::from_nanos(probe(n, schedule.end().as_nanos()));
        let slot = Slot(probe(n, u128::from(schedule.max_users())) as u32);
        facts.add("users", format_args!("{} at {}", schedule.users_at(at), at.as_nanos()));
        for life in schedule.lives(slot) {
            facts.add("life", format_args!("{} {} {}", slot.0, life.start.as_nanos(), life.stop.as_nanos()));
        }
    }
}

fn arrivals(facts: &mut Facts, arrivals: &Arrivals, seed: u64) {
    for phase in arrivals.phases() {
        let shape = if phase.shape == Shape::Ramp { "over" } else { "for" };
        let (count, per_ns) = (phase.rate.count, phase.rate.per_ns);
        facts.add("arrivals", format_args!("{count} {per_ns} {shape} {}", phase.length.as_nanos()));
    }
    let mut times = Times::new(arrivals, seed);
    for number in 0..u64::from(PROBES) {
        let Some(at) = times.at(number) else { break };
        facts.add("arrival", format_args!("{number} at {}", at.as_nanos()));
    }
}

fn wait(wait: &Wait) -> String {
    match wait {
        Wait::None => "none".into(),
        Wait::Constant(d) => format!("constant {}", d.as_nanos()),
        Wait::Uniform { min, max } => format!("uniform {} {}", min.as_nanos(), max.as_nanos()),
        Wait::Pacing(d) => format!("pacing {}", d.as_nanos()),
        Wait::Exponential(d) => format!("exponential {}", d.as_nanos()),
    }
}

fn steps(facts: &mut Facts, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Request(request) => self::request(facts, request),
            Step::Poll(poll) => self::poll(facts, poll),
            Step::Think(think) => facts.add("think", wait(&think.wait)),
            Step::Set(set) => {
                for (name, value) in &set.variables {
                    facts.add("set", format_args!("{} {name} {}", set.failures.0, json(value)));
                }
            }
            Step::If(branch) => {
                let condition = quoted(branch.condition.source());
                facts.add("if", format_args!("{} {condition}", branch.failures.0));
                nested(facts, "then", &branch.then);
                nested(facts, "else", &branch.otherwise);
            }
            Step::Repeat(repeat) => {
                let count = match &repeat.count {
                    Count::Fixed(rounds) => rounds.to_string(),
                    Count::Computed(expression) => quoted(expression.source()),
                };
                facts.add("repeat", format_args!("{} {count}", repeat.failures.0));
                nested(facts, "rounds", &repeat.steps);
            }
            Step::Transaction(transaction) => {
                nested(facts, &format!("transaction {}", transaction.series.0), &transaction.steps);
            }
            Step::Call(steps) => nested(facts, "call", steps),
            Step::Stop(Stop::Iteration) => facts.add("stop", "iteration"),
            Step::Stop(Stop::User) => facts.add("stop", "user"),
            Step::WebSocket(socket) => self::websocket(facts, socket),
            Step::Message(message) => self::message(facts, message),
        }
    }
}

fn nested(facts: &mut Facts, name: &str, steps: &[Step]) {
    facts.add(name, "{");
    self::steps(facts, steps);
    facts.add(name, "}");
}

fn poll(facts: &mut Facts, poll: &Poll) {
    let Poll { request, completion, every, timeout, until, fail_if, save } = poll;
    facts.add("poll", format_args!("{} {} {}", completion.0, every.as_nanos(), timeout.as_nanos()));
    facts.text("until", until.source());
    if let Some(fail_if) = fail_if {
        facts.text("fail_if", fail_if.source());
    }
    self::request(facts, request);
    saves(facts, save);
}

fn websocket(facts: &mut Facts, socket: &WebSocket) {
    let WebSocket { request, subprotocols, timeout, session, isolation, isolated, steps } = socket;
    facts.add("websocket", format_args!("{} {}", session.0, timeout.as_nanos()));
    self::request(facts, request);
    for subprotocol in subprotocols {
        facts.text("subprotocol", subprotocol);
    }
    if let Some(isolation) = isolation {
        let (pattern, only) = (quoted(isolation.pattern.as_str()), template(&isolation.only));
        facts.add("isolation", format_args!("{pattern} {only}"));
    }
    if let Some(isolated) = isolated {
        facts.add("isolated", format_args!("{}", isolated.0));
    }
    nested(facts, "messages", steps);
}

fn message(facts: &mut Facts, message: &Message) {
    match message {
        Message::Send(Send { failures, payload, name }) => {
            let (kind, payload) = match payload {
                Payload::Json(value) => ("json", json(value)),
                Payload::Text(text) => ("text", template(text)),
                Payload::Binary(text) => ("binary", template(text)),
            };
            facts.add("send", format_args!("{} {kind} {payload}", failures.0));
            if let Some(name) = name {
                facts.text("as", name);
            }
        }
        Message::Receive(receive) => self::receive(facts, receive),
        Message::Ping(ping) => {
            facts.add("ping", format_args!("{} {}", ping.series.0, ping.timeout.as_nanos()));
        }
        Message::Close(close) => {
            let reason = template(&close.reason);
            facts.add("close", format_args!("{} {} {reason}", close.failures.0, close.code));
        }
    }
}

fn receive(facts: &mut Facts, receive: &Receive) {
    let Receive { series, answers, wanted, fail_if, timeout, expect, save } = receive;
    let wanted = match wanted {
        Wanted::Any => "any".to_owned(),
        Wanted::Until(until) => format!("until {}", quoted(until.source())),
        Wanted::For(time) => format!("for {}", time.as_nanos()),
        Wanted::Close(code) => format!("close {code}"),
    };
    facts.add("receive", format_args!("{} {} {wanted}", series.0, timeout.as_nanos()));
    if let Some(answers) = answers {
        facts.text("answers", answers);
    }
    if let Some(fail_if) = fail_if {
        facts.text("fail_if", fail_if.source());
    }
    let MessageExpect { max_time, json, that } = expect;
    checks(facts, *max_time, json, that);
    saves(facts, save);
}

fn request(facts: &mut Facts, request: &Request) {
    let Request { series, method, url, query, headers, body, expect, save, settings } = request;
    facts.add("request", format_args!("{} {} {}", series.0, method.as_str(), template(url)));
    pairs(facts, "query", query);
    pairs(facts, "header", headers);
    match body {
        Body::Empty => {}
        Body::Json(value) => facts.add("json", json(value)),
        Body::Form(fields) => pairs(facts, "form", fields),
        Body::Multipart(parts) => multipart(facts, parts),
        Body::Text(text) => facts.add("body", template(text)),
    }
    self::settings(facts, settings);
    expectation(facts, expect);
    saves(facts, save);
}

fn saves(facts: &mut Facts, saves: &[Save]) {
    for Save { name, source, default } in saves {
        if let Some(default) = default {
            facts.add(&format!("save {name} default"), default);
        }
        match source {
            Source::JsonPath(path) => facts.text(&format!("save {name} json"), path.source()),
            Source::Header(header) => facts.text(&format!("save {name} header"), header),
            Source::Regex(pattern) => facts.text(&format!("save {name} regex"), pattern.source()),
            Source::Css(selection) => {
                facts.text(&format!("save {name} css"), selection.source());
                if let Some(attribute) = &selection.attribute {
                    facts.text(&format!("save {name} attribute"), attribute);
                }
            }
        }
    }
}

fn connection(facts: &mut Facts, settings: &ConnectionSettings) {
    let ConnectionSettings {
        connect_timeout,
        keep_alive,
        cookies,
        tls,
        version,
        resolve,
        sources,
        proxy,
        no_proxy,
        unix,
    } = settings;
    let TlsSettings { insecure, server_name, authorities, client } = tls;
    facts.add("connection", format_args!("{} {keep_alive} {cookies} {insecure}", connect_timeout.as_nanos()));
    for certificate in authorities {
        facts.add("authority", super::sha256_hex(certificate));
    }
    if let Some(client) = client {
        let chain: Vec<String> = client.chain.iter().map(|one| super::sha256_hex(one)).collect();
        facts.add(
            "client",
            format_args!("{} {}", chain.join(","), super::sha256_hex(client.key.secret_der())),
        );
    }
    facts.add("version", format_args!("{version:?} {sources:?} {no_proxy:?}"));
    for Resolve { host, port, address, to_port } in resolve {
        facts.add("resolve", format_args!("{} {port:?} {address} {to_port:?}", quoted(host)));
    }
    if let Some(Proxy { host, port, credentials }) = proxy {
        facts.add("proxy", format_args!("{} {port} {credentials:?}", quoted(host)));
    }
    for (name, value) in [("server_name", server_name), ("unix", unix)] {
        if let Some(value) = value {
            facts.text(name, value);
        }
    }
}

fn settings(facts: &mut Facts, settings: &RequestSettings) {
    let RequestSettings { timeout, first_byte_timeout, redirects, compression, body_limit, auth } = settings;
    let timeouts = (timeout.as_nanos(), first_byte_timeout.map_or(0, |t| t.as_nanos()));
    facts.add(
        "settings",
        format_args!("{} {} {redirects} {compression} {body_limit}", timeouts.0, timeouts.1),
    );
    let Some(SentAuth { auth, reach }) = auth else { return };
    match &**auth {
        Auth::Bearer(token) => facts.add("bearer", format_args!("{reach:?} {}", template(token))),
        Auth::Basic { user, password } => {
            facts.add("basic", format_args!("{reach:?} {} {}", template(user), template(password)));
        }
    }
}

fn expectation(facts: &mut Facts, expect: &Expect) {
    for status in &expect.statuses {
        match status {
            StatusPattern::Exactly(code) => facts.add("status", code),
            StatusPattern::Class(digit) => facts.add("status", format_args!("{digit}xx")),
        }
    }
    checks(facts, expect.max_time, &expect.json, &expect.that);
}

fn checks(
    facts: &mut Facts,
    max_time: Option<Duration>,
    values: &[(JsonPath, JsonTemplate)],
    that: &[Expression],
) {
    if let Some(time) = max_time {
        facts.add("time", time.as_nanos());
    }
    for (path, value) in values {
        facts.add("expect json", format_args!("{} {}", quoted(path.source()), json(value)));
    }
    for that in that {
        facts.text("that", that.source());
    }
}

fn multipart(facts: &mut Facts, parts: &[Part]) {
    for Part { name, file_name, media_type, content } in parts {
        let name = quoted(name);
        for (kind, text) in [("file name", file_name), ("type", media_type)] {
            if let Some(text) = text {
                facts.add(&format!("part {kind}"), format_args!("{name} {}", template(text)));
            }
        }
        match content {
            PartContent::Text(text) => facts.add("part", format_args!("{name} {}", template(text))),
            PartContent::File { path, bytes } => {
                let digest = super::sha256_hex(bytes);
                facts.add("part file", format_args!("{name} {} {digest}", quoted(path)));
            }
        }
    }
}

fn pairs(facts: &mut Facts, kind: &str, pairs: &[(String, Template)]) {
    for (name, value) in pairs {
        facts.add(kind, format_args!("{} {}", quoted(name), template(value)));
    }
}

/// What kind of template it is, its text with the expressions in braces, and the expressions again: literal
/// braces cannot pass for an expression.
fn template(template: &Template) -> String {
    if let Some(text) = template.as_literal() {
        return format!("literal {}", quoted(text));
    }
    let sources: Vec<String> = template.expressions().map(|e| quoted(e.source())).collect();
    format!("template {} {}", quoted(&template.display_name()), sources.join(" "))
}

fn json(value: &JsonTemplate) -> String {
    match value {
        JsonTemplate::Null => "null".into(),
        JsonTemplate::Bool(value) => value.to_string(),
        JsonTemplate::Number(number) => number.to_string(),
        JsonTemplate::Text(text) => template(text),
        JsonTemplate::Array(items) => {
            let items: Vec<String> = items.iter().map(json).collect();
            format!("[{}]", items.join(", "))
        }
        JsonTemplate::Object(members) => {
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{}: {}", quoted(name), json(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

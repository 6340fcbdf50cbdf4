//! What plans mean once they are compiled.

use metrics::unit::Rate;
use plan::flow::{Count, Stop};
use plan::model::{Auth, Body, GroupId, HttpVersion, Request, Series, Step, ThresholdScope};
use plan::schedule::{Schedule, Shape, Stage};
use plan::slot::{Share, Slot};
use plan::wait::Wait;
use plan::{Bundle, Plan, Settings};
use std::collections::BTreeMap;
use std::time::Duration;

const DESIGN: &str = include_str!("data/design.yaml");
const PLATFORM: &str = include_str!("data/platform.yaml");

fn compile(source: &str, settings: Settings) -> Plan {
    let bundle = Bundle { file: "plan.yaml".into(), source: source.into(), settings };
    bundle.compile().unwrap_or_else(|e| panic!("{e}"))
}

fn profile(name: &str) -> Settings {
    Settings { profile: Some(name.into()), ..Settings::default() }
}

fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

#[expect(clippy::unnecessary_wraps, reason = "what schedules take")]
fn per_second(count: u64) -> Option<Rate> {
    Some(Rate { count, per_ns: 1_000_000_000 })
}

fn request(plan: &Plan, class: usize, task: usize, step: usize) -> &Request {
    match &plan.classes[class].tasks[task].steps[step] {
        Step::Request(request) => request,
        other => panic!("not a request: {other:?}"),
    }
}

/// `scope: sentence` of every threshold.
fn thresholds(plan: &Plan) -> Vec<String> {
    let scope = |scope| match scope {
        ThresholdScope::Plan => "plan".to_owned(),
        ThresholdScope::Group(GroupId(id)) => plan.groups[id as usize].name.clone(),
        ThresholdScope::Request(id) => plan.series[id.0 as usize].name.clone(),
    };
    plan.thresholds.iter().map(|t| format!("{}: {}", scope(t.scope), t.threshold.expression)).collect()
}

/// `class / task / name` of every series, in order, and its group.
fn series(plan: &Plan) -> Vec<String> {
    plan.series
        .iter()
        .enumerate()
        .map(|(number, s)| {
            assert_eq!(s.id.0 as usize, number);
            let group = s.group.map_or("-", |g| &plan.groups[g.0 as usize].name);
            format!("{} / {} / {} ({group})", plan.classes[s.class.0 as usize].name, s.task, s.name)
        })
        .collect()
}

#[test]
fn chores_have_series_of_their_own() {
    let plan = compile(PLATFORM, Settings::default());
    let (setup, teardown) = (plan.setup.expect("setup"), plan.teardown.expect("teardown"));
    assert_eq!((setup.timeout, teardown.timeout), (secs(120), secs(10)));
    let names: Vec<&str> = setup.series.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["POST /api/v1/seed", "steps", "GET /api/v1/seed/{setup.tenant}/{run.id}"]);
    let Step::Request(delete) = &teardown.steps[0] else { panic!("{teardown:?}") };
    assert_eq!(delete.series.0, 0);
    assert_eq!(teardown.series[0].name, "DELETE /api/v1/seed/{setup.tenant}");
    assert!(!plan.series.iter().any(|series| series.name.contains("seed")));
    assert_eq!(compile(DESIGN, Settings::default()).setup.map(|s| s.timeout), Some(secs(60)));
    let without = DESIGN.lines().filter(|line| !line.starts_with("setup") && !line.starts_with("teardown"));
    let plan = compile(&without.collect::<Vec<_>>().join("\n"), Settings::default());
    assert!(plan.setup.is_none() && plan.teardown.is_none());
}

#[test]
fn setup_earns_the_authorization_that_it_gives_to_all() {
    let text = "version: 1\nname: T\ntarget: http://localhost\nload: { users: 1, duration: 1s }\n\
        http: { auth: { bearer: \"${setup.token}\" }, timeout: 5s }\n\
        setup: [ { post: /login, save: { token: $.token } }, { get: /me } ]\n\
        teardown: [ { post: /logout } ]\nusers: { U: { tasks: { t: { get: / } } } }\n";
    let plan = compile(text, Settings::default());
    let sent = |step: &Step| match step {
        Step::Request(request) => (request.settings.auth.is_some(), request.settings.timeout),
        other => panic!("not a request: {other:?}"),
    };
    let (setup, teardown) = (plan.setup.expect("setup"), plan.teardown.expect("teardown"));
    assert_eq!(setup.steps.iter().map(sent).collect::<Vec<_>>(), [(false, secs(5)), (true, secs(5))]);
    assert_eq!(sent(&teardown.steps[0]), (true, secs(5)));
    assert_eq!(sent(&plan.classes[0].tasks[0].steps[0]), (true, secs(5)));
}

#[test]
fn what_users_share_with_a_chore_in_a_flow_is_measured_for_users_only() {
    let text = "version: 1\nname: T\ntarget: http://localhost\nload: { users: 1, duration: 1s }\n\
        groups: { g: { thresholds: [ \"p95 < 1s\" ] } }\n\
        flows: { login: { steps: [ { post: /login, group: g, thresholds: [ \"max < 2s\" ] } ] } }\n\
        setup: [ { call: login }, { group: both, steps: [ { call: login } ] } ]\n\
        users: { U: { tasks: { t: { steps: [ { call: login } ] } } } }\n";
    let plan = compile(text, Settings::default());
    assert_eq!(thresholds(&plan), ["g: p95 < 1s", "POST /login: max < 2s"]);
    assert_eq!(plan.setup.map(|setup| setup.series.len()), Some(2));
    let unused = text.replace(
        "users: { U: { tasks: { t: { steps: [ { call: login } ] } } } }",
        "users: { U: { tasks: { t: { get: / } } } }",
    );
    let bundle = Bundle { file: "plan.yaml".into(), source: unused, settings: Settings::default() };
    assert!(bundle.compile().expect_err("unused").to_string().contains("no request belongs to group `g`"));
}

#[test]
fn the_example_of_the_design_means_what_it_says() {
    let plan = compile(DESIGN, Settings { seed: 7, ..Settings::default() });
    assert_eq!((plan.name.as_str(), plan.profile.as_deref(), plan.seed), ("Platform API", None, 7));
    assert_eq!(plan.target.as_str(), "http://127.0.0.1:8000/");
    assert_eq!(plan.schedule, Schedule::constant(1000, per_second(10), secs(300)));
    assert_eq!(plan.stop_timeout, secs(30));
    assert_eq!(plan.env_used.iter().collect::<Vec<_>>(), ["LOAD_TEST_HOST"]);
    assert_eq!(
        thresholds(&plan),
        [
            "auth: success_rate >= 99%",
            "auth: p95 <= 200ms",
            "generation: success_rate >= 95%",
            "generation: p95 <= 500ms critical 1s",
            "generation: rate >= 10/s",
        ]
    );
    assert_eq!(
        series(&plan),
        [
            "AuthUser / on_start / POST /api/v1/auth/login (auth)",
            "AuthUser / profile / GET /api/v1/me (auth)",
            "AuthUser / register / POST /api/v1/auth/register (auth)",
            "GenerationUser / create / POST /api/v1/generation/create (generation)",
            "GenerationUser / create / GET /api/v1/generation/{id} (generation)",
        ]
    );
    let [auth, generation, ..] = &plan.classes[..] else { panic!("two classes") };
    assert_eq!((auth.share, auth.wait), (Share::Weight(3), Wait::Uniform { min: secs(1), max: secs(3) }));
    assert_eq!((generation.share, generation.wait), (Share::Weight(1), Wait::Pacing(secs(2))));
    let tasks: Vec<(&str, u32)> = auth.tasks.iter().map(|t| (t.name.as_str(), t.weight)).collect();
    assert_eq!(tasks, [("profile", 50), ("register", 30)]);
    let of_generation = (0..8).filter(|&slot| plan.slots.of(Slot(slot)).0 == 1).count();
    assert_eq!(of_generation, 2);
}

#[test]
fn profiles_lie_over_the_load() {
    assert_eq!(
        compile(DESIGN, profile("light")).schedule,
        Schedule::constant(100, per_second(10), secs(120)),
        "the spawn rate stays"
    );
    let stage = |users, shape, s| Stage { users, shape, length: secs(s) };
    assert_eq!(
        compile(DESIGN, profile("spike")).schedule,
        Schedule::stages(&[
            stage(100, Shape::Ramp, 10),
            stage(2000, Shape::Ramp, 10),
            stage(2000, Shape::Hold, 300),
            stage(0, Shape::Ramp, 30),
        ])
    );
    let steady = compile(PLATFORM, profile("steady"));
    assert_eq!(steady.profile.as_deref(), Some("steady"));
    assert_eq!(steady.schedule, Schedule::held(50, per_second(10), secs(600)));
    assert_eq!(steady.stop_timeout, secs(20));
    assert_eq!(
        thresholds(&steady),
        [
            "plan: error_rate <= 2%",
            "auth: p95 <= 300ms",
            "generation: success_rate >= 95%",
            "generation: p95 <= 500ms critical 1s",
            "generation: rate >= 10/s",
            "POST /api/v1/auth/register: p99 <= 2s",
            "browse: p95 <= 20s",
            "wait for it / complete: p95 <= 10s",
            "watch / session: success_rate >= 90%",
            "watch / started: p95 <= 1s",
            "watch / ping: p95 <= 100ms",
        ]
    );
}

#[test]
fn settings_lie_over_profiles() {
    let settings = |users, spawn_rate, duration: Option<u64>| Settings {
        users,
        spawn_rate,
        duration: duration.map(secs),
        ..Settings::default()
    };
    let check = |source: &str, profile: Option<&str>, settings: Settings, expected: Schedule| {
        let settings = Settings { profile: profile.map(str::to_owned), ..settings };
        assert_eq!(compile(source, settings).schedule, expected);
    };
    let schedule = Schedule::constant;
    check(DESIGN, None, settings(Some(5), None, None), schedule(5, per_second(10), secs(300)));
    check(DESIGN, None, settings(None, per_second(3), None), schedule(1000, per_second(3), secs(300)));
    check(DESIGN, Some("light"), settings(None, None, Some(9)), schedule(100, per_second(10), secs(9)));
    check(PLATFORM, Some("steady"), settings(None, None, Some(9)), schedule(50, per_second(10), secs(9)));
    check(DESIGN, Some("spike"), settings(Some(5), None, None), schedule(5, None, secs(350)));
    check(
        DESIGN,
        Some("spike"),
        settings(Some(5), per_second(1), Some(9)),
        schedule(5, per_second(1), secs(9)),
    );
}

#[test]
fn the_target_comes_from_the_settings_then_from_the_plan() {
    let target = |source: &str, settings: Settings| compile(source, settings).target.to_string();
    let env = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    let host = env("LOAD_TEST_HOST", "https://staging.example.com/base/");
    assert_eq!(
        target(DESIGN, Settings { env: host.clone(), ..Settings::default() }),
        "https://staging.example.com/base"
    );
    let given = Some("http://10.0.0.1:81".to_owned());
    assert_eq!(
        target(DESIGN, Settings { env: host, target: given.clone(), ..Settings::default() }),
        "http://10.0.0.1:81/"
    );
    let without = DESIGN.replace("target: ", "# target: ");
    assert_eq!(target(&without, Settings { target: given, ..Settings::default() }), "http://10.0.0.1:81/");
}

#[test]
fn environment_variables_are_read_like_plain_scalars() {
    let env = [("STEADY_USERS", "77"), ("P95_MS", "450")].map(|(n, v)| (n.to_owned(), v.to_owned()));
    let plan = compile(PLATFORM, Settings { env: env.into(), ..profile("steady") });
    assert_eq!(plan.schedule.max_users(), 77);
    assert!(thresholds(&plan).contains(&"generation: p95 <= 450ms critical 1s".to_owned()));
    assert_eq!(
        plan.env_used.iter().collect::<Vec<_>>(),
        ["API_TOKEN", "LOAD_TEST_HOST", "P95_MS", "PROXY_PASSWORD", "STEADY_USERS"],
        "the names that travel to the agents"
    );
}

#[test]
fn requests_are_read_whole() {
    let plan = compile(PLATFORM, Settings::default());
    assert_eq!(
        series(&plan),
        [
            "AuthUser / on_start / POST /api/v1/auth/login (auth)",
            "AuthUser / profile / GET /api/v1/me (auth)",
            "AuthUser / register / POST /api/v1/auth/register (auth)",
            "AuthUser / logout / log out (auth)",
            "AuthUser / shop / steps (auth)",
            "AuthUser / shop / browse (auth)",
            "AuthUser / shop / GET /api/v1/items (auth)",
            "AuthUser / shop / GET /api/v1/items/next (auth)",
            "AuthUser / shop / POST /api/v1/auth/refresh (auth)",
            "GenerationUser / wait_for / POST /api/v1/generation/create (generation)",
            "GenerationUser / wait_for / wait for it (generation)",
            "GenerationUser / wait_for / wait for it / complete (generation)",
            "GenerationUser / create / POST /api/v1/generation/create (generation)",
            "GenerationUser / create / GET /api/v1/generation/{id} (auth)",
            "GenerationUser / create / PUT {place} (generation)",
            "GenerationUser / create / PATCH /api/v1/generation/{id} (generation)",
            "GenerationUser / create / HEAD /api/v1/generation/{id} (generation)",
            "GenerationUser / create / POST /api/v1/upload (generation)",
            "GenerationUser / create / OPTIONS https://other.example.com/api (generation)",
            "GenerationUser / remove / DELETE /api/v1/generation/{user.slot} (generation)",
            "Watcher / watch / steps (generation)",
            "Watcher / watch / watch (generation)",
            "Watcher / watch / watch / session (generation)",
            "Watcher / watch / watch / started (generation)",
            "Watcher / watch / watch / receive 2 (generation)",
            "Watcher / watch / watch / ping (generation)",
            "Watcher / watch / watch / receive 3 (generation)",
            "Watcher / list / GET /api/v1/generation/list (generation)",
        ]
    );
    let logout = request(&plan, 0, 2, 0);
    assert!(matches!(&logout.body, Body::Form(fields) if fields.len() == 2));
    assert_eq!((logout.expect.statuses.len(), logout.expect.json.len(), logout.expect.that.len()), (1, 1, 2));
    let saved: Vec<&str> = request(&plan, 1, 1, 0).save.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(saved, ["id", "place", "kind"]);
    let get = request(&plan, 1, 1, 1);
    let query: Vec<(&str, Option<&str>)> =
        get.query.iter().map(|(name, value)| (name.as_str(), value.as_literal())).collect();
    assert_eq!(query, [("page", Some("1")), ("kind", None)]);
}

#[test]
fn steps_of_one_task_with_one_name_share_a_series() {
    let source = "
version: 1
name: T
target: http://localhost
load: { users: 1, duration: 1s }
users:
  U:
    tasks:
      t: { steps: [ { get: /a, name: x }, { get: /b, name: x }, { get: '/c?d=1' }, { get: /c } ] }
      u: { get: /a, name: x }
";
    let plan = compile(source, Settings::default());
    assert_eq!(series(&plan), ["U / t / x (-)", "U / t / GET /c (-)", "U / u / x (-)"]);
}

#[test]
fn flow_steps_are_read_whole() {
    let plan = compile(PLATFORM, Settings::default());
    let methods: Vec<&str> = plan.series.iter().filter(|s| s.task == "shop").map(Series::method).collect();
    assert_eq!(methods, ["EVAL", "GROUP", "GET", "GET", "POST"]);
    let [Step::Set(_), Step::Transaction(browse), Step::If(decision), Step::Call(refresh)] =
        &plan.classes[0].tasks[3].steps[..]
    else {
        panic!("{:?}", plan.classes[0].tasks[3].steps)
    };
    let [Step::Repeat(repeat)] = &browse.steps[..] else { panic!("{browse:?}") };
    assert!(matches!(repeat.count, Count::Fixed(3)));
    assert!(
        matches!(&repeat.steps[1], Step::Think(t) if t.wait == Wait::Uniform { min: secs(1), max: secs(3) })
    );
    assert!(matches!(&decision.then[..], [Step::Repeat(r)] if matches!(r.count, Count::Computed(_))));
    assert!(matches!(&decision.otherwise[..], [Step::Think(_), Step::Stop(Stop::Iteration)]));
    assert!(matches!(&refresh[..], [Step::Request(_), Step::Call(settle)] if settle.len() == 2));
    let Step::Poll(poll) = &plan.classes[1].tasks[0].steps[1] else { panic!("a poll") };
    assert_eq!((poll.every, poll.timeout, poll.save.len()), (Duration::from_millis(500), secs(30), 1));
    assert_eq!(plan.series[poll.completion.0 as usize].method(), "POLL");
}

#[test]
fn the_meaning_of_a_plan_covers_its_flow() {
    let meaning = |text: &str| compile(text, Settings::default()).meaning_sha256();
    let same = meaning(PLATFORM);
    assert_eq!(meaning(&PLATFORM.replace("users:\n  Auth", "users: # all\n  Auth")), same);
    for (from, to) in [
        ("think: 500ms", "think: 501ms"),
        ("repeat: 3", "repeat: 4"),
        ("total // 10", "total // 11"),
        ("if: total > 10", "if: total > 11"),
        ("page + 1", "page + 2"),
        ("stop: user", "stop: iteration"),
        ("every: 500ms", "every: 501ms"),
        ("timeout: 30s", "timeout: 31s"),
        ("until: json.status == 'done'", "until: json.status == 'over'"),
        ("json.status == 'failed'", "json.status == 'bad'"),
        ("group: browse", "group: browsing"),
        ("result: $.result", "result: $.answer"),
    ] {
        let changed = PLATFORM.replace(from, to);
        assert_ne!(changed, PLATFORM, "{from}");
        assert_ne!(meaning(&changed), same, "{from}");
    }
}

#[test]
fn the_nearest_http_setting_holds() {
    let plan = compile(PLATFORM, Settings::default());
    let [auth, generation, ..] = &plan.classes[..] else { panic!("two classes") };
    assert_eq!((auth.connection.cookies, generation.connection.cookies), (false, true));
    assert_eq!(auth.connection.connect_timeout, secs(5));
    assert_eq!(auth.connection.tls.server_name.as_deref(), Some("api.example.com"));
    let connection = &generation.connection;
    assert_eq!((connection.version, connection.sources.len()), (HttpVersion::Http1, 2));
    assert_eq!(connection.unix.as_deref(), Some("/run/api.sock"));
    let resolved: Vec<String> = connection
        .resolve
        .iter()
        .map(|r| format!("{} {:?} {} {:?}", r.host, r.port, r.address, r.to_port))
        .collect();
    assert_eq!(resolved, ["www.example.com Some(443) 10.0.0.7 Some(8443)", "api.example.com None ::1 None"]);
    let proxy = connection.proxy.as_ref().expect("a proxy");
    assert_eq!(proxy.credentials, Some(("ada".to_owned(), "none".to_owned())));
    assert_eq!(format!("{proxy:?}"), "Proxy(proxy.example.com:3128)", "the password is not for logs");
    let Step::Request(login) = &auth.on_start[0] else { panic!("a request") };
    assert!(login.settings.auth.is_none(), "the login saves the token that the class sends");
    let of = |class, task, step| &request(&plan, class, task, step).settings;
    assert!(
        matches!(of(0, 1, 0).auth.as_ref().map(|sent| &*sent.auth), Some(Auth::Bearer(t)) if t.display_name() == "{token}")
    );
    assert!(
        matches!(of(1, 1, 0).auth.as_ref().map(|sent| &*sent.auth), Some(Auth::Bearer(t)) if t.display_name() != "{token}")
    );
    assert_eq!((of(0, 1, 0).timeout, of(1, 1, 0).timeout), (secs(30), secs(20)));
    assert_eq!((of(0, 1, 0).redirects, of(0, 1, 0).body_limit), (5, 1 << 20));
    let own = of(1, 1, 4);
    assert_eq!((own.timeout, own.first_byte_timeout, own.redirects), (secs(2), Some(secs(1)), 0));
    assert_eq!((own.compression, own.body_limit), (false, 64 << 10));
    assert!(matches!(own.auth.as_ref().map(|sent| &*sent.auth), Some(Auth::Basic { .. })));
    assert!(matches!(&request(&plan, 1, 1, 5).body, Body::Multipart(parts) if parts.len() == 2));
    let Step::Poll(poll) = &plan.classes[1].tasks[0].steps[1] else { panic!("a poll") };
    let asked = &poll.request.settings;
    assert_eq!((poll.timeout, asked.timeout, asked.redirects), (secs(30), secs(20), 5));
    assert!(asked.auth.is_some(), "polls are asked as the class asks");
    assert!(plan.warnings.is_empty());
}

#[test]
fn defaults_of_http_and_its_warning() {
    let source = |http: &str| {
        format!(
            "version: 1\nname: T\ntarget: https://localhost\nload: {{ users: 1, duration: 1s }}\n{http}\n\
             users: {{ U: {{ tasks: {{ t: {{ get: / }} }} }} }}\n"
        )
    };
    let plan = compile(&source(""), Settings::default());
    let settings = &request(&plan, 0, 0, 0).settings;
    assert_eq!((settings.timeout, settings.first_byte_timeout, settings.redirects), (secs(60), None, 10));
    assert!(settings.compression && plan.classes[0].connection.keep_alive);
    assert_eq!((settings.body_limit, plan.classes[0].connection.connect_timeout), (16 << 20, secs(10)));
    assert!(plan.warnings.is_empty());
    let plan = compile(&source("http: { tls: { insecure: on } }"), Settings::default());
    assert!(plan.classes[0].connection.tls.insecure);
    let [warning] = &plan.warnings[..] else { panic!("one warning: {:?}", plan.warnings) };
    assert_eq!((warning.line, warning.column), (5, 16));
    assert!(warning.problem.contains("accepts any certificate"), "{}", warning.problem);
}

#[test]
fn what_a_class_sends_is_sent_in_on_start_once_it_is_known() {
    let source = "
version: 1
name: T
target: http://localhost
load: { users: 1, duration: 1s }
users:
  U:
    http: { auth: { basic: { user: ada, password: \"${word}\" } } }
    on_start: [ { get: /first }, { get: /login, save: { word: $.w } }, { get: /home } ]
    tasks: { t: { get: / } }
";
    let plan = compile(source, Settings::default());
    let sent = |step: &Step| matches!(step, Step::Request(request) if request.settings.auth.is_some());
    let steps = plan.classes[0].on_start.iter().chain(&plan.classes[0].tasks[0].steps);
    assert_eq!(steps.map(sent).collect::<Vec<_>>(), [false, false, true, true]);
}

#[test]
fn auth_reads_what_on_start_saves_in_any_way() {
    let source = |on_start: &str| {
        format!(
            "version: 1\nname: T\ntarget: http://localhost\nload: {{ users: 1, duration: 1s }}\n\
             flows: {{ login: {{ steps: [ {{ get: /login, save: {{ token: $.t }} }} ] }} }}\nusers:\n  U:\n    \
             http: {{ auth: {{ bearer: \"${{token}}\" }} }}\n    on_start: [ {on_start} ]\n    \
             tasks: {{ t: {{ poll: /, until: status == 200, timeout: 5s }} }}\n"
        )
    };
    let plan = compile(&source("{ call: login }"), Settings::default());
    let Step::Poll(poll) = &plan.classes[0].tasks[0].steps[0] else { panic!("a poll") };
    assert!(poll.request.settings.auth.is_some());
    assert_eq!((poll.timeout, poll.request.settings.timeout), (secs(5), secs(5)));
    let source = source("{ if: user.slot == 0, then: [ { call: login } ] }");
    let bundle = Bundle { file: "t".into(), source, settings: Settings::default() };
    let errors = bundle.compile().expect_err("one way has no token").to_string();
    assert!(errors.contains("`token` may have no value when a task begins"), "{errors}");
    assert!(errors.contains("t:8:13"), "{errors}");
}

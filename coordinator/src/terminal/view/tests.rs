use super::*;
use crate::results::AgentId;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn part(name: &str, requests: u64, failures: u64, p95: u64) -> PartStanding {
    let (p50, p99) = (Some(ms(p95 / 2)), Some(ms(p95 * 2)));
    PartStanding {
        name: name.to_owned(),
        requests,
        failures,
        rps: requests as f64 / 12.0,
        p50,
        p95: Some(ms(p95)),
        p99,
    }
}

fn threshold(expression: &str, scope: &str, status: Status, observed: &str) -> ThresholdStanding {
    let observed = (!observed.is_empty()).then(|| observed.to_owned());
    ThresholdStanding { expression: expression.to_owned(), scope: scope.to_owned(), status, observed }
}

fn agent(name: &str, cpu_permille: u32, strain: Option<&str>) -> (String, AgentStanding) {
    let strain = strain.map(str::to_owned);
    let standing = AgentStanding { agent: AgentId(0), users: 30, cpu_permille, lag: Some(ms(1)), strain };
    (name.to_owned(), standing)
}

fn figure(name: &str, newest: Option<f64>, failures: u64) -> FigureStanding {
    FigureStanding {
        probe: "ingest".to_owned(),
        name: name.to_owned(),
        newest,
        samples: 12 - failures,
        failures,
    }
}

fn live() -> Live {
    Live {
        second: Some(11),
        users: 60,
        target_users: 100,
        rps: 182,
        requests: 2_184,
        failures: 3,
        p95: Some(ms(48)),
        ..Live::default()
    }
}

fn tables() -> Tables {
    Tables {
        parts: vec![
            part("auth", 1_200, 0, 40),
            part("generation", 984, 3, 96),
            part("all requests", 2_184, 3, 48),
        ],
        thresholds: vec![
            threshold("p95 < 500ms", "group `auth`", Status::Pass, "40 ms"),
            threshold("p95 < 90ms critical 1s", "group `generation`", Status::Warn, "96 ms"),
            threshold("success_rate >= 99.9%", "all requests", Status::Fail, "99.86 %"),
            threshold("rate > 100/s over 30s", "all requests", Status::NoData, ""),
        ],
        figures: vec![figure("queue_depth", Some(1_234.0), 0), figure("worker_p95_ms", None, 3)],
        agents: vec![
            agent("a1", 120, None),
            agent("a2", 930, Some("its processor is 93 % busy (limit 85 %)")),
        ],
    }
}

fn shown(tables: &Tables, columns: usize, lines: usize) -> String {
    view(ms(12_000), ms(36_000), &live(), tables, Room { columns, lines }, Style::Plain)
}

#[test]
fn everything_is_shown_where_there_is_room() {
    assert_eq!(
        shown(&tables(), 90, 40),
        "\
[########----------------]  33 %  00:12 / 00:36  ETA 00:24
users 60/100  rps 182  succeeded 2,181  failures 3 (0.1 %)  p95 48 ms

THRESHOLD               SCOPE                   NOW
success_rate >= 99.9%   all requests        99.86 %  FAIL
p95 < 90ms critical 1s  group `generation`    96 ms  WARN
rate > 100/s over 30s   all requests              -  -
p95 < 500ms             group `auth`          40 ms  ok

REQUESTS      COUNT  FAILED           RPS    P50    P95     P99
all requests  2,184       3  0.1 %  182.0  24 ms  48 ms   96 ms
generation      984       3  0.3 %   82.0  48 ms  96 ms  192 ms
auth          1,200       0    0 %  100.0  20 ms  40 ms   80 ms

OBSERVED       PROBE     NOW  SAMPLES  FAILED
queue_depth    ingest  1,234       12       0
worker_p95_ms  ingest      -        9       3

AGENT  USERS   CPU  LAG P99  HEALTH
a2        30  93 %     1 ms  its processor is 93 % busy (limit 85 %)
a1        30  12 %     1 ms  ok"
    );
}

#[test]
fn it_never_takes_more_lines_than_there_are() {
    let mut many = tables();
    many.parts = (0..200).map(|n| part(&format!("GET /api/v1/things/{n}"), 10, n % 3, 40)).collect();
    many.thresholds =
        (0..60).map(|n| threshold("p95 < 1s", &format!("request `{n}`"), Status::Pass, "40 ms")).collect();
    many.figures = (0..40).map(|n| figure(&format!("figure_{n}"), Some(1.0), 0)).collect();
    many.agents = (0..1000).map(|n| agent(&format!("agent-{n}"), n, None)).collect();
    for tables in [&many, &tables(), &Tables::default()] {
        for lines in 2..60 {
            let text = shown(tables, 80, lines);
            assert!(text.lines().count() < lines.max(3), "{lines} lines:\n{text}");
        }
    }
    let text = shown(&many, 80, 24);
    assert_eq!(text.matches("... and ").count(), 4, "{text}");
    assert!(text.contains("... and 198 more"), "{text}");
}

#[test]
fn lines_are_cut_and_hostile_names_are_shown_not_acted_on() {
    let mut hostile = tables();
    hostile.parts[0].name = format!("GET /\u{1b}[2J{}", "x".repeat(300));
    hostile.agents[0].0 = "a\u{1b}]0;owned\u{7}".to_owned();
    let text = shown(&hostile, 80, 40);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn iterations_say_how_far_a_run_of_so_many_is() {
    let live = Live { iterations: Some((250, 1000)), warmup: true, ..live() };
    let text = view(
        ms(12_000),
        ms(600_000),
        &live,
        &Tables::default(),
        Room { columns: 80, lines: 24 },
        Style::Plain,
    );
    assert_eq!(
        text.lines().next(),
        Some("[######------------------]  25 %  00:12 / 10:00  warm-up  ETA 00:36")
    );
}

#[test]
fn thresholds_are_counted_in_one_line() {
    assert_eq!(thresholds_told(&[]), None);
    let told = thresholds_told(&tables().thresholds);
    assert_eq!(told.as_deref(), Some("thresholds 1 FAIL, 1 WARN, 1 ok, 1 without data"));
}

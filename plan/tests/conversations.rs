//! What the conversation of the sample plan means.

use plan::model::Step;
use plan::websocket::{Message, Wanted};
use plan::{Bundle, Plan, Settings};
use std::time::Duration;

fn compile() -> Plan {
    let bundle = Bundle {
        file: "plan.yaml".into(),
        source: include_str!("data/platform.yaml").into(),
        settings: Settings::default(),
    };
    bundle.compile().unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn conversations_are_read_whole() {
    let plan = compile();
    let Step::WebSocket(socket) = &plan.classes[2].tasks[0].steps[1] else { panic!("a conversation") };
    assert_eq!(
        (socket.timeout, socket.subprotocols.as_slice()),
        (Duration::from_secs(5), &["muster.v1".to_owned()][..])
    );
    assert_eq!(socket.isolation.as_ref().unwrap().pattern.as_str(), "MARKER_[0-9]+");
    let methods: Vec<_> = [socket.request.series, socket.session]
        .into_iter()
        .chain(socket.steps.iter().filter_map(|step| match step {
            Step::Message(message) => match message {
                Message::Receive(receive) => Some(receive.series),
                Message::Ping(ping) => Some(ping.series),
                Message::Send(_) | Message::Close(_) => None,
            },
            _ => None,
        }))
        .map(|id| &plan.series[id.0 as usize])
        .map(|series| (series.method(), series.is_request()))
        .collect();
    let others = [("SESSION", false), ("RECV", false), ("PING", false), ("RECV", false)];
    assert_eq!(methods[0], ("WS", true));
    assert_eq!(methods[1..], others);
    let Step::Message(message) = &socket.steps[1] else { panic!("a message") };
    let Message::Receive(receive) = message else { panic!("a receive") };
    assert_eq!(
        (receive.timeout, receive.expect.max_time),
        (Duration::from_secs(60), Some(Duration::from_secs(1)))
    );
    assert!(matches!(receive.wanted, Wanted::Until(_)) && receive.fail_if.is_some());
}

#[test]
fn isolation_that_is_judged_is_counted_apart() {
    let series = |isolation: &str| {
        let source = format!(
            "version: 1\nname: T\ntarget: http://localhost\nload: {{ users: 1, duration: 1s }}\nusers:\n  U:\n    tasks:\n      \
             t: {{ websocket: /ws, name: watch, messages: [ {{ receive: {{}} }} ], isolation: {{ pattern: \"A+\", only: A{isolation} }} }}\n"
        );
        let bundle = Bundle { file: "plan.yaml".into(), source, settings: Settings::default() };
        let plan = bundle.compile().unwrap_or_else(|e| panic!("{e}"));
        let Step::WebSocket(socket) = &plan.classes[0].tasks[0].steps[0] else { panic!("a conversation") };
        let isolated = socket.isolated.map(|id| &plan.series[id.0 as usize]);
        let told = isolated.map(|series| (series.name.clone(), series.method(), series.is_request()));
        let judged: Vec<_> = plan.thresholds.iter().map(|t| t.threshold.expression.clone()).collect();
        (told, judged)
    };
    assert_eq!(series(""), (None, vec![]));
    let told = ("watch / isolation".to_owned(), "ISOLATION", false);
    let thresholds = ", thresholds: [ \"success_rate >= 100%\" ]";
    assert_eq!(series(thresholds), (Some(told), vec!["success_rate >= 100%".to_owned()]));
}

//! Ten thousand agents in the pure cores, without a network: what a second of a fleet costs the coordinator's own logic.
//!
//! ```text
//! cargo bench -p protocol-tests --bench ten_thousand_agents -- [AGENTS] [SECONDS] [SERIES]        10000 5 50
//! ```
//!
//! Each second every agent renews its lease and sends a window of 50 series with 100 samples each. Timed are the fleet core
//! (with a look at its next timeout after each input, as the driver does) and the results that the windows are added to.

use bytes::Bytes;
use coordinator::fleet::{
    AgentId, ChoreConfigs, Fleet, FleetConfig, Input, OnAgentJoin, OnAgentLoss, Output, SessionId,
};
use coordinator::results::Results;
use metrics::{Histogram, SeriesId};
use plan::{Bundle, Plan, Settings, sha256_hex};
use proto::message::{Cumulative, FromAgent, PlanDigests, RunId, SeriesReport, WindowReport};
use protocol_tests::peer;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Samples of each series in each window.
const SAMPLES: u64 = 100;

fn plan(agents: u32, series: u32) -> (Plan, Vec<u8>) {
    let mut source = format!(
        "version: 1\nname: Many\ntarget: http://127.0.0.1:9\nload: {{ users: {agents}, duration: 1h }}\nusers:\n  \
         User:\n    tasks:\n"
    );
    for n in 0..series {
        let _ = writeln!(source, "      t{n}: {{ get: /{n} }}");
    }
    let bundle = Bundle { file: "plan.yaml".into(), source, settings: Settings::default() };
    (bundle.compile().unwrap_or_else(|problem| panic!("{problem}")), bundle.to_bytes())
}

fn config(plan: &Plan, bundle: Vec<u8>, agents: u32) -> FleetConfig {
    FleetConfig {
        run: RunId("r".to_owned()),
        build: "0".to_owned(),
        digests: PlanDigests { bundle_sha256: sha256_hex(&bundle), meaning_sha256: plan.meaning_sha256() },
        bundle: bundle.into(),
        n_series: plan.series.len() as u32,
        users: plan.schedule.max_users(),
        classes: plan.slots.clone(),
        schedule: plan.schedule.clone(),
        iterations: None,
        open: false,
        on_agent_loss: OnAgentLoss::Rebalance,
        on_agent_join: OnAgentJoin::default(),
        stop_timeout: plan.stop_timeout,
        expect_agents: agents,
        agents_timeout: Duration::from_secs(60),
        chores: ChoreConfigs::default(),
        capacity_remedy: String::new(),
    }
}

/// The cores of a coordinator, and what they cost.
struct Cores {
    fleet: Fleet,
    results: Results,
    fleet_took: Duration,
    results_took: Duration,
}

impl Cores {
    fn input(&mut self, now: Duration, input: Input) {
        let from = Instant::now();
        self.fleet.handle_input(now, input);
        let mut windows: Vec<(AgentId, Box<WindowReport>)> = Vec::new();
        while let Some(output) = self.fleet.poll_output() {
            match output {
                Output::Apply { agent, window } => windows.push((agent, window)),
                Output::Started { agents, .. } => {
                    for agent in agents {
                        self.results.agent_joined(agent.id);
                    }
                }
                Output::Finished(outcome) => panic!("the run is over: {outcome:?}"),
                _ => {}
            }
        }
        let _ = std::hint::black_box(self.fleet.poll_timeout());
        let fleet_done = Instant::now();
        self.fleet_took += fleet_done - from;
        for (agent, window) in windows {
            self.results.apply(agent, &window).expect("a good window");
        }
        self.results_took += fleet_done.elapsed();
    }

    fn says(&mut self, now: Duration, session: u32, message: FromAgent) {
        self.input(now, Input::Received { session: SessionId(session.into()), message });
    }
}

fn latency(n: u32) -> Bytes {
    let mut histogram = Histogram::new();
    for i in 0..SAMPLES {
        histogram.record(Duration::from_micros((i * i * 17 + u64::from(n) * 131) % 180_000 + 900));
    }
    let mut bytes = Vec::new();
    histogram.encode_v2(&mut bytes);
    bytes.into()
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|word| word.parse::<u32>().ok());
    let mut number = |default| numbers.next().unwrap_or(default);
    let (agents, seconds, series) = (number(10_000), number(5), number(50));
    let (plan, bundle) = plan(agents, series);
    let config = config(&plan, bundle, agents);
    let digests = config.digests.clone();
    let run = config.run.clone();
    let mut now = Duration::ZERO;
    let mut cores = Cores {
        fleet: Fleet::new(config, now),
        results: Results::new(Arc::new(plan)),
        fleet_took: Duration::ZERO,
        results_took: Duration::ZERO,
    };
    for n in 1..=agents {
        cores.input(now, Input::Attached { session: SessionId(n.into()), peer: "10.0.0.1:4000".to_owned() });
        cores.says(now, n, FromAgent::Hello(peer::hello(&format!("agent-{n}"))));
    }
    for n in 1..=agents {
        cores.says(now, n, FromAgent::PlanState { run: run.clone(), state: Ok(digests.clone()) });
    }
    for n in 1..=agents {
        let clock_error = Some(Duration::from_millis(1));
        cores.says(now, n, FromAgent::AssignAck { run: run.clone(), revision: 1, clock_error });
    }
    println!("{agents} agents mustered in {:.2} s", cores.fleet_took.as_secs_f64());
    (cores.fleet_took, cores.results_took) = (Duration::ZERO, Duration::ZERO);
    let report = |n: u32| SeriesReport {
        series: SeriesId(n),
        ok: SAMPLES,
        failed: 0,
        bytes_in: 40_000,
        bytes_out: 12_000,
        messages_sent: 0,
        messages_received: 0,
        phases: metrics::PhaseSums::default(),
        latency: latency(n),
        service: Bytes::new(),
    };
    let reports: Vec<SeriesReport> = (0..series).map(report).collect();
    let requests = SAMPLES * u64::from(series);
    for second in 0..seconds {
        now += Duration::from_secs(1);
        for n in 1..=agents {
            cores.says(now, n, FromAgent::Renew { n: u64::from(second) + 1, users: 1 });
            let ok = requests * u64::from(second + 1);
            let window = WindowReport {
                users: 1,
                started: requests,
                series: reports.clone(),
                cumulative: Cumulative { started: ok, ok, ..Cumulative::default() },
                ..peer::empty_window(&run, u64::from(second) + 1, false)
            };
            cores.says(now, n, FromAgent::Window(Box::new(window)));
        }
    }
    let windows = f64::from(agents) * f64::from(seconds);
    let per_window = |took: Duration| took.as_secs_f64() * 1e6 / windows;
    let share = (cores.fleet_took + cores.results_took).as_secs_f64() / f64::from(seconds);
    println!(
        "per window and lease: fleet core {:.1} us, results {:.1} us; {share:.3} cores for {agents} agents",
        per_window(cores.fleet_took),
        per_window(cores.results_took)
    );
}

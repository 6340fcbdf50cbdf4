//! One real coordinator and many agents: what they cost it in processor time and memory, and how long it takes to
//! acknowledge what they send.
//!
//! ```text
//! cargo bench -p protocol-tests --bench thousand_agents -- [AGENTS] [SECONDS] [SERIES]        1000 20 50
//! ```
//!
//! Each agent is a real session core with a connection and a stream of its own, dialled by the real link; all of them live
//! in this process. In place of an engine each has a window ready made, of 50 series with 100 samples each, and sends it
//! once per second, at a moment of its own in the second. The coordinator is the program itself, with a plan of as many
//! series; its processor time and memory are what the kernel says of its process.

use agent::link::{Connect, Way, dial};
use agent::session::{Input, Output, Session};
use bytes::Bytes;
use metrics::{Histogram, Percentile, SeriesId};
use plan::Bundle;
use plan::slot::Progress;
use proto::LinkError;
use proto::message::{
    FromAgent, HealthReport, Hello, PlanDigests, RunId, SeriesReport, ToAgent, WindowReport,
};
use protocol_tests::fleet::Coordinator;
use protocol_tests::peer;
use protocol_tests::process::TestDir;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_stream::{Stream, StreamExt as _};

/// Where agents' clocks begin: far enough from zero that times before it have a place.
const BEGINNING: Duration = Duration::from_secs(1000 * 24 * 3600);

/// Samples of each series in each window.
const SAMPLES: u64 = 100;

/// Agents that dial at the same time: a coordinator takes in only so many strangers of one address at once.
const DIALLING: usize = 32;

/// What all agents share.
struct Shared {
    connect: Connect,
    window: WindowReport,
    /// How long the run lasts.
    seconds: u32,
    /// Of the plan, which is the same for all.
    digests: OnceLock<PlanDigests>,
    acks: Mutex<Histogram>,
    /// Agents that have begun.
    begun: Mutex<u32>,
    dialling: tokio::sync::Semaphore,
}

type Inbound = Pin<Box<dyn Stream<Item = Result<ToAgent, LinkError>> + Send>>;

struct Conversation {
    outbound: mpsc::UnboundedSender<FromAgent>,
    inbound: Inbound,
}

/// An agent without an engine.
struct Agent {
    number: u32,
    shared: Arc<Shared>,
    session: Session,
    origin: Instant,
    conversation: Option<Conversation>,
    /// When its next window is due, and which second that is.
    next: Option<(Duration, u32)>,
    users: Vec<Progress>,
    over: bool,
    /// Windows that are not acknowledged.
    sent: VecDeque<(u64, Instant)>,
}

impl Agent {
    fn new(number: u32, shared: Arc<Shared>) -> Agent {
        let hello = Hello { max_users: 1000, ..peer::hello(&format!("agent-{number}")) };
        Agent {
            number,
            session: Session::new(hello, "the coordinator"),
            shared,
            origin: Instant::now(),
            conversation: None,
            next: None,
            users: Vec::new(),
            over: false,
            sent: VecDeque::new(),
        }
    }

    fn now(&self) -> Duration {
        BEGINNING + self.origin.elapsed()
    }

    async fn live(mut self) {
        while !self.over {
            while let Some(output) = self.session.poll_output() {
                self.carry_out(output).await;
            }
            let due = self.session.poll_timeout().into_iter().chain(self.next.map(|(at, _)| at)).min();
            let wake = due.map(|due| self.origin + due.saturating_sub(BEGINNING));
            let input = tokio::select! {
                item = heard(&mut self.conversation) => Some(match item {
                    Some(Ok(message)) => {
                        self.acknowledge(&message);
                        Input::Received(message)
                    }
                    other => {
                        self.conversation = None;
                        Input::Disconnected { reason: other.map_or("its end".to_owned(), |e| e.expect_err("no message").to_string()) }
                    }
                }),
                () = until(wake) => None,
            };
            let now = self.now();
            match (input, self.next) {
                (Some(input), _) => self.session.handle_input(now, input),
                (None, Some((at, second))) if at <= now => self.send_window(now, second),
                (None, _) => self.session.handle_timeout(now),
            }
        }
    }

    async fn carry_out(&mut self, output: Output) {
        match output {
            Output::Dial => {
                let input = self.open().await;
                self.session.handle_input(self.now(), input);
            }
            Output::Send(message) => {
                if let FromAgent::Window(window) = &message {
                    self.sent.push_back((window.seq, Instant::now()));
                }
                if let Some(conversation) = &self.conversation {
                    let _ = conversation.outbound.send(message);
                }
            }
            Output::Hangup => self.conversation = None,
            Output::Prepare { bundle, bundle_sha256, .. } => {
                let digests = self.shared.digests.get_or_init(|| {
                    let plan =
                        Bundle::from_bytes(&bundle).expect("our own plan").compile().expect("a good plan");
                    PlanDigests { bundle_sha256, meaning_sha256: plan.meaning_sha256() }
                });
                self.session.handle_input(self.now(), Input::Prepared(Ok(digests.clone())));
            }
            Output::Run { seats, t0, .. } => {
                let user =
                    |seat: plan::slot::Seat| Progress { slot: seat.slot, iteration: 0, gave_up: false };
                self.users = seats.into_iter().map(user).collect();
                if self.next.is_none() {
                    *self.shared.begun.lock().expect("no holder panics") += 1;
                    let phase = Duration::from_micros(u64::from(self.number) * 999_983 % 1_000_000);
                    self.next = Some((t0 + Duration::from_secs(1) + phase, 0));
                }
            }
            Output::Exit(_) => self.over = true,
            Output::Keep(_)
            | Output::StopUsers { .. }
            | Output::Chore(_)
            | Output::StopChore
            | Output::SeeSetup(_)
            | Output::Note(_) => {}
        }
    }

    async fn open(&mut self) -> Input {
        let shared = self.shared.clone();
        let _place = shared.dialling.acquire().await.expect("never closed");
        let channel = match (shared.connect)().await {
            Ok(channel) => channel,
            Err(error) => return Input::Disconnected { reason: error.to_string() },
        };
        let (outbound, outgoing) = mpsc::unbounded_channel();
        match proto::client::attach(channel, UnboundedReceiverStream::new(outgoing)).await {
            Ok(inbound) => {
                self.conversation = Some(Conversation { outbound, inbound: Box::pin(inbound) });
                Input::Connected
            }
            Err(error) => Input::Disconnected { reason: error.to_string() },
        }
    }

    fn send_window(&mut self, now: Duration, second: u32) {
        let last = second + 1 == self.shared.seconds;
        for user in &mut self.users {
            user.iteration += 1;
        }
        let window = WindowReport {
            index: second,
            users: self.users.len() as u32,
            progress: self.users.clone(),
            last,
            ..self.shared.window.clone()
        };
        self.next = (!last).then(|| {
            let (at, _) = self.next.expect("it was due");
            (at + Duration::from_secs(1), second + 1)
        });
        self.session.handle_input(now, Input::Window(Box::new(window)));
    }

    fn acknowledge(&mut self, message: &ToAgent) {
        let ToAgent::WindowAck { seq, .. } = message else { return };
        while let Some((_, at)) = self.sent.pop_front_if(|(sent, _)| *sent <= *seq) {
            self.shared.acks.lock().expect("no holder panics").record(at.elapsed());
        }
    }
}

async fn heard(conversation: &mut Option<Conversation>) -> Option<Result<ToAgent, LinkError>> {
    match conversation {
        Some(conversation) => conversation.inbound.next().await,
        None => std::future::pending().await,
    }
}

async fn until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake.into()).await,
        None => std::future::pending().await,
    }
}

fn encoded(samples: impl Iterator<Item = Duration>) -> Bytes {
    let mut histogram = Histogram::new();
    samples.for_each(|sample| histogram.record(sample));
    let mut bytes = Vec::new();
    histogram.encode_v2(&mut bytes);
    bytes.into()
}

/// A window of `series` series, each with samples of its own.
fn window(series: u32) -> WindowReport {
    let latency = |n: u32| {
        encoded(
            (0..SAMPLES)
                .map(move |i| Duration::from_micros((i * i * 17 + u64::from(n) * 131) % 180_000 + 900)),
        )
    };
    let report = |n: u32| SeriesReport {
        series: SeriesId(n),
        ok: SAMPLES,
        failed: 0,
        bytes_in: 40_000,
        bytes_out: 12_000,
        messages_sent: 0,
        messages_received: 0,
        phases: metrics::PhaseSums { first_byte: (SAMPLES, SAMPLES * 8_000), ..Default::default() },
        latency: latency(n),
        service: Bytes::new(),
    };
    WindowReport {
        started: SAMPLES * u64::from(series),
        series: (0..series).map(report).collect(),
        health: HealthReport {
            cpu_permille: 300,
            lag: encoded((0..10).map(|i| Duration::from_micros(900 + 37 * i))),
            ..HealthReport::default()
        },
        ..peer::empty_window(&RunId("r".to_owned()), 1, false)
    }
}

/// Processor time that process `id` has used, and its memory now and at most, in KiB.
fn used(id: u32) -> (Duration, u64, u64) {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("Linux");
    let after_name = stat.rsplit_once(')').expect("a name").1;
    let words: Vec<u64> = after_name.split_whitespace().map(|word| word.parse().unwrap_or(0)).collect();
    // Fields 14 and 15 of the whole, in hundredths of a second.
    let time = Duration::from_millis((words[11] + words[12]) * 10);
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("Linux");
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux tells");
        line.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number")
    };
    (time, kib("VmRSS:"), kib("VmHWM:"))
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|word| word.parse::<u32>().ok());
    let mut number = |default| numbers.next().unwrap_or(default);
    let (agents, seconds, series) = (number(1000), number(20).max(8), number(50));
    let dir = TestDir::new("thousand-agents");
    let mut text = format!(
        "version: 1\nname: Many\ntarget: http://127.0.0.1:9\nload: {{ users: {agents}, duration: {seconds}s }}\nusers:\n  \
         User:\n    wait: 1s\n    tasks:\n"
    );
    for n in 0..series {
        let _ = writeln!(text, "      t{n}: {{ get: /{n} }}");
    }
    let plan = dir.write("plan.yaml", &text);
    let coordinator = Coordinator::start(dir.path(), agents, &[plan.to_str().expect("an ASCII path")]);
    let shared = Arc::new(Shared {
        connect: dial(&coordinator.address, Way::Plain).expect("an address"),
        window: window(series),
        seconds,
        digests: OnceLock::new(),
        acks: Mutex::default(),
        begun: Mutex::default(),
        dialling: tokio::sync::Semaphore::new(DIALLING),
    });
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    let mustering = Instant::now();
    for number in 0..agents {
        runtime.spawn(Agent::new(number, shared.clone()).live());
    }
    while *shared.begun.lock().expect("no holder panics") < agents {
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("{agents} agents attached and began within {:.1} s", mustering.elapsed().as_secs_f64());
    // The first windows, and the last ones, are not like the others.
    std::thread::sleep(Duration::from_secs(3));
    shared.acks.lock().expect("no holder panics").clone_from(&Histogram::new());
    let (id, from) = (coordinator.id(), Instant::now());
    let (before, own) = (used(id), used(std::process::id()));
    std::thread::sleep(Duration::from_secs(u64::from(seconds) - 6));
    let (took, after) = (from.elapsed().as_secs_f64(), used(id));
    let cores = |before: Duration, after: Duration| (after.saturating_sub(before)).as_secs_f64() / took;
    let acks = shared.acks.lock().expect("no holder panics").clone();
    let ms = |p: Percentile| acks.percentile(p).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3);
    println!(
        "coordinator: {:.3} cores, {} KiB resident ({} at most)",
        cores(before.0, after.0),
        after.1,
        after.2
    );
    println!(
        "{} acknowledgements: p50 {:.2} ms, p99 {:.2} ms",
        acks.count(),
        ms(Percentile::P50),
        ms(Percentile::P99)
    );
    println!("all agents together: {:.3} cores", cores(own.0, used(std::process::id()).0));
    let ended = coordinator.wait();
    let end =
        ended.out.lines().filter(|line| line.starts_with("accounting") || line.starts_with("generator"));
    println!("{}", end.collect::<Vec<_>>().join("\n"));
    drop(runtime);
}

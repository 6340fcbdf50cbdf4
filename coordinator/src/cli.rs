//! The command line as it was typed: text, not yet values. [`settings`](crate::settings) says what it means.

mod compare;
mod report;
mod sweep;

pub use compare::{CompareArgs, HistoryArgs};
pub use report::{ReportArgs, SchemaOf};
pub use sweep::SweepArgs;

use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, error::ErrorKind};
use std::ffi::OsString;
use std::path::PathBuf;

/// What `--help` says after the flags.
const AFTER_HELP: &str = "\
Every flag but --set and --secret-file has the environment variable that its description names. A flag
wins over its variable; an empty variable counts as unset. A file `.env` in the
working directory is read, or the one that --env-file names.

Examples:
  coordinator                                  run ./loadtest.yaml with an embedded agent
  coordinator api.yaml --users 200 --spawn-rate 20/s --duration 5m
  coordinator api.yaml --expect-agents 4 --listen 0.0.0.0:5557
  coordinator --resume last                    go on with the newest run after its coordinator was ended
  coordinator demo                             run the demo against a target of its own
  coordinator demo task-workflow               another system
  coordinator check api.yaml --users 200       explain the plan, run nothing
  coordinator sweep api.yaml --users 100,250,500,1000
  coordinator report reports/RUN-ID            make the other files again from report.json
  coordinator history                          list the runs that there were
  coordinator compare last~1 last              what changed from the run before to the last one
  coordinator api.yaml --baseline last --fail-on-regression
  coordinator schema                           print the JSON Schema of plans
  coordinator join --ttl 24h --uses 40         make a join string for agents in advance

Exit codes:
  0 pass (also warn)      1 internal error      2 usage      3 plan or data invalid
  4 agents missing or lost beyond policy       98 inconclusive
  99 thresholds failed, or a regression        130 interrupted";

/// Distributed load tester: musters agents, runs a plan, and says whether every API group met its thresholds.
#[derive(Debug, Parser)]
#[command(name = "coordinator", version, after_help = AFTER_HELP, max_term_width = 110, allow_negative_numbers = true)]
pub struct Cli {
    /// What to do instead of running a plan.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to run a plan.
    #[command(flatten)]
    pub run: RunArgs,
    /// How lines on standard error are written: `text` for people, or `json`, an object a line
    /// [default: text] [env: LOAD_TEST_LOG_FORMAT]
    #[arg(long, value_name = "FORMAT", global = true)]
    pub log_format: Option<String>,
    /// Write warnings and errors only; results go to standard output [env: LOAD_TEST_QUIET]
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// File with environment variables, one NAME=VALUE a line; those that are set already win
    /// [default: .env, if it is there] [env: LOAD_TEST_ENV_FILE]
    #[arg(long, value_name = "FILE", global = true)]
    pub env_file: Option<PathBuf>,
    /// No colours, also on a terminal (NO_COLOR asks for the same) [env: LOAD_TEST_NO_COLOR]
    #[arg(long, global = true)]
    pub no_color: bool,
}

/// What to do instead of running a plan.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run an example plan against a target of its own
    Demo(DemoArgs),
    /// Explain what a plan would do, and run nothing
    Check(Box<CheckArgs>),
    /// Run a plan with several numbers of users, one run after the other, and print one table
    Sweep(Box<SweepArgs>),
    /// Make the files of a report again from its `report.json`
    Report(ReportArgs),
    /// Compare two runs: what became slower, what fails more often, and how sure that is
    Compare(CompareArgs),
    /// List the runs of a report directory, the newest first
    History(HistoryArgs),
    /// Print the JSON Schema of plans, or of `report.json`
    Schema {
        /// Of what
        #[arg(value_enum, default_value_t)]
        of: SchemaOf,
    },
    /// Make a join string for agents in advance, and print it
    Join(JoinArgs),
}

/// How to run a plan.
#[derive(Clone, Debug, Default, Args)]
#[allow(clippy::struct_excessive_bools, reason = "they are switches as they were typed")]
pub struct RunArgs {
    /// The plan file [default: ./loadtest.yaml] [env: LOAD_TEST_PLAN]
    pub plan: Option<PathBuf>,
    /// Agents to wait for; 0 embeds one [default: 0] [env: LOAD_TEST_EXPECT_AGENTS]
    #[arg(long, value_name = "N")]
    pub expect_agents: Option<String>,
    /// How long to wait for them [default: 60s] [env: LOAD_TEST_AGENTS_TIMEOUT]
    #[arg(long, value_name = "DURATION")]
    pub agents_timeout: Option<String>,
    /// When an agent is lost: `rebalance` moves its users to the others, `hold` goes on without them, `abort` stops
    /// the run [default: rebalance] [env: LOAD_TEST_ON_AGENT_LOSS]
    #[arg(long, value_name = "POLICY")]
    pub on_agent_loss: Option<String>,
    /// When an agent comes after the start: `standby` gives it users of agents that are lost or leave, and those that
    /// found no room; `share` gives it its fair share of the others' users, too; `refuse` turns it away
    /// [default: standby] [env: LOAD_TEST_ON_AGENT_JOIN]
    #[arg(long, value_name = "POLICY")]
    pub on_agent_join: Option<String>,
    /// Users at the peak [env: LOAD_TEST_USERS]
    #[arg(long, value_name = "N")]
    pub users: Option<String>,
    /// Users to start per time: `10/s`; a bare `10` means that [env: LOAD_TEST_SPAWN_RATE]
    #[arg(long, value_name = "RATE")]
    pub spawn_rate: Option<String>,
    /// Length of the run, ramp included: `90s`, `5m` [env: LOAD_TEST_DURATION]
    /// (LOAD_TEST_DURATION_SECONDS holds a bare number)
    #[arg(long, value_name = "DURATION")]
    pub duration: Option<String>,
    /// Iterations that end the run, shared by all users; `--duration` is then its latest end [env: LOAD_TEST_ITERATIONS]
    #[arg(long, value_name = "N")]
    pub iterations: Option<String>,
    /// What of it, at the start, thresholds and totals leave out: `30s`, `0s` for none [env: LOAD_TEST_WARMUP]
    #[arg(long, value_name = "DURATION")]
    pub warmup: Option<String>,
    /// Profile of the plan to lay over its load and thresholds [env: LOAD_TEST_PROFILE]
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Run only tasks with one of these tags: `smoke,api`; may be repeated [env: LOAD_TEST_INCLUDE_TAGS]
    #[arg(short = 'T', long, visible_alias = "tags", value_name = "TAGS")]
    pub include_tags: Vec<String>,
    /// Leave out tasks with one of these tags, also if they are included; may be repeated [env: LOAD_TEST_EXCLUDE_TAGS]
    #[arg(short = 'E', long, value_name = "TAGS")]
    pub exclude_tags: Vec<String>,
    /// Base URL of the system under test; a bare `HOST:PORT` means http:// [env: LOAD_TEST_HOST]
    #[arg(long, value_name = "URL")]
    pub target: Option<String>,
    /// Value of one of the plan's `params`; may be repeated
    #[arg(long, visible_alias = "param", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// File with the value of `secret.NAME`; may be repeated [env: LOAD_TEST_SECRET_NAME holds the value itself]
    #[arg(long, value_name = "NAME=PATH")]
    pub secret_file: Vec<String>,
    /// Fixes every random choice [default: drawn, and told in the report] [env: LOAD_TEST_SEED]
    #[arg(long, value_name = "N")]
    pub seed: Option<String>,
    /// Where agents connect to [default: 127.0.0.1:5557] [env: LOAD_TEST_LISTEN]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// TLS and a join string also on loopback; elsewhere there always are [env: LOAD_TEST_TLS]
    #[arg(long)]
    pub tls: bool,
    /// Where the coordinator's key and what is known of join strings are kept
    /// [default: $XDG_STATE_HOME/muster, else ~/.local/state/muster; on Windows %LOCALAPPDATA%\muster] [env: LOAD_TEST_STATE_DIR]
    #[arg(long, value_name = "DIRECTORY")]
    pub state_dir: Option<PathBuf>,
    /// How long the join string that is printed lets in new agents [default: 1h] [env: LOAD_TEST_JOIN_TTL]
    #[arg(long, value_name = "DURATION")]
    pub join_ttl: Option<String>,
    /// How many agents it lets in [default: 2 for each expected, at least 10] [env: LOAD_TEST_JOIN_USES]
    #[arg(long, value_name = "N")]
    pub join_uses: Option<String>,
    /// File with a join string made in advance by `coordinator join`, to take instead of a new one
    /// [env: LOAD_TEST_JOIN_FILE] (LOAD_TEST_JOIN holds the string itself)
    #[arg(long, value_name = "PATH")]
    pub join_file: Option<PathBuf>,
    /// The coordinator's certificate chain, PEM, instead of a key of its own [env: LOAD_TEST_TLS_CERT]
    #[arg(long, value_name = "PATH")]
    pub tls_cert: Option<PathBuf>,
    /// The key of that certificate, PEM [env: LOAD_TEST_TLS_KEY]
    #[arg(long, value_name = "PATH")]
    pub tls_key: Option<PathBuf>,
    /// Let in agents by client certificates of these authorities, PEM, instead of a join string [env: LOAD_TEST_TLS_CA]
    #[arg(long, value_name = "PATH")]
    pub tls_ca: Option<PathBuf>,
    /// Open the port to the network without encryption and authentication [env: LOAD_TEST_INSECURE]
    #[arg(long)]
    pub insecure: bool,
    /// Where Prometheus may scrape metrics of the run, at /metrics: `127.0.0.1:9464` [default: nowhere]
    /// [env: LOAD_TEST_METRICS_LISTEN]
    #[arg(long, value_name = "ADDRESS")]
    pub metrics_listen: Option<String>,
    /// For how long after the run's end it may, so that it gets the last figures: `30s` [default: 0s]
    /// [env: LOAD_TEST_METRICS_LINGER]
    #[arg(long, value_name = "DURATION")]
    pub metrics_linger: Option<String>,
    /// Send metrics of the run to an OpenTelemetry collector over HTTP: `http://127.0.0.1:4318` (LOAD_TEST_OTLP_HEADERS holds
    /// headers for it, as `name=value,…`) [default: nowhere] [env: LOAD_TEST_OTLP_ENDPOINT]
    #[arg(long, value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// Latencies in `explicit` buckets, which every backend takes, or in finer `exponential` ones [default: explicit]
    /// [env: LOAD_TEST_OTLP_HISTOGRAMS]
    #[arg(long, value_name = "KIND")]
    pub otlp_histograms: Option<String>,
    /// No web page; there is none yet [env: LOAD_TEST_NO_UI]
    #[arg(long)]
    pub no_ui: bool,
    /// Where `RUN-ID/report.json`, `report.html` and the others go [default: reports] [env: LOAD_TEST_REPORT_DIR]
    #[arg(long, value_name = "DIRECTORY")]
    pub report_dir: Option<PathBuf>,
    /// Compare the run at its end with this one: a `report.json`, a run's directory or name, or `last` for the newest run of
    /// the plan that passed or warned [env: LOAD_TEST_BASELINE]
    #[arg(long, value_name = "RUN")]
    pub baseline: Option<String>,
    /// Fail the run (exit code 99) when it is significantly slower than its baseline, or fails more often; otherwise that is
    /// a warning [env: LOAD_TEST_FAIL_ON_REGRESSION]
    #[arg(long)]
    pub fail_on_regression: bool,
    /// Go on with a run of --report-dir whose coordinator was killed: its name, or `last` for the newest one; all that it
    /// was started with is known [env: LOAD_TEST_RESUME]
    #[arg(long, value_name = "RUN")]
    pub resume: Option<String>,
    /// Names of the arguments that were typed, as clap calls them.
    #[arg(skip)]
    pub typed: Vec<String>,
}

/// What to explain.
#[derive(Clone, Debug, Default, Args)]
pub struct CheckArgs {
    /// The plan file [default: ./loadtest.yaml] [env: LOAD_TEST_PLAN]
    pub plan: Option<PathBuf>,
    /// Agents that would share the users [default: 1] [env: LOAD_TEST_EXPECT_AGENTS]
    #[arg(long, value_name = "N")]
    pub expect_agents: Option<String>,
    /// Users at the peak [env: LOAD_TEST_USERS]
    #[arg(long, value_name = "N")]
    pub users: Option<String>,
    /// Users to start per time: `10/s`; a bare `10` means that [env: LOAD_TEST_SPAWN_RATE]
    #[arg(long, value_name = "RATE")]
    pub spawn_rate: Option<String>,
    /// Length of the run, ramp included: `90s`, `5m` [env: LOAD_TEST_DURATION]
    /// (LOAD_TEST_DURATION_SECONDS holds a bare number)
    #[arg(long, value_name = "DURATION")]
    pub duration: Option<String>,
    /// Iterations that end the run, shared by all users; `--duration` is then its latest end [env: LOAD_TEST_ITERATIONS]
    #[arg(long, value_name = "N")]
    pub iterations: Option<String>,
    /// What of it, at the start, thresholds and totals leave out: `30s`, `0s` for none [env: LOAD_TEST_WARMUP]
    #[arg(long, value_name = "DURATION")]
    pub warmup: Option<String>,
    /// Profile of the plan to lay over its load and thresholds [env: LOAD_TEST_PROFILE]
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Run only tasks with one of these tags: `smoke,api`; may be repeated [env: LOAD_TEST_INCLUDE_TAGS]
    #[arg(short = 'T', long, visible_alias = "tags", value_name = "TAGS")]
    pub include_tags: Vec<String>,
    /// Leave out tasks with one of these tags, also if they are included; may be repeated [env: LOAD_TEST_EXCLUDE_TAGS]
    #[arg(short = 'E', long, value_name = "TAGS")]
    pub exclude_tags: Vec<String>,
    /// Base URL of the system under test; a bare `HOST:PORT` means http:// [env: LOAD_TEST_HOST]
    #[arg(long, value_name = "URL")]
    pub target: Option<String>,
    /// Value of one of the plan's `params`; may be repeated
    #[arg(long, visible_alias = "param", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// File with the value of `secret.NAME`; may be repeated [env: LOAD_TEST_SECRET_NAME holds the value itself]
    #[arg(long, value_name = "NAME=PATH")]
    pub secret_file: Vec<String>,
    /// Fixes every random choice [env: LOAD_TEST_SEED]
    #[arg(long, value_name = "N")]
    pub seed: Option<String>,
}

impl From<CheckArgs> for RunArgs {
    /// The run that is explained.
    fn from(args: CheckArgs) -> RunArgs {
        let CheckArgs {
            plan,
            expect_agents,
            users,
            spawn_rate,
            duration,
            iterations,
            warmup,
            profile,
            include_tags,
            exclude_tags,
            target,
            set,
            secret_file,
            seed,
        } = args;
        RunArgs {
            plan,
            expect_agents,
            users,
            spawn_rate,
            duration,
            iterations,
            warmup,
            profile,
            include_tags,
            exclude_tags,
            target,
            set,
            secret_file,
            seed,
            ..RunArgs::default()
        }
    }
}

/// What a join string is to be good for.
#[derive(Clone, Debug, Default, Args)]
pub struct JoinArgs {
    /// How long it lets in new agents [default: 1h] [env: LOAD_TEST_JOIN_TTL]
    #[arg(long, value_name = "DURATION")]
    pub ttl: Option<String>,
    /// How many agents it lets in [default: 100] [env: LOAD_TEST_JOIN_USES]
    #[arg(long, value_name = "N")]
    pub uses: Option<String>,
    /// Where the coordinator's key and what is known of join strings are kept
    /// [default: $XDG_STATE_HOME/muster, else ~/.local/state/muster; on Windows %LOCALAPPDATA%\muster] [env: LOAD_TEST_STATE_DIR]
    #[arg(long, value_name = "DIRECTORY")]
    pub state_dir: Option<PathBuf>,
    /// The certificate that the coordinator is started with, if it has one [env: LOAD_TEST_TLS_CERT]
    #[arg(long, value_name = "PATH")]
    pub tls_cert: Option<PathBuf>,
}

/// The systems of the demo, by the names of their plans in `examples/`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DemoName {
    /// Accounts, generations, payments
    #[default]
    PlatformApi,
    /// Tasks, with a pool and a cache that are observed
    TaskWorkflow,
    /// The same, endpoint by endpoint, 50 requests at a time
    TaskWorkflowBenchmark,
    /// Messages that are queued, and committed by workers
    MessageIngest,
    /// 10,000 commands in bulk, with retries and a dead-letter queue
    CommandBus,
    /// Sessions over WebSockets, with tasks whose output is streamed
    WebsocketTasks,
}

/// How to run the demo.
#[derive(Debug, Default, Args)]
pub struct DemoArgs {
    /// Which system is tested
    #[arg(value_name = "NAME", value_enum, default_value_t)]
    pub name: DemoName,
    /// Users at the peak [env: LOAD_TEST_USERS]
    #[arg(long, value_name = "N")]
    pub users: Option<String>,
    /// Length of the run: `90s`, `5m` [env: LOAD_TEST_DURATION]
    /// (LOAD_TEST_DURATION_SECONDS holds a bare number)
    #[arg(long, value_name = "DURATION")]
    pub duration: Option<String>,
    /// Fixes every random choice [env: LOAD_TEST_SEED]
    #[arg(long, value_name = "N")]
    pub seed: Option<String>,
    /// Where `RUN-ID/report.json`, `report.html` and the others go [default: reports] [env: LOAD_TEST_REPORT_DIR]
    #[arg(long, value_name = "DIRECTORY")]
    pub report_dir: Option<PathBuf>,
}

/// Flags that mean the same wherever they stand.
const ANYWHERE: [&str; 4] = ["log_format", "quiet", "env_file", "no_color"];

impl Cli {
    /// Reads a command line, program name first. The error is also `--help` and `--version`; clap prints it,
    /// and ends the process with 2 for wrong usage.
    ///
    /// A subcommand wins over a plan of its name; what stands before a subcommand would be ignored, so it is
    /// refused.
    pub fn read<I, T>(arguments: I) -> Result<Cli, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        let mut command =
            Cli::command().mut_subcommand("sweep", |sweep| sweep.mut_arg("users", sweep::sizes));
        let matches = command.try_get_matches_from_mut(arguments)?;
        let typed = |id: &&clap::Id| {
            !ANYWHERE.contains(&id.as_str())
                && matches.value_source(id.as_str()) == Some(ValueSource::CommandLine)
        };
        let values: Vec<&clap::Id> =
            matches.ids().filter(|id| matches.try_contains_id(id.as_str()).is_ok()).collect();
        if let (Some(name), Some(id)) = (matches.subcommand_name(), values.into_iter().find(typed)) {
            let what = match id.as_str() {
                "plan" => "a plan".to_owned(),
                flag => format!("--{}", flag.replace('_', "-")),
            };
            let message = format!(
                "{what} stands before `{name}`, which does not use it; write its flags after `{name}`, \
                 or `./{name}` for a plan of that name"
            );
            return Err(command.error(ErrorKind::ArgumentConflict, message));
        }
        let arguments: Vec<String> =
            command.get_arguments().map(|known| known.get_id().to_string()).collect();
        let typed = matches.ids().filter(typed).map(clap::Id::to_string);
        let typed = typed.filter(|id| arguments.contains(id)).collect();
        let mut cli = Cli::from_arg_matches(&matches)?;
        cli.run.typed = typed;
        Ok(cli)
    }
}

#[cfg(test)]
mod tests;

//! `demo-target`: the command line of the [`demo`] library.

use anyhow::Context;
use clap::Parser;
use demo::{Config, Law, Setting, Share};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use system::stop::Stop;

/// A server with known latencies that tells the truth about every request it saw.
///
/// Point a load tester at it, then compare what the tester reports with GET /truth. It stands in for the
/// Platform API: /api/v1/auth, /api/v1/generation, /api/v1/payments and /api/v1/seed. Accounts demo-user-N@example.com with
/// the password demo-password are there from the start, for any number N. And for a task workflow: /api/v1/tasks,
/// /api/admin/pool-status and /api/admin/cache-statistics. And for message ingest: /api/v1/messages and
/// /api/admin/ingest-status. And for a command bus: /api/v1/commands and /api/admin/bus-status. And for WebSocket tasks: /ws/{id},
/// /api/v1/ws-tasks and /api/admin/ws-status.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8000", value_parser = parse_address)]
    listen: SocketAddr,
    /// How long an endpoint takes to answer, for instance 'auth/login=constant 20ms' (repeatable)
    ///
    /// ENDPOINT is the path below /api/v1/, such as auth/login or generation/{id} (an unknown name lists them); or
    /// generation/done, the time until a generation is complete; or * for every endpoint that is not named. LAW is `constant 20ms`,
    /// `uniform 10ms..30ms`, `lognormal 50ms sigma 0.4` (median and sigma) or `exponential 30ms` (mean). The
    /// time runs from the arrival of the request's head until the answer is ready.
    #[arg(long, value_name = "ENDPOINT=LAW")]
    latency: Vec<Setting<Law>>,
    /// Share of requests that are answered 503 after their latency, for instance 'payments/create=1%' (repeatable)
    #[arg(long, value_name = "ENDPOINT=PERCENT")]
    fail: Vec<Setting<Share>>,
    /// Fixes the sequence of delays and failures of every endpoint
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// File to keep the state in; without it, it ends with the server
    #[arg(long, value_name = "PATH")]
    database: Option<PathBuf>,
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "write an IP address and a port, for instance 127.0.0.1:8000 or [::1]:0".to_owned())
}

impl Cli {
    fn config(self) -> Config {
        let mut config = Config::default().seed(self.seed);
        if let Some(path) = self.database {
            config = config.database(path);
        }
        for setting in &self.latency {
            config.set_latency(setting);
        }
        for setting in &self.fail {
            config.set_failure(setting);
        }
        config
    }
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    // A thousand users need more file descriptors than many shells allow. Where more cannot be had, the
    // server still works for fewer users.
    let _ = system::descriptors::raise(1 << 16);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(cli))
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let listen = cli.listen;
    let listener = demo::bind(listen)
        .with_context(|| format!("cannot listen on {listen}; choose another address with --listen"))?;
    // Before the line that says it is ready: whoever reads that line may send a signal at once.
    let mut stop = Stop::listen()?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "demo-target listening on http://{}", listener.local_addr()?)?;
    stdout.flush()?;
    let stopped = async move {
        stop.next().await;
    };
    demo::serve(listener, cli.config(), stopped).await
}

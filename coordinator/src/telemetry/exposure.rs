//! Who hears of the metrics of a run.

use super::board::{Board, Exhibit};
use super::families::About;
use super::otlp::Exporter;
use super::server::{self, PATH};
use crate::clock::RunClock;
use crate::settings::TelemetryConfig;
use crate::terminal::say;
use metrics::unit::format_duration;
use std::sync::Arc;
use std::time::Duration;
use system::stop::Stop;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

/// Those who hear of a run. Dropped, it ends the tasks that tell them.
#[derive(Debug)]
pub(crate) struct Exposure {
    board: Option<Arc<Board>>,
    serves: bool,
    exporter: Option<(Arc<Exporter>, AbortHandle)>,
    #[allow(dead_code, reason = "it ends them")]
    tasks: JoinSet<()>,
    linger: Duration,
}

impl Exposure {
    /// Opens what `config` asks for; `note` hears what a person should know.
    ///
    /// # Errors
    /// An address that cannot be listened on, with its flag and what to do.
    pub(crate) async fn open(
        config: &TelemetryConfig,
        about: About,
        note: &(impl Fn(&str) + Clone + Send + 'static),
    ) -> Result<Exposure, String> {
        let (board, mut tasks) = (Arc::new(Board::new(about)), JoinSet::new());
        if let Some(address) = config.listen {
            let listener = TcpListener::bind(address).await.map_err(|error| {
                format!(
                    "--metrics-listen: cannot listen on {address}: {error}; write another port, or 0 for a free one"
                )
            })?;
            let address = listener.local_addr().map_err(|error| format!("--metrics-listen: {error}"))?;
            note(&format!("metrics for Prometheus: http://{address}{PATH}"));
            if !address.ip().is_loopback() {
                note("warning: whoever reaches that port can read the names and figures of this run");
            }
            tasks.spawn(server::serve(listener, board.clone()));
        }
        let exporter = config.otlp.as_ref().map(|otlp| Exporter::new(otlp, board.clone()).map(Arc::new));
        let exporter = exporter.transpose()?.map(|exporter| {
            let task = tasks.spawn(exporter.clone().run(note.clone()));
            (exporter, task)
        });
        let wanted = config.listen.is_some() || exporter.is_some();
        Ok(Exposure {
            board: wanted.then_some(board),
            serves: config.listen.is_some(),
            exporter,
            tasks,
            linger: config.linger,
        })
    }

    /// Where the fleet's driver puts how the run stands.
    pub(crate) fn exhibit(&self, clock: &RunClock) -> Option<Exhibit> {
        self.board.clone().map(|board| Exhibit::new(board, clock.clone()))
    }

    /// Tells how the run ended; where it is scraped, as long as was asked for, or until somebody wants the process to end.
    pub(crate) async fn finish(mut self) {
        self.tell_the_end().await;
        // The port is free when this returns: the next run of a sweep listens there.
        self.tasks.shutdown().await;
    }

    async fn tell_the_end(&self) {
        if let Some((exporter, task)) = &self.exporter {
            // What it is about to send must not arrive after the last.
            task.abort();
            if let Some(note) = exporter.finish().await {
                say(&note);
            }
        }
        if !self.serves || self.linger.is_zero() {
            return;
        }
        say(&format!("metrics stay for {} (--metrics-linger)", format_duration(self.linger)));
        let Ok(mut stop) = Stop::listen() else { return };
        tokio::select! {
            () = tokio::time::sleep(self.linger) => {}
            _ = stop.next() => {}
        }
    }
}

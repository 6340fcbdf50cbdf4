//! Who hears of the metrics of a run.

use super::board::{Board, Exhibit};
use super::families::About;
use super::server::{self, PATH};
use crate::clock::RunClock;
use crate::settings::TelemetryConfig;
use crate::terminal::say;
use metrics::unit::format_duration;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

/// Those who hear of a run. Dropped, it ends the tasks that tell them.
#[derive(Debug)]
pub(crate) struct Exposure {
    board: Option<Arc<Board>>,
    tasks: JoinSet<()>,
    linger: Duration,
}

impl Exposure {
    /// Opens what `config` asks for.
    ///
    /// # Errors
    /// An address that cannot be listened on, with its flag and what to do.
    pub(crate) async fn open(
        config: &TelemetryConfig,
        about: About,
        note: &impl Fn(&str),
    ) -> Result<Exposure, String> {
        let mut exposure = Exposure { board: None, tasks: JoinSet::new(), linger: config.linger };
        let Some(address) = config.listen else { return Ok(exposure) };
        let board = Arc::new(Board::new(about));
        let listener = TcpListener::bind(address).await.map_err(|error| {
            format!("--metrics-listen: cannot listen on {address}: {error}; write another port, or 0 for a free one")
        })?;
        let address = listener.local_addr().map_err(|error| format!("--metrics-listen: {error}"))?;
        note(&format!("metrics for Prometheus: http://{address}{PATH}"));
        if !address.ip().is_loopback() {
            note("warning: whoever reaches that port can read the names and figures of this run");
        }
        exposure.tasks.spawn(server::serve(listener, board.clone()));
        exposure.board = Some(board);
        Ok(exposure)
    }

    /// Where the fleet's driver puts how the run stands.
    pub(crate) fn exhibit(&self, clock: &RunClock) -> Option<Exhibit> {
        self.board.clone().map(|board| Exhibit::new(board, clock.clone()))
    }

    /// Goes on telling how the run ended, as long as was asked for, or until somebody wants the process to end.
    pub(crate) async fn linger(self) {
        if self.board.is_none() || self.linger.is_zero() {
            return;
        }
        say(&format!("metrics stay for {} (--metrics-linger)", format_duration(self.linger)));
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        tokio::select! {
            () = tokio::time::sleep(self.linger) => {}
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

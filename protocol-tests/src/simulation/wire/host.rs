//! An agent's host: the real link and session, over simulated sockets.

use super::COORDINATOR;
use super::stage::{Stage, now};
use super::stand_in::StandIn;
use crate::simulation::oracle::Who;
use agent::link::{DialError, Link, Open, Reading, Stream, dial_over, drive};
use agent::session::Session;
use proto::message::Hello;
use proto::version;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use turmoil::net::TcpStream;

/// How long a connection may take to be made, as in `agent/src/link/dial.rs`.
const PATIENCE: Duration = Duration::from_secs(5);

/// The name of host `node` and of its agent.
pub(super) fn name(node: usize) -> String {
    format!("a{node}")
}

/// A life of the agent on host `node`.
pub(super) async fn agent(stage: Stage, node: usize) -> turmoil::Result {
    let who = stage.born(node, stage.faults().latency.1);
    stage.say(format_args!("{} begins as process {}", name(node), who.0));
    let hello = Hello {
        protocol: version::SUPPORTED,
        build: "simulated".to_owned(),
        name: name(node),
        incarnation: u64::from(who.0) + 1,
        cores: 1,
        max_users: stage.scenario.machines[node].max_users,
        caps: proto::message::Caps::default(),
        resume: None,
        join: None,
    };
    let open: Open = {
        let stage = stage.clone();
        Arc::new(move |_| {
            let stage = stage.clone();
            Box::pin(async move { open(stage, who).await })
        })
    };
    let (engine, events) = StandIn::start(stage.clone(), who);
    let (host, port) = COORDINATOR;
    let link = Link {
        name: name(node),
        connect: dial_over(&format!("{host}:{port}"), open)?,
        engine,
        events,
        since_boot: now,
        reading: Reading::Here,
        note: {
            let stage = stage.clone();
            Box::new(move |text| stage.say(format_args!("p{} says: {text}", who.0)))
        },
    };
    let (_nobody, leave) = mpsc::channel(1);
    let exit = drive(Session::new(hello, "coordinator"), link, leave).await;
    stage.say(format_args!("p{} exits: {exit:?}", who.0));
    Ok(())
}

async fn open(stage: Stage, who: Who) -> Result<Box<dyn Stream>, DialError> {
    match tokio::time::timeout(PATIENCE, TcpStream::connect(COORDINATOR)).await {
        Ok(Ok(socket)) => Ok(Box::new(Tapped { socket, stage, who })),
        Ok(Err(error)) => Err(DialError::Passing(error.to_string())),
        Err(_) => Err(DialError::Passing("no answer".to_owned())),
    }
}

/// A socket that tells the oracle when something arrives.
struct Tapped {
    socket: TcpStream,
    stage: Stage,
    who: Who,
}

impl AsyncRead for Tapped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.stage.heard(self.who);
        }
        read
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

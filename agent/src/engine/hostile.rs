//! What a target may say, as bytes: each function takes anything, and comes back soon without a panic.
//!
//! They are for fuzzers and for what those have found; the peer is the other end of a pair of sockets.

use super::body::BodySink;
use super::coding;
use super::connection::{Answer, Connection};
use super::counting_io::{CountingIo, Wire};
use super::http::{BodyUse, Reply, Terms};
use super::jar::Jar;
use super::limits::RequestLimits;
use super::origin::Origin;
use super::outgoing::{self, Codings, Draft, Form};
use super::socket::Socket;
use super::stream::Stream;
use super::websocket;
use metrics::Failure;
use plan::judge::RenderedRequest;
use plan::model::{HttpVersion, Method};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use system::local_socket;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use url::Url;

/// Far more than any of them takes.
const LONG: Duration = Duration::from_secs(10);

const LIMITS: RequestLimits =
    RequestLimits { connect: LONG, request: LONG, first_byte: None, kept_body: 1 << 20, body: 1 << 20 };

/// The status of the response to one request over a connection on which the target says `bytes` and hangs up.
///
/// # Panics
/// When it takes unreasonably long.
pub fn http(bytes: &[u8], version: HttpVersion) -> Result<u16, Failure> {
    const URL: &str = "http://target.test/";
    spoken(bytes, async |stream, wire| {
        let url = Url::parse(URL).expect("a URL");
        let target = Arc::new(Origin::of(&url).expect("a URL with a host"));
        let rendered = RenderedRequest { url: URL.to_owned(), headers: Vec::new(), body: Vec::new() };
        let draft = Draft::new(Method::Get, rendered, Codings::Known);
        let outgoing = outgoing::build(&target, &draft)?;
        let mut request = outgoing.request;
        let mut connection = Connection::open(target.clone(), stream, wire, version, Form::Path).await?;
        connection.form.shape(&mut request, &target);
        let mut answer = connection.send(request).await.map_err(|unanswered| unanswered.failure)?;
        let terms = Terms { limits: LIMITS, body: BodyUse::Keep, codings: Codings::Known };
        let mut sink = BodySink::new(&terms);
        connection.read(&mut answer, &mut sink).await?;
        let Answer { status, headers, .. } = answer;
        let mut reply = Reply { status, headers, body: sink.into_kept() };
        coding::undo(&mut reply, &terms)?;
        let mut jar = Jar::default();
        jar.keep(&reply.headers, URL);
        jar.add_to(&mut reply.headers, URL);
        Ok(reply.status)
    })
}

/// Why a WebSocket handshake fails that is answered with `bytes`, which cannot fit its key.
///
/// # Panics
/// When it takes unreasonably long, or succeeds.
pub fn handshake(bytes: &[u8]) -> Failure {
    spoken(bytes, async |stream, wire| websocket::refused(stream, &wire).await)
}

/// How many messages `bytes` are, said after a WebSocket handshake, and why no more come.
///
/// # Panics
/// When it takes unreasonably long.
pub fn conversation(bytes: &[u8]) -> (usize, Failure) {
    spoken(bytes, async |stream, wire| websocket::heard(stream, wire).await)
}

/// Runs `listen` against a peer that says `bytes` and hangs up.
fn spoken<T>(bytes: &[u8], listen: impl AsyncFnOnce(Stream, Rc<Wire>) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .expect("a runtime");
    runtime.block_on(async {
        let (near, far) = local_socket::pair().expect("a pair of sockets");
        let said = bytes.to_vec();
        tokio::task::spawn_local(async move {
            let (mut from_engine, mut to_engine) = tokio::io::split(far);
            let saying = async {
                let _ = to_engine.write_all(&said).await;
                let _ = to_engine.shutdown().await;
            };
            // What the engine says is read, so that it never waits.
            let mut nowhere = tokio::io::sink();
            let _ = tokio::join!(saying, tokio::io::copy(&mut from_engine, &mut nowhere));
        });
        let wire = Rc::<Wire>::default();
        let stream = Stream::Plain(CountingIo::new(Socket::Unix(near), wire.clone()));
        timeout(LONG, listen(stream, wire)).await.expect("it ends soon after its peer has hung up")
    })
}

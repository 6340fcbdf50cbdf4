//! The server: connections, and what is the same for every request.

use crate::behaviour::{Behaviour, Fate};
use crate::body::Refusal;
use crate::bus::{self, Bus};
use crate::config::Config;
use crate::endpoint;
use crate::figures;
use crate::ingest::{self, Desk, Ingest};
use crate::platform::{self, Platform};
use crate::store::Store;
use crate::tasks::{self, Tasks};
use crate::timer::Timer;
use crate::truth::{Connection, Ledger};
use crate::workflow::{self, Workflow};
use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http_body_util::LengthLimitError;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt;

/// Largest request body in bytes; a larger one is answered 413.
const LARGEST_BODY: usize = 64 * 1024;
/// Connections that may wait to be accepted, so that a thousand users can arrive in one instant.
const BACKLOG: u32 = 4096;
/// How long requests in flight may take to finish after the stop signal.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long to wait when the process has no room for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Listens on `address` with room for a crowd. Needs a tokio runtime around it.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    system::listen::listen(address, BACKLOG)
}

/// Serves on `listener` until `shutdown` completes; then finishes what is in flight, for two seconds at most.
///
/// Fails if the database cannot be opened.
pub async fn serve(
    listener: TcpListener,
    config: Config,
    shutdown: impl Future<Output = ()> + Send,
) -> anyhow::Result<()> {
    Server::new(&config)?.run(listener, shutdown).await;
    Ok(())
}

/// Everything behind the listener.
pub(crate) struct Server {
    router: Router,
    ledger: Arc<Ledger>,
    platform: Arc<Platform>,
    workflow: Arc<Workflow>,
    desk: Arc<Desk>,
    bus: Arc<Bus>,
    tasks: Arc<Tasks>,
}

impl Server {
    pub(crate) fn new(config: &Config) -> anyhow::Result<Server> {
        let observer = Arc::new(Observer::new(config)?);
        let ledger = Arc::clone(&observer.ledger);
        // One connection for all systems: what one of them writes never keeps another one waiting for a lock.
        let schema =
            [&*platform::schema(), workflow::SCHEMA, ingest::SCHEMA, bus::SCHEMA, tasks::SCHEMA].concat();
        let store = Arc::new(Store::open(config.database.as_deref(), &schema)?);
        let platform = Arc::new(Platform::new(config, Arc::clone(&store))?);
        let workflow = Arc::new(Workflow::new(Arc::clone(&store), Arc::clone(&ledger))?);
        let ingest = Ingest::new(config, Arc::clone(&store))?;
        let desk = ingest.desk();
        let tasks = Arc::new(Tasks::new(config, &ledger, Arc::clone(&store))?);
        let bus = Bus::new(config, store);
        let router = platform::router(Arc::clone(&platform))
            .merge(tasks.router())
            .merge(workflow.router())
            .merge(ingest.router())
            .merge(bus.router()?)
            .fallback(async || Refusal::new(StatusCode::NOT_FOUND, "there is no such route"))
            .method_not_allowed_fallback(async || {
                Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "this route does not take that method")
            })
            .layer(from_fn_with_state(observer, observe))
            .merge(unobserved(&ledger))
            .merge(figures::router(&ledger))
            .merge(ingest::status(&desk))
            .merge(bus.status())
            .merge(tasks::status(&tasks));
        Ok(Server { router, ledger, platform, workflow, desk, bus, tasks })
    }

    pub(crate) fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(&self.ledger)
    }

    pub(crate) fn platform(&self) -> Arc<Platform> {
        Arc::clone(&self.platform)
    }

    pub(crate) fn workflow(&self) -> Arc<Workflow> {
        Arc::clone(&self.workflow)
    }

    pub(crate) fn desk(&self) -> Arc<Desk> {
        Arc::clone(&self.desk)
    }

    pub(crate) fn bus(&self) -> Arc<Bus> {
        Arc::clone(&self.bus)
    }

    pub(crate) fn tasks(&self) -> Arc<Tasks> {
        Arc::clone(&self.tasks)
    }

    pub(crate) async fn run(self, listener: TcpListener, shutdown: impl Future<Output = ()> + Send) {
        let mut shutdown = pin!(shutdown);
        let mut connections = JoinSet::new();
        let (closing, watch_closing) = watch::channel(());
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(converse(stream, self.router.clone(), watch_closing.clone()));
                    }
                    Err(error) if is_of_one_connection(&error) => {}
                    Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
        drop(listener);
        drop(closing);
        let finish = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(FAREWELL, finish).await.is_err() {
            connections.shutdown().await;
        }
    }
}

/// Whether only the connection that was about to be accepted failed, and the next one may be tried at once.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// One connection to its end. An idle one is left alone however long it lasts: a load tester would rightly
/// count a request that runs into its closing as failed.
async fn converse(stream: TcpStream, router: Router, mut closing: watch::Receiver<()>) {
    // Without it the connection still works, if more slowly.
    let _ = stream.set_nodelay(true);
    let identity = Connection::default();
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(identity.clone());
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    // How it ends is the client's affair; what was cut short is counted as aborted.
    tokio::select! {
        _ = &mut connection => {}
        _ = closing.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// Counts every request that passes, and gives it its delay or its failure.
struct Observer {
    ledger: Arc<Ledger>,
    timer: Timer,
    behaviours: Vec<Behaviour>,
    routes: Vec<&'static (Method, &'static str)>,
}

impl Observer {
    fn new(config: &Config) -> io::Result<Observer> {
        let routed = || endpoint::all().filter_map(|e| e.route.as_ref().map(|route| (e, route)));
        let names = routed().map(|(_, (method, path))| (method.to_string(), (*path).to_owned()));
        Ok(Observer {
            ledger: Arc::new(Ledger::new(names)),
            timer: Timer::start()?,
            behaviours: routed().map(|(endpoint, _)| Behaviour::new(endpoint, config)).collect(),
            routes: routed().map(|(_, route)| route).collect(),
        })
    }

    /// Which endpoint a request is for; `None` for none of them.
    fn place(&self, request: &Request) -> Option<usize> {
        let path = request.extensions().get::<MatchedPath>()?;
        self.routes
            .iter()
            .position(|(method, template)| method == request.method() && *template == path.as_str())
    }
}

async fn observe(State(observer): State<Arc<Observer>>, request: Request, next: Next) -> Response {
    if workflow::is_probe(request.uri().path(), request.headers()) {
        return next.run(request).await;
    }
    let arrived = Instant::now();
    let place = observer.place(&request);
    let connection = request.extensions().get::<Connection>().cloned().unwrap_or_default();
    let ticket = observer.ledger.begin(place, &connection, request.headers());
    let unknown = Fate { delay: Duration::ZERO, fails: false };
    let fate = place.map_or(unknown, |place| observer.behaviours[place].draw());
    let response = answer(request, fate, next).await;
    observer.timer.sleep_until(arrived + fate.delay).await;
    ticket.decide(response.status().as_u16());
    response
}

/// Reads the whole body first, whatever comes of it: a connection with a rest of it in the pipe cannot be kept.
async fn answer(request: Request, fate: Fate, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match to_bytes(body, LARGEST_BODY).await {
        Err(error) if error.source().is_some_and(<dyn Error>::is::<LengthLimitError>) => Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is longer than the limit of {LARGEST_BODY} bytes; send less"),
        )
        .into_response(),
        Err(error) => {
            Refusal::new(StatusCode::BAD_REQUEST, format!("the body broke off: {error}")).into_response()
        }
        Ok(_) if fate.fails => {
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "this request fails because --fail says so")
                .into_response()
        }
        Ok(bytes) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
    }
}

/// The routes that leave no trace in the truth.
fn unobserved(ledger: &Arc<Ledger>) -> Router {
    Router::new()
        .route("/", get(async || "demo-target is here; GET /truth says what it has seen\n"))
        .route("/truth", get(async |State(ledger): State<Arc<Ledger>>| Json(ledger.truth())))
        .route("/truth/users", get(async |State(ledger): State<Arc<Ledger>>| Json(ledger.users())))
        .route(
            "/truth/reset",
            post(async |State(ledger): State<Arc<Ledger>>| {
                ledger.reset();
                Json(ledger.truth())
            }),
        )
        .with_state(Arc::clone(ledger))
}

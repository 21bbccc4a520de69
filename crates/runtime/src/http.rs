//! The HTTP skeleton of every service: health, metrics, reload, TLS, and a drain.

use crate::listen::{Listener, Peer};
use crate::routes::Front;
use crate::tls::{Certificates, TlsConfig, TlsError};
use crate::tls_files::follow_files;
use crate::{Condition, Context, Declared, OnEnd, Routes, Rule, Served, Shutdown};
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower_http::catch_panic::CatchPanicLayer;

/// What is answered to callers without a client certificate: probes have none.
const PROBES: [&str; 4] = ["/livez", "/readyz", "/-/healthy", "/-/ready"];

/// A listener that is bound already, so that its port is known before it serves.
#[derive(Debug)]
pub struct HttpServer {
    ctx: Context,
    at: At,
    tls: Option<Arc<Certificates>>,
    address: SocketAddr,
}

/// What is there at the address.
#[derive(Debug)]
enum At {
    /// Nobody answers yet.
    Bound(TcpListener),
    /// What answers until the service does; until then nothing is ready, whatever conditions are known so far.
    Waiting {
        front: Front,
        /// Ends what serves the address.
        order: Shutdown,
        /// Ends when that has ended.
        ended: oneshot::Receiver<()>,
        condition: Condition,
    },
}

/// The listener that a process has opened for its service. A cheap handle.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waiting(Arc<Mutex<Option<(SocketAddr, HttpServer)>>>);

impl Waiting {
    fn put(&self, address: SocketAddr, server: HttpServer) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((address, server));
    }

    /// What was opened at this address.
    fn take(&self, address: SocketAddr) -> Option<HttpServer> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = open.take_if(|(asked, _)| *asked == address);
        found.map(|(_, server)| server)
    }
}

/// Why a service cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The certificates cannot be used.
    #[error("cannot listen on {address} with TLS: {source}")]
    Tls {
        /// The address.
        address: SocketAddr,
        /// What is wrong with the files.
        source: TlsError,
    },
}

impl HttpServer {
    /// Binds; port 0 takes a free one. Takes over what [`HttpServer::wait`] has opened at this address.
    pub async fn bind(
        ctx: &Context,
        address: SocketAddr,
        tls: Option<&TlsConfig>,
    ) -> Result<Self, ListenError> {
        match ctx.waiting.take(address) {
            // Tasks of a part of the process end with that part.
            Some(open) => Ok(Self {
                ctx: ctx.clone(),
                ..open
            }),
            None => Self::open(ctx, address, tls).await,
        }
    }

    async fn open(
        ctx: &Context,
        address: SocketAddr,
        tls: Option<&TlsConfig>,
    ) -> Result<Self, ListenError> {
        let tls = tls.map(Certificates::load).transpose();
        let tls = tls.map_err(|source| ListenError::Tls { address, source })?;
        let fail = |source| ListenError::Address { address, source };
        let listener = TcpListener::bind(address).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        Ok(Self {
            ctx: ctx.clone(),
            at: At::Bound(listener),
            tls: tls.map(Arc::new),
            address,
        })
    }

    /// Answers health and metrics at `address` from now on, everything else with 503, until a service binds that
    /// address and serves: so that a process which waits for its log or database is alive to who asks. Connections stay.
    pub async fn wait(
        ctx: &Context,
        address: SocketAddr,
        tls: Option<&TlsConfig>,
    ) -> Result<(), ListenError> {
        let mut server = Self::open(ctx, address, tls).await?;
        // Before anybody can ask: without a condition everything is ready.
        let condition = ctx.health.condition("service");
        let order = ctx.tasks.shutdown().part();
        let nobody = Served::nothing().around(|app| app.fallback(starting));
        let front = Front::new(server.app(nobody));
        let (ends, ended) = oneshot::channel();
        let waiting = At::Waiting {
            front: front.clone(),
            order: order.clone(),
            ended,
            condition,
        };
        if let At::Bound(listener) = std::mem::replace(&mut server.at, waiting) {
            let serves = serve(listener, server.tls.clone(), front.served(), order);
            ctx.tasks.spawn("http", OnEnd::Fine, async move {
                serves.await?;
                // Nobody may have taken it over.
                ends.send(()).unwrap_or_default();
                Ok::<(), std::io::Error>(())
            });
        }
        ctx.waiting.put(address, server);
        Ok(())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `routes` beside `/livez`, `/readyz`, `/metrics` and `/-/reload` until the shutdown, then lets requests
    /// in flight finish.
    pub fn serve(self, name: &'static str, routes: Served) {
        if let Some(certificates) = &self.tls {
            follow_files(name, certificates, &self.ctx);
        }
        let app = self.app(routes);
        let mine = self.ctx.tasks.shutdown().clone();
        let must_live = OnEnd::StopsTheProcess;
        match self.at {
            At::Bound(listener) => {
                let serves = serve(listener, self.tls, app, mine);
                self.ctx.tasks.spawn(name, must_live, serves);
            }
            At::Waiting {
                front,
                order,
                mut ended,
                condition,
            } => {
                front.hand_over(app);
                condition.ready("serves");
                self.ctx.tasks.spawn(name, must_live, async move {
                    tokio::select! {
                        () = mine.begun() => order.begin(),
                        gone = &mut ended => return gone,
                    }
                    ended.await
                });
            }
        }
    }

    /// What answers: the routes, those of every service, and what stands around them.
    fn app(&self, routes: Served) -> Served {
        let asks = self.tls.as_ref().is_some_and(|tls| tls.ask_clients());
        let app = routes.and(skeleton(&self.ctx));
        app.around(|app| {
            app.layer(CatchPanicLayer::new())
                .layer(middleware::from_fn_with_state(asks, greet))
        })
    }
}

/// Serves until the order, then lets requests in flight finish.
async fn serve(
    tcp: TcpListener,
    tls: Option<Arc<Certificates>>,
    app: Served,
    order: Shutdown,
) -> std::io::Result<()> {
    let service = app
        .into_router()
        .into_make_service_with_connect_info::<Peer>();
    axum::serve(Listener { tcp, tls }, service)
        .with_graceful_shutdown(async move { order.begun().await })
        .await
}

/// What is answered until the service stands.
async fn starting() -> Response {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [(header::RETRY_AFTER, "1")],
        "the service is starting; /readyz?verbose says what it waits for\n",
    )
        .into_response()
}

/// Tells handlers the address of the other side; turns away who has no certificate where one is asked for.
async fn greet(
    State(asks): State<bool>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    if asks && !peer.has_shown_certificate() && !PROBES.contains(&request.uri().path()) {
        return (
            StatusCode::FORBIDDEN,
            "show a client certificate of an authority that this listener trusts\n",
        )
            .into_response();
    }
    request.extensions_mut().insert(ConnectInfo(peer.address));
    next.run(request).await
}

/// The routes that every service has.
fn skeleton(ctx: &Context) -> Served {
    skeleton_routes().kept_by_handlers().with_state(ctx.clone())
}

/// The table of the routes that every service has.
pub fn skeleton_table() -> Vec<Declared> {
    skeleton_routes().table()
}

fn skeleton_routes() -> Routes<Context> {
    Routes::new()
        .get("/livez", Rule::Anybody, async || "ok\n")
        .get("/-/healthy", Rule::Anybody, async || "ok\n")
        .get("/readyz", Rule::Watchers, readyz)
        .get("/-/ready", Rule::Watchers, readyz)
        .get("/metrics", Rule::Watchers, metrics_page)
        .post("/-/reload", Rule::SameMachine, reload)
}

async fn readyz(
    State(ctx): State<Context>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let ready = ctx.health.is_ready();
    let mut text = String::new();
    for (name, state) in ctx.health.report() {
        let (sign, detail) = match &state {
            Ok(detail) => ("+", detail),
            Err(why) => ("-", why),
        };
        if state.is_err() || query.contains_key("verbose") {
            // Writing to a String cannot fail.
            writeln!(text, "[{sign}] {name}: {detail}").unwrap_or_default();
        }
    }
    text.push_str(if ready { "ready\n" } else { "not ready\n" });
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, text).into_response()
}

async fn metrics_page(State(ctx): State<Context>) -> Response {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        ctx.metrics.render(),
    )
        .into_response()
}

/// Only who is on the machine itself may ask for a reload: the address is open to agents and browsers as well. What
/// a proxy of the machine passes on comes from elsewhere.
async fn reload(
    State(ctx): State<Context>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    // `origin` is what browsers send with a form: of a page that somebody reads on this machine.
    let passed_on = ["x-forwarded-for", "forwarded", "origin"]
        .iter()
        .any(|name| headers.contains_key(*name));
    if passed_on || !peer.ip().to_canonical().is_loopback() {
        return (
            StatusCode::FORBIDDEN,
            "a reload is asked for from the machine itself (in Kubernetes by `kubectl port-forward`), or by SIGHUP\n",
        )
            .into_response();
    }
    let all = ctx.reload.now();
    let mut text = String::new();
    for each in &all {
        let line = match &each.outcome {
            Ok(what) => writeln!(text, "[+] {}: {what}", each.part),
            Err(why) => writeln!(text, "[-] {}: {why}; the old stays in force", each.part),
        };
        line.unwrap_or_default();
    }
    if all.iter().all(|each| each.outcome.is_ok()) {
        text.push_str("reloaded\n");
        (StatusCode::OK, text).into_response()
    } else {
        text.push_str("not reloaded\n");
        (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;
    use std::time::Duration;
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
    use tokio::net::TcpStream;

    /// One request on an open connection; the status line of its answer.
    async fn ask(connection: &mut BufStream<TcpStream>, path: &str) -> String {
        let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        connection
            .write_all(head.as_bytes())
            .await
            .expect("it is sent");
        connection.flush().await.expect("it is sent");
        let (mut status, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            let read = connection
                .read_line(&mut line)
                .await
                .expect("it is answered");
            assert!(read > 0, "the connection was closed: {status}");
            if status.is_empty() {
                status.clone_from(&line);
            }
            if let Some(count) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = count.trim().parse().expect("a number");
            }
            if line == "\r\n" {
                break;
            }
        }
        connection
            .read_exact(&mut vec![0; length])
            .await
            .expect("a body");
        status.trim().to_owned()
    }

    #[tokio::test]
    async fn a_connection_outlives_the_hand_over_and_no_request_is_lost() {
        let ctx = Context::at(Clock::manual(0), Shutdown::new());
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        HttpServer::wait(&ctx, any, None).await.expect("it listens");
        let server = HttpServer::bind(&ctx, any, None)
            .await
            .expect("it is taken over");
        let connect = async || {
            BufStream::new(
                TcpStream::connect(server.address())
                    .await
                    .expect("it is open"),
            )
        };
        let (mut idle, mut half, mut silent) = (connect().await, connect().await, connect().await);
        assert_eq!(
            ask(&mut idle, "/hello").await,
            "HTTP/1.1 503 Service Unavailable"
        );
        half.write_all(b"GET /hello HTTP/1.1\r\n")
            .await
            .expect("it is sent");
        half.flush().await.expect("it is sent");
        // Whoever asks behind it is answered: what it sent was read.
        assert_eq!(ask(&mut idle, "/livez").await, "HTTP/1.1 200 OK");
        let hello = Routes::<()>::new().get("/hello", Rule::Anybody, async || "hello");
        server.serve("test", hello.kept_by_handlers().with_state(()));
        for connection in [&mut idle, &mut silent] {
            assert_eq!(ask(connection, "/hello").await, "HTTP/1.1 200 OK");
        }
        half.write_all(b"Host: x\r\n\r\n")
            .await
            .expect("it is sent");
        half.flush().await.expect("it is sent");
        let mut status = String::new();
        half.read_line(&mut status).await.expect("it is answered");
        assert_eq!(status.trim(), "HTTP/1.1 200 OK");
        drop((idle, half, silent));
        ctx.tasks.shutdown().begin();
        assert!(ctx.tasks.drain(Duration::from_secs(10)).await);
    }

    #[tokio::test]
    async fn nothing_is_ready_before_the_service_serves_whatever_holds_already() {
        let ctx = Context::at(Clock::manual(0), Shutdown::new());
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        HttpServer::wait(&ctx, address, None)
            .await
            .expect("it listens");
        ctx.health.condition("catalogue").ready("revision 1");
        assert!(!ctx.health.is_ready(), "{:?}", ctx.health.report());
        let server = HttpServer::bind(&ctx, address, None)
            .await
            .expect("it is taken over");
        assert!(!ctx.health.is_ready(), "its store may not be there yet");
        server.serve("test", Served::nothing());
        assert!(ctx.health.is_ready(), "{:?}", ctx.health.report());
    }
}

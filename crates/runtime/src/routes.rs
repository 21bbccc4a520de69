//! The table of routes: what is served, and who may use it.
//!
//! A service declares each route with its rule. The router is built from that table and from nothing else, and
//! [`HttpServer::serve`](crate::HttpServer::serve) takes nothing but such a table:
//!
//! ```compile_fail
//! # fn serve(server: runtime::HttpServer, ctx: runtime::Context) {
//! // A router whose routes have no rules.
//! let routes = axum::Router::new();
//! server.serve("name", routes);
//! # }
//! ```

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::middleware::from_fn;
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, Route, on};
use model::Role;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use tower::{Layer, Service, ServiceExt};

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Whoever reaches the address. It says nothing of any tenant and changes nothing.
    Anybody,
    /// Whoever the network lets reach the address: it tells names of tenants and figures, to those who watch the service.
    Watchers,
    /// Whoever has a token of a tenant's agents; it reaches that tenant alone.
    TenantToken,
    /// Whoever has the key of an integration, in a header; it reaches that integration's tenant alone.
    IntegrationKey,
    /// Whoever has the key of an integration, in the address or the body.
    KeyInside,
    /// Whoever has the link of a message, which holds a secret.
    Link,
    /// The provider that signs its requests.
    Signed(&'static str),
    /// Callers of the same machine, or whoever has the service's token.
    OperatorToken,
    /// Callers of the same machine.
    SameMachine,
    /// Whoever can read the data folder, which holds the token.
    DataFolder,
    /// Whoever proves who they are here; pages of others may not send it.
    SignIn,
    /// A program or command with at least this role in the tenant that it is about.
    Api(Role),
    /// A person who signed in, with at least this role in the tenant that it is about.
    Page(Role),
    /// A form of a page: as [`Rule::Page`], and it repeats the token of its cookie.
    Form(Role),
}

impl Rule {
    /// The least role, where roles decide.
    pub fn role(self) -> Option<Role> {
        match self {
            Self::Api(role) | Self::Page(role) | Self::Form(role) => Some(role),
            _ => None,
        }
    }

    /// What keeps foreign pages from sending it, in words.
    pub fn against_forgery(self, method: &str) -> &'static str {
        match self {
            Self::Form(_) => "same origin, SameSite=Strict, form token",
            Self::SignIn => "same origin",
            Self::Page(_) => "reads only",
            Self::Api(_) if method == "GET" => "reads only",
            Self::Api(_) => "a token in a header: a session reads only",
            Self::Signed(_) => "signature",
            Self::Link | Self::KeyInside => "secret in the request",
            Self::TenantToken | Self::IntegrationKey | Self::OperatorToken | Self::DataFolder => {
                "credential in the request"
            }
            Self::Anybody | Self::Watchers => "changes nothing",
            Self::SameMachine => "what comes from a page is refused",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anybody => f.write_str("anybody"),
            Self::Watchers => f.write_str("whoever the network lets in"),
            Self::TenantToken => f.write_str("token of the tenant"),
            Self::IntegrationKey => f.write_str("key of an integration"),
            Self::KeyInside => f.write_str("key of an integration, in the request"),
            Self::Link => f.write_str("link of a message"),
            Self::Signed(who) => write!(f, "signature of {who}"),
            Self::OperatorToken => f.write_str("same machine, or the service's token"),
            Self::SameMachine => f.write_str("same machine"),
            Self::DataFolder => f.write_str("token of the data folder"),
            Self::SignIn => f.write_str("signs in here"),
            Self::Api(role) => write!(f, "{role}: token or session"),
            Self::Page(role) | Self::Form(role) => write!(f, "{role}: session"),
        }
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declared {
    /// `GET`, `POST` or `DELETE`; what answers GET answers HEAD as well.
    pub method: &'static str,
    /// The address, with `{name}` for what varies.
    pub path: &'static str,
    /// Who may use it.
    pub rule: Rule,
}

/// Keeps the rules of a service.
pub trait Guard: Clone + Send + Sync + 'static {
    /// Lets a request of a declared route in, as its handler shall see it, or answers it.
    fn admit(
        &self,
        route: Declared,
        request: Request,
    ) -> impl Future<Output = Result<Request, Response>> + Send;
}

/// Routes with their rules, which nothing keeps yet.
pub struct Routes<S = ()> {
    rows: Vec<(Declared, MethodRouter<S>)>,
}

/// Routes whose rules are kept.
pub struct Guarded<S = ()> {
    rows: Vec<(Declared, MethodRouter<S>)>,
}

/// A router with its table, as a server takes it.
#[derive(Debug, Clone)]
pub struct Served {
    router: Router,
    table: Vec<Declared>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// No routes.
    pub fn new() -> Self {
        Self { rows: Vec::new() }
    }

    /// One that is read.
    #[must_use]
    pub fn get<H: Handler<T, S>, T: 'static>(self, path: &'static str, rule: Rule, to: H) -> Self {
        self.row("GET", MethodFilter::GET, (path, rule), to)
    }

    /// One that changes or begins something, or is asked by a body.
    #[must_use]
    pub fn post<H: Handler<T, S>, T: 'static>(self, path: &'static str, rule: Rule, to: H) -> Self {
        self.row("POST", MethodFilter::POST, (path, rule), to)
    }

    /// One that ends or takes away something.
    #[must_use]
    pub fn delete<H: Handler<T, S>, T: 'static>(
        self,
        path: &'static str,
        rule: Rule,
        to: H,
    ) -> Self {
        self.row("DELETE", MethodFilter::DELETE, (path, rule), to)
    }

    fn row<H: Handler<T, S>, T: 'static>(
        mut self,
        method: &'static str,
        filter: MethodFilter,
        (path, rule): (&'static str, Rule),
        to: H,
    ) -> Self {
        let declared = Declared { method, path, rule };
        self.rows.push((declared, on(filter, to)));
        self
    }

    /// The table.
    pub fn table(&self) -> Vec<Declared> {
        self.rows.iter().map(|row| row.0).collect()
    }

    /// These and those.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.rows.extend(others.rows);
        self
    }

    /// Puts a layer around each of them: a limit, a time-out, what handlers are handed.
    #[must_use]
    pub fn layer<L>(self, layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: axum::response::IntoResponse + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        let rows = self.rows.into_iter();
        Self {
            rows: rows
                .map(|(declared, to)| (declared, to.layer(layer.clone())))
                .collect(),
        }
    }

    /// Routes whose rules a guard keeps before their handlers see anything.
    pub fn guarded(self, guard: &impl Guard) -> Guarded<S> {
        let rows = self.rows.into_iter().map(|(declared, to)| {
            let guard = guard.clone();
            let admit = from_fn(move |request: Request, next: axum::middleware::Next| {
                let guard = guard.clone();
                async move {
                    match guard.admit(declared, request).await {
                        Ok(request) => next.run(request).await,
                        Err(answer) => answer,
                    }
                }
            });
            (declared, to.layer(admit))
        });
        Guarded {
            rows: rows.collect(),
        }
    }

    /// Routes whose handlers find out themselves whose a request is, because that is how they know what to do with it.
    pub fn kept_by_handlers(self) -> Guarded<S> {
        Guarded { rows: self.rows }
    }
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Clone + Send + Sync + 'static> Guarded<S> {
    /// These and those.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.rows.extend(others.rows);
        self
    }

    /// The router, with what its handlers share.
    pub fn with_state(self, state: S) -> Served {
        let mut router = Router::new();
        let mut table = Vec::with_capacity(self.rows.len());
        for (declared, to) in self.rows {
            table.push(declared);
            router = router.route(declared.path, to);
        }
        Served {
            router: router.with_state(state),
            table,
        }
    }
}

impl Served {
    /// No routes.
    pub fn nothing() -> Self {
        Routes::<()>::new().kept_by_handlers().with_state(())
    }

    /// The table.
    pub fn table(&self) -> &[Declared] {
        &self.table
    }

    /// These and those.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.table.extend(others.table);
        Self {
            router: self.router.merge(others.router),
            table: self.table,
        }
    }

    /// Changes what stands around the routes: layers, and what is answered where no route is.
    #[must_use]
    pub fn around(self, change: impl FnOnce(Router) -> Router) -> Self {
        Self {
            router: change(self.router),
            table: self.table,
        }
    }

    /// The router alone, to ask it without a listener.
    pub fn into_router(self) -> Router {
        self.router
    }
}

/// Who answers at an address, one after the other: each request is answered by whoever it is at that time, and no connection
/// notices. A cheap handle.
#[derive(Debug, Clone)]
pub(crate) struct Front(Arc<Mutex<Router>>);

impl Front {
    pub(crate) fn new(first: Served) -> Self {
        Self(Arc::new(Mutex::new(first.router)))
    }

    /// From the next request on these answer, also on connections that are open.
    pub(crate) fn hand_over(&self, next: Served) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = next.router;
    }

    /// What is to be served.
    pub(crate) fn served(&self) -> Served {
        let front = self.clone();
        let now = move || {
            let router = front.0.lock().unwrap_or_else(PoisonError::into_inner);
            router.clone()
        };
        Served {
            router: Router::new().fallback(move |request: Request| now().oneshot(request)),
            table: Vec::new(),
        }
    }
}

impl<S> fmt::Debug for Routes<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.rows.iter().map(|row| &row.0))
            .finish()
    }
}

impl<S> fmt::Debug for Guarded<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.rows.iter().map(|row| &row.0))
            .finish()
    }
}

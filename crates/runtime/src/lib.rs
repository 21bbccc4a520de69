//! What every service stands on: configuration, telemetry, clock, named tasks, drain, and the HTTP
//! skeleton with `/livez`, `/readyz`, `/metrics` and `/-/reload`, in the clear or with TLS.

pub mod clock;
pub mod config;
mod health;
pub mod http;
mod http_head;
mod listen;
pub mod reload;
pub mod routes;
pub mod secret;
pub mod tasks;
pub mod telemetry;
pub mod tls;
mod tls_files;

pub use clock::Clock;
pub use health::{Condition, Health};
pub use http::HttpServer;
pub use reload::Reload;
pub use routes::{Declared, Guard, Routes, Rule, Served};
pub use secret::Secret;
pub use tasks::{OnEnd, Shutdown, Tasks};
pub use telemetry::Metrics;
pub use tls_files::Handshakes;

/// What a process hands to each service that it starts. A cheap handle.
#[derive(Debug, Clone)]
pub struct Context {
    /// Tells the time.
    pub clock: Clock,
    /// Spawns tasks and carries the order to stop.
    pub tasks: Tasks,
    /// Conditions of readiness.
    pub health: Health,
    /// Metrics of the process.
    pub metrics: Metrics,
    /// What is read again while the process runs.
    pub reload: Reload,
    /// The listener that the process has opened for its service.
    pub(crate) waiting: http::Waiting,
}

impl Context {
    /// A context on the machine's clock with nothing in it.
    pub fn new(shutdown: Shutdown) -> Self {
        Self::at(Clock::system(), shutdown)
    }

    /// The same on a clock of the caller's.
    pub fn at(clock: Clock, shutdown: Shutdown) -> Self {
        let metrics = Metrics::new();
        Self {
            reload: Reload::new(&metrics, clock.clone()),
            clock,
            tasks: Tasks::new(shutdown),
            health: Health::new(),
            metrics,
            waiting: http::Waiting::default(),
        }
    }

    /// The same clock, health and metrics under tasks of their own, to stop one service of a process.
    #[must_use]
    pub fn part(&self) -> Self {
        Self {
            tasks: Tasks::new(self.tasks.shutdown().part()),
            ..self.clone()
        }
    }
}

//! What every service stands on: configuration, telemetry, clock, named tasks, drain, and the HTTP
//! skeleton with `/livez`, `/readyz` and `/metrics`.

pub mod clock;
pub mod config;
pub mod health;
pub mod http;
mod http_head;
pub mod routes;
pub mod secret;
pub mod tasks;
pub mod telemetry;
pub mod tls;

pub use clock::Clock;
pub use health::{Condition, Health};
pub use http::HttpServer;
pub use routes::{Declared, Guard, Routes, Rule, Served};
pub use secret::Secret;
pub use tasks::{OnEnd, Shutdown, Tasks};
pub use telemetry::Metrics;

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
}

impl Context {
    /// A context on the machine's clock with nothing in it.
    pub fn new(shutdown: Shutdown) -> Self {
        Self {
            clock: Clock::system(),
            tasks: Tasks::new(shutdown),
            health: Health::new(),
            metrics: Metrics::new(),
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

//! Named tasks with a supervised end, and the order to stop.

use std::future::Future;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The order to stop, given once to everybody. A cheap handle.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// Nobody has asked yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks everybody who holds this order, or a part of it, to finish.
    pub fn begin(&self) {
        self.0.cancel();
    }

    /// Whether it was asked.
    pub fn has_begun(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until it is asked. Cancel-safe.
    pub async fn begun(&self) {
        self.0.cancelled().await;
    }

    /// An order of its own that also follows this one: to stop one service of a process.
    #[must_use]
    pub fn part(&self) -> Self {
        Self(self.0.child_token())
    }
}

/// What the end of a task means to the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnEnd {
    /// It may end by itself, well or with an error, which is logged.
    Fine,
    /// Its end before the shutdown, by error, panic or return, stops the process.
    StopsTheProcess,
}

/// Spawns and supervises the tasks of a process or service. A cheap handle.
#[derive(Debug, Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    shutdown: Shutdown,
    failed: CancellationToken,
}

impl Tasks {
    /// Tasks that end on this order.
    pub fn new(shutdown: Shutdown) -> Self {
        Self {
            tracker: TaskTracker::new(),
            shutdown,
            failed: CancellationToken::new(),
        }
    }

    /// The order that the tasks end on.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Spawns a task under a name. Its panic is contained, logged and treated as an error.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one function that spawns"
    )]
    pub fn spawn<F, E>(&self, name: &'static str, on_end: OnEnd, task: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: std::fmt::Display + Send + 'static,
    {
        let work = tokio::spawn(task);
        let (shutdown, failed) = (self.shutdown.clone(), self.failed.clone());
        self.tracker.spawn(async move {
            let end = match work.await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(panic) => Err(format!("panicked: {panic}")),
            };
            match &end {
                Err(error) => tracing::error!(task = name, error, "task failed"),
                Ok(()) if on_end == OnEnd::StopsTheProcess && !shutdown.has_begun() => {
                    tracing::error!(task = name, "task ended before the shutdown");
                }
                Ok(()) => tracing::debug!(task = name, "task ended"),
            }
            if on_end == OnEnd::StopsTheProcess && (end.is_err() || !shutdown.has_begun()) {
                failed.cancel();
                shutdown.begin();
            }
        });
    }

    /// Spawns a named thread for what blocks; the process waits for it in [`Tasks::drain`].
    pub fn spawn_thread(
        &self,
        name: &'static str,
        body: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<()> {
        let token = self.tracker.token();
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                body();
                drop(token);
            })?;
        Ok(())
    }

    /// Waits for the order to stop, then for the tasks. False when a task that must live had failed
    /// or some were still running when the time was over.
    pub async fn drain(&self, within: Duration) -> bool {
        self.shutdown.begun().await;
        self.tracker.close();
        let in_time = tokio::time::timeout(within, self.tracker.wait())
            .await
            .is_ok();
        if !in_time {
            tracing::error!(
                left = self.tracker.len(),
                "tasks did not end within the time to drain"
            );
        }
        in_time && !self.failed.is_cancelled()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_panic_of_a_vital_task_stops_the_process() {
        let tasks = Tasks::new(Shutdown::new());
        tasks.spawn("vital", OnEnd::StopsTheProcess, async {
            if true {
                panic!("broken");
            }
            Ok::<(), String>(())
        });
        assert!(!tasks.drain(Duration::from_secs(5)).await);
    }

    #[tokio::test]
    async fn a_task_that_ends_on_the_order_is_a_good_end() {
        let tasks = Tasks::new(Shutdown::new());
        let order = tasks.shutdown().clone();
        tasks.spawn("vital", OnEnd::StopsTheProcess, async move {
            order.begun().await;
            Ok::<(), String>(())
        });
        tasks.shutdown().begin();
        assert!(tasks.drain(Duration::from_secs(5)).await);
    }
}

//! What a running process reads again: at SIGHUP, at `POST /-/reload`, and, for certificates, when files change.
//!
//! Each part says what a reload does to it. A part that refuses keeps what it had; the others go on.

use crate::{Clock, Metrics, OnEnd, Tasks};
use prometheus::{Gauge, IntGauge, IntGaugeVec, Opts};
use std::sync::{Arc, Mutex, PoisonError};

/// Reads a part again: what has changed, or why what is new was refused.
type Part = Box<dyn Fn() -> Result<String, String> + Send + Sync>;

/// What a process reads again. A cheap handle.
#[derive(Clone)]
pub struct Reload(Arc<Inner>);

struct Inner {
    parts: Mutex<Vec<(String, Part)>>,
    clock: Clock,
    successful: IntGauge,
    success_at: Gauge,
    certificates: IntGaugeVec,
}

/// What a reload did to one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// Name of the part: `configuration`, `certificates of ..`.
    pub part: String,
    /// What has changed, or why what is new was refused.
    pub outcome: Result<String, String>,
}

impl Reload {
    /// Nothing to read again yet.
    pub fn new(metrics: &Metrics, clock: Clock) -> Self {
        let successful = metrics.add(IntGauge::new(
            "bongsu_config_last_reload_successful",
            "1 when the last reload was taken whole, 0 when something was refused and the old is in force.",
        ));
        let success_at = metrics.add(Gauge::new(
            "bongsu_config_last_reload_success_timestamp_seconds",
            "When configuration was taken last, in seconds since 1970.",
        ));
        let certificates = metrics.add(IntGaugeVec::new(
            Opts::new(
                "bongsu_tls_certificate_current",
                "1 while a listener shows the certificate of its files, 0 when these were refused and the old one is shown.",
            ),
            &["listener"],
        ));
        successful.set(1);
        success_at.set(seconds(&clock));
        Self(Arc::new(Inner {
            parts: Mutex::default(),
            clock,
            successful,
            success_at,
            certificates,
        }))
    }

    /// Adds a part. It must not take long: parts are read one after another.
    pub fn add(
        &self,
        name: impl Into<String>,
        part: impl Fn() -> Result<String, String> + Send + Sync + 'static,
    ) {
        let mut parts = self.0.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.push((name.into(), Box::new(part)));
    }

    /// Reads everything again; says what became of each part.
    pub fn now(&self) -> Vec<Reloaded> {
        let parts = self.0.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::with_capacity(parts.len());
        for (name, part) in parts.iter() {
            let outcome = part();
            match &outcome {
                Ok(what) => tracing::info!(part = name, what, "reloaded"),
                Err(why) => {
                    tracing::error!(part = name, why, "reload refused; the old stays in force");
                }
            }
            all.push(Reloaded {
                part: name.clone(),
                outcome,
            });
        }
        let good = all.iter().all(|reloaded| reloaded.outcome.is_ok());
        self.0.successful.set(i64::from(good));
        if good {
            self.0.success_at.set(seconds(&self.0.clock));
        }
        all
    }

    /// Says whether a listener shows the certificate of its files.
    pub(crate) fn certificate(&self, listener: &str, current: bool) {
        let gauge = self.0.certificates.with_label_values(&[listener]);
        gauge.set(i64::from(current));
    }

    /// Reloads at each SIGHUP until the shutdown.
    pub fn at_hangup(&self, tasks: &Tasks) {
        let (reload, order) = (self.clone(), tasks.shutdown().clone());
        tasks.spawn("reload", OnEnd::Fine, async move {
            use tokio::signal::unix::{SignalKind, signal};
            let mut hangup = signal(SignalKind::hangup())?;
            loop {
                tokio::select! {
                    () = order.begun() => return Ok::<(), std::io::Error>(()),
                    received = hangup.recv() => match received {
                        Some(()) => drop(reload.now()),
                        None => return Ok(()),
                    }
                }
            }
        });
    }
}

impl std::fmt::Debug for Reload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = self.0.parts.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_list()
            .entries(parts.iter().map(|(name, _)| name))
            .finish()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of our age fit into 53 bits"
)]
fn seconds(clock: &Clock) -> f64 {
    clock.now_millis() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn one_part_that_refuses_is_told_and_the_others_are_read() {
        let metrics = Metrics::new();
        let clock = Clock::manual(5_000_000_000);
        let reload = Reload::new(&metrics, clock.clone());
        let bad = Arc::new(AtomicBool::new(true));
        let seen = Arc::clone(&bad);
        reload.add("first", move || match seen.load(Ordering::SeqCst) {
            true => Err("line 3 is no key".to_owned()),
            false => Ok("nothing has changed".to_owned()),
        });
        reload.add("second", || Ok("read".to_owned()));
        clock.advance(std::time::Duration::from_secs(4));
        let all = reload.now();
        assert_eq!(all[0].outcome, Err("line 3 is no key".to_owned()));
        assert_eq!(all[1].outcome, Ok("read".to_owned()));
        let text = metrics.render();
        assert!(
            text.contains("bongsu_config_last_reload_successful 0"),
            "{text}"
        );
        assert!(text.contains("success_timestamp_seconds 5\n"), "{text}");
        bad.store(false, Ordering::SeqCst);
        assert!(reload.now().iter().all(|each| each.outcome.is_ok()));
        let text = metrics.render();
        assert!(
            text.contains("bongsu_config_last_reload_successful 1"),
            "{text}"
        );
        assert!(text.contains("success_timestamp_seconds 9\n"), "{text}");
    }
}

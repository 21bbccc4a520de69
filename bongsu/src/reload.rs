//! The configuration, read again while the process runs: what can change does, the rest is told to need a restart.

use crate::failure::{Failure, Outcome};
use crate::settings::{Settings, flatten};
use prometheus::IntGauge;
use runtime::telemetry::LogFilter;
use runtime::{Context, Metrics};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Prepares a part of the process for new settings; what it hands out puts them in force and cannot fail.
pub(crate) type Taker = Box<dyn Fn(&Settings) -> Result<Commit, String> + Send + Sync>;
/// Puts prepared settings in force.
pub(crate) type Commit = Box<dyn FnOnce() + Send>;

/// Keys outside of the services' sections that change while the process runs.
const LIVE: [&str; 1] = ["log.filter"];

type Keys = BTreeMap<String, Value>;

struct State {
    /// As the process was started: what needs a restart is compared with this.
    started: Keys,
    /// As they were taken last.
    latest: Keys,
}

/// Reads the configuration again by `read` at every reload, and at SIGHUP.
pub(crate) fn start(
    ctx: &Context,
    settings: &Settings,
    log: LogFilter,
    mut takers: Vec<Taker>,
    read: impl Fn() -> Outcome<Settings> + Send + Sync + 'static,
) -> Outcome {
    let started = keys(settings)?;
    let state = Mutex::new(State {
        latest: started.clone(),
        started,
    });
    let waiting = metric(&ctx.metrics);
    let log = std::sync::Arc::new(log);
    takers.push(Box::new(move |settings| {
        let filter = settings.log.filter.clone();
        LogFilter::check(&filter)
            .map_err(|error| format!("configuration key `log.filter`: {error}"))?;
        let log = std::sync::Arc::clone(&log);
        Ok(Box::new(move || {
            if let Err(error) = log.set(&filter) {
                tracing::error!(%error, "the log's filter could not be changed");
            }
        }))
    }));
    ctx.reload.add("configuration", move || {
        let new = read().map_err(said)?;
        new.check().map_err(said)?;
        let commits: Vec<Commit> = takers
            .iter()
            .map(|taker| taker(&new))
            .collect::<Result<_, _>>()?;
        let new = keys(&new).map_err(said)?;
        commits.into_iter().for_each(|commit| commit());
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let change = Change::between(&state.started, &state.latest, &new);
        waiting.set(i64::try_from(change.need_restart.len()).unwrap_or(i64::MAX));
        state.latest = new;
        Ok(change.to_string())
    });
    ctx.reload.at_hangup(&ctx.tasks);
    Ok(())
}

/// Keys that wait for a restart.
pub(crate) fn metric(metrics: &Metrics) -> IntGauge {
    metrics.add(IntGauge::new(
        "bongsu_config_restart_needed_keys",
        "Keys of the configuration that have changed since the start and need a restart to hold.",
    ))
}

fn said(failure: Failure) -> String {
    failure.cause
}

/// Every key with its value.
fn keys(settings: &Settings) -> Outcome<Keys> {
    let tree = serde_json::to_value(settings)
        .map_err(|error| Failure::new(crate::failure::Exit::Failed, error.to_string()))?;
    let mut all = Vec::new();
    flatten(&tree, "", &mut all);
    Ok(all.into_iter().collect())
}

/// Whether a key changes while the process runs.
fn is_live(key: &str) -> bool {
    let below = |section: &str, keys: &[&str]| {
        let rest = key
            .strip_prefix(section)
            .and_then(|rest| rest.strip_prefix('.'));
        rest.is_some_and(|rest| {
            keys.iter().any(|live| {
                rest.strip_prefix(live)
                    .is_some_and(|more| more.is_empty() || more.starts_with('.'))
            })
        })
    };
    LIVE.contains(&key)
        || below("router", &router::Config::LIVE)
        || below("notifier", &notifier::Config::LIVE)
}

/// What a reload changes.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    /// Keys that have another value from now on.
    taken: Vec<String>,
    /// Keys that have another value in the file than the process was started with, and need a restart.
    need_restart: Vec<String>,
}

impl Change {
    fn between(started: &Keys, latest: &Keys, new: &Keys) -> Self {
        let differ = |old: &Keys| {
            let all = old.keys().chain(new.keys());
            let mut keys: Vec<String> = all
                .filter(|key| old.get(*key) != new.get(*key))
                .cloned()
                .collect();
            keys.sort();
            keys.dedup();
            keys
        };
        let mut taken = differ(latest);
        taken.retain(|key| is_live(key));
        let mut need_restart = differ(started);
        need_restart.retain(|key| !is_live(key));
        Self {
            taken,
            need_restart,
        }
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.taken.as_slice() {
            [] => f.write_str("no key that is live has changed")?,
            taken => write!(f, "in force now: {}", taken.join(", "))?,
        }
        match self.need_restart.as_slice() {
            [] => Ok(()),
            keys => write!(f, "; needs a restart: {}", keys.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, i64)]) -> Keys {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Value::from(*value)))
            .collect()
    }

    #[test]
    fn live_keys_are_taken_and_the_others_told_until_the_restart() {
        let started = of(&[
            ("router.series", 1),
            ("router.listen", 1),
            ("log.filter", 1),
        ]);
        let first = of(&[
            ("router.series", 2),
            ("router.listen", 2),
            ("log.filter", 1),
        ]);
        let change = Change::between(&started, &started, &first);
        assert_eq!(
            change.to_string(),
            "in force now: router.series; needs a restart: router.listen"
        );
        let change = Change::between(&started, &first, &first);
        assert_eq!(
            change.to_string(),
            "no key that is live has changed; needs a restart: router.listen"
        );
        assert_eq!(
            Change::between(&started, &first, &started).to_string(),
            "in force now: router.series"
        );
    }

    #[test]
    fn the_documentation_names_every_live_key() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operating.md");
        let text = std::fs::read_to_string(path).unwrap();
        let told = text.split("| changes at once |").nth(1).unwrap();
        let told = told
            .split("Every other key needs a restart")
            .next()
            .unwrap();
        let keys = LIVE.iter().chain(&router::Config::LIVE);
        for key in keys.chain(&notifier::Config::LIVE) {
            assert!(
                told.contains(&format!("{key}`")),
                "docs/operating.md lacks `{key}`"
            );
        }
    }

    #[test]
    fn every_live_key_exists() {
        let layers = runtime::config::Layers::new();
        let all = keys(&Settings::load(&layers).unwrap()).unwrap();
        let sections = [
            ("router", &router::Config::LIVE[..]),
            ("notifier", &notifier::Config::LIVE[..]),
        ];
        for (section, live) in sections {
            for key in live {
                let key = format!("{section}.{key}");
                let below = |of: &str, key: &str| key.starts_with(&format!("{of}."));
                let known = |known: &String| {
                    // A section that is left out has no keys below it.
                    *known == key
                        || below(&key, known)
                        || (below(known, &key) && all[known].is_null())
                };
                assert!(all.keys().any(known), "{key}");
                assert!(is_live(&key), "{key}");
            }
        }
        assert!(LIVE.iter().all(|key| all.contains_key(*key)));
        assert!(!is_live("router.series_window"));
    }
}

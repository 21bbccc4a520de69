//! The parts that a process stands on: the log, the data folder, and where a running `up` is found.

use crate::failure::{Exit, Failure, Outcome};
use crate::settings::{Settings, default_data_dir};
use runtime::Clock;
use schemas::catalogue::{Bundle, DEFAULT_CLUSTER};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};
use stream::{Clusters, Embedded, Kafka, KafkaConfig, Stream, StreamError, Verdict};

/// Where the embedded parts of a process are kept.
#[derive(Debug, Clone)]
pub(crate) struct DataDir(PathBuf);

/// How a command finds a running `up`, which alone may open the embedded log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Running {
    /// Process id, for messages.
    pub(crate) pid: u32,
    /// URL of the control endpoint.
    pub(crate) control: String,
    /// Token that the control endpoint wants.
    pub(crate) token: String,
    /// URL of the console and the API.
    pub(crate) console: String,
    /// URL of the router.
    pub(crate) router: String,
    /// URL of the evaluator.
    #[serde(default)]
    pub(crate) evaluator: Option<String>,
}

impl DataDir {
    /// The folder of the configuration, or the default one.
    pub(crate) fn of(settings: &Settings, name: &str) -> Self {
        Self(
            settings
                .data_dir
                .clone()
                .unwrap_or_else(|| default_data_dir(name)),
        )
    }

    /// Makes it if it is missing, for its owner alone.
    pub(crate) fn create(&self) -> Outcome {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)
            .map_err(|error| {
                Failure::new(
                    Exit::Failed,
                    format!("cannot make the data folder {}: {error}", self.0.display()),
                )
                .hint("name another with --data-dir")
            })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("log.redb")
    }

    pub(crate) fn points(&self) -> PathBuf {
        self.0.join("points.db")
    }

    pub(crate) fn incidents(&self) -> PathBuf {
        self.0.join("incidents.db")
    }

    fn running_file(&self) -> PathBuf {
        self.0.join("running.json")
    }

    /// Tells other commands where this process is.
    pub(crate) fn announce(&self, running: &Running) -> Outcome {
        let text = serde_json::to_string_pretty(running)
            .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
        write_private(&self.running_file(), &text)
    }

    /// The process that announced itself here and has not ended well. It may have been killed.
    pub(crate) fn running(&self) -> Option<Running> {
        serde_json::from_str(&std::fs::read_to_string(self.running_file()).ok()?).ok()
    }

    /// Takes the announcement back.
    pub(crate) fn withdraw(&self) {
        if let Err(error) = std::fs::remove_file(self.running_file()) {
            tracing::warn!(%error, "the announcement of this process could not be taken back");
        }
    }
}

/// Writes a file that only its owner may read, whole or not at all.
pub(crate) fn write_private(path: &Path, text: &str) -> Outcome {
    use std::os::unix::fs::OpenOptionsExt;
    let draft = path.with_extension("new");
    let write = || {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&draft, path)
    };
    write().map_err(|error: std::io::Error| {
        Failure::new(
            Exit::Failed,
            format!("cannot write {}: {error}", path.display()),
        )
    })
}

/// Connects to Kafka.
pub(crate) fn kafka(config: &KafkaConfig, clock: &Clock) -> Outcome<Stream> {
    if config.brokers.is_empty() {
        return Err(Failure::new(
            Exit::Usage,
            "configuration key `kafka.brokers`: names no broker",
        ));
    }
    Kafka::connect(config, clock.clone())
        .map(Kafka::into_stream)
        .map_err(|error| log_failure(&error))
}

/// The home cluster and all others that the configuration names.
pub(crate) fn clusters(
    settings: &Settings,
    home: &KafkaConfig,
    clock: &Clock,
) -> Outcome<Clusters> {
    let mut clusters = Clusters::new(DEFAULT_CLUSTER, kafka(home, clock)?);
    for (name, config) in &settings.clusters {
        if name == DEFAULT_CLUSTER {
            return Err(Failure::new(
                Exit::Usage,
                format!(
                    "configuration key `clusters.{name}`: the cluster of `kafka` has that name"
                ),
            ));
        }
        clusters = clusters.with(name.clone(), kafka(config, clock)?);
    }
    Ok(clusters)
}

/// The clusters as the router writes to them: what is not taken within the time of an answer is given up, and what
/// waits is bounded by the router's own bytes.
pub(crate) fn router_clusters(
    settings: &Settings,
    home: &KafkaConfig,
    clock: &Clock,
) -> Outcome<Clusters> {
    let bounded = |config: &KafkaConfig| settings.router.producer(config);
    let others = settings.clusters.iter();
    let settings = Settings {
        clusters: others
            .map(|(name, config)| (name.clone(), bounded(config)))
            .collect(),
        ..settings.clone()
    };
    clusters(&settings, &bounded(home), clock)
}

/// Says whether evaluation can work with a bundle: nothing that it cannot is written to the catalogue.
pub(crate) fn validate(bundle: &Bundle) -> Result<(), Vec<String>> {
    match evaluator::core::Plan::compile(bundle) {
        Ok(_) => Ok(()),
        Err(errors) => Err(errors.iter().map(ToString::to_string).collect()),
    }
}

/// Opens the embedded log.
pub(crate) async fn embedded_log(dir: &DataDir, clock: &Clock) -> Outcome<Stream> {
    dir.create()?;
    Embedded::open(&dir.log(), clock.clone())
        .await
        .map(Embedded::into_stream)
        .map_err(|error| {
            log_failure(&error).hint("another `bongsu up` may run on the same --data-dir")
        })
}

/// An error of the log as a failure of a command.
pub(crate) fn log_failure(error: &StreamError) -> Failure {
    let exit = match (error, error.verdict()) {
        (StreamError::Unauthorized { .. }, _) => Exit::Auth,
        (_, Verdict::Transient) => Exit::Unreachable,
        _ => Exit::Failed,
    };
    let failure = Failure::from_error(exit, error);
    match exit {
        Exit::Unreachable => failure
            .hint("is the address right, and does the broker run? `bongsu doctor` asks every part"),
        Exit::Auth => failure
            .hint("`bongsu doctor` says what is wrong with the login and which right is missing"),
        _ => failure,
    }
}

/// An error of the catalogue as a failure of a command.
pub(crate) fn catalog_failure(error: &catalog::CatalogError) -> Failure {
    match error {
        catalog::CatalogError::Log(error) => log_failure(error),
        catalog::CatalogError::Refused(_) => Failure::from_error(Exit::Findings, error),
        catalog::CatalogError::Behind { .. } => Failure::from_error(Exit::Unreachable, error),
        _ => Failure::from_error(Exit::Failed, error),
    }
}

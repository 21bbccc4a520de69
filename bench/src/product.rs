//! Bongsu as its users run it: the release program, its catalogue, its services.

use crate::contender::Contender;
use anyhow::{Context, Result, ensure};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tests::workdir::Workdir;
use tests::{ports, process, web};

/// The tenant of the load.
pub(crate) const TENANT: &str = "bench";
/// Its topic.
pub(crate) const TOPIC: &str = "metrics.bench";

const START: Duration = Duration::from_secs(60);
/// What a sink is asked with; it takes any.
const SINK_TOKEN: &str = "bench-sink-token";

/// The program: the one that was named, or the one beside this.
///
/// # Errors
/// When there is none.
pub(crate) fn binary(named: Option<&Path>) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let binary = named.map_or_else(|| own.with_file_name("bongsu"), Path::to_path_buf);
    ensure!(
        binary.is_file(),
        "{} is not there: run `cargo build --release -p bongsu`, or name it with --bongsu",
        binary.display()
    );
    Ok(binary.canonicalize()?)
}

/// The program, and the Kafka that it works on.
#[derive(Debug)]
pub(crate) struct Product {
    binary: PathBuf,
    brokers: String,
    /// Holds the file with the sink's token, which the consumer reads.
    catalogue: Workdir,
}

impl Product {
    /// Finds the program: the one that was named, or the one beside this.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn find(named: Option<&Path>, brokers: String) -> Result<Self> {
        Ok(Self {
            binary: binary(named)?,
            brokers,
            catalogue: Workdir::new("catalogue"),
        })
    }

    /// Declares tenants, whose topics that makes, each with so many partitions, and the shards that hold their
    /// points.
    ///
    /// # Errors
    /// When the catalogue is refused.
    pub(crate) fn declare(&self, sinks: &[String], tenants: &[(String, u32)]) -> Result<()> {
        self.declare_placed(sinks, tenants, "")
    }

    /// The same, with lines of its own for the epoch.
    ///
    /// # Errors
    /// When the catalogue is refused.
    pub(crate) fn declare_placed(
        &self,
        sinks: &[String],
        tenants: &[(String, u32)],
        epoch: &str,
    ) -> Result<()> {
        self.declare_stores(sinks, SINK_TOKEN, tenants, epoch)
    }

    /// The same with stores that want this token.
    ///
    /// # Errors
    /// When the catalogue is refused.
    pub(crate) fn declare_stores(
        &self,
        stores: &[String],
        token: &str,
        tenants: &[(String, u32)],
        epoch: &str,
    ) -> Result<()> {
        let token = self.catalogue.write("token", token);
        let mut catalogue = "escalation_policy: default\nsteps:\n  - notify: [nobody]\n---\n\
             contact: nobody\nname: Nobody\nemail: nobody@example.org\n---\n"
            .to_owned();
        for (tenant, partitions) in tenants {
            write!(
                catalogue,
                "tenant: {tenant}\npartitions: {partitions}\n---\n"
            )?;
        }
        for (n, store) in stores.iter().enumerate() {
            write!(
                catalogue,
                "shard: sink-{n}\nurl: {store}\norg: bongsu\ntoken_file: {}\n---\n",
                token.display()
            )?;
        }
        let weights: Vec<_> = (0..stores.len())
            .map(|n| format!("sink-{n}: 1.0"))
            .collect();
        write!(
            catalogue,
            "placement: default\nshards_per_tenant: 1\n\
             epochs:\n  - from: beginning\n    shards: {{{}}}\n{epoch}",
            weights.join(", ")
        )?;
        self.apply(&catalogue)
    }

    /// Writes a catalogue.
    ///
    /// # Errors
    /// When it is refused.
    pub(crate) fn apply(&self, catalogue: &str) -> Result<()> {
        let file = self.catalogue.write("bench.yaml", catalogue);
        process::run(self.command().arg("apply").arg("-f").arg(file)).map(|_| ())
    }

    /// Makes a router token for the tenant.
    ///
    /// # Errors
    /// When the command fails, or its answer holds none.
    pub(crate) fn token(&self) -> Result<String> {
        let mut add = self.command();
        let printed = process::run(add.args(["tenant", "add", TENANT, "-o", "json"]))?;
        let added: serde_json::Value = serde_json::from_str(&printed)?;
        let token = added["token"]
            .as_str()
            .context("`bongsu tenant add` made no token")?;
        Ok(token.to_owned())
    }

    /// Starts a service with these settings of its own, and waits until it is ready. Returns its
    /// base URL, too.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) async fn start(&self, service: &str, settings: &str) -> Result<(Contender, String)> {
        let folder = Workdir::new(service);
        let config = folder.write("bongsu.yaml", &format!("{service}: {settings}\n"));
        let listen = format!("127.0.0.1:{}", ports::free());
        let mut command = self.command();
        command
            .args([service, "--listen", &listen, "--config"])
            .arg(config);
        let mut contender = Contender::start(&format!("bongsu {service}"), command, folder)?;
        let url = format!("http://{listen}");
        let (ready, client) = (format!("{url}/readyz"), web::client());
        contender
            .ready(START, async || {
                Ok(client.get(&ready).send().await?.status().is_success())
            })
            .await;
        Ok((contender, url))
    }

    /// A developer's own settings have no say in a measurement.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("BONGSU_") {
                command.env_remove(name);
            }
        }
        command.args(["--kafka", &self.brokers]);
        command
    }
}

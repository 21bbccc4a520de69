//! The folder for a tenant's agents: a `telegraf.conf` for each way in, and what it needs.

use super::kafka::Login;
use crate::failure::{Exit, Failure, Outcome};
use crate::parts::write_private;
use model::{TenantId, TopicName};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use stream::KafkaConfig;

/// What an agent needs to know; a way in whose secret is not known has no file.
pub(super) struct Ways<'a> {
    pub(super) tenant: &'a TenantId,
    pub(super) router: &'a str,
    pub(super) token: Option<&'a str>,
    pub(super) kafka: Option<Direct<'a>>,
}

/// The way straight to the tenant's topic.
pub(super) struct Direct<'a> {
    pub(super) config: &'a KafkaConfig,
    pub(super) brokers: Vec<String>,
    pub(super) login: Option<&'a Login>,
}

const INPUTS: &str = "\
[agent]
  interval = \"10s\"
  flush_interval = \"10s\"
  # What the way out cannot take waits here: about 20 minutes of a host with these inputs.
  metric_buffer_limit = 100000

[[inputs.cpu]]
  percpu = false
  totalcpu = true
[[inputs.mem]]
[[inputs.disk]]
  ignore_fs = [\"tmpfs\", \"devtmpfs\", \"devfs\", \"iso9660\", \"overlay\", \"aufs\", \"squashfs\"]
[[inputs.system]]
";

/// What a real Telegraf needs to write to the router.
pub(in crate::commands) fn router_lines(router: &str, token: &str) -> String {
    format!("[[outputs.influxdb_v2]]\n  urls = [\"{router}\"]\n  token = \"{token}\"\n")
}

/// What a real Telegraf needs to write to the tenant's topic.
pub(super) fn kafka_lines(tenant: &TenantId, way: &Direct<'_>, ca: Option<&Path>) -> String {
    let topic = TopicName::metrics(tenant, 1);
    let mut text = format!(
        "[[outputs.kafka]]\n  brokers = {:?}\n  topic = \"{topic}\"\n\
         \x20 # Lines of a host stay in order: they go to one partition.\n  routing_tag = \"host\"\n\
         \x20 # Without it Telegraf ends when Kafka cannot be reached at its start.\n  startup_error_behavior = \"retry\"\n\
         \x20 required_acks = -1\n  compression_codec = 3\n  data_format = \"influx\"\n",
        way.brokers,
    );
    let security = &way.config.security;
    if security.protocol.is_encrypted() {
        text.push_str("  enable_tls = true\n");
        if let Some(ca) = ca {
            writeln!(text, "  tls_ca = {:?}", ca.display().to_string()).unwrap_or_default();
        }
    }
    if let Some(login) = way.login {
        let (mechanism, user, password) = (login.mechanism, &login.user, login.password.expose());
        write!(
            text,
            "  sasl_mechanism = \"{mechanism}\"\n  sasl_username = \"{user}\"\n  sasl_password = \"{password}\"\n"
        )
        .unwrap_or_default();
    }
    text
}

/// Writes the folder, for its owner alone. The files written, in their order.
pub(super) fn write(
    folder: &Path,
    installed_at: Option<&Path>,
    ways: &Ways<'_>,
) -> Outcome<Vec<PathBuf>> {
    use std::os::unix::fs::DirBuilderExt;
    let failed = |error: std::io::Error| {
        Failure::new(
            Exit::Failed,
            format!("cannot make {}: {error}", folder.display()),
        )
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(failed)?;
    let folder = folder.canonicalize().map_err(failed)?;
    let there = installed_at.unwrap_or(&folder);
    let mut files = Vec::new();
    let mut add = |name: &str, text: &str| {
        let path = folder.join(name);
        write_private(&path, text)?;
        files.push(path);
        Ok::<(), Failure>(())
    };
    let tenant = ways.tenant;
    if let Some(token) = ways.token {
        let head = format!(
            "# Tenant {tenant} through the router. telegraf --config telegraf-router.conf\n"
        );
        let lines = router_lines(ways.router, token);
        add("telegraf-router.conf", &format!("{head}{INPUTS}\n{lines}"))?;
    }
    if let Some(way) = &ways.kafka {
        let ca = match &way.config.security.ca_file {
            Some(file) => {
                let text = std::fs::read_to_string(file).map_err(failed)?;
                add("ca.pem", &text)?;
                Some(there.join("ca.pem"))
            }
            None => None,
        };
        let head = format!(
            "# Tenant {tenant} straight to Kafka. telegraf --config telegraf-kafka.conf\n\
             # A batch that holds one metric with an invalid timestamp is dropped whole by outputs.kafka; the router\n\
             # refuses that metric alone. Limits of series and of line length are the router's too.\n"
        );
        let lines = kafka_lines(tenant, way, ca.as_deref());
        add("telegraf-kafka.conf", &format!("{head}{INPUTS}\n{lines}"))?;
    }
    Ok(files)
}

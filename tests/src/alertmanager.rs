//! A real Alertmanager, and its `amtool`.

use crate::process::Process;
use crate::workdir::Workdir;
use crate::{installed, ports, web};
use std::process::Command;
use std::time::Duration;

const START: Duration = Duration::from_secs(30);

/// A running Alertmanager. Fields drop in order: the process before its folder.
#[derive(Debug)]
pub struct Alertmanager {
    _process: Process,
    url: String,
    _folder: Workdir,
}

impl Alertmanager {
    /// Starts one whose configuration is this, as YAML.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    pub async fn start(config: &str) -> Self {
        let folder = Workdir::new("alertmanager");
        let port = ports::free();
        let config = folder.write("alertmanager.yml", config);
        let mut command = Command::new(installed::folder("alertmanager").join("alertmanager"));
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=");
        let mut process = Process::start("alertmanager", command, folder.join("alertmanager.log"));
        let url = format!("http://127.0.0.1:{port}");
        let (ready, client) = (format!("{url}/-/ready"), web::client());
        process
            .ready(START, async || {
                Ok(client.get(&ready).send().await?.status().is_success())
            })
            .await;
        Self {
            _process: process,
            url,
            _folder: folder,
        }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// Runs `amtool` against an Alertmanager, or what speaks as one, and returns what it prints.
///
/// # Panics
/// When it is not installed, or fails.
pub fn amtool(url: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(installed::folder("alertmanager").join("amtool"));
    // No configuration of whoever runs the tests has a say.
    command
        .env("HOME", std::env::temp_dir())
        .env_remove("XDG_CONFIG_HOME");
    command
        .arg(format!("--alertmanager.url={url}"))
        .args(arguments);
    let done = command.output().expect("amtool runs");
    let (out, err) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    assert!(done.status.success(), "amtool {arguments:?}: {out}{err}");
    out.into_owned()
}

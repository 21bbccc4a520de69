//! A running `up` in a folder of its own, and commands that find it there.

use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// `bongsu up`; it is stopped when this is dropped.
pub(crate) struct Up {
    child: Child,
    folder: tempfile::TempDir,
}

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bongsu"));
    command
        .arg("--data-dir")
        .arg(folder)
        .env("BONGSU_ROUTER__LISTEN", "127.0.0.1:0")
        .env("BONGSU_NOTIFIER__LISTEN", "127.0.0.1:0");
    command
}

impl Up {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = program(folder.path())
            .arg("up")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let up = Self { child, folder };
        until("it is up", async || up.running().is_some()).await;
        up
    }

    fn running(&self) -> Option<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("running.json")).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Puts a file into its folder; where it is.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, args: &[&str]) -> Output {
        let mut command = program(self.folder.path());
        command.args(args);
        tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap()
    }

    /// What a command that succeeds prints as JSON.
    pub(crate) async fn json(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["-o", "json"]].concat()).await;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {error}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{args:?}: {error}"))
    }

    /// Starts a command that goes on.
    pub(crate) fn begin(&self, args: &[&str]) -> Child {
        let mut command = program(self.folder.path());
        command
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Writes lines as the tenant `default`, and returns the status.
    pub(crate) async fn write(&self, lines: &str) -> u16 {
        let token = std::fs::read_to_string(self.folder.path().join("default.token")).unwrap();
        let router = self.running().unwrap()["router"]
            .as_str()
            .unwrap()
            .to_owned();
        let request = reqwest::Client::new()
            .post(format!("{router}/api/v2/write"))
            .header("authorization", format!("Token {}", token.trim()))
            .body(lines.to_owned());
        request.send().await.unwrap().status().as_u16()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // It may be gone already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waited = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waited).await;
    assert!(waited.is_ok(), "not within {PATIENCE:?}: {what}");
}

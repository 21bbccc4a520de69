//! The product itself, as a process: what users run, not its libraries.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::Result;
use reqwest::StatusCode;

use crate::process::{self, Process};
use crate::workdir::Workdir;
use crate::{ports, web};

const START: Duration = Duration::from_secs(60);
/// Names another binary than the one beside the tests, such as a release build.
const BINARY: &str = "BONGSU_TEST_BINARY";
/// Where a configuration or an argument wants the port that the service is to listen on.
const PORT: &str = "{port}";
/// Where it wants the folder that ends with the test.
const FOLDER: &str = "{dir}";

/// A service to be started: its arguments, its environment, its files.
///
/// In all of them `{port}` stands for a free port, at which `/readyz` is asked for, and `{dir}` for
/// a folder that is the process's own.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    name: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    files: Vec<(String, String)>,
    survives_full_disks: bool,
    program: Option<PathBuf>,
}

impl Builder {
    /// A write beyond the limit of [`Bongsu::limit_files`] is an error to it, as on a full disk, and not a signal.
    #[must_use]
    pub fn surviving_full_disks(mut self) -> Self {
        self.survives_full_disks = true;
        self
    }

    /// Runs this program instead of the one under test, such as one of another version.
    #[must_use]
    pub fn program(mut self, program: &Path) -> Self {
        self.program = Some(program.to_owned());
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// Sets a variable such as `BONGSU_KAFKA__BROKERS`.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Writes a file into the process's folder before it starts; arguments name it `{dir}/<name>`.
    #[must_use]
    pub fn file(mut self, name: impl Into<String>, content: impl Into<String>) -> Self {
        self.files.push((name.into(), content.into()));
        self
    }

    /// Starts the service and waits until `/readyz` answers 200.
    ///
    /// # Panics
    /// When it is not built, ends, or is not ready in time; the message shows its log.
    pub async fn start(self) -> Bongsu {
        let mut bongsu = self.start_unready();
        bongsu.ready().await;
        bongsu
    }

    /// Starts the service without waiting, for tests in which it cannot become ready.
    ///
    /// # Panics
    /// When it is not built.
    pub fn start_unready(self) -> Bongsu {
        let folder = Workdir::new(&format!("bongsu-{}", self.name));
        let port = ports::free();
        let command = self.command(&folder, port);
        let name = format!("bongsu {}", self.name);
        let process = Process::start(&name, command, folder.join("bongsu.log"));
        Bongsu {
            process,
            port,
            folder,
        }
    }

    fn command(&self, folder: &Workdir, port: u16) -> Command {
        let place = folder
            .path()
            .to_str()
            .expect("temporary folders have plain names");
        let fill = |text: &str| text.replace(PORT, &port.to_string()).replace(FOLDER, place);
        for (name, content) in &self.files {
            folder.write(name, &fill(content));
        }
        let mut command = match self.survives_full_disks {
            true => bare_by(
                Command::new("sh"),
                &["-c", "trap '' XFSZ; exec \"$0\" \"$@\""],
            ),
            false => match &self.program {
                Some(program) => without_settings(Command::new(program)),
                None => bare(),
            },
        };
        command
            .current_dir(folder.path())
            .args(self.arguments.iter().map(|text| fill(text)));
        command.envs(
            self.environment
                .iter()
                .map(|(name, value)| (name, fill(value))),
        );
        command
    }
}

/// A running service. Fields drop in order: the process before its folder.
#[derive(Debug)]
pub struct Bongsu {
    process: Process,
    port: u16,
    folder: Workdir,
}

impl Bongsu {
    /// `bongsu <name>`, such as `router` or `up`, to be started.
    pub fn service(name: &str) -> Builder {
        Builder {
            name: name.to_owned(),
            ..Builder::default()
        }
        .arg(name)
    }

    /// Runs a command of the command line to its end, such as `["tenant", "list"]`.
    ///
    /// # Errors
    /// When it fails; the message holds what it printed.
    pub fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Result<String> {
        let mut command = bare();
        process::run(command.args(arguments).envs(environment.iter().copied()))
    }

    /// The base URL of its HTTP side, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its folder, which `{dir}` stood for.
    pub fn folder(&self) -> &Workdir {
        &self.folder
    }

    /// What it printed so far.
    ///
    /// # Panics
    /// When the log cannot be read.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.process.log()).expect("a log of ours can be read")
    }

    /// Its process id, while it was not killed.
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// The most memory that it ever held, in bytes.
    ///
    /// # Errors
    /// When it does not run, or the system does not say.
    pub fn peak_memory(&self) -> Result<u64> {
        self.process.peak_memory()
    }

    /// The sum over all labels of a metric, or over those whose text holds `labels`, such as `tenant="a"`.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn metric(&self, name: &str, labels: &str) -> Result<f64> {
        web::metric(&self.url(), name, labels).await
    }

    /// No file of it can grow beyond so many bytes; none for as much as the machine has.
    ///
    /// # Panics
    /// When it does not run.
    pub fn limit_files(&self, bytes: Option<u64>) {
        use rustix::process::{Pid, Resource, getrlimit, prlimit};
        let mut limit = getrlimit(Resource::Fsize);
        limit.current = bytes.or(limit.maximum);
        let id = self.id().and_then(|id| i32::try_from(id).ok());
        let id = id.and_then(Pid::from_raw).expect("it runs");
        prlimit(Some(id), Resource::Fsize, limit).expect("a process of ours can be limited");
    }

    /// How it ended, if it did so by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    /// SIGKILL, as when the machine is lost.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGTERM, and its exit status once it has drained.
    ///
    /// # Errors
    /// When it still runs at the deadline.
    pub async fn terminate(&mut self, deadline: Duration) -> Result<ExitStatus> {
        self.process.terminate(deadline).await
    }

    /// SIGHUP: it reads its configuration again.
    pub fn hang_up(&self) {
        self.process.hang_up();
    }

    /// Stops answering without going away, until [`Bongsu::resume`].
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Ends a pause.
    pub fn resume(&self) {
        self.process.resume();
    }

    /// Starts it again, with the same port and the same folder.
    ///
    /// # Panics
    /// When it runs, or does not become ready.
    pub async fn start_again(&mut self) {
        self.process.start_again();
        self.ready().await;
    }

    /// Waits until `/readyz` answers 200.
    ///
    /// # Panics
    /// When it ends, or is not ready in time; the message shows its log.
    pub async fn ready(&mut self) {
        let url = format!("{}/readyz?verbose", self.url());
        let client = web::client();
        self.process
            .ready(START, async || {
                let answer = client.get(&url).send().await?;
                let (status, text) = (answer.status(), answer.text().await?);
                anyhow::ensure!(status == StatusCode::OK, "/readyz answers {status}: {text}");
                Ok(true)
            })
            .await;
    }
}

/// The binary without any settings of its own: those of a developer have no say in a test.
fn bare() -> Command {
    without_settings(Command::new(binary()))
}

/// The same through another program.
fn bare_by(mut program: Command, arguments: &[&str]) -> Command {
    program.args(arguments).arg(binary());
    without_settings(program)
}

fn without_settings(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BONGSU_") {
            command.env_remove(name);
        }
    }
    command
}

/// The program that the tests run. They lie in `deps/` of the folder that it lies in, unless a variable names another one.
///
/// # Panics
/// When it is not built.
pub fn binary() -> PathBuf {
    if let Some(binary) = std::env::var_os(BINARY) {
        return PathBuf::from(binary);
    }
    let own = std::env::current_exe().expect("a running program has a path");
    let folder = own
        .parent()
        .and_then(|deps| deps.parent())
        .expect("test programs lie two folders below target");
    let binary = folder.join("bongsu");
    assert!(
        binary.is_file(),
        "{} does not exist: run cargo build -p bongsu first (or name a binary in {BINARY})",
        binary.display()
    );
    binary
}

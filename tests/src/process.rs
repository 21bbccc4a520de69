//! A started program: its own process group, its log in a file, and gone when the test is, whatever
//! way that ends.

use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::wait;

/// How many bytes of the log's end are shown when something fails.
const TAIL: usize = 6_000;

/// A child process with everything it started itself.
#[derive(Debug)]
pub struct Process {
    name: String,
    command: Command,
    log: PathBuf,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    guard: Child,
}

impl Process {
    /// Starts the program; what it prints is appended to `log`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(name: &str, mut command: Command, log: PathBuf) -> Self {
        let out = open(&log);
        let err = out.try_clone().expect("a file handle can be duplicated");
        command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0);
        let mut process = Self {
            name: name.to_owned(),
            command,
            log,
            running: None,
        };
        process.start_again();
        process
    }

    /// Starts the same program once more, after it was killed, stopped or ended by itself.
    ///
    /// # Panics
    /// When it still runs, or cannot be started.
    pub fn start_again(&mut self) {
        assert!(!self.is_running(), "{} runs already", self.name);
        self.kill();
        let child = self.command.spawn().unwrap_or_else(|error| {
            panic!(
                "cannot start {} ({:?}): {error}",
                self.name,
                self.command.get_program()
            )
        });
        let guard = guard(&child);
        self.running = Some(Running { child, guard });
    }

    /// The process id, while it was not killed.
    pub fn id(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.child.id())
    }

    /// The most memory that it ever held, in bytes.
    ///
    /// # Errors
    /// When it does not run, or the system does not say.
    pub fn peak_memory(&self) -> Result<u64> {
        let id = self.id().context("it does not run")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kib: u64 = kib.context("no VmHWM")?.trim().parse()?;
        Ok(kib * 1024)
    }

    /// Whether the program has neither been killed nor ended by itself.
    pub fn is_running(&mut self) -> bool {
        self.running.is_some() && self.ended().is_none()
    }

    /// How the program ended, if it did so by itself or after [`Process::terminate`].
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.running
            .as_mut()?
            .child
            .try_wait()
            .expect("a child of ours can be waited for")
    }

    /// SIGKILL to the whole group, as when a machine is lost; returns once it is gone.
    pub fn kill(&mut self) {
        let Some(mut running) = self.running.take() else {
            return;
        };
        // Fails only when the group is gone already. The leader is reaped after it, never before:
        // until then nobody else can have its number.
        kill_process_group(Pid::from_child(&running.child), Signal::KILL).ok();
        running.child.wait().ok();
        running.guard.kill().ok();
        running.guard.wait().ok();
    }

    /// SIGHUP to the program: it reads its configuration again.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// SIGTERM to the program, and its exit status once it has drained.
    ///
    /// # Errors
    /// When it still runs at the deadline; it is left running then.
    pub async fn terminate(&mut self, deadline: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM);
        let name = self.name.clone();
        wait::until(deadline, async || Ok(self.ended()))
            .await
            .with_context(|| format!("{name} does not stop after SIGTERM"))
    }

    /// SIGSTOP: the process is there, its connections are open, and it does not answer.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT: ends a pause.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Where what it prints goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The end of the log, for messages.
    pub fn tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text[text.len().saturating_sub(TAIL)..]).into_owned();
        format!("--- the end of {} ---\n{text}\n---", self.log.display())
    }

    /// Waits until `ask` says yes.
    ///
    /// # Panics
    /// When the program ends or the deadline passes before that; the message holds the end of the
    /// log.
    pub async fn ready(&mut self, deadline: Duration, mut ask: impl AsyncFnMut() -> Result<bool>) {
        let answer = wait::until(deadline, async || {
            if let Some(status) = self.ended() {
                return Ok(Some(Some(status)));
            }
            Ok(ask().await?.then_some(None))
        })
        .await;
        match answer {
            Ok(None) => {}
            Ok(Some(status)) => panic!("{} ended with {status}\n{}", self.name, self.tail()),
            Err(error) => panic!("{} is not ready: {error:#}\n{}", self.name, self.tail()),
        }
    }

    fn signal(&self, signal: Signal) {
        let running = self
            .running
            .as_ref()
            .expect("only a running program gets signals");
        kill_process_group(Pid::from_child(&running.child), signal)
            .unwrap_or_else(|error| panic!("cannot signal {}: {error}", self.name));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}: {}", self.name, self.tail());
        }
        self.kill();
    }
}

/// Runs a program to its end.
///
/// # Errors
/// When it cannot be started or fails; the message holds what it printed.
pub fn run(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {:?}", command.get_program()))?;
    anyhow::ensure!(
        output.status.success(),
        "{:?} ended with {}:\n{}{}",
        command.get_program(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A shell that outlives a killed test by a moment: its standard input ends when this process does,
/// and then it kills the group. Drop alone does not run when a test runner kills a test that took
/// too long.
fn guard(child: &Child) -> Child {
    Command::new("sh")
        .args([
            "-c",
            "read -r _; kill -s KILL -- \"-$1\" 2>/dev/null",
            "guard",
        ])
        .arg(child.id().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("a shell can be started")
}

fn open(log: &Path) -> File {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .unwrap_or_else(|error| panic!("cannot open {}: {error}", log.display()))
}

//! A PostgreSQL cluster of the test's own, with as many fresh databases as it asks for.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::{self, Process};
use crate::workdir::Workdir;
use crate::{installed, ports};

const START: Duration = Duration::from_secs(60);
/// The cluster's superuser, who needs no password on loopback.
const USER: &str = "bongsu";

/// The running cluster. Fields drop in order: the process before its folder.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    programs: PathBuf,
    port: u16,
    databases: AtomicU32,
    _folder: Workdir,
}

impl Postgres {
    /// Creates a cluster and starts it.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not become ready; the message says which and shows
    /// its log.
    pub async fn start() -> Self {
        let programs = installed::postgresql_programs();
        let folder = Workdir::new("postgres");
        let owner = Owner::of_servers();
        owner.give(&folder);
        let data = folder.join("data");
        let mut create = owner.command(programs.join("initdb"));
        create
            .current_dir(folder.path())
            .arg("-D")
            .arg(&data)
            .args(["-U", USER, "-A", "trust"]);
        create.args(["--encoding=UTF8", "--locale=C", "--no-sync"]);
        process::run(&mut create).expect("a cluster can be created");
        let port = ports::free();
        let mut serve = owner.command(programs.join("postgres"));
        serve
            .current_dir(folder.path())
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string()]);
        serve.args([
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "unix_socket_directories=",
        ]);
        // A killed server loses nothing by this, only a machine without power would.
        serve.args(["-c", "fsync=off", "-c", "max_connections=200"]);
        let process = Process::start("postgres", serve, folder.join("postgres.log"));
        let mut postgres = Self {
            process,
            programs,
            port,
            databases: AtomicU32::new(0),
            _folder: folder,
        };
        postgres.ready().await;
        postgres
    }

    /// Creates an empty database and returns its URL.
    ///
    /// # Panics
    /// When it cannot be created.
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"))
            .expect("a database is created");
        format!("postgres://{USER}@127.0.0.1:{}/{name}", self.port)
    }

    /// Runs SQL through `psql` in the database that `database` names or whose URL it is; returns
    /// bare rows.
    ///
    /// # Errors
    /// When a statement fails or the server does not answer.
    pub fn sql(&self, database: &str, statements: &str) -> Result<String> {
        let mut command = Command::new(self.programs.join("psql"));
        if database.starts_with("postgres://") {
            command.args(["-d", database]);
        } else {
            command.args(["-h", "127.0.0.1", "-U", USER, "-d", database]);
            command.args(["-p", &self.port.to_string()]);
        }
        command.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            statements,
        ]);
        Ok(process::run(&mut command)?.trim_end().to_owned())
    }

    /// SIGKILL to the server and all its sessions.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it on its old folder and its old port.
    ///
    /// # Panics
    /// When it runs, or does not become ready.
    pub async fn start_again(&mut self) {
        self.process.start_again();
        self.ready().await;
    }

    /// Stops answering without going away, until [`Postgres::resume`].
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Ends a pause.
    pub fn resume(&self) {
        self.process.resume();
    }

    async fn ready(&mut self) {
        let asker = self.programs.join("pg_isready");
        let port = self.port.to_string();
        self.process
            .ready(START, async || {
                let mut command = Command::new(&asker);
                command.args(["-q", "-h", "127.0.0.1", "-U", USER, "-p", &port]);
                Ok(command.status()?.success())
            })
            .await;
    }
}

/// Whose the server's files and processes are: PostgreSQL refuses to run as root.
struct Owner(Option<(u32, u32)>);

impl Owner {
    fn of_servers() -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self(None);
        }
        let id = |which: &str| -> Result<u32> {
            let answer = process::run(Command::new("id").args([which, "postgres"]))?;
            answer.trim().parse().context("an id is a number")
        };
        let ids = id("-u").and_then(|user| Ok((user, id("-g")?)));
        Self(Some(ids.expect(
            "root needs the user postgres, which the Debian package creates",
        )))
    }

    fn give(&self, folder: &Workdir) {
        if let Some((user, group)) = self.0 {
            chown(folder.path(), Some(user), Some(group)).expect("root can give folders away");
        }
    }

    fn command(&self, program: PathBuf) -> Command {
        let mut command = Command::new(program);
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
        command
    }
}

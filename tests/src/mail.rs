//! A real SMTP server, aiosmtpd, that keeps what it takes in a Maildir.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::process::{self, Process};
use crate::workdir::Workdir;
use crate::{installed, ports};

const START: Duration = Duration::from_secs(30);

/// A running server. Fields drop in order: the process before its folder.
#[derive(Debug)]
pub struct MailServer {
    process: Process,
    port: u16,
    folder: Workdir,
}

impl MailServer {
    /// Starts one that takes mail in the clear.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    pub async fn start() -> Self {
        Self::start_with(false).await
    }

    /// Starts one that takes mail after STARTTLS only, as `localhost`; [`MailServer::ca`] has signed
    /// its certificate.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    pub async fn start_with_tls() -> Self {
        Self::start_with(true).await
    }

    async fn start_with(tls: bool) -> Self {
        let folder = Workdir::new("mail");
        let port = ports::free();
        let python = installed::folder("aiosmtpd").join("bin/python");
        let mut command = Command::new(python);
        command.args(["-m", "aiosmtpd", "--nosetuid", "--debug", "--smtputf8"]);
        command.arg(format!("--listen=127.0.0.1:{port}"));
        if tls {
            certificates(folder.path());
            for (flag, file) in [("--tlscert", "server.pem"), ("--tlskey", "server.key")] {
                command.arg(flag).arg(folder.join(file));
            }
        }
        command
            .args(["--class", "aiosmtpd.handlers.Mailbox"])
            .arg(folder.join("box"));
        let process = Process::start("aiosmtpd", command, folder.join("aiosmtpd.log"));
        let mut server = Self {
            process,
            port,
            folder,
        };
        server
            .process
            .ready(START, async || {
                Ok(tokio::net::TcpStream::connect(("127.0.0.1", port))
                    .await
                    .is_ok())
            })
            .await;
        server
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate that signed the server's.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The mails that it took, each as it came.
    ///
    /// # Errors
    /// When the box cannot be read.
    pub fn mails(&self) -> Result<Vec<String>> {
        let mut mails = Vec::new();
        let Ok(entries) = std::fs::read_dir(self.folder.join("box/new")) else {
            return Ok(mails);
        };
        for entry in entries {
            mails.push(std::fs::read_to_string(entry?.path())?);
        }
        Ok(mails)
    }

    /// Ends it, as `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}

/// A certificate for `localhost`, and the one that signed it.
fn certificates(folder: &Path) {
    let script = "set -e; \
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=tests -keyout ca.key -out ca.pem; \
        openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr; \
        printf 'subjectAltName=DNS:localhost\\nbasicConstraints=CA:FALSE' >ext; \
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out server.pem";
    let mut command = Command::new("bash");
    command.args(["-c", script]).current_dir(folder);
    process::run(&mut command).expect("openssl makes certificates");
}

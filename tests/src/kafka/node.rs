//! One node of a cluster: broker and controller in one process.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::secured::{Secured, first_user};
use crate::process::{self, Process};
use crate::proxy::Proxy;
use crate::workdir::Workdir;
use crate::{installed, ports};

/// Any 16 bytes do; a cluster of its own needs no identity beyond its folders.
const CLUSTER_ID: &str = "Ym9uZ3N1LXRlc3RzLWthZg";

/// A node and what stands before it. Fields drop in order: the process before its folder.
#[derive(Debug)]
pub struct Node {
    /// The program.
    pub process: Process,
    /// Between the node and whoever is not of the tests, where the plan wants one.
    pub proxy: Option<Proxy>,
    /// Its listener with TLS and logins, where the plan wants one.
    pub(super) secured: Option<Secured>,
    direct: u16,
    _folder: Workdir,
}

/// What a node is told before it starts.
pub(super) struct Ports {
    controller: u16,
    direct: u16,
    behind: u16,
    proxy: Option<Proxy>,
    secured: Option<Secured>,
}

impl Ports {
    /// Free ports, and the proxy that listens before the node does.
    pub(super) async fn find(proxied: bool, secured: bool) -> Self {
        let behind = ports::free();
        let proxy = if proxied {
            Some(Proxy::start(SocketAddr::from(([127, 0, 0, 1], behind))).await)
        } else {
            None
        };
        Self {
            controller: ports::free(),
            direct: ports::free(),
            behind,
            proxy,
            secured: secured.then(|| Secured::make(ports::free())),
        }
    }

    /// For `controller.quorum.voters`.
    pub(super) fn voter(&self, id: usize) -> String {
        format!("{id}@127.0.0.1:{}", self.controller)
    }
}

impl Node {
    /// Formats a fresh log folder and starts the node. `shared` is what all nodes are told.
    ///
    /// # Panics
    /// When Kafka is not installed, or the folder cannot be formatted.
    pub(super) fn start(id: usize, ports: Ports, shared: &str) -> Self {
        let home = installed::folder("kafka");
        let folder = Workdir::new("kafka");
        let text = settings(folder.path(), id, &ports) + shared;
        let settings = folder.write("server.properties", &text);
        let mut format = java(&home);
        format
            .args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"])
            .arg(&settings);
        if ports.secured.is_some() {
            format.args(first_user());
        }
        process::run(&mut format).expect("Kafka's log folder can be formatted");
        let mut serve = java(&home);
        serve.arg("kafka.Kafka").arg(&settings);
        Self {
            process: Process::start("kafka", serve, folder.join("kafka.log")),
            proxy: ports.proxy,
            secured: ports.secured,
            direct: ports.direct,
            _folder: folder,
        }
    }

    /// Where the tests' own clients reach it, whatever its proxy does.
    pub fn direct(&self) -> String {
        format!("127.0.0.1:{}", self.direct)
    }

    /// Where everybody else is told to reach it.
    pub fn address(&self) -> String {
        match &self.proxy {
            Some(proxy) => proxy.address().to_string(),
            None => self.direct(),
        }
    }
}

/// Quick to start rather than quick in the long run.
fn java(home: &Path) -> Command {
    let mut command = Command::new(home.join("java"));
    command
        .args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .arg("-Dlog4j2.level=INFO")
        .arg("-cp")
        .arg(home.join("libs/*"));
    command
}

/// A client is told of the listener through which it came: behind a proxy that is the proxy's address.
fn settings(folder: &Path, id: usize, ports: &Ports) -> String {
    let Ports {
        controller,
        direct,
        behind,
        proxy,
        secured,
    } = ports;
    let (mut listeners, mut advertised) = (
        format!("CONTROLLER://127.0.0.1:{controller},DIRECT://127.0.0.1:{direct}"),
        format!("DIRECT://127.0.0.1:{direct}"),
    );
    if let Some(proxy) = proxy {
        listeners += &format!(",PROXIED://127.0.0.1:{behind}");
        advertised += &format!(",PROXIED://{}", proxy.address());
    }
    let mut more = String::new();
    if let Some(secured) = secured {
        listeners += &format!(",SECURED://{}", secured.address());
        advertised += &format!(",SECURED://{}", secured.address());
        more = secured.settings();
    }
    format!(
        "process.roles=broker,controller\n\
         node.id={id}\n\
         controller.listener.names=CONTROLLER\n\
         inter.broker.listener.name=DIRECT\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,DIRECT:PLAINTEXT,PROXIED:PLAINTEXT,SECURED:SASL_SSL\n\
         listeners={listeners}\n\
         advertised.listeners={advertised}\n\
         log.dirs={}\n\
         {more}",
        folder.join("data").display()
    )
}

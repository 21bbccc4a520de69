//! A TCP proxy inside the test's own process, to stand between any two parts: it delays, swallows, cuts and slows what
//! passes, live, and heals again.
//!
//! What it cannot show: packets that are lost below TCP. A black hole here accepts connections and then says nothing,
//! and what was sent into it arrives when it is healed, as after a partition that was shorter than the kernel's
//! patience.

mod frames;
mod pass;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::ports;

/// What is done to the bytes that pass, both ways unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// Everything arrives so much later.
    pub delay: Duration,
    /// Nothing passes, and nobody is told.
    pub black_hole: bool,
    /// New connections are reset.
    pub refuse: bool,
    /// Bytes a second, each way of each connection.
    pub rate: Option<u64>,
    /// The most bytes that are written at once.
    pub slice: Option<usize>,
}

/// Which answers are swallowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Whatever comes back first, as with HTTP.
    Any,
    /// Kafka's acknowledgements of produce requests.
    KafkaProduce,
}

/// A listening proxy; it ends with this value.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What the connections of a proxy share.
#[derive(Debug)]
struct Shared {
    rules: watch::Sender<Rules>,
    /// Counts the cuts of everything.
    cuts: watch::Sender<u64>,
    swallow: watch::Sender<Answers>,
    to_swallow: AtomicU64,
    swallowed: AtomicU64,
    connections: AtomicU64,
}

impl Proxy {
    /// Listens on a free port of its own and passes on to `target`, which need not listen yet.
    ///
    /// # Panics
    /// When no port can be bound.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", ports::free()))
            .await
            .expect("a free port can be bound");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            rules: watch::Sender::default(),
            cuts: watch::Sender::default(),
            swallow: watch::Sender::new(Answers::Any),
            to_swallow: AtomicU64::new(0),
            swallowed: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        });
        let task = tokio::spawn(accept(listener, target, Arc::clone(&shared)));
        Self {
            address,
            shared,
            task,
        }
    }

    /// Where it listens, for a client's configuration.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The base URL of what stands behind it, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets all rules at once, for connections that are open too.
    pub fn set(&self, rules: Rules) {
        self.shared.rules.send_replace(rules);
    }

    /// Lets everything pass again as it is; a connection that was not cut goes on where it was.
    pub fn heal(&self) {
        self.shared.to_swallow.store(0, Ordering::SeqCst);
        self.set(Rules::default());
    }

    /// Nothing passes any more, and nobody is told.
    pub fn black_hole(&self) {
        self.set(Rules {
            black_hole: true,
            ..Rules::default()
        });
    }

    /// Everything arrives so much later, each way.
    pub fn delay(&self, delay: Duration) {
        self.set(Rules {
            delay,
            ..Rules::default()
        });
    }

    /// Resets every open connection, once.
    pub fn reset(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Resets every open connection, and new ones too.
    pub fn refuse(&self) {
        self.set(Rules {
            refuse: true,
            ..Rules::default()
        });
        self.reset();
    }

    /// Of the next `times` answers nothing comes back but a reset; what was asked for was done.
    pub fn swallow(&self, answers: Answers, times: u64) {
        self.shared.swallow.send_replace(answers);
        self.shared.to_swallow.store(times, Ordering::SeqCst);
    }

    /// How many answers were swallowed so far.
    pub fn swallowed(&self) -> u64 {
        self.shared.swallowed.load(Ordering::SeqCst)
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    /// Takes one from the answers that are still to be swallowed.
    fn take_swallow(&self) -> bool {
        let less = |left: u64| left.checked_sub(1);
        let taken = self
            .to_swallow
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        if taken.is_ok() {
            self.swallowed.fetch_add(1, Ordering::SeqCst);
        }
        taken.is_ok()
    }
}

/// The connections live in a set of this task, and end with it.
async fn accept(listener: TcpListener, target: SocketAddr, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        shared.connections.fetch_add(1, Ordering::SeqCst);
        connections.spawn(connect(client, target, Arc::clone(&shared)));
    }
}

async fn connect(mut client: TcpStream, target: SocketAddr, shared: Arc<Shared>) {
    let mut cuts = shared.cuts.subscribe();
    let mut rules = shared.rules.subscribe();
    let opened = async {
        if rules.borrow().refuse {
            return None;
        }
        rules.wait_for(|rules| !rules.black_hole).await.ok()?;
        TcpStream::connect(target).await.ok()
    };
    let upstream = tokio::select! {
        upstream = opened => upstream,
        _ = cuts.changed() => None,
    };
    let ended_well = match upstream {
        None => false,
        Some(mut upstream) => tokio::select! {
            passed = pass::both_ways(&mut client, &mut upstream, &shared) => passed.is_ok(),
            _ = cuts.changed() => false,
        },
    };
    if !ended_well {
        // Closing then sends a reset. Fails only where the client is gone, who needs none.
        client.set_zero_linger().ok();
    }
}

#[cfg(test)]
mod tests;

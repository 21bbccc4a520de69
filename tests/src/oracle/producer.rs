//! The producer: one agent a tenant, each as it should be. What was not taken stays in its buffer, in order, and is
//! sent again.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reqwest::{Client, StatusCode};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::ledger::{Account, Answer, Ledger, Lot};
use super::point;
use crate::{wait, web};

/// After a request that was not taken.
const PAUSE: Duration = Duration::from_millis(100);
/// Longer than any router may think about it.
const PATIENCE: Duration = Duration::from_secs(15);
/// Until what waits is taken once no more is made: longer than any row leaves the log to come back.
const EMPTIED: Duration = Duration::from_secs(180);

/// Whose points are produced.
#[derive(Clone, Debug)]
pub struct Agent {
    /// The tenant.
    pub tenant: String,
    /// A token of its.
    pub token: String,
}

/// How it is produced.
#[derive(Clone, Debug)]
pub struct Load {
    /// One agent a tenant.
    pub agents: Vec<Agent>,
    /// Base URLs of the routers; each request goes to the next one.
    pub routers: Vec<String>,
    /// Points a second, all agents together.
    pub points_per_s: u64,
    /// Requests a second of each agent.
    pub requests_per_s: u64,
    /// Whether what was not taken is dropped instead of sent again. Then nothing is owed for it.
    pub give_up: bool,
}

impl Load {
    /// Five requests a second of each agent, repeated until they are taken.
    pub fn new(agents: Vec<Agent>, routers: Vec<String>, points_per_s: u64) -> Self {
        Self {
            agents,
            routers,
            points_per_s,
            requests_per_s: 5,
            give_up: false,
        }
    }

    /// Waits until every router takes writes of every agent: a tenant that was just declared takes a moment to be
    /// known. What is written to find out is no point of the oracle.
    ///
    /// # Panics
    /// When one still does not at the deadline.
    pub async fn is_known(&self, within: Duration) {
        let client = web::client();
        for router in &self.routers {
            for agent in &self.agents {
                let request = || {
                    let request = client.post(format!("{router}/api/v2/write?precision=ns"));
                    request.header("Authorization", format!("Token {}", agent.token))
                };
                let what = format!("{router} takes writes of {}", agent.tenant);
                wait::holds(what, within, async || {
                    let answer = request().body("ready,host=h0 value=1i 1").send().await;
                    answer.is_ok_and(|answer| answer.status().is_success())
                })
                .await;
            }
        }
    }
}

/// A producer at work.
#[derive(Debug)]
pub struct Producer {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    ledger: Mutex<Ledger>,
    stop: watch::Sender<bool>,
}

impl Producer {
    /// Begins to produce.
    pub fn start(load: &Load) -> Self {
        let begun = now_nanos();
        let shared = Arc::new(Shared {
            ledger: Mutex::new(Ledger {
                begun,
                ..Ledger::default()
            }),
            stop: watch::Sender::new(false),
        });
        let requests = load.requests_per_s * load.agents.len() as u64;
        let lot = load.points_per_s.div_ceil(requests);
        let client = web::client();
        let tasks = load.agents.iter().enumerate().map(|(number, agent)| {
            let producing = Producing {
                shared: Arc::clone(&shared),
                client: client.clone(),
                load: load.clone(),
                agent: agent.clone(),
                begun,
                lot,
                next: number,
                waiting: VecDeque::new(),
            };
            tokio::spawn(producing.run())
        });
        Self {
            tasks: tasks.collect(),
            shared,
        }
    }

    /// How many points were promised so far.
    pub fn promised(&self) -> u64 {
        self.shared.ledger().promised()
    }

    /// What happened so far.
    pub fn so_far(&self) -> Ledger {
        self.shared.ledger().clone()
    }

    /// Makes no more points, sends what still waits, and returns everything that happened.
    ///
    /// # Panics
    /// When an agent was refused for good, or no router takes what waits for three minutes, as when the log is gone: the
    /// message says whose points wait, and what was answered last.
    pub async fn stop(self) -> Ledger {
        let stopped = self.stop_within(EMPTIED).await;
        stopped.unwrap_or_else(|waiting| panic!("the load does not end: {waiting}"))
    }

    /// As [`Producer::stop`], with another bound, and with what it waited for as the error.
    async fn stop_within(self, bound: Duration) -> Result<Ledger, String> {
        self.shared.stop.send_replace(true);
        let ended = wait::ended(self.tasks, bound).await;
        let ledger = self.shared.ledger().clone();
        if ended {
            return Ok(ledger);
        }
        let waiting = ledger
            .accounts
            .iter()
            .map(|(tenant, account)| waits(tenant, account));
        let waiting: Vec<_> = waiting.collect();
        let bound = bound.as_secs_f64();
        Err(format!(
            "{bound} s after its last point there wait {}",
            waiting.join("; ")
        ))
    }
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Producing {
    shared: Arc<Shared>,
    client: Client,
    load: Load,
    agent: Agent,
    begun: i64,
    lot: u64,
    next: usize,
    waiting: VecDeque<Range<u64>>,
}

impl Producing {
    async fn run(mut self) {
        let mut stop = self.shared.stop.subscribe();
        let pace = Duration::from_secs(1) / u32::try_from(self.load.requests_per_s).unwrap_or(1);
        let mut beat = tokio::time::interval(pace);
        let mut number = 0;
        loop {
            tokio::select! {
                _ = beat.tick() => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
            let stopped = *stop.borrow();
            if !stopped {
                let first = number;
                number += self.lot;
                self.waiting.push_back(first..number);
                self.account(|account| account.made = number);
            }
            self.send().await;
            if stopped && self.waiting.is_empty() {
                return;
            }
        }
    }

    /// Sends until a lot is not taken.
    async fn send(&mut self) {
        while let Some(numbers) = self.waiting.front().cloned() {
            let router = &self.load.routers[self.next % self.load.routers.len()];
            self.next += 1;
            let body: String = numbers
                .clone()
                .map(|number| point::line(self.begun, number))
                .collect();
            let sent = Instant::now();
            let request = self
                .client
                .post(format!("{router}/api/v2/write?precision=ns"))
                .header("Authorization", format!("Token {}", self.agent.token))
                .timeout(PATIENCE)
                .body(body);
            let answer = request.send().await;
            let status = answer.as_ref().ok().map(reqwest::Response::status);
            self.note(numbers, sent, status);
            match status {
                Some(status) if status.is_success() => {
                    self.waiting.pop_front();
                }
                Some(status) if is_final(status) => {
                    let said = answer.expect("there is a status").text().await;
                    panic!("a router refuses good lines: {status} {said:?}")
                }
                // Down, or the log is slow: later, and elsewhere.
                _ => {
                    if self.load.give_up {
                        self.waiting.pop_front();
                    }
                    tokio::time::sleep(PAUSE).await;
                    return;
                }
            }
        }
    }

    fn note(&self, numbers: Range<u64>, sent: Instant, status: Option<StatusCode>) {
        let now = Instant::now();
        self.account(|account| {
            account.answers.push(Answer {
                numbers: numbers.clone(),
                sent,
                took: now - sent,
                status: status.map(|status| status.as_u16()),
            });
            if status.is_some_and(|status| status.is_success()) {
                account.lots.push(Lot {
                    numbers,
                    sent,
                    promised: now,
                });
            }
        });
    }

    fn account(&self, change: impl FnOnce(&mut Account)) {
        let mut ledger = self.shared.ledger();
        let account = ledger.accounts.entry(self.agent.tenant.clone());
        change(account.or_default());
    }
}

/// What of a tenant's points no router took yet, and how the last try ended.
fn waits(tenant: &str, account: &Account) -> String {
    let waiting = account.made.saturating_sub(account.promised());
    let last = match account.answers.last().map(|answer| answer.status) {
        None => "nothing was asked yet".to_owned(),
        Some(None) => "the last request had no answer".to_owned(),
        Some(Some(status)) => format!("the last answer was {status}"),
    };
    format!("{waiting} points of {tenant} ({last})")
}

/// An answer that will be the same for ever.
fn is_final(status: StatusCode) -> bool {
    let again = [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT];
    status.is_client_error() && !again.contains(&status)
}

fn now_nanos() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Agent, Load, Producer};
    use crate::wait;
    use std::time::Duration;

    #[tokio::test]
    async fn a_load_that_no_router_takes_ends_and_says_what_it_waited_for() {
        let port = crate::ports::free();
        let agent = Agent {
            tenant: "t0".to_owned(),
            token: "any".to_owned(),
        };
        let load = Load::new(vec![agent], vec![format!("http://127.0.0.1:{port}")], 50);
        let producer = Producer::start(&load);
        wait::holds("a request was tried", Duration::from_secs(30), async || {
            let so_far = producer.so_far();
            so_far.answers().next().is_some()
        })
        .await;
        let stopped = producer.stop_within(Duration::from_millis(300)).await;
        let said = stopped.expect_err("nobody listens there");
        assert!(
            said.contains("points of t0 (the last request had no answer)"),
            "{said}"
        );
    }
}

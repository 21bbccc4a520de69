//! A producer whose every point is unique and has a value that can be computed: what it was promised is what the
//! judge asks for. It is never killed. (After the oracle of `faults.md`.)

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::producer::{FutureProducer, FutureRecord};
use reqwest::Client;
use tests::{Kafka, wait, web};
use tokio::task::JoinHandle;

use super::SOON;
use super::account::{self, Points};

/// The host whose CPU the oracle steers.
pub(crate) const HOST: &str = "web-1";
/// The grid of the tests' override, in seconds.
const GRID: i64 = 5;
const NEVER: i64 = i64::MAX;
const PAUSE: Duration = Duration::from_millis(100);
/// Between two lots of lines; a router gets one lot after the other, oldest first.
const LOT: Duration = Duration::from_millis(250);
const HOSTS: u64 = 7;
/// Until what waits is taken once no more is made.
const EMPTIED: Duration = Duration::from_secs(180);

/// The producer, and what it was promised.
#[derive(Debug)]
pub(crate) struct Oracle {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
    begun: Instant,
}

#[derive(Debug)]
struct Shared {
    /// Points that a router or the broker has taken over.
    promised: Mutex<Points>,
    /// The second from which on the CPU is busy, and from which on it is calm again.
    busy_from: AtomicI64,
    busy_until: AtomicI64,
    stop: tokio::sync::watch::Sender<bool>,
}

impl Oracle {
    /// Writes as acme: through the routers, one after the other, and straight to the topic where there is a Kafka.
    pub(crate) fn start(routers: Vec<String>, token: &'static str, kafka: Option<&Kafka>) -> Self {
        let shared = Arc::new(Shared {
            promised: Mutex::default(),
            busy_from: AtomicI64::new(NEVER),
            busy_until: AtomicI64::new(NEVER),
            stop: tokio::sync::watch::Sender::new(false),
        });
        let agent = Agent {
            shared: shared.clone(),
            client: web::client(),
            routers,
            token,
            next: 0,
            waiting: VecDeque::new(),
        };
        let mut tasks = vec![tokio::spawn(agent.run())];
        if let Some(kafka) = kafka {
            let producer = kafka.config().create().expect("a producer can be made");
            tasks.push(tokio::spawn(straight(shared.clone(), producer)));
        }
        Self {
            shared,
            tasks,
            begun: Instant::now(),
        }
    }

    /// The CPU of [`HOST`] is busy from behind the next grid point on, so that the first window that holds a busy
    /// sample at all is not beyond any threshold, and the next one holds no calm one.
    pub(crate) fn busy(&self) {
        self.shared
            .busy_from
            .store(behind_the_next_grid_point(), Ordering::SeqCst);
    }

    /// And calm again: the first window that holds a calm sample is half calm, which is below the recovery of every
    /// rung.
    pub(crate) fn calm(&self) {
        self.shared
            .busy_until
            .store(behind_the_next_grid_point(), Ordering::SeqCst);
    }

    /// Waits until windows are full of calm whose first part the evaluator may have missed.
    pub(crate) async fn has_been_calm(&self) {
        wait::holds("the windows are full", SOON, async || {
            let long = Duration::from_secs(12);
            self.begun.elapsed() > long && self.promises() > 100
        })
        .await;
    }

    /// How many points were promised so far.
    pub(crate) fn promises(&self) -> usize {
        self.shared.promised().len()
    }

    /// Sends what still waits, and returns everything that was promised.
    ///
    /// # Panics
    /// When it is not taken for three minutes, as when the log is gone.
    pub(crate) async fn stop(self) -> Points {
        self.shared.stop.send_replace(true);
        let ended = wait::ended(self.tasks, EMPTIED).await;
        let promised = self.shared.promised().len();
        assert!(
            ended,
            "the load does not end: routers or Kafka do not take its last points; {promised} were promised before"
        );
        self.shared.promised().clone()
    }
}

impl Shared {
    fn promised(&self) -> std::sync::MutexGuard<'_, Points> {
        self.promised.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn usage(&self, second: i64) -> f64 {
        let busy = self.busy_from.load(Ordering::SeqCst)..self.busy_until.load(Ordering::SeqCst);
        if busy.contains(&second) { 100.0 } else { 20.0 }
    }

    fn stopped(&self) -> bool {
        *self.stop.borrow()
    }
}

/// An agent as it should be: what was not taken stays in its buffer, in order, and is sent again.
struct Agent {
    shared: Arc<Shared>,
    client: Client,
    routers: Vec<String>,
    token: &'static str,
    next: usize,
    waiting: VecDeque<String>,
}

impl Agent {
    async fn run(mut self) {
        let mut beat = tokio::time::interval(LOT);
        // As if it had run for a while: the load is judged against calm, not against nothing.
        let (mut number, mut second) = (0, now_nanos() / 1_000_000_000 - 3 * GRID);
        loop {
            beat.tick().await;
            let now = now_nanos();
            let mut lines = String::new();
            // One line of the CPU for each second, however late this task is.
            while second < now / 1_000_000_000 {
                second += 1;
                lines += &cpu(HOST, self.shared.usage(second), second);
            }
            for _ in 0..20 {
                number += 1;
                lines += &unique(
                    "routed",
                    number,
                    now + i64::try_from(number % 20).unwrap_or(0),
                );
            }
            if !self.shared.stopped() {
                self.waiting.push_back(lines);
            }
            self.send().await;
            if self.shared.stopped() && self.waiting.is_empty() {
                return;
            }
        }
    }

    /// Sends until a lot is not taken.
    async fn send(&mut self) {
        while let Some(lines) = self.waiting.front() {
            let router = &self.routers[self.next % self.routers.len()];
            self.next += 1;
            let request = self
                .client
                .post(format!("{router}/api/v2/write?precision=ns"))
                .header("Authorization", format!("Token {}", self.token))
                .timeout(Duration::from_secs(5))
                .body(lines.clone());
            match request.send().await {
                Ok(answer) if answer.status().is_success() => {
                    self.shared.promised().extend(account::of_lines(lines));
                    self.waiting.pop_front();
                }
                // A tenant that was declared a moment ago is known within seconds.
                Ok(answer) if answer.status() == 401 && self.shared.promised().is_empty() => {
                    tokio::time::sleep(PAUSE).await;
                    return;
                }
                Ok(answer) if answer.status().is_client_error() && answer.status() != 429 => {
                    panic!("a router refuses good lines: {}\n{lines}", answer.status())
                }
                // Down, or the log is slow: later, and elsewhere.
                Ok(_) | Err(_) => {
                    tokio::time::sleep(PAUSE).await;
                    return;
                }
            }
        }
    }
}

/// Produces straight to the tenant's topic, as tenants may.
async fn straight(shared: Arc<Shared>, producer: FutureProducer) {
    let mut beat = tokio::time::interval(LOT);
    let mut number = 0;
    while !shared.stopped() {
        beat.tick().await;
        number += 1;
        let line = unique("straight", number, now_nanos());
        let record = FutureRecord::<(), _>::to("metrics.acme")
            .partition(0)
            .payload(line.trim_end());
        if producer.send(record, Duration::from_secs(10)).await.is_ok() {
            shared.promised().extend(account::of_lines(&line));
        }
    }
}

/// The value is a function of the number, and so is everything but the time.
fn unique(measurement: &str, number: u64, time: i64) -> String {
    let (host, value) = (
        number % HOSTS,
        number.wrapping_mul(2_654_435_761) % 1_000_003,
    );
    format!("{measurement},host={measurement}-{host},number={number} value={value} {time}\n")
}

/// A line of a host's CPU at a full second.
pub(crate) fn cpu(host: &str, busy: f64, second: i64) -> String {
    let idle = 100.0 - busy;
    format!("cpu,cpu=cpu-total,env=prod,host={host} usage_idle={idle} {second}000000000\n")
}

fn behind_the_next_grid_point() -> i64 {
    (now_nanos() / 1_000_000_000 / GRID + 1) * GRID + 1
}

/// The time of this machine.
pub(crate) fn now_nanos() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

//! From HTTP to a topic: what a router needs for bodies of 5,000 lines in gzip.

use crate::cli::Options;
use crate::contender::{Contender, Who, cell_time};
use crate::lines::{self, PARTITIONS};
use crate::product::{Product, TENANT, TOPIC};
use crate::report::{Cell, Figures, Outcome, Report};
use crate::tally::Tally;
use crate::telegraf;
use crate::topic::Counter;
use ::tests::{Kafka, web};
use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::{JoinSet, block_in_place};

/// Lines of a body, as InfluxData recommends for a write.
const LINES_PER_BODY: u64 = 5_000;
/// Agents that post at the same time.
const CLIENTS: usize = 8;
/// While the window is full, or the answer was to come back later.
const PAUSE: Duration = Duration::from_millis(5);
/// No answer, or "busy": the body is sent again so often.
const TRIES: usize = 100;

/// The load, compressed as agents do, and where it goes.
struct Load {
    kafka: Kafka,
    product: Product,
    token: String,
    bodies: Vec<Body>,
    all: Tally,
}

struct Body {
    gzip: Bytes,
    lines: u64,
}

/// What the clients of a run share.
struct Posting {
    url: String,
    token: String,
    next: AtomicUsize,
    posted: AtomicU64,
    accepted: AtomicU64,
    /// How far the posts may be ahead of the topic, in lines.
    window: u64,
}

/// Measures each contender.
///
/// # Errors
/// When the systems around the contenders fail. What a contender does wrong is in the report.
pub(crate) async fn run(options: &Options) -> Result<Report> {
    let mut report = Report::begin("router", options.lines())?;
    let load = Arc::new(Load::prepare(options).await?);
    let mut cell = Cell::new(LINES_PER_BODY, "gzip");
    for who in Who::all(&options.against) {
        eprintln!("{}: {} bodies", who.name(), load.bodies.len());
        let outcome = Outcome::from(Box::pin(measure(&load, who)).await);
        eprintln!("  {outcome}");
        who.note(&mut cell, outcome);
    }
    report.cells.push(cell);
    Ok(report)
}

impl Load {
    async fn prepare(options: &Options) -> Result<Self> {
        let kafka = Kafka::start().await;
        let product = Product::find(options.bongsu.as_deref(), kafka.brokers())?;
        block_in_place(|| {
            // No point goes there: the consumer does not run.
            product.declare(
                &["http://127.0.0.1:9".to_owned()],
                &[(TENANT.to_owned(), PARTITIONS)],
            )?;
            let token = product.token()?;
            let (bodies, all) = bodies(options.lines())?;
            Ok(Self {
                kafka,
                product,
                token,
                bodies,
                all,
            })
        })
    }
}

fn bodies(count: u64) -> Result<(Vec<Body>, Tally)> {
    let (mut bodies, mut all) = (Vec::new(), Tally::default());
    for first in (0..count).step_by(LINES_PER_BODY as usize) {
        let lines = LINES_PER_BODY.min(count - first);
        let mut text = Vec::new();
        (first..first + lines).for_each(|line| lines::write(line, lines::HOSTS, &mut text));
        all.add(&text);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&text)?;
        bodies.push(Body {
            gzip: encoder.finish()?.into(),
            lines,
        });
    }
    Ok((bodies, all))
}

async fn measure(load: &Arc<Load>, who: Who) -> Result<Figures> {
    let (mut contender, url, topic, window) = match who {
        Who::Bongsu => {
            let (contender, url) = load.product.start("router", "{}").await?;
            (contender, url, TOPIC, u64::MAX)
        }
        Who::Rival(rival) => {
            let topic = who.name();
            // As Bongsu's own topics: a record is as old as its arrival, not as its line.
            let by_arrival = [("message.timestamp.type", "LogAppendTime")];
            let partitions = i32::try_from(PARTITIONS)?;
            load.kafka
                .create_topic(topic, partitions, &by_arrival)
                .await?;
            let (contender, url) = telegraf::router(rival, &load.kafka.brokers(), topic).await?;
            (contender, url, topic, telegraf::WINDOW)
        }
    };
    let counter = Arc::new(Counter::start(&load.kafka, topic)?);
    let posting = Arc::new(Posting {
        url: format!("{url}/api/v2/write?org=bongsu&bucket=bench&precision=ns"),
        token: format!("Token {}", load.token),
        next: AtomicUsize::new(0),
        posted: AtomicU64::new(0),
        accepted: AtomicU64::new(0),
        window,
    });
    let figures = watch(load, &mut contender, &counter, &posting).await?;
    contender.stop().await?;
    Ok(figures)
}

/// From the first post to the moment at which the topic has every line that was answered 2xx.
async fn watch(
    load: &Arc<Load>,
    contender: &mut Contender,
    counter: &Arc<Counter>,
    posting: &Arc<Posting>,
) -> Result<Figures> {
    let from = contender.look()?;
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (load, counter, posting) = (load.clone(), counter.clone(), posting.clone());
        clients.spawn(async move { posting.run(&load, &counter).await });
    }
    let posted = tokio::time::timeout(cell_time(load.all.lines), clients.join_all()).await;
    posted
        .context("the bodies were not taken in time")?
        .into_iter()
        .collect::<Result<()>>()?;
    let accepted = posting.accepted.load(Ordering::Relaxed);
    ensure!(
        accepted == load.all.lines,
        "{accepted} of {} lines were answered 2xx",
        load.all.lines
    );
    let arrived = contender.until(cell_time(accepted), async || {
        Ok(counter.seen().tally.lines >= accepted)
    });
    let arrived = arrived.await;
    let seen = counter.seen();
    arrived.with_context(|| format!("the topic has {} of {}", seen.tally, load.all))?;
    ensure!(
        seen.tally == load.all,
        "the topic has {} of {}",
        seen.tally,
        load.all
    );
    contender.figures(accepted, from, seen.last_nanos)
}

impl Posting {
    async fn run(&self, load: &Load, counter: &Counter) -> Result<()> {
        let client = web::client();
        while let Some(body) = load.bodies.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let before = self.posted.fetch_add(body.lines, Ordering::Relaxed);
            while before - counter.seen().tally.lines.min(before) > self.window {
                tokio::time::sleep(PAUSE).await;
            }
            self.post(&client, body).await?;
            self.accepted.fetch_add(body.lines, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn post(&self, client: &reqwest::Client, body: &Body) -> Result<()> {
        for _ in 0..TRIES {
            let post = client
                .post(&self.url)
                .header("authorization", &self.token)
                .header("content-encoding", "gzip")
                .body(body.gzip.clone());
            let answer = post.send().await?;
            match answer.status().as_u16() {
                204 => return Ok(()),
                429 | 503 => tokio::time::sleep(PAUSE).await,
                status => bail!("it answers {status}: {}", answer.text().await?),
            }
        }
        bail!("it was busy {TRIES} times")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_body_holds_what_is_left() {
        let (bodies, all) = bodies(12_000).unwrap();
        let lines: Vec<_> = bodies.iter().map(|body| body.lines).collect();
        assert_eq!((lines, all.lines), (vec![5_000, 5_000, 2_000], 12_000));
    }
}

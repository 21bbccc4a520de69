//! From a topic to the store: what a consumer needs to bring a backlog to zero lag.

use crate::cli::Options;
use crate::contender::{Contender, Who, cell_time};
use crate::product::{Product, TOPIC};
use crate::report::{Cell, Figures, Outcome, Report};
use crate::sink::Sink;
use crate::tally::Tally;
use crate::telegraf;
use crate::topic::{self, Follow};
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use tests::Kafka;
use tokio::task::block_in_place;

const LINES_PER_MESSAGE: [u64; 2] = [1, 100];
const ENCODINGS: [&str; 2] = ["gzip", "identity"];
/// For a contender to become a member of its group.
const JOIN: Duration = Duration::from_secs(60);
/// Between two looks at the group while it forms.
const LOOK: Duration = Duration::from_millis(5);

/// A full topic, and the sink where its lines are to go.
struct Backlog {
    kafka: Kafka,
    product: Product,
    sink: Sink,
    lines_per_message: u64,
    produced: Tally,
}

/// Measures every cell.
///
/// # Errors
/// When the systems around the contenders fail. What a contender does wrong is in the report.
pub(crate) async fn run(options: &Options) -> Result<Report> {
    let mut report = Report::begin("consumer", options.lines);
    for lines_per_message in LINES_PER_MESSAGE {
        let backlog = Backlog::fill(options, lines_per_message).await?;
        for encoding in ENCODINGS {
            let mut cell = Cell::new(lines_per_message, encoding);
            for who in Who::all(&options.against) {
                eprintln!(
                    "{}: {lines_per_message} lines a message, {encoding}",
                    who.name()
                );
                let outcome = Outcome::from(Box::pin(backlog.measure(who, encoding)).await);
                eprintln!("  {outcome}");
                who.note(&mut cell, outcome);
            }
            report.cells.push(cell);
        }
    }
    Ok(report)
}

impl Backlog {
    async fn fill(options: &Options, lines_per_message: u64) -> Result<Self> {
        let (kafka, sink) = tokio::join!(Kafka::start(), Sink::start());
        let sink = sink?;
        let product = Product::find(options.bongsu.as_deref(), kafka.brokers())?;
        let produced = block_in_place(|| {
            product.declare(sink.url())?;
            topic::fill(&kafka, TOPIC, options.lines, lines_per_message)
        })?;
        ensure!(
            produced.lines == options.lines,
            "the topic was filled with {produced}"
        );
        Ok(Self {
            kafka,
            product,
            sink,
            lines_per_message,
            produced,
        })
    }

    async fn measure(&self, who: Who, encoding: &str) -> Result<Figures> {
        self.sink.forget().await?;
        let group = format!("bench-{}-{encoding}", who.name());
        let follow = Follow::new(&self.kafka, TOPIC, &group)?;
        let mut contender = self.start(who, &group, encoding).await?;
        let figures = self.watch(&mut contender, &follow).await?;
        contender.stop().await?;
        Ok(figures)
    }

    async fn start(&self, who: Who, group: &str, encoding: &str) -> Result<Contender> {
        match who {
            Who::Bongsu => {
                let settings = format!("{{group: {group}, gzip: {}}}", encoding == "gzip");
                Ok(self.product.start("consumer", &settings).await?.0)
            }
            Who::Rival(rival) => telegraf::consumer(
                rival,
                (&self.kafka.brokers(), TOPIC, group),
                (self.sink.url(), encoding),
                self.lines_per_message,
            ),
        }
    }

    /// From the moment at which the group has its partitions to the commit of the last message.
    async fn watch(&self, contender: &mut Contender, follow: &Follow) -> Result<Figures> {
        let ends = block_in_place(|| follow.ends())?;
        let joined = tokio::time::timeout(JOIN, async {
            loop {
                let before = contender.look()?;
                if block_in_place(|| follow.is_stable())? {
                    return anyhow::Ok(before);
                }
                tokio::time::sleep(LOOK).await;
            }
        });
        let from = joined.await.context("it does not join its group")??;
        let committed = contender.until(cell_time(self.produced.lines), async || {
            Ok(block_in_place(|| follow.committed())? == ends)
        });
        let committed = committed.await;
        let received = self.sink.received().await?;
        committed.with_context(|| {
            format!(
                "the lag is not zero; the sink has {} of {}",
                received.tally, self.produced
            )
        })?;
        let arrived = received.tally;
        ensure!(
            arrived == self.produced,
            "the sink has {arrived} of {}",
            self.produced
        );
        contender.figures(arrived.lines, from, received.last_nanos)
    }
}

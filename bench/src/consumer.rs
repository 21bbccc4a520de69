//! From topics to the store: what a consumer needs to bring a backlog to zero lag.

use crate::ceilings;
use crate::cli::{ConsumerOptions, Manners, SinkFault};
use crate::contender::{Contender, Who, cell_time};
use crate::course::Course;
use crate::load::Load;
use crate::product::Product;
use crate::report::{Cell, Figures, Outcome, Report};
use crate::sink::{Received, Sink};
use crate::tally::Tally;
use crate::telegraf;
use crate::topic::{self, Follow};
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::time::Duration;
use tests::Kafka;
use tokio::task::block_in_place;

const ENCODINGS: [&str; 2] = ["gzip", "identity"];
/// For a contender to become a member of its group.
const JOIN: Duration = Duration::from_secs(60);
/// Between two looks at the group while it forms.
const LOOK: Duration = Duration::from_millis(5);

/// Full topics, and the sinks where their lines are to go.
pub(crate) struct Backlog {
    pub(crate) kafka: Kafka,
    product: Product,
    pub(crate) sinks: Vec<Sink>,
    load: Load,
    /// What is to arrive.
    produced: Tally,
    /// How many lines are to become dead letters.
    refused: u64,
}

/// Measures every cell.
///
/// # Errors
/// When the systems around the contenders fail. What a contender does wrong is in the report.
pub(crate) async fn run(options: &ConsumerOptions) -> Result<Report> {
    let lines = options.common.lines();
    let mut report = Report::begin("consumer", lines)?;
    let rows = &options.lines_per_message;
    for lines_per_message in rows.iter().copied() {
        let load = Load {
            tenants: options.tenants,
            compression: options.compression,
            ..Load::new(lines, lines_per_message)
        };
        let bongsu = options.common.bongsu.as_deref();
        let backlog = Backlog::fill(bongsu, load, options.shards, &options.manners).await?;
        eprintln!("a consumer that only counts");
        let counting = ceilings::counting(&backlog.kafka, &backlog.load).await?;
        report.ceilings.push(counting);
        for encoding in ENCODINGS {
            let mut cell = Cell::new(lines_per_message, encoding);
            for who in Who::all(&options.common.against) {
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
        if report.ceilings.len() == rows.len() {
            // A sink that fails has no ceiling: this one is well, and waits as the others do.
            let manners = Manners {
                wait_ms: options.manners.wait_ms,
                ..Manners::default()
            };
            let well = Sink::start(&manners).await?;
            for encoding in ENCODINGS {
                let alone = ceilings::sink_alone(&well, encoding).await?;
                report.ceilings.push(alone);
            }
        }
    }
    Ok(report)
}

impl Backlog {
    /// Starts what it needs, and fills the topics.
    ///
    /// # Errors
    /// When one of the systems fails.
    pub(crate) async fn fill(
        bongsu: Option<&Path>,
        load: Load,
        shards: u32,
        manners: &Manners,
    ) -> Result<Self> {
        let kafka = Kafka::start().await;
        let mut sinks = Vec::new();
        for _ in 0..shards {
            sinks.push(Sink::start(manners).await?);
        }
        let urls: Vec<_> = sinks.iter().map(|sink| sink.url().to_owned()).collect();
        let product = Product::find(bongsu, kafka.brokers())?;
        let filled = block_in_place(|| {
            product.declare(&urls, &load.tenants())?;
            topic::fill(&kafka, &load)
        })?;
        let all = filled.all();
        ensure!(all.lines == load.lines, "the topics were filled with {all}");
        let (produced, refused) = match manners.fault {
            SinkFault::Unprocessable => (filled.taken, filled.refused.lines),
            _ => (all, 0),
        };
        Ok(Self {
            kafka,
            product,
            sinks,
            load,
            produced,
            refused,
        })
    }

    /// Has a contender bring the backlog to zero lag.
    ///
    /// # Errors
    /// When the run does not count.
    pub(crate) async fn measure(&self, who: Who, encoding: &str) -> Result<Figures> {
        let group = format!("bench-{}-{encoding}", who.name());
        self.measure_as(&group, who, encoding).await
    }

    /// The same as a group that nobody was before, so that the backlog is there once more.
    ///
    /// # Errors
    /// When the run does not count.
    pub(crate) async fn measure_as(
        &self,
        group: &str,
        who: Who,
        encoding: &str,
    ) -> Result<Figures> {
        for sink in &self.sinks {
            sink.forget().await?;
        }
        let follow = Follow::new(&self.kafka, self.load.topics(), group)?;
        let letters = || block_in_place(|| topic::dead_letters(&self.kafka));
        let before = letters()?;
        let mut contender = self.start(who, group, encoding).await?;
        let figures = self.watch(&mut contender, &follow).await?;
        contender.stop().await?;
        let letters = u64::try_from(letters()? - before)?;
        ensure!(
            who != Who::Bongsu || letters == self.refused,
            "{letters} of {} refused lines are dead letters",
            self.refused
        );
        Ok(figures)
    }

    async fn start(&self, who: Who, group: &str, encoding: &str) -> Result<Contender> {
        match who {
            Who::Bongsu => {
                let settings = format!("{{group: {group}, gzip: {}}}", encoding == "gzip");
                Ok(self.product.start("consumer", &settings).await?.0)
            }
            Who::Rival(rival) => {
                let topics = self.load.topics().into_iter().map(|(topic, _)| topic);
                telegraf::consumer(
                    rival,
                    (&self.kafka.brokers(), &topics.collect::<Vec<_>>(), group),
                    (self.sinks[0].url(), encoding),
                    self.load.lines_per_message,
                )
            }
        }
    }

    /// From the moment at which the group has its partitions to the commit of the last message.
    async fn watch(&self, contender: &mut Contender, follow: &Follow) -> Result<Figures> {
        let ends = block_in_place(|| follow.ends())?;
        let joined = tokio::time::timeout(JOIN, async {
            // From before the last question that was answered no: the broker may take its time.
            let mut before = contender.look()?;
            loop {
                let asked = contender.look()?;
                if block_in_place(|| follow.is_stable())? {
                    return anyhow::Ok(before);
                }
                before = asked;
                tokio::time::sleep(LOOK).await;
            }
        });
        let from = joined.await.context("it does not join its group")??;
        let (id, mut course) = (contender.id(), Course::default());
        let committed = contender.until(cell_time(self.produced.lines), async || {
            course.look(id, self.received().await?.tally.lines)?;
            Ok(block_in_place(|| follow.committed())? == ends)
        });
        let committed = committed.await;
        let received = self.received().await?;
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
        let figures = contender.figures(self.load.lines, from, received.last_nanos)?;
        Ok(figures.with(course.parts(self.produced.lines, received.writes)))
    }

    /// What all sinks have together.
    async fn received(&self) -> Result<Received> {
        let mut all = Received::default();
        for sink in &self.sinks {
            let one = sink.received().await?;
            all.tally.merge(one.tally);
            all.repeated += one.repeated;
            all.writes += one.writes;
            all.last_nanos = all.last_nanos.max(one.last_nanos);
        }
        Ok(all)
    }
}

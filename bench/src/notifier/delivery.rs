//! From an event on the topic of alerts to the provider's request.

use super::events::Events;
use super::provider::Provider;
use super::{Cell, Database, NotifierOptions, Site, calm, catalogue};
use anyhow::{Context, Result, ensure};
use model::Priority;
use std::time::Duration;
use tokio::task::block_in_place;

/// Between two pages. No multiple of any interval at which the notifier looks for work.
const BETWEEN: Duration = Duration::from_millis(251);
/// A page that takes longer does not count as sent.
const ARRIVES: Duration = Duration::from_secs(60);
/// Events of the storm are written in bursts, so many a minute.
const BURSTS: u64 = 1_200;
/// The storm blows so long before the first page is timed.
const BEFORE: Duration = Duration::from_secs(15);
/// Numbers of the storm's events begin here; below are the pages'.
const STORM: u64 = 10_000_000;

/// Pages while nothing else happens.
///
/// # Errors
/// When a system fails, or a page does not arrive.
pub(super) async fn idle(options: &NotifierOptions, database: Database) -> Result<Vec<Cell>> {
    let site = Site::start(options, database, &catalogue(None)).await?;
    let provider = Provider::start(Duration::from_millis(options.answer_ms)).await?;
    let (mut notifier, _) = site.notifier(provider.url()).await?;
    let events = Events::new(&site.kafka)?;
    // Connections and caches are made by the first.
    pages(&events, &provider, 0..5).await?;
    let times = pages(&events, &provider, 5..5 + options.pages).await?;
    notifier.look()?;
    let what = "event to request, P1, idle";
    Ok(vec![Cell::new(what, times)])
}

/// Pages while another tenant has a storm.
///
/// # Errors
/// When a system fails, or a page does not arrive.
pub(super) async fn storm(options: &NotifierOptions, database: Database) -> Result<Vec<Cell>> {
    let site = Site::start(options, database, &catalogue(None)).await?;
    let provider = Provider::start(Duration::from_millis(options.answer_ms)).await?;
    let (mut notifier, _) = site.notifier(provider.url()).await?;
    let events = Events::new(&site.kafka)?;
    pages(&events, &provider, 0..5).await?;
    let timed = async {
        tokio::time::sleep(BEFORE).await;
        pages(&events, &provider, 5..5 + options.pages).await
    };
    let (times, blown) = tokio::select! {
        times = timed => (times?, None),
        ended = blow(&events, options) => (Vec::new(), Some(ended)),
    };
    if let Some(ended) = blown {
        ended?;
    }
    notifier.look()?;
    eprintln!("{} messages reached the provider", provider.count());
    let at_once = if options.storm_at_once {
        " at once"
    } else {
        ""
    };
    let what = format!(
        "the same beside {} P3 a minute{at_once}",
        options.storm_per_minute
    );
    Ok(vec![Cell::new(what, times)])
}

/// Writes events of the tenant `stormy`, until it is dropped.
async fn blow(events: &Events, options: &NotifierOptions) -> Result<()> {
    let bursts = if options.storm_at_once { 1 } else { BURSTS };
    let mut ticks = tokio::time::interval(Duration::from_millis(60_000 / bursts));
    let mut written = 0;
    for tick in 1.. {
        ticks.tick().await;
        let wanted = tick * options.storm_per_minute / bursts;
        for event in written..wanted {
            events.fire("stormy", STORM + event, Priority::P3)?;
        }
        written = wanted;
    }
    Ok(())
}

/// Pages one after the other, and waits for all of them. Returns how long each took, in nanoseconds.
async fn pages(
    events: &Events,
    provider: &Provider,
    numbers: std::ops::Range<u64>,
) -> Result<Vec<i64>> {
    let mut fired = Vec::new();
    for number in numbers {
        fired.push((number, events.fire(&calm(number), number, Priority::P1)?));
        tokio::time::sleep(BETWEEN).await;
    }
    block_in_place(|| events.flush())?;
    let (&(last, _), count) = (fired.last().context("a page")?, fired.len());
    let arrived = tests::wait::until(ARRIVES, async || {
        let all = fired
            .iter()
            .all(|(number, _)| provider.arrival(*number).is_some());
        Ok(all.then_some(()))
    });
    arrived
        .await
        .with_context(|| format!("pages up to {last} did not arrive"))?;
    let times: Vec<i64> = fired
        .iter()
        .filter_map(|(number, at)| Some(provider.arrival(*number)? - at))
        .collect();
    ensure!(times.len() == count, "every page arrived");
    Ok(times)
}

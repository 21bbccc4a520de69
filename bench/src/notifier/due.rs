//! From when the next step of a P1 is due to the provider's request, while another tenant has a storm of steps that are due.

use super::events::Events;
use super::fill;
use super::provider::Provider;
use super::{Cell, Database, NotifierOptions, Site, calm, catalogue};
use anyhow::{Context, Result};
use model::Priority;
use runtime::Clock;
use std::time::Duration;
use tokio::task::block_in_place;

/// Between two pages, as in `storm`.
const BETWEEN: Duration = Duration::from_millis(251);
/// A P1 that nobody takes is told again so long after.
const AGAIN: Duration = Duration::from_secs(20);
/// The storm is due so long after it was written: the notifier starts meanwhile.
const AHEAD: Duration = Duration::from_secs(40);
/// The first of the timed steps is due so long after the storm.
const INTO: Duration = Duration::from_secs(3);
/// A step that takes longer does not count as done.
const ARRIVES: Duration = Duration::from_secs(900);

/// Steps of P1 while another tenant has a storm of them.
///
/// # Errors
/// When a system fails, or a step is not told of.
pub(super) async fn due(options: &NotifierOptions, database: Database) -> Result<Vec<Cell>> {
    let again = format!("{}s", AGAIN.as_secs());
    let site = Site::start(options, database, &catalogue(Some(&again))).await?;
    let provider = Provider::start(Duration::from_millis(options.answer_ms)).await?;
    // Makes the tables.
    drop(site.notifier(provider.url()).await?);
    let clock = Clock::system();
    let now = clock.now_nanos();
    let storm = now + nanos(AHEAD);
    let of = ("stormy", options.due_priority);
    fill::storm(&site.url, of, options.due, (now, storm)).await?;
    let (mut notifier, _) = site.notifier(provider.url()).await?;
    let events = Events::new(&site.kafka)?;
    let begin = storm + nanos(INTO) - nanos(AGAIN);
    let wait = u64::try_from(begin - clock.now_nanos()).unwrap_or(0);
    tokio::time::sleep(Duration::from_nanos(wait)).await;
    let mut fired = Vec::new();
    for number in 0..options.pages {
        fired.push((number, events.fire(&calm(number), number, Priority::P1)?));
        tokio::time::sleep(BETWEEN).await;
    }
    block_in_place(|| events.flush())?;
    let told = tests::wait::until(ARRIVES, async || {
        let mut each = fired.iter();
        Ok(each
            .all(|(number, _)| provider.second(*number).is_some())
            .then_some(()))
    });
    told.await.context("not every second step was told of")?;
    notifier.look()?;
    let late = fired.iter().filter_map(|(number, at)| {
        let told = provider.second(*number)?;
        Some((told - at - nanos(AGAIN)).max(0))
    });
    let what = format!(
        "second step of a P1, due to request, beside {} {}",
        options.due, options.due_priority
    );
    Ok(vec![Cell::new(what, late.collect::<Vec<_>>())])
}

fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

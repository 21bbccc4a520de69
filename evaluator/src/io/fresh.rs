//! An independent evaluation of a log from its first record, to compare with what was said while it
//! grew.

use super::record::payload;
use super::state::InputId;
use crate::core::{Action, Input, Partition, Plan, Plans, step};
use crate::error::FreshError;
use model::{AlertEvent, EventId, StreamEvent, TenantId};
use schemas::catalogue::Catalogue;
use std::collections::HashMap;
use stream::{Batch, Stream, StreamError, TopicPartition};

/// The distinct alert events of a tenant's partition in the order in which they are decided, each
/// with its bytes on `bongsu.alerts`: a function of the log from its first record to its end as it
/// is now.
///
/// `catalogue` must hold the bundles that the log's marks name, as one does that was read after the
/// log was written. Nothing is joined, claimed or written.
pub async fn events(
    stream: &Stream,
    source: &TopicPartition,
    catalogue: &Catalogue,
) -> Result<Vec<(EventId, Vec<u8>)>, FreshError> {
    let input = InputId::of(source).ok_or_else(|| FreshError::NoInput(source.clone()))?;
    let mut fresh = Fresh {
        core: Partition::new(input.tenant().clone(), input.partition()),
        plans: plans(catalogue, input.tenant()),
        events: Vec::new(),
        places: HashMap::new(),
    };
    let log = stream.offsets(source).await?;
    if log.earliest >= log.end {
        return Ok(fresh.events);
    }
    let mut reader = stream.read(source, log.earliest).await?;
    loop {
        let batch = reader.next().await.ok_or(StreamError::Closed)??;
        fresh.evaluate(&batch, log.end)?;
        if batch.last_offset() >= Some(log.end - 1) {
            return Ok(fresh.events);
        }
    }
}

fn plans(catalogue: &Catalogue, tenant: &TenantId) -> Plans {
    let mut plans = Plans::new();
    let bundles = catalogue.bundles.get(tenant);
    for bundle in bundles.into_iter().flat_map(|bundles| bundles.values()) {
        // One that does not compile never came into force, there as here.
        if let Ok(plan) = Plan::compile(bundle) {
            plans.insert(plan);
        }
    }
    plans
}

struct Fresh {
    core: Partition,
    plans: Plans,
    events: Vec<(EventId, Vec<u8>)>,
    places: HashMap<EventId, usize>,
}

impl Fresh {
    fn evaluate(&mut self, batch: &Batch, end: i64) -> Result<(), FreshError> {
        for record in batch.records().filter(|record| record.offset < end) {
            let input = Input {
                offset: record.offset,
                arrival: record.timestamp,
                payload: payload(&record),
            };
            for action in step(&mut self.core, input, &self.plans) {
                if let Action::Emit(event) = action {
                    self.keep(event)?;
                }
            }
        }
        Ok(())
    }

    fn keep(&mut self, event: Box<AlertEvent>) -> Result<(), FreshError> {
        let (id, at) = (event.event_id, event.at);
        let bytes = schemas::alert::encode(&StreamEvent::Alert(event));
        match self.places.get(&id) {
            Some(place) if self.events[*place].1 != bytes => Err(FreshError::Differs { id, at }),
            Some(_) => Ok(()),
            None => {
                self.places.insert(id, self.events.len());
                self.events.push((id, bytes));
                Ok(())
            }
        }
    }
}

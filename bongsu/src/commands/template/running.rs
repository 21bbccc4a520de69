//! What runs now: a tenant's rules in the catalogue, and the series of its last day in the log.

use super::super::place::{tenant_of, time_text};
use super::super::{Access, settings};
use crate::cli::Global;
use crate::failure::{Exit, Failure, Outcome};
use crate::parts;
use evaluator::tools::{Rules, Seen};
use model::{TenantId, TopicName};
use schemas::catalogue::{Bundle, Catalogue};
use stream::{OffsetRange, TopicPartition};

/// The tenant that `up` begins with.
const TENANT: &str = "default";
/// So many of the newest records of a tenant are looked at.
const NEWEST: i64 = 200_000;

/// A running system as a tenant's rules are seen in it.
pub(super) struct System {
    access: Access,
    pub(super) catalogue: Catalogue,
    pub(super) tenant: TenantId,
}

impl System {
    /// Finds it; the tenant is `default` when left out.
    pub(super) async fn find(global: &Global, tenant: Option<&str>) -> Outcome<Self> {
        let access = Access::open(&settings(global)?).await?;
        let catalogue = access.catalogue().await?;
        let tenant = tenant_of(&catalogue, tenant.unwrap_or(TENANT))?;
        Ok(Self {
            access,
            catalogue,
            tenant,
        })
    }

    /// The rules that hold for the tenant.
    pub(super) fn rules(&self) -> Outcome<Rules> {
        let bundle = Bundle::derive(&self.catalogue, &self.tenant, self.catalogue.revision);
        bundle.map(Rules::of_bundle).ok_or_else(|| {
            Failure::new(Exit::Failed, format!("`{}` has no rules yet", self.tenant))
        })
    }

    /// The series of the newest records of the tenant's topic, which keeps a day, and in words how
    /// far back they reach.
    pub(super) async fn series(&self) -> Outcome<(Seen, String)> {
        let fail = |error| parts::log_failure(&error);
        let stream = self.access.home_of(&self.catalogue, &self.tenant)?;
        let topic = TopicName::metrics(&self.tenant, 1);
        let partitions = stream.partitions(&topic).await.map_err(fail)?.unwrap_or(0);
        let (mut seen, mut since) = (Seen::default(), None);
        for partition in 0..partitions {
            let source = TopicPartition::new(topic.clone(), partition);
            let OffsetRange { earliest, end } = stream.offsets(&source).await.map_err(fail)?;
            let mut next = earliest.max(end - NEWEST / i64::from(partitions));
            if next >= end {
                continue;
            }
            let mut reader = stream.read(&source, next).await.map_err(fail)?;
            while next < end {
                let Some(batch) = reader.next().await else {
                    break;
                };
                for record in batch.map_err(fail)?.records() {
                    next = record.offset + 1;
                    let mut scratch = Vec::new();
                    if let Some(value) = record.value {
                        let made = schemas::metrics_avro::lines_of_record(value, &mut scratch);
                        seen.take(made.lines);
                        since = since.min(Some(record.timestamp)).or(Some(record.timestamp));
                    }
                }
            }
        }
        let since = since.map_or("the log is empty".to_owned(), |since| {
            format!("records since {}", time_text(since.as_nanos()))
        });
        Ok((seen, since))
    }
}

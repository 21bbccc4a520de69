//! From a query to the shards that hold its points: all of them once, and a replica where one is down.

use super::Reader;
use super::answer::ReadError;
use super::shards::{NoAnswer, Question};
use crate::core::read::{Merge, Window};
use futures_util::StreamExt;
use futures_util::future::join_all;
use influx::{Form, ReadAnswer};
use model::{ShardId, TenantId};
use placement::{NoCover, PlacementMap, Resolved};
use schemas::catalogue::EpochStart;
use std::collections::BTreeSet;

/// A query that is in order.
pub(super) struct Ask<'a> {
    pub(super) tenant: &'a TenantId,
    pub(super) window: Window,
    pub(super) merge: &'a Merge,
    pub(super) question: Question,
    /// The form of the answer of one shard alone.
    pub(super) form: Form,
    /// What is asked where several shards are.
    pub(super) to_merge: (Question, Form),
}

/// What the shards said.
pub(super) enum Said {
    /// One, which is passed on; none where the tenant has no bucket there.
    One(Option<ReadAnswer>),
    /// Several, whole and good, in the order of the shards.
    Several(Vec<String>),
    /// Several, of which one refused.
    Refused(ReadAnswer),
}

impl Reader {
    /// Asks the fewest shards that hold all points of the time once.
    pub(super) async fn ask(&self, ask: &Ask<'_>) -> Result<Said, ReadError> {
        let catalogue = self.catalogue();
        let map = PlacementMap::compile(&catalogue)
            .map_err(|error| ReadError::Unavailable(error.to_string()))?;
        let resolved = map.resolve(ask.tenant, ask.window.from, ask.window.to, None);
        let mut tried: BTreeSet<ShardId> = BTreeSet::new();
        let mut last = String::new();
        loop {
            let cover = self.cover(&resolved, &tried, &last)?;
            let several = cover.len() > 1;
            if let (true, Merge::Not(why)) = (several, ask.merge) {
                return Err(ReadError::Spread(spread(&resolved, why)));
            }
            let (question, form) = match several {
                true => (&ask.to_merge.0, &ask.to_merge.1),
                false => (&ask.question, &ask.form),
            };
            let asked = cover.iter().map(|shard| {
                self.shards()
                    .ask(&catalogue, shard, ask.tenant, question, form)
            });
            let mut answers = Vec::new();
            let before = tried.len();
            for (shard, answer) in cover.iter().zip(join_all(asked).await) {
                match answer {
                    Ok(answer) => answers.push(answer),
                    Err(NoAnswer::Cannot(why)) => return Err(ReadError::Cannot(why)),
                    Err(NoAnswer::Down(why)) => {
                        last = why;
                        tried.insert(shard.clone());
                    }
                }
            }
            if tried.len() > before {
                continue;
            }
            return if several {
                self.gather(answers.into_iter().flatten()).await
            } else {
                Ok(Said::One(answers.into_iter().flatten().next()))
            };
        }
    }

    /// Shards that are known to be down are passed over while there is another way.
    fn cover(
        &self,
        resolved: &Resolved,
        tried: &BTreeSet<ShardId>,
        last: &str,
    ) -> Result<Vec<ShardId>, ReadError> {
        let untried = |shard: &ShardId| !tried.contains(shard);
        resolved
            .cover(|shard| untried(shard) && !self.shards().is_down(shard))
            .or_else(|_| resolved.cover(untried))
            .map_err(|error| match error {
                NoCover::Unreachable(_) => ReadError::Unavailable(format!("{error}: {last}")),
                NoCover::Overlap(_) => ReadError::Spread(error.to_string()),
            })
    }

    /// Reads the answers of several shards whole, within the bytes that may be held.
    async fn gather(&self, answers: impl Iterator<Item = ReadAnswer>) -> Result<Said, ReadError> {
        let most = self.config().answer_bytes;
        let (mut texts, mut held) = (Vec::new(), 0);
        for mut answer in answers {
            if answer.status != 200 {
                return Ok(Said::Refused(answer));
            }
            let mut body = Vec::new();
            while let Some(part) = answer.body.next().await {
                let part = part.map_err(|error| ReadError::Unavailable(error.to_string()))?;
                held += part.len();
                if held > most {
                    return Err(ReadError::TooLong(format!(
                        "the answers of several shards are longer than {most} bytes together: ask for less time"
                    )));
                }
                body.extend_from_slice(&part);
            }
            texts.push(String::from_utf8_lossy(&body).into_owned());
        }
        Ok(Said::Several(texts))
    }
}

/// Why an answer cannot be put together, and what to ask instead.
fn spread(resolved: &Resolved, why: &str) -> String {
    let time = |nanos: i64| {
        let at = EpochStart::At(model::Timestamp::from_nanos(nanos));
        match nanos {
            i64::MIN => "the beginning".to_owned(),
            i64::MAX => "the end".to_owned(),
            _ => at.to_string(),
        }
    };
    // Epochs that differ for others alone are one stretch of time for this tenant.
    let mut stretches: Vec<(String, i64, i64)> = Vec::new();
    for span in &resolved.spans {
        let groups = span.groups.iter().map(|group| group.shards.iter());
        let names: Vec<&str> = groups.flatten().map(ShardId::as_str).collect();
        let names = names.join(", ");
        match stretches.last_mut() {
            Some((shards, _, to)) if *shards == names => *to = span.to,
            _ => stretches.push((names, span.from, span.to)),
        }
    }
    let spans: Vec<String> = stretches
        .iter()
        .map(|(names, from, to)| format!("{names} from {} to {}", time(*from), time(*to)))
        .collect();
    format!(
        "the points lie on several shards and the answers cannot be put together: {why}. Ask for the time of one \
         shard: {}",
        spans.join("; ")
    )
}

//! What people may ask of silences, and do with them.

use crate::commands::{CommandError, Commands, Filter, Page};
use crate::core::{
    BadSilence, IncidentSummary, Labels, Silence, SilenceSpec, SilenceState, Silences, Status,
};
use crate::io::store::Note;
use model::{TenantId, Timestamp};

/// Incidents read at a time for a preview.
const PAGE: u32 = 500;

/// Why a silence was not made, changed or ended.
#[derive(Debug, thiserror::Error)]
pub enum SilenceError {
    /// There is no such silence, or it is another tenant's.
    #[error("there is no silence {0}")]
    NoSilence(String),
    /// Something is wrong with it.
    #[error(transparent)]
    Bad(#[from] BadSilence),
    /// The tenant has too many.
    #[error("this tenant has 1000 silences already: end some first")]
    TooMany,
    /// The machine gives no random numbers.
    #[error("no random numbers for an id: {0}")]
    Random(String),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] crate::io::store::StoreError),
}

/// Whose hand makes, changes or ends a silence, as the audit log names it.
#[derive(Debug, Clone, Copy)]
pub struct Hand<'a> {
    /// Who.
    pub name: &'a str,
    /// How that is known.
    pub via: &'a str,
    /// The one tenant whose silences it may touch; none is no bound.
    pub tenant: Option<&'a TenantId>,
}

impl<'a> Hand<'a> {
    /// A hand without a bound.
    pub fn free(name: &'a str, via: &'a str) -> Self {
        Self {
            name,
            via,
            tenant: None,
        }
    }

    fn note<'n>(&'n self, kind: &'n str, silence: &'n Silence, detail: &'n str) -> Note<'n> {
        Note {
            kind,
            actor: self.name,
            via: self.via,
            tenant: silence.spec.tenant.as_ref(),
            subject: &silence.id,
            detail,
        }
    }
}

/// What a silence holds back and why, for the audit log.
fn told(spec: &SilenceSpec) -> String {
    let matchers: Vec<String> = spec.matchers.iter().map(ToString::to_string).collect();
    let (kind, comment) = (spec.kind.as_str(), &spec.comment);
    format!("{kind} of {}: {comment}", matchers.join(" "))
}

impl Commands {
    /// All silences, the newest first: those of a tenant and those of all tenants, or every one.
    pub async fn silences(&self, of: Option<&TenantId>) -> Result<Vec<Silence>, SilenceError> {
        let mut all = self.engine().store.all_silences().await?;
        all.retain(|silence| of.is_none() || silence.spec.tenant.as_ref() == of);
        Ok(all)
    }

    /// Makes a silence, or changes one, as Alertmanager does: what would tell another history is ended, and another one
    /// made. Its id is that of the answer.
    pub async fn put_silence(
        &self,
        id: Option<&str>,
        spec: SilenceSpec,
        hand: Hand<'_>,
    ) -> Result<Silence, SilenceError> {
        let engine = self.engine();
        let now = engine.now();
        spec.check(now)?;
        let mut tx = engine.store.begin().await?;
        tx.lock_silences().await?;
        let known = match id {
            Some(id) => Some(find(&*tx.silences().await?, id, hand.tenant)?),
            None => None,
        };
        let mut silence = match &known {
            Some(known) if may_change(known, &spec, now) => Silence {
                created_at: known.created_at,
                id: known.id.clone(),
                spec,
                updated_at: now,
            },
            _ => Silence {
                id: new_id()?,
                spec,
                created_at: now,
                updated_at: now,
            },
        };
        // What was quiet so far stays as it was; from now on it is another.
        if known.as_ref().is_none_or(|known| known.id != silence.id) {
            silence.spec.starts_at = silence.spec.starts_at.max(now);
        }
        if !tx.put_silence(&silence).await? {
            return Err(SilenceError::TooMany);
        }
        let kind = if known.is_some() {
            "silence changed"
        } else {
            "silence made"
        };
        let detail = told(&silence.spec);
        tx.audit(&hand.note(kind, &silence, &detail), now).await?;
        if let Some(mut known) = known {
            let before = known.spec.clone();
            if known.id != silence.id && known.spec.ends_at > now {
                known.end(now);
                tx.put_silence(&known).await?;
            }
            tx.release(&before, now).await?;
        }
        tx.commit().await?;
        engine.wake_timers();
        Ok(silence)
    }

    /// Ends a silence now. What waited for its end pages, if it still fires.
    pub async fn expire_silence(&self, id: &str, hand: Hand<'_>) -> Result<Silence, SilenceError> {
        let engine = self.engine();
        let now = engine.now();
        let mut tx = engine.store.begin().await?;
        tx.lock_silences().await?;
        let mut silence = find(&*tx.silences().await?, id, hand.tenant)?;
        if silence.spec.state(now) == SilenceState::Expired {
            return Ok(silence);
        }
        silence.end(now);
        tx.put_silence(&silence).await?;
        let detail = told(&silence.spec);
        tx.audit(&hand.note("silence ended", &silence, &detail), now)
            .await?;
        tx.release(&silence.spec, now).await?;
        tx.commit().await?;
        engine.wake_timers();
        tracing::info!(silence = %silence.id, "a silence was ended");
        Ok(silence)
    }

    /// What a silence would cover now: the incidents that are not closed, newest first.
    pub async fn covered(&self, spec: &SilenceSpec) -> Result<Vec<IncidentSummary>, CommandError> {
        let filter = Filter {
            tenant: spec.tenant.clone(),
            status: vec![Status::Open, Status::Acknowledged],
            ..Filter::default()
        };
        let (mut covered, mut after) = (Vec::new(), None);
        loop {
            let part = self.list(&filter, &Page { limit: PAGE, after }).await?;
            let about = |incident: &IncidentSummary| spec.is_about(&Labels::from(incident));
            covered.extend(part.incidents.into_iter().filter(about));
            after = part.next;
            if after.is_none() {
                return Ok(covered);
            }
        }
    }
}

impl Silence {
    fn end(&mut self, now: Timestamp) {
        self.spec.starts_at = self.spec.starts_at.min(now);
        self.spec.ends_at = now;
        self.updated_at = now;
    }
}

fn find(all: &Silences, id: &str, by: Option<&TenantId>) -> Result<Silence, SilenceError> {
    let visible = |silence: &&Silence| by.is_none() || silence.spec.tenant.as_ref() == by;
    let mut found = all.0.iter().filter(|silence| silence.id == id);
    let found = found.find(visible).cloned();
    found.ok_or_else(|| SilenceError::NoSilence(id.chars().take(80).collect()))
}

/// Whether a change leaves what was true until now as it was.
fn may_change(known: &Silence, spec: &SilenceSpec, now: Timestamp) -> bool {
    let begun = known.spec.starts_at <= now;
    known.spec.ends_at > now
        && known.spec.tenant == spec.tenant
        && known.spec.matchers == spec.matchers
        && known.spec.weekly == spec.weekly
        && (known.spec.starts_at == spec.starts_at || !begun)
}

/// A random UUID (version 4), as `amtool` shows them.
pub(crate) fn new_id() -> Result<String, SilenceError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| SilenceError::Random(error.to_string()))?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = hex::encode(bytes);
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    Ok(parts.join("-"))
}

//! Writing a revision: what is asked for against what is there, checked as a whole, then written.
//!
//! Two publishers at once: each appends a begin record, whose offset is the revision's number and therefore
//! unique. Whoever finds that others wrote between its reading and its begin reads again; whoever finds a
//! revision that was begun and has no end waits for it, but not for ever. So no bundle of two publishers has the
//! same revision, nothing is lost, and the later revision wins.

use crate::CatalogError;
use crate::mirror::mirror;
use crate::snapshot::{BEGIN_KEY, MARKER_KEY, Snapshot, load, marker, revision_of, source};
use crate::topics::{METRICS_RETENTION, ensure_tenant_topics, ensure_topics};
use bytes::Bytes;
use model::{Span, TenantId, Timestamp};
use runtime::Clock;
use schemas::catalogue::{
    Account, Accounted, Author, Bundle, Catalogue, Entry, Kind, Record, account_key,
    check_catalogue, check_entry, encode_value,
};
use std::collections::BTreeSet;
use std::time::Duration;
use stream::{Clusters, NewRecord, Stream, StreamError};

const ATTEMPTS: usize = 20;

/// How long another publisher may take before it is thought dead, and how often to look.
const PUBLISHER_PATIENCE: Duration = Duration::from_secs(5);
const PUBLISHER_PAUSE: Duration = Duration::from_millis(100);

/// How long a bundle stays behind its successor: the log's retention and a day.
const BUNDLE_KEPT: Span = METRICS_RETENTION.plus(Span::from_secs(24 * 3600));

/// How long it is kept who wrote a revision, for a notifier that was away: its audit log takes it over.
const ACCOUNT_KEPT: Span = Span::from_secs(30 * 24 * 3600);

/// Says whether evaluation can work with a bundle; the reasons why not, each with its place.
pub type Validate = dyn Fn(&Bundle) -> Result<(), Vec<String>> + Send + Sync;

/// What the catalogue shall be.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Declarations to add or replace.
    pub set: Vec<Entry>,
    /// Declarations to take out.
    pub remove: Vec<(Kind, String)>,
    /// Also take out every declaration that `set` does not name.
    pub prune: bool,
    /// What `bongsu tenant` and `bongsu integration` keep in a declaration (tokens, the mechanism of a password,
    /// suspension) stays where `set` does not say it: files in a repository do not know it.
    pub keep: bool,
    /// Only say what would change.
    pub dry_run: bool,
    /// Who asks, for the account of the change.
    pub author: Author,
}

/// What happens to a declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is replaced.
    Changed,
    /// It is taken out.
    Removed,
}

impl ChangeKind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}

impl std::str::FromStr for ChangeKind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        [Self::Added, Self::Changed, Self::Removed]
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or_else(|| format!("`{word}` is no kind of change"))
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What happens.
    pub what: ChangeKind,
    /// To a declaration of this kind.
    pub kind: Kind,
    /// With this name.
    pub name: String,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The revision in force now (or, of a dry run, the one before).
    pub revision: u64,
    /// The differences; none when the catalogue was so already.
    pub changes: Vec<Change>,
}

/// Brings the catalogue of a single cluster to what is asked for.
pub async fn publish(
    stream: &Stream,
    request: &Request,
    validate: &Validate,
    clock: &Clock,
) -> Result<Published, CatalogError> {
    let clusters = Clusters::from(stream.clone());
    publish_everywhere(&clusters, request, validate, clock).await
}

/// Brings the catalogue of every cluster to what is asked for: the home first, where publishers meet and revisions
/// get their numbers, then the others to the same. Done when all have it; [`CatalogError::Behind`] names those that
/// have not, and the next call, even one that changes nothing, brings them to it.
pub async fn publish_everywhere(
    clusters: &Clusters,
    request: &Request,
    validate: &Validate,
    clock: &Clock,
) -> Result<Published, CatalogError> {
    let published = publish_at_home(clusters, request, validate, clock).await?;
    if request.dry_run {
        return Ok(published);
    }
    let mut behind = Vec::new();
    for (name, stream) in clusters.others() {
        if let Err(error) = bring(clusters.home(), name, stream).await {
            behind.push(format!("{name} ({}): {error}", stream.describe()));
        }
    }
    if behind.is_empty() {
        return Ok(published);
    }
    Err(CatalogError::Behind {
        revision: published.revision,
        clusters: behind,
    })
}

/// Brings another cluster to what the home has.
async fn bring(home: &Stream, name: &str, stream: &Stream) -> Result<(), CatalogError> {
    ensure_topics(stream).await?;
    let catalogue = load(home).await?.catalogue;
    ensure_tenant_topics(stream, name, &catalogue).await?;
    mirror(home, stream).await
}

/// A tenant whose home nobody here can reach would lose its points.
fn check_homes(after: &Catalogue, clusters: &Clusters) -> Result<(), CatalogError> {
    let homeless = after
        .tenants
        .values()
        .filter(|tenant| clusters.get(&tenant.cluster).is_none());
    let flaws: Vec<String> = homeless
        .map(|tenant| {
            format!(
                "tenant `{}`, `cluster`: the configuration names no cluster `{}` (key `clusters`)",
                tenant.tenant, tenant.cluster
            )
        })
        .collect();
    if flaws.is_empty() {
        Ok(())
    } else {
        Err(CatalogError::Refused(flaws))
    }
}

async fn publish_at_home(
    clusters: &Clusters,
    request: &Request,
    validate: &Validate,
    clock: &Clock,
) -> Result<Published, CatalogError> {
    let stream = clusters.home();
    ensure_topics(stream).await?;
    for _ in 0..ATTEMPTS {
        let before = settled(stream).await?;
        let draft = Plan::make(&before, request, validate, before.catalogue.revision + 1)?;
        check_homes(&draft.after, clusters)?;
        if request.dry_run {
            return Ok(Published {
                revision: before.catalogue.revision,
                changes: draft.changes,
            });
        }
        ensure_tenant_topics(stream, clusters.home_name(), &draft.after).await?;
        if draft.is_empty() {
            return Ok(Published {
                revision: before.catalogue.revision,
                changes: draft.changes,
            });
        }
        let begin = write(stream, vec![record(BEGIN_KEY.to_owned(), Some(Vec::new()))]).await?;
        if begin != before.next_offset {
            tracing::info!("another changes the catalogue at the same time; reading it again");
            write(stream, vec![end_of(revision_of(begin))]).await?;
            continue;
        }
        let plan = Plan::make(&before, request, validate, revision_of(begin))?;
        write(
            stream,
            plan.records(
                &before,
                &request.author,
                Timestamp::from_nanos(clock.now_nanos()),
            ),
        )
        .await?;
        return Ok(Published {
            revision: plan.revision,
            changes: plan.changes,
        });
    }
    Err(CatalogError::Contended)
}

/// The catalogue when no other publisher is at work.
async fn settled(stream: &Stream) -> Result<Snapshot, CatalogError> {
    let mut waited = Duration::ZERO;
    loop {
        let snapshot = load(stream).await?;
        if snapshot.open.is_empty() || waited >= PUBLISHER_PATIENCE {
            return Ok(snapshot);
        }
        tokio::time::sleep(PUBLISHER_PAUSE).await;
        waited += PUBLISHER_PAUSE;
    }
}

/// Appends the records in order; the offset of the last.
async fn write(stream: &Stream, records: Vec<NewRecord>) -> Result<i64, CatalogError> {
    let deliveries: Vec<_> = records
        .into_iter()
        .map(|record| stream.send(record))
        .collect();
    let mut last = -1;
    for delivery in deliveries {
        last = delivery.await?.offset;
    }
    if last < 0 {
        return Err(StreamError::Closed.into());
    }
    Ok(last)
}

struct Plan {
    after: Catalogue,
    revision: u64,
    changes: Vec<Change>,
    bundles: Vec<Bundle>,
}

impl Plan {
    fn make(
        before: &Snapshot,
        request: &Request,
        validate: &Validate,
        revision: u64,
    ) -> Result<Self, CatalogError> {
        let mut after = before.catalogue.clone();
        let mut changes = Vec::new();
        for (kind, name) in removals(&before.catalogue, request) {
            after.remove(kind, &name);
            changes.push(Change {
                what: ChangeKind::Removed,
                kind,
                name,
            });
        }
        for entry in &request.set {
            let entry = match request.keep {
                true => before.catalogue.with_kept(entry),
                false => entry.clone(),
            };
            let (kind, name) = (entry.kind(), entry.name().to_owned());
            let what = match before.catalogue.get(kind, &name) {
                None => ChangeKind::Added,
                Some(old) if old == entry => continue,
                Some(_) => ChangeKind::Changed,
            };
            after.insert(entry);
            changes.push(Change { what, kind, name });
        }
        let alone = request.set.iter().flat_map(check_entry);
        let flaws: Vec<String> = alone
            .chain(check_catalogue(&after))
            .map(|flaw| flaw.to_string())
            .collect();
        if !flaws.is_empty() {
            return Err(CatalogError::Refused(flaws));
        }
        let bundles = changed_bundles(&before.catalogue, &after, revision, validate)?;
        Ok(Self {
            after,
            revision,
            changes,
            bundles,
        })
    }

    fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.bundles.is_empty()
    }

    /// Who wants it first, so that nothing is changed without an account; then declarations, bundles, what is too old, and the
    /// marker.
    fn records(&self, before: &Snapshot, author: &Author, now: Timestamp) -> Vec<NewRecord> {
        let mut records = Vec::new();
        for account in self.accounts(&before.catalogue, author, now) {
            let key = account.key();
            let value = encode_value(self.revision, &Record::Account(account));
            records.push(record(key, Some(value)));
        }
        for change in &self.changes {
            let key = format!("{}/{}", change.kind, change.name);
            let value = self
                .after
                .get(change.kind, &change.name)
                .map(|entry| encode_value(self.revision, &Record::Entry(entry)));
            records.push(record(key, value));
        }
        for bundle in &self.bundles {
            let key = format!("bundle/{}/{}", bundle.tenant, bundle.revision);
            let value = encode_value(self.revision, &Record::Bundle(Box::new(bundle.clone())));
            records.push(record(key, Some(value)));
        }
        for (tenant, revision) in outlived(before, now) {
            records.push(record(format!("bundle/{tenant}/{revision}"), None));
        }
        for (revision, part) in forgotten(&before.catalogue, now) {
            records.push(record(account_key(revision, part), None));
        }
        records.push(end_of(self.revision));
        records
    }

    /// Who changes what, for the audit log.
    fn accounts(&self, before: &Catalogue, author: &Author, now: Timestamp) -> Vec<Account> {
        let accounted = |change: &Change| {
            let (kind, name) = (change.kind, change.name.as_str());
            let (was, is) = (before.get(kind, name), self.after.get(kind, name));
            Accounted::new(kind, name, was.as_ref(), is.as_ref())
        };
        let changes: Vec<Accounted> = self.changes.iter().map(accounted).collect();
        Account::parts(self.revision, now.as_millis(), author, &changes)
    }
}

fn record(key: String, value: Option<Vec<u8>>) -> NewRecord {
    NewRecord::keyed(source(), key.into_bytes(), value.map(Bytes::from))
}

fn end_of(revision: u64) -> NewRecord {
    record(MARKER_KEY.to_owned(), Some(marker(revision)))
}

fn removals(before: &Catalogue, request: &Request) -> BTreeSet<(Kind, String)> {
    let mut removals: BTreeSet<(Kind, String)> = request
        .remove
        .iter()
        .filter(|(kind, name)| before.get(*kind, name).is_some())
        .cloned()
        .collect();
    if request.prune {
        let named: BTreeSet<(Kind, &str)> = request
            .set
            .iter()
            .map(|entry| (entry.kind(), entry.name()))
            .collect();
        removals.extend(
            declared(before)
                .into_iter()
                .filter(|(kind, name)| !named.contains(&(*kind, name.as_str()))),
        );
    }
    removals
}

/// Every declaration of the catalogue.
pub fn declared(catalogue: &Catalogue) -> Vec<(Kind, String)> {
    let text = |id: &dyn std::fmt::Display| id.to_string();
    let mut all: Vec<(Kind, String)> = Vec::new();
    all.extend(catalogue.tenants.keys().map(|id| (Kind::Tenant, text(id))));
    all.extend(catalogue.shards.keys().map(|id| (Kind::Shard, text(id))));
    all.extend(
        catalogue
            .placements
            .keys()
            .map(|id| (Kind::Placement, text(id))),
    );
    all.extend(
        catalogue
            .templates
            .keys()
            .map(|id| (Kind::Template, text(id))),
    );
    all.extend(
        catalogue
            .overrides
            .keys()
            .map(|id| (Kind::Override, text(id))),
    );
    all.extend(
        catalogue
            .contacts
            .keys()
            .map(|id| (Kind::Contact, text(id))),
    );
    all.extend(
        catalogue
            .escalation_policies
            .keys()
            .map(|id| (Kind::EscalationPolicy, text(id))),
    );
    all.extend(
        catalogue
            .schedules
            .keys()
            .map(|id| (Kind::Schedule, text(id))),
    );
    all.extend(catalogue.teams.keys().map(|id| (Kind::Team, text(id))));
    all.extend(
        catalogue
            .integrations
            .keys()
            .map(|id| (Kind::Integration, text(id))),
    );
    all
}

/// The bundles whose content is new: of changed tenants, and of all when the program ships other templates.
fn changed_bundles(
    before: &Catalogue,
    after: &Catalogue,
    revision: u64,
    validate: &Validate,
) -> Result<Vec<Bundle>, CatalogError> {
    let (mut bundles, mut reasons) = (Vec::new(), BTreeSet::new());
    for tenant in after.tenants.keys() {
        let Some(bundle) = Bundle::derive(after, tenant, revision) else {
            continue;
        };
        if before
            .newest_bundle(tenant)
            .is_some_and(|newest| newest.hash == bundle.hash)
        {
            continue;
        }
        match validate(&bundle) {
            Ok(()) => bundles.push(bundle),
            Err(why) => reasons.extend(why),
        }
    }
    if reasons.is_empty() {
        Ok(bundles)
    } else {
        Err(CatalogError::Refused(reasons.into_iter().collect()))
    }
}

/// Bundles whose successor is older than any log that still needs them.
fn outlived(before: &Snapshot, now: Timestamp) -> Vec<(TenantId, u64)> {
    let mut outlived = Vec::new();
    for (tenant, times) in &before.bundle_times {
        let held = before.catalogue.bundles.get(tenant);
        let revisions: Vec<(&u64, &Timestamp)> = times
            .iter()
            .filter(|(revision, _)| held.is_some_and(|held| held.contains_key(revision)))
            .collect();
        for pair in revisions.windows(2) {
            let ((revision, _), (_, replaced_at)) = (pair[0], pair[1]);
            if now.since(*replaced_at) > BUNDLE_KEPT {
                outlived.push((tenant.clone(), *revision));
            }
        }
    }
    outlived
}

/// Accounts that are too old for anybody to take over.
fn forgotten(before: &Catalogue, now: Timestamp) -> Vec<(u64, u32)> {
    let all = before.accounts.iter();
    all.filter(|(_, account)| now.since(Timestamp::from_millis(account.at)) > ACCOUNT_KEPT)
        .map(|(place, _)| *place)
        .collect()
}

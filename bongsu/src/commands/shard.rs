//! `bongsu shard`: the shards, and changes of the placement as new epochs.

use super::place::{map_of, time_text};
use super::{Access, settings};
use crate::cli::{AddShard, DrainShard, Form, FromWhen, Global, Shard as Command};
use crate::failure::{Exit, Failure, Outcome};
use crate::print::{self, Table};
use catalog::Request;
use model::{ShardId, Timestamp};
use router::core::read::time;
use runtime::Clock;
use schemas::catalogue::{Catalogue, Entry, Epoch, EpochStart, Placement, Shard, parse_yaml};
use std::collections::BTreeMap;

pub(super) async fn run(global: &Global, command: Command) -> Outcome {
    let access = Access::open(&settings(global)?).await?;
    let catalogue = access.catalogue().await?;
    match command {
        Command::List => list(&catalogue, global.form()),
        Command::Add(add) => {
            let set = added(&catalogue, &add)?;
            change(global, &access, &catalogue, set, &add.when).await
        }
        Command::Drain(drain) => {
            let set = drained(&catalogue, &drain)?;
            change(global, &access, &catalogue, set, &drain.when).await
        }
    }
}

fn list(catalogue: &Catalogue, form: Form) -> Outcome {
    let newest = catalogue
        .placement()
        .and_then(|placement| placement.epochs.last().cloned());
    let mut tenants: BTreeMap<ShardId, usize> = BTreeMap::new();
    if let Ok(map) = placement::PlacementMap::compile(catalogue) {
        for tenant in catalogue.tenants.keys() {
            for shard in map.resolve(tenant, i64::MAX, i64::MAX, None).shards() {
                *tenants.entry(shard).or_default() += 1;
            }
        }
    }
    let mut table = Table::new(&["shard", "url", "org", "zone", "weight", "tenants", "epochs"]);
    for (id, shard) in &catalogue.shards {
        let weight = newest
            .as_ref()
            .and_then(|epoch| epoch.shards.get(id).copied());
        let epochs = catalogue.placement().map_or(0, |placement| {
            placement
                .epochs
                .iter()
                .filter(|epoch| epoch.shards.contains_key(id))
                .count()
        });
        table.row(vec![
            id.as_str().into(),
            shard.url.clone().into(),
            shard.org.clone().into(),
            shard.zone.clone().into(),
            weight.into(),
            tenants.get(id).copied().unwrap_or(0).into(),
            epochs.into(),
        ]);
    }
    print::table(&table, form);
    Ok(())
}

fn shard_id(text: &str) -> Outcome<ShardId> {
    ShardId::parse(text).map_err(|error| Failure::new(Exit::Usage, error.to_string()))
}

/// The placement with one more epoch at its end, which `edit` makes from the last one.
fn with_epoch(
    catalogue: &Catalogue,
    when: &FromWhen,
    edit: impl FnOnce(&mut Epoch) -> Outcome,
) -> Outcome<Placement> {
    let placement = catalogue.placement().ok_or_else(|| {
        Failure::new(Exit::Findings, "there is no placement `default`")
            .hint("declare one and run `bongsu apply`")
    })?;
    let mut placement = Placement::clone(placement);
    let now = Clock::system().now_nanos();
    let from = match when.from.strip_prefix('+') {
        Some(ahead) => time::length(ahead).map(|length| now.saturating_add(length.most)),
        None => time::instant(&when.from),
    };
    let from = from.ok_or_else(|| {
        Failure::new(Exit::Usage, format!("--from: `{}` is no time", when.from))
            .hint("write `+5m` or a time such as 2026-01-31T00:00:00Z")
    })?;
    if from <= now {
        return Err(Failure::new(
            Exit::Usage,
            "--from must lie ahead: points of the past are stored already",
        )
        .hint("`--from +1m` leaves the consumers time to hear of it"));
    }
    // Whole seconds: people read them.
    let from = EpochStart::At(Timestamp::from_nanos(
        from - from.rem_euclid(1_000_000_000) + 1_000_000_000,
    ));
    let mut epoch = placement.epochs.last().cloned().ok_or_else(|| {
        Failure::new(Exit::Findings, "the placement has no epoch")
            .hint("declare one and run `bongsu apply`")
    })?;
    if epoch.from >= from {
        return Err(Failure::new(
            Exit::Usage,
            format!("an epoch begins at {} already", epoch.from),
        )
        .hint("name a later time with --from"));
    }
    epoch.from = from;
    edit(&mut epoch)?;
    placement.epochs.push(epoch);
    Ok(placement)
}

fn added(catalogue: &Catalogue, add: &AddShard) -> Outcome<Vec<Entry>> {
    let id = shard_id(&add.shard)?;
    let mut shard = match (catalogue.shards.get(&id), &add.url) {
        (Some(known), _) => Shard::clone(known),
        (None, Some(url)) => fresh(catalogue, &id, url)?,
        (None, None) => {
            let cause = format!("shard `{id}` is not declared: give its --url");
            return Err(Failure::new(Exit::Usage, cause));
        }
    };
    let file = add.token_file.as_ref().map(std::path::absolute).transpose();
    let file = file.map_err(|error| Failure::from_error(Exit::Usage, &error))?;
    shard.url = add.url.clone().unwrap_or(shard.url);
    shard.org = add.org.clone().unwrap_or(shard.org);
    shard.token_file = file.or(shard.token_file);
    shard.zone = add.zone.clone().or(shard.zone);
    let placement = with_epoch(catalogue, &add.when, |epoch| {
        if epoch.shards.get(&id).is_some_and(|weight| *weight > 0.0) {
            return Err(Failure::new(
                Exit::Usage,
                format!("shard `{id}` is in the placement already"),
            ));
        }
        epoch.shards.insert(id.clone(), add.weight);
        Ok(())
    })?;
    Ok(vec![Entry::Shard(shard), Entry::Placement(placement)])
}

/// A shard of which only the address is said; its organization is that of the first one.
fn fresh(catalogue: &Catalogue, id: &ShardId, url: &str) -> Outcome<Shard> {
    let wrong = || Failure::new(Exit::Usage, format!("--url: `{url}` is no address"));
    let parsed =
        parse_yaml("--url", &format!("shard: {id}\nurl: {url:?}\n")).map_err(|_| wrong())?;
    let mut shard = parsed
        .into_iter()
        .find_map(|located| match located.value {
            Entry::Shard(shard) => Some(shard),
            _ => None,
        })
        .ok_or_else(wrong)?;
    if let Some(first) = catalogue.shards.values().next() {
        shard.org.clone_from(&first.org);
    }
    Ok(shard)
}

fn drained(catalogue: &Catalogue, drain: &DrainShard) -> Outcome<Vec<Entry>> {
    let id = shard_id(&drain.shard)?;
    let placement = with_epoch(catalogue, &drain.when, |epoch| {
        if epoch.shards.remove(&id).is_none() {
            return Err(Failure::new(
                Exit::Usage,
                format!("shard `{id}` is not in the newest epoch"),
            )
            .hint("`bongsu shard list` shows the weights"));
        }
        if !epoch.shards.values().any(|weight| *weight > 0.0) {
            return Err(Failure::new(
                Exit::Findings,
                format!("`{id}` is the last shard: add another first"),
            ));
        }
        for (tenant, shards) in &mut epoch.tenants {
            shards.retain(|shard| *shard != id);
            if shards.is_empty() {
                return Err(Failure::new(
                    Exit::Findings,
                    format!(
                        "tenant `{tenant}` has `{id}` alone: give it another in the placement first"
                    ),
                ));
            }
        }
        Ok(())
    })?;
    Ok(vec![Entry::Placement(placement)])
}

/// Prints what would change, and makes it so.
async fn change(
    global: &Global,
    access: &Access,
    before: &Catalogue,
    set: Vec<Entry>,
    when: &FromWhen,
) -> Outcome {
    let mut after = before.clone();
    for entry in &set {
        after.insert(entry.clone());
    }
    let from = plan(before, &after, global.form())?;
    for entry in &set {
        if let Entry::Shard(shard) = entry {
            warn(shard).await;
        }
    }
    if when.dry_run {
        print::message("nothing was changed");
        return Ok(());
    }
    let request = Request {
        set,
        ..Request::default()
    };
    let published = access.publish(request).await?;
    print::message(&format!(
        "revision {}: in force for points from {from} on; what is stored stays where it is, and is read from there",
        published.revision
    ));
    Ok(())
}

/// Says what is wrong with a shard that is to get points, as it is seen from here: this machine may see less than the
/// consumers do, so it is no reason to refuse.
async fn warn(shard: &Shard) {
    if let Some((wrong, advice)) = super::doctor::shards::wrong(&shard.shard, shard).await {
        print::message(&format!(
            "warning: shard `{}`, asked from this machine: {wrong}; {advice}",
            shard.shard
        ));
    }
}

/// A row for each tenant whose points go elsewhere; when that begins.
fn plan(before: &Catalogue, after: &Catalogue, form: Form) -> Outcome<String> {
    let (old, new) = (map_of(before)?, map_of(after)?);
    let begins = after
        .placement()
        .and_then(|placement| placement.epochs.last().map(|epoch| epoch.from));
    let nanos = match begins {
        Some(EpochStart::At(at)) => at.as_nanos(),
        _ => i64::MIN,
    };
    let mut table = Table::new(&["tenant", "from", "shards_before", "shards_after"]);
    for tenant in after.tenants.keys() {
        let shards = |map: &placement::PlacementMap| -> Vec<String> {
            let found = map.resolve(tenant, nanos, nanos, None).shards();
            found
                .iter()
                .map(|shard| shard.as_str().to_owned())
                .collect()
        };
        let (was, is) = (shards(&old), shards(&new));
        if was != is {
            table.row(vec![
                tenant.as_str().into(),
                time_text(nanos).into(),
                was.into(),
                is.into(),
            ]);
        }
    }
    print::table(&table, form);
    print::message(&format!(
        "{} of {} tenants get other shards from {} on",
        table.len(),
        after.tenants.len(),
        time_text(nanos)
    ));
    Ok(time_text(nanos))
}

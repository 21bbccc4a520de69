//! `bongsu dlq`: the lines that no shard takes, and their way back.
//!
//! What was put back is marked in the dead-letter topic itself, by a record with the letter's key and the
//! header `replayed`: so each goes back once, whoever asks and however often.
//!
//! Each cluster has dead letters of its own. Those of another than the first have its name before their id, as in
//! `b:acme/0/131/1`; a line goes back to the topic in the cluster that is its tenant's home now.

use super::place::tenant_of;
use super::{Access, records, settings};
use crate::cli::{Dlq, DlqReplay, Form, Global, Output};
use crate::failure::{Exit, Failure, Outcome};
use crate::parts;
use crate::print::{self, Table};
use crate::progress::Progress;
use bytes::Bytes;
use model::{TenantId, Timestamp, TopicName, host_partition};
use schemas::catalogue::{Catalogue, EpochStart};
use schemas::line::scan;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use stream::{NewRecord, Record, Stream, TopicPartition};

/// Header of a record that says that the letter of its key was put back.
const REPLAYED: &str = "replayed";

/// A line that was not stored.
#[derive(Clone)]
struct Letter {
    /// As people name it.
    id: String,
    /// As the topic does.
    key: String,
    /// The log in whose dead-letter topic it stands.
    log: Stream,
    at: Timestamp,
    tenant: String,
    topic: String,
    partition: String,
    offset: String,
    number: String,
    shard: String,
    reason: String,
    line: Vec<u8>,
    /// Where it stands in the dead-letter topic.
    place: TopicPartition,
    replayed: bool,
}

pub(super) async fn run(global: &Global, command: Dlq) -> Outcome {
    let settings = settings(global)?;
    let access = Access::open(&settings).await?;
    match command {
        Dlq::List { tenant, lines, all } => {
            if let Some(tenant) = &tenant {
                tenant_of(&access.catalogue().await?, tenant)?;
            }
            let (mut letters, left_out) = read(&access).await?;
            letters.retain(|letter| {
                (all || !letter.replayed) && tenant.as_ref().is_none_or(|t| *t == letter.tenant)
            });
            list(&letters, lines, global.form());
            left_out.map_or(Ok(()), Err)
        }
        Dlq::Show { id } => {
            let (letters, left_out) = read(&access).await?;
            let letter = letters.into_iter().find(|letter| letter.id == id);
            let letter =
                letter.ok_or_else(|| left_out.unwrap_or_else(|| unknown(&[id.as_str()])))?;
            show(&letter, global.form());
            Ok(())
        }
        Dlq::Replay(asked) => replay(global, &access, &asked).await,
    }
}

fn unknown(ids: &[&str]) -> Failure {
    Failure::new(
        Exit::Usage,
        format!("there is no dead letter {}", ids.join(", ")),
    )
    .hint("`bongsu dlq list` prints the ids; dead letters are kept for 7 days")
}

/// Every letter of all clusters once, the oldest first, and why those of a cluster are left out.
async fn read(access: &Access) -> Outcome<(Vec<Letter>, Option<Failure>)> {
    let (mut letters, mut left_out) = (Vec::new(), None);
    let clusters = access.clusters();
    for (name, log) in clusters.iter() {
        match of_cluster(log).await {
            Ok(found) if name == clusters.home_name() => letters.extend(found),
            Ok(found) => letters.extend(found.into_iter().map(|letter| Letter {
                id: format!("{name}:{}", letter.key),
                ..letter
            })),
            // The one that the commands stand on: then nothing is known.
            Err(failure) if name == clusters.home_name() => return Err(failure),
            Err(failure) => {
                let cause = format!(
                    "dead letters of cluster `{name}` are left out: {}",
                    failure.cause
                );
                left_out = Some(Failure { cause, ..failure });
            }
        }
    }
    letters.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    Ok((letters, left_out))
}

/// Every letter of a cluster once: a consumer that was killed may have written one twice.
async fn of_cluster(log: &Stream) -> Outcome<Vec<Letter>> {
    let mut letters: BTreeMap<String, Letter> = BTreeMap::new();
    let mut replayed: BTreeSet<String> = BTreeSet::new();
    records::every(log, &TopicName::deadletter(), |source, record| {
        let key = String::from_utf8_lossy(record.key.unwrap_or_default()).into_owned();
        if record.header(REPLAYED).is_some() {
            replayed.insert(key);
        } else if let Some(letter) = letter_of(log, source, &record, &key) {
            letters.entry(key).or_insert(letter);
        }
    })
    .await?;
    let mut letters: Vec<Letter> = letters.into_values().collect();
    for letter in &mut letters {
        letter.replayed = replayed.contains(&letter.key);
    }
    Ok(letters)
}

fn letter_of(
    log: &Stream,
    source: &TopicPartition,
    record: &Record<'_>,
    key: &str,
) -> Option<Letter> {
    let header =
        |name| String::from_utf8_lossy(record.header(name).unwrap_or_default()).into_owned();
    Some(Letter {
        id: key.to_owned(),
        key: key.to_owned(),
        log: log.clone(),
        at: record.timestamp,
        tenant: header("tenant"),
        topic: header("topic"),
        partition: header("partition"),
        offset: header("offset"),
        number: header("line"),
        shard: header("shard"),
        reason: header("reason"),
        line: record.value?.to_vec(),
        place: source.clone(),
        replayed: false,
    })
}

impl Letter {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.line).into_owned()
    }

    fn time(&self) -> String {
        EpochStart::At(self.at).to_string()
    }
}

/// A table shows the beginning of each line; the other forms all of it.
fn list(letters: &[Letter], most: usize, form: Form) {
    let mut table = Table::new(&[
        "id", "time", "tenant", "shard", "reason", "line", "replayed",
    ]);
    let left_out = letters.len().saturating_sub(most);
    for letter in &letters[left_out..] {
        let mut line = letter.text();
        if form.output == Output::Table && line.chars().count() > 60 {
            line = line.chars().take(60).collect::<String>() + "..";
        }
        table.row(vec![
            letter.id.clone().into(),
            letter.time().into(),
            letter.tenant.clone().into(),
            Some(letter.shard.clone())
                .filter(|shard| !shard.is_empty())
                .into(),
            letter.reason.clone().into(),
            line.into(),
            letter.replayed.into(),
        ]);
    }
    print::table(&table, form);
    if left_out > 0 {
        print::message(&format!(
            "{left_out} older ones are left out; -n shows more"
        ));
    }
}

fn show(letter: &Letter, form: Form) {
    let mut table = Table::new(&[
        "id",
        "time",
        "tenant",
        "topic",
        "partition",
        "offset",
        "line_number",
        "shard",
        "reason",
        "replayed",
        "line",
    ]);
    table.row(vec![
        letter.id.clone().into(),
        letter.time().into(),
        letter.tenant.clone().into(),
        letter.topic.clone().into(),
        letter.partition.clone().into(),
        letter.offset.clone().into(),
        letter.number.clone().into(),
        letter.shard.clone().into(),
        letter.reason.clone().into(),
        letter.replayed.into(),
        letter.text().into(),
    ]);
    print::table(&table, form);
}

async fn replay(global: &Global, access: &Access, asked: &DlqReplay) -> Outcome {
    if asked.ids.is_empty() && asked.tenant.is_none() && !asked.all {
        return Err(Failure::new(
            Exit::Usage,
            "say which: ids, --tenant T or --all",
        ));
    }
    let catalogue = access.catalogue().await?;
    if let Some(tenant) = &asked.tenant {
        tenant_of(&catalogue, tenant)?;
    }
    let (letters, left_out) = read(access).await?;
    let known = |id: &&str| letters.iter().any(|letter| letter.id == **id);
    let missing: Vec<&str> = asked
        .ids
        .iter()
        .map(String::as_str)
        .filter(|id| !known(id))
        .collect();
    if !missing.is_empty() {
        return Err(left_out.unwrap_or_else(|| unknown(&missing)));
    }
    let wanted = letters.iter().filter(|letter| match &asked.tenant {
        Some(tenant) => letter.tenant == *tenant,
        None => asked.all || asked.ids.contains(&letter.id),
    });
    let mut table = Table::new(&["id", "tenant", "result"]);
    let mut pace = tokio::time::interval(Duration::from_secs(1) / asked.rate);
    let (mut back, mut left) = (0, 0);
    let wanted: Vec<&Letter> = wanted.collect();
    let mut progress = Progress::new("lines", Some(wanted.len() as u64));
    for (done, letter) in (1..).zip(wanted) {
        progress.at(done);
        let result = if letter.replayed {
            Ok("was put back before".to_owned())
        } else if asked.dry_run {
            Ok("would be put back".to_owned())
        } else {
            pace.tick().await;
            put_back(access, &catalogue, letter).await.map(|()| {
                back += 1;
                "put back".to_owned()
            })
        };
        let text = result.unwrap_or_else(|failure| {
            left += 1;
            failure.cause
        });
        table.row(vec![
            letter.id.clone().into(),
            letter.tenant.clone().into(),
            text.into(),
        ]);
    }
    drop(progress);
    print::table(&table, global.form());
    print::message(&format!(
        "{back} lines are back on their topics; what is still wrong comes back as a dead letter"
    ));
    if left > 0 {
        return Err(Failure::new(
            Exit::Failed,
            format!("{left} lines were not put back"),
        ));
    }
    left_out.map_or(Ok(()), Err)
}

/// Appends the line and then the mark. Killed between the two, the line goes back once more when it is asked
/// for again, which overwrites itself in a store.
async fn put_back(access: &Access, catalogue: &Catalogue, letter: &Letter) -> Outcome {
    let failed = |error| parts::log_failure(&error);
    let tenant = TenantId::parse(&letter.tenant)
        .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    let stream = match catalogue.tenants.contains_key(&tenant) {
        true => access.home_of(catalogue, &tenant)?,
        false => letter.log.clone(),
    };
    let topic = TopicName::listed(&letter.topic)
        .ok()
        .filter(|topic| topic.tenant() == Some(tenant.clone()));
    let topic = topic.unwrap_or_else(|| TopicName::metrics(&tenant, 1));
    let partitions = stream
        .partitions(&topic)
        .await
        .map_err(failed)?
        .ok_or_else(|| {
            Failure::new(
                Exit::Failed,
                format!("topic `{topic}` does not exist any more"),
            )
        })?;
    let host = match scan(&letter.line).next() {
        Some(Ok(line)) => line.host().map(|host| host.into_owned()),
        _ => None,
    };
    let own = letter
        .partition
        .parse()
        .ok()
        .filter(|partition| *partition < partitions);
    let partition = match host {
        Some(host) => host_partition(host.as_bytes(), partitions),
        None => own.unwrap_or(0),
    };
    let mut line = letter.line.clone();
    if line.last() != Some(&b'\n') {
        line.push(b'\n');
    }
    stream
        .send(NewRecord::value(
            TopicPartition::new(topic, partition),
            line,
        ))
        .await
        .map_err(failed)?;
    let mark = NewRecord {
        target: letter.place.clone(),
        key: Some(Bytes::from(letter.key.clone())),
        value: Some(Bytes::new()),
        headers: vec![(REPLAYED.to_owned(), Bytes::from_static(b"1"))],
    };
    letter.log.send(mark).await.map_err(failed)?;
    Ok(())
}

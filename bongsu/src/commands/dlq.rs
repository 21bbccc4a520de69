//! `bongsu dlq`: the lines that no shard takes, and their way back.
//!
//! What was put back is marked in the dead-letter topic itself, by a record with the letter's key and the
//! header `replayed`: so each goes back once, whoever asks and however often.

use super::place::tenant_of;
use super::{Access, records, settings};
use crate::cli::{Dlq, DlqReplay, Form, Global, Output};
use crate::failure::{Exit, Failure, Outcome};
use crate::parts;
use crate::print::{self, Table};
use crate::progress::Progress;
use bytes::Bytes;
use model::{TenantId, Timestamp, TopicName, host_partition};
use schemas::catalogue::EpochStart;
use schemas::line::scan;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use stream::{NewRecord, Record, Stream, TopicPartition};

/// Header of a record that says that the letter of its key was put back.
const REPLAYED: &str = "replayed";

/// A line that was not stored.
#[derive(Debug, Clone)]
struct Letter {
    key: String,
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
            let mut letters = read(&access.stream()).await?;
            letters.retain(|letter| {
                (all || !letter.replayed) && tenant.as_ref().is_none_or(|t| *t == letter.tenant)
            });
            list(&letters, lines, global.form());
            Ok(())
        }
        Dlq::Show { id } => {
            let letters = read(&access.stream()).await?;
            let letter = letters.into_iter().find(|letter| letter.key == id);
            let letter = letter.ok_or_else(|| unknown(&[id.as_str()]))?;
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

/// Every letter once, the oldest first: a consumer that was killed may have written one twice.
async fn read(stream: &Stream) -> Outcome<Vec<Letter>> {
    let mut letters: BTreeMap<String, Letter> = BTreeMap::new();
    let mut replayed: BTreeSet<String> = BTreeSet::new();
    records::every(stream, &TopicName::deadletter(), |source, record| {
        let key = String::from_utf8_lossy(record.key.unwrap_or_default()).into_owned();
        if record.header(REPLAYED).is_some() {
            replayed.insert(key);
        } else if let Some(letter) = letter_of(source, &record, &key) {
            letters.entry(key).or_insert(letter);
        }
    })
    .await?;
    let mut letters: Vec<Letter> = letters.into_values().collect();
    for letter in &mut letters {
        letter.replayed = replayed.contains(&letter.key);
    }
    letters.sort_by(|a, b| (a.at, &a.key).cmp(&(b.at, &b.key)));
    Ok(letters)
}

fn letter_of(source: &TopicPartition, record: &Record<'_>, key: &str) -> Option<Letter> {
    let header =
        |name| String::from_utf8_lossy(record.header(name).unwrap_or_default()).into_owned();
    Some(Letter {
        key: key.to_owned(),
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
            letter.key.clone().into(),
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
        letter.key.clone().into(),
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
    let stream = access.stream();
    let letters = read(&stream).await?;
    let known = |id: &&str| letters.iter().any(|letter| letter.key == **id);
    let missing: Vec<&str> = asked
        .ids
        .iter()
        .map(String::as_str)
        .filter(|id| !known(id))
        .collect();
    if !missing.is_empty() {
        return Err(unknown(&missing));
    }
    let wanted = letters.iter().filter(|letter| match &asked.tenant {
        Some(tenant) => letter.tenant == *tenant,
        None => asked.all || asked.ids.contains(&letter.key),
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
            put_back(&stream, letter).await.map(|()| {
                back += 1;
                "put back".to_owned()
            })
        };
        let text = result.unwrap_or_else(|failure| {
            left += 1;
            failure.cause
        });
        table.row(vec![
            letter.key.clone().into(),
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
    Ok(())
}

/// Appends the line and then the mark. Killed between the two, the line goes back once more when it is asked
/// for again, which overwrites itself in a store.
async fn put_back(stream: &Stream, letter: &Letter) -> Outcome {
    let failed = |error| parts::log_failure(&error);
    let tenant = TenantId::parse(&letter.tenant)
        .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
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
    stream.send(mark).await.map_err(failed)?;
    Ok(())
}

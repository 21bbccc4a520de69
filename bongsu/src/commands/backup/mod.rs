//! `bongsu backup|restore`: the catalogue and the incidents in one file, and back.

mod file;

use super::Access;
use crate::author;
use crate::cli::{Backup as BackupArgs, Global, Restore};
use crate::failure::{Exit, Failure, Outcome};
use crate::parts::{self, DataDir};
use crate::print;
use crate::progress::Progress;
use crate::settings::{Settings, layers};
use catalog::{Request, publish_everywhere};
use file::{Backup, Head, Writer};
use model::TopicName;
use notifier::io::store::{Store, StoreError};
use runtime::Clock;
use std::io::{BufReader, BufWriter};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;
use stream::{
    Clusters, Commit, GroupEvent, JoinSpec, Membership, Stream, StreamError, TopicPartition, Topics,
};

/// How long the group of notifiers may take to give out its partitions.
const JOINING: Duration = Duration::from_secs(60);
const SESSION: Duration = Duration::from_secs(10);

pub(super) async fn backup(global: &Global, args: BackupArgs) -> Outcome {
    let settings = with_database(global, args.database_url_file.as_deref())?;
    let catalogue = Access::open(&settings).await?.catalogue().await?;
    let store = open(&settings).await?;
    let schema = store.schema().await.map_err(|error| database(&error))?;
    let draft = args.file.with_extension("part");
    let unwritable = |error: std::io::Error| {
        Failure::new(
            Exit::Failed,
            format!("cannot write {}: {error}", draft.display()),
        )
    };
    // It holds telephone numbers and hashes of tokens.
    let out = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .map_err(unwritable)?;
    let made_at = jiff::Timestamp::from_nanosecond(i128::from(Clock::system().now_nanos()));
    let made_at = made_at.map_err(|error| Failure::from_error(Exit::Failed, &error))?;
    let head = Head::new(made_at.to_string(), schema);
    let mut writer = Writer::begin(BufWriter::new(out), &head)?;
    for (kind, name) in catalog::declared(&catalogue) {
        if let Some(entry) = catalogue.get(kind, &name) {
            writer.declaration(catalogue.revision, entry)?;
        }
    }
    let (mut rows, mut progress) = (0, Progress::new("rows", None));
    store
        .export(|row| {
            rows += 1;
            progress.at(rows);
            writer.row(row).map_err(Refused::Line)
        })
        .await
        .map_err(Failure::from)?;
    store.close().await;
    drop(progress);
    let (out, counts) = writer.end()?;
    let out = out
        .into_inner()
        .map_err(|error| unwritable(error.into_error()))?;
    out.sync_all().map_err(unwritable)?;
    std::fs::rename(&draft, &args.file).map_err(unwritable)?;
    print::message(&format!(
        "{}: {} declarations of the catalogue, {} rows of incidents",
        args.file.display(),
        counts.declarations,
        counts.rows
    ));
    Ok(())
}

pub(super) async fn restore(global: &Global, args: Restore) -> Outcome {
    let settings = with_database(global, args.database_url_file.as_deref())?;
    let unreadable = |error: std::io::Error| {
        Failure::new(
            Exit::Usage,
            format!("cannot read {}: {error}", args.file.display()),
        )
    };
    let from = std::fs::File::open(&args.file).map_err(unreadable)?;
    let backup = Backup::read(&args.file.display().to_string(), BufReader::new(from))?;
    if settings.kafka.is_none()
        && let Some((running, _)) = super::access::running_process(&settings).await?
    {
        let pid = running.pid;
        return Err(Failure::new(
            Exit::Failed,
            format!("`bongsu up` runs on this data folder (process {pid})"),
        )
        .hint("stop it, restore, and start it again"));
    }
    let clusters = logs(&settings).await?;
    let store = open(&settings).await?;
    let own = store.schema().await.map_err(|error| database(&error))?;
    if backup.head.schema > own {
        return Err(Failure::new(
            Exit::Findings,
            format!(
                "the backup is of bongsu {} (tables {}), newer than this one (tables {own})",
                backup.head.program, backup.head.schema
            ),
        )
        .hint("restore it with that version or a later one"));
    }
    if !args.replace && !store.is_empty().await.map_err(|error| database(&error))? {
        return Err(Failure::new(
            Exit::Findings,
            format!(
                "{} holds incidents already; nothing was changed",
                store.place()
            ),
        )
        .hint("--replace puts the backup in their place"));
    }
    // First where the reading begins: a restore that ends here has lost nothing.
    for (name, stream) in clusters.iter() {
        read_anew(name, stream).await?;
    }
    let request = Request {
        set: backup.declarations,
        prune: true,
        author: author::of_program("restore"),
        ..Request::default()
    };
    let published = publish_everywhere(&clusters, &request, &parts::validate, &Clock::system())
        .await
        .map_err(|error| parts::catalog_failure(&error))?;
    let rows = store
        .import(backup.rows)
        .await
        .map_err(|error| database(&error))?;
    store.close().await;
    let flushed = clusters.home().flush(SESSION).await;
    flushed.map_err(|error| parts::log_failure(&error))?;
    print::message(&format!(
        "restored as of {}: {} changes of the catalogue (revision {}), {rows} rows of incidents; notifiers read the alerts \
         of the log anew and drop those that they know",
        backup.head.made_at,
        published.changes.len(),
        published.revision
    ));
    Ok(())
}

/// The settings with the database that was named, or that `up` keeps in its data folder.
fn with_database(global: &Global, url_file: Option<&Path>) -> Outcome<Settings> {
    let mut layers = layers(global)?;
    let settings = Settings::load(&layers)?;
    if let Some(file) = url_file {
        let file = file.display().to_string();
        layers = layers.with(
            "notifier.database.postgres_url_file",
            file,
            "--database-url-file",
        );
    } else if settings.kafka.is_none() && layers.origin("notifier.database.sqlite") == "defaults" {
        let file = DataDir::of(&settings, "bongsu").incidents();
        layers = layers.with(
            "notifier.database.sqlite",
            file.display().to_string(),
            "the data folder",
        );
    }
    Settings::load(&layers)
}

/// Opens the logs themselves; the embedded one is made where it is missing.
async fn logs(settings: &Settings) -> Outcome<Clusters> {
    let clock = Clock::system();
    match &settings.kafka {
        Some(kafka) => parts::clusters(settings, kafka, &clock),
        None => {
            let dir = DataDir::of(settings, "bongsu");
            Ok(parts::embedded_log(&dir, &clock).await?.into())
        }
    }
}

async fn open(settings: &Settings) -> Outcome<Store> {
    Store::open(&settings.notifier.database)
        .await
        .map_err(|error| database(&error))
}

fn database(error: &StoreError) -> Failure {
    let exit = if error.may_pass() {
        Exit::Unreachable
    } else {
        Exit::Failed
    };
    Failure::from_error(exit, error)
}

/// Why an export ended.
enum Refused {
    Store(StoreError),
    Line(Failure),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Store(error) => database(&error),
            Refused::Line(failure) => failure,
        }
    }
}

/// Lets the notifiers begin at the beginning of the alerts: what came after the backup was made is not in it, and what
/// is in it they drop. Fails while a notifier runs, which would go on from where it is.
async fn read_anew(cluster: &str, stream: &Stream) -> Outcome {
    let failed = |error: StreamError| parts::log_failure(&error);
    let topic = TopicName::alerts();
    let Some(partitions) = stream.partitions(&topic).await.map_err(failed)? else {
        return Ok(());
    };
    let spec = JoinSpec {
        group: notifier::io::intake::GROUP.to_owned(),
        topics: Topics::Named(vec![topic.clone()]),
        instance: None,
        session_timeout: SESSION,
        prefetch_bytes: 1,
        headers: false,
    };
    let mut member = stream.join(spec).await.map_err(failed)?;
    let handle = member.handle();
    let joining = async {
        loop {
            match member.next().await {
                Some(GroupEvent::Assigned(assigned)) => return Ok(assigned.partitions.len()),
                Some(GroupEvent::Failed(error)) => return Err(error),
                Some(_) => {}
                None => return Err(StreamError::Closed),
            }
        }
    };
    let assigned = match tokio::time::timeout(JOINING, joining).await {
        Ok(assigned) => assigned.map_err(failed)?,
        Err(_) => 0,
    };
    if assigned != partitions as usize {
        leave(member).await;
        return Err(Failure::new(
            Exit::Failed,
            format!("a notifier reads the alerts of cluster `{cluster}` ({assigned} of {partitions} partitions are free)"),
        )
        .hint("stop every notifier, restore, and start them again"));
    }
    let mut commits = Vec::new();
    for partition in 0..partitions {
        let source = TopicPartition::new(topic.clone(), partition);
        let next_offset = stream.offsets(&source).await.map_err(failed)?.earliest;
        commits.push(Commit {
            source,
            next_offset,
            metadata: String::new(),
        });
    }
    let committed = handle.commit(commits).await.map_err(failed);
    leave(member).await;
    committed
}

async fn leave(mut member: Membership) {
    let handle = member.handle();
    let give_back = async { while member.next().await.is_some() {} };
    tokio::join!(handle.leave(), give_back);
}

//! What only a file can suffer: kill -9, a full disk, damage, a newer format, two processes.

use model::TopicName;
use redb::{Database, TableDefinition};
use runtime::Clock;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use stream::{Embedded, NewRecord, Stream, StreamError, TopicPartition, TopicSpec};

/// Names the file for a test that runs once more in a process of its own.
const CHILD: &str = "BONGSU_TEST_LOG";

async fn open(path: &Path) -> Stream {
    Embedded::open(path, Clock::system())
        .await
        .unwrap()
        .into_stream()
}

async fn refusal(path: &Path) -> String {
    let error = Embedded::open(path, Clock::system())
        .await
        .err()
        .expect("it must be refused");
    assert!(matches!(error, StreamError::Unusable { .. }), "{error:?}");
    error.to_string()
}

fn place() -> TopicPartition {
    TopicPartition::new(TopicName::listed("faults").unwrap(), 0)
}

async fn make_topic(stream: &Stream) {
    let spec = TopicSpec {
        name: place().topic,
        partitions: 1,
        retention: None,
        compacted: false,
        replicas: 1,
    };
    stream.ensure_topic(&spec).await.unwrap();
}

/// All values of the topic as numbers.
async fn numbers(stream: &Stream) -> Vec<u64> {
    let end = stream.offsets(&place()).await.unwrap().end;
    let mut reader = stream.read(&place(), 0).await.unwrap();
    let mut found = Vec::new();
    while (found.len() as i64) < end {
        let batch = reader.next().await.unwrap().unwrap();
        for record in batch.records() {
            let text = std::str::from_utf8(record.value.unwrap()).unwrap();
            found.push(text.trim_end_matches('.').parse().unwrap());
        }
    }
    found
}

/// Runs the named test of this file in a process that may be killed, and whose files may be
/// limited: there a write beyond the limit is an error, not a signal.
fn child(test: &str, path: &Path) -> Child {
    Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", test])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn child_path() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_records_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.redb");
    make_topic(&open(&path).await).await;
    for round in 1..=4 {
        let mut child = child("writes_until_it_is_killed", &path);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let acknowledged = lines
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("acknowledged ")?.parse::<u64>().ok());
        let enough: Vec<u64> = acknowledged.take(150 * round).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        let stream = open(&path).await;
        let found = numbers(&stream).await;
        for number in enough {
            assert!(
                found.binary_search(&number).is_ok(),
                "{number} was acknowledged, and is lost"
            );
        }
        assert_eq!(found, (0..found.len() as u64).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_until_it_is_killed() {
    let Some(path) = child_path() else { return };
    let stream = open(&path).await;
    let mut next = stream.offsets(&place()).await.unwrap().end;
    loop {
        let numbers = next..next + 50;
        let sent: Vec<_> = numbers
            .map(|n| (n, stream.send(NewRecord::value(place(), n.to_string()))))
            .collect();
        for (number, delivery) in sent {
            delivery.await.unwrap();
            writeln!(std::io::stdout(), "acknowledged {number}").unwrap();
        }
        next += 50;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_records_and_the_log_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.redb");
    let mut child = child("fills_its_disk", &path);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said: Vec<String> = lines.map_while(Result::ok).collect();
    assert!(child.wait().unwrap().success(), "{said:#?}");
    assert!(said.iter().any(|line| line == "filled"), "{said:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fills_its_disk() {
    let Some(path) = child_path() else { return };
    let stream = open(&path).await;
    make_topic(&stream).await;
    let value = |n: u64| format!("{n}{}", ".".repeat(20_000));
    let room = std::fs::metadata(&path).unwrap().len() + (1 << 20);
    limit_files(Some(room));
    let (mut number, mut acknowledged) = (0, Vec::new());
    let said = loop {
        match stream.send(NewRecord::value(place(), value(number))).await {
            Ok(_) => acknowledged.push(number),
            Err(error) => break error,
        }
        number += 1;
    };
    assert!(matches!(said, StreamError::Unreachable { .. }), "{said:?}");
    assert!(
        said.to_string().contains("log.redb: File too large"),
        "{said}"
    );
    assert!(!acknowledged.is_empty());
    let still = stream
        .send(NewRecord::value(place(), value(number + 1)))
        .await;
    assert!(still.is_err(), "{still:?}");

    limit_files(None);
    let after = number + 2;
    let appended = loop {
        // A file that was opened again may refuse what came meanwhile.
        if let Ok(appended) = stream.send(NewRecord::value(place(), value(after))).await {
            break appended;
        }
    };
    let found = numbers(&stream).await;
    assert_eq!(found[appended.offset as usize], after);
    for number in acknowledged {
        assert!(
            found.contains(&number),
            "{number} was acknowledged, and is lost"
        );
    }
    writeln!(std::io::stdout(), "filled").unwrap();
}

fn limit_files(bytes: Option<u64>) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Fsize);
    limit.current = bytes.or(limit.maximum);
    setrlimit(Resource::Fsize, limit).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_in_use_is_refused_and_is_free_when_its_handle_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.redb");
    let first = open(&path).await;
    assert!(
        refusal(&path)
            .await
            .contains("is in use by another process")
    );
    drop(first);
    open(&path).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_no_log_of_ours_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("text"), "not a log at all".repeat(1_000)).unwrap();
    assert!(refusal(&at("text")).await.contains("no log, or is damaged"));
    assert!(refusal(folder.path()).await.contains("directory"));
    assert!(refusal(&at("missing/log")).await.contains("No such file"));

    foreign(&at("foreign"), "somebody", 1);
    assert!(
        refusal(&at("foreign"))
            .await
            .contains("belongs to another program")
    );
    foreign(&at("newer"), "bongsu_log", 2);
    let newer = refusal(&at("newer")).await;
    assert!(
        newer.contains("format 2, made by a newer version; this one reads format 1"),
        "{newer}"
    );
    assert_eq!(
        std::fs::read(at("text")).unwrap(),
        "not a log at all".repeat(1_000).as_bytes()
    );
}

fn foreign(path: &Path, table: &str, format: u64) {
    let database = Database::create(path).unwrap();
    let writing = database.begin_write().unwrap();
    let table = TableDefinition::<&str, u64>::new(table);
    writing
        .open_table(table)
        .unwrap()
        .insert("format", format)
        .unwrap();
    writing.commit().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.redb");
    let stream = open(&path).await;
    make_topic(&stream).await;
    for n in 0..20 {
        stream
            .send(NewRecord::value(place(), n.to_string()))
            .await
            .unwrap();
    }
    drop(stream);
    open(&path).await;
    let whole = std::fs::read(&path).unwrap();
    for (what, keep) in [
        ("torn tail", whole.len() / 2),
        ("only a header", 4_096),
        ("a stump", 100),
    ] {
        let cut = folder.path().join("cut");
        std::fs::write(&cut, &whole[..keep]).unwrap();
        let said = refusal(&cut).await;
        assert!(said.contains("cut"), "{what}: {said}");
    }
    let mut flipped = whole.clone();
    flipped[64..512].fill(0xAA);
    let path = folder.path().join("flipped");
    std::fs::write(&path, flipped).unwrap();
    assert!(refusal(&path).await.contains("flipped"));
}

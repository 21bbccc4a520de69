//! The embedded store: the contract of every shard, and what only it promises.

use influx::{Embedded, EmbeddedOptions, Shard, WriteVerdict, contract};
use model::{Span, Timestamp};
use runtime::Clock;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use std::time::Duration;

const HOUR: i64 = 3_600_000_000_000;

fn now() -> Timestamp {
    Timestamp::from_nanos(Clock::system().now_nanos())
}

async fn write(shard: &Shard, at: i64) -> WriteVerdict {
    shard.write("acme", format!("m v=1 {at}\n").into(), 1).await
}

async fn count(shard: &Shard) -> u64 {
    let (from, to) = (Timestamp::from_nanos(0), Timestamp::from_nanos(i64::MAX));
    shard.count("acme", from, to).await.unwrap()
}

#[tokio::test]
async fn the_embedded_store_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(&dir.path().join("points.sqlite"))
        .await
        .unwrap();
    contract::all(&Shard::embedded(&store), "contract", now()).await;
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_new_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("points.sqlite");
    let shard = Shard::embedded(&Embedded::open(&path).await.unwrap());
    shard.ensure_bucket("acme", None).await.unwrap();
    assert_eq!(write(&shard, now().as_nanos()).await, WriteVerdict::Stored);
    // A second process that opens the file now sees what a kill would leave: nothing was closed.
    let again = Shard::embedded(&Embedded::open(&path).await.unwrap());
    assert_eq!(count(&again).await, 1);
    assert_eq!(
        write(&again, now().as_nanos() + 1).await,
        WriteVerdict::Stored
    );
    assert_eq!(count(&shard).await, 2);
}

#[tokio::test]
async fn points_past_the_retention_are_refused_and_swept() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(100 * HOUR);
    let options = EmbeddedOptions {
        retention: Some(Span::from_secs(3600)),
        clock: clock.clone(),
    };
    let store = Embedded::open_with(&dir.path().join("points.sqlite"), options).await;
    let shard = Shard::embedded(&store.unwrap());
    shard.ensure_bucket("acme", None).await.unwrap();
    assert_eq!(write(&shard, 100 * HOUR).await, WriteVerdict::Stored);
    let verdict = write(&shard, 98 * HOUR).await;
    assert!(
        matches!(verdict, WriteVerdict::Partial { .. }),
        "{verdict:?}"
    );
    clock.advance(Duration::from_secs(2 * 3600));
    assert_eq!(write(&shard, 102 * HOUR).await, WriteVerdict::Stored);
    assert_eq!(count(&shard).await, 1, "the first is past its hour");
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("points.sqlite");
    drop(Embedded::open(&path).await.unwrap());
    let options = SqliteConnectOptions::new().filename(&path);
    let mut newer = options.connect().await.unwrap();
    newer.execute("PRAGMA user_version = 9").await.unwrap();
    newer.close().await.unwrap();
    let error = Embedded::open(&path).await.unwrap_err().to_string();
    assert!(error.contains("version 9"), "{error}");
}

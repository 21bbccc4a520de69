//! Each real system of the harness starts, works, and survives what tests of faults do to it.

// The harness is the outside world, and so are its tests.
#![allow(clippy::disallowed_methods)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use tests::influxdb::BUCKET;
use tests::process::{self, Process};
use tests::telegraf::{self, Output};
use tests::workdir::Workdir;
use tests::{Influxdb, Kafka, Postgres, Telegraf, wait};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn kafka_keeps_what_it_acknowledged_when_it_is_killed() {
    let mut kafka = Kafka::start().await;
    kafka
        .create_topic(
            "metrics.acme",
            3,
            &[("message.timestamp.type", "LogAppendTime")],
        )
        .await
        .unwrap();
    let headers = [("format", "line-protocol")];
    let sent = kafka
        .send("metrics.acme", Some("web-1"), b"cpu v=1i 1", &headers)
        .await
        .unwrap();

    kafka.kill();
    kafka.start_again().await;

    let records = kafka.read("metrics.acme", 1, SOON).await.unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].partition, records[0].offset), sent);
    assert_eq!(records[0].text(), "cpu v=1i 1");
    assert_eq!(records[0].key.as_deref(), Some(b"web-1".as_slice()));
    assert_eq!(
        records[0].headers,
        [("format".to_owned(), b"line-protocol".to_vec())]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn kcat_which_shares_no_code_with_us_reads_what_the_harness_sent() {
    let kafka = Kafka::start().await;
    kafka.create_topic("plain", 1, &[]).await.unwrap();
    kafka
        .send("plain", Some("k"), "값 1".as_bytes(), &[])
        .await
        .unwrap();

    let mut kcat = Command::new("kcat");
    kcat.args([
        "-C",
        "-b",
        &kafka.brokers(),
        "-t",
        "plain",
        "-e",
        "-q",
        "-f",
        "%k=%s\n",
    ]);
    assert_eq!(process::run(&mut kcat).unwrap(), "k=값 1\n");

    let unknown = kafka.send("never-created", None, b"x", &[]).await;
    assert!(
        unknown.is_err(),
        "topics are not created by the way: {unknown:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_kafka_acknowledges_nothing_until_it_is_resumed() {
    let kafka = Kafka::start().await;
    kafka.create_topic("paused", 1, &[]).await.unwrap();
    kafka.pause();
    assert!(kafka.send("paused", None, b"1", &[]).await.is_err());
    kafka.resume();
    kafka.send("paused", None, b"2", &[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn telegrafs_lines_come_back_from_kafka_and_follow_the_file_they_are_steered_by() {
    let kafka = Kafka::start().await;
    kafka.create_topic("metrics.acme", 2, &[]).await.unwrap();
    let output = Output::kafka(&kafka, "metrics.acme");
    let telegraf = Telegraf::start(&telegraf::cpu_line("web-1", 12.5), &output).await;
    telegraf::delivers(&telegraf, "a calm CPU", SOON, async || {
        holds(&kafka, "usage_idle=87.5").await
    })
    .await;

    telegraf.set_lines(&telegraf::cpu_line("web-1", 97.0));
    telegraf::delivers(&telegraf, "a busy CPU", SOON, async || {
        holds(&kafka, "usage_idle=3").await
    })
    .await;

    let records = kafka.read("metrics.acme", 1, SOON).await.unwrap();
    let line = records[0].text();
    assert!(line.starts_with("cpu,cpu=cpu-total,host=web-1 "), "{line}");
    assert!(
        records
            .iter()
            .all(|record| record.partition == records[0].partition),
        "by host"
    );
}

async fn holds(kafka: &Kafka, part: &str) -> anyhow::Result<Option<()>> {
    let records = kafka.read("metrics.acme", 1, SOON).await?;
    Ok(records
        .iter()
        .any(|record| record.text().contains(part))
        .then_some(()))
}

#[tokio::test]
async fn influxdb_answers_with_what_was_written_and_says_what_it_dropped() {
    let mut influxdb = Influxdb::start().await;
    let now = jiff::Timestamp::now().as_nanosecond();
    let lines = format!("m,host=a v=1 {now}\nm,host=b v=2 {now}\n");
    assert_eq!(
        influxdb.write(BUCKET, &lines).await.unwrap().0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        influxdb
            .count(BUCKET, "r._measurement == \"m\"")
            .await
            .unwrap(),
        2
    );

    let conflict = format!("m,host=a v=\"text\" {now}\nm,host=c v=3 {now}\n");
    let (status, text) = influxdb.write(BUCKET, &conflict).await.unwrap();
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        text.contains("field type conflict") && text.contains("dropped=1"),
        "{text}"
    );

    influxdb.kill();
    assert!(influxdb.count(BUCKET, "true").await.is_err());
    influxdb.start_again().await;
    assert_eq!(
        influxdb
            .count(BUCKET, "r._measurement == \"m\"")
            .await
            .unwrap(),
        3
    );

    influxdb.create_bucket("other").await.unwrap();
    assert_eq!(influxdb.count("other", "true").await.unwrap(), 0);
    assert!(
        influxdb
            .query("from(bucket: \"missing\") |> range(start: 0)")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn telegraf_writes_once_into_influxdb_and_ends() {
    let influxdb = Influxdb::start().await;
    let output = Output::influxdb(&influxdb, BUCKET);
    Telegraf::once(&telegraf::cpu_line("db-1", 50.0), &output)
        .await
        .unwrap();
    // Telegraf rounds its times to the interval, so a point may be half a second ahead of the clock.
    let rows = influxdb
        .query(&format!(
            "from(bucket: \"{BUCKET}\") |> range(start: -1h, stop: 1h)\
             |> filter(fn: (r) => r._field == \"usage_idle\")"
        ))
        .await
        .unwrap();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(
        (rows[0]["host"].as_str(), rows[0]["_value"].as_str()),
        ("db-1", "50")
    );
}

#[tokio::test]
async fn postgres_gives_a_fresh_database_to_each_who_asks_and_keeps_them_over_a_kill() {
    let mut postgres = Postgres::start().await;
    let (one, two) = (postgres.database(), postgres.database());
    postgres
        .sql(&one, "CREATE TABLE t (id BIGINT); INSERT INTO t VALUES (7)")
        .unwrap();
    assert!(postgres.sql(&two, "SELECT id FROM t").is_err());

    postgres.kill();
    assert!(postgres.sql(&one, "SELECT 1").is_err());
    postgres.start_again().await;
    assert_eq!(postgres.sql(&one, "SELECT id FROM t").unwrap(), "7");
}

#[tokio::test]
async fn a_panic_kills_the_whole_group_and_keeps_the_log() {
    let folder = Workdir::new("group");
    let (pids, log) = (folder.join("pids"), folder.join("log"));
    let script = format!(
        "echo said; sleep 300 & echo $! $$ > {}; wait",
        pids.display()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    let test = async move {
        let mut process = Process::start("a shell", command, log);
        process
            .ready(SOON, async || {
                Ok(pids.is_file() && !std::fs::read(&pids)?.is_empty())
            })
            .await;
        let pids = std::fs::read_to_string(&pids).unwrap();
        // What the test would do by a failed assertion.
        std::panic::resume_unwind(Box::new((pids, process.log().to_owned())));
    };
    let tasks = tokio::task::LocalSet::new();
    let test = tasks.spawn_local(test);
    let panicked = tasks.run_until(test).await.unwrap_err().into_panic();
    let (pids, log) = *panicked.downcast::<(String, std::path::PathBuf)>().unwrap();
    for pid in pids.split_whitespace() {
        gone(pid).await;
    }
    assert_eq!(std::fs::read_to_string(log).unwrap(), "said\n");
}

/// Runs twice: as the test, and as the program that the test kills.
#[tokio::test]
async fn a_killed_test_takes_what_it_started_along() {
    const AS_VICTIM: &str = "BONGSU_TEST_AS_VICTIM";
    if std::env::var_os(AS_VICTIM).is_some() {
        let folder = Workdir::new("victim");
        let mut command = Command::new("sleep");
        command.arg("300");
        let process = Process::start("sleep", command, folder.join("log"));
        println!("\npid={}", process.id().unwrap());
        std::thread::sleep(Duration::from_secs(300));
        return;
    }
    // The victim cannot tidy up, so its folder lies in one that this test does.
    let folder = Workdir::new("victims");
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "a_killed_test_takes_what_it_started_along",
            "--nocapture",
        ])
        .env(AS_VICTIM, "1")
        .env("TMPDIR", folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let pid = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("pid=").map(str::to_owned))
        .expect("the victim names its process");
    assert!(Path::new("/proc").join(&pid).exists());
    victim.kill().unwrap();
    victim.wait().unwrap();
    gone(&pid).await;
}

async fn gone(pid: &str) {
    let stat = Path::new("/proc").join(pid).join("stat");
    wait::holds(format!("process {pid} is gone"), SOON, async || {
        // A zombie whose parent is slow to ask after it counts as gone.
        std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "))
    })
    .await;
}

#[tokio::test]
async fn waiting_ends_at_the_deadline_even_when_the_question_hangs() {
    let started = Instant::now();
    let answer: anyhow::Result<()> = wait::until(Duration::from_millis(200), async || {
        std::future::pending().await
    })
    .await;
    assert!(answer.is_err());
    assert!(started.elapsed() < Duration::from_secs(5));
}

//! Row 11: `bongsu up` on a disk that is full, and on a log whose end is torn.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reqwest::StatusCode;
use tests::workdir::Workdir;
use tests::{Bongsu, ports, wait, web};

use super::plane::SOON;
use super::{figure, scale, turn};

const STOP: Duration = Duration::from_secs(30);
/// What the disk still takes when it is limited.
const ROOM: u64 = 256 << 10;

fn up(data: &Path, consumer: u16) -> tests::bongsu::Builder {
    Bongsu::service("up")
        .file(
            "bongsu.yaml",
            format!(
                "router: {{listen: \"127.0.0.1:{{port}}\"}}\nnotifier: {{listen: \"127.0.0.1:0\"}}\n\
                 consumer: {{listen: \"127.0.0.1:{consumer}\", refresh_every: 300ms}}\n"
            ),
        )
        .arg("--config")
        .arg("{dir}/bongsu.yaml")
        .arg("--data-dir")
        .arg(data.to_str().expect("temporary folders have plain names"))
}

/// Sends lines from a number on until the answers are as wanted; returns what was promised.
async fn write(url: &str, token: &str, number: u64) -> Option<StatusCode> {
    let filling = "x".repeat(2_000);
    // The embedded store keeps what is young.
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = u64::try_from(now.expect("it is after 1970").as_nanos()).expect("it fits");
    let body: String = (0..20)
        .map(|part| {
            let number = number * 20 + part;
            format!(
                "row11,host=h{} n={number}i,filling=\"{filling}\" {}\n",
                number % 5,
                now + number
            )
        })
        .collect();
    let request = web::client()
        .post(format!("{url}/api/v2/write"))
        .header("Authorization", format!("Token {token}"));
    let answer = request.body(body).send().await.ok()?;
    Some(answer.status())
}

/// The numbers that the store holds, while nobody else has it open.
async fn stored(data: &Path) -> Vec<u64> {
    use influx::{Embedded, FieldValue, Shard};
    use model::Timestamp;
    let store = Embedded::open(&data.join("points.db")).await;
    let shard = Shard::embedded(&store.expect("the store can be opened"));
    let (from, to) = (Timestamp::from_nanos(0), Timestamp::from_nanos(i64::MAX));
    let points = shard.points("default", "row11", from, to).await;
    let points = points.expect("the store can be read");
    let numbers = points.iter().flat_map(|point| &point.fields);
    numbers
        .filter_map(|(field, value)| match value {
            FieldValue::Integer(number) if field == "n" => u64::try_from(*number).ok(),
            FieldValue::Float(number) if field == "n" => Some(*number as u64),
            _ => None,
        })
        .collect()
}

/// Until the consumer has found nothing to store in several looks, one after the other.
async fn nothing_waits(consumer: u16) {
    let url = format!("http://127.0.0.1:{consumer}/metrics");
    let mut since = None;
    wait::holds("what was promised is stored", SOON, async || {
        let text = match web::client().get(&url).send().await {
            Ok(answer) => answer.text().await.unwrap_or_default(),
            Err(_) => return false,
        };
        let mut lags = text
            .lines()
            .filter(|line| line.starts_with("bongsu_consumer_lag_records{"))
            .peekable();
        if lags.peek().is_none() || !lags.all(|line| line.ends_with(" 0")) {
            since = None;
            return false;
        }
        since.get_or_insert_with(Instant::now).elapsed() > Duration::from_secs(2)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn row_11_a_full_disk_and_a_torn_log_refuse_and_what_was_promised_is_there_afterwards() {
    let _turn = turn().await;
    let folder = Workdir::new("row-11");
    let (data, consumer) = (folder.join("data"), ports::free());
    let mut process = up(&data, consumer).surviving_full_disks().start().await;
    let token = std::fs::read_to_string(data.join("default.token")).expect("`up` makes a tenant");
    let token = token.trim().to_owned();
    let (mut answers, mut promised, mut next) = (BTreeMap::new(), Vec::new(), 0_u64);
    for _ in 0..10 {
        assert_eq!(
            write(&process.url(), &token, next).await,
            Some(StatusCode::NO_CONTENT)
        );
        promised.push(next);
        next += 1;
    }
    let log = data.join("log.redb");
    let size = |path: &Path| std::fs::metadata(path).expect("it is there").len();
    process.limit_files(Some(size(&log) + ROOM));
    let mut refused = 0;
    for _ in 0..scale(400, 5_000) {
        let status = write(&process.url(), &token, next).await;
        let word = status.map_or("none".to_owned(), |status| status.as_u16().to_string());
        *answers.entry(word).or_insert(0) += 1;
        match status {
            Some(status) if status.is_success() => promised.push(next),
            _ => refused += 1,
        }
        next += 1;
        if refused >= 5 {
            break;
        }
    }
    assert!(refused >= 5, "the disk never was full: {answers:?}");
    assert_eq!(process.ended(), None, "a full disk is no reason to end");
    // There is room again, and it goes on by itself.
    process.limit_files(None);
    wait::holds("it takes writes again", SOON, async || {
        let status = write(&process.url(), &token, next).await;
        let taken = status == Some(StatusCode::NO_CONTENT);
        if taken {
            promised.push(next);
        }
        next += 1;
        taken
    })
    .await;
    process.kill();
    drop(process);

    // The end of the log is torn, in a copy: it is refused by its name, or all is there.
    let torn = folder.join("torn");
    std::fs::create_dir(&torn).expect("a folder can be made");
    for entry in std::fs::read_dir(&data).expect("it is there") {
        let entry = entry.expect("it is there");
        std::fs::copy(entry.path(), torn.join(entry.file_name())).expect("it can be copied");
    }
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(torn.join("log.redb"));
    let file = file.expect("it is there");
    file.set_len(size(&log) / 2 + 100).expect("it can be cut");
    drop(file);
    let mut broken = up(&torn, consumer).start_unready();
    wait::holds("the torn log is refused", SOON, async || {
        broken.ended().is_some()
    })
    .await;
    let status = broken.ended().expect("it has ended");
    let said = broken.log();
    assert!(!status.success(), "{said}");
    assert!(said.contains("log.redb"), "the file is named: {said}");

    // The log itself, as kill -9 has left it.
    let mut again = up(&data, consumer).start().await;
    let status = write(&again.url(), &token, next).await;
    assert_eq!(status, Some(StatusCode::NO_CONTENT));
    promised.push(next);
    nothing_waits(consumer).await;
    let ended = again.terminate(STOP).await.expect("it drains");
    assert!(ended.success(), "{}", again.log());
    let stored = stored(&data).await;
    let wanted: Vec<u64> = promised
        .iter()
        .flat_map(|body| body * 20..body * 20 + 20)
        .collect();
    let lost = wanted
        .iter()
        .filter(|number| !stored.contains(number))
        .count();
    figure(
        "11",
        format_args!(
            "`bongsu up` on a full disk: answers {answers:?}, then on by itself; a log cut in half is refused by name; \
             after kill -9 {} promised, {lost} lost",
            wanted.len()
        ),
    );
    assert_eq!(lost, 0);
}

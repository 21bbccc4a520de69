//! Rows 27 to 29: tenants that mean harm, or know no better, over a real router.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::StatusCode;
use tests::oracle::{Ledger, percentile};
use tests::{Bongsu, web};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::plane::{DRAINED, Plane, Setup, token};
use super::{alone, figure, scale, turn};

/// What the design gives a hostile connection.
const CLOSED: Duration = Duration::from_secs(10);
/// What a loaded machine may add before a test sees it.
const SEEN: Duration = Duration::from_secs(2);

/// The head of a write by tenant `t1`, the hostile one, with `rest` behind its own headers.
fn head(rest: &str) -> String {
    format!(
        "POST /api/v2/write HTTP/1.1\r\nHost: router\r\nAuthorization: Token {}\r\n{rest}\r\n\r\n",
        token(1)
    )
}

async fn connect(router: &Bongsu) -> TcpStream {
    let url = router.url();
    let address = url.trim_start_matches("http://");
    TcpStream::connect(address)
        .await
        .expect("the router listens")
}

/// The p99 of promised requests that were sent in this time.
fn p99(ledger: &Ledger, within: std::ops::Range<Instant>) -> Duration {
    let answers = ledger.answers();
    let inside = answers.filter(|answer| within.contains(&answer.sent));
    percentile(inside.map(|answer| answer.took).collect(), 99)
}

#[tokio::test(flavor = "multi_thread")]
async fn row_27_an_endless_line_and_two_thousand_slow_requests_are_closed_and_hurt_nobody() {
    let _turn = alone().await;
    let plane = Plane::start(Setup {
        tenants: 2,
        ..Setup::default()
    })
    .await;
    let mut load = plane.load(200);
    load.agents.truncate(1);
    load.requests_per_s = 40;
    let producer = plane.produce(&load).await;
    let began = Instant::now();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let calm = began..Instant::now();

    let (took, sent) = endless_line(&plane.routers[0]).await;
    assert!(
        took < CLOSED,
        "an endless line of {sent} bytes was read for {took:?}"
    );

    let began = Instant::now();
    let slow =
        (0..2_000).map(async |number| slow_request(&plane.routers[0], number % 2 == 0).await);
    let closed = join_all(slow).await;
    let siege = began..Instant::now();
    let slowest = closed.into_iter().max().expect("there are some");

    let ledger = producer.stop().await;
    let balance = plane.judge().keeps(&ledger, DRAINED).await;
    let (calm, siege) = (p99(&ledger, calm), p99(&ledger, siege));
    let refused = ledger
        .statuses()
        .iter()
        .filter(|(status, _)| *status != "204")
        .count();
    figure(
        "27",
        format_args!(
            "a line without an end was cut after {} MB and {took:?}; the slowest of 2,000 slow requests was closed \
             after {slowest:?}; p99 of another tenant {calm:?} before and {siege:?} meanwhile; {balance}",
            sent >> 20
        ),
    );
    assert!(slowest <= CLOSED + SEEN, "{slowest:?}");
    assert_eq!(refused, 0, "{:?}", ledger.statuses());
    // Opening two thousand connections at once costs this machine's cores as well.
    let slack = scale(Duration::from_secs(1), Duration::from_millis(20));
    assert!(siege <= 2 * calm + slack, "{calm:?} became {siege:?}");
}

/// Sends one line until the router has enough of it; how long that was, and how many bytes.
async fn endless_line(router: &Bongsu) -> (Duration, u64) {
    let mut stream = connect(router).await;
    let began = Instant::now();
    let head = head("Transfer-Encoding: chunked");
    stream
        .write_all(head.as_bytes())
        .await
        .expect("the head is taken");
    let chunk = format!("10000\r\n{}\r\n", "a".repeat(0x10000));
    let mut sent = 0;
    while sent < 10_000_000_000_u64 {
        if stream.write_all(chunk.as_bytes()).await.is_err() {
            break;
        }
        sent += 0x10000;
    }
    (began.elapsed(), sent)
}

/// A byte a second, of the head or of the body, until the router closes; how long that was.
async fn slow_request(router: &Bongsu, in_the_head: bool) -> Duration {
    let mut stream = connect(router).await;
    let began = Instant::now();
    let whole = head("Content-Length: 1000");
    let begin = if in_the_head {
        &whole[..whole.len() - 4]
    } else {
        &whole[..]
    };
    if stream.write_all(begin.as_bytes()).await.is_err() {
        return began.elapsed();
    }
    let mut beat = tokio::time::interval(Duration::from_secs(1));
    let mut answer = [0; 4_096];
    loop {
        tokio::select! {
            read = stream.read(&mut answer) => match read {
                Ok(0) | Err(_) => return began.elapsed(),
                // The answer; the end comes behind it, or with the next byte.
                Ok(_) => {}
            },
            _ = beat.tick() => {
                if stream.write_all(b"a").await.is_err() || began.elapsed() > 4 * CLOSED {
                    return began.elapsed();
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_28_lines_that_no_store_could_hold_are_refused_by_number_and_nothing_is_changed() {
    let _turn = turn().await;
    let plane = Plane::start(Setup {
        partitions: 1,
        consumers: 0,
        ..Setup::default()
    })
    .await;
    let bad: [&[u8]; 9] = [
        b"m,host=\xff\xfe v=1 1",
        b"m,host=a v=NaN 1",
        b"m,host=a v=inf 1",
        b"m,host=a v=-Infinity 1",
        b"m,host=a v=9223372036854775808i 1",
        b"m,host=a v=1 9223372036854775808",
        b"m,host=a v=1 99999999999999999999999999",
        b"m,host=a v= 1",
        b"m,host=a v=\"open 1",
    ];
    let client = web::client();
    let write = async |body: Vec<u8>| {
        let request = client.post(format!("{}/api/v2/write", plane.routers[0].url()));
        let request = request.header("Authorization", format!("Token {}", token(0)));
        let answer = request.body(body).send().await.expect("the router answers");
        (answer.status(), answer.text().await.expect("it has a text"))
    };
    let mut wanted = Vec::new();
    for (number, line) in bad.iter().enumerate() {
        let good = format!("m,host=a n={number}i 1700000000000000000");
        let body = [good.as_bytes(), b"\n", line, b"\n"].concat();
        let (status, said) = write(body).await;
        let shown = String::from_utf8_lossy(line);
        assert_eq!(status, StatusCode::BAD_REQUEST, "{shown}: {said}");
        assert!(said.contains("line 2"), "{shown}: {said}");
        wanted.push(good);
    }
    let extreme =
        "m,host=a v=9223372036854775807i,w=-9223372036854775808i,x=1e308 -9223372036854775806";
    let (status, said) = write(extreme.as_bytes().to_vec()).await;
    assert!(status.is_success(), "{status} {said}");
    wanted.push(extreme.to_owned());
    let records = plane
        .kafka
        .read_all("metrics.t0")
        .await
        .expect("Kafka answers");
    let lines: Vec<String> = records
        .iter()
        .flat_map(|record| record.text().lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(lines, wanted);
    figure(
        "28",
        format_args!(
            "{} bad lines refused by number, {} good ones as sent",
            bad.len(),
            lines.len()
        ),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn row_29_new_series_without_end_are_capped_with_a_reason_and_the_old_ones_flow() {
    let _turn = turn().await;
    let plane = Plane::start(Setup {
        tenants: 2,
        tenant: "limits: {series: 1000}\n",
        ..Setup::default()
    })
    .await;
    let (client, url) = (
        web::client(),
        format!("{}/api/v2/write", plane.routers[0].url()),
    );
    let write = async |tenant: usize, body: String| {
        let request = client
            .post(&url)
            .header("Authorization", format!("Token {}", token(tenant)));
        let answer = request.body(body).send().await.expect("the router answers");
        (
            answer.status().as_u16(),
            answer.text().await.expect("it has a text"),
        )
    };
    let time = |number: u64| 1_700_000_000_000_000_000 + number;
    let old = |number: u64| format!("old,host=a value={number}i {}\n", time(number));
    let (bodies, mut reasons) = (scale(20, 1_000), BTreeMap::new());
    assert_eq!(write(1, old(0)).await.0, 204);
    let mut neighbour = BTreeMap::new();
    for body in 1..=bodies {
        let new: String = (0..1_000)
            .map(|one| format!("new,n={body}-{one} v=1i {}\n", time(body)))
            .collect();
        let ((status, said), (other, _)) =
            tokio::join!(write(1, new + &old(body)), write(0, old(body)));
        assert!(
            said.contains("limit of 1000 active series"),
            "{status}: {said}"
        );
        *reasons.entry(status).or_insert(0) += 1;
        *neighbour.entry(other).or_insert(0) += 1;
    }
    let records = plane
        .kafka
        .read_all("metrics.t1")
        .await
        .expect("Kafka answers");
    let texts: Vec<_> = records.iter().map(tests::kafka::Record::text).collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    let series: BTreeSet<_> = lines
        .clone()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let flowed: BTreeSet<_> = lines.filter(|line| line.starts_with("old,")).collect();
    figure(
        "29",
        format_args!(
            "{} new series sent, {} of all in the log with a cap of 1,000; answers {reasons:?}; {} of {} points of the \
             old series taken; another tenant's answers {neighbour:?}",
            bodies * 1_000,
            series.len(),
            flowed.len() - 1,
            bodies
        ),
    );
    assert!(series.len() <= 1_000, "{}", series.len());
    assert_eq!(flowed.len() as u64, bodies + 1);
    assert_eq!(neighbour.keys().collect::<Vec<_>>(), [&204]);
}

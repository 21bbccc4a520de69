//! `bongsu bench`: points at a steady rate into a running router, and how it answered.

use super::settings;
use crate::cli::{Bench, Global};
use crate::failure::{Exit, Failure, Outcome};
use crate::print::{self, Table};
use crate::progress::Progress;
use runtime::{Clock, OnEnd, Secret, Shutdown, Tasks};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// A request holds the points of this time, so that ten leave each second.
const BEAT: Duration = Duration::from_millis(100);

/// What became of one request.
struct Answer {
    points: u64,
    status: u16,
    took: Duration,
}

/// Who is sent to, and how.
struct Way {
    http: reqwest::Client,
    url: String,
    token: Secret,
    clock: Clock,
}

pub(super) async fn run(global: &Global, asked: Bench) -> Outcome {
    let settings = settings(global)?;
    let router = match &asked.router {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => super::access::router(&settings).await?,
    };
    let token = Secret::from_file(&asked.token_file)
        .map_err(|error| Failure::from_error(Exit::Auth, &error))?;
    let way = Arc::new(Way {
        http: crate::demo::client().map_err(|error| Failure::new(Exit::Failed, error))?,
        url: format!("{router}/api/v2/write?precision=ns"),
        token,
        clock: Clock::system(),
    });
    // One point first: a wrong address or token is said before a load is made of it.
    let first = send(&way, body(0, 1, 1, way.clock.now_nanos()), 1).await?;
    if first.status == 401 {
        return Err(
            Failure::new(Exit::Auth, format!("{router} refused the token"))
                .hint("`bongsu tenant rotate NAME` makes a new one"),
        );
    }
    let began = tokio::time::Instant::now();
    let answers = load(&way, &asked).await?;
    told(global, &asked, &answers, began.elapsed())
}

/// Sends for the time that was asked for; a beat whose turn comes while every connection is busy waits.
async fn load(way: &Arc<Way>, asked: &Bench) -> Outcome<Vec<Answer>> {
    let tasks = Tasks::new(Shutdown::new());
    let beats = u64::from(asked.seconds) * 1_000 / BEAT.as_millis() as u64;
    let (give, take) = mpsc::channel::<(u64, u64)>(1);
    let take = Arc::new(tokio::sync::Mutex::new(take));
    let (tell, mut hear) = mpsc::unbounded_channel();
    for _ in 0..asked.connections {
        let (take, tell, way) = (Arc::clone(&take), tell.clone(), Arc::clone(way));
        let hosts = u64::from(asked.hosts);
        tasks.spawn("bench", OnEnd::Fine, async move {
            loop {
                let next = take.lock().await.recv().await;
                let Some((from, points)) = next else {
                    return Ok::<(), String>(());
                };
                let lines = body(from, points, hosts, way.clock.now_nanos());
                // The receiver is there until every sender is gone.
                tell.send(send(&way, lines, points).await).ok();
            }
        });
    }
    drop(tell);
    let mut progress = Progress::new(
        "points sent",
        Some(u64::from(asked.rate) * u64::from(asked.seconds)),
    );
    let mut beat = tokio::time::interval(BEAT);
    let mut from = 0;
    for n in 1..=beats {
        beat.tick().await;
        let until = u64::from(asked.rate) * n * BEAT.as_millis() as u64 / 1_000;
        if until > from && give.send((from, until - from)).await.is_err() {
            break;
        }
        from = until;
        progress.at(from);
    }
    drop(give);
    let mut answers = Vec::new();
    while let Some(answer) = hear.recv().await {
        answers.push(answer?);
    }
    Ok(answers)
}

async fn send(way: &Way, lines: String, points: u64) -> Outcome<Answer> {
    let began = tokio::time::Instant::now();
    let request = way.http.post(&way.url).body(lines);
    let request = request.header("authorization", format!("Token {}", way.token.expose()));
    let answer = request.send().await.map_err(|error| {
        Failure::from_error(Exit::Unreachable, &error)
            .hint("is the router running? name its address with --router URL")
    })?;
    Ok(Answer {
        points,
        status: answer.status().as_u16(),
        took: began.elapsed(),
    })
}

/// Lines of one request; no two have the same host and time.
fn body(from: u64, points: u64, hosts: u64, now: i64) -> String {
    let mut text = String::new();
    for (n, at) in (from..from + points).zip(now..) {
        // Writing to a string does not fail.
        writeln!(
            text,
            "bongsu_bench,host=bench-{} n={n}i {at}",
            n % hosts + 1
        )
        .ok();
    }
    text
}

/// The sums of a load.
fn summary(answers: &[Answer], took: Duration) -> Value {
    let taken = |answer: &&Answer| (200..300).contains(&answer.status);
    let points =
        |of: &mut dyn Iterator<Item = &Answer>| of.map(|answer| answer.points).sum::<u64>();
    let accepted = points(&mut answers.iter().filter(taken));
    let mut by_status: BTreeMap<String, u64> = BTreeMap::new();
    for answer in answers {
        *by_status.entry(answer.status.to_string()).or_default() += 1;
    }
    let mut times: Vec<f64> = answers
        .iter()
        .map(|answer| (answer.took.as_secs_f64() * 10_000.0).round() / 10.0)
        .collect();
    times.sort_by(f64::total_cmp);
    let quantile = |q: usize| times.get((times.len() * q / 100).min(times.len().saturating_sub(1)));
    json!({
        "points": points(&mut answers.iter()), "accepted": accepted,
        "points_a_second": (accepted as f64 / took.as_secs_f64()).round() as u64,
        "requests": answers.len(), "by_status": by_status,
        "p50_ms": quantile(50), "p99_ms": quantile(99), "max_ms": times.last(),
    })
}

fn told(global: &Global, asked: &Bench, answers: &[Answer], took: Duration) -> Outcome {
    let sums = summary(answers, took);
    let columns = [
        "points",
        "accepted",
        "points_a_second",
        "requests",
        "by_status",
        "p50_ms",
        "p99_ms",
        "max_ms",
    ];
    let mut table = Table::new(&columns);
    table.row(columns.map(|name| sums[name].clone()).to_vec());
    print::table(&table, global.form());
    if sums["accepted"] == sums["points"] {
        return Ok(());
    }
    Err(
        Failure::new(Exit::Findings, "the router did not take every point").hint(format!(
            "429 is the tenant's limit or the router's: {} points a second were asked for",
            asked.rate
        )),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_point_of_a_load_overwrites_another() {
        let lines = body(0, 1_000, 7, 1_000_000) + &body(1_000, 500, 7, 1_002_000);
        let mut seen = std::collections::BTreeSet::new();
        for line in schemas::line::scan(lines.as_bytes()) {
            let line = line.expect("a line that the router takes");
            let host: Vec<_> = line.tags().map(|(_, value)| value.into_owned()).collect();
            assert!(seen.insert((host, line.timestamp())));
        }
        assert_eq!(seen.len(), 1_500);
    }

    #[test]
    fn what_was_refused_is_no_accepted_point() {
        let answer = |status, ms| Answer {
            points: 10,
            status,
            took: Duration::from_millis(ms),
        };
        let sums = summary(
            &[answer(204, 4), answer(204, 2), answer(429, 8)],
            Duration::from_secs(2),
        );
        assert_eq!(sums["points"], 30);
        assert_eq!(sums["accepted"], 20);
        assert_eq!(sums["points_a_second"], 10);
        assert_eq!(sums["by_status"], json!({"204": 2, "429": 1}));
        assert_eq!(
            (&sums["p50_ms"], &sums["max_ms"]),
            (&json!(4.0), &json!(8.0))
        );
    }
}

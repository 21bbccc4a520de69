//! Rows 7 to 9: what stores answer, and how late.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use tests::oracle::{Ledger, Numbered, percentile};
use tests::stand_in::{Kept, Reply, Write};
use tests::wait;

use super::plane::{DRAINED, Plane, SOON, Setup};
use super::{alone, figure, scale, turn};

/// What each line of row 8 and 9 that a store is to refuse has in it.
const BAD: &str = "bad=1";

#[tokio::test(flavor = "multi_thread")]
async fn row_07_a_store_that_answers_in_ten_seconds_slows_nobody_else_and_moves_no_partition() {
    let _turn = alone().await;
    let plane = Plane::start(Setup {
        stores: 2,
        tenants: 2,
        ..Setup::default()
    })
    .await;
    let mut load = plane.load(400);
    load.requests_per_s = 20;
    let producer = plane.produce(&load).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let assigned = |plane: &Plane| {
        plane.consumers[0]
            .log()
            .matches("partitions assigned")
            .count()
    };
    let before = assigned(&plane);
    let (mut well, mut ill) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        for (slow, spans) in [(false, &mut well), (true, &mut ill)] {
            if slow {
                plane.stores[0].script(|_| Reply::stored().after(Duration::from_secs(10)));
            } else {
                plane.stores[0].heal();
            }
            let began = Instant::now();
            tokio::time::sleep(scale(Duration::from_secs(4), Duration::from_secs(200))).await;
            spans.push(began..Instant::now());
        }
    }
    plane.stores[0].heal();
    let ledger = producer.stop().await;
    let balance = plane.judge().keeps(&ledger, DRAINED).await;
    let median_of = |spans: &[_]| median_p99(&plane, &ledger, 1, spans);
    let (well, ill) = (median_of(&well), median_of(&ill));
    let rebalances = assigned(&plane) - before;
    let ratio = ill.as_secs_f64() / well.as_secs_f64();
    figure(
        "7",
        format_args!(
            "p99 of the other tenant {well:?} with all well, {ill:?} with a store that answers in 10 s ({ratio:.2}x), \
             {rebalances} rebalances; {balance}"
        ),
    );
    assert_eq!(rebalances, 0);
    // The short form has some hundred requests a span, whose slowest one is the machine's as often as ours.
    let slack = scale(Duration::from_millis(500), Duration::ZERO);
    assert!(ill <= well.mul_f64(1.2) + slack, "{well:?} became {ill:?}");
}

/// The median over spans of a tenant's p99, from a request's beginning to its last point in the store.
pub(crate) fn median_p99(
    plane: &Plane,
    ledger: &Ledger,
    tenant: usize,
    spans: &[std::ops::Range<Instant>],
) -> Duration {
    let latencies = latencies(plane, ledger, tenant);
    let of_span = |span: &std::ops::Range<Instant>| {
        let inside = latencies.iter().filter(|(sent, _)| span.contains(sent));
        percentile(inside.map(|(_, took)| *took).collect(), 99)
    };
    percentile(spans.iter().map(of_span).collect(), 50)
}

/// When each promised request of a tenant was sent, and how long it took until its last point was in the store.
fn latencies(plane: &Plane, ledger: &Ledger, tenant: usize) -> Vec<(Instant, Duration)> {
    let name = format!("t{tenant}");
    let arrivals = plane.stores[tenant % plane.stores.len()].arrivals(&name);
    let arrivals: HashMap<u64, Instant> = arrivals
        .into_iter()
        .filter_map(|(line, at)| Some((Numbered::read(&line).ok()??.number, at)))
        .collect();
    let lots = ledger.accounts[&name].lots.iter();
    lots.filter_map(|lot| {
        let last = lot
            .numbers
            .clone()
            .filter_map(|number| arrivals.get(&number))
            .max()?;
        Some((lot.sent, last.saturating_duration_since(lot.sent)))
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn row_08_bad_lines_are_found_in_few_requests_and_each_is_dead_lettered_once() {
    let _turn = turn().await;
    let cases = [
        (10_000, 1),
        (10_000, 7),
        (scale(500, 10_000), scale(500, 10_000)),
    ];
    let plane = Plane::start(Setup {
        tenants: cases.len(),
        partitions: 1,
        ..Setup::default()
    })
    .await;
    plane.stores[0].script(|write| {
        if write.lines.iter().any(|line| line.contains(BAD)) {
            Reply::refusal(400, "unable to parse: it is bad")
        } else {
            Reply::stored()
        }
    });
    for (tenant, (lines, bad)) in cases.iter().enumerate() {
        let every = lines / bad;
        let numbered = (0..*lines).map(|number| line(number, number % every == every / 2));
        let all: Vec<_> = numbered.collect();
        for record in all.chunks(1_000) {
            let sent = plane
                .kafka
                .send(
                    &format!("metrics.t{tenant}"),
                    None,
                    record.concat().as_bytes(),
                    &[],
                )
                .await;
            sent.expect("Kafka takes it");
        }
    }
    for (tenant, (lines, bad)) in cases.iter().enumerate() {
        let name = format!("t{tenant}");
        wait::holds(
            format!("every good line of {name} is stored"),
            DRAINED,
            async || {
                plane.stores[0].count(&name) == lines - bad
                    && dead(&plane, &name).await.len() >= *bad
            },
        )
        .await;
        let dead = dead(&plane, &name).await;
        let times: Vec<_> = dead.values().copied().collect();
        assert_eq!(
            (dead.len(), times),
            (*bad, vec![1; *bad]),
            "each bad line once"
        );
        let journal = plane.stores[0].journal();
        let refused = journal.iter().filter(|entry| entry.bucket == name);
        let (all, requests) = (
            refused.clone().count(),
            refused.filter(|entry| entry.status != 204),
        );
        let most = 2.0 * *bad as f64 * ((*lines as f64).log2() + 1.0);
        figure(
            "8",
            format_args!(
                "{bad} bad lines of {lines}: {all} requests, {} of them refused, at most {most:.0}",
                requests.count()
            ),
        );
        assert!(all as f64 <= most, "{all} requests");
    }
}

fn line(number: usize, bad: bool) -> String {
    let tag = if bad {
        format!(",{BAD}")
    } else {
        String::new()
    };
    format!(
        "row,host=h{}{tag},n={number} value={number}i {}\n",
        number % 7,
        1_700_000_000_000_000_000 + number
    )
}

/// The dead letters of a tenant by source offset and line, and how often each is there. Each must say why.
async fn dead(plane: &Plane, tenant: &str) -> BTreeMap<(String, String), usize> {
    let letters = plane
        .kafka
        .read_all("bongsu.deadletter")
        .await
        .expect("Kafka answers");
    let mut dead = BTreeMap::new();
    for letter in letters {
        let header = |name: &str| {
            let found = letter.headers.iter().find(|(key, _)| key == name);
            let found =
                found.unwrap_or_else(|| panic!("a dead letter without `{name}`: {letter:?}"));
            String::from_utf8_lossy(&found.1).into_owned()
        };
        if header("tenant") == tenant {
            assert!(
                letter.text().contains(BAD),
                "a good line is dead: {}",
                letter.text()
            );
            assert!(!header("reason").is_empty() && !header("shard").is_empty());
            *dead.entry((header("offset"), header("line"))).or_default() += 1;
        }
    }
    dead
}

/// What a store answers to a write of row 9, until it is content.
struct Case {
    what: &'static str,
    answer: fn(&Write<'_>) -> Reply,
    dead: usize,
    /// Between the first answer and the next request, at least.
    wait: Duration,
}

fn bad_places(write: &Write<'_>) -> Vec<usize> {
    let bad = write
        .lines
        .iter()
        .enumerate()
        .filter(|(_, line)| line.contains(BAD));
    bad.map(|(place, _)| place).collect()
}

/// Refuses the first two writes whole.
fn twice(write: &Write<'_>, status: u16, message: &str) -> Reply {
    if write.number < 2 {
        Reply::refusal(status, message)
    } else {
        Reply::stored()
    }
}

fn partial(write: &Write<'_>, status: u16) -> Reply {
    match bad_places(write) {
        places if places.is_empty() => Reply::stored(),
        places => Reply {
            kept: Kept::AllBut(places),
            ..Reply::refusal(status, "partial write: field type conflict: dropped=1")
        },
    }
}

fn later(write: &Write<'_>, status: u16) -> Reply {
    if write.number > 0 {
        return Reply::stored();
    }
    Reply {
        retry_after: Some(2),
        ..Reply::refusal(status, "too much to do")
    }
}

fn cases() -> Vec<Case> {
    let case = |what, dead, answer| Case {
        what,
        answer,
        dead,
        wait: Duration::ZERO,
    };
    let patient = |what, answer| Case {
        what,
        answer,
        dead: 0,
        wait: Duration::from_millis(1_990),
    };
    vec![
        case("204", 0, |_| Reply::stored()),
        case("400, nothing written", 1, |write| {
            match bad_places(write).is_empty() {
                true => Reply::stored(),
                false => Reply::refusal(400, "unable to parse"),
            }
        }),
        case("400, partial (version 1)", 1, |write| partial(write, 400)),
        case("401", 0, |write| twice(write, 401, "unauthorized access")),
        case("403", 0, |write| twice(write, 403, "forbidden")),
        case("404 of an organization", 0, |write| {
            twice(write, 404, "organization name \"x\" not found")
        }),
        case("413", 0, |write| match write.lines.len() {
            0..6 => Reply::stored(),
            _ => Reply::refusal(413, "request too large"),
        }),
        case("422, partial", 1, |write| partial(write, 422)),
        patient("429", |write| later(write, 429)),
        patient("503", |write| later(write, 503)),
        case("500", 0, |write| {
            twice(write, 500, "engine: cache-max-memory-size exceeded")
        }),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn row_09_each_status_means_what_the_design_says() {
    let _turn = turn().await;
    let cases = cases();
    let plane = Plane::start(Setup {
        tenants: cases.len(),
        partitions: 1,
        ..Setup::default()
    })
    .await;
    let answers: Vec<_> = cases.iter().map(|case| case.answer).collect();
    plane.stores[0].script(move |write| {
        let tenant = write
            .bucket
            .strip_prefix('t')
            .and_then(|number| number.parse().ok());
        let answer = tenant.and_then(|number: usize| answers.get(number));
        answer.map_or_else(
            || Reply::refusal(404, "bucket not found"),
            |answer| answer(write),
        )
    });
    for (tenant, case) in cases.iter().enumerate() {
        let lines: String = (0..20)
            .map(|number| line(number, number == 7 && case.dead > 0))
            .collect();
        let sent = plane
            .kafka
            .send(&format!("metrics.t{tenant}"), None, lines.as_bytes(), &[])
            .await;
        sent.expect("Kafka takes it");
    }
    for (tenant, case) in cases.iter().enumerate() {
        let name = format!("t{tenant}");
        let what = case.what;
        wait::holds(
            format!("{what}: every good line is stored"),
            SOON,
            async || {
                plane.stores[0].count(&name) == 20 - case.dead
                    && dead(&plane, &name).await.len() == case.dead
            },
        )
        .await;
        let journal = plane.stores[0].journal();
        let of_case: Vec<_> = journal
            .iter()
            .filter(|entry| entry.bucket == name)
            .collect();
        if let [first, second, ..] = of_case[..] {
            let waited = second.at - first.at;
            assert!(waited >= case.wait, "{what}: asked again after {waited:?}");
        }
        figure(
            "9",
            format_args!("{what}: {} requests, {} dead", of_case.len(), case.dead),
        );
    }
}

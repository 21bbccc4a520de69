//! Tests of a partition.

use super::*;
use model::TenantId;
use placement::PlacementMap;
use proptest::prelude::*;
use schemas::catalogue::{Catalogue, Epoch, EpochStart, Placement, Shard, ShardProduct};
use std::collections::BTreeMap;
use std::sync::Arc;

const LIMITS: Limits = Limits {
    lines: 3,
    bytes: 1_000,
};
const LOG_TIME: i64 = 1_700_000_000_000_000_000;

fn route(per_tenant: u32, shards: &[&str]) -> Route {
    route_of(per_tenant, 1, shards)
}

fn route_of(per_tenant: u32, replicas: u32, shards: &[&str]) -> Route {
    let id = |name: &&str| ShardId::parse(name).unwrap();
    let mut catalogue = Catalogue::default();
    for shard in shards.iter().map(id) {
        let spec = Shard {
            shard: shard.clone(),
            url: "embedded".to_owned(),
            org: "bongsu".to_owned(),
            token_file: None,
            create_buckets: true,
            zone: None,
            product: ShardProduct::Auto,
            database: "bongsu".to_owned(),
        };
        catalogue.shards.insert(shard, Arc::new(spec));
    }
    let placement = Placement {
        placement: "default".to_owned(),
        shards_per_tenant: per_tenant,
        replicas,
        epochs: vec![Epoch {
            from: EpochStart::Beginning,
            shards: shards.iter().map(|shard| (id(shard), 1.0)).collect(),
            tenants: BTreeMap::new(),
            shards_per_tenant: None,
            replicas: None,
        }],
    };
    catalogue
        .placements
        .insert("default".to_owned(), Arc::new(placement));
    let acme = TenantId::parse("acme").unwrap();
    PlacementMap::compile(&catalogue).unwrap().route(&acme)
}

fn partition(route: Route) -> Partition {
    Partition::new(LIMITS, route, Account::default())
}

fn read(partition: &mut Partition, offset: i64, value: &str) -> Vec<BadLine> {
    let source = Bytes::copy_from_slice(value.as_bytes());
    let record = InputRecord {
        offset,
        timestamp: Timestamp::from_nanos(LOG_TIME),
        value: &source,
    };
    partition.read([record].into_iter(), &source, offset + 1).0
}

fn text(chunk: &Chunk) -> String {
    String::from_utf8(chunk.slice(0..chunk.len()).to_vec()).unwrap()
}

fn store(partition: &mut Partition, lane: usize, chunk: &Chunk) {
    partition.landed(lane);
    for (batch, fates) in chunk.fates(&[], chunk.len()) {
        partition.settle(batch, fates);
    }
}

fn dead_letter(partition: &mut Partition, batch: u64) {
    let fates = Fates {
        dead_lettered: 1,
        ..Fates::default()
    };
    partition.settle(batch, fates);
}

#[test]
fn a_line_without_a_timestamp_gets_that_of_its_record() {
    let mut partition = partition(route(1, &["s1"]));
    assert_eq!(
        read(&mut partition, 5, "a v=1\nb v=2 7\n\n# note\nc v=3 "),
        []
    );
    let chunk = partition.take(0, true).unwrap();
    let log = LOG_TIME.to_string();
    assert_eq!(text(&chunk), format!("a v=1 {log}\nb v=2 7\nc v=3 {log}\n"));
}

#[test]
fn a_record_of_avro_becomes_lines_and_what_cannot_is_one_letter() {
    let mut partition = partition(route(1, &["s1"]));
    let whole: &[u8] = include_bytes!("../../../schemas/golden/avro/metrics.avro");
    let mut take = |offset, value: &'static [u8]| {
        let record = InputRecord {
            offset,
            timestamp: Timestamp::from_nanos(LOG_TIME),
            value,
        };
        let source = Bytes::from_static(value);
        partition.read([record].into_iter(), &source, offset + 1).0
    };
    assert_eq!(take(0, whole), []);
    let cut = &whole[..whole.len() - 5];
    let bad = take(1, cut);
    assert_eq!((bad.len(), bad[0].offset, &bad[0].raw[..]), (1, 1, cut));
    assert!(bad[0].reason.contains("no valid Avro"), "{}", bad[0].reason);
    let chunk = partition.take(0, true).unwrap();
    let text = text(&chunk);
    assert_eq!(text.lines().count(), 3);
    assert!(text.starts_with("cpu,cpu=cpu\\ total,host=web-1 usage_idle=91.5,cores=8i,"));
}

#[test]
fn lines_are_sent_in_full_chunks_one_at_a_time() {
    let mut partition = partition(route(1, &["s1"]));
    for offset in 0..4 {
        read(
            &mut partition,
            offset,
            &format!("a v={offset} 1\nb v={offset} 1\n"),
        );
    }
    let first = partition.take(0, false).unwrap();
    assert_eq!(text(&first), "a v=0 1\nb v=0 1\na v=1 1\n");
    assert_eq!(
        partition.take(0, true).map(|chunk| text(&chunk)),
        None,
        "one is in flight"
    );
    store(&mut partition, 0, &first);
    assert_eq!(
        partition.position().unwrap().next_offset,
        1,
        "half of the second is stored"
    );
    let second = partition.take(0, false).unwrap();
    store(&mut partition, 0, &second);
    assert!(partition.take(0, false).is_none() && partition.is_waiting(0));
    let third = partition.take(0, true).unwrap();
    assert_eq!(text(&third), "a v=3 1\nb v=3 1\n");
    store(&mut partition, 0, &third);
    assert_eq!(partition.position().unwrap().next_offset, 4);
    assert!(partition.is_done());
}

#[test]
fn a_chunk_keeps_to_its_bytes_and_takes_a_longer_line_alone() {
    let mut partition = partition(route(1, &["s1"]));
    let long = "x".repeat(2_000);
    read(
        &mut partition,
        0,
        &format!("a v=1 1\nb v=\"{long}\" 1\nc v=1 1\n"),
    );
    let mut sizes = Vec::new();
    while let Some(chunk) = partition.take(0, true) {
        sizes.push(chunk.len());
        store(&mut partition, 0, &chunk);
    }
    assert_eq!(sizes, [1, 1, 1]);
}

#[test]
fn a_bad_line_holds_its_record_until_it_has_its_fate() {
    let mut partition = partition(route(1, &["s1"]));
    let bad = read(&mut partition, 9, "a v=1 1\nno line\nb v=1 1\n");
    assert_eq!(bad.len(), 1);
    assert_eq!(
        (bad[0].offset, bad[0].number, &bad[0].raw[..]),
        (9, 2, &b"no line"[..])
    );
    let chunk = partition.take(0, true).unwrap();
    store(&mut partition, 0, &chunk);
    assert_eq!(partition.position(), None);
    dead_letter(&mut partition, bad[0].batch);
    let account = partition.position().unwrap().account;
    assert_eq!(
        (
            account.read,
            account.fates.stored,
            account.fates.dead_lettered
        ),
        (3, 2, 1)
    );
}

#[test]
fn lost_records_are_in_the_account_of_the_next_batch() {
    let mut partition = partition(route(1, &["s1"]));
    partition.lose(40);
    read(&mut partition, 50, "");
    assert_eq!(partition.position().unwrap().account.lost_records, 40);
}

#[test]
fn lines_of_a_shard_that_is_gone_are_placed_again_in_order() {
    let mut partition = partition(route(1, &["s1"]));
    for offset in 0..5 {
        read(
            &mut partition,
            offset,
            &format!("a v={offset} 1\nb v={offset}\n"),
        );
    }
    let sent_back = partition.take(0, false).unwrap();
    partition.set_route(route(1, &["s2"]));
    partition.landed(0);
    partition.replace(0, sent_back);
    assert!(!partition.is_ready(0, true) && partition.shard(1).as_str() == "s2");
    let mut all = String::new();
    while let Some(chunk) = partition.take(1, true) {
        all.push_str(&text(&chunk));
        store(&mut partition, 1, &chunk);
    }
    let expected: String = (0..5)
        .map(|n| format!("a v={n} 1\nb v={n} {LOG_TIME}\n"))
        .collect();
    assert_eq!(all, expected);
    assert_eq!(partition.position().unwrap().next_offset, 5);
}

#[test]
fn a_line_goes_to_each_of_its_replicas_in_a_lane_of_its_own() {
    let mut partition = partition(route_of(1, 2, &["s1", "s2", "s3"]));
    let bad = read(&mut partition, 0, "m,host=a v=1 1\nno line\n");
    dead_letter(&mut partition, bad[0].batch);
    let lanes: Vec<_> = (0..partition.lanes())
        .filter(|lane| partition.is_waiting(*lane))
        .collect();
    assert_eq!(lanes.len(), 2);
    assert_ne!(partition.shard(lanes[0]), partition.shard(lanes[1]));
    let mut replicas: Vec<_> = lanes.iter().map(|lane| partition.replica(*lane)).collect();
    replicas.sort_unstable();
    assert_eq!(replicas, [0, 1]);
    let first = partition.take(lanes[0], true).unwrap();
    store(&mut partition, lanes[0], &first);
    assert_eq!(partition.position(), None, "one of two is not everywhere");
    let second = partition.take(lanes[1], true).unwrap();
    assert_eq!(text(&first), text(&second));
    store(&mut partition, lanes[1], &second);
    let account = partition.position().unwrap().account;
    assert_eq!((account.read, account.copies, account.replicas), (2, 3, 2));
    assert_eq!((account.fates.stored, account.fates.dead_lettered), (2, 1));
    assert!(account.is_balanced());
}

#[test]
fn a_replica_whose_shard_is_gone_is_placed_again_and_the_account_balances() {
    let mut partition = partition(route_of(1, 2, &["s1", "s2"]));
    read(&mut partition, 0, "m,host=a v=1 1\nm,host=a v=2 1\n");
    let gone = (0..partition.lanes())
        .find(|lane| partition.is_waiting(*lane) && partition.shard(*lane).as_str() == "s2")
        .unwrap();
    let sent_back = partition.take(gone, true).unwrap();
    partition.set_route(route_of(1, 2, &["s1", "s3"]));
    partition.landed(gone);
    partition.replace(gone, sent_back);
    for lane in 0..partition.lanes() {
        while let Some(chunk) = partition.take(lane, true) {
            assert_ne!(partition.shard(lane).as_str(), "s2");
            store(&mut partition, lane, &chunk);
        }
    }
    let position = partition.position().unwrap();
    assert!(partition.is_done() && position.account.is_balanced());
    assert_eq!(position.account.read, 2);
}

#[test]
fn long_runs_of_lines_are_sent_from_where_they_were_read() {
    let limits = Limits {
        lines: 1_000,
        bytes: 100_000,
    };
    for (replicas, shards) in [(1, &["s1"][..]), (2, &["s1", "s2"])] {
        let route = route_of(1, replicas, shards);
        let mut partition = Partition::new(limits, route, Account::default());
        let line = |n: u32| format!("m,host=a v={n} {n}\n");
        let (first, second): (String, String) =
            ((0..500).map(line).collect(), (501..900).map(line).collect());
        // Between them a line without a timestamp, one with CRLF and a comment, which are copied or left out.
        let value = format!("{first}m v=1\nm v=2 7\r\n# note\n{second}");
        let source = Bytes::from(value);
        let record = InputRecord {
            offset: 3,
            timestamp: Timestamp::from_nanos(LOG_TIME),
            value: &source,
        };
        partition.read([record].into_iter(), &source, 4);
        let expected = format!("{first}m v=1 {LOG_TIME}\nm v=2 7\n{second}");
        let lanes = 0..partition.lanes();
        let lanes: Vec<_> = lanes
            .filter(|lane| partition.is_ready(*lane, true))
            .collect();
        assert_eq!(lanes.len(), replicas as usize);
        for lane in lanes {
            let chunk = partition.take(lane, true).unwrap();
            assert_eq!(text(&chunk), expected);
            let pieces = chunk.pieces(0..chunk.len());
            let own = source.as_ptr_range();
            let shared = pieces.iter().filter(|piece| own.contains(&piece.as_ptr()));
            assert_eq!((pieces.len(), shared.count()), (3, 2));
            store(&mut partition, lane, &chunk);
        }
        assert_eq!(partition.position().unwrap().next_offset, 4);
    }
}

proptest! {
    /// Whatever comes in whatever chunks, each shard gets each series' lines in the order of the
    /// log, and the account balances.
    #[test]
    fn order_is_kept_within_a_series_and_nothing_is_lost(
        records in proptest::collection::vec(
            proptest::collection::vec((0_u8..6, proptest::bool::weighted(0.1)), 0..6), 1..20,
        ),
    ) {
        let mut partition = partition(route(3, &["s1", "s2", "s3"]));
        let (mut good, mut bad) = (0_u64, 0_u64);
        for (offset, lines) in records.iter().enumerate() {
            let line = |(n, (host, is_bad)): (usize, &(u8, bool))| if *is_bad {
                "no line\n".to_owned()
            } else {
                format!("m,host=h{host} v={} 1\n", offset * 100 + n)
            };
            let value: String = lines.iter().enumerate().map(line).collect();
            for letter in read(&mut partition, offset as i64, &value) {
                bad += 1;
                dead_letter(&mut partition, letter.batch);
            }
            good += lines.iter().filter(|(_, is_bad)| !is_bad).count() as u64;
        }
        let mut last: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for lane in 0..partition.lanes() {
            while let Some(chunk) = partition.take(lane, true) {
                for line in text(&chunk).lines() {
                    let (series, rest) = line.split_once(" v=").unwrap();
                    let value: usize = rest.split(' ').next().unwrap().parse().unwrap();
                    if let Some((at, before)) = last.insert(series.to_owned(), (lane, value)) {
                        prop_assert_eq!(at, lane, "a series has one shard");
                        prop_assert!(before < value, "order");
                    }
                }
                store(&mut partition, lane, &chunk);
            }
        }
        let position = partition.position().unwrap();
        prop_assert!(partition.is_done());
        prop_assert_eq!(position.next_offset, records.len() as i64);
        prop_assert_eq!((position.account.fates.stored, position.account.fates.dead_lettered), (good, bad));
    }
}

//! Tests of the placement.

use super::*;
use crate::tests_support::{catalogue, epoch, shard, tenant};
use model::Timestamp;
use proptest::collection::hash_set;
use proptest::prelude::*;
use std::borrow::Cow;
use std::collections::HashMap;

const DAY: i64 = 86_400_000_000_000;

fn map(per_tenant: u32, shards: &[(&str, f64)]) -> PlacementMap {
    PlacementMap::compile(&catalogue(
        per_tenant,
        vec![epoch(EpochStart::Beginning, shards)],
    ))
    .unwrap()
}

fn place(map: &PlacementMap, of: &str, nanos: i64, host: &str) -> String {
    let route = map.route(&tenant(of));
    let at = route.shard(nanos, || Some(Cow::Borrowed(host)));
    route.shards()[at].to_string()
}

#[test]
fn a_point_goes_by_its_own_time() {
    let later = EpochStart::At(Timestamp::from_nanos(10 * DAY));
    let epochs = vec![
        epoch(EpochStart::Beginning, &[("s1", 1.0)]),
        epoch(later, &[("s2", 1.0)]),
    ];
    let map = PlacementMap::compile(&catalogue(1, epochs)).unwrap();
    for (nanos, expected) in [
        (i64::MIN, "s1"),
        (0, "s1"),
        (10 * DAY - 1, "s1"),
        (10 * DAY, "s2"),
        (i64::MAX, "s2"),
    ] {
        assert_eq!(place(&map, "acme", nanos, "web-1"), expected, "{nanos}");
    }
}

#[test]
fn a_tenant_with_shards_of_its_own_goes_there() {
    let mut own = epoch(EpochStart::Beginning, &[("s1", 1.0), ("s2", 0.0)]);
    own.tenants.insert(tenant("acme"), vec![shard("s2")]);
    let map = PlacementMap::compile(&catalogue(1, vec![own])).unwrap();
    assert_eq!(place(&map, "acme", 0, "web-1"), "s2");
    assert_eq!(place(&map, "globex", 0, "web-1"), "s1");
}

#[test]
fn placement_is_the_same_in_every_version() {
    let map = map(2, &[("s1", 1.0), ("s2", 1.0), ("s3", 2.0)]);
    let found: Vec<_> = (0..12)
        .map(|n| place(&map, "acme", 0, &format!("web-{n}")))
        .collect();
    // Points that are stored already must be found again: a change here is a migration.
    assert_eq!(
        found.join(" "),
        "s3 s3 s3 s3 s1 s1 s3 s3 s3 s3 s3 s1",
        "hosts of acme"
    );
}

#[test]
fn a_host_stays_in_the_shards_of_its_tenant() {
    let map = map(2, &[("s1", 1.0), ("s2", 1.0), ("s3", 1.0), ("s4", 1.0)]);
    for n in 0..50 {
        let route = map.route(&tenant(&format!("t-{n}")));
        assert_eq!(route.shards().len(), 2);
        let used: std::collections::BTreeSet<_> = (0..200)
            .map(|h| route.shard(0, || Some(format!("h{h}").into())))
            .collect();
        assert_eq!(used.len(), 2, "both are used");
    }
}

#[test]
fn weights_are_kept() {
    let map = map(1, &[("s1", 1.0), ("s2", 3.0)]);
    let mut count: HashMap<String, u32> = HashMap::new();
    for n in 0..4_000 {
        *count
            .entry(place(&map, &format!("t-{n}"), 0, ""))
            .or_default() += 1;
    }
    let heavy = f64::from(count["s2"]) / 4_000.0;
    assert!((heavy - 0.75).abs() < 0.03, "{heavy}");
}

#[test]
fn what_leaves_a_point_without_a_place_is_refused() {
    let at = |nanos| EpochStart::At(Timestamp::from_nanos(nanos));
    let beginning = || epoch(EpochStart::Beginning, &[("s1", 1.0)]);
    let mut empty = beginning();
    empty.tenants.insert(tenant("acme"), vec![]);
    for (epochs, part) in [
        (vec![], "no placement"),
        (
            vec![epoch(at(5), &[("s1", 1.0)])],
            "must start at `beginning`",
        ),
        (vec![beginning(), beginning()], "must rise"),
        (
            vec![
                beginning(),
                epoch(at(9), &[("s1", 1.0)]),
                epoch(at(5), &[("s1", 1.0)]),
            ],
            "must rise",
        ),
        (
            vec![epoch(EpochStart::Beginning, &[("s1", 0.0)])],
            "no shard with a weight",
        ),
        (
            vec![epoch(EpochStart::Beginning, &[("s9", 1.0)])],
            "`s9`, which does not exist",
        ),
        (vec![empty], "for tenant `acme`"),
    ] {
        let error = PlacementMap::compile(&catalogue(1, epochs))
            .unwrap_err()
            .to_string();
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(
        PlacementMap::compile(&Catalogue::default()),
        Err(PlacementError::Missing)
    );
}

proptest! {
    /// Rendezvous hashing: a shard that is added takes its own part and moves nothing between the
    /// others.
    #[test]
    fn an_added_shard_only_takes(tenants in hash_set("[a-z]{3,12}", 1..40)) {
        let before = map(1, &[("s1", 1.0), ("s2", 2.0), ("s3", 1.0)]);
        let after = map(1, &[("s1", 1.0), ("s2", 2.0), ("s3", 1.0), ("s4", 1.0)]);
        for of in tenants {
            let (old, new) = (place(&before, &of, 0, ""), place(&after, &of, 0, ""));
            prop_assert!(new == old || new == "s4", "{} moved from {} to {}", of, old, new);
        }
    }

    #[test]
    fn a_removed_shard_only_gives(hosts in hash_set("[a-z0-9]{3,12}", 1..40)) {
        let all = map(3, &[("s1", 1.0), ("s2", 2.0), ("s3", 1.0)]);
        let fewer = map(3, &[("s1", 1.0), ("s3", 1.0)]);
        for host in hosts {
            let (old, new) = (place(&all, "acme", 0, &host), place(&fewer, "acme", 0, &host));
            prop_assert!(new == old || old == "s2");
        }
    }
}

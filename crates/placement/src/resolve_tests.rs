//! Tests of replicas and of what a reader asks.

use crate::tests_support::{catalogue, epoch, shard, tenant};
use crate::{NoCover, PlacementMap};
use model::{ShardId, Timestamp};
use proptest::prelude::*;
use schemas::catalogue::{Catalogue, EpochStart};
use std::collections::BTreeSet;
use std::sync::Arc;

const FOUR: [(&str, f64); 4] = [("s1", 1.0), ("s2", 1.0), ("s3", 1.0), ("s4", 1.0)];

fn at(nanos: i64) -> EpochStart {
    EpochStart::At(Timestamp::from_nanos(nanos))
}

fn zones(catalogue: &mut Catalogue, zones: &[(&str, &str)]) {
    for (id, zone) in zones {
        let mut spec = (*catalogue.shards[&shard(id)]).clone();
        spec.zone = Some((*zone).to_owned());
        catalogue.shards.insert(shard(id), Arc::new(spec));
    }
}

fn replicated(per_tenant: u32, replicas: u32) -> Catalogue {
    let mut epoch = epoch(EpochStart::Beginning, &FOUR);
    epoch.replicas = Some(replicas);
    catalogue(per_tenant, vec![epoch])
}

#[test]
fn replicas_are_the_next_choices_and_the_primary_stays() {
    let one = PlacementMap::compile(&replicated(1, 1)).unwrap();
    let three = PlacementMap::compile(&replicated(1, 3)).unwrap();
    for n in 0..50 {
        let tenant = tenant(&format!("t-{n}"));
        let (alone, many) = (one.route(&tenant), three.route(&tenant));
        let of = |at: &usize| many.shards()[*at].clone();
        let found: Vec<ShardId> = many.replicas(0, || None).iter().map(of).collect();
        assert_eq!(found[0], alone.shards()[0]);
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), 3);
        assert_eq!(many.most_replicas(), 3);
    }
}

#[test]
fn replicas_are_in_different_zones_while_there_are_any() {
    let mut catalogue = replicated(1, 3);
    zones(
        &mut catalogue,
        &[("s1", "a"), ("s2", "a"), ("s3", "b"), ("s4", "b")],
    );
    let zone = |id: &ShardId| catalogue.shards[id].zone.clone().unwrap();
    let map = PlacementMap::compile(&catalogue).unwrap();
    for n in 0..50 {
        let route = map.route(&tenant(&format!("t-{n}")));
        let replicas = route.replicas(0, || None);
        let zones: Vec<_> = replicas
            .iter()
            .map(|at| zone(&route.shards()[*at]))
            .collect();
        assert_ne!(zones[0], zones[1], "the second is elsewhere");
        assert_eq!(
            zones.len(),
            3,
            "with two zones the third is where there is room"
        );
    }
}

#[test]
fn groups_of_a_tenant_share_no_shard_while_there_are_enough() {
    let map = PlacementMap::compile(&replicated(2, 2)).unwrap();
    for n in 0..50 {
        let resolved = map.resolve(&tenant(&format!("t-{n}")), 0, 1, None);
        let all: Vec<_> = resolved.spans[0]
            .groups
            .iter()
            .flat_map(|g| &g.shards)
            .collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 4, "{all:?}");
        assert_eq!(resolved.cover(|_| true).unwrap().len(), 2);
    }
}

#[test]
fn a_range_is_resolved_to_its_epochs_with_the_reason() {
    let mut own = epoch(at(20), &FOUR);
    own.tenants.insert(tenant("acme"), vec![shard("s4")]);
    let epochs = vec![
        epoch(EpochStart::Beginning, &[("s1", 1.0)]),
        epoch(at(10), &[("s2", 1.0)]),
        own,
    ];
    let map = PlacementMap::compile(&catalogue(1, epochs)).unwrap();
    let found = |from, to| {
        let resolved = map.resolve(&tenant("acme"), from, to, None);
        let spans = resolved.spans.iter().map(|span| {
            let shards: Vec<_> = span.groups.iter().map(|g| g.shards[0].as_str()).collect();
            format!(
                "{}..={} {} ({})",
                span.from,
                span.to,
                shards.join("+"),
                span.why
            )
        });
        spans.collect::<Vec<_>>().join("; ")
    };
    let by_rendezvous = "(1 of 1 by weighted rendezvous of the tenant's id)";
    assert_eq!(found(3, 9), format!("3..=9 s1 {by_rendezvous}"));
    assert_eq!(found(10, 10), format!("10..=10 s2 {by_rendezvous}"));
    assert_eq!(
        found(5, 25),
        format!(
            "5..=9 s1 {by_rendezvous}; 10..=19 s2 {by_rendezvous}; \
             20..=25 s4 (the epoch names 1 for the tenant)"
        )
    );
}

#[test]
fn a_host_is_where_its_points_went() {
    let map = PlacementMap::compile(&replicated(3, 2)).unwrap();
    let route = map.route(&tenant("acme"));
    for n in 0..50 {
        let host = format!("web-{n}");
        let resolved = map.resolve(&tenant("acme"), 0, 0, Some(&host));
        let wrote = route.replicas(0, || Some(host.as_str().into()));
        let wrote: Vec<_> = wrote.iter().map(|at| route.shards()[*at].clone()).collect();
        assert_eq!(resolved.spans[0].groups.len(), 1);
        assert_eq!(resolved.spans[0].groups[0].shards, wrote);
    }
}

#[test]
fn a_read_takes_the_fewest_shards_and_another_replica_where_one_is_dead() {
    let mut first = epoch(EpochStart::Beginning, &FOUR);
    first
        .tenants
        .insert(tenant("acme"), vec![shard("s1"), shard("s2")]);
    first.replicas = Some(2);
    let map = PlacementMap::compile(&catalogue(1, vec![first])).unwrap();
    let resolved = map.resolve(&tenant("acme"), 0, 1, None);
    assert_eq!(resolved.spans[0].groups.len(), 2, "hosts spread over both");
    let both: BTreeSet<_> = resolved.shards().into_iter().collect();
    for dead in both.clone() {
        let cover = resolved.cover(|shard| *shard != dead).unwrap();
        assert_eq!(cover.len(), 1, "each of the two holds everything");
        assert!(!cover.contains(&dead));
    }
    assert!(matches!(
        resolved.cover(|_| false),
        Err(NoCover::Unreachable(_))
    ));
}

#[test]
fn a_shard_that_holds_two_groups_is_asked_alone() {
    let three = [("s1", 1.0), ("s2", 1.0), ("s3", 1.0)];
    let mut epoch = epoch(EpochStart::Beginning, &three);
    epoch.replicas = Some(2);
    let map = PlacementMap::compile(&catalogue(2, vec![epoch])).unwrap();
    let resolved = map.resolve(&tenant("acme"), 0, 1, None);
    let primary = resolved.spans[0].groups[0].shards[0].clone();
    // With three shards for two groups of two, one shard holds both: it alone is enough, and
    // without it the two others are.
    assert_eq!(resolved.cover(|_| true).unwrap().len(), 1);
    assert!(resolved.cover(|shard| *shard != primary).is_ok());
}

proptest! {
    /// Whoever is dead: a cover holds each group once, and none of the dead.
    #[test]
    fn a_cover_is_exact(
        per_tenant in 1_u32..4,
        replicas in 1_u32..4,
        moved in prop::bool::ANY,
        dead in prop::collection::hash_set(0_usize..4, 0..3),
        name in "[a-z]{3,8}",
    ) {
        let mut epochs = vec![epoch(EpochStart::Beginning, &FOUR)];
        epochs[0].replicas = Some(replicas);
        if moved {
            let mut later = epoch(at(10), &FOUR[1..]);
            later.replicas = Some(replicas);
            epochs.push(later);
        }
        let map = PlacementMap::compile(&catalogue(per_tenant, epochs)).unwrap();
        let dead: Vec<ShardId> = dead.iter().map(|n| shard(FOUR[*n].0)).collect();
        let resolved = map.resolve(&tenant(&name), 0, 20, None);
        let groups: Vec<_> = resolved.spans.iter().flat_map(|span| &span.groups).collect();
        match resolved.cover(|shard| !dead.contains(shard)) {
            Ok(cover) => {
                for group in groups {
                    let holders = cover.iter().filter(|shard| group.shards.contains(shard));
                    prop_assert_eq!(holders.count(), 1);
                }
                prop_assert!(cover.iter().all(|shard| !dead.contains(shard)));
            }
            Err(NoCover::Unreachable(shards)) => {
                prop_assert!(shards.iter().all(|shard| dead.contains(shard)));
            }
            Err(NoCover::Overlap(_)) => prop_assert!(replicas > 1),
        }
    }
}

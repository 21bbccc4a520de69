//! Placements for the tests of this crate.

use model::{ShardId, TenantId};
use schemas::catalogue::{Catalogue, Epoch, EpochStart, Placement, Shard};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) fn shard(id: &str) -> ShardId {
    ShardId::parse(id).unwrap()
}

pub(crate) fn tenant(id: &str) -> TenantId {
    TenantId::parse(id).unwrap()
}

pub(crate) fn epoch(from: EpochStart, shards: &[(&str, f64)]) -> Epoch {
    Epoch {
        from,
        shards: shards
            .iter()
            .map(|(id, weight)| (shard(id), *weight))
            .collect(),
        tenants: BTreeMap::new(),
        shards_per_tenant: None,
        replicas: None,
    }
}

pub(crate) fn catalogue(per_tenant: u32, epochs: Vec<Epoch>) -> Catalogue {
    let mut catalogue = Catalogue::default();
    for id in ["s1", "s2", "s3", "s4"] {
        let spec = Shard {
            shard: shard(id),
            url: "embedded".to_owned(),
            org: "bongsu".to_owned(),
            token_file: None,
            create_buckets: true,
            zone: None,
            product: schemas::catalogue::ShardProduct::Auto,
            database: "bongsu".to_owned(),
        };
        catalogue.shards.insert(shard(id), Arc::new(spec));
    }
    let placement = Placement {
        placement: "default".to_owned(),
        shards_per_tenant: per_tenant,
        replicas: 1,
        epochs,
    };
    catalogue
        .placements
        .insert("default".to_owned(), Arc::new(placement));
    catalogue
}

//! Many partitions: a group of consumers over many tenants' topics, and one tenant more meanwhile.
//!
//! The full form is 200 topics of 12 partitions and 10 members; `docs/many-partitions.md` has its figures and what larger
//! sizes need.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tests::{Bongsu, Kafka, wait};

use super::plane::{DRAINED, Plane, SOON, Setup, token};
use super::{alone, figure, scale};

const GROUP: &str = "bongsu-consumer";
/// What the design gives a new tenant until its points are stored.
const NEW_TENANT: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread")]
async fn a_group_over_many_topics_is_assigned_and_takes_in_a_new_tenant() {
    let _turn = alone().await;
    let (topics, members) = (scale(20, 200), scale(4, 10));
    let mut plane = Plane::start(Setup {
        tenants: topics,
        partitions: 12,
        consumers: 0,
        ..Setup::default()
    })
    .await;
    let alone = member(&plane).await;
    whole(&plane.kafka, topics * 12, 1).await;
    let memory_of_all = memory(&alone);
    plane.consumers.push(alone);

    let began = Instant::now();
    let more = (1..members).map(|_| plane.process("consumer", plane.setup.consumer));
    let more: Vec<_> = more.collect();
    plane.consumers.extend(more);
    whole(&plane.kafka, topics * 12, members).await;
    let assigned = began.elapsed();

    let began = Instant::now();
    plane.apply(&plane.tenant(topics));
    let stored = wait::until(DRAINED, async || {
        let client = tests::web::client();
        let request = client.post(format!("{}/api/v2/write", plane.routers[0].url()));
        let request = request.header("Authorization", format!("Token {}", token(topics)));
        request
            .body("m,host=a v=1 1700000000000000000")
            .send()
            .await?;
        Ok((plane.stores[0].count(&format!("t{topics}")) > 0).then_some(()))
    });
    stored
        .await
        .unwrap_or_else(|error| panic!("the new tenant is not stored: {error:#}"));
    let new_tenant = began.elapsed();
    whole(&plane.kafka, (topics + 1) * 12, members).await;

    let mut memories: Vec<_> = plane.consumers.iter().map(memory).collect();
    memories.sort_unstable();
    let record = group_record(&plane.kafka).await;
    figure(
        "many partitions",
        format_args!(
            "{topics} topics x 12, {members} members: assigned in {:.1} s; a new tenant's point stored {:.1} s after \
             its command began; the group's record {record} bytes at most; peak memory of a member {} to {} MiB, of \
             one alone with all partitions {} MiB",
            assigned.as_secs_f64(),
            new_tenant.as_secs_f64(),
            memories[0] >> 20,
            memories[members - 1] >> 20,
            memory_of_all >> 20,
        ),
    );
    assert!(new_tenant <= NEW_TENANT, "{new_tenant:?}");
}

async fn member(plane: &Plane) -> Bongsu {
    let mut member = plane.process("consumer", plane.setup.consumer);
    member.ready().await;
    member
}

fn memory(member: &Bongsu) -> u64 {
    member.peak_memory().expect("it runs")
}

/// Waits until so many members hold all the partitions between them.
async fn whole(kafka: &Kafka, partitions: usize, members: usize) {
    let assigned = wait::until(DRAINED, async || {
        let assignments = kafka.assignments(GROUP)?;
        let held: BTreeSet<_> = assignments.iter().flatten().collect();
        let busy = assignments.iter().filter(|held| !held.is_empty()).count();
        anyhow::ensure!(
            held.len() == partitions && busy == members,
            "{busy} members hold {} of {partitions} partitions",
            held.len()
        );
        Ok(Some(()))
    });
    assigned
        .await
        .unwrap_or_else(|error| panic!("the group is not assigned: {error:#}"));
}

/// The largest record that the coordinator wrote of any group: key version 2.
async fn group_record(kafka: &Kafka) -> usize {
    let records = wait::until(SOON, async || {
        Ok(Some(kafka.read_all("__consumer_offsets").await?))
    });
    let records = records.await.expect("Kafka answers");
    let of_groups = records.iter().filter(|record| {
        record
            .key
            .as_deref()
            .is_some_and(|key| key.starts_with(&[0, 2]))
    });
    of_groups
        .filter_map(|record| Some(record.value.as_ref()?.len()))
        .max()
        .unwrap_or(0)
}

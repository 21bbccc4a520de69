//! Groups without a host over the log: each partition's owner reports, the first one's judges.

use super::harness::{CATALOGUE, Member, World, config, input, within};
use model::{AlertEvent, StreamEvent};
use runtime::Clock;
use std::collections::BTreeSet;
use std::time::Duration;
use stream::PartitionReader;

const SERVICE: &str = "
---
template: service
title: 'CPU usage of {service}'
applies_to: {measurement: cpu}
one_alert_per: [service]
check: usage
over: average of 2m
interval: 10s
levels:
  P1: {above: 60, for: 1m, until_below: 50}
";

/// The reports of partitions in the first one's log.
struct Reports {
    reader: PartitionReader,
    /// Grid point and partition.
    seen: BTreeSet<(i64, u32)>,
}

impl Reports {
    /// Reads on until both partitions have reported that grid point.
    async fn of(&mut self, at: i64) {
        let wanted = [(at, 0), (at, 1)];
        within("a report of both partitions", async {
            while !wanted.iter().all(|one| self.seen.contains(one)) {
                let batch = self.reader.next().await.unwrap().unwrap();
                for record in batch.records() {
                    let number = |name: &str| -> Option<i64> {
                        str::from_utf8(record.header(name)?).ok()?.parse().ok()
                    };
                    if let (Some(at), Some(from)) = (number("at"), number("from")) {
                        self.seen.insert((at, u32::try_from(from).unwrap()));
                    }
                }
            }
        })
        .await;
    }
}

fn of_service(seen: &[(Vec<u8>, StreamEvent)]) -> Vec<&AlertEvent> {
    let events = seen.iter().filter_map(|(_, event)| match event {
        StreamEvent::Alert(event) if event.template == "service" => Some(event.as_ref()),
        _ => None,
    });
    events.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_of_two_partitions_are_one_group_and_its_owner_may_be_killed() {
    const MINUTE: i64 = 60_000_000_000;
    let now = Clock::system().now_nanos();
    let clock = Clock::manual(now - now % MINUTE);
    let catalogue = format!("{CATALOGUE}{SERVICE}");
    let world = World::open_by(clock.clone(), &catalogue).await;
    let mut member = Member::start(&world.stream, config()).await;
    let (mut alerts, mut others) = (world.alerts(0).await, world.alerts(1).await);
    alerts.until_caught_up(0).await;
    others.until_caught_up(0).await;
    let mut reports = Reports {
        reader: world.stream.read(&input(0), 0).await.unwrap(),
        seen: BTreeSet::new(),
    };
    for step in 1..=90_i64 {
        clock.advance(Duration::from_secs(10));
        let at = clock.now_nanos();
        // Only both together are above 60.
        let usage = if step < 45 { [95, 35] } else { [20, 10] };
        for (partition, usage) in (0..2_u32).zip(usage) {
            let line = format!("cpu,host=h{partition},service=shop usage={usage} {at}");
            world.produce(partition, &line).await;
        }
        // A partition's first grid point is not reported: it may have seen half of it.
        if step % 6 == 1 && step > 12 {
            reports.of(at - at % MINUTE).await;
        }
        if step == 33 || step == 60 {
            member.kill();
            member = Member::start(&world.stream, config()).await;
        }
    }
    alerts
        .until("the recovery", |alerts| {
            let told = of_service(&alerts.seen);
            told.iter().any(|event| event.kind.as_str() == "resolved")
        })
        .await;
    let last = world.produce(0, "cpu,host=h0,service=shop usage=1").await;
    alerts.until_caught_up(last).await;
    member.stop().await;
    let distinct = alerts.distinct();
    let told = of_service(&alerts.seen);
    let ids: BTreeSet<String> = told.iter().map(|e| e.event_id.to_string()).collect();
    assert_eq!(ids.len(), 2, "one firing, one recovery: {told:?}");
    assert_eq!(told[0].value, Some(65.0));
    assert_eq!(told[0].group, [("service".to_owned(), "shop".to_owned())]);
    assert!(distinct.len() >= 2);
    world.assert_as_fresh(0, &alerts).await;
}

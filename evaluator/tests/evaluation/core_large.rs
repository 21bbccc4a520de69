//! Tenants of many measurements and groups: what is kept of them fits into the records of a log.

use super::core_support::{Points, fleet::Fleet};

const MINUTE: i64 = 60;
/// A group for each service, over all hosts.
const SPANS: &str = "template: service\ntitle: t\napplies_to: {measurement: req}\none_alert_per: [service]\ncheck: ms\n\
     over: average of 5m\nevery: 60s\ninterval: 10s\nlevels:\n  P1: {above: 100}\nwhen_missing: fine\n";

/// A record of state may have a megabyte (Kafka's `message.max.bytes`); a larger one could never be written, and its partition would
/// stop.
#[test]
fn a_tenant_of_many_measurements_and_groups_keeps_its_state_in_records_that_a_log_takes() {
    let shipped = [
        include_str!("../../../templates/new-measurement.yaml"),
        include_str!("../../../templates/usage-growth.yaml"),
    ];
    let yaml = format!("{}---\n{}", SPANS, shipped.join("---\n"));
    for partitions in [1, 3, 12, 40] {
        let mut points = Points::default();
        for host in 0..24 {
            for n in 0..1_500 {
                let at = 20 + (n + host) % 30;
                let name = format!("a_metric_of_prometheus_with_a_long_name_{n}");
                points = points.at(at, &format!("{name},host=h{host},env=prod v"), 1);
            }
            for n in 0..300 {
                let service = format!("a_service_of_some_length_{n}");
                points = points.at(
                    80,
                    &format!("req,host=h{host},service={service},env=prod ms"),
                    n,
                );
            }
        }
        let mut fleet = Fleet::new(&yaml, partitions).run(&points, 4 * MINUTE);
        let state = fleet
            .partitions
            .iter_mut()
            .flat_map(|one| one.take_dirty(usize::MAX));
        let largest = state
            .filter_map(|(_, bytes)| bytes)
            .map(|bytes| bytes.len())
            .max();
        assert!(largest < Some(600_000), "{partitions}: {largest:?} bytes");
        assert!(
            fleet.largest_report < 700_000,
            "{} bytes",
            fleet.largest_report
        );
    }
}

/// What is counted of a tenant lies in one part of its state, however much it is: it is no reason to share out the
/// groups beside it over thousands of parts.
#[test]
fn a_large_usage_does_not_split_the_groups_beside_it_into_many_parts() {
    const LIMIT: usize = 16 << 10;
    let yaml = include_str!("../../../templates/new-measurement.yaml");
    let mut points = Points::default();
    for n in 0..900 {
        let name = format!("a_metric_of_prometheus_with_a_long_name_{n}");
        points = points.at(20, &format!("{name},host=h,env=prod v"), 1);
    }
    let mut fleet = Fleet::new(yaml, 1);
    fleet.partitions = fleet
        .partitions
        .into_iter()
        .map(|one| one.with_part_bytes(LIMIT))
        .collect();
    let mut fleet = fleet.run(&points, 4 * MINUTE);
    let parts = fleet.partitions[0].take_dirty(usize::MAX);
    let of_tenant: Vec<usize> = parts
        .iter()
        .filter(|(key, _)| key.ends_with(b"/\0"))
        .filter_map(|(_, bytes)| Some(bytes.as_ref()?.len()))
        .collect();
    let largest = of_tenant.iter().copied().max().unwrap_or(0);
    assert!(
        largest > 2 * LIMIT,
        "the usage alone is larger than a part: {largest}"
    );
    let groups: usize = of_tenant.iter().sum::<usize>() - largest;
    // Shares are halved until the largest fits, and those of a hash are not all of one size.
    let most = 4 * (groups / (LIMIT / 2) + 1);
    assert!(
        of_tenant.len() <= most,
        "{} parts of {groups} bytes and a usage",
        of_tenant.len()
    );
}

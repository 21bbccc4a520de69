//! Each right of each service is taken away once, and `doctor --as` names it.

use crate::world::{SERVICES, World};
use serde_json::Value;
use std::sync::Arc;
use stream::{Access, Grant, Operation, Pattern, Resource};

fn grant(row: &Value, user: &str) -> Grant {
    let text = |key: &str| row[key].as_str().expect("a text").to_owned();
    let on = text("on");
    let pattern = |name: &str| match name.strip_suffix('*') {
        Some(prefix) => Pattern::Prefix(prefix.to_owned()),
        None => Pattern::Named(name.to_owned()),
    };
    let resource = match on.split_once(' ') {
        Some(("topic", name)) => Resource::Topic(pattern(name)),
        Some(("group", name)) => Resource::Group(pattern(name)),
        _ => Resource::Cluster,
    };
    let may = text("may");
    let operation = Operation::ALL.into_iter().find(|each| each.as_str() == may);
    Grant {
        user: user.to_owned(),
        resource,
        operation: operation.expect("a known operation"),
        allowed: true,
    }
}

/// Whether another right of the service says the same: what may be read or written may be seen.
fn is_implied(taken: &Grant, all: &[Grant]) -> bool {
    let covers = |other: &Grant| match (&other.resource, &taken.resource) {
        (Resource::Topic(wide), Resource::Topic(narrow)) => wide.covers(narrow.as_str()),
        (one, two) => one == two,
    };
    let others = all.iter().filter(|other| *other != taken);
    others
        .into_iter()
        .any(|other| other.operation == taken.operation && covers(other))
}

async fn without(world: &World, access: &mut Access, service: &str, taken: &Grant) -> String {
    let one = std::slice::from_ref(taken);
    access.revoke(one).await.expect("a rule is taken away");
    let said = world.run(service, &["doctor", "--as", service]);
    access.grant(one).await.expect("a rule is given back");
    match said {
        Ok(said) => panic!("`{taken}` was taken away, and the doctor is content:\n{said}"),
        Err(said) => said.to_string(),
    }
}

/// Takes each right of one service away.
async fn each(world: Arc<World>, service: &'static str) {
    let mut access = world.admin().await;
    let user = format!("bongsu-{service}");
    let rows = world.json("admin", &["rights", "list", "--service", service]);
    let rows = rows.as_array().expect("rows");
    let all: Vec<Grant> = rows.iter().map(|row| grant(row, &user)).collect();
    let well = world.run(service, &["doctor", "--as", service]);
    let well = well.unwrap_or_else(|error| panic!("{service}: {error:#}"));
    assert!(
        well.contains(&format!("has the {} rights", all.len())),
        "{well}"
    );
    for taken in all.iter().filter(|taken| !is_implied(taken, &all)) {
        let said = without(&world, &mut access, service, taken).await;
        let named = said.contains(&format!("may not {}", taken.operation));
        let advised = said.contains(&format!("bongsu rights grant {service} --user {user}"));
        assert!(named && advised, "`{taken}` was taken away:\n{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_right_that_is_taken_away_is_named_by_the_doctor() {
    let world = World::start().await;
    for tenant in ["acme", "bongsu-system"] {
        world
            .run("operator", &["tenant", "add", tenant])
            .expect("a tenant");
    }
    world
        .kafka
        .create_topic("bongsu.handoff.s1", 1, &[])
        .await
        .expect("a topic");
    let world = Arc::new(world);
    let each = SERVICES.map(|service| tokio::spawn(each(Arc::clone(&world), service)));
    for service in each {
        service.await.expect("a service's rights");
    }
}

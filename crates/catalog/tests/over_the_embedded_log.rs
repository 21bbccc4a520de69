//! Publishing and following over the embedded log.

use catalog::{
    CatalogError, ChangeKind, LiveCatalog, Request, TopicJudge, points_topic, publish,
    publish_everywhere, snapshot,
};
use model::{Span, TenantId, TopicName};
use runtime::{Clock, Context, Shutdown};
use schemas::catalogue::{Author, Bundle, Entry, Kind, parse_yaml};
use std::sync::Arc;
use std::time::Duration;
use stream::{Clusters, Embedded, NewRecord, Stream, TopicPartition};

const NOC: &str = "
contact: minji
name: Minji
phone: '+821000000001'
---
escalation_policy: default
steps: [{notify: [minji]}]
";

fn entries(yaml: &str) -> Vec<Entry> {
    let located = parse_yaml("test.yaml", yaml).unwrap_or_else(|errors| panic!("{errors:?}"));
    located.into_iter().map(|located| located.value).collect()
}

fn set(yaml: &str) -> Request {
    Request {
        set: entries(yaml),
        ..Request::default()
    }
}

fn tenant(id: &str) -> String {
    format!("{NOC}---\ntenant: {id}\n")
}

fn any(_: &Bundle) -> Result<(), Vec<String>> {
    Ok(())
}

struct World {
    stream: Stream,
    clock: Clock,
    _folder: tempfile::TempDir,
}

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual(1_800_000_000_000_000_000);
    let stream = Embedded::open(&folder.path().join("log"), clock.clone())
        .await
        .unwrap()
        .into_stream();
    World {
        stream,
        clock,
        _folder: folder,
    }
}

impl World {
    async fn publish(&self, request: &Request) -> Result<catalog::Published, CatalogError> {
        publish(&self.stream, request, &any, &self.clock).await
    }
}

#[tokio::test]
async fn what_is_published_is_there_and_publishing_it_again_changes_nothing() {
    let world = world().await;
    let first = world.publish(&set(&tenant("acme"))).await.unwrap();
    assert_eq!(first.changes.len(), 3);
    let again = world.publish(&set(&tenant("acme"))).await.unwrap();
    assert_eq!((again.changes.len(), again.revision), (0, first.revision));

    let acme = TenantId::parse("acme").unwrap();
    let catalogue = snapshot(&world.stream).await.unwrap();
    assert_eq!(
        catalogue.newest_bundle(&acme).unwrap().revision,
        first.revision
    );
    let topic = model::TopicName::metrics(&acme, 1);
    assert_eq!(world.stream.partitions(&topic).await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_dry_run_shows_the_difference_and_writes_nothing() {
    let world = world().await;
    let request = Request {
        dry_run: true,
        ..set(&tenant("acme"))
    };
    assert_eq!(world.publish(&request).await.unwrap().changes.len(), 3);
    assert!(snapshot(&world.stream).await.unwrap().tenants.is_empty());
}

#[tokio::test]
async fn pruning_takes_out_what_is_not_named_and_only_when_asked() {
    let world = world().await;
    world
        .publish(&set(&format!("{}---\ntenant: beta\n", tenant("acme"))))
        .await
        .unwrap();
    let kept = world.publish(&set(&tenant("acme"))).await.unwrap();
    assert!(kept.changes.is_empty());
    let pruned = world
        .publish(&Request {
            prune: true,
            ..set(&tenant("acme"))
        })
        .await
        .unwrap();
    let change = &pruned.changes[..];
    assert!(
        matches!(change, [c] if c.what == ChangeKind::Removed && c.kind == Kind::Tenant && c.name == "beta"),
        "{change:?}"
    );
}

#[tokio::test]
async fn a_bundle_that_evaluation_refuses_changes_nothing() {
    let world = world().await;
    let refuse = |_: &Bundle| Err(vec!["cpu-usage: `over` is beyond me".to_owned()]);
    let refused = publish(&world.stream, &set(&tenant("acme")), &refuse, &world.clock).await;
    assert!(matches!(refused, Err(CatalogError::Refused(why)) if why[0].contains("beyond me")));
    assert!(snapshot(&world.stream).await.unwrap().contacts.is_empty());
}

#[tokio::test]
async fn two_publishers_at_once_both_win_and_share_no_revision() {
    let world = Arc::new(world().await);
    let requests: Vec<Request> = (0..4)
        .map(|n| set(&tenant(&format!("tenant-{n}"))))
        .collect();
    let published = futures(&world, &requests).await;
    let mut revisions: Vec<u64> = published
        .iter()
        .map(|published| published.revision)
        .collect();
    revisions.sort_unstable();
    revisions.dedup();
    assert_eq!(revisions.len(), 4, "each wrote a revision of its own");
    let catalogue = snapshot(&world.stream).await.unwrap();
    assert_eq!(catalogue.tenants.len(), 4);
    assert!(
        catalogue
            .bundles
            .values()
            .flat_map(|held| held.values())
            .all(|bundle| bundle.is_intact())
    );
}

async fn futures(world: &Arc<World>, requests: &[Request]) -> Vec<catalog::Published> {
    let mut set = tokio::task::JoinSet::new();
    for request in requests {
        let (world, request) = (Arc::clone(world), request.clone());
        set.spawn(async move { world.publish(&request).await.unwrap() });
    }
    set.join_all().await
}

#[tokio::test]
async fn a_follower_swaps_whole_revisions() {
    let world = world().await;
    let ctx = Context::new(Shutdown::new());
    let mut live = LiveCatalog::follow(Arc::clone(&world.stream), &ctx)
        .await
        .unwrap();
    assert!(live.current().tenants.is_empty());
    world
        .publish(&set(&format!("{}---\ntenant: beta\n", tenant("acme"))))
        .await
        .unwrap();
    let copy = tokio::time::timeout(Duration::from_secs(10), live.changed())
        .await
        .unwrap();
    assert_eq!((copy.tenants.len(), copy.contacts.len()), (2, 1));
    assert_eq!(live.caught_up().await.unwrap().revision, copy.revision);
    ctx.tasks.shutdown().begin();
}

#[tokio::test]
async fn a_copy_of_the_declarations_has_no_bundle_and_the_same_revision() {
    let world = world().await;
    world.publish(&set(&tenant("acme"))).await.unwrap();
    let ctx = Context::new(Shutdown::new());
    let whole = LiveCatalog::follow(Arc::clone(&world.stream), &ctx)
        .await
        .unwrap();
    let mut declared = LiveCatalog::follow_declared(Arc::clone(&world.stream), &ctx)
        .await
        .unwrap();
    let (all, some) = (whole.current(), declared.current());
    assert_eq!(all.bundles.len(), 1);
    let expected = schemas::catalogue::Catalogue {
        bundles: Default::default(),
        ..schemas::catalogue::Catalogue::clone(&all)
    };
    assert_eq!(*some, expected);
    world
        .publish(&set(&format!("{}---\ntenant: beta\n", tenant("acme"))))
        .await
        .unwrap();
    let copy = tokio::time::timeout(Duration::from_secs(10), declared.changed())
        .await
        .unwrap();
    assert_eq!((copy.tenants.len(), copy.bundles.len()), (2, 0));
    assert_eq!(
        copy.revision,
        snapshot(&world.stream).await.unwrap().revision
    );
    ctx.tasks.shutdown().begin();
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_left_out() {
    let world = world().await;
    world.publish(&set(&tenant("acme"))).await.unwrap();
    let target = TopicPartition::new(model::TopicName::catalog(), 0);
    let alien = NewRecord::keyed(
        target,
        "tenant/beta",
        Some("{\"revision\": 9, \"spec\": {}}".into()),
    );
    world.stream.send(alien).await.unwrap();
    assert_eq!(snapshot(&world.stream).await.unwrap().tenants.len(), 1);
}

#[tokio::test]
async fn a_revision_says_who_wrote_it_for_30_days() {
    let world = world().await;
    let by = |name: &str, yaml: &str| Request {
        author: Author {
            name: name.to_owned(),
            via: "command line".to_owned(),
        },
        ..set(yaml)
    };
    let first = world
        .publish(&by("kim@build-7", &tenant("acme")))
        .await
        .unwrap();
    let pace = format!("{}evaluation: {{lateness: 10s}}\n", tenant("acme"));
    let second = world.publish(&by("lee@desk", &pace)).await.unwrap();
    let catalogue = snapshot(&world.stream).await.unwrap();
    let accounts: Vec<_> = catalogue.accounts.values().collect();
    assert_eq!(accounts.len(), 2);
    assert_eq!(
        (accounts[0].revision, accounts[1].revision),
        (first.revision, second.revision)
    );
    assert_eq!(accounts[0].author.name, "kim@build-7");
    let added: Vec<_> = accounts[0].changes.iter().map(|one| one.key()).collect();
    assert_eq!(
        added,
        ["contact/minji", "escalation_policy/default", "tenant/acme"]
    );
    let changed = &accounts[1].changes;
    assert_eq!(changed.len(), 1, "what stays is no change");
    assert_eq!(changed[0].fields, ["evaluation"]);
    assert_eq!(changed[0].before, accounts[0].changes[2].after);
    // What takes something out is a revision like any other.
    let gone = Request {
        remove: vec![(Kind::Tenant, "acme".to_owned())],
        ..by("kim@build-7", "")
    };
    let third = world.publish(&gone).await.unwrap();
    let catalogue = snapshot(&world.stream).await.unwrap();
    assert_eq!(catalogue.revision, third.revision);
    let last = &catalogue.accounts[&(third.revision, 0)].changes[0];
    assert_eq!((last.before.is_some(), last.after.is_some()), (true, false));
    world
        .clock
        .advance(Span::from_secs(31 * 24 * 3600).to_std());
    world
        .publish(&by("lee@desk", &tenant("beta")))
        .await
        .unwrap();
    let catalogue = snapshot(&world.stream).await.unwrap();
    assert_eq!(catalogue.accounts.len(), 1, "the older were taken over");
}

#[tokio::test]
async fn a_bundle_is_kept_as_long_as_a_log_may_name_it() {
    let world = world().await;
    let pace = |lateness: u64| format!("{}evaluation: {{lateness: {lateness}s}}\n", tenant("acme"));
    let acme = TenantId::parse("acme").unwrap();
    let held = async || snapshot(&world.stream).await.unwrap().bundles[&acme].len();
    world.publish(&set(&pace(10))).await.unwrap();
    world.publish(&set(&pace(20))).await.unwrap();
    world.clock.advance(Span::from_secs(47 * 3600).to_std());
    world.publish(&set(&pace(30))).await.unwrap();
    assert_eq!(held().await, 3);
    world.clock.advance(Span::from_secs(2 * 3600).to_std());
    world.publish(&set(&pace(40))).await.unwrap();
    assert_eq!(
        held().await,
        3,
        "the first has no log any more that names it"
    );
}

#[tokio::test]
async fn every_cluster_has_the_same_revision_and_a_tenants_topic_is_in_its_home_alone() {
    let (a, b) = (world().await, world().await);
    let both = Clusters::new("default", a.stream.clone()).with("b", b.stream.clone());
    let yaml = format!("{}---\ntenant: beta\ncluster: b\n", tenant("acme"));
    let publish =
        async |request: &Request| publish_everywhere(&both, request, &any, &a.clock).await;
    let first = publish(&set(&yaml)).await.unwrap();
    let same = async || {
        let (here, there) = (
            snapshot(&a.stream).await.unwrap(),
            snapshot(&b.stream).await.unwrap(),
        );
        assert_eq!(here, there);
        here.revision
    };
    assert_eq!(same().await, first.revision);
    for (tenant, here, there) in [("acme", Some(1), None), ("beta", None, Some(1))] {
        let topic = model::TopicName::metrics(&TenantId::parse(tenant).unwrap(), 1);
        assert_eq!(a.stream.partitions(&topic).await.unwrap(), here, "{tenant}");
        assert_eq!(
            b.stream.partitions(&topic).await.unwrap(),
            there,
            "{tenant}"
        );
    }
    let gone = Request {
        remove: vec![(Kind::Tenant, "acme".to_owned())],
        ..Request::default()
    };
    publish(&gone).await.unwrap();
    same().await;
    assert_eq!(snapshot(&b.stream).await.unwrap().tenants.len(), 1);
}

#[tokio::test]
async fn a_cluster_that_missed_a_revision_is_brought_to_it_by_a_call_that_changes_nothing() {
    let (a, b) = (world().await, world().await);
    publish(&a.stream, &set(&tenant("acme")), &any, &a.clock)
        .await
        .unwrap();
    publish(&a.stream, &set(&tenant("beta")), &any, &a.clock)
        .await
        .unwrap();
    let both = Clusters::new("default", a.stream.clone()).with("b", b.stream.clone());
    let nothing = publish_everywhere(&both, &set(&tenant("acme")), &any, &a.clock)
        .await
        .unwrap();
    assert!(nothing.changes.is_empty());
    let here = snapshot(&a.stream).await.unwrap();
    assert_eq!(
        (here.tenants.len(), &here),
        (2, &snapshot(&b.stream).await.unwrap())
    );
}

#[tokio::test]
async fn a_tenant_whose_home_nobody_knows_is_refused() {
    let world = world().await;
    let request = set(&format!("{}cluster: far\n", tenant("acme")));
    let refused = world.publish(&request).await;
    assert!(matches!(refused, Err(CatalogError::Refused(why)) if why[0].contains("`far`")));
    assert!(snapshot(&world.stream).await.unwrap().tenants.is_empty());
}

#[tokio::test]
async fn a_topic_that_is_set_wrongly_is_counted_and_one_that_is_not_there_is_not() {
    let world = world().await;
    let name = |tenant: &str| TopicName::metrics(&TenantId::parse(tenant).unwrap(), 1);
    let sound = points_topic(name("sound"), 1);
    let short = stream::TopicSpec {
        retention: Some(Span::from_secs(3600)),
        ..points_topic(name("short"), 1)
    };
    for spec in [&sound, &short] {
        world.stream.ensure_topic(spec).await.unwrap();
    }
    let judge = TopicJudge::new(world.stream.clone());
    assert_eq!(judge.look([points_topic(name("none"), 1)]).await, 0);
    assert_eq!(judge.look([sound]).await, 0);
    assert_eq!(judge.look([points_topic(name("short"), 1)]).await, 1);
    assert_eq!(judge.look([]).await, 1, "it is remembered");
}

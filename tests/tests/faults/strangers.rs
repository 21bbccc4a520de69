//! Rows 31, 32 and 42: tokens, names and declarations that are not what they should be.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use tests::{Bongsu, wait, web};

use super::plane::{DRAINED, Plane, SOON, Setup, token};
use super::{figure, turn};

#[tokio::test(flavor = "multi_thread")]
async fn row_31_a_token_of_one_tenant_reaches_nothing_of_another() {
    let _turn = turn().await;
    let plane = Plane::start(Setup {
        tenants: 2,
        ..Setup::default()
    })
    .await;
    let client = web::client();
    let base = plane.routers[0].url();
    let (own, line) = (
        token(0),
        "m,host=a,tenant=t1,bucket=t1,topic=metrics.t1 v=1 1700000000000000000",
    );
    let json = r#"{"metrics":[{"name":"m","tags":{"host":"a","tenant":"t1"},"fields":{"v":1},"timestamp":1700000000}]}"#;
    let paths = [
        "/api/v2/write",
        "/write",
        "/api/v1/metrics",
        "/api/v1/metrics/avro",
        "/api/v1/write",
        "/api/v1/prom/write",
        "/v1/metrics",
    ];
    let aims = [
        "",
        "?org=t1&bucket=t1",
        "?db=t1&rp=t1",
        "?bucket=metrics.t1",
        "?tenant=t1",
        "?topic=metrics.t1",
        "?org=../t1",
        "?bucket=t1%00",
        "?u=t1",
    ];
    let headers = [
        "x-tenant",
        "x-scope-orgid",
        "tenant",
        "x-influxdb-database",
        "x-bongsu-tenant",
        "x-forwarded-user",
    ];
    let (mut taken, mut refused) = (0, 0);
    for path in paths {
        for aim in aims {
            for method in [
                Method::POST,
                Method::PUT,
                Method::GET,
                Method::DELETE,
                Method::PATCH,
            ] {
                for header in headers {
                    let request = client.request(method.clone(), format!("{base}{path}{aim}"));
                    let request = request.header("Authorization", format!("Token {own}"));
                    let body = if path == "/api/v1/metrics" {
                        json
                    } else {
                        line
                    };
                    let answer = request.header(header, "t1").body(body).send().await;
                    match answer.expect("the router answers").status() {
                        StatusCode::NO_CONTENT => taken += 1,
                        status => {
                            assert!(status.is_client_error(), "{method} {path}{aim}: {status}");
                            refused += 1;
                        }
                    }
                }
            }
        }
    }
    // A token that is none of B's, in every form.
    let theirs = token(1);
    let nearly = [
        String::new(),
        "t1".to_owned(),
        theirs[..20].to_owned(),
        theirs[1..].to_owned(),
        format!("{theirs}x"),
        theirs.to_uppercase(),
        own.replace("AbC", "aBC").replace("t0", "t1"),
    ];
    let reading = [
        "/query?q=SHOW+MEASUREMENTS&db=t1",
        "/api/v2/buckets",
        "/api/v2/resolve",
    ];
    for wrong in &nearly {
        for path in reading {
            let request = client.get(format!("{base}{path}"));
            let request = request.header("Authorization", format!("Token {wrong}"));
            let status = request.send().await.expect("the router answers").status();
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path} with {wrong}");
        }
        for path in paths {
            let request = client.post(format!("{base}{path}"));
            let request = request.header("Authorization", format!("Token {wrong}"));
            let answer = request.body(line).send().await;
            let status = answer.expect("the router answers").status();
            // A form that is not that of the path is refused before anybody is asked who sends it.
            let refused = [StatusCode::UNAUTHORIZED, StatusCode::UNSUPPORTED_MEDIA_TYPE];
            assert!(refused.contains(&status), "{path} with {wrong}: {status}");
        }
        for form in [
            format!("Token {wrong}"),
            format!("Bearer {wrong}"),
            format!("Basic {wrong}"),
        ] {
            let request = client
                .post(format!("{base}/api/v2/write?bucket=t1"))
                .header("Authorization", form);
            let status = request
                .body(line)
                .send()
                .await
                .expect("the router answers")
                .status();
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{wrong}");
        }
    }
    let own_lines = plane.kafka.count("metrics.t0").expect("Kafka answers");
    assert!(own_lines > 0 && taken > 0);
    let records = plane
        .kafka
        .read_all("metrics.t1")
        .await
        .expect("Kafka answers");
    let foreign = records
        .iter()
        .filter(|record| record.value.is_some())
        .count();
    figure(
        "31",
        format_args!(
            "{taken} writes taken as their own, {refused} refused, {foreign} records in the other's topic"
        ),
    );
    assert_eq!(foreign, 0, "{records:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_42_a_catalogue_that_cannot_be_read_leaves_the_old_one_live() {
    let _turn = turn().await;
    let plane = Plane::start(Setup::default()).await;
    let producer = plane.produce(&plane.load(100)).await;
    let folder = tests::workdir::Workdir::new("catalogue");
    let brokers = plane.kafka.brokers();
    let mutated = [
        "tenant: t0\npartition: 2\n",
        "tenant: t0\ntokens: [{sha256: zz}]\n",
        "tenant: t0\nescalation_policy: nobody\n",
        "shard: s0\nurl: http://elsewhere:1\ntokenfile: /x\n",
        "placement: default\nepochs: []\n",
        "tenant: [t0\n",
    ];
    for text in mutated {
        let file = folder.write("mutated.yaml", text);
        let file = file.to_str().expect("temporary folders have plain names");
        let applied = Bongsu::run(&["apply", "-f", file, "--kafka", &brokers], &[]);
        assert!(applied.is_err(), "applied: {text}");
    }
    // Past every check, straight into the topic.
    for (key, value) in [
        ("tenant/t0", "{"),
        ("tenant/t0", "{\"revision\": 99}"),
        ("nonsense", "x"),
        ("shard/s0", "\u{0}"),
    ] {
        let sent = plane
            .kafka
            .send("bongsu.catalog", Some(key), value.as_bytes(), &[])
            .await;
        sent.expect("Kafka takes it");
    }
    let before = producer.promised();
    wait::holds("points are promised as before", SOON, async || {
        producer.promised() > before + 500
    })
    .await;
    let ledger = producer.stop().await;
    let balance = plane.judge().keeps(&ledger, DRAINED).await;
    let statuses = ledger.statuses();
    figure(
        "42",
        format_args!(
            "{} mutated catalogues refused, 4 unreadable records passed over; {statuses:?}; {balance}",
            mutated.len()
        ),
    );
    assert_eq!(statuses.keys().collect::<Vec<_>>(), ["204"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_32_hostile_tenant_ids_are_refused_everywhere_and_their_topics_are_nobodys() {
    let _turn = turn().await;
    let plane = Plane::start(Setup::default()).await;
    let (brokers, long) = (plane.kafka.brokers(), "a".repeat(250));
    let hostile = [
        "..",
        ".",
        "__consumer_offsets",
        "a.b",
        "a_b",
        "T0",
        "t0 ",
        " t0",
        "t0\u{0}",
        "t0/../t1",
        "t0%2e",
        "\u{442}0",
        "t\u{ff10}",
        "-t0",
        "t0-",
        "",
        "t0\nx",
        &long,
    ];
    let folder = tests::workdir::Workdir::new("hostile");
    let before = plane.kafka.count("bongsu.catalog").expect("Kafka answers");
    for id in hostile {
        // As an argument a NUL ends the string before the program sees it.
        if !id.contains('\u{0}') {
            let added = Bongsu::run(&["tenant", "add", "--kafka", &brokers, "--", id], &[]);
            assert!(added.is_err(), "tenant add took {id:?}");
        }
        let text = format!("tenant: {}\npartitions: 1\n", serde_json::Value::from(id));
        let file = folder.write("hostile.yaml", &text);
        let file = file.to_str().expect("temporary folders have plain names");
        let applied = Bongsu::run(&["apply", "-f", file, "--kafka", &brokers], &[]);
        assert!(applied.is_err(), "apply took {id:?}");
    }
    let after = plane.kafka.count("bongsu.catalog").expect("Kafka answers");
    assert_eq!(after, before, "something of them was written");
    // Whoever may make topics may name them as nobody may name a tenant: they are read by nobody.
    let look_alikes = ["metrics.a_b", "metrics.t0.1", "metrics.T0", "metrics."];
    let line = b"hostile,host=a v=1 1700000000000000000";
    for topic in look_alikes {
        let made = plane.kafka.create_topic(topic, 1, &[]).await;
        made.expect("Kafka makes it");
        let sent = plane.kafka.send(topic, None, line, &[]).await;
        sent.expect("Kafka takes it");
    }
    let producer = plane.produce(&plane.load(100)).await;
    // The group finds new topics within 5 s; a member that reads them has stored the line by then.
    wait::holds("some time of the group has passed", SOON, async || {
        producer.promised() > 1_500
    })
    .await;
    let ledger = producer.stop().await;
    let balance = plane.judge().keeps(&ledger, DRAINED).await;
    let buckets: BTreeSet<_> = plane.stores[0]
        .journal()
        .into_iter()
        .map(|entry| entry.bucket)
        .collect();
    figure(
        "32",
        format_args!(
            "{} ids refused by `tenant add` and `apply`, {} look-alike topics stored nowhere: buckets {buckets:?}; {balance}",
            hostile.len(),
            look_alikes.len()
        ),
    );
    assert_eq!(buckets, BTreeSet::from(["t0".to_owned()]));
    let status = web::client()
        .get(format!("{}/livez", plane.consumers[0].url()))
        .send()
        .await
        .expect("the consumer lives");
    assert!(status.status().is_success());
}

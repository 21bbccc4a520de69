//! The contract of a shard over a real InfluxDB: the cases that the embedded store is held to in
//! its own crate.

use influx::{HttpShard, Product, Shard, contract};
use model::Timestamp;
use runtime::{Clock, Secret};
use tests::Influxdb;
use tests::influxdb::{ORG, TOKEN};

fn shard(influxdb: &Influxdb, token: &str) -> HttpShard {
    HttpShard::new(influxdb.url(), ORG, Secret::new(token))
}

#[tokio::test]
async fn a_real_influxdb_keeps_the_contract() {
    let influxdb = Influxdb::start().await;
    let now = Timestamp::from_nanos(Clock::system().now_nanos());
    for (gzip, prefix) in [(true, "gzip"), (false, "identity")] {
        let config = HttpShard {
            gzip,
            ..shard(&influxdb, TOKEN)
        };
        contract::all(&Shard::http(&config).unwrap(), prefix, now).await;
    }
}

#[tokio::test]
async fn a_real_influxdb_says_what_it_is_and_whom_it_does_not_know() {
    let influxdb = Influxdb::start().await;
    let good = Shard::http(&shard(&influxdb, TOKEN)).unwrap();
    let product = good.ping().await.unwrap();
    assert!(matches!(product, Product::V2 { .. }), "{product:?}");
    let stranger = Shard::http(&shard(&influxdb, "nobody")).unwrap();
    contract::unauthorized(&stranger, tests::influxdb::BUCKET).await;
    assert_eq!(good.admission().await.unwrap(), product);
    let refused = stranger.admission().await.unwrap_err().to_string();
    assert!(refused.contains("refused to let the token in"), "{refused}");
    let lost = HttpShard::new(influxdb.url(), "nowhere", Secret::new(TOKEN));
    let refused = Shard::http(&lost).unwrap().admission().await.unwrap_err();
    assert!(refused.to_string().contains("`nowhere`"), "{refused}");
    let elsewhere = HttpShard {
        create_buckets: false,
        ..shard(&influxdb, TOKEN)
    };
    contract::buckets_made_elsewhere(&Shard::http(&elsewhere).unwrap(), "missing").await;
}

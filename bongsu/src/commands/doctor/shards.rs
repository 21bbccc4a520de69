//! Whether each shard answers, and takes the token that it is declared with.

use super::Finding;
use model::ShardId;
use runtime::Secret;
use schemas::catalogue::{Catalogue, Shard, ShardProduct};

pub(super) async fn all(catalogue: &Catalogue) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, shard) in &catalogue.shards {
        findings.push(one(id, shard).await);
    }
    findings
}

/// What is wrong with a shard as it is declared, seen from this machine, and what to do.
pub(crate) async fn wrong(id: &ShardId, shard: &Shard) -> Option<(String, String)> {
    one(id, shard).await.state.err()
}

async fn one(id: &ShardId, shard: &Shard) -> Finding {
    let bad = |wrong: String, advice: &str| Finding::bad("shard", id.as_str(), wrong, advice);
    if shard.url == "embedded" {
        return Finding::good("shard", id.as_str(), "embedded in `bongsu up`");
    }
    let token = match &shard.token_file {
        // The others may be run without any.
        None if matches!(shard.product, ShardProduct::V1 | ShardProduct::V3) => Secret::new(""),
        None => {
            let advice = "an InfluxDB 2 wants a token; for one of another version say `product`";
            return bad("names no token_file".to_owned(), advice);
        }
        Some(path) => match Secret::from_file(path) {
            Ok(token) => token,
            Err(error) => {
                let advice = "the file must be there for every consumer and router";
                return bad(error.to_string(), advice);
            }
        },
    };
    let mut http = influx::HttpShard::new(&shard.url, &shard.org, token);
    http.create_buckets = false;
    http.database.clone_from(&shard.database);
    http.dialect = match shard.product {
        ShardProduct::Auto => None,
        ShardProduct::V1 => Some(influx::Dialect::V1),
        ShardProduct::V2 => Some(influx::Dialect::V2),
        ShardProduct::V3 => Some(influx::Dialect::V3),
    };
    let handle = match influx::Shard::http(&http) {
        Ok(handle) => handle,
        Err(error) => return bad(error.to_string(), "mend its url"),
    };
    match handle.admission().await {
        Ok(product) => Finding::good("shard", id.as_str(), format!("{}: {product}", shard.url)),
        Err(error @ influx::InfluxError::Refused { .. }) => {
            let advice = "are its token_file and org those of that server? Its lanes wait until then, and nothing is lost";
            bad(error.to_string(), advice)
        }
        Err(error) => bad(
            error.to_string(),
            &format!("is {} right and up?", shard.url),
        ),
    }
}

//! The shards as readers reach them: a handle each, a token for each tenant, and who is down.

use crate::config::ReadConfig;
use influx::{Form, HttpShard, InfluxError, Product, ReadAnswer, ReadShard};
use model::{ShardId, TenantId};
use runtime::{Clock, Secret};
use schemas::catalogue::{Catalogue, Shard as Spec};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long to connect to a shard before its replica is asked.
const CONNECT: Duration = Duration::from_secs(2);
/// How long a shard that does not answer is passed over while others have the same.
const PASSED_OVER_NANOS: i64 = 10_000_000_000;

/// What is asked of a shard.
#[derive(Debug, Clone)]
pub(super) enum Question {
    /// Parameters of `/query`.
    InfluxQl(Vec<(String, String)>),
    /// Body of `/api/v2/query`.
    Flux(Value),
}

/// Why a shard did not answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// It is down; its replica may know.
    Down(String),
    /// It cannot be read through the gateway.
    Cannot(String),
}

#[derive(Clone)]
struct Handle {
    spec: Arc<Spec>,
    admin: Secret,
    shard: Arc<ReadShard>,
    /// Found out at the first query.
    is_v2: bool,
}

/// Handles, tokens and who is down.
pub(super) struct Shards {
    config: ReadConfig,
    clock: Clock,
    handles: Mutex<HashMap<ShardId, Handle>>,
    tokens: Mutex<HashMap<(ShardId, TenantId), Secret>>,
    down_until: Mutex<HashMap<ShardId, i64>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shards {
    pub(super) fn new(config: ReadConfig, clock: Clock) -> Self {
        Self {
            config,
            clock,
            handles: Mutex::default(),
            tokens: Mutex::default(),
            down_until: Mutex::default(),
        }
    }

    /// Whether it did not answer a moment ago.
    pub(super) fn is_down(&self, shard: &ShardId) -> bool {
        let until = lock(&self.down_until).get(shard).copied();
        until.is_some_and(|until| until > self.clock.now_nanos())
    }

    /// Asks one shard. None: it has no bucket of the tenant, so it holds nothing.
    pub(super) async fn ask(
        &self,
        catalogue: &Catalogue,
        id: &ShardId,
        tenant: &TenantId,
        question: &Question,
        form: &Form,
    ) -> Result<Option<ReadAnswer>, NoAnswer> {
        let watch = self.clock.stopwatch();
        let outcome = self.try_ask(catalogue, id, tenant, question, form).await;
        match &outcome {
            // A query that took its whole time says nothing about the shard; a dead one is known soon.
            Err(NoAnswer::Down(why)) if watch.elapsed() < CONNECT + Duration::from_millis(500) => {
                tracing::warn!(shard = %id, why, "shard does not answer a reader");
                let until = self.clock.now_nanos().saturating_add(PASSED_OVER_NANOS);
                lock(&self.down_until).insert(id.clone(), until);
            }
            Ok(_) => drop(lock(&self.down_until).remove(id)),
            Err(_) => {}
        }
        outcome
    }

    async fn try_ask(
        &self,
        catalogue: &Catalogue,
        id: &ShardId,
        tenant: &TenantId,
        question: &Question,
        form: &Form,
    ) -> Result<Option<ReadAnswer>, NoAnswer> {
        let failed = |error: InfluxError| match error {
            InfluxError::Unreachable { .. } => NoAnswer::Down(error.to_string()),
            InfluxError::Refused { .. } => NoAnswer::Cannot(format!(
                "shard `{id}`: {error}; its token_file must hold an all-access token"
            )),
            other => NoAnswer::Cannot(format!("shard `{id}`: {other}")),
        };
        let handle = self.handle(catalogue, id).await?;
        let mut fresh = false;
        loop {
            let known = lock(&self.tokens)
                .get(&(id.clone(), tenant.clone()))
                .cloned();
            let token = match known {
                Some(token) => token,
                None => {
                    fresh = true;
                    let description = format!("bongsu: reads {tenant}");
                    let made = handle.shard.reader(tenant.as_str(), &description).await;
                    let Some(token) = made.map_err(failed)? else {
                        return Ok(None);
                    };
                    lock(&self.tokens).insert((id.clone(), tenant.clone()), token.clone());
                    token
                }
            };
            let answer = match question {
                Question::InfluxQl(parameters) => {
                    handle.shard.influxql(&token, parameters, form).await
                }
                Question::Flux(body) => handle.shard.flux(&token, body, form).await,
            };
            let answer = answer.map_err(failed)?;
            match answer.status {
                // Somebody took the token back, or made the bucket anew.
                401 | 403 | 404 if !fresh => {
                    lock(&self.tokens).remove(&(id.clone(), tenant.clone()));
                }
                502..=504 => return Err(NoAnswer::Down(format!("status {}", answer.status))),
                _ => return Ok(Some(answer)),
            }
        }
    }

    /// The handle of a shard as the catalogue and the token's file are now.
    async fn handle(&self, catalogue: &Catalogue, id: &ShardId) -> Result<Handle, NoAnswer> {
        let spec = catalogue.shards.get(id);
        let spec = spec.ok_or_else(|| NoAnswer::Cannot(format!("shard `{id}` is not declared")))?;
        if spec.url == "embedded" {
            return Err(NoAnswer::Cannot(format!(
                "shard `{id}` is the embedded store, which has no InfluxQL and no Flux: give `bongsu up` an \
                 InfluxDB (--influx URL --influx-token-file FILE) to query what it stores"
            )));
        }
        let file = spec.token_file.as_deref().ok_or_else(|| {
            NoAnswer::Cannot(format!(
                "shard `{id}` names no token_file, so it cannot be read"
            ))
        })?;
        let admin = Secret::from_file(file)
            .map_err(|error| NoAnswer::Cannot(format!("shard `{id}`: {error}")))?;
        let known = lock(&self.handles).get(id).cloned();
        let same = |known: &Handle| known.spec == *spec && known.admin == admin;
        let mut handle = match known.filter(same) {
            Some(handle) => handle,
            None => self.open(id, spec, admin)?,
        };
        if !handle.is_v2 {
            self.must_be_v2(id, &handle.shard).await?;
            handle.is_v2 = true;
        }
        lock(&self.handles).insert(id.clone(), handle.clone());
        Ok(handle)
    }

    fn open(&self, id: &ShardId, spec: &Arc<Spec>, admin: Secret) -> Result<Handle, NoAnswer> {
        let http = HttpShard {
            connect_timeout: CONNECT,
            request_timeout: self.config.within.to_std(),
            ..HttpShard::new(&spec.url, &spec.org, admin.clone())
        };
        let shard = ReadShard::new(&http)
            .map_err(|error| NoAnswer::Cannot(format!("shard `{id}`: {error}")))?;
        lock(&self.tokens).retain(|(shard, _), _| shard != id);
        Ok(Handle {
            spec: Arc::clone(spec),
            admin,
            shard: Arc::new(shard),
            is_v2: false,
        })
    }

    /// Only version 2 has tokens that read one bucket; elsewhere the gateway alone would stand between
    /// tenants, and a parser is no wall.
    async fn must_be_v2(&self, id: &ShardId, shard: &ReadShard) -> Result<(), NoAnswer> {
        match shard.ping().await {
            Ok(Product::V2 { .. }) => Ok(()),
            Ok(other) => Err(NoAnswer::Cannot(format!(
                "shard `{id}` is {other}: only InfluxDB 2 is read through the gateway, since it has tokens that \
                 read one bucket"
            ))),
            Err(error) => Err(NoAnswer::Down(error.to_string())),
        }
    }
}

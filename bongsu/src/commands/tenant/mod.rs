//! `bongsu tenant`: a customer with its topic, its ways in and its place in the store, from one command.

mod add;
mod folder;
mod kafka;
mod life;
mod usage;

use super::{Access, settings};
use crate::cli::{Form, Global, Tenant as Command};
use crate::failure::{Exit, Failure, Outcome};
use crate::print::{self, Table};
use catalog::Request;
use model::{ShardId, TenantId};
use runtime::Secret;
use schemas::catalogue::{Catalogue, Contract, Entry, Tenant};

pub(super) use folder::router_lines as telegraf_lines;

pub(super) async fn run(global: &Global, command: Command) -> Outcome {
    let settings = settings(global)?;
    let access = Access::open(&settings).await?;
    match command {
        Command::List => {
            list(&access.catalogue().await?, global.form());
            Ok(())
        }
        Command::Show { tenant } => {
            let tenant = known(&access.catalogue().await?, &tenant)?;
            life::show(global, &settings, &tenant).await
        }
        Command::Usage { tenant } => {
            usage::run(global, &settings, &access, tenant.as_deref()).await
        }
        Command::Add(command) => add::add(global, &settings, &access, command).await,
        Command::Rotate(command) => add::rotate(global, &settings, &access, command).await,
        Command::Suspend { tenant } => {
            life::suspend(global, &settings, &access, &tenant, true).await
        }
        Command::Resume { tenant } => {
            life::suspend(global, &settings, &access, &tenant, false).await
        }
        Command::Remove(command) => life::remove(global, &settings, &access, command).await,
    }
}

fn tell_dry_run(global: &Global) {
    print::message(global.say(
        "nothing was changed: this was a dry run",
        "시험 실행이므로 아무것도 바꾸지 않았습니다",
    ));
}

fn id_of(text: &str) -> Outcome<TenantId> {
    TenantId::parse(text).map_err(|error| Failure::new(Exit::Usage, error.to_string()))
}

/// The tenant of that name, or a failure that names one like it.
fn known(catalogue: &Catalogue, name: &str) -> Outcome<Tenant> {
    let id = id_of(name)?;
    let found = catalogue.tenants.get(&id);
    found.map(|found| Tenant::clone(found)).ok_or_else(|| {
        let known = catalogue.tenants.keys().map(TenantId::as_str);
        Failure::no_such("tenant", name, known, "bongsu tenant list")
    })
}

/// One declaration, written to the catalogue.
async fn declare(access: &Access, tenant: &Tenant) -> Outcome<catalog::Published> {
    let request = Request {
        set: vec![Entry::Tenant(Box::new(tenant.clone()))],
        ..Request::default()
    };
    access.publish(request).await
}

fn contract_text(contract: Contract) -> &'static str {
    match contract {
        Contract::Always => "24x7",
        Contract::OfficeHours => "8x5",
    }
}

fn list(catalogue: &Catalogue, form: Form) {
    let mut table = Table::new(&[
        "tenant",
        "name",
        "contract",
        "policy",
        "partitions",
        "tokens",
        "state",
    ]);
    for tenant in catalogue.tenants.values() {
        let state = if tenant.suspended {
            "suspended"
        } else {
            "active"
        };
        table.row(vec![
            tenant.tenant.as_str().into(),
            tenant.name.clone().into(),
            contract_text(tenant.contract).into(),
            tenant.escalation_policy.clone().into(),
            tenant.partitions.into(),
            tenant.tokens.len().into(),
            state.into(),
        ]);
    }
    print::table(&table, form);
}

/// The shards that hold points of the tenant at any time, with how each is spoken to. The store of a running `up` is not
/// among them: it makes and drops what it needs itself.
fn shards_of(catalogue: &Catalogue, tenant: &TenantId) -> Outcome<Vec<(ShardId, influx::Shard)>> {
    let map = super::place::map_of(catalogue)?;
    let mut found = Vec::new();
    for id in map.resolve(tenant, i64::MIN, i64::MAX, None).shards() {
        let Some(shard) = catalogue
            .shards
            .get(&id)
            .filter(|shard| shard.url != "embedded")
        else {
            continue;
        };
        let token = shard.token_file.as_ref().ok_or_else(|| {
            Failure::new(Exit::Usage, format!("shard `{id}` names no token_file"))
        })?;
        let token = Secret::from_file(token).map_err(|error| {
            Failure::new(Exit::Auth, format!("shard `{id}`: {error}"))
                .hint("this command makes and removes buckets: it needs the shard's token too")
        })?;
        let http = influx::HttpShard::new(&shard.url, &shard.org, token);
        let shard = influx::Shard::http(&http);
        found.push((
            id,
            shard.map_err(|error| Failure::from_error(Exit::Usage, &error))?,
        ));
    }
    Ok(found)
}

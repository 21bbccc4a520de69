//! `bongsu tenant show|suspend|resume|remove`.

use super::kafka::{self, State, forget, quota_of, stop_of, user_of};
use super::{contract_text, declare, id_of, known, shards_of};
use crate::cli::{Global, RemoveTenant};
use crate::commands::Access;
use crate::failure::{Exit, Failure, Outcome};
use crate::parts::log_failure;
use crate::print::{self, Table};
use crate::settings::Settings;
use catalog::Request;
use model::{TenantId, TopicName};
use schemas::catalogue::{Catalogue, Entry, Kind, Placement, Tenant};
use std::io::{BufRead, IsTerminal};

pub(super) async fn show(global: &Global, settings: &Settings, tenant: &Tenant) -> Outcome {
    let mut table = Table::new(&["key", "value"]);
    let mut row = |key: &str, value: String| table.row(vec![key.into(), value.into()]);
    row("tenant", tenant.tenant.to_string());
    row("name", tenant.name.clone().unwrap_or_default());
    row(
        "state",
        if tenant.suspended {
            "suspended"
        } else {
            "active"
        }
        .to_owned(),
    );
    row("contract", contract_text(tenant.contract).to_owned());
    row("policy", tenant.escalation_policy.clone());
    row("topic", TopicName::metrics(&tenant.tenant, 1).to_string());
    row("partitions", tenant.partitions.to_string());
    let limit = |limit: Option<u64>| limit.map_or_else(|| "none".to_owned(), |n| n.to_string());
    row("points_per_s", limit(tenant.limits.points_per_s));
    row("bytes_per_s", limit(tenant.limits.bytes_per_s));
    for token in &tenant.tokens {
        let hash = token.sha256.to_string();
        let note = token.note.clone().unwrap_or_default();
        row("token", format!("sha256 {}.. {note}", &hash[..12]));
    }
    if let Some(mut access) = kafka::access(settings, tenant).await? {
        let state = State::look(&mut access, tenant).await?;
        row("kafka_user", user_of(&tenant.tenant));
        let passwords: Vec<&str> = state.passwords.iter().map(|each| each.as_str()).collect();
        row("kafka_passwords", passwords.join(", "));
        row(
            "kafka_quota",
            limit(state.quota.map(|quota| quota.producer_bytes_per_s)),
        );
        for grant in &state.missing {
            row("kafka_missing", grant.to_string());
        }
        for grant in &state.surplus {
            row("kafka_not_ours", grant.to_string());
        }
        if state.quota != quota_of(&tenant.limits) {
            row("kafka_missing", "the quota of its limits".to_owned());
        }
    }
    print::table(&table, global.form());
    Ok(())
}

/// Stops what a tenant sends, or lets it in again. What is stored stays.
pub(super) async fn suspend(
    global: &Global,
    settings: &Settings,
    access: &Access,
    name: &str,
    suspended: bool,
) -> Outcome {
    let mut tenant = known(&access.catalogue().await?, name)?;
    tenant.suspended = suspended;
    if let Some(mut kafka) = kafka::access(settings, &tenant).await? {
        let rule = [stop_of(&tenant.tenant)];
        let changed = if suspended {
            kafka.grant(&rule).await
        } else {
            kafka.revoke(&rule).await
        };
        changed.map_err(|error| log_failure(&error))?;
    }
    declare(access, &tenant).await?;
    let id = &tenant.tenant;
    print::message(&match suspended {
        true => global.say(
            format!("tenant {id} is suspended"),
            format!("테넌트 {id}: 중지됨"),
        ),
        false => global.say(
            format!("tenant {id} is active"),
            format!("테넌트 {id}: 사용 중"),
        ),
    });
    Ok(())
}

/// Takes everything of a tenant away: its ways in, its declarations, its topic and its buckets.
pub(super) async fn remove(
    global: &Global,
    settings: &Settings,
    access: &Access,
    command: RemoveTenant,
) -> Outcome {
    let id = id_of(&command.tenant)?;
    let catalogue = access.catalogue().await?;
    // What a command that was cut off has left is removed by the next one, which then finds no declaration.
    let declared = catalogue.tenants.get(&id).map(|found| Tenant::clone(found));
    if declared.is_none() && !command.leftovers {
        return Err(known(&catalogue, &command.tenant)
            .err()
            .unwrap_or_else(|| Failure::new(Exit::Usage, format!("there is no tenant `{id}`")))
            .hint("`--leftovers` removes what a removal that was cut off has left"));
    }
    // While it is declared: which shards hold its points.
    let shards = shards_of(&catalogue, &id)?;
    let remove = declarations_of(&catalogue, &id);
    let topic = TopicName::metrics(&id, 1);
    let mut table = Table::new(&["what", "name"]);
    table.row(vec![
        "kafka user, rules and quota".into(),
        user_of(&id).into(),
    ]);
    for (kind, name) in &remove {
        table.row(vec![kind.to_string().into(), name.clone().into()]);
    }
    table.row(vec!["topic".into(), topic.as_str().into()]);
    for (shard, _) in &shards {
        table.row(vec!["bucket".into(), format!("{id} in {shard}").into()]);
    }
    print::table(&table, global.form());
    if command.dry_run {
        super::tell_dry_run(global);
        return Ok(());
    }
    if !global.yes {
        confirm(global, &id, command.confirm.as_deref())?;
    }
    let home = match &declared {
        Some(tenant) => kafka::home(settings, tenant),
        None => settings.kafka.as_ref(),
    };
    let mut way = match home {
        Some(config) => {
            let way = stream::Access::connect(config).await;
            Some((config, way.map_err(|error| log_failure(&error))?))
        }
        None => None,
    };
    if let Some((config, way)) = &mut way
        && config.security.protocol.has_login()
    {
        forget(way, &id).await?;
    }
    let request = Request {
        set: placement_without(&catalogue, &id).into_iter().collect(),
        remove,
        ..Request::default()
    };
    access.publish(request).await?;
    if let Some((_, way)) = &mut way {
        let deleted = way.delete_topic(&topic).await;
        deleted.map_err(|error| log_failure(&error))?;
    }
    for (shard, store) in shards {
        store.remove_bucket(id.as_str()).await.map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!("the bucket in {shard} stays: {error}"),
            )
            .hint(format!(
                "when the shard is well: `bongsu tenant remove {id} --leftovers`"
            ))
        })?;
    }
    print::message(&global.say(
        format!("tenant {id} is removed; its incidents stay in the notifier's history"),
        format!("테넌트 {id}을(를) 지웠습니다. 인시던트는 알림 서비스의 기록에 남습니다"),
    ));
    Ok(())
}

/// The tenant and what is declared for it alone.
fn declarations_of(catalogue: &Catalogue, id: &TenantId) -> Vec<(Kind, String)> {
    let mut all = vec![(Kind::Tenant, id.to_string())];
    let own = catalogue
        .overrides
        .iter()
        .filter(|(_, each)| each.for_.tenant.as_ref() == Some(id));
    all.extend(own.map(|(name, _)| (Kind::Override, name.clone())));
    all
}

/// The placement, where it names the tenant.
fn placement_without(catalogue: &Catalogue, id: &TenantId) -> Option<Entry> {
    let mut placement = Placement::clone(catalogue.placement()?);
    let epochs = placement.epochs.iter_mut();
    let named = epochs.filter_map(|epoch| epoch.tenants.remove(id)).count();
    (named > 0).then_some(Entry::Placement(placement))
}

/// The name, typed by whoever asks for it.
fn confirm(global: &Global, id: &TenantId, given: Option<&str>) -> Outcome {
    let typed = match given {
        Some(name) => name.to_owned(),
        None if std::io::stdin().is_terminal() => {
            print::message(&global.say(
                format!("This cannot be undone. Type the tenant's name to remove it ({id}):"),
                format!("되돌릴 수 없습니다. 지우려면 테넌트 이름({id})을 입력하세요:"),
            ));
            let mut line = String::new();
            let read = std::io::stdin().lock().read_line(&mut line);
            read.map_err(|error| Failure::from_error(Exit::Failed, &error))?;
            line.trim().to_owned()
        }
        None => String::new(),
    };
    if typed == id.as_str() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Usage,
        "nothing was changed: the name was not confirmed",
    )
    .hint(format!("scripts say `--confirm {id}` or `--yes`")))
}

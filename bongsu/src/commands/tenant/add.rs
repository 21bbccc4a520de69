//! `bongsu tenant add` and `rotate`: brings everything that a tenant needs to what is asked for, step by step.

use super::folder::{self, Direct, Ways, kafka_lines, router_lines};
use super::kafka::{self, Login, State, grants_of, new_password, quota_of, user_of};
use super::{declare, id_of, known, shards_of};
use crate::cli::{AddTenant, Agents, Form, Global, Output, RotateTenant};
use crate::commands::{Access, access};
use crate::failure::{Exit, Failure, Outcome};
use crate::print::{self, Table};
use crate::settings::Settings;
use crate::tokens;
use model::{TenantId, TopicName};
use schemas::catalogue::{
    Catalogue, Contract, DEFAULT_CLUSTER, Entry, Evaluation, Limits, Tenant, check_entry,
};
use serde_json::json;

/// What a step finds, and what is done about it.
struct Step {
    what: &'static str,
    name: String,
    now: String,
    action: String,
}

pub(super) async fn add(
    global: &Global,
    settings: &Settings,
    access: &Access,
    command: AddTenant,
) -> Outcome {
    let id = id_of(&command.tenant)?;
    let catalogue = access.catalogue().await?;
    let before = catalogue.tenants.get(&id).map(|known| Tenant::clone(known));
    let mut tenant = before.clone().unwrap_or_else(|| fresh(id.clone()));
    if let Some(hours) = &command.contract {
        tenant.contract = hours_of(hours)?;
    }
    for limit in &command.limit {
        read_limit(limit, &mut tenant.limits)?;
    }
    tenant.name = command.name.or(tenant.name);
    tenant.escalation_policy = command.policy.unwrap_or(tenant.escalation_policy);
    check(&tenant)?;
    let wants_token = tenant.tokens.is_empty() || command.new_token;
    let mut kafka = kafka::access(settings, &tenant).await?;
    let state = match &mut kafka {
        Some(kafka) => Some(State::look(kafka, &tenant).await?),
        None => None,
    };
    if command.dry_run {
        let steps = plan(
            settings,
            &catalogue,
            before.as_ref(),
            &tenant,
            state.as_ref(),
            wants_token,
        );
        print_plan(&steps, global.form());
        super::tell_dry_run(global);
        return Ok(());
    }
    let token = if wants_token {
        Some(new_token(&mut tenant, "tenant add")?)
    } else {
        None
    };
    let mut login = None;
    if let (Some(kafka), Some(state)) = (&mut kafka, &state)
        && state.passwords.is_empty()
    {
        tenant.kafka_mechanism = None;
        login = Some(new_password(kafka, &mut tenant).await?);
    }
    let published = declare(access, &tenant).await?;
    if let (Some(kafka), Some(state)) = (&mut kafka, &state) {
        state.settle(kafka, &tenant).await?;
    }
    buckets(global, &catalogue, &tenant).await;
    let changed = !published.changes.is_empty() || login.is_some();
    let secrets = Secrets { token, login };
    hand_out(
        global,
        settings,
        &tenant,
        &secrets,
        &command.agents,
        changed,
    )
    .await
}

/// A new token and a new password, beside one of each that stays valid.
pub(super) async fn rotate(
    global: &Global,
    settings: &Settings,
    access: &Access,
    command: RotateTenant,
) -> Outcome {
    let mut tenant = known(&access.catalogue().await?, &command.tenant)?;
    let mut login = None;
    if let Some(mut kafka) = kafka::access(settings, &tenant).await? {
        login = Some(new_password(&mut kafka, &mut tenant).await?);
    }
    let token = Some(new_token(&mut tenant, "tenant rotate")?);
    declare(access, &tenant).await?;
    let secrets = Secrets { token, login };
    hand_out(global, settings, &tenant, &secrets, &command.agents, true).await?;
    print::message(global.say(
        "the secrets before these stay valid; the next `tenant rotate` takes them, so change the agents over first",
        "이전 비밀도 아직 유효합니다. 다음 `tenant rotate` 때 거두어지므로 그 전에 에이전트를 바꾸십시오",
    ));
    Ok(())
}

/// What is shown this once.
struct Secrets {
    token: Option<String>,
    login: Option<Login>,
}

fn new_token(tenant: &mut Tenant, note: &str) -> Outcome<String> {
    let token = tokens::new_token(&tenant.tenant)?;
    // Two at most: the newer of the old ones stays valid while agents change over.
    let old = tenant.tokens.len().saturating_sub(1);
    tenant.tokens = tenant.tokens.split_off(old);
    tenant.tokens.push(tokens::hashed(&token, note));
    Ok(token)
}

fn check(tenant: &Tenant) -> Outcome {
    let flaws = check_entry(&Entry::Tenant(Box::new(tenant.clone())));
    if flaws.is_empty() {
        return Ok(());
    }
    let flaws: Vec<String> = flaws.iter().map(ToString::to_string).collect();
    Err(Failure::new(Exit::Usage, flaws.join("\n")))
}

fn plan(
    settings: &Settings,
    catalogue: &Catalogue,
    before: Option<&Tenant>,
    tenant: &Tenant,
    state: Option<&State>,
    wants_token: bool,
) -> Vec<Step> {
    let id = &tenant.tenant;
    let step = |what, name: String, now: &str, action: &str| Step {
        what,
        name,
        now: now.to_owned(),
        action: action.to_owned(),
    };
    let declared = match before {
        None => ("missing", "declare"),
        Some(known) if known == tenant => ("as asked", "none"),
        Some(_) => ("different", "change"),
    };
    let topic = TopicName::metrics(id, 1).to_string();
    let partitions = format!(
        "make with {} partitions if it is missing",
        tenant.partitions
    );
    let mut steps = vec![
        step("tenant", id.to_string(), declared.0, declared.1),
        step("topic", topic, "", &partitions),
    ];
    match state {
        Some(state) => {
            let user = user_of(id);
            let has = !state.passwords.is_empty();
            let (now, action) = if has {
                ("there", "none")
            } else {
                ("missing", "make with a new password")
            };
            steps.push(step("kafka user", user.clone(), now, action));
            for grant in grants_of(id) {
                let missing = state.missing.contains(&grant);
                let (now, action) = if missing {
                    ("missing", "add")
                } else {
                    ("there", "none")
                };
                steps.push(step("kafka rule", grant.to_string(), now, action));
            }
            for grant in &state.surplus {
                steps.push(step("kafka rule", grant.to_string(), "not ours", "remove"));
            }
            let text = |quota: Option<stream::Quota>| match quota {
                Some(quota) => format!("{} bytes/s a broker", quota.producer_bytes_per_s),
                None => "none".to_owned(),
            };
            let (now, wanted) = (text(state.quota), text(quota_of(&tenant.limits)));
            let action = if now == wanted {
                "none".to_owned()
            } else {
                format!("set to {wanted}")
            };
            steps.push(step("kafka quota", user, &now, &action));
        }
        None => {
            let why = match kafka::home(settings, tenant) {
                None => "no Kafka of this name",
                Some(_) => "its listener has no logins",
            };
            steps.push(step(
                "kafka user",
                user_of(id),
                why,
                "none: no user, rules or quota",
            ));
        }
    }
    match shards_of(catalogue, id) {
        Ok(shards) => steps.extend(shards.into_iter().map(|(shard, _)| {
            step(
                "bucket",
                format!("{id} in {shard}"),
                "",
                "make if it is missing",
            )
        })),
        Err(failure) => {
            steps.push(step(
                "bucket",
                id.to_string(),
                &failure.cause,
                "left to the consumer",
            ));
        }
    }
    let (now, action) = if wants_token {
        ("", "make, and show it once")
    } else {
        ("there", "none")
    };
    steps.push(step("router token", id.to_string(), now, action));
    steps
}

fn print_plan(steps: &[Step], form: Form) {
    let mut table = Table::new(&["what", "name", "now", "action"]);
    for step in steps {
        table.row(vec![
            step.what.into(),
            step.name.clone().into(),
            step.now.clone().into(),
            step.action.clone().into(),
        ]);
    }
    print::table(&table, form);
}

/// The tenant's place in its shards. The consumer makes what is missing at its first write, so that a shard that cannot be
/// reached from here is no failure.
async fn buckets(global: &Global, catalogue: &Catalogue, tenant: &Tenant) {
    let name = tenant.tenant.as_str();
    let shards = match shards_of(catalogue, &tenant.tenant) {
        Ok(shards) => shards,
        Err(failure) => {
            let left = global.say(
                "buckets are left to the consumer",
                "버킷은 consumer가 만듭니다",
            );
            print::message(&format!("{left}: {}", failure.cause));
            return;
        }
    };
    for (id, shard) in shards {
        if let Err(error) = shard.ensure_bucket(name, tenant.retention).await {
            print::message(&global.say(
                format!("the bucket in {id} is left to the consumer: {error}"),
                format!("{id}의 버킷은 consumer가 만듭니다: {error}"),
            ));
        }
    }
}

/// Shows the secrets this once, or writes them into the folder that was asked for.
async fn hand_out(
    global: &Global,
    settings: &Settings,
    tenant: &Tenant,
    secrets: &Secrets,
    agents: &Agents,
    changed: bool,
) -> Outcome {
    let id = &tenant.tenant;
    let router = match &agents.router_url {
        Some(url) => url.clone(),
        None => access::router(settings).await?,
    };
    let home = kafka::home(settings, tenant);
    let kafka = home.map(|config| Direct {
        config,
        brokers: if agents.agent_brokers.is_empty() {
            config.brokers.clone()
        } else {
            agents.agent_brokers.clone()
        },
        login: secrets.login.as_ref(),
    });
    // Without its password a file for Kafka would not run.
    let kafka =
        kafka.filter(|way| way.login.is_some() || !way.config.security.protocol.has_login());
    let ways = Ways {
        tenant: id,
        router: &router,
        token: secrets.token.as_deref(),
        kafka,
    };
    let mut files = Vec::new();
    if let Some(folder) = &agents.folder {
        files = folder::write(folder, agents.installed_at.as_deref(), &ways)?;
    }
    if global.output != Output::Table {
        let topic = TopicName::metrics(id, 1);
        let login = secrets.login.as_ref();
        let result = json!({
            "tenant": id.as_str(), "topic": topic.as_str(), "router": router, "token": secrets.token,
            "kafka_user": login.map(|login| login.user.clone()),
            "kafka_mechanism": login.map(|login| login.mechanism.as_str()),
            "kafka_password": login.map(|login| login.password.expose()),
            "files": files,
        });
        print::value(&result, global.output);
        return Ok(());
    }
    let shown = secrets.token.is_some() || secrets.login.is_some();
    print::message(&match (shown, changed) {
        (true, _) if files.is_empty() => global.say(
            format!("tenant {id} is ready. Its secrets are shown this once:"),
            format!("테넌트 {id}이(가) 준비되었습니다. 비밀은 지금 한 번만 보입니다:"),
        ),
        (true, _) => global.say(
            format!("tenant {id} is ready. Its secrets are in these files alone:"),
            format!("테넌트 {id}이(가) 준비되었습니다. 비밀은 이 파일들에만 있습니다:"),
        ),
        (false, false) => global.say(
            format!(
                "tenant {id} was so already; its secrets stay as they are (`bongsu tenant rotate {id}` makes others)"
            ),
            format!(
                "테넌트 {id}은(는) 이미 그렇습니다. 비밀은 그대로입니다(`bongsu tenant rotate {id}`로 새로 만듭니다)"
            ),
        ),
        (false, true) => global.say(
            format!("tenant {id} is changed; its secrets stay as they are"),
            format!("테넌트 {id}을(를) 바꾸었습니다. 비밀은 그대로입니다"),
        ),
    });
    for file in &files {
        print::text(&format!("{}\n", file.display()));
    }
    if files.is_empty() {
        if let Some(token) = ways.token {
            print::text(&router_lines(&router, token));
        }
        if let Some(way) = ways.kafka.as_ref().filter(|way| way.login.is_some()) {
            print::text(&format!(
                "\n{}",
                kafka_lines(id, way, way.config.security.ca_file.as_deref())
            ));
        }
    }
    Ok(())
}

fn fresh(tenant: TenantId) -> Tenant {
    Tenant {
        tenant,
        name: None,
        contract: Contract::Always,
        partitions: 1,
        tokens: Vec::new(),
        escalation_policy: "default".to_owned(),
        routing: Vec::new(),
        dependencies: Vec::new(),
        grouping: None,
        evaluation: Evaluation::default(),
        retention: None,
        inventory: Vec::new(),
        suspended: false,
        kafka_mechanism: None,
        cluster: DEFAULT_CLUSTER.to_owned(),
        limits: Limits::default(),
    }
}

fn hours_of(text: &str) -> Outcome<Contract> {
    match text {
        "24x7" => Ok(Contract::Always),
        "8x5" => Ok(Contract::OfficeHours),
        other => Err(
            Failure::new(Exit::Usage, format!("`{other}` is no contract"))
                .hint("contracts: 24x7, 8x5"),
        ),
    }
}

/// `5k/s` are points, `2MB/s` are bytes.
fn read_limit(text: &str, limits: &mut Limits) -> Outcome {
    let wrong = || {
        Failure::new(Exit::Usage, format!("--limit: `{text}` is no rate"))
            .hint("points as in 5k/s, bytes as in 2MB/s")
    };
    let rate = text.strip_suffix("/s").ok_or_else(wrong)?;
    let (rate, is_bytes) = match rate.strip_suffix('B') {
        Some(rate) => (rate, true),
        None => (rate, false),
    };
    let scales = [('k', 1_000_u64), ('M', 1_000_000), ('G', 1_000_000_000)];
    let scaled = scales
        .into_iter()
        .find_map(|(letter, scale)| Some((rate.strip_suffix(letter)?, scale)));
    let (digits, scale) = scaled.unwrap_or((rate, 1));
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let rate = number
        .checked_mul(scale)
        .filter(|rate| *rate > 0)
        .ok_or_else(wrong)?;
    if is_bytes {
        limits.bytes_per_s = Some(rate);
    } else {
        limits.points_per_s = Some(rate);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_points_or_bytes_by_its_unit() {
        let read = |text: &str| {
            let mut limits = Limits::default();
            let read = read_limit(text, &mut limits);
            read.ok()
                .map(|()| (limits.points_per_s, limits.bytes_per_s))
        };
        assert_eq!(read("5k/s"), Some((Some(5_000), None)));
        assert_eq!(read("250/s"), Some((Some(250), None)));
        assert_eq!(read("2MB/s"), Some((None, Some(2_000_000))));
        assert_eq!(read("900B/s"), Some((None, Some(900))));
        for wrong in [
            "5k",
            "0/s",
            "-1/s",
            "k/s",
            "5 k/s",
            "99999999999999999999G/s",
            "1.5k/s",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_second_rotation_takes_the_oldest_token() {
        let mut tenant = fresh(TenantId::parse("acme").unwrap());
        let mut made = Vec::new();
        for _ in 0..3 {
            made.push(new_token(&mut tenant, "test").unwrap());
        }
        let valid: Vec<_> = tenant.tokens.iter().map(|token| token.sha256).collect();
        let hash = |token: &String| tokens::hashed(token, "").sha256;
        assert_eq!(valid, made[1..].iter().map(hash).collect::<Vec<_>>());
    }
}

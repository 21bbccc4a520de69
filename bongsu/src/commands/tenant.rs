//! `bongsu tenant`: a customer with its topic and its token, and the lines for its Telegraf.

use super::{Access, settings};
use crate::cli::{Global, Output, Tenant as Command};
use crate::failure::{Exit, Failure, Outcome};
use crate::print::{self, Table};
use crate::tokens;
use catalog::Request;
use model::{TenantId, TopicName};
use schemas::catalogue::{Catalogue, Contract, DEFAULT_CLUSTER, Entry, Evaluation, Limits, Tenant};
use serde_json::json;

pub(super) async fn run(global: &Global, command: Command) -> Outcome {
    let settings = settings(global)?;
    let access = Access::open(&settings).await?;
    match command {
        Command::List => {
            list(&access.catalogue().await?, global.output);
            Ok(())
        }
        Command::Add {
            tenant,
            contract,
            name,
            policy,
            new_token,
        } => {
            let id = TenantId::parse(&tenant)
                .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
            let catalogue = access.catalogue().await?;
            let mut declared = catalogue
                .tenants
                .get(&id)
                .map_or_else(|| fresh(id.clone()), |known| Tenant::clone(known));
            if let Some(hours) = contract {
                declared.contract = hours_of(&hours)?;
            }
            declared.name = name.or(declared.name);
            declared.escalation_policy = policy.unwrap_or(declared.escalation_policy);
            let token = if declared.tokens.is_empty() || new_token {
                let token = tokens::new_token(&id)?;
                // Two at most: the newer of the old ones stays valid while agents change over.
                declared.tokens = declared
                    .tokens
                    .split_off(declared.tokens.len().saturating_sub(1));
                declared.tokens.push(tokens::hashed(&token, "tenant add"));
                Some(token)
            } else {
                None
            };
            let request = Request {
                set: vec![Entry::Tenant(Box::new(declared))],
                ..Request::default()
            };
            let published = access.publish(&request).await?;
            let router = match super::access::running_process(&settings).await? {
                Some((running, _)) => running.router,
                None => format!("http://{}", settings.router.listen),
            };
            report(
                global,
                &id,
                token.as_deref(),
                &router,
                published.changes.is_empty(),
            );
            Ok(())
        }
    }
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

fn list(catalogue: &Catalogue, output: Output) {
    let mut table = Table::new(&[
        "tenant",
        "name",
        "contract",
        "policy",
        "partitions",
        "tokens",
    ]);
    for tenant in catalogue.tenants.values() {
        table.row(vec![
            tenant.tenant.as_str().into(),
            tenant.name.clone().into(),
            match tenant.contract {
                Contract::Always => "24x7".into(),
                Contract::OfficeHours => "8x5".into(),
            },
            tenant.escalation_policy.clone().into(),
            tenant.partitions.into(),
            tenant.tokens.len().into(),
        ]);
    }
    print::table(&table, output);
}

fn report(global: &Global, id: &TenantId, token: Option<&str>, router: &str, unchanged: bool) {
    let topic = TopicName::metrics(id, 1);
    if global.output != Output::Table {
        let result = json!({
            "tenant": id.as_str(), "topic": topic.as_str(), "router": router, "token": token,
        });
        print::text(&format!("{result}\n"));
        return;
    }
    print::message(&match (token, unchanged) {
        (Some(_), _) => format!("tenant {id} is ready. Its router token is shown this once:"),
        (None, true) => format!(
            "tenant {id} was so already; its token stays as it is (--new-token makes another)"
        ),
        (None, false) => format!("tenant {id} is changed; its token stays as it is"),
    });
    if let Some(token) = token {
        print::text(&telegraf_lines(router, token));
    }
}

/// What a real Telegraf needs to write to the router.
pub(super) fn telegraf_lines(router: &str, token: &str) -> String {
    format!("[[outputs.influxdb_v2]]\n  urls = [\"{router}\"]\n  token = \"{token}\"\n")
}

//! `bongsu integration`: other systems that send alerts, with their keys and the lines for them.

use super::{Access, settings};
use crate::cli::{Global, Integration as Command, Output};
use crate::failure::{Exit, Failure, Outcome};
use crate::print::{self, Table};
use crate::tokens;
use catalog::Request;
use model::{Span, TenantId};
use schemas::catalogue::{Catalogue, Entry, Integration, IntegrationFormat, Kind};
use serde_json::json;

pub(super) async fn run(global: &Global, command: Command) -> Outcome {
    let settings = settings(global)?;
    let access = Access::open(&settings).await?;
    match command {
        Command::List => {
            list(&access.catalogue().await?, global.output);
            Ok(())
        }
        Command::Revoke { name } => {
            let catalogue = access.catalogue().await?;
            if !catalogue.integrations.contains_key(&name) {
                let why = format!("there is no integration `{name}`");
                return Err(
                    Failure::new(Exit::Failed, why).hint("`bongsu integration list` shows them")
                );
            }
            let request = Request {
                remove: vec![(Kind::Integration, name.clone())],
                ..Request::default()
            };
            access.publish(&request).await?;
            print::message(&format!(
                "integration {name} is gone; its keys open nothing"
            ));
            Ok(())
        }
        Command::Add {
            name,
            tenant,
            format,
            every,
            new_key,
        } => {
            let catalogue = access.catalogue().await?;
            let known = catalogue.integrations.get(&name);
            let mut declared = declare(&name, &tenant, &format, every.as_deref())?;
            declared.tokens = known.map(|known| known.tokens.clone()).unwrap_or_default();
            let key = if declared.tokens.is_empty() || new_key {
                let key = tokens::new_key()?;
                declared.tokens = declared
                    .tokens
                    .split_off(declared.tokens.len().saturating_sub(1));
                declared
                    .tokens
                    .push(tokens::hashed(&key, "integration add"));
                Some(key)
            } else {
                None
            };
            let format = declared.format;
            let request = Request {
                set: vec![Entry::Integration(declared)],
                ..Request::default()
            };
            access.publish(&request).await?;
            let base = match super::access::running_process(&settings).await? {
                Some((running, _)) => running.console,
                None => settings.notifier.public_url.clone(),
            };
            report(global, &name, format, key.as_deref(), &base);
            Ok(())
        }
    }
}

fn declare(name: &str, tenant: &str, format: &str, every: Option<&str>) -> Outcome<Integration> {
    let usage = |error: String| Failure::new(Exit::Usage, error);
    let known = IntegrationFormat::ALL;
    let found = known.into_iter().find(|known| known.as_str() == format);
    let words = known.map(IntegrationFormat::as_str).join(", ");
    Ok(Integration {
        integration: name.to_owned(),
        tenant: TenantId::parse(tenant).map_err(|error| usage(error.to_string()))?,
        format: found.ok_or_else(|| {
            usage(format!("`{format}` is no format")).hint(format!("formats: {words}"))
        })?,
        tokens: Vec::new(),
        every: every
            .map(Span::parse)
            .transpose()
            .map_err(|error| usage(error.to_string()))?,
    })
}

fn list(catalogue: &Catalogue, output: Output) {
    let mut table = Table::new(&["integration", "tenant", "format", "every", "keys"]);
    for integration in catalogue.integrations.values() {
        table.row(vec![
            integration.integration.as_str().into(),
            integration.tenant.as_str().into(),
            integration.format.as_str().into(),
            integration.every.map(|every| every.to_string()).into(),
            integration.tokens.len().into(),
        ]);
    }
    print::table(&table, output);
}

fn report(global: &Global, name: &str, format: IntegrationFormat, key: Option<&str>, base: &str) {
    let base = base.trim_end_matches('/');
    if global.output != Output::Table {
        let result = json!({
            "integration": name, "format": format.as_str(), "key": key,
            "url": key.map(|key| url(format, key, base)),
        });
        print::value(&result, global.output);
        return;
    }
    match key {
        Some(key) => {
            print::message(&format!(
                "integration {name} is ready. Its key is shown this once:"
            ));
            print::text(&lines(format, key, base));
        }
        None => print::message(&format!(
            "integration {name} is so now; its key stays as it is (--new-key makes another)"
        )),
    }
}

/// Where to send.
fn url(format: IntegrationFormat, key: &str, base: &str) -> String {
    match format {
        IntegrationFormat::Alertmanager => format!("{base}/alertmanager"),
        IntegrationFormat::AlertmanagerWebhook => {
            format!("{base}/integration/alertmanager/v1/{key}")
        }
        IntegrationFormat::Pagerduty => format!("{base}/v2/enqueue"),
        IntegrationFormat::Standard => format!("{base}/integration/standard/v1/{key}"),
        IntegrationFormat::Heartbeat => format!("{base}/integration/heartbeat/v1/{key}"),
    }
}

/// What the other system needs to send here.
fn lines(format: IntegrationFormat, key: &str, base: &str) -> String {
    let url = url(format, key, base);
    let (scheme, host) = base.split_once("://").unwrap_or(("http", base));
    match format {
        IntegrationFormat::Alertmanager => format!(
            "# prometheus.yml\nalerting:\n  alertmanagers:\n  - scheme: {scheme}\n    path_prefix: /alertmanager\n    \
             authorization: {{credentials: {key}}}\n    static_configs: [{{targets: [\"{host}\"]}}]\n"
        ),
        IntegrationFormat::AlertmanagerWebhook => format!(
            "# alertmanager.yml\nreceivers:\n- name: bongsu\n  webhook_configs:\n  - url: {url}\n"
        ),
        IntegrationFormat::Pagerduty => {
            format!("# send PagerDuty events v2 to\n{url}\n# with\nrouting_key: {key}\n")
        }
        IntegrationFormat::Standard => format!(
            "curl {url} -H 'Content-Type: application/json' -d '{{\"summary\": \"disk full on web-1\"}}'\n"
        ),
        IntegrationFormat::Heartbeat => format!("curl -fsS {url}\n"),
    }
}

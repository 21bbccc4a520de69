//! `bongsu integration`: other systems that send alerts, with their keys and the lines for them.

use super::{Access, settings};
use crate::cli::{Form, Global, Integration as Command, Output};
use crate::failure::{Exit, Failure, Outcome};
use crate::print::{self, Table};
use crate::tokens;
use catalog::Request;
use model::{Span, TenantId};
use notifier::core::{Mapping, Says};
use runtime::Clock;
use schemas::catalogue::{Catalogue, Entry, Integration, IntegrationFormat, Kind};
use serde_json::{Value, json};
use std::path::Path;

pub(super) async fn run(global: &Global, command: Command) -> Outcome {
    if let Command::Preview { mapping, body } = &command {
        return preview(global, mapping, body);
    }
    let settings = settings(global)?;
    let access = Access::open(&settings).await?;
    match command {
        // Needs no catalogue, and was answered before.
        Command::Preview { .. } => Ok(()),
        Command::List => {
            list(&access.catalogue().await?, global.form());
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
            access.publish(request).await?;
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
            mapping,
            new_key,
        } => {
            let catalogue = access.catalogue().await?;
            let known = catalogue.integrations.get(&name);
            let mut declared = declare(&name, &tenant, &format, every.as_deref())?;
            declared.mapping = mapping.as_deref().map(mapping_of).transpose()?;
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
            access.publish(request).await?;
            let base = match super::access::running_process(&settings).await? {
                Some((running, _)) => running.console,
                None => settings.notifier.public_url.clone(),
            };
            let domain = settings.notifier.mail_in.as_ref();
            let domain = domain.map_or("localhost", |mail| &mail.domain);
            report(global, &name, format, key.as_deref(), (&base, domain));
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
        mapping: None,
        every: every
            .map(Span::parse)
            .transpose()
            .map_err(|error| usage(error.to_string()))?,
    })
}

fn read(path: &Path) -> Outcome<String> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!("cannot read {}: {error}", path.display()),
        )
    })
}

/// A file's mapping that can be read.
fn mapping_of(path: &Path) -> Outcome<String> {
    let source = read(path)?;
    match Mapping::parse(&source) {
        Ok(_) => Ok(source),
        Err(error) => Err(Failure::new(
            Exit::Findings,
            format!("{}: {error}", path.display()),
        )),
    }
}

/// What a mapping makes of a body.
fn preview(global: &Global, mapping: &Path, body: &Path) -> Outcome {
    let source = mapping_of(mapping)?;
    let found = |error: String| Failure::new(Exit::Findings, error);
    let given: Value = serde_json::from_str(&read(body)?)
        .map_err(|error| found(format!("{}: {error}", body.display())))?;
    let read = Mapping::parse(&source).map_err(|error| found(error.to_string()))?;
    let now = model::Timestamp::from_millis(Clock::system().now_millis());
    let reports = read.reports(&given, now, "new");
    let reports = reports.map_err(|error| {
        let made = read.text(&given).unwrap_or_default();
        let made = if made.trim().is_empty() {
            String::new()
        } else {
            format!("; it made:\n{made}")
        };
        found(format!("{}: {error}{made}", mapping.display()))
    })?;
    let mut table = Table::new(&["event_id", "says", "priority", "title", "why", "labels"]);
    for report in reports {
        let says = match report.says {
            Says::Resolved => "close",
            Says::Acknowledged(_) => "ack",
            Says::Firing(_) | Says::Alive(_) => "open",
        };
        let facts = report.facts;
        table.row(vec![
            report.key.into(),
            says.into(),
            report.priority.as_str().into(),
            facts.title.into(),
            facts.why.into(),
            notifier::core::listed(&facts.labels).into(),
        ]);
    }
    if table.is_empty() {
        print::message("the mapping makes nothing of it: no incident would be opened or closed");
    }
    print::table(&table, global.form());
    Ok(())
}

fn list(catalogue: &Catalogue, form: Form) {
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
    print::table(&table, form);
}

fn report(
    global: &Global,
    name: &str,
    format: IntegrationFormat,
    key: Option<&str>,
    to: (&str, &str),
) {
    let to = (to.0.trim_end_matches('/'), to.1);
    if global.output != Output::Table {
        let result = json!({
            "integration": name, "format": format.as_str(), "key": key,
            "url": key.map(|key| url(format, key, to)),
        });
        print::value(&result, global.output);
        return;
    }
    match key {
        Some(key) => {
            print::message(&format!(
                "integration {name} is ready. Its key is shown this once:"
            ));
            print::text(&lines(format, key, to));
        }
        None => print::message(&format!(
            "integration {name} is so now; its key stays as it is (--new-key makes another)"
        )),
    }
}

/// Where to send.
fn url(format: IntegrationFormat, key: &str, (base, domain): (&str, &str)) -> String {
    match format {
        IntegrationFormat::Alertmanager => format!("{base}/alertmanager"),
        IntegrationFormat::AlertmanagerWebhook => {
            format!("{base}/integration/alertmanager/v1/{key}")
        }
        IntegrationFormat::Pagerduty => format!("{base}/v2/enqueue"),
        IntegrationFormat::Standard => format!("{base}/integration/standard/v1/{key}"),
        IntegrationFormat::Heartbeat => format!("{base}/integration/heartbeat/v1/{key}"),
        IntegrationFormat::Email => format!("{key}@{domain}"),
        IntegrationFormat::Webhook => format!("{base}/integration/webhook/v1/{key}"),
    }
}

/// What the other system needs to send here.
fn lines(format: IntegrationFormat, key: &str, to: (&str, &str)) -> String {
    let (url, base) = (url(format, key, to), to.0);
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
        IntegrationFormat::Email => format!("# send mails to\n{url}\n"),
        IntegrationFormat::Webhook => {
            format!("curl {url} -H 'Content-Type: application/json' --data-binary @body.json\n")
        }
    }
}

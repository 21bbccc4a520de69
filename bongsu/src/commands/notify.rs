//! `bongsu notify`: what every channel would say, and what it says to a person.

mod person;

use crate::cli::{Global, Lang, Notify, Output};
use crate::failure::{Exit, Failure, Outcome};
use crate::print::{self, Table};
use model::{Priority, Timestamp};
use notifier::core::render::{Preview, Subject, previews, sample};
use notifier::core::{ChannelKind, Language, Purpose};
use serde_json::json;
use std::time::Duration;

/// Sunday, 2026-11-22, three in the morning in Korea.
const NIGHT: Timestamp = Timestamp::from_millis(1_795_284_000_000);

pub(super) async fn run(global: &Global, notify: &Notify) -> Outcome {
    match notify {
        Notify::Preview {
            template,
            priority,
            purpose,
            channel,
        } => {
            let asked = Asked {
                template,
                priority,
                purpose,
                lang: global.lang,
                channel: channel.as_deref(),
            };
            preview(global, &asked)
        }
        Notify::Test {
            contact,
            channel,
            wait,
        } => person::test(global, contact, channel, Duration::from_secs(*wait)).await,
        Notify::Verify {
            contact,
            code: Some(code),
            ..
        } => person::confirm(global, contact, code).await,
        Notify::Verify {
            contact,
            channel,
            code: None,
            wait,
        } => person::send_code(global, contact, channel, Duration::from_secs(*wait)).await,
        Notify::Contacts => person::contacts(global).await,
    }
}

/// What is previewed.
struct Asked<'a> {
    template: &'a str,
    priority: &'a str,
    purpose: &'a str,
    lang: Option<Lang>,
    channel: Option<&'a str>,
}

fn preview(global: &Global, asked: &Asked<'_>) -> Outcome {
    let Asked {
        template,
        priority,
        purpose,
        lang,
        channel,
    } = *asked;
    let usage = |error: &dyn std::fmt::Display| Failure::new(Exit::Usage, error.to_string());
    let shipped = schemas::catalogue::shipped_templates();
    let found = shipped.iter().find(|one| one.template == template);
    let found = found.ok_or_else(|| {
        let known = shipped.iter().map(|one| one.template.as_str());
        Failure::no_such("shipped template", template, known, "bongsu template list")
    })?;
    let priority = Priority::parse(priority).map_err(|error| usage(&error))?;
    let purpose = Purpose::parse(purpose).map_err(|error| {
        let words: Vec<_> = Purpose::ALL.iter().map(|one| one.as_str()).collect();
        usage(&error).hint(format!("purposes: {}", words.join(", ")))
    })?;
    let channel = channel.map(ChannelKind::parse).transpose();
    let channel = channel.map_err(|error| usage(&error))?;
    let subject = Subject {
        template,
        title: found.title(),
        title_ko: found.title_ko.as_deref(),
        unit: found.unit.as_deref().unwrap_or_default(),
        runbook: found.runbook.as_deref(),
        priority,
    };
    let mut all = Vec::new();
    for (one, language) in [(Lang::Ko, Language::Ko), (Lang::En, Language::En)] {
        if lang.is_none_or(|only| only == one) {
            let message = sample(&subject, purpose, language, NIGHT);
            let said = previews(&message).into_iter();
            let said = said.filter(|one| channel.is_none_or(|only| only == one.channel));
            all.extend(said.map(|preview| (language, preview)));
        }
    }
    show(global, &all);
    Ok(())
}

fn show(global: &Global, all: &[(Language, Preview)]) {
    if global.output == Output::Table {
        for (language, one) in all {
            let unit = match one.channel {
                ChannelKind::Sms => "bytes of EUC-KR",
                _ => "bytes",
            };
            let Preview {
                channel,
                form,
                bytes,
                text,
            } = one;
            print::text(&format!(
                "== {channel} {language}: {form}, {bytes} {unit}\n{text}\n\n"
            ));
        }
        return;
    }
    let mut table = Table::new(&["channel", "language", "form", "bytes", "text"]);
    for (language, one) in all {
        table.row(vec![
            json!(one.channel.as_str()),
            json!(language.as_str()),
            json!(one.form),
            json!(one.bytes),
            json!(one.text),
        ]);
    }
    print::text(&table.render(global.output));
}

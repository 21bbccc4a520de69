//! What every channel would say about an incident that never was.

use super::{
    AlimtalkNames, LmsUse, SmsKind, alimtalk, card, euckr, korea, mail, opsgenie_calls,
    pagerduty_event, plain, root, sms, speech, telegram_root, values,
};
use crate::core::message::{IncidentSummary, Message, Purpose, Recipient};
use crate::core::words::{ChannelKind, Language, Status};
use crate::core::{DeliveryId, ProviderRef};
use model::{IncidentId, Priority, TenantId, Timestamp};

/// One channel's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// Which channel.
    pub channel: ChannelKind,
    /// In which form: `SMS`, `LMS`, `subject`, ...
    pub form: &'static str,
    /// Its bytes: of EUC-KR for text messages, else of UTF-8.
    pub bytes: usize,
    /// What it says.
    pub text: String,
}

/// What an incident is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Name of the template.
    pub template: &'a str,
    /// Its title; `{host}` and the like are filled in.
    pub title: &'a str,
    /// The Korean one.
    pub title_ko: Option<&'a str>,
    /// Its unit.
    pub unit: &'a str,
    /// Its runbook.
    pub runbook: Option<&'a str>,
    /// How urgent.
    pub priority: Priority,
}

/// A message about host `web-1` of the tenant `acme`.
pub fn sample(
    subject: &Subject<'_>,
    purpose: Purpose,
    language: Language,
    now: Timestamp,
) -> Message {
    let id = IncidentId::from_bytes([0; 16]);
    let (status, firing) = match purpose {
        Purpose::Acknowledged => (Status::Acknowledged, true),
        Purpose::Closed => (Status::Closed, true),
        Purpose::Resolved | Purpose::Expired => (Status::Closed, false),
        _ => (Status::Open, true),
    };
    let incident = IncidentSummary {
        id,
        tenant: TenantId::parse("acme").expect("a name"),
        template: subject.template.to_owned(),
        group: vec![("host".to_owned(), "web-1".to_owned())],
        env: Some("prod".to_owned()),
        priority: subject.priority,
        status,
        firing,
        title: filled(subject.title),
        title_ko: subject.title_ko.map(filled),
        why: "average over 5m is 97.2, above 90 for 10m".to_owned(),
        value: Some(97.2),
        threshold: Some(90.0),
        unit: subject.unit.to_owned(),
        runbook: subject.runbook.map(str::to_owned),
        started_at: now,
        opened_at: now,
        acknowledged: None,
        assigned: None,
        hold: None,
        closed: None,
        due: None,
        until_resolved: false,
        revision: 1,
    };
    let address = "+821012345678";
    Message {
        delivery: DeliveryId::of(id, 1, purpose, ChannelKind::Sms, address),
        purpose,
        incident,
        recipient: Recipient {
            contact: Some("kim".to_owned()),
            name: "Kim".to_owned(),
            language,
            address: address.to_owned(),
        },
        mentions: Vec::new(),
        thread: None::<ProviderRef>,
        possible_repeat: false,
        note: None,
        ack_url: "https://bongsu.example.com/a/Q2hhbmdlTWVOb3c".to_owned(),
        incident_url: format!("https://bongsu.example.com/incidents/{id}"),
    }
}

/// A title without its braces: `{host}` is the sample's host, anything else a word of its name.
fn filled(title: &str) -> String {
    let title = title.replace("{host}", "web-1").replace("{value}", "97.2");
    title.replace(['{', '}'], "")
}

/// What every channel says.
pub fn previews(message: &Message) -> Vec<Preview> {
    let zone = korea();
    let utf8 = |channel, form, text: String| Preview {
        channel,
        form,
        bytes: text.len(),
        text,
    };
    let text = |lms| {
        let made = sms(message, &zone, lms);
        let form = match made.kind {
            SmsKind::Sms => "SMS",
            SmsKind::Lms => "LMS",
        };
        Preview {
            channel: ChannelKind::Sms,
            form,
            bytes: euckr::bytes(&made.content),
            text: made.content,
        }
    };
    let names = AlimtalkNames {
        page: "page",
        news: "news",
    };
    let talk = alimtalk(message, &names, &zone);
    let talk: Vec<_> = talk
        .values
        .iter()
        .map(|(name, value)| format!("#{{{name}}} = {value}"))
        .collect();
    let mail = mail(message);
    let mut all = vec![
        utf8(
            ChannelKind::Chat,
            "Slack, as plain text",
            root(message).text,
        ),
        text(LmsUse::Auto),
    ];
    let cut = text(LmsUse::Never);
    if all[1] != cut {
        all.push(cut);
    }
    all.extend([
        utf8(ChannelKind::Voice, "spoken", speech(message)),
        utf8(ChannelKind::Email, "subject", mail.subject),
        utf8(ChannelKind::Email, "text", mail.text),
        utf8(ChannelKind::Alimtalk, "variables", talk.join("\n")),
        utf8(
            ChannelKind::Telegram,
            "text",
            telegram_root(message, true).text,
        ),
        utf8(
            ChannelKind::Pagerduty,
            "event",
            pagerduty_event(message).map_or_else(String::new, |event| format!("{event:#}")),
        ),
        utf8(
            ChannelKind::Opsgenie,
            "requests",
            opsgenie_calls(message)
                .iter()
                .map(|call| format!("/v2/alerts{} {:#}", call.path, call.body))
                .collect::<Vec<_>>()
                .join("\n"),
        ),
        utf8(ChannelKind::Teams, "card", format!("{:#}", card(message))),
        utf8(
            ChannelKind::Webhook,
            "JSON",
            format!("{:#}", values(message)),
        ),
        utf8(ChannelKind::Webhook, "text", plain(message)),
    ]);
    all
}

//! What the built-in inbox shows: chat rooms and phones, with the very texts that providers would
//! get.

use super::view::{Moment, is_web};
use crate::commands::DeliveryRecord;
use crate::core::render::{self, LmsUse};
use crate::core::{ChannelKind, Message};
use jiff::tz::TimeZone;
use model::{IncidentId, Timestamp};
use serde_json::Value;
use std::collections::VecDeque;

/// The inbox: a room's posts, oldest first, and a phone for each number.
pub(super) struct InboxView {
    pub(super) rooms: Vec<Room>,
    pub(super) phones: Vec<Phone>,
}

/// A chat room.
pub(super) struct Room {
    pub(super) name: String,
    /// The incidents that it was told of, the latest told first.
    pub(super) threads: Vec<Thread>,
}

/// What a room was told of one incident.
pub(super) struct Thread {
    incident: IncidentId,
    /// The first message, then what followed.
    pub(super) posts: VecDeque<Post>,
}

/// A chat message as Slack would show it.
pub(super) struct Post {
    pub(super) key: String,
    pub(super) reply: bool,
    pub(super) at: Moment,
    pub(super) header: String,
    pub(super) fields: Vec<(String, String)>,
    pub(super) lines: Vec<String>,
    pub(super) acknowledge: Option<(String, String)>,
    pub(super) open: Option<(String, String)>,
}

/// A phone.
pub(super) struct Phone {
    pub(super) name: String,
    pub(super) number: String,
    pub(super) texts: Vec<Text>,
}

/// A text message.
pub(super) struct Text {
    pub(super) key: String,
    pub(super) at: Moment,
    pub(super) kind: &'static str,
    pub(super) subject: Option<String>,
    /// Its words, and its link apart from them.
    pub(super) text: String,
    pub(super) link: Option<String>,
    pub(super) bytes: usize,
}

impl InboxView {
    /// From messages, newest first.
    pub(super) fn new(messages: Vec<(Message, DeliveryRecord)>, zone: &TimeZone) -> Self {
        let mut view = Self {
            rooms: Vec::new(),
            phones: Vec::new(),
        };
        for (message, record) in messages {
            match record.channel {
                ChannelKind::Chat => view.room(&message).add(&message, &record),
                ChannelKind::Sms => {
                    let text = Text::of(&message, &record, zone);
                    view.phone(&message).texts.push(text);
                }
                kind => {
                    let text = Text::other(kind, &message, &record);
                    view.phone(&message).texts.push(text);
                }
            }
        }
        view.rooms.sort_by(|a, b| a.name.cmp(&b.name));
        view.phones.sort_by(|a, b| a.name.cmp(&b.name));
        view
    }

    fn room(&mut self, message: &Message) -> &mut Room {
        let name = &message.recipient.name;
        let at = self
            .rooms
            .iter()
            .position(|room| room.name == *name)
            .unwrap_or_else(|| {
                self.rooms.push(Room {
                    name: name.clone(),
                    threads: Vec::new(),
                });
                self.rooms.len() - 1
            });
        &mut self.rooms[at]
    }

    fn phone(&mut self, message: &Message) -> &mut Phone {
        let (name, number) = (&message.recipient.name, &message.recipient.address);
        let at = self
            .phones
            .iter()
            .position(|phone| phone.number == *number)
            .unwrap_or_else(|| {
                let (name, number) = (name.clone(), number.clone());
                self.phones.push(Phone {
                    name,
                    number,
                    texts: Vec::new(),
                });
                self.phones.len() - 1
            });
        &mut self.phones[at]
    }
}

impl Room {
    /// Adds a message that is older than those before.
    fn add(&mut self, message: &Message, record: &DeliveryRecord) {
        let incident = message.incident.id;
        let known = self
            .threads
            .iter()
            .position(|thread| thread.incident == incident);
        let at = known.unwrap_or_else(|| {
            self.threads.push(Thread {
                incident,
                posts: VecDeque::new(),
            });
            self.threads.len() - 1
        });
        self.threads[at].posts.push_front(Post::of(message, record));
    }
}

impl Post {
    /// The same blocks that Slack would get, read back.
    fn of(message: &Message, record: &DeliveryRecord) -> Self {
        // The thread is named after its first message, which is no reply to itself.
        let reply = message.thread.is_some() && message.thread != record.reference;
        let post = if reply {
            render::reply(message)
        } else {
            render::root(message)
        };
        let mut view = Self {
            key: record.id.to_string(),
            reply,
            at: Moment::of(record.updated_at),
            header: String::new(),
            fields: Vec::new(),
            lines: Vec::new(),
            acknowledge: None,
            open: None,
        };
        for block in post.blocks.as_array().into_iter().flatten() {
            view.add(block);
        }
        view
    }

    fn add(&mut self, block: &Value) {
        let text = |value: &Value| mrkdwn(value["text"].as_str().unwrap_or_default());
        let all = |key: &str| block[key].as_array().cloned().unwrap_or_default();
        match block["type"].as_str() {
            Some("header") => self.header = text(&block["text"]),
            Some("section") if block["text"].is_object() => {
                let text = text(&block["text"]);
                let lines = text
                    .lines()
                    .map(|line| line.trim_start_matches("> ").to_owned());
                self.lines.extend(lines);
            }
            Some("section") => self.fields.extend(all("fields").iter().map(|field| {
                let text = text(field);
                let (label, value) = text.split_once('\n').unwrap_or(("", &text));
                (label.to_owned(), value.to_owned())
            })),
            Some("context") => self.lines.extend(all("elements").iter().map(text)),
            Some("actions") => {
                for element in all("elements") {
                    let label = text(&element["text"]);
                    let value = |key: &str| element[key].as_str().unwrap_or_default().to_owned();
                    match element["action_id"].as_str() {
                        Some(render::ACKNOWLEDGE_ACTION) => {
                            self.acknowledge = Some((label, value("value")));
                        }
                        _ => self.open = Some((label, value("url"))),
                    }
                }
            }
            _ => {}
        }
    }
}

/// Formatted text as plain text: stars gone, dates and links by their words, escapes undone.
fn mrkdwn(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let (before, sequence) = rest.split_at(start);
        out.push_str(&before.replace('*', ""));
        let Some((inner, after)) = sequence[1..].split_once('>') else {
            rest = sequence;
            break;
        };
        out.push_str(&shown(inner));
        rest = after;
    }
    out.push_str(&rest.replace('*', ""));
    out.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// A control sequence as Slack shows it.
fn shown(inner: &str) -> String {
    let (what, label) = inner.split_once('|').unwrap_or((inner, inner));
    match what
        .strip_prefix("!date^")
        .and_then(|date| date.split('^').next()?.parse::<i64>().ok())
    {
        Some(seconds) => {
            let at = Timestamp::from_millis(seconds.saturating_mul(1_000));
            render::clock(at, &render::korea())
        }
        None => label.to_owned(),
    }
}

impl Text {
    /// What a call says, or a message without a limit of bytes.
    fn other(kind: ChannelKind, message: &Message, record: &DeliveryRecord) -> Self {
        let (kind, subject, text) = match kind {
            ChannelKind::Email => {
                let mail = render::mail(message);
                ("E-MAIL", Some(mail.subject), mail.text)
            }
            ChannelKind::Alimtalk => ("ALIMTALK", None, render::plain(message)),
            ChannelKind::Webhook => ("WEBHOOK", None, render::plain(message)),
            ChannelKind::Teams => ("TEAMS", None, render::plain(message)),
            ChannelKind::Telegram => ("TELEGRAM", None, render::plain(message)),
            ChannelKind::Pagerduty => ("PAGERDUTY", None, render::plain(message)),
            ChannelKind::Opsgenie => ("OPSGENIE", None, render::plain(message)),
            ChannelKind::Voice | ChannelKind::Chat | ChannelKind::Sms => {
                ("CALL", None, render::speech(message))
            }
        };
        Self {
            key: record.id.to_string(),
            at: Moment::of(record.updated_at),
            kind,
            bytes: text.len(),
            link: None,
            subject,
            text,
        }
    }

    fn of(message: &Message, record: &DeliveryRecord, zone: &TimeZone) -> Self {
        let sms = render::sms(message, zone, LmsUse::Auto);
        let link = if message.purpose.is_page() {
            &message.ack_url
        } else {
            &message.incident_url
        };
        let text = sms.content.replace(link.as_str(), "");
        Self {
            key: record.id.to_string(),
            at: Moment::of(record.updated_at),
            kind: match sms.kind {
                render::SmsKind::Sms => "SMS",
                render::SmsKind::Lms => "LMS",
            },
            bytes: render::euckr::bytes(&sms.content),
            link: sms
                .content
                .contains(link.as_str())
                .then(|| link.clone())
                .filter(|l| is_web(l)),
            subject: sms.subject,
            text: text.trim_end().to_owned(),
        }
    }
}

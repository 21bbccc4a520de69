//! KakaoTalk's Alimtalk: a template that Kakao has approved, and the values of its variables.
//!
//! A whole message has at most 1,000 characters ("Alimtalk review guide"), so each value is bounded.

use super::{clock, link, phrases, place, reading, shortened};
use crate::core::message::Message;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// The variables that a registered template may use, as `#{name}`.
pub const ALIMTALK_VARIABLES: [&str; 6] = ["head", "title", "place", "value", "since", "link"];

/// Names of the registered templates.
#[derive(Debug, Clone, Copy)]
pub struct AlimtalkNames<'a> {
    /// Of a page.
    pub page: &'a str,
    /// Of news: acknowledged, closed, recovered.
    pub news: &'a str,
}

/// The message for a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alimtalk {
    /// Which template.
    pub template: String,
    /// All variables, each with a value: an empty one is refused.
    pub values: BTreeMap<&'static str, String>,
}

/// A template's text with its variables (`#{name}`) filled in. A value is never looked at for variables; at most
/// 1,000 characters come out, as Alimtalk has.
pub fn filled_template(text: &str, values: &BTreeMap<&'static str, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("#{") {
        out.push_str(before);
        let found = behind
            .split_once('}')
            .and_then(|(name, after)| Some((values.get(name)?, after)));
        match found {
            Some((value, after)) => {
                out.push_str(value);
                rest = after;
            }
            None => {
                out.push_str("#{");
                rest = behind;
            }
        }
    }
    out.push_str(rest);
    shortened(&out, 1_000)
}

/// The message as the values of its template.
pub fn alimtalk(message: &Message, names: &AlimtalkNames<'_>, zone: &TimeZone) -> Alimtalk {
    let (incident, words) = (&message.incident, phrases(message.recipient.language));
    let page = message.purpose.is_page();
    let (template, url) = match page {
        true => (names.page, &message.ack_url),
        false => (names.news, &message.incident_url),
    };
    let part = |text: &str| {
        let clean: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        match clean.trim() {
            "" => "-".to_owned(),
            text => shortened(text, 150),
        }
    };
    let mut head = format!("{} {}", incident.priority, words.purpose(message.purpose));
    if message.possible_repeat {
        head = format!("{head} ({})", words.possible_repeat);
    }
    let values = [
        part(&head),
        part(message.title()),
        part(&place(incident)),
        part(&reading(incident, words).unwrap_or_default()),
        part(&clock(incident.started_at, zone)),
        link(url).map_or_else(|| "-".to_owned(), str::to_owned),
    ];
    Alimtalk {
        template: template.to_owned(),
        values: ALIMTALK_VARIABLES.into_iter().zip(values).collect(),
    }
}

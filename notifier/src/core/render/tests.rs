//! What messages say, in both languages and at their limits.

use super::*;
use crate::core::{Actor, ChannelKind, DeliveryId, ProviderRef, Recipient};
use model::{IncidentId, Priority, TenantId};

fn incident() -> IncidentSummary {
    IncidentSummary {
        id: IncidentId::from_bytes([0xab; 16]),
        tenant: TenantId::parse("acme").unwrap(),
        template: "cpu-usage".to_owned(),
        group: vec![("host".to_owned(), "web-1".to_owned())],
        env: Some("prod".to_owned()),
        priority: Priority::P1,
        status: Status::Open,
        firing: true,
        title: "CPU usage is critically high".to_owned(),
        title_ko: Some("CPU 사용률이 매우 높습니다".to_owned()),
        why: "average of cpu usage over 5m is 97.2 %, above 90 % for 10m".to_owned(),
        value: Some(97.214),
        threshold: Some(90.0),
        unit: "percent".to_owned(),
        runbook: Some("https://wiki.example.com/cpu?a=1&b=2".to_owned()),
        started_at: Timestamp::from_millis(1_795_236_480_000),
        opened_at: Timestamp::from_millis(1_795_236_480_000),
        acknowledged: None,
        closed: None,
        due: None,
        until_resolved: false,
        assigned: None,
        hold: None,
        revision: 1,
    }
}

fn message(purpose: Purpose, language: Language) -> Message {
    let incident = incident();
    Message {
        delivery: DeliveryId::of(incident.id, 1, purpose, ChannelKind::Sms, "+821012345678"),
        purpose,
        recipient: Recipient {
            contact: Some("kim".to_owned()),
            name: "Kim".to_owned(),
            language,
            address: "+821012345678".to_owned(),
        },
        mentions: Vec::new(),
        thread: None,
        possible_repeat: false,
        note: None,
        ack_url: "https://bongsu.example.com/a/x7Kd93mQ".to_owned(),
        incident_url: format!("https://bongsu.example.com/incidents/{}", incident.id),
        incident,
    }
}

fn seoul() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(9))
}

#[test]
fn numbers_are_read_at_a_glance() {
    for (value, unit, text) in [
        (97.214, "percent", "97.2 %"),
        (90.0, "percent", "90 %"),
        (0.0, "percent", "0 %"),
        (-0.0001, "", "0"),
        (0.0626, "", "0.063"),
        (12_345.6, "", "12346"),
        (12_000.0, "", "12000"),
        (3.0, "seconds", "3 s"),
        (6.5, "days", "6.5 d"),
        (1_610_612_736.0, "bytes", "1.5 GiB"),
        (512.0, "bytes", "512 B"),
        (2e18, "", "2.000e18"),
        (14.0, "processes", "14 processes"),
        (f64::INFINITY, "", "inf"),
    ] {
        assert_eq!(quantity(value, unit), text, "{value} {unit}");
    }
}

#[test]
fn a_text_message_says_all_in_the_readers_language() {
    let korean = sms(
        &message(Purpose::Firing, Language::Ko),
        &seoul(),
        LmsUse::Auto,
    );
    insta::assert_snapshot!("sms_firing_ko", shown(&korean));
    let english = sms(
        &message(Purpose::Firing, Language::En),
        &seoul(),
        LmsUse::Auto,
    );
    insta::assert_snapshot!("sms_firing_en", shown(&english));
    let mut over = message(Purpose::Resolved, Language::Ko);
    over.incident.status = Status::Closed;
    over.incident.firing = false;
    over.incident.value = Some(41.0);
    insta::assert_snapshot!(
        "sms_resolved_ko",
        shown(&sms(&over, &seoul(), LmsUse::Auto))
    );
}

fn shown(text: &SmsText) -> String {
    let subject = text.subject.as_deref().unwrap_or("-");
    let (kind, bytes) = (text.kind, euckr::bytes(&text.content));
    format!(
        "{kind:?} {bytes} bytes, subject: {subject}\n---\n{}",
        text.content
    )
}

#[test]
fn a_possible_repeat_is_marked_in_every_form() {
    for language in [Language::En, Language::Ko] {
        let mut message = message(Purpose::Firing, language);
        message.possible_repeat = true;
        let long = sms(&message, &seoul(), LmsUse::Auto);
        assert!(long.content.contains("possible repeat"), "{long:?}");
        let short = sms(&message, &seoul(), LmsUse::Never);
        assert!(short.content.contains("]*2 "), "{short:?}");
        assert!(root(&message).text.contains("possible repeat"));
        assert!(
            root(&message).blocks[0]
                .to_string()
                .contains("possible repeat")
        );
        assert!(reply(&message).text.contains("possible repeat"));
    }
}

#[test]
fn without_long_messages_the_text_is_cut_to_what_matters() {
    let text = sms(
        &message(Purpose::Firing, Language::Ko),
        &seoul(),
        LmsUse::Never,
    );
    assert_eq!(text.kind, SmsKind::Sms);
    assert!(
        text.content.starts_with("[P1 발생] acme web-1 prod"),
        "{}",
        text.content
    );
    assert!(
        text.content
            .ends_with(" https://bongsu.example.com/a/x7Kd93mQ"),
        "{}",
        text.content
    );
    let mut message = message(Purpose::Firing, Language::Ko);
    message.ack_url = format!("https://bongsu.example.com/a/{}", "x".repeat(60));
    let text = sms(&message, &seoul(), LmsUse::Never).content;
    assert!(
        text.contains("97.2 % (기준 90 %)") && !text.contains("https"),
        "{text}"
    );
}

#[test]
fn whatever_stands_in_an_incident_the_limits_hold_and_the_phone_can_show_it() {
    let hostile = ["🔥", "뷁", "가", "&", "<!channel>", "a&"].map(|text| text.repeat(2_000));
    for text in &hostile {
        for purpose in Purpose::ALL {
            for lms in [LmsUse::Auto, LmsUse::Never] {
                let mut message = message(purpose, Language::Ko);
                message.incident.title_ko = Some(text.clone());
                message.incident.group.push(("z".to_owned(), text.clone()));
                message.incident.why.clone_from(text);
                message.note = Some(text.clone());
                message.possible_repeat = true;
                let sms = sms(&message, &seoul(), lms);
                assert_eq!(euckr::printable(&sms.content), sms.content);
                let limit = if sms.kind == SmsKind::Sms {
                    SMS_BYTES
                } else {
                    LMS_BYTES
                };
                assert!(euckr::bytes(&sms.content) <= limit, "{}", sms.content);
                let subject = sms.subject.unwrap_or_default();
                assert!(euckr::bytes(&subject) <= SUBJECT_BYTES, "{subject}");
                assert_eq!(subject.is_empty(), sms.kind == SmsKind::Sms);
                check_limits(&root(&message), 4_000);
                check_limits(&reply(&message), 40_000);
            }
        }
    }
}

/// The limits of Slack's reference; `text` bytes are `chat.update`'s for the one and
/// `chat.postMessage`'s for the other.
fn check_limits(post: &ChatPost, text: usize) {
    let length = |value: &serde_json::Value| value["text"].as_str().unwrap().chars().count();
    assert!(post.text.len() <= text, "{} bytes of text", post.text.len());
    let blocks = post.blocks.as_array().unwrap();
    assert!(blocks.len() <= 50);
    for block in blocks {
        match block["type"].as_str().unwrap() {
            "header" => assert!((1..=150).contains(&length(&block["text"]))),
            "section" if block["fields"].is_array() => {
                let fields = block["fields"].as_array().unwrap();
                assert!((1..=10).contains(&fields.len()));
                assert!(
                    fields
                        .iter()
                        .all(|field| (1..=2_000).contains(&length(field)))
                );
            }
            "section" => assert!((1..=3_000).contains(&length(&block["text"]))),
            "context" => {
                let elements = block["elements"].as_array().unwrap();
                assert!(
                    elements
                        .iter()
                        .all(|element| (1..=3_000).contains(&length(element)))
                );
            }
            "actions" => {
                let elements = block["elements"].as_array().unwrap();
                assert!((1..=25).contains(&elements.len()));
                assert!(
                    elements
                        .iter()
                        .all(|element| length(&element["text"]) <= 75)
                );
            }
            other => panic!("unexpected block {other}"),
        }
    }
}

#[test]
fn nothing_in_data_mentions_a_room_or_breaks_out_of_its_place() {
    let mut message = message(Purpose::Escalated, Language::En);
    message.incident.title = "<!channel> & <https://evil.example|click>".to_owned();
    message
        .incident
        .group
        .push(("tag".to_owned(), "<!here>".to_owned()));
    message.incident.why = "<@U999>".to_owned();
    message.incident.runbook = Some("https://evil.example/|x>".to_owned());
    message.note = Some("<!everyone>".to_owned());
    let mention = |name: &str, address: &str| Recipient {
        contact: None,
        name: name.to_owned(),
        language: Language::En,
        address: address.to_owned(),
    };
    message.mentions = vec![
        mention("Kim", "U0123ABCD"),
        mention("<!channel>", "channel"),
        mention("Lee", "U1> <!channel"),
    ];
    for post in [root(&message), reply(&message)] {
        let text = format!("{} {}", post.text, post.blocks);
        for broken in [
            "<!channel",
            "<!here",
            "<!everyone",
            "<https://evil",
            "<@U999",
        ] {
            assert!(!text.contains(broken), "{broken} in {text}");
        }
        assert!(text.contains("<@U0123ABCD>"), "{text}");
        assert!(text.contains("&lt;!channel&gt;"), "{text}");
    }
}

#[test]
fn a_chat_message_has_the_shape_that_people_learn() {
    insta::assert_json_snapshot!(
        "chat_firing_en",
        root(&message(Purpose::Firing, Language::En)).blocks
    );
    insta::assert_json_snapshot!(
        "chat_firing_ko",
        root(&message(Purpose::Firing, Language::Ko)).blocks
    );
}

#[test]
fn the_first_message_shows_the_incident_as_it_stands() {
    let by = |name: &str| Actor {
        name: name.to_owned(),
        contact: None,
    };
    let at = Timestamp::from_millis(1_795_236_600_000);
    for (status, firing, purpose, head, button) in [
        (Status::Open, true, Purpose::Firing, "[P1] FIRING", true),
        (
            Status::Open,
            true,
            Purpose::Escalated,
            "[P1] ESCALATED",
            true,
        ),
        (Status::Open, true, Purpose::Comment, "[P1] FIRING", true),
        (
            Status::Acknowledged,
            true,
            Purpose::Acknowledged,
            "[P1] ACKNOWLEDGED",
            false,
        ),
        (
            Status::Acknowledged,
            true,
            Purpose::Firing,
            "[P1] ACKNOWLEDGED",
            false,
        ),
        (
            Status::Acknowledged,
            true,
            Purpose::AckRanOut,
            "[P1] STILL ON IT?",
            true,
        ),
        (
            Status::Closed,
            false,
            Purpose::Resolved,
            "[P1] RESOLVED",
            false,
        ),
        (
            Status::Closed,
            false,
            Purpose::Expired,
            "[P1] EXPIRED",
            false,
        ),
        (Status::Closed, true, Purpose::Comment, "[P1] CLOSED", false),
    ] {
        let mut message = message(purpose, Language::En);
        message.thread = Some(ProviderRef("C1:1".to_owned()));
        message.incident.status = status;
        message.incident.firing = firing;
        message.incident.acknowledged = Some((by("Kim"), at));
        let blocks = root(&message).blocks;
        let header = blocks[0]["text"]["text"].as_str().unwrap();
        assert!(header.starts_with(head), "{status} {purpose:?}: {header}");
        assert_eq!(
            blocks.to_string().contains(ACKNOWLEDGE_ACTION),
            button,
            "{status} {purpose:?}"
        );
    }
}

#[test]
fn a_reply_tells_the_news_and_who_made_it() {
    let mut message = message(Purpose::Acknowledged, Language::Ko);
    message.incident.status = Status::Acknowledged;
    let kim = Actor {
        name: "김민수".to_owned(),
        contact: None,
    };
    message.incident.acknowledged = Some((kim, Timestamp::default()));
    message.note = Some("배치 작업 확인 중".to_owned());
    insta::assert_snapshot!("chat_reply_ko", reply(&message).text);
}

#[test]
fn only_web_links_become_links() {
    for (url, linked) in [
        ("https://a.example/x?y=1&z=2", true),
        ("http://127.0.0.1:8189/", true),
        ("javascript:alert(1)", false),
        ("https://a.example/ x", false),
        ("ftp://a.example", false),
        ("", false),
    ] {
        assert_eq!(link(url).is_some(), linked, "{url}");
    }
}

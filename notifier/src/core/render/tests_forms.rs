//! Every channel's form of the same messages, and what each does with what it cannot show.

use super::preview::{Subject, previews, sample};
use super::telegram::{TELEGRAM_CHARS, telegram_reply, telegram_root};
use super::*;
use crate::core::{Actor, ProviderRef};
use model::Priority;

const NOW: Timestamp = Timestamp::from_millis(1_795_236_480_000);

fn message(purpose: Purpose, language: Language) -> Message {
    let subject = Subject {
        template: "cpu-usage",
        title: "CPU usage of {host} is critically high",
        title_ko: Some("{host}의 CPU 사용률이 매우 높습니다"),
        unit: "percent",
        runbook: Some("https://wiki.example.com/cpu"),
        priority: Priority::P1,
    };
    sample(&subject, purpose, language, NOW)
}

fn kim() -> Option<(Actor, Timestamp)> {
    let (name, contact) = ("Kim".to_owned(), None);
    Some((Actor { name, contact }, NOW))
}

fn forms(message: &Message) -> String {
    let shown = previews(message).into_iter().map(|one| {
        let (channel, form, bytes) = (one.channel, one.form, one.bytes);
        format!("--- {channel}, {form}, {bytes} bytes\n{}", one.text)
    });
    shown.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_channel_says_the_same_in_its_own_form() {
    insta::assert_snapshot!(
        "forms_firing_en",
        forms(&message(Purpose::Firing, Language::En))
    );
    let mut raised = message(Purpose::Raised, Language::Ko);
    raised.possible_repeat = true;
    raised.note = Some("배치 확인\u{2028}중".to_owned());
    insta::assert_snapshot!("forms_raised_ko", forms(&raised));
    let mut taken = message(Purpose::Acknowledged, Language::En);
    taken.incident.acknowledged = kim();
    insta::assert_snapshot!("forms_acknowledged_en", forms(&taken));
    insta::assert_snapshot!(
        "forms_resolved_ko",
        forms(&message(Purpose::Resolved, Language::Ko))
    );
}

#[test]
fn a_sample_stands_where_its_purpose_has_brought_it() {
    for (purpose, status, firing) in [
        (Purpose::Firing, Status::Open, true),
        (Purpose::Acknowledged, Status::Acknowledged, true),
        (Purpose::Closed, Status::Closed, true),
        (Purpose::Resolved, Status::Closed, false),
        (Purpose::Expired, Status::Closed, false),
    ] {
        let incident = message(purpose, Language::En).incident;
        assert_eq!(
            (incident.status, incident.firing),
            (status, firing),
            "{purpose:?}"
        );
    }
}

#[test]
fn an_alert_elsewhere_is_opened_taken_and_ended_and_never_opened_again_by_a_word_about_it() {
    for (purpose, status, action, calls) in [
        (Purpose::Firing, Status::Open, Some("trigger"), "create"),
        (
            Purpose::Raised,
            Status::Open,
            Some("trigger"),
            "create, PUT priority",
        ),
        (Purpose::Comment, Status::Open, Some("trigger"), "notes"),
        (Purpose::Comment, Status::Closed, None, "notes"),
        (Purpose::Digest, Status::Closed, None, "notes"),
        (Purpose::Firing, Status::Closed, Some("trigger"), "create"),
        (
            Purpose::Acknowledged,
            Status::Acknowledged,
            Some("acknowledge"),
            "acknowledge",
        ),
        (Purpose::Closed, Status::Closed, Some("resolve"), "close"),
        (Purpose::Resolved, Status::Closed, Some("resolve"), "close"),
        (Purpose::Expired, Status::Closed, Some("resolve"), "close"),
    ] {
        let mut message = message(purpose, Language::En);
        message.incident.status = status;
        message.note = Some("look at the batch".to_owned());
        let event = pagerduty_event(&message);
        let found = event
            .as_ref()
            .and_then(|event| event["event_action"].as_str());
        assert_eq!(found, action, "{purpose:?} {status}");
        let full = event.is_some_and(|event| event["payload"].is_object());
        assert_eq!(full, action == Some("trigger"), "{purpose:?}");
        let made = opsgenie_calls(&message);
        let word = |call: &OpsgenieCall| {
            let path = call.path.rsplit('/').next().unwrap_or_default();
            let what = path
                .split('?')
                .next()
                .filter(|word| !word.is_empty())
                .unwrap_or("create");
            if call.put {
                format!("PUT {what}")
            } else {
                what.to_owned()
            }
        };
        assert_eq!(
            made.iter().map(word).collect::<Vec<_>>().join(", "),
            calls,
            "{purpose:?}"
        );
        let note = made[0].body["note"].as_str().unwrap_or_default();
        let noted = calls != "create" && calls != "create, PUT priority";
        assert_eq!(
            note.contains("look at the batch"),
            noted,
            "{purpose:?} {note}"
        );
    }
}

#[test]
fn what_opsgenie_has_no_room_for_is_left_out_and_what_fits_behind_it_is_not() {
    let mut message = message(Purpose::Firing, Language::En);
    message.incident.group = (0..20)
        .map(|n| (format!("t{n:02}"), "x".repeat(490)))
        .collect();
    message
        .incident
        .group
        .push(("z".to_owned(), "small".to_owned()));
    message.incident.env = Some(" , ".to_owned());
    let body = &opsgenie_calls(&message)[0].body;
    let details = body["details"].as_object().expect("details");
    let used: usize = details
        .iter()
        .map(|(key, value)| key.chars().count() + value.as_str().expect("a text").chars().count())
        .sum();
    // Each large one takes 497 of the 7,000, so that what is left over is less than one of them.
    assert!((7_000 - 497..=7_000).contains(&used), "{used}");
    assert_eq!(details["tag z"], "small");
    assert_eq!(
        body["tags"],
        serde_json::json!(["acme", "cpu-usage"]),
        "a comma is no tag"
    );
    // Without a host it is about the tenant.
    assert_eq!(body["entity"], "acme");
}

#[test]
fn telegram_gets_a_button_where_a_press_counts_and_links_of_the_web_alone() {
    let buttons = |message: &Message, presses| {
        let markup = telegram_root(message, presses).markup;
        let row = markup["inline_keyboard"][0]
            .as_array()
            .cloned()
            .unwrap_or_default();
        row.iter()
            .map(|one| one["text"].as_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    for (purpose, status, presses, expected) in [
        (
            Purpose::Firing,
            Status::Open,
            true,
            &["Acknowledge", "Open"][..],
        ),
        (Purpose::Firing, Status::Open, false, &["Open"]),
        (Purpose::Acknowledged, Status::Acknowledged, true, &["Open"]),
        (
            Purpose::AckRanOut,
            Status::Acknowledged,
            true,
            &["Acknowledge", "Open"],
        ),
        (Purpose::Resolved, Status::Closed, true, &["Open"]),
    ] {
        let mut message = message(purpose, Language::En);
        message.incident.status = status;
        assert_eq!(buttons(&message, presses), expected, "{purpose:?} {status}");
    }
    for (url, linked) in [
        ("https://bongsu.example.com/i/1", true),
        ("https://bongsu.example.com:8443/i/1", true),
        ("http://bongsu.example.com/i/1", false),
        ("https://localhost/i/1", false),
        ("https://.example/i/1", false),
        ("https://example./i/1", false),
    ] {
        let mut message = message(Purpose::Resolved, Language::En);
        message.incident_url = url.to_owned();
        let markup = telegram_root(&message, true).markup;
        let rows = markup["inline_keyboard"].as_array().map_or(0, Vec::len);
        assert_eq!(rows == 1, linked, "{url}: {markup}");
    }
}

#[test]
fn telegram_says_who_has_it_and_cuts_at_4096_units_without_what_it_refuses() {
    let mut taken = message(Purpose::Acknowledged, Language::En);
    taken.incident.acknowledged = kim();
    let text = telegram_root(&taken, true).text;
    let second = text.lines().nth(1).unwrap_or_default();
    assert!(second.contains("Kim"), "{text}");
    assert!(text.lines().count() > 3, "{text}");
    taken.note = Some("on\u{7} it".to_owned());
    taken.thread = Some(ProviderRef("1".to_owned()));
    let reply = telegram_reply(&taken);
    assert!(
        reply.contains("Kim") && reply.contains("on it") && reply.contains('\n'),
        "{reply:?}"
    );

    // A flame is two units of UTF-16; the ellipsis is one.
    for (note, units) in [
        ("x".repeat(5_000), TELEGRAM_CHARS),
        ("🔥".repeat(3_000), TELEGRAM_CHARS),
    ] {
        taken.note = Some(note);
        let reply = telegram_reply(&taken);
        let long = reply.encode_utf16().count();
        assert!((units - 1..=units).contains(&long), "{long}");
        assert!(reply.ends_with('…'));
    }
}

#[test]
fn a_template_of_ones_own_has_every_value() {
    let template = MessageTemplate::parse("{{ incident.priority }} {{ place }}: {{ head }}")
        .expect("it reads");
    let text = template.render(&message(Purpose::Firing, Language::En));
    assert_eq!(
        text.as_deref(),
        Ok("P1 acme web-1 prod: [P1 FIRING] CPU usage of web-1 is critically high")
    );
}

#[test]
fn variables_of_a_registered_template_are_filled_once() {
    let values = std::collections::BTreeMap::from([
        ("title", "#{place}".to_owned()),
        ("place", "web-1".to_owned()),
    ]);
    for (text, filled) in [
        ("장애 #{title} 위치 #{place}.", "장애 #{place} 위치 web-1."),
        ("#{other} #{place}", "#{other} web-1"),
        ("#{place", "#{place"),
        ("", ""),
    ] {
        assert_eq!(filled_template(text, &values), filled, "{text}");
    }
    assert_eq!(
        filled_template(&"x".repeat(1_001), &values).chars().count(),
        1_000
    );
}

#[test]
fn a_card_shows_data_as_text_without_markdown_or_control_characters() {
    let mut message = message(Purpose::Firing, Language::En);
    message.incident.why = "a*b_[c](d)\u{7}e".to_owned();
    let text = card(&message).to_string();
    assert!(text.contains(r"a\\*b\\_\\[c\\](d) e"), "{text}");
}

#[test]
fn each_page_says_what_is_next_and_news_say_nothing() {
    let english = phrases(Language::En);
    for purpose in Purpose::ALL {
        let expected = match purpose {
            Purpose::Escalated => Some(english.next_escalated),
            Purpose::RanOut => Some(english.next_ran_out),
            Purpose::AckRanOut => Some(english.next_ack_ran_out),
            page if page.is_page() => Some(english.next_acknowledge),
            _ => None,
        };
        assert_eq!(
            next_step(&message(purpose, Language::En), english),
            expected,
            "{purpose:?}"
        );
    }
}

#[test]
fn a_word_about_what_is_over_shows_it_as_over() {
    for (firing, expected) in [(true, Purpose::Closed), (false, Purpose::Resolved)] {
        let mut message = message(Purpose::Comment, Language::En);
        (message.incident.status, message.incident.firing) = (Status::Closed, firing);
        assert_eq!(standing(&message), expected);
    }
}

#[test]
fn sizes_change_their_unit_at_1024() {
    for (bytes, text) in [
        (1_023.0, "1023 B"),
        (1_024.0, "1 KiB"),
        (1_048_576.0, "1 MiB"),
    ] {
        assert_eq!(quantity(bytes, "bytes"), text);
    }
}

/// A text of 90 bytes at most for each length of link, title and place: the head and what fits, and never a word cut short
/// where there was room for it.
#[test]
fn ninety_bytes_hold_as_much_as_fits() {
    let mut shown = Vec::new();
    for link in [30, 44, 45] {
        for title in [5, 20, 80] {
            for (host, value) in [
                ("web-1", Some(97.2)),
                ("a-host-with-a-long-name-in-it", None),
            ] {
                let mut message = message(Purpose::Firing, Language::En);
                message.possible_repeat = title == 20;
                message.ack_url = format!("https://b.kr/{}", "k".repeat(link - 13));
                message.incident.title = "t".repeat(title);
                message.incident.group = vec![("host".to_owned(), host.to_owned())];
                message.incident.value = value;
                let text = sms(&message, &korea(), LmsUse::Never).content;
                shown.push(format!("{} {text}", euckr::bytes(&text)));
            }
        }
    }
    insta::assert_snapshot!("sms_ninety_bytes", shown.join("\n"));
}

#[test]
fn a_notice_says_its_own_words_in_the_place_of_a_title() {
    let mut notice = message(Purpose::Notice, Language::En);
    notice.note = Some("Your code is 042017.".to_owned());
    assert_eq!(
        (notice.title(), notice.remark()),
        ("Your code is 042017.", None)
    );
    notice.purpose = Purpose::Comment;
    assert_eq!(notice.title(), "CPU usage of web-1 is critically high");
    assert_eq!(notice.remark(), Some("Your code is 042017."));
}

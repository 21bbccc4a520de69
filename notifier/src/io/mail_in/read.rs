//! A mail as a report: its subject is what it is about.
//!
//! The subject without `Re:`, `Fwd:` and words of state is the alert's identity: the same subject again is the same alert.
//! `[RESOLVED]`, `[OK]`, `[CLOSED]`, `[RECOVERED]`, `[복구]` at its beginning, with brackets or a colon, end it; `[P1]` to `[P3]`
//! there are the priority, else `Importance` or `X-Priority` is.

use crate::core::{Facts, Report, Says};
use mail_parser::{HeaderValue, Message, MessageParser};
use model::{Priority, Timestamp};

/// Characters of the text that is shown.
const WHY: usize = 2_000;
/// Characters of an identity.
const KEY: usize = 255;
/// Servers that a mail may have passed: more is a loop (RFC 5321, 6.3).
const HOPS: usize = 100;
/// Words before a subject that mean that it is over.
const OVER: [&str; 8] = [
    "resolved",
    "recovered",
    "recovery",
    "ok",
    "closed",
    "clear",
    "cleared",
    "복구",
];
/// Words before a subject that mean nothing new.
const FIRING: [&str; 12] = [
    "re",
    "fw",
    "fwd",
    "aw",
    "firing",
    "alert",
    "problem",
    "triggered",
    "critical",
    "warning",
    "장애",
    "발생",
];

/// Why a mail is no report: the answer of the mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoReport(pub(super) &'static str);

/// The report that a mail is; `source` is the name of its integration.
pub(super) fn report(bytes: &[u8], source: &str, now: Timestamp) -> Result<Report, NoReport> {
    let parsed = MessageParser::default().parse(bytes);
    let mail = parsed.ok_or(NoReport("554 5.6.0 this is no mail\r\n"))?;
    if is_a_loop(&mail) {
        return Err(NoReport("554 5.4.6 this mail goes in a circle\r\n"));
    }
    let subject = one_line(mail.subject().unwrap_or_default());
    let read = Subject::of(&subject);
    if read.text.is_empty() {
        return Err(NoReport(
            "554 5.6.0 a mail without a subject opens no incident\r\n",
        ));
    }
    let from = mail
        .from()
        .and_then(|list| list.first())
        .and_then(|one| one.address())
        .map(one_line)
        .unwrap_or_default();
    let text = mail.body_text(0).unwrap_or_default();
    let why: String = text.trim().chars().take(WHY).collect();
    let mut labels = vec![("integration".to_owned(), source.to_owned())];
    if !from.is_empty() {
        labels.insert(0, ("from".to_owned(), from.chars().take(320).collect()));
    }
    Ok(Report {
        key: read.text.to_lowercase().chars().take(KEY).collect(),
        says: match read.over {
            true => Says::Resolved,
            false => Says::Firing(None),
        },
        starts_at: now,
        priority: read.priority.unwrap_or_else(|| importance(&mail)),
        reopens: true,
        facts: Facts {
            name: "email".to_owned(),
            labels,
            annotations: Vec::new(),
            why: if why.is_empty() {
                read.text.clone()
            } else {
                why
            },
            title: read.text,
            runbook: None,
            generator: String::new(),
        },
    })
}

/// Our own mails, answers of machines that are away, and what passed too many servers.
fn is_a_loop(mail: &Message<'_>) -> bool {
    let header = |name: &str| text(mail, name).to_lowercase();
    let received = mail
        .headers()
        .iter()
        .filter(|header| header.name() == "Received");
    !header("X-Bongsu-Delivery").is_empty()
        || header("Auto-Submitted").starts_with("auto-replied")
        || received.count() > HOPS
}

fn text<'a>(mail: &'a Message<'_>, name: &str) -> &'a str {
    match mail.header(name.to_owned()) {
        Some(HeaderValue::Text(text)) => text.trim(),
        _ => "",
    }
}

fn importance(mail: &Message<'_>) -> Priority {
    let level = text(mail, "Importance").to_lowercase();
    match (level.as_str(), text(mail, "X-Priority").chars().next()) {
        ("high", _) | (_, Some('1' | '2')) => Priority::P1,
        ("low", _) | (_, Some('4' | '5')) => Priority::P3,
        _ => Priority::P2,
    }
}

/// A subject, taken apart.
struct Subject {
    text: String,
    over: bool,
    priority: Option<Priority>,
}

impl Subject {
    fn of(subject: &str) -> Self {
        let mut read = Self {
            text: String::new(),
            over: false,
            priority: None,
        };
        let mut rest = subject.trim();
        while let Some((words, after)) = first(rest) {
            if !words.split(' ').all(|word| read.word(word)) {
                break;
            }
            rest = after.trim_start();
        }
        rest.trim().clone_into(&mut read.text);
        read
    }

    /// Whether a word says something of the state, which it takes.
    fn word(&mut self, word: &str) -> bool {
        let word = word.to_lowercase();
        let priority = match word.as_str() {
            "p1" => Some(Priority::P1),
            "p2" => Some(Priority::P2),
            "p3" => Some(Priority::P3),
            _ => None,
        };
        let over = OVER.contains(&word.as_str());
        self.over |= over;
        self.priority = priority.or(self.priority);
        over || priority.is_some() || FIRING.contains(&word.as_str())
    }
}

/// The words within brackets, or before a colon, at the beginning.
fn first(text: &str) -> Option<(&str, &str)> {
    if let Some(inner) = text.strip_prefix('[') {
        return inner.split_once(']');
    }
    let (word, after) = text.split_once(':')?;
    (!word.contains(' ')).then_some((word, after))
}

/// Without line ends and control characters.
fn one_line(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    clean.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_237_200_000);

    fn read(mail: &str) -> Result<Report, NoReport> {
        report(mail.replace('\n', "\r\n").as_bytes(), "backup", NOW)
    }

    fn subject(subject: &str) -> Report {
        let mail = format!(
            "From: Cron <cron@web-1.example.com>\nSubject: {subject}\n\nthe disk is full\n"
        );
        read(&mail).expect(subject)
    }

    #[test]
    fn the_subject_is_what_it_is_about_and_words_before_it_are_its_state() {
        for (given, title, over, priority) in [
            (
                "Disk full on web-1",
                "Disk full on web-1",
                false,
                Priority::P2,
            ),
            (
                "[P1] Disk full on web-1",
                "Disk full on web-1",
                false,
                Priority::P1,
            ),
            (
                "Re: [P3 FIRING] Disk full on web-1",
                "Disk full on web-1",
                false,
                Priority::P3,
            ),
            (
                "RESOLVED: Disk full on web-1",
                "Disk full on web-1",
                true,
                Priority::P2,
            ),
            (
                "[RESOLVED] [P1] Disk full on web-1",
                "Disk full on web-1",
                true,
                Priority::P1,
            ),
            (
                "Fwd: Re: [OK] Disk full on web-1",
                "Disk full on web-1",
                true,
                Priority::P2,
            ),
            ("[복구] 디스크", "디스크", true, Priority::P2),
            (
                "=?UTF-8?B?7J6l7JWgOiDrlJTsiqTtgaw=?=",
                "디스크",
                false,
                Priority::P2,
            ),
            ("=?EUC-KR?B?tfC9usWp?=", "디스크", false, Priority::P2),
            (
                "[web-1] load is 12: too high",
                "[web-1] load is 12: too high",
                false,
                Priority::P2,
            ),
        ] {
            let report = subject(given);
            assert_eq!(report.facts.title, title, "{given}");
            assert_eq!(report.key, title.to_lowercase(), "{given}");
            assert_eq!(report.says == Says::Resolved, over, "{given}");
            assert_eq!(report.priority, priority, "{given}");
        }
        let report = subject("x");
        assert_eq!(report.facts.why, "the disk is full");
        assert_eq!(
            report.facts.labels[0],
            ("from".to_owned(), "cron@web-1.example.com".to_owned())
        );
    }

    #[test]
    fn importance_is_the_priority_where_the_subject_names_none() {
        for (header, priority) in [
            ("Importance: high", Priority::P1),
            ("Importance: Low", Priority::P3),
            ("X-Priority: 1 (Highest)", Priority::P1),
            ("X-Priority: 5", Priority::P3),
            ("X-Other: 1", Priority::P2),
        ] {
            let found = read(&format!("Subject: x\n{header}\n\ny\n")).expect("a report");
            assert_eq!(found.priority, priority, "{header}");
        }
        let found = read("Subject: [P3] x\nImportance: high\n\ny\n").expect("a report");
        assert_eq!(found.priority, Priority::P3);
    }

    #[test]
    fn what_has_no_subject_or_goes_in_a_circle_opens_nothing() {
        let hops = "Received: by mx\n".repeat(101);
        for (mail, told) in [
            ("From: a@example.com\n\nhello\n", "without a subject"),
            ("Subject: Re:\n\nhello\n", "without a subject"),
            (
                "Subject: x\nAuto-Submitted: auto-replied\n\naway\n",
                "circle",
            ),
            ("Subject: x\nX-Bongsu-Delivery: 1\n\npage\n", "circle"),
            (&format!("{hops}Subject: x\n\ny\n"), "circle"),
        ] {
            let error = read(mail).expect_err(mail);
            assert!(error.0.contains(told), "{mail}: {error:?}");
        }
    }

    #[test]
    fn parts_are_read_as_text_and_a_subject_is_one_line() {
        let mail = "Subject: a\n =?utf-8?Q?_b=0D=0ABcc:_c?=\nContent-Type: multipart/alternative; boundary=x\n\n--x\n\
            Content-Type: text/plain; charset=euc-kr\nContent-Transfer-Encoding: base64\n\ntfC9usWp\n--x\n\
            Content-Type: text/html\n\n<b>other</b>\n--x--\n";
        let report = read(mail).expect("a report");
        assert_eq!(report.facts.why, "디스크");
        assert!(
            !report.facts.title.contains(['\r', '\n']),
            "{:?}",
            report.facts.title
        );
        let html = read("Subject: a\nContent-Type: text/html\n\n<p>disk</p><script>x</script>\n")
            .expect("a report");
        assert!(
            html.facts.why.contains("disk") && !html.facts.why.contains('<'),
            "{}",
            html.facts.why
        );
    }
}

//! What an answer to a write means. Pure: the whole table is tested below.

use std::time::Duration;

/// What became of the lines of one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteVerdict {
    /// Every line is stored.
    Stored,
    /// Some lines can never be stored, such as those whose field has another type; the others are.
    /// The answer does not say which. Sending a line again does no harm: it overwrites itself.
    Partial {
        /// What the store said.
        reason: String,
    },
    /// At least one line is not line protocol, and nothing was stored.
    Rejected {
        /// What the store said.
        reason: String,
    },
    /// The body is larger than the store takes; nothing was stored.
    TooLarge {
        /// What the store said.
        reason: String,
    },
    /// The bucket does not exist; nothing was stored.
    NoBucket {
        /// What the store said.
        reason: String,
    },
    /// Not these lines but the shard is at fault: send them again. They may or may not be stored.
    Later {
        /// Why, which decides who must hear of it.
        why: Retry,
        /// How long the store asked to be left alone.
        after: Option<Duration>,
        /// What the store or the client said.
        reason: String,
    },
}

/// Why a write has to be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// No connection, or no answer in time.
    Unreachable,
    /// The store has too much to do (429, 503).
    Busy,
    /// The store failed (other 5xx).
    Failed,
    /// The token is missing, wrong or has no right to this bucket: a person must act.
    Unauthorized,
    /// The answer is none of InfluxDB's, or the organization is unknown: a person must act.
    Misconfigured,
}

impl Retry {
    /// The word for it in a metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::Unauthorized => "unauthorized",
            Self::Misconfigured => "misconfigured",
        }
    }

    /// Whether it stays until a person acts.
    pub fn needs_a_person(self) -> bool {
        matches!(self, Self::Unauthorized | Self::Misconfigured)
    }
}

/// An answer to a write, as far as it decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The body, cut to what a person reads.
    pub body: &'a str,
    /// The header `Retry-After`.
    pub retry_after: Option<&'a str>,
    /// The header `Date`, against which a `Retry-After` that names an instant is measured.
    pub date: Option<&'a str>,
}

/// Longest text of an answer that is kept.
const REASON_CHARS: usize = 1_000;

/// Decides. The order of the checks follows the table of statuses in the design of the data plane.
pub fn classify(answer: &Answer<'_>) -> WriteVerdict {
    let said = Said::read(answer.body);
    let reason = said.reason(answer.status);
    let later = |why| WriteVerdict::Later {
        why,
        after: retry_after(answer),
        reason: reason.clone(),
    };
    match answer.status {
        204 => WriteVerdict::Stored,
        // Only an answer in InfluxDB's own form may condemn lines: a proxy's page says nothing of
        // them.
        400 | 422 if said.foreign => later(Retry::Misconfigured),
        422 => WriteVerdict::Partial { reason },
        400 if said.text.contains("partial write") => WriteVerdict::Partial { reason },
        400 => WriteVerdict::Rejected { reason },
        401 | 403 => later(Retry::Unauthorized),
        404 if said.names_a_missing_bucket() => WriteVerdict::NoBucket { reason },
        413 => WriteVerdict::TooLarge { reason },
        429 | 503 => later(Retry::Busy),
        500..=599 => later(Retry::Failed),
        _ => later(Retry::Misconfigured),
    }
}

/// The text of an answer, taken out of InfluxDB's JSON.
struct Said {
    text: String,
    foreign: bool,
}

impl Said {
    fn read(body: &str) -> Self {
        let body = body.trim();
        if let Ok(serde_json::Value::Object(object)) = serde_json::from_str(body) {
            // Version 2 says `message`, versions 1 and 3 say `error`.
            let text = ["message", "error"]
                .iter()
                .find_map(|key| object.get(*key).and_then(serde_json::Value::as_str));
            return Self {
                foreign: text.is_none(),
                text: text.unwrap_or(body).chars().take(REASON_CHARS).collect(),
            };
        }
        Self {
            foreign: body.starts_with('<'),
            text: body.chars().take(REASON_CHARS).collect(),
        }
    }

    fn reason(&self, status: u16) -> String {
        if self.text.is_empty() {
            format!("status {status}")
        } else {
            format!("status {status}: {}", self.text)
        }
    }

    fn names_a_missing_bucket(&self) -> bool {
        !self.foreign && (self.text.contains("bucket") || self.text.contains("database"))
    }
}

/// RFC 9110, 10.2.3: a number of seconds, or an instant.
fn retry_after(answer: &Answer<'_>) -> Option<Duration> {
    let text = answer.retry_after?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let instant = |text| jiff::fmt::rfc2822::parse(text).ok();
    let wait = instant(text)?.duration_since(&instant(answer.date?)?);
    Duration::try_from(wait).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, body: &str) -> String {
        let answer = Answer {
            status,
            body,
            retry_after: None,
            date: None,
        };
        match classify(&answer) {
            WriteVerdict::Stored => "stored".to_owned(),
            WriteVerdict::Partial { .. } => "partial".to_owned(),
            WriteVerdict::Rejected { .. } => "rejected".to_owned(),
            WriteVerdict::TooLarge { .. } => "too large".to_owned(),
            WriteVerdict::NoBucket { .. } => "no bucket".to_owned(),
            WriteVerdict::Later { why, .. } => format!("later, {}", why.label()),
        }
    }

    /// Bodies as InfluxDB 2.7.12 gave them, and 1.8 and 3 document them.
    const TABLE: &[(u16, &str, &str)] = &[
        (204, "", "stored"),
        (
            400,
            r#"{"code":"invalid","message":"unable to parse 'bad': missing fields"}"#,
            "rejected",
        ),
        (400, "", "rejected"),
        (
            400,
            r#"{"error":"partial write: field type conflict: dropped=1"}"#,
            "partial",
        ),
        (
            400,
            r#"{"error":"partial write of line protocol occurred","data":[{"line_number":2}]}"#,
            "partial",
        ),
        (
            400,
            "<html><title>400 Bad Request</title></html>",
            "later, misconfigured",
        ),
        (
            401,
            r#"{"code":"unauthorized","message":"unauthorized access"}"#,
            "later, unauthorized",
        ),
        (
            403,
            r#"{"code":"forbidden","message":"insufficient permissions for write"}"#,
            "later, unauthorized",
        ),
        (
            404,
            r#"{"code":"not found","message":"bucket \"acme\" not found"}"#,
            "no bucket",
        ),
        (
            404,
            r#"{"error":"database not found: \"acme\""}"#,
            "no bucket",
        ),
        (
            404,
            r#"{"code":"not found","message":"organization name \"x\" not found"}"#,
            "later, misconfigured",
        ),
        (404, "404 page not found", "later, misconfigured"),
        (
            404,
            "<html>no such bucket or host</html>",
            "later, misconfigured",
        ),
        (
            413,
            r#"{"code":"request too large","message":"unable to read data"}"#,
            "too large",
        ),
        (413, "<html>413</html>", "too large"),
        (
            422,
            r#"{"code":"unprocessable entity","message":"partial write: dropped=1"}"#,
            "partial",
        ),
        (429, "", "later, busy"),
        (503, "", "later, busy"),
        (
            500,
            r#"{"code":"internal error","message":"cache-max-memory exceeded"}"#,
            "later, failed",
        ),
        (502, "<html>bad gateway</html>", "later, failed"),
        (504, "", "later, failed"),
        (200, "<html>please log in</html>", "later, misconfigured"),
        (301, "", "later, misconfigured"),
        (405, "", "later, misconfigured"),
        (415, "", "later, misconfigured"),
    ];

    #[test]
    fn every_status_means_what_the_table_says() {
        for (status, body, expected) in TABLE {
            assert_eq!(verdict(*status, body), *expected, "{status} {body}");
        }
    }

    #[test]
    fn a_wait_is_read_as_seconds_or_as_an_instant() {
        let now = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        for (text, date, expected) in [
            ("7", None, Some(7)),
            (" 120 ", None, Some(120)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", now, Some(30)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", now, None),
            ("Sun, 06 Nov 1994 08:50:07 GMT", None, None),
            ("soon", now, None),
            ("-1", now, None),
        ] {
            let answer = Answer {
                status: 503,
                body: "",
                retry_after: Some(text),
                date,
            };
            let WriteVerdict::Later { after, .. } = classify(&answer) else {
                panic!("503 is retried");
            };
            assert_eq!(after, expected.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn a_reason_names_the_status_and_is_bounded() {
        let answer = Answer {
            status: 500,
            body: &"x".repeat(5_000),
            retry_after: None,
            date: None,
        };
        let WriteVerdict::Later { reason, .. } = classify(&answer) else {
            panic!("500 is retried");
        };
        assert!(reason.starts_with("status 500: xxx") && reason.len() < 1_100);
    }
}

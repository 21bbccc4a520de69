//! What an answer to a write means. Pure: the whole table is tested below.

use crate::Dialect;
use std::time::Duration;

/// A line that the store named as one it can never take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Which line of the body, from 0.
    pub line: usize,
    /// What the store said about it.
    pub reason: String,
}

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
    /// These lines can never be stored; all others are. Rising, each line once, never empty.
    Named {
        /// The lines.
        bad: Vec<BadLine>,
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
/// `lines` is how many lines were sent.
pub fn classify(dialect: Dialect, answer: &Answer<'_>, lines: usize) -> WriteVerdict {
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
        // Version 3 says it of limits, such as one database too many, and never of a line.
        422 if dialect == Dialect::V3 => later(Retry::Misconfigured),
        422 => WriteVerdict::Partial { reason },
        400 if dialect == Dialect::V3 => match named(answer.body, lines) {
            Some(bad) => WriteVerdict::Named { bad },
            None if said.text.contains("partial write") => WriteVerdict::Partial { reason },
            None => WriteVerdict::Rejected { reason },
        },
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

/// The lines that version 3 names in `data`. None when it names none, or one that was not sent: then
/// the numbers cannot be trusted.
fn named(body: &str, lines: usize) -> Option<Vec<BadLine>> {
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    if !body.get("error")?.as_str()?.contains("partial write") {
        return None;
    }
    let each = |item: &serde_json::Value| {
        let number = usize::try_from(item.get("line_number")?.as_u64()?).ok()?;
        let said = item
            .get("error_message")
            .and_then(serde_json::Value::as_str);
        let said: String = said
            .unwrap_or("refused")
            .chars()
            .take(REASON_CHARS)
            .collect();
        Some(BadLine {
            line: number.checked_sub(1).filter(|line| *line < lines)?,
            reason: format!("status 400: {said}"),
        })
    };
    let mut bad: Vec<_> = body
        .get("data")?
        .as_array()?
        .iter()
        .map(each)
        .collect::<Option<_>>()?;
    bad.sort_by_key(|bad| bad.line);
    bad.dedup_by_key(|bad| bad.line);
    (!bad.is_empty()).then_some(bad)
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
#[path = "verdict_tests.rs"]
mod tests;

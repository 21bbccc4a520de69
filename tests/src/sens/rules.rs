//! What SENS demands of a request to send.

use encoding_rs::EUC_KR;
use jiff::Timestamp;
use serde_json::Value;

use super::{Account, Sms};

/// Bytes of a subject, and how many recipients one request may have.
pub(super) const SUBJECT_BYTES: usize = 40;
const RECIPIENTS: usize = 100;

/// The messages of a request, without their ids, or why it is refused.
pub(super) fn read(account: &Account, body: &Value) -> Result<Vec<Sms>, String> {
    let kind = text(body, "type").ok_or("type is missing")?.to_uppercase();
    let limit = match kind.as_str() {
        "SMS" => 90,
        "LMS" | "MMS" => 2_000,
        _ => return Err(format!("type {kind} is none of SMS, LMS, MMS")),
    };
    let content_type = text(body, "contentType").unwrap_or("COMM");
    if !matches!(content_type, "COMM" | "AD") {
        return Err(format!("contentType {content_type} is none of COMM, AD"));
    }
    let country_code = text(body, "countryCode").unwrap_or("82");
    digits("countryCode", country_code)?;
    let from = text(body, "from").ok_or("from is missing")?;
    digits("from", from)?;
    if !account.senders.iter().any(|sender| sender == from) {
        return Err(format!("from {from} is not a registered sender number"));
    }
    let subject = checked_subject(&kind, body)?;
    let content = text(body, "content").ok_or("content is missing")?;
    bytes_at_most("content", content, limit)?;
    let recipients = body["messages"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if recipients.is_empty() || recipients.len() > RECIPIENTS {
        return Err(format!(
            "messages must be 1 to {RECIPIENTS}, are {}",
            recipients.len()
        ));
    }
    let read = |recipient: &Value| {
        let to = text(recipient, "to").ok_or("messages.to is missing")?;
        digits("messages.to", to)?;
        let own_subject = checked_subject(&kind, recipient)?;
        let own_content = text(recipient, "content").unwrap_or(content);
        bytes_at_most("messages.content", own_content, limit)?;
        Ok(Sms {
            request_id: String::new(),
            message_id: String::new(),
            kind: kind.clone(),
            content_type: content_type.to_owned(),
            country_code: country_code.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            subject: own_subject.or(subject).map(str::to_owned),
            content: own_content.to_owned(),
            at: Timestamp::now(),
        })
    };
    recipients.iter().map(read).collect()
}

pub(super) fn text<'a>(body: &'a Value, field: &str) -> Option<&'a str> {
    body[field].as_str().filter(|text| !text.is_empty())
}

pub(super) fn digits(field: &str, number: &str) -> Result<(), String> {
    if number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(format!("{field} {number} may hold digits only"))
}

fn checked_subject<'a>(kind: &str, body: &'a Value) -> Result<Option<&'a str>, String> {
    let Some(subject) = text(body, "subject") else {
        return Ok(None);
    };
    if kind == "SMS" {
        return Err("subject is for LMS and MMS only".to_owned());
    }
    bytes_at_most("subject", subject, SUBJECT_BYTES)?;
    Ok(Some(subject))
}

/// Counts as the carriers do: one byte for ASCII, two for Hangul.
pub(super) fn bytes_at_most(field: &str, text: &str, limit: usize) -> Result<(), String> {
    let (encoded, _, replaced) = EUC_KR.encode(text);
    if replaced {
        // A phone would show question marks in the place of these.
        return Err(format!(
            "{field} holds characters that EUC-KR does not have"
        ));
    }
    if encoded.len() > limit {
        return Err(format!(
            "{field} is {} bytes of EUC-KR, of at most {limit}",
            encoded.len()
        ));
    }
    Ok(())
}

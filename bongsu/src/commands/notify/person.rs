//! `bongsu notify test|verify|contacts`: a real page to a person, whose a phone is, and what of that should be mended.

use super::super::api::{Api, text};
use super::super::settings;
use crate::cli::Global;
use crate::failure::{Exit, Failure, Outcome};
use crate::print::{self, Table};
use runtime::Clock;
use serde_json::{Value, json};
use std::time::Duration;

/// Between two looks at what became of a message.
const LOOK: Duration = Duration::from_millis(500);
/// Fates behind which nothing more is to be expected of the sender itself.
const OPEN: [&str; 2] = ["queued", "sending"];

/// Sends a test and waits until each of its messages has a fate.
pub(super) async fn test(
    global: &Global,
    contact: &str,
    channels: &[String],
    wait: Duration,
) -> Outcome {
    let api = Api::find(global, &settings(global)?).await?;
    let body = json!({"via": "cli", "channels": channels});
    let sent = api.post(&path(contact, "test")?, &body).await?;
    follow(global, &api, text(&sent, "incident"), wait).await
}

/// Sends a code to a phone.
pub(super) async fn send_code(
    global: &Global,
    contact: &str,
    channel: &str,
    wait: Duration,
) -> Outcome {
    let api = Api::find(global, &settings(global)?).await?;
    let body = json!({"via": "cli", "channel": channel});
    let sent = api.post(&path(contact, "code")?, &body).await?;
    follow(global, &api, text(&sent, "incident"), wait).await?;
    print::message(&format!(
        "a code is on its way, good until {}: `bongsu notify verify {contact} --code CODE` takes it",
        text(&sent, "expires_at")
    ));
    Ok(())
}

/// Says the code that came.
pub(super) async fn confirm(global: &Global, contact: &str, code: &str) -> Outcome {
    let api = Api::find(global, &settings(global)?).await?;
    let body = json!({"via": "cli", "code": code});
    let known = api.post(&path(contact, "confirm")?, &body).await?;
    print::message(&format!(
        "the phone {} of {} is verified",
        text(&known, "phone"),
        text(&known, "name")
    ));
    Ok(())
}

/// Lists contacts, and says what should be mended.
pub(super) async fn contacts(global: &Global) -> Outcome {
    let api = Api::find(global, &settings(global)?).await?;
    let answer = api.get("contacts").await?;
    let mut table = Table::new(&["contact", "name", "phone", "verified_at", "paged"]);
    for one in answer["contacts"].as_array().into_iter().flatten() {
        let row = ["contact", "name", "phone", "verified_at", "paged"];
        table.row(row.map(|key| one[key].clone()).to_vec());
    }
    print::table(&table, global.form());
    for warning in answer["warnings"].as_array().into_iter().flatten() {
        print::message(warning.as_str().unwrap_or_default());
    }
    Ok(())
}

/// A name as a part of an address; the catalogue's names need no escaping.
fn path(contact: &str, what: &str) -> Outcome<String> {
    let plain = !contact.is_empty()
        && contact
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if !plain {
        let cause = format!("`{contact}` is no name of a contact");
        return Err(Failure::new(Exit::Usage, cause)
            .hint("`bongsu notify contacts` lists them by the name in the catalogue"));
    }
    Ok(format!("contacts/{contact}/{what}"))
}

/// Waits for the fate of each message and prints it. None that got through is a failure.
async fn follow(global: &Global, api: &Api, incident: &str, wait: Duration) -> Outcome {
    let watch = Clock::system().stopwatch();
    let account = loop {
        let account = api.get(&format!("incidents/{incident}")).await?;
        let open = deliveries(&account)
            .iter()
            .any(|one| OPEN.contains(&text(one, "fate")));
        if !open || watch.elapsed() >= wait {
            break account;
        }
        tokio::time::sleep(LOOK).await;
    };
    let mut table = Table::new(&["channel", "to", "fate", "reason"]);
    for one in deliveries(&account) {
        table.row(vec![
            one["channel"].clone(),
            one["to"].clone(),
            one["fate"].clone(),
            one["reason"].clone(),
        ]);
    }
    print::table(&table, global.form());
    for entry in account["timeline"].as_array().into_iter().flatten() {
        if text(entry, "kind") == "skipped" {
            print::message(text(entry, "text"));
        }
    }
    let through = deliveries(&account)
        .iter()
        .any(|one| ["accepted", "delivered", "read", "answered"].contains(&text(one, "fate")));
    if through {
        return Ok(());
    }
    Err(
        Failure::new(Exit::Failed, "no message got through").hint(format!(
            "`bongsu incident show {incident}` tells what became of each"
        )),
    )
}

fn deliveries(account: &Value) -> &[Value] {
    account["deliveries"].as_array().map_or(&[], Vec::as_slice)
}

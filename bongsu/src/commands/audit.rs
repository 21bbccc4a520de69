//! `bongsu audit`: reads the audit log through the notifier's API, and looks whether it is whole.

use super::api::{Api, text};
use super::settings;
use crate::cli::{Audit, Global, Output};
use crate::failure::{Exit, Failure, Outcome};
use crate::print::{self, Table};
use notifier::core::audit_log::{Happened, Linked, Walk};
use serde_json::{Value, json};

/// Entries asked for at a time.
const PAGE: &str = "1000";

pub(super) async fn run(global: &Global, command: Audit) -> Outcome {
    let api = Api::find(global, &settings(global)?).await?;
    match command {
        Audit::List { after } => list(global, &api, after).await,
        Audit::Verify { known } => verify(global, &api, known.as_deref()).await,
    }
}

/// The entries behind a number, and where the next part begins.
async fn part(api: &Api, after: u64) -> Outcome<(Vec<Value>, Option<u64>)> {
    let query = [("after", &*after.to_string()), ("limit", PAGE)];
    let answer = api.query("audit", &query).await?;
    let entries = answer["entries"].as_array().cloned().unwrap_or_default();
    Ok((entries, answer["next"].as_u64()))
}

async fn list(global: &Global, api: &Api, after: u64) -> Outcome {
    let mut table = Table::new(&[
        "number", "at", "kind", "actor", "via", "tenant", "subject", "detail",
    ]);
    let mut next = Some(after);
    while let Some(after) = next {
        let (entries, more) = part(api, after).await?;
        for entry in &entries {
            let names = [
                "number", "at", "kind", "actor", "via", "tenant", "subject", "detail",
            ];
            table.row(names.map(|name| entry[name].clone()).to_vec());
        }
        next = more;
    }
    print::table(&table, global.form());
    Ok(())
}

async fn verify(global: &Global, api: &Api, known: Option<&str>) -> Outcome {
    let mut walk = Walk::new(known.map(noted).transpose()?);
    let broken = |error: notifier::core::audit_log::Broken| {
        Failure::new(Exit::Findings, format!("the audit log is broken: {error}"))
            .hint("compare it with a backup of the notifier's database")
    };
    let mut next = Some(0);
    while let Some(after) = next {
        let (entries, more) = part(api, after).await?;
        for entry in &entries {
            walk.take(&linked(entry)).map_err(broken)?;
        }
        next = more;
    }
    let (number, hash) = walk.end().map_err(broken)?;
    if global.output == Output::Table {
        print::message(&format!(
            "the audit log is whole: {number} entries; note the last one to find by --known whether it was written anew:"
        ));
        print::text(&format!("{number}:{hash}\n"));
    } else {
        print::value(&json!({"entries": number, "hash": hash}), global.output);
    }
    Ok(())
}

/// A number and a hash that somebody noted.
fn noted(text: &str) -> Outcome<(u64, String)> {
    let parts = text.split_once(':');
    let parsed = parts.and_then(|(number, hash)| Some((number.parse().ok()?, hash)));
    match parsed {
        Some((number, hash)) if hash.len() == 64 => Ok((number, hash.to_owned())),
        _ => Err(
            Failure::new(Exit::Usage, format!("`{text}` is no NUMBER:HASH"))
                .hint("it is what `bongsu audit verify` prints"),
        ),
    }
}

fn linked(entry: &Value) -> Linked {
    let own = |name: &str| text(entry, name).to_owned();
    Linked {
        number: entry["number"].as_u64().unwrap_or(0),
        before: own("before"),
        hash: own("hash"),
        happened: Happened {
            at: own("at"),
            kind: own("kind"),
            actor: own("actor"),
            via: own("via"),
            tenant: entry["tenant"].as_str().map(str::to_owned),
            subject: own("subject"),
            detail: own("detail"),
        },
    }
}

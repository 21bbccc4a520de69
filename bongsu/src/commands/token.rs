//! `bongsu token`: makes, lists and revokes tokens through the notifier's API.

use super::api::{Api, text, whole_id};
use super::settings;
use crate::cli::{Global, Output, Token};
use crate::failure::Outcome;
use crate::print::{self, Table};
use serde_json::{Value, json};

pub(super) async fn run(global: &Global, command: Token) -> Outcome {
    let api = Api::find(global, &settings(global)?).await?;
    match command {
        Token::Add {
            name,
            role,
            tenants,
            lasts,
        } => {
            let body = json!({"name": name, "role": role, "tenants": tenants, "for": lasts});
            let made = api.post("tokens", &body).await?;
            if global.output == Output::Table {
                print::message(&format!(
                    "token {name} is ready. It is shown this once; the one before it stays valid until the next:"
                ));
                print::text(&format!("{}\n", text(&made, "token")));
            } else {
                print::value(&made, global.output);
            }
        }
        Token::List => print::table(&table(&all(&api).await?), global.form()),
        Token::Revoke { ids } => {
            let known = all(&api).await?;
            for id in &ids {
                let id = whole_id("token", &known, id)?;
                let ended = api.delete(&format!("tokens/{id}")).await?;
                if global.output == Output::Table {
                    print::message(&format!("revoked: {} {id}", text(&ended, "name")));
                } else {
                    print::value(&ended, global.output);
                }
            }
        }
    }
    Ok(())
}

async fn all(api: &Api) -> Outcome<Vec<Value>> {
    let answer = api.get("tokens").await?;
    Ok(answer["tokens"].as_array().cloned().unwrap_or_default())
}

fn table(tokens: &[Value]) -> Table {
    let mut table = Table::new(&[
        "id", "name", "role", "tenants", "made by", "made", "ends", "revoked",
    ]);
    for token in tokens {
        let tenants = token["tenants"].as_array().into_iter().flatten();
        let tenants: Vec<&str> = tenants.filter_map(Value::as_str).collect();
        table.row(vec![
            token["id"].clone(),
            token["name"].clone(),
            token["role"].clone(),
            tenants.join(",").into(),
            token["created_by"].clone(),
            token["created_at"].clone(),
            token["ends_at"].clone(),
            token["revoked_at"].clone(),
        ]);
    }
    table
}

//! The buttons of the console: acknowledge and close.

use super::Site;
use super::acting::Acting;
use super::console::{failed, parse};
use crate::commands::{Acted, CommandError};
use crate::core::{Actor, Proof, Via};
use axum::Form;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

/// What a button's form sends.
#[derive(Debug, Deserialize)]
pub(super) struct Act {
    #[serde(default)]
    back: String,
    #[serde(default)]
    until_resolved: bool,
}

/// The button "acknowledge".
pub(super) async fn acknowledge(
    site: Acting,
    Path(id): Path<String>,
    headers: HeaderMap,
    Form(form): Form<Act>,
) -> Response {
    let done = match parse(&id) {
        Ok(id) => {
            site.desk()
                .acknowledge(id, operator(&site), Via::Console)
                .await
        }
        Err(error) => Err(error),
    };
    done_with(&site, &headers, &form, done)
}

/// The button "close".
pub(super) async fn close(
    site: Acting,
    Path(id): Path<String>,
    headers: HeaderMap,
    Form(form): Form<Act>,
) -> Response {
    let done = match parse(&id) {
        Ok(id) => {
            site.desk()
                .close(id, operator(&site), Via::Console, form.until_resolved)
                .await
        }
        Err(error) => Err(error),
    };
    done_with(&site, &headers, &form, done)
}

/// Whoever sits at the console: by name where people sign in by name.
fn operator(site: &Acting) -> Actor {
    let who = site.who();
    let name = match who.proof {
        Proof::Machine | Proof::Configured => "console",
        Proof::Token(_) | Proof::Provider(_) => &who.name,
    };
    Actor {
        name: name.to_owned(),
        contact: None,
    }
}

fn done_with(
    site: &Site,
    headers: &HeaderMap,
    form: &Act,
    done: Result<Acted, CommandError>,
) -> Response {
    match done {
        // Back to one of our own pages, whatever the form says.
        Ok(acted) => {
            let (Acted::Done(incident) | Acted::Unchanged { incident, .. }) = acted;
            let back = match form.back.as_str() {
                "incident" => format!("/incidents/{}", incident.id),
                "inbox" => "/inbox".to_owned(),
                _ => "/".to_owned(),
            };
            Redirect::to(&back).into_response()
        }
        Err(error) => failed(site, headers, &error),
    }
}

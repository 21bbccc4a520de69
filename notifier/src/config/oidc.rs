//! Configuration of the identity provider, and what its groups may.

use crate::core::{Grant, GroupGrant, Tenants};
use model::Role;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// An identity provider that speaks OpenID Connect. It sends people back to `<public_url>/login/callback`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// The provider's address, as it calls itself; `https://`, or `http://` on this machine.
    pub issuer: String,
    /// What it calls this notifier.
    pub client_id: String,
    /// File with the secret that was agreed with it; a public client has none.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// File with certificates (PEM) that the provider's is signed with, besides the system's roots.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// What is asked for; some providers tell groups only for a scope of their own.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The claim with a person's name, as timelines and the audit log show it.
    #[serde(default = "name_claim")]
    pub name_claim: String,
    /// The claim with a person's groups. Where the token lacks it, the provider is asked about the person.
    #[serde(default = "groups_claim")]
    pub groups_claim: String,
    /// What the members of a group may. Who is in none of them is not let in.
    pub grants: Vec<GroupRole>,
}

/// What the members of a group may.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRole {
    /// The group, as the provider names it.
    pub group: String,
    /// `viewer`, `responder`, `operator` or `admin`.
    pub role: String,
    /// `["*"]`, or ids of tenants.
    pub tenants: Vec<String>,
}

fn scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(str::to_owned).to_vec()
}

fn name_claim() -> String {
    "email".to_owned()
}

fn groups_claim() -> String {
    "groups".to_owned()
}

impl Oidc {
    /// What members of which groups may, or what is wrong, as a sentence.
    pub fn rules(&self) -> Result<Vec<GroupGrant>, String> {
        if self.grants.is_empty() {
            return Err("`grants` is empty: nobody could do anything".to_owned());
        }
        if !self.scopes.iter().any(|scope| scope == "openid") {
            return Err("`scopes` must hold openid".to_owned());
        }
        let rule = |given: &GroupRole| {
            let wrong = |error: model::InvalidName| format!("`grants` of {}: {error}", given.group);
            Ok(GroupGrant {
                group: given.group.clone(),
                grant: Grant {
                    role: Role::parse(&given.role).map_err(wrong)?,
                    tenants: Tenants::parse(given.tenants.iter().map(String::as_str))
                        .map_err(wrong)?,
                },
            })
        };
        self.grants.iter().map(rule).collect()
    }
}

//! Who asks, and what they may do in which tenant. What was not granted is denied.

use super::words::not_a;
use model::{InvalidName, Role, TenantId};
use std::collections::BTreeSet;
use std::fmt;

/// Tenants that a grant is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tenants {
    /// Every one, also those that come, and what is about none.
    All,
    /// These.
    These(BTreeSet<TenantId>),
}

impl Tenants {
    /// None at all.
    pub const NONE: Self = Self::These(BTreeSet::new());

    /// Reads `*` alone, or ids of tenants; at least one.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidName> {
        let words: Vec<&str> = words.into_iter().collect();
        match words[..] {
            [] => Err(not_a("tenants", "", "`*`, or ids of tenants")),
            ["*"] => Ok(Self::All),
            _ => {
                let ids = words.into_iter().map(TenantId::parse);
                Ok(Self::These(ids.collect::<Result<_, _>>()?))
            }
        }
    }

    /// `*`, or the ids.
    pub fn words(&self) -> Vec<String> {
        match self {
            Self::All => vec!["*".to_owned()],
            Self::These(ids) => ids.iter().map(ToString::to_string).collect(),
        }
    }

    /// Whether this tenant is among them; none is what is about no tenant alone.
    pub fn has(&self, tenant: Option<&TenantId>) -> bool {
        match (self, tenant) {
            (Self::All, _) => true,
            (Self::These(ids), Some(tenant)) => ids.contains(tenant),
            (Self::These(_), None) => false,
        }
    }

    /// Whether all of those are among these.
    pub fn cover(&self, those: &Self) -> bool {
        match (self, those) {
            (Self::All, _) => true,
            (Self::These(_), Self::All) => false,
            (Self::These(these), Self::These(those)) => those.is_subset(these),
        }
    }

    fn with(self, others: &Self) -> Self {
        match (self, others) {
            (Self::These(mut these), Self::These(those)) => {
                these.extend(those.iter().cloned());
                Self::These(these)
            }
            _ => Self::All,
        }
    }
}

/// A role in some tenants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// Where.
    pub tenants: Tenants,
}

/// By what somebody proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// They are on this machine, where no credential is asked for.
    Machine,
    /// They have the token of the configuration.
    Configured,
    /// They have a token that was made here; its id.
    Token(String),
    /// The identity provider says so; its word for them.
    Provider(String),
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machine => f.write_str("machine"),
            Self::Configured => f.write_str("configured"),
            Self::Token(id) => write!(f, "token:{id}"),
            Self::Provider(subject) => write!(f, "oidc:{subject}"),
        }
    }
}

impl Proof {
    /// Reads what it is written as.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        match text.split_once(':') {
            None if text == "machine" => Ok(Self::Machine),
            None if text == "configured" => Ok(Self::Configured),
            Some(("token", id)) => Ok(Self::Token(id.to_owned())),
            Some(("oidc", subject)) => Ok(Self::Provider(subject.to_owned())),
            _ => Err(not_a(
                "proof",
                text,
                "machine, configured, token:ID or oidc:SUBJECT",
            )),
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// As the audit log and timelines name them.
    pub name: String,
    /// How that is known.
    pub proof: Proof,
    /// What they may.
    pub grants: Vec<Grant>,
}

/// Why somebody may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// It does not exist for them.
    Hidden,
    /// It is no tenant's, and wants a role in all of them.
    Everywhere {
        /// What it needs.
        needs: Role,
    },
    /// They see it; doing so needs more.
    Weak {
        /// What it needs.
        needs: Role,
        /// What they have there.
        has: Role,
    },
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hidden => f.write_str("you have no role in this tenant"),
            Self::Everywhere { needs } => write!(
                f,
                "this is no tenant's: it needs the role {needs} in every tenant (`*`)"
            ),
            Self::Weak { needs, has } => {
                write!(
                    f,
                    "this needs the role {needs} in this tenant; yours is {has}"
                )
            }
        }
    }
}

impl Who {
    /// Somebody who may everything everywhere.
    pub fn admin(name: &str, proof: Proof) -> Self {
        let grant = Grant {
            role: Role::Admin,
            tenants: Tenants::All,
        };
        Self {
            name: name.to_owned(),
            proof,
            grants: vec![grant],
        }
    }

    /// Whether they may do what needs this role in a tenant; none is what is about no tenant alone.
    pub fn may(&self, needs: Role, tenant: Option<&TenantId>) -> Result<(), Denied> {
        let there = self.grants.iter().filter(|grant| grant.tenants.has(tenant));
        match there.map(|grant| grant.role).max() {
            None if tenant.is_none() => Err(Denied::Everywhere { needs }),
            None => Err(Denied::Hidden),
            Some(has) if has < needs => Err(Denied::Weak { needs, has }),
            Some(_) => Ok(()),
        }
    }

    /// Where they have at least this role.
    pub fn tenants(&self, least: Role) -> Tenants {
        let grants = self.grants.iter().filter(|grant| grant.role >= least);
        grants.fold(Tenants::NONE, |all, grant| all.with(&grant.tenants))
    }

    /// The strongest role that they have anywhere.
    pub fn strongest(&self) -> Option<Role> {
        self.grants.iter().map(|grant| grant.role).max()
    }
}

/// A group of the identity provider, and what its members may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupGrant {
    /// The group, as the provider names it.
    pub group: String,
    /// What its members may.
    pub grant: Grant,
}

/// What somebody of these groups may.
pub fn grants_of(groups: &[String], rules: &[GroupGrant]) -> Vec<Grant> {
    let held = rules.iter().filter(|rule| groups.contains(&rule.group));
    held.map(|rule| rule.grant.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(id: &str) -> TenantId {
        TenantId::parse(id).unwrap()
    }

    fn who(grants: &[(Role, &str)]) -> Who {
        let grant = |(role, tenants): &(Role, &str)| Grant {
            role: *role,
            tenants: Tenants::parse(tenants.split(' ')).unwrap(),
        };
        Who {
            name: "kim".to_owned(),
            proof: Proof::Machine,
            grants: grants.iter().map(grant).collect(),
        }
    }

    #[test]
    fn a_role_holds_in_its_tenants_and_nowhere_else() {
        let kim = who(&[(Role::Responder, "acme"), (Role::Viewer, "beta")]);
        let (acme, beta, other) = (tenant("acme"), tenant("beta"), tenant("other"));
        for (role, at, expected) in [
            (Role::Viewer, Some(&acme), Ok(())),
            (Role::Responder, Some(&acme), Ok(())),
            (
                Role::Operator,
                Some(&acme),
                Err(Denied::Weak {
                    needs: Role::Operator,
                    has: Role::Responder,
                }),
            ),
            (Role::Viewer, Some(&beta), Ok(())),
            (
                Role::Responder,
                Some(&beta),
                Err(Denied::Weak {
                    needs: Role::Responder,
                    has: Role::Viewer,
                }),
            ),
            (Role::Viewer, Some(&other), Err(Denied::Hidden)),
            // What is about every tenant is for those who have every tenant.
            (
                Role::Viewer,
                None,
                Err(Denied::Everywhere {
                    needs: Role::Viewer,
                }),
            ),
        ] {
            assert_eq!(kim.may(role, at), expected, "{role} {at:?}");
        }
        assert_eq!(kim.tenants(Role::Viewer).words(), ["acme", "beta"]);
        assert_eq!(kim.tenants(Role::Responder).words(), ["acme"]);
        assert_eq!(kim.tenants(Role::Admin), Tenants::NONE);
    }

    #[test]
    fn without_grants_nothing_is_allowed_and_a_star_is_everything() {
        let nobody = who(&[]);
        let everywhere = Denied::Everywhere {
            needs: Role::Viewer,
        };
        assert_eq!(nobody.may(Role::Viewer, None), Err(everywhere));
        assert_eq!(nobody.strongest(), None);
        let all = who(&[(Role::Admin, "*"), (Role::Viewer, "acme")]);
        assert_eq!(all.may(Role::Admin, None), Ok(()));
        assert_eq!(all.tenants(Role::Viewer), Tenants::All);
        assert!(Tenants::All.cover(&Tenants::NONE));
        assert!(!Tenants::NONE.cover(&Tenants::All));
    }

    #[test]
    fn a_proof_is_read_as_it_is_written_and_nothing_else_is_one() {
        for (proof, text) in [
            (Proof::Machine, "machine"),
            (Proof::Configured, "configured"),
            (Proof::Token("7:a".to_owned()), "token:7:a"),
            (Proof::Provider("u-7".to_owned()), "oidc:u-7"),
        ] {
            assert_eq!(proof.to_string(), text);
            assert_eq!(Proof::parse(text), Ok(proof));
        }
        for bad in ["", "Machine", "token", "machine:1", "configured:", "saml:1"] {
            assert!(Proof::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn who_is_denied_is_told_what_it_needs() {
        let (needs, has) = (Role::Operator, Role::Viewer);
        for (denied, text) in [
            (Denied::Hidden, "you have no role in this tenant"),
            (
                Denied::Everywhere { needs },
                "this is no tenant's: it needs the role operator in every tenant (`*`)",
            ),
            (
                Denied::Weak { needs, has },
                "this needs the role operator in this tenant; yours is viewer",
            ),
        ] {
            assert_eq!(denied.to_string(), text);
        }
        let kim = who(&[(Role::Viewer, "beta"), (Role::Responder, "acme")]);
        assert_eq!(kim.strongest(), Some(Role::Responder));
    }

    #[test]
    fn tenants_are_a_star_alone_or_ids() {
        for bad in [&[][..], &["*", "acme"], &["A!"], &[""]] {
            assert!(Tenants::parse(bad.iter().copied()).is_err(), "{bad:?}");
        }
        assert_eq!(Tenants::parse(["*"]).unwrap(), Tenants::All);
    }

    #[test]
    fn groups_become_grants_by_their_whole_name() {
        let rule = |group: &str, role| GroupGrant {
            group: group.to_owned(),
            grant: Grant {
                role,
                tenants: Tenants::All,
            },
        };
        let rules = [rule("ops", Role::Operator), rule("admins", Role::Admin)];
        assert!(grants_of(&["op".to_owned(), "Ops".to_owned()], &rules).is_empty());
        let grants = grants_of(&["ops".to_owned(), "x".to_owned()], &rules);
        assert_eq!(grants.len(), 1);
        assert_eq!(grants[0].role, Role::Operator);
    }
}

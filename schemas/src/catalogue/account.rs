//! The account of a change of the catalogue: who wrote a revision, when, and what it changed.
//!
//! Accounts stand in the topic under `account/<revision>/<part>`, before what they tell of, as JSON
//! `{"revision": n, "spec": {...}}` like every other record. They hold hashes and names of fields, and no values: a declaration may hold a
//! person's phone.

use super::{Entry, Kind, Record, encode_value};
use model::TenantId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// Changes that one record holds: some 400 kB, less than a message may have.
const CHANGES: usize = 1_000;

/// Who asked for a change, and how that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Author {
    /// `kim@build-7`, or the program that did it by itself.
    pub name: String,
    /// Through what: `command line`, `restore`, `up`.
    pub via: String,
}

impl Default for Author {
    fn default() -> Self {
        Self {
            name: "unknown".to_owned(),
            via: "unknown".to_owned(),
        }
    }
}

/// A part of the account of one revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The revision.
    pub revision: u64,
    /// Counts the parts from 0.
    pub part: u32,
    /// When it was written by the writer's clock, in milliseconds since 1970.
    pub at: i64,
    /// Who.
    pub author: Author,
    /// What; none where only bundles were derived anew, as after an upgrade that ships other templates.
    pub changes: Vec<Accounted>,
}

/// One declaration that was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounted {
    /// Its kind, a word of [`Kind`].
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The tenant that it is about alone; none where it is about no one or several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// [`hash_of`] what was there; none where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// [`hash_of`] what is there now; none where it was taken out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Names of the fields that differ, where it was there before and is after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

impl Accounted {
    /// What became of a declaration of that kind and name.
    pub fn new(kind: Kind, name: &str, before: Option<&Entry>, after: Option<&Entry>) -> Self {
        let tenant = after.or(before).and_then(Entry::tenant);
        Self {
            kind: kind.to_string(),
            name: name.to_owned(),
            tenant: tenant.map(ToString::to_string),
            before: before.map(hash_of),
            after: after.map(hash_of),
            fields: match (before, after) {
                (Some(before), Some(after)) => differing(before, after),
                _ => Vec::new(),
            },
        }
    }

    /// Its key in the topic: `kind/name`.
    pub fn key(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }
}

impl Account {
    /// The account of a revision, in as many parts as it needs and at least one.
    pub fn parts(revision: u64, at: i64, author: &Author, changes: &[Accounted]) -> Vec<Self> {
        let part = |(part, changes): (u32, &[Accounted])| Self {
            revision,
            part,
            at,
            author: author.clone(),
            changes: changes.to_vec(),
        };
        if changes.is_empty() {
            return vec![part((0, changes))];
        }
        (0..).zip(changes.chunks(CHANGES)).map(part).collect()
    }

    /// Its key in the topic.
    pub fn key(&self) -> String {
        account_key(self.revision, self.part)
    }
}

/// The key of a part of an account.
pub fn account_key(revision: u64, part: u32) -> String {
    format!("account/{revision}/{part}")
}

/// The SHA-256 of a declaration, hexadecimal: of its value in the topic with 0 as revision.
pub fn hash_of(entry: &Entry) -> String {
    hex::encode(Sha256::digest(spec(entry)))
}

fn spec(entry: &Entry) -> Vec<u8> {
    encode_value(0, &Record::Entry(entry.clone()))
}

/// Names of the fields in which two declarations differ.
fn differing(before: &Entry, after: &Entry) -> Vec<String> {
    let fields = |entry: &Entry| -> serde_json::Map<String, serde_json::Value> {
        let value: serde_json::Value = serde_json::from_slice(&spec(entry)).unwrap_or_default();
        value["spec"].as_object().cloned().unwrap_or_default()
    };
    let (before, after) = (fields(before), fields(after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differ = names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name));
    differ.cloned().collect()
}

impl Entry {
    /// The tenant that it is about alone.
    pub fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::Tenant(tenant) => Some(&tenant.tenant),
            Self::Integration(integration) => Some(&integration.tenant),
            Self::Override(each) => each.for_.tenant.as_ref(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Catalogue, RecordError, decode_value, parse_yaml};

    fn entry(yaml: &str) -> Entry {
        let located = parse_yaml("test.yaml", yaml).expect("it is right");
        located.into_iter().next().expect("one").value
    }

    #[test]
    fn a_change_tells_what_differs_and_no_value() {
        let before = entry("contact: minji\nname: Minji\nphone: '+821000000001'\n");
        let after = entry("contact: minji\nname: Minji\nphone: '+821000000002'\n");
        let changed = Accounted::new(Kind::Contact, "minji", Some(&before), Some(&after));
        assert_eq!(changed.key(), "contact/minji");
        assert_eq!(changed.fields, ["phone"]);
        assert_ne!(changed.before, changed.after);
        assert_eq!(changed.before, Some(hash_of(&before)));
        let text = serde_json::to_string(&changed).expect("JSON");
        assert!(!text.contains("8210000"), "{text}");
        let added = Accounted::new(Kind::Contact, "minji", None, Some(&after));
        assert_eq!((added.before, added.fields.len()), (None, 0));
        let gone = Accounted::new(Kind::Contact, "minji", Some(&before), None);
        assert_eq!((gone.after, gone.tenant), (None, None));
        let tenant = entry("tenant: acme\n");
        let made = Accounted::new(Kind::Tenant, "acme", None, Some(&tenant));
        assert_eq!(made.tenant.as_deref(), Some("acme"));
    }

    #[test]
    fn a_large_change_has_several_parts_and_an_empty_one_has_one() {
        let one = Accounted::new(Kind::Tenant, "acme", None, Some(&entry("tenant: acme\n")));
        let author = Author {
            name: "kim@build-7".to_owned(),
            via: "command line".to_owned(),
        };
        let parts = |n: usize| Account::parts(7, 5, &author, &vec![one.clone(); n]);
        assert_eq!(parts(0).len(), 1);
        assert_eq!(parts(1_000).len(), 1);
        let three = parts(2_001);
        let sizes: Vec<usize> = three.iter().map(|part| part.changes.len()).collect();
        assert_eq!(sizes, [1_000, 1_000, 1]);
        assert_eq!(three[2].key(), "account/7/2");
    }

    #[test]
    fn an_account_is_read_as_it_was_written_and_under_no_other_key() {
        let changed = Accounted {
            kind: "override".to_owned(),
            name: "loud".to_owned(),
            tenant: Some("acme".to_owned()),
            before: Some("00".to_owned()),
            after: Some("01".to_owned()),
            fields: vec!["set".to_owned()],
        };
        let account = Account::parts(7, 5, &Author::default(), &[changed]).remove(0);
        let value = encode_value(7, &Record::Account(account.clone()));
        assert_eq!(
            String::from_utf8_lossy(&value),
            r#"{"revision":7,"spec":{"revision":7,"part":0,"at":5,"author":{"name":"unknown","via":"unknown"},"changes":[{"kind":"override","name":"loud","tenant":"acme","before":"00","after":"01","fields":["set"]}]}}"#
        );
        let read = decode_value(b"account/7/0", &value);
        assert_eq!(read, Ok((7, Record::Account(account))));
        for key in ["account/8/0", "account/7/1"] {
            let refused = decode_value(key.as_bytes(), &value);
            assert!(matches!(refused, Err(RecordError::Value { .. })), "{key}");
        }
        for key in ["account/7", "account/x/0", "account/7/-1"] {
            let refused = decode_value(key.as_bytes(), &value);
            assert!(matches!(refused, Err(RecordError::Key(_))), "{key}");
        }
        let mut catalogue = Catalogue::default();
        let applied = catalogue.apply_record(b"account/7/0", Some(&value));
        applied.expect("it is applied");
        assert_eq!(catalogue.accounts.len(), 1);
        catalogue
            .apply_record(b"account/7/0", None)
            .expect("applied");
        assert!(catalogue.accounts.is_empty());
    }
}

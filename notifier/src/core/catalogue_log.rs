//! What a change of the catalogue is in the audit log: an entry for each declaration.

use schemas::catalogue::{Account, Accounted};

/// An entry that is still to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueEntry {
    /// The same for the same change, whoever writes it.
    pub id: String,
    /// `catalogue added`, `catalogue changed`, `catalogue removed`, `catalogue derived` or `catalogue unaccounted`.
    pub kind: &'static str,
    /// Who.
    pub actor: String,
    /// Through what.
    pub via: String,
    /// The tenant that it is about alone.
    pub tenant: Option<String>,
    /// `kind/name` of the declaration, or the revision.
    pub subject: String,
    /// The revision, the fields that differ, and the hashes before and after.
    pub detail: String,
}

/// The id of an entry of a part of an account. With its time: a catalogue that was restored into a new log counts its revisions anew.
fn id(account: &Account, n: usize) -> String {
    let Account {
        revision, part, at, ..
    } = account;
    format!("catalogue/{revision}/{part}/{at}/{n}")
}

/// The id of the first entry of a part: where it is written, all are.
pub fn first_id(account: &Account) -> String {
    id(account, 0)
}

/// The entries of a part of an account.
pub fn entries(account: &Account) -> Vec<CatalogueEntry> {
    let revision = account.revision;
    if account.changes.is_empty() {
        return vec![CatalogueEntry {
            id: first_id(account),
            kind: "catalogue derived",
            actor: account.author.name.clone(),
            via: account.author.via.clone(),
            tenant: None,
            subject: format!("revision/{revision}"),
            detail: "no declaration changed; the rules of tenants were derived anew, as after an upgrade".to_owned(),
        }];
    }
    let entry = |(n, change): (usize, &Accounted)| {
        let (kind, what) = told(change);
        CatalogueEntry {
            id: id(account, n),
            kind,
            actor: account.author.name.clone(),
            via: account.author.via.clone(),
            tenant: change.tenant.clone(),
            subject: change.key(),
            detail: format!("revision {revision}: {what}"),
        }
    };
    account.changes.iter().enumerate().map(entry).collect()
}

fn told(change: &Accounted) -> (&'static str, String) {
    match (&change.before, &change.after) {
        (None, after) => {
            let after = after.as_deref().unwrap_or("unknown");
            ("catalogue added", format!("sha256 {after}"))
        }
        (Some(before), None) => ("catalogue removed", format!("it was sha256 {before}")),
        (Some(before), Some(after)) => {
            let fields = change.fields.join(", ");
            let what = format!("{fields}; sha256 {before} before, {after} after");
            ("catalogue changed", what)
        }
    }
}

/// The entry of a revision that brought no account: a program that keeps none has written to the catalogue.
pub fn unaccounted(revision: u64) -> CatalogueEntry {
    CatalogueEntry {
        id: format!("catalogue/{revision}"),
        kind: "catalogue unaccounted",
        actor: "unknown".to_owned(),
        via: "unknown".to_owned(),
        tenant: None,
        subject: format!("revision/{revision}"),
        detail: "who wrote it has not said so: an older version, or something else that may write to `bongsu.catalog`".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::catalogue::Author;

    fn change(before: Option<&str>, after: Option<&str>) -> Accounted {
        Accounted {
            kind: "template".to_owned(),
            name: "disk-usage".to_owned(),
            tenant: None,
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
            fields: vec!["threshold".to_owned(), "window".to_owned()],
        }
    }

    #[test]
    fn each_declaration_that_changed_is_an_entry_with_who_and_what() {
        let author = Author {
            name: "kim@build-7".to_owned(),
            via: "command line".to_owned(),
        };
        let changes = [
            change(None, Some("b")),
            change(Some("a"), Some("b")),
            change(Some("a"), None),
        ];
        let account = Account::parts(7, 5, &author, &changes).remove(0);
        let found = entries(&account);
        let told: Vec<(&str, &str)> = found
            .iter()
            .map(|one| (one.kind, one.detail.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("catalogue added", "revision 7: sha256 b"),
                (
                    "catalogue changed",
                    "revision 7: threshold, window; sha256 a before, b after"
                ),
                ("catalogue removed", "revision 7: it was sha256 a"),
            ]
        );
        assert_eq!(found[0].id, first_id(&account));
        assert_ne!(found[1].id, found[2].id);
        assert_eq!(
            (
                found[2].actor.as_str(),
                found[2].via.as_str(),
                found[2].subject.as_str()
            ),
            ("kim@build-7", "command line", "template/disk-usage")
        );
        let derived = entries(&Account::parts(8, 5, &author, &[]).remove(0));
        assert_eq!(derived[0].kind, "catalogue derived");
        assert_ne!(unaccounted(8).id, derived[0].id);
    }
}

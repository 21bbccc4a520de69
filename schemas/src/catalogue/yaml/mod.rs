//! Catalogue files: strict YAML, one declaration a document, errors with file, line and column.

mod de;
mod node;

use super::check::{self, Flaw};
use super::{CatalogueError, Entry, Kind, Located};
use node::{Body, Key, Node, Place};
use serde::de::DeserializeOwned;

/// Reads a file of the catalogue. The first key of each document names its kind and its name.
///
/// All errors are told: the first of each document, then what its values contradict.
pub fn parse_yaml(file_name: &str, text: &str) -> Result<Vec<Located<Entry>>, Vec<CatalogueError>> {
    let error = |place: Place, what: String, hint: Option<String>| CatalogueError {
        file: file_name.to_owned(),
        line: place.line,
        column: place.column,
        what,
        hint,
    };
    let documents = node::documents(text)
        .map_err(|malformed| vec![error(malformed.place, malformed.what, None)])?;
    let (mut entries, mut errors) = (Vec::new(), Vec::new());
    for document in &documents {
        let value = match read(document) {
            Ok(value) => value,
            Err(misfit) => {
                let place = misfit.place.unwrap_or(document.place);
                errors.push(error(place, misfit.what, misfit.hint));
                continue;
            }
        };
        let located = Located {
            file: file_name.to_owned(),
            line: document.place.line,
            column: document.place.column,
            value,
            places: document.places(),
        };
        let flaws: Vec<Flaw> = check::check_entry(&located.value);
        errors.extend(flaws.into_iter().map(|flaw| flaw.at(&located)));
        entries.push(located);
    }
    if errors.is_empty() {
        Ok(entries)
    } else {
        errors.sort_by_key(|error| (error.line, error.column));
        Err(errors)
    }
}

fn read(document: &Node) -> Result<Entry, de::Misfit> {
    let misfit = |place: Place, what: String, hint: String| de::Misfit {
        place: Some(place),
        what,
        hint: Some(hint),
    };
    let form = || "begin with the kind and the name, such as `tenant: acme`".to_owned();
    let Body::Map(entries) = &document.body else {
        let what = "a document of the catalogue is a map of keys and values".to_owned();
        return Err(misfit(document.place, what, form()));
    };
    let Some((Key { place, text }, _)) = entries.first() else {
        return Err(misfit(
            document.place,
            "an empty document".to_owned(),
            form(),
        ));
    };
    let kind = text.parse::<Kind>().map_err(|what| {
        let known = Kind::ALL.map(Kind::as_str);
        match Kind::ALL
            .iter()
            .find(|kind| entries.iter().any(|(key, _)| key.text == kind.as_str()))
        {
            Some(kind) => misfit(*place, what, format!("`{kind}` must be the first key")),
            None => misfit(*place, what, de::suggestion(text, &known)),
        }
    })?;
    fn typed<T: DeserializeOwned>(document: &Node) -> Result<T, de::Misfit> {
        T::deserialize(document)
    }
    Ok(match kind {
        Kind::Tenant => Entry::Tenant(Box::new(typed(document)?)),
        Kind::Shard => Entry::Shard(typed(document)?),
        Kind::Placement => Entry::Placement(typed(document)?),
        Kind::Template => Entry::Template(Box::new(typed(document)?)),
        Kind::Override => Entry::Override(Box::new(typed(document)?)),
        Kind::Contact => Entry::Contact(Box::new(typed(document)?)),
        Kind::EscalationPolicy => Entry::EscalationPolicy(Box::new(typed(document)?)),
        Kind::Schedule => Entry::Schedule(Box::new(typed(document)?)),
        Kind::Team => Entry::Team(typed(document)?),
        Kind::Integration => Entry::Integration(typed(document)?),
    })
}

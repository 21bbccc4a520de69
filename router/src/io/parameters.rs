//! The parameters of a request's address, as InfluxDB reads them: the first of each name counts, and none of them makes
//! a request unreadable.

use axum::extract::{FromRequestParts, Query};
use axum::http::Uri;
use axum::http::request::Parts;
use std::convert::Infallible;

/// Names and values, in the order in which they stand in the address.
#[derive(Debug, Default)]
pub(super) struct Pairs(Vec<(String, String)>);

impl Pairs {
    fn of(address: &Uri) -> Self {
        // Any text is a list of pairs: what is no percent code stands for itself.
        let Query(pairs) = Query::try_from_uri(address).unwrap_or_default();
        Self(pairs)
    }

    /// The first of this name.
    pub(super) fn first(&mut self, name: &str) -> Option<String> {
        let (_, value) = self.0.iter_mut().find(|(key, _)| key == name)?;
        Some(std::mem::take(value))
    }
}

impl<S: Sync> FromRequestParts<S> for Pairs {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.uri))
    }
}

/// The parameters of a write. What names a place (`org`, `bucket`, `db`, `rp`) decides nothing: the token does.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    /// The unit of its timestamps; empty where nothing is said.
    pub(super) precision: String,
    /// How a metric's name becomes a line, for remote write: 1 or 2, as Telegraf counts.
    pub(super) metric_version: String,
    /// The token, where InfluxDB 1 takes a password.
    pub(super) password: Option<String>,
    /// Whether it names a place.
    pub(super) names_a_place: bool,
}

impl<S: Sync> FromRequestParts<S> for Parameters {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let mut pairs = Pairs::of(&parts.uri);
        Ok(Self {
            names_a_place: ["org", "bucket", "db"]
                .iter()
                .any(|name| pairs.first(name).is_some()),
            precision: pairs.first("precision").unwrap_or_default(),
            metric_version: pairs.first("metric_version").unwrap_or_default(),
            password: pairs.first("p"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_name_counts_and_nothing_is_unreadable() {
        for (query, p) in [
            ("p=a&p=b", Some("a")),
            ("x=1&p=%EA%B0%80", Some("가")),
            ("p=%zz", Some("%zz")),
            ("p", Some("")),
            ("&&=&p", Some("")),
            ("q=1", None),
        ] {
            let address: Uri = format!("/write?{query}").parse().unwrap();
            assert_eq!(Pairs::of(&address).first("p").as_deref(), p, "{query}");
        }
        assert!(Pairs::of(&"/write".parse().unwrap()).first("p").is_none());
    }
}

//! Who an identity provider's token speaks of, and whether it was made for us and now.

use serde_json::Value;

/// How far the provider's clock and ours may be apart, in seconds.
const LEEWAY: i64 = 60;
/// The oldest token that is taken, in seconds: it comes straight from the provider.
const OLDEST: i64 = 600;
/// Groups of one person that are looked at.
const GROUPS: usize = 1_000;

/// What a token must say. Its signature is checked already.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Who makes it.
    pub issuer: &'a str,
    /// Whom it is for: us.
    pub client: &'a str,
    /// What we gave the browser along.
    pub nonce: &'a str,
}

/// Which claims tell of a person.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// Their name.
    pub name: &'a str,
    /// Their groups: a list of texts, or one text.
    pub groups: &'a str,
}

/// A person as the provider knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The provider's own word for them, which never changes.
    pub subject: String,
    /// As they are called; their subject when the provider does not say.
    pub name: String,
    /// Their groups; none when the token does not tell.
    pub groups: Option<Vec<String>>,
}

/// Why a token is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    /// Something is missing or has another form.
    #[error("the claim `{0}` is missing or malformed")]
    Malformed(&'static str),
    /// It was made by somebody else.
    #[error("it was issued by {0}")]
    Issuer(String),
    /// It was made for somebody else.
    #[error("it was made for another client")]
    Audience,
    /// It belongs to another sign-in.
    #[error("it belongs to another sign-in")]
    Nonce,
    /// It is over, or was made long ago or in the future.
    #[error("it is not valid at this time")]
    Time,
}

/// Checks the claims of an ID token (OpenID Connect Core 1.0, 3.1.3.7); `now` in seconds since 1970.
pub fn check(claims: &Value, expected: Expected<'_>, now: i64) -> Result<String, NotOurs> {
    let text = |name: &'static str| claims[name].as_str().ok_or(NotOurs::Malformed(name));
    let issuer = text("iss")?;
    if issuer != expected.issuer {
        return Err(NotOurs::Issuer(issuer.chars().take(200).collect()));
    }
    let for_us = match &claims["aud"] {
        Value::String(aud) => aud == expected.client,
        Value::Array(all) => {
            let named = all.iter().any(|aud| aud == expected.client);
            // Made for several, it says for whom first.
            named && (all.len() == 1 || claims["azp"] == expected.client)
        }
        _ => return Err(NotOurs::Malformed("aud")),
    };
    let authorized = claims["azp"].is_null() || claims["azp"] == expected.client;
    if !for_us || !authorized {
        return Err(NotOurs::Audience);
    }
    if text("nonce")? != expected.nonce {
        return Err(NotOurs::Nonce);
    }
    let time = |name: &'static str| claims[name].as_i64().ok_or(NotOurs::Malformed(name));
    let (made, ends) = (time("iat")?, time("exp")?);
    let not_before = match &claims["nbf"] {
        Value::Null => made,
        _ => time("nbf")?,
    };
    let in_time = now < ends.saturating_add(LEEWAY)
        && made <= now + LEEWAY
        && not_before <= now + LEEWAY
        && now.saturating_sub(made) <= OLDEST + LEEWAY;
    if !in_time {
        return Err(NotOurs::Time);
    }
    let subject = text("sub")?;
    if subject.is_empty() || subject.len() > 255 {
        return Err(NotOurs::Malformed("sub"));
    }
    Ok(subject.to_owned())
}

/// Reads who a person is out of claims of a token or of the provider's answer about them.
pub fn identity(claims: &Value, subject: &str, names: Names<'_>) -> Identity {
    let printable = |name: &&str| !name.is_empty() && !name.chars().any(char::is_control);
    let name = claims[names.name].as_str().filter(printable);
    let name: String = name.unwrap_or(subject).chars().take(100).collect();
    let groups = match &claims[names.groups] {
        Value::String(group) => Some(vec![group.clone()]),
        Value::Array(groups) => {
            let groups = groups.iter().filter_map(Value::as_str).take(GROUPS);
            Some(groups.map(str::to_owned).collect())
        }
        _ => None,
    };
    Identity {
        subject: subject.to_owned(),
        name,
        groups,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: i64 = 1_800_000_000;
    const EXPECTED: Expected<'_> = Expected {
        issuer: "https://id.example",
        client: "bongsu",
        nonce: "n-1",
    };

    fn claims() -> Value {
        json!({
            "iss": "https://id.example", "aud": "bongsu", "nonce": "n-1", "sub": "u-7",
            "iat": NOW - 2, "exp": NOW + 300, "email": "kim@example.com", "groups": ["ops", "all"],
        })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[name] = value;
        claims
    }

    #[test]
    fn a_token_made_for_us_and_now_is_taken() {
        assert_eq!(check(&claims(), EXPECTED, NOW).unwrap(), "u-7");
        for aud in [json!(["bongsu"]), json!("bongsu")] {
            assert!(check(&with("aud", aud), EXPECTED, NOW).is_ok());
        }
        let mut several = with("aud", json!(["other", "bongsu"]));
        assert_eq!(check(&several, EXPECTED, NOW), Err(NotOurs::Audience));
        several["azp"] = json!("bongsu");
        assert!(check(&several, EXPECTED, NOW).is_ok());
    }

    #[test]
    fn a_token_of_another_issuer_client_sign_in_or_time_is_not() {
        let malformed = |name| Err(NotOurs::Malformed(name));
        for (claims, expected) in [
            (
                with("iss", json!("https://id.example/")),
                Err(NotOurs::Issuer("https://id.example/".to_owned())),
            ),
            (with("iss", Value::Null), malformed("iss")),
            (with("aud", json!("other")), Err(NotOurs::Audience)),
            (with("aud", json!([])), Err(NotOurs::Audience)),
            (with("aud", Value::Null), malformed("aud")),
            (with("azp", json!("other")), Err(NotOurs::Audience)),
            (with("nonce", json!("n-2")), Err(NotOurs::Nonce)),
            (with("nonce", Value::Null), malformed("nonce")),
            (with("exp", json!(NOW - 61)), Err(NotOurs::Time)),
            (with("exp", Value::Null), malformed("exp")),
            (with("exp", json!("never")), malformed("exp")),
            (with("iat", json!(NOW + 61)), Err(NotOurs::Time)),
            (with("iat", json!(NOW - 661)), Err(NotOurs::Time)),
            (with("nbf", json!(NOW + 61)), Err(NotOurs::Time)),
            (with("nbf", json!("soon")), malformed("nbf")),
            (with("sub", json!("")), malformed("sub")),
            (with("sub", json!(7)), malformed("sub")),
        ] {
            assert_eq!(check(&claims, EXPECTED, NOW), expected, "{claims}");
        }
    }

    #[test]
    fn clocks_may_be_a_minute_apart_and_a_token_ten_minutes_old() {
        let time = |expected: bool, claims: Value| {
            assert_eq!(check(&claims, EXPECTED, NOW).is_ok(), expected, "{claims}");
        };
        time(true, with("exp", json!(NOW - 59)));
        time(false, with("exp", json!(NOW - 60)));
        time(true, with("iat", json!(NOW - 660)));
        time(true, with("iat", json!(NOW + 60)));
        time(true, with("nbf", json!(NOW + 60)));
        // Made in the future, though it holds already.
        let mut early = with("iat", json!(NOW + 61));
        early["nbf"] = json!(NOW);
        time(false, early);
        time(true, with("sub", json!("x".repeat(255))));
        time(false, with("sub", json!("x".repeat(256))));
    }

    #[test]
    fn a_person_has_a_name_and_groups_or_is_called_by_the_subject() {
        let names = Names {
            name: "email",
            groups: "groups",
        };
        let kim = identity(&claims(), "u-7", names);
        assert_eq!(kim.name, "kim@example.com");
        assert_eq!(kim.groups.unwrap(), ["ops", "all"]);
        let bare = identity(&json!({"email": "a\nb"}), "u-7", names);
        assert_eq!((bare.name.as_str(), bare.groups), ("u-7", None));
        let one = identity(&json!({"groups": "ops"}), "u-7", names);
        assert_eq!(one.groups.unwrap(), ["ops"]);
    }
}

//! Whose a request is: the tenant comes from the credential and from nothing else.

use model::TenantId;
use schemas::catalogue::Catalogue;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use subtle::ConstantTimeEq;

/// The tokens of all tenants, by their hash.
#[derive(Debug, Clone, Default)]
pub struct Tokens(HashMap<[u8; 32], TenantId>);

/// Why a request is nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unauthorized {
    /// It has no token.
    #[error("a token is missing: send `Authorization: Token <token>`")]
    Missing,
    /// No tenant has that token.
    #[error("the token is not known here; `bongsu tenant add` makes one")]
    Unknown,
}

impl Tokens {
    /// The tokens that a catalogue knows.
    pub fn of(catalogue: &Catalogue) -> Self {
        let tokens = catalogue.tenants.values().flat_map(|tenant| {
            tenant
                .tokens
                .iter()
                .map(|token| (token.sha256.0, tenant.tenant.clone()))
        });
        Self(tokens.collect())
    }

    /// The tenant that holds the token. The table is searched by the token's hash, so that how long it takes
    /// says nothing of the tokens in it.
    pub fn tenant(&self, token: Option<&str>) -> Result<&TenantId, Unauthorized> {
        let token = token
            .filter(|token| !token.is_empty())
            .ok_or(Unauthorized::Missing)?;
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let (known, tenant) = self.0.get_key_value(&hash).ok_or(Unauthorized::Unknown)?;
        if bool::from(known.ct_eq(&hash)) {
            Ok(tenant)
        } else {
            Err(Unauthorized::Unknown)
        }
    }
}

/// The token of an `Authorization` header: `Token t`, `Bearer t`, or Basic with the token as password.
/// `decode` reads base64; it is handed in because the core knows no encodings.
pub fn token_of<'a>(
    header: &'a str,
    decode: impl FnOnce(&str) -> Option<String>,
) -> Option<std::borrow::Cow<'a, str>> {
    let (scheme, rest) = header.trim().split_once(' ')?;
    let rest = rest.trim();
    match scheme.to_ascii_lowercase().as_str() {
        "token" | "bearer" => Some(rest.into()),
        "basic" => {
            let pair = decode(rest)?;
            let (_, password) = pair.split_once(':')?;
            Some(password.to_owned().into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::catalogue::parse_yaml;

    fn tokens() -> Tokens {
        let hash = hex_of(&Sha256::digest(b"bongsu_acme_secret"));
        let yaml = format!("tenant: acme\ntokens: [{{sha256: {hash}}}]\n---\ntenant: beta\n");
        let mut catalogue = Catalogue::default();
        for entry in parse_yaml("test.yaml", &yaml).unwrap() {
            catalogue.insert(entry.value);
        }
        Tokens::of(&catalogue)
    }

    fn hex_of(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_token_belongs_to_its_tenant_and_nothing_else_does() {
        let tokens = tokens();
        assert_eq!(
            tokens.tenant(Some("bongsu_acme_secret")).unwrap().as_str(),
            "acme"
        );
        assert_eq!(tokens.tenant(None), Err(Unauthorized::Missing));
        assert_eq!(tokens.tenant(Some("")), Err(Unauthorized::Missing));
        for other in [
            "acme",
            "bongsu_acme_secre",
            "bongsu_acme_secret ",
            "bongsu_beta_secret",
        ] {
            assert_eq!(
                tokens.tenant(Some(other)),
                Err(Unauthorized::Unknown),
                "{other}"
            );
        }
    }

    #[test]
    fn every_way_in_which_agents_send_a_token_is_understood() {
        let decode = |text: &str| (text == "dTp0").then(|| "u:t".to_owned());
        for (header, token) in [
            ("Token t", Some("t")),
            ("token t", Some("t")),
            ("Bearer  t", Some("t")),
            ("Basic dTp0", Some("t")),
            ("Basic other", None),
            ("Digest t", None),
            ("t", None),
        ] {
            assert_eq!(token_of(header, decode).as_deref(), token, "{header}");
        }
    }
}

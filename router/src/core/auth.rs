//! Whose a request is: the tenant comes from the credential and from nothing else.

use sha2::{Digest, Sha256};

/// Why a request is nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unauthorized {
    /// It has no token.
    #[error("a token is missing: send `Authorization: Token <token>`")]
    Missing,
    /// No tenant has that token.
    #[error("the token is not known here; `bongsu tenant add` makes one")]
    Unknown,
    /// Its tenant may not write at the moment.
    #[error("the tenant is suspended; `bongsu tenant resume` ends that")]
    Suspended,
}

/// The hash by which a request's token is looked up, which is all that the catalogue knows of it.
pub fn hash_of(token: Option<&str>) -> Result<[u8; 32], Unauthorized> {
    match token {
        None | Some("") => Err(Unauthorized::Missing),
        Some(token) => Ok(Sha256::digest(token.as_bytes()).into()),
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
    #[test]
    fn a_request_without_a_token_has_no_hash() {
        assert_eq!(hash_of(None), Err(Unauthorized::Missing));
        assert_eq!(hash_of(Some("")), Err(Unauthorized::Missing));
        assert_ne!(hash_of(Some("a")), hash_of(Some("a ")));
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

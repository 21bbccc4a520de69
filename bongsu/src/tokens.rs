//! Tokens with which a tenant's agents write: made here, shown once, kept as hashes.

use crate::failure::{Exit, Failure, Outcome};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::TenantId;
use schemas::catalogue::{Sha256, Token};
use sha2::Digest;

/// 256 random bits, 43 characters of base64url.
pub(crate) fn random_text() -> Outcome<String> {
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random).map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("no random numbers to be had: {error}"),
        )
    })?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

/// A new token: `bongsu_<tenant>_` and 256 random bits.
pub(crate) fn new_token(tenant: &TenantId) -> Outcome<String> {
    Ok(format!("bongsu_{tenant}_{}", random_text()?))
}

/// A new key of an integration: 32 of a-z and 0-9 (165 bits), which is the length of PagerDuty's routing keys and stands in
/// a URL as it is.
pub(crate) fn new_key() -> Outcome<String> {
    const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut key = String::with_capacity(32);
    while key.len() < 32 {
        let mut random = [0_u8; 32];
        getrandom::fill(&mut random).map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!("no random numbers to be had: {error}"),
            )
        })?;
        // 252 is the largest multiple of 36 below 256: beyond it some letters would come more often.
        let fair = random.iter().filter(|byte| **byte < 252);
        key.extend(fair.map(|byte| char::from(LETTERS[usize::from(byte % 36)])));
        key.truncate(32);
    }
    Ok(key)
}

/// What the catalogue keeps of a token.
pub(crate) fn hashed(token: &str, note: &str) -> Token {
    Token {
        sha256: Sha256(sha2::Sha256::digest(token.as_bytes()).into()),
        note: Some(note.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_an_integration_is_32_letters_and_digits() {
        let (one, two) = (new_key().unwrap(), new_key().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), 32);
        assert!(
            one.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        );
    }

    #[test]
    fn a_token_has_256_bits_and_its_tenants_name() {
        let acme = TenantId::parse("acme").unwrap();
        let (one, two) = (new_token(&acme).unwrap(), new_token(&acme).unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), "bongsu_acme_".len() + 43);
        assert_eq!(hashed(&one, "x").sha256, hashed(&one, "y").sha256);
    }
}

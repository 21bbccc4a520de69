//! The signature of an ID token, checked by ring: the one provider of cryptography here.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::jwk::{JwkSet, PublicKeyUse};
use jsonwebtoken::{
    Algorithm, DecodingKey, DecodingKeyKind, Validation, decode, decode_header, signature,
};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::Value;
use std::sync::Once;

/// The algorithms that are taken. `none` is no algorithm of the library at all, and one with a shared secret would let whoever
/// knows a public key sign with it.
const TAKEN: [Algorithm; 3] = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256];

static RING: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Why a token's signature does not hold.
#[derive(Debug, thiserror::Error)]
pub enum BadToken {
    /// Its algorithm is none that is taken.
    #[error("it is signed by an algorithm that is not taken, or not at all")]
    Algorithm,
    /// The provider has no such key; it may have made it since.
    #[error("the provider has no key of the name that it carries")]
    UnknownKey,
    /// It does not hold.
    #[error("its signature does not hold: {0}")]
    Signature(Error),
}

/// The claims of a token that one of these keys has signed.
pub(super) fn claims(token: &str, keys: &JwkSet) -> Result<Value, BadToken> {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // Another part of the process may have been first; then that one is used.
        if RING.install_default().is_err() {
            tracing::debug!("tokens are checked by another provider of cryptography");
        }
    });
    let header = decode_header(token).map_err(|_| BadToken::Algorithm)?;
    if !TAKEN.contains(&header.alg) {
        return Err(BadToken::Algorithm);
    }
    let signs = |key: &&jsonwebtoken::jwk::Jwk| {
        !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption))
    };
    let mut candidates = keys.keys.iter().filter(signs);
    let key = match &header.kid {
        Some(kid) => candidates.find(|key| key.common.key_id.as_ref() == Some(kid)),
        // Without a name there must be no choice.
        None => candidates.next().filter(|_| keys.keys.len() == 1),
    };
    let key =
        DecodingKey::from_jwk(key.ok_or(BadToken::UnknownKey)?).map_err(BadToken::Signature)?;
    let mut validation = Validation::new(header.alg);
    validation.algorithms = vec![header.alg];
    // What the claims say is judged elsewhere, with the time as data.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let decoded = decode::<Value>(token, &key, &validation).map_err(BadToken::Signature)?;
    Ok(decoded.claims)
}

struct ByRing {
    algorithm: Algorithm,
    key: DecodingKey,
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    if !TAKEN.contains(algorithm) || algorithm.family() != key.family() {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    Ok(Box::new(ByRing {
        algorithm: *algorithm,
        key: key.clone(),
    }))
}

impl signature::Verifier<Vec<u8>> for ByRing {
    fn verify(&self, message: &[u8], given: &Vec<u8>) -> Result<(), signature::Error> {
        let rsa = match self.algorithm {
            Algorithm::PS256 => &RSA_PSS_2048_8192_SHA256,
            _ => &RSA_PKCS1_2048_8192_SHA256,
        };
        let held = match self.key.kind() {
            DecodingKeyKind::RsaModulusExponent { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(rsa, message, given)
            }
            DecodingKeyKind::SecretOrDer(point) if self.algorithm == Algorithm::ES256 => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, given)
            }
            DecodingKeyKind::SecretOrDer(_) => return Err(signature::Error::new()),
        };
        held.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for ByRing {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;

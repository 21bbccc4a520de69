//! What a request brings to prove who sends it: a signature of its body, or a token.

use hmac::{Hmac, KeyInit, Mac};
use runtime::Secret;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Whether `given` is the hexadecimal HMAC-SHA256 of these parts, one behind the other, under a secret. In constant time.
pub(super) fn has_signed(secret: &Secret, parts: &[&[u8]], given: &str) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    let right = hex::encode(mac.finalize().into_bytes());
    right.as_bytes().ct_eq(given.as_bytes()).into()
}

/// The token of `Authorization: Bearer <token>`; none where the header names another scheme.
pub(super) fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, given) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| given.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_stands_behind_its_scheme_however_that_is_written() {
        for (given, found) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("BEARER a b", Some("a b")),
            ("Bearer ", Some("")),
            ("Bearer", None),
            ("abc", None),
            ("Basic abc", None),
        ] {
            assert_eq!(bearer(given), found, "{given:?}");
        }
    }

    /// The third case of RFC 4231.
    #[test]
    fn a_signature_is_of_all_parts_in_their_order() {
        let secret = Secret::new("Jefe");
        let right = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let parts: [&[u8]; 2] = [b"what do ya want ", b"for nothing?"];
        assert!(has_signed(&secret, &parts, right));
        assert!(!has_signed(&secret, &[parts[1], parts[0]], right));
        assert!(!has_signed(&secret, &parts, &right[..63]));
        assert!(!has_signed(&secret, &parts, ""));
    }
}

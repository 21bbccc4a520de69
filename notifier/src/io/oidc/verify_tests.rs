//! Tokens that are signed, forged, or signed by nothing at all.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::json;

struct Signer {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

impl Signer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        Self { pair, random }
    }

    fn keys(&self, kid: &str) -> JwkSet {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (&point[1..33], &point[33..]);
        serde_json::from_value(json!({"keys": [{
            "kty": "EC", "crv": "P-256", "kid": kid, "use": "sig",
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        }]}))
        .unwrap()
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encoded(header), encoded(claims));
        let signature = self.pair.sign(&self.random, message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

#[test]
fn a_token_that_the_provider_signed_is_read() {
    let signer = Signer::new();
    let token = signer.token(
        &json!({"alg": "ES256", "kid": "k1"}),
        &json!({"sub": "u-7"}),
    );
    assert_eq!(claims(&token, &signer.keys("k1")).unwrap()["sub"], "u-7");
    // Without the name of a key there must be no choice.
    let unnamed = signer.token(&json!({"alg": "ES256"}), &json!({"sub": "u-7"}));
    assert!(claims(&unnamed, &signer.keys("k1")).is_ok());
    let mut two = signer.keys("k1");
    two.keys.extend(Signer::new().keys("k2").keys);
    assert!(matches!(claims(&unnamed, &two), Err(BadToken::UnknownKey)));
}

#[test]
fn the_published_example_of_es256_is_verified() {
    // RFC 7515, appendix A.3: the key, the header {"alg":"ES256"}, the payload and the signature.
    let keys: JwkSet = serde_json::from_value(json!({"keys": [{
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }]}))
    .unwrap();
    let token = "eyJhbGciOiJFUzI1NiJ9.\
        eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
        DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    assert_eq!(claims(token, &keys).unwrap()["iss"], "joe");
}

#[test]
fn a_token_that_nobody_signed_or_somebody_else_is_refused() {
    let (signer, other) = (Signer::new(), Signer::new());
    let keys = signer.keys("k1");
    let person = json!({"sub": "admin"});
    for header in [
        json!({"alg": "none"}),
        json!({"alg": "None", "kid": "k1"}),
        json!({"alg": "HS256", "kid": "k1"}),
        json!({"alg": "ES384", "kid": "k1"}),
        json!({"kid": "k1"}),
    ] {
        let unsigned = format!("{}.{}.", encoded(&header), encoded(&person));
        let signed = signer.token(&header, &person);
        for token in [unsigned, signed] {
            let refused = claims(&token, &keys);
            assert!(
                matches!(refused, Err(BadToken::Algorithm)),
                "{header}: {refused:?}"
            );
        }
    }
    let es256 = json!({"alg": "ES256", "kid": "k1"});
    let forged = other.token(&es256, &person);
    assert!(matches!(
        claims(&forged, &keys),
        Err(BadToken::Signature(_))
    ));
    let unknown = signer.token(&json!({"alg": "ES256", "kid": "k2"}), &person);
    assert!(matches!(claims(&unknown, &keys), Err(BadToken::UnknownKey)));
    // A key of another family is not used, whatever the header says.
    let rs256 = signer.token(&json!({"alg": "RS256", "kid": "k1"}), &person);
    assert!(matches!(claims(&rs256, &keys), Err(BadToken::Signature(_))));
    let token = signer.token(&es256, &json!({"sub": "kim"}));
    let (head, rest) = token.split_once('.').unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    let changed = format!("{head}.{}.{signature}", encoded(&person));
    assert!(matches!(
        claims(&changed, &keys),
        Err(BadToken::Signature(_))
    ));
    assert!(claims("", &keys).is_err() && claims("a.b.c", &keys).is_err());
}

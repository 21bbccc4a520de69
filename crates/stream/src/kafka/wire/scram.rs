//! SCRAM (RFC 5802, RFC 7677) as a client, and what a broker stores of a password.

use crate::Mechanism;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

/// More iterations than any broker asks for; beyond it a hostile one would keep this process busy.
const MOST_ITERATIONS: u32 = 1_000_000;

/// One login, between the first message and the last.
pub(super) struct Login<'a> {
    mechanism: Mechanism,
    password: &'a str,
    nonce: String,
    first_bare: String,
}

/// What the server must answer to the last message.
pub(super) struct Expected(Vec<u8>);

impl<'a> Login<'a> {
    /// A login with a nonce that was never used.
    pub(super) fn new(mechanism: Mechanism, name: &str, password: &'a str, nonce: &[u8]) -> Self {
        let nonce = STANDARD.encode(nonce);
        let name = name.replace('=', "=3D").replace(',', "=2C");
        Self {
            mechanism,
            password,
            first_bare: format!("n={name},r={nonce}"),
            nonce,
        }
    }

    /// The first message.
    pub(super) fn first(&self) -> String {
        format!("n,,{}", self.first_bare)
    }

    /// The last message, as an answer to the server's first.
    pub(super) fn last(&self, server_first: &str) -> Result<(String, Expected), String> {
        let field = |key: &str| {
            let mut parts = server_first.split(',');
            parts.find_map(|part| part.strip_prefix(key))
        };
        let nonce = field("r=").filter(|nonce| nonce.starts_with(&self.nonce));
        let nonce = nonce.ok_or("the broker's nonce is not built on ours")?;
        let salt = field("s=").and_then(|salt| STANDARD.decode(salt).ok());
        let salt = salt.ok_or("the broker sends no salt")?;
        let iterations = field("i=").and_then(|count| count.parse::<u32>().ok());
        let iterations = iterations
            .filter(|count| (1..=MOST_ITERATIONS).contains(count))
            .ok_or("the broker's number of iterations is out of bounds")?;
        let salted = salted(self.mechanism, self.password.as_bytes(), &salt, iterations);
        let bare = format!("c=biws,r={nonce}");
        let signed = format!("{},{server_first},{bare}", self.first_bare);
        let client_key = hmac(self.mechanism, &salted, b"Client Key");
        let stored_key = hash(self.mechanism, &client_key);
        let signature = hmac(self.mechanism, &stored_key, signed.as_bytes());
        let pairs = client_key.iter().zip(&signature);
        let proof: Vec<u8> = pairs.map(|(key, signature)| key ^ signature).collect();
        let server_key = hmac(self.mechanism, &salted, b"Server Key");
        let expected = hmac(self.mechanism, &server_key, signed.as_bytes());
        let last = format!("{bare},p={}", STANDARD.encode(proof));
        Ok((last, Expected(expected)))
    }
}

impl Expected {
    /// Whether the server knows the password too.
    pub(super) fn check(&self, server_final: &str) -> Result<(), String> {
        if let Some(reason) = server_final.strip_prefix("e=") {
            return Err(format!("the broker refuses the login: {reason}"));
        }
        let given = server_final.strip_prefix("v=");
        let given = given.and_then(|given| STANDARD.decode(given.split(',').next()?).ok());
        match given {
            Some(given) if bool::from(given.as_slice().ct_eq(&self.0)) => Ok(()),
            _ => Err("the broker does not prove that it knows the password".to_owned()),
        }
    }
}

/// `Hi` of RFC 5802: what the brokers keep instead of the password.
pub(super) fn salted(
    mechanism: Mechanism,
    password: &[u8],
    salt: &[u8],
    iterations: u32,
) -> Vec<u8> {
    let mut each = hmac(mechanism, password, &[salt, &[0, 0, 0, 1]].concat());
    let mut all = each.clone();
    for _ in 1..iterations {
        each = hmac(mechanism, password, &each);
        for (all, each) in all.iter_mut().zip(&each) {
            *all ^= each;
        }
    }
    all
}

fn hash(mechanism: Mechanism, data: &[u8]) -> Vec<u8> {
    match mechanism {
        Mechanism::Sha256 => Sha256::digest(data).to_vec(),
        Mechanism::Sha512 => Sha512::digest(data).to_vec(),
    }
}

fn hmac(mechanism: Mechanism, key: &[u8], data: &[u8]) -> Vec<u8> {
    match mechanism {
        Mechanism::Sha256 => signed::<Hmac<Sha256>>(key, data),
        Mechanism::Sha512 => signed::<Hmac<Sha512>>(key, data),
    }
}

fn signed<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677, section 3.
    #[test]
    fn the_exchange_of_the_rfc_comes_out() {
        let nonce = STANDARD.decode("rOprNGfwEbeRWgbNEkqO").unwrap();
        let login = Login::new(Mechanism::Sha256, "user", "pencil", &nonce);
        assert_eq!(login.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let server_first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                            s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let (last, expected) = login.last(server_first).unwrap();
        assert_eq!(
            last,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        expected
            .check("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
            .unwrap();
        assert!(expected.check("v=AAAA").is_err());
        assert!(
            expected
                .check("e=invalid-proof")
                .unwrap_err()
                .contains("invalid-proof")
        );
    }

    #[test]
    fn a_broker_that_is_not_who_it_seems_is_refused() {
        let login = Login::new(Mechanism::Sha512, "a,b=c", "x", b"0123456789");
        assert!(login.first().contains("n=a=2Cb=3Dc,"));
        let good = "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        for (first, reason) in [
            (format!("r=other,{good}"), "nonce"),
            (format!("r={}x,i=4096", login.nonce), "salt"),
            (
                format!("r={}x,s=AAAA,i=2000000000", login.nonce),
                "out of bounds",
            ),
        ] {
            let error = login.last(&first).err().unwrap();
            assert!(error.contains(reason), "{error}");
        }
    }
}

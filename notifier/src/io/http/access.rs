//! Who may ask: whoever is on this machine where nobody signs in, otherwise who has a token or a session.
//!
//! - On loopback without a token and an identity provider anybody on the machine may do everything, but only by a name of the
//!   loopback or of `public_url`: a foreign name that was made to point here (DNS rebinding) is refused.
//! - Otherwise programs send `Authorization: Bearer`, and browsers the cookie of a session, which stands in the store and
//!   ends with what it began by.
//! - What changes something must not come from another origin; forms carry the token of a
//!   `SameSite=Strict` cookie.

use super::{SettingsError, proof};
use crate::core::Proof;
use crate::io::store::Session;
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, Method};
use runtime::Secret;
use sha2::{Digest, Sha256};
use std::net::{IpAddr, SocketAddr};
use subtle::ConstantTimeEq;

/// How long a session lasts.
pub(super) const SESSION_SECONDS: i64 = 12 * 3_600;
/// The cookie of a session: 256 random bits, of which the store has the hash.
pub(super) const SESSION_COOKIE: &str = "bongsu_session";
/// The cookie of a sign-in that is under way.
pub(super) const SIGN_IN_COOKIE: &str = "bongsu_sign_in";
/// How long a sign-in may take.
pub(super) const SIGN_IN_SECONDS: i64 = 600;
/// The cookie whose value forms must repeat.
pub(super) const CSRF_COOKIE: &str = "bongsu_csrf";

/// The rules of this notifier.
#[derive(Debug, Clone)]
pub(super) struct Access {
    token: Option<Token>,
    /// Whether an identity provider signs people in.
    people: bool,
    /// Host and port of `public_url`.
    public: String,
    secure: bool,
}

#[derive(Clone)]
struct Token {
    digest: [u8; 32],
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The name in `Host` is none of ours.
    Host,
    /// It comes from a page of somebody else.
    Origin,
    /// No token or session, or not the right one.
    Credential,
}

impl Access {
    /// The rules for a listener at `listen`. Where nobody signs in it must be a loopback address. `people` says whether an
    /// identity provider signs people in.
    pub(super) fn new(
        listen: SocketAddr,
        public_url: &str,
        token: Option<&Secret>,
        people: bool,
    ) -> Result<Self, SettingsError> {
        if token.is_none() && !people && !listen.ip().is_loopback() {
            return Err(SettingsError::Open { listen });
        }
        let token = token.map(|token| Token {
            digest: Sha256::digest(token.expose().as_bytes()).into(),
        });
        let public = public_url
            .split_once("://")
            .map_or(public_url, |(_, rest)| rest);
        let public = public
            .split('/')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        Ok(Self {
            token,
            people,
            public,
            secure: public_url.starts_with("https://"),
        })
    }

    /// Whether whoever is on this machine may do everything, and nobody signs in.
    pub(super) fn is_open(&self) -> bool {
        self.token.is_none() && !self.people
    }

    /// Whether cookies may travel over TLS only.
    pub(super) fn secure(&self) -> bool {
        self.secure
    }

    /// The token in `Authorization: Bearer <token>`.
    pub(super) fn bearer<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        proof::bearer(text(headers, AUTHORIZATION.as_str())?)
    }

    /// Whether this is the token of the configuration.
    pub(super) fn is_configured(&self, given: &str) -> bool {
        self.token.as_ref().is_some_and(|token| token.is(given))
    }

    /// What tells a token of the configuration from another one, and does not tell it. Sessions hold it, so that they end when
    /// the token is changed.
    pub(super) fn credential(&self) -> String {
        let token = self.token.as_ref();
        token.map_or_else(String::new, |token| {
            hex::encode(Sha256::digest(token.digest))
        })
    }

    /// Whether what a session began with still lets in.
    pub(super) fn still_holds(&self, session: &Session) -> bool {
        match session.who.proof {
            Proof::Machine => false,
            Proof::Configured => self.token.is_some() && session.credential == self.credential(),
            // Revoking a token ends its sessions.
            Proof::Token(_) => true,
            Proof::Provider(_) => self.people,
        }
    }

    /// What the cookie of a session holds.
    pub(super) fn session_secret<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        cookie(headers, SESSION_COOKIE).filter(|value| value.len() == 64)
    }

    /// Looks at where a request was sent and from where it comes.
    pub(super) fn site(&self, method: &Method, headers: &HeaderMap) -> Result<(), Refused> {
        let host = text(headers, HOST.as_str())
            .unwrap_or_default()
            .to_ascii_lowercase();
        if self.is_open() && !is_loopback(&host) && host != self.public {
            return Err(Refused::Host);
        }
        if method.is_safe() {
            return Ok(());
        }
        let ours = match (
            text(headers, ORIGIN.as_str()),
            text(headers, "sec-fetch-site"),
        ) {
            (Some(origin), _) => {
                let from = origin
                    .split_once("://")
                    .map(|(_, host)| host.to_ascii_lowercase());
                from.is_some_and(|from| from == host || from == self.public)
            }
            (None, Some(site)) => matches!(site, "same-origin" | "none"),
            // No browser: command lines send neither.
            (None, None) => true,
        };
        if ours { Ok(()) } else { Err(Refused::Origin) }
    }
}

impl Token {
    fn is(&self, given: &str) -> bool {
        let digest: [u8; 32] = Sha256::digest(given.as_bytes()).into();
        digest.ct_eq(&self.digest).into()
    }
}

/// Whether a form repeats the value of its cookie.
pub(super) fn csrf_matches(headers: &HeaderMap, given: &str) -> bool {
    cookie(headers, CSRF_COOKIE).is_some_and(|expected| {
        expected.len() >= 32 && bool::from(expected.as_bytes().ct_eq(given.as_bytes()))
    })
}

/// The value of a cookie.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether a `Host` is a name of the loopback, with any port.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// 128 random bits as hexadecimal digits.
pub(super) fn random() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(hex::encode(bytes))
}

/// 256 random bits as hexadecimal digits.
pub(super) fn secret() -> Option<String> {
    Some(random()? + &random()?)
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;

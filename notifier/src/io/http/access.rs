//! Who may ask: open on loopback, otherwise with the API token; and only our own pages may act.
//!
//! - On loopback without a token anybody on the machine may ask, but only by a name of the
//!   loopback or of `public_url`: a foreign name that was made to point here (DNS rebinding) is
//!   refused.
//! - With a token the API asks for `Authorization: Bearer`, and the console for a session that a
//!   sign-in with that token begins. The session is a signed cookie, whose key is derived from the
//!   token, so that replicas agree.
//! - What changes something must not come from another origin; forms carry the token of a
//!   `SameSite=Strict` cookie.

use super::SettingsError;
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, Method};
use hmac::{Hmac, KeyInit, Mac};
use runtime::Secret;
use sha2::{Digest, Sha256};
use std::net::{IpAddr, SocketAddr};
use subtle::ConstantTimeEq;

/// How long a session lasts.
pub(super) const SESSION_SECONDS: i64 = 12 * 3_600;
/// The cookie of a session: `<end, seconds>.<signature, hex>`.
pub(super) const SESSION_COOKIE: &str = "bongsu_session";
/// The cookie whose value forms must repeat.
pub(super) const CSRF_COOKIE: &str = "bongsu_csrf";

/// The rules of this notifier.
#[derive(Debug, Clone)]
pub(super) struct Access {
    token: Option<Token>,
    /// Host and port of `public_url`.
    public: String,
    secure: bool,
}

#[derive(Clone)]
struct Token {
    digest: [u8; 32],
    session_key: [u8; 32],
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
    /// The rules for a listener at `listen`. Without a token it must be a loopback address.
    pub(super) fn new(
        listen: SocketAddr,
        public_url: &str,
        token: Option<&Secret>,
    ) -> Result<Self, SettingsError> {
        if token.is_none() && !listen.ip().is_loopback() {
            return Err(SettingsError::Open { listen });
        }
        let token = token.map(|token| Token {
            digest: Sha256::digest(token.expose().as_bytes()).into(),
            session_key: mac(token.expose().as_bytes(), &["bongsu session key"]),
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
            public,
            secure: public_url.starts_with("https://"),
        })
    }

    /// Whether people sign in here.
    pub(super) fn asks_for_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whether cookies may travel over TLS only.
    pub(super) fn secure(&self) -> bool {
        self.secure
    }

    /// Lets a request to the API in. A browser's session may read, but only a bearer may change
    /// something.
    pub(super) fn api(
        &self,
        method: &Method,
        headers: &HeaderMap,
        now: i64,
    ) -> Result<(), Refused> {
        self.site(method, headers)?;
        let Some(token) = &self.token else {
            return Ok(());
        };
        let bearer = text(headers, AUTHORIZATION.as_str())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let let_in = match bearer {
            Some((_, given)) => token.is(given.trim()),
            None => method.is_safe() && token.has_session(headers, now),
        };
        if let_in {
            Ok(())
        } else {
            Err(Refused::Credential)
        }
    }

    /// Lets a request to the console in.
    pub(super) fn console(
        &self,
        method: &Method,
        headers: &HeaderMap,
        now: i64,
    ) -> Result<(), Refused> {
        self.site(method, headers)?;
        match &self.token {
            Some(token) if !token.has_session(headers, now) => Err(Refused::Credential),
            _ => Ok(()),
        }
    }

    /// Looks at where a request was sent and from where it comes.
    pub(super) fn site(&self, method: &Method, headers: &HeaderMap) -> Result<(), Refused> {
        let host = text(headers, HOST.as_str())
            .unwrap_or_default()
            .to_ascii_lowercase();
        if self.token.is_none() && !is_loopback(&host) && host != self.public {
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

    /// The value of a new session's cookie, when the token is right.
    pub(super) fn sign_in(&self, given: &str, now: i64) -> Option<String> {
        let token = self.token.as_ref().filter(|token| token.is(given))?;
        let end = (now + SESSION_SECONDS).to_string();
        let signature = hex::encode(mac(&token.session_key, &["session", &end]));
        Some(format!("{end}.{signature}"))
    }
}

impl Token {
    fn is(&self, given: &str) -> bool {
        let digest: [u8; 32] = Sha256::digest(given.as_bytes()).into();
        digest.ct_eq(&self.digest).into()
    }

    fn has_session(&self, headers: &HeaderMap, now: i64) -> bool {
        let Some((end, signature)) =
            cookie(headers, SESSION_COOKIE).and_then(|c| c.split_once('.'))
        else {
            return false;
        };
        let right = hex::encode(mac(&self.session_key, &["session", end]));
        let genuine: bool = right.as_bytes().ct_eq(signature.as_bytes()).into();
        genuine && end.parse().is_ok_and(|end: i64| now < end)
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

/// HMAC-SHA256 over parts without zero bytes, each ended by one.
fn mac(key: &[u8], parts: &[&str]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part.as_bytes());
        mac.update(&[0]);
    }
    mac.finalize().into_bytes().into()
}

/// 128 random bits as hexadecimal digits.
pub(super) fn random() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(hex::encode(bytes))
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;

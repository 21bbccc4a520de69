//! Who this process is to Kafka, and how its connections are protected.

use crate::StreamError;
use rdkafka::ClientConfig;
use runtime::Secret;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// How connections to the brokers are protected. Secrets are named by their files, never written here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Security {
    /// `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`, as the brokers' listener has it.
    pub protocol: Protocol,
    /// `scram-sha-512` or `scram-sha-256`, where the protocol has SASL.
    pub mechanism: Mechanism,
    /// The name to log in with, where the protocol has SASL.
    pub username: Option<String>,
    /// File with the password of that name. A change of the file is noticed within 5 s.
    pub password_file: Option<PathBuf>,
    /// File with the authorities (PEM) that may sign the brokers' certificates; the system's own when left out.
    pub ca_file: Option<PathBuf>,
    /// File with a client certificate (PEM), where the brokers want one.
    pub certificate_file: Option<PathBuf>,
    /// File with the key (PEM) of that certificate.
    pub key_file: Option<PathBuf>,
}

/// Protection of a listener, in Kafka's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// None.
    #[default]
    Plaintext,
    /// TLS.
    Ssl,
    /// A login without encryption: for tests and trusted networks.
    SaslPlaintext,
    /// A login inside TLS.
    SaslSsl,
}

/// How a login is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize, Serialize)]
pub enum Mechanism {
    /// SCRAM over SHA-256 (RFC 7677).
    #[serde(rename = "scram-sha-256")]
    Sha256,
    /// SCRAM over SHA-512.
    #[default]
    #[serde(rename = "scram-sha-512")]
    Sha512,
}

impl Protocol {
    /// Whether it has TLS.
    pub fn is_encrypted(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    /// Whether it has a login.
    pub fn has_login(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }

    /// Its name in Kafka's configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }
}

impl Mechanism {
    /// Its name on the wire and in Kafka's configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    /// The mechanism of that name on the wire.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Sha256, Self::Sha512]
            .into_iter()
            .find(|each| each.as_str() == name)
    }

    /// The other one: a user may have a password under each.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Sha256 => Self::Sha512,
            Self::Sha512 => Self::Sha256,
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn unusable(key: &str, reason: impl fmt::Display) -> StreamError {
    StreamError::Unusable {
        reason: format!("configuration key `kafka.security.{key}`: {reason}"),
    }
}

impl Security {
    /// Name and password, where the protocol has a login; read from the file now.
    pub(super) fn login(&self) -> Result<Option<(String, Secret)>, StreamError> {
        if !self.protocol.has_login() {
            return Ok(None);
        }
        let wanted = format!("{} wants one", self.protocol.as_str());
        let name = self.username.as_ref().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| unusable("username", &wanted))?;
        let file = self.password_file.as_ref();
        let file = file.ok_or_else(|| unusable("password_file", &wanted))?;
        let password = Secret::from_file(file).map_err(|e| unusable("password_file", e))?;
        Ok(Some((name.clone(), password)))
    }

    /// Whether the keys fit together. A key that would have no effect is refused: whoever wrote it meant something.
    fn check(&self) -> Result<(), StreamError> {
        let idle = |set: bool, key: &str, of: &str| {
            let (protocol, reason) = (self.protocol.as_str(), "has no effect with the protocol");
            if set && !of.is_empty() {
                Err(unusable(key, format!("{reason} {protocol}: it wants {of}")))
            } else {
                Ok(())
            }
        };
        let login = if self.protocol.has_login() {
            ""
        } else {
            "sasl_ssl"
        };
        idle(self.username.is_some(), "username", login)?;
        idle(self.password_file.is_some(), "password_file", login)?;
        let tls = if self.protocol.is_encrypted() {
            ""
        } else {
            "ssl or sasl_ssl"
        };
        idle(self.ca_file.is_some(), "ca_file", tls)?;
        idle(self.certificate_file.is_some(), "certificate_file", tls)?;
        idle(self.key_file.is_some(), "key_file", tls)?;
        match (&self.certificate_file, &self.key_file) {
            (Some(_), None) => Err(unusable("key_file", "the certificate wants its key")),
            (None, Some(_)) => Err(unusable(
                "certificate_file",
                "the key wants its certificate",
            )),
            _ => Ok(()),
        }
    }

    /// Tells librdkafka.
    pub(super) fn apply(&self, client: &mut ClientConfig) -> Result<(), StreamError> {
        self.check()?;
        client.set("security.protocol", self.protocol.as_str());
        if let Some((name, password)) = self.login()? {
            client
                .set("sasl.mechanism", self.mechanism.as_str())
                .set("sasl.username", name)
                .set("sasl.password", password.expose());
        }
        let files = [
            ("ca_file", "ssl.ca.location", &self.ca_file),
            (
                "certificate_file",
                "ssl.certificate.location",
                &self.certificate_file,
            ),
            ("key_file", "ssl.key.location", &self.key_file),
        ];
        for (key, theirs, file) in files {
            if let Some(file) = file {
                readable(key, file)?;
                client.set(theirs, file.display().to_string());
            }
        }
        Ok(())
    }
}

/// librdkafka's own words about a missing file do not name the key.
fn readable(key: &str, file: &Path) -> Result<(), StreamError> {
    std::fs::File::open(file)
        .map(drop)
        .map_err(|error| unusable(key, format!("cannot read {}: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(security: &Security) -> String {
        let refused = security.apply(&mut ClientConfig::new());
        refused.expect_err("it is refused").to_string()
    }

    #[test]
    fn what_is_missing_empty_or_idle_is_refused_by_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty");
        std::fs::write(&empty, "\n").unwrap();
        let sasl = Security {
            protocol: Protocol::SaslSsl,
            ..Security::default()
        };
        let named = Security {
            username: Some("bongsu".to_owned()),
            ..sasl.clone()
        };
        let with_password = |file: PathBuf| Security {
            password_file: Some(file),
            ..named.clone()
        };
        let idle = Security {
            username: Some("bongsu".to_owned()),
            ..Security::default()
        };
        let half = Security {
            protocol: Protocol::Ssl,
            certificate_file: Some(empty.clone()),
            ..Security::default()
        };
        for (security, key, reason) in [
            (sasl, "username", "SASL_SSL wants one"),
            (named.clone(), "password_file", "SASL_SSL wants one"),
            (with_password(empty), "password_file", "is empty"),
            (
                with_password(folder.path().join("none")),
                "password_file",
                "cannot read",
            ),
            (idle, "username", "no effect"),
            (half, "key_file", "wants its key"),
        ] {
            let text = refusal(&security);
            let key = format!("`kafka.security.{key}`");
            assert!(text.contains(&key) && text.contains(reason), "{text}");
        }
    }

    #[test]
    fn a_login_reaches_the_client_and_its_password_is_not_printed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "canary-of-the-password\n").unwrap();
        let security = Security {
            protocol: Protocol::SaslSsl,
            username: Some("bongsu-router".to_owned()),
            password_file: Some(file),
            ..Security::default()
        };
        let mut client = ClientConfig::new();
        security.apply(&mut client).unwrap();
        assert_eq!(client.get("security.protocol"), Some("SASL_SSL"));
        assert_eq!(client.get("sasl.mechanism"), Some("SCRAM-SHA-512"));
        assert_eq!(client.get("sasl.password"), Some("canary-of-the-password"));
        let shown = format!("{client:?} {security:?}");
        assert!(!shown.contains("canary-of-the-password"), "{shown}");
    }
}

//! E-mail over SMTP (RFC 5321), with STARTTLS (RFC 3207) or TLS from the first byte (RFC 8314).
//!
//! The `Message-ID` is made of the delivery's id, so that a mail that is sent again is the same one
//! to every server and reader that compares them, and later mails of an incident follow the first
//! in its thread. A server's 250 means that it has the mail, not that somebody has; failures that it
//! reports later by mail are not read.

use super::Channel;
use super::web::{ChannelError, secret};
use crate::config::{self, SmtpTls};
use crate::core::render::mail;
use crate::core::{Asked, DeliveryId, Message, Outcome, ProviderRef};
use async_trait::async_trait;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, header};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message as Mail};
use model::Timestamp;
use runtime::Secret;
use std::time::Duration;

/// For each exchange with the server; shorter than the sender's own time-out.
const EXCHANGE: Duration = Duration::from_secs(5);
/// How one logs in, the better first.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// A mail server.
pub struct Smtp {
    host: String,
    port: u16,
    tls: SmtpTls,
    parameters: TlsParameters,
    from: Mailbox,
    credentials: Option<(String, Secret)>,
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Smtp")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Smtp {
    /// From configuration; reads the password and the certificates.
    pub fn new(config: &config::Smtp) -> Result<Self, ChannelError> {
        let refuse = |reason: String| ChannelError::Config {
            channel: "smtp",
            reason,
        };
        runtime::tls::install_provider();
        let from: Mailbox = config
            .from
            .parse()
            .map_err(|error| refuse(format!("`from` {:?}: {error}", config.from)))?;
        let mut parameters = TlsParameters::builder(config.host.clone());
        if let Some(path) = &config.ca_file {
            let unreadable = |why: String| refuse(format!("`ca_file` {}: {why}", path.display()));
            let pem = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
            let root =
                Certificate::from_pem(&pem).map_err(|error| unreadable(error.to_string()))?;
            parameters = parameters.add_root_certificate(root);
        }
        let credentials = match (&config.user, &config.password_file) {
            (Some(user), Some(path)) => Some((user.clone(), secret("smtp", path)?)),
            (None, None) => None,
            _ => {
                let text = "`user` and `password_file` belong together";
                return Err(refuse(text.to_owned()));
            }
        };
        if credentials.is_some() && config.tls == SmtpTls::None {
            let text = "a password is not sent without TLS: set `tls` to starttls or implicit";
            return Err(refuse(text.to_owned()));
        }
        Ok(Self {
            host: config.host.clone(),
            port: config.port,
            tls: config.tls,
            parameters: parameters
                .build()
                .map_err(|error| refuse(error.to_string()))?,
            from,
            credentials,
        })
    }

    /// A connection that is ready to take a mail. Nothing was sent where it fails.
    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let name = ClientId::default();
        let server = (self.host.as_str(), self.port);
        let implicit = (self.tls == SmtpTls::Implicit).then(|| self.parameters.clone());
        let connecting =
            AsyncSmtpConnection::connect_tokio1(server, Some(EXCHANGE), &name, implicit, None);
        let mut connection = connecting.await?;
        if self.tls == SmtpTls::Starttls {
            connection.starttls(self.parameters.clone(), &name).await?;
        }
        if let Some((user, password)) = &self.credentials {
            let credentials = Credentials::new(user.clone(), password.expose().to_owned());
            connection.auth(&MECHANISMS, &credentials).await?;
        }
        Ok(connection)
    }

    /// The mail; refused where the address or a part cannot stand in one.
    fn mail(&self, message: &Message) -> Result<(Mail, String), String> {
        let to: Address = message.recipient.address.parse().map_err(|error| {
            format!(
                "`{}` is no e-mail address: {error}",
                message.recipient.address
            )
        })?;
        // The name is quoted and encoded by the library; it holds no line end.
        let name: String = message
            .recipient
            .name
            .chars()
            .filter(|c| !c.is_control())
            .collect();
        let words = mail(message);
        let id = format!("<{}@{}>", message.delivery, self.from.email.domain());
        let mut builder = Mail::builder()
            .from(self.from.clone())
            .to(Mailbox::new(Some(name), to))
            .subject(words.subject)
            .message_id(Some(id.clone()))
            .header(ContentType::TEXT_PLAIN)
            .header(header::ContentTransferEncoding::Base64);
        if let Some(first) = message.thread.as_ref().filter(|first| first.0 != id) {
            builder = builder
                .in_reply_to(first.0.clone())
                .references(first.0.clone());
        }
        let mut mail = builder
            .body(words.text)
            .map_err(|error| error.to_string())?;
        // No vacation notice answers, no mailing list passes it on (RFC 3834).
        for (name, value) in [
            ("Auto-Submitted", "auto-generated".to_owned()),
            // By it our own mails are known where they come in.
            ("X-Bongsu-Delivery", message.delivery.to_string()),
            ("X-Bongsu-Incident", message.incident.id.to_string()),
        ] {
            let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|e| e.to_string())?;
            mail.headers_mut().insert_raw(HeaderValue::new(name, value));
        }
        Ok((mail, id))
    }
}

#[async_trait]
impl Channel for Smtp {
    fn provider(&self) -> &'static str {
        "smtp"
    }

    async fn send(&self, message: &Message) -> Outcome {
        let (mail, id) = match self.mail(message) {
            Ok(built) => built,
            Err(reason) => return Outcome::Refused { reason },
        };
        let mut connection = match self.connect().await {
            Ok(connection) => connection,
            Err(error) => {
                return match refused(&error) {
                    Some(outcome) => outcome,
                    None => Outcome::Retry {
                        after: None,
                        reason: chain(&error),
                    },
                };
            }
        };
        let sent = connection.send(mail.envelope(), &mail.formatted()).await;
        match sent {
            Ok(_) => {
                // The mail is taken; how the server says goodbye does not matter.
                connection.quit().await.ok();
                Outcome::Accepted {
                    reference: ProviderRef(id),
                }
            }
            Err(error) => refused(&error).unwrap_or_else(|| Outcome::Unknown {
                reason: chain(&error),
            }),
        }
    }

    async fn ask(&self, _: &DeliveryId, _: &str, _: Timestamp) -> Asked {
        Asked::CannotTell {
            reason: "a mail server cannot be asked what it took".to_owned(),
        }
    }
}

/// What a reply of the server means; none where there was no reply.
fn refused(error: &Error) -> Option<Outcome> {
    let reason = chain(error);
    if error.is_permanent() {
        Some(Outcome::Refused { reason })
    } else if error.is_transient() {
        Some(Outcome::Retry {
            after: None,
            reason,
        })
    } else {
        None
    }
}

/// An error with its causes.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(300)
        .collect()
}

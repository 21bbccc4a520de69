//! Webhooks: a message of one's own form to an address of one's own, and Microsoft Teams, whose
//! Workflows take an Adaptive Card at such an address.
//!
//! Each address has a name in the configuration, which is what a policy says. The `Idempotency-Key` is
//! the delivery's id; where a secret is given, `X-Bongsu-Signature` is `sha256=` and the hexadecimal
//! HMAC-SHA256 of the body, as many receivers know it from GitHub's webhooks.

use super::Channel;
use super::guard::{Guard, Inside};
use super::web::{Answer, ChannelError, guarded, secret};
use crate::config;
use crate::core::render::{MessageTemplate, card, values};
use crate::core::{Asked, DeliveryId, Message, Outcome, ProviderRef};
use async_trait::async_trait;
use hmac::{Hmac, KeyInit, Mac};
use model::Timestamp;
use reqwest::{Client, Url};
use runtime::Secret;
use sha2::Sha256;
use std::collections::BTreeMap;

/// The largest message that Teams takes, in bytes.
const CARD_BYTES: usize = 28_000;

/// Addresses by name, all of one form.
#[derive(Debug)]
pub struct Hooks {
    provider: &'static str,
    client: Client,
    guard: Guard,
    hooks: BTreeMap<String, Hook>,
}

#[derive(Debug)]
struct Hook {
    url: Secret,
    form: Form,
    signs: Option<Secret>,
}

#[derive(Debug)]
enum Form {
    /// Everything, as JSON.
    Json,
    /// What a template makes of it.
    Template(Box<MessageTemplate>, String),
    /// A card of Teams.
    Card,
}

impl Hooks {
    /// Webhooks, each with its template where it has one; reads addresses, templates and secrets.
    pub fn webhooks(
        config: &BTreeMap<String, config::Webhook>,
        guard: Guard,
    ) -> Result<Self, ChannelError> {
        let read = |(name, hook): (&String, &config::Webhook)| {
            let refuse = |reason: String| ChannelError::Config {
                channel: "webhook",
                reason: format!("`{name}`: {reason}"),
            };
            let form = match &hook.template_file {
                None => Form::Json,
                Some(path) => {
                    let source = std::fs::read_to_string(path)
                        .map_err(|error| refuse(format!("{}: {error}", path.display())))?;
                    let template = MessageTemplate::parse(&source)
                        .map_err(|error| refuse(format!("{}: {error}", path.display())))?;
                    Form::Template(Box::new(template), hook.content_type.clone())
                }
            };
            let signs = hook.secret_file.as_deref();
            let hook = Hook {
                url: secret("webhook", &hook.url_file)?,
                form,
                signs: signs.map(|path| secret("webhook", path)).transpose()?,
            };
            Ok((name.clone(), hook))
        };
        let hooks = config.iter().map(read).collect::<Result<_, _>>()?;
        Self::new("webhook", hooks, guard)
    }

    /// Workflows of Microsoft Teams, by the name of their room.
    pub fn teams(
        config: &BTreeMap<String, config::TeamsRoom>,
        guard: Guard,
    ) -> Result<Self, ChannelError> {
        let read = |(name, room): (&String, &config::TeamsRoom)| {
            let hook = Hook {
                url: secret("teams", &room.url_file)?,
                form: Form::Card,
                signs: None,
            };
            Ok((name.clone(), hook))
        };
        let hooks = config.iter().map(read).collect::<Result<_, _>>()?;
        Self::new("teams", hooks, guard)
    }

    fn new(
        provider: &'static str,
        hooks: BTreeMap<String, Hook>,
        guard: Guard,
    ) -> Result<Self, ChannelError> {
        for (name, hook) in &hooks {
            // What is written out can be told before the first page.
            address(&guard, hook).map_err(|why| ChannelError::Config {
                channel: provider,
                reason: format!("`{name}`: {why}"),
            })?;
        }
        Ok(Self {
            provider,
            client: guarded(guard.clone())?,
            guard,
            hooks,
        })
    }
}

fn address(guard: &Guard, hook: &Hook) -> Result<Url, Inside> {
    let url = Url::parse(hook.url.expose()).map_err(|_| Inside::Scheme)?;
    guard.check(&url).map(|()| url)
}

impl Hook {
    /// The body and its content type.
    fn body(&self, message: &Message) -> Result<(String, &str), String> {
        match &self.form {
            Form::Json => Ok((values(message).to_string(), "application/json")),
            Form::Template(template, kind) => match template.render(message) {
                Ok(text) => Ok((text, kind)),
                Err(error) => Err(format!("its template: {error}")),
            },
            Form::Card => {
                let card = card(message).to_string();
                match card.len() {
                    0..=CARD_BYTES => Ok((card, "application/json")),
                    more => Err(format!("a card of {more} bytes")),
                }
            }
        }
    }
}

#[async_trait]
impl Channel for Hooks {
    fn provider(&self) -> &'static str {
        self.provider
    }

    async fn send(&self, message: &Message) -> Outcome {
        let refused = |reason: String| Outcome::Refused { reason };
        let name = &message.recipient.address;
        let Some(hook) = self.hooks.get(name) else {
            return refused(format!(
                "the configuration has no {} `{name}`",
                self.provider
            ));
        };
        let url = match address(&self.guard, hook) {
            Ok(url) => url,
            Err(why) => return refused(why.to_string()),
        };
        let (body, kind) = match hook.body(message) {
            Ok(built) => built,
            Err(reason) => return refused(reason),
        };
        let mut request = self
            .client
            .post(url)
            .header("content-type", kind)
            .header("idempotency-key", message.delivery.to_string());
        if let Some(key) = &hook.signs {
            request = request.header("x-bongsu-signature", sign(key, &body));
        }
        let answer = match Answer::of(request.body(body).send().await).await {
            Ok(answer) => answer,
            Err(outcome) => return outcome,
        };
        match answer.status.is_success() {
            true => Outcome::Delivered {
                reference: ProviderRef(message.delivery.to_string()),
            },
            false => answer.refusal(""),
        }
    }

    async fn ask(&self, _: &DeliveryId, _: &str, _: Timestamp) -> Asked {
        Asked::CannotTell {
            reason: "a webhook cannot be asked; it gets the same key again".to_owned(),
        }
    }
}

/// `X-Bongsu-Signature`.
fn sign(key: &Secret, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes())
        .expect("HMAC takes keys of any length");
    mac.update(body.as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_that_github_publishes_for_its_form() {
        // "Validating webhook deliveries", section "Testing the webhook payload validation".
        let key = Secret::new("It's a Secret to Everybody");
        assert_eq!(
            sign(&key, "Hello, World!"),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }
}

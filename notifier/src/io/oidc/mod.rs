//! An identity provider (OpenID Connect): where it is, where the browser goes, and what its answer is worth.
//!
//! The authorization code flow with PKCE (RFC 7636), state and nonce. The code is exchanged from here, never by the browser.

mod verify;

use crate::config;
use crate::core::{Expected, GroupGrant, Identity, Names, NotOurs, check_identity, identity};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use reqwest::{Client, RequestBuilder, Url};
use runtime::Secret;
use runtime::secret::SecretError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use verify::BadToken;

/// The longest that the provider may take for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer that is read.
const ANSWER_BYTES: usize = 1 << 20;

/// Why the provider cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The secret cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Something is wrong with what the configuration says.
    #[error("`notifier.oidc`: {0}")]
    Config(String),
}

/// Why somebody is not signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The provider did not answer, or not as OpenID Connect says.
    #[error("the identity provider: {0}")]
    Provider(String),
    /// Its token is not signed by it.
    #[error("the identity provider's token: {0}")]
    Signature(#[from] BadToken),
    /// Its token is not for us.
    #[error("the identity provider's token: {0}")]
    NotOurs(#[from] NotOurs),
}

/// The provider. A cheap handle.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

struct Inner {
    config: config::Oidc,
    secret: Option<Secret>,
    rules: Vec<GroupGrant>,
    redirect: String,
    http: Client,
    /// What the provider said of itself, once it did.
    known: Mutex<Option<Known>>,
}

#[derive(Clone)]
struct Known {
    about: About,
    keys: JwkSet,
}

/// What a provider says of itself (OpenID Connect Discovery 1.0).
#[derive(Debug, Clone, Deserialize)]
struct About {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    access_token: Option<String>,
}

/// What binds an answer of the provider to the browser that asked.
#[derive(Debug, Clone, Copy)]
pub struct Binding<'a> {
    /// What the provider hands back.
    pub state: &'a str,
    /// What stands in its token.
    pub nonce: &'a str,
    /// The secret behind the challenge.
    pub verifier: &'a str,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Provider")
            .field(&self.0.config.issuer)
            .finish()
    }
}

impl Provider {
    /// From configuration; nothing is asked yet, so that a provider that is away holds nothing up.
    pub fn new(config: &config::Oidc, public_url: &str) -> Result<Self, ProviderError> {
        let secret = config.client_secret_file.as_deref();
        let secret = secret.map(Secret::from_file).transpose()?;
        let wrong = |why: String| ProviderError::Config(why);
        safe(&config.issuer).map_err(|why| wrong(format!("`issuer` {why}")))?;
        let rules = config.rules().map_err(wrong)?;
        runtime::tls::install_provider();
        let mut http = Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none());
        if let Some(file) = &config.ca_file {
            let pem = std::fs::read(file)
                .map_err(|error| wrong(format!("`ca_file` {}: {error}", file.display())))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|error| wrong(format!("`ca_file` {}: {error}", file.display())))?;
            for certificate in certificates {
                http = http.add_root_certificate(certificate);
            }
        }
        let http = http.build().map_err(|error| wrong(error.to_string()))?;
        Ok(Self(Arc::new(Inner {
            secret,
            rules,
            redirect: format!("{}/login/callback", public_url.trim_end_matches('/')),
            config: config.clone(),
            http,
            known: Mutex::new(None),
        })))
    }

    /// What members of which groups may.
    pub fn rules(&self) -> &[GroupGrant] {
        &self.0.rules
    }

    /// Where the browser goes to sign in.
    pub async fn address(&self, binding: Binding<'_>) -> Result<String, SignInError> {
        let about = self.known(false).await?.about;
        let mut url = Url::parse(&about.authorization_endpoint).map_err(|error| {
            SignInError::Provider(format!("its authorization_endpoint: {error}"))
        })?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(binding.verifier.as_bytes()));
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.0.config.client_id)
            .append_pair("redirect_uri", &self.0.redirect)
            .append_pair("scope", &self.0.config.scopes.join(" "))
            .append_pair("state", binding.state)
            .append_pair("nonce", binding.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(url.into())
    }

    /// Exchanges the code that the browser brought back; who signed in. `now` in seconds since 1970.
    pub async fn exchange(
        &self,
        code: &str,
        binding: Binding<'_>,
        now: i64,
    ) -> Result<Identity, SignInError> {
        let Inner { config, http, .. } = &*self.0;
        let known = self.known(false).await?;
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.0.redirect),
            ("code_verifier", binding.verifier),
        ];
        let mut request = http.post(&known.about.token_endpoint);
        match &self.0.secret {
            Some(secret) => {
                // RFC 6749, 2.3.1: both are encoded as in a form first.
                request = request.basic_auth(
                    form_encoded(&config.client_id),
                    Some(form_encoded(secret.expose())),
                );
            }
            None => fields.push(("client_id", &config.client_id)),
        }
        let tokens: Tokens = json("token_endpoint", request.form(&fields)).await?;
        let claims = match verify::claims(&tokens.id_token, &known.keys) {
            // Keys are rotated: asked once more, the provider has it, or nobody has.
            Err(BadToken::UnknownKey) => {
                let known = self.known(true).await?;
                verify::claims(&tokens.id_token, &known.keys)?
            }
            other => other?,
        };
        let expected = Expected {
            issuer: &config.issuer,
            client: &config.client_id,
            nonce: binding.nonce,
        };
        let subject = check_identity(&claims, expected, now)?;
        let names = Names {
            name: &config.name_claim,
            groups: &config.groups_claim,
        };
        let found = identity(&claims, &subject, names);
        match (
            &found.groups,
            &known.about.userinfo_endpoint,
            &tokens.access_token,
        ) {
            (None, Some(endpoint), Some(access)) => {
                self.told_apart(endpoint, access, found, names).await
            }
            _ => Ok(found),
        }
    }

    /// Asks the provider about a person whose groups do not stand in the token.
    async fn told_apart(
        &self,
        endpoint: &str,
        access: &str,
        found: Identity,
        names: Names<'_>,
    ) -> Result<Identity, SignInError> {
        let request = self.0.http.get(endpoint).bearer_auth(access);
        let told: Value = json("userinfo_endpoint", request).await?;
        // OpenID Connect Core 1.0, 5.3.2: an answer about somebody else is not used.
        if told["sub"] != found.subject.as_str() {
            let text = "it answered about another person";
            return Err(SignInError::Provider(text.to_owned()));
        }
        let more = identity(&told, &found.subject, names);
        let name = if found.name == found.subject {
            more.name
        } else {
            found.name
        };
        Ok(Identity {
            subject: found.subject,
            name,
            groups: more.groups,
        })
    }

    /// What the provider says of itself, asked again when `anew`.
    async fn known(&self, anew: bool) -> Result<Known, SignInError> {
        let mut held = self.0.known.lock().await;
        if let Some(known) = held.as_ref().filter(|_| !anew) {
            return Ok(known.clone());
        }
        let Inner { config, http, .. } = &*self.0;
        let issuer = config.issuer.trim_end_matches('/');
        let url = format!("{issuer}/.well-known/openid-configuration");
        let about: About = json("discovery", http.get(url)).await?;
        if about.issuer != config.issuer {
            let text = format!("it calls itself {}, not {}", about.issuer, config.issuer);
            return Err(SignInError::Provider(text));
        }
        let endpoints = [&about.token_endpoint, &about.jwks_uri];
        for endpoint in endpoints.into_iter().chain(&about.userinfo_endpoint) {
            safe(endpoint).map_err(|why| SignInError::Provider(format!("{endpoint} {why}")))?;
        }
        let keys: JwkSet = json("jwks_uri", http.get(&about.jwks_uri)).await?;
        let known = Known { about, keys };
        *held = Some(known.clone());
        Ok(known)
    }
}

/// Whether an address may carry secrets: over TLS, or on this machine.
fn safe(address: &str) -> Result<(), String> {
    let url = Url::parse(address).map_err(|error| format!("is no URL: {error}"))?;
    let near = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if url.scheme() == "https" || (url.scheme() == "http" && near) {
        Ok(())
    } else {
        Err("must begin with https://".to_owned())
    }
}

fn form_encoded(text: &str) -> String {
    let mut url = Url::parse("x:/").expect("this is a URL");
    url.query_pairs_mut().append_pair("", text);
    let query = url.query().unwrap_or_default();
    query.trim_start_matches('=').to_owned()
}

/// An answer of the provider, read within its bounds.
async fn json<T: DeserializeOwned>(what: &str, request: RequestBuilder) -> Result<T, SignInError> {
    let fail = |why: String| SignInError::Provider(format!("{what}: {why}"));
    let sent = request.header("accept", "application/json").send();
    let mut answer = sent.await.map_err(|error| fail(chain(&error)))?;
    let status = answer.status();
    let mut bytes = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(|error| fail(chain(&error)))? {
        bytes.extend_from_slice(&part);
        if bytes.len() > ANSWER_BYTES {
            return Err(fail("its answer is too large".to_owned()));
        }
    }
    if !status.is_success() {
        // An OAuth error is a word; nothing of what was sent is repeated.
        let said: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let word: String = said["error"]
            .as_str()
            .unwrap_or("")
            .chars()
            .take(80)
            .collect();
        return Err(fail(format!("it answered {} {word}", status.as_u16())));
    }
    serde_json::from_slice(&bytes).map_err(|error| fail(error.to_string()))
}

/// What reqwest says, down to the cause.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

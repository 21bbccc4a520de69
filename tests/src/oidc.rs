//! A real OpenID Provider, node-oidc-provider, and a browser that signs in by it.

use crate::process::Process;
use crate::workdir::Workdir;
use crate::{installed, ports, web};
use reqwest::{Client, Response, StatusCode, Url, redirect::Policy};
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

const START: Duration = Duration::from_secs(30);
/// Pages that a sign-in leads over at most.
const PAGES: usize = 20;

/// What the provider calls its one client.
pub const CLIENT: &str = "bongsu";
/// The secret that was agreed with it.
pub const SECRET: &str = "canary-secret-of-the-client";

/// A running provider. Fields drop in order: the process before its folder.
#[derive(Debug)]
pub struct IdentityProvider {
    process: Process,
    issuer: String,
    _folder: Workdir,
}

impl IdentityProvider {
    /// Starts one whose client is sent back to `redirect`. Tokens are signed by `RS256` or `ES256`; groups stand in the `token`,
    /// or are told by `userinfo`.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    pub async fn start(redirect: &str, algorithm: &str, claims: &str) -> Self {
        let folder = Workdir::new("oidc-provider");
        let port = ports::free();
        let mut command = Command::new("node");
        command
            .arg(installed::folder("oidc-provider").join("server.mjs"))
            .arg(port.to_string())
            .args([CLIENT, SECRET, redirect, algorithm, claims]);
        let mut process = Process::start("oidc-provider", command, folder.join("provider.log"));
        let issuer = format!("http://127.0.0.1:{port}");
        let (ready, client) = (
            format!("{issuer}/.well-known/openid-configuration"),
            web::client(),
        );
        process
            .ready(START, async || {
                Ok(client.get(&ready).send().await?.status().is_success())
            })
            .await;
        Self {
            process,
            issuer,
            _folder: folder,
        }
    }

    /// Its address, as it calls itself.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Ends it, as `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}

/// A browser: it keeps cookies for each server, and goes where it is sent.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    cookies: BTreeMap<(String, String), String>,
}

impl Default for Browser {
    fn default() -> Self {
        Self::new()
    }
}

impl Browser {
    /// One that was never anywhere.
    ///
    /// # Panics
    /// When no client can be built.
    pub fn new() -> Self {
        // Installs the provider of cryptography.
        drop(web::client());
        let client = Client::builder().redirect(Policy::none()).no_proxy();
        Self {
            client: client.build().expect("an HTTP client can be built"),
            cookies: BTreeMap::new(),
        }
    }

    /// Loads an address, or sends a form there; redirects are not followed.
    ///
    /// # Panics
    /// When nothing answers.
    pub async fn load(&mut self, address: &str, form: Option<&[(&str, &str)]>) -> Response {
        let url = Url::parse(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        let server = server(&url);
        let cookies = self.cookies.iter().filter(|((at, _), _)| *at == server);
        let cookies: Vec<String> = cookies
            .map(|((_, name), value)| format!("{name}={value}"))
            .collect();
        let mut request = match form {
            Some(form) => self.client.post(url).form(form),
            None => self.client.get(url),
        };
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        let answer = request.send().await;
        let answer = answer.unwrap_or_else(|error| panic!("{address}: {error:?}"));
        for cookie in answer.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().expect("cookies are plain text");
            let pair = cookie.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let key = (server.clone(), name.trim().to_owned());
            match value {
                "" => drop(self.cookies.remove(&key)),
                _ => drop(self.cookies.insert(key, value.to_owned())),
            }
        }
        answer
    }

    /// The value of a cookie of that server.
    pub fn cookie(&self, address: &str, name: &str) -> Option<&str> {
        let server = server(&Url::parse(address).ok()?);
        let found = self.cookies.get(&(server, name.to_owned()));
        found.map(String::as_str)
    }

    /// Begins at an address of ours, signs in at the provider as `login`, consents, and stops before it loads the address of ours
    /// that the provider leads back to; that address.
    ///
    /// # Panics
    /// When the provider does not lead back.
    pub async fn signs_in(&mut self, begin: &str, provider: &str, login: &str) -> String {
        let mut at = begin.to_owned();
        let mut form: Option<Vec<(&str, &str)>> = None;
        for _ in 0..PAGES {
            let answer = self.load(&at, form.as_deref()).await;
            form = None;
            if let Some(to) = location(&answer, &at) {
                if at.starts_with(provider) && !to.starts_with(provider) {
                    return to;
                }
                at = to;
                continue;
            }
            let status = answer.status();
            let page = answer.text().await.expect("pages can be read");
            assert_eq!(status, StatusCode::OK, "{at}: {page}");
            form = Some(if page.contains("name=\"login\"") {
                vec![("prompt", "login"), ("login", login), ("password", "any")]
            } else {
                vec![("prompt", "consent")]
            });
        }
        panic!("the provider never led back, last at {at}");
    }
}

fn server(url: &Url) -> String {
    let (host, port) = (url.host_str().unwrap_or_default(), url.port());
    format!("{host}:{}", port.unwrap_or(0))
}

/// Where an answer sends the browser.
fn location(answer: &Response, from: &str) -> Option<String> {
    let to = answer.headers().get("location")?.to_str().ok()?;
    let to = Url::parse(from).ok()?.join(to).ok()?;
    Some(to.into())
}

//! A real control plane of Kubernetes: etcd, the API server and the controllers, without a node. Pods are made and admitted, and wait.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use reqwest::Method;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::Value;

use crate::process::Process;
use crate::workdir::Workdir;
use crate::{installed, ports, wait, web};

const START: Duration = Duration::from_secs(90);
/// The token of who may do everything there.
pub const TOKEN: &str = "of-the-tests";

/// A running control plane. Fields drop in order: the processes before their folder.
#[derive(Debug)]
pub struct Kubernetes {
    _controllers: Process,
    _api: Process,
    _etcd: Process,
    url: String,
    client: reqwest::Client,
    folder: Workdir,
}

impl Kubernetes {
    /// Starts one, empty but for what Kubernetes itself keeps.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    pub async fn start() -> Self {
        let folder = Workdir::new("kubernetes");
        let programs = installed::folder("kubernetes");
        let path = |name: &str| folder.join(name).display().to_string();
        let (store, peers, port) = (ports::free(), ports::free(), ports::free());

        let mut etcd = Command::new("etcd");
        let (store, peers) = (
            format!("http://127.0.0.1:{store}"),
            format!("http://127.0.0.1:{peers}"),
        );
        etcd.args(["--data-dir", &path("etcd"), "--unsafe-no-fsync"])
            .args([
                "--listen-client-urls",
                &store,
                "--advertise-client-urls",
                &store,
            ])
            .args([
                "--listen-peer-urls",
                &peers,
                "--initial-advertise-peer-urls",
                &peers,
            ])
            .args(["--initial-cluster", &format!("default={peers}")]);
        let etcd = Process::start("etcd", etcd, folder.join("etcd.log"));

        let (private, public) = keys();
        let key = folder.write("accounts.key", &private).display().to_string();
        let public = folder.write("accounts.pub", &public).display().to_string();
        folder.write(
            "tokens.csv",
            &format!("{TOKEN},tests,1,\"system:masters\"\n"),
        );
        let url = format!("https://127.0.0.1:{port}");
        let mut api = Command::new(programs.join("kube-apiserver"));
        api.args([
            "--etcd-servers",
            &store,
            "--cert-dir",
            &path("certificates"),
        ])
        .args(["--service-account-key-file", &public])
        .args(["--service-account-signing-key-file", &key])
        .args(["--service-account-issuer", "https://kubernetes.default.svc"])
        .args(["--token-auth-file", &path("tokens.csv")])
        .args([
            "--authorization-mode",
            "RBAC",
            "--bind-address",
            "127.0.0.1",
        ])
        .args(["--secure-port", &port.to_string()])
        .args(["--service-cluster-ip-range", "10.96.0.0/16"]);
        let mut api = Process::start("kube-apiserver", api, folder.join("api.log"));

        let config = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: tests\n\
             clusters: [{{name: tests, cluster: {{server: '{url}', insecure-skip-tls-verify: true}}}}]\n\
             users: [{{name: tests, user: {{token: {TOKEN}}}}}]\n\
             contexts: [{{name: tests, context: {{cluster: tests, user: tests}}}}]\n"
        );
        folder.write("kubeconfig", &config);
        // Installs the provider of cryptography, which a client of its own needs as well.
        drop(web::client());
        let client = reqwest::Client::builder()
            .tls_danger_accept_invalid_certs(true)
            .timeout(Duration::from_secs(20))
            .no_proxy()
            .build()
            .expect("an HTTP client can be built");
        let ready = format!("{url}/readyz");
        let ask = client.clone();
        api.ready(START, async || {
            let answer = ask.get(&ready).bearer_auth(TOKEN).send().await?;
            Ok(answer.status().is_success())
        })
        .await;

        let mut controllers = Command::new(programs.join("kube-controller-manager"));
        controllers
            .args(["--kubeconfig", &path("kubeconfig"), "--leader-elect=false"])
            .args(["--service-account-private-key-file", &key])
            .args(["--use-service-account-credentials", "--secure-port=0"]);
        let log = folder.join("controllers.log");
        let controllers = Process::start("kube-controller-manager", controllers, log);
        Self {
            _controllers: controllers,
            _api: api,
            _etcd: etcd,
            url,
            client,
            folder,
        }
    }

    /// Where its REST interface is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A file that clients such as Helm find the server with.
    pub fn kubeconfig(&self) -> String {
        self.folder.join("kubeconfig").display().to_string()
    }

    /// Asks for what is at a path, such as `/api/v1/namespaces/ops/pods`.
    ///
    /// # Errors
    /// When it is not there or not answered.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.ask(Method::GET, path, None).await
    }

    /// Makes an object under a path.
    ///
    /// # Errors
    /// When it is refused; the server's reason is in the error.
    pub async fn create(&self, path: &str, object: &Value) -> Result<Value> {
        self.ask(Method::POST, path, Some(object)).await
    }

    /// Merges a change into the object at a path.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn patch(&self, path: &str, change: &Value) -> Result<Value> {
        self.ask(Method::PATCH, path, Some(change)).await
    }

    /// Removes what is at a path.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn delete(&self, path: &str) -> Result<Value> {
        self.ask(Method::DELETE, path, None).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let mut request = self
            .client
            .request(method.clone(), format!("{}{path}", self.url))
            .bearer_auth(TOKEN);
        if let Some(body) = body {
            let kind = if method == Method::PATCH {
                "application/merge-patch+json"
            } else {
                "application/json"
            };
            request = request.header("content-type", kind).body(body.to_string());
        }
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{method} {path}: {status}: {text}");
        serde_json::from_str(&text).with_context(|| format!("{method} {path}"))
    }

    /// The items of a list.
    ///
    /// # Errors
    /// When it is not answered.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>> {
        let answer = self.get(path).await?;
        Ok(answer["items"].as_array().context("a list")?.clone())
    }

    /// The objects in a namespace as `Kind/name`, sorted: of every kind that the server knows and can list, without events.
    ///
    /// # Errors
    /// When it is not answered.
    pub async fn objects(&self, namespace: &str) -> Result<Vec<String>> {
        let mut groups = vec!["/api/v1".to_owned()];
        for group in self.get("/apis").await?["groups"]
            .as_array()
            .context("groups")?
        {
            let version = group["preferredVersion"]["groupVersion"].as_str();
            groups.push(format!("/apis/{}", version.context("a version")?));
        }
        let mut found = Vec::new();
        for group in groups {
            let resources = self.get(&group).await?;
            for resource in resources["resources"].as_array().context("resources")? {
                let (name, kind) = (&resource["name"], &resource["kind"]);
                let verbs = resource["verbs"].as_array().context("verbs")?;
                let listed = verbs.iter().any(|verb| verb == "list");
                if resource["namespaced"] != true || !listed || kind == "Event" {
                    continue;
                }
                let name = name.as_str().context("a name")?;
                let path = format!("{group}/namespaces/{namespace}/{name}");
                for item in self.list(&path).await? {
                    let name = item["metadata"]["name"].as_str().context("a name")?;
                    found.push(format!("{}/{name}", kind.as_str().context("a kind")?));
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Waits until what is asked for is so.
    ///
    /// # Panics
    /// When it is not within a minute.
    pub async fn until<T>(&self, what: &str, probe: impl AsyncFnMut() -> Result<Option<T>>) -> T {
        wait::until(Duration::from_secs(60), probe)
            .await
            .unwrap_or_else(|error| panic!("{what}: {error:?}"))
    }
}

/// A pair of keys in PEM, private and public: the server signs the tokens of service accounts with one and checks them with the other.
fn keys() -> (String, String) {
    /// What stands before a point of P-256 in a SubjectPublicKeyInfo (RFC 5480).
    const PUBLIC: [u8; 26] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    let (kind, random) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
    let private = EcdsaKeyPair::generate_pkcs8(kind, &random).expect("a key can be made");
    let pair = EcdsaKeyPair::from_pkcs8(kind, private.as_ref(), &random).expect("it is a key");
    let public = [&PUBLIC[..], pair.public_key().as_ref()].concat();
    (pem("PRIVATE", private.as_ref()), pem("PUBLIC", &public))
}

fn pem(label: &str, content: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(content);
    let lines = text.as_bytes().chunks(64);
    let lines: Vec<_> = lines.map(|line| String::from_utf8_lossy(line)).collect();
    format!(
        "-----BEGIN {label} KEY-----\n{}\n-----END {label} KEY-----\n",
        lines.join("\n")
    )
}

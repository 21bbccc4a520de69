//! The one provider of cryptography, and the certificates that a listener shows, read anew when their files change.

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ServerConfig, WebPkiClientVerifier};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Makes ring the process's provider for rustls. Needed once before the first HTTP client, also a plain one;
/// later calls change nothing.
pub fn install_provider() {
    // An error says that a provider is installed already, which is what is wanted.
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// How a listener is encrypted. The files are read again when they change and at every reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// File with the certificate and those between it and its authority (PEM).
    pub cert_file: PathBuf,
    /// File with the certificate's key (PEM: PKCS#8, PKCS#1 or SEC1).
    pub key_file: PathBuf,
    /// File with the authorities (PEM) of which a client has to show a certificate. `/livez` and `/readyz` are
    /// answered without one: probes have none.
    #[serde(default)]
    pub client_ca_file: Option<PathBuf>,
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what it should hold.
        reason: String,
    },
}

/// What a look at the files found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// They are what is in use.
    Same,
    /// They are new, good and in use from now on.
    Replaced,
    /// They are as bad as at the look before.
    StillRefused,
}

/// The files' bytes: certificate, key, authorities of clients.
#[derive(Clone, PartialEq, Eq)]
struct Files([Vec<u8>; 3]);

struct State {
    files: Files,
    server: Arc<ServerConfig>,
    /// What the files said when they were refused last.
    refused: Option<Result<Files, String>>,
}

/// The certificates of one listener. Connections keep what they began with.
pub(crate) struct Certificates {
    config: TlsConfig,
    state: Mutex<State>,
}

impl Certificates {
    /// Reads the files for the first time.
    pub(crate) fn load(config: &TlsConfig) -> Result<Self, TlsError> {
        install_provider();
        let files = Files::read(config)?;
        let server = files.server(config)?;
        Ok(Self {
            config: config.clone(),
            state: Mutex::new(State {
                files,
                server,
                refused: None,
            }),
        })
    }

    /// What a new connection is shown.
    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.lock().server)
    }

    /// Whether clients have to show a certificate.
    pub(crate) fn ask_clients(&self) -> bool {
        self.config.client_ca_file.is_some()
    }

    /// Looks whether the files have changed. An error keeps what is in use; the same error is told once unless
    /// `again`.
    pub(crate) fn look(&self, again: bool) -> Result<Look, TlsError> {
        let read = Files::read(&self.config);
        let mut state = self.lock();
        let seen = match &read {
            Ok(files) if *files == state.files => {
                state.refused = None;
                return Ok(Look::Same);
            }
            Ok(files) => Ok(files.clone()),
            Err(error) => Err(error.to_string()),
        };
        if !again && state.refused.as_ref() == Some(&seen) {
            return Ok(Look::StillRefused);
        }
        match read.and_then(|files| Ok((files.server(&self.config)?, files))) {
            Ok((server, files)) => {
                *state = State {
                    files,
                    server,
                    refused: None,
                };
                Ok(Look::Replaced)
            }
            Err(error) => {
                state.refused = Some(seen);
                Err(error)
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.config.fmt(f)
    }
}

impl Files {
    fn read(config: &TlsConfig) -> Result<Self, TlsError> {
        let bytes = |path: &Path| {
            std::fs::read(path).map_err(|source| TlsError::Read {
                path: path.to_owned(),
                source,
            })
        };
        let authorities = config.client_ca_file.as_deref().map(bytes).transpose()?;
        Ok(Self([
            bytes(&config.cert_file)?,
            bytes(&config.key_file)?,
            authorities.unwrap_or_default(),
        ]))
    }

    /// Checks that the files belong together.
    fn server(&self, config: &TlsConfig) -> Result<Arc<ServerConfig>, TlsError> {
        let wrong = |path: &Path, reason: String| TlsError::Content {
            path: path.to_owned(),
            reason,
        };
        let [certificate, key, authorities] = &self.0;
        let chain = certificates(&config.cert_file, certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| wrong(&config.key_file, format!("holds no private key: {error}")))?;
        let verifier = match &config.client_ca_file {
            None => WebPkiClientVerifier::no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(path, authorities)? {
                    roots
                        .add(authority)
                        .map_err(|error| wrong(path, format!("is no authority: {error}")))?;
                }
                WebPkiClientVerifier::builder(Arc::new(roots))
                    // Who shows none gets no further than the probes; a bad one ends the handshake.
                    .allow_unauthenticated()
                    .build()
                    .map_err(|error| wrong(path, error.to_string()))?
            }
        };
        let mut server = ServerConfig::builder()
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(|error| {
                let key = config.key_file.display();
                wrong(
                    &config.cert_file,
                    format!("cannot be used with the key in {key}: {error}"),
                )
            })?;
        // The deadline on heads is that of HTTP/1.
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(server))
    }
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |reason: String| TlsError::Content {
        path: path.to_owned(),
        reason,
    };
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if all.is_empty() => Err(wrong("holds no certificate (PEM)".to_owned())),
        Ok(all) => Ok(all),
        Err(error) => Err(wrong(format!("is no PEM: {error}"))),
    }
}

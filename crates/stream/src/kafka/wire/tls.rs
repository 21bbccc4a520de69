//! TLS to a broker, with the same files that librdkafka is given.

use super::unreachable;
use crate::{Security, StreamError};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

fn unusable(key: &str, reason: impl std::fmt::Display) -> StreamError {
    StreamError::Unusable {
        reason: format!("configuration key `kafka.security.{key}`: {reason}"),
    }
}

/// The connection inside TLS; the broker's certificate must be for the host that it was reached at.
pub(super) async fn wrap(
    security: &Security,
    broker: &str,
    socket: TcpStream,
) -> Result<TlsStream<TcpStream>, StreamError> {
    let host = broker.rsplit_once(':').map_or(broker, |(host, _)| host);
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let name = ServerName::try_from(host).map_err(|error| unreachable(broker, error))?;
    let connector = TlsConnector::from(Arc::new(config(security)?));
    let wrapped = connector.connect(name, socket).await;
    wrapped.map_err(|error| unreachable(broker, format!("TLS: {error}")))
}

fn config(security: &Security) -> Result<ClientConfig, StreamError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("protocol", error))?
        .with_root_certificates(roots(security)?);
    match (&security.certificate_file, &security.key_file) {
        (Some(certificate), Some(key)) => {
            let chain = certificates("certificate_file", certificate)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|e| unusable("key_file", e))?;
            let config = builder.with_client_auth_cert(chain, key);
            config.map_err(|error| unusable("certificate_file", error))
        }
        _ => Ok(builder.with_no_client_auth()),
    }
}

fn roots(security: &Security) -> Result<RootCertStore, StreamError> {
    let mut roots = RootCertStore::empty();
    match &security.ca_file {
        Some(file) => {
            for certificate in certificates("ca_file", file)? {
                let added = roots.add(certificate);
                added.map_err(|error| unusable("ca_file", error))?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
        }
    }
    if roots.is_empty() {
        return Err(unusable(
            "ca_file",
            "no authority is known: name their file",
        ));
    }
    Ok(roots)
}

fn certificates(key: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, StreamError> {
    let named = |error| unusable(key, format!("{}: {error}", file.display()));
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file)
        .map_err(named)?
        .collect();
    found.map_err(named)
}

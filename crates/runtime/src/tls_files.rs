//! Certificates whose files are followed while a listener shows them, also for one that is no HTTP server.

use crate::tls::{Certificates, Look, TlsConfig, TlsError};
use crate::{Context, OnEnd};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How often the files of certificates are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Encrypts connections of a protocol that begins in the clear, with certificates that are read again when their files
/// change and at every reload. A cheap handle.
#[derive(Debug, Clone)]
pub struct Handshakes(Arc<Certificates>);

impl Handshakes {
    /// Reads the files, and follows them until the shutdown. `name` is the listener's in metrics and log.
    pub fn follow(name: &'static str, config: &TlsConfig, ctx: &Context) -> Result<Self, TlsError> {
        let certificates = Arc::new(Certificates::load(config)?);
        follow_files(name, &certificates, ctx);
        Ok(Self(certificates))
    }

    /// Makes the handshake. An error: the other side speaks no TLS, or has shown a certificate that is not trusted.
    pub async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut config = (*self.0.current()).clone();
        // What may be agreed on there are the versions of HTTP.
        config.alpn_protocols.clear();
        TlsAcceptor::from(Arc::new(config)).accept(stream).await
    }

    /// Whether the other side has shown a certificate where one is asked for.
    pub fn is_welcome<S>(&self, stream: &TlsStream<S>) -> bool {
        !self.0.ask_clients() || stream.get_ref().1.peer_certificates().is_some()
    }
}

/// Looks at the files of the certificates now and then, and at every reload.
pub(crate) fn follow_files(name: &'static str, certificates: &Arc<Certificates>, ctx: &Context) {
    ctx.reload.certificate(name, true);
    let (own, reload) = (Arc::clone(certificates), ctx.reload.clone());
    ctx.reload.add(format!("certificates of {name}"), move || {
        match own.look(true) {
            Ok(look) => {
                reload.certificate(name, true);
                Ok(match look {
                    Look::Replaced => "new certificates are shown from now on".to_owned(),
                    _ => "nothing has changed".to_owned(),
                })
            }
            Err(error) => {
                reload.certificate(name, false);
                Err(error.to_string())
            }
        }
    });
    let (own, reload) = (Arc::clone(certificates), ctx.reload.clone());
    let order = ctx.tasks.shutdown().clone();
    ctx.tasks.spawn("certificates", OnEnd::Fine, async move {
        let mut pace = tokio::time::interval(LOOK_EVERY);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = order.begun() => return Ok::<(), String>(()),
                _ = pace.tick() => {}
            }
            match own.look(false) {
                Ok(Look::StillRefused) => {}
                Ok(Look::Same) => reload.certificate(name, true),
                Ok(Look::Replaced) => {
                    reload.certificate(name, true);
                    tracing::info!(listener = name, "new certificates are shown from now on");
                }
                Err(error) => {
                    reload.certificate(name, false);
                    tracing::error!(
                        listener = name, %error,
                        "the new certificates are refused; the old ones are shown still"
                    );
                }
            }
        }
    });
}

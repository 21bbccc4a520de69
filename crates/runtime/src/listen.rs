//! What a listener hands to the server: connections whose heads have a deadline, in the clear or encrypted.

use crate::http_head::{HEAD_WITHIN, Headed};
use crate::tls::Certificates;
use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

/// Accepts connections. A handshake is made by the connection's own task, so that a slow one holds up nobody.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) tcp: TcpListener,
    pub(crate) tls: Option<Arc<Certificates>>,
}

/// Who is on the other side of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    shown: Arc<AtomicBool>,
}

impl Peer {
    /// Whether it has shown a certificate of an authority that the listener trusts.
    pub(crate) fn has_shown_certificate(&self) -> bool {
        self.shown.load(Ordering::Acquire)
    }
}

impl axum::serve::Listener for Listener {
    type Io = Headed<Connection>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        let (stream, address) = axum::serve::Listener::accept(&mut self.tcp).await;
        let connection = match &self.tls {
            None => Connection::plain(stream),
            Some(certificates) => Connection::handshake(stream, certificates),
        };
        (Headed::new(connection, HEAD_WITHIN), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

impl Connected<IncomingStream<'_, Listener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        Self {
            address: *stream.remote_addr(),
            shown: Arc::clone(&stream.io().inner().shown),
        }
    }
}

/// A connection, encrypted or not.
pub(crate) struct Connection {
    way: Way,
    shown: Arc<AtomicBool>,
}

enum Way {
    Plain(TcpStream),
    Handshake(Box<Accept<TcpStream>>),
    Encrypted(Box<TlsStream<TcpStream>>),
    /// The handshake failed.
    Broken,
}

impl Connection {
    fn plain(stream: TcpStream) -> Self {
        Self {
            way: Way::Plain(stream),
            shown: Arc::default(),
        }
    }

    fn handshake(stream: TcpStream, certificates: &Certificates) -> Self {
        let accept = TlsAcceptor::from(certificates.current()).accept(stream);
        Self {
            way: Way::Handshake(Box::new(accept)),
            shown: Arc::default(),
        }
    }

    /// Goes on with the handshake until it is done.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Way::Handshake(accept) = &mut self.way else {
            return Poll::Ready(match self.way {
                Way::Broken => Err(io::ErrorKind::ConnectionAborted.into()),
                _ => Ok(()),
            });
        };
        match ready!(Pin::new(&mut **accept).poll(context)) {
            Ok(stream) => {
                let shown = stream.get_ref().1.peer_certificates().is_some();
                self.shown.store(shown, Ordering::Release);
                self.way = Way::Encrypted(Box::new(stream));
                Poll::Ready(Ok(()))
            }
            Err(error) => {
                tracing::debug!(%error, "a TLS handshake failed");
                self.way = Way::Broken;
                Poll::Ready(Err(error))
            }
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_ready(context))?;
        match &mut self.way {
            Way::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Way::Encrypted(stream) => Pin::new(&mut **stream).poll_read(context, buffer),
            Way::Handshake(_) | Way::Broken => Poll::Pending,
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_ready(context))?;
        match &mut self.way {
            Way::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Way::Encrypted(stream) => Pin::new(&mut **stream).poll_write(context, bytes),
            Way::Handshake(_) | Way::Broken => Poll::Pending,
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_ready(context))?;
        match &mut self.way {
            Way::Plain(stream) => Pin::new(stream).poll_write_vectored(context, parts),
            Way::Encrypted(stream) => Pin::new(&mut **stream).poll_write_vectored(context, parts),
            Way::Handshake(_) | Way::Broken => Poll::Pending,
        }
    }

    fn is_write_vectored(&self) -> bool {
        // Both kinds of stream can.
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.way {
            Way::Plain(stream) => Pin::new(stream).poll_flush(context),
            Way::Encrypted(stream) => Pin::new(&mut **stream).poll_flush(context),
            Way::Handshake(_) | Way::Broken => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.way {
            Way::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Way::Encrypted(stream) => Pin::new(&mut **stream).poll_shutdown(context),
            Way::Handshake(_) | Way::Broken => Poll::Ready(Ok(())),
        }
    }
}

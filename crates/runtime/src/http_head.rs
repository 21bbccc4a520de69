//! Connections that do not say what they want are closed: a request's head has to be whole within a time.
//!
//! The server under axum waits for a head for ever, so that a few thousand connections which send a byte now and
//! then hold everything that a process has. Its own deadline cannot be used: it runs between requests as well, and an agent
//! that writes every 10 s would find its connection closed just when it wants it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How long the head of a request may take, from its first byte; of the first one, from the connection on.
pub(crate) const HEAD_WITHIN: Duration = Duration::from_secs(8);
const END: &[u8; 4] = b"\r\n\r\n";

/// Where a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In a head, of whose end so many bytes have come.
    Head { ended: usize },
    /// Behind a head: its body comes, or its answer is made.
    Request,
    /// Behind an answer, before the next head.
    Idle,
}

/// A connection whose heads have a deadline.
#[derive(Debug)]
pub(crate) struct Headed<S> {
    stream: S,
    place: Place,
    within: Duration,
    deadline: Pin<Box<Sleep>>,
}

impl<S> Headed<S> {
    /// What is watched.
    pub(crate) fn inner(&self) -> &S {
        &self.stream
    }

    pub(crate) fn new(stream: S, within: Duration) -> Self {
        Self {
            stream,
            place: Place::Head { ended: 0 },
            within,
            deadline: Box::pin(sleep(within)),
        }
    }

    /// An answer begins. `100 Continue` is none: the body comes behind it.
    fn written(&mut self, bytes: &[u8]) {
        if self.place == Place::Request && !bytes.starts_with(b"HTTP/1.1 100") {
            self.place = Place::Idle;
        }
    }

    /// Looks for the empty line that ends a head.
    fn took(&mut self, bytes: &[u8]) {
        if bytes.is_empty() || self.place == Place::Request {
            return;
        }
        let mut ended = match self.place {
            Place::Head { ended } => ended,
            _ => {
                self.deadline.as_mut().reset(Instant::now() + self.within);
                0
            }
        };
        for byte in bytes {
            ended = match byte {
                byte if *byte == END[ended] => ended + 1,
                b'\r' => 1,
                _ => 0,
            };
            if ended == END.len() {
                self.place = Place::Request;
                return;
            }
        }
        self.place = Place::Head { ended };
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Headed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let this = &mut *self;
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(context, buffer) {
            this.took(&buffer.filled()[before..]);
            return Poll::Ready(read);
        }
        if matches!(this.place, Place::Head { .. }) {
            ready!(this.deadline.as_mut().poll(context));
            let why = "the head of a request did not come in time";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)));
        }
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Headed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written(bytes);
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.written(parts.first().map_or(&[], |part| part));
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::timeout;

    const SHORT: Duration = Duration::from_millis(50);
    const LONGER: Duration = Duration::from_millis(200);

    fn pair() -> (DuplexStream, Headed<DuplexStream>) {
        let (client, server) = duplex(4096);
        (client, Headed::new(server, SHORT))
    }

    /// What a read of the server gives, if it gives anything.
    async fn read(server: &mut Headed<DuplexStream>) -> Option<io::Result<usize>> {
        let mut buffer = [0; 64];
        timeout(LONGER, server.read(&mut buffer)).await.ok()
    }

    fn timed_out(read: Option<io::Result<usize>>) -> bool {
        read.is_some_and(|read| read.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut))
    }

    #[tokio::test]
    async fn a_head_that_does_not_end_ends_the_connection() {
        let (mut client, mut server) = pair();
        client
            .write_all(b"POST / HTTP/1.1\r\nHost: x\r\n")
            .await
            .unwrap();
        assert!(matches!(read(&mut server).await, Some(Ok(26))));
        assert!(timed_out(read(&mut server).await));
        let (_silent, mut server) = pair();
        assert!(timed_out(read(&mut server).await));
    }

    #[tokio::test]
    async fn a_body_and_the_pause_behind_an_answer_have_no_deadline() {
        let (mut client, mut server) = pair();
        for part in ["GET / HTTP/1.1\r\n\r", "\n"] {
            client.write_all(part.as_bytes()).await.unwrap();
            assert!(matches!(read(&mut server).await, Some(Ok(_))));
        }
        assert!(
            read(&mut server).await.is_none(),
            "the body may take its time"
        );
        server
            .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
            .await
            .unwrap();
        client.write_all(b"body").await.unwrap();
        assert!(matches!(read(&mut server).await, Some(Ok(4))));
        assert!(read(&mut server).await.is_none(), "it still may");
        server
            .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
            .await
            .unwrap();
        assert!(
            read(&mut server).await.is_none(),
            "the next request may take its time"
        );
        client.write_all(b"G").await.unwrap();
        assert!(matches!(read(&mut server).await, Some(Ok(1))));
        assert!(timed_out(read(&mut server).await), "its head may not");
    }
}

//! The body of a write, compressed at most once however often it is sent.

use crate::gzip::gzip;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::vec;

/// Lines of line protocol, each with a timestamp in nanoseconds.
#[derive(Debug)]
pub struct Payload {
    /// In order; together they are the body.
    pieces: Vec<Bytes>,
    lines: usize,
    gzip: OnceLock<Bytes>,
}

impl Payload {
    /// Takes a body and the number of its lines.
    pub fn new(body: impl Into<Bytes>, lines: usize) -> Self {
        Self::of(vec![body.into()], lines)
    }

    /// Takes a body in pieces, which are sent from where they are, and the number of its lines.
    pub fn of(pieces: Vec<Bytes>, lines: usize) -> Self {
        Self {
            pieces,
            lines,
            gzip: OnceLock::new(),
        }
    }

    /// The lines in one piece.
    pub fn body(&self) -> Bytes {
        match self.pieces.as_slice() {
            [only] => only.clone(),
            pieces => pieces.concat().into(),
        }
    }

    /// How many lines there are.
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// The lines in gzip.
    pub fn gzip(&self) -> Bytes {
        let compress = || {
            let pieces: Vec<_> = self.pieces.iter().map(|piece| &piece[..]).collect();
            gzip(&pieces).into()
        };
        self.gzip.get_or_init(compress).clone()
    }

    /// The lines as the body of a request.
    pub(crate) fn to_request(&self) -> reqwest::Body {
        match self.pieces.as_slice() {
            [only] => only.clone().into(),
            pieces => reqwest::Body::wrap(Pieces(Vec::from(pieces).into_iter())),
        }
    }
}

/// Pieces that are sent one after the other. Their length is known, so that they go without chunked encoding.
struct Pieces(vec::IntoIter<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_slice().is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(
            self.0
                .as_slice()
                .iter()
                .map(|piece| piece.len() as u64)
                .sum(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn what_is_compressed_comes_back() {
        let body = "cpu,host=a usage=1.5 1\n".repeat(1000);
        let payload = Payload::new(body.clone(), 1000);
        let mut back = String::new();
        flate2::read::GzDecoder::new(&payload.gzip()[..])
            .read_to_string(&mut back)
            .unwrap();
        assert_eq!(back, body);
        assert!(payload.gzip().len() < body.len() / 10);
    }

    #[tokio::test]
    async fn pieces_are_one_body_of_a_known_length() {
        let server = wiremock::MockServer::start().await;
        wiremock::Mock::given(wiremock::matchers::body_string(
            "a v=1 1\nb v=2 2\nc v=3 3\n",
        ))
        .and(wiremock::matchers::header("content-length", "24"))
        .respond_with(wiremock::ResponseTemplate::new(204))
        .expect(1)
        .mount(&server)
        .await;
        let pieces = ["a v=1 1\n", "b v=2 2\n", "c v=3 3\n"];
        let payload = Payload::of(pieces.map(Bytes::from).to_vec(), 3);
        assert_eq!(payload.body(), pieces.concat());
        runtime::tls::install_provider();
        let post = reqwest::Client::new()
            .post(server.uri())
            .body(payload.to_request());
        assert_eq!(post.send().await.unwrap().status(), 204);
    }
}

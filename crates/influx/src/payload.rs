//! The body of a write, compressed at most once however often it is sent.

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;
use std::sync::OnceLock;

/// Lines of line protocol, each with a timestamp in nanoseconds.
#[derive(Debug)]
pub struct Payload {
    body: Bytes,
    lines: usize,
    gzip: OnceLock<Bytes>,
}

impl Payload {
    /// Takes a body and the number of its lines.
    pub fn new(body: impl Into<Bytes>, lines: usize) -> Self {
        Self {
            body: body.into(),
            lines,
            gzip: OnceLock::new(),
        }
    }

    /// The lines.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// How many lines there are.
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// The lines in gzip at the fastest level: on line protocol it halves the work of the next
    /// level for some percent more bytes.
    pub fn gzip(&self) -> Bytes {
        self.gzip
            .get_or_init(|| {
                let room = Vec::with_capacity(self.body.len() / 4 + 64);
                let mut encoder = GzEncoder::new(room, Compression::fast());
                encoder
                    .write_all(&self.body)
                    .and_then(|()| encoder.finish())
                    .expect("writing to memory does not fail")
                    .into()
            })
            .clone()
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
}

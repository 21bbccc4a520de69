//! Reading a body within its limits, before and after decompression.

use super::answer::Refusal;
use super::budget::Share;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use flate2::bufread::MultiGzDecoder;
use futures_util::StreamExt;
use std::io::Read;

/// How much is unpacked at a time before the budget is asked again.
const STEP: usize = 64 << 10;

/// Reads the whole body as it was sent.
pub(super) async fn read(body: Body, most: usize, share: &mut Share<'_>) -> Result<Bytes, Refusal> {
    let mut frames = body.into_data_stream();
    let mut whole = Vec::new();
    while let Some(frame) = frames.next().await {
        let frame = frame
            .map_err(|error| Refusal::Invalid(format!("the body could not be read: {error}")))?;
        if whole.len() + frame.len() > most {
            return Err(Refusal::TooLarge(format!(
                "the body is larger than {most} bytes"
            )));
        }
        share.grow(frame.len())?;
        whole.extend_from_slice(&frame);
    }
    Ok(whole.into())
}

/// Unpacks a body that says that it is gzip. `most` holds for what comes out, whatever its header says.
pub(super) fn unpack(
    headers: &HeaderMap,
    body: Bytes,
    most: usize,
    share: &mut Share<'_>,
) -> Result<Bytes, Refusal> {
    let encoding = headers
        .get(header::CONTENT_ENCODING)
        .map_or("", |value| value.to_str().unwrap_or("?"));
    match encoding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(body),
        "gzip" | "x-gzip" => gunzip(&body, most, share),
        other => Err(Refusal::Encoding(format!(
            "encoding `{other}` is not understood: send gzip or identity"
        ))),
    }
}

fn gunzip(body: &[u8], most: usize, share: &mut Share<'_>) -> Result<Bytes, Refusal> {
    let mut text = Vec::new();
    let mut decoder = MultiGzDecoder::new(body);
    loop {
        let before = text.len();
        share.grow(STEP)?;
        let read = (&mut decoder)
            .take(STEP as u64)
            .read_to_end(&mut text)
            .map_err(|error| Refusal::Invalid(format!("the body is no valid gzip: {error}")))?;
        if text.len() > most {
            return Err(Refusal::TooLarge(format!(
                "the body unpacks to more than {most} bytes"
            )));
        }
        if read < STEP || text.len() == before {
            return Ok(text.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::budget::Budget;
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn gzipped(text: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap().into()
    }

    fn unpacked(
        encoding: Option<&str>,
        body: Bytes,
        most: usize,
        budget: usize,
    ) -> Result<Bytes, Refusal> {
        let headers =
            encoding.map(|encoding| (header::CONTENT_ENCODING, encoding.parse().unwrap()));
        unpack(
            &headers.into_iter().collect(),
            body,
            most,
            &mut Budget::new(budget).share(),
        )
    }

    #[test]
    fn gzip_unpacks_up_to_the_limit_and_no_further() {
        let bomb = gzipped(&vec![b'a'; 1 << 20]);
        let large = 1 << 24;
        assert_eq!(
            unpacked(Some("gzip"), bomb.clone(), 1 << 20, large)
                .unwrap()
                .len(),
            1 << 20
        );
        let over = unpacked(Some("gzip"), bomb.clone(), (1 << 20) - 1, large);
        assert!(matches!(over, Err(Refusal::TooLarge(_))));
        assert_eq!(
            unpacked(Some("gzip"), bomb, 1 << 20, 1 << 18),
            Err(Refusal::Busy)
        );
    }

    #[test]
    fn what_is_no_gzip_is_said_to_be_none() {
        let cut = gzipped(b"m v=1 1\n").slice(..12);
        assert!(matches!(
            unpacked(Some("gzip"), cut, 100, 1 << 20),
            Err(Refusal::Invalid(_))
        ));
        let plain = Bytes::from_static(b"m v=1");
        assert!(matches!(
            unpacked(Some("br"), plain.clone(), 100, 1 << 20),
            Err(Refusal::Encoding(_))
        ));
        assert_eq!(unpacked(None, plain.clone(), 100, 1 << 20).unwrap(), plain);
    }
}

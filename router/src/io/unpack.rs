//! Unpacking a body within its limits: what its header promises is never believed.

use super::answer::Refusal;
use super::budget::Share;
use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use flate2::bufread::MultiGzDecoder;
use std::io::Read;

/// How much is unpacked at a time before the budget is asked again.
const STEP: usize = 64 << 10;
/// The largest window of zstd, as a power of two: 8 MiB, which RFC 8878 wants every decoder to have.
const ZSTD_WINDOW: u32 = 23;

/// How a body was packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// Not at all.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// The block format, without frames, as Prometheus sends it.
    Snappy,
}

impl Packing {
    /// What the request says, or `unsaid` where it says nothing.
    pub(super) fn of(headers: &HeaderMap, unsaid: Self) -> Result<Self, Refusal> {
        let Some(said) = headers.get(header::CONTENT_ENCODING) else {
            return Ok(unsaid);
        };
        let said = said.to_str().unwrap_or("?").trim().to_ascii_lowercase();
        match said.as_str() {
            "" => Ok(unsaid),
            "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            "snappy" => Ok(Self::Snappy),
            other => Err(Refusal::Encoding(format!(
                "encoding `{other}` is not understood: send gzip, zstd, snappy or identity"
            ))),
        }
    }
}

/// Unpacks a body. `most` holds for what comes out, whatever its header says.
pub(super) fn unpack(
    packing: Packing,
    body: Bytes,
    most: usize,
    share: &mut Share<'_>,
) -> Result<Bytes, Refusal> {
    match packing {
        Packing::Identity if body.len() > most => Err(too_large(most)),
        Packing::Identity => Ok(body),
        Packing::Gzip => drain(MultiGzDecoder::new(&body[..]), "gzip", most, share),
        Packing::Zstd => unzstd(&body, most, share),
        Packing::Snappy => unsnap(&body, most, share),
    }
}

fn too_large(most: usize) -> Refusal {
    Refusal::TooLarge(format!("the body unpacks to more than {most} bytes"))
}

fn invalid(what: &str, error: impl std::fmt::Display) -> Refusal {
    Refusal::Invalid(format!("the body is no valid {what}: {error}"))
}

/// Reads step by step to the end or the limit.
fn drain(
    mut decoder: impl Read,
    what: &str,
    most: usize,
    share: &mut Share<'_>,
) -> Result<Bytes, Refusal> {
    let mut text = Vec::new();
    loop {
        share.grow(STEP)?;
        let read = (&mut decoder)
            .take(STEP as u64)
            .read_to_end(&mut text)
            .map_err(|error| invalid(what, error))?;
        if text.len() > most {
            return Err(too_large(most));
        }
        if read < STEP {
            return Ok(text.into());
        }
    }
}

fn unzstd(body: &[u8], most: usize, share: &mut Share<'_>) -> Result<Bytes, Refusal> {
    // The decoder makes room for the window that a frame asks for, however little the frame holds.
    share.grow(1 << ZSTD_WINDOW)?;
    let mut decoder =
        zstd::stream::read::Decoder::with_buffer(body).map_err(|error| invalid("zstd", error))?;
    decoder
        .window_log_max(ZSTD_WINDOW)
        .map_err(|error| invalid("zstd", error))?;
    drain(decoder, "zstd", most, share)
}

fn unsnap(body: &[u8], most: usize, share: &mut Share<'_>) -> Result<Bytes, Refusal> {
    let length = snap::raw::decompress_len(body).map_err(|error| invalid("snappy", error))?;
    if length > most {
        return Err(too_large(most));
    }
    // A byte of snappy is at most 22 of text (a copy of 64 in three bytes); what promises more does not keep it.
    if length / 32 > body.len() {
        return Err(invalid("snappy", "it holds less than its header promises"));
    }
    share.grow(length)?;
    let text = snap::raw::Decoder::new()
        .decompress_vec(body)
        .map_err(|error| invalid("snappy", error))?;
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::super::budget::Budget;
    use super::*;
    use std::io::Write;

    const LARGE: usize = 1 << 26;

    fn gzipped(text: &[u8]) -> Bytes {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap().into()
    }

    fn zstd(text: &[u8]) -> Bytes {
        zstd::stream::encode_all(text, 1).unwrap().into()
    }

    fn snappy(text: &[u8]) -> Bytes {
        snap::raw::Encoder::new().compress_vec(text).unwrap().into()
    }

    fn unpacked(
        packing: Packing,
        body: &Bytes,
        most: usize,
        budget: usize,
    ) -> Result<Bytes, Refusal> {
        unpack(
            packing,
            body.clone(),
            most,
            &mut Budget::new(budget).share(),
        )
    }

    #[test]
    fn every_packing_unpacks_up_to_the_limit_and_no_further() {
        let text = vec![b'a'; 1 << 20];
        for (packing, bomb) in [
            (Packing::Gzip, gzipped(&text)),
            (Packing::Zstd, zstd(&text)),
            (Packing::Snappy, snappy(&text)),
            (Packing::Identity, Bytes::from(text.clone())),
        ] {
            let whole = unpacked(packing, &bomb, 1 << 20, LARGE).unwrap();
            assert_eq!(whole, text, "{packing:?}");
            let over = unpacked(packing, &bomb, (1 << 20) - 1, LARGE);
            assert!(matches!(over, Err(Refusal::TooLarge(_))), "{packing:?}");
            if packing != Packing::Identity {
                let busy = unpacked(packing, &bomb, 1 << 20, 1 << 18);
                assert_eq!(busy, Err(Refusal::Busy), "{packing:?}");
            }
        }
    }

    #[test]
    fn frames_behind_each_other_are_one_body() {
        let twice = |part: Bytes| Bytes::from([part.clone(), part].concat());
        for (packing, body) in [
            (Packing::Gzip, twice(gzipped(b"m v=1\n"))),
            (Packing::Zstd, twice(zstd(b"m v=1\n"))),
        ] {
            let whole = unpacked(packing, &body, 100, LARGE).unwrap();
            assert_eq!(&whole[..], b"m v=1\nm v=1\n", "{packing:?}");
        }
    }

    #[test]
    fn what_is_cut_or_no_such_thing_is_said_to_be_invalid() {
        let text = vec![b'x'; 1000];
        for (packing, body) in [
            (Packing::Gzip, gzipped(&text)),
            (Packing::Zstd, zstd(&text)),
            (Packing::Snappy, snappy(&text)),
        ] {
            let cut = body.slice(..body.len() - 3);
            let plain = Bytes::from_static(b"m v=1 1\nm v=2 2\n");
            for wrong in [cut, plain] {
                let refused = unpacked(packing, &wrong, 1 << 20, LARGE);
                assert!(
                    matches!(refused, Err(Refusal::Invalid(_))),
                    "{packing:?}: {refused:?}"
                );
            }
        }
    }

    #[test]
    fn a_header_that_promises_gigabytes_takes_no_memory() {
        // 2.5 GB, and 30 MB that never come.
        for header in [
            &[0x80, 0xe4, 0x97, 0xd0, 0x09, 0][..],
            &[0x80, 0x8e, 0xa7, 0x0e, 0],
        ] {
            let body = Bytes::copy_from_slice(header);
            assert!(unpacked(Packing::Snappy, &body, 32 << 20, LARGE).is_err());
        }
        // A frame whose window is 2 GiB (descriptor 0xa8), with one raw block of a byte.
        let wide = Bytes::from_static(&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x09, 0, 0, b'a']);
        let refused = unpacked(Packing::Zstd, &wide, 32 << 20, LARGE);
        assert!(matches!(refused, Err(Refusal::Invalid(_))), "{refused:?}");
        // The same with 8 MiB is taken.
        let fits = Bytes::from_static(&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x68, 0x09, 0, 0, b'a']);
        assert_eq!(
            &unpacked(Packing::Zstd, &fits, 32 << 20, LARGE).unwrap()[..],
            b"a"
        );
    }

    #[test]
    fn the_header_names_the_packing() {
        for (said, packing) in [
            (None, Some(Packing::Snappy)),
            (Some("gzip"), Some(Packing::Gzip)),
            (Some(" X-GZIP"), Some(Packing::Gzip)),
            (Some("zstd"), Some(Packing::Zstd)),
            (Some("identity"), Some(Packing::Identity)),
            (Some("br"), None),
            (Some("gzip, zstd"), None),
        ] {
            let header = said.map(|said| (header::CONTENT_ENCODING, said.parse().unwrap()));
            let headers: HeaderMap = header.into_iter().collect();
            assert_eq!(
                Packing::of(&headers, Packing::Snappy).ok(),
                packing,
                "{said:?}"
            );
        }
    }
}

//! Unpacking a body within its limits: what its header promises is never believed.

use flate2::bufread::MultiGzDecoder;
use std::borrow::Cow;
use std::io::Read;

/// How much is unpacked at a time before memory is asked for again.
const STEP: usize = 64 << 10;
/// The largest window of zstd, as a power of two: 8 MiB, which RFC 8878 wants every decoder to have.
const ZSTD_WINDOW: u32 = 23;

/// How a body was packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// The block format, without frames, as Prometheus sends it.
    Snappy,
}

/// Why a body is not unpacked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// It is larger than it may be.
    #[error("the body unpacks to more than {most} bytes")]
    TooLarge {
        /// The limit, in bytes.
        most: usize,
    },
    /// It is not packed as it is said to be.
    #[error("the body is no valid {packing}: {reason}")]
    Malformed {
        /// How it is said to be packed.
        packing: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The caller has no memory left for it.
    #[error("there is no memory left for the body")]
    NoMemory,
}

/// A `Content-Encoding` that is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("encoding `{0}` is not understood: send gzip, zstd, snappy or identity")]
pub struct UnknownPacking(String);

impl Packing {
    /// Reads a `Content-Encoding`; an empty one means `unsaid`.
    ///
    /// # Errors
    /// When it is not known. Several behind each other are not, either.
    pub fn parse(said: &str, unsaid: Self) -> Result<Self, UnknownPacking> {
        match said.trim().to_ascii_lowercase().as_str() {
            "" => Ok(unsaid),
            "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            "snappy" => Ok(Self::Snappy),
            other => Err(UnknownPacking(other.chars().take(40).collect())),
        }
    }
}

/// Asks for so many bytes of memory more; says whether they may be had.
pub type Grow<'g> = &'g mut dyn FnMut(usize) -> bool;

/// Unpacks a body to at most `most` bytes, whatever its header promises. Memory is asked for before it is taken.
///
/// # Errors
/// When it is too large, not packed so, or memory is refused.
pub fn unpack<'b>(
    packing: Packing,
    body: &'b [u8],
    most: usize,
    grow: Grow<'_>,
) -> Result<Cow<'b, [u8]>, UnpackError> {
    match packing {
        Packing::Identity if body.len() > most => Err(UnpackError::TooLarge { most }),
        Packing::Identity => Ok(Cow::Borrowed(body)),
        Packing::Gzip => drain(MultiGzDecoder::new(body), "gzip", most, grow).map(Cow::Owned),
        Packing::Zstd => unzstd(body, most, grow).map(Cow::Owned),
        Packing::Snappy => unsnap(body, most, grow).map(Cow::Owned),
    }
}

fn malformed(packing: &'static str, reason: &dyn ToString) -> UnpackError {
    UnpackError::Malformed {
        packing,
        reason: reason.to_string(),
    }
}

fn ask(grow: Grow<'_>, bytes: usize) -> Result<(), UnpackError> {
    if grow(bytes) {
        Ok(())
    } else {
        Err(UnpackError::NoMemory)
    }
}

/// Reads step by step to the end or the limit.
fn drain(
    mut decoder: impl Read,
    packing: &'static str,
    most: usize,
    grow: Grow<'_>,
) -> Result<Vec<u8>, UnpackError> {
    let mut text = Vec::new();
    loop {
        ask(grow, STEP)?;
        if text.capacity() - text.len() < STEP {
            // Twice as much each time, but no room that may never be filled.
            let more = text
                .capacity()
                .clamp(STEP, (most + STEP).saturating_sub(text.len()).max(STEP));
            text.reserve_exact(more);
        }
        let read = (&mut decoder)
            .take(STEP as u64)
            .read_to_end(&mut text)
            .map_err(|error| malformed(packing, &error))?;
        if text.len() > most {
            return Err(UnpackError::TooLarge { most });
        }
        if read < STEP {
            return Ok(text);
        }
    }
}

fn unzstd(body: &[u8], most: usize, grow: Grow<'_>) -> Result<Vec<u8>, UnpackError> {
    // The decoder makes room for the window that a frame asks for, however little the frame holds.
    ask(grow, 1 << ZSTD_WINDOW)?;
    let error = |error| malformed("zstd", &error);
    let mut decoder = zstd::stream::read::Decoder::with_buffer(body).map_err(error)?;
    decoder.window_log_max(ZSTD_WINDOW).map_err(error)?;
    drain(decoder, "zstd", most, grow)
}

fn unsnap(body: &[u8], most: usize, grow: Grow<'_>) -> Result<Vec<u8>, UnpackError> {
    let error = |error| malformed("snappy", &error);
    let length = snap::raw::decompress_len(body).map_err(error)?;
    if length > most {
        return Err(UnpackError::TooLarge { most });
    }
    // A byte of snappy is at most 22 of text (a copy of 64 in three bytes); what promises more does not keep it.
    if length / 32 > body.len() {
        let reason = &"it holds less than its header promises";
        return Err(malformed("snappy", reason));
    }
    ask(grow, length)?;
    snap::raw::Decoder::new()
        .decompress_vec(body)
        .map_err(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const LARGE: usize = 1 << 26;

    fn gzipped(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(text, 1).unwrap()
    }

    fn snappy(text: &[u8]) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(text).unwrap()
    }

    fn unpacked(
        packing: Packing,
        body: &[u8],
        most: usize,
        memory: usize,
    ) -> Result<Vec<u8>, UnpackError> {
        let mut left = memory;
        let mut grow = |bytes: usize| {
            let rest = left.checked_sub(bytes);
            left = rest.unwrap_or(left);
            rest.is_some()
        };
        unpack(packing, body, most, &mut grow).map(Cow::into_owned)
    }

    #[test]
    fn every_packing_unpacks_up_to_the_limit_and_no_further() {
        let text = vec![b'a'; 1 << 20];
        for (packing, bomb) in [
            (Packing::Gzip, gzipped(&text)),
            (Packing::Zstd, zstd(&text)),
            (Packing::Snappy, snappy(&text)),
            (Packing::Identity, text.clone()),
        ] {
            let whole = unpacked(packing, &bomb, 1 << 20, LARGE).unwrap();
            assert_eq!(whole, text, "{packing:?}");
            let most = (1 << 20) - 1;
            let over = unpacked(packing, &bomb, most, LARGE);
            assert_eq!(over, Err(UnpackError::TooLarge { most }), "{packing:?}");
            if packing != Packing::Identity {
                let refused = unpacked(packing, &bomb, 1 << 20, 1 << 18);
                assert_eq!(refused, Err(UnpackError::NoMemory), "{packing:?}");
            }
        }
    }

    #[test]
    fn frames_behind_each_other_are_one_body() {
        for (packing, part) in [
            (Packing::Gzip, gzipped(b"m v=1\n")),
            (Packing::Zstd, zstd(b"m v=1\n")),
        ] {
            let whole = unpacked(packing, &part.repeat(2), 100, LARGE).unwrap();
            assert_eq!(whole, b"m v=1\nm v=1\n", "{packing:?}");
        }
    }

    #[test]
    fn what_is_cut_or_no_such_thing_is_said_to_be_malformed() {
        let text = vec![b'x'; 1000];
        for (packing, body) in [
            (Packing::Gzip, gzipped(&text)),
            (Packing::Zstd, zstd(&text)),
            (Packing::Snappy, snappy(&text)),
        ] {
            for wrong in [&body[..body.len() - 3], b"m v=1 1\nm v=2 2\n"] {
                let refused = unpacked(packing, wrong, 1 << 20, LARGE);
                let malformed = matches!(refused, Err(UnpackError::Malformed { .. }));
                assert!(malformed, "{packing:?}: {refused:?}");
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
            assert!(unpacked(Packing::Snappy, header, 32 << 20, 0).is_err());
        }
        // A frame whose window is 2 GiB (descriptor 0xa8), with one raw block of a byte.
        let wide = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x09, 0, 0, b'a'];
        let refused = unpacked(Packing::Zstd, &wide, 32 << 20, LARGE);
        assert!(
            matches!(refused, Err(UnpackError::Malformed { .. })),
            "{refused:?}"
        );
        // The same with 8 MiB is taken.
        let fits = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x68, 0x09, 0, 0, b'a'];
        assert_eq!(
            unpacked(Packing::Zstd, &fits, 32 << 20, LARGE).unwrap(),
            b"a"
        );
    }

    #[test]
    fn the_header_names_the_packing() {
        for (said, packing) in [
            ("", Some(Packing::Snappy)),
            ("gzip", Some(Packing::Gzip)),
            (" X-GZIP", Some(Packing::Gzip)),
            ("zstd", Some(Packing::Zstd)),
            ("identity", Some(Packing::Identity)),
            ("br", None),
            ("gzip, zstd", None),
        ] {
            assert_eq!(
                Packing::parse(said, Packing::Snappy).ok(),
                packing,
                "{said:?}"
            );
        }
    }
}

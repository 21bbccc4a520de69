//! A request's body, unpacked within the process's memory.

use super::answer::Refusal;
use super::budget::Share;
use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use schemas::packing::{self, Packing, UnpackError};
use std::borrow::Cow;

/// How the request says that its body is packed, or `unsaid` where it says nothing.
pub(super) fn packing_of(headers: &HeaderMap, unsaid: Packing) -> Result<Packing, Refusal> {
    let said = headers.get(header::CONTENT_ENCODING);
    let said = said.map_or("", |said| said.to_str().unwrap_or("?"));
    Packing::parse(said, unsaid).map_err(|error| Refusal::Encoding(error.to_string()))
}

/// Unpacks a body to at most `most` bytes.
pub(super) fn unpack(
    packing: Packing,
    body: Bytes,
    most: usize,
    share: &mut Share,
) -> Result<Bytes, Refusal> {
    let mut grow = |bytes| share.grow(bytes).is_ok();
    let unpacked = match packing::unpack(packing, &body, most, &mut grow) {
        Ok(Cow::Owned(text)) => Some(text),
        Ok(Cow::Borrowed(_)) => None,
        Err(error @ UnpackError::TooLarge { .. }) => {
            return Err(Refusal::TooLarge(error.to_string()));
        }
        Err(error @ UnpackError::Malformed { .. }) => {
            return Err(Refusal::Invalid(error.to_string()));
        }
        Err(UnpackError::NoMemory) => return Err(Refusal::Busy),
    };
    Ok(unpacked.map_or(body, Bytes::from))
}

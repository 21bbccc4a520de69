//! Reading a body within its limit.

use super::answer::Refusal;
use super::budget::Share;
use axum::body::{Body, Bytes, HttpBody};
use futures_util::StreamExt;

/// Room that is made ahead for a body that says how long it is; more is made as it comes.
const AHEAD: usize = 256 << 10;

/// Reads the whole body as it was sent.
pub(super) async fn read(body: Body, most: usize, share: &mut Share) -> Result<Bytes, Refusal> {
    // A body that says how long it is, is refused before it comes.
    let said = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if said > most {
        return Err(too_large(most));
    }
    let mut frames = body.into_data_stream();
    let mut whole = Vec::with_capacity(said.min(AHEAD));
    while let Some(frame) = frames.next().await {
        let frame = frame
            .map_err(|error| Refusal::Invalid(format!("the body could not be read: {error}")))?;
        if whole.len() + frame.len() > most {
            return Err(too_large(most));
        }
        share.grow(frame.len())?;
        whole.extend_from_slice(&frame);
    }
    Ok(whole.into())
}

fn too_large(most: usize) -> Refusal {
    Refusal::TooLarge(format!("the body is larger than {most} bytes"))
}

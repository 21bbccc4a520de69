//! Reading a body within its limit.

use super::answer::Refusal;
use super::budget::Share;
use axum::body::{Body, Bytes};
use futures_util::StreamExt;

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

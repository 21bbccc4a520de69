//! A place in the log, with what must be known to go on from there.

use super::clock::LogClock;
use super::codec::{CodecError, Reader, Writer};
use model::Timestamp;
use std::sync::Arc;

/// A place in the log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Position {
    /// The record that is read next.
    pub(crate) offset: i64,
    /// Log time before it.
    pub(crate) log: LogClock,
    /// Revision and hash of the bundle in force before it.
    pub(crate) bundle: Option<(u64, Arc<str>)>,
}

impl Position {
    pub(crate) fn encode(&self, to: &mut Writer) {
        to.option(self.log.last, |to, (arrival, log)| {
            to.signed(arrival.as_nanos());
            to.signed(log.as_nanos());
        });
        to.option(self.bundle.as_ref(), |to, (revision, hash)| {
            to.unsigned(*revision);
            to.text(hash);
        });
    }

    pub(crate) fn decode(offset: i64, from: &mut Reader<'_>) -> Result<Self, CodecError> {
        let last = from.option(|from| {
            let arrival = Timestamp::from_nanos(from.signed()?);
            Ok((arrival, Timestamp::from_nanos(from.signed()?)))
        })?;
        let bundle = from.option(|from| Ok((from.unsigned()?, Arc::from(from.text()?))))?;
        Ok(Self {
            offset,
            log: LogClock { last },
            bundle,
        })
    }
}

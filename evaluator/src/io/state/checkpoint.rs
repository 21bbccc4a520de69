//! The value of a checkpoint record: the core's own bytes, and the parts that are deleted behind
//! it.
//!
//! Format: 1 byte version (1), u32 number of deleted parts, for each u32 length of its id and the
//! id, then the core's bytes to the end. Integers are little-endian.
//!
//! A part is named here before its key is deleted. A crash between the two records would otherwise
//! leave an old part beside a newer checkpoint, and it would live on from there.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::collections::BTreeSet;

const VERSION: u8 = 1;

/// Ids of parts that do not exist at the checkpoint.
pub(crate) type Gone = BTreeSet<Bytes>;

/// Writes the record's value.
pub(crate) fn encode(core: &[u8], gone: &Gone) -> Bytes {
    let ids: usize = gone.iter().map(|id| id.len() + 4).sum();
    let mut out = BytesMut::with_capacity(5 + ids + core.len());
    out.put_u8(VERSION);
    out.put_u32_le(gone.len() as u32);
    for id in gone {
        out.put_u32_le(id.len() as u32);
        out.put_slice(id);
    }
    out.put_slice(core);
    out.freeze()
}

/// Reads it; none when it is damaged or of another version.
pub(crate) fn decode(mut value: Bytes) -> Option<(Bytes, Gone)> {
    if value.try_get_u8().ok()? != VERSION {
        return None;
    }
    let count = value.try_get_u32_le().ok()?;
    let mut gone = Gone::new();
    for _ in 0..count {
        let length = value.try_get_u32_le().ok()? as usize;
        if value.remaining() < length {
            return None;
        }
        gone.insert(value.split_to(length));
    }
    Some((value, gone))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of version 1: whoever takes over may be an older or a newer program.
    #[test]
    fn a_checkpoint_is_written_as_it_always_was() {
        let gone = Gone::from([Bytes::from("host-a"), Bytes::new()]);
        let known = b"\x01\x02\0\0\0\0\0\0\0\x06\0\0\0host-acore";
        assert_eq!(encode(b"core", &gone), known.as_slice());
        assert_eq!(
            decode(Bytes::from_static(known)),
            Some((Bytes::from("core"), gone))
        );
        // A newer version may mean anything by the same bytes: it is refused, not guessed at.
        let mut newer = known.to_vec();
        newer[0] = VERSION + 1;
        assert_eq!(decode(newer.into()), None);
    }

    #[test]
    fn a_checkpoint_is_read_back_and_a_cut_one_is_refused() {
        let gone = Gone::from([Bytes::from("host-a"), Bytes::new()]);
        let value = encode(b"core", &gone);
        assert_eq!(decode(value.clone()), Some((Bytes::from("core"), gone)));
        for length in 0..value.len() - 4 {
            assert_eq!(decode(value.slice(..length)), None, "{length}");
        }
        assert_eq!(decode(Bytes::from_static(&[9, 0, 0, 0, 0])), None);
    }
}

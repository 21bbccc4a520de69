//! The bytes of a part of the state and of the checkpoint.
//!
//! Each begins with `B`, its kind, the version of its format, and the input offset that it carries
//! (8 bytes, big endian); a part goes on with the host, the share of the host's groups that it
//! holds, and their state.

use super::clock::HostClock;
use super::codec::{CodecError, Reader, USUAL, VERSION, Writer};
use super::group::{Group, GroupKey};
use super::host::Host;
use super::position::Position;
use super::skew::Skew;
use super::usage::Usage;
use model::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: u8 = b'B';
/// A host's state is shared out over at most 2 to this power parts.
const DEEPEST: u8 = 12;

/// A share of a host's groups: those whose hash begins with these bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot {
    pub(crate) depth: u8,
    pub(crate) prefix: u64,
}

impl Slot {
    pub(crate) const WHOLE: Self = Self {
        depth: 0,
        prefix: 0,
    };

    /// Whether a group belongs to it.
    pub(crate) fn holds(self, key: &GroupKey) -> bool {
        self.covers(Self::of(key, DEEPEST))
    }

    /// The share of that depth to which a group belongs.
    pub(crate) fn of(key: &GroupKey, depth: u8) -> Self {
        let mut to = Writer::default();
        key.encode(&mut to);
        let hash = xxh3_64(&to.into_bytes());
        let prefix = if depth == 0 {
            0
        } else {
            hash >> (64 - u32::from(depth))
        };
        Self { depth, prefix }
    }

    /// Whether all of `inner` lies in it.
    pub(crate) fn covers(self, inner: Self) -> bool {
        inner.depth >= self.depth && inner.prefix >> (inner.depth - self.depth) == self.prefix
    }

    /// All shares of a depth.
    pub(crate) fn all(depth: u8) -> impl Iterator<Item = Self> {
        (0..1_u64 << depth).map(move |prefix| Self { depth, prefix })
    }

    /// The key of a host's share.
    pub(crate) fn key(self, host: &str) -> Vec<u8> {
        if self.depth == 0 {
            format!("h/{host}").into_bytes()
        } else {
            format!("h{}.{}/{host}", self.depth, self.prefix).into_bytes()
        }
    }
}

/// The kinds of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Host = b'H',
    Gone = b'G',
    Checkpoint = b'C',
}

/// A part as it was saved.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) host: Arc<str>,
    /// Everything up to this offset is applied to it.
    pub(crate) applied: i64,
    pub(crate) slot: Slot,
    /// The depth of the smallest share that is saved of its host.
    pub(crate) deepest: u8,
    /// None: the host was forgotten.
    pub(crate) state: Option<Held>,
}

/// What a part holds of its host.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) clock: HostClock,
    pub(crate) skew: Skew,
    pub(crate) tags_seen: u8,
    pub(crate) usage: Option<Box<Usage>>,
    pub(crate) groups: BTreeMap<GroupKey, Group>,
}

fn head(kind: Kind, version: u8, offset: i64) -> Writer {
    let mut to = Writer::default();
    to.raw(&[MAGIC, kind as u8, version]);
    to.raw(&offset.to_be_bytes());
    to
}

fn read_head(from: &mut Reader<'_>) -> Result<(u8, i64), CodecError> {
    if from.byte()? != MAGIC {
        return Err(CodecError::Kind("state of an evaluator"));
    }
    let kind = from.byte()?;
    match from.byte()? {
        found @ 1..=VERSION => from.version = found,
        found => {
            return Err(CodecError::Version {
                found,
                known: VERSION,
            });
        }
    }
    let mut offset = [0; 8];
    offset.copy_from_slice(from.raw(8)?);
    Ok((kind, i64::from_be_bytes(offset)))
}

/// The offset that a part or checkpoint carries.
pub(crate) fn offset_of(bytes: &[u8]) -> Result<i64, CodecError> {
    read_head(&mut Reader::new(bytes)).map(|(_, offset)| offset)
}

/// A host in as many parts as it takes for none to be larger than `limit`; sets the host's depth.
pub(crate) fn encode_host(
    name: &str,
    host: &mut Host,
    applied: i64,
    limit: usize,
) -> Vec<(Slot, Vec<u8>)> {
    loop {
        let depth = host.depth;
        let mut shares: BTreeMap<Slot, Vec<(&GroupKey, &Group)>> =
            Slot::all(depth).map(|slot| (slot, Vec::new())).collect();
        for (key, group) in host.groups.iter() {
            shares
                .entry(Slot::of(key, depth))
                .or_default()
                .push((key, group));
        }
        let mut too_large = false;
        let parts = shares
            .into_iter()
            .map(|(slot, groups)| {
                let (bytes, usage) = encode_share(name, host, applied, slot, &groups);
                too_large |= groups.len() > 1 && is_too_large(bytes.len(), usage, limit);
                (slot, bytes)
            })
            .collect();
        if !too_large || depth == DEEPEST {
            return parts;
        }
        host.depth += 1;
    }
}

/// Whether a share of so many bytes, so many of them usage, is split further. Usage stays in the first
/// share however it is split: it takes at most half of the limit from the groups beside it, or a large
/// one would leave each share with next to none.
fn is_too_large(bytes: usize, usage: usize, limit: usize) -> bool {
    bytes - usage > limit.saturating_sub(usage).max(limit / 2)
}

/// The bytes of a share, and how many of them are usage.
fn encode_share(
    name: &str,
    host: &Host,
    applied: i64,
    slot: Slot,
    groups: &[(&GroupKey, &Group)],
) -> (Vec<u8>, usize) {
    // Once for the host, in its first share.
    let usage = host.usage.as_ref().filter(|_| slot.prefix == 0);
    let is_packed = usage.is_some_and(|usage| usage.is_large());
    let version = if is_packed { VERSION } else { USUAL };
    let mut to = head(Kind::Host, version, applied);
    to.text(name);
    to.byte(slot.depth);
    to.unsigned(slot.prefix);
    to.option(host.clock.newest, |to, at| to.signed(at.as_nanos()));
    to.signed(host.clock.heard_event.as_nanos());
    to.signed(host.clock.heard_log.as_nanos());
    host.skew.encode(&mut to);
    to.byte(host.tags_seen);
    let before = to.len();
    to.option(usage, |to, usage| usage.encode(to, is_packed));
    let usage = to.len() - before;
    to.list(groups.iter(), |to, (key, group)| {
        key.encode(to);
        group.encode(to);
    });
    (to.into_bytes(), usage)
}

/// A host that was forgotten at that offset.
pub(crate) fn encode_gone(name: &str, applied: i64) -> Vec<u8> {
    let mut to = head(Kind::Gone, USUAL, applied);
    to.text(name);
    to.into_bytes()
}

/// Reads a part.
pub(crate) fn decode_piece(bytes: &[u8]) -> Result<Piece, CodecError> {
    let mut from = Reader::new(bytes);
    let (kind, applied) = read_head(&mut from)?;
    let host: Arc<str> = from.text()?.into();
    let piece = if kind == Kind::Gone as u8 {
        Piece {
            host,
            applied,
            slot: Slot::WHOLE,
            deepest: 0,
            state: None,
        }
    } else if kind == Kind::Host as u8 {
        let depth = from.byte()?;
        let slot = Slot {
            depth,
            prefix: from.unsigned()?,
        };
        if depth > DEEPEST || slot.prefix >> depth != 0 {
            return Err(CodecError::Range("a share"));
        }
        let newest = from.option(Reader::signed)?.map(Timestamp::from_nanos);
        let heard_event = Timestamp::from_nanos(from.signed()?);
        let heard_log = Timestamp::from_nanos(from.signed()?);
        let (skew, tags_seen, usage) = match from.version {
            1 => (Skew::default(), 0, None),
            2 => (Skew::decode(&mut from)?, 0, None),
            _ => (
                Skew::decode(&mut from)?,
                from.byte()?,
                from.option(Usage::decode)?.map(Box::new),
            ),
        };
        let groups = from.list(|from| Ok((GroupKey::decode(from)?, Group::decode(from)?)))?;
        let clock = HostClock {
            newest,
            heard_event,
            heard_log,
        };
        Piece {
            host,
            applied,
            slot,
            deepest: depth,
            state: Some(Held {
                clock,
                skew,
                tags_seen,
                usage,
                groups: groups.into_iter().collect(),
            }),
        }
    } else {
        return Err(CodecError::Kind("part of a host"));
    };
    from.end()?;
    Ok(piece)
}

/// The bytes of a checkpoint.
pub(crate) fn encode_checkpoint(position: &Position) -> Vec<u8> {
    let mut to = head(Kind::Checkpoint, USUAL, position.offset);
    position.encode(&mut to);
    to.into_bytes()
}

/// Reads a checkpoint.
pub(crate) fn decode_checkpoint(bytes: &[u8]) -> Result<Position, CodecError> {
    let mut from = Reader::new(bytes);
    let (kind, offset) = read_head(&mut from)?;
    if kind != Kind::Checkpoint as u8 {
        return Err(CodecError::Kind("checkpoint"));
    }
    let position = Position::decode(offset, &mut from)?;
    from.end()?;
    Ok(position)
}

#[cfg(test)]
mod tests {
    use super::super::tags::Tags;
    use super::*;

    fn key(n: u32) -> GroupKey {
        GroupKey {
            template: format!("t{n}").into(),
            tags: Tags::default(),
        }
    }

    fn slot(depth: u8, prefix: u64) -> Slot {
        Slot { depth, prefix }
    }

    #[test]
    fn each_group_belongs_to_one_share_of_a_depth() {
        assert_eq!(Slot::all(0).collect::<Vec<_>>(), [Slot::WHOLE]);
        for depth in [0, 1, 3] {
            let all: Vec<Slot> = Slot::all(depth).collect();
            assert_eq!(all.len(), 1 << depth);
            for n in 0..50 {
                let of: Vec<Slot> = all.iter().copied().filter(|s| s.holds(&key(n))).collect();
                assert_eq!(of, [Slot::of(&key(n), depth)], "t{n} at {depth}");
            }
        }
    }

    #[test]
    fn a_share_covers_those_that_begin_with_its_bits() {
        for (outer, inner, covers) in [
            (Slot::WHOLE, slot(3, 0b101), true),
            (slot(1, 1), slot(3, 0b101), true),
            (slot(1, 0), slot(3, 0b101), false),
            (slot(3, 0b101), slot(3, 0b101), true),
            (slot(3, 0b101), slot(3, 0b100), false),
            (slot(3, 0b101), slot(1, 1), false),
        ] {
            assert_eq!(outer.covers(inner), covers, "{outer:?} {inner:?}");
        }
    }

    #[test]
    fn a_share_is_too_large_by_what_its_groups_have_beside_half_of_the_limit() {
        for (bytes, usage, is) in [
            (100, 0, false),
            (101, 0, true),
            (100, 30, false),
            (101, 30, true),
            (110, 60, false),
            (111, 60, true),
            (250, 200, false),
            (251, 200, true),
        ] {
            assert_eq!(is_too_large(bytes, usage, 100), is, "{bytes} {usage}");
        }
    }

    fn host() -> Host {
        let at = Timestamp::default();
        Host::new(HostClock::first(at, at, at).0, Skew::default(), 0)
    }

    #[test]
    fn a_hosts_usage_is_in_its_first_share_and_is_told_by_its_bytes() {
        let mut host = host();
        let share = |host: &Host, slot| encode_share("web", host, 7, slot, &[]);
        let (bare, of_none) = share(&host, slot(1, 0));
        assert_eq!(of_none, 1);
        host.usage = Some(Box::default());
        let (full, usage) = share(&host, slot(1, 0));
        assert_eq!(full.len() - bare.len(), usage - of_none);
        assert!(usage > of_none);
        assert_eq!(share(&host, slot(1, 1)).1, of_none);
    }

    #[test]
    fn a_part_is_read_with_the_share_that_it_holds() {
        for (slot, is_read) in [
            (Slot::WHOLE, true),
            (slot(0, 1), false),
            (slot(1, 1), true),
            (slot(1, 2), false),
            (slot(DEEPEST, 4_095), true),
            (slot(DEEPEST, 4_096), false),
            (slot(DEEPEST + 1, 0), false),
        ] {
            let (bytes, _) = encode_share("web", &host(), 7, slot, &[]);
            let piece = decode_piece(&bytes).map(|p| (p.host.to_string(), p.applied, p.slot));
            let expected = match is_read {
                true => Ok(("web".to_owned(), 7, slot)),
                false => Err(CodecError::Range("a share")),
            };
            assert_eq!(piece, expected, "{slot:?}");
        }
    }

    #[test]
    fn whatever_a_record_is_it_carries_its_offset() {
        let gone = encode_gone("web", -3);
        let piece = decode_piece(&gone).unwrap();
        assert_eq!((&*piece.host, piece.applied), ("web", -3));
        assert!(piece.state.is_none());
        let position = Position {
            offset: 1 << 40,
            ..Position::default()
        };
        let (part, _) = encode_share("web", &host(), 7, Slot::WHOLE, &[]);
        let records = [
            (gone, -3),
            (encode_checkpoint(&position), 1 << 40),
            (part, 7),
        ];
        for (bytes, offset) in records {
            assert_eq!(offset_of(&bytes), Ok(offset));
        }
    }
}

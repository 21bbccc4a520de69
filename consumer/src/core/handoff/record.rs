//! What is written beside the lines of a handoff record.

use model::TopicName;
use std::fmt;
use std::str::FromStr;

/// Where a line came from: the offset of its record, and its line in it. Rises within a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// Offset of its record in the source.
    pub offset: i64,
    /// Its line in the record, from 1.
    pub number: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.offset, self.number)
    }
}

impl FromStr for Origin {
    type Err = RecordError;

    fn from_str(text: &str) -> Result<Self, RecordError> {
        let parse = || {
            let (offset, number) = text.split_once('/')?;
            Some(Self {
                offset: offset.parse().ok()?,
                number: number.parse().ok()?,
            })
        };
        parse().ok_or_else(|| RecordError(format!("`{text}` is no place in a source")))
    }
}

/// A lane within the handoff of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneId {
    /// The source's topic.
    pub topic: TopicName,
    /// The source's partition.
    pub partition: u32,
    /// Which replica of the points.
    pub replica: u32,
}

impl fmt::Display for LaneId {
    /// `metrics.acme/0/1`: the key of its records.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.partition, self.replica)
    }
}

impl FromStr for LaneId {
    type Err = RecordError;

    fn from_str(text: &str) -> Result<Self, RecordError> {
        let parse = || {
            let mut parts = text.rsplitn(3, '/');
            let replica = parts.next()?.parse().ok()?;
            let partition = parts.next()?.parse().ok()?;
            let topic = TopicName::listed(parts.next()?).ok()?;
            topic.tenant()?;
            Some(Self {
                topic,
                partition,
                replica,
            })
        };
        parse().ok_or_else(|| RecordError(format!("`{text}` is no lane")))
    }
}

/// Why a record of a handoff topic cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RecordError(String);

/// What is known of a record's lines. One without lines says that a generation begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Whose lines.
    pub lane: LaneId,
    /// The owner's generation.
    pub generation: u64,
    /// Rises within a generation each time that lines come again which may lie before the last ones,
    /// as when the lines of a shard that is gone are placed again.
    pub segment: u64,
    /// Where each line came from. Rising.
    pub origins: Vec<Origin>,
}

impl Envelope {
    /// The headers of the record: those for people first.
    pub fn headers(&self) -> Vec<(&'static str, Vec<u8>)> {
        let tenant = self.lane.topic.tenant();
        let tenant = tenant.as_ref().map_or("", |tenant| tenant.as_str());
        let offsets = match (self.origins.first(), self.origins.last()) {
            (Some(first), Some(last)) => format!("{}-{}", first.offset, last.offset),
            _ => String::new(),
        };
        vec![
            ("tenant", tenant.into()),
            ("partition", self.lane.partition.to_string().into()),
            ("replica", self.lane.replica.to_string().into()),
            ("offsets", offsets.into()),
            ("generation", self.generation.to_string().into()),
            ("segment", self.segment.to_string().into()),
            ("origins", encode(&self.origins)),
        ]
    }

    /// Reads it back from a record's key and headers.
    pub fn read<'a>(
        key: Option<&[u8]>,
        header: impl Fn(&str) -> Option<&'a [u8]>,
    ) -> Result<Self, RecordError> {
        let missing = |what: &str| RecordError(format!("a handoff record without {what}"));
        let text = |name: &str| {
            let value = header(name).ok_or_else(|| missing(name))?;
            std::str::from_utf8(value).map_err(|_| missing(name))
        };
        let number = |name: &str| text(name)?.parse().map_err(|_| missing(name));
        let key = key.and_then(|key| std::str::from_utf8(key).ok());
        Ok(Self {
            lane: key.ok_or_else(|| missing("a key"))?.parse()?,
            generation: number("generation")?,
            segment: number("segment")?,
            origins: decode(header("origins").unwrap_or_default())
                .ok_or_else(|| missing("origins that rise"))?,
        })
    }
}

/// Each place as its distance from the one before: about two bytes a line.
fn encode(origins: &[Origin]) -> Vec<u8> {
    let mut out = Vec::with_capacity(origins.len() * 2 + 8);
    let mut before = Origin {
        offset: 0,
        number: 0,
    };
    for origin in origins {
        let ahead = origin.offset.wrapping_sub(before.offset) as u64;
        put(&mut out, ahead);
        let from = if ahead == 0 { before.number } else { 0 };
        put(&mut out, u64::from(origin.number.wrapping_sub(from)));
        before = *origin;
    }
    out
}

fn decode(mut bytes: &[u8]) -> Option<Vec<Origin>> {
    let mut origins: Vec<Origin> = Vec::with_capacity(bytes.len() / 2);
    let mut before = Origin {
        offset: 0,
        number: 0,
    };
    while !bytes.is_empty() {
        let ahead = get(&mut bytes)?;
        let number = u32::try_from(get(&mut bytes)?).ok()?;
        let from = if ahead == 0 { before.number } else { 0 };
        let origin = Origin {
            offset: before.offset.checked_add(i64::try_from(ahead).ok()?)?,
            number: from.checked_add(number)?,
        };
        if origin <= before && !origins.is_empty() {
            return None;
        }
        origins.push(origin);
        before = origin;
    }
    Some(origins)
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn get(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn envelope(origins: Vec<Origin>) -> Envelope {
        Envelope {
            lane: "metrics.acme.2/17/1".parse().unwrap(),
            generation: 5,
            segment: 3,
            origins,
        }
    }

    fn back(envelope: &Envelope) -> Result<Envelope, RecordError> {
        let headers = envelope.headers();
        let key = envelope.lane.to_string();
        Envelope::read(Some(key.as_bytes()), |name| {
            let found = headers.iter().find(|(header, _)| *header == name);
            found.map(|(_, value)| value.as_slice())
        })
    }

    /// The headers of version 1: a drainer may be older or newer than the owner.
    #[test]
    fn a_record_is_written_as_it_always_was() {
        let place = |offset, number| Origin { offset, number };
        let record = envelope(vec![place(300, 1), place(300, 4), place(302, 2)]);
        let known: [(&str, &[u8]); 7] = [
            ("tenant", b"acme"),
            ("partition", b"17"),
            ("replica", b"1"),
            ("offsets", b"300-302"),
            ("generation", b"5"),
            ("segment", b"3"),
            ("origins", &[0xac, 0x02, 1, 0, 3, 2, 2]),
        ];
        let headers = record.headers();
        let written = headers.iter().map(|(name, value)| (*name, &value[..]));
        assert_eq!(written.collect::<Vec<_>>(), known);
        let newer = |name: &str| match name {
            "of_a_newer_version" => Some(&b"1"[..]),
            _ => known
                .iter()
                .find(|(header, _)| *header == name)
                .map(|(_, value)| *value),
        };
        let key = b"metrics.acme.2/17/1";
        assert_eq!(Envelope::read(Some(key), newer), Ok(record));
    }

    #[test]
    fn a_record_of_a_generation_has_no_lines() {
        let empty = envelope(Vec::new());
        assert_eq!(back(&empty), Ok(empty));
    }

    #[test]
    fn what_is_no_record_of_a_lane_is_refused() {
        for lane in [
            "",
            "metrics.acme/0",
            "bongsu.alerts/0/0",
            "metrics.acme/x/0",
        ] {
            assert!(lane.parse::<LaneId>().is_err(), "{lane}");
        }
        assert!(Envelope::read(None, |_| None).is_err());
        for bytes in [&[0x80][..], &[1], &[1, 2, 0, 0], &[0xff; 20]] {
            assert_eq!(decode(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn origins_come_back(
            steps in proptest::collection::vec((0_i64..3, 1_u32..100), 1..200),
            start in 0..i64::MAX / 2,
        ) {
            let mut at = Origin { offset: start, number: 0 };
            let mut origins = Vec::new();
            for (ahead, number) in steps {
                at = Origin {
                    offset: at.offset + ahead,
                    number: if ahead == 0 { at.number + number } else { number },
                };
                origins.push(at);
            }
            let envelope = envelope(origins);
            prop_assert_eq!(back(&envelope), Ok(envelope.clone()));
            prop_assert!(encode(&envelope.origins).len() <= envelope.origins.len() * 2 + 10);
        }
    }
}

//! Lines of a body into records: by partition of their host, with timestamps in nanoseconds.

use super::precision::Precision;
use model::host_partition;
use schemas::line::{Line, scan};

/// Most lines of a record, so that nobody has to read a huge one for a single line.
pub const RECORD_LINES: usize = 1_000;
/// Most bytes of a record. Brokers take 1 MiB by default.
pub const RECORD_BYTES: usize = 512 << 10;

/// What a line may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a line.
    pub line_bytes: usize,
    /// Tags of a line.
    pub line_tags: usize,
}

/// A record to be: lines of one partition, each ended by a newline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packet {
    /// The partition of the tenant's topic.
    pub partition: u32,
    /// How many lines there are.
    pub lines: usize,
    /// The lines.
    pub bytes: Vec<u8>,
}

/// A line that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its number in the body, from 1.
    pub number: usize,
    /// Why, with the column where there is one.
    pub reason: String,
    /// The line, cut to 100 characters.
    pub line: String,
}

/// A body, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packed {
    /// The records. Lines of a partition are in their order.
    pub packets: Vec<Packet>,
    /// Lines that are not taken, the first 20.
    pub refused: Vec<Refused>,
    /// How many lines are not taken.
    pub refused_lines: usize,
    /// How many lines are taken.
    pub lines: usize,
}

/// Refused lines that are named in an answer.
const NAMED: usize = 20;

/// Takes a body apart for a topic of `partitions`.
pub fn pack(body: &[u8], precision: Precision, partitions: u32, limits: Limits) -> Packed {
    let mut packed = Packed::default();
    // The packet of each partition that still has room, by its place in `packets`.
    let mut open: Vec<Option<usize>> = vec![None; partitions.max(1) as usize];
    for line in scan(body) {
        let (number, raw, refusal) = match line {
            Ok(line) => match check(&line, precision, limits) {
                Ok(nanos) => {
                    add(&mut packed.packets, &mut open, &line, nanos);
                    packed.lines += 1;
                    continue;
                }
                Err(reason) => (line.number(), line.raw(), reason),
            },
            Err(rejected) => (rejected.number, rejected.raw, rejected.reason.to_string()),
        };
        packed.refused_lines += 1;
        if packed.refused.len() < NAMED {
            let line = String::from_utf8_lossy(raw).chars().take(100).collect();
            packed.refused.push(Refused {
                number,
                reason: refusal,
                line,
            });
        }
    }
    packed
}

/// The timestamp in nanoseconds (none where the line has none), or why the line is not taken.
fn check(line: &Line<'_>, precision: Precision, limits: Limits) -> Result<Option<i64>, String> {
    if line.raw().len() > limits.line_bytes {
        return Err(format!(
            "the line has {} bytes, {} are allowed",
            line.raw().len(),
            limits.line_bytes
        ));
    }
    if line.tag_count() > limits.line_tags {
        return Err(format!(
            "the line has {} tags, {} are allowed",
            line.tag_count(),
            limits.line_tags
        ));
    }
    match line.timestamp() {
        None => Ok(None),
        Some(written) => precision
            .to_nanos(written)
            .map(Some)
            .ok_or_else(|| "the timestamp does not fit 64 bits in nanoseconds".to_owned()),
    }
}

fn add(packets: &mut Vec<Packet>, open: &mut [Option<usize>], line: &Line<'_>, nanos: Option<i64>) {
    let partition = partition_of(line, open.len() as u32);
    let slot = &mut open[partition as usize];
    let room = |packet: &Packet| {
        packet.lines < RECORD_LINES && packet.bytes.len() + line.raw().len() + 24 <= RECORD_BYTES
    };
    let place = match *slot {
        Some(place) if room(&packets[place]) => place,
        _ => {
            packets.push(Packet {
                partition,
                ..Packet::default()
            });
            packets.len() - 1
        }
    };
    *slot = Some(place);
    let packet = &mut packets[place];
    packet.lines += 1;
    match nanos {
        // In nanoseconds already, or without: as it was written.
        Some(nanos) if line.timestamp() != Some(nanos) => {
            packet.bytes.extend_from_slice(line.without_timestamp());
            packet.bytes.push(b' ');
            packet.bytes.extend_from_slice(nanos.to_string().as_bytes());
        }
        _ => packet.bytes.extend_from_slice(line.raw()),
    }
    packet.bytes.push(b'\n');
}

/// The partition of the line's host; of a line without a host, that of its series.
fn partition_of(line: &Line<'_>, partitions: u32) -> u32 {
    if partitions == 1 {
        return 0;
    }
    match line.host() {
        Some(host) => host_partition(host.as_bytes(), partitions),
        None => host_partition(&line.series().as_u64().to_le_bytes(), partitions),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        line_bytes: 200,
        line_tags: 4,
    };

    fn text(packet: &Packet) -> &str {
        std::str::from_utf8(&packet.bytes).unwrap()
    }

    #[test]
    fn lines_of_a_host_stay_together_and_in_order() {
        let body: String = (0..100)
            .map(|n| format!("m,host=h{} v={n} {n}\n", n % 10))
            .collect();
        let packed = pack(body.as_bytes(), Precision::NANOS, 4, LIMITS);
        assert_eq!((packed.lines, packed.refused_lines), (100, 0));
        for packet in &packed.packets {
            for line in scan(&packet.bytes) {
                let host = line.unwrap().host().unwrap().into_owned();
                assert_eq!(host_partition(host.as_bytes(), 4), packet.partition);
            }
        }
        let all: usize = packed.packets.iter().map(|packet| packet.lines).sum();
        assert_eq!(all, 100);
    }

    #[test]
    fn timestamps_become_nanoseconds_and_the_rest_stays_as_written() {
        let seconds = Precision::parse("s").unwrap();
        let packed = pack(
            b"m,host=a\\ b v=1i,s=\"x y\" 7\nm v=2\n",
            seconds,
            1,
            LIMITS,
        );
        assert_eq!(
            text(&packed.packets[0]),
            "m,host=a\\ b v=1i,s=\"x y\" 7000000000\nm v=2\n"
        );
    }

    #[test]
    fn a_bad_line_is_named_and_the_good_ones_are_taken() {
        let packed = pack(b"m v=1 1\nm v= 2\nm v=3 3\n", Precision::NANOS, 1, LIMITS);
        assert_eq!(text(&packed.packets[0]), "m v=1 1\nm v=3 3\n");
        assert_eq!((packed.refused_lines, packed.refused[0].number), (1, 2));
        assert_eq!(packed.refused[0].line, "m v= 2");
    }

    #[test]
    fn limits_of_a_line_are_kept() {
        let long = format!("m,host={} v=1 1", "x".repeat(300));
        let body = format!("{long}\nm,a=1,b=1,c=1,d=1,e=1 v=1 1\nm v=1 9223372036854775\n");
        let packed = pack(body.as_bytes(), Precision::parse("s").unwrap(), 1, LIMITS);
        assert_eq!((packed.lines, packed.refused_lines), (0, 3));
        let reasons: Vec<&str> = packed
            .refused
            .iter()
            .map(|refused| refused.reason.as_str())
            .collect();
        assert!(
            reasons[0].contains("bytes")
                && reasons[1].contains("tags")
                && reasons[2].contains("64 bits")
        );
    }

    #[test]
    fn a_record_has_bounded_lines_and_bytes() {
        let body: String = (0..2_500)
            .map(|n| format!("m,host=a v={n} {n}\n"))
            .collect();
        let packed = pack(body.as_bytes(), Precision::NANOS, 1, LIMITS);
        let lines: Vec<usize> = packed.packets.iter().map(|packet| packet.lines).collect();
        assert_eq!(lines, [1_000, 1_000, 500]);
    }
}

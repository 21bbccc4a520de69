//! What a partition has seen of its tenant since its last report: lines, bytes and series by
//! measurement. It is the state of a host of its own, [`TENANT`].

use super::codec::{CodecError, Reader, Writer};
use model::{SeriesKey, Span, Timestamp};
use std::collections::{BTreeMap, VecDeque};

/// The name of the host that stands for the tenant. No line can hold it: a NUL is refused.
pub(crate) const TENANT: &str = "\0";

/// A partition counts at most so many measurements; the others count as one, `*`.
const MOST_MEASUREMENTS: usize = 1_000;
const OTHERS: &str = "*";
/// What all partitions of a tenant report of their measurements at one grid point has at most about so many bytes. The owner of the
/// first partition keeps two of each in one record of state, which packed (some 4 to 8 to one) has to stay below Kafka's 1 MB.
const REPORT_BYTES: usize = 1 << 20;
/// And one partition so many: its report is one record, with what it says of groups that span hosts.
const PARTITION_BYTES: usize = 256 << 10;
/// Bytes of a report's line without the measurement's name.
const LINE: usize = 150;
/// Reports of more bytes are packed where they are kept; below that the program before this one can read them.
const LARGE: usize = 384 << 10;
/// Packed reports never have more bytes than this unpacked.
const MOST_UNPACKED: usize = 64 << 20;
/// Of zstd: the fastest of its usual levels.
const LEVEL: i32 = 1;
const HOUR: Span = Span::from_secs(3_600);
/// Registers of the estimate of distinct series, 2 to this power.
const BITS: u32 = 6;
const REGISTERS: usize = 1 << BITS;

/// What was counted.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Usage {
    /// The grid point that was reported last.
    pub(crate) reported: Timestamp,
    /// The largest arrival.
    pub(crate) arrival: Timestamp,
    by_measurement: BTreeMap<String, Seen>,
    /// About how many bytes their report has.
    line_bytes: usize,
    /// Points and bytes of the hours of the last day in which something was reported.
    day: VecDeque<(Timestamp, Volume)>,
    /// Reports of partitions for grid points that are not judged yet, by grid point and partition.
    pub(crate) inbox: BTreeMap<Timestamp, Reports>,
    /// The last report of each partition.
    pub(crate) last: Reports,
    /// The grid point that was judged last.
    pub(crate) judged: Timestamp,
}

/// Points and bytes of line protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Volume {
    pub(crate) points: u64,
    pub(crate) bytes: u64,
}

/// What was counted of a tenant as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Total {
    /// The last day, in whole hours and what there is of this one.
    pub(crate) day: Volume,
    /// When the first line came, in seconds.
    pub(crate) since: i64,
}

#[derive(Debug, Clone, PartialEq)]
struct Seen {
    points: u64,
    bytes: u64,
    first: Timestamp,
    /// Per register the longest run of zeros (HyperLogLog, Flajolet et al. 2007): 64 B, within
    /// about 13 %.
    series: [u8; REGISTERS],
}

impl Usage {
    /// Counts a line of a tenant with so many partitions.
    pub(crate) fn count(
        &mut self,
        measurement: &str,
        (bytes, series): (usize, SeriesKey),
        at: Timestamp,
        partitions: u32,
    ) {
        if let Some(seen) = self.by_measurement.get_mut(measurement) {
            return seen.count(bytes, series);
        }
        let room = (REPORT_BYTES / partitions.max(1) as usize).min(PARTITION_BYTES);
        let fits = self.line_bytes + LINE + measurement.len() <= room;
        let is_named = fits && self.by_measurement.len() < MOST_MEASUREMENTS;
        let name = if is_named { measurement } else { OTHERS };
        let known = self.by_measurement.len();
        let seen = self.by_measurement.entry(name.to_owned());
        seen.or_insert_with(|| Seen::new(at)).count(bytes, series);
        if self.by_measurement.len() > known {
            self.line_bytes += LINE + name.len();
        }
    }

    /// Whether its reports are so large that they are packed.
    pub(crate) fn is_large(&self) -> bool {
        let inbox = self.inbox.values().flat_map(BTreeMap::values);
        inbox
            .chain(self.last.values())
            .map(String::len)
            .sum::<usize>()
            > LARGE
    }

    /// A line for each measurement, and what was counted begins again.
    pub(crate) fn report(&mut self, tenant: &str, at: Timestamp, to: &mut String) -> Total {
        let secs = |time: Timestamp| time.as_nanos() / 1_000_000_000;
        let since = self.by_measurement.values().map(|seen| seen.first).min();
        let since = secs(since.unwrap_or(at));
        let mut sum = Volume::default();
        for (name, seen) in &mut self.by_measurement {
            sum.points += seen.points;
            sum.bytes += seen.bytes;
            let series = seen.distinct();
            to.push_str(&format!(
                "bongsu_usage,measurement={},tenant={tenant} points={}i,bytes={}i,series={}i,\
                 first_seen={},since={since} {}\n",
                escape(name),
                seen.points,
                seen.bytes,
                series.round(),
                secs(seen.first),
                at.as_nanos(),
            ));
            *seen = Seen::new(seen.first);
        }
        let day = self.add_to_day(at, sum);
        Total { day, since }
    }

    /// The sum of the last day.
    fn add_to_day(&mut self, at: Timestamp, sum: Volume) -> Volume {
        // The grid point that ends an hour belongs to it.
        let hour = at.minus(Span::from_nanos(1)).floor_to(HOUR);
        match self.day.back_mut() {
            Some((known, volume)) if *known == hour => {
                volume.points += sum.points;
                volume.bytes += sum.bytes;
            }
            _ => self.day.push_back((hour, sum)),
        }
        while let Some((oldest, _)) = self.day.front()
            && hour.since(*oldest) >= HOUR.times(24)
        {
            self.day.pop_front();
        }
        let all = self.day.iter().map(|(_, volume)| *volume);
        all.fold(Volume::default(), |sum, volume| Volume {
            points: sum.points + volume.points,
            bytes: sum.bytes + volume.bytes,
        })
    }

    /// Writes it, its reports packed or as they are.
    pub(crate) fn encode(&self, to: &mut Writer, is_packed: bool) {
        for at in [self.reported, self.arrival, self.judged] {
            to.signed(at.as_nanos());
        }
        to.list(self.by_measurement.iter(), |to, (name, seen)| {
            to.text(name);
            to.unsigned(seen.points);
            to.unsigned(seen.bytes);
            to.signed(seen.first.as_nanos());
            to.raw(&seen.series);
        });
        if is_packed {
            let mut reports = Writer::default();
            self.encode_reports(&mut reports);
            let reports = reports.into_bytes();
            let packed = zstd::bulk::compress(&reports, LEVEL);
            let packed = packed.expect("zstd packs whatever there is memory for");
            to.unsigned(reports.len() as u64);
            to.unsigned(packed.len() as u64);
            to.raw(&packed);
        } else {
            self.encode_reports(to);
        }
        to.list(self.day.iter(), |to, (hour, volume)| {
            to.signed(hour.as_nanos());
            to.unsigned(volume.points);
            to.unsigned(volume.bytes);
        });
    }

    fn encode_reports(&self, to: &mut Writer) {
        to.list(self.inbox.iter(), |to, (at, reports)| {
            to.signed(at.as_nanos());
            write_reports(to, reports);
        });
        write_reports(to, &self.last);
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        let time = |from: &mut Reader<'_>| from.signed().map(Timestamp::from_nanos);
        let (reported, arrival, judged) = (time(from)?, time(from)?, time(from)?);
        let by_measurement = from.list(|from| {
            let name = from.text()?.to_owned();
            let (points, bytes) = (from.unsigned()?, from.unsigned()?);
            let mut seen = Seen::new(time(from)?);
            (seen.points, seen.bytes) = (points, bytes);
            seen.series.copy_from_slice(from.raw(REGISTERS)?);
            Ok((name, seen))
        })?;
        let (inbox, last) = match from.version {
            1..=4 => decode_reports(from)?,
            _ => {
                let unpacked = unpacked(from)?;
                let mut reports = Reader::new(&unpacked);
                let read = decode_reports(&mut reports)?;
                reports.end()?;
                read
            }
        };
        let day = match from.version {
            1..=3 => Vec::new(),
            _ => from.list(|from| {
                let hour = time(from)?;
                let (points, bytes) = (from.unsigned()?, from.unsigned()?);
                Ok((hour, Volume { points, bytes }))
            })?,
        };
        Ok(Self {
            reported,
            arrival,
            line_bytes: by_measurement
                .iter()
                .map(|(name, _)| LINE + name.len())
                .sum(),
            by_measurement: by_measurement.into_iter().collect(),
            inbox,
            last,
            judged,
            day: day.into(),
        })
    }
}

type Reports = BTreeMap<u32, String>;

fn decode_reports(
    from: &mut Reader<'_>,
) -> Result<(BTreeMap<Timestamp, Reports>, Reports), CodecError> {
    let time = |from: &mut Reader<'_>| from.signed().map(Timestamp::from_nanos);
    let inbox = from.list(|from| Ok((time(from)?, read_reports(from)?)))?;
    Ok((inbox.into_iter().collect(), read_reports(from)?))
}

fn unpacked(from: &mut Reader<'_>) -> Result<Vec<u8>, CodecError> {
    let size = usize::try_from(from.unsigned()?).ok();
    let size = size.filter(|size| *size <= MOST_UNPACKED);
    let size = size.ok_or(CodecError::Range("the size of reports"))?;
    let length = from.count()?;
    let unpacked = zstd::bulk::decompress(from.raw(length)?, size);
    unpacked.map_err(|_| CodecError::Range("a packed report"))
}

fn write_reports(to: &mut Writer, reports: &Reports) {
    to.list(reports.iter(), |to, (partition, lines)| {
        to.unsigned(u64::from(*partition));
        to.text(lines);
    });
}

fn read_reports(from: &mut Reader<'_>) -> Result<Reports, CodecError> {
    let reports = from.list(|from| {
        let partition = u32::try_from(from.unsigned()?);
        let partition = partition.map_err(|_| CodecError::Range("a partition"))?;
        Ok((partition, from.text()?.to_owned()))
    })?;
    Ok(reports.into_iter().collect())
}

impl Seen {
    fn new(first: Timestamp) -> Self {
        Self {
            points: 0,
            bytes: 0,
            first,
            series: [0; REGISTERS],
        }
    }

    fn count(&mut self, bytes: usize, series: SeriesKey) {
        self.points += 1;
        self.bytes += bytes as u64;
        self.add(series);
    }

    fn add(&mut self, series: SeriesKey) {
        let hash = series.as_u64();
        let register = (hash >> (64 - BITS)) as usize;
        let rank = ((hash << BITS) | 1 << (BITS - 1)).leading_zeros() as u8 + 1;
        self.series[register] = self.series[register].max(rank);
    }

    /// How many distinct series, about.
    fn distinct(&self) -> f64 {
        let m = REGISTERS as f64;
        let sum: f64 = self.series.iter().map(|r| (-f64::from(*r)).exp2()).sum();
        let estimate = 0.709 * m * m / sum;
        let empty = self.series.iter().filter(|r| **r == 0).count();
        if estimate <= 2.5 * m && empty > 0 {
            m * (m / empty as f64).ln()
        } else {
            estimate
        }
    }
}

/// A tag's value as line protocol writes it.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if matches!(c, ',' | ' ' | '=') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::codec::{USUAL, VERSION};

    #[test]
    fn distinct_series_are_estimated_within_a_fifth() {
        for wanted in [1_u64, 10, 1_000, 100_000] {
            let mut seen = Seen::new(Timestamp::default());
            for n in 0..wanted {
                let hash = xxhash_rust::xxh3::xxh3_64(&n.to_le_bytes());
                seen.add(SeriesKey::from_hash(hash));
                seen.add(SeriesKey::from_hash(hash));
            }
            let found = seen.distinct() / wanted as f64;
            assert!((0.8..1.25).contains(&found), "{wanted}: {found}");
        }
    }

    #[test]
    fn a_series_raises_its_register_to_where_its_first_bit_stands() {
        // The six bits that weigh most choose the register; then the zeros before the next bit are counted.
        for (hash, register, rank) in [
            (0_u64, 0, 59),
            (1, 0, 58),
            (1 << 57, 0, 1),
            (1 << 56, 0, 2),
            ((63 << 58) | (1 << 50), 63, 8),
            (5 << 58, 5, 59),
        ] {
            let mut seen = Seen::new(Timestamp::default());
            seen.add(SeriesKey::from_hash(hash));
            let mut registers = [0; REGISTERS];
            registers[register] = rank;
            assert_eq!(seen.series, registers, "{hash:x}");
        }
    }

    #[test]
    fn few_series_are_counted_by_the_registers_that_are_empty() {
        for (ranks, wanted) in [
            // None is empty: 0.709 * 64 * 64 / 32.
            (vec![1; 64], 90.752),
            // 20 are empty, and the estimate of 69 is small: 64 * ln(64 / 20).
            (vec![1; 44], 74.441),
            // 4 are empty, but the estimate of 715 is not small.
            (vec![10; 60], 715.540),
        ] {
            let mut seen = Seen::new(Timestamp::default());
            seen.series[..ranks.len()].copy_from_slice(&ranks);
            let found = seen.distinct();
            assert!((found - wanted).abs() < 0.01, "{found}, not {wanted}");
        }
    }

    /// How many measurements are named, and how many points are of others.
    fn counted(usage: &Usage) -> (usize, u64) {
        let others = usage.by_measurement.get(OTHERS);
        let others = others.map_or(0, |seen| seen.points);
        let named = usage.by_measurement.len() - usize::from(others > 0);
        (named, others)
    }

    #[test]
    fn so_many_measurements_are_named_as_a_partitions_report_has_room_for() {
        let series = SeriesKey::from_hash(1);
        for (partitions, length, n, expected) in [
            // 1 MiB of all partitions, 256 KiB of one, and 150 B beside each name.
            (16, 850, 100, (65, 35)),
            (4, 850, 300, (262, 38)),
            (1, 850, 300, (262, 38)),
            (1, 5, 1_100, (1_000, 100)),
        ] {
            let mut usage = Usage::default();
            for n in 0..n {
                let name = format!("{n:0length$}");
                usage.count(&name, (1, series), Timestamp::default(), partitions);
            }
            assert_eq!(counted(&usage), expected, "{partitions} {length}");
        }
    }

    #[test]
    fn a_short_name_has_room_where_long_ones_have_none() {
        let mut usage = Usage::default();
        let (series, at) = (SeriesKey::from_hash(1), Timestamp::default());
        for n in 0..100 {
            usage.count(&format!("{n:0850}"), (1, series), at, 16);
        }
        usage.count("cpu", (1, series), at, 16);
        assert_eq!(counted(&usage), (66, 35));
    }

    #[test]
    fn reports_are_large_above_their_bound_wherever_they_wait() {
        for (of_inbox, of_last, is) in [
            (0, 0, false),
            (LARGE, 0, false),
            (0, LARGE, false),
            (LARGE, 1, true),
            (0, LARGE + 1, true),
        ] {
            let mut usage = Usage::default();
            let inbox = usage.inbox.entry(Timestamp::default()).or_default();
            inbox.insert(0, "x".repeat(of_inbox));
            usage.last.insert(0, "x".repeat(of_last));
            assert_eq!(usage.is_large(), is, "{of_inbox} {of_last}");
        }
    }

    #[test]
    fn usage_of_before_there_was_a_day_is_read() {
        let mut usage = Usage::default();
        usage.count("cpu", (1, SeriesKey::from_hash(1)), Timestamp::default(), 1);
        let mut to = Writer::default();
        usage.encode(&mut to, false);
        let bytes = to.into_bytes();
        // What version 4 added is an empty list here.
        let (day, before) = bytes.split_last().unwrap();
        assert_eq!(*day, 0);
        let mut from = Reader::new(before);
        from.version = 3;
        assert_eq!(Usage::decode(&mut from), Ok(usage));
        assert_eq!(from.end(), Ok(()));
    }

    #[test]
    fn usage_is_read_back_as_written_and_begins_again_after_a_report() {
        let mut usage = Usage::default();
        let at = Timestamp::from_millis(60_000);
        for n in 0..3 {
            let series = SeriesKey::from_hash(n << 60);
            usage.count("disk io", (100, series), at, 1);
        }
        usage.inbox.entry(at).or_default().insert(3, "x".to_owned());
        for (is_packed, version) in [(false, USUAL), (true, VERSION)] {
            let mut to = Writer::default();
            usage.encode(&mut to, is_packed);
            let bytes = to.into_bytes();
            let read = |bytes| {
                let mut from = Reader::new(bytes);
                from.version = version;
                Usage::decode(&mut from)
            };
            assert_eq!(read(&bytes).unwrap(), usage);
            for end in 0..bytes.len() {
                assert!(read(&bytes[..end]).is_err(), "{version}: cut at {end}");
            }
        }
        let mut text = String::new();
        let of = |points, bytes| Total {
            day: Volume { points, bytes },
            since: 60,
        };
        assert_eq!(usage.report("acme", at, &mut text), of(3, 300));
        assert_eq!(
            text,
            "bongsu_usage,measurement=disk\\ io,tenant=acme \
             points=3i,bytes=300i,series=3i,first_seen=60,since=60 60000000000\n"
        );
        text.clear();
        assert_eq!(usage.report("acme", at, &mut text), of(3, 300));
        for (hours, day) in [(23, of(3, 300)), (24, of(0, 0))] {
            let later = at.plus(HOUR.times(hours));
            assert_eq!(usage.report("acme", later, &mut text), day, "{hours} h");
        }
        assert!(text.contains("points=0i"));
    }
}

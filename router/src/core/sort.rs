//! Lines of a body by partition of their host, checked and with their timestamps in nanoseconds.
//!
//! The body is scanned once and not copied: a row borrows its line, and the rows of a partition are chained in
//! the order of the lines. What is counted is known before any line goes anywhere.

use super::precision::Precision;
use super::series::{Seen, SeriesWindow};
use model::{SeriesKey, host_partition};
use schemas::line::{Line, Scan, scan};

/// What a line may be.
#[derive(Debug, Clone, Copy)]
pub struct LineLimits {
    /// Bytes of a line.
    pub line_bytes: usize,
    /// Tags of a line.
    pub line_tags: usize,
}

/// A line that is taken.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The line, or where its timestamp has to be written anew, the line up to its last field.
    pub text: &'a [u8],
    /// The timestamp to write behind it.
    pub nanos: Option<i64>,
    series: SeriesKey,
    number: u32,
    /// The next row of the partition; [`END`] for the last.
    next: u32,
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

/// A body that is taken apart, some thousand lines at a time, so that the rows of many short lines take no more
/// memory than those of a few.
#[derive(Debug)]
pub struct Sorted<'a> {
    scan: Scan<'a>,
    precision: Precision,
    limits: LineLimits,
    rows: Vec<Row<'a>>,
    chains: Vec<Chain>,
    /// Lines that are not taken so far, the first 20.
    pub refused: Vec<Refused>,
    /// How many lines are not taken so far.
    pub refused_lines: usize,
    /// How many lines are taken so far.
    pub lines: usize,
}

/// The rows of a partition.
#[derive(Debug, Clone, Copy)]
struct Chain {
    first: u32,
    last: u32,
}

const END: u32 = u32::MAX;
const EMPTY: Chain = Chain {
    first: END,
    last: END,
};
/// Lines that are taken apart at a time.
const ROWS: usize = 4_096;
/// Refused lines that are named in an answer.
const NAMED: usize = 20;
/// By how much the timestamp of a line can grow in nanoseconds, with the newline of the last line.
const GROWTH: usize = 16;
/// A short line, by which room for rows is made ahead.
const SHORT_LINE: usize = 100;

/// Bytes that the lines of a body take in records, at most.
pub fn most_bytes(body: &[u8], precision: Precision) -> usize {
    if precision.is_nanos() {
        return body.len() + 1;
    }
    let lines = body.iter().filter(|byte| **byte == b'\n').count() + 1;
    body.len() + lines * GROWTH
}

impl<'a> Sorted<'a> {
    /// A body for a topic of `partitions`, of which nothing is read yet.
    pub fn new(body: &'a [u8], precision: Precision, partitions: u32, limits: LineLimits) -> Self {
        Self {
            scan: scan(body),
            precision,
            limits,
            rows: Vec::with_capacity((body.len() / SHORT_LINE + 1).min(ROWS)),
            chains: vec![EMPTY; partitions.max(1) as usize],
            refused: Vec::new(),
            refused_lines: 0,
            lines: 0,
        }
    }

    /// Reads the next lines in place of those that were read before; false when there are no more.
    pub fn advance(&mut self) -> bool {
        self.rows.clear();
        self.chains.fill(EMPTY);
        let mut read = false;
        while self.rows.len() < ROWS {
            let Some(line) = self.scan.next() else {
                return read;
            };
            read = true;
            match line {
                Ok(line) => match check(&line, self.precision, self.limits) {
                    Ok(nanos) => self.add(&line, nanos),
                    Err(reason) => self.refuse(line.number(), line.raw(), || reason),
                },
                Err(rejected) => {
                    self.refuse(rejected.number, rejected.raw, || {
                        rejected.reason.to_string()
                    });
                }
            }
        }
        read
    }
}

/// The timestamp in nanoseconds (none where the line has none), or why the line is not taken.
fn check(line: &Line<'_>, precision: Precision, limits: LineLimits) -> Result<Option<i64>, String> {
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

impl<'a> Sorted<'a> {
    fn add(&mut self, line: &Line<'a>, nanos: Option<i64>) {
        let series = line.series();
        let partition = partition_of(line, series, self.chains.len() as u32);
        // In nanoseconds already, or without: as it was written.
        let (text, nanos) = if nanos == line.timestamp() {
            (line.raw(), None)
        } else {
            (line.without_timestamp(), nanos)
        };
        // There are at most as many rows as are read at a time.
        let row = self.rows.len() as u32;
        self.rows.push(Row {
            text,
            nanos,
            series,
            number: line.number() as u32,
            next: END,
        });
        let chain = &mut self.chains[partition as usize];
        match self.rows.get_mut(chain.last as usize) {
            Some(last) => last.next = row,
            None => chain.first = row,
        }
        chain.last = row;
        self.lines += 1;
    }

    fn refuse(&mut self, number: usize, line: &[u8], reason: impl FnOnce() -> String) {
        self.refused_lines += 1;
        if self.refused.len() < NAMED {
            // Four bytes are the longest character.
            let start = &line[..line.len().min(400)];
            let line = String::from_utf8_lossy(start).chars().take(100).collect();
            self.refused.push(Refused {
                number,
                reason: reason(),
                line,
            });
        }
    }

    /// Counts the series of the lines that were read, and takes those lines out whose series is new and one too many.
    pub fn count_series(&mut self, window: &mut SeriesWindow) {
        for row in 0..self.rows.len() {
            if window.see(self.rows[row].series) == Seen::TooMany {
                let Row { text, number, .. } = self.rows[row];
                self.refuse(number as usize, text, || {
                    let most = window.most();
                    format!("the series is new, and the tenant's limit of {most} active series is reached")
                });
                self.rows[row].text = &[];
                self.lines -= 1;
            }
        }
    }

    /// The lines that were read and are taken, partition by partition, each in the order of the body.
    pub fn partitions(&self) -> impl Iterator<Item = (u32, Rows<'_, 'a>)> {
        let filled = self.chains.iter().zip(0_u32..);
        filled
            .filter(|(chain, _)| chain.first != END)
            .map(|(chain, partition)| {
                let (rows, next) = (self.rows.as_slice(), chain.first);
                (partition, Rows { rows, next })
            })
    }
}

/// The lines of one partition.
#[derive(Debug, Clone)]
pub struct Rows<'r, 'a> {
    rows: &'r [Row<'a>],
    next: u32,
}

impl<'r, 'a> Iterator for Rows<'r, 'a> {
    type Item = &'r Row<'a>;

    fn next(&mut self) -> Option<&'r Row<'a>> {
        loop {
            let row = self.rows.get(self.next as usize)?;
            self.next = row.next;
            // A line that was taken out is empty.
            if !row.text.is_empty() {
                return Some(row);
            }
        }
    }
}

/// The partition of the line's host; of a line without a host, that of its series.
fn partition_of(line: &Line<'_>, series: SeriesKey, partitions: u32) -> u32 {
    if partitions == 1 {
        return 0;
    }
    match line.host() {
        Some(host) => host_partition(host.as_bytes(), partitions),
        None => host_partition(&series.as_u64().to_le_bytes(), partitions),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: LineLimits = LineLimits {
        line_bytes: 200,
        line_tags: 4,
    };

    fn lines(sorted: &Sorted<'_>) -> Vec<(u32, String)> {
        let all = sorted
            .partitions()
            .flat_map(|(partition, rows)| rows.map(move |row| (partition, row)));
        all.map(|(partition, row)| {
            let text = String::from_utf8_lossy(row.text);
            let stamp = row.nanos.map(|nanos| format!(" {nanos}"));
            (partition, format!("{text}{}", stamp.unwrap_or_default()))
        })
        .collect()
    }

    /// The first part of a body.
    fn sort(body: &[u8], precision: Precision, partitions: u32, limits: LineLimits) -> Sorted<'_> {
        let mut sorted = Sorted::new(body, precision, partitions, limits);
        assert!(sorted.advance());
        sorted
    }

    #[test]
    fn a_long_body_is_read_part_by_part_and_every_line_once() {
        let body: String = (0..10_000)
            .map(|n| format!("m,host=h{} v=1 {n}\n", n % 7))
            .collect();
        let mut sorted = Sorted::new(body.as_bytes(), Precision::NANOS, 3, LIMITS);
        let mut all = Vec::new();
        while sorted.advance() {
            assert!(sorted.rows.len() <= ROWS);
            all.extend(lines(&sorted).into_iter().map(|(_, line)| line));
        }
        assert_eq!((sorted.lines, all.len()), (10_000, 10_000));
        let expected: std::collections::BTreeSet<&str> = body.lines().collect();
        assert!(all.iter().all(|line| expected.contains(line.as_str())));
    }

    #[test]
    fn records_never_take_more_than_was_said_before() {
        let body = b"m v=1 9\nm v=1 -9\nm v=1 2000000";
        for (unit, longest) in [
            ("h", "m v=1 9\n"),
            ("s", "m v=1 9223372036\n"),
            ("ns", "m v=1 1"),
        ] {
            let precision = Precision::parse(unit).unwrap();
            for body in [&body[..], longest.as_bytes()] {
                let mut message = super::super::message::Message::default();
                for (_, rows) in sort(body, precision, 1, LIMITS).partitions() {
                    rows.for_each(|row| message.push(row));
                }
                assert!(message.len() <= most_bytes(body, precision), "{unit}");
            }
        }
    }

    #[test]
    fn lines_of_a_host_stay_together_and_in_order() {
        let body: String = (0..100)
            .map(|n| format!("m,host=h{} v={n} {n}\n", n % 10))
            .collect();
        let sorted = sort(body.as_bytes(), Precision::NANOS, 4, LIMITS);
        assert_eq!((sorted.lines, sorted.refused_lines), (100, 0));
        let mut last = std::collections::BTreeMap::new();
        for (partition, line) in lines(&sorted) {
            let line = scan(line.as_bytes()).next().unwrap().unwrap();
            let host = line.host().unwrap().into_owned();
            assert_eq!(host_partition(host.as_bytes(), 4), partition);
            assert!(last.insert(host, line.timestamp()) < Some(line.timestamp()));
        }
        assert_eq!(last.len(), 10);
    }

    #[test]
    fn timestamps_become_nanoseconds_and_the_rest_stays_as_written() {
        let seconds = Precision::parse("s").unwrap();
        let body = b"m,host=a\\ b v=1i,s=\"x y\" 7\nm v=2\n";
        assert_eq!(
            lines(&sort(body, seconds, 1, LIMITS)),
            [
                (0, "m,host=a\\ b v=1i,s=\"x y\" 7000000000".to_owned()),
                (0, "m v=2".to_owned())
            ]
        );
    }

    #[test]
    fn a_bad_line_is_named_and_the_good_ones_are_taken() {
        let sorted = sort(b"m v=1 1\nm v= 2\nm v=3 3\n", Precision::NANOS, 1, LIMITS);
        assert_eq!(lines(&sorted).len(), 2);
        assert_eq!((sorted.refused_lines, sorted.refused[0].number), (1, 2));
        assert_eq!(sorted.refused[0].line, "m v= 2");
    }

    #[test]
    fn limits_of_a_line_are_kept() {
        let long = format!("m,host={} v=1 1", "x".repeat(300));
        let body = format!("{long}\nm,a=1,b=1,c=1,d=1,e=1 v=1 1\nm v=1 9223372036854775\n");
        let sorted = sort(body.as_bytes(), Precision::parse("s").unwrap(), 1, LIMITS);
        assert_eq!((sorted.lines, sorted.refused_lines), (0, 3));
        for (refused, word) in sorted.refused.iter().zip(["bytes", "tags", "64 bits"]) {
            assert!(refused.reason.contains(word), "{refused:?}");
        }
    }

    #[test]
    fn lines_of_new_series_above_the_cap_are_named_while_old_ones_are_taken() {
        let mut window = SeriesWindow::new(2);
        let mut count = |body: &str| {
            let mut sorted = sort(body.as_bytes(), Precision::NANOS, 3, LIMITS);
            sorted.count_series(&mut window);
            let mut taken: Vec<String> = lines(&sorted).into_iter().map(|(_, line)| line).collect();
            taken.sort();
            (taken, sorted.refused_lines, sorted.refused)
        };
        assert_eq!(count("m,host=a v=1 1\nm,host=b v=1 1\n").1, 0);
        let (taken, refused, named) =
            count("m,host=a v=2 2\nm,host=c v=2 2\nm,host=b v=2 2\nm,host=d v=2 2\n");
        assert_eq!(taken, ["m,host=a v=2 2", "m,host=b v=2 2"]);
        assert_eq!((refused, named[0].number, named[1].number), (2, 2, 4));
        assert!(named[0].reason.contains("limit of 2 active series"));
    }
}

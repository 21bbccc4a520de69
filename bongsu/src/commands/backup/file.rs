//! The file of a backup: a head, the catalogue's declarations, the rows of the incidents' database, and an end that
//! counts and signs them. One JSON object a line, so that a backup can be read without Bongsu.

use crate::failure::{Exit, Failure, Outcome};
use notifier::io::store::{Kept, TABLES};
use schemas::catalogue::{Entry, Record, decode_value, encode_value};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::io::{BufRead, Write};

/// What the first line names.
const FORMAT: &str = "bongsu-backup";
/// Version of this form. A newer one is refused.
const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    format: String,
    version: u32,
    /// Version of the program that wrote it.
    pub(super) program: String,
    /// When, RFC 3339.
    pub(super) made_at: String,
    /// The newest migration of the database that the rows are of.
    pub(super) schema: i64,
}

/// Every other line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// A declaration as it stands in the catalogue's topic.
    Declaration { key: String, value: String },
    /// A row of a table.
    Row {
        table: String,
        row: Map<String, Value>,
    },
    /// The last line.
    End(Counts),
}

/// What a backup holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    /// Declarations.
    pub(super) declarations: u64,
    /// Rows.
    pub(super) rows: u64,
    /// SHA-256 of all lines before this one.
    sha256: String,
}

impl Head {
    /// Of a backup that is made now.
    pub(super) fn new(made_at: String, schema: i64) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            made_at,
            schema,
        }
    }
}

/// Writes a backup.
pub(super) struct Writer<W> {
    to: W,
    sum: Sha256,
    counts: Counts,
}

impl<W: Write> Writer<W> {
    /// Begins with the head.
    pub(super) fn begin(to: W, head: &Head) -> Outcome<Self> {
        let mut writer = Self {
            to,
            sum: Sha256::new(),
            counts: Counts::default(),
        };
        writer.line(&serde_json::to_string(head))?;
        Ok(writer)
    }

    /// Adds a declaration.
    pub(super) fn declaration(&mut self, revision: u64, entry: Entry) -> Outcome {
        let key = entry.key();
        let value = encode_value(revision, &Record::Entry(entry));
        let value = String::from_utf8(value)
            .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
        self.counts.declarations += 1;
        self.line(&serde_json::to_string(&Line::Declaration { key, value }))
    }

    /// Adds a row.
    pub(super) fn row(&mut self, (table, row): Kept) -> Outcome {
        self.counts.rows += 1;
        let table = table.to_owned();
        self.line(&serde_json::to_string(&Line::Row { table, row }))
    }

    /// Ends it; what it holds.
    pub(super) fn end(mut self) -> Outcome<(W, Counts)> {
        self.counts.sha256 = digits(self.sum.clone());
        let counts = self.counts.clone();
        self.line(&serde_json::to_string(&Line::End(counts.clone())))?;
        self.to.flush().map_err(|error| failed(&error))?;
        Ok((self.to, counts))
    }

    fn line(&mut self, text: &serde_json::Result<String>) -> Outcome {
        let text = text
            .as_ref()
            .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
        let line = format!("{text}\n");
        self.sum.update(line.as_bytes());
        self.to
            .write_all(line.as_bytes())
            .map_err(|error| failed(&error))
    }
}

/// The sum as hexadecimal digits.
fn digits(sum: Sha256) -> String {
    sum.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn failed(error: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("the backup cannot be written: {error}"),
    )
}

/// A backup that was read whole.
#[derive(Debug)]
pub(super) struct Backup {
    pub(super) head: Head,
    pub(super) declarations: Vec<Entry>,
    pub(super) rows: Vec<Kept>,
}

impl Backup {
    /// Reads it. What is cut off, was changed, or is of a newer form is refused with its line.
    pub(super) fn read(name: &str, from: impl BufRead) -> Outcome<Self> {
        let mut sum = Sha256::new();
        let mut found: Option<Self> = None;
        for (number, line) in (1..).zip(from.lines()) {
            let wrong =
                |why: String| Failure::new(Exit::Findings, format!("{name}:{number}: {why}"));
            let text = line.map_err(|error| wrong(format!("cannot be read: {error}")))?;
            let Some(backup) = &mut found else {
                let head: Head = serde_json::from_str(&text)
                    .map_err(|_| wrong("this is no backup of Bongsu".to_owned()))?;
                if head.format != FORMAT || head.version > VERSION {
                    let (format, version) = (head.format, head.version);
                    return Err(wrong(format!(
                        "form `{format}` {version}: this program reads `{FORMAT}` up to {VERSION}"
                    )));
                }
                found = Some(Self {
                    head,
                    declarations: Vec::new(),
                    rows: Vec::new(),
                });
                sum.update(format!("{text}\n").as_bytes());
                continue;
            };
            match serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))? {
                Line::Declaration { key, value } => {
                    let record = decode_value(key.as_bytes(), value.as_bytes());
                    match record.map_err(|error| wrong(error.to_string()))?.1 {
                        Record::Entry(entry) => backup.declarations.push(entry),
                        Record::Bundle(_) | Record::Account(_) => {
                            return Err(wrong(
                                "bundles and accounts are derived, not kept".to_owned(),
                            ));
                        }
                    }
                }
                Line::Row { table, row } => {
                    let known = TABLES.iter().find(|known| **known == table);
                    let table = known
                        .ok_or_else(|| wrong(format!("this program has no table `{table}`")))?;
                    backup.rows.push((table, row));
                }
                Line::End(counts) => {
                    let own = digits(sum);
                    let (declarations, rows) =
                        (backup.declarations.len() as u64, backup.rows.len() as u64);
                    if own != counts.sha256
                        || declarations != counts.declarations
                        || rows != counts.rows
                    {
                        return Err(wrong(
                            "the lines above are not those that were written: the sum is another"
                                .to_owned(),
                        ));
                    }
                    return found
                        .ok_or_else(|| Failure::new(Exit::Findings, format!("{name} is empty")));
                }
            }
            sum.update(format!("{text}\n").as_bytes());
        }
        Err(Failure::new(
            Exit::Findings,
            format!("{name} has no end: it was cut off, or is no backup"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> String {
        let head = Head::new("2026-11-21T00:00:00Z".to_owned(), 21);
        let mut writer = Writer::begin(Vec::new(), &head).unwrap();
        let parsed = schemas::catalogue::parse_yaml("x", "tenant: acme\nname: 한빛\n").unwrap();
        for located in parsed {
            writer.declaration(7, located.value).unwrap();
        }
        let row = Map::from_iter([
            ("incident".to_owned(), Value::from("i")),
            ("value".to_owned(), Value::from(1.5)),
        ]);
        writer.row(("told", row)).unwrap();
        let (bytes, counts) = writer.end().unwrap();
        assert_eq!((counts.declarations, counts.rows), (1, 1));
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_was_written_is_read() {
        let backup = Backup::read("file", written().as_bytes()).unwrap();
        assert_eq!(backup.head.schema, 21);
        assert_eq!(backup.declarations[0].key(), "tenant/acme");
        assert_eq!(backup.rows[0].0, "told");
        assert_eq!(backup.rows[0].1["value"], 1.5);
    }

    #[test]
    fn what_is_damaged_is_refused_with_its_line() {
        let good = written();
        let without_end = good
            .lines()
            .take(3)
            .map(|line| format!("{line}\n"))
            .collect::<String>();
        for (text, why) in [
            (String::new(), "has no end"),
            (without_end, "has no end"),
            ("{}\n".to_owned(), "file:1: this is no backup"),
            (
                good.replace("\"version\":1", "\"version\":2"),
                "file:1: form",
            ),
            (
                good.replace("1.5", "2.5"),
                "file:4: the lines above are not those",
            ),
            (
                good.replace("\"told\"", "\"tolt\""),
                "file:3: this program has no table `tolt`",
            ),
            (good.replace("acme", "ac me"), "file:2:"),
        ] {
            let failure = Backup::read("file", text.as_bytes()).unwrap_err();
            assert!(failure.cause.contains(why), "{why}: {}", failure.cause);
            assert_eq!(failure.exit, Exit::Findings);
        }
    }
}

//! Results that come one by one, in every form: a line for people, or an object at a time for scripts.

use crate::cli::Output;
use crate::print;
use serde_json::Value;
use std::io::{self, Write};

/// One result: the line that people read, and the JSON object that programs read, with its keys in their order.
pub(crate) struct Row {
    pub(crate) line: String,
    pub(crate) object: String,
}

impl Row {
    fn values(&self) -> Value {
        // It was made of JSON's own values.
        serde_json::from_str(&self.object).unwrap_or_default()
    }
}

/// Writes results as they come. `end` closes the document: `-o json` is an array.
pub(crate) struct Rows<W: Write> {
    output: Output,
    columns: &'static [&'static str],
    written: u64,
    to: W,
}

impl<W: Write> Rows<W> {
    /// Nothing yet. `columns` are the keys of the objects that stand in `-o csv`, in their order.
    pub(crate) fn new(output: Output, columns: &'static [&'static str], to: W) -> Self {
        Self {
            output,
            columns,
            written: 0,
            to,
        }
    }

    /// One more.
    pub(crate) fn push(&mut self, row: &Row) -> io::Result<()> {
        let first = self.written == 0;
        self.written += 1;
        match self.output {
            Output::Table => writeln!(self.to, "{}", print::shown(&row.line)),
            Output::Jsonl => writeln!(self.to, "{}", row.object),
            Output::Json => {
                let before = if first { "[\n" } else { ",\n" };
                write!(self.to, "{before}{}", row.object)
            }
            Output::Yaml => {
                let text = print::yaml(&Value::Array(vec![row.values()]));
                self.to.write_all(text.as_bytes())
            }
            Output::Csv => {
                if first {
                    self.headings()?;
                }
                let values = row.values();
                let cells: Vec<String> = self
                    .columns
                    .iter()
                    .map(|column| print::csv_cell(&values[*column]))
                    .collect();
                write!(self.to, "{}\r\n", cells.join(","))
            }
        }
    }

    /// Whoever reads sees what was written so far.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    /// How many were written.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// The end of the document.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        match (self.output, self.written) {
            (Output::Json, 0) => writeln!(self.to, "[]")?,
            (Output::Json, _) => writeln!(self.to, "\n]")?,
            (Output::Yaml, 0) => writeln!(self.to, "[]")?,
            (Output::Csv, 0) => self.headings()?,
            _ => {}
        }
        self.to.flush()
    }

    fn headings(&mut self) -> io::Result<()> {
        write!(self.to, "{}\r\n", self.columns.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(output: Output, rows: &[Value]) -> String {
        let mut text = Vec::new();
        let mut all = Rows::new(output, &["a", "b"], &mut text);
        for values in rows {
            let row = Row {
                line: "line".to_owned(),
                object: values.to_string(),
            };
            all.push(&row).unwrap();
        }
        all.end().unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn every_form_is_whole_with_none_one_and_more() {
        let rows = [json!({"a": 1, "b": "x,y"}), json!({"a": [2, 3]})];
        for n in 0..=rows.len() {
            let rows = &rows[..n];
            let json: Value = serde_json::from_str(&written(Output::Json, rows)).unwrap();
            let yaml: Value = serde_saphyr::from_str(&written(Output::Yaml, rows)).unwrap();
            assert_eq!((&json, &yaml), (&json!(rows), &json!(rows)));
            assert_eq!(written(Output::Jsonl, rows).lines().count(), n);
            assert_eq!(written(Output::Table, rows), "line\n".repeat(n));
        }
        assert_eq!(
            written(Output::Csv, &rows),
            "a,b\r\n1,\"x,y\"\r\n\"[2,3]\",\r\n"
        );
        assert_eq!(written(Output::Csv, &[]), "a,b\r\n");
    }
}

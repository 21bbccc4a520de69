//! Putting together the CSV answers of Flux: tables follow one another, and each has a number of its own.

use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Joins whole answers. Tables of later ones are numbered on, since readers know a table by its number.
pub fn join(answers: &[String]) -> String {
    let mut whole = String::with_capacity(answers.iter().map(String::len).sum());
    let mut next = 0;
    for answer in answers {
        let first = next;
        let mut column = None;
        for record in records(answer) {
            let cells = cells(record);
            if cells.len() < 3 {
                // An empty line: another block with other columns follows.
                column = None;
            } else if !record.starts_with('#') {
                match column {
                    None => {
                        column = Some(
                            cells
                                .iter()
                                .position(|cell| *cell == "table")
                                .unwrap_or(usize::MAX),
                        )
                    }
                    Some(at) => {
                        if let Some(number) =
                            cells.get(at).and_then(|cell| cell.parse::<u64>().ok())
                        {
                            next = next.max(first + number + 1);
                            push_numbered(&mut whole, record, cells[at], first + number);
                            continue;
                        }
                    }
                }
            }
            whole.push_str(record);
        }
        if !whole.is_empty() && !whole.ends_with("\n\r\n") && !whole.ends_with("\n\n") {
            whole.push_str("\r\n");
        }
    }
    whole
}

/// Joins whole answers that each have one table of names: its heading once, and each name once.
pub fn names(answers: &[String]) -> String {
    let mut whole = String::new();
    let mut seen = BTreeSet::new();
    for answer in answers {
        let titled = !whole.is_empty();
        let mut below = false;
        for record in records(answer).filter(|record| cells(record).len() >= 3) {
            let heading = !below;
            below |= !record.starts_with('#');
            if (heading && !titled) || (!heading && seen.insert(record.trim_end())) {
                whole.push_str(record);
            }
        }
    }
    whole.push_str("\r\n");
    whole
}

/// Whether answers in this dialect (`dialect` of a query) can be put together: a table has to have a heading, and cells
/// are told apart by commas.
pub fn is_plain(dialect: &Value) -> bool {
    let is = |key: &str, usual: Value| dialect[key].is_null() || dialect[key] == usual;
    is("header", json!(true)) && is("delimiter", json!(",")) && is("commentPrefix", json!("#"))
}

/// Writes a record with another number for its table; `cell` is a part of `record`.
fn push_numbered(whole: &mut String, record: &str, cell: &str, number: u64) {
    let at = cell.as_ptr() as usize - record.as_ptr() as usize;
    whole.push_str(&record[..at]);
    whole.push_str(&number.to_string());
    whole.push_str(&record[at + cell.len()..]);
}

/// Whether an answer tells of an error that came after its beginning: a table with a column `error`.
pub fn error(answer: &str) -> Option<String> {
    let mut at = None;
    for record in records(answer) {
        let cells = cells(record);
        match at {
            Some(column) => {
                return cells
                    .get(column)
                    .map(|text: &&str| text.trim_matches('"').to_owned());
            }
            None if record.starts_with('#') => {}
            None => {
                at = cells
                    .iter()
                    .position(|cell| *cell == "error" && cells.len() <= 4)
            }
        }
    }
    None
}

/// The records with their line ends; a cell in quotes may hold line ends.
fn records(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split_inclusive(move |c| {
        quoted ^= c == '"';
        c == '\n' && !quoted
    })
}

fn cells(record: &str) -> Vec<&str> {
    let mut quoted = false;
    let record = record.trim_end_matches(['\r', '\n']);
    record
        .split(move |c| {
            quoted ^= c == '"';
            c == ',' && !quoted
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_a_second_answer_are_numbered_on() {
        let one = ",result,table,_value\r\n,_result,0,1\r\n,_result,1,\"a\r\n,b\"\r\n\r\n";
        let two = "#group,false,false,true\r\n,result,table,host\r\n,_result,0,x\r\n\r\n";
        let found = join(&[one.to_owned(), two.to_owned(), one.to_owned()]);
        assert_eq!(
            found,
            format!(
                "{one}{}{}",
                two.replace(",0,x", ",2,x"),
                one.replace(",0,1", ",3,1").replace(",1,\"", ",4,\"")
            )
        );
    }

    #[test]
    fn names_come_once_below_one_heading() {
        let heading = "#group,false,false,false\r\n,result,table,_value\r\n";
        let part = |names: &[&str]| {
            let rows: String = names
                .iter()
                .map(|name| format!(",_result,0,{name}\r\n"))
                .collect();
            format!("{heading}{rows}\r\n")
        };
        let found = names(&["\r\n".to_owned(), part(&["a", "b"]), part(&["b", "c"])]);
        assert_eq!(found, part(&["a", "b", "c"]));
    }

    #[test]
    fn a_dialect_without_headings_or_commas_is_not_put_together() {
        for (dialect, plain) in [
            (json!({}), true),
            (
                json!({"header": true, "delimiter": ",", "annotations": ["group"]}),
                true,
            ),
            (json!({"header": false}), false),
            (json!({"delimiter": ";"}), false),
        ] {
            assert_eq!(is_plain(&dialect), plain, "{dialect}");
        }
    }

    #[test]
    fn an_empty_answer_adds_nothing() {
        assert_eq!(join(&["\r\n".to_owned()]).trim(), "");
        assert_eq!(join(&[]), "");
    }

    #[test]
    fn an_error_behind_the_beginning_is_seen() {
        let failed = "#datatype,string,string\r\n,error,reference\r\n,\"out of memory\",897\r\n";
        assert_eq!(error(failed).as_deref(), Some("out of memory"));
        assert_eq!(error(",result,table,_value\r\n,_result,0,1\r\n"), None);
    }
}

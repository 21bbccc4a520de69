//! Putting together the JSON answers of InfluxQL.

use serde_json::{Value, json};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Joins the answers to one statement: rows by time, at most `most` of each series.
pub fn rows(answers: Vec<Value>, newest_first: bool, most: Option<usize>) -> Result<Value, String> {
    let mut series = gathered(answers)?;
    for one in &mut series {
        if let Some(values) = one["values"].as_array_mut() {
            values.sort_by(|a, b| {
                let order = by_time(&a[0], &b[0]);
                if newest_first { order.reverse() } else { order }
            });
            values.truncate(most.unwrap_or(usize::MAX));
        }
    }
    Ok(answer(series))
}

/// Joins the answers to one statement: each name once, in the order of their letters, at most `most` of each series.
pub fn names(answers: Vec<Value>, most: Option<usize>) -> Result<Value, String> {
    let mut series = gathered(answers)?;
    for one in &mut series {
        if let Some(values) = one["values"].as_array_mut() {
            let mut seen = BTreeSet::new();
            values.retain(|row| seen.insert(row.to_string()));
            values.sort_by(by_letters);
            values.truncate(most.unwrap_or(usize::MAX));
        }
    }
    Ok(answer(series))
}

fn answer(series: Vec<Value>) -> Value {
    if series.is_empty() {
        json!({"results": [{"statement_id": 0}]})
    } else {
        json!({"results": [{"statement_id": 0, "series": series}]})
    }
}

/// The series of all answers, those of one name and tags together.
fn gathered(answers: Vec<Value>) -> Result<Vec<Value>, String> {
    let mut gathered: Vec<Value> = Vec::new();
    for mut answer in answers {
        let result = &mut answer["results"][0];
        if let Some(error) = result["error"].as_str() {
            return Err(error.to_owned());
        }
        let Some(found) = result["series"].as_array_mut() else {
            continue;
        };
        for one in found.drain(..) {
            let same = |other: &&mut Value| {
                ["name", "tags"].iter().all(|key| other[*key] == one[*key])
                    && (other["columns"] == one["columns"] || (by_rows(other) && by_rows(&one)))
            };
            match gathered.iter_mut().find(same) {
                None => gathered.push(one),
                Some(other) => append(other, one),
            }
        }
    }
    gathered.sort_by_cached_key(|one| (one["name"].to_string(), one["tags"].to_string()));
    Ok(gathered)
}

/// Whether its rows are points.
fn by_rows(series: &Value) -> bool {
    series["columns"][0] == "time"
}

/// Adds the rows of one series to those of another. Columns differ where `*` found other fields; then they are all of
/// both in the order of their letters, as a shard has them that has both.
fn append(to: &mut Value, mut from: Value) {
    if to["columns"] != from["columns"] {
        let columns = |series: &Value| -> Vec<String> {
            let all = series["columns"].as_array().into_iter().flatten();
            all.filter_map(|name| name.as_str().map(str::to_owned))
                .collect()
        };
        let behind_time = |series: &Value| columns(series).into_iter().skip(1);
        let mut all: Vec<String> = behind_time(to).chain(behind_time(&from)).collect();
        all.sort();
        all.dedup();
        all.insert(0, "time".to_owned());
        for series in [&mut *to, &mut from] {
            let had = columns(series);
            let places: Vec<Option<usize>> = all
                .iter()
                .map(|name| had.iter().position(|column| column == name))
                .collect();
            for row in series["values"].as_array_mut().into_iter().flatten() {
                let wide = places
                    .iter()
                    .map(|place| place.map_or(Value::Null, |at| row[at].take()));
                *row = wide.collect();
            }
            series["columns"] = json!(all);
        }
    }
    let more = from["values"].as_array_mut().map(std::mem::take);
    if let Some(values) = to["values"].as_array_mut() {
        values.extend(more.unwrap_or_default());
    }
}

/// Rows of names, as a shard sorts them: by the bytes of one after the other.
fn by_letters(a: &Value, b: &Value) -> Ordering {
    let cells = |row: &Value| -> Vec<String> {
        let all = row.as_array().into_iter().flatten();
        all.map(|cell| {
            cell.as_str()
                .map_or_else(|| cell.to_string(), str::to_owned)
        })
        .collect()
    };
    cells(a).cmp(&cells(b))
}

/// Times are numbers, or RFC 3339 in UTC whose fractions have no zeros at their end: without the `Z`
/// such texts are in the order of their letters.
fn by_time(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_i64().cmp(&b.as_i64()),
        (Value::String(a), Value::String(b)) => {
            a.trim_end_matches('Z').cmp(b.trim_end_matches('Z'))
        }
        _ => Ordering::Equal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(series: Value) -> Value {
        json!({"results": [{"statement_id": 0, "series": series}]})
    }

    #[test]
    fn rows_of_one_series_are_in_the_order_of_time() {
        let part = |times: &[&str]| {
            let rows: Vec<Value> = times.iter().map(|time| json!([time, 1])).collect();
            found(json!([{"name": "cpu", "columns": ["time", "v"], "values": rows}]))
        };
        let parts = || {
            let late = part(&["2026-01-01T00:00:00.1Z", "2026-01-01T00:00:03Z"]);
            vec![
                late,
                part(&["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.12Z"]),
            ]
        };
        let times = |merged: Value| {
            let rows = merged["results"][0]["series"][0]["values"].clone();
            let rows = rows.as_array().unwrap().clone();
            let times = rows
                .iter()
                .map(|row| row[0].as_str().unwrap()[17..].to_owned());
            times.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            times(rows(parts(), false, None).unwrap()),
            "00Z 00.1Z 00.12Z 03Z"
        );
        assert_eq!(
            times(rows(parts(), true, None).unwrap()),
            "03Z 00.12Z 00.1Z 00Z"
        );
    }

    #[test]
    fn series_with_other_columns_stay_apart_and_names_come_once() {
        let keys = |names: &[&str]| {
            let rows: Vec<Value> = names.iter().map(|name| json!([name])).collect();
            found(json!([{"name": "cpu", "columns": ["tagKey"], "values": rows}]))
        };
        let merged = names(vec![keys(&["host", "cpu"]), keys(&["host"])], None).unwrap();
        let expected = json!([["cpu"], ["host"]]);
        assert_eq!(merged["results"][0]["series"][0]["values"], expected);
        let other = found(json!([{"name": "cpu", "columns": ["x"], "values": [[1]]}]));
        let merged = rows(vec![keys(&["host"]), other], false, None).unwrap();
        assert_eq!(merged["results"][0]["series"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn an_error_of_one_is_the_error_of_all() {
        let failed = json!({"results": [{"statement_id": 0, "error": "bad"}]});
        assert_eq!(
            rows(vec![found(json!([])), failed], false, None),
            Err("bad".to_owned())
        );
        let nothing = rows(vec![json!({"results": [{"statement_id": 0}]})], false, None).unwrap();
        assert_eq!(nothing, json!({"results": [{"statement_id": 0}]}));
    }

    #[test]
    fn a_limit_holds_for_all_answers_together() {
        let measurements = |names: &[&str]| {
            let rows: Vec<Value> = names.iter().map(|name| json!([name])).collect();
            found(json!([{"name": "measurements", "columns": ["name"], "values": rows}]))
        };
        let both = || {
            vec![
                measurements(&["cpu", "mem"]),
                measurements(&["cpu load", "cpu"]),
            ]
        };
        let values = |merged: Value| merged["results"][0]["series"][0]["values"].clone();
        assert_eq!(
            values(names(both(), Some(2)).unwrap()),
            json!([["cpu"], ["cpu load"]])
        );
        let points = |times: &[i64]| {
            let rows: Vec<Value> = times.iter().map(|time| json!([time, 1])).collect();
            found(json!([{"name": "cpu", "columns": ["time", "v"], "values": rows}]))
        };
        let both = || vec![points(&[1, 4]), points(&[2, 3])];
        assert_eq!(
            values(rows(both(), false, Some(2)).unwrap()),
            json!([[1, 1], [2, 1]])
        );
        let newest = vec![points(&[4, 1]), points(&[3, 2])];
        assert_eq!(
            values(rows(newest, true, Some(2)).unwrap()),
            json!([[4, 1], [3, 1]])
        );
    }

    #[test]
    fn a_field_that_one_shard_alone_has_is_a_column_for_all() {
        let one = found(
            json!([{"name": "cpu", "columns": ["time", "host", "v"], "values": [[1, "a", 5]]}]),
        );
        let two =
            found(json!([{"name": "cpu", "columns": ["time", "a", "v"], "values": [[0, 7, 6]]}]));
        let merged = rows(vec![one, two], false, None).unwrap();
        assert_eq!(
            merged["results"][0]["series"],
            json!([{"name": "cpu", "columns": ["time", "a", "host", "v"],
                    "values": [[0, 7, null, 6], [1, null, "a", 5]]}])
        );
    }
}

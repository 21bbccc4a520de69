//! Putting together the JSON answers of InfluxQL.

use serde_json::{Value, json};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Joins the answers to one statement: rows by time.
pub fn rows(answers: Vec<Value>, newest_first: bool) -> Result<Value, String> {
    let mut series = gathered(answers)?;
    for one in &mut series {
        if let Some(values) = one["values"].as_array_mut() {
            values.sort_by(|a, b| {
                let order = by_time(&a[0], &b[0]);
                if newest_first { order.reverse() } else { order }
            });
        }
    }
    Ok(answer(series))
}

/// Joins the answers to one statement: each name once.
pub fn names(answers: Vec<Value>) -> Result<Value, String> {
    let mut series = gathered(answers)?;
    for one in &mut series {
        if let Some(values) = one["values"].as_array_mut() {
            let mut seen = BTreeSet::new();
            values.retain(|row| seen.insert(row.to_string()));
            values.sort_by_cached_key(ToString::to_string);
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

/// The series of all answers, those of one name, tags and columns together.
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
        for mut one in found.drain(..) {
            let same = |other: &&mut Value| {
                ["name", "tags", "columns"]
                    .iter()
                    .all(|key| other[*key] == one[*key])
            };
            match gathered.iter_mut().find(same) {
                None => gathered.push(one),
                Some(other) => {
                    let more = one["values"].as_array_mut().map(std::mem::take);
                    if let Some(values) = other["values"].as_array_mut() {
                        values.extend(more.unwrap_or_default());
                    }
                }
            }
        }
    }
    gathered.sort_by_cached_key(|one| (one["name"].to_string(), one["tags"].to_string()));
    Ok(gathered)
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
        assert_eq!(times(rows(parts(), false).unwrap()), "00Z 00.1Z 00.12Z 03Z");
        assert_eq!(times(rows(parts(), true).unwrap()), "03Z 00.12Z 00.1Z 00Z");
    }

    #[test]
    fn series_with_other_columns_stay_apart_and_names_come_once() {
        let keys = |names: &[&str]| {
            let rows: Vec<Value> = names.iter().map(|name| json!([name])).collect();
            found(json!([{"name": "cpu", "columns": ["tagKey"], "values": rows}]))
        };
        let merged = names(vec![keys(&["host", "cpu"]), keys(&["host"])]).unwrap();
        let expected = json!([["cpu"], ["host"]]);
        assert_eq!(merged["results"][0]["series"][0]["values"], expected);
        let other = found(json!([{"name": "cpu", "columns": ["x"], "values": [[1]]}]));
        let merged = rows(vec![keys(&["host"]), other], false).unwrap();
        assert_eq!(merged["results"][0]["series"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn an_error_of_one_is_the_error_of_all() {
        let failed = json!({"results": [{"statement_id": 0, "error": "bad"}]});
        assert_eq!(
            rows(vec![found(json!([])), failed], false),
            Err("bad".to_owned())
        );
        let nothing = rows(vec![json!({"results": [{"statement_id": 0}]})], false).unwrap();
        assert_eq!(nothing, json!({"results": [{"statement_id": 0}]}));
    }
}

//! Metrics as JSON, in the form of Telegraf's `json` serializer.
//!
//! ```json
//! {"metrics": [{"name": "cpu", "tags": {"host": "web-1"}, "fields": {"usage_idle": 91.5}, "timestamp": 1458229140}]}
//! ```
//!
//! - One metric by itself, an array of metrics and one metric a line (NDJSON) are taken as well.
//! - `timestamp` is whole seconds unless the request says otherwise, as in Telegraf; without one the log's
//!   time holds.
//! - Every number is a float, as with Telegraf's own `json` parser, because the serializer writes `5` for 5.0 too. A whole number that a
//!   float does not hold exactly is rejected. Text and booleans stay what they are.
//! - `null` as a tag or a field is none. Other keys of a metric are refused: they would be lost.

use crate::points::json::{each_value, malformed, object};
use crate::points::{
    Decoded, Lines, Problem, Tags, Undecodable, exact, field_key, field_text, head,
};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Appends the metrics of a body to `out` as lines, at most `most` bytes of them. `nanos` is what one unit of their
/// timestamps is.
///
/// # Errors
/// When the body is no JSON or too large; what was appended then is to be thrown away.
pub fn decode(
    body: &[u8],
    nanos: i64,
    most: usize,
    out: &mut Vec<u8>,
) -> Result<Decoded, Undecodable> {
    let text = std::str::from_utf8(body).map_err(|_| malformed("it is no UTF-8"))?;
    let mut metrics = Metrics {
        lines: Lines::new(out, most),
        nanos,
        head: Vec::new(),
    };
    // Documents one behind the other: NDJSON, or just one.
    for document in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
        metrics.document(document.map_err(malformed)?)?;
    }
    Ok(metrics.lines.finish())
}

struct Metrics<'o> {
    lines: Lines<'o>,
    nanos: i64,
    head: Vec<u8>,
}

/// A metric whose parts are read when their turn comes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metric<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    tags: Option<&'a RawValue>,
    #[serde(borrow)]
    fields: &'a RawValue,
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
}

/// `{"metrics": [...]}`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch<'a> {
    #[serde(borrow)]
    metrics: &'a RawValue,
}

impl Metrics<'_> {
    fn document(&mut self, document: &RawValue) -> Result<(), Undecodable> {
        let text = document.get();
        if text.starts_with('[') {
            return self.array(text);
        }
        if let Ok(batch) = object::<Batch<'_>>(text) {
            return self.array(batch.metrics.get());
        }
        self.metric(document)
    }

    fn array(&mut self, text: &str) -> Result<(), Undecodable> {
        each_value(text, &mut |metric| self.metric(metric))
    }

    fn metric(&mut self, raw: &RawValue) -> Result<(), Undecodable> {
        let metric: Metric<'_> = match object(raw.get()) {
            Ok(metric) => metric,
            Err(error) => {
                // An unknown key stands in it whole.
                let error: String = error.to_string().chars().take(300).collect();
                let problem = Problem::Form(format!(
                    "it is no object with `name`, `tags`, `fields` and `timestamp`: {error}"
                ));
                self.lines.reject("", problem);
                return Ok(());
            }
        };
        let prepared = self.prepare(&metric);
        match prepared {
            Err(problem) => {
                self.lines.reject(&metric.name, problem);
                Ok(())
            }
            Ok(at) => self.lines.point(&metric.name, &self.head, at, |out| {
                fields(metric.fields, out)
            }),
        }
    }

    /// Writes the head and finds the time.
    fn prepare(&mut self, metric: &Metric<'_>) -> Result<Option<i64>, Problem> {
        let owned = match metric.tags {
            Some(tags) => tags_of(tags)?,
            None => Vec::new(),
        };
        let mut tags = Tags::default();
        for (key, value) in &owned {
            tags.push(key, value)?;
        }
        head(&mut self.head, &metric.name, &mut tags)?;
        let Some(written) = metric.timestamp.map(RawValue::get) else {
            return Ok(None);
        };
        let whole: i64 = written.parse().map_err(|_| {
            let written: String = written.chars().take(30).collect();
            Problem::Form(format!(
                "its timestamp `{written}` is no whole number of 64 bits"
            ))
        })?;
        whole
            .checked_mul(self.nanos)
            .map(Some)
            .ok_or(Problem::Timestamp)
    }
}

type Tag<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Tags: texts, numbers and booleans as they are written.
fn tags_of(raw: &RawValue) -> Result<Vec<Tag<'_>>, Problem> {
    let mut tags = Vec::new();
    each_entry(raw.get(), "tags", &mut |key, value| {
        if tags.len() >= 256 {
            return Err(Problem::TooManyTags);
        }
        let text = value.get();
        match text.as_bytes().first() {
            Some(b'"') => tags.push((key, text_of(text)?)),
            Some(b'{' | b'[') => return Err(Problem::TagKind(cut(&key))),
            Some(b'n') => {}
            _ => tags.push((key, Cow::Borrowed(text))),
        }
        Ok(())
    })?;
    Ok(tags)
}

fn fields(raw: &RawValue, out: &mut Vec<u8>) -> Result<(), Problem> {
    each_entry(raw.get(), "fields", &mut |key, value| {
        let text = value.get();
        match text.as_bytes().first() {
            Some(b'n') => Ok(()),
            Some(b'{' | b'[') => Err(Problem::FieldKind(cut(&key))),
            Some(b'"') => {
                field_key(out, &key)?;
                field_text(out, &text_of(text)?)
            }
            Some(b't' | b'f') => {
                field_key(out, &key)?;
                out.extend_from_slice(text.as_bytes());
                Ok(())
            }
            _ => {
                field_key(out, &key)?;
                number(out, text)
            }
        }
    })
}

/// A number as it is written: JSON's are among those of line protocol.
fn number(out: &mut Vec<u8>, text: &str) -> Result<(), Problem> {
    if let Ok(whole) = text.parse::<i128>() {
        exact(whole)?;
    }
    let value: f64 = text
        .parse()
        .map_err(|_| Problem::Form("one of its numbers is none".to_owned()))?;
    if value.is_infinite() {
        return Err(Problem::NotExact(text.chars().take(30).collect()));
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

fn text_of(raw: &str) -> Result<Cow<'_, str>, Problem> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    let read: Result<Text<'_>, _> = serde_json::from_str(raw);
    read.map(|text| text.0)
        .map_err(|error| Problem::Form(cut(&error.to_string())))
}

fn cut(text: &str) -> String {
    text.chars().take(100).collect()
}

type Entry<'f, 'a> = &'f mut dyn FnMut(Cow<'a, str>, &'a RawValue) -> Result<(), Problem>;

/// Hands on each key and value of an object, in their order.
fn each_entry<'a>(text: &'a str, what: &str, take: Entry<'_, 'a>) -> Result<(), Problem> {
    if text == "null" {
        return Ok(());
    }
    let mut problem = None;
    let entries = Entries {
        take,
        problem: &mut problem,
    };
    let read = entries.deserialize(&mut serde_json::Deserializer::from_str(text));
    match problem {
        Some(problem) => Err(problem),
        None => read.map_err(|_| Problem::Form(format!("its `{what}` are no object"))),
    }
}

struct Entries<'f, 'p, 'a> {
    take: Entry<'f, 'a>,
    problem: &'p mut Option<Problem>,
}

impl<'a> DeserializeSeed<'a> for Entries<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Entries<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Key<'a>>()? {
            let value = map.next_value::<&'a RawValue>()?;
            if let Err(problem) = (self.take)(key.0, value) {
                *self.problem = Some(problem);
                return Err(serde::de::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests;

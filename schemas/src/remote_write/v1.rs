//! Version 1.0: `prometheus.WriteRequest`, in which each series has its labels as texts.

use super::{Naming, Samples, Series};
use crate::points::protobuf::{Value, each, fields};
use crate::points::{Decoded, Problem, Tags, Undecodable};

/// `WriteRequest.timeseries`.
const TIMESERIES: u32 = 1;
/// `TimeSeries.labels`, `.samples`, `.histograms`.
const LABELS: u32 = 1;
const SAMPLES: u32 = 2;
const HISTOGRAMS: u32 = 4;

/// Appends the samples of a `prometheus.WriteRequest` to `out` as lines, at most `most` bytes of them.
///
/// # Errors
/// When the body is no such message or too large; what was appended then is to be thrown away.
pub fn decode(
    body: &[u8],
    naming: Naming,
    most: usize,
    out: &mut Vec<u8>,
) -> Result<Decoded, Undecodable> {
    let mut samples = Samples::new(out, most, naming);
    let mut tags = Tags::default();
    each(body, TIMESERIES, |series| {
        let message = series.bytes()?;
        tags.clear();
        let mut problem = None;
        each(message, LABELS, |found| {
            let (name, value) = label(found)?;
            if problem.is_none() {
                problem = tags.push(name, value).err();
            }
            Ok(())
        })?;
        let series = Series {
            message: fields(message),
            sample: SAMPLES,
            histogram: HISTOGRAMS,
        };
        samples.series(problem.map_or(Ok(&mut tags), Err::<_, Problem>), &series)
    })?;
    Ok(samples.finish())
}

/// `Label.name` and `Label.value`.
fn label(label: Value<'_>) -> Result<(&str, &str), Undecodable> {
    let (mut name, mut value) = ("", "");
    for field in fields(label.bytes()?) {
        match field? {
            (1, found) => name = found.text()?,
            (2, found) => value = found.text()?,
            _ => {}
        }
    }
    Ok((name, value))
}

//! Version 2.0: `io.prometheus.write.v2.Request`, in which series refer to a table of symbols.

use super::{Naming, Samples, Series};
use crate::points::protobuf::{each, fields};
use crate::points::{Decoded, Problem, Tags, Undecodable};

/// `Request.symbols` and `.timeseries`. Version 1 has its own fields below 4, so that one is never taken for the
/// other.
const SYMBOLS: u32 = 4;
const TIMESERIES: u32 = 5;
/// `TimeSeries.labels_refs`, `.samples`, `.histograms`.
const LABELS: u32 = 1;
const SAMPLES: u32 = 2;
const HISTOGRAMS: u32 = 3;

/// Symbols of a request. Prometheus sends a few thousand.
const MOST_SYMBOLS: usize = 1 << 20;

/// Appends the samples of an `io.prometheus.write.v2.Request` to `out` as lines, at most `most` bytes of them.
///
/// # Errors
/// When the body is no such message or too large; what was appended then is to be thrown away.
pub fn decode(
    body: &[u8],
    naming: Naming,
    most: usize,
    out: &mut Vec<u8>,
) -> Result<Decoded, Undecodable> {
    let symbols = read_symbols(body)?;
    let mut samples = Samples::new(out, most, naming);
    let mut tags = Tags::default();
    each(body, TIMESERIES, |series| {
        let message = series.bytes()?;
        tags.clear();
        let problem = read_labels(message, &symbols, &mut tags)?;
        let series = Series {
            message: fields(message),
            sample: SAMPLES,
            histogram: HISTOGRAMS,
        };
        samples.series(problem.map_or(Ok(&mut tags), Err), &series)
    })?;
    Ok(samples.finish())
}

fn read_symbols(body: &[u8]) -> Result<Vec<&str>, Undecodable> {
    let mut symbols = Vec::new();
    each(body, SYMBOLS, |symbol| {
        if symbols.len() >= MOST_SYMBOLS {
            return Err(Undecodable::Malformed {
                format: "remote write 2.0",
                reason: format!("it has over {MOST_SYMBOLS} symbols"),
            });
        }
        symbols.push(symbol.text()?);
        Ok(())
    })?;
    Ok(symbols)
}

/// The labels of a series as tags, or why they cannot be.
fn read_labels<'a>(
    message: &[u8],
    symbols: &[&'a str],
    tags: &mut Tags<'a>,
) -> Result<Option<Problem>, Undecodable> {
    let (mut problem, mut name) = (None, None);
    each(message, LABELS, |references| {
        references.each_varint(|reference| {
            let symbol = usize::try_from(reference)
                .ok()
                .and_then(|place| symbols.get(place));
            let pushed = match (symbol, name.take()) {
                _ if problem.is_some() => Ok(()),
                (None, _) => Err(Problem::Symbol(reference)),
                (Some(symbol), None) => {
                    name = Some(*symbol);
                    Ok(())
                }
                (Some(symbol), Some(name)) => tags.push(name, symbol),
            };
            problem = problem.take().or(pushed.err());
            Ok::<_, Undecodable>(())
        })
    })?;
    Ok(problem.or(name.map(|_| Problem::UnevenLabels)))
}

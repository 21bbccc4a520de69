//! Prometheus remote write, 1.0 and 2.0, as lines.
//!
//! Sources: "Prometheus Remote-Write 1.0 specification" and "2.0 specification" (messages
//! `prometheus.WriteRequest` and `io.prometheus.write.v2.Request`). The body is what the snappy block holds.
//!
//! - A sample is a line: measurement = metric name, field `value`, a tag for each label. That is what
//!   InfluxDB 1 makes of it on the same path, and Telegraf's `prometheusremotewrite` parser with
//!   `prometheus_metric_version = 1`. With [`Naming::OneMeasurement`] it is that parser's other form: measurement
//!   `prometheus_remote_write`, field = metric name.
//! - A tag `host` is added where the labels have none: from `host.name`, else `instance` without its port.
//! - Stale markers are dropped and counted; NaN, infinity and native histograms are rejected with a reason.
//! - Exemplars, metadata and created timestamps are read over: line protocol has no place for them.

mod v1;
mod v2;

pub use v1::decode as decode_v1;
pub use v2::decode as decode_v2;

use crate::points::protobuf::{Fields, Malformed, fields};
use crate::points::{Decoded, Lines, Problem, Tags, Undecodable, field_key, float, head};

/// How a metric's name becomes a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Naming {
    /// Measurement = metric name, field `value`.
    #[default]
    PerMetric,
    /// Measurement `prometheus_remote_write`, field = metric name.
    OneMeasurement,
}

/// The value by which Prometheus says that a series has ended (`model/value/value.go`, `StaleNaN`).
const STALE: u64 = 0x7ff0_0000_0000_0002;
/// The label that holds the metric's name.
const NAME: &str = "__name__";

/// Samples on their way to lines.
struct Samples<'o> {
    lines: Lines<'o>,
    naming: Naming,
    head: Vec<u8>,
}

/// A series without its labels.
struct Series<'a> {
    /// Its fields on the wire.
    message: Fields<'a>,
    /// The numbers of the fields that are samples and native histograms.
    sample: u32,
    histogram: u32,
}

impl<'o> Samples<'o> {
    fn new(out: &'o mut Vec<u8>, most: usize, naming: Naming) -> Self {
        Self {
            lines: Lines::new(out, most),
            naming,
            head: Vec::new(),
        }
    }

    /// A line for each sample of a series. `tags` has the name among its labels.
    fn series(
        &mut self,
        tags: Result<&mut Tags<'_>, Problem>,
        series: &Series<'_>,
    ) -> Result<(), Undecodable> {
        let mut name = "";
        let problem = match tags {
            Ok(tags) => {
                name = tags.take(NAME).unwrap_or_default();
                let measurement = match self.naming {
                    Naming::OneMeasurement if !name.is_empty() => "prometheus_remote_write",
                    _ => name,
                };
                head(&mut self.head, measurement, tags).err()
            }
            Err(found) => Some(found),
        };
        for field in series.message.clone() {
            let (number, value) = field?;
            if number == series.sample {
                self.sample(name, problem.as_ref(), value.bytes()?)?;
            } else if number == series.histogram {
                value.bytes()?;
                self.lines.reject(name, Problem::NativeHistogram);
            }
        }
        Ok(())
    }

    fn sample(
        &mut self,
        name: &str,
        problem: Option<&Problem>,
        message: &[u8],
    ) -> Result<(), Undecodable> {
        let (value, millis) = read_sample(message)?;
        if value.to_bits() == STALE {
            self.lines.stale();
            return Ok(());
        }
        let at = millis.checked_mul(1_000_000);
        match (problem, at) {
            (Some(problem), _) => self.lines.reject(name, problem.clone()),
            (None, None) => self.lines.reject(name, Problem::Timestamp),
            (None, at) => {
                let field = match self.naming {
                    Naming::PerMetric => "value",
                    Naming::OneMeasurement => name,
                };
                self.lines.point(name, &self.head, at, |out| {
                    field_key(out, field)?;
                    float(out, value)
                })?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Decoded {
        self.lines.finish()
    }
}

/// Value and milliseconds; fields 1 and 2 in both versions.
fn read_sample(message: &[u8]) -> Result<(f64, i64), Malformed> {
    let (mut value, mut millis) = (0.0, 0);
    for field in fields(message) {
        match field? {
            (1, found) => value = found.double()?,
            (2, found) => millis = found.int64()?,
            _ => {}
        }
    }
    Ok((value, millis))
}

#[cfg(test)]
mod tests;

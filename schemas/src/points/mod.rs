//! What the readers of foreign formats share: points become lines in nanoseconds, and what cannot become one
//! is said with its reason.
//!
//! Every reader goes through its body once, point by point, and builds no tree of it: a few hundred KiB of
//! empty messages would become a hundred times as many bytes of structs. What is written has a limit as
//! well, because two of the formats refer to a text by number and may repeat a long one without end.

pub(crate) mod json;
mod lines;
pub(crate) mod protobuf;
mod tags;

pub(crate) use lines::{Lines, exact, field_key, field_text, float, head};
pub(crate) use tags::Tags;

/// Points that are named in an answer; the others are counted.
const NAMED: usize = 20;

/// What became of a body's points. The lines themselves were appended to the caller's buffer, each ended by a
/// newline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decoded {
    /// How many lines were appended.
    pub lines: usize,
    /// Points that cannot be stored, the first 20.
    pub rejected: Vec<Rejected>,
    /// How many points cannot be stored.
    pub rejected_points: usize,
    /// Points that say that there is no value: Prometheus' stale markers, OTLP's "no recorded value". They
    /// end a series and are nothing to be stored.
    pub stale: usize,
    /// Of the rejected ones those whose value is NaN, with which Prometheus says "nothing was observed".
    pub not_a_number: usize,
}

/// A point that cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its number in the body, from 1.
    pub number: usize,
    /// The name of its metric, cut to 100 characters.
    pub name: String,
    /// Why.
    pub problem: Problem,
}

/// Why a point cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Without a name there is no measurement.
    #[error("it has no name")]
    NoName,
    /// A line that begins with `#` is a comment.
    #[error("its name begins with `#`, which line protocol takes for a comment")]
    CommentName,
    /// A line cannot hold it.
    #[error("its {0} has a control character, which line protocol cannot hold")]
    Control(&'static str),
    /// Databases read `\,` and `\\,` differently.
    #[error(
        "its {0} has a backslash before `,`, `=`, a space or the end, which databases read differently"
    )]
    Backslash(&'static str),
    /// A tag without a key.
    #[error("one of its tags has no key")]
    NoTagKey,
    /// More tags than any point has.
    #[error("it has over {most} tags", most = tags::MOST)]
    TooManyTags,
    /// A tag that is given twice.
    #[error("its tag `{0}` is given twice")]
    Twice(String),
    /// A field that is given twice.
    #[error("its field `{0}` is given twice")]
    FieldTwice(String),
    /// NaN cannot be stored.
    #[error("its value is NaN, which cannot be stored")]
    NotANumber,
    /// Infinity cannot be stored.
    #[error("its value is infinite, which cannot be stored")]
    Infinite,
    /// A float holds whole numbers up to 2^53 exactly.
    #[error("its value {0} does not fit a float exactly")]
    NotExact(String),
    /// A time outside of the years 1677 to 2262.
    #[error("its timestamp does not fit 64 bits in nanoseconds")]
    Timestamp,
    /// No field is left.
    #[error("it has no field")]
    NoField,
    /// A field of a kind that line protocol does not have.
    #[error("its field `{0}` is neither number, text nor boolean")]
    FieldKind(String),
    /// A tag of a kind that cannot be a text.
    #[error("its tag `{0}` is neither text, number nor boolean")]
    TagKind(String),
    /// Prometheus' histograms with buckets of growing width.
    #[error("it is a native histogram, which cannot be stored; scrape it as a classic one")]
    NativeHistogram,
    /// Sums since the last export cannot be told from sums since the start.
    #[error("it is a histogram of delta temporality; let the exporter send cumulative ones")]
    DeltaHistogram,
    /// A histogram whose counts and bounds contradict each other.
    #[error("its buckets do not fit its bounds")]
    Buckets,
    /// A list in it is longer than any real one.
    #[error("it has over {0} {1}")]
    TooMany(usize, &'static str),
    /// A metric of a kind that is not known.
    #[error("it is none of gauge, sum, histogram, exponential histogram and summary")]
    Kind,
    /// A number that refers to no text.
    #[error("it refers to symbol {0}, which the request does not have")]
    Symbol(u64),
    /// Names and values of labels come in pairs.
    #[error("its labels do not come in pairs")]
    UnevenLabels,
    /// What is not of the form that is expected.
    #[error("{0}")]
    Form(String),
}

/// Why a body is taken as a whole by nobody. What was appended of it is to be thrown away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// It is not of the format that it is said to be.
    #[error("the body is no valid {format}: {reason}")]
    Malformed {
        /// The format.
        format: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// As lines it is over the limit.
    #[error("as line protocol the body has more than {most} bytes")]
    TooLarge {
        /// The limit, in bytes.
        most: usize,
    },
    /// A format or version that is not spoken here.
    #[error("{0}")]
    Unsupported(String),
}

impl Decoded {
    /// What to say of the points that cannot be stored; none when there are none.
    pub fn complaint(&self) -> Option<String> {
        if self.rejected_points == 0 {
            return None;
        }
        let mut named: Vec<String> = self.rejected.iter().map(ToString::to_string).collect();
        let more = self.rejected_points - self.rejected.len();
        if more > 0 {
            named.push(format!("and {more} more"));
        }
        Some(named.join("; "))
    }

    /// Takes a point that cannot be stored to the others.
    fn reject(&mut self, number: usize, name: &str, problem: Problem) {
        self.rejected_points += 1;
        if problem == Problem::NotANumber {
            self.not_a_number += 1;
        }
        if self.rejected.len() < NAMED {
            let name = name.chars().take(100).collect();
            self.rejected.push(Rejected {
                number,
                name,
                problem,
            });
        }
    }
}

impl std::fmt::Display for Rejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "point {}, `{}`: {}",
            self.number, self.name, self.problem
        )
    }
}

#[cfg(test)]
mod tests;

//! `over:` — the window in which a check is judged.

use super::text::text_form;
use model::Span;
use std::fmt;
use std::str::FromStr;

/// What the values of a check are gathered over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Over {
    /// `each point`: no window; judged when the point arrives.
    EachPoint,
    /// `average of 5m`: a function over the interval (t-w, t].
    Window {
        /// What is made of the values.
        function: Function,
        /// Length of the window.
        span: Span,
    },
    /// `2 of the last 3 samples`: true when that many are bad.
    OfTheLast {
        /// How many must be bad.
        bad: u32,
        /// Of how many.
        samples: u32,
    },
    /// `time until zero`: the trend of section 7 of the evaluation contract.
    TimeUntilZero,
}

/// What is made of the values in a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Function {
    /// Arithmetic mean.
    Average,
    /// Smallest: "at all times above".
    Min,
    /// Largest: "at least once above".
    Max,
    /// Sum.
    Sum,
    /// How many there are.
    Count,
    /// The newest.
    Last,
    /// `quantile 0.99`: between 0 and 1.
    Quantile(f64),
    /// Increase of a counter.
    Delta,
    /// Increase of a counter per second.
    Rate,
    /// Last minus first of a gauge.
    Change,
    /// `jumps above 60`: how often a sample lies more than that above the one before it.
    Jumps(f64),
}

text_form!(Over, "Over", {
    "type": "string",
    "description": "`each point`, `time until zero`, `N of the last M samples`, or \
                    average/min/max/sum/count/last/quantile Q/delta/rate/change/jumps above H `of` \
                    a duration",
    "examples": ["average of 5m", "quantile 0.99 of 5m", "2 of the last 3 samples", "each point"]
});

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Self::Average => "average",
            Self::Min => "min",
            Self::Max => "max",
            Self::Sum => "sum",
            Self::Count => "count",
            Self::Last => "last",
            Self::Quantile(q) => return write!(f, "quantile {q}"),
            Self::Delta => "delta",
            Self::Rate => "rate",
            Self::Change => "change",
            Self::Jumps(height) => return write!(f, "jumps above {height}"),
        };
        f.write_str(word)
    }
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EachPoint => f.write_str("each point"),
            Self::Window { function, span } => write!(f, "{function} of {span}"),
            Self::OfTheLast { bad, samples } => write!(f, "{bad} of the last {samples} samples"),
            Self::TimeUntilZero => f.write_str("time until zero"),
        }
    }
}

const FORMS: &str = "write `average of 5m` (or min, max, sum, count, last, quantile 0.99, delta, \
                     rate, change, jumps above 60), `2 of the last 3 samples`, `time until zero` or `each point`";

impl FromStr for Over {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        match words.as_slice() {
            ["each", "point"] => Ok(Self::EachPoint),
            ["time", "until", "zero"] => Ok(Self::TimeUntilZero),
            [bad, "of", "the", "last", samples, "samples" | "sample"] => of_the_last(bad, samples),
            ["quantile", q, "of", span] => match q.parse::<f64>() {
                Ok(q) if (0.0..=1.0).contains(&q) => window(Function::Quantile(q), span),
                _ => Err(format!("`{q}` is no quantile: write a number from 0 to 1")),
            },
            ["jumps", "above", height, "of", span] => match height.parse::<f64>() {
                Ok(height) if height >= 0.0 && height.is_finite() => {
                    window(Function::Jumps(height), span)
                }
                _ => Err(format!(
                    "`{height}` is no height of a jump: write a number from 0 on"
                )),
            },
            [function, "of", span] => window(simple_function(function)?, span),
            _ => Err(format!("`{text}` is no window: {FORMS}")),
        }
    }
}

fn window(function: Function, span: &str) -> Result<Over, String> {
    let span = Span::parse(span).map_err(|error| error.to_string())?;
    if span == Span::ZERO {
        return Err("a window must be longer than 0".to_owned());
    }
    Ok(Over::Window { function, span })
}

fn of_the_last(bad: &str, samples: &str) -> Result<Over, String> {
    match (bad.parse::<u32>(), samples.parse::<u32>()) {
        (Ok(bad), Ok(samples)) if 1 <= bad && bad <= samples && samples <= 100 => {
            Ok(Over::OfTheLast { bad, samples })
        }
        _ => Err(format!(
            "`{bad} of the last {samples} samples` cannot be: the first number is at least 1 and \
             not above the second, which is at most 100"
        )),
    }
}

fn simple_function(word: &str) -> Result<Function, String> {
    Ok(match word {
        "average" | "avg" => Function::Average,
        "min" => Function::Min,
        "max" => Function::Max,
        "sum" => Function::Sum,
        "count" => Function::Count,
        "last" => Function::Last,
        "delta" => Function::Delta,
        "rate" => Function::Rate,
        "change" => Function::Change,
        _ => return Err(format!("`{word}` is no function of a window: {FORMS}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_grammar_is_read_and_written_back() {
        for text in [
            "average of 5m",
            "min of 5m",
            "max of 1h30m",
            "sum of 10s",
            "count of 5m",
            "last of 1d",
            "quantile 0.99 of 5m",
            "delta of 15m",
            "rate of 5m",
            "change of 5m",
            "jumps above 60 of 1h",
            "2 of the last 3 samples",
            "time until zero",
            "each point",
        ] {
            assert_eq!(text.parse::<Over>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_window_is_refused_with_the_forms_there_are() {
        for (text, why) in [
            ("mean of 5m", "is no function"),
            ("average of 5", "not a duration"),
            ("average of 0", "longer than 0"),
            ("average", "is no window"),
            ("quantile 99 of 5m", "from 0 to 1"),
            ("4 of the last 3 samples", "not above the second"),
            ("", "is no window"),
        ] {
            let error = text.parse::<Over>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}

//! `given` phrases of template tests: `95 for 11m, then gap 3m, then 0 to 60 for 10m`.

use model::Span;

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Phase {
    pub(crate) what: What,
    pub(crate) span: Span,
}

/// What happens in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum What {
    /// The value stays.
    Value(f64),
    /// The value moves evenly from one to the other, as a counter does.
    Ramp(f64, f64),
    /// The data of the series stays away; its host reports.
    Gap,
    /// The host is silent.
    Silence,
}

impl What {
    /// The value so far into a stretch of that length; none while nothing comes.
    pub(crate) fn value(self, into: Span, of: Span) -> Option<f64> {
        match self {
            Self::Value(value) => Some(value),
            Self::Ramp(from, to) => {
                Some(from + (to - from) * (into.as_secs_f64() / of.as_secs_f64()))
            }
            Self::Gap | Self::Silence => None,
        }
    }
}

/// Reads phrases, separated by commas or `then`.
pub(crate) fn parse(text: &str) -> Result<Vec<Phase>, String> {
    let phrases = text.split(',').flat_map(|part| split_then(part.trim()));
    let phases: Vec<Phase> = phrases.map(phase).collect::<Result<_, _>>()?;
    if length(&phases) > Span::from_secs(400 * 86_400) {
        return Err(format!("`{text}` is longer than 400 days"));
    }
    Ok(phases)
}

/// How long phases last together.
pub(crate) fn length(phases: &[Phase]) -> Span {
    phases
        .iter()
        .fold(Span::ZERO, |sum, phase| sum.plus(phase.span))
}

fn split_then(part: &str) -> Vec<&str> {
    let part = part.strip_prefix("then ").unwrap_or(part);
    part.split(" then ").map(str::trim).collect()
}

fn phase(text: &str) -> Result<Phase, String> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let number = |word: &str| match word.trim_end_matches('%').parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(format!("`{word}` in `{text}` is no number")),
    };
    let (what, span) = match words.as_slice() {
        ["gap", "for", span] | ["gap", span] => (What::Gap, *span),
        ["silence", "for", span] | ["silence", span] => (What::Silence, *span),
        ["true", "for", span] => (What::Value(1.0), *span),
        ["false", "for", span] => (What::Value(0.0), *span),
        [from, "to", to, "for", span] => (What::Ramp(number(from)?, number(to)?), *span),
        [value, "for", span] => (What::Value(number(value)?), *span),
        _ => {
            return Err(format!(
                "`{text}` is not understood: write `95 for 11m`, `0 to 60 for 10m` (it moves \
                 evenly), `gap for 3m` (the data stays away) or `silence for 3m` (the host does)"
            ));
        }
    };
    let span = Span::parse(span).map_err(|error| error.to_string())?;
    Ok(Phase { what, span })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_read() {
        let m = |n: i64| Span::from_secs(n * 60);
        let (value, gap) = (What::Value, What::Gap);
        for (text, phases) in [
            ("95 for 11m", vec![(value(95.0), m(11))]),
            (
                "95 for 11m, then gap 3m, then 40 for 10m",
                vec![(value(95.0), m(11)), (gap, m(3)), (value(40.0), m(10))],
            ),
            (
                "true for 1m then silence for 5m, -0.5 for 1m",
                vec![
                    (value(1.0), m(1)),
                    (What::Silence, m(5)),
                    (value(-0.5), m(1)),
                ],
            ),
            ("95% for 1m", vec![(value(95.0), m(1))]),
            ("10 to 70 for 1m", vec![(What::Ramp(10.0, 70.0), m(1))]),
            ("false for 1m", vec![(value(0.0), m(1))]),
            ("5 for 400d", vec![(value(5.0), m(400 * 24 * 60))]),
        ] {
            let phases: Vec<Phase> = phases
                .into_iter()
                .map(|(what, span)| Phase { what, span })
                .collect();
            assert_eq!(parse(text), Ok(phases), "{text}");
        }
    }

    #[test]
    fn a_ramp_moves_evenly_and_reaches_its_end() {
        let at = |secs| What::Ramp(10.0, 70.0).value(Span::from_secs(secs), Span::from_secs(60));
        assert_eq!([at(10), at(60)], [Some(20.0), Some(70.0)]);
        assert_eq!(What::Gap.value(Span::ZERO, Span::from_secs(1)), None);
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for (text, error) in [
            ("", "is not understood"),
            ("95", "is not understood"),
            ("high for 5m", "`high` in `high for 5m` is no number"),
            (
                "1 to high for 5m",
                "`high` in `1 to high for 5m` is no number",
            ),
            ("95 for 5", "not a duration"),
            ("95 for 9000d", "longer than 400 days"),
            ("95 for 400d, 95 for 1s", "longer than 400 days"),
            ("inf for 5m", "`inf` in `inf for 5m` is no number"),
            ("NaN to 5 for 5m", "`NaN` in `NaN to 5 for 5m` is no number"),
        ] {
            let found = parse(text).unwrap_err();
            assert!(found.contains(error), "{text}: {found}");
        }
    }
}

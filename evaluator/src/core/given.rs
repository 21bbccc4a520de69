//! `given` phrases of template tests: `95 for 11m, then gap for 3m, then 40 for 10m`.

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
    /// The check has this value.
    Value(f64),
    /// The data of the group stays away; its host reports.
    Gap,
    /// The host is silent.
    Silence,
}

/// Reads phrases, separated by commas or `then`.
pub(crate) fn parse(text: &str) -> Result<Vec<Phase>, String> {
    let phrases = text.split(',').flat_map(|part| split_then(part.trim()));
    let phases: Vec<Phase> = phrases.map(phase).collect::<Result<_, _>>()?;
    let total = phases
        .iter()
        .fold(Span::ZERO, |sum, phase| sum.plus(phase.span));
    if total > Span::from_secs(400 * 86_400) {
        return Err(format!("`{text}` is longer than 400 days"));
    }
    Ok(phases)
}

fn split_then(part: &str) -> Vec<&str> {
    let part = part.strip_prefix("then ").unwrap_or(part);
    part.split(" then ").map(str::trim).collect()
}

fn phase(text: &str) -> Result<Phase, String> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let (what, span) = match words.as_slice() {
        [what, "for", span] | [what @ ("gap" | "silence"), span] => (*what, *span),
        _ => {
            return Err(format!(
                "`{text}` is not understood: write `95 for 11m`, `gap for 3m` (the data \
                 stays away) or `silence for 3m` (the host does)"
            ));
        }
    };
    let what = match what {
        "gap" => What::Gap,
        "silence" => What::Silence,
        "true" => What::Value(1.0),
        "false" => What::Value(0.0),
        number => match number.trim_end_matches('%').parse::<f64>() {
            Ok(value) if value.is_finite() => What::Value(value),
            _ => return Err(format!("`{number}` in `{text}` is no number")),
        },
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
        ] {
            let phases: Vec<Phase> = phases
                .into_iter()
                .map(|(what, span)| Phase { what, span })
                .collect();
            assert_eq!(parse(text), Ok(phases), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for (text, error) in [
            ("", "is not understood"),
            ("95", "is not understood"),
            ("high for 5m", "`high` in `high for 5m` is no number"),
            ("95 for 5", "not a duration"),
            ("95 for 9000d", "longer than 400 days"),
        ] {
            let found = parse(text).unwrap_err();
            assert!(found.contains(error), "{text}: {found}");
        }
    }
}

//! Titles with placeholders: `CPU usage on {host}`.

use model::Priority;

/// A title, cut at its placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Title(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Tag(String),
    Value,
    Threshold,
    Priority,
    Env,
}

/// What fills placeholders.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) group: &'a [(String, String)],
    /// With its unit.
    pub(crate) value: Option<&'a str>,
    pub(crate) threshold: Option<&'a str>,
    pub(crate) priority: Option<Priority>,
    pub(crate) env: Option<&'a str>,
}

impl Title {
    /// Reads a title. Placeholders are tags of the group, `value`, `threshold`, `priority` and
    /// `env`; `{{` and `}}` are braces.
    pub(crate) fn parse(text: &str, group_tags: &[String]) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let tail = &rest[at..];
            if let Some(after) = tail.strip_prefix("{{").or_else(|| tail.strip_prefix("}}")) {
                plain.push_str(&tail[..1]);
                rest = after;
                continue;
            }
            let inner = tail
                .strip_prefix('{')
                .and_then(|inner| inner.split_once('}'));
            let Some((name, after)) = inner else {
                return Err(format!(
                    "`{text}` has a single brace; write `{{{{` for a brace"
                ));
            };
            pieces.extend((!plain.is_empty()).then(|| Piece::Text(std::mem::take(&mut plain))));
            pieces.push(placeholder(name, group_tags)?);
            rest = after;
        }
        plain.push_str(rest);
        pieces.extend((!plain.is_empty()).then_some(Piece::Text(plain)));
        Ok(Self(pieces))
    }

    /// No text.
    pub(crate) const fn empty() -> Self {
        Self(Vec::new())
    }

    /// The title with its placeholders filled; what is not known is `-`.
    pub(crate) fn fill(&self, facts: &Facts<'_>) -> String {
        let tag = |key: &String| facts.group.iter().find(|(k, _)| k == key).map(|(_, v)| v);
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.as_str(),
                Piece::Tag(key) => tag(key).map_or("-", String::as_str),
                Piece::Value => facts.value.unwrap_or("-"),
                Piece::Threshold => facts.threshold.unwrap_or("-"),
                Piece::Priority => facts.priority.map_or("-", Priority::as_str),
                Piece::Env => facts.env.unwrap_or("-"),
            })
            .collect()
    }
}

fn placeholder(name: &str, group_tags: &[String]) -> Result<Piece, String> {
    let name = name.trim();
    if group_tags.iter().any(|tag| tag == name) {
        return Ok(Piece::Tag(name.to_owned()));
    }
    Ok(match name {
        "value" => Piece::Value,
        "threshold" => Piece::Threshold,
        "priority" => Piece::Priority,
        "env" => Piece::Env,
        _ => {
            return Err(format!(
                "`{{{name}}}` is neither a tag of `one_alert_per` ({}) nor one of \
                 value, threshold, priority, env",
                group_tags.join(", ")
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags() -> Vec<String> {
        ["host", "path"].map(String::from).to_vec()
    }

    #[test]
    fn placeholders_are_filled() {
        let group = [("host", "web-1"), ("path", "/")].map(|(k, v)| (k.into(), v.into()));
        let facts = Facts {
            group: &group,
            value: Some("95 percent"),
            threshold: None,
            priority: Some(Priority::P1),
            env: None,
        };
        for (title, filled) in [
            ("disk {path} on {host}", "disk / on web-1"),
            (
                "{value} of {threshold}, {priority} {env}",
                "95 percent of -, P1 -",
            ),
            ("{{x}} {host}", "{x} web-1"),
            ("{host}의 CPU", "web-1의 CPU"),
            ("", ""),
        ] {
            assert_eq!(
                Title::parse(title, &tags()).unwrap().fill(&facts),
                filled,
                "{title}"
            );
        }
    }

    #[test]
    fn a_tag_that_no_group_has_is_refused() {
        for title in ["{device}", "{host", "host}", "{}"] {
            assert!(Title::parse(title, &tags()).is_err(), "{title}");
        }
    }
}

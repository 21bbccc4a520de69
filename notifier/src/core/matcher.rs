//! Matchers of silences: what a label must, or must not, be.
//!
//! They mean what Alertmanager's mean, so that `amtool` and people's habits hold: an absent label is the empty text, and a
//! regular expression must match the whole value.

use super::external::External;
use super::incident::Incident;
use super::message::IncidentSummary;
use model::{Priority, TenantId};
use regex::{Regex, RegexBuilder};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Characters of a matcher's name and value at most.
const LONGEST: usize = 1_024;
/// Bytes that a compiled expression may take: it is matched against every incident.
const REGEX_BYTES: usize = 256 << 10;

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Matches,
    /// `!~`
    MatchesNot,
}

/// One condition on one label.
#[derive(Debug, Clone)]
pub struct Matcher {
    name: String,
    op: MatchOp,
    value: String,
    regex: Option<Regex>,
}

/// Why something is no matcher.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMatcher {
    /// No operator in it.
    #[error(
        "`{0}` is no matcher: write a label, one of = != =~ !~ and a value, as in host=web-1 or host=~\"web-.*\""
    )]
    Shape(String),
    /// Too long, or without a name.
    #[error(
        "a matcher needs the name of a label, and both sides may have up to {LONGEST} characters"
    )]
    Size,
    /// The expression cannot be read, or is too large.
    #[error("`{value}` is no regular expression that can be used: {reason}")]
    Regex {
        /// What was given.
        value: String,
        /// What is wrong.
        reason: String,
    },
}

impl MatchOp {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Matches => "=~",
            Self::MatchesNot => "!~",
        }
    }

    /// From Alertmanager's two flags.
    pub const fn of(is_regex: bool, is_equal: bool) -> Self {
        match (is_regex, is_equal) {
            (false, true) => Self::Equal,
            (false, false) => Self::NotEqual,
            (true, true) => Self::Matches,
            (true, false) => Self::MatchesNot,
        }
    }

    /// Whether it compares with an expression.
    pub const fn is_regex(self) -> bool {
        matches!(self, Self::Matches | Self::MatchesNot)
    }

    /// Whether it asks for likeness, and not for its opposite.
    pub const fn is_equal(self) -> bool {
        matches!(self, Self::Equal | Self::Matches)
    }
}

impl Matcher {
    /// Compiles a matcher.
    pub fn new(name: &str, op: MatchOp, value: &str) -> Result<Self, BadMatcher> {
        if name.is_empty()
            || [name, value]
                .iter()
                .any(|side| side.chars().count() > LONGEST)
        {
            return Err(BadMatcher::Size);
        }
        let regex = op.is_regex().then(|| {
            RegexBuilder::new(&format!("^(?s:{value})$"))
                .size_limit(REGEX_BYTES)
                .build()
                .map_err(|error| BadMatcher::Regex {
                    value: value.to_owned(),
                    reason: error
                        .to_string()
                        .lines()
                        .last()
                        .unwrap_or_default()
                        .to_owned(),
                })
        });
        Ok(Self {
            name: name.to_owned(),
            op,
            value: value.to_owned(),
            regex: regex.transpose()?,
        })
    }

    /// Reads `host=web-1`, `env!="prod"`, `host=~"web-.*"`, `host!~db.*`.
    pub fn parse(text: &str) -> Result<Self, BadMatcher> {
        let shape = || BadMatcher::Shape(text.chars().take(80).collect());
        let at = text.find(['=', '!']).ok_or_else(shape)?;
        let (name, rest) = text.split_at(at);
        let (op, value) = [
            MatchOp::Matches,
            MatchOp::MatchesNot,
            MatchOp::NotEqual,
            MatchOp::Equal,
        ]
        .into_iter()
        .find_map(|op| Some((op, rest.strip_prefix(op.as_str())?)))
        .ok_or_else(shape)?;
        let value = value.trim();
        let bare = value
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        let value = match bare {
            Some(quoted) => Cow::Owned(quoted.replace("\\\"", "\"").replace("\\\\", "\\")),
            None => Cow::Borrowed(value),
        };
        Self::new(name.trim(), op, &value)
    }

    /// The label.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How.
    pub fn op(&self) -> MatchOp {
        self.op
    }

    /// With what.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether a value, empty where there is none, is as wanted.
    pub fn matches(&self, value: &str) -> bool {
        let like = match &self.regex {
            Some(regex) => regex.is_match(value),
            None => self.value == value,
        };
        like == self.op.is_equal()
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{:?}", self.name, self.op.as_str(), self.value)
    }
}

/// What an incident shows to matchers: its tags, and what Bongsu itself knows of it.
///
/// `tenant` is always Bongsu's own word; a tag of that name decides nothing. Of the other words a tag goes before Bongsu's.
#[derive(Debug, Clone)]
pub struct Labels<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Labels<'a> {
    fn of(
        tenant: &'a TenantId,
        template: &'a str,
        env: Option<&'a str>,
        priority: Priority,
        group: &'a [(String, String)],
    ) -> Self {
        let mut all = BTreeMap::from([
            ("template", template),
            ("alertname", template),
            ("priority", priority.as_str()),
        ]);
        all.extend(env.map(|env| ("env", env)));
        all.extend(
            group
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        all.insert("tenant", tenant.as_str());
        Self(all)
    }

    /// The value of a label; empty where there is none.
    pub fn value(&self, name: &str) -> &str {
        self.0.get(name).copied().unwrap_or_default()
    }
}

impl<'a> From<&'a Incident> for Labels<'a> {
    fn from(incident: &'a Incident) -> Self {
        let env = incident.env.as_deref();
        let Incident {
            tenant,
            template,
            priority,
            group,
            ..
        } = incident;
        Self::of(tenant, template, env, *priority, group)
    }
}

impl<'a> From<&'a IncidentSummary> for Labels<'a> {
    fn from(incident: &'a IncidentSummary) -> Self {
        let env = incident.env.as_deref();
        let IncidentSummary {
            tenant,
            template,
            priority,
            group,
            ..
        } = incident;
        Self::of(tenant, template, env, *priority, group)
    }
}

impl<'a> From<&'a External> for Labels<'a> {
    fn from(alert: &'a External) -> Self {
        let External {
            tenant,
            priority,
            facts,
            ..
        } = alert;
        Self::of(tenant, &facts.name, None, *priority, &facts.labels)
    }
}

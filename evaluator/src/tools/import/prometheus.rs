//! Prometheus alerting rules. A metric that comes by remote write is a measurement of its name with
//! the field `value`; its labels are tags, `instance` without its port is the host.

pub(super) mod words;

use super::draft::{Compare, Draft, Rung};
use super::promql::{Ast, Selector, parse};
use super::{Drafts, Imported, minutes};
use model::{Priority, Span};
use serde::Deserialize;
use std::collections::BTreeMap;
use words::{kebab, keep_known, one_line, title};

/// What remote write makes of a sample.
const FIELD: &str = "value";
/// How far back Prometheus looks for a sample (`query.lookback-delta`).
const LOOKBACK: Span = Span::from_secs(300);

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    interval: Option<String>,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    alert: Option<String>,
    record: Option<String>,
    #[serde(default)]
    expr: String,
    #[serde(rename = "for")]
    for_: Option<String>,
    keep_firing_for: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// Reads a file of rules; an error says why it is none.
pub fn from_prometheus(text: &str) -> Result<Imported, String> {
    let file: File = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    let mut drafts = Drafts::default();
    for group in file.groups {
        for rule in group.rules {
            if let Some(record) = rule.record {
                drafts.refuse(
                    &record,
                    "a recording rule: name its expression in the alert itself",
                );
                continue;
            }
            let name = rule
                .alert
                .clone()
                .unwrap_or_else(|| "a rule without a name".to_owned());
            match draft(&name, &rule, group.interval.as_deref(), &mut drafts) {
                Ok(draft) => drafts.drafts.push(draft),
                Err(why) => drafts.refuse(&name, why),
            }
        }
    }
    Ok(drafts.finish())
}

fn draft(
    name: &str,
    rule: &Rule,
    every: Option<&str>,
    drafts: &mut Drafts,
) -> Result<Draft, String> {
    let ast = parse(&rule.expr)?;
    let Ast::Binary(op, left, right) = ast else {
        return Err("an alert is a comparison with a number, such as `x > 5`".to_owned());
    };
    let (of, op, threshold) = match (*left, constant(&right)) {
        (left, Some(number)) => (left, op, number),
        (left, None) => match constant(&left) {
            Some(number) => (*right, mirrored(&op), number),
            None if op == "and" || op == "or" => {
                return Err(format!(
                    "two conditions joined by `{op}`: write one template each, or `only_when`"
                ));
            }
            None => return Err("it compares two metrics; one side must be a number".to_owned()),
        },
    };
    let value = value(&of)?;
    let selector = value.selector.ok_or("it reads no metric")?;
    let over = over(
        value.function.as_ref(),
        value.aggregate.as_ref().map(|(op, _)| op.as_str()),
        &value.shape,
    )?;
    let (check, compare) = compare(&value.text, &op, threshold)?;
    if let Some(other) = &value.other {
        let what = format!(
            "`{other}` is joined on `one_alert_per`: name there what tells its series apart"
        );
        drafts.note(name, &what);
    }
    let mut draft = Draft {
        name: kebab(name),
        about: Some(format!(
            "From the Prometheus alert {name}: {}",
            one_line(&rule.expr)
        )),
        runbook: rule
            .annotations
            .get("runbook_url")
            .filter(|url| url.starts_with("http"))
            .cloned(),
        measurement: selector.name.clone(),
        check,
        over,
        every: every
            .filter(|every| Span::parse(every).is_ok())
            .map(str::to_owned),
        ..Draft::default()
    };
    matchers(&selector, &mut draft)?;
    let summary = rule
        .annotations
        .get("summary")
        .or_else(|| rule.annotations.get("description"));
    let (title, mut labels) = title(summary.map_or(name, String::as_str));
    draft.group = group(value.aggregate.map(|(_, by)| by), &mut labels, name, drafts);
    draft.every = every_of(&draft, name, drafts);
    draft.title = Some(keep_known(&title, &draft.group));
    let priority = priority(
        rule.labels.get("severity").map(String::as_str),
        name,
        drafts,
    );
    draft.levels.insert(
        priority,
        Rung {
            compare,
            for_: rule.for_.clone(),
            recover_for: rule.keep_firing_for.clone(),
            until: None,
        },
    );
    Ok(draft)
}

/// What stands on the side of the metric.
struct Value {
    text: String,
    selector: Option<Selector>,
    function: Option<(String, Span)>,
    aggregate: Option<(String, Vec<String>)>,
    shape: Shape,
    /// A second metric, which is joined.
    other: Option<String>,
}

/// What arithmetic made of the metric.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    /// Nothing.
    Same,
    /// Multiplied by something above zero.
    Scaled,
    /// Anything else.
    Other,
}

fn value(ast: &Ast) -> Result<Value, String> {
    let plain = |text: String| Value {
        text,
        selector: None,
        function: None,
        aggregate: None,
        shape: Shape::Same,
        other: None,
    };
    match ast {
        Ast::Number(number) => Ok(plain(number.to_string())),
        Ast::Selector(selector) if selector.range.is_some() => {
            Err("a range without a function over it".to_owned())
        }
        Ast::Selector(selector) => Ok(Value {
            selector: Some(selector.clone()),
            ..plain(FIELD.to_owned())
        }),
        Ast::Call(function, arguments) => call(function, arguments, plain(FIELD.to_owned())),
        Ast::Aggregate { op, by, of } => {
            let inner = value(of)?;
            if inner.aggregate.is_some() {
                return Err("an aggregation of an aggregation is not imported".to_owned());
            }
            let by = by.clone().unwrap_or_default();
            Ok(Value {
                aggregate: Some((op.clone(), by)),
                ..inner
            })
        }
        Ast::Binary(op, left, right) => arithmetic(op, value(left)?, value(right)?),
    }
}

fn call(function: &str, arguments: &[Ast], plain: Value) -> Result<Value, String> {
    let (name, range) = match (function, arguments) {
        ("quantile_over_time", [Ast::Number(q), range]) => (format!("quantile {q}"), range),
        (_, [range]) => {
            let name = match function {
                "rate" => "rate",
                "increase" => "delta",
                "delta" => "change",
                "avg_over_time" => "average",
                "min_over_time" => "min",
                "max_over_time" => "max",
                "sum_over_time" => "sum",
                "count_over_time" => "count",
                "last_over_time" => "last",
                "predict_linear" | "deriv" => {
                    return Err(format!(
                        "`{function}`: see `over: time until zero` for what is full soon"
                    ));
                }
                "absent" | "absent_over_time" => {
                    return Err(format!(
                        "`{function}`: missing data is `when_missing` of a template"
                    ));
                }
                _ => return Err(format!("the function `{function}` is not imported")),
            };
            (name.to_owned(), range)
        }
        _ => return Err(format!("the function `{function}` is not imported")),
    };
    match range {
        Ast::Selector(selector) => match selector.range {
            Some(span) => Ok(Value {
                function: Some((name, span)),
                selector: Some(selector.clone()),
                ..plain
            }),
            None => Err(format!("`{function}` needs a range such as [5m]")),
        },
        _ => Err(format!(
            "`{function}` over anything but a metric is not imported"
        )),
    }
}

fn arithmetic(op: &str, left: Value, right: Value) -> Result<Value, String> {
    if !matches!(op, "+" | "-" | "*" | "/") {
        return Err(format!("`{op}` inside of the value is not imported"));
    }
    let text = format!("({}) {op} ({})", left.text, right.text);
    let text = text.replace("(value)", "value");
    let number = |side: &Value| side.text.parse::<f64>().ok();
    match (&left.selector, &right.selector) {
        (Some(a), Some(b)) if a.name == b.name => {
            Err("it computes with one metric twice".to_owned())
        }
        (Some(_), Some(_)) => joined(op, left, right),
        (Some(_), None) => {
            let scales = matches!(op, "*" | "/") && number(&right).is_some_and(|n| n > 0.0);
            let text = format!("{} {op} {}", parens(&left.text), parens(&right.text));
            Ok(Value {
                shape: if scales && left.shape != Shape::Other {
                    Shape::Scaled
                } else {
                    Shape::Other
                },
                text,
                ..left
            })
        }
        (None, Some(_)) => {
            let scales = op == "*" && number(&left).is_some_and(|n| n > 0.0);
            let text = format!("{} {op} {}", parens(&left.text), parens(&right.text));
            Ok(Value {
                shape: if scales && right.shape != Shape::Other {
                    Shape::Scaled
                } else {
                    Shape::Other
                },
                text,
                ..right
            })
        }
        (None, None) => Ok(Value { text, ..left }),
    }
}

/// Two metrics are two measurements: the second's value is joined on the tags of the group.
fn joined(op: &str, left: Value, right: Value) -> Result<Value, String> {
    let (Some(a), Some(b)) = (&left.selector, &right.selector) else {
        return Err("it reads no metric".to_owned());
    };
    let names = format!("two metrics ({} and {})", a.name, b.name);
    let gathered = |side: &Value| side.function.is_some() || side.aggregate.is_some();
    if gathered(&left) || gathered(&right) {
        return Err(format!("it computes with functions of {names}"));
    }
    if left.other.is_some() || right.other.is_some() {
        return Err("it computes with more than two metrics".to_owned());
    }
    if a.matchers != b.matchers {
        return Err(format!(
            "it computes with {names} under different matchers: a template selects by those of one"
        ));
    }
    let other = b.name.clone();
    if other.contains(':') {
        return Err(format!("`{other}` is the name of a recording rule"));
    }
    let second = right.text.replace(FIELD, &format!("{other}:{FIELD}"));
    Ok(Value {
        text: format!("{} {op} {}", parens(&left.text), parens(&second)),
        shape: Shape::Other,
        other: Some(other),
        ..left
    })
}

fn parens(text: &str) -> String {
    if text.contains(' ') {
        format!("({text})")
    } else {
        text.to_owned()
    }
}

/// A number, or arithmetic of numbers.
fn constant(ast: &Ast) -> Option<f64> {
    match ast {
        Ast::Number(number) => Some(*number),
        Ast::Binary(op, left, right) => {
            let (left, right) = (constant(left)?, constant(right)?);
            match op.as_str() {
                "+" => Some(left + right),
                "-" => Some(left - right),
                "*" => Some(left * right),
                "/" => Some(left / right),
                _ => None,
            }
        }
        _ => None,
    }
}

fn mirrored(op: &str) -> String {
    match op {
        ">" => "<",
        "<" => ">",
        ">=" => "<=",
        "<=" => ">=",
        other => other,
    }
    .to_owned()
}

/// The window. Values are computed point by point and then gathered, which arithmetic must allow.
fn over(
    function: Option<&(String, Span)>,
    aggregate: Option<&str>,
    shape: &Shape,
) -> Result<String, String> {
    let (name, span) = match (function, aggregate) {
        (None, None) => return Ok(format!("last of {LOOKBACK}")),
        (None, Some("avg")) => ("average", Span::from_secs(60)),
        (None, Some(op @ ("min" | "max"))) => (op, Span::from_secs(60)),
        (Some((name, span)), None) => (name.as_str(), *span),
        (Some((name, span)), Some("avg")) if name == "average" => (name.as_str(), *span),
        // Increases of the series of a group are added up.
        (Some((name, span)), Some("sum")) if matches!(name.as_str(), "rate" | "delta") => {
            (name.as_str(), *span)
        }
        (Some((name, span)), Some(op)) if name == op => (name.as_str(), *span),
        (_, Some(op)) => {
            return Err(format!(
                "`{op}` over several series: samples of a group are pooled, not added up"
            ));
        }
    };
    let allowed = match name {
        "average" | "last" => true,
        "sum" | "count" => *shape == Shape::Same,
        _ => *shape != Shape::Other,
    };
    if allowed {
        Ok(format!("{name} of {span}"))
    } else {
        Err(format!(
            "arithmetic around `{name}` of a window cannot be done point by point"
        ))
    }
}

fn compare(text: &str, op: &str, threshold: f64) -> Result<(String, Compare), String> {
    Ok(match op {
        ">" => (text.to_owned(), Compare::Above(threshold)),
        "<" => (text.to_owned(), Compare::Below(threshold)),
        // Thresholds are strict: at least 1 is above the number next below 1.
        ">=" => (text.to_owned(), Compare::Above(threshold.next_down())),
        "<=" => (text.to_owned(), Compare::Below(threshold.next_up())),
        "==" | "!=" => (format!("{text} {op} {threshold}"), Compare::True),
        other => return Err(format!("`{other}` is no comparison with a number")),
    })
}

fn matchers(selector: &Selector, draft: &mut Draft) -> Result<(), String> {
    for (label, op, value) in &selector.matchers {
        let values: Vec<String> = match op.as_str() {
            "=" | "!=" => vec![value.clone()],
            _ => value.split('|').map(str::to_owned).collect(),
        };
        let plain = |text: &String| {
            !text.is_empty()
                && !text.contains(['*', '+', '?', '[', '(', '^', '$', '\\'])
                && (!op.contains('~') || !text.contains('.'))
        };
        if !values.iter().all(plain) {
            return Err(format!(
                "the matcher {label}{op}\"{value}\" is no list of texts"
            ));
        }
        let into = if op.starts_with('!') {
            &mut draft.where_not
        } else {
            &mut draft.where_
        };
        into.entry(label.clone()).or_default().extend(values);
    }
    Ok(())
}

/// The group's tags: those of `by`, else the host and the labels that the title names.
fn group(
    by: Option<Vec<String>>,
    labels: &mut Vec<String>,
    name: &str,
    drafts: &mut Drafts,
) -> Vec<String> {
    let is_host =
        |label: &String| matches!(label.as_str(), "instance" | "host" | "node" | "nodename");
    let mut tags = match by {
        // One alert for all hosts.
        Some(by) if by.is_empty() => return vec!["tenant".to_owned()],
        Some(by) if !by.iter().any(is_host) => return by,
        Some(by) => by,
        None => {
            drafts.note(
                name,
                "one alert per host and the labels that its summary names",
            );
            std::mem::take(labels)
        }
    };
    tags.retain(|tag| !is_host(tag));
    tags.insert(0, "host".to_owned());
    tags.dedup();
    tags
}

/// The grid.
fn every_of(draft: &Draft, name: &str, drafts: &mut Drafts) -> Option<String> {
    match draft.group.iter().any(|tag| tag == "host") {
        true => draft.every.clone(),
        false => minutes(draft.every.clone(), name, drafts),
    }
}

fn priority(severity: Option<&str>, name: &str, drafts: &mut Drafts) -> Priority {
    match severity.map(str::to_ascii_lowercase).as_deref() {
        Some("critical" | "page" | "error" | "disaster" | "p1") => Priority::P1,
        Some("warning" | "warn" | "p2") => Priority::P2,
        Some("info" | "none" | "p3") => Priority::P3,
        other => {
            let what = format!(
                "severity {} became P2",
                other.unwrap_or("was not given and")
            );
            drafts.note(name, &what);
            Priority::P2
        }
    }
}

#[cfg(test)]
mod tests;

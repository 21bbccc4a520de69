//! Kapacitor's threshold alerts: a TICKscript of the form
//! `stream|from()|window()|mean()|eval()|alert()`. Syntax: "TICKscript language reference" of the
//! Kapacitor documentation.

mod syntax;

use super::draft::{Compare, Draft, Rung};
use super::prometheus::words::keep_known;
use super::{Drafts, Imported, minutes};
use model::{Priority, Span};
use std::collections::BTreeMap;
use syntax::{Call, calls, closing, statements, without_comments};

/// Reads a script. `name` names the template where the script does not.
pub fn from_tickscript(name: &str, text: &str) -> Result<Imported, String> {
    let text = without_comments(text);
    let mut drafts = Drafts::default();
    let (variables, pipelines) = statements(&text);
    for (n, pipeline) in pipelines.iter().enumerate() {
        let rule = if n == 0 {
            name.to_owned()
        } else {
            format!("{name}-{}", n + 1)
        };
        match draft(&rule, &calls(pipeline, &variables)?, &mut drafts) {
            Ok(draft) => drafts.drafts.push(draft),
            Err(why) => drafts.refuse(&rule, why),
        }
    }
    if pipelines.is_empty() {
        return Err("there is no `stream` or `batch` with `|alert()` in this script".to_owned());
    }
    Ok(drafts.finish())
}

fn draft(name: &str, calls: &[Call], drafts: &mut Drafts) -> Result<Draft, String> {
    let mut draft = Draft {
        name: name.to_owned(),
        over: "each point".to_owned(),
        about: Some(format!("From the TICKscript {name}.")),
        ..Draft::default()
    };
    let mut of = Pipeline::default();
    for call in calls {
        match (call.is_node, call.name.as_str()) {
            (true, _) => of.node(call)?,
            (false, _) => of.property(call, &mut draft, name, drafts)?,
        }
    }
    of.into_draft(draft, name, drafts)
}

#[derive(Default)]
struct Pipeline {
    node: String,
    period: Option<String>,
    function: Option<String>,
    /// The value under the names that `as` gave it.
    names: BTreeMap<String, String>,
    last: Option<String>,
    levels: BTreeMap<Priority, String>,
    resets: BTreeMap<Priority, String>,
    tags: Vec<String>,
}

impl Pipeline {
    fn node(&mut self, call: &Call) -> Result<(), String> {
        self.node.clone_from(&call.name);
        let first = call.arguments.first().map(|text| unquoted(text));
        match call.name.as_str() {
            "from" | "window" | "alert" | "log" | "httpOut" | "influxDBOut" | "groupBy" => {
                if call.name == "groupBy" {
                    self.tags = call.arguments.iter().map(|text| unquoted(text)).collect();
                }
            }
            "mean" | "min" | "max" | "sum" | "count" | "last" => {
                let field = first.ok_or_else(|| format!("`{}` names no field", call.name))?;
                self.function = Some(if call.name == "mean" {
                    "average".into()
                } else {
                    call.name.clone()
                });
                self.gather(&call.name, &field);
            }
            "percentile" => {
                let q: f64 = call
                    .arguments
                    .get(1)
                    .and_then(|q| q.parse().ok())
                    .ok_or("`percentile` without a number")?;
                let field = first.ok_or("`percentile` names no field")?;
                self.function = Some(format!("quantile {}", q / 100.0));
                self.gather("percentile", &field);
            }
            "eval" => {
                let lambda = call.arguments.first().ok_or("`eval` without a lambda")?;
                let function = self.function.as_deref();
                if let Some(function) = function.filter(|f| !matches!(*f, "average" | "last")) {
                    return Err(format!(
                        "it computes with what `{function}` has gathered: values are computed point by point first"
                    ));
                }
                self.last = Some(self.expression(lambda)?);
            }
            "stream" => {}
            "deadman" => {
                return Err(
                    "`deadman`: silence is the template host-down, missing data `when_missing`"
                        .into(),
                );
            }
            other => return Err(format!("the node `{other}` is not imported")),
        }
        Ok(())
    }

    /// A function over a value that may have been computed before.
    fn gather(&mut self, function: &str, field: &str) {
        let value = self.names.get(field).cloned();
        let value = value.unwrap_or_else(|| field.to_owned());
        self.names.insert(function.to_owned(), value.clone());
        self.last = Some(value);
    }

    fn property(
        &mut self,
        call: &Call,
        draft: &mut Draft,
        name: &str,
        drafts: &mut Drafts,
    ) -> Result<(), String> {
        let first = call.arguments.first().cloned().unwrap_or_default();
        match (self.node.as_str(), call.name.as_str()) {
            (_, "measurement") => draft.measurement = unquoted(&first),
            (_, "groupBy") => {
                self.tags = call.arguments.iter().map(|text| unquoted(text)).collect()
            }
            (_, "where") => conditions(&first, draft)?,
            ("window", "period") => self.period = Some(first),
            ("window", "every") => draft.every = Some(first),
            (_, "as") => {
                if let Some(value) = self.last.clone() {
                    self.names.insert(unquoted(&first), value);
                }
            }
            ("alert", "crit" | "warn" | "info") => {
                self.levels.insert(priority(&call.name), first);
            }
            ("alert", "critReset" | "warnReset" | "infoReset") => {
                let word = call.name.trim_end_matches("Reset");
                self.resets.insert(priority(word), first);
            }
            ("alert", "message") => draft.title = Some(message(&unquoted(&first), name)),
            ("alert", "flapping" | "history" | "stateChangesOnly" | "all" | "noRecoveries") => {
                drafts.note(name, &format!("`{}` is the engine's own matter", call.name));
            }
            ("from", "database" | "retentionPolicy" | "truncate" | "round")
            | ("window", "align" | "fillPeriod") => {}
            ("eval" | "log" | "httpOut" | "influxDBOut", _)
            | ("alert", "id" | "details" | "levelTag" | "idTag" | "idField" | "topic") => {}
            ("alert", other) => drafts.note(
                name,
                &format!("`{other}`: whom an alert reaches is the escalation policy's"),
            ),
            (node, other) => return Err(format!("`{other}` of `{node}` is not imported")),
        }
        Ok(())
    }

    /// A lambda with the names of the pipeline replaced by what they stand for.
    fn expression(&self, lambda: &str) -> Result<String, String> {
        let text = lambda
            .trim()
            .strip_prefix("lambda:")
            .unwrap_or(lambda)
            .trim();
        if text.contains("sigma(") || text.contains("isPresent(") || text.contains("if(") {
            return Err(format!("`{text}` calls functions that are not imported"));
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('"') {
            let (name, after) = after.split_once('"').ok_or("a name has no closing quote")?;
            out.push_str(before);
            match self.names.get(name) {
                Some(value) if value.contains(' ') => out.push_str(&format!("({value})")),
                Some(value) => out.push_str(value),
                None => out.push_str(name),
            }
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn into_draft(
        self,
        mut draft: Draft,
        name: &str,
        drafts: &mut Drafts,
    ) -> Result<Draft, String> {
        if draft.measurement.is_empty() {
            return Err("it names no measurement".to_owned());
        }
        if self.levels.is_empty() {
            return Err("`alert` has no level crit, warn or info".to_owned());
        }
        for (priority, lambda) in &self.levels {
            let (value, compare) = comparison(&self.expression(lambda)?)?;
            if draft.check.is_empty() {
                draft.check = value;
            } else if draft.check != value {
                return Err("its levels look at different values".to_owned());
            }
            let until = match self.resets.get(priority) {
                None => None,
                Some(lambda) => match comparison(&self.expression(lambda)?)?.1 {
                    Compare::Above(until) | Compare::Below(until) => Some(until),
                    Compare::True => None,
                },
            };
            let rung = Rung {
                compare,
                for_: None,
                recover_for: None,
                until,
            };
            draft.levels.insert(*priority, rung);
        }
        if let Some(function) = &self.function {
            let period = self
                .period
                .as_deref()
                .ok_or("a function without `|window()`: which time does it cover?")?;
            Span::parse(period).map_err(|error| error.to_string())?;
            draft.over = format!("{function} of {period}");
        }
        self.group(name, &mut draft, drafts);
        let title = draft.title.take();
        draft.title = title.map(|title| keep_known(&title, &draft.group));
        Ok(draft)
    }
}

impl Pipeline {
    /// The tags of a group. Without `host` it spans hosts, which takes a window and a grid of minutes.
    fn group(&self, name: &str, draft: &mut Draft, drafts: &mut Drafts) {
        let has = |wanted: &str| self.tags.iter().any(|tag| tag == wanted);
        draft.group = self.tags.clone();
        draft.group.retain(|tag| tag != "host" && tag != "*");
        if has("*") {
            drafts.note(name, "`groupBy(*)`: one alert per host; name the tags that make a group in `one_alert_per`");
        } else if !has("host") && self.function.is_some() {
            if draft.group.is_empty() {
                draft.group.push("tenant".to_owned());
            }
            draft.every = minutes(draft.every.take(), name, drafts);
            return;
        } else if !has("host") {
            let what = "it grouped single points without `host`: what spans hosts needs a window, so it is one alert per host";
            drafts.note(name, what);
        }
        draft.group.insert(0, "host".to_owned());
    }
}

fn priority(word: &str) -> Priority {
    match word {
        "crit" => Priority::P1,
        "warn" => Priority::P2,
        _ => Priority::P3,
    }
}

/// `value > 90`.
fn comparison(text: &str) -> Result<(String, Compare), String> {
    if text.contains(" AND ") || text.contains(" OR ") {
        return Err(format!("`{text}` has two conditions; a level has one"));
    }
    for (op, above) in [(">=", true), ("<=", false), (">", true), ("<", false)] {
        let Some((value, number)) = text.split_once(op) else {
            continue;
        };
        let number: f64 = number
            .trim()
            .parse()
            .map_err(|_| format!("`{}` is no number", number.trim()))?;
        // Thresholds are strict: at least 1 is above the number next below 1.
        let compare = match (above, op.len()) {
            (true, 1) => Compare::Above(number),
            (true, _) => Compare::Above(number.next_down()),
            (false, 1) => Compare::Below(number),
            (false, _) => Compare::Below(number.next_up()),
        };
        return Ok((bare(value.trim()).to_owned(), compare));
    }
    if text.contains("==") || text.contains("!=") {
        return Ok((text.trim().to_owned(), Compare::True));
    }
    Err(format!("`{text}` is no comparison with a number"))
}

/// A value without the parentheses around all of it.
fn bare(value: &str) -> &str {
    let is_one = value.starts_with('(') && closing(value, 0) == Some(value.len() - 1);
    if is_one {
        &value[1..value.len() - 1]
    } else {
        value
    }
}

/// `lambda: "cpu" == 'cpu-total' AND "host" != 'a'`.
fn conditions(lambda: &str, draft: &mut Draft) -> Result<(), String> {
    let text = lambda
        .trim()
        .strip_prefix("lambda:")
        .unwrap_or(lambda)
        .trim();
    if text.contains(" OR ") || text.contains("=~") || text.contains("!~") {
        return Err(format!(
            "the condition `{text}` is more than tags that are or are not a text"
        ));
    }
    for part in text.split(" AND ") {
        let part = part.trim().trim_matches(['(', ')']);
        let (op, into) = if part.contains("!=") {
            ("!=", &mut draft.where_not)
        } else {
            ("==", &mut draft.where_)
        };
        let pair = part
            .split_once(op)
            .map(|(tag, value)| (tag.trim(), value.trim()));
        match pair {
            Some((tag, value)) if value.starts_with('\'') => {
                into.entry(unquoted(tag)).or_default().push(unquoted(value));
            }
            _ => {
                return Err(format!(
                    "the condition `{part}` is more than a tag that is or is not a text"
                ));
            }
        }
    }
    Ok(())
}

/// `{{ index .Tags "host" }}` becomes `{host}`, `.ID` the rule's name; other placeholders are left out.
fn message(text: &str, name: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (inner, after) = after.split_once("}}").unwrap_or((after, ""));
        out.push_str(&before.replace(['{', '}'], ""));
        let tag = inner.split('"').nth(1).filter(|_| inner.contains(".Tags"));
        match (tag, inner.trim()) {
            (Some(tag), _) => out.push_str(&format!("{{{tag}}}")),
            (None, ".ID" | ".Name" | ".TaskName") => out.push_str(name),
            (None, ".Level") => out.push_str("{priority}"),
            (None, inner) if inner.contains(".Fields") => out.push_str("{value}"),
            (None, _) => {}
        }
        rest = after;
    }
    out.push_str(&rest.replace(['{', '}'], ""));
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn unquoted(text: &str) -> String {
    text.trim().trim_matches(['\'', '"']).to_owned()
}

#[cfg(test)]
mod tests;

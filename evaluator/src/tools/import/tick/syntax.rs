//! A TICKscript cut into its statements, and a pipeline into its calls.

use std::collections::BTreeMap;

/// A node of the pipeline or a property of one: `|name(arguments)` or `.name(arguments)`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub(super) is_node: bool,
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
}

pub(super) fn without_comments(text: &str) -> String {
    let keep = |line: &str| {
        line.split_once("//")
            .filter(|(before, _)| !before.contains('\''))
            .map_or(line.to_owned(), |(before, _)| before.to_owned())
    };
    text.lines().map(|line| keep(line) + "\n").collect()
}

/// Variables with a literal, and the pipelines, those of variables put together.
pub(super) fn statements(text: &str) -> (BTreeMap<String, String>, Vec<String>) {
    let mut literals: BTreeMap<String, String> = BTreeMap::new();
    let mut parts: BTreeMap<String, String> = BTreeMap::new();
    let mut pipelines = Vec::new();
    let mut blocks: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let trimmed = line.trim();
        let goes_on = trimmed.starts_with(['|', '.', '@', ')'])
            || blocks.last().is_some_and(|b| b.trim_end().ends_with('='));
        match blocks.last_mut() {
            Some(block) if goes_on => block.push_str(trimmed),
            _ => blocks.push(trimmed.to_owned()),
        }
    }
    for block in blocks {
        let (name, body) = match block
            .strip_prefix("var ")
            .and_then(|rest| rest.split_once('='))
        {
            Some((name, body)) => (Some(name.trim().to_owned()), body.trim().to_owned()),
            None => (None, block),
        };
        let head = body
            .split(['|', '.'])
            .next()
            .unwrap_or("")
            .trim()
            .to_owned();
        let body = match parts.get(&head) {
            Some(known) => format!("{known}{}", &body[head.len()..]),
            None => body,
        };
        let is_pipeline = body.starts_with("stream") || body.starts_with("batch");
        if is_pipeline && body.contains("|alert(") {
            pipelines.push(body.clone());
        }
        if let Some(name) = name {
            let into = if is_pipeline {
                &mut parts
            } else {
                &mut literals
            };
            into.insert(name, body);
        }
    }
    (literals, pipelines)
}

/// The calls of a pipeline.
pub(super) fn calls(
    pipeline: &str,
    variables: &BTreeMap<String, String>,
) -> Result<Vec<Call>, String> {
    if pipeline.starts_with("batch") {
        return Err("`batch` queries the store; templates judge the stream".to_owned());
    }
    let mut found = Vec::new();
    let mut rest = pipeline.strip_prefix("stream").unwrap_or(pipeline).trim();
    while let Some(sign) = rest.chars().next() {
        if !matches!(sign, '|' | '.' | '@') {
            return Err(format!(
                "`{}` is not understood",
                rest.chars().take(30).collect::<String>()
            ));
        }
        let after = rest[1..].trim_start();
        let open = after.find('(').ok_or("a node has no parentheses")?;
        let close = closing(after, open).ok_or("a parenthesis is not closed")?;
        let arguments = split(&after[open + 1..close])
            .into_iter()
            .map(|text| variables.get(&text).cloned().unwrap_or(text))
            .map(|text| replaced(&text, variables))
            .collect();
        found.push(Call {
            is_node: sign != '.',
            name: after[..open].trim().to_owned(),
            arguments,
        });
        rest = after[close + 1..].trim_start();
    }
    Ok(found)
}

/// Variables inside of a lambda.
fn replaced(text: &str, variables: &BTreeMap<String, String>) -> String {
    if !text.trim_start().starts_with("lambda:") {
        return text.to_owned();
    }
    let words = text
        .split(' ')
        .map(|word| variables.get(word).map_or(word, String::as_str));
    words.collect::<Vec<_>>().join(" ")
}

/// Where the parenthesis at `open` closes, past quoted texts.
pub(super) fn closing(text: &str, open: usize) -> Option<usize> {
    let (mut depth, mut quote) = (0, None);
    for (at, c) in text.char_indices().skip_while(|(at, _)| *at < open) {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') if depth == 1 => return Some(at),
            (None, ')') => depth -= 1,
            (None, _) => {}
        }
    }
    None
}

/// Arguments, separated by commas outside of quotes and parentheses.
fn split(text: &str) -> Vec<String> {
    let (mut parts, mut part, mut depth, mut quote) = (Vec::new(), String::new(), 0, None);
    for c in text.chars() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, ',') if depth == 0 => {
                parts.push(std::mem::take(&mut part).trim().to_owned());
                continue;
            }
            _ => {}
        }
        part.push(c);
    }
    if !part.trim().is_empty() {
        parts.push(part.trim().to_owned());
    }
    parts
}

//! Block Kit's limits, from the reference of each block, element and composition object.

use std::collections::BTreeSet;

use serde_json::Value;

/// The longest sum of all texts of a message's blocks; not in the reference, but seen
/// (`msg_blocks_too_long`).
const ALL_TEXT: usize = 13_200;

/// What is wrong with a message's blocks; empty when nothing is.
pub(super) fn check(blocks: &Value) -> Vec<String> {
    let mut findings = Findings::default();
    let Some(blocks) = blocks.as_array() else {
        return vec!["must be an array [json-pointer:/blocks]".to_owned()];
    };
    findings.at_most("/blocks", "items", blocks.len(), 50);
    let mut ids = BTreeSet::new();
    for (index, block) in blocks.iter().enumerate() {
        let at = format!("/blocks/{index}");
        if let Some(id) = block["block_id"].as_str() {
            findings.at_most(&format!("{at}/block_id"), "characters", length(id), 255);
            if !ids.insert(id) {
                findings.add(&at, format!("block_id {id} is used twice"));
            }
        }
        findings.block(&at, block);
    }
    findings.0
}

/// Whether all texts together are more than Slack takes.
pub(super) fn too_long(blocks: &Value) -> bool {
    fn sum(value: &Value) -> usize {
        match value {
            Value::Array(values) => values.iter().map(sum).sum(),
            Value::Object(fields) => fields
                .iter()
                .map(|(key, value)| match (key.as_str(), value) {
                    ("text", Value::String(text)) => length(text),
                    _ => sum(value),
                })
                .sum(),
            _ => 0,
        }
    }
    sum(blocks) > ALL_TEXT
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[derive(Default)]
struct Findings(Vec<String>);

impl Findings {
    fn add(&mut self, at: &str, what: impl std::fmt::Display) {
        self.0.push(format!("{what} [json-pointer:{at}]"));
    }

    fn at_most(&mut self, at: &str, unit: &str, found: usize, limit: usize) {
        if found > limit {
            self.add(at, format!("must be at most {limit} {unit}, is {found}"));
        }
    }

    fn block(&mut self, at: &str, block: &Value) {
        match block["type"].as_str() {
            Some("divider") => {}
            Some("section") => self.section(at, block),
            Some("header") => self.text(&format!("{at}/text"), &block["text"], 150, Plain::Only),
            Some("context") => self.context(at, block),
            Some("actions") => self.actions(at, block),
            Some("image") => self.image(at, block),
            Some(other) => self.add(&format!("{at}/type"), format!("unsupported type: {other}")),
            None => self.add(&format!("{at}/type"), "missing required field: type"),
        }
    }

    fn section(&mut self, at: &str, block: &Value) {
        let fields = block["fields"].as_array();
        if block["text"].is_null() && fields.is_none() {
            self.add(at, "must have text or fields");
        }
        if !block["text"].is_null() {
            self.text(
                &format!("{at}/text"),
                &block["text"],
                3_000,
                Plain::OrMarkdown,
            );
        }
        let fields = fields.map(Vec::as_slice).unwrap_or_default();
        self.at_most(&format!("{at}/fields"), "items", fields.len(), 10);
        for (index, field) in fields.iter().enumerate() {
            self.text(
                &format!("{at}/fields/{index}"),
                field,
                2_000,
                Plain::OrMarkdown,
            );
        }
        if !block["accessory"].is_null() {
            self.element(
                &format!("{at}/accessory"),
                &block["accessory"],
                &mut BTreeSet::new(),
            );
        }
    }

    fn context(&mut self, at: &str, block: &Value) {
        let elements = self.elements(at, block, 10);
        for (index, element) in elements.iter().enumerate() {
            let at = format!("{at}/elements/{index}");
            match element["type"].as_str() {
                Some("image") => self.image(&at, element),
                _ => self.text(&at, element, 3_000, Plain::OrMarkdown),
            }
        }
    }

    fn actions(&mut self, at: &str, block: &Value) {
        let mut ids = BTreeSet::new();
        for (index, element) in self.elements(at, block, 25).iter().enumerate() {
            self.element(&format!("{at}/elements/{index}"), element, &mut ids);
        }
    }

    fn elements<'a>(&mut self, at: &str, block: &'a Value, limit: usize) -> &'a [Value] {
        let elements = block["elements"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        if elements.is_empty() {
            self.add(at, "missing required field: elements");
        }
        self.at_most(&format!("{at}/elements"), "items", elements.len(), limit);
        elements
    }

    /// An interactive element: a button is looked at closely, others by what they have in common.
    fn element(&mut self, at: &str, element: &Value, ids: &mut BTreeSet<String>) {
        if let Some(id) = element["action_id"].as_str() {
            self.at_most(&format!("{at}/action_id"), "characters", length(id), 255);
            if !ids.insert(id.to_owned()) {
                self.add(at, format!("action_id {id} is used twice"));
            }
        }
        if element["type"] == "image" {
            return self.image(at, element);
        }
        if element["type"] != "button" {
            if element["type"].as_str().is_none() {
                self.add(at, "missing required field: type");
            }
            return;
        }
        self.text(&format!("{at}/text"), &element["text"], 75, Plain::Only);
        for (field, limit) in [
            ("value", 2_000),
            ("url", 3_000),
            ("accessibility_label", 75),
        ] {
            let found = element[field].as_str().map_or(0, length);
            self.at_most(&format!("{at}/{field}"), "characters", found, limit);
        }
        let style = &element["style"];
        if !style.is_null() && style != "primary" && style != "danger" {
            self.add(&format!("{at}/style"), "must be primary or danger");
        }
        let confirm = &element["confirm"];
        if !confirm.is_null() {
            for (field, limit) in [("title", 100), ("confirm", 30), ("deny", 30)] {
                self.text(
                    &format!("{at}/confirm/{field}"),
                    &confirm[field],
                    limit,
                    Plain::Only,
                );
            }
            self.text(
                &format!("{at}/confirm/text"),
                &confirm["text"],
                300,
                Plain::OrMarkdown,
            );
        }
    }

    fn image(&mut self, at: &str, image: &Value) {
        self.at_most(
            at,
            "characters",
            image["image_url"].as_str().map_or(0, length),
            3_000,
        );
        self.at_most(
            at,
            "characters",
            image["alt_text"].as_str().map_or(0, length),
            2_000,
        );
        if image["alt_text"].as_str().is_none() {
            self.add(at, "missing required field: alt_text");
        }
        if image["image_url"].as_str().is_none() && image["slack_file"].is_null() {
            self.add(at, "must have image_url or slack_file");
        }
    }

    fn text(&mut self, at: &str, text: &Value, limit: usize, plain: Plain) {
        match (text["type"].as_str(), plain) {
            (Some("plain_text"), _) | (Some("mrkdwn"), Plain::OrMarkdown) => {}
            (Some(other), _) => self.add(at, format!("unsupported type: {other}")),
            (None, _) => return self.add(at, "missing required field: type"),
        }
        let found = text["text"].as_str().map_or(0, length);
        if found == 0 {
            self.add(at, "must be at least 1 character");
        }
        self.at_most(&format!("{at}/text"), "characters", found, limit);
    }
}

/// Which text objects a place takes.
#[derive(Clone, Copy)]
enum Plain {
    Only,
    OrMarkdown,
}

//! Titles and names.

/// `{{ $labels.x }}` becomes `{x}`, `{{ $value }}` becomes `{value}`; and the labels that were named.
pub(super) fn title(text: &str) -> (String, Vec<String>) {
    let mut labels = Vec::new();
    let mut title = String::new();
    let text = one_line(text);
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("{{") {
        title.push_str(&before.replace(['{', '}'], ""));
        let (inner, after) = after.split_once("}}").unwrap_or((after, ""));
        let named = inner.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '$')));
        for word in named {
            if let Some(label) = word.strip_prefix("$labels.") {
                let tag = if label == "instance" { "host" } else { label };
                title.push_str(&format!("{{{tag}}}"));
                if tag != "host" && !labels.iter().any(|known| known == tag) {
                    labels.push(tag.to_owned());
                }
            } else if word == "$value" {
                title.push_str("{value}");
            }
        }
        rest = after;
    }
    title.push_str(&rest.replace(['{', '}'], ""));
    (title, labels)
}

/// Placeholders that are no tag of the group become their name.
pub(in crate::tools::import) fn keep_known(title: &str, group: &[String]) -> String {
    let mut text = String::new();
    let mut rest = title;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        text.push_str(before);
        if matches!(name, "value" | "priority") || group.iter().any(|tag| tag == name) {
            text.push_str(&format!("{{{name}}}"));
        } else {
            text.push_str(name);
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `HostHighCpu` becomes `host-high-cpu`.
pub(super) fn kebab(name: &str) -> String {
    let mut text = String::new();
    let mut before = '-';
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            if c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
                text.push('-');
            }
            text.push(c.to_ascii_lowercase());
        } else if before != '-' && !text.ends_with('-') {
            text.push('-');
        }
        before = c;
    }
    text.trim_matches('-').to_owned()
}

//! The fields that an expression reads, for questions about data; the engine has its own parser.

/// Words of the grammar.
const WORDS: [&str; 6] = ["and", "or", "not", "time", "true", "false"];

/// Fields of the template's own measurement, in the order in which they stand. Tags, which are held
/// against texts, functions, and fields of other measurements (`mem:total`) are left out.
pub(super) fn fields(expression: &str) -> Vec<String> {
    let chars: Vec<char> = expression.chars().collect();
    let mut found: Vec<String> = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        if c == '"' || c == '\'' {
            at = closing(&chars, at) + 1;
            continue;
        }
        let (name, end, quoted) = if c == '`' {
            let end = closing(&chars, at);
            (
                chars[at + 1..end.min(chars.len())].iter().collect(),
                end + 1,
                true,
            )
        } else if c.is_alphabetic() || c == '_' {
            let inner = |c: &&char| c.is_alphanumeric() || matches!(**c, '_' | '.');
            let end = at + chars[at..].iter().take_while(inner).count();
            (chars[at..end].iter().collect::<String>(), end, false)
        } else if c.is_ascii_digit() {
            let inner = |c: &&char| c.is_alphanumeric() || **c == '.';
            at += chars[at..].iter().take_while(inner).count();
            continue;
        } else {
            at += 1;
            continue;
        };
        let rest: String = chars[end.min(chars.len())..].iter().collect();
        let rest = rest.trim_start();
        let before = chars[..at].iter().rev().find(|c| !c.is_whitespace());
        let compared = rest.strip_prefix("==").or_else(|| rest.strip_prefix("!="));
        let is_tag = compared.is_some_and(|text| text.trim_start().starts_with(['"', '\'']));
        let elsewhere = rest.starts_with(':') || before == Some(&':');
        let is_word = !quoted && (WORDS.contains(&name.as_str()) || rest.starts_with('('));
        if !is_word
            && !is_tag
            && !elsewhere
            && name != "time_since_last_point"
            && !found.contains(&name)
        {
            found.push(name);
        }
        at = end;
    }
    found
}

/// Where the quote that opens at `from` closes.
fn closing(chars: &[char], from: usize) -> usize {
    let inside = chars[from + 1..].iter().position(|c| *c == chars[from]);
    inside.map_or(chars.len(), |n| from + 1 + n)
}

#[cfg(test)]
mod tests {
    use super::fields;

    #[test]
    fn fields_are_told_from_tags_functions_and_words() {
        for (text, wanted) in [
            ("100 - usage_idle", &["usage_idle"][..]),
            (
                "rate(err_in + err_out) / rate(packets)",
                &["err_in", "err_out", "packets"],
            ),
            ("result != \"success\" and code > 1e3", &["code"]),
            ("Heap.used / `odd name`", &["Heap.used", "odd name"]),
            ("used / mem:total", &["used"]),
            ("time - uptime", &["uptime"]),
            ("time_since_last_point", &[]),
            ("1", &[]),
        ] {
            assert_eq!(fields(text), wanted, "{text}");
        }
    }
}

//! In which line of a YAML file each key stands, so that a refusal can name it.

use serde_saphyr::granit_parser::{Event, Parser};
use std::collections::BTreeMap;

/// What encloses the place where the reading is.
enum Level {
    /// A mapping, and its key whose value comes next.
    Map(Option<String>),
    List,
}

/// The line of every key, by its path with dots. A text that does not parse has the lines up to the fault.
pub(super) fn lines_of(text: &str) -> BTreeMap<String, usize> {
    let mut parser = Parser::new_from_str(text);
    let mut lines = BTreeMap::new();
    let mut levels: Vec<Level> = Vec::new();
    while let Some(Ok((event, span))) = parser.next_event() {
        match event {
            Event::Scalar(word, ..) => match levels.last_mut() {
                Some(Level::Map(key @ None)) => {
                    *key = Some(word.into_owned());
                    lines.entry(path(&levels)).or_insert(span.start.line());
                }
                _ => ended(&mut levels),
            },
            Event::Alias(..) | Event::UnresolvedAlias(..) => ended(&mut levels),
            Event::MappingStart(..) => levels.push(Level::Map(None)),
            Event::SequenceStart(..) => levels.push(Level::List),
            Event::MappingEnd | Event::SequenceEnd => {
                levels.pop();
                ended(&mut levels);
            }
            _ => {}
        }
    }
    lines
}

/// A value has ended: the mapping that it stands in waits for its next key.
fn ended(levels: &mut [Level]) {
    if let Some(Level::Map(key)) = levels.last_mut() {
        *key = None;
    }
}

fn path(levels: &[Level]) -> String {
    let keys = levels.iter().filter_map(|level| match level {
        Level::Map(key) => key.as_deref(),
        Level::List => None,
    });
    keys.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_line() {
        let lines = lines_of(
            "# head\nkafka:\n  brokers: [a, b]\n  tls:\n    - one: 1\n    - two\nname: x\nlog: {filter: info,\n  format: json}\n",
        );
        for (key, line) in [
            ("kafka", 2),
            ("kafka.brokers", 3),
            ("kafka.tls", 4),
            ("name", 7),
            ("log", 8),
            ("log.filter", 8),
            ("log.format", 9),
        ] {
            assert_eq!(lines.get(key), Some(&line), "{key}: {lines:?}");
        }
    }
}

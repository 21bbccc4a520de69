//! A thousand mutated catalogues: none is accepted with a key that nobody reads, and whatever is refused names a place.

use schemas::catalogue::{Entry, parse_yaml};
use serde_json::Value;

const CASES: u64 = 1_000;

/// A document of each kind with most of what it may say, a key a line.
const DOCUMENTS: [&str; 7] = [
    include_str!("../../templates/cpu-usage.yaml"),
    "tenant: acme\nname: Acme\ncontract: 8x5\npartitions: 3\ntokens:\n  - sha256: \
     c6a18cd4a73d07d6783d4eec8f1674f4f2afc0cc7216c493588aef317304039f\n    note: tests\nescalation_policy: ops\n\
     evaluation:\n  tick: 5s\n  lateness: 7s\ninventory:\n  - web-1\n",
    "shard: s1\nurl: http://influx-1:8086\norg: metrics\ntoken_file: /run/token\ncreate_buckets: false\n",
    "placement: default\nshards_per_tenant: 2\nepochs:\n  - from: beginning\n    shards:\n      s1: 1.0\n      s2: \
     0.5\n    tenants:\n      acme:\n        - s1\n        - s2\n",
    "contact: kim\nname: Kim\nlanguage: ko\nslack: U0000000KIM\nphone: \"+821000000001\"\nemail: kim@example.org\n",
    "escalation_policy: ops\nacknowledge_within:\n  P1: 7m\nchat: C0000000001\nsteps:\n  - notify:\n      - kim\n  - \
     notify:\n      - lee\n    after: 8s\nrepeat: 2\n",
    "override: quick\ntemplate: cpu-usage\nset:\n  every: 5s\n  interval: 1s\n  levels:\n    P1:\n      for: 10s\n",
];

/// Random numbers that a seed repeats (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).expect("below a usize")
    }
}

/// The key of a line, as its place in the line.
fn key_of(line: &str) -> Option<(usize, usize)> {
    let start = line.find(|letter: char| !matches!(letter, ' ' | '-'))?;
    let end = start + line[start..].find(':')?;
    let plain = line[start..end]
        .chars()
        .all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    (plain && end > start).then_some((start, end))
}

/// Misspells one key, repeats one, or adds one that nobody knows; and the key that came out of it.
fn mutate(text: &str, dice: &mut Dice) -> (String, String) {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let keys: Vec<_> = (0..lines.len())
        .filter_map(|at| Some((at, key_of(&lines[at])?)))
        .collect();
    let (at, (start, end)) = keys[dice.below(keys.len())];
    let (line, key) = (lines[at].clone(), lines[at][start..end].to_owned());
    let place = dice.below(key.len());
    let other = char::from(b'a' + u8::try_from(dice.below(26)).expect("a letter"));
    let mut letters: Vec<char> = key.chars().collect();
    match dice.below(5) {
        0 if letters.len() > 1 => drop(letters.remove(place)),
        0 | 1 => letters.insert(place, other),
        2 => letters[place] = other,
        3 => letters.push(other),
        _ => {
            let indent = " ".repeat(start);
            let added = format!("{key}{other}");
            lines.insert(at + 1, format!("{indent}{added}: 1"));
            // Below a key without a value the line would be its value's first one.
            if line.trim_end().ends_with(':') {
                lines.swap(at, at + 1);
            }
            return (lines.join("\n"), added);
        }
    }
    let misspelt: String = letters.into_iter().collect();
    lines[at] = format!("{}{misspelt}{}", &line[..start], &line[end..]);
    (lines.join("\n"), misspelt)
}

fn as_json(entry: &Entry) -> Value {
    let value = match entry {
        Entry::Tenant(value) => serde_json::to_value(value),
        Entry::Shard(value) => serde_json::to_value(value),
        Entry::Placement(value) => serde_json::to_value(value),
        Entry::Template(value) => serde_json::to_value(value),
        Entry::Override(value) => serde_json::to_value(value),
        Entry::Contact(value) => serde_json::to_value(value),
        Entry::EscalationPolicy(value) => serde_json::to_value(value),
        Entry::Schedule(value) => serde_json::to_value(value),
        Entry::Team(value) => serde_json::to_value(value),
        Entry::Integration(value) => serde_json::to_value(value),
    };
    value.expect("what was read can be written")
}

fn has_key(value: &Value, wanted: &str) -> bool {
    match value {
        Value::Object(map) => map
            .iter()
            .any(|(key, value)| key == wanted || has_key(value, wanted)),
        Value::Array(values) => values.iter().any(|value| has_key(value, wanted)),
        _ => false,
    }
}

#[test]
fn no_mutated_catalogue_is_accepted_with_a_key_ignored() {
    for document in DOCUMENTS {
        parse_yaml("whole.yaml", document)
            .unwrap_or_else(|errors| panic!("{document}: {errors:?}"));
    }
    let (mut refused, mut accepted) = (0, 0);
    for seed in 0..CASES {
        let mut dice = Dice(seed);
        let document = DOCUMENTS[dice.below(DOCUMENTS.len())];
        let (text, key) = mutate(document, &mut dice);
        match parse_yaml("mutated.yaml", &text) {
            Err(errors) => {
                assert!(
                    errors.iter().all(|error| error.line > 0),
                    "seed {seed}: {errors:?}"
                );
                refused += 1;
            }
            Ok(entries) => {
                let read = entries
                    .iter()
                    .any(|entry| has_key(&as_json(&entry.value), &key));
                assert!(
                    read,
                    "seed {seed}: `{key}` is accepted and ignored in\n{text}"
                );
                accepted += 1;
            }
        }
    }
    // Names that are free, such as those of shards and series, may be any.
    assert!(
        refused > accepted * 4,
        "{refused} refused, {accepted} accepted"
    );
}

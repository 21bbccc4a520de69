//! A thousand mutated configurations: whatever is accepted, no key of it was ignored.

use super::Settings;
use runtime::config::Layers;
use serde_json::{Map, Value};

const CASES: u64 = 1_000;

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

/// The defaults with a Kafka and something in every section, as a file could hold them.
fn whole() -> Value {
    let layers = Layers::new().with("kafka.brokers", "127.0.0.1:1", "test");
    let settings = Settings::load(&layers).unwrap();
    without_nulls(serde_json::to_value(settings).unwrap())
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let said = map.into_iter().filter(|(_, value)| !value.is_null());
            let said = said.map(|(key, value)| (key, without_nulls(value)));
            Value::Object(said.collect())
        }
        other => other,
    }
}

/// Every key with its path from the top.
fn paths(value: &Value, above: &[String], into: &mut Vec<Vec<String>>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        let mut path = above.to_vec();
        path.push(key.clone());
        into.push(path.clone());
        paths(value, &path, into);
    }
}

fn map_at<'a>(tree: &'a mut Value, path: &[String]) -> &'a mut Map<String, Value> {
    let at = path.iter().fold(tree, |value, key| &mut value[key]);
    at.as_object_mut().expect("what holds a key is a map")
}

/// Misspells, moves or adds one key; says what was done.
fn mutate(tree: &mut Value, dice: &mut Dice) -> String {
    let mut all = Vec::new();
    paths(tree, &[], &mut all);
    let path = all.swap_remove(dice.below(all.len()));
    let (key, above) = path.split_last().expect("a key has a name");
    let mut letters: Vec<char> = key.chars().collect();
    let place = dice.below(letters.len());
    let other = char::from(b'a' + u8::try_from(dice.below(26)).expect("a letter"));
    match dice.below(7) {
        0 => drop(letters.remove(place)),
        1 => letters.insert(place, other),
        2 => letters[place] = other,
        3 => letters[place] = letters[place].to_ascii_uppercase(),
        4 => letters.extend(['_', other]),
        5 if !above.is_empty() => {
            // At home in another section.
            let value = map_at(tree, above).remove(key).expect("it was there");
            let elsewhere = [
                "router",
                "consumer",
                "evaluator",
                "notifier",
                "log",
                "kafka",
            ];
            let section = elsewhere[dice.below(elsewhere.len())].to_owned();
            let section = [section];
            map_at(tree, &section).insert(key.clone(), value);
            return format!("{} moved to {}", path.join("."), section[0]);
        }
        _ => {
            map_at(tree, above).insert(format!("{key}{other}"), Value::Bool(true));
            return format!("{}{other} added", path.join("."));
        }
    }
    let misspelt: String = letters.into_iter().collect();
    let value = map_at(tree, above).remove(key).expect("it was there");
    map_at(tree, above).insert(misspelt.clone(), value);
    format!("{} written as {misspelt}", path.join("."))
}

/// The first key of `said` that `taken` does not have.
fn ignored(said: &Value, taken: &Value) -> Option<String> {
    let said = said.as_object()?;
    said.iter().find_map(|(key, value)| match taken.get(key) {
        None => Some(key.clone()),
        Some(taken) => ignored(value, taken).map(|below| format!("{key}.{below}")),
    })
}

#[test]
fn no_mutated_configuration_is_accepted_with_a_key_ignored() {
    let whole = whole();
    let (mut refused, mut accepted) = (0, 0);
    for seed in 0..CASES {
        let mut tree = whole.clone();
        let what = mutate(&mut tree, &mut Dice(seed));
        let layers = tree.as_object().into_iter().flatten();
        let layers = layers.fold(Layers::new(), |layers, (key, value)| {
            layers.with(key, value.clone(), "test")
        });
        match Settings::load(&layers) {
            Err(failure) => {
                assert!(
                    failure.cause.contains("key"),
                    "seed {seed}: {}",
                    failure.cause
                );
                refused += 1;
            }
            Ok(settings) => {
                let taken = serde_json::to_value(settings).unwrap();
                assert_eq!(ignored(&tree, &taken), None, "seed {seed}: {what}");
                accepted += 1;
            }
        }
    }
    // What is accepted was moved to where such a key is known, such as `listen`.
    assert!(
        refused > accepted * 4,
        "{refused} refused, {accepted} accepted"
    );
}

#[test]
fn no_misspelt_variable_of_the_environment_is_ignored() {
    let whole = whole();
    let mut all = Vec::new();
    paths(&whole, &[], &mut all);
    for (seed, path) in (0..).zip(&all) {
        let mut letters: Vec<char> = path.join("__").to_ascii_uppercase().chars().collect();
        let place = Dice(seed).below(letters.len());
        letters.insert(place, 'Q');
        let name: String = letters.into_iter().collect();
        let layers = Layers::new().env([(format!("BONGSU_{name}"), "1".to_owned())]);
        let refused = Settings::load(&layers);
        assert!(refused.is_err(), "BONGSU_{name} is ignored");
    }
}

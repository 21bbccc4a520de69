//! A YAML document as a tree that remembers where each part stands and how it was written.
//!
//! Scalars keep their text, so that a field that wants text gets what was written: a hash that
//! looks like a number, a version `1.10` and a tag value `no` stay what they are.

use crate::catalogue::entry::Places;
use serde_saphyr::granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span};

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl From<&Marker> for Place {
    fn from(marker: &Marker) -> Self {
        Self {
            line: marker.line(),
            column: marker.col() + 1,
        }
    }
}

/// A part of a document.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) body: Body,
}

/// What the part is.
#[derive(Debug)]
pub(super) enum Body {
    /// A text, and whether it was written without quotes.
    Scalar(String, bool),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// The key of a map.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) place: Place,
    pub(super) text: String,
}

/// Why a text is no YAML that the catalogue takes.
#[derive(Debug)]
pub(super) struct Malformed {
    pub(super) place: Place,
    pub(super) what: String,
}

impl Malformed {
    fn at(place: Place, what: impl Into<String>) -> Self {
        Self {
            place,
            what: what.into(),
        }
    }
}

impl From<ScanError> for Malformed {
    fn from(error: ScanError) -> Self {
        Self::at(error.marker().into(), format!("not YAML: {}", error.info()))
    }
}

/// How deep lists and maps may nest. The deepest kind needs 5.
const MAX_DEPTH: usize = 32;

/// Reads all documents of a text. Empty ones are left out.
pub(super) fn documents(text: &str) -> Result<Vec<Node>, Malformed> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        depth: 0,
    };
    let mut documents = Vec::new();
    while let Some((event, span)) = reader.next()? {
        match event {
            Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
            Event::StreamEnd => break,
            event => {
                let node = reader.node(event, span)?;
                if !matches!(&node.body, Body::Scalar(text, true) if is_nothing(text)) {
                    documents.push(node);
                }
            }
        }
    }
    Ok(documents)
}

struct Reader<'a> {
    parser: Parser<'a, serde_saphyr::granit_parser::StrInput<'a>>,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Malformed> {
        loop {
            match self.parser.next_event() {
                None => return Ok(None),
                Some(Err(error)) => return Err(error.into()),
                Some(Ok((event, span))) if is_comment(&event) => drop((event, span)),
                Some(Ok(found)) => return Ok(Some(found)),
            }
        }
    }

    fn within(&mut self, place: Place) -> Result<(Event<'a>, Span), Malformed> {
        self.next()?
            .ok_or_else(|| Malformed::at(place, "not YAML: the text ends inside of this"))
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Node, Malformed> {
        let place = Place::from(&span.start);
        if self.depth > MAX_DEPTH {
            return Err(Malformed::at(place, "nested too deep"));
        }
        let body = match event {
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                return Err(Malformed::at(place, "aliases (`*name`) are not taken"));
            }
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, _, Some(_))
            | Event::MappingStart(_, _, Some(_)) => {
                return Err(Malformed::at(place, "tags (`!name`) are not taken"));
            }
            Event::Scalar(text, style, ..) => {
                Body::Scalar(text.into_owned(), style == ScalarStyle::Plain)
            }
            Event::SequenceStart(..) => Body::List(self.list(place)?),
            Event::MappingStart(..) => Body::Map(self.map(place)?),
            _ => return Err(Malformed::at(place, "not YAML: a value was expected")),
        };
        Ok(Node { place, body })
    }

    fn list(&mut self, place: Place) -> Result<Vec<Node>, Malformed> {
        self.depth += 1;
        let mut items = Vec::new();
        loop {
            match self.within(place)? {
                (Event::SequenceEnd, _) => break,
                (event, span) => items.push(self.node(event, span)?),
            }
        }
        self.depth -= 1;
        Ok(items)
    }

    fn map(&mut self, place: Place) -> Result<Vec<(Key, Node)>, Malformed> {
        self.depth += 1;
        let mut entries: Vec<(Key, Node)> = Vec::new();
        loop {
            let key = match self.within(place)? {
                (Event::MappingEnd, _) => break,
                (Event::Scalar(text, ..), span) => Key {
                    place: Place::from(&span.start),
                    text: text.into_owned(),
                },
                (_, span) => {
                    return Err(Malformed::at((&span.start).into(), "a key must be a word"));
                }
            };
            if let Some((first, _)) = entries.iter().find(|(known, _)| known.text == key.text) {
                let what = format!(
                    "`{}` was given in line {} already",
                    key.text, first.place.line
                );
                return Err(Malformed::at(key.place, what));
            }
            let (event, span) = self.within(place)?;
            entries.push((key, self.node(event, span)?));
        }
        self.depth -= 1;
        Ok(entries)
    }
}

/// What YAML calls null.
pub(super) fn is_nothing(plain: &str) -> bool {
    matches!(plain, "" | "~" | "null" | "Null" | "NULL")
}

fn is_comment(event: &Event<'_>) -> bool {
    matches!(event, Event::Comment(..) | Event::Anchor(..))
}

impl Node {
    /// Where every key and list element below stands, as paths such as `steps[0].notify`.
    pub(super) fn places(&self) -> Places {
        let mut places = Vec::new();
        self.collect("", &mut places);
        Places(places)
    }

    fn collect(&self, path: &str, places: &mut Vec<(String, usize, usize)>) {
        match &self.body {
            Body::Scalar(..) => {}
            Body::List(items) => {
                for (n, item) in items.iter().enumerate() {
                    let path = format!("{path}[{n}]");
                    item.collect(&path, places);
                    places.push((path, item.place.line, item.place.column));
                }
            }
            Body::Map(entries) => {
                for (key, value) in entries {
                    let dot = if path.is_empty() { "" } else { "." };
                    let path = format!("{path}{dot}{}", key.text);
                    value.collect(&path, places);
                    places.push((path, key.place.line, key.place.column));
                }
            }
        }
    }
}

//! The tags of a group, in as little memory as they can have: there are as many of these as groups.

use super::codec::{CodecError, Reader, Writer};

/// Stands behind each key and each value. No line can hold it, and it is the least of all characters, so
/// that the texts are in the order of the tags.
const END: char = '\0';

/// Tags in their order, mostly sorted by key. Their order is that of the list of keys and values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Tags(Box<str>);

impl Tags {
    /// From keys and values without a NUL.
    pub(crate) fn of<'a>(tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut text = String::new();
        for part in tags.into_iter().flat_map(|(key, value)| [key, value]) {
            debug_assert!(!part.contains(END), "the end of a part stands behind it");
            text.push_str(part);
            text.push(END);
        }
        Self(text.into())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each key with its value.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut parts = self.0.split_terminator(END);
        std::iter::from_fn(move || Some((parts.next()?, parts.next()?)))
    }

    /// Whether that tag is among them.
    pub(crate) fn contains(&self, tag: &(String, String)) -> bool {
        self.iter()
            .any(|(key, value)| key == tag.0 && value == tag.1)
    }

    /// As an event has them.
    pub(crate) fn to_vec(&self) -> Vec<(String, String)> {
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        self.iter().map(owned).collect()
    }

    pub(crate) fn encode(&self, to: &mut Writer) {
        let tags: Vec<_> = self.iter().collect();
        to.list(tags.into_iter(), |to, (key, value)| {
            to.text(key);
            to.text(value);
        });
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        let tags = from.list(|from| Ok((from.text()?, from.text()?)))?;
        if tags
            .iter()
            .any(|(key, value)| key.contains(END) || value.contains(END))
        {
            return Err(CodecError::Range("a tag"));
        }
        Ok(Self::of(tags))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(tags: &[(String, String)]) -> Tags {
        Tags::of(
            tags.iter()
                .map(|(key, value)| (key.as_str(), value.as_str())),
        )
    }

    proptest! {
        #[test]
        fn they_are_read_back_and_in_the_order_of_the_list(
            a in prop::collection::vec(("[a-c\u{1}]{0,3}", "[a-c\u{1}]{0,3}"), 0..4),
            b in prop::collection::vec(("[a-c\u{1}]{0,3}", "[a-c\u{1}]{0,3}"), 0..4),
        ) {
            prop_assert_eq!(of(&a).to_vec(), a.clone());
            prop_assert_eq!(of(&a).cmp(&of(&b)), a.cmp(&b));
            let mut to = Writer::default();
            of(&a).encode(&mut to);
            let bytes = to.into_bytes();
            prop_assert_eq!(Tags::decode(&mut Reader::new(&bytes)), Ok(of(&a)));
        }
    }

    #[test]
    fn a_nul_is_refused_where_tags_are_read_back() {
        let mut to = Writer::default();
        to.list([("host", "a\0b")].into_iter(), |to, (key, value)| {
            to.text(key);
            to.text(value);
        });
        let bytes = to.into_bytes();
        assert!(Tags::decode(&mut Reader::new(&bytes)).is_err());
    }
}

//! The bytes of saved state: integers as variable-length groups of 7 bits (zigzag where signed),
//! floats as their 8 bytes, texts and lists behind their length.

/// The newest version of the format. Every earlier one is read.
pub(crate) const VERSION: u8 = 5;
/// The version that is written where nothing asks for a newer one, so that the program before this one reads it.
pub(crate) const USUAL: u8 = 4;

/// Why bytes cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CodecError {
    #[error("it ends too early, at byte {0}")]
    Short(usize),
    #[error("format {found} is not known to this version, which reads up to {known}")]
    Version { found: u8, known: u8 },
    #[error("it is no {0}")]
    Kind(&'static str),
    #[error("{0} is out of range")]
    Range(&'static str),
    #[error("{0} bytes are left over")]
    Rest(usize),
}

/// Writes bytes.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn unsigned(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub(crate) fn signed(&mut self, value: i64) {
        self.unsigned(((value << 1) ^ (value >> 63)) as u64);
    }

    pub(crate) fn fixed(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn float(&mut self, value: f64) {
        self.fixed(value.to_bits());
    }

    pub(crate) fn boolean(&mut self, value: bool) {
        self.byte(u8::from(value));
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.unsigned(text.len() as u64);
        self.raw(text.as_bytes());
    }

    pub(crate) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.boolean(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(crate) fn list<T>(
        &mut self,
        items: impl ExactSizeIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.unsigned(items.len() as u64);
        for item in items {
            write(self, item);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Reads bytes that a [`Writer`] wrote.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The version of the format that the bytes are in.
    pub(crate) version: u8,
}

type Read<T> = Result<T, CodecError>;

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            version: VERSION,
        }
    }

    pub(crate) fn raw(&mut self, n: usize) -> Read<&'a [u8]> {
        let end = self
            .at
            .checked_add(n)
            .filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(CodecError::Short(self.at))?;
        let slice = &self.bytes[self.at..end];
        self.at = end;
        Ok(slice)
    }

    pub(crate) fn byte(&mut self) -> Read<u8> {
        Ok(self.raw(1)?[0])
    }

    pub(crate) fn unsigned(&mut self) -> Read<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return Err(CodecError::Range("a number"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(CodecError::Range("a number"))
    }

    pub(crate) fn signed(&mut self) -> Read<i64> {
        let value = self.unsigned()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(crate) fn fixed(&mut self) -> Read<u64> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.raw(8)?);
        Ok(u64::from_le_bytes(bytes))
    }

    pub(crate) fn float(&mut self) -> Read<f64> {
        Ok(f64::from_bits(self.fixed()?))
    }

    pub(crate) fn boolean(&mut self) -> Read<bool> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(CodecError::Range("a truth value")),
        }
    }

    pub(crate) fn text(&mut self) -> Read<&'a str> {
        let n = self.count()?;
        std::str::from_utf8(self.raw(n)?).map_err(|_| CodecError::Range("a text"))
    }

    pub(crate) fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<Option<T>> {
        if self.boolean()? {
            read(self).map(Some)
        } else {
            Ok(None)
        }
    }

    /// A length; never more than the bytes that are left, so that damaged bytes ask for no memory.
    pub(crate) fn count(&mut self) -> Read<usize> {
        let n = self.unsigned()?;
        usize::try_from(n)
            .ok()
            .filter(|n| *n <= self.bytes.len() - self.at)
            .ok_or(CodecError::Short(self.at))
    }

    pub(crate) fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let n = self.count()?;
        (0..n).map(|_| read(self)).collect()
    }

    pub(crate) fn end(self) -> Read<()> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            rest => Err(CodecError::Rest(rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_beyond_64_bits_is_out_of_range() {
        let number = |last: u8| {
            let mut bytes = [0x80; 10];
            bytes[9] = last;
            Reader::new(&bytes).unsigned()
        };
        assert_eq!(number(0), Ok(0));
        assert_eq!(number(1), Ok(1 << 63));
        assert_eq!(number(2), Err(CodecError::Range("a number")));
    }

    #[test]
    fn a_length_is_never_more_than_what_is_left() {
        for (bytes, expected) in [
            ([0, 2, 0, 0], Ok(2)),
            ([0, 3, 0, 0], Err(CodecError::Short(2))),
        ] {
            let mut from = Reader::new(&bytes);
            from.byte().unwrap();
            assert_eq!(from.count(), expected, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            unsigned: u64,
            signed: i64,
            float: u64,
            text: String,
            list: Vec<i64>,
            some: Option<bool>,
        ) {
            let mut to = Writer::default();
            to.unsigned(unsigned);
            to.signed(signed);
            to.fixed(float);
            to.text(&text);
            to.list(list.iter(), |to, n| to.signed(*n));
            to.option(some, Writer::boolean);
            let bytes = to.into_bytes();
            let mut from = Reader::new(&bytes);
            prop_assert_eq!(from.unsigned(), Ok(unsigned));
            prop_assert_eq!(from.signed(), Ok(signed));
            prop_assert_eq!(from.fixed(), Ok(float));
            prop_assert_eq!(from.text(), Ok(text.as_str()));
            prop_assert_eq!(from.list(Reader::signed), Ok(list));
            prop_assert_eq!(from.option(Reader::boolean), Ok(some));
            prop_assert_eq!(from.end(), Ok(()));
        }

        #[test]
        fn damaged_bytes_are_an_error_and_never_a_panic(bytes: Vec<u8>) {
            let mut from = Reader::new(&bytes);
            while let Ok(n) = from.list(Reader::unsigned) {
                prop_assert!(n.len() <= bytes.len());
            }
        }
    }
}

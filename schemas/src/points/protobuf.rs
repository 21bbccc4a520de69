//! Reading protobuf field by field, without messages in memory.
//!
//! Source: "Encoding" in the Protocol Buffers documentation. Groups (wire types 3 and 4) are in none of the
//! formats here and are refused.

use super::Undecodable;

/// The value of a field, as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

/// What is wrong with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

impl From<Malformed> for Undecodable {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed {
            format: "protobuf",
            reason: malformed.0.to_owned(),
        }
    }
}

/// The fields of a message, in the order of the wire. After an error there are no more.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a>(&'a [u8]);

pub(crate) fn fields(message: &[u8]) -> Fields<'_> {
    Fields(message)
}

/// The fields of a message of that number.
pub(crate) fn each<'a>(
    message: &'a [u8],
    wanted: u32,
    mut take: impl FnMut(Value<'a>) -> Result<(), Undecodable>,
) -> Result<(), Undecodable> {
    for field in fields(message) {
        let (number, value) = field?;
        if number == wanted {
            take(value)?;
        }
    }
    Ok(())
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn read(&mut self) -> Result<(u32, Value<'a>), Malformed> {
        let key = varint(&mut self.0)?;
        let number =
            u32::try_from(key >> 3).map_err(|_| Malformed("a field number is too large"))?;
        if number == 0 || number > 0x1fff_ffff {
            return Err(Malformed("a field number is out of range"));
        }
        let value = match key & 7 {
            0 => Value::Varint(varint(&mut self.0)?),
            1 => Value::Fixed64(u64::from_le_bytes(fixed(&mut self.0)?)),
            2 => {
                let length = varint(&mut self.0)?;
                let length = usize::try_from(length)
                    .ok()
                    .filter(|length| *length <= self.0.len())
                    .ok_or(Malformed("a length reaches behind the end"))?;
                let (bytes, rest) = self.0.split_at(length);
                self.0 = rest;
                Value::Bytes(bytes)
            }
            5 => Value::Fixed32(u32::from_le_bytes(fixed(&mut self.0)?)),
            _ => return Err(Malformed("a wire type is not known")),
        };
        Ok((number, value))
    }
}

fn varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0_u64;
    for place in 0..10 {
        let (first, rest) = bytes
            .split_first()
            .ok_or(Malformed("it ends within a number"))?;
        *bytes = rest;
        if place == 9 && *first > 1 {
            return Err(Malformed("a number does not fit 64 bits"));
        }
        value |= u64::from(first & 0x7f) << (7 * place);
        if first & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Malformed("a number does not end"))
}

fn fixed<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (value, rest) = bytes
        .split_first_chunk::<N>()
        .ok_or(Malformed("it ends within a number"))?;
    *bytes = rest;
    Ok(*value)
}

const WRONG: Malformed = Malformed("a field has the wrong wire type");

impl<'a> Value<'a> {
    pub(crate) fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(WRONG),
        }
    }

    pub(crate) fn text(self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed("a text is no UTF-8"))
    }

    pub(crate) fn double(self) -> Result<f64, Malformed> {
        self.fixed64().map(f64::from_bits)
    }

    pub(crate) fn fixed64(self) -> Result<u64, Malformed> {
        match self {
            Self::Fixed64(bits) => Ok(bits),
            _ => Err(WRONG),
        }
    }

    pub(crate) fn varint(self) -> Result<u64, Malformed> {
        match self {
            Self::Varint(value) => Ok(value),
            _ => Err(WRONG),
        }
    }

    /// A field of type int64.
    pub(crate) fn int64(self) -> Result<i64, Malformed> {
        self.varint().map(u64::cast_signed)
    }

    /// Each number of a repeated field, packed or not.
    pub(crate) fn each_varint<E: From<Malformed>>(
        self,
        mut each: impl FnMut(u64) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Varint(value) => each(value),
            Self::Bytes(mut packed) => {
                while !packed.is_empty() {
                    each(varint(&mut packed)?)?;
                }
                Ok(())
            }
            _ => Err(WRONG.into()),
        }
    }

    /// Each number of a repeated field of fixed 64 bits, packed or not.
    pub(crate) fn each_fixed64(self, mut each: impl FnMut(u64)) -> Result<(), Malformed> {
        match self {
            Self::Fixed64(bits) => each(bits),
            Self::Bytes(mut packed) => {
                while !packed.is_empty() {
                    each(u64::from_le_bytes(fixed(&mut packed)?));
                }
            }
            _ => return Err(WRONG),
        }
        Ok(())
    }
}

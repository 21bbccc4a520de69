//! The tag `env` of a point and of a group, in its own place where it is short: there is one in each group and each route,
//! and each point is held against both.

/// How many bytes lie in its own place.
const SHORT: usize = 14;

/// A value of the tag, or none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Env {
    /// The tag is missing.
    #[default]
    Missing,
    /// So many of the bytes.
    Short(u8, [u8; SHORT]),
    /// Boxed twice: a pointer with a length would be larger than all else.
    Long(Box<Box<str>>),
}

impl Env {
    pub(crate) fn of(value: Option<&str>) -> Self {
        let Some(value) = value else {
            return Self::Missing;
        };
        let mut bytes = [0; SHORT];
        match bytes.get_mut(..value.len()) {
            Some(place) => {
                place.copy_from_slice(value.as_bytes());
                Self::Short(value.len() as u8, bytes)
            }
            None => Self::Long(Box::new(value.into())),
        }
    }

    pub(crate) fn get(&self) -> Option<&str> {
        match self {
            Self::Missing => None,
            Self::Short(length, bytes) => str::from_utf8(&bytes[..usize::from(*length)]).ok(),
            Self::Long(value) => Some(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_env_is_what_it_was_made_of_and_takes_no_more_room_than_a_text() {
        for value in [
            None,
            Some(""),
            Some("prod"),
            Some("fourteen_bytes"),
            Some("fifteen_bytes_x"),
            Some("운영"),
        ] {
            let env = Env::of(value);
            assert_eq!(env.get(), value);
            assert_eq!(env.clone(), env);
            assert_ne!(env, Env::of(Some("pro")));
        }
        assert_eq!(size_of::<Env>(), size_of::<Option<Box<str>>>());
    }
}

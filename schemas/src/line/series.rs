//! The identity of a series.

use super::token::RawTags;
use model::SeriesKey;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Hash of measurement and tags that does not depend on the order of the tags.
///
/// Each tag is hashed by itself as it is written, `key=value`, and the hashes are added up; the sum
/// seeds the hash of the measurement. There is one way to write each name in a line that was
/// understood, so that nothing has to be unescaped.
pub(super) fn key(measurement: &[u8], mut tags: RawTags<'_>) -> SeriesKey {
    let mut sum = 0_u64;
    while let Some(tag) = tags.next_whole() {
        sum = sum.wrapping_add(xxh3_64(tag));
    }
    SeriesKey::from_hash(xxh3_64_with_seed(measurement, sum))
}

/// As [`key`], but of series that differ in `changing` tags only the bits above [`OWN_BITS`] are the same.
pub(super) fn key_of_thing(
    measurement: &[u8],
    mut tags: RawTags<'_>,
    changing: &[&str],
) -> SeriesKey {
    let (mut all, mut thing) = (0_u64, 0_u64);
    while let Some(tag) = tags.next_whole() {
        let hash = xxh3_64(tag);
        all = all.wrapping_add(hash);
        let is_changing = changing.iter().any(|name| {
            let rest = tag.strip_prefix(name.as_bytes());
            rest.is_some_and(|rest| rest.starts_with(b"="))
        });
        if !is_changing {
            thing = thing.wrapping_add(hash);
        }
    }
    let of = |sum: u64| xxh3_64_with_seed(measurement, sum);
    let own = (1 << OWN_BITS) - 1;
    SeriesKey::from_hash(match all == thing {
        true => of(all),
        false => of(thing) & !own | of(all) & own,
    })
}

/// So many bits of [`Line::series_of_thing`](super::Line::series_of_thing) tell the series of one thing apart.
pub const OWN_BITS: u32 = 24;

#[cfg(test)]
mod tests {
    use super::OWN_BITS;
    use crate::line::scan;

    #[test]
    fn series_that_differ_in_changing_tags_are_of_one_thing() {
        let of = |line: &str| {
            let text = format!("{line} v=1 1");
            let scanned = scan(text.as_bytes()).next().unwrap().unwrap();
            (
                scanned.series(),
                scanned.series_of_thing(&["phase", "state"]),
            )
        };
        let plain = of("m,host=a");
        assert_eq!(
            plain.0, plain.1,
            "a line without such a tag has its usual key"
        );
        let (running, waiting) = (
            of("m,host=a,phase=x,state=run").1,
            of("m,state=wait,host=a").1,
        );
        assert_ne!(running, waiting);
        let things = [plain.1, running, waiting].map(|key| key.as_u64() >> OWN_BITS);
        assert_eq!(things, [things[0]; 3]);
        for other in [
            "m,host=b,state=run",
            "n,host=a,state=run",
            "m,host=a,substate=run",
        ] {
            assert_ne!(of(other).1.as_u64() >> OWN_BITS, things[0], "{other}");
        }
    }
}

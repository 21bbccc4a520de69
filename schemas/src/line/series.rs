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

//! From the wall clock to instants and back.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

/// The first instant at which the clock reads `wall` or later, coming from before: in a skipped hour the jump, in a repeated one the
/// first time.
pub(crate) fn first_reading(zone: &TimeZone, wall: DateTime) -> Timestamp {
    let ambiguous = zone.to_ambiguous_timestamp(wall);
    let skipped = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
    // The two readings of a skipped time lie on the two sides of the jump.
    let early = ambiguous.earlier().unwrap_or(Timestamp::MIN);
    if !skipped {
        return early;
    }
    zone.following(early)
        .next()
        .map_or(early, |jump| jump.timestamp())
}

/// Every instant at which the clock reads `wall`, and the jump where it never does.
pub(crate) fn readings(zone: &TimeZone, wall: DateTime) -> impl Iterator<Item = Timestamp> {
    let first = first_reading(zone, wall);
    let ambiguous = zone.to_ambiguous_timestamp(wall);
    let second = match ambiguous.offset() {
        AmbiguousOffset::Fold { .. } => ambiguous.later().ok(),
        _ => None,
    };
    std::iter::once(first).chain(second)
}

/// What the clock reads at an instant.
pub(crate) fn reading(zone: &TimeZone, at: Timestamp) -> DateTime {
    zone.to_datetime(at)
}

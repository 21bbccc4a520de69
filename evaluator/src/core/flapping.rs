//! Whether a group flaps: Icinga's score over its last 20 evaluations.
//!
//! (Icinga 2 documentation, "Check Flapping"; `lib/icinga/checkable-flapping.cpp`.) A change is one
//! between open and closed. Older changes weigh less: 0.80 for the oldest, 1.18 for the newest.

use super::codec::{CodecError, Reader, Writer};

const EVALUATIONS: u32 = 20;
/// Hundredths of a change, for 30 % and 25 % of 20.
const STARTS_ABOVE: u32 = 600;
const STOPS_AT: u32 = 500;

/// The last evaluations of a group; it starts with no change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Flaps {
    /// The newest change is the lowest bit; the highest says that it flaps.
    bits: u32,
}

const ON: u32 = 1 << 31;

impl Flaps {
    /// Takes an evaluation in.
    pub(crate) fn push(&mut self, changed: bool) {
        let on = self.on();
        self.bits = (self.bits << 1 | u32::from(changed)) & ((1 << EVALUATIONS) - 1);
        let score = self.hundredths();
        if score > if on { STOPS_AT } else { STARTS_ABOVE } {
            self.bits |= ON;
        }
    }

    /// Whether it flaps.
    pub(crate) fn on(self) -> bool {
        self.bits & ON != 0
    }

    fn hundredths(self) -> u32 {
        let age = (0..EVALUATIONS).filter(|age| self.bits >> age & 1 == 1);
        age.map(|age| 118 - 2 * age).sum()
    }

    /// In percent.
    pub(crate) fn score(self) -> u32 {
        self.hundredths() / EVALUATIONS
    }

    pub(crate) fn encode(self, to: &mut Writer) {
        to.unsigned(u64::from(self.bits & !ON));
        to.boolean(self.on());
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        let changes = u32::try_from(from.unsigned()?).ok();
        let changes = changes.filter(|changes| changes >> EVALUATIONS == 0);
        let changes = changes.ok_or(CodecError::Range("a history of changes"))?;
        let on = if from.boolean()? { ON } else { 0 };
        Ok(Self { bits: changes | on })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Changes of these ages, in evaluations.
    fn changed(ages: &[u32], on: bool) -> Flaps {
        let changes = ages.iter().fold(0, |bits, age| bits | 1 << age);
        let bits = changes | if on { ON } else { 0 };
        Flaps { bits }
    }

    #[test]
    fn exactly_thirty_percent_does_not_start_it_and_exactly_twenty_five_stops_it() {
        // The newest change weighs 1.18, each older one 0.02 less: 6.00 and 5.00 of 20 behind these pushes.
        let mut at_thirty = changed(&[0, 1, 15, 16, 17], false);
        at_thirty.push(true);
        assert_eq!((at_thirty.hundredths(), at_thirty.on()), (600, false));
        let mut at_twenty_five = changed(&[0, 8, 16, 17], true);
        at_twenty_five.push(true);
        assert_eq!(
            (at_twenty_five.hundredths(), at_twenty_five.on()),
            (500, false)
        );
        let mut above = changed(&[0, 7, 16, 17], true);
        above.push(true);
        assert_eq!((above.hundredths(), above.on()), (502, true));
    }

    #[test]
    fn it_starts_above_thirty_percent_and_stops_at_twenty_five() {
        let mut flaps = Flaps::default();
        // 1.18 + 1.16 + 1.14 + 1.12 + 1.10 = 5.70; a sixth change makes 6.78 of 20.
        for changes in 1..=5 {
            flaps.push(true);
            assert!(!flaps.on(), "{changes} changes");
        }
        flaps.push(true);
        assert!(flaps.on());
        assert_eq!(flaps.score(), 33);
        let mut quiet = 0;
        while flaps.on() {
            flaps.push(false);
            quiet += 1;
        }
        // At 15 the oldest of the six is forgotten, and the others weigh 4.20.
        assert_eq!((quiet, flaps.score()), (15, 21));
        assert!(
            (1..=20)
                .fold(Flaps::default(), |mut f, _| {
                    f.push(true);
                    f
                })
                .score()
                == 99
        );
    }
}

//! Whether a contact's phone is theirs: a code is sent to it and said again by who has it.

use model::{Span, Timestamp};

/// How long a code is good for.
pub const CODE_HOLDS: Span = Span::from_secs(10 * 60);
/// Between two codes to one contact.
pub const CODE_AGAIN: Span = Span::from_secs(30);
/// How often a code may be guessed.
const TRIES: u32 = 5;

/// What is known of a contact's phone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Phone {
    /// The code that was sent last.
    pub sent: Option<Sent>,
    /// The number that was verified, when, and by whom.
    pub verified: Option<(String, Timestamp, String)>,
}

/// A code that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// To this number.
    pub phone: String,
    /// The code's digest.
    pub digest: String,
    /// When.
    pub at: Timestamp,
    /// How often another was said.
    pub tries: u32,
}

/// Why a code is not taken, or not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotVerified {
    /// None was sent.
    #[error("no code was sent to this contact: ask for one first")]
    NoneSent,
    /// The catalogue has another number by now.
    #[error("the contact's number was changed after the code was sent: ask for a new one")]
    OtherNumber,
    /// It is too old.
    #[error("the code is older than {CODE_HOLDS}: ask for a new one")]
    Expired,
    /// Too many others were said.
    #[error("{TRIES} wrong codes were given: ask for a new one")]
    TooMany,
    /// It is another.
    #[error("this is not the code: {left} tries are left")]
    Wrong {
        /// How many.
        left: u32,
    },
    /// One was sent a moment ago.
    #[error("a code was sent a moment ago: wait {0} before the next")]
    TooSoon(Span),
}

impl Phone {
    /// Whether that number is verified.
    pub fn is_verified(&self, phone: &str) -> bool {
        self.verified
            .as_ref()
            .is_some_and(|(verified, ..)| verified == phone)
    }

    /// A code is sent to that number.
    pub fn send(&mut self, phone: &str, digest: String, now: Timestamp) -> Result<(), NotVerified> {
        if let Some(sent) = &self.sent {
            let waited = now.since(sent.at);
            if waited < CODE_AGAIN {
                return Err(NotVerified::TooSoon(Span::from_nanos(
                    CODE_AGAIN.as_nanos() - waited.as_nanos(),
                )));
            }
        }
        self.sent = Some(Sent {
            phone: phone.to_owned(),
            digest,
            at: now,
            tries: 0,
        });
        Ok(())
    }

    /// Somebody says a code. The state changes in any case: wrong ones are counted.
    pub fn confirm(
        &mut self,
        phone: &str,
        digest: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<(), NotVerified> {
        let Some(sent) = &mut self.sent else {
            return Err(NotVerified::NoneSent);
        };
        if sent.phone != phone {
            return Err(NotVerified::OtherNumber);
        }
        if now.since(sent.at) > CODE_HOLDS {
            return Err(NotVerified::Expired);
        }
        if sent.tries >= TRIES {
            return Err(NotVerified::TooMany);
        }
        if sent.digest != digest {
            sent.tries += 1;
            return Err(match TRIES - sent.tries {
                0 => NotVerified::TooMany,
                left => NotVerified::Wrong { left },
            });
        }
        self.sent = None;
        self.verified = Some((phone.to_owned(), now, by.to_owned()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn sent() -> Phone {
        let mut phone = Phone::default();
        phone.send("+8210", "right".to_owned(), NOW).unwrap();
        phone
    }

    fn later(seconds: i64) -> Timestamp {
        NOW.plus(Span::from_secs(seconds))
    }

    #[test]
    fn who_says_the_code_has_the_number_and_another_number_is_another_matter() {
        let mut phone = sent();
        assert!(!phone.is_verified("+8210"));
        assert_eq!(
            phone.confirm("+8299", "right", "kim", NOW),
            Err(NotVerified::OtherNumber)
        );
        phone.confirm("+8210", "right", "kim", later(599)).unwrap();
        assert!(phone.is_verified("+8210") && !phone.is_verified("+8299"));
        // A code is good once.
        let again = phone.confirm("+8210", "right", "kim", later(599));
        assert_eq!(again, Err(NotVerified::NoneSent));
    }

    #[test]
    fn a_code_is_guessed_five_times_and_is_good_for_ten_minutes() {
        let mut phone = sent();
        for left in [4, 3, 2, 1] {
            let wrong = phone.confirm("+8210", "wrong", "kim", NOW);
            assert_eq!(wrong, Err(NotVerified::Wrong { left }));
        }
        let last = phone.confirm("+8210", "wrong", "kim", NOW);
        assert_eq!(last, Err(NotVerified::TooMany));
        let right = phone.confirm("+8210", "right", "kim", NOW);
        assert_eq!(
            right,
            Err(NotVerified::TooMany),
            "it is too late for the right one"
        );
        assert_eq!(sent().confirm("+8210", "right", "kim", later(600)), Ok(()));
        let late = sent().confirm("+8210", "right", "kim", later(601));
        assert_eq!(late, Err(NotVerified::Expired));
    }

    #[test]
    fn codes_are_not_sent_one_after_the_other() {
        let mut phone = sent();
        let soon = phone.send("+8210", "next".to_owned(), later(10));
        assert_eq!(soon, Err(NotVerified::TooSoon(Span::from_secs(20))));
        phone.send("+8210", "next".to_owned(), later(30)).unwrap();
        assert!(phone.confirm("+8210", "right", "kim", later(30)).is_err());
        phone.confirm("+8210", "next", "kim", later(30)).unwrap();
    }
}

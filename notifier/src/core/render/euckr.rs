//! Text for Korean phones: what EUC-KR can say, how many bytes it takes, and where it may be cut.
//!
//! "EUC-KR" is read strictly as KS X 1001. `encoding_rs` encodes the wider code page 949, whose
//! 8,822 further syllables a carrier's gateway may turn into question marks without a word; here
//! they are spelled in letters.

use encoding_rs::EUC_KR;
use std::fmt::Write as _;

/// Initial, medial and final letters of Hangul in the order of Unicode's composition formula
/// (section 3.12).
const INITIALS: &str = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ";
const MEDIALS: &str = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ";
const FINALS: &str = "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ";

/// Characters with a plain likeness that loses nothing.
const LIKENESSES: [(&str, &str); 23] = [
    ("\u{a0}\u{2007}\u{2009}\u{202f}\t", " "),
    ("\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2212}", "-"),
    ("•‣⁃", "·"),
    ("«»„‟", "\""),
    ("‚‛", "'"),
    ("ÀÁÂÃÄÅĀĂĄ", "A"),
    ("àáâãäåāăą", "a"),
    ("ÇĆČ", "C"),
    ("çćč", "c"),
    ("ÈÉÊËĒĖĘĚ", "E"),
    ("èéêëēėęě", "e"),
    ("ÌÍÎÏĪĮİ", "I"),
    ("ìíîïīį", "i"),
    ("ÑŃŇ", "N"),
    ("ñńň", "n"),
    ("ÒÓÔÕÖŌŐ", "O"),
    ("òóôõöōő", "o"),
    ("ÙÚÛÜŪŮŰ", "U"),
    ("ùúûüūůű", "u"),
    ("ŠŚ", "S"),
    ("šś", "s"),
    ("ŽŹŻ", "Z"),
    ("žźż", "z"),
];

/// The text in characters that every phone shows. What has no likeness stands there by its number,
/// `[U+1F525]`, so that nothing is lost silently; line ends stay.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push('\n'),
            '\r' | '\u{fe0e}' | '\u{fe0f}' | '\u{200b}' | '\u{200d}' => {}
            _ if width(c).is_some() => out.push(c),
            _ => push_likeness(&mut out, c),
        }
    }
    out
}

fn push_likeness(out: &mut String, c: char) {
    if let Some((_, like)) = LIKENESSES.iter().find(|(of, _)| of.contains(c)) {
        out.push_str(like);
    } else if let Some(letters) = spelled(c) {
        out.extend(letters.into_iter().flatten());
    } else {
        // Writing to a String cannot fail.
        write!(out, "[U+{:04X}]", u32::from(c)).unwrap_or_default();
    }
}

/// A Hangul syllable as its letters.
fn spelled(c: char) -> Option<[Option<char>; 3]> {
    let index = u32::from(c).checked_sub(0xac00).filter(|i| *i < 11_172)? as usize;
    let (initial, medial, last) = (index / 588, index % 588 / 28, index % 28);
    Some([
        INITIALS.chars().nth(initial),
        MEDIALS.chars().nth(medial),
        last.checked_sub(1)
            .and_then(|last| FINALS.chars().nth(last)),
    ])
}

/// Bytes of one character: 1 for ASCII that prints, 2 for KS X 1001, none for anything else.
fn width(c: char) -> Option<usize> {
    if c.is_ascii() {
        return (!c.is_ascii_control()).then_some(1);
    }
    let mut utf8 = [0; 4];
    let (bytes, _, unmapped) = EUC_KR.encode(c.encode_utf8(&mut utf8));
    let standard = bytes.len() == 2 && bytes.iter().all(|byte| *byte >= 0xa1);
    (!unmapped && standard).then_some(2)
}

/// Bytes of a text of [`printable`] characters; a line end counts one.
pub fn bytes(text: &str) -> usize {
    text.chars().map(|c| width(c).unwrap_or(1)).sum()
}

/// The text itself when it fits into `limit` bytes, else as much of it as fits with an ellipsis
/// behind, never less than a whole character.
pub fn cut(text: &str, limit: usize) -> String {
    if bytes(text) <= limit {
        return text.to_owned();
    }
    let room = limit.saturating_sub(2);
    let mut used = 0;
    let kept: String = text
        .chars()
        .take_while(|c| {
            used += width(*c).unwrap_or(1);
            used <= room
        })
        .collect();
    if limit < 2 {
        kept
    } else {
        format!("{}…", kept.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn behind_the_last_syllable_nothing_is_spelled_and_two_bytes_hold_the_ellipsis() {
        assert_eq!(
            printable("\u{d7a3}\u{d7a4}"),
            format!("{}[U+D7A4]", printable("\u{d7a3}"))
        );
        assert_eq!(cut("abcd", 1), "");
        assert_eq!(cut("abcd", 2), "…");
        assert_eq!(cut("abcd", 3), "a…");
    }

    #[test]
    fn what_a_phone_lacks_is_said_otherwise_and_never_dropped() {
        for (text, shown) in [
            ("CPU 사용률 97%", "CPU 사용률 97%"),
            ("web–1 → ≥ 90 ℃ “ok” €", "web-1 → ≥ 90 ℃ “ok” €"),
            ("café naïve Ñ", "cafe naive N"),
            ("🔥 disk", "[U+1F525] disk"),
            ("⚠️ hot", "[U+26A0] hot"),
            ("뷁 똠방 펲시", "ㅂㅞㄺ ㄸㅗㅁ방 ㅍㅔㅍ시"),
            ("a\tb\r\nc\u{7}", "a b\nc[U+0007]"),
            ("日本 中文 漢字", "日本 中文 漢字"),
            ("这", "[U+8FD9]"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }

    #[test]
    fn bytes_are_counted_as_carriers_count() {
        for (text, count) in [("", 0), ("abc", 3), ("한글", 4), ("한 a\n", 5), ("…", 2)] {
            assert_eq!(bytes(text), count, "{text}");
        }
    }

    #[test]
    fn a_cut_ends_at_a_character() {
        for (text, limit, kept) in [
            ("한글입니다", 10, "한글입니다"),
            ("한글입니다", 9, "한글입…"),
            ("한글입니다", 8, "한글입…"),
            ("한글입니다", 7, "한글…"),
            ("ab cd", 5, "ab cd"),
            ("ab cd", 4, "ab…"),
            ("abc", 1, ""),
        ] {
            assert_eq!(cut(text, limit), kept, "{text} in {limit}");
        }
    }

    proptest! {
        #[test]
        fn any_text_becomes_printable_and_any_cut_fits(text in "\\PC{0,60}", limit in 0_usize..80) {
            let shown = printable(&text);
            let (_, _, unmapped) = EUC_KR.encode(&shown);
            prop_assert!(!unmapped);
            prop_assert_eq!(bytes(&shown), EUC_KR.encode(&shown).0.len());
            prop_assert!(bytes(&cut(&shown, limit)) <= limit);
        }
    }
}

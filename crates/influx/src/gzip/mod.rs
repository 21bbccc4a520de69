//! gzip (RFC 1952) made for line protocol.
//!
//! Neighbouring lines differ in a few digits. So repeats are looked for only where a part of a line begins, behind a
//! comma, a space or a newline, and the parts between are long matches: two to three times as fast as the fastest level of
//! zlib, and smaller, since a prefix code is made from the beginning of the body instead of taken from the RFC. Whatever
//! the bytes are, any inflater gets them back.

mod bits;
mod code;
mod symbols;
mod walk;

use bits::Bits;
use flate2::Crc;
use symbols::{Code, Emit};
use walk::Seen;

/// The prefix code is made from so many bytes.
const SAMPLE: usize = 16 << 10;
/// A smaller body is not worth a prefix code of its own.
const SMALL: usize = 2 << 10;
/// Room in the output is made for so many bytes at a time.
const STEP: usize = 16 << 10;
/// Magic, deflate, no flags, no time, made for speed, on no known system (RFC 1952, 2.3).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];

/// The pieces, one behind the other, as one member of gzip.
pub(crate) fn gzip(pieces: &[&[u8]]) -> Vec<u8> {
    let total: usize = pieces.iter().map(|piece| piece.len()).sum();
    let mut seen = Seen::new();
    let own;
    let code = if total < SMALL {
        Code::fixed()
    } else {
        own = code_for(pieces, &mut seen);
        &own
    };
    let mut bits = Bits::new(&HEADER, total / 6 + 4096);
    code.begin_block(&mut bits);
    let mut crc = Crc::new();
    for piece in pieces {
        crc.update(piece);
        seen.forget();
        let mut at = 0;
        while at < piece.len() {
            let end = piece.len().min(at + STEP);
            // A match may go on behind the end of the step.
            bits.make_room(end - at + walk::LONGEST);
            at = walk::walk(piece, at..end, &mut seen, &mut Emit::new(&mut bits, code));
        }
    }
    code.end_block(&mut bits);
    let mut out = bits.finish();
    out.extend_from_slice(&crc.sum().to_le_bytes());
    out.extend_from_slice(&crc.amount().to_le_bytes());
    out
}

/// A code that fits the beginning of the body, and can write everything.
fn code_for(pieces: &[&[u8]], seen: &mut Seen) -> Code {
    let mut frequencies = symbols::Frequencies::new();
    let mut left = SAMPLE;
    for piece in pieces {
        let sample = &piece[..piece.len().min(left)];
        left -= sample.len();
        seen.forget();
        walk::walk(sample, 0..sample.len(), seen, &mut frequencies);
    }
    frequencies.code()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::{Read as _, Write as _};

    fn back(gzip: &[u8]) -> Vec<u8> {
        let mut back = Vec::new();
        let mut decoder = flate2::read::GzDecoder::new(gzip);
        decoder.read_to_end(&mut back).unwrap();
        back
    }

    fn lines(count: u64) -> Vec<u8> {
        let line = |n: u64| {
            let value = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 50;
            format!(
                "cpu,host=web-{n:04},os=linux usage_idle={value}.25,usage_user={n}i 176000000{n:010}\n"
            )
        };
        (0..count).map(line).collect::<String>().into_bytes()
    }

    #[test]
    fn lines_come_back_and_are_smaller_than_zlibs_fastest() {
        let body = lines(5_000);
        let gzip = gzip(&[&body]);
        assert!(back(&gzip) == body);
        let mut zlib = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(&body).unwrap();
        let zlib = zlib.finish().unwrap().len();
        assert!(gzip.len() < zlib, "{} of {zlib}", gzip.len());
    }

    #[test]
    fn nothing_and_odd_bodies_come_back() {
        let long = vec![b'a'; 100_000];
        let far = [lines(300), vec![b'x'; 40_000], lines(300)].concat();
        let every: Vec<u8> = (0..=255).cycle().take(70_000).collect();
        let random: Vec<u8> = (0..200_000_u64)
            .map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
            .collect();
        for body in [
            &b""[..],
            b"a",
            b"\n",
            b"a v=1\n",
            &long,
            &far,
            &every,
            &random,
        ] {
            assert!(back(&gzip(&[body])) == body, "{} bytes", body.len());
        }
        assert!(gzip(&[&random]).len() < random.len() * 5 / 4);
        assert!(back(&gzip(&[])).is_empty());
    }

    #[test]
    fn a_small_body_takes_the_code_that_needs_no_writing_down() {
        let small = gzip(&[b"m,host=a v=1 1\nm,host=b v=2 1\n"]);
        assert_eq!(back(&small), b"m,host=a v=1 1\nm,host=b v=2 1\n");
        assert!(small.len() < 60, "{}", small.len());
    }

    #[test]
    fn a_body_that_changes_its_kind_behind_the_sample_comes_back() {
        let mut body = lines(1_000);
        body.extend("한국어,호스트=서울 값=\"가나다\" 1\n".repeat(2_000).bytes());
        body.extend((0..100_000_u32).map(|n| (n % 251) as u8));
        assert!(back(&gzip(&[&body])) == body);
    }

    proptest! {
        #[test]
        fn whatever_the_bytes_and_the_pieces_they_come_back(
            pieces in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..600),
                    "([a-c]{1,3}[,= \n]){0,200}".prop_map(String::into_bytes),
                ],
                0..6,
            )
        ) {
            let borrowed: Vec<_> = pieces.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(back(&gzip(&borrowed)), pieces.concat());
        }
    }
}

//! Phone numbers as Korea's providers write them.

/// A number of Korea without its country code, with the leading zero; none for any other number.
pub(super) fn national(e164: &str) -> Option<String> {
    let rest = e164.strip_prefix("+82")?.trim_start_matches('0');
    let digits = rest.bytes().all(|byte| byte.is_ascii_digit());
    ((7..=10).contains(&rest.len()) && digits).then(|| format!("0{rest}"))
}

#[cfg(test)]
mod tests {
    use super::national;

    #[test]
    fn only_numbers_of_korea_are_dialled_as_korea_does() {
        for (e164, dialled) in [
            ("+821012345678", Some("01012345678")),
            ("+8201012345678", Some("01012345678")),
            ("+82215880000", Some("0215880000")),
            ("+14155550100", None),
            ("+82", None),
            ("+8210-1234-5678", None),
            ("01012345678", None),
        ] {
            assert_eq!(national(e164).as_deref(), dialled, "{e164}");
        }
    }
}

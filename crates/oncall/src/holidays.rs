//! Public holidays.

use jiff::civil::Date;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Date, Korean and English name, one holiday a line; `scripts/make-holidays` writes it.
const KR: &str = include_str!("holidays/kr.txt");

/// What a holiday is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holiday {
    /// In Korean.
    pub ko: &'static str,
    /// In English.
    pub en: &'static str,
}

static KOREAN: LazyLock<BTreeMap<Date, Holiday>> = LazyLock::new(|| {
    let lines = KR.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let mut parts = line.split('\t');
            let date = parts.next()?.parse().ok()?;
            let (ko, en) = (parts.next()?, parts.next()?);
            Some((date, Holiday { ko, en }))
        })
        .collect()
});

/// Korea's public and substitute holidays, of the years 2024 to 2036. Elections and other days that the government
/// appoints are known up to the date of the list; a schedule's `closed` adds others.
pub fn korean() -> &'static BTreeMap<Date, Holiday> {
    &KOREAN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_list_is_read() {
        let lines = KR.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(korean().len(), lines);
        assert_eq!(korean().keys().next().map(|date| date.year()), Some(2024));
        assert_eq!(
            korean().keys().next_back().map(|date| date.year()),
            Some(2036)
        );
    }

    /// The days that the government published for 2025: <https://astro.kasi.re.kr> (monthly almanac of 2025).
    #[test]
    fn chuseok_of_2025_has_its_substitute_holiday() {
        for day in 5..=9 {
            assert!(korean().contains_key(&jiff::civil::date(2025, 10, day)));
        }
        assert!(!korean().contains_key(&jiff::civil::date(2025, 10, 10)));
    }
}

//! What a tenant may write: what its declaration says, and the configuration where it says nothing.

use schemas::catalogue;

/// What a tenant may write, complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of line protocol in a second.
    pub bytes_per_s: Option<u64>,
    /// Lines in a second.
    pub points_per_s: Option<u64>,
    /// Different series in the window.
    pub series: usize,
    /// Bytes of a line.
    pub line_bytes: usize,
    /// Tags of a line.
    pub line_tags: usize,
    /// Bytes of a body as it is sent.
    pub body_bytes: usize,
    /// Bytes of a body after decompression.
    pub body_unpacked_bytes: usize,
}

impl Limits {
    /// What is declared over these defaults. A rate is shared by `routers`; no body may be larger than `largest`,
    /// which is what the process can hold of one tenant.
    #[must_use]
    pub fn with(self, declared: &catalogue::Limits, routers: u32, largest: usize) -> Self {
        let size = |said: Option<u64>, default: usize| {
            said.map_or(default, |said| usize::try_from(said).unwrap_or(usize::MAX))
        };
        let rate = |said: Option<u64>, default: Option<u64>| {
            said.or(default)
                .map(|per_s| (per_s / u64::from(routers.max(1))).max(1))
        };
        Self {
            bytes_per_s: rate(declared.bytes_per_s, self.bytes_per_s),
            points_per_s: rate(declared.points_per_s, self.points_per_s),
            series: size(declared.series, self.series),
            line_bytes: size(declared.line_bytes, self.line_bytes),
            line_tags: size(declared.tags, self.line_tags),
            body_bytes: size(declared.body_bytes, self.body_bytes).min(largest),
            body_unpacked_bytes: size(declared.body_unpacked_bytes, self.body_unpacked_bytes)
                .min(largest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_declared_goes_before_the_default_and_rates_are_shared_by_the_routers() {
        let defaults = Limits {
            bytes_per_s: Some(900),
            points_per_s: None,
            series: 10,
            line_bytes: 100,
            line_tags: 4,
            body_bytes: 1_000,
            body_unpacked_bytes: 2_000,
        };
        let declared = catalogue::Limits {
            points_per_s: Some(600),
            series: Some(20),
            body_unpacked_bytes: Some(1 << 40),
            ..catalogue::Limits::default()
        };
        let limits = defaults.with(&declared, 3, 5_000);
        let rates = (limits.bytes_per_s, limits.points_per_s);
        assert_eq!(rates, (Some(300), Some(200)));
        let sizes = (limits.series, limits.line_tags, limits.body_unpacked_bytes);
        assert_eq!(sizes, (20, 4, 5_000));
    }
}

//! `limits:` of a tenant — what its agents may write. What is left out is as the router's configuration says.

use super::check::Flaws;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest line that fits a record of its own, in bytes.
const LONGEST_LINE: u64 = 512 << 10;

/// What a tenant's agents may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of line protocol in a second, over some seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_s: Option<u64>,
    /// Lines in a second, over some seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points_per_s: Option<u64>,
    /// Different series within the router's window. A line of a new one beyond them is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<u64>,
    /// Bytes of a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_bytes: Option<u64>,
    /// Tags of a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<u64>,
    /// Bytes of a body as it is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_bytes: Option<u64>,
    /// Bytes of a body after decompression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_unpacked_bytes: Option<u64>,
}

impl Limits {
    /// Whether nothing is said, so that the key is left out.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn check(&self, flaws: &mut Flaws) {
        let all = [
            ("bytes_per_s", self.bytes_per_s),
            ("points_per_s", self.points_per_s),
            ("series", self.series),
            ("line_bytes", self.line_bytes),
            ("body_bytes", self.body_bytes),
            ("body_unpacked_bytes", self.body_unpacked_bytes),
        ];
        for (key, limit) in all {
            let what = "a limit is at least 1; to stop a tenant, take its tokens away";
            flaws.unless(limit != Some(0), format!("limits.{key}"), what);
        }
        flaws.unless(
            self.line_bytes.is_none_or(|bytes| bytes <= LONGEST_LINE),
            "limits.line_bytes",
            "a line has at most 524288 bytes, the size of a record",
        );
    }
}

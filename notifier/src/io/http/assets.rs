//! Style sheet, script and icon, compiled in. Their addresses carry their content's hash.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::LazyLock;
use xxhash_rust::xxh3::xxh3_64;

const STYLE: &str = include_str!("../../../static/console.css");
const SCRIPT: &str = include_str!("../../../static/console.js");
const ICON: &str = include_str!("../../../static/beacon.svg");

/// Changes with any of the files.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{:016x}",
        xxh3_64(format!("{STYLE}{SCRIPT}{ICON}").as_bytes())
    )
});

/// What addresses of the files end with, so that browsers may keep them for ever.
pub(super) fn version() -> &'static str {
    &VERSION
}

/// One of the files.
pub(super) async fn serve(Path(name): Path<String>) -> Response {
    let (kind, text) = match name.as_str() {
        "console.css" => ("text/css; charset=utf-8", STYLE),
        "console.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "beacon.svg" => ("image/svg+xml", ICON),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let keep = "public, max-age=31536000, immutable";
    (
        [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, keep)],
        text,
    )
        .into_response()
}

//! The table of statuses, for each product.

use super::*;

fn verdict(dialect: Dialect, status: u16, body: &str) -> String {
    let answer = Answer {
        status,
        body,
        retry_after: None,
        date: None,
    };
    match classify(dialect, &answer, 3) {
        WriteVerdict::Named { bad } => {
            let bad: Vec<_> = bad.iter().map(|bad| bad.line.to_string()).collect();
            format!("stored but {}", bad.join(" "))
        }
        WriteVerdict::Stored => "stored".to_owned(),
        WriteVerdict::Partial { .. } => "partial".to_owned(),
        WriteVerdict::Rejected { .. } => "rejected".to_owned(),
        WriteVerdict::TooLarge { .. } => "too large".to_owned(),
        WriteVerdict::NoBucket { .. } => "no bucket".to_owned(),
        WriteVerdict::Later { why, .. } => format!("later, {}", why.label()),
    }
}

/// Bodies as InfluxDB 2.7.12 gave them, and 1.8 documents them.
const TABLE: &[(u16, &str, &str)] = &[
    (204, "", "stored"),
    (
        400,
        r#"{"code":"invalid","message":"unable to parse 'bad': missing fields"}"#,
        "rejected",
    ),
    (400, "", "rejected"),
    (
        400,
        r#"{"error":"partial write: field type conflict: dropped=1"}"#,
        "partial",
    ),
    (
        400,
        "<html><title>400 Bad Request</title></html>",
        "later, misconfigured",
    ),
    (
        401,
        r#"{"code":"unauthorized","message":"unauthorized access"}"#,
        "later, unauthorized",
    ),
    (
        403,
        r#"{"code":"forbidden","message":"insufficient permissions for write"}"#,
        "later, unauthorized",
    ),
    (
        404,
        r#"{"code":"not found","message":"bucket \"acme\" not found"}"#,
        "no bucket",
    ),
    (
        404,
        r#"{"error":"database not found: \"acme\""}"#,
        "no bucket",
    ),
    (
        404,
        r#"{"code":"not found","message":"organization name \"x\" not found"}"#,
        "later, misconfigured",
    ),
    (404, "404 page not found", "later, misconfigured"),
    (
        404,
        "<html>no such bucket or host</html>",
        "later, misconfigured",
    ),
    (
        413,
        r#"{"code":"request too large","message":"unable to read data"}"#,
        "too large",
    ),
    (413, "<html>413</html>", "too large"),
    (
        422,
        r#"{"code":"unprocessable entity","message":"partial write: dropped=1"}"#,
        "partial",
    ),
    (429, "", "later, busy"),
    (503, "", "later, busy"),
    (
        500,
        r#"{"code":"internal error","message":"cache-max-memory exceeded"}"#,
        "later, failed",
    ),
    (502, "<html>bad gateway</html>", "later, failed"),
    (504, "", "later, failed"),
    (200, "<html>please log in</html>", "later, misconfigured"),
    (301, "", "later, misconfigured"),
    (405, "", "later, misconfigured"),
    (415, "", "later, misconfigured"),
];

#[test]
fn every_status_means_what_the_table_says() {
    for dialect in [Dialect::V1, Dialect::V2] {
        for (status, body, expected) in TABLE {
            let found = verdict(dialect, *status, body);
            assert_eq!(found, *expected, "{dialect:?} {status} {body}");
        }
    }
}

/// Where version 3 differs: it stores the rest of a partial write and names the lines, and its 422
/// is about limits of the server.
const TABLE_OF_V3: &[(u16, &str, &str)] = &[
    (
        400,
        r#"{"error":"partial write of line protocol occurred","data":[
            {"original_line":"m v=\"x\" 1","line_number":2,"error_message":"invalid field type"}]}"#,
        "stored but 1",
    ),
    (
        400,
        r#"{"error":"partial write of line protocol occurred","data":[
            {"line_number":3},{"line_number":1},{"line_number":3}]}"#,
        "stored but 0 2",
    ),
    (
        400,
        r#"{"error":"partial write of line protocol occurred","data":[{"line_number":4}]}"#,
        "partial",
    ),
    (
        400,
        r#"{"error":"partial write of line protocol occurred","data":[]}"#,
        "partial",
    ),
    (
        400,
        r#"{"error":"partial write of line protocol occurred","data":[{"line_number":1},{"li"#,
        "partial",
    ),
    (
        400,
        r#"{"error":"parsing failed for write_lp endpoint","data":{"line_number":1}}"#,
        "rejected",
    ),
    (400, "<html>bad gateway</html>", "later, misconfigured"),
    (
        422,
        r#"{"error":"Adding a new database would exceed limit of 5 databases"}"#,
        "later, misconfigured",
    ),
];

#[test]
fn version_3_names_lines_and_never_condemns_by_a_limit() {
    for (status, body, expected) in TABLE_OF_V3 {
        let found = verdict(Dialect::V3, *status, body);
        assert_eq!(found, *expected, "{status} {body}");
    }
    for (status, body, expected) in TABLE {
        if !matches!(status, 400 | 422) {
            let found = verdict(Dialect::V3, *status, body);
            assert_eq!(found, *expected, "{status} {body}");
        }
    }
}

#[test]
fn a_wait_is_read_as_seconds_or_as_an_instant() {
    let now = Some("Sun, 06 Nov 1994 08:49:37 GMT");
    for (text, date, expected) in [
        ("7", None, Some(7)),
        (" 120 ", None, Some(120)),
        ("Sun, 06 Nov 1994 08:50:07 GMT", now, Some(30)),
        ("Sun, 06 Nov 1994 08:49:00 GMT", now, None),
        ("Sun, 06 Nov 1994 08:50:07 GMT", None, None),
        ("soon", now, None),
        ("-1", now, None),
    ] {
        let answer = Answer {
            status: 503,
            body: "",
            retry_after: Some(text),
            date,
        };
        let WriteVerdict::Later { after, .. } = classify(Dialect::V2, &answer, 1) else {
            panic!("503 is retried");
        };
        assert_eq!(after, expected.map(Duration::from_secs), "{text}");
    }
}

#[test]
fn a_reason_names_the_status_and_is_bounded() {
    let answer = Answer {
        status: 500,
        body: &"x".repeat(5_000),
        retry_after: None,
        date: None,
    };
    let WriteVerdict::Later { reason, .. } = classify(Dialect::V2, &answer, 1) else {
        panic!("500 is retried");
    };
    assert!(reason.starts_with("status 500: xxx") && reason.len() < 1_100);
}

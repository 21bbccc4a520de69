//! Tests of what Flux may do.

use super::*;

const NOW: i64 = 1_767_225_600_000_000_000;
const HOUR: i64 = 3_600_000_000_000;

fn checked(text: &str) -> Result<Flux, Refused> {
    check(text, &TenantId::parse("acme").unwrap(), NOW)
}

#[test]
fn a_query_of_ones_own_bucket_passes() {
    for text in [
        "from(bucket: \"acme\") |> range(start: -1h) |> filter(fn: (r) => r.host == \"other\")",
        "import \"strings\"\nfrom(bucket: \"acme\") |> range(start: -1h) |> map(fn: (r) => ({r with host: r.host}))",
        "b = \"acme\"\nfrom(bucket: b) |> range(start: -1h) |> group(columns: [\"host\"])",
        "package main\nimport s \"influxdata/influxdb/schema\"\ns.tagValues(bucket: \"acme\", tag: \"host\")",
        "f = (host, n=1) => n\nfrom(bucket: \"acme\") |> range(start: -1h)",
        "buckets()",
    ] {
        let found = checked(text);
        assert!(found.is_ok(), "{text}: {found:?}");
    }
}

#[test]
fn what_leads_out_of_the_own_bucket_is_refused() {
    for (text, why) in [
        ("from(bucket: \"globex\") |> range(start: -1h)", "not yours"),
        (
            "from(bucket: \"acme\", host: \"http://x\")",
            "another server",
        ),
        (
            "from(bucket: \"acme\", // c\n host // c\n : \"http://x\")",
            "another server",
        ),
        (
            "host = \"http://x\"\nfrom(bucket: \"acme\", host)",
            "another server",
        ),
        (
            "f = from\nf(host: \"http://x\", bucket: \"acme\")",
            "another server",
        ),
        (
            "from(bucket: \"acme\", \"ho\\x73t\": \"http://x\")",
            "without quotes",
        ),
        ("x = \"${from(host: \"http://x\")}\"", "another server"),
        ("{a: buckets(host: \"http://x\")}", "another server"),
        (
            "import \"http/requests\"\nrequests.get(url: \"http://x\")",
            "http/requests",
        ),
        ("import q \"sql\"\nq.from()", "`sql`"),
        (
            "import \"math\" import \"experimental/http\"",
            "experimental/http",
        ),
        ("import \"ht\\x74p\"", "not for queries"),
        ("import \"${x}\"", "without a path"),
        ("@edition(\"2022.1\")\nimport \"http\"", "attributes"),
        ("a = 1\nimport \"http\"", "at the beginning"),
        ("import \"csv\"\ncsv.from(url: \"http://x\")", "`csv`"),
        ("import \"influxdata/influxdb/secrets\"", "secrets"),
        (
            "from(bucket: \"acme\") |> range(start: -1h) |> to(bucket: \"acme\")",
            "writes",
        ),
        ("from(bucket: \"acme\"", "bracket is open"),
        ("from(bucket: \"acme\"]", "bracket is open"),
    ] {
        let error = checked(text).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn the_time_of_a_query_is_that_of_its_ranges() {
    let window = |text: &str| checked(text).unwrap().window;
    let from = "from(bucket: \"acme\") |> ";
    for (range, begin, end) in [
        ("range(start: -1h)", NOW - HOUR, NOW - 1),
        (
            "range(start: -2h, stop: -1h)",
            NOW - 2 * HOUR,
            NOW - HOUR - 1,
        ),
        ("range(start: 2026-01-01T00:00:00Z, stop: now())", NOW, NOW),
        (
            "range(start: 1767222000, stop: 1767225600)",
            NOW - HOUR,
            NOW - 1,
        ),
    ] {
        let found = window(&format!("{from}{range}"));
        assert_eq!((found.from, found.to), (begin, end), "{range}");
    }
    let two = format!("{from}range(start: -2h, stop: -1h)\n{from}range(start: -1h)");
    assert_eq!(window(&two).from, NOW - 2 * HOUR);
    assert_eq!(window(&two).to, NOW - 1);
    for unknown in [
        format!("t = -1h\n{from}range(start: t)"),
        format!("option now = () => 2020-01-01T00:00:00Z\n{from}range(start: -1h)"),
        format!("{from}range(start: -1h)\n{from}f()"),
    ] {
        assert_eq!(window(&unknown), Window::ALL, "{unknown}");
    }
}

#[test]
fn only_what_goes_row_by_row_can_be_put_together() {
    let merge = |rest: &str| {
        let text = format!("import \"strings\"\nfrom(bucket: \"acme\") |> range(start: -1h){rest}");
        checked(&text).unwrap().merge
    };
    for plain in [
        "",
        " |> filter(fn: (r) => r._field == \"v\" and (r.host == \"a\" or r.host == \"b\"))",
        " |> map(fn: (r) => ({r with _value: float(v: r._value) * 2.0})) |> keep(columns: [\"_time\"])",
        " |> map(fn: (r) => ({r with host: strings.toUpper(v: r.host)}))",
    ] {
        assert_eq!(merge(plain), Merge::Rows, "{plain}");
    }
    for (whole, name) in [
        (" |> mean()", "mean"),
        (
            " |> aggregateWindow(every: 1m, fn: mean)",
            "aggregateWindow",
        ),
        (" |> limit(n: 1)", "limit"),
        (" |> group() |> keep(columns: [])", "group"),
    ] {
        assert_eq!(
            merge(whole),
            Merge::Not(format!("`{name}()` needs all points at once"))
        );
    }
}

#[test]
fn lists_of_names_can_be_put_together() {
    let merge = |text: &str| checked(text).unwrap().merge;
    let imports = "import \"influxdata/influxdb/schema\"\n";
    let values = "schema.tagValues(bucket: \"acme\", tag: \"host\", predicate: (r) => r._measurement == \"cpu\")";
    assert_eq!(merge(&format!("{imports}{values}")), Merge::Names);
    assert_eq!(
        merge("import s \"influxdata/influxdb/schema\"\ns.measurements(bucket: \"acme\")"),
        Merge::Names
    );
    for other in [
        format!("{imports}{values} |> count()"),
        format!("{imports}{values}\n{values}"),
        format!("{imports}schema.fieldsAsCols()"),
        "import \"date\"\nimport s \"influxdata/influxdb/schema\"\ndate.measurements()".to_owned(),
    ] {
        assert_ne!(merge(&other), Merge::Names, "{other}");
    }
}

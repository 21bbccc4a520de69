//! What the scan takes, what it refuses, and where it goes on.

use super::*;

fn one(body: &str) -> Line<'_> {
    let mut lines = scan(body.as_bytes());
    let line = lines.next().expect("a line").expect("a good line");
    assert!(lines.next().is_none(), "{body:?} holds one line");
    line
}

fn refused(body: &[u8]) -> String {
    let lines: Vec<_> = scan(body).collect();
    match lines.as_slice() {
        [Err(rejected)] => rejected.reason.to_string(),
        other => panic!("{:?} gave {other:?}", String::from_utf8_lossy(body)),
    }
}

#[test]
fn a_line_of_telegraf_is_taken_apart() {
    let text =
        "cpu,cpu=cpu-total,env=prod,host=web-1 usage_idle=97.5,usage_user=1i 1700000000000000000";
    let line = one(text);
    assert_eq!(line.raw(), text.as_bytes());
    assert_eq!(line.measurement(), "cpu");
    let tags: Vec<_> = line.tags().collect();
    assert_eq!(
        tags,
        [("cpu", "cpu-total"), ("env", "prod"), ("host", "web-1")]
            .map(|(k, v)| (k.into(), v.into()))
    );
    assert_eq!(line.tag("env").as_deref(), Some("prod"));
    assert_eq!(line.tag("os"), None);
    let fields: Vec<_> = line.fields().collect();
    assert_eq!(
        fields,
        [
            ("usage_idle".into(), FieldValue::Float(97.5)),
            ("usage_user".into(), FieldValue::Integer(1)),
        ]
    );
    assert_eq!(line.timestamp(), Some(1_700_000_000_000_000_000));
    let without = text.rsplit_once(' ').unwrap().0;
    assert_eq!(line.without_timestamp(), without.as_bytes());
}

#[test]
fn every_kind_of_value_is_read() {
    for (text, value) in [
        ("1", FieldValue::Float(1.0)),
        ("-1.5", FieldValue::Float(-1.5)),
        (".5", FieldValue::Float(0.5)),
        ("5.", FieldValue::Float(5.0)),
        ("1e3", FieldValue::Float(1000.0)),
        ("-1.5E-3", FieldValue::Float(-0.0015)),
        ("1e+2", FieldValue::Float(100.0)),
        ("9223372036854775807i", FieldValue::Integer(i64::MAX)),
        ("-9223372036854775808i", FieldValue::Integer(i64::MIN)),
        ("18446744073709551615u", FieldValue::Unsigned(u64::MAX)),
        ("t", FieldValue::Boolean(true)),
        ("True", FieldValue::Boolean(true)),
        ("FALSE", FieldValue::Boolean(false)),
        (r#""""#, FieldValue::Text("".into())),
        (r#""a, b=c d""#, FieldValue::Text("a, b=c d".into())),
        (
            r#""say \"hi\" \\ \n""#,
            FieldValue::Text(r#"say "hi" \ \n"#.into()),
        ),
        ("\"two\nrows\"", FieldValue::Text("two\nrows".into())),
        ("\"한국어\"", FieldValue::Text("한국어".into())),
    ] {
        let body = format!("m f={text}");
        assert_eq!(one(&body).field("f"), Some(value.clone()), "{text}");
        let body = format!("m,t=v a=1,f={text},z=2i 5\r\n");
        assert_eq!(one(&body).field("f"), Some(value), "{text} between others");
        assert_eq!(
            one(&body).field("z"),
            Some(FieldValue::Integer(2)),
            "{text}"
        );
        assert_eq!(one(&body).timestamp(), Some(5), "{text}");
    }
}

#[test]
fn escapes_are_taken_away_where_they_mean_something() {
    let line = one(r"my\ m\,x\=,a\ b\==c\,\ d\=e,path=C:\Windows f\ 1=1");
    assert_eq!(line.measurement(), r"my m,x\=");
    let tags: Vec<_> = line.tags().collect();
    assert_eq!(
        tags,
        [("a b=", "c, d=e"), ("path", r"C:\Windows")].map(|(k, v)| (k.into(), v.into()))
    );
    assert_eq!(line.tag("a b=").as_deref(), Some("c, d=e"));
    assert_eq!(line.field("f 1"), Some(FieldValue::Float(1.0)));
}

#[test]
fn blanks_comments_and_line_ends_are_no_lines() {
    let body = b"\n# a comment, with = and \"\n\r\na f=1\r\n  b f=2  7  \n\n\t# another\nc f=\"x\ny\"\nd f=3";
    let found: Vec<_> = scan(body)
        .map(|line| line.unwrap())
        .map(|line| (line.number(), line.measurement(), line.timestamp()))
        .collect();
    let expected = [
        (4, "a", None),
        (5, "b", Some(7)),
        (8, "c", None),
        (10, "d", None),
    ];
    assert_eq!(found, expected.map(|(n, m, t)| (n, m.into(), t)));
    let raw: Vec<_> = scan(body).map(|line| line.unwrap().raw()).collect();
    assert_eq!(raw, [&b"a f=1"[..], b"b f=2  7", b"c f=\"x\ny\"", b"d f=3"]);
}

#[test]
fn a_line_that_cannot_be_understood_is_refused_with_its_column() {
    for (body, why) in [
        (",t=v f=1", "missing measurement at column 1"),
        ("m,=v f=1", "missing tag key at column 3"),
        ("m, f=1", "missing tag key at column 3"),
        ("m,t f=1", "missing tag value at column 4"),
        ("m,t= f=1", "missing tag value at column 5"),
        (
            "m,t=a=b f=1",
            "a `=` in a tag value needs a backslash before it at column 6",
        ),
        ("m,t=a,t=b f=1", "duplicate tag at column 7"),
        ("m,a=1,b=2,a=3 f=1", "duplicate tag at column 11"),
        ("m", "missing fields at column 2"),
        ("m,t=v", "missing fields at column 6"),
        ("m,t=v ", "missing fields at column 7"),
        ("m =1", "missing field key at column 3"),
        ("m f=1,=2", "missing field key at column 7"),
        ("m f=1, 5", "missing field key at column 7"),
        ("m f", "missing field value at column 4"),
        ("m f=", "missing field value at column 5"),
        ("m f=,g=1", "missing field value at column 5"),
        ("m f=1.2.3", "invalid number at column 5"),
        ("m f=-", "invalid number at column 5"),
        ("m f=.", "invalid number at column 5"),
        ("m f=1e", "invalid number at column 5"),
        ("m f=1.5i", "invalid number at column 5"),
        ("m f=-1u", "invalid number at column 5"),
        ("m f=1ii", "invalid number at column 5"),
        ("m f=0x10", "invalid number at column 5"),
        (
            "m f=9223372036854775808i",
            "integer does not fit 64 bits at column 5",
        ),
        (
            "m f=18446744073709551616u",
            "integer does not fit 64 bits at column 5",
        ),
        ("m f=1e400", "number is too large for a float at column 5"),
        ("m f=NaN", "NaN and infinity cannot be stored at column 5"),
        ("m f=+Inf", "NaN and infinity cannot be stored at column 5"),
        ("m f=-inf", "NaN and infinity cannot be stored at column 5"),
        (
            "m f=tru",
            "not a number, a boolean or a quoted string at column 5",
        ),
        (
            "m f=+1",
            "not a number, a boolean or a quoted string at column 5",
        ),
        (
            "m f=hello",
            "not a number, a boolean or a quoted string at column 5",
        ),
        (
            "m f=\"x\"y",
            "not a number, a boolean or a quoted string at column 8",
        ),
        ("m f=\"x", "unterminated string at column 5"),
        ("m f=1 12x", "invalid timestamp at column 9"),
        ("m f=1 1.5", "invalid timestamp at column 8"),
        ("m f=1 -", "invalid timestamp at column 7"),
        ("m f=1 5 6", "invalid timestamp at column 9"),
        (
            "m f=1 9223372036854775808",
            "timestamp does not fit 64 bits at column 7",
        ),
        ("m\0 f=1", "NUL byte at column 2"),
        ("m f=\"a\0\"", "NUL byte at column 7"),
        ("m f=\"a\\\0\"", "NUL byte at column 8"),
        ("m,t=v\\", "backslash at the end of the line at column 6"),
        ("호스트,t= f=1", "missing tag value at column 7"),
    ] {
        assert_eq!(refused(body.as_bytes()), why, "{body:?}");
    }
    let even = r"m,t=a\\ b f=1";
    assert!(refused(even.as_bytes()).contains("ambiguous at column 6"));
    assert_eq!(refused(b"m,t=\xff f=1"), "not UTF-8 at column 5");
}

#[test]
fn limits_of_time_and_numbers_are_taken() {
    assert_eq!(one("m f=1 9223372036854775807").timestamp(), Some(i64::MAX));
    assert_eq!(
        one("m f=1 -9223372036854775808").timestamp(),
        Some(i64::MIN)
    );
    let long = format!("m f={}", "1".repeat(308));
    assert!(matches!(one(&long).field("f"), Some(FieldValue::Float(f)) if f.is_finite()));
    let too_long = format!("m f={}", "1".repeat(310));
    assert!(refused(too_long.as_bytes()).contains("too large"));
}

#[test]
fn a_bad_line_costs_only_itself() {
    let body = b"a f=1\nb f=x\nc,t=\xff f=2\nd f=4\ne f=\"\n\" oops\nf f=5\nm,t=v\\\nx\ng f=6\nh f=\"open\ni f=1";
    let found: Vec<(usize, Result<String, Problem>)> = scan(body)
        .map(|item| match item {
            Ok(line) => (line.number(), Ok(line.measurement().into_owned())),
            Err(rejected) => (rejected.number, Err(rejected.reason.problem)),
        })
        .collect();
    let good = |name: &str| Ok(name.to_owned());
    assert_eq!(
        found,
        [
            (1, good("a")),
            (2, Err(Problem::BadValue)),
            (3, Err(Problem::BadUtf8)),
            (4, good("d")),
            (5, Err(Problem::BadTimestamp)),
            (7, good("f")),
            (8, Err(Problem::TrailingBackslash)),
            (10, good("g")),
            (11, Err(Problem::UnterminatedString)),
        ]
    );
}

#[test]
fn the_series_does_not_depend_on_the_order_of_tags() {
    let same = [
        "m,a=1,b=2,c=3 f=1 5",
        "m,c=3,a=1,b=2 g=2",
        "m,b=2,c=3,a=1 f=1",
    ];
    let keys: Vec<_> = same.iter().map(|text| one(text).series()).collect();
    assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
    let others = [
        "m,a=1,b=2 f=1",
        "n,a=1,b=2,c=3 f=1",
        "m,a=2,b=1,c=3 f=1",
        "m,a=1,b=2,c=3,d=4 f=1",
        "m f=1",
        r"m,a=1\,b\=2,c=3 f=1",
    ];
    for other in others {
        assert_ne!(one(other).series(), keys[0], "{other}");
    }
}

#[test]
fn the_series_hash_is_stable_across_versions() {
    let line = one("cpu,cpu=cpu-total,host=web-1 usage_idle=97.5");
    assert_eq!(
        format!("{:016x}", line.series().as_u64()),
        "e7aad8aa5e51bfee"
    );
}

#[test]
fn the_host_is_found_in_its_order_of_tags() {
    for (tags, host) in [
        ("host=a,host.name=b,instance=c:1", Some("a")),
        ("instance=c:1,host.name=b", Some("b")),
        ("instance=c:9100", Some("c")),
        ("instance=10.0.0.1:9100", Some("10.0.0.1")),
        ("instance=[::1]:9100", Some("::1")),
        ("instance=fe80::1", Some("fe80::1")),
        ("instance=c", Some("c")),
        ("instance=c:x", Some("c:x")),
        (r"host=my\ host", Some("my host")),
        ("region=eu", None),
    ] {
        let body = format!("m,{tags} f=1");
        assert_eq!(one(&body).host().as_deref(), host, "{tags}");
    }
}

//! Who is let in and who is not.

use super::*;

const LOOPBACK: &str = "127.0.0.1:8189";
const NOW: i64 = 1_800_000_000;

fn access(token: Option<&str>) -> Access {
    let token = token.map(Secret::new);
    Access::new(
        LOOPBACK.parse().unwrap(),
        "https://bongsu.example.com/x",
        token.as_ref(),
    )
    .unwrap()
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect()
}

#[test]
fn an_open_address_needs_a_token() {
    for listen in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1"] {
        let listen = listen.parse().unwrap();
        let error = Access::new(listen, "", None).unwrap_err();
        assert!(error.to_string().contains("api_token_file"), "{error}");
        assert!(Access::new(listen, "", Some(&Secret::new("t"))).is_ok());
    }
    for listen in ["127.0.0.1:1", "[::1]:1", "127.8.8.8:1"] {
        assert!(Access::new(listen.parse().unwrap(), "", None).is_ok());
    }
}

#[test]
fn without_a_token_a_foreign_name_is_refused() {
    for (host, let_in) in [
        ("127.0.0.1:8189", true),
        ("localhost:9", true),
        ("LOCALHOST", true),
        ("[::1]:8189", true),
        ("bongsu.example.com", true),
        ("evil.example", false),
        ("127.0.0.1.evil.example", false),
        ("localhost.evil.example:8189", false),
        ("", false),
    ] {
        let found = access(None).console(&Method::GET, &headers(&[("host", host)]), NOW);
        assert_eq!(found.is_ok(), let_in, "{host}: {found:?}");
    }
}

#[test]
fn only_our_own_pages_may_change_something() {
    for (case, let_in) in [
        (&[("host", LOOPBACK)][..], true),
        (
            &[("host", LOOPBACK), ("origin", "http://127.0.0.1:8189")],
            true,
        ),
        (
            &[("host", LOOPBACK), ("origin", "https://bongsu.example.com")],
            true,
        ),
        (
            &[("host", LOOPBACK), ("origin", "http://127.0.0.1:9999")],
            false,
        ),
        (&[("host", LOOPBACK), ("origin", "null")], false),
        (
            &[("host", LOOPBACK), ("origin", "https://evil.example")],
            false,
        ),
        (
            &[("host", LOOPBACK), ("sec-fetch-site", "same-origin")],
            true,
        ),
        (
            &[("host", LOOPBACK), ("sec-fetch-site", "cross-site")],
            false,
        ),
        (
            &[("host", LOOPBACK), ("sec-fetch-site", "same-site")],
            false,
        ),
    ] {
        let found = access(None).api(&Method::POST, &headers(case), NOW);
        assert_eq!(found.is_ok(), let_in, "{case:?}");
        assert!(
            access(None).api(&Method::GET, &headers(case), NOW).is_ok(),
            "reading: {case:?}"
        );
    }
}

#[test]
fn the_api_wants_the_token_itself() {
    let access = access(Some("secret"));
    for (value, let_in) in [
        ("Bearer secret", true),
        ("bearer  secret", true),
        ("Bearer secre", false),
        ("Bearer secret2", false),
        ("Basic secret", false),
        ("secret", false),
        ("", false),
    ] {
        let found = access.api(&Method::POST, &headers(&[("authorization", value)]), NOW);
        assert_eq!(found.is_ok(), let_in, "{value}");
    }
}

#[test]
fn a_session_is_signed_ends_and_may_not_change_anything_through_the_api() {
    let rules = access(Some("secret"));
    assert_eq!(rules.sign_in("wrong", NOW), None);
    let session = rules.sign_in("secret", NOW).unwrap();
    let with = |session: &str| headers(&[("cookie", &format!("a=b; {SESSION_COOKIE}={session}"))]);
    assert!(
        rules
            .console(&Method::POST, &with(&session), NOW + 60)
            .is_ok()
    );
    assert!(rules.api(&Method::GET, &with(&session), NOW + 60).is_ok());
    assert_eq!(
        rules.api(&Method::POST, &with(&session), NOW + 60),
        Err(Refused::Credential)
    );
    let late = rules.console(&Method::GET, &with(&session), NOW + SESSION_SECONDS);
    assert_eq!(late, Err(Refused::Credential));
    let (end, signature) = session.split_once('.').unwrap();
    let longer = format!("{}.{signature}", end.parse::<i64>().unwrap() + 1);
    for forged in [&longer, "", ".", end, &format!("{end}.")] {
        assert!(
            rules.console(&Method::GET, &with(forged), NOW).is_err(),
            "{forged}"
        );
    }
    let other = access(Some("rotated"));
    assert!(other.console(&Method::GET, &with(&session), NOW).is_err());
}

#[test]
fn a_form_must_repeat_its_cookie() {
    let value = random().unwrap();
    let cookie = format!("{CSRF_COOKIE}={value}");
    assert!(csrf_matches(&headers(&[("cookie", &cookie)]), &value));
    assert!(!csrf_matches(&headers(&[("cookie", &cookie)]), ""));
    assert!(!csrf_matches(&headers(&[]), &value));
    assert!(!csrf_matches(
        &headers(&[("cookie", &format!("{CSRF_COOKIE}="))]),
        ""
    ));
    assert_ne!(random(), random());
}

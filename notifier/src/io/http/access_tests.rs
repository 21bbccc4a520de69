//! Who is let in and who is not.

use super::*;

const LOOPBACK: &str = "127.0.0.1:8189";

fn access(token: Option<&str>) -> Access {
    let token = token.map(Secret::new);
    Access::new(
        LOOPBACK.parse().unwrap(),
        "https://bongsu.example.com/x",
        token.as_ref(),
        false,
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
        let error = Access::new(listen, "", None, false).unwrap_err();
        assert!(error.to_string().contains("api_token_file"), "{error}");
        assert!(Access::new(listen, "", Some(&Secret::new("t")), false).is_ok());
        assert!(
            Access::new(listen, "", None, true).is_ok(),
            "people sign in"
        );
    }
    for listen in ["127.0.0.1:1", "[::1]:1", "127.8.8.8:1"] {
        assert!(Access::new(listen.parse().unwrap(), "", None, false).is_ok());
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
        let found = access(None).site(&Method::GET, &headers(&[("host", host)]));
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
        let found = access(None).site(&Method::POST, &headers(case));
        assert_eq!(found.is_ok(), let_in, "{case:?}");
        assert!(
            access(None).site(&Method::GET, &headers(case)).is_ok(),
            "reading: {case:?}"
        );
    }
}

#[test]
fn the_token_of_the_configuration_is_a_bearer_token() {
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
        let headers = headers(&[("authorization", value)]);
        let given = access.bearer(&headers);
        assert_eq!(
            given.is_some_and(|given| access.is_configured(given)),
            let_in,
            "{value}"
        );
    }
}

#[test]
fn a_session_ends_with_what_it_began_by() {
    let session = |proof, credential: &str| Session {
        who: crate::core::Who::admin("kim", proof),
        credential: credential.to_owned(),
    };
    let (rules, rotated) = (access(Some("secret")), access(Some("rotated")));
    let configured = session(Proof::Configured, &rules.credential());
    assert!(rules.still_holds(&configured));
    assert!(!rotated.still_holds(&configured), "the token was changed");
    assert!(!access(None).still_holds(&configured));
    assert!(!rules.still_holds(&session(Proof::Machine, "")));
    let person = session(Proof::Provider("u-7".to_owned()), "");
    assert!(!rules.still_holds(&person), "there is no provider any more");
    assert_ne!(rules.credential(), "secret");
    let with = |secret: &str| headers(&[("cookie", &format!("a=b; {SESSION_COOKIE}={secret}"))]);
    let long = secret().unwrap();
    assert_eq!(rules.session_secret(&with(&long)), Some(&*long));
    for short in ["", "x", "."] {
        assert_eq!(rules.session_secret(&with(short)), None);
    }
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

//! Webhooks and Microsoft Teams: forms, and the addresses that are never called.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use notifier::Config;
use notifier::config::{TeamsRoom, Webhook};
use notifier::core::ChannelKind;
use notifier::io::channel::{ChannelError, Channels};
use runtime::Clock;
use serde_json::Value;
use tests::fake::Fault;
use tests::hook::Hook;
use tests::workdir::Workdir;

use super::incident::{hostile, lee, page};
use super::{secret, send, word};

/// A webhook `itsm` at that address, which is let through when `allowed`.
fn config(folder: &Workdir, url: &str, template: Option<&str>, allowed: bool) -> Config {
    let hook = Webhook {
        url_file: secret(folder, "url", url),
        template_file: template.map(|text| secret(folder, "template", text)),
        content_type: "application/json".to_owned(),
        secret_file: Some(secret(folder, "secret", "It's a Secret to Everybody")),
    };
    Config {
        webhooks: BTreeMap::from([("itsm".to_owned(), hook)]),
        outgoing_allow: match allowed {
            true => vec!["127.0.0.0/8".to_owned(), "::1".to_owned()],
            false => Vec::new(),
        },
        ..Config::default()
    }
}

async fn outcome(config: &Config) -> String {
    let outcome = send(config, ChannelKind::Webhook, &page(lee("itsm"))).await;
    format!("{} {outcome:?}", word(&outcome))
}

#[tokio::test]
async fn a_webhook_gets_everything_as_json_or_what_its_template_makes_of_it() {
    let (hook, folder) = (Hook::start().await, Workdir::new("hook"));
    let url = format!("{}/in", hook.url());
    let plain = config(&folder, &url, None, true);
    assert!(outcome(&plain).await.starts_with("delivered"));
    let taken = hook.taken().remove(0);
    let body: Value = serde_json::from_str(&taken.body).expect("JSON");
    assert_eq!(body["incident"]["priority"], "P1");
    assert_eq!(body["incident"]["tags"]["host"], "web-1");
    assert_eq!(
        taken.header("idempotency-key"),
        body["delivery"].as_str().unwrap_or_default()
    );
    assert!(taken.header("x-bongsu-signature").starts_with("sha256="));

    let template = "{\"short\": {{ head | tojson }}, \"host\": {{ incident.tags.host | tojson }}}";
    let own = config(&folder, &url, Some(template), true);
    assert!(outcome(&own).await.starts_with("delivered"));
    assert_eq!(
        hook.taken()[1].body,
        r#"{"short": "[P1 FIRING] CPU usage is critically high", "host": "web-1"}"#
    );
    // What a tag says is a value and never a template, nor more than one string of JSON.
    let sent = send(&own, ChannelKind::Webhook, &hostile(lee("itsm"))).await;
    assert_eq!(word(&sent), "delivered");
    let body: Value = serde_json::from_str(&hook.taken()[2].body).expect("JSON");
    assert!(
        body["host"]
            .as_str()
            .is_some_and(|host| host.contains("{{7*7}}"))
    );
}

#[tokio::test]
async fn a_template_reads_no_file_and_ends_soon_whatever_it_says() {
    let (hook, folder) = (Hook::start().await, Workdir::new("hook"));
    let url = format!("{}/in", hook.url());
    let many = "{% for a in text %}{% for b in text %}{% for c in text %}x{% endfor %}{% endfor %}{% endfor %}";
    let large = "{{ 'x' * 70000 }}";
    for template in [
        many,
        large,
        "{% include '/etc/passwd' %}",
        "{% import '/etc/passwd' as x %}",
        "{% extends 'http://127.0.0.1/' %}",
        "{{ env }}",
        "{{ config.password }}",
        "{% for x in range(1000000000) %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    ] {
        let config = config(&folder, &url, Some(template), true);
        let begun = Instant::now();
        let text = outcome(&config).await;
        assert!(text.starts_with("refused"), "{template}: {text}");
        // The bound of 50 ms is the template's; a busy machine adds to it.
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(2), "{template}: {took:?}");
    }
    assert!(hook.taken().is_empty(), "{:?}", hook.taken());
    let broken = config(&folder, &url, Some("{{ unclosed"), true);
    let built = Channels::configured(&broken, &Clock::system());
    assert!(
        matches!(built, Err(ChannelError::Config { .. })),
        "told at the start"
    );
}

#[tokio::test]
async fn no_address_inside_is_called_however_it_is_written() {
    let (canary, folder) = (Hook::start().await, Workdir::new("hook"));
    let port = canary.url().rsplit(':').next().expect("a port").to_owned();
    for host in [
        "127.0.0.1",
        "127.1",
        "0177.0.0.1",
        "0x7f000001",
        "2130706433",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "user@127.0.0.1",
    ] {
        let config = config(&folder, &format!("http://{host}:{port}/in"), None, false);
        let built = Channels::configured(&config, &Clock::system());
        assert!(matches!(built, Err(ChannelError::Config { .. })), "{host}");
    }
    // A name is looked at when it is resolved.
    for name in ["localhost", "LOCALHOST"] {
        let config = config(&folder, &format!("http://{name}:{port}/in"), None, false);
        let text = outcome(&config).await;
        assert!(text.contains("is not a public address"), "{name}: {text}");
        assert!(text.starts_with("refused"), "{name}: {text}");
    }
    assert!(canary.taken().is_empty(), "{:?}", canary.taken());

    // Where it is let through it is called, but not followed elsewhere.
    let url = format!("{}/redirect/elsewhere", canary.url());
    let text = outcome(&config(&folder, &url, None, true)).await;
    assert!(text.starts_with("refused"), "{text}");
    let paths: Vec<_> = canary.taken().into_iter().map(|one| one.path).collect();
    assert_eq!(paths, ["/redirect/elsewhere"]);
}

#[tokio::test]
async fn teams_takes_the_card_and_nothing_in_it_is_markdown() {
    let (hook, folder) = (Hook::start().await, Workdir::new("hook"));
    let room = TeamsRoom {
        url_file: secret(&folder, "teams", &format!("{}/teams", hook.url())),
    };
    let config = Config {
        teams: BTreeMap::from([("ops".to_owned(), room)]),
        outgoing_allow: vec!["127.0.0.1".to_owned()],
        ..Config::default()
    };
    for message in [page(lee("ops")), hostile(lee("ops"))] {
        let outcome = send(&config, ChannelKind::Teams, &message).await;
        assert_eq!(word(&outcome), "delivered", "{outcome:?}");
    }
    let cards: Vec<Value> = hook
        .taken()
        .iter()
        .map(|one| serde_json::from_str(&one.body).expect("JSON"))
        .collect();
    insta::assert_json_snapshot!("card", cards[0]["attachments"][0]["content"]);
    assert!(!cards[1].to_string().contains("\"<script>"));
    let unknown = send(&config, ChannelKind::Teams, &page(lee("nobody"))).await;
    assert_eq!(word(&unknown), "refused");
}

#[tokio::test]
async fn every_failure_is_told_apart() {
    let (hook, folder) = (Hook::start().await, Workdir::new("hook"));
    let config = config(&folder, &format!("{}/in", hook.url()), None, true);
    for (fault, expected) in [
        (Fault::too_many_requests(9), "retry"),
        (Fault::status(503), "retry"),
        (Fault::status(400), "refused"),
        (Fault::status(500), "unknown"),
        (Fault::Reset, "unknown"),
    ] {
        hook.faults().next(1, fault.clone());
        let text = outcome(&config).await;
        assert!(text.starts_with(expected), "{fault:?}: {text}");
        assert!(
            !text.contains("/in"),
            "an address may hold a secret: {text}"
        );
    }
}

//! E-mail, taken by a real SMTP server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use notifier::Config;
use notifier::config::{Smtp, SmtpTls};
use notifier::core::{ChannelKind, Message, Outcome, ProviderRef, Purpose};
use tests::{MailServer, wait};

use super::incident::{hostile, incident, kim, lee, message, page};
use super::{SOON, send, word};

fn config(port: u16, tls: SmtpTls, ca: Option<std::path::PathBuf>) -> Config {
    Config {
        smtp: Some(Smtp {
            host: "localhost".to_owned(),
            port,
            tls,
            from: "Bongsu <bongsu@example.com>".to_owned(),
            user: None,
            password_file: None,
            ca_file: ca,
        }),
        ..Config::default()
    }
}

async fn sent(
    server: &MailServer,
    config: &Config,
    message: &Message,
    count: usize,
) -> Vec<String> {
    let outcome = send(config, ChannelKind::Email, message).await;
    assert_eq!(word(&outcome), "accepted", "{outcome:?}");
    wait::until(SOON, async || {
        let mails = server.mails()?;
        Ok((mails.len() == count).then_some(mails))
    })
    .await
    .expect("the mail arrives")
}

fn body(mail: &str) -> String {
    let mail = mail.replace("\r\n", "\n");
    let (_, body) = mail.split_once("\n\n").expect("a body");
    let bytes = STANDARD.decode(body.replace('\n', "")).expect("base64");
    String::from_utf8(bytes).expect("UTF-8")
}

#[tokio::test]
async fn a_mail_over_starttls_holds_the_link_and_follows_its_thread() {
    let server = MailServer::start_with_tls().await;
    let config = config(server.port(), SmtpTls::Starttls, Some(server.ca()));
    let first = page(kim("minji@example.com"));
    let mails = sent(&server, &config, &first, 1).await;
    let mail = &mails[0];
    let id = format!("<{}@example.com>", first.delivery);
    assert!(mail.contains(&format!("Message-ID: {id}")), "{mail}");
    assert!(mail.contains("Auto-Submitted: auto-generated"), "{mail}");
    assert!(body(mail).contains("https://bongsu.example.com/a/x7Kd93mQ"));
    assert!(
        body(mail).starts_with("[P1 발생] CPU 사용률이"),
        "{}",
        body(mail)
    );

    let mut end = message(incident(), Purpose::Resolved, kim("minji@example.com"));
    end.thread = Some(ProviderRef(id.clone()));
    let mails = sent(&server, &config, &end, 2).await;
    let reply = mails.iter().find(|mail| mail.contains("In-Reply-To"));
    let reply = reply.expect("the second mail");
    assert!(reply.contains(&format!("In-Reply-To: {id}")), "{reply}");
    assert!(!body(reply).contains("/a/x7Kd93mQ"), "{}", body(reply));
}

#[tokio::test]
async fn a_server_whose_certificate_is_unknown_gets_nothing() {
    let server = MailServer::start_with_tls().await;
    let config = config(server.port(), SmtpTls::Starttls, None);
    let outcome = send(&config, ChannelKind::Email, &page(kim("minji@example.com"))).await;
    assert_eq!(word(&outcome), "retry", "{outcome:?}");
    assert!(server.mails().expect("a box").is_empty());
}

#[tokio::test]
async fn no_name_of_an_incident_becomes_a_header_or_a_recipient() {
    let server = MailServer::start().await;
    let config = config(server.port(), SmtpTls::None, None);
    let mails = sent(&server, &config, &hostile(lee("lee@example.com")), 1).await;
    let mail = mails[0].replace("\r\n", "\n");
    let (head, _) = mail.split_once("\n\n").expect("a body");
    for line in head.lines() {
        assert!(!line.to_lowercase().starts_with("bcc"), "{head}");
    }
    let to = head.lines().find(|line| line.starts_with("X-RcptTo"));
    assert_eq!(to, Some("X-RcptTo: lee@example.com"), "{head}");
    for address in [
        "lee@example.com\r\nRCPT TO:<victim@example.com>",
        "lee@example.com\nBcc: victim@example.com",
        "lee@example.com, victim@example.com",
        "<lee@example.com> <victim@example.com>",
        "no address",
        "",
    ] {
        let outcome = send(&config, ChannelKind::Email, &page(lee(address))).await;
        assert_eq!(word(&outcome), "refused", "{address:?}: {outcome:?}");
    }
    assert_eq!(server.mails().expect("a box").len(), 1);
}

#[tokio::test]
async fn without_a_server_nothing_was_sent_and_it_is_tried_again() {
    let mut server = MailServer::start().await;
    let config = config(server.port(), SmtpTls::None, None);
    server.kill();
    let outcome = send(&config, ChannelKind::Email, &page(lee("lee@example.com"))).await;
    assert!(matches!(outcome, Outcome::Retry { .. }), "{outcome:?}");
}

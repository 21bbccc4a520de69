//! E-mail in, sent by another's SMTP client: Python's smtplib, and what no client would send over a bare socket.

use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;
use tests::installed;

use super::Up;
use tests::workdir::Workdir;
use tests::{Authority, bongsu::Builder};

/// Sends a mail; prints the code of the answer.
const CLIENT: &str = r#"
import json, smtplib, ssl, sys
from email.message import EmailMessage
job = json.load(sys.stdin)
mail = EmailMessage()
mail["Subject"], mail["From"], mail["To"] = job["subject"], "cron@web-1.example.com", job["to"]
if job.get("importance"):
    mail["Importance"] = job["importance"]
mail.set_content(job["text"], charset=job.get("charset", "utf-8"))
try:
    with smtplib.SMTP("127.0.0.1", job["port"], timeout=30) as server:
        if job.get("ca"):
            context = ssl.create_default_context(cafile=job["ca"])
            if job.get("shows"):
                context.load_cert_chain(job["shows"])
            server.starttls(context=context)
        server.send_message(mail)
    print(250)
except ssl.SSLCertVerificationError:
    print("not trusted")
except (ssl.SSLError, smtplib.SMTPServerDisconnected, ConnectionError):
    print("broken off")
except smtplib.SMTPRecipientsRefused as error:
    print(list(error.recipients.values())[0][0])
except smtplib.SMTPResponseException as error:
    print(error.smtp_code)
"#;

/// Sends a mail with smtplib; the code of the answer.
fn send(port: u16, mail: serde_json::Value) -> String {
    let python = installed::folder("aiosmtpd").join("bin/python");
    let mut job = mail;
    job["port"] = port.into();
    let mut client = Command::new(python)
        .args(["-c", CLIENT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut stdin = client.stdin.take().expect("a pipe");
    stdin
        .write_all(job.to_string().as_bytes())
        .expect("it reads");
    drop(stdin);
    let output = client.wait_with_output().expect("it ends");
    String::from_utf8(output.stdout)
        .expect("text")
        .trim()
        .to_owned()
}

/// What is answered to bytes, the connection's last answers included.
fn talk(port: u16, said: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a time-out");
    stream.write_all(said).expect("it is written");
    let mut heard = String::new();
    stream.read_to_string(&mut heard).expect("it is closed");
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mails_subject_opens_an_incident_and_its_recovery_ends_it() {
    let up = Up::start().await;
    up.bongsu(&["tenant", "add", "acme"]);
    let made = up.integration("nightly", "acme", "email");
    let key = made["key"].as_str().expect("a key");
    assert_eq!(
        made["url"],
        format!("{key}@localhost"),
        "the command knows of no `mail_in`"
    );
    let address = format!("{}@alerts.example.com", key.to_uppercase());
    let mail = |subject: &str, text: &str| json!({"to": address, "subject": subject, "text": text});
    // A key is known to the notifier soon after it was made.
    let first = mail("[P1] 디스크 web-1 가득 참", "남은 공간 0 %");
    up.waits(async || {
        let code = send(up.mail, first.clone());
        anyhow::ensure!(code == "250", "{code}");
        Ok(())
    })
    .await;
    up.until("디스크 web-1", &["acme P1 open"]).await;
    let mut again = mail("Re: [P1] 디스크 web-1 가득 참", "아직도");
    again["charset"] = "euc-kr".into();
    assert_eq!(send(up.mail, again), "250");
    assert_eq!(
        send(up.mail, mail("[RESOLVED] 디스크 web-1 가득 참", "")),
        "250"
    );
    up.until("디스크 web-1", &["acme P1 closed"]).await;
    // Of a listener on loopback without a token any address is the tenant `default`'s.
    let mut other = mail("backup failed", "x");
    other["to"] = "whoever@example.com".into();
    other["importance"] = "low".into();
    assert_eq!(send(up.mail, other), "250");
    up.until("backup failed", &["default P3 open"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_to_nobody_too_large_or_smuggled_are_refused() {
    let up = Up::guarded().await;
    let mail = json!({"to": "nobody@alerts.example.com", "subject": "x", "text": "x"});
    assert_eq!(send(up.mail, mail), "550");
    let open = Up::start().await;
    let large = json!({"to": "a@example.com", "subject": "large", "text": "x".repeat(2 << 20)});
    assert_eq!(send(open.mail, large), "552");
    let begin = "EHLO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<a@example.com>\r\nDATA\r\n";
    for smuggled in [
        "Subject: smuggled\r\n\r\nx\n.\nMAIL FROM:<b@example.com>\r\n.\r\n",
        "Subject: smuggled\r\n\r\nx\r.\r\n.\r\n",
        "Subject: smuggled\n\nx\r\n.\r\n",
    ] {
        let heard = talk(open.mail, format!("{begin}{smuggled}QUIT\r\n").as_bytes());
        assert!(
            heard.contains("554 5.6.0 a line ends with CR LF"),
            "{heard}"
        );
        assert_eq!(heard.matches("250 2.1.0").count(), 1, "one MAIL: {heard}");
        assert!(!heard.contains("250 2.0.0 taken"), "{heard}");
    }
    let long = format!(
        "{begin}Subject: {}\r\n\r\nx\r\n.\r\nQUIT\r\n",
        "x".repeat(100_000)
    );
    let heard = talk(open.mail, long.as_bytes());
    assert!(heard.contains("552 5.3.4 a line has at most"), "{heard}");
    let heard = talk(open.mail, &[b'x'; 5_000]);
    assert!(heard.contains("500 5.5.2 the line is too long"), "{heard}");
    let heard = talk(open.mail, "GET / HTTP/1.1\r\n".repeat(20).as_bytes());
    assert!(heard.contains("421 4.7.0 too many mistakes"), "{heard}");
    let loops = format!("{begin}Subject: loop\r\nX-Bongsu-Delivery: 1\r\n\r\nx\r\n.\r\nQUIT\r\n");
    assert!(talk(open.mail, loops.as_bytes()).contains("554 5.4.6"));
    for title in ["smuggled", "large", "loop"] {
        open.until(title, &[]).await;
    }
}

/// A certificate of this authority for the mail server.
fn sign(folder: &Workdir, authority: &Authority) {
    let signed = authority.sign(&["127.0.0.1"]);
    folder.write("mail.pem", &signed.certificate);
    folder.write("mail.key", &signed.key);
}

/// `bongsu` with a mail server that shows what stands in the folder.
fn with_tls(folder: &Workdir, bongsu: Builder) -> Builder {
    let file = |name: &str| folder.join(name).display().to_string();
    bongsu
        .env("BONGSU_NOTIFIER__MAIL_IN__TLS__CERT_FILE", file("mail.pem"))
        .env("BONGSU_NOTIFIER__MAIL_IN__TLS__KEY_FILE", file("mail.key"))
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_certificate_mails_are_taken_after_starttls_only() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let up = Up::with(|folder, bongsu| {
        sign(folder, &old);
        with_tls(folder, bongsu)
    })
    .await;
    let (old, new_ca) = (
        up.file("old.pem", &old.pem()),
        up.file("new.pem", &new.pem()),
    );
    let mail = |subject: &str, ca: Option<&str>| json!({"to": "a@example.com", "subject": subject, "text": "x", "ca": ca});
    assert_eq!(send(up.mail, mail("in the clear", None)), "530");
    assert_eq!(
        send(up.mail, mail("to a stranger", Some(&new_ca))),
        "not trusted"
    );
    assert_eq!(send(up.mail, mail("encrypted", Some(&old))), "250");
    up.until("encrypted", &["default P2 open"]).await;
    // What is said behind STARTTLS in the clear is not taken as if it had come encrypted.
    let begin = "EHLO x\r\nSTARTTLS\r\n";
    let heard = talk(
        up.mail,
        format!("{begin}MAIL FROM:<a@example.com>\r\nRCPT TO:<a@example.com>\r\nDATA\r\n")
            .as_bytes(),
    );
    assert!(
        heard.ends_with("421 5.5.1 nothing may follow STARTTLS before its answer\r\n"),
        "{heard}"
    );
    assert_eq!(heard.matches("250-STARTTLS").count(), 1, "{heard}");

    // The files change: what comes next is shown the new ones, and bad ones are refused.
    let reload = async || {
        let answer = up.client.post(format!("{}/-/reload", up.url)).send().await;
        answer.expect("an answer").text().await.expect("a text")
    };
    up.file("mail.pem", "not a certificate\n");
    let said = reload().await;
    assert!(said.contains("[-] certificates of notifier-mail"), "{said}");
    assert_eq!(send(up.mail, mail("the old one still", Some(&old))), "250");
    sign(&up.folder, &new);
    let said = reload().await;
    assert!(said.contains("[+] certificates of notifier-mail"), "{said}");
    assert_eq!(
        send(up.mail, mail("to the old one", Some(&old))),
        "not trusted"
    );
    assert_eq!(send(up.mail, mail("renewed", Some(&new_ca))), "250");
    up.until("renewed", &["default P2 open"]).await;
    for title in ["in the clear", "to a stranger", "to the old one"] {
        up.until(title, &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_asks_for_certificates_takes_mails_of_its_authority_only() {
    let (own, clients, strangers) = (
        Authority::new("own"),
        Authority::new("clients"),
        Authority::new("strangers"),
    );
    let up = Up::with(|folder, bongsu| {
        sign(folder, &own);
        let authority = folder.write("clients.pem", &clients.pem());
        with_tls(folder, bongsu).env(
            "BONGSU_NOTIFIER__MAIL_IN__TLS__CLIENT_CA_FILE",
            authority.display().to_string(),
        )
    })
    .await;
    let ca = up.file("own.pem", &own.pem());
    let shown = |authority: &Authority, name: &str| {
        let signed = authority.sign(&["mx.example.com"]);
        up.file(name, &(signed.key + &signed.certificate))
    };
    let mail = |subject: &str, shows: Option<&str>| json!({"to": "a@example.com", "subject": subject, "text": "x", "ca": ca, "shows": shows});
    assert_eq!(send(up.mail, mail("nameless", None)), "530");
    let stranger = shown(&strangers, "stranger.pem");
    assert_eq!(
        send(up.mail, mail("strange", Some(&stranger))),
        "broken off"
    );
    let known = shown(&clients, "known.pem");
    assert_eq!(send(up.mail, mail("known", Some(&known))), "250");
    up.until("known", &["default P2 open"]).await;
}

//! One connection of a mail server that brings alerts, as RFC 5321 has it: what is answered to each line. Pure: lines and
//! answers, no socket and no clock.
//!
//! Who may send is decided by the address alone, which holds the key of an integration. There is no relaying and no
//! authentication by name. A line ends with CR LF and nothing else, so that no other reading of what is inside a mail can
//! smuggle in a second one. Where STARTTLS (RFC 3207) is offered, no mail is taken before it, and nothing that was said
//! before it counts.

/// The longest line of a command, with its end (RFC 5321, 4.5.3.1.4, with room for extensions).
pub(super) const COMMAND_BYTES: usize = 2_048;
/// The largest mail.
pub(super) const MAIL_BYTES: usize = 1 << 20;
/// Addresses of one mail.
const RECIPIENTS: usize = 10;
/// What cannot be read, before the connection is closed.
const MISTAKES: u32 = 10;
/// Commands of one connection.
const COMMANDS: u32 = 1_000;

/// Whether a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Privacy {
    /// It is in the clear, and stays so.
    None,
    /// It is in the clear until STARTTLS.
    Offered,
    /// It is encrypted.
    Begun,
    /// It is encrypted, and the other side has not shown the certificate that is asked for.
    Nameless,
}

/// Where a connection stands.
#[derive(Debug)]
pub(super) struct Session {
    domain: String,
    privacy: Privacy,
    greeted: bool,
    from: Option<String>,
    to: Vec<String>,
    mistakes: u32,
    commands: u32,
}

/// What is to be done after a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Answer so.
    Say(String),
    /// Answer so, and close.
    Close(String),
    /// Look whether the address is one of ours, then [`Session::recipient`].
    Recipient(String),
    /// Answer so, then read a mail for these addresses.
    Mail(Vec<String>, String),
    /// Answer so, then make the handshake of TLS.
    Encrypt(String),
}

fn say(text: &str) -> Step {
    Step::Say(format!("{text}\r\n"))
}

impl Session {
    /// A connection to the mail server of `domain`.
    pub(super) fn new(domain: &str, privacy: Privacy) -> Self {
        Self {
            domain: domain.to_owned(),
            privacy,
            greeted: false,
            from: None,
            to: Vec::new(),
            mistakes: 0,
            commands: 0,
        }
    }

    /// The first words.
    pub(super) fn greeting(&self) -> String {
        format!("220 {} ESMTP\r\n", self.domain)
    }

    /// What follows from a line without its end.
    pub(super) fn line(&mut self, line: &[u8]) -> Step {
        self.commands += 1;
        if self.commands > COMMANDS {
            return Step::Close("421 4.7.0 too many commands\r\n".to_owned());
        }
        let Ok(text) = std::str::from_utf8(line) else {
            return self.mistake("500 5.5.2 a command is text");
        };
        if text.chars().any(char::is_control) {
            return self.mistake("500 5.5.2 a command is one line");
        }
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => self.hello(rest, true),
            "HELO" => self.hello(rest, false),
            "STARTTLS" => self.encrypt(rest),
            "MAIL" if self.privacy == Privacy::Offered => {
                self.mistake("530 5.7.0 STARTTLS first: an address holds a key")
            }
            "MAIL" if self.privacy == Privacy::Nameless => self.mistake(
                "530 5.7.0 show a client certificate of an authority that is trusted here",
            ),
            "MAIL" => self.mail(rest),
            "RCPT" => self.rcpt(rest),
            "DATA" if self.to.is_empty() => self.mistake("503 5.5.1 RCPT first"),
            "DATA" => {
                let to = std::mem::take(&mut self.to);
                self.from = None;
                Step::Mail(to, "354 end with a line of a single dot\r\n".to_owned())
            }
            "RSET" => {
                self.forget();
                say("250 2.0.0 ok")
            }
            "NOOP" => say("250 2.0.0 ok"),
            "VRFY" => say("252 2.1.5 send it, and see"),
            "QUIT" => Step::Close(format!("221 2.0.0 {} closes\r\n", self.domain)),
            _ => self.mistake("500 5.5.1 this command is not known"),
        }
    }

    /// What is answered about an address, once it is known whether it is one of ours.
    pub(super) fn recipient(&mut self, address: String, ours: bool) -> String {
        if !ours {
            self.mistakes += 1;
            return "550 5.1.1 no integration has this address\r\n".to_owned();
        }
        self.to.push(address);
        "250 2.1.5 ok\r\n".to_owned()
    }

    /// Whether there were so many mistakes that nobody serious is there.
    pub(super) fn is_hopeless(&self) -> bool {
        self.mistakes > MISTAKES
    }

    fn hello(&mut self, name: &str, extended: bool) -> Step {
        if name.trim().is_empty() {
            return self.mistake("501 5.5.4 say who you are");
        }
        self.forget();
        self.greeted = true;
        if !extended {
            return Step::Say(format!("250 {}\r\n", self.domain));
        }
        let starttls = match self.privacy {
            Privacy::Offered => "250-STARTTLS\r\n",
            Privacy::None | Privacy::Begun | Privacy::Nameless => "",
        };
        Step::Say(format!(
            "250-{}\r\n{starttls}250-SIZE {MAIL_BYTES}\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n",
            self.domain
        ))
    }

    fn encrypt(&mut self, rest: &str) -> Step {
        match self.privacy {
            Privacy::None => self.mistake("502 5.5.1 this server has no certificate"),
            Privacy::Begun | Privacy::Nameless => {
                self.mistake("503 5.5.1 this connection is encrypted")
            }
            Privacy::Offered if !rest.is_empty() => self.mistake("501 5.5.4 STARTTLS stands alone"),
            Privacy::Offered => Step::Encrypt("220 2.0.0 begin\r\n".to_owned()),
        }
    }

    fn mail(&mut self, rest: &str) -> Step {
        if !self.greeted {
            return self.mistake("503 5.5.1 EHLO first");
        }
        if self.from.is_some() {
            return self.mistake("503 5.5.1 one mail at a time");
        }
        let Some((address, parameters)) = path(rest, "FROM:") else {
            return self.mistake("501 5.5.4 write MAIL FROM:<address>");
        };
        let size = parameters.split(' ').find_map(|word| {
            let (name, value) = word.split_once('=')?;
            name.eq_ignore_ascii_case("SIZE")
                .then(|| value.parse::<usize>().unwrap_or(usize::MAX))
        });
        if size.is_some_and(|size| size > MAIL_BYTES) {
            return self.mistake("552 5.3.4 a mail has at most 1 MiB");
        }
        self.from = Some(address.to_owned());
        say("250 2.1.0 ok")
    }

    fn rcpt(&mut self, rest: &str) -> Step {
        if self.from.is_none() {
            return self.mistake("503 5.5.1 MAIL first");
        }
        if self.to.len() >= RECIPIENTS {
            return say("452 4.5.3 too many recipients");
        }
        match path(rest, "TO:") {
            Some((address, _)) if !address.is_empty() => Step::Recipient(address.to_owned()),
            _ => self.mistake("501 5.5.4 write RCPT TO:<address>"),
        }
    }

    fn forget(&mut self) {
        self.from = None;
        self.to.clear();
    }

    fn mistake(&mut self, text: &str) -> Step {
        self.mistakes += 1;
        if self.is_hopeless() {
            return Step::Close("421 4.7.0 too many mistakes\r\n".to_owned());
        }
        say(text)
    }
}

/// Address and parameters of `FROM:<address> SIZE=..`; the address may be empty.
fn path<'a>(rest: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let head = rest.get(..word.len())?;
    let rest = head
        .eq_ignore_ascii_case(word)
        .then(|| rest[word.len()..].trim_start())?;
    let (address, parameters) = rest.strip_prefix('<')?.split_once('>')?;
    // A route before the address (`@one,@two:`) is no use any more, and is left out.
    let address = address.rsplit_once(':').map_or(address, |(_, last)| last);
    let fits = address.len() <= 320 && !address.contains(['<', ' ']);
    fits.then_some((address, parameters))
}

/// The mail between `DATA` and its single dot, as it is read: lines with CR LF.
#[derive(Debug, Default)]
pub(super) struct Mail {
    bytes: Vec<u8>,
    problem: Option<&'static str>,
}

impl Mail {
    /// Takes a line without its CR LF; whether it was the last.
    pub(super) fn line(&mut self, line: &[u8]) -> bool {
        if line == b"." {
            return true;
        }
        if line.contains(&b'\r') || line.contains(&b'\n') {
            self.problem = Some("554 5.6.0 a line ends with CR LF and nothing else\r\n");
        }
        let line = line.strip_prefix(b".").unwrap_or(line);
        if self.bytes.len() + line.len() + 2 > MAIL_BYTES {
            self.problem = Some("552 5.3.4 a mail has at most 1 MiB\r\n");
            self.bytes = Vec::new();
        }
        if self.problem.is_none() {
            self.bytes.extend_from_slice(line);
            self.bytes.extend_from_slice(b"\r\n");
        }
        false
    }

    /// A part of a line that is too long to be held at once: the mail cannot be taken.
    pub(super) fn spoil(&mut self, why: &'static str) {
        self.problem = Some(why);
        self.bytes = Vec::new();
    }

    /// The mail, or why it cannot be taken.
    pub(super) fn end(self) -> Result<Vec<u8>, &'static str> {
        match self.problem {
            Some(problem) => Err(problem),
            None => Ok(self.bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A conversation: each line with how its answer begins.
    fn talk(lines: &[(&str, &str)]) {
        talk_as(Privacy::None, lines);
    }

    fn talk_as(privacy: Privacy, lines: &[(&str, &str)]) {
        let mut session = Session::new("alerts.example.com", privacy);
        assert_eq!(session.greeting(), "220 alerts.example.com ESMTP\r\n");
        for (line, expected) in lines {
            let said = match session.line(line.as_bytes()) {
                Step::Say(said) | Step::Close(said) | Step::Mail(_, said) | Step::Encrypt(said) => {
                    said
                }
                Step::Recipient(address) => {
                    let ours = address.starts_with("key");
                    session.recipient(address, ours)
                }
            };
            assert!(said.starts_with(expected), "{line}: {said}");
            assert!(said.ends_with("\r\n") && said.is_ascii(), "{said:?}");
        }
    }

    #[test]
    fn a_mail_is_taken_for_addresses_that_are_ours_and_in_its_order_only() {
        talk(&[
            ("MAIL FROM:<a@example.com>", "503"),
            ("EHLO mx.example.com", "250-"),
            ("DATA", "503"),
            ("RCPT TO:<key@alerts.example.com>", "503"),
            ("mail from:<a@example.com> SIZE=100 BODY=8BITMIME", "250"),
            ("MAIL FROM:<b@example.com>", "503"),
            ("RCPT TO:<other@example.com>", "550"),
            ("DATA", "503"),
            ("RCPT TO:<key@alerts.example.com>", "250"),
            ("RSET", "250"),
            ("DATA", "503"),
            ("MAIL FROM:<>", "250"),
            (
                "RCPT TO: <@relay.example.com:key@alerts.example.com>",
                "250",
            ),
            ("DATA", "354"),
            ("NOOP", "250"),
            ("QUIT", "221"),
        ]);
    }

    #[test]
    fn what_is_no_command_is_refused_and_soon_ends_it() {
        talk(&[
            ("HELO x", "250 "),
            ("MAIL FROM:a@example.com", "501"),
            ("MAIL FROM:<a b@example.com>", "501"),
            ("MAIL FROM:<a@example.com> SIZE=99999999", "552"),
            ("MAIL FROM:<a@example.com> SIZE=many", "552"),
            ("EXPN list", "500"),
            ("", "500"),
            ("MAIL FROM:<a\u{1}@example.com>", "500"),
            ("AUTH PLAIN AGEAYg==", "500"),
            ("STARTTLS", "502"),
            ("EHLO", "501"),
            ("GET / HTTP/1.1", "421"),
        ]);
    }

    #[test]
    fn where_starttls_is_offered_no_mail_is_taken_before_it() {
        let offers = |privacy| {
            let Step::Say(said) = Session::new("x", privacy).line(b"EHLO x") else {
                panic!("EHLO is answered");
            };
            said.contains("250-STARTTLS\r\n")
        };
        assert!(offers(Privacy::Offered) && !offers(Privacy::None) && !offers(Privacy::Begun));
        talk_as(
            Privacy::Offered,
            &[
                ("HELO x", "250 "),
                ("MAIL FROM:<a@example.com>", "530"),
                ("RCPT TO:<key@alerts.example.com>", "503"),
                ("STARTTLS now", "501"),
                ("starttls", "220"),
            ],
        );
        talk_as(
            Privacy::Nameless,
            &[("EHLO x", "250-"), ("MAIL FROM:<a@example.com>", "530")],
        );
        talk_as(
            Privacy::Begun,
            &[
                ("EHLO x", "250-"),
                ("STARTTLS", "503"),
                ("MAIL FROM:<a@example.com>", "250"),
            ],
        );
    }

    #[test]
    fn a_dot_is_the_end_alone_and_bare_line_ends_are_refused() {
        let read = |lines: &[&[u8]]| {
            let mut mail = Mail::default();
            let ends: Vec<bool> = lines.iter().map(|line| mail.line(line)).collect();
            (ends, mail.end())
        };
        let (ends, mail) = read(&[b"Subject: x", b"", b"..a", b".b", b"."]);
        assert_eq!(ends, [false, false, false, false, true]);
        assert_eq!(mail, Ok(b"Subject: x\r\n\r\n.a\r\nb\r\n".to_vec()));
        for smuggled in [&b"x\n."[..], b"x\n.\nMAIL FROM:<b@example.com>", b"x\r."] {
            let (_, mail) = read(&[smuggled, b"."]);
            assert!(mail.is_err(), "{smuggled:?}");
        }
        let long = vec![b'x'; MAIL_BYTES];
        assert!(read(&[&long, b"."]).1.is_err());
    }
}

//! E-mail in: a mail server that takes mails for the addresses of integrations, and nothing else.
//!
//! The address is the integration's key at any domain, so that whoever has it may send. A mail is answered 250 once its
//! report stands in the store. With a certificate mails are taken after STARTTLS only, so that no key is said in the clear.

mod read;
mod session;

use crate::commands::Commands;
use crate::config::MailIn;
use crate::reports::ReportError;
use model::TenantId;
use runtime::{Handshakes, OnEnd, Shutdown, Tasks};
use schemas::catalogue::IntegrationFormat;
use session::{COMMAND_BYTES, MAIL_BYTES, Mail, Privacy, Session, Step};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Connections at once.
const CONNECTIONS: usize = 64;
/// For one line to come.
const LINE: Duration = Duration::from_secs(60);
/// For a whole connection.
const CONVERSATION: Duration = Duration::from_secs(600);
/// Whose mails come to any address, where that is let in.
const DEFAULT_TENANT: &str = "default";

/// Who may send to an address, and how it is reached.
#[derive(Debug, Clone)]
pub struct Door {
    commands: Commands,
    domain: Arc<str>,
    /// Any address is the tenant `default`'s: a listener on a loopback address of a notifier without a token.
    open: bool,
    /// Makes the handshakes of STARTTLS.
    tls: Option<Handshakes>,
}

/// Whose mail it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Whose {
    tenant: TenantId,
    source: String,
}

/// Takes mails until the order to stop.
pub async fn run(listener: TcpListener, door: Door, tasks: Tasks) -> Result<(), Infallible> {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let order = tasks.shutdown();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = order.begun() => return Ok(()),
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection with mail could not be taken");
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            // Best effort: whoever is there comes again.
            drop(stream.try_write(b"421 4.3.2 too many connections\r\n"));
            continue;
        };
        let (door, order) = (door.clone(), order.clone());
        tasks.spawn("notifier mail", OnEnd::Fine, async move {
            let talk = timeout(CONVERSATION, converse(stream, &door, &order)).await;
            if !matches!(talk, Ok(Ok(()))) {
                tracing::debug!(?talk, "a connection with mail broke off");
            }
            drop(place);
            Ok::<(), Infallible>(())
        });
    }
}

/// One connection, in the clear until STARTTLS where that is offered.
async fn converse(mut stream: TcpStream, door: &Door, order: &Shutdown) -> io::Result<()> {
    let privacy = match door.tls {
        Some(_) => Privacy::Offered,
        None => Privacy::None,
    };
    let mut session = Session::new(&door.domain, privacy);
    stream.write_all(session.greeting().as_bytes()).await?;
    let end = talk(&mut stream, &mut session, door, order).await?;
    let (End::Encrypt, Some(tls)) = (end, &door.tls) else {
        return Ok(());
    };
    let made = timeout(LINE, tls.accept(stream)).await;
    let mut stream = made.map_err(|_| io::ErrorKind::TimedOut)??;
    let privacy = match tls.is_welcome(&stream) {
        true => Privacy::Begun,
        false => Privacy::Nameless,
    };
    // Nothing that was said before counts.
    let mut session = Session::new(&door.domain, privacy);
    talk(&mut stream, &mut session, door, order).await?;
    stream.shutdown().await
}

/// How a conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It is over.
    Over,
    /// The handshake of TLS follows.
    Encrypt,
}

async fn talk(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    session: &mut Session,
    door: &Door,
    order: &Shutdown,
) -> io::Result<End> {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        let read = read_line(&mut stream, &mut line, COMMAND_BYTES);
        let got = tokio::select! {
            got = read => got?,
            () = order.begun() => {
                say(&mut stream, "421 4.3.2 going away\r\n").await?;
                return Ok(End::Over);
            }
        };
        let step = match got {
            Got::End => return Ok(End::Over),
            Got::Long => Step::Close("500 5.5.2 the line is too long\r\n".to_owned()),
            Got::Line => session.line(&line),
        };
        match step {
            Step::Say(text) => say(&mut stream, &text).await?,
            Step::Close(text) => {
                say(&mut stream, &text).await?;
                return Ok(End::Over);
            }
            Step::Recipient(address) => {
                let ours = door.whose(&address).is_some();
                let text = session.recipient(address, ours);
                say(&mut stream, &text).await?;
                if session.is_hopeless() {
                    return Ok(End::Over);
                }
            }
            Step::Mail(to, text) => {
                say(&mut stream, &text).await?;
                let said = match read_mail(&mut stream).await? {
                    Ok(bytes) => door.take(&to, &bytes).await,
                    Err(why) => why,
                };
                say(&mut stream, said).await?;
            }
            // What stands behind STARTTLS in the clear would be taken as if it had come encrypted.
            Step::Encrypt(_) if !stream.buffer().is_empty() => {
                let text = "421 5.5.1 nothing may follow STARTTLS before its answer\r\n";
                say(&mut stream, text).await?;
                return Ok(End::Over);
            }
            Step::Encrypt(text) => {
                say(&mut stream, &text).await?;
                return Ok(End::Encrypt);
            }
        }
    }
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes()).await?;
    stream.flush().await
}

/// What came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Got {
    /// A line, without its CR LF.
    Line,
    /// More than fits in one.
    Long,
    /// Nothing any more.
    End,
}

/// Reads up to the next CR LF; a CR or LF alone is a part of the line.
async fn read_line(
    reader: &mut (impl AsyncBufReadExt + Unpin),
    line: &mut Vec<u8>,
    most: usize,
) -> io::Result<Got> {
    line.clear();
    loop {
        let room = (most + 1).saturating_sub(line.len()) as u64;
        let mut part = reader.take(room);
        let read = timeout(LINE, part.read_until(b'\n', line));
        let count = read.await.map_err(|_| io::ErrorKind::TimedOut)??;
        if line.ends_with(b"\r\n") {
            line.truncate(line.len() - 2);
            return Ok(Got::Line);
        }
        if line.len() > most {
            return Ok(Got::Long);
        }
        if count == 0 {
            return Ok(Got::End);
        }
    }
}

/// Reads up to the single dot; what cannot be taken is read to its end all the same, within twice the bound.
async fn read_mail(
    reader: &mut (impl AsyncBufReadExt + Unpin),
) -> io::Result<Result<Vec<u8>, &'static str>> {
    let mut mail = Mail::default();
    let (mut line, mut total) = (Vec::new(), 0_usize);
    // The rest of a line that is too long is no line of its own.
    let mut within = false;
    loop {
        let got = read_line(reader, &mut line, 64 << 10).await?;
        total += line.len() + 2;
        if got == Got::End || total > 2 * MAIL_BYTES {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match got {
            Got::Long => {
                mail.spoil("552 5.3.4 a line has at most 64 KiB\r\n");
                within = true;
            }
            _ if within => within = false,
            _ if mail.line(&line) => return Ok(mail.end()),
            _ => {}
        }
    }
}

impl Door {
    /// Of a mail server. `open` lets in any address, as the tenant `default`'s.
    pub fn new(config: MailIn, commands: Commands, open: bool, tls: Option<Handshakes>) -> Self {
        Self {
            commands,
            domain: config.domain.into(),
            open,
            tls,
        }
    }

    /// Whose an address is; none when nobody's.
    fn whose(&self, address: &str) -> Option<Whose> {
        let (local, _) = address.rsplit_once('@').unwrap_or((address, ""));
        let integrations = self.commands.integrations();
        let found = integrations
            .opened_by(&local.to_ascii_lowercase())
            .filter(|each| each.format == IntegrationFormat::Email);
        match found {
            Some(integration) => Some(Whose {
                tenant: integration.tenant.clone(),
                source: integration.integration.clone(),
            }),
            None if self.open => Some(Whose {
                tenant: TenantId::parse(DEFAULT_TENANT).ok()?,
                source: "email".to_owned(),
            }),
            None => None,
        }
    }

    /// Takes a mail over for each address; what the sender is told.
    async fn take(&self, to: &[String], bytes: &[u8]) -> &'static str {
        for address in to {
            // Revoked since it was named.
            let Some(whose) = self.whose(address) else {
                return "550 5.1.1 no integration has this address\r\n";
            };
            let report = match read::report(bytes, &whose.source, self.commands.now()) {
                Ok(report) => report,
                Err(why) => return why.0,
            };
            let taken = self
                .commands
                .report_alerts(&whose.tenant, &whose.source, vec![report])
                .await;
            match taken {
                Ok(_) => {}
                Err(ReportError::TooMany) => {
                    return "452 4.3.1 too many alerts of this tenant fire\r\n";
                }
                Err(ReportError::Store(error)) => {
                    tracing::error!(%error, "the store did not take a mail's report");
                    return "451 4.3.0 the store did not answer; send it again\r\n";
                }
            }
        }
        "250 2.0.0 taken\r\n"
    }
}

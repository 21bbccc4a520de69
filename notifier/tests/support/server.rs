//! A small HTTP server that answers as it is told and remembers what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the server does with the next request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Answers.
    Say {
        status: u16,
        headers: String,
        body: String,
    },
    /// Reads the request and hangs up.
    HangUp,
    /// Reads the request and says nothing.
    Silence,
}

impl Reply {
    pub fn json(status: u16, body: &str) -> Self {
        let headers = "content-type: application/json\r\n".to_owned();
        Self::Say {
            status,
            headers,
            body: body.to_owned(),
        }
    }

    pub fn with(self, header: &str) -> Self {
        match self {
            Self::Say {
                status,
                headers,
                body,
            } => Self::Say {
                status,
                headers: format!("{headers}{header}\r\n"),
                body,
            },
            other => other,
        }
    }
}

/// What was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Method and target.
    pub line: String,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// The server; it lives as long as the test's runtime.
#[derive(Clone)]
pub struct Server {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Starts one that gives these replies in turn and then hangs up.
    #[allow(
        clippy::disallowed_methods,
        reason = "a test's server needs no supervision"
    )]
    pub async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let server = Self {
            url,
            asked: asked.clone(),
        };
        tokio::spawn(async move {
            let mut replies = replies.into_iter();
            while let Ok((stream, _)) = listener.accept().await {
                let reply = replies.next().unwrap_or(Reply::HangUp);
                let asked = asked.clone();
                tokio::spawn(async move {
                    answer(stream, reply, &asked).await;
                });
            }
        });
        server
    }

    /// An address where nobody listens.
    pub fn closed() -> Self {
        Self {
            url: "http://127.0.0.1:9".to_owned(),
            asked: Arc::default(),
        }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(mut stream: TcpStream, reply: Reply, asked: &Mutex<Vec<Asked>>) {
    let Some(request) = read(&mut stream).await else {
        return;
    };
    asked.lock().unwrap().push(request);
    match reply {
        Reply::HangUp => {}
        Reply::Silence => tokio::time::sleep(Duration::from_secs(3_600)).await,
        Reply::Say {
            status,
            headers,
            body,
        } => {
            let length = body.len();
            let text = format!(
                "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
            );
            // The other side may have gone.
            stream.write_all(text.as_bytes()).await.unwrap_or_default();
            stream.shutdown().await.unwrap_or_default();
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).ok()?;
    let mut lines = text.lines();
    let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
    while bytes.len() < head + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(bytes[head + 4..].to_vec()).ok()?;
    Some(Asked {
        line,
        headers,
        body,
    })
}

//! What is sent to harm: bombs, bodies without end, connections that say nothing. One test a file, because it
//! measures the process.

// The test is the outside world: it has a clock of its own and says what it measured.
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

mod support;

use reqwest::StatusCode;
use router::Config;
use std::io::Write;
use std::time::{Duration, Instant};
use support::{TOKEN, World, world};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const CONNECTIONS: usize = 400;
const MOST_MORE: usize = 64 << 20;

/// The most memory that the process had since the last call, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    let kib = line.split_whitespace().nth(1).unwrap();
    kib.parse::<usize>().unwrap() << 10
}

fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    // 256 MiB of zeros, written a MiB at a time.
    let part = vec![0_u8; 1 << 20];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut zstd = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    for _ in 0..256 {
        gzip.write_all(&part).unwrap();
        zstd.write_all(&part).unwrap();
    }
    // A header that promises 2.5 GB, and a frame with a window of 2 GiB.
    let snappy = vec![0x80, 0xe4, 0x97, 0xd0, 0x09, 0];
    let window = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x09, 0, 0, b'a'];
    vec![
        ("gzip", gzip.finish().unwrap()),
        ("zstd", zstd.finish().unwrap()),
        ("snappy", snappy),
        ("zstd", window),
    ]
}

async fn bombs_are_refused(world: &World) {
    for (encoding, body) in bombs() {
        for path in [
            "/api/v2/write",
            "/write",
            "/api/v1/metrics",
            "/v1/metrics",
            "/api/v1/write",
        ] {
            let kind = match path {
                "/v1/metrics" | "/api/v1/write" => "application/x-protobuf",
                _ => "text/plain",
            };
            let request = world
                .http
                .post(format!("{}{path}", world.url))
                .bearer_auth(TOKEN);
            let request = request
                .header("content-encoding", encoding)
                .header("content-type", kind);
            let request = request.body(body.clone());
            // The first look sets the mark back.
            peak();
            let before = peak();
            let answer = request.send().await.unwrap();
            let more = peak().saturating_sub(before);
            assert!(
                answer.status().is_client_error(),
                "{encoding} {path}: {}",
                answer.status()
            );
            println!(
                "{encoding} of {} bytes to {path}: {} KiB more",
                body.len(),
                more >> 10
            );
            assert!(more <= MOST_MORE, "{encoding} {path}: {more} bytes more");
        }
    }
}

async fn connect(world: &World) -> TcpStream {
    TcpStream::connect(world.url.strip_prefix("http://").unwrap())
        .await
        .unwrap()
}

/// A body that says that it has 10 GB, and a line that does not end.
async fn a_line_without_end_is_cut_off(world: &World) {
    let mut stream = connect(world).await;
    let head = format!(
        "POST /api/v2/write HTTP/1.1\r\nHost: x\r\nAuthorization: Token {TOKEN}\r\nContent-Length: 10000000000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let part = vec![b'a'; 1 << 20];
    let mut sent = 0;
    while sent < 1 << 30 && stream.write_all(&part).await.is_ok() {
        sent += part.len();
    }
    assert!(sent < 64 << 20, "{sent} bytes were taken");
}

/// Connections that send a byte of a head now and then, and one writer beside them.
async fn connections_that_say_nothing_are_closed(world: &World) {
    let begun = Instant::now();
    let mut silent = JoinSet::new();
    for n in 0..CONNECTIONS {
        let mut stream = connect(world).await;
        stream
            .write_all(b"POST /api/v2/write HTTP/1.1\r\nHost:")
            .await
            .unwrap();
        silent.spawn(async move {
            let mut answer = Vec::new();
            // It is closed with or without an answer.
            stream.read_to_end(&mut answer).await.ok();
            n
        });
    }
    let mut slowest = Duration::ZERO;
    while !silent.is_empty() {
        let asked = Instant::now();
        let request = world
            .http
            .post(format!("{}/api/v2/write", world.url))
            .bearer_auth(TOKEN);
        let answer = request.body("m,host=a v=1 1\n").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        slowest = slowest.max(asked.elapsed());
        while silent.try_join_next().is_some() {}
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{} are still open",
            silent.len()
        );
    }
    let closed = begun.elapsed();
    println!(
        "{CONNECTIONS} connections were closed after {closed:?}; the slowest write took {slowest:?}"
    );
    assert!(closed < Duration::from_secs(10), "{closed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_senders_cost_little_and_nobody_else_notices() {
    let world = world(Config::default()).await;
    bombs_are_refused(&world).await;
    a_line_without_end_is_cut_off(&world).await;
    connections_that_say_nothing_are_closed(&world).await;
}

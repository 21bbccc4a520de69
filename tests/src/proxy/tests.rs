//! Each rule, seen by a client of an echo.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Answers, Proxy, Rules};

/// Says back what it hears.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                tokio::io::copy(&mut reader, &mut writer).await
            });
        }
    });
    address
}

async fn world() -> (Proxy, TcpStream) {
    let proxy = Proxy::start(echo().await).await;
    let client = TcpStream::connect(proxy.address()).await.unwrap();
    (proxy, client)
}

async fn says(client: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
    client.write_all(text).await?;
    let mut heard = vec![0; text.len()];
    client.read_exact(&mut heard).await?;
    Ok(heard)
}

#[tokio::test]
async fn what_is_not_touched_passes_and_ends_as_it_was() {
    let (proxy, mut client) = world().await;
    let text = vec![7; 300_000];
    let (mut reader, mut writer) = client.split();
    let mut heard = Vec::new();
    let (_, sent) = tokio::join!(reader.read_to_end(&mut heard), async {
        writer.write_all(&text).await?;
        writer.shutdown().await
    });
    sent.unwrap();
    assert!(heard == text);
    assert_eq!(proxy.connections(), 1);
}

#[tokio::test]
async fn a_delay_counts_both_ways_and_holds_nothing_up_behind_it() {
    let (proxy, mut client) = world().await;
    let delay = Duration::from_millis(100);
    proxy.delay(delay);
    let began = Instant::now();
    // Three chunks at least, one delay.
    assert!(says(&mut client, &[1; 50_000]).await.unwrap() == [1; 50_000]);
    let took = began.elapsed();
    assert!(took >= 2 * delay && took < 6 * delay, "{took:?}");
}

#[tokio::test]
async fn a_black_hole_says_nothing_and_gives_back_what_it_holds() {
    let (proxy, mut client) = world().await;
    assert_eq!(says(&mut client, b"before").await.unwrap(), b"before");
    proxy.black_hole();
    let mut late = TcpStream::connect(proxy.address()).await.unwrap();
    for client in [&mut client, &mut late] {
        client.write_all(b"inside").await.unwrap();
        let mut byte = [0];
        let answer = tokio::time::timeout(Duration::from_millis(200), client.read(&mut byte)).await;
        assert!(answer.is_err(), "{answer:?}");
    }
    proxy.heal();
    for client in [&mut client, &mut late] {
        let mut heard = [0; 6];
        client.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"inside");
    }
}

#[tokio::test]
async fn a_reset_ends_what_is_open_and_a_refusal_what_comes() {
    let (proxy, mut client) = world().await;
    says(&mut client, b"x").await.unwrap();
    proxy.reset();
    let error = client.read(&mut [0]).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(says(&mut client, b"again").await.unwrap(), b"again");
    proxy.refuse();
    client.read(&mut [0]).await.unwrap_err();
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    says(&mut client, b"x").await.unwrap_err();
    proxy.heal();
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(says(&mut client, b"healed").await.unwrap(), b"healed");
}

#[tokio::test]
async fn a_rate_is_kept_and_slices_are_small() {
    let (proxy, mut client) = world().await;
    proxy.set(Rules {
        rate: Some(100_000),
        ..Rules::default()
    });
    let began = Instant::now();
    says(&mut client, &[1; 30_000]).await.unwrap();
    let took = began.elapsed().as_secs_f64();
    assert!((0.25..1.5).contains(&took), "30,000 bytes took {took} s");

    proxy.set(Rules {
        slice: Some(3),
        ..Rules::default()
    });
    client.write_all(&[2; 300]).await.unwrap();
    let mut buffer = [0; 300];
    let first = client.read(&mut buffer).await.unwrap();
    assert!(first < 300, "all came at once");
    client.read_exact(&mut buffer[first..]).await.unwrap();
}

#[tokio::test]
async fn a_swallowed_answer_is_a_reset_and_only_so_many_are() {
    let (proxy, mut client) = world().await;
    says(&mut client, b"well").await.unwrap();
    proxy.swallow(Answers::Any, 1);
    says(&mut client, b"lost").await.unwrap_err();
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    says(&mut client, b"well").await.unwrap();
    assert_eq!(proxy.swallowed(), 1);
}

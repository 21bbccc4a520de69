//! How bytes pass one connection.

use std::io::{self, ErrorKind};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};

use super::frames::Produces;
use super::{Answers, Rules, Shared};

const CHUNK: usize = 16 << 10;
/// Chunks under way while they are delayed; then the sender has to wait.
const UNDER_WAY: usize = 256;
/// A rate is kept in so many steps a second.
const STEPS: u64 = 20;

/// Bytes, and when they are due.
type Chunk = (Instant, Vec<u8>);

/// What is looked at on the way.
#[derive(Clone, Copy)]
enum Way<'a> {
    Up(&'a Mutex<Produces>),
    Down(&'a Mutex<Produces>, &'a Shared),
}

/// Passes until both sides have ended; an error wants the connection reset.
pub(super) async fn both_ways(
    client: &mut TcpStream,
    upstream: &mut TcpStream,
    shared: &Shared,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    upstream.set_nodelay(true)?;
    let produces = Mutex::default();
    let (from_client, to_client) = client.split();
    let (from_upstream, to_upstream) = upstream.split();
    let rules = || shared.rules.subscribe();
    let up = one_way(from_client, to_upstream, rules(), Way::Up(&produces));
    let down = one_way(
        from_upstream,
        to_client,
        rules(),
        Way::Down(&produces, shared),
    );
    tokio::try_join!(up, down).map(|_| ())
}

async fn one_way(
    reader: ReadHalf<'_>,
    writer: WriteHalf<'_>,
    rules: watch::Receiver<Rules>,
    way: Way<'_>,
) -> io::Result<()> {
    let (chunks, queue) = mpsc::channel(UNDER_WAY);
    let taking = take(reader, chunks, rules.clone(), way);
    let giving = give(writer, queue, rules);
    tokio::try_join!(taking, giving).map(|_| ())
}

async fn take(
    mut reader: ReadHalf<'_>,
    chunks: mpsc::Sender<Chunk>,
    mut rules: watch::Receiver<Rules>,
    way: Way<'_>,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        open(&mut rules).await?;
        let read = reader.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        if way.ends_with(&buffer[..read]) {
            return Err(ErrorKind::ConnectionReset.into());
        }
        let due = Instant::now() + rules.borrow().delay;
        let sent = chunks.send((due, buffer[..read].to_vec())).await;
        sent.map_err(|_| ErrorKind::BrokenPipe)?;
    }
}

async fn give(
    mut writer: WriteHalf<'_>,
    mut chunks: mpsc::Receiver<Chunk>,
    mut rules: watch::Receiver<Rules>,
) -> io::Result<()> {
    while let Some((due, bytes)) = chunks.recv().await {
        tokio::time::sleep_until(due.into()).await;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            // Looked at again for each piece: a slow chunk may outlive its rules.
            let Rules { rate, slice, .. } = open(&mut rules).await?;
            let step = rate.map_or(CHUNK, |rate| usize::try_from(rate / STEPS).unwrap_or(CHUNK));
            let most = step.min(slice.unwrap_or(CHUNK)).max(1);
            let (piece, others) = rest.split_at(most.min(rest.len()));
            writer.write_all(piece).await?;
            rest = others;
            match rate {
                Some(rate) => {
                    let seconds = piece.len() as f64 / rate.max(1) as f64;
                    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
                }
                // The reader shall have a chance to see the piece alone.
                None if slice.is_some() => tokio::task::yield_now().await,
                None => {}
            }
        }
    }
    writer.shutdown().await
}

/// Waits while the connection leads into a black hole.
async fn open(rules: &mut watch::Receiver<Rules>) -> io::Result<Rules> {
    let opened = rules.wait_for(|rules| !rules.black_hole).await;
    let opened = opened.map_err(|_| ErrorKind::ConnectionReset)?;
    Ok(opened.clone())
}

impl Way<'_> {
    /// Looks at what passes, and says whether it is an answer to be swallowed.
    fn ends_with(self, bytes: &[u8]) -> bool {
        let note = |produces: &Mutex<Produces>| {
            produces
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .asked(bytes);
        };
        let answered = |produces: &Mutex<Produces>| {
            produces
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .answered(bytes)
        };
        match self {
            Way::Up(produces) => {
                note(produces);
                false
            }
            Way::Down(produces, shared) => {
                let produced = answered(produces);
                let wanted = match *shared.swallow.borrow() {
                    Answers::Any => true,
                    Answers::KafkaProduce => produced,
                };
                wanted && shared.take_swallow()
            }
        }
    }
}

//! Who is measured: a process, and what it used of the machine since it was looked at first.

use crate::cli::Rival;
use crate::report::{Cell, Figures, Outcome};
use crate::usage;
use anyhow::{Context, Result, ensure};
use runtime::Clock;
use std::process::Command;
use std::time::Duration;
use tests::process::Process;
use tests::wait;
use tests::workdir::Workdir;

const STOP: Duration = Duration::from_secs(60);
/// A contender that needs longer for a cell does not count.
const CELL: Duration = Duration::from_secs(60);
const CELL_A_LINE: Duration = Duration::from_micros(400);

/// Everyone who takes part, Bongsu first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// The product.
    Bongsu,
    /// A Telegraf.
    Rival(Rival),
}

impl Who {
    /// Bongsu and its rivals.
    pub(crate) fn all(rivals: &[Rival]) -> impl Iterator<Item = Self> {
        std::iter::once(Self::Bongsu).chain(rivals.iter().copied().map(Self::Rival))
    }

    /// A name for groups, folders and messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bongsu => "bongsu",
            Self::Rival(Rival::Telegraf) => "telegraf",
            Self::Rival(Rival::TelegrafTuned) => "telegraf-tuned",
        }
    }

    /// Writes what came of its run into its place.
    pub(crate) fn note(self, cell: &mut Cell, outcome: Outcome) {
        match self {
            Self::Bongsu => cell.bongsu = outcome,
            Self::Rival(Rival::Telegraf) => cell.telegraf = Some(outcome),
            Self::Rival(Rival::TelegrafTuned) => cell.telegraf_tuned = Some(outcome),
        }
    }
}

/// The time that a cell of so many lines may take.
pub(crate) fn cell_time(lines: u64) -> Duration {
    CELL + CELL_A_LINE * u32::try_from(lines).unwrap_or(u32::MAX)
}

/// A contender that runs. Fields drop in order: the process before its folder.
#[derive(Debug)]
pub(crate) struct Contender {
    process: Process,
    id: u32,
    /// When it was looked at, and its resident size then.
    sizes: Vec<(i64, u64)>,
    _folder: Workdir,
}

/// What a contender had used, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// User and system time.
    pub(crate) cpu: Duration,
    /// Nanoseconds since 1970.
    pub(crate) nanos: i64,
}

impl Contender {
    /// Starts it; `folder` goes when it does.
    ///
    /// # Errors
    /// When it ends at once.
    pub(crate) fn start(name: &str, command: Command, folder: Workdir) -> Result<Self> {
        let process = Process::start(name, command, folder.join("log"));
        let id = process
            .id()
            .with_context(|| format!("{name} has no process id"))?;
        Ok(Self {
            process,
            id,
            sizes: Vec::new(),
            _folder: folder,
        })
    }

    /// Waits until `ask` says yes.
    pub(crate) async fn ready(&mut self, within: Duration, ask: impl AsyncFnMut() -> Result<bool>) {
        self.process.ready(within, ask).await;
    }

    /// What it has used so far.
    ///
    /// # Errors
    /// When it has ended.
    pub(crate) fn look(&mut self) -> Result<Look> {
        if let Some(status) = self.process.ended() {
            anyhow::bail!("it ended with {status}");
        }
        let nanos = Clock::system().now_nanos();
        self.sizes.push((nanos, usage::rss(self.id)?));
        Ok(Look {
            cpu: usage::cpu(self.id)?,
            nanos,
        })
    }

    /// Waits until `ask` says yes, as long as the contender runs.
    ///
    /// # Errors
    /// When it ends before that, or the time is over; its log is printed then.
    pub(crate) async fn until(
        &mut self,
        within: Duration,
        mut ask: impl AsyncFnMut() -> Result<bool>,
    ) -> Result<()> {
        let answer = wait::until(within, async || match self.look() {
            Ok(_) => Ok(ask().await?.then_some(Ok(()))),
            Err(ended) => Ok(Some(Err(ended))),
        });
        let answer = answer.await.and_then(|answer| answer);
        if answer.is_err() {
            eprintln!("{}", self.process.tail());
        }
        answer
    }

    /// The cost of `lines` lines, from a look until now; the last of them arrived at `last_nanos`.
    ///
    /// # Errors
    /// When it has ended, or no line came after the look.
    pub(crate) fn figures(&mut self, lines: u64, from: Look, last_nanos: i64) -> Result<Figures> {
        let cpu = self.look()?.cpu.saturating_sub(from.cpu);
        let took = u64::try_from(last_nanos - from.nanos).unwrap_or(0);
        ensure!(
            took > 0,
            "the last line arrived before the first was asked for"
        );
        let took = Duration::from_nanos(took);
        let during = self.sizes.iter().filter(|(at, _)| *at >= from.nanos);
        Ok(Figures {
            rss_mb_by_tenth: usage::by_tenth(during.copied(), from.nanos, last_nanos),
            ..Figures::new(lines, cpu, took, usage::peak_rss(self.id)?)
        })
    }

    /// Waits until its log holds a text, and says when that was, in nanoseconds since 1970.
    ///
    /// # Errors
    /// When it ends before that, or the time is over.
    pub(crate) async fn until_logged(
        &mut self,
        within: Duration,
        text: &str,
        seen: &mut i64,
    ) -> Result<()> {
        let log = self.process.log().to_owned();
        self.until(within, async || {
            *seen = Clock::system().now_nanos();
            Ok(std::fs::read_to_string(&log)?.contains(text))
        })
        .await
    }

    /// How many lines of its log hold this text.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(crate) fn logged(&self, text: &str) -> Result<usize> {
        let log = std::fs::read_to_string(self.process.log())?;
        Ok(log.lines().filter(|line| line.contains(text)).count())
    }

    /// When it last logged a line that holds this text, by its own clock, in nanoseconds since 1970.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn last_logged(&self, text: &str) -> Result<i64> {
        let log = std::fs::read_to_string(self.process.log())?;
        let line = log.lines().rfind(|line| line.contains(text));
        let line = line.with_context(|| format!("its log does not say `{text}`"))?;
        let line: serde_json::Value = serde_json::from_str(line)?;
        let at = line["timestamp"].as_str().context("a line has a time")?;
        let at: jiff::Timestamp = at.parse()?;
        Ok(i64::try_from(at.as_nanosecond())?)
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// SIGKILL, as when the machine is lost.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Ends it in order.
    ///
    /// # Errors
    /// When it does not end in time.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.process.terminate(STOP).await.map(|_| ())
    }
}

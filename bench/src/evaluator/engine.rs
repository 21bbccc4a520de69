//! The engine alone, on one core: the program replays what it is given on its standard input.

use super::load::{Fleet, Which};
use super::{Cell, Figure};
use crate::usage;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use tests::workdir::Workdir;

/// A run of the engine over a fleet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) fleet: Fleet,
    pub(super) rounds: u64,
}

impl Run {
    pub(super) fn points(&self) -> u64 {
        self.fleet.hosts * self.fleet.which.lines() * self.rounds
    }

    /// Replays it and says what it took.
    pub(super) fn measure(&self, bongsu: &Path, name: &'static str) -> Result<Cell> {
        let folder = Workdir::new("templates");
        let templates = templates(&folder, self.fleet.every)?;
        let begun = Instant::now();
        let mut child = Command::new(bongsu)
            .args([
                "template",
                "replay",
                "-o",
                "jsonl",
                "--points",
                "-",
                "--templates",
            ])
            .arg(&templates)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take().context("a pipe was asked for")?;
        let mut stdout = child.stdout.take().context("a pipe was asked for")?;
        let events = std::thread::spawn(move || -> io::Result<u64> {
            let mut text = Vec::new();
            io::copy(&mut stdout, &mut text)?;
            Ok(text.iter().filter(|b| **b == b'\n').count() as u64)
        });
        let mut pipe = BufWriter::with_capacity(1 << 20, stdin);
        let written = self.write(&mut pipe).and_then(|()| pipe.flush());
        // All is handed over; what is left in the pipe is 64 KiB.
        let id = child.id();
        let (rss, cpu_live) = (usage::peak_rss(id)?, usage::cpu(id)?);
        drop(pipe);
        let output = child.wait_with_output()?;
        let wall = begun.elapsed();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // Who has ended takes no more; why is in what it said.
        ensure!(output.status.success(), "the replay failed: {said}");
        written?;
        let told = format!("{} lines", self.points());
        ensure!(said.starts_with(&told), "{told} were sent: {said}");
        let events = events
            .join()
            .map_err(|_| anyhow::anyhow!("the reader of the events failed"))??;
        let points = self.points() as f64;
        Ok(Cell {
            name,
            figures: vec![
                Figure::new("points", points, ""),
                Figure::new(
                    "series",
                    (self.fleet.hosts * self.fleet.which.lines()) as f64,
                    "",
                ),
                Figure::new("events", events as f64, ""),
                Figure::new("points a CPU-second", points / cpu_live.as_secs_f64(), "/s"),
                Figure::new("CPU", cpu_live.as_secs_f64(), "s"),
                Figure::new("wall", wall.as_secs_f64(), "s"),
                Figure::new("peak memory", rss as f64 / 1e6, "MB"),
            ],
        })
    }

    /// The points in the order of time.
    fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let mut body = Vec::with_capacity(1 << 16);
        for round in 0..self.rounds {
            for host in 0..self.fleet.hosts {
                body.clear();
                self.fleet.write(round, host, &mut body);
                to.write_all(&body)?;
            }
        }
        Ok(())
    }
}

/// The shipped templates; where a point comes every minute they say so, or their windows would never be half full.
pub(super) fn templates(folder: &Workdir, every: u64) -> Result<PathBuf> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates");
    let interval = format!("interval: {every}s");
    let mut count = 0;
    for entry in fs::read_dir(&shipped)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            let text = fs::read_to_string(&path)?.replace("interval: 10s", &interval);
            let name = path.file_name().context("a file has a name")?;
            folder.write(&name.to_string_lossy(), &text);
            count += 1;
        }
    }
    ensure!(count >= 25, "{} holds {count} templates", shipped.display());
    Ok(folder.path().to_path_buf())
}

/// The run of a cell; none for the cells over a Kafka.
pub(super) fn run_of(which: super::Kind, short: bool) -> Option<Run> {
    let part = if short { 20 } else { 1 };
    let fleet = |hosts, every, which| Fleet {
        hosts,
        every,
        which,
    };
    Some(match which {
        super::Kind::Unmatched => Run {
            fleet: fleet(1_000, 10, Which::Unmatched),
            rounds: 2_000 / part,
        },
        super::Kind::Matched => Run {
            fleet: fleet(1_000, 10, Which::Matched),
            rounds: 1_000 / part,
        },
        super::Kind::Memory => Run {
            fleet: fleet(50_000 / part, 60, Which::All),
            rounds: 15,
        },
        super::Kind::MemoryMatched => Run {
            fleet: fleet(83_334 / part, 60, Which::Matched),
            rounds: 15,
        },
        super::Kind::Replay => Run {
            fleet: fleet(1_000, 60, Which::All),
            rounds: 1_440 / part,
        },
        super::Kind::Latency | super::Kind::Takeover | super::Kind::State => return None,
    })
}

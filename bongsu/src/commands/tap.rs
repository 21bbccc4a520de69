//! `bongsu tap`: the lines of a tenant as they come.

use super::place::{tenant_of, time_text};
use super::{Access, settings};
use crate::cli::{Global, Tap};
use crate::failure::{Exit, Failure, Outcome};
use crate::parts;
use crate::print;
use crate::rows::{Row, Rows};
use model::TopicName;
use runtime::{OnEnd, Shutdown, Tasks};
use serde_json::json;
use std::io::{self, ErrorKind, Write};
use stream::{Batch, StreamError, TopicPartition};

/// Columns of `-o csv`.
const COLUMNS: [&str; 4] = ["time", "partition", "offset", "line"];
/// Batches that wait to be printed.
const QUEUE: usize = 16;

pub(super) async fn run(global: &Global, tap: Tap) -> Outcome {
    let access = Access::open(&settings(global)?).await?;
    let catalogue = access.catalogue().await?;
    let tenant = tenant_of(&catalogue, &tap.tenant)?;
    let stream = access.home_of(&catalogue, &tenant)?;
    let topic = TopicName::metrics(&tenant, 1);
    let fail = |error: StreamError| parts::log_failure(&error);
    let partitions = stream.partitions(&topic).await.map_err(fail)?.unwrap_or(0);
    if partitions == 0 {
        let hint = format!("`bongsu tenant add {tenant}` makes it");
        return Err(
            Failure::new(Exit::Failed, format!("topic `{topic}` does not exist")).hint(hint),
        );
    }
    let tasks = Tasks::new(Shutdown::new());
    let (sender, mut batches) = tokio::sync::mpsc::channel(QUEUE);
    for partition in 0..partitions {
        let source = TopicPartition::new(topic.clone(), partition);
        let end = stream.offsets(&source).await.map_err(fail)?.end;
        let mut reader = stream.read(&source, end).await.map_err(fail)?;
        let sender = sender.clone();
        tasks.spawn("tap", OnEnd::Fine, async move {
            while let Some(batch) = reader.next().await {
                if sender.send(batch).await.is_err() {
                    break;
                }
            }
            Ok::<(), String>(())
        });
    }
    drop(sender);
    print::message(&format!("lines of {topic} from now on; Ctrl-C stops"));
    let mut rows = Rows::new(global.output, &COLUMNS, std::io::stdout());
    let most = tap.lines.unwrap_or(u64::MAX);
    while rows.written() < most {
        tokio::select! {
            stopped = tokio::signal::ctrl_c() => {
                stopped.map_err(|error| Failure::from_error(Exit::Failed, &error))?;
                break;
            }
            batch = batches.recv() => match batch {
                Some(batch) => match show(&batch.map_err(fail)?, &tap, most, &mut rows) {
                    // Whoever reads has seen enough.
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                    shown => shown.map_err(|error| Failure::from_error(Exit::Failed, &error))?,
                },
                None => return Err(Failure::new(Exit::Unreachable, "the log ended")),
            },
        }
    }
    rows.end()
        .map_err(|error| Failure::from_error(Exit::Failed, &error))
}

/// Prints the lines of a batch that are wanted, until `most` are printed.
fn show(batch: &Batch, tap: &Tap, most: u64, rows: &mut Rows<impl Write>) -> io::Result<()> {
    for record in batch.records() {
        let lines = String::from_utf8_lossy(record.value.unwrap_or_default());
        for line in lines.lines().filter(|line| !line.is_empty()) {
            if rows.written() == most {
                break;
            }
            let wanted = tap.grep.as_deref();
            if wanted.is_some_and(|wanted| !line.contains(wanted)) {
                continue;
            }
            let (at, partition) = (
                time_text(record.timestamp.as_nanos()),
                batch.source().partition,
            );
            rows.push(&Row {
                line: format!("{at}  {partition}@{}  {line}", record.offset),
                object: json!({"time": at, "partition": partition, "offset": record.offset, "line": line}).to_string(),
            })?;
        }
    }
    rows.flush()
}

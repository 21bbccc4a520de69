//! `bongsu tap`: the lines of a tenant as they come.

use super::place::{tenant_of, time_text};
use super::{Access, settings};
use crate::cli::{Global, Output, Tap};
use crate::failure::{Exit, Failure, Outcome};
use crate::parts;
use crate::print;
use model::TopicName;
use runtime::{OnEnd, Shutdown, Tasks};
use serde_json::json;
use stream::{Batch, StreamError, TopicPartition};

/// Batches that wait to be printed.
const QUEUE: usize = 16;

pub(super) async fn run(global: &Global, tap: Tap) -> Outcome {
    if global.output != Output::Table && global.output != Output::Jsonl {
        return Err(
            Failure::new(Exit::Usage, "what never ends has no such form")
                .hint("-o table or -o jsonl"),
        );
    }
    let access = Access::open(&settings(global)?).await?;
    let tenant = tenant_of(&access.catalogue().await?, &tap.tenant)?;
    let (stream, topic) = (access.stream(), TopicName::metrics(&tenant, 1));
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
    let mut left = tap.lines.unwrap_or(u64::MAX);
    while left > 0 {
        tokio::select! {
            stopped = tokio::signal::ctrl_c() => {
                return stopped.map_err(|error| Failure::from_error(Exit::Failed, &error));
            }
            batch = batches.recv() => match batch {
                Some(batch) => left -= show(&batch.map_err(fail)?, &tap, left, global.output),
                None => return Err(Failure::new(Exit::Unreachable, "the log ended")),
            },
        }
    }
    Ok(())
}

/// Prints the lines of a batch that are wanted, at most `most`; how many.
fn show(batch: &Batch, tap: &Tap, most: u64, output: Output) -> u64 {
    let (mut printed, mut text) = (0, String::new());
    for record in batch.records() {
        let lines = String::from_utf8_lossy(record.value.unwrap_or_default());
        for line in lines.lines().filter(|line| !line.is_empty()) {
            if printed == most {
                break;
            }
            if tap
                .grep
                .as_ref()
                .is_some_and(|wanted| !line.contains(wanted.as_str()))
            {
                continue;
            }
            printed += 1;
            let source = batch.source();
            if output == Output::Jsonl {
                let object = json!({
                    "time": time_text(record.timestamp.as_nanos()), "partition": source.partition,
                    "offset": record.offset, "line": line,
                });
                text.push_str(&format!("{object}\n"));
            } else {
                let at = time_text(record.timestamp.as_nanos());
                text.push_str(&format!(
                    "{at}  {}@{}  {line}\n",
                    source.partition, record.offset
                ));
            }
        }
    }
    print::text(&text);
    printed
}

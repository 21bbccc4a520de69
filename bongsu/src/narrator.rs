//! What happens, line by line on the terminal of `bongsu up`: read from the API like any other client.

use crate::cli::Lang;
use crate::parts::Running;
use crate::print;
use runtime::{Context, Metrics, OnEnd};
use serde_json::Value;
use std::collections::HashMap;
use std::time::Duration;

const LOOK: Duration = Duration::from_millis(500);
/// How often the count of stored points is said, in looks.
const COUNT_EVERY: u64 = 60;
/// The metric that counts stored points.
const STORED: &str = "bongsu_consumer_points_stored_total";

/// Tells what happens until the shutdown.
pub(crate) fn start(running: &Running, lang: Lang, ctx: &Context) {
    let base = format!("{}/api/v1/incidents", running.console);
    let (order, metrics) = (ctx.tasks.shutdown().clone(), ctx.metrics.clone());
    ctx.tasks.spawn("narrator", OnEnd::Fine, async move {
        let mut story = Story {
            http: crate::demo::own_client()?,
            base,
            lang,
            told: HashMap::new(),
            last: 0,
        };
        let mut beat = tokio::time::interval(LOOK);
        let mut looks = 0_u64;
        loop {
            tokio::select! {
                () = order.begun() => return Ok::<(), String>(()),
                _ = beat.tick() => {}
            }
            if let Err(error) = story.go_on().await {
                tracing::debug!(%error, "the API does not answer the narrator");
            }
            story.count(&metrics, looks.is_multiple_of(COUNT_EVERY));
            looks += 1;
        }
    });
}

struct Story {
    http: reqwest::Client,
    base: String,
    lang: Lang,
    /// Of each incident the revision and the last entry that were told.
    told: HashMap<String, (u64, u64)>,
    last: u64,
}

impl Story {
    async fn go_on(&mut self) -> reqwest::Result<()> {
        let list = self.get(&format!("{}?limit=50", self.base)).await?;
        for incident in list["incidents"].as_array().into_iter().flatten() {
            let id = incident["id"].as_str().unwrap_or_default().to_owned();
            let revision = incident["revision"].as_u64().unwrap_or(0);
            let (known, last) = self.told.get(&id).copied().unwrap_or((0, 0));
            if revision == known {
                continue;
            }
            let whole = self.get(&format!("{}/{id}", self.base)).await?;
            let last = tell(&whole, last);
            self.told.insert(id, (revision, last));
        }
        Ok(())
    }

    async fn get(&self, url: &str) -> reqwest::Result<Value> {
        self.http
            .get(url)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await
    }

    /// Says how many points are stored: when the first are, and then from time to time.
    fn count(&mut self, metrics: &Metrics, due: bool) {
        let stored = total(&metrics.render(), STORED);
        if (due || self.last == 0) && stored > self.last {
            let what = self.lang.pick("points stored", "포인트 저장됨");
            print::message(&format!("{:>19}  {stored} {what}", ""));
            self.last = stored;
        }
    }
}

/// Prints the entries behind `last`; the newest that was printed.
fn tell(incident: &Value, last: u64) -> u64 {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut newest = last;
    for entry in incident["timeline"].as_array().into_iter().flatten() {
        let ordinal = entry["ordinal"].as_u64().unwrap_or(0);
        if ordinal > last {
            let at = text(&entry["at"])
                .get(..19)
                .unwrap_or_default()
                .replace('T', " ");
            let (priority, tenant) = (text(&incident["priority"]), text(&incident["tenant"]));
            print::message(&format!(
                "{at}  {priority} {tenant}: {}",
                text(&entry["text"])
            ));
            newest = newest.max(ordinal);
        }
    }
    newest
}

/// The sum of a counter over its labels, from the text format of Prometheus.
fn total(text: &str, name: &str) -> u64 {
    text.lines()
        .filter(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['{', ' ']))
        })
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum::<f64>() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_summed_over_its_labels() {
        let text =
            "# HELP a_total x\na_total{t=\"x\"} 3\na_total{t=\"y\"} 4\na_total_other 9\nb 1\n";
        assert_eq!(total(text, "a_total"), 7);
    }
}

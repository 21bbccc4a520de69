//! What the cells over a real Kafka stand on: a broker, a tenant with the shipped templates, evaluators as processes.

use super::EvaluatorOptions;
use crate::contender::Contender;
use crate::product::{Product, TENANT, TOPIC};
use crate::topic::Follow;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::time::Duration;
use tests::{Kafka, wait, web};
use tokio::task::block_in_place;

/// The evaluators' group.
const GROUP: &str = "bongsu-evaluator";
/// For what takes a moment on an idle machine.
const SOON: Duration = Duration::from_secs(60);

/// The broker and the tenant.
pub(super) struct Site {
    pub(super) kafka: Kafka,
    product: Product,
    partitions: u32,
}

/// A running evaluator.
pub(super) struct Evaluator {
    pub(super) process: Contender,
    url: String,
}

impl Site {
    /// A tenant of so many partitions, judged by the shipped templates.
    ///
    /// # Errors
    /// When a system fails, or the catalogue is refused.
    pub(super) async fn start(options: &EvaluatorOptions, partitions: u32) -> Result<Self> {
        let kafka = Kafka::start().await;
        let product = Product::find(options.bongsu.as_deref(), kafka.brokers())?;
        block_in_place(|| product.apply(&catalogue(partitions)?))?;
        Ok(Self {
            kafka,
            product,
            partitions,
        })
    }

    /// One more evaluator with these settings.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) async fn evaluator(&self, settings: &str) -> Result<Evaluator> {
        let (process, url) = self.product.start("evaluator", settings).await?;
        Ok(Evaluator { process, url })
    }

    /// Waits until each partition says which bundle holds: what stands before that is not judged.
    ///
    /// # Errors
    /// When it does not come to that.
    pub(super) async fn judged(&self) -> Result<()> {
        let topics = vec![(TOPIC.to_owned(), self.partitions)];
        let follow = Follow::new(&self.kafka, topics, "bongsu-bench-evaluator")?;
        let marked = wait::until(SOON, async || {
            let ends = block_in_place(|| follow.ends())?;
            Ok(ends.iter().all(|end| *end > 0).then_some(()))
        });
        marked.await.context("not every partition has its mark")
    }
}

impl Site {
    /// Waits until everything that the tenant's topic holds now is in a checkpoint: the group's offset is committed behind
    /// it.
    ///
    /// # Errors
    /// When it does not come to that in time.
    pub(super) async fn saved(&self, within: Duration) -> Result<()> {
        let topics = vec![(TOPIC.to_owned(), self.partitions)];
        let follow = Follow::new(&self.kafka, topics, GROUP)?;
        let ends = block_in_place(|| follow.ends())?;
        let saved = wait::until(within, async || {
            let committed = block_in_place(|| follow.committed())?;
            let all = committed.iter().zip(&ends).all(|(at, end)| at >= end);
            Ok(all.then_some(()))
        });
        saved.await.context("what was evaluated is not saved")
    }
}

impl Evaluator {
    /// The sum over all labels of a metric, or over those whose text holds `labels`.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) async fn metric(&self, name: &str, labels: &str) -> Result<f64> {
        web::metric(&self.url, name, labels).await
    }

    /// How many lines it has evaluated.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) async fn lines(&self) -> Result<u64> {
        let lines = self.metric("bongsu_eval_points_total", "what=\"lines\"");
        Ok(lines.await? as u64)
    }

    /// How many partitions it owns.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) async fn owned(&self) -> Result<u64> {
        Ok(self.metric("bongsu_eval_partitions_owned", "").await? as u64)
    }

    /// Waits until it has evaluated so many lines.
    ///
    /// # Errors
    /// When it ends or does not come to that in time.
    pub(super) async fn has_evaluated(&mut self, lines: u64, within: Duration) -> Result<()> {
        let waited = wait::until(within, async || {
            self.process.look()?;
            Ok((self.lines().await? >= lines).then_some(()))
        });
        waited
            .await
            .with_context(|| format!("{lines} lines were sent, and are not all evaluated"))
    }

    /// How many groups of a host it holds, of all templates.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) async fn groups_of(&self, host: &str) -> Result<u64> {
        let mut groups = 0;
        for template in shipped()?.into_iter().filter_map(|text| named(&text)) {
            let question = serde_json::json!({
                "tenant": TENANT, "template": template, "tags": {"host": host},
            });
            let asked = web::client().post(format!("{}/explain", self.url));
            let answer = asked.header("content-type", "application/json");
            let answer = answer.body(question.to_string()).send().await?;
            let text = answer.error_for_status()?.text().await?;
            let answer: serde_json::Value = serde_json::from_str(&text)?;
            groups += answer["groups"].as_array().map_or(0, Vec::len) as u64;
        }
        Ok(groups)
    }
}

/// The tenant and the shipped templates.
fn catalogue(partitions: u32) -> Result<String> {
    let mut text = format!(
        "contact: nobody\nname: Nobody\nemail: nobody@example.org\n---\n\
         escalation_policy: default\nsteps: [{{notify: [nobody]}}]\n---\n\
         tenant: {TENANT}\npartitions: {partitions}\n"
    );
    for template in shipped()? {
        text.push_str("---\n");
        text.push_str(&template);
    }
    Ok(text)
}

/// The files of the shipped templates.
fn shipped() -> Result<Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates");
    let mut texts = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let is_template = path.extension().is_some_and(|found| found == "yaml");
        if is_template {
            texts.push(fs::read_to_string(&path)?);
        }
    }
    let count = texts.len();
    ensure!(count >= 25, "{} holds {count} templates", folder.display());
    Ok(texts)
}

/// The name of the template in a file.
fn named(text: &str) -> Option<String> {
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("template: "))?;
    Some(name.trim().to_owned())
}

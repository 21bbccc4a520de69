//! The systems around Bongsu: the real Kafka and InfluxDBs, and the stand-ins for Slack and SENS.

use std::path::Path;

use serde_json::Value;
use tests::workdir::Workdir;
use tests::{Bongsu, Influxdb, Kafka, Sens, Slack, sens, slack, wait};

use super::SOON;
use super::alerts::Judge;
use super::catalogue::{self, ACME_PARTITIONS, Rooms};

/// Everything that Bongsu stands on and speaks to.
pub(crate) struct World {
    pub(crate) kafka: Kafka,
    pub(crate) shards: [Influxdb; 2],
    pub(crate) slack: Slack,
    pub(crate) sens: Sens,
    pub(crate) rooms: Rooms,
    pub(crate) judge: Judge,
    /// The router token that `bongsu tenant add` made for beta.
    pub(crate) beta_token: String,
    folder: Workdir,
}

impl World {
    /// Starts all of it, and declares the catalogue.
    pub(crate) async fn start() -> Self {
        Self::start_with(catalogue::QUICK).await
    }

    /// As [`World::start`], with all the time in the world to acknowledge once the second person was paged.
    pub(crate) async fn start_patient() -> Self {
        Self::start_with(catalogue::PATIENT).await
    }

    async fn start_with(steps: &str) -> Self {
        let (kafka, one, two, slack, sens) = tokio::join!(
            Kafka::start(),
            Influxdb::start(),
            Influxdb::start(),
            Slack::start(),
            Sens::start()
        );
        let rooms = Rooms {
            acme: slack.add_channel("acme-alerts"),
            beta: slack.add_channel("beta-alerts"),
        };
        let folder = Workdir::new("world");
        let shards = [one, two];
        let urls = [shards[0].url().to_owned(), shards[1].url().to_owned()];
        let beta_token = declare(&kafka, &catalogue::write(&folder, &urls, &rooms, steps));
        for (name, secret) in [
            ("slack.token", slack::TOKEN),
            ("slack.secret", slack::SIGNING_SECRET),
            ("sens.access", sens::ACCESS_KEY),
            ("sens.secret", sens::SECRET_KEY),
        ] {
            folder.write(name, secret);
        }
        let judge = Judge::of_kafka(&kafka);
        Self {
            kafka,
            shards,
            slack,
            sens,
            rooms,
            judge,
            beta_token,
            folder,
        }
    }

    /// The part of a configuration file that every process of Bongsu shares: where the world is.
    pub(crate) fn settings(&self) -> String {
        format!("kafka: {{brokers: [{:?}]}}\n", self.kafka.brokers())
    }

    /// The notifier's section, without where it listens and what its database is; to be indented by two.
    pub(crate) fn providers(&self) -> String {
        let file = |name: &str| self.folder.join(name).display().to_string();
        format!(
            "  slack:\n    bot_token_file: {}\n    signing_secret_file: {}\n    api_url: {}/api\n\
             \x20 sens:\n    service_id: {:?}\n    access_key_file: {}\n    secret_key_file: {}\n    \
             from: {:?}\n    api_url: {}\n",
            file("slack.token"),
            file("slack.secret"),
            self.slack.url(),
            sens::SERVICE_ID,
            file("sens.access"),
            file("sens.secret"),
            sens::SENDER,
            self.sens.url(),
        )
    }

    /// A file with a secret of a test's own.
    pub(crate) fn secret(&self, name: &str, text: &str) -> String {
        self.folder.write(name, text).display().to_string()
    }

    /// Waits until each partition of acme says from where on the templates hold: what stands before that is not
    /// judged.
    pub(crate) async fn the_templates_are_in_force(&self) {
        wait::until(SOON, async || {
            let records = self.kafka.read_all("metrics.acme").await?;
            let marks = records.iter().filter(|record| {
                let mut headers = record.headers.iter();
                record.value.is_none() && headers.any(|(_, value)| value == b"bundle")
            });
            let mut partitions: Vec<_> = marks.map(|record| record.partition).collect();
            partitions.sort_unstable();
            partitions.dedup();
            Ok((partitions.len() == ACME_PARTITIONS).then_some(()))
        })
        .await
        .unwrap_or_else(|error| panic!("not every partition has a bundle mark: {error:#}"));
    }

    /// The first words of the text messages that a phone got, oldest first, such as `[P1 FIRING]`.
    pub(crate) fn heads_to(&self, phone: &str) -> Vec<String> {
        let messages = self
            .sens
            .messages()
            .into_iter()
            .filter(|sms| sms.to == phone);
        messages.map(|sms| head(&sms.content)).collect()
    }
}

/// `[P1 FIRING]` of a text message.
pub(crate) fn head(content: &str) -> String {
    let end = content.find(']').map_or(content.len(), |at| at + 1);
    content[..end].to_owned()
}

/// Applies the catalogue, and has a token made for beta.
fn declare(kafka: &Kafka, catalogue: &Path) -> String {
    let brokers = kafka.brokers();
    let folder = catalogue
        .to_str()
        .expect("temporary folders have plain names");
    Bongsu::run(&["apply", "-f", folder, "--kafka", &brokers], &[])
        .expect("the catalogue can be applied");
    let add = ["tenant", "add", "beta", "-o", "json", "--kafka", &brokers];
    let added = Bongsu::run(&add, &[]).expect("a tenant can be added");
    let added: Value = serde_json::from_str(&added).expect("the answer is JSON");
    added["token"]
        .as_str()
        .expect("a tenant without a token gets one")
        .to_owned()
}

//! A Kafka with TLS, SCRAM and access rules, an InfluxDB, and a user of Kafka for each service.

use rdkafka::ClientConfig;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use stream::{Access, KafkaConfig, Mechanism, Protocol, Security};
use tests::kafka::Plan;
use tests::kafka::secured::{ADMIN, ADMIN_PASSWORD};
use tests::workdir::Workdir;
use tests::{Bongsu, Influxdb, Kafka, influxdb};

pub(crate) const SERVICES: [&str; 5] = ["router", "consumer", "evaluator", "notifier", "operator"];

pub(crate) struct World {
    pub(crate) kafka: Kafka,
    pub(crate) influx: Influxdb,
    pub(crate) folder: Workdir,
}

impl World {
    pub(crate) async fn start() -> Self {
        let plan = Plan {
            secured: true,
            ..Plan::default()
        };
        let (kafka, influx) = tokio::join!(Kafka::with(plan), Influxdb::start());
        let folder = Workdir::new("tenant");
        folder.write("admin.password", ADMIN_PASSWORD);
        folder.write("influx.token", influxdb::TOKEN);
        let world = Self {
            kafka,
            influx,
            folder,
        };
        let mut access = world.admin().await;
        for service in SERVICES {
            let password = format!("canary-{service}-0815");
            world
                .folder
                .write(&format!("{service}.password"), &password);
            let user = format!("bongsu-{service}");
            let password = runtime::Secret::new(password);
            let set = access.set_password(&user, Mechanism::Sha512, &password);
            set.await.expect("a password is set");
        }
        world.settings("admin", ADMIN);
        for service in SERVICES {
            world.settings(service, &format!("bongsu-{service}"));
            let user = format!("bongsu-{service}");
            let granted = world.run("admin", &["rights", "grant", service, "--user", &user]);
            granted.expect("rights are granted");
        }
        let catalogue = format!(
            "shard: s1\nurl: {}\norg: {}\ntoken_file: {}\n---\n\
             placement: default\nepochs: [{{from: beginning, shards: {{s1: 1}}}}]\n---\n\
             contact: kim\nname: Kim\nemail: kim@example.org\n---\n\
             escalation_policy: default\nsteps: [{{notify: [kim]}}]\n",
            world.influx.url(),
            influxdb::ORG,
            world.folder.join("influx.token").display(),
        );
        let file = world.folder.write("catalogue.yaml", &catalogue);
        let file = file.display().to_string();
        world
            .run("operator", &["apply", "-f", &file])
            .expect("the operator may apply");
        world
    }

    /// Writes the configuration of whoever logs in as `user` with the password file `name`.
    pub(crate) fn settings(&self, name: &str, user: &str) -> PathBuf {
        let text = format!(
            "log: {{filter: info}}\n\
             kafka:\n  brokers: [\"{}\"]\n  security:\n    protocol: sasl_ssl\n    mechanism: scram-sha-512\n    \
             username: {user}\n    password_file: {}\n    ca_file: {}\n",
            self.kafka.secured(),
            self.folder.join(format!("{name}.password")).display(),
            self.kafka.authority().display(),
        );
        self.folder.write(&format!("{name}.yaml"), &text)
    }

    /// A command of the command line, as that user.
    pub(crate) fn run(&self, user: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let config = self
            .folder
            .join(format!("{user}.yaml"))
            .display()
            .to_string();
        let all = [&["--config", &config], arguments].concat();
        tokio::task::block_in_place(|| Bongsu::run(&all, &[]))
    }

    pub(crate) fn json(&self, user: &str, arguments: &[&str]) -> Value {
        let text = self.run(user, &[arguments, &["-o", "json"]].concat());
        let text = text.unwrap_or_else(|error| panic!("{arguments:?}: {error:#}"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Kafka's users, rules and quotas, without the command line.
    pub(crate) async fn admin(&self) -> Access {
        let mut config = KafkaConfig::new([self.kafka.secured()]);
        config.security = Security {
            protocol: Protocol::SaslSsl,
            username: Some(ADMIN.to_owned()),
            password_file: Some(self.folder.join("admin.password")),
            ca_file: Some(self.kafka.authority().to_owned()),
            ..Security::default()
        };
        Access::connect(&config).await.expect("the admin logs in")
    }

    /// A client that shares nothing with the product's own.
    pub(crate) fn client(&self, login: &Login) -> ClientConfig {
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", self.kafka.secured())
            .set("security.protocol", "SASL_SSL")
            .set(
                "ssl.ca.location",
                self.kafka.authority().display().to_string(),
            )
            .set("sasl.mechanism", &login.mechanism)
            .set("sasl.username", &login.user)
            .set("sasl.password", &login.password)
            .set("message.timeout.ms", "20000");
        client
    }

    /// A service with the login of its own.
    pub(crate) async fn service(&self, name: &str, port_key: &str) -> Bongsu {
        let config = self.folder.join(format!("{name}.yaml"));
        let config = std::fs::read_to_string(config).expect("a file");
        let more = match name {
            "notifier" => "  database: {sqlite: \"{dir}/incidents.db\"}\n",
            _ => "",
        };
        let text = format!("{config}{name}:\n  {port_key}: 127.0.0.1:{{port}}\n{more}");
        let service = Bongsu::service(name).file("bongsu.yaml", text);
        service
            .arg("--config")
            .arg("{dir}/bongsu.yaml")
            .start()
            .await
    }
}

/// What a tenant logs in with.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) mechanism: String,
    pub(crate) password: String,
    pub(crate) token: String,
}

impl Login {
    pub(crate) fn of(said: &Value) -> Self {
        let text = |key: &str| said[key].as_str().unwrap_or_default().to_owned();
        Self {
            user: text("kafka_user"),
            mechanism: text("kafka_mechanism"),
            password: text("kafka_password"),
            token: text("token"),
        }
    }
}

pub(crate) const SOON: Duration = Duration::from_secs(120);

//! The data plane over a world of its own: Kafka, stores, tenants, routers and consumers as processes.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use sha2::{Digest, Sha256};
use tests::kafka::Plan;
use tests::oracle::{Agent, Judge, Load, Producer, Shelf};
use tests::proxy::Proxy;
use tests::workdir::Workdir;
use tests::{Bongsu, Kafka, StandIn, influxdb};

/// What is to be started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) kafka: Plan,
    /// Stores, each a stand-in that takes everything until it is told otherwise.
    pub(crate) stores: usize,
    /// Whether a proxy stands before each store.
    pub(crate) doors: bool,
    /// Tenants `t0`, `t1`, ...; a tenant's points are in the store of its number, modulo the stores.
    pub(crate) tenants: usize,
    pub(crate) partitions: usize,
    pub(crate) routers: usize,
    pub(crate) consumers: usize,
    /// More of the routers' section, indented by two.
    pub(crate) router: &'static str,
    /// More of the consumers' section, indented by two.
    pub(crate) consumer: &'static str,
    /// More of the section `kafka`, such as `, delivery_timeout: 5s`.
    pub(crate) client: &'static str,
    /// More of each tenant's document, a line each.
    pub(crate) tenant: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            kafka: Plan::default(),
            stores: 1,
            doors: false,
            tenants: 1,
            partitions: 2,
            routers: 1,
            consumers: 1,
            router: "",
            consumer: "  session_timeout: 6s\n  drain: 4s\n",
            client: "",
            tenant: "",
        }
    }
}

/// What runs. Fields drop in order: who uses something before what is used.
pub(crate) struct Plane {
    pub(crate) routers: Vec<Bongsu>,
    pub(crate) consumers: Vec<Bongsu>,
    /// Before the stores, where the setup wants them.
    pub(crate) doors: Vec<Proxy>,
    pub(crate) stores: Vec<StandIn>,
    pub(crate) kafka: Kafka,
    pub(crate) setup: Setup,
    folder: Workdir,
}

impl Plane {
    pub(crate) async fn start(setup: Setup) -> Self {
        let starts = (0..setup.stores).map(|_| StandIn::start());
        let (kafka, stores) = tokio::join!(Kafka::with(setup.kafka), join_all(starts));
        let doors = stores.iter().filter(|_| setup.doors).map(StandIn::door);
        let doors = join_all(doors).await;
        let mut plane = Self {
            routers: Vec::new(),
            consumers: Vec::new(),
            doors,
            stores,
            kafka,
            setup,
            folder: Workdir::new("plane"),
        };
        plane.apply(&plane.catalogue());
        let routers = (0..setup.routers).map(|_| plane.process("router", setup.router));
        let consumers = (0..setup.consumers).map(|_| plane.process("consumer", setup.consumer));
        let (mut routers, mut consumers): (Vec<_>, Vec<_>) =
            (routers.collect(), consumers.collect());
        join_all(routers.iter_mut().chain(&mut consumers).map(Bongsu::ready)).await;
        (plane.routers, plane.consumers) = (routers, consumers);
        plane
    }

    /// One more process; it is not waited for.
    pub(crate) fn process(&self, service: &str, rest: &str) -> Bongsu {
        self.process_by(None, service, rest)
    }

    /// The same by another program.
    pub(crate) fn process_by(&self, program: Option<&Path>, service: &str, rest: &str) -> Bongsu {
        let brokers = self.kafka.brokers();
        let brokers: Vec<_> = brokers.split(',').map(|one| format!("{one:?}")).collect();
        let (brokers, client) = (brokers.join(", "), self.setup.client);
        let text = format!(
            "kafka: {{brokers: [{brokers}]{client}}}\n{service}:\n  listen: 127.0.0.1:{{port}}\n{rest}"
        );
        let service = Bongsu::service(service);
        let service = match program {
            Some(program) => service.program(program),
            None => service,
        };
        service
            .file("bongsu.yaml", text)
            .arg("--config")
            .arg("{dir}/bongsu.yaml")
            .start_unready()
    }

    /// Declares more, or other things, as `bongsu apply -f` does.
    pub(crate) fn apply(&self, text: &str) {
        let file = self.folder.write("applied.yaml", text);
        let file = file.to_str().expect("temporary folders have plain names");
        let brokers = self.kafka.brokers();
        Bongsu::run(&["apply", "-f", file, "--kafka", &brokers], &[])
            .expect("the catalogue can be applied");
    }

    fn catalogue(&self) -> String {
        let mut text = "contact: kim\nname: Kim\nphone: \"+821000000001\"\n---\n\
                        escalation_policy: default\nsteps: [{notify: [kim]}]\n"
            .to_owned();
        let token = self.folder.write("influxdb.token", influxdb::TOKEN);
        let (mut weights, mut places) = (Vec::new(), Vec::new());
        for (number, store) in self.stores.iter().enumerate() {
            let door = self.doors.get(number).map(Proxy::url);
            let url = door.unwrap_or_else(|| store.url().to_owned());
            let token = token.display();
            writeln!(
                text,
                "---\nshard: s{number}\nurl: {url}\ntoken_file: {token}"
            )
            .expect("text can be written");
            weights.push(format!("s{number}: 1.0"));
        }
        for number in 0..self.setup.tenants {
            text += &self.tenant(number);
            places.push(format!("t{number}: [s{}]", number % self.stores.len()));
        }
        let (weights, places) = (weights.join(", "), places.join(", "));
        writeln!(
            text,
            "---\nplacement: default\nepochs:\n  - {{from: beginning, shards: {{{weights}}}, tenants: {{{places}}}}}"
        )
        .expect("text can be written");
        text
    }

    /// The document of a tenant.
    pub(crate) fn tenant(&self, number: usize) -> String {
        format!(
            "---\ntenant: t{number}\npartitions: {}\ntokens: [{{sha256: {}}}]\n{}",
            self.setup.partitions,
            hex::encode(Sha256::digest(token(number))),
            self.setup.tenant
        )
    }

    /// The tenants' agents.
    pub(crate) fn agents(&self) -> Vec<Agent> {
        let agents = (0..self.setup.tenants).map(|number| Agent {
            tenant: format!("t{number}"),
            token: token(number),
        });
        agents.collect()
    }

    /// Where agents write.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.routers.iter().map(Bongsu::url).collect()
    }

    /// The sum of a metric over all consumers.
    pub(crate) async fn consumers_say(&self, metric: &str, labels: &str) -> anyhow::Result<f64> {
        let mut sum = 0.0;
        for consumer in &self.consumers {
            sum += consumer.metric(metric, labels).await?;
        }
        Ok(sum)
    }

    /// A load of all tenants through all routers.
    pub(crate) fn load(&self, points_per_s: u64) -> Load {
        Load::new(self.agents(), self.urls(), points_per_s)
    }

    /// A load that has begun to be taken.
    pub(crate) async fn produce(&self, load: &Load) -> Producer {
        let producer = Producer::start(load);
        tests::wait::holds("the first points are promised", SOON, async || {
            producer.promised() > 0
        })
        .await;
        producer
    }

    /// Asks every store, and the dead letters.
    pub(crate) fn judge(&self) -> Judge<'_> {
        Judge {
            shelves: self.stores.iter().map(Shelf::StandIn).collect(),
            kafka: &self.kafka,
            copies: 1,
        }
    }
}

/// For what takes a moment.
pub(crate) const SOON: Duration = Duration::from_secs(30);
/// What the design gives the data plane to drain after a fault.
pub(crate) const DRAINED: Duration = Duration::from_secs(120);

/// A token of a tenant.
pub(crate) fn token(number: usize) -> String {
    format!("bongsu_t{number}_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE")
}

//! The two agents of the story: real Telegrafs whose CPUs the test steers.

use std::path::PathBuf;

use tests::telegraf::Output;
use tests::workdir::Workdir;
use tests::{Telegraf, wait};

use super::SOON;
use super::oracle::now_nanos;
use super::site::Site;
use super::world::World;

/// Acme's hosts. The first gets busy.
pub(crate) const ACME_HOSTS: [&str; 8] = [
    "web-1", "web-2", "web-3", "web-4", "web-5", "web-6", "web-7", "web-8",
];
/// Beta's hosts. The first climbs the ladder.
pub(crate) const BETA_HOSTS: [&str; 3] = ["db-1", "db-2", "db-3"];

/// Two agents at work.
pub(crate) struct Agents {
    acme: Telegraf,
    beta: Telegraf,
    pub(crate) acme_file: PathBuf,
    pub(crate) beta_file: PathBuf,
    _folder: Workdir,
}

impl Agents {
    /// Acme's agent produces to its topic, beta's writes to the routers. Each says in a tag that it is the other
    /// tenant, which decides nothing.
    pub(crate) async fn start(world: &World, site: &Site) -> Self {
        let folder = Workdir::new("agents");
        let (acme_file, beta_file) = (folder.join("acme.influx"), folder.join("beta.influx"));
        let to_kafka = Output::All(vec![
            Output::kafka(&world.kafka, "metrics.acme"),
            Output::File(acme_file.clone()),
        ]);
        let routers = Output::Routers {
            urls: site.routers.clone(),
            token: world.beta_token.clone(),
        };
        let to_routers = Output::All(vec![routers, Output::File(beta_file.clone())]);
        let (acme_lines, beta_lines) = (acme(20.0), beta(20.0));
        let (acme, beta) = tokio::join!(
            Telegraf::start(&acme_lines, &to_kafka),
            Telegraf::start(&beta_lines, &to_routers)
        );
        Self {
            acme,
            beta,
            acme_file,
            beta_file,
            _folder: folder,
        }
    }

    /// Loads the first host of each tenant, right behind a grid point of the templates: the first window with samples
    /// of the new load is half old, the next one is all new, so that the rungs that hold are the same in every run.
    pub(crate) async fn load(&self, acme_busy: f64, beta_busy: f64) {
        wait::holds("the clock passes a grid point", SOON, async || {
            (100..500).contains(&(now_nanos() / 1_000_000 % 5_000))
        })
        .await;
        self.acme.set_lines(&acme(acme_busy));
        self.beta.set_lines(&beta(beta_busy));
    }

    pub(crate) async fn stop(&mut self) {
        for telegraf in [&mut self.acme, &mut self.beta] {
            let status = telegraf.terminate(SOON).await.expect("Telegraf ends");
            assert!(
                status.success(),
                "Telegraf ended with {status}\n{}",
                telegraf.tail()
            );
        }
    }
}

fn acme(busy: f64) -> String {
    lines(&ACME_HOSTS, "beta", busy)
}

fn beta(busy: f64) -> String {
    lines(&BETA_HOSTS, "acme", busy)
}

fn lines(hosts: &[&str], tenant_tag: &str, busy: f64) -> String {
    let usage = |place: usize| if place == 0 { busy } else { 20.0 };
    hosts
        .iter()
        .enumerate()
        .map(|(place, host)| {
            let idle = 100.0 - usage(place);
            format!(
                "cpu,cpu=cpu-total,env=prod,host={host},tenant={tenant_tag} usage_idle={idle}\n"
            )
        })
        .collect()
}

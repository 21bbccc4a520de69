//! The catalogue as a command reaches it: in Kafka, in a running `up`, or in the embedded log itself.

use crate::author;
use crate::control::{Client, DoorLog};
use crate::failure::{Exit, Failure, Outcome};
use crate::parts::{self, DataDir, Running};
use crate::settings::Settings;
use catalog::{Published, Request, publish_everywhere, snapshot};
use model::TenantId;
use runtime::Clock;
use schemas::catalogue::Catalogue;
use stream::{Clusters, Stream};

/// A way to the catalogue.
pub(crate) enum Access {
    /// The logs themselves.
    Log(Clusters),
    /// Through the process that holds it.
    Process(Client),
}

impl Access {
    /// Finds the way that the configuration names.
    pub(crate) async fn open(settings: &Settings) -> Outcome<Self> {
        let clock = Clock::system();
        if let Some(kafka) = &settings.kafka {
            return parts::clusters(settings, kafka, &clock).map(Self::Log);
        }
        if let Some(client) = running_process(settings).await? {
            return Ok(Self::Process(client.1));
        }
        let dir = DataDir::of(settings, "bongsu");
        if !dir.log().exists() {
            return Err(Failure::new(
                Exit::Unreachable,
                format!(
                    "there is no catalogue: no Kafka is named, and nothing is in {}",
                    dir.path().display()
                ),
            )
            .hint("name the brokers with --kafka, start `bongsu up`, or name its --data-dir"));
        }
        let log = parts::embedded_log(&dir, &clock).await?;
        Ok(Self::Log(log.into()))
    }

    /// All logs that can be reached; through a process its own.
    pub(crate) fn clusters(&self) -> Clusters {
        match self {
            Self::Log(clusters) => clusters.clone(),
            Self::Process(_) => self.stream().into(),
        }
    }

    /// The log, whoever holds it.
    pub(crate) fn stream(&self) -> Stream {
        match self {
            Self::Log(clusters) => clusters.home().clone(),
            Self::Process(client) => DoorLog::stream(client.clone()),
        }
    }

    /// The log of a tenant's home.
    pub(crate) fn home_of(&self, catalogue: &Catalogue, tenant: &TenantId) -> Outcome<Stream> {
        let Self::Log(clusters) = self else {
            return Ok(self.stream());
        };
        let declared = catalogue.tenants.get(tenant);
        let cluster = declared.map_or(clusters.home_name(), |tenant| tenant.cluster.as_str());
        let home = clusters.get(cluster).cloned();
        home.ok_or_else(|| {
            let cause = format!("the home of `{tenant}` is cluster `{cluster}`, which the configuration does not know");
            Failure::new(Exit::Usage, cause).hint("name its brokers under `clusters`")
        })
    }

    /// The catalogue as it stands.
    pub(crate) async fn catalogue(&self) -> Outcome<Catalogue> {
        match self {
            Self::Log(stream) => snapshot(stream)
                .await
                .map_err(|error| parts::catalog_failure(&error)),
            Self::Process(client) => client.catalogue().await,
        }
    }

    /// Brings the catalogue to what is asked for, in the name of who runs this command.
    pub(crate) async fn publish(&self, request: Request) -> Outcome<Published> {
        let request = &Request {
            author: author::of_command(),
            ..request
        };
        match self {
            Self::Log(clusters) => {
                publish_everywhere(clusters, request, &parts::validate, &Clock::system())
                    .await
                    .map_err(|error| parts::catalog_failure(&error))
            }
            Self::Process(client) => client.publish(request).await,
        }
    }
}

/// The running `up` of the data folder; without a named one, of the default folder or else of the demo's.
pub(super) async fn running_process(settings: &Settings) -> Outcome<Option<(Running, Client)>> {
    for name in ["bongsu", "bongsu-demo"] {
        let Some(running) = DataDir::of(settings, name).running() else {
            continue;
        };
        if let Some(client) = Client::reach(running.clone()).await? {
            return Ok(Some((running, client)));
        }
    }
    Ok(None)
}

/// The address of the running `up`'s router, else the one that the configuration lets a router listen on.
pub(super) async fn router(settings: &Settings) -> Outcome<String> {
    Ok(match running_process(settings).await? {
        Some((running, _)) => running.router,
        None => super::up::url(settings.router.listen, settings.router.tls.as_ref()),
    })
}

/// The address of the running `up`'s notifier, else the one that the configuration lets a notifier listen on.
pub(super) async fn notifier(settings: &Settings) -> Outcome<String> {
    Ok(match running_process(settings).await? {
        Some((running, _)) => running.console,
        None => super::up::url(settings.notifier.listen, settings.notifier.tls.as_ref()),
    })
}

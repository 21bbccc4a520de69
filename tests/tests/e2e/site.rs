//! The processes of Bongsu over a world: one with everything in it, or each service as replicas of its own.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Result, ensure};
use futures_util::future::join_all;
use tests::{Bongsu, Postgres, ports, wait, web};

use super::LONG;
use super::console::Console;
use super::world::World;

/// One process.
#[derive(Debug)]
pub(crate) struct Process {
    /// `up`, `router`, `consumer`, `evaluator` or `notifier`.
    pub(crate) service: &'static str,
    pub(crate) bongsu: Bongsu,
}

/// What runs.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) processes: Vec<Process>,
    /// Base URLs that agents write to.
    pub(crate) routers: Vec<String>,
    /// Base URLs of API, console and Slack's address.
    pub(crate) notifiers: Vec<String>,
}

/// How the processes are set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// How long a group waits for a silent member.
    pub(crate) session: Duration,
    /// How long a notifier may hold a delivery before another takes it over.
    pub(crate) lease: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            session: Duration::from_secs(15),
            lease: Duration::from_secs(30),
        }
    }
}

impl Site {
    /// `bongsu up` with everything in one process over SQLite, and a second consumer of the same group.
    pub(crate) async fn one_process(world: &World) -> Self {
        let (router, console) = (ports::free(), ports::free());
        let (consumer, evaluator) = (ports::free(), ports::free());
        let pace = Pace::default();
        let text = world.settings()
            + &section("router", router, "")
            + &section("consumer", consumer, &group(pace, ""))
            + &section("evaluator", evaluator, &group(pace, ""))
            + &section("notifier", console, &notifier(world, console, pace, None));
        let text = text.replace(&format!(":{router}\n"), ":{port}\n");
        let up = Bongsu::service("up")
            .file("bongsu.yaml", text)
            .arg("--config")
            .arg("{dir}/bongsu.yaml")
            .arg("--data-dir")
            .arg("{dir}/data")
            .start_unready();
        let routers = vec![up.url()];
        let second = one("consumer", 0, &configuration(world, "consumer", pace, None));
        let mut site = Self {
            processes: vec![
                Process {
                    service: "up",
                    bongsu: up,
                },
                second,
            ],
            routers,
            notifiers: vec![format!("http://127.0.0.1:{console}")],
        };
        site.ready().await;
        for port in [consumer, evaluator, console] {
            answers_ready(&format!("http://127.0.0.1:{port}/readyz?verbose")).await;
        }
        site
    }

    /// Each service as `replicas` processes of its own. Notifiers share a PostgreSQL where there is one; a single
    /// one has an SQLite.
    pub(crate) async fn separate(
        world: &World,
        services: &[&'static str],
        replicas: usize,
        postgres: Option<&Postgres>,
        pace: Pace,
    ) -> Self {
        let database = postgres.map(|postgres| world.secret("postgres.url", &postgres.database()));
        let processes: Vec<_> = services
            .iter()
            .flat_map(|service| (0..replicas).map(move |number| (*service, number)))
            .map(|(service, number)| {
                let text = configuration(world, service, pace, database.as_deref());
                one(service, number, &text)
            })
            .collect();
        let urls = |wanted: &str| -> Vec<String> {
            let of_service = processes.iter().filter(|process| process.service == wanted);
            of_service.map(|process| process.bongsu.url()).collect()
        };
        let (routers, notifiers) = (urls("router"), urls("notifier"));
        let mut site = Self {
            processes,
            routers,
            notifiers,
        };
        site.ready().await;
        site
    }

    pub(crate) fn console(&self) -> Console {
        Console::new(self.notifiers.clone())
    }

    /// The processes of a service.
    pub(crate) fn of<'a>(&'a mut self, service: &'a str) -> impl Iterator<Item = &'a mut Bongsu> {
        self.processes
            .iter_mut()
            .filter(move |process| process.service == service)
            .map(|process| &mut process.bongsu)
    }

    /// The sum of a metric over its labels, of each process of a service.
    pub(crate) async fn metric(&self, service: &str, name: &str) -> Result<Vec<f64>> {
        let client = web::client();
        let mut sums = Vec::new();
        for process in self
            .processes
            .iter()
            .filter(|process| process.service == service)
        {
            let url = format!("{}/metrics", process.bongsu.url());
            let answer = client.get(&url).send().await?;
            ensure!(
                answer.status().is_success(),
                "{url} answers {}",
                answer.status()
            );
            sums.push(sum(&answer.text().await?, name));
        }
        Ok(sums)
    }

    /// Every process drains and ends well.
    pub(crate) async fn terminate(&mut self) {
        let within = Duration::from_secs(30);
        let ends = self.processes.iter_mut().map(async |process| {
            let status = process.bongsu.terminate(within).await;
            let status = status.unwrap_or_else(|error| panic!("{}: {error:#}", process.service));
            assert!(status.success(), "{} ended with {status}", process.service);
        });
        join_all(ends).await;
    }

    async fn ready(&mut self) {
        join_all(
            self.processes
                .iter_mut()
                .map(|process| process.bongsu.ready()),
        )
        .await;
    }
}

/// A service that shares its process with others says for itself that it is ready.
async fn answers_ready(url: &str) {
    let client = web::client();
    let ready = wait::until(LONG, async || {
        let answer = client.get(url).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{status}: {text}");
        Ok(Some(()))
    });
    ready
        .await
        .unwrap_or_else(|error| panic!("{url} does not become ready: {error:#}"));
}

/// The values of a metric in Prometheus' text form, all labels together.
fn sum(text: &str, name: &str) -> f64 {
    let of_metric = text.lines().filter_map(|line| line.strip_prefix(name));
    of_metric
        .filter(|rest| rest.starts_with([' ', '{']))
        .filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

fn one(service: &'static str, number: usize, configuration: &str) -> Process {
    let bongsu = Bongsu::service(service)
        .file(
            "bongsu.yaml",
            configuration.replace("{number}", &number.to_string()),
        )
        .arg("--config")
        .arg("{dir}/bongsu.yaml")
        .start_unready();
    Process { service, bongsu }
}

/// The configuration file of a process of its own.
fn configuration(world: &World, service: &str, pace: Pace, postgres: Option<&str>) -> String {
    let rest = match service {
        "router" => String::new(),
        "consumer" => group(pace, ""),
        // As a stateful set names them: one that comes back is known by its name.
        "evaluator" => group(pace, "  instance: evaluator-{number}\n"),
        "notifier" => notifier(world, 0, pace, postgres),
        other => panic!("no service is called {other}"),
    };
    let text = world.settings() + &section(service, 0, &rest);
    text.replace("127.0.0.1:0", "127.0.0.1:{port}")
}

fn section(service: &str, port: u16, rest: &str) -> String {
    format!("{service}:\n  listen: 127.0.0.1:{port}\n{rest}")
}

/// What members of a group are told. A killed member's partitions come back after its session.
fn group(pace: Pace, rest: &str) -> String {
    let session = pace.session.as_secs();
    format!(
        "  session_timeout: {session}s\n  drain: {}s\n{rest}",
        session - 2
    )
}

fn notifier(world: &World, port: u16, pace: Pace, postgres: Option<&str>) -> String {
    let mut text = format!(
        "  public_url: http://127.0.0.1:{port}\n{}",
        world.providers()
    );
    match postgres {
        Some(file) => writeln!(text, "  database: {{postgres_url_file: {file}}}"),
        None => writeln!(text, "  database: {{sqlite: \"{{dir}}/incidents.db\"}}"),
    }
    .and_then(|()| {
        let lease = pace.lease.as_secs();
        writeln!(
            text,
            "  engine: {{lease: {lease}s, send_timeout: {}s}}",
            lease / 2
        )
    })
    .expect("text can be written");
    text
}

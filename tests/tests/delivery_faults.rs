//! Row 20 of the table of faults: a provider that answers 429 or 5xx, hangs, resets, or says 200 with an error inside, and
//! a second one beside it. Every P1 is at one of them within 60 s.
//!
//! `BONGSU_FAULTS=full cargo test -p tests --test delivery_faults -- --nocapture` is the full form with 1,000 pages.
//! `BONGSU_FAULTS_SEED=N` repeats what a seed has decided.

// The tests are the outside world: they have real clocks of their own.
#![allow(clippy::disallowed_methods, clippy::print_stderr)]

mod alert;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{AlertEvent, Priority, StreamEvent, TopicName};
use notifier::app::start_with;
use notifier::commands::{Commands, Filter, Page};
use notifier::config::{self, Config, Database};
use notifier::core::{Directory, Fate};
use notifier::io::channel::Channels;
use runtime::{Clock, Context, Shutdown};
use schemas::catalogue::{Catalogue, parse_yaml};
use stream::{Embedded, NewRecord, Stream, TopicPartition, TopicSpec};
use tests::aligo::{self, Aligo};
use tests::fake::Fault;
use tests::workdir::Workdir;
use tests::{Dice, Sens, ports, sens, wait};

/// What a P1 may take to the second provider.
const WITHIN: Duration = Duration::from_secs(60);
/// People, each with a tenant and a policy.
const PEOPLE: usize = 50;

struct World {
    sens: Sens,
    aligo: Aligo,
    commands: Commands,
    stream: Stream,
    _folder: Workdir,
}

/// How many pages of each kind: those of both together are the row's.
fn pages() -> usize {
    match std::env::var("BONGSU_FAULTS").is_ok_and(|form| form == "full") {
        true => 500,
        false => 50,
    }
}

impl World {
    async fn start(prefer: &[&str]) -> Self {
        let (sens, aligo) = tokio::join!(Sens::start(), Aligo::start());
        let folder = Workdir::new("delivery-faults");
        let clock = Clock::system();
        let log = Embedded::open(&folder.join("log.redb"), clock.clone()).await;
        let stream = log.expect("the log opens").into_stream();
        let topic = TopicSpec {
            name: TopicName::alerts(),
            partitions: 1,
            retention: None,
            compacted: false,
            replicas: 1,
        };
        stream.ensure_topic(&topic).await.expect("a topic");
        let mut config = config(&folder, &sens, &aligo);
        config.prefer = prefer.iter().map(|name| (*name).to_owned()).collect();
        let channels = Channels::configured(&config, &clock).expect("channels");
        let directory = Directory::of(&catalogue(), channels.kinds());
        let people = Arc::new(Arc::new(directory));
        let ctx = Context::new(Shutdown::new());
        let running = start_with(config, Arc::clone(&stream), channels, people, ctx).await;
        Self {
            sens,
            aligo,
            commands: running.expect("it starts").commands().clone(),
            stream,
            _folder: folder,
        }
    }

    /// Number `n` begins to fire, for one of the people.
    async fn fires(&self, n: usize) {
        let event = schemas::alert::encode(&StreamEvent::Alert(Box::new(firing(n))));
        let target = TopicPartition::new(TopicName::alerts(), 0);
        let sent = self.stream.send(NewRecord::value(target, event)).await;
        sent.expect("it is appended");
    }

    /// When a provider has taken the page of each number, since `began`; waits for all.
    async fn arrived(&self, count: usize, began: Instant) -> BTreeMap<usize, Duration> {
        let mut at = BTreeMap::new();
        wait::holds("every page is at a provider", WITHIN * 2, async || {
            let by_sens = self.sens.messages().into_iter().map(|sms| sms.content);
            let by_aligo = self.aligo.taken().into_iter().map(|sms| sms.content);
            for text in by_sens.chain(by_aligo) {
                let number = text.split("page-").nth(1).and_then(|rest| rest.get(..4));
                let number: usize = number.and_then(|n| n.parse().ok()).expect("a number");
                at.entry(number).or_insert_with(|| began.elapsed());
            }
            at.len() == count
        })
        .await;
        at
    }

    /// Waits until each delivery has its fate, and none failed.
    async fn all_are_recorded(&self, count: usize) {
        wait::holds("each delivery has its fate", WITHIN, async || {
            let page = Page {
                limit: 500,
                after: None,
            };
            let listing = self.commands.list(&Filter::default(), &page).await;
            let Ok(listing) = listing else { return false };
            let mut made = 0;
            for incident in listing.incidents {
                let Ok(detail) = self.commands.get(incident.id).await else {
                    return false;
                };
                let fates = detail.deliveries.iter().map(|one| one.fate);
                made += fates
                    .filter(|fate| matches!(fate, Fate::Accepted | Fate::Delivered))
                    .count();
            }
            made == count
        })
        .await;
    }
}

fn config(folder: &Workdir, sens: &Sens, aligo: &Aligo) -> Config {
    let port = ports::free();
    let mut config = Config {
        listen: SocketAddr::from(([127, 0, 0, 1], port)),
        public_url: format!("http://127.0.0.1:{port}"),
        database: Database {
            sqlite: folder.join("incidents.db"),
            ..Database::default()
        },
        sens: Some(config::Sens {
            service_id: sens::SERVICE_ID.to_owned(),
            access_key_file: folder.write("sens.access", sens::ACCESS_KEY),
            secret_key_file: folder.write("sens.secret", sens::SECRET_KEY),
            from: sens::SENDER.to_owned(),
            lms: config::Lms::Auto,
            api_url: sens.url(),
        }),
        aligo: Some(config::Aligo {
            key_file: folder.write("aligo.key", aligo::KEY),
            user_id: aligo::USER.to_owned(),
            from: aligo::SENDER.to_owned(),
            lms: config::Lms::Auto,
            api_url: aligo.url(),
        }),
        ..Config::default()
    };
    // Every page is on its way at once, as in a failure of many hosts.
    config.engine.in_flight = 64;
    config
}

/// A tenant, a policy and a person for each of the people.
fn catalogue() -> Catalogue {
    let mut text = String::new();
    for n in 0..PEOPLE {
        write!(
            text,
            "contact: p{n}\nname: P{n}\nphone: \"+8210{:08}\"\n---\nescalation_policy: p{n}\n\
             channels: {{P1: [sms]}}\nsteps: [{{notify: [p{n}]}}]\n---\ntenant: t{n}\nescalation_policy: p{n}\n---\n",
            10_000_000 + n
        )
        .expect("text can be written");
    }
    let text = text.trim_end_matches("---\n");
    let mut catalogue = Catalogue::default();
    for entry in parse_yaml("people.yaml", text).expect("a catalogue") {
        catalogue.insert(entry.value);
    }
    catalogue
}

fn firing(n: usize) -> AlertEvent {
    let (tenant, host) = (format!("t{}", n % PEOPLE), format!("page-{n:04}"));
    alert::disk_is_full(&tenant, &host, Priority::P1)
}

/// Waits for all pages, holds them against the row, and says what was seen.
async fn holds(world: &World, count: usize, began: Instant, what: &str) {
    let arrived = world.arrived(count, began).await;
    let slowest = arrived.values().max().copied().unwrap_or_default();
    world.all_are_recorded(count).await;
    let (first, second) = (world.sens.messages().len(), world.aligo.taken().len());
    eprintln!(
        "faults: row 20: {what}: {} of {count} delivered, slowest after {:.1} s; {first} by sens, {second} by aligo",
        arrived.len(),
        slowest.as_secs_f64()
    );
    assert!(slowest <= WITHIN, "{slowest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_20_a_provider_that_fails_in_every_way_and_a_second_one() {
    let count = pages();
    let world = World::start(&["sens", "aligo"]).await;
    let seed = Dice::seed("BONGSU_FAULTS_SEED");
    eprintln!("faults: row 20: BONGSU_FAULTS_SEED={seed}");
    let mut dice = Dice::of(seed);
    let ways = [
        Fault::too_many_requests(120),
        Fault::status(500),
        Fault::status(503),
        Fault::Hang,
        Fault::Reset,
        Fault::ResetAfterAccepting,
    ];
    for _ in 0..count {
        let way = usize::try_from(dice.below(6)).expect("small");
        world
            .sens
            .faults()
            .next_on("/messages", 1, ways[way].clone());
    }
    let began = Instant::now();
    for n in 0..count {
        world.fires(n).await;
    }
    holds(
        &world,
        count,
        began,
        "429, 500, 503, hang, RST, RST behind the work",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn row_20_a_provider_that_says_200_with_an_error_inside_and_a_second_one() {
    let count = pages();
    let world = World::start(&["aligo", "sens"]).await;
    world.aligo.run_dry();
    let began = Instant::now();
    for n in 0..count {
        world.fires(n).await;
    }
    holds(&world, count, began, "200 with an error inside").await;
    assert_eq!(world.aligo.taken().len(), 0);
}

//! Row 19 of the table of faults on a real process: kill -9 of a notifier over PostgreSQL at each of the five points of a
//! delivery, with a provider that says what it took.
//!
//! Where the point lies in the database, a trigger holds the statement until the process is dead. `BONGSU_FAULTS=full cargo
//! test -p tests --test crash_process -- --nocapture` kills ten times at each point; the short form once.

// The tests are the outside world: they have real clocks of their own.
#![allow(clippy::disallowed_methods, clippy::print_stderr)]

mod alert;

use std::time::Duration;

use model::{Priority, StreamEvent};
use tests::fake::{Fault, Outcome};
use tests::workdir::Workdir;
use tests::{Bongsu, Kafka, Postgres, Sens, sens, wait, web};

/// Whom the policy pages, as SENS shows the number.
const DUTY: &str = "01000000009";
const PEOPLE: &str = "\
contact: duty
name: Duty
phone: \"+821000000009\"
---
escalation_policy: default
channels: {P1: [sms]}
steps: [{notify: [duty]}]
";
const SOON: Duration = Duration::from_secs(30);
const LONG: Duration = Duration::from_secs(90);

/// Where the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Point {
    Claim,
    BeforeSend,
    AfterTheAnswer,
    BeforeRecord,
    AfterRecord,
}

struct World {
    kafka: Kafka,
    postgres: Postgres,
    database: String,
    sens: Sens,
    notifier: Bongsu,
    _folder: Workdir,
}

impl World {
    async fn start() -> Self {
        let (kafka, postgres, sens) =
            tokio::join!(Kafka::start(), Postgres::start(), Sens::start());
        let folder = Workdir::new("crash-process");
        let people = folder.write("people.yaml", PEOPLE).display().to_string();
        let brokers = kafka.brokers();
        Bongsu::run(&["apply", "-f", &people, "--kafka", &brokers], &[]).expect("it is applied");
        let database = postgres.database();
        let secret = |name: &str, text: &str| folder.write(name, text).display().to_string();
        let text = format!(
            "kafka: {{brokers: [{brokers:?}]}}\nnotifier:\n  listen: 127.0.0.1:{{port}}\n  \
             database: {{postgres_url_file: {}}}\n  engine: {{lease: 3s, send_timeout: 2s}}\n  \
             sens: {{service_id: {:?}, access_key_file: {}, secret_key_file: {}, from: {:?}, api_url: {}}}\n",
            secret("postgres.url", &database),
            sens::SERVICE_ID,
            secret("sens.access", sens::ACCESS_KEY),
            secret("sens.secret", sens::SECRET_KEY),
            sens::SENDER,
            sens.url(),
        );
        let notifier = Bongsu::service("notifier")
            .file("bongsu.yaml", text)
            .arg("--config")
            .arg("{dir}/bongsu.yaml");
        Self {
            notifier: notifier.start().await,
            kafka,
            postgres,
            database,
            sens,
            _folder: folder,
        }
    }

    fn sql(&self, statements: &str) -> String {
        let answer = tokio::task::block_in_place(|| self.postgres.sql(&self.database, statements));
        answer.expect("the database answers")
    }

    /// Every change of a delivery from one fate to another is held.
    fn hold(&self, from: &str, to: &str) {
        self.sql(&format!(
            "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(600); RETURN NEW; END $$;
             CREATE TRIGGER hold BEFORE UPDATE ON deliveries FOR EACH ROW
             WHEN (OLD.fate = '{from}' AND NEW.fate = '{to}') EXECUTE FUNCTION hold();"
        ));
    }

    async fn is_held(&self) {
        let held = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        wait::holds("a statement is held", SOON, async || {
            self.sql(held).trim() != "0"
        })
        .await;
    }

    /// What is held ends with its dead client.
    async fn let_go(&self) {
        self.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
        );
        let held = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        wait::holds("nothing is held", SOON, async || {
            self.sql(held).trim() == "0"
        })
        .await;
        self.sql("DROP TRIGGER hold ON deliveries; DROP FUNCTION hold();");
    }

    /// Pages about a host, as the phone shows them.
    fn pages(&self, host: &str) -> Vec<String> {
        let messages = self.sens.messages().into_iter();
        let pages = messages.filter(|sms| sms.to == DUTY && sms.content.contains(host));
        pages.map(|sms| sms.content).collect()
    }

    async fn taken(&self, host: &str) {
        let page = |sms: &sens::Sms| sms.content.contains(host);
        self.sens.wait_for(host, SOON, page).await;
    }

    /// The fates of all deliveries so far, but those of a host that were made.
    fn fates(&self) -> String {
        self.sql("SELECT string_agg(DISTINCT fate, ',') FROM deliveries")
    }

    /// The process dies with the page about a host at that point.
    async fn dies(&mut self, point: Point, host: &str) {
        match point {
            Point::Claim => self.hold("queued", "sending"),
            Point::BeforeSend => self.sens.faults().next_on("/messages", 1, Fault::Hang),
            Point::AfterTheAnswer => {
                let fault = Fault::HangAfterAccepting;
                self.sens.faults().next_on("/messages", 1, fault);
            }
            Point::BeforeRecord => self.hold("sending", "accepted"),
            Point::AfterRecord => {}
        }
        send(&self.kafka, host).await;
        match point {
            Point::Claim => self.is_held().await,
            Point::BeforeSend => {
                let journal = self.sens.journal();
                wait::holds("the provider is asked", SOON, async || {
                    let mut entries = journal.entries().into_iter();
                    entries.any(|entry| entry.outcome == Outcome::Faulted(Fault::Hang))
                })
                .await;
            }
            Point::AfterTheAnswer => self.taken(host).await,
            Point::BeforeRecord => {
                self.taken(host).await;
                self.is_held().await;
            }
            Point::AfterRecord => {
                self.taken(host).await;
                wait::holds("it is recorded", SOON, async || {
                    let fates = self.fates();
                    !fates.contains("queued") && !fates.contains("sending")
                })
                .await;
            }
        }
        self.notifier.kill();
        if matches!(point, Point::Claim | Point::BeforeRecord) {
            self.let_go().await;
        }
        self.notifier.start_again().await;
    }
}

/// Puts an alert into the log, as an evaluator does.
async fn send(kafka: &Kafka, host: &str) {
    let event = alert::disk_is_full("platform", host, Priority::P1);
    let event = schemas::alert::encode(&StreamEvent::Alert(Box::new(event)));
    let sent = kafka.send("bongsu.alerts", Some("platform/0"), &event, &[]);
    sent.await.expect("Kafka takes it");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_19_kill_9_at_each_point_misses_no_page_and_repeats_at_most_one_that_says_so() {
    let times = match std::env::var("BONGSU_FAULTS").is_ok_and(|form| form == "full") {
        true => 10,
        false => 1,
    };
    let mut world = World::start().await;
    for point in [
        Point::Claim,
        Point::BeforeSend,
        Point::AfterTheAnswer,
        Point::BeforeRecord,
        Point::AfterRecord,
    ] {
        let mut repeats = 0;
        for time in 0..times {
            let host = format!("{point:?}-{time:02}");
            world.dies(point, &host).await;
            wait::holds(format!("{host} is paged"), LONG, async || {
                let fates = world.fates();
                let under_way = fates.contains("queued") || fates.contains("sending");
                !under_way && !world.pages(&host).is_empty()
            })
            .await;
            let pages = world.pages(&host);
            assert!(pages.len() <= 2, "{pages:?}");
            let marked = pages[1..]
                .iter()
                .all(|page| page.contains("possible repeat"));
            assert!(
                marked,
                "the second does not say that it may be one: {pages:?}"
            );
            repeats += pages.len() - 1;
        }
        eprintln!(
            "faults: row 19: kill -9 of the process, {point:?}: {times} times, 0 missed, {repeats} repeated and marked"
        );
    }
    wait::holds("the notifier is ready again", LONG, async || {
        let ready = web::client().get(format!("{}/readyz", world.notifier.url()));
        let answer = ready.send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    })
    .await;
}

//! A notifier in this process with all its providers as stand-ins, and a clock that a test moves.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use model::{
    AlertEvent, AlertKind, Fingerprint, IncidentId, Priority, Span, StreamEvent, TenantId,
    Timestamp, TopicName,
};
use notifier::app::start_with;
use notifier::commands::{Commands, IncidentDetail};
use notifier::config::{self, Config, Database};
use notifier::core::{Directory, Fate};
use notifier::io::channel::Channels;
use runtime::{Clock, Context, Shutdown};
use schemas::catalogue::{Catalogue, parse_yaml};
use stream::{Embedded, NewRecord, Stream, TopicPartition, TopicSpec};
use tests::aligo::{self, Aligo};
use tests::twilio::{self, Taken, Twilio};
use tests::workdir::Workdir;
use tests::{Sens, Slack, ports, sens, slack, wait};

/// 2026-11-22 03:00:00 in Seoul.
pub(crate) const THREE: Timestamp = Timestamp::from_millis(1_795_284_000_000);
/// For what happens within the process.
const SOON: Duration = Duration::from_secs(30);

/// The notifier, what it speaks to, and a clock.
pub(crate) struct Night {
    pub(crate) slack: Slack,
    pub(crate) sens: Sens,
    pub(crate) aligo: Aligo,
    pub(crate) twilio: Twilio,
    pub(crate) commands: Commands,
    clock: Clock,
    stream: Stream,
    _folder: Workdir,
}

impl Night {
    /// Begins with that clock and catalogue, which is told the id of the room.
    pub(crate) async fn begin(clock: Clock, catalogue: impl Fn(&str) -> String) -> Self {
        let (slack, sens) = tokio::join!(Slack::start(), Sens::start());
        let (aligo, twilio) = tokio::join!(Aligo::start(), Twilio::start());
        let room = slack.add_channel("acme-night");
        let folder = Workdir::new("night");
        let config = config(&folder, &slack, &sens, &aligo, &twilio);
        let stream = Embedded::open(&folder.join("log.redb"), clock.clone())
            .await
            .expect("the log opens")
            .into_stream();
        let topic = TopicSpec {
            name: TopicName::alerts(),
            partitions: 1,
            retention: None,
            compacted: false,
            replicas: 1,
        };
        stream
            .ensure_topic(&topic)
            .await
            .expect("the topic is made");
        // Providers look at the real clock.
        let channels = Channels::configured(&config, &Clock::system()).expect("channels");
        let directory = Directory::of(&read(&catalogue(&room)), channels.kinds());
        let ctx = Context::at(clock.clone(), Shutdown::new());
        let people = Arc::new(Arc::new(directory));
        let running = start_with(config, Arc::clone(&stream), channels, people, ctx).await;
        Self {
            slack,
            sens,
            aligo,
            twilio,
            commands: running.expect("it starts").commands().clone(),
            clock,
            stream,
            _folder: folder,
        }
    }

    /// Something happens to the disk of a host.
    pub(crate) async fn event(&self, host: &str, sequence: u64, kind: AlertKind) -> IncidentId {
        let tenant = TenantId::parse("acme").expect("a name");
        let group = vec![("host".to_owned(), host.to_owned())];
        let id = IncidentId::of(Fingerprint::of(&tenant, "disk-full", &group), 0, THREE);
        let now = Timestamp::from_nanos(self.clock.now_nanos());
        let event = AlertEvent {
            event_id: id.event(sequence),
            incident_id: id,
            sequence,
            tenant,
            partition: 0,
            template: "disk-full".to_owned(),
            title: format!("The disk of {host} is full"),
            title_ko: Some(format!("{host} 디스크가 가득 찼습니다")),
            group,
            kind,
            priority: (kind == AlertKind::Firing).then_some(Priority::P1),
            value: Some(99.1),
            threshold: Some(95.0),
            unit: "percent".to_owned(),
            at: now,
            started_at: THREE,
            arrival: now,
            env: None,
            why: "last used_percent is 99.1, above 95 for 5m".to_owned(),
            runbook: None,
        };
        let value = schemas::alert::encode(&StreamEvent::Alert(Box::new(event)));
        let target = TopicPartition::new(TopicName::alerts(), 0);
        let sent = self.stream.send(NewRecord::value(target, value)).await;
        sent.expect("it is appended");
        id
    }

    /// Waits until the incident is as wanted, and nothing is on its way.
    pub(crate) async fn until(
        &self,
        id: IncidentId,
        what: &str,
        wanted: impl Fn(&IncidentDetail) -> bool,
    ) -> IncidentDetail {
        let found = wait::until(SOON, async || {
            let Ok(detail) = self.commands.get(id).await else {
                return Ok(None);
            };
            let mut fates = detail.deliveries.iter().map(|one| one.fate);
            let resting = !fates.any(|fate| matches!(fate, Fate::Queued | Fate::Sending));
            Ok(Some(detail).filter(|detail| resting && wanted(detail)))
        })
        .await;
        match found {
            Ok(detail) => detail,
            Err(error) => panic!("{what}: {error:#}\n{:#?}", self.commands.get(id).await),
        }
    }

    /// Waits until so many deliveries were decided, and all are made.
    pub(crate) async fn deliveries(&self, id: IncidentId, count: usize) -> IncidentDetail {
        let what = format!("{count} deliveries");
        self.until(id, &what, |detail| detail.deliveries.len() == count)
            .await
    }

    /// Waits until every text message that arrived is known to have arrived.
    pub(crate) async fn receipts(&self, id: IncidentId) {
        for taken in self.twilio.taken() {
            if taken.sid.starts_with("SM") {
                self.twilio.set(&taken.sid, "delivered");
            }
        }
        self.pass(3);
        self.until(id, "receipts", |detail| {
            let mut texts = detail.deliveries.iter();
            texts.all(|one| one.channel.as_str() != "sms" || one.fate == Fate::Delivered)
        })
        .await;
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// The last call to a phone.
    pub(crate) fn call(&self, phone: &str) -> Taken {
        let calls = self.twilio.taken().into_iter().rev();
        let mut calls = calls.filter(|one| one.sid.starts_with("CA"));
        calls.find(|one| one.to == phone).expect("a call")
    }

    /// Who was told of something: phones, and the room.
    pub(crate) fn told(&self, word_en: &str, word_ko: &str) -> Vec<String> {
        let has = |text: &str| text.contains(word_en) || text.contains(word_ko);
        let phones = self.twilio.taken().into_iter();
        let mut told: Vec<_> = phones
            .filter(|one| has(&one.content))
            .map(|one| one.to)
            .collect();
        if self.slack.messages().iter().any(|one| has(&one.text)) {
            told.push("the room".to_owned());
        }
        told.sort();
        told.dedup();
        told
    }
}

/// A catalogue from YAML.
fn read(text: &str) -> Catalogue {
    let mut catalogue = Catalogue::default();
    for entry in parse_yaml("night.yaml", text).expect("a catalogue") {
        catalogue.insert(entry.value);
    }
    catalogue
}

fn config(folder: &Workdir, slack: &Slack, sens: &Sens, aligo: &Aligo, twilio: &Twilio) -> Config {
    let port = ports::free();
    let mut config = Config {
        listen: SocketAddr::from(([127, 0, 0, 1], port)),
        public_url: format!("http://127.0.0.1:{port}"),
        database: Database {
            sqlite: folder.join("incidents.db"),
            ..Database::default()
        },
        slack: Some(config::Slack {
            bot_token_file: folder.write("slack.token", slack::TOKEN),
            signing_secret_file: folder.write("slack.secret", slack::SIGNING_SECRET),
            api_url: format!("{}/api", slack.url()),
        }),
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
        twilio: Some(config::Twilio {
            account_sid: twilio::ACCOUNT.to_owned(),
            auth_token_file: folder.write("twilio.token", twilio::TOKEN),
            alternate_token_file: None,
            sms_from: Some(twilio::NUMBER.to_owned()),
            voice_from: Some(twilio::NUMBER.to_owned()),
            api_url: twilio.url(),
        }),
        ..Config::default()
    };
    config.engine.poll = Span::from_millis(20);
    config.engine.in_flight_destination = 16;
    config
}

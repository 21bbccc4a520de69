//! Configuration of the notifier.

mod oidc;
mod providers;

pub use providers::{
    MailIn, OpsgenieIntegration, PagerdutyService, SensAlimtalk, SensTemplate, SensTemplates,
    ServiceWebhook, Telegram,
};

use model::Span;
use runtime::tls::TlsConfig;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

mod vigil;

pub use vigil::{BreakGlass, Heartbeat, Watch};

/// Configuration of the notifier.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where API, console and health listen.
    pub listen: SocketAddr,
    /// Certificate and key with which `listen` is encrypted; none: it speaks in the clear.
    pub tls: Option<TlsConfig>,
    /// How people's browsers reach `listen`, without a slash at the end; links in messages begin
    /// with it.
    pub public_url: String,
    /// Where incidents are kept.
    pub database: Database,
    /// Slack, when chat goes there.
    pub slack: Option<Slack>,
    /// NAVER SENS, when text messages go there.
    pub sens: Option<Sens>,
    /// NAVER SENS, when Alimtalk goes there.
    pub sens_alimtalk: Option<SensAlimtalk>,
    /// NHN Cloud, when text messages go there.
    pub nhn_sms: Option<NhnSms>,
    /// NHN Cloud, when Alimtalk goes there.
    pub nhn_alimtalk: Option<NhnAlimtalk>,
    /// Aligo, when text messages go there.
    pub aligo: Option<Aligo>,
    /// Twilio, when text messages or calls go there.
    pub twilio: Option<Twilio>,
    /// A mail server, when e-mails are sent.
    pub smtp: Option<Smtp>,
    /// Webhooks, by the name that policies call them by (`rooms: ["webhook:itsm"]`).
    pub webhooks: BTreeMap<String, Webhook>,
    /// Rooms of Microsoft Teams, by the name that policies call them by (`rooms: ["teams:ops"]`).
    pub teams: BTreeMap<String, TeamsRoom>,
    /// A bot of Telegram, when messages go there.
    pub telegram: Option<Telegram>,
    /// Services of PagerDuty, by the name that policies call them by (`rooms: ["pagerduty:ops"]`).
    pub pagerduty: BTreeMap<String, PagerdutyService>,
    /// Integrations of Opsgenie, by the name that policies call them by (`rooms: ["opsgenie:ops"]`).
    pub opsgenie: BTreeMap<String, OpsgenieIntegration>,
    /// Webhooks of those services of `pagerduty` that have one: what people do there is done here.
    pub pagerduty_webhooks: BTreeMap<String, ServiceWebhook>,
    /// Webhooks of those integrations of `opsgenie` that have one.
    pub opsgenie_webhooks: BTreeMap<String, ServiceWebhook>,
    /// A mail server of the notifier's own, when alerts come as e-mail.
    pub mail_in: Option<MailIn>,
    /// Networks, such as `10.1.0.0/16`, that webhooks may reach though they are not public.
    pub outgoing_allow: Vec<String>,
    /// Names of providers, such as `twilio`: of two that carry the same channel, the one that stands
    /// here first is asked first, the other when it fails. Without it the order is `sens`, `nhn`,
    /// `aligo`, `twilio`.
    pub prefer: Vec<String>,
    /// Shows the messages of every channel that has no provider in the built-in inbox. Reaches
    /// nobody's phone.
    pub inbox: bool,
    /// File with the token that the API and the console ask for. Needed unless `listen` is a
    /// loopback address.
    pub api_token_file: Option<PathBuf>,
    /// The identity provider that signs people in to the console, when there is one.
    pub oidc: Option<Oidc>,
    /// How the engine works.
    pub engine: Engine,
    /// The watch over blindness.
    pub watch: Watch,
    /// A sign of life to a dead-man's switch outside.
    pub heartbeat: Option<Heartbeat>,
    /// Whom a P1 goes to while the store of incidents does not answer.
    pub break_glass: Option<BreakGlass>,
}

/// Where incidents are kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// File of the embedded database. Not used when a PostgreSQL is named.
    pub sqlite: PathBuf,
    /// File that holds the URL of a PostgreSQL: `postgres://user:password@host:port/database`.
    pub postgres_url_file: Option<PathBuf>,
    /// Connections to PostgreSQL at most.
    pub connections: u32,
}

pub use oidc::{GroupRole, Oidc};

/// Slack.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slack {
    /// File with the bot's token (`xoxb-...`).
    pub bot_token_file: PathBuf,
    /// File with the app's signing secret, with which button presses are checked.
    pub signing_secret_file: PathBuf,
    /// Where the Web API is, without a slash at the end.
    #[serde(default = "slack_api")]
    pub api_url: String,
}

/// NAVER Cloud SENS.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sens {
    /// Id of the SMS service.
    pub service_id: String,
    /// File with the access key.
    pub access_key_file: PathBuf,
    /// File with the secret key.
    pub secret_key_file: PathBuf,
    /// The registered sender number, digits only.
    pub from: String,
    /// Whether a text that does not fit into an SMS of 90 bytes goes as LMS (`auto`) or is cut
    /// (`never`).
    #[serde(default)]
    pub lms: Lms,
    /// Where the API is, without a slash at the end.
    #[serde(default = "sens_api")]
    pub api_url: String,
}

/// Text messages of NHN Cloud.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NhnSms {
    /// The app key of the SMS service.
    pub app_key: String,
    /// File with its secret key.
    pub secret_key_file: PathBuf,
    /// The registered sender number, digits only.
    pub from: String,
    /// Whether a text that does not fit into an SMS of 90 bytes goes as LMS (`auto`) or is cut
    /// (`never`).
    #[serde(default)]
    pub lms: Lms,
    /// Where the API is, without a slash at the end.
    #[serde(default = "nhn_sms_api")]
    pub api_url: String,
}

/// Alimtalk of NHN Cloud.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NhnAlimtalk {
    /// The app key of the KakaoTalk Bizmessage service.
    pub app_key: String,
    /// File with its secret key.
    pub secret_key_file: PathBuf,
    /// The key of the Kakao channel, 40 characters.
    pub sender_key: String,
    /// The registered templates.
    pub templates: AlimtalkTemplates,
    /// Where the API is, without a slash at the end.
    #[serde(default = "nhn_alimtalk_api")]
    pub api_url: String,
}

/// Codes of the templates that Kakao has approved. Each may use the variables `#{head}`, `#{title}`,
/// `#{place}`, `#{value}`, `#{since}` and `#{link}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlimtalkTemplates {
    /// Of a page.
    pub page: String,
    /// Of news: acknowledged, closed, recovered.
    pub news: String,
}

impl AlimtalkTemplates {
    /// As messages are rendered with them.
    pub fn names(&self) -> crate::core::render::AlimtalkNames<'_> {
        crate::core::render::AlimtalkNames {
            page: &self.page,
            news: &self.news,
        }
    }
}

/// Aligo.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aligo {
    /// File with the API key.
    pub key_file: PathBuf,
    /// The account's user id.
    pub user_id: String,
    /// The registered sender number, digits only.
    pub from: String,
    /// Whether a text that does not fit into an SMS of 90 bytes goes as LMS (`auto`) or is cut
    /// (`never`).
    #[serde(default)]
    pub lms: Lms,
    /// Where the API is, without a slash at the end.
    #[serde(default = "aligo_api")]
    pub api_url: String,
}

/// Twilio.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Twilio {
    /// The account's SID (`AC...`).
    pub account_sid: String,
    /// File with the account's auth token, which also signs what Twilio sends here.
    pub auth_token_file: PathBuf,
    /// File with the other token, while tokens are rotated: both are taken.
    #[serde(default)]
    pub alternate_token_file: Option<PathBuf>,
    /// The number that text messages come from, in E.164, or a messaging sender's name.
    #[serde(default)]
    pub sms_from: Option<String>,
    /// The number that calls come from, in E.164.
    #[serde(default)]
    pub voice_from: Option<String>,
    /// Where the API is, without a slash at the end.
    #[serde(default = "twilio_api")]
    pub api_url: String,
}

/// A mail server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    /// Its name, which its certificate must have.
    pub host: String,
    /// Its port: 587 with `starttls`, 465 with `implicit`, 25 with `none`.
    pub port: u16,
    /// How the connection is encrypted.
    #[serde(default)]
    pub tls: SmtpTls,
    /// Whom the mails come from: `Bongsu <bongsu@example.com>`.
    pub from: String,
    /// Who logs in, where the server asks for it.
    #[serde(default)]
    pub user: Option<String>,
    /// File with the password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// File with a certificate (PEM) that the server's is signed with, besides the system's roots.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// A webhook.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// File with its address, which often holds a secret.
    pub url_file: PathBuf,
    /// File with a template in minijinja; without it everything is sent as JSON.
    #[serde(default)]
    pub template_file: Option<PathBuf>,
    /// What the template makes.
    #[serde(default = "json_type")]
    pub content_type: String,
    /// File with a secret that signs the body (`X-Bongsu-Signature`).
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
}

/// A room of Microsoft Teams.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamsRoom {
    /// File with the address of its Workflow, which holds a secret.
    pub url_file: PathBuf,
}

/// How a connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// Begins in the clear and must become encrypted before anything is said.
    #[default]
    Starttls,
    /// From the first byte.
    Implicit,
    /// Not at all: for a relay on the same machine. No password is sent.
    None,
}

/// Whether long text messages are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lms {
    /// When the text does not fit into an SMS.
    #[default]
    Auto,
    /// Never: the text is cut to what matters most.
    Never,
}

impl From<Lms> for crate::core::render::LmsUse {
    fn from(lms: Lms) -> Self {
        match lms {
            Lms::Auto => Self::Auto,
            Lms::Never => Self::Never,
        }
    }
}

/// How the engine works.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Engine {
    /// How long a sender may hold a delivery before another takes it over. Longer than
    /// `send_timeout`.
    #[serde(with = "runtime::config::span")]
    pub lease: Span,
    /// How long one attempt to send may take; after it the outcome is unknown.
    #[serde(with = "runtime::config::span")]
    pub send_timeout: Span,
    /// How often due work is looked for when nothing else wakes the engine.
    #[serde(with = "runtime::config::span")]
    pub poll: Span,
    /// Messages in flight per channel.
    pub in_flight: usize,
    /// Of these, kept for P1 alone.
    pub in_flight_p1: usize,
    /// Messages in flight to one destination.
    pub in_flight_destination: usize,
    /// In the long run one message in so long goes to one destination of a tenant by one provider; pages of P1 are counted
    /// apart. Each replica counts its own.
    #[serde(with = "runtime::config::span")]
    pub message_every: Span,
    /// So many go at once after a rest.
    pub message_burst: u32,
    /// A delivery that could not be made for so long is given up, and escalation goes on.
    #[serde(with = "runtime::config::span")]
    pub give_up_after: Span,
    /// How often the auditor looks for a P1 that nobody will hear of.
    #[serde(with = "runtime::config::span")]
    pub audit_every: Span,
    /// Times of the incidents' life.
    pub life: Life,
}

/// Times of the incidents' life.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Life {
    /// Closed by hand while it still fires, an incident reopens after this.
    #[serde(with = "runtime::config::span")]
    pub reopen_after: Span,
    /// How long an acknowledgement of a P1 holds.
    #[serde(with = "runtime::config::span")]
    pub ack_holds_p1: Span,
    /// How long an acknowledgement of a P2 holds.
    #[serde(with = "runtime::config::span")]
    pub ack_holds_p2: Span,
    /// A P1 whose policy ran out is told to everyone again after this.
    #[serde(with = "runtime::config::span")]
    pub ran_out_again: Span,
}

fn slack_api() -> String {
    "https://slack.com/api".to_owned()
}

fn sens_api() -> String {
    "https://sens.apigw.ntruss.com".to_owned()
}

fn nhn_sms_api() -> String {
    "https://api-sms.cloud.toast.com".to_owned()
}

fn nhn_alimtalk_api() -> String {
    "https://kakaotalk-bizmessage.api.nhncloudservice.com".to_owned()
}

fn aligo_api() -> String {
    "https://apis.aligo.in".to_owned()
}

fn json_type() -> String {
    "application/json".to_owned()
}

fn twilio_api() -> String {
    "https://api.twilio.com".to_owned()
}

impl Config {
    /// Keys that a reload changes while the notifier runs; the others need a restart. What providers send here is checked
    /// by the secrets of the start.
    pub const LIVE: [&str; 17] = [
        "slack.bot_token_file",
        "slack.api_url",
        "sens",
        "nhn_sms",
        "nhn_alimtalk",
        "aligo",
        "smtp",
        "webhooks",
        "teams",
        "twilio.sms_from",
        "sens_alimtalk",
        "pagerduty",
        "opsgenie",
        "telegram.bot_token_file",
        "telegram.rooms",
        "outgoing_allow",
        "prefer",
    ];

    /// What is wrong between the values, as a sentence.
    pub fn check(&self) -> Result<(), String> {
        let engine = &self.engine;
        let refuse = |text: &str| Err(text.to_owned());
        if engine.lease <= engine.send_timeout {
            return refuse("`engine.lease` must be longer than `engine.send_timeout`");
        }
        if engine.send_timeout <= Span::ZERO || engine.poll <= Span::ZERO {
            return refuse("`engine.send_timeout` and `engine.poll` must be longer than 0");
        }
        if engine.in_flight == 0 || engine.in_flight_p1 >= engine.in_flight {
            return refuse("`engine.in_flight` must be larger than `engine.in_flight_p1`");
        }
        if engine.in_flight_destination == 0 || engine.audit_every <= Span::ZERO {
            return refuse("`engine.in_flight_destination` and `engine.audit_every` must not be 0");
        }
        if engine.message_burst == 0 || engine.message_every <= Span::ZERO {
            return refuse("`engine.message_burst` and `engine.message_every` must not be 0");
        }
        if !self.public_url.starts_with("http://") && !self.public_url.starts_with("https://") {
            return refuse("`public_url` must begin with http:// or https://");
        }
        self.check_services()?;
        self.check_vigil()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8189)),
            tls: None,
            public_url: "http://127.0.0.1:8189".to_owned(),
            database: Database::default(),
            slack: None,
            sens: None,
            sens_alimtalk: None,
            nhn_sms: None,
            nhn_alimtalk: None,
            aligo: None,
            twilio: None,
            smtp: None,
            webhooks: BTreeMap::new(),
            teams: BTreeMap::new(),
            telegram: None,
            pagerduty: BTreeMap::new(),
            opsgenie: BTreeMap::new(),
            pagerduty_webhooks: BTreeMap::new(),
            opsgenie_webhooks: BTreeMap::new(),
            mail_in: None,
            outgoing_allow: Vec::new(),
            prefer: Vec::new(),
            inbox: false,
            api_token_file: None,
            oidc: None,
            engine: Engine::default(),
            watch: Watch::default(),
            heartbeat: None,
            break_glass: None,
        }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self {
            sqlite: PathBuf::from("bongsu-incidents.db"),
            postgres_url_file: None,
            connections: 16,
        }
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            lease: Span::from_secs(30),
            send_timeout: Span::from_secs(10),
            poll: Span::from_millis(500),
            in_flight: 32,
            in_flight_p1: 8,
            in_flight_destination: 2,
            message_every: Span::from_secs(1),
            message_burst: 10,
            give_up_after: Span::from_secs(1800),
            audit_every: Span::from_secs(15),
            life: Life::default(),
        }
    }
}

impl Default for Life {
    fn default() -> Self {
        Self {
            reopen_after: Span::from_secs(600),
            ack_holds_p1: Span::from_secs(3600),
            ack_holds_p2: Span::from_secs(8 * 3600),
            ran_out_again: Span::from_secs(3600),
        }
    }
}

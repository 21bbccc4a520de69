//! HTTP of the notifier: the API, the console, the inbox, links of messages, Slack's button
//! presses.

mod access;
mod acting;
mod api;
mod api_types;
mod arrivals;
mod assets;
mod audit;
mod buttons;
mod console;
mod contacts;
mod desk;
mod guard;
mod hands;
mod idempotency;
mod inbox;
mod incoming;
mod labels;
mod link;
mod live;
mod openapi;
mod page;
mod problem;
mod proof;
mod provider;
mod reports;
mod services;
mod sign_in;
mod silences;
mod slack;
mod telegram;
mod tokens;
mod twilio;
mod twilio_reply;
mod view;

pub use desk::Desk;
pub use services::WebhookSecrets;
pub use slack::SlackSignature;
pub use telegram::{BadTelegramSecret, TelegramSecret};
pub use twilio::TwilioSignature;

use crate::Config;
use crate::commands::Commands;
use crate::config::ServiceWebhook;
use crate::io::oidc::{Provider, ProviderError};
use crate::io::store::Store;
use access::Access;
use arrivals::Arrivals;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use model::{Role, Timestamp};
use runtime::routes::Guarded;
use runtime::secret::SecretError;
use runtime::{Clock, Declared, Routes, Rule, Secret, Served, Tasks};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tower_http::timeout::TimeoutLayer;

/// The largest request: Slack's interactions, with the message in them, are the largest that there
/// are.
const BODY_BYTES: usize = 1 << 20;
/// The longest that a request may take; streams are not bound by it.
const PATIENCE: Duration = Duration::from_secs(15);

/// What the routes need to know of the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    access: Access,
    slack: Option<SlackSignature>,
    twilio: Option<TwilioSignature>,
    telegram: Option<TelegramSecret>,
    pagerduty: WebhookSecrets,
    opsgenie: WebhookSecrets,
    inbox: bool,
    provider: Option<Provider>,
}

/// Why the routes cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Anybody who reaches the address could read and acknowledge.
    #[error(
        "the notifier would let anybody in at {listen}: name a file with a token in \
         `notifier.api_token_file` or an identity provider in `notifier.oidc`, or let it listen on a loopback address such as 127.0.0.1:8189"
    )]
    Open {
        /// Where it was to listen.
        listen: SocketAddr,
    },
    /// A secret cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The identity provider cannot be used.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// A secret is none that Telegram would take.
    #[error(transparent)]
    Telegram(#[from] BadTelegramSecret),
}

impl Settings {
    /// From configuration; reads the secrets. `listen` is where the server has been bound.
    pub fn new(config: &Config, listen: SocketAddr) -> Result<Self, SettingsError> {
        let token = config
            .api_token_file
            .as_deref()
            .map(Secret::from_file)
            .transpose()?;
        let slack = match &config.slack {
            Some(slack) => Some(SlackSignature::new(Secret::from_file(
                &slack.signing_secret_file,
            )?)),
            None => None,
        };
        let twilio = match &config.twilio {
            Some(twilio) => {
                let files = [
                    Some(&twilio.auth_token_file),
                    twilio.alternate_token_file.as_ref(),
                ];
                let tokens = files
                    .into_iter()
                    .flatten()
                    .map(|path| Secret::from_file(path));
                let tokens = tokens.collect::<Result<_, _>>()?;
                let sid = &twilio.account_sid;
                Some(TwilioSignature::new(sid, &config.public_url, tokens))
            }
            None => None,
        };
        let secret = config.telegram.as_ref();
        let secret = secret.and_then(|telegram| telegram.webhook_secret_file.as_deref());
        let telegram = match secret {
            Some(path) => Some(TelegramSecret::new(Secret::from_file(path)?)?),
            None => None,
        };
        let secrets = |webhooks: &BTreeMap<String, ServiceWebhook>| {
            let read = |(name, webhook): (&String, &ServiceWebhook)| {
                Ok((name.clone(), Secret::from_file(&webhook.secret_file)?))
            };
            let all: Result<_, SecretError> = webhooks.iter().map(read).collect();
            all.map(WebhookSecrets::new)
        };
        let pagerduty = secrets(&config.pagerduty_webhooks)?;
        let opsgenie = secrets(&config.opsgenie_webhooks)?;
        let provider = config.oidc.as_ref();
        let provider = provider.map(|oidc| Provider::new(oidc, &config.public_url));
        let provider = provider.transpose()?;
        let people = provider.is_some();
        let access = Access::new(listen, &config.public_url, token.as_ref(), people)?;
        Ok(Self {
            access,
            slack,
            twilio,
            telegram,
            pagerduty,
            opsgenie,
            inbox: config.inbox,
            provider,
        })
    }
}

/// What every handler holds. A cheap handle.
#[derive(Clone)]
struct Site(Arc<Inner>);

struct Inner {
    desk: Arc<dyn Desk>,
    store: Store,
    settings: Settings,
    clock: Clock,
    tasks: Tasks,
    streams: Arc<tokio::sync::Semaphore>,
    /// Button presses in Slack.
    slack: Arrivals,
    /// Text messages that came back.
    replies: Arrivals,
    /// Events of PagerDuty.
    events: Arrivals,
}

impl Site {
    fn new(
        (desk, store): (Arc<dyn Desk>, Store),
        settings: Settings,
        clock: Clock,
        tasks: Tasks,
    ) -> Self {
        Self(Arc::new(Inner {
            desk,
            store,
            settings,
            clock,
            tasks,
            streams: Arc::new(tokio::sync::Semaphore::new(live::STREAMS)),
            slack: Arrivals::default(),
            replies: Arrivals::default(),
            events: Arrivals::default(),
        }))
    }

    /// The desk without a bound: for what is proven by a link or a signature. Whoever has a role asks through
    /// [`acting::Acting`].
    fn whole_desk(&self) -> &dyn Desk {
        self.0.desk.as_ref()
    }

    fn store(&self) -> &Store {
        &self.0.store
    }

    fn provider(&self) -> Option<&Provider> {
        self.0.settings.provider.as_ref()
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now_millis())
    }

    fn access(&self) -> &Access {
        &self.0.settings.access
    }

    fn now_millis(&self) -> i64 {
        self.0.clock.now_millis()
    }

    fn now_seconds(&self) -> i64 {
        self.now_millis().div_euclid(1_000)
    }
}

/// All routes of the notifier but those that every service has.
pub fn all_routes(commands: Commands, settings: Settings, clock: Clock, tasks: Tasks) -> Served {
    let store = commands.engine().store.clone();
    let parts = (Arc::new(commands.clone()) as Arc<dyn Desk>, store);
    let site = Site::new(parts, settings, clock, tasks);
    let incoming = incoming::routes(&site, commands.clone());
    let once = middleware::from_fn_with_state(site.clone(), idempotency::once);
    let silences = silences::routes()
        .and(contacts::routes())
        .layer(once)
        .layer(axum::Extension(commands))
        .layer(patience())
        .guarded(&site);
    finished(&site, silences.and(incoming))
}

/// The routes of incidents, over an engine or its double. Tokens, sessions and the audit log stand in the store.
pub fn routes(
    desk: (Arc<dyn Desk>, Store),
    settings: Settings,
    clock: Clock,
    tasks: Tasks,
) -> Served {
    let site = Site::new(desk, settings, clock, tasks);
    finished(&site, Routes::new().kept_by_handlers())
}

/// The providers that send requests here.
#[derive(Debug, Clone, Copy)]
struct Providers {
    slack: bool,
    telegram: bool,
    twilio: bool,
    pagerduty: bool,
    opsgenie: bool,
    /// An identity provider that people sign in by.
    people: bool,
}

impl Providers {
    const ALL: Self = Self {
        slack: true,
        telegram: true,
        twilio: true,
        pagerduty: true,
        opsgenie: true,
        people: true,
    };
}

/// The table of all routes of the notifier, with every provider and the inbox.
pub fn table() -> Vec<Declared> {
    open_routes(Providers::ALL)
        .and(api_routes())
        .and(silences::routes())
        .and(contacts::routes())
        .and(console_routes(true))
        .and(streams())
        .and(incoming::table())
        .table()
}

fn patience() -> TimeoutLayer {
    TimeoutLayer::with_status_code(axum::http::StatusCode::SERVICE_UNAVAILABLE, PATIENCE)
}

fn finished(site: &Site, more: Guarded<Site>) -> Served {
    let settings = &site.0.settings;
    let providers = Providers {
        slack: settings.slack.is_some(),
        telegram: settings.telegram.is_some(),
        twilio: settings.twilio.is_some(),
        pagerduty: !settings.pagerduty.is_empty(),
        opsgenie: !settings.opsgenie.is_empty(),
        people: settings.provider.is_some(),
    };
    let once = middleware::from_fn_with_state(site.clone(), idempotency::once);
    let quick = open_routes(providers)
        .and(api_routes().layer(once))
        .and(console_routes(settings.inbox))
        .layer(patience());
    quick
        .and(streams())
        .guarded(site)
        .and(more)
        .with_state(site.clone())
        .around(|router| {
            router
                .method_not_allowed_fallback(problem::wrong_method)
                .fallback(problem::unknown)
                .layer(DefaultBodyLimit::max(BODY_BYTES))
                .layer(middleware::from_fn(headers))
        })
}

/// What may last.
fn streams() -> Routes<Site> {
    Routes::new().get("/events", Rule::Page(Role::Viewer), live::events)
}

/// What people and providers reach without a session.
fn open_routes(providers: Providers) -> Routes<Site> {
    let mut open = Routes::new()
        .get("/a/{token}", Rule::Link, link::ask)
        .post("/a/{token}", Rule::Link, link::acknowledge)
        .get("/login", Rule::Anybody, sign_in::ask)
        .post("/login", Rule::SignIn, sign_in::check)
        .get("/static/{name}", Rule::Anybody, assets::serve);
    if providers.people {
        open = open
            .get("/login/provider", Rule::SignIn, provider::leave)
            .get("/login/callback", Rule::SignIn, provider::back);
    }
    if providers.slack {
        let rule = Rule::Signed("Slack");
        open = open.post("/slack/interactions", rule, slack::interaction);
    }
    if providers.telegram {
        let rule = Rule::Signed("Telegram (a secret in a header)");
        open = open.post("/telegram/updates", rule, telegram::update);
    }
    if providers.twilio {
        let rule = Rule::Signed("Twilio");
        open = open
            .post("/twilio/sms/{token}", rule, twilio::message)
            .post("/twilio/call/{token}", rule, twilio::call)
            .post("/twilio/digit/{token}", rule, twilio::digit)
            .post("/twilio/reply", rule, twilio_reply::take);
    }
    if providers.pagerduty {
        let rule = Rule::Signed("PagerDuty");
        open = open.post("/pagerduty/webhooks", rule, services::pagerduty);
    }
    if providers.opsgenie {
        let rule = Rule::Signed("Opsgenie (a secret in a header)");
        open = open.post("/opsgenie/webhooks", rule, services::opsgenie);
    }
    open
}

fn api_routes() -> Routes<Site> {
    let (sees, acts) = (Rule::Api(Role::Viewer), Rule::Api(Role::Responder));
    Routes::new()
        .get("/api/v1/incidents", sees, api::list)
        .get("/api/v1/incidents/{id}", sees, api::show)
        .post("/api/v1/incidents/{id}/ack", acts, api::acknowledge)
        .post("/api/v1/incidents/{id}/close", acts, api::close)
        .post("/api/v1/incidents/{id}/assign", acts, hands::assign)
        .post("/api/v1/incidents/{id}/comment", acts, hands::comment)
        .post("/api/v1/incidents/{id}/snooze", acts, hands::snooze)
        .post("/api/v1/incidents/{id}/merge", acts, hands::merge)
        .post("/api/v1/incidents/{id}/priority", acts, hands::priority)
        .get("/api/v1/incidents.csv", sees, reports::csv)
        .get("/api/v1/response-times", sees, reports::response_times)
        .get("/api/v1/tokens", Rule::Api(Role::Admin), tokens::list)
        .post("/api/v1/tokens", Rule::Api(Role::Admin), tokens::create)
        .delete(
            "/api/v1/tokens/{id}",
            Rule::Api(Role::Admin),
            tokens::revoke,
        )
        .get("/api/v1/audit", Rule::Api(Role::Admin), audit::list)
        .get("/api/v1/openapi.json", sees, openapi::serve)
}

fn console_routes(inbox: bool) -> Routes<Site> {
    let (sees, acts) = (Rule::Page(Role::Viewer), Rule::Form(Role::Responder));
    let routes = Routes::new()
        .get("/", sees, console::index)
        .get("/fragments/incidents", sees, console::index_fragment)
        .get("/incidents/{id}", sees, console::incident)
        .get(
            "/fragments/incidents/{id}",
            sees,
            console::incident_fragment,
        )
        .post("/incidents/{id}/ack", acts, buttons::acknowledge)
        .post("/incidents/{id}/close", acts, buttons::close)
        .post("/logout", Rule::Form(Role::Viewer), sign_in::leave);
    if !inbox {
        return routes;
    }
    routes.get("/inbox", sees, console::inbox).get(
        "/fragments/inbox",
        sees,
        console::inbox_fragment,
    )
}

/// What every answer says to browsers: no script, style or frame but our own, nothing is kept.
async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut say = |name, value| {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    };
    say(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    );
    say(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    say(header::X_FRAME_OPTIONS, "DENY");
    // Stricter policies make browsers send `Origin: null` with our own forms.
    say(header::REFERRER_POLICY, "same-origin");
    say(header::CACHE_CONTROL, "no-store");
    response
}

/// The site as handlers take it.
type Here = State<Site>;

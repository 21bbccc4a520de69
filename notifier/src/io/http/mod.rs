//! HTTP of the notifier: the API, the console, the inbox, links of messages, Slack's button
//! presses.

mod access;
mod api;
mod api_types;
mod assets;
mod buttons;
mod console;
mod desk;
mod hands;
mod inbox;
mod incoming;
mod labels;
mod link;
mod live;
mod page;
mod problem;
mod reports;
mod sign_in;
mod silences;
mod slack;
mod twilio;
mod view;

pub use desk::Desk;
pub use slack::SlackSignature;
pub use twilio::TwilioSignature;

use crate::Config;
use crate::commands::Commands;
use access::Access;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use runtime::secret::SecretError;
use runtime::{Clock, Secret, Tasks};
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
    inbox: bool,
}

/// Why the routes cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Anybody who reaches the address could read and acknowledge.
    #[error(
        "the notifier would let anybody in at {listen}: name a file with a token in \
         `notifier.api_token_file`, or let it listen on a loopback address such as 127.0.0.1:8189"
    )]
    Open {
        /// Where it was to listen.
        listen: SocketAddr,
    },
    /// A secret cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
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
        let access = Access::new(listen, &config.public_url, token.as_ref())?;
        Ok(Self {
            access,
            slack,
            twilio,
            inbox: config.inbox,
        })
    }
}

/// What every handler holds. A cheap handle.
#[derive(Clone)]
struct Site(Arc<Inner>);

struct Inner {
    desk: Arc<dyn Desk>,
    settings: Settings,
    clock: Clock,
    tasks: Tasks,
    streams: Arc<tokio::sync::Semaphore>,
    slack: slack::Presses,
}

impl Site {
    fn new(desk: Arc<dyn Desk>, settings: Settings, clock: Clock, tasks: Tasks) -> Self {
        Self(Arc::new(Inner {
            desk,
            settings,
            clock,
            tasks,
            streams: Arc::new(tokio::sync::Semaphore::new(live::STREAMS)),
            slack: slack::Presses::default(),
        }))
    }

    fn desk(&self) -> &dyn Desk {
        self.0.desk.as_ref()
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
pub fn all_routes(
    commands: Commands,
    settings: Settings,
    clock: Clock,
    tasks: Tasks,
) -> axum::Router {
    let site = Site::new(Arc::new(commands.clone()), settings, clock, tasks);
    let incoming = incoming::routes(&site, commands.clone());
    let silences = guarded_api(&site, silences::routes(commands));
    finished(&site, silences.merge(incoming))
}

/// The routes of incidents, over an engine or its double.
pub fn routes(desk: Arc<dyn Desk>, settings: Settings, clock: Clock, tasks: Tasks) -> axum::Router {
    finished(
        &Site::new(desk, settings, clock, tasks),
        axum::Router::new(),
    )
}

fn finished(site: &Site, more: axum::Router<Site>) -> axum::Router {
    let slack = site.0.settings.slack.is_some();
    let twilio = site.0.settings.twilio.is_some();
    let inbox = site.0.settings.inbox;
    let mut open = axum::Router::new()
        .route("/a/{token}", get(link::ask).post(link::acknowledge))
        .route("/login", get(sign_in::ask).post(sign_in::check))
        .route("/static/{name}", get(assets::serve));
    if slack {
        open = open.route("/slack/interactions", post(slack::interaction));
    }
    if twilio {
        open = open
            .route("/twilio/sms/{token}", post(twilio::message))
            .route("/twilio/call/{token}", post(twilio::call))
            .route("/twilio/digit/{token}", post(twilio::digit));
    }
    let quick = open
        .merge(api_routes(site))
        .merge(console_routes(site, inbox))
        .merge(more)
        .layer(TimeoutLayer::with_status_code(
            axum::http::StatusCode::SERVICE_UNAVAILABLE,
            PATIENCE,
        ));
    let streams = axum::Router::new()
        .route("/events", get(live::events))
        .layer(middleware::from_fn_with_state(site.clone(), console::guard));
    quick
        .merge(streams)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(middleware::from_fn(headers))
        .with_state(site.clone())
}

fn api_routes(site: &Site) -> axum::Router<Site> {
    let routes = axum::Router::new()
        .route("/api/v1/incidents", get(api::list))
        .route("/api/v1/incidents/{id}", get(api::show))
        .route("/api/v1/incidents/{id}/ack", post(api::acknowledge))
        .route("/api/v1/incidents/{id}/close", post(api::close))
        .route("/api/v1/incidents/{id}/assign", post(hands::assign))
        .route("/api/v1/incidents/{id}/comment", post(hands::comment))
        .route("/api/v1/incidents/{id}/snooze", post(hands::snooze))
        .route("/api/v1/incidents/{id}/merge", post(hands::merge))
        .route("/api/v1/incidents/{id}/priority", post(hands::priority))
        .route("/api/v1/incidents.csv", get(reports::csv))
        .route("/api/v1/response-times", get(reports::response_times))
        .route("/api/v1/openapi.json", get(api::openapi));
    guarded_api(site, routes)
}

/// Routes of the API let in whom the API lets in.
fn guarded_api(site: &Site, routes: axum::Router<Site>) -> axum::Router<Site> {
    routes
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(middleware::from_fn_with_state(site.clone(), api::guard))
}

fn console_routes(site: &Site, inbox: bool) -> axum::Router<Site> {
    let mut routes = axum::Router::new()
        .route("/", get(console::index))
        .route("/fragments/incidents", get(console::index_fragment))
        .route("/incidents/{id}", get(console::incident))
        .route("/fragments/incidents/{id}", get(console::incident_fragment))
        .route("/incidents/{id}/ack", post(buttons::acknowledge))
        .route("/incidents/{id}/close", post(buttons::close))
        .route("/logout", post(sign_in::leave));
    if inbox {
        routes = routes
            .route("/inbox", get(console::inbox))
            .route("/fragments/inbox", get(console::inbox_fragment));
    }
    routes.layer(middleware::from_fn_with_state(site.clone(), console::guard))
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

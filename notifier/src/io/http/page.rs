//! The pages as templates, and how one becomes an answer.

use super::inbox::InboxView;
use super::labels::Labels;
use super::view::{Account, Row, Tally};
use super::{Site, assets};
use crate::core::Status;
use askama::Template;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

/// What every page has around it.
pub(super) struct Frame {
    pub(super) t: &'static Labels,
    pub(super) version: &'static str,
    /// Which entry of the bar is the current one.
    pub(super) section: Section,
    pub(super) inbox: bool,
    /// Whether people signed in, and may sign out.
    pub(super) session: bool,
    pub(super) csrf: String,
}

/// The entries of the bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// Incidents.
    Incidents,
    /// The inbox.
    Inbox,
    /// A page outside of both, without the bar's entries.
    Alone,
}

impl Section {
    /// Whether this is the entry of that name.
    pub(super) fn is(self, name: &str) -> bool {
        match self {
            Self::Incidents => name == "incidents",
            Self::Inbox => name == "inbox",
            Self::Alone => name == "alone",
        }
    }
}

impl Frame {
    pub(super) fn new(site: &Site, t: &'static Labels, section: Section, csrf: String) -> Self {
        Self {
            t,
            version: assets::version(),
            section,
            inbox: site.0.settings.inbox,
            session: !site.access().is_open() && section != Section::Alone,
            csrf,
        }
    }
}

/// The list of incidents.
#[derive(Template)]
#[template(path = "incidents.html")]
pub(super) struct IncidentsFragment {
    pub(super) t: &'static Labels,
    pub(super) csrf: String,
    pub(super) now: i64,
    pub(super) tally: Tally,
    pub(super) open: Vec<Row>,
    pub(super) closed: Vec<Row>,
    pub(super) more: bool,
    /// What should be mended before it is needed.
    pub(super) warnings: Vec<String>,
}

/// One incident.
#[derive(Template)]
#[template(path = "incident.html")]
pub(super) struct IncidentFragment {
    pub(super) t: &'static Labels,
    pub(super) csrf: String,
    pub(super) now: i64,
    pub(super) account: Account,
}

/// The inbox.
#[derive(Template)]
#[template(path = "inbox.html")]
pub(super) struct InboxFragment {
    pub(super) t: &'static Labels,
    pub(super) csrf: String,
    pub(super) now: i64,
    pub(super) inbox: InboxView,
}

/// A live page around a fragment.
#[derive(Template)]
#[template(path = "live.html")]
pub(super) struct LivePage<F: Template> {
    pub(super) frame: Frame,
    pub(super) title: String,
    /// Where the fragment is loaded anew.
    pub(super) source: String,
    pub(super) fragment: F,
}

/// The page that asks for the token.
#[derive(Template)]
#[template(path = "login.html")]
pub(super) struct SignInPage {
    pub(super) frame: Frame,
    pub(super) next: String,
    pub(super) wrong: bool,
    /// Whether an identity provider signs people in.
    pub(super) provider: bool,
}

/// The page behind the link of a message.
#[derive(Template)]
#[template(path = "link.html")]
pub(super) struct LinkPage {
    pub(super) frame: Frame,
    pub(super) row: Row,
    pub(super) recipient: String,
    pub(super) action: String,
}

/// A page that says why something cannot be shown or done.
#[derive(Template)]
#[template(path = "notice.html")]
pub(super) struct NoticePage {
    pub(super) frame: Frame,
    pub(super) title: &'static str,
    pub(super) text: String,
    pub(super) back: bool,
}

impl LinkPage {
    /// Whether there is something to acknowledge.
    pub(super) fn asks(&self) -> bool {
        self.row.status == Status::Open
    }
}

/// Renders a template as an answer.
pub(super) fn html(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A page that says why something cannot be shown or done.
pub(super) fn notice(
    site: &Site,
    headers: &HeaderMap,
    status: StatusCode,
    title: fn(&Labels) -> &'static str,
    text: impl Into<String>,
) -> Response {
    let t = Labels::wanted(headers);
    let frame = Frame::new(site, t, Section::Alone, String::new());
    let back = status != StatusCode::GONE;
    html(
        status,
        &NoticePage {
            frame,
            title: title(t),
            text: text.into(),
            back,
        },
    )
}

/// Adds a cookie to an answer.
pub(super) fn set_cookie(response: &mut Response, site: &Site, pair: &str, max_age: Option<i64>) {
    set_cookie_at(response, site, pair, ("/", "Strict"), max_age);
}

/// Adds a cookie for a path, which other sites' pages send along or not.
pub(super) fn set_cookie_at(
    response: &mut Response,
    site: &Site,
    pair: &str,
    (path, same_site): (&str, &str),
    max_age: Option<i64>,
) {
    let secure = if site.access().secure() {
        "; Secure"
    } else {
        ""
    };
    let age = max_age
        .map(|age| format!("; Max-Age={age}"))
        .unwrap_or_default();
    let cookie = format!("{pair}; Path={path}; HttpOnly; SameSite={same_site}{age}{secure}");
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

//! The console's pages: the incidents, one incident, the inbox.

use super::Site;
use super::access::{CSRF_COOKIE, cookie, random};
use super::acting::Acting;
use super::inbox::InboxView;
use super::labels::Labels;
use super::page::{
    Frame, InboxFragment, IncidentFragment, IncidentsFragment, LivePage, Section, html, notice,
    set_cookie,
};
use super::view::{Account, Row, Tally};
use crate::commands::{CommandError, Filter, Page};
use crate::core::{IncidentSummary, Status, render};
use askama::Template;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use model::{IncidentId, Priority};
use std::cmp::Reverse;

/// Open incidents of each priority that the page shows at most.
const SHOWN: u32 = 100;
/// Closed incidents below them.
const CLOSED: u32 = 8;
/// Messages in the inbox.
const MESSAGES: u32 = 100;

/// The page with the open incidents.
pub(super) async fn index(site: Acting, headers: HeaderMap) -> Response {
    let (t, csrf) = (Labels::wanted(&headers), Csrf::of(&headers));
    match incidents(&site, t, csrf.value.clone()).await {
        Ok(fragment) => {
            let open = fragment.tally.open;
            let title = title(open, t);
            let source = "/fragments/incidents".to_owned();
            csrf.page(&site, t, Section::Incidents, title, source, fragment)
        }
        Err(error) => failed(&site, &headers, &error),
    }
}

/// The part of the page that changes.
pub(super) async fn index_fragment(site: Acting, headers: HeaderMap) -> Response {
    let csrf = Csrf::of(&headers);
    match incidents(&site, Labels::wanted(&headers), csrf.value.clone()).await {
        Ok(fragment) => csrf.fragment(&site, &fragment),
        Err(error) => failed(&site, &headers, &error),
    }
}

fn title(open: usize, t: &Labels) -> String {
    match open {
        0 => format!("{} · Bongsu", t.incidents),
        open => format!("({open}) {} · Bongsu", t.incidents),
    }
}

async fn incidents(
    site: &Acting,
    t: &'static Labels,
    csrf: String,
) -> Result<IncidentsFragment, CommandError> {
    let (mut open, mut more) = (Vec::new(), false);
    for priority in Priority::ALL {
        let status = vec![Status::Open, Status::Acknowledged];
        let filter = Filter {
            status,
            priority: vec![priority],
            ..Filter::default()
        };
        let found = site
            .desk()
            .list(
                &filter,
                &Page {
                    limit: SHOWN,
                    after: None,
                },
            )
            .await?;
        more |= found.next.is_some();
        open.extend(found.incidents);
    }
    let closed = Filter {
        status: vec![Status::Closed],
        ..Filter::default()
    };
    let closed = site
        .desk()
        .list(
            &closed,
            &Page {
                limit: CLOSED,
                after: None,
            },
        )
        .await?
        .incidents;
    // What nobody has comes first, then by urgency, then the newest.
    open.sort_by_key(|incident: &IncidentSummary| {
        (
            incident.status != Status::Open,
            Reverse((incident.priority, incident.opened_at)),
        )
    });
    let open = rows(site, open, t).await?;
    let tally = Tally::of(&open);
    let closed = rows(site, closed, t).await?;
    Ok(IncidentsFragment {
        t,
        csrf,
        now: site.now_millis(),
        tally,
        open,
        closed,
        more,
        warnings: site.desk().warnings().await?,
    })
}

async fn rows(
    site: &Acting,
    incidents: Vec<IncidentSummary>,
    t: &Labels,
) -> Result<Vec<Row>, CommandError> {
    let ids: Vec<IncidentId> = incidents.iter().map(|incident| incident.id).collect();
    let deliveries = site.desk().deliveries_of(&ids).await?;
    let now = site.now_millis();
    let row = |incident: IncidentSummary| {
        let deliveries = deliveries
            .get(&incident.id)
            .map(Vec::as_slice)
            .unwrap_or_default();
        Row::new(incident, deliveries, now, t)
    };
    Ok(incidents.into_iter().map(row).collect())
}

/// The page of one incident.
pub(super) async fn incident(site: Acting, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let (t, csrf) = (Labels::wanted(&headers), Csrf::of(&headers));
    match account(&site, &id, t, csrf.value.clone()).await {
        Ok(fragment) => {
            let row = &fragment.account.row;
            let title = format!("{} {} · Bongsu", row.priority, row.title);
            let source = format!("/fragments/incidents/{}", row.id);
            csrf.page(&site, t, Section::Incidents, title, source, fragment)
        }
        Err(error) => failed(&site, &headers, &error),
    }
}

/// The part of the page that changes.
pub(super) async fn incident_fragment(
    site: Acting,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let csrf = Csrf::of(&headers);
    match account(&site, &id, Labels::wanted(&headers), csrf.value.clone()).await {
        Ok(fragment) => csrf.fragment(&site, &fragment),
        Err(error) => failed(&site, &headers, &error),
    }
}

async fn account(
    site: &Acting,
    id: &str,
    t: &'static Labels,
    csrf: String,
) -> Result<IncidentFragment, CommandError> {
    let detail = site.desk().get(parse(id)?).await?;
    let now = site.now_millis();
    Ok(IncidentFragment {
        t,
        csrf,
        now,
        account: Account::new(detail, now, t),
    })
}

/// The inbox.
pub(super) async fn inbox(site: Acting, headers: HeaderMap) -> Response {
    let (t, csrf) = (Labels::wanted(&headers), Csrf::of(&headers));
    match messages(&site, t, csrf.value.clone()).await {
        Ok(fragment) => {
            let title = format!("{} · Bongsu", t.inbox);
            let source = "/fragments/inbox".to_owned();
            csrf.page(&site, t, Section::Inbox, title, source, fragment)
        }
        Err(error) => failed(&site, &headers, &error),
    }
}

/// The part of the inbox that changes.
pub(super) async fn inbox_fragment(site: Acting, headers: HeaderMap) -> Response {
    let csrf = Csrf::of(&headers);
    match messages(&site, Labels::wanted(&headers), csrf.value.clone()).await {
        Ok(fragment) => csrf.fragment(&site, &fragment),
        Err(error) => failed(&site, &headers, &error),
    }
}

async fn messages(
    site: &Acting,
    t: &'static Labels,
    csrf: String,
) -> Result<InboxFragment, CommandError> {
    let messages = site.desk().recent_messages(MESSAGES).await?;
    let inbox = InboxView::new(messages, &render::korea());
    Ok(InboxFragment {
        t,
        csrf,
        now: site.now_millis(),
        inbox,
    })
}

pub(super) fn parse(id: &str) -> Result<IncidentId, CommandError> {
    // An address that is no id is that of no incident.
    IncidentId::parse(id).map_err(|_| CommandError::NoIncident(IncidentId::from_bytes([0; 16])))
}

pub(super) fn failed(site: &Site, headers: &HeaderMap, error: &CommandError) -> Response {
    let t = Labels::wanted(headers);
    match error {
        CommandError::NoIncident(_) => notice(
            site,
            headers,
            StatusCode::NOT_FOUND,
            |t| t.not_found,
            t.not_found_text,
        ),
        CommandError::Denied(denied) => site.denied(headers, denied),
        CommandError::BadCursor(_) | CommandError::NoContact(_) | CommandError::Store(_) => {
            tracing::error!(%error, "a page could not be shown");
            let status = StatusCode::SERVICE_UNAVAILABLE;
            notice(site, headers, status, |t| t.failed, error.to_string())
        }
    }
}

/// The value that forms repeat, from the browser's cookie or new.
struct Csrf {
    value: String,
    new: bool,
}

impl Csrf {
    fn of(headers: &HeaderMap) -> Self {
        let known = cookie(headers, CSRF_COOKIE).filter(|value| {
            value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        match known {
            Some(value) => Self {
                value: value.to_owned(),
                new: false,
            },
            // Without randomness no form works, which is safe.
            None => Self {
                value: random().unwrap_or_default(),
                new: true,
            },
        }
    }

    fn page<F: Template>(
        self,
        site: &Site,
        t: &'static Labels,
        section: Section,
        title: String,
        source: String,
        fragment: F,
    ) -> Response {
        let frame = Frame::new(site, t, section, self.value.clone());
        self.stamp(
            site,
            html(
                StatusCode::OK,
                &LivePage {
                    frame,
                    title,
                    source,
                    fragment,
                },
            ),
        )
    }

    fn fragment(self, site: &Site, fragment: &impl Template) -> Response {
        self.stamp(site, html(StatusCode::OK, fragment))
    }

    fn stamp(self, site: &Site, mut response: Response) -> Response {
        response.headers_mut().insert(
            header::VARY,
            header::HeaderValue::from_static("cookie, accept-language"),
        );
        if self.new {
            set_cookie(
                &mut response,
                site,
                &format!("{CSRF_COOKIE}={}", self.value),
                None,
            );
        }
        response
    }
}

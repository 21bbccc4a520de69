//! `bongsu report`: a month or an incident, for people who were not there.

mod page;

use super::api::{Api, whole_id};
use super::settings;
use crate::cli::{Global, Lang, Output, Report as Command};
use crate::failure::{Exit, Failure, Outcome};
use crate::print;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use page::Month;
use runtime::Clock;
use serde_json::{Value, json};

/// How many incidents a page of the API holds at most.
const PAGE: &str = "500";

pub(super) async fn run(global: &Global, command: Command) -> Outcome {
    let api = Api::find(global, &settings(global)?).await?;
    // For a customer, hence Korean where nothing is said.
    let lang = global.lang.unwrap_or(Lang::Ko);
    match command {
        Command::Incident { id, zone } => {
            let zone = zone_of(&zone)?;
            let listed = incidents(&api, None, None).await?;
            let id = whole_id("incident", &listed, &id)?;
            let incident = api.get(&format!("incidents/{id}")).await?;
            match global.output {
                Output::Table => print::text(&page::incident(&incident, &zone, lang)),
                output => print::value(&incident, output),
            }
            Ok(())
        }
        Command::Monthly {
            tenant,
            month,
            zone,
        } => {
            let zone = zone_of(&zone)?;
            let now = Timestamp::from_millisecond(Clock::system().now_millis());
            let now = now.map_err(|error| Failure::from_error(Exit::Failed, &error))?;
            let month = month_of(month.as_deref(), now, &zone)?;
            let (since, until) = (month.since.to_string(), month.until.to_string());
            let mut asked = vec![("since", since.as_str()), ("until", until.as_str())];
            asked.extend(tenant.as_deref().map(|tenant| ("tenant", tenant)));
            let times = api.query("response-times", &asked).await?;
            let found = incidents(&api, tenant.as_deref(), Some(&month)).await?;
            match global.output {
                Output::Table => {
                    print::text(&page::monthly(
                        &month,
                        tenant.as_deref(),
                        &times,
                        &found,
                        lang,
                    ));
                }
                output => print::value(
                    &json!({"month": month.name, "times": times, "incidents": found}),
                    output,
                ),
            }
            Ok(())
        }
    }
}

fn zone_of(name: &str) -> Outcome<TimeZone> {
    TimeZone::get(name).map_err(|error| {
        Failure::from_error(Exit::Usage, &error)
            .hint("a name of the IANA data base, such as Asia/Seoul or UTC")
    })
}

/// The month that is named, or the last whole one before `now`.
fn month_of(named: Option<&str>, now: Timestamp, zone: &TimeZone) -> Outcome<Month> {
    let wrong = |error: jiff::Error| {
        Failure::from_error(Exit::Usage, &error).hint("write the month as YYYY-MM, such as 2026-10")
    };
    let first: Date = match named {
        Some(named) => format!("{named}-01").parse().map_err(wrong)?,
        None => {
            let today = now.to_zoned(zone.clone()).date();
            let before = today.first_of_month().yesterday().map_err(wrong)?;
            before.first_of_month()
        }
    };
    let next = first.last_of_month().tomorrow().map_err(wrong)?;
    let begin = |date: Date| -> Outcome<Timestamp> {
        let begin = date.to_zoned(zone.clone()).map_err(wrong)?;
        Ok(begin.timestamp())
    };
    Ok(Month {
        name: first.strftime("%Y-%m").to_string(),
        since: begin(first)?,
        until: begin(next)?,
    })
}

/// All incidents of a tenant, or of all; with a month those that were opened in it. The newest come first.
async fn incidents(api: &Api, tenant: Option<&str>, month: Option<&Month>) -> Outcome<Vec<Value>> {
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut asked = vec![("limit", PAGE)];
        asked.extend(tenant.map(|tenant| ("tenant", tenant)));
        asked.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let mut part = api.query("incidents", &asked).await?;
        let listed = part["incidents"]
            .as_array_mut()
            .map(std::mem::take)
            .unwrap_or_default();
        let opened = |incident: &Value| incident["opened_at"].as_str()?.parse::<Timestamp>().ok();
        let last = listed.last().and_then(opened);
        found.extend(listed.into_iter().filter(|incident| {
            month.is_none_or(|month| {
                opened(incident).is_some_and(|at| at >= month.since && at < month.until)
            })
        }));
        let over = month.is_some_and(|month| last.is_some_and(|last| last < month.since));
        cursor = part["next"].as_str().map(str::to_owned);
        if cursor.is_none() || over {
            return Ok(found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_where_its_zone_says() {
        let zone = zone_of("Asia/Seoul").unwrap();
        let now: Timestamp = "2026-11-30T16:00:00Z".parse().unwrap();
        let last = month_of(None, now, &zone).unwrap();
        assert_eq!(last.name, "2026-11");
        assert_eq!(last.since.to_string(), "2026-10-31T15:00:00Z");
        assert_eq!(last.until.to_string(), "2026-11-30T15:00:00Z");
        let named = month_of(Some("2026-02"), now, &zone).unwrap();
        assert_eq!(named.until.to_string(), "2026-02-28T15:00:00Z");
        assert_eq!(
            month_of(Some("soon"), now, &zone).unwrap_err().exit,
            Exit::Usage
        );
        assert_eq!(zone_of("Mars/Crater").unwrap_err().exit, Exit::Usage);
    }
}

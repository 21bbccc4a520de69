//! The API for what people do beside acknowledging and closing, for CSV and for response times.

mod support;

use axum::http::StatusCode;
use model::Priority;
use notifier::commands::IncidentDetail;
use notifier::core::Status;
use support::desk::FakeDesk;
use support::sample;
use support::web::Web;

const JSON: (&str, &str) = ("content-type", "application/json");

fn detail(number: u8, status: Status) -> IncidentDetail {
    let mut incident = sample::incident(number);
    (incident.priority, incident.status) = (Priority::P1, status);
    incident.title = "CPU, \"hot\"".to_owned();
    IncidentDetail {
        incident,
        timeline: Vec::new(),
        deliveries: Vec::new(),
    }
}

fn desk() -> FakeDesk {
    FakeDesk::with(vec![detail(1, Status::Open), detail(2, Status::Closed)])
}

fn path(what: &str) -> String {
    format!("/api/v1/incidents/{}/{what}", "01".repeat(16))
}

#[tokio::test]
async fn each_action_of_a_person_reaches_the_engine_with_its_name() {
    let fake = desk();
    let web = Web::open(fake.clone()).await;
    let into = "02".repeat(16);
    for (what, body, expected) in [
        ("assign", r#"{"by":"kim","to":"lee"}"#.to_owned(), "Assign"),
        (
            "comment",
            r#"{"by":"kim","text":" on it "}"#.to_owned(),
            "\"on it\"",
        ),
        ("snooze", r#"{"by":"kim","for":"30m"}"#.to_owned(), "Snooze"),
        (
            "merge",
            format!(r#"{{"by":"kim","into":"{into}"}}"#),
            "Merge",
        ),
        (
            "priority",
            r#"{"by":"kim","priority":"P2"}"#.to_owned(),
            "SetPriority",
        ),
    ] {
        let answer = web.post(&path(what), &[JSON], &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{what}: {}", answer.text);
        assert_eq!(answer.json()["changed"], true);
        let done = fake.done();
        let last = done.last().unwrap();
        assert!(last.contains(expected) && last.contains("kim"), "{last}");
    }
}

#[tokio::test]
async fn an_action_that_makes_no_sense_is_a_problem_and_reaches_nobody() {
    let fake = desk();
    let web = Web::open(fake.clone()).await;
    for (what, body, part) in [
        ("assign", "{}", "contact"),
        ("assign", r#"{"to":"lee","x":1}"#, "unknown field"),
        ("comment", r#"{"text":"  "}"#, "1 to 4000"),
        ("snooze", r#"{"for":"soon"}"#, "length of time"),
        ("snooze", r#"{"for":"59s"}"#, "1 minute up to 7 days"),
        ("snooze", r#"{"for":"8d"}"#, "1 minute up to 7 days"),
        ("merge", r#"{"into":"01"}"#, "hexadecimal"),
        ("priority", r#"{"priority":"P4"}"#, "P1"),
    ] {
        let answer = web.post(&path(what), &[JSON], body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{what} {body}");
        assert!(answer.text.contains(part), "{what} {body}: {}", answer.text);
    }
    assert_eq!(fake.done(), [""; 0]);
    let unknown = format!("/api/v1/incidents/{}/snooze", "0f".repeat(16));
    let answer = web.post(&unknown, &[JSON], r#"{"for":"1h"}"#).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn incidents_are_csv_with_every_cell_quoted_where_it_must_be() {
    let web = Web::open(desk()).await;
    let answer = web.get("/api/v1/incidents.csv?state=open").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let lines: Vec<&str> = answer.text.split("\r\n").collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("id,tenant,priority,state,firing,template,host,env,title"));
    assert!(lines[1].contains(",acme,P1,open,true,cpu-usage,web-1,prod,\"CPU, \"\"hot\"\"\","));
    let columns = lines[0].split(',').count();
    assert_eq!(columns, 19);
    let refused = web.get("/api/v1/incidents.csv?limit=50001").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn response_times_are_means_and_p90_of_a_period() {
    let fake = desk();
    let web = Web::open(fake.clone()).await;
    let asked = "since=2026-11-01T00:00:00Z&until=2026-11-02T00:00:00Z&tenant=acme";
    let answer = web.get(&format!("/api/v1/response-times?{asked}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let times = &answer.json()[0];
    assert_eq!(
        (&times["opened"], &times["acknowledged"]),
        (&2.into(), &2.into())
    );
    assert_eq!(
        (&times["mtta_seconds"], &times["mttr_seconds"]),
        (&90.0.into(), &600.0.into())
    );
    assert_eq!(fake.done(), ["times acme 1d"]);
    let backwards = "since=2026-11-02T00:00:00Z&until=2026-11-01T00:00:00Z";
    for bad in ["since=yesterday", "tenant=A!", "x=1", backwards] {
        let answer = web.get(&format!("/api/v1/response-times?{bad}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

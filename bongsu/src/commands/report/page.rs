//! Reports as Markdown, from what the notifier's API tells. No I/O.

use crate::cli::Lang;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Rules that are listed as noisy.
const NOISY: usize = 10;

/// The times of a report: from, to and as what they are written.
#[derive(Debug, Clone)]
pub(super) struct Month {
    pub(super) name: String,
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
}

/// A text of a value; a dash where there is none.
fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .filter(|text| !text.is_empty())
        .unwrap_or("-")
}

/// A cell of a table: what would end it is written as it can stand there.
fn cell(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('|', "\\|")
        .replace(['\n', '\r'], " ")
}

fn at(value: &Value, zone: &TimeZone) -> String {
    let read = value
        .as_str()
        .and_then(|text| text.parse::<Timestamp>().ok());
    read.map_or_else(
        || "-".to_owned(),
        |at| {
            at.to_zoned(zone.clone())
                .strftime("%Y-%m-%d %H:%M:%S %Z")
                .to_string()
        },
    )
}

fn minutes(value: &Value) -> String {
    value.as_f64().map_or_else(
        || "-".to_owned(),
        |seconds| format!("{:.1}", seconds / 60.0),
    )
}

/// One incident with its timeline and deliveries.
pub(super) fn incident(incident: &Value, zone: &TimeZone, lang: Lang) -> String {
    let say = |en, ko| lang.pick(en, ko);
    let title = match lang {
        Lang::Ko => incident["title_ko"]
            .as_str()
            .unwrap_or_else(|| text(incident, "title")),
        Lang::En => text(incident, "title"),
    };
    let mut page = format!("# {}: {}\n\n", say("Incident", "장애 보고서"), cell(title));
    let taken = |name: &str| match &incident[name] {
        Value::Null => "-".to_owned(),
        found => format!("{} ({})", at(&found["at"], zone), text(found, "by")),
    };
    let rows = [
        (say("Tenant", "고객"), text(incident, "tenant").to_owned()),
        (
            say("Priority", "등급"),
            text(incident, "priority").to_owned(),
        ),
        (say("State", "상태"), text(incident, "state").to_owned()),
        (say("Since", "발생"), at(&incident["started_at"], zone)),
        (say("Opened", "접수"), at(&incident["opened_at"], zone)),
        (say("Acknowledged", "확인"), taken("acknowledged")),
        (say("Closed", "종료"), taken("closed")),
        (say("Why", "판정 근거"), text(incident, "why").to_owned()),
        (
            say("Runbook", "조치 문서"),
            text(incident, "runbook").to_owned(),
        ),
        ("ID", text(incident, "id").to_owned()),
    ];
    page.push_str("| | |\n|---|---|\n");
    for (name, value) in rows {
        writeln!(page, "| {name} | {} |", cell(&value)).unwrap_or_default();
    }
    let head = say("| at | what | by | text |", "| 시각 | 내용 | 누가 | 설명 |");
    writeln!(
        page,
        "\n## {}\n\n{head}\n|---|---|---|---|",
        say("Timeline", "경과")
    )
    .unwrap_or_default();
    for entry in incident["timeline"].as_array().into_iter().flatten() {
        let cells = [text(entry, "kind"), text(entry, "by"), text(entry, "text")].map(cell);
        writeln!(
            page,
            "| {} | {} |",
            at(&entry["at"], zone),
            cells.join(" | ")
        )
        .unwrap_or_default();
    }
    let head = say(
        "| at | channel | to | purpose | fate | tries |",
        "| 시각 | 채널 | 받는 이 | 목적 | 결과 | 시도 |",
    );
    writeln!(
        page,
        "\n## {}\n\n{head}\n|---|---|---|---|---|---|",
        say("Messages", "연락")
    )
    .unwrap_or_default();
    for delivery in incident["deliveries"].as_array().into_iter().flatten() {
        let cells = ["channel", "to", "purpose", "fate"].map(|name| cell(text(delivery, name)));
        let (sent, tries) = (at(&delivery["created_at"], zone), &delivery["attempts"]);
        writeln!(page, "| {sent} | {} | {tries} |", cells.join(" | ")).unwrap_or_default();
    }
    page
}

/// A month: `times` is how fast incidents were taken and ended, `incidents` are those that were opened in it.
pub(super) fn monthly(
    month: &Month,
    tenant: Option<&str>,
    times: &Value,
    incidents: &[Value],
    lang: Lang,
) -> String {
    let say = |en, ko| lang.pick(en, ko);
    let whose = tenant.unwrap_or(say("all tenants", "전체 고객"));
    let mut page = format!(
        "# {} {}: {whose}\n\n",
        say("Monthly report", "월간 보고서"),
        month.name
    );
    writeln!(page, "## {}\n", say("Incidents", "장애")).unwrap_or_default();
    page.push_str(say(
        "| tenant | priority | opened | acknowledged | MTTA, min | 9 of 10, min | ended | MTTR, min | 9 of 10, min |\n",
        "| 고객 | 등급 | 발생 | 확인 | 평균 확인(분) | 90% 확인(분) | 종료 | 평균 복구(분) | 90% 복구(분) |\n",
    ));
    page.push_str("|---|---|---|---|---|---|---|---|---|\n");
    for row in times.as_array().into_iter().flatten() {
        writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            cell(text(row, "tenant")),
            text(row, "priority"),
            row["opened"],
            row["acknowledged"],
            minutes(&row["mtta_seconds"]),
            minutes(&row["tta_p90_seconds"]),
            row["resolved"],
            minutes(&row["mttr_seconds"]),
            minutes(&row["ttr_p90_seconds"]),
        )
        .unwrap_or_default();
    }
    let mut rules: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for incident in incidents {
        *rules
            .entry((text(incident, "tenant"), text(incident, "template")))
            .or_default() += 1;
    }
    let mut rules: Vec<_> = rules.into_iter().collect();
    rules.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    let head = say("| tenant | rule | incidents |", "| 고객 | 규칙 | 건수 |");
    writeln!(
        page,
        "\n## {}\n\n{head}\n|---|---|---|",
        say("Noisiest rules", "많이 발생한 규칙")
    )
    .unwrap_or_default();
    for ((tenant, template), count) in rules.into_iter().take(NOISY) {
        writeln!(page, "| {} | {} | {count} |", cell(tenant), cell(template)).unwrap_or_default();
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn seoul() -> TimeZone {
        TimeZone::get("Asia/Seoul").unwrap()
    }

    #[test]
    fn an_incident_is_told_whole_in_both_languages_and_no_cell_breaks_its_table() {
        let one = json!({
            "id": "ab", "tenant": "acme", "priority": "P1", "state": "closed", "title": "CPU | 95", "title_ko": "CPU 사용률",
            "why": "above 90", "started_at": "2026-10-31T15:30:00Z", "opened_at": "2026-10-31T15:31:00Z",
            "acknowledged": {"by": "Kim", "at": "2026-10-31T15:32:00Z"}, "closed": null,
            "timeline": [{"at": "2026-10-31T15:31:00Z", "kind": "opened", "by": null, "text": "a\nb | c"}],
            "deliveries": [{"created_at": "2026-10-31T15:31:01Z", "channel": "sms", "to": "Kim", "purpose": "firing",
                "fate": "delivered", "attempts": 1}],
        });
        let english = incident(&one, &seoul(), Lang::En);
        for line in [
            "# Incident: CPU \\| 95",
            "| Acknowledged | 2026-11-01 00:32:00 KST (Kim) |",
            "| Closed | - |",
            "| 2026-11-01 00:31:00 KST | opened | - | a b \\| c |",
            "| 2026-11-01 00:31:01 KST | sms | Kim | firing | delivered | 1 |",
        ] {
            assert!(english.contains(line), "{line}\n{english}");
        }
        let korean = incident(&one, &seoul(), Lang::Ko);
        assert!(korean.contains("# 장애 보고서: CPU 사용률"), "{korean}");
    }

    #[test]
    fn a_month_counts_and_names_what_is_noisy() {
        let month = Month {
            name: "2026-10".to_owned(),
            since: Timestamp::UNIX_EPOCH,
            until: Timestamp::UNIX_EPOCH,
        };
        let times = json!([{"tenant": "acme", "priority": "P1", "opened": 3, "acknowledged": 2, "mtta_seconds": 90.0,
            "tta_p90_seconds": 120.0, "resolved": 3, "mttr_seconds": 600.0, "ttr_p90_seconds": null}]);
        let incidents: Vec<Value> = ["cpu", "disk", "cpu"]
            .map(|template| json!({"tenant": "acme", "template": template}))
            .into();
        let page = monthly(&month, Some("acme"), &times, &incidents, Lang::En);
        assert!(
            page.contains("| acme | P1 | 3 | 2 | 1.5 | 2.0 | 3 | 10.0 | - |"),
            "{page}"
        );
        let (cpu, disk) = (
            page.find("| acme | cpu | 2 |"),
            page.find("| acme | disk | 1 |"),
        );
        assert!(cpu.is_some() && cpu < disk, "{page}");
    }
}

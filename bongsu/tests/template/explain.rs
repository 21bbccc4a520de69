//! `bongsu template explain`.

use crate::support::template;
use serde_json::json;

const RULES: &str = "template: load\napplies_to: {measurement: m}\none_alert_per: [host]\ncheck: v\n\
    over: last of 1m\nlevels:\n  P1: {above: 80, for: 5m}\n  P2: {above: 60, until_below: 50}\n---\n\
    override: batch\ntemplate: load\nfor: {host: web-1}\nset:\n  levels:\n    P2: {above: 70}\n";

#[test]
fn a_group_is_shown_with_its_latches_timers_and_overrides() {
    let points: String = (1..=3)
        .map(|n| {
            format!(
                "m,host=web-1,env=prod v=85 {}\n",
                (1_767_225_600 + 60 * n) * 1_000_000_000_i64
            )
        })
        .collect();
    let args = [
        "explain",
        "load",
        "--group",
        "host=web-1",
        "--templates",
        "r.yaml",
        "--points",
        "-",
        "-o",
        "jsonl",
    ];
    let ran = template(&args, &[("r.yaml", RULES)], &points);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let now = &ran.objects()[0];
    assert_eq!(now["group"], json!({"host": "web-1"}));
    assert_eq!(now["incident"]["priority"], "P2");
    assert_eq!(now["rungs"][0]["held"], "1m");
    assert_eq!(now["rungs"][1]["latched"], true);
    assert_eq!(now["overrides"], json!({"levels.P2.above": "batch"}));
    assert_eq!(now["windows"][0]["value"], 85.0);
    let waits = now["waits_for"].as_array().unwrap();
    assert!(waits.contains(&json!("P1: true for 1m of 5m")), "{waits:?}");
}

#[test]
fn a_group_that_is_not_there_is_a_finding() {
    let args = [
        "explain",
        "load",
        "--group",
        "host=x",
        "--templates",
        "r.yaml",
        "--points",
        "-",
    ];
    let ran = template(&args, &[("r.yaml", RULES)], "m,host=a v=1 1\n");
    assert_eq!(ran.code, 3, "{}", ran.err);
}

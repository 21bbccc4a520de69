//! `bongsu template lint`.

use crate::support::template;

const RULE: &str = "template: mine\napplies_to: {measurement: m}\none_alert_per: [host]\ncheck: v\n\
    over: last of 1m\nlevels:\n  P1: {above: 90}\n";

#[test]
fn an_error_ends_with_three_beside_its_source() {
    let wrong = RULE.replace("[host]", "[host, pid]");
    let ran = template(&["lint", "."], &[("r.yaml", &wrong)], "");
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(
        ran.out
            .contains("error: ./r.yaml:3:23: `pid` changes while"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("    3 | one_alert_per: [host, pid]"),
        "{}",
        ran.out
    );
}

#[test]
fn a_slip_is_told_with_what_was_meant() {
    let wrong = RULE.replace("levels:", "levles:");
    let ran = template(
        &["lint", "r.yaml", "-o", "jsonl"],
        &[("r.yaml", &wrong)],
        "",
    );
    assert_eq!(ran.code, 3, "{}", ran.err);
    let first = &ran.objects()[0];
    assert_eq!(
        (first["line"].as_u64(), first["severity"].as_str()),
        (Some(6), Some("error"))
    );
    assert_eq!(first["hint"], "did you mean `levels`?");
}

#[test]
fn rules_that_match_no_series_are_warned_of_only_when_points_are_given() {
    let quiet = template(&["lint", "r.yaml"], &[("r.yaml", RULE)], "");
    assert_eq!(quiet.code, 0, "{}", quiet.err);
    assert!(quiet.err.contains("not checked"), "{}", quiet.err);
    let args = ["lint", "r.yaml", "--points", "-"];
    let told = template(&args, &[("r.yaml", RULE)], "n,host=a v=1 1\n");
    assert_eq!(told.code, 3, "{}", told.err);
    assert!(
        told.out.contains("no series of measurement `m` was seen"),
        "{}",
        told.out
    );
    let matched = template(&args, &[("r.yaml", RULE)], "m,host=a v=1 1\n");
    assert_eq!(matched.code, 0, "{}", matched.out);
}

#[test]
fn the_shipped_templates_have_no_findings() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../templates");
    let ran = template(&["lint", folder], &[], "");
    assert_eq!(ran.code, 0, "{}", ran.out);
}

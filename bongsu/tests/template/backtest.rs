//! `bongsu template backtest`.

use crate::support::template;

const RULES: &str = "template: load\napplies_to: {measurement: m}\none_alert_per: [host]\ncheck: v\n\
    over: last of 1m\nlevels:\n  P1: {above: 80}\n";

#[test]
fn figures_stand_beside_those_of_what_runs_now_and_a_group_is_drawn() {
    let point = |n: i64| {
        let value = if (5..=14).contains(&n) { 90 } else { 10 };
        format!(
            "m,host=a,env=prod v={value} {}\n",
            (1_767_225_600 + 60 * n) * 1_000_000_000
        )
    };
    let points: String = (1..=20).map(point).collect();
    let now = RULES.replace("80", "95");
    let files = [("new.yaml", RULES), ("now.yaml", now.as_str())];
    let args = "backtest --templates new.yaml --against now.yaml --points - -o jsonl --template load --group host=a";
    let args: Vec<&str> = args.split(' ').collect();
    let ran = template(&args, &files, &points);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let rows = ran.objects();
    assert_eq!(rows.len(), 1, "{}", ran.out);
    assert_eq!(rows[0]["minutes_firing"], 10.0);
    assert_eq!(rows[0]["minutes_firing_now"], 0.0);
    assert!(
        ran.err.contains('█') && ran.err.contains("1111"),
        "{}",
        ran.err
    );
}

#[test]
fn history_must_be_named() {
    let args = ["backtest", "--templates", "r.yaml"];
    let ran = template(&args, &[("r.yaml", RULES)], "");
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("--influx"), "{}", ran.err);
}

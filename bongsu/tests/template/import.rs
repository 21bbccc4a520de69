//! `bongsu template import`.

use crate::support::template;

const RULES: &str = "groups:\n- name: g\n  rules:\n  - alert: HighLoad\n    expr: node_load1 > 4\n    for: 5m\n    \
    labels: {severity: critical}\n  - alert: Gone\n    expr: absent(up)\n";

#[test]
fn what_can_be_said_is_printed_and_the_rest_is_told_with_its_reason() {
    let ran = template(&["import", "rules.yml"], &[("rules.yml", RULES)], "");
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(ran.err.contains("not imported: Gone: "), "{}", ran.err);
    let linted = template(
        &["lint", "imported.yaml"],
        &[("imported.yaml", &ran.out)],
        "",
    );
    assert_eq!(linted.code, 0, "{}{}", linted.out, linted.err);
}

#[test]
fn a_script_of_kapacitor_is_known_by_its_ending() {
    let script = "stream\n|from().measurement('cpu').groupBy('host')\n|window().period(5m).every(1m)\n|mean('v')\n\
        |alert().crit(lambda: \"mean\" > 90)\n";
    let ran = template(
        &["import", "cpu_alert.tick"],
        &[("cpu_alert.tick", script)],
        "",
    );
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("template: cpu-alert\n"), "{}", ran.out);
}

//! `bongsu import`: what it prints, a running `up` would take.

use crate::support::Up;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_imported_passes_a_dry_run() {
    runtime::tls::install_provider();
    let up = Up::start().await;
    let fixtures = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../crates/oncall/tests/fixtures"
    );
    for system in ["grafana-oncall", "opsgenie", "goalert"] {
        let file = format!("{fixtures}/{system}.json");
        let output = up.run(&["import", system, &file]).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // Each fixture has something that cannot be taken over.
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("not taken over: "), "{said}");
        let yaml = String::from_utf8(output.stdout).unwrap();
        let path = up.file(&format!("{system}.yaml"), &yaml);
        let changes = up.json(&["apply", "--dry-run", "-f", &path]).await;
        let kinds: Vec<_> = changes
            .as_array()
            .unwrap()
            .iter()
            .map(|change| change["kind"].as_str().unwrap())
            .collect();
        for kind in ["contact", "schedule", "escalation_policy"] {
            assert!(kinds.contains(&kind), "{system}: {changes}");
        }
    }
    let none = up.file("none.json", "{}");
    let output = up.run(&["import", "goalert", &none]).await;
    assert_eq!(output.status.code(), Some(1));
}

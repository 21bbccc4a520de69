//! Every metric of every service, as docs/metrics.md lists them, and the one that says which program this is.

use prometheus::{IntGaugeVec, Opts};
use runtime::telemetry::Described;
use runtime::{Context, Metrics, Shutdown};

/// Says which program runs.
pub(crate) fn build_info(metrics: &Metrics, service: &str) {
    let info = metrics.add(IntGaugeVec::new(
        Opts::new(
            "bongsu_build_info",
            "Always 1: the version of the program, the service it runs, and the system it was built for.",
        ),
        &["version", "service", "target"],
    ));
    let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    info.with_label_values(&[env!("CARGO_PKG_VERSION"), service, &target])
        .set(1);
}

/// Each service, or what every process has, with its metrics.
pub fn all() -> Vec<(&'static str, Vec<Described>)> {
    let of = |register: fn(&Metrics)| {
        let metrics = Metrics::new();
        register(&metrics);
        metrics.table()
    };
    let every = {
        let ctx = Context::new(Shutdown::new());
        build_info(&ctx.metrics, "up");
        crate::reload::metric(&ctx.metrics);
        ctx.metrics.table()
    };
    vec![
        ("every process", every),
        ("router", of(router::register_metrics)),
        ("consumer", of(consumer::register_metrics)),
        ("evaluator", of(evaluator::register_metrics)),
        ("notifier", of(notifier::register_metrics)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    /// docs/metrics.md as the registries say it.
    fn page() -> String {
        let mut text = String::from(
            "# Metrics\n\n\
             Written by `BLESS=1 cargo test -p bongsu --lib metrics` from the registries of the services; `cargo test -p tests --test \
             metrics` compares it\nwith running ones. `GET /metrics` of every listener answers in Prometheus' text format; a process of \
             `bongsu up` has all of them. A histogram\n`name` is `name_bucket{le}`, `name_sum` and `name_count`. A metric with labels \
             appears with its first value.\n\n\
             `tenant` and `shard` are names of the catalogue, `cluster` is one of the configuration; every other label has few, fixed values.\n",
        );
        for (service, table) in all() {
            let (first, rest) = service.split_at(1);
            writeln!(text, "\n## {}{rest}\n", first.to_uppercase()).unwrap();
            text.push_str("| metric | type | unit | labels | what |\n|---|---|---|---|---|\n");
            for metric in table {
                let labels: Vec<String> = metric
                    .labels
                    .iter()
                    .map(|label| format!("`{label}`"))
                    .collect();
                let (name, kind, unit) = (&metric.name, metric.kind, metric.unit());
                let help = metric.help.replace('|', "\\|");
                writeln!(
                    text,
                    "| `{name}` | {kind} | {unit} | {} | {help} |",
                    labels.join(", ")
                )
                .unwrap();
            }
        }
        text
    }

    #[test]
    fn the_documentation_shows_every_metric() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
        let fresh = page();
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, &fresh).unwrap();
            return;
        }
        let known = std::fs::read_to_string(path).unwrap();
        let how = "write it anew: BLESS=1 cargo test -p bongsu --lib metrics";
        assert!(known == fresh, "{how}");
    }

    #[test]
    fn names_say_what_they_are() {
        for (service, table) in all() {
            for metric in table {
                let name = &metric.name;
                assert!(name.starts_with("bongsu_"), "{service}: {name}");
                assert!(metric.help.ends_with('.'), "{name}: {}", metric.help);
                let counts = metric.kind == "counter";
                assert_eq!(
                    counts,
                    name.ends_with("_total"),
                    "{name} is a {}",
                    metric.kind
                );
            }
        }
    }
}

//! Row 40: the version before and this one, mixed, up and down.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tests::workdir::Workdir;
use tests::{Bongsu, bongsu, wait, web};

use super::plane::{DRAINED, Plane, SOON, Setup, token};
use super::{alone, figure, scale};

/// The path of the version before, such as what the last release's image holds.
const PREVIOUS: &str = "BONGSU_PREVIOUS";
/// Within this somebody is told of a P1, at any time.
const TOLD: Duration = Duration::from_secs(60);

/// A process whose program is changed under it.
struct Changing {
    program: PathBuf,
    process: Bongsu,
}

impl Changing {
    fn start(plane: &Plane, program: PathBuf, (service, rest): (&str, &str), first: &Path) -> Self {
        symlink(first, &program).expect("a link can be made");
        let process = plane.process_by(Some(&program), service, rest);
        Self { program, process }
    }

    /// Ends it as Kubernetes does, and starts the other version with the same folder and port.
    async fn change(&mut self, to: &Path) {
        let ended = self.process.terminate(Duration::from_secs(30)).await;
        assert!(ended.expect("it drains in 30 s").success());
        std::fs::remove_file(&self.program).expect("the link is there");
        symlink(to, &self.program).expect("a link can be made");
        self.process.start_again().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants the program of the version before: BONGSU_PREVIOUS=PATH make versions"]
async fn row_40_the_version_before_and_this_one_mixed_lose_nothing_and_repeat_no_page() {
    let _turn = alone().await;
    let previous = std::env::var_os(PREVIOUS)
        .expect("BONGSU_PREVIOUS names the program of the version before");
    let (previous, this) = (PathBuf::from(previous), bongsu::binary());
    let mut plane = Plane::start(Setup {
        tenants: 2,
        partitions: 4,
        routers: 0,
        consumers: 0,
        ..Setup::default()
    })
    .await;
    plane.apply(
        "template: on-fire\ntitle: fire on {host}\napplies_to: {measurement: fire}\none_alert_per: [host]\n\
         check: v\nover: each point\nlevels: {P1: {above: 90}}\n",
    );
    let folder = Workdir::new("programs");
    let ends = "  session_timeout: 6s\n  drain: 4s\n";
    let notifier = "  inbox: true\n  database: {sqlite: \"{dir}/incidents.db\"}\n";
    let wanted = [
        ("router", ""),
        ("router", ""),
        ("consumer", ends),
        ("consumer", ends),
        ("evaluator", ends),
        ("evaluator", ends),
        ("notifier", notifier),
    ];
    let start = |(number, part): (usize, (&str, &str))| {
        let program = folder.join(format!("{}-{number}", part.0));
        Changing::start(&plane, program, part, &previous)
    };
    let mut all: Vec<Changing> = wanted.into_iter().enumerate().map(start).collect();
    for one in &mut all {
        one.process.ready().await;
    }
    let urls: Vec<String> = all[..2].iter().map(|one| one.process.url()).collect();
    let console = all[6].process.url();
    wait::holds("the rule is in force", SOON + SOON, async || {
        set_on_fire(&urls[0], "kindling").await;
        incidents(&console).await.contains_key("kindling")
    })
    .await;
    let mut load = plane.load(500);
    load.agents.truncate(1);
    load.routers.clone_from(&urls);
    let producer = plane.produce(&load).await;
    let (rounds, mut hosts) = (scale(2, 10), 0);
    for round in 0..2 * rounds {
        let to = if round % 2 == 0 { &this } else { &previous };
        for one in &mut all {
            one.change(to).await;
            let host = format!("burning-{hosts}");
            hosts += 1;
            wait::holds("a router takes it", TOLD, async || {
                set_on_fire(&urls[hosts % 2], &host).await
            })
            .await;
            wait::holds(format!("the P1 of {host} is told"), TOLD, async || {
                incidents(&console).await.contains_key(&host)
            })
            .await;
        }
    }
    let ledger = producer.stop().await;
    let balance = plane.judge().keeps(&ledger, DRAINED).await;
    let told = incidents(&console).await;
    let pages: usize = told.values().map(|pages| pages.len()).sum();
    for (host, pages) in &told {
        let mut once = pages.clone();
        once.sort();
        once.dedup();
        assert_eq!(&once, pages, "{host} was paged twice");
    }
    figure(
        "40",
        format_args!(
            "{} processes, each changed {} times between two versions; {} incidents, {pages} pages, none twice; {balance}",
            all.len(),
            2 * rounds,
            told.len(),
        ),
    );
    assert_eq!(told.len(), hosts + 1);
    plane.consumers.clear();
}

/// Whether a router took it.
async fn set_on_fire(router: &str, host: &str) -> bool {
    let write = web::client()
        .post(format!("{router}/api/v2/write"))
        .header("Authorization", format!("Token {}", token(1)))
        .body(format!("fire,host={host} v=95"));
    let answer = write.send().await;
    answer.is_ok_and(|answer| answer.status().as_u16() == 204)
}

/// The pages of each host's P1 that were delivered, as channel and recipient, sorted.
async fn incidents(console: &str) -> BTreeMap<String, Vec<String>> {
    let ask = async |path: &str| -> Option<Value> {
        let answer = web::client()
            .get(format!("{console}/api/v1/{path}"))
            .send()
            .await;
        answer.ok()?.json().await.ok()
    };
    let mut told = BTreeMap::new();
    let list = ask("incidents?limit=500").await.unwrap_or_default();
    let incidents = list["incidents"].as_array().into_iter().flatten();
    // In the full form hosts that burned once are silent for long enough to be told of as well.
    for incident in incidents.filter(|one| one["template"] == "on-fire") {
        let id = incident["id"].as_str().unwrap_or_default();
        let whole = ask(&format!("incidents/{id}")).await.unwrap_or_default();
        let deliveries = whole["deliveries"].as_array().into_iter().flatten();
        let firing =
            deliveries.filter(|one| one["purpose"] == "firing" && one["fate"] == "delivered");
        let mut pages: Vec<String> = firing
            .map(|one| format!("{} to {}", one["channel"], one["to"]))
            .collect();
        pages.sort();
        if !pages.is_empty() {
            let host = incident["group"]["host"].as_str().unwrap_or_default();
            told.insert(host.to_owned(), pages);
        }
    }
    told
}

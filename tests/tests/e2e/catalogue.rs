//! What the tests declare, as a platform engineer would with `bongsu apply -f`.

use std::fmt::Write as _;
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use tests::influxdb;
use tests::workdir::Workdir;

/// Partitions of acme's topic: more than one, so that two consumers of a group have work.
pub(crate) const ACME_PARTITIONS: usize = 3;
/// The router token of acme's agents.
pub(crate) const ACME_TOKEN: &str = "bongsu_acme_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE";
/// Acme's policy: the second person is paged when the first does not acknowledge in time, and when the second does
/// not either, everybody is.
pub(crate) const QUICK: &str = "\
acknowledge_within: {P1: 8s}
steps:
  - notify: [kim]
  - notify: [lee]
";
/// The second person is paged as soon, and then nobody for long.
pub(crate) const PATIENT: &str = "\
acknowledge_within: {P1: 10m}
steps:
  - notify: [kim]
  - {notify: [lee], after: 8s}
";
/// How long the first person has, in both.
pub(crate) const ACKNOWLEDGE_WITHIN_SECS: u64 = 8;

/// A person of the catalogue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Person {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) slack: &'static str,
    /// As SENS shows it.
    pub(crate) phone: &'static str,
}

/// First on call for acme.
pub(crate) const KIM: Person = Person {
    id: "kim",
    name: "Kim Minji",
    slack: "U0000000KIM",
    phone: "01000000001",
};
/// Second on call for acme.
pub(crate) const LEE: Person = Person {
    id: "lee",
    name: "Lee Jian",
    slack: "U0000000LEE",
    phone: "01000000002",
};
/// On call for beta.
pub(crate) const PARK: Person = Person {
    id: "park",
    name: "Park Suho",
    slack: "U000000PARK",
    phone: "01000000003",
};

/// The rooms of Slack where the incidents of each tenant are shown.
#[derive(Debug, Clone)]
pub(crate) struct Rooms {
    pub(crate) acme: String,
    pub(crate) beta: String,
}

/// Writes the catalogue's files and the token files that it names into `folder`; the folder to apply.
pub(crate) fn write(folder: &Workdir, shards: &[String], rooms: &Rooms, steps: &str) -> PathBuf {
    let token = folder.write("influxdb.token", influxdb::TOKEN);
    let mut storage = String::new();
    for (number, url) in shards.iter().enumerate() {
        writeln!(
            storage,
            "shard: s{}\nurl: {url}\norg: {}\ntoken_file: {}\n---",
            number + 1,
            influxdb::ORG,
            token.display()
        )
        .expect("text can be written");
    }
    let weights: Vec<_> = (1..=shards.len())
        .map(|number| format!("s{number}: 1.0"))
        .collect();
    writeln!(
        storage,
        "placement: default\nshards_per_tenant: {}\nepochs:\n  - {{from: beginning, shards: {{{}}}}}",
        shards.len(),
        weights.join(", ")
    )
    .expect("text can be written");
    let applied = write_people_and_tenants(folder, rooms, steps);
    std::fs::write(applied.join("storage.yaml"), storage).expect("a file of ours can be written");
    applied
}

/// As [`write`], without where points are stored.
pub(crate) fn write_people_and_tenants(folder: &Workdir, rooms: &Rooms, steps: &str) -> PathBuf {
    let applied = folder.join("catalogue");
    std::fs::create_dir(&applied).expect("a folder of ours can be made");
    for (name, text) in [
        ("pace.yaml", PACE.to_owned()),
        ("tenants.yaml", tenants()),
        ("people.yaml", people(rooms, steps)),
    ] {
        std::fs::write(applied.join(name), text).expect("a file of ours can be written");
    }
    applied
}

/// The shipped CPU template at a pace that a test can wait for.
const PACE: &str = "\
override: quick-cpu
template: cpu-usage
set:
  every: 5s
  interval: 1s
  over: average of 10s
  levels:
    P1: {for: 10s, recover_for: 0}
    P2: {for: 10s, recover_for: 0}
    P3: {for: 10s, recover_for: 0}
";

/// Acme has its token from here, beta from `bongsu tenant add`.
fn tenants() -> String {
    let evaluation = "evaluation: {tick: 2s, lateness: 2s}";
    format!(
        "tenant: acme\nname: Acme\npartitions: {ACME_PARTITIONS}\nescalation_policy: acme\n{evaluation}\n\
         tokens:\n  - {{sha256: {}, note: tests}}\n\
         ---\n\
         tenant: beta\nname: Beta\npartitions: 2\nescalation_policy: beta\n{evaluation}\n",
        hex::encode(Sha256::digest(ACME_TOKEN))
    )
}

fn people(rooms: &Rooms, steps: &str) -> String {
    let mut text = String::new();
    for Person {
        id,
        name,
        slack,
        phone,
    } in [KIM, LEE, PARK]
    {
        let number = phone.trim_start_matches('0');
        writeln!(
            text,
            "contact: {id}\nname: {name}\nlanguage: en\nslack: {slack}\nphone: \"+82{number}\"\n---"
        )
        .expect("text can be written");
    }
    format!(
        "{text}escalation_policy: acme\nchannels: {{P1: [chat, sms]}}\nchat: {}\n{steps}\
         ---\n\
         escalation_policy: beta\nchannels: {{P1: [chat, sms]}}\nchat: {}\nsteps:\n  - notify: [park]\n",
        rooms.acme, rooms.beta
    )
}

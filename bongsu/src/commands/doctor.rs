//! `bongsu doctor`: asks every dependency whether it is well, and says what to do where it is not.

mod account;
mod contacts;
mod handoff;
mod rights;
pub(crate) mod shards;
mod topics;

use super::{Access, settings};
use crate::cli::{Doctor, Global};
use crate::failure::{Exit, Failure, Outcome};
use crate::print::{self, Table};
use crate::rights::Service;
use crate::settings::Settings;
use catalog::internal_topics;
use jiff::SignedDuration;
use model::TopicName;
use oncall::uncovered;
use runtime::Clock;
use schemas::catalogue::{Catalogue, check_catalogue};
use std::collections::BTreeSet;
use stream::Clusters;

/// How far ahead the duty is looked at.
const DUTY_AHEAD: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The codes of all checks: each is a chapter of docs/doctor.md.
const CODES: [&str; 27] = [
    "config",
    "log",
    "login",
    "rights",
    "topic",
    "topic-replicas",
    "topic-min-isr",
    "topic-election",
    "topic-cleanup",
    "topic-timestamps",
    "topic-retention",
    "auto-create",
    "catalogue",
    "placement",
    "policy",
    "oncall",
    "health",
    "tenant",
    "account",
    "lag",
    "loss",
    "retention",
    "partitions",
    "shard",
    "handoff",
    "notifier",
    "contacts",
];

/// What was looked at, and what came out.
struct Finding {
    /// A word for the kind of check; scripts and the documentation name it.
    code: &'static str,
    what: String,
    /// The detail when it is well, or what is wrong and what to do.
    state: Result<String, (String, String)>,
}

impl Finding {
    fn good(code: &'static str, what: impl Into<String>, detail: impl Into<String>) -> Self {
        debug_assert!(CODES.contains(&code), "`{code}` has no chapter");
        Self {
            code,
            what: what.into(),
            state: Ok(detail.into()),
        }
    }

    fn bad(
        code: &'static str,
        what: impl Into<String>,
        wrong: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        debug_assert!(CODES.contains(&code), "`{code}` has no chapter");
        Self {
            code,
            what: what.into(),
            state: Err((wrong.into(), advice.into())),
        }
    }
}

pub(super) async fn run(global: &Global, doctor: Doctor) -> Outcome {
    let settings = settings(global)?;
    let mut findings = vec![Finding::good("config", "configuration", "valid")];
    findings.extend(match doctor.service {
        Some(service) => look_as(&settings, service).await,
        None => look(&settings).await,
    });
    let mut table = Table::new(&["check", "what", "state", "detail", "advice"]);
    for finding in &findings {
        let (state, detail, advice) = match &finding.state {
            Ok(detail) => ("ok", detail.as_str(), ""),
            Err((wrong, advice)) => ("WRONG", wrong.as_str(), advice.as_str()),
        };
        table.row(vec![
            finding.code.into(),
            finding.what.clone().into(),
            state.into(),
            detail.into(),
            advice.into(),
        ]);
    }
    print::table(&table, global.form());
    match findings
        .iter()
        .filter(|finding| finding.state.is_err())
        .count()
    {
        0 => Ok(()),
        n => Err(Failure::new(
            Exit::Findings,
            format!("{n} of {} checks found something", findings.len()),
        )),
    }
}

/// What the login of the configuration may do.
async fn user(settings: &Settings, service: Service, access: &Access) -> Vec<Finding> {
    let logins = settings.kafka.as_ref();
    let Some(kafka) = logins.filter(|kafka| kafka.security.protocol.has_login()) else {
        return Vec::new();
    };
    match rights::login(kafka).await {
        Ok((mut login, finding)) => {
            let who = kafka.security.username.clone().unwrap_or_default();
            let topics = topics_that_matter(access).await;
            let mut findings = vec![finding];
            findings.extend(rights::check(&mut login, &who, service, &topics).await);
            findings
        }
        Err(finding) => vec![finding],
    }
}

/// Names of topics, also of those that this user may not see: Bongsu's own and the tenants' are known without Kafka's help.
async fn topics_that_matter(access: &Access) -> BTreeSet<String> {
    let visible = access.clusters().home().topics().await.unwrap_or_default();
    let mut names: BTreeSet<String> = visible.iter().map(|topic| topic.name.to_string()).collect();
    names.extend(internal_topics().iter().map(|spec| spec.name.to_string()));
    if let Ok(catalogue) = access.catalogue().await {
        let tenants = catalogue.tenants.keys();
        names.extend(tenants.map(|tenant| TopicName::metrics(tenant, 1).to_string()));
    }
    names
}

/// Only what the user of a service may do: with its login nothing else can be asked.
async fn look_as(settings: &Settings, service: Service) -> Vec<Finding> {
    let access = match Access::open(settings).await {
        Ok(access) => access,
        Err(failure) => {
            let advice = failure.hint.unwrap_or_default();
            return vec![Finding::bad("log", "log", failure.cause, advice)];
        }
    };
    let findings = user(settings, service, &access).await;
    if findings.is_empty() {
        let detail = "this log has no logins: everybody may do everything";
        return vec![Finding::good("rights", service.as_str(), detail)];
    }
    findings
}

async fn look(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let access = match Access::open(settings).await {
        Ok(access) => access,
        Err(failure) => {
            let advice = failure.hint.unwrap_or_default();
            return vec![Finding::bad("log", "log", failure.cause, advice)];
        }
    };
    let clusters = access.clusters();
    let stream = clusters.home();
    match stream.topics().await {
        Ok(topics) => {
            findings.push(Finding::good(
                "log",
                stream.describe(),
                format!("{} topics", topics.len()),
            ));
            findings.extend(user(settings, Service::Operator, &access).await);
        }
        Err(error) => {
            findings.extend(user(settings, Service::Operator, &access).await);
            let advice = "check the address with --kafka, and that the broker runs";
            findings.push(Finding::bad(
                "log",
                stream.describe(),
                error.to_string(),
                advice,
            ));
            return findings;
        }
    }
    match access.catalogue().await {
        Ok(catalogue) => {
            findings.extend(declared(&catalogue));
            findings.extend(topics::all(&catalogue, &clusters).await);
            findings.extend(tenants(&catalogue, &clusters).await);
            let group = &settings.consumer.group;
            findings.extend(account::accounts(&catalogue, &clusters, group).await);
            let group = settings.consumer.handoff_group();
            findings.extend(handoff::lanes(&catalogue, &clusters, &group).await);
            findings.push(watched(&catalogue));
            findings.extend(duty(&catalogue));
            findings.extend(shards::all(&catalogue).await);
        }
        Err(failure) => findings.push(Finding::bad(
            "catalogue",
            "catalogue",
            failure.cause,
            "read the log of the broker",
        )),
    }
    let (base, answers) = notifier(settings).await;
    findings.push(answers);
    findings.extend(contacts::phones(settings, &base).await);
    findings
}

fn declared(catalogue: &Catalogue) -> Vec<Finding> {
    let mut findings = Vec::new();
    let summary = format!(
        "revision {}: {} tenants, {} shards, {} contacts, {} policies",
        catalogue.revision,
        catalogue.tenants.len(),
        catalogue.shards.len(),
        catalogue.contacts.len(),
        catalogue.escalation_policies.len(),
    );
    let flaws = check_catalogue(catalogue);
    if flaws.is_empty() {
        findings.push(Finding::good("catalogue", "catalogue", summary));
    }
    findings.extend(flaws.iter().map(|flaw| {
        Finding::bad(
            "catalogue",
            "catalogue",
            flaw.to_string(),
            "mend the files and run `bongsu apply`",
        )
    }));
    if catalogue.placement().is_none() {
        findings.push(Finding::bad(
            "placement",
            "placement",
            "no placement `default`: nothing can be stored",
            "declare one and run `bongsu apply`",
        ));
    }
    for tenant in catalogue.tenants.values() {
        if catalogue.policy_of(&tenant.tenant).is_none() {
            findings.push(Finding::bad(
                "policy",
                tenant.tenant.as_str(),
                format!(
                    "its escalation policy `{}` does not exist: nobody is paged",
                    tenant.escalation_policy
                ),
                "declare the policy, or name another in the tenant",
            ));
        }
    }
    findings
}

/// Hours of the next 14 days in which an escalation policy reaches nobody.
fn duty(catalogue: &Catalogue) -> Vec<Finding> {
    let now = i128::from(Clock::system().now_nanos());
    match jiff::Timestamp::from_nanosecond(now) {
        Ok(now) => duty_from(catalogue, now),
        Err(error) => vec![Finding::bad(
            "oncall",
            "clock",
            error.to_string(),
            "set the clock of this machine",
        )],
    }
}

fn duty_from(catalogue: &Catalogue, now: jiff::Timestamp) -> Vec<Finding> {
    let (end, hour) = (now + DUTY_AHEAD, SignedDuration::from_hours(1));
    let mut findings = Vec::new();
    for (name, policy) in &catalogue.escalation_policies {
        let gaps = uncovered(catalogue, policy, (now, end), hour);
        findings.push(match gaps.first() {
            None => Finding::good("oncall", name, "reaches somebody for the next 14 days"),
            Some((from, to)) => Finding::bad(
                "oncall",
                name,
                format!(
                    "reaches nobody in {} spans of the next 14 days, first from {from} to {to}",
                    gaps.len()
                ),
                "`bongsu oncall gaps` lists them; fill the rotation, or add an override or a step",
            ),
        });
    }
    findings
}

/// Whether Bongsu's own health is judged.
fn watched(catalogue: &Catalogue) -> Finding {
    let known = |tenant: &&model::TenantId| tenant.as_str() == crate::health::TENANT;
    let detail = match catalogue.tenants.keys().find(known) {
        Some(_) => {
            "every process writes its health, and the rules of templates/system judge it".to_owned()
        }
        None => format!(
            "not judged: nobody is paged when Bongsu itself is ill; `bongsu tenant add {}` changes that",
            crate::health::TENANT
        ),
    };
    Finding::good("health", crate::health::TENANT, detail)
}

async fn tenants(catalogue: &Catalogue, clusters: &Clusters) -> Vec<Finding> {
    let mut findings = Vec::new();
    for tenant in catalogue.tenants.values() {
        let topic = TopicName::metrics(&tenant.tenant, 1);
        let Some(stream) = clusters.get(&tenant.cluster) else {
            findings.push(Finding::bad(
                "tenant",
                tenant.tenant.as_str(),
                format!(
                    "its home is the cluster `{}`, which nobody here knows",
                    tenant.cluster
                ),
                "name its brokers in the configuration, under `clusters`",
            ));
            continue;
        };
        findings.push(match stream.partitions(&topic).await {
            Ok(Some(n)) if n == tenant.partitions => Finding::good(
                "tenant",
                tenant.tenant.as_str(),
                format!("{topic}: {n} partitions"),
            ),
            Ok(Some(n)) => Finding::bad(
                "tenant",
                tenant.tenant.as_str(),
                format!(
                    "{topic} has {n} partitions, the tenant declares {}",
                    tenant.partitions
                ),
                "declare the number that the topic has",
            ),
            Ok(None) => Finding::bad(
                "tenant",
                tenant.tenant.as_str(),
                format!("{topic} does not exist"),
                format!("`bongsu tenant add {}` makes it", tenant.tenant),
            ),
            Err(error) => Finding::bad(
                "tenant",
                tenant.tenant.as_str(),
                error.to_string(),
                "see the check `log`",
            ),
        });
    }
    findings
}

/// Whether the notifier that the configuration names, or a running `up`, is ready.
async fn notifier(settings: &Settings) -> (String, Finding) {
    let running = super::access::running_process(settings)
        .await
        .ok()
        .flatten();
    let base = running.map_or_else(
        || super::up::url(settings.notifier.listen, settings.notifier.tls.as_ref()),
        |(running, _)| running.console,
    );
    let watch = Clock::system().stopwatch();
    let answer = match crate::demo::client() {
        Ok(http) => http.get(format!("{base}/readyz")).send().await,
        Err(error) => {
            let finding = Finding::bad("notifier", &base, error, "see the check `config`");
            return (base, finding);
        }
    };
    let what = base.clone();
    let finding = match answer {
        Ok(answer) if answer.status().is_success() => Finding::good(
            "notifier",
            what,
            format!("ready, answers in {} ms", watch.elapsed().as_millis()),
        ),
        Ok(answer) => Finding::bad(
            "notifier",
            what,
            answer.text().await.unwrap_or_default(),
            "its log says why; /readyz?verbose lists every condition",
        ),
        Err(_) => Finding::bad(
            "notifier",
            what,
            "does not answer",
            "start it, or name its address in `notifier.listen`",
        ),
    };
    (base, finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::catalogue::parse_yaml;

    /// A policy whose only step is a schedule that begins then.
    fn policy_with_a_schedule_from(begin: &str) -> Catalogue {
        let text = format!(
            "schedule: noc\ntime_zone: Asia/Seoul\n\
             layers: [{{layer: all, people: [kim], from: {begin}}}]\n---\n\
             escalation_policy: noc\nsteps: [{{notify: ['schedule:noc']}}]\n"
        );
        let mut catalogue = Catalogue::default();
        for entry in parse_yaml("test", &text).unwrap() {
            catalogue.insert(entry.value);
        }
        catalogue
    }

    #[test]
    fn each_code_is_a_chapter_of_the_documentation_and_is_used() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let read = |path: &str| std::fs::read_to_string(folder.join(path)).unwrap();
        let text = read("../docs/doctor.md");
        let chapters: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("## "))
            .collect();
        assert_eq!(chapters, CODES);
        let sources = [
            "src/commands/doctor.rs",
            "src/commands/doctor/account.rs",
            "src/commands/doctor/contacts.rs",
            "src/commands/doctor/handoff.rs",
            "src/commands/doctor/rights.rs",
            "src/commands/doctor/shards.rs",
            "src/commands/doctor/topics.rs",
            "../crates/stream/src/settings.rs",
        ];
        let sources: String = sources.map(read).concat();
        // The word stands in the list above, and once more where it is found.
        let used = |code: &str| sources.matches(&format!("\"{code}\"")).count() > 1;
        let idle: Vec<&str> = CODES.into_iter().filter(|code| !used(code)).collect();
        assert!(idle.is_empty(), "{idle:?}");
        // Every finding names one of them: as a literal, which this finds, so that none waits for its first appearance.
        for part in sources.split("Finding::").skip(1) {
            let Some(rest) = part
                .strip_prefix("good(")
                .or_else(|| part.strip_prefix("bad("))
            else {
                continue;
            };
            let rest = rest.trim_start();
            // Named where the settings of a topic are judged, which is among the sources.
            if rest.starts_with("flaw.code") {
                continue;
            }
            let code = rest
                .strip_prefix('"')
                .and_then(|rest| rest.split('"').next());
            assert!(code.is_some_and(|code| CODES.contains(&code)), "{code:?}");
        }
    }

    #[test]
    fn a_policy_that_reaches_nobody_is_a_finding() {
        let now: jiff::Timestamp = "2026-01-10T00:00:00Z".parse().unwrap();
        let codes = |begin| {
            let findings = duty_from(&policy_with_a_schedule_from(begin), now);
            let each = findings
                .iter()
                .map(|f| (f.code, f.what.clone(), f.state.is_ok()));
            each.collect::<Vec<_>>()
        };
        let finding = |well| vec![("oncall", "noc".to_owned(), well)];
        assert_eq!(codes("2026-01-05T09:00"), finding(true));
        assert_eq!(codes("2026-01-20T09:00"), finding(false));
    }
}

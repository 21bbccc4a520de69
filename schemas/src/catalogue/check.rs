//! What the values of one declaration must keep to beyond their types.

use super::integration::check_integration;
use super::schedule_check::{check_schedule, check_team};
use super::template_check::check_template;
use super::{
    CatalogueError, ChannelKind, Contact, ContactRule, Entry, EscalationPolicy, Kind, Located,
    Override, Placement, Shard, Tenant,
};
use model::{Priority, Span, did_you_mean};
use std::collections::BTreeSet;

/// Something that is wrong in a declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Kind of the declaration.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The key in it, as in `steps[0].notify`.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} `{}`, `{}`: {}",
            self.kind, self.name, self.path, self.what
        )?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl Flaw {
    /// The flaw as an error of the file in which its declaration stands.
    pub(super) fn at(self, located: &Located<Entry>) -> CatalogueError {
        let place = located.places.find(&self.path);
        let (line, column) = place.unwrap_or((located.line, located.column));
        CatalogueError {
            file: located.file.clone(),
            line,
            column,
            what: self.what,
            hint: self.hint,
        }
    }
}

/// Flaws as errors of the files in which their declarations stand; those of declarations that stand
/// in none of `located` name the declaration instead.
pub fn locate(flaws: Vec<Flaw>, located: &[Located<Entry>]) -> Vec<CatalogueError> {
    flaws
        .into_iter()
        .map(|flaw| {
            let stands = located
                .iter()
                .find(|l| l.value.kind() == flaw.kind && l.value.name() == flaw.name);
            match stands {
                Some(located) => flaw.at(located),
                None => CatalogueError {
                    file: format!("the catalogue's {} `{}`", flaw.kind, flaw.name),
                    line: 0,
                    column: 0,
                    what: flaw.what,
                    hint: flaw.hint,
                },
            }
        })
        .collect()
}

/// Gathers the flaws of one declaration.
pub(super) struct Flaws {
    kind: Kind,
    name: String,
    found: Vec<Flaw>,
}

impl Flaws {
    pub(super) fn of(kind: Kind, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            found: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, path: impl Into<String>, what: impl Into<String>) {
        self.add_with(path, what, None);
    }

    pub(super) fn add_with(
        &mut self,
        path: impl Into<String>,
        what: impl Into<String>,
        hint: Option<String>,
    ) {
        self.found.push(Flaw {
            kind: self.kind,
            name: self.name.clone(),
            path: path.into(),
            what: what.into(),
            hint,
        });
    }

    pub(super) fn unless(&mut self, holds: bool, path: impl Into<String>, what: &str) {
        if !holds {
            self.add(path, what);
        }
    }

    /// A name that refers to another declaration.
    pub(super) fn refers<'a>(
        &mut self,
        path: impl Into<String>,
        kind: Kind,
        name: &str,
        known: impl Iterator<Item = &'a str> + Clone,
    ) {
        if known.clone().any(|each| each == name) {
            return;
        }
        let hint = match did_you_mean(name, known) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("declare it: `{kind}: {name}`"),
        };
        self.add_with(path, format!("there is no {kind} `{name}`"), Some(hint));
    }

    pub(super) fn done(self) -> Vec<Flaw> {
        self.found
    }
}

/// What is wrong in one declaration by itself.
pub fn check_entry(entry: &Entry) -> Vec<Flaw> {
    let kind = entry.kind();
    let mut flaws = Flaws::of(kind, entry.name());
    flaws.unless(
        is_name(entry.name()),
        kind.as_str(),
        "a name is 1 to 64 of a-z, 0-9 and '-', not starting or ending with '-'",
    );
    match entry {
        Entry::Tenant(tenant) => check_tenant(tenant, &mut flaws),
        Entry::Shard(shard) => check_shard(shard, &mut flaws),
        Entry::Placement(placement) => check_placement(placement, &mut flaws),
        Entry::Template(template) => check_template(template, &mut flaws),
        Entry::Override(each) => check_override(each, &mut flaws),
        Entry::Contact(contact) => check_contact(contact, &mut flaws),
        Entry::EscalationPolicy(policy) => check_policy(policy, &mut flaws),
        Entry::Schedule(schedule) => check_schedule(schedule, &mut flaws),
        Entry::Team(team) => check_team(team, &mut flaws),
        Entry::Integration(each) => check_integration(each, &mut flaws),
    }
    flaws.done()
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !name.starts_with('-')
        && !name.ends_with('-')
}

fn check_care(tenant: &Tenant, flaws: &mut Flaws) {
    let many = [tenant.routing.len(), tenant.dependencies.len()];
    flaws.unless(
        many.iter().all(|count| *count <= 100),
        "routing",
        "a tenant has 100 rules and 100 dependencies at most",
    );
    for (n, dependency) in tenant.dependencies.iter().enumerate() {
        let itself = dependency.hides.template.as_deref() == Some(dependency.on.as_str());
        let path = format!("dependencies[{n}].hides");
        flaws.unless(!itself, path, "a template does not explain itself");
    }
    if let Some(grouping) = &tenant.grouping {
        flaws.unless(
            (1..=8).contains(&grouping.by.len()),
            "grouping.by",
            "1 to 8 tags, or `template`",
        );
        let wait = Span::ZERO..=Span::from_secs(600);
        flaws.unless(
            wait.contains(&grouping.wait),
            "grouping.wait",
            "the first of a group waits 10m at most",
        );
        let interval = Span::from_secs(10)..=Span::from_secs(86_400);
        flaws.unless(
            interval.contains(&grouping.interval),
            "grouping.interval",
            "those who joined are told every 10s to 1d",
        );
        flaws.unless(
            (1..=100).contains(&grouping.cap),
            "grouping.cap",
            "1 to 100 are told by name",
        );
    }
}

fn check_tenant(tenant: &Tenant, flaws: &mut Flaws) {
    let range = 1..=1000;
    flaws.unless(
        range.contains(&tenant.partitions),
        "partitions",
        "1 to 1000 partitions",
    );
    flaws.unless(
        tenant.tokens.len() <= 2,
        "tokens",
        "a tenant has two tokens at most",
    );
    check_care(tenant, flaws);
    let evaluation = tenant.evaluation;
    let tick = Span::from_secs(1)..=Span::from_secs(60);
    flaws.unless(
        tick.contains(&evaluation.tick),
        "evaluation.tick",
        "a tick is 1s to 60s",
    );
    let lateness = Span::ZERO..=Span::from_secs(600);
    let what = "lateness is 0 to 10m";
    flaws.unless(
        lateness.contains(&evaluation.lateness),
        "evaluation.lateness",
        what,
    );
    let longest = Span::from_secs(60 * 366 * 24 * 3600);
    flaws.unless(
        tenant
            .retention
            .is_none_or(|span| (Span::from_secs(3600)..=longest).contains(&span)),
        "retention",
        "points are kept for 1h to 60 years, or for ever without the key",
    );
    for (n, host) in tenant.inventory.iter().enumerate() {
        flaws.unless(
            !host.is_empty(),
            format!("inventory[{n}]"),
            "a host has a name",
        );
    }
    flaws.unless(
        !tenant.cluster.is_empty() && tenant.cluster.len() <= 64,
        "cluster",
        "a cluster has a name of 1 to 64 characters",
    );
    tenant.limits.check(flaws);
}

fn check_shard(shard: &Shard, flaws: &mut Flaws) {
    flaws.unless(
        shard.shard.as_str() != "state",
        "shard",
        "`state` is the name of a topic beside the shards' own (`bongsu.handoff.state`): take another",
    );
    flaws.unless(
        !shard.database.is_empty(),
        "database",
        "a database has a name",
    );
    let is_http = |prefix| {
        shard
            .url
            .strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty())
    };
    flaws.unless(
        shard.url == "embedded" || is_http("http://") || is_http("https://"),
        "url",
        "a shard's url is `http://host:port`, `https://host:port` or `embedded`",
    );
    let named = shard
        .zone
        .as_ref()
        .is_none_or(|zone| !zone.trim().is_empty());
    flaws.unless(named, "zone", "a zone has a name");
}

fn check_placement(placement: &Placement, flaws: &mut Flaws) {
    let only = "the placement in force is named `default`; there is no other";
    flaws.unless(placement.placement == "default", "placement", only);
    let range = 1..=64;
    let what = "1 to 64 shards per tenant";
    flaws.unless(
        range.contains(&placement.shards_per_tenant),
        "shards_per_tenant",
        what,
    );
    let copies = "1 to 8 replicas";
    flaws.unless((1..=8).contains(&placement.replicas), "replicas", copies);
    match placement.epochs.first() {
        None => flaws.add("epochs", "a placement has at least one epoch"),
        Some(first) => flaws.unless(
            first.from == super::EpochStart::Beginning,
            "epochs[0].from",
            "the first epoch is from `beginning`, so that no point is without a shard",
        ),
    }
    for (n, pair) in placement.epochs.windows(2).enumerate() {
        let path = format!("epochs[{}].from", n + 1);
        flaws.unless(
            pair[0].from < pair[1].from,
            path,
            "epochs must rise in time",
        );
    }
    for (n, epoch) in placement.epochs.iter().enumerate() {
        let path = format!("epochs[{n}]");
        let what = "an epoch has at least one shard with a weight above 0";
        let usable = epoch.shards.values().any(|weight| *weight > 0.0);
        flaws.unless(usable, format!("{path}.shards"), what);
        let fits = epoch.replicas.is_none_or(|n| (1..=8).contains(&n));
        flaws.unless(fits, format!("{path}.replicas"), copies);
        let fits = epoch.shards_per_tenant.is_none_or(|n| range.contains(&n));
        flaws.unless(
            fits,
            format!("{path}.shards_per_tenant"),
            "1 to 64 shards per tenant",
        );
        for (shard, weight) in &epoch.shards {
            let path = format!("{path}.shards.{shard}");
            let fits = weight.is_finite() && (0.0..=1000.0).contains(weight);
            flaws.unless(fits, path, "a weight is 0 to 1000");
        }
        for (tenant, shards) in &epoch.tenants {
            let path = format!("{path}.tenants.{tenant}");
            let distinct: BTreeSet<_> = shards.iter().collect();
            flaws.unless(!shards.is_empty(), path.clone(), "name at least one shard");
            flaws.unless(
                distinct.len() == shards.len(),
                path.clone(),
                "a shard is named twice",
            );
            for shard in shards
                .iter()
                .filter(|shard| !epoch.shards.contains_key(*shard))
            {
                flaws.add(
                    path.clone(),
                    format!("`{shard}` is not among the epoch's shards"),
                );
            }
        }
    }
}

fn check_override(each: &Override, flaws: &mut Flaws) {
    let nothing = each.set == super::Changes::default();
    flaws.unless(!nothing, "set", "an override sets at least one field");
    for (key, value) in &each.for_.where_ {
        let path = format!("for.where.{key}");
        flaws.unless(
            !value.values().is_empty(),
            path.clone(),
            "name at least one value",
        );
        let own = matches!(key.as_str(), "host" | "os");
        let what = format!("write `for: {{{key}: ..}}` instead: it has a rank of its own");
        flaws.unless(!own, path, &what);
    }
}

fn check_contact(contact: &Contact, flaws: &mut Flaws) {
    let named = !contact.name.trim().is_empty() && !contact.name.contains(char::is_control);
    flaws.unless(named, "name", "a contact has a name of one line");
    if let Some(phone) = &contact.phone {
        let digits = phone.strip_prefix('+').unwrap_or_default();
        let fits = (7..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        let what = "a phone number is written in E.164: `+`, country code, number, no spaces";
        flaws.unless(fits, "phone", what);
    }
    if let Some(slack) = &contact.slack {
        let fits = slack.len() >= 2
            && slack.starts_with(['U', 'W'])
            && slack
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        flaws.unless(
            fits,
            "slack",
            "a member id of Slack is `U` or `W` and capitals or digits",
        );
    }
    if let Some(telegram) = &contact.telegram {
        let digits = telegram.bytes().all(|b| b.is_ascii_digit());
        let fits = digits && (1..=16).contains(&telegram.len()) && !telegram.starts_with('0');
        let what = "a chat id of Telegram is a number; what is written to the bot shows it";
        flaws.unless(fits, "telegram", what);
    }
    if let Some(email) = &contact.email {
        let fits = email.split_once('@').is_some_and(|(name, domain)| {
            !name.is_empty() && domain.contains('.') && !domain.contains('@')
        });
        let plain = !email.contains(|c: char| c.is_whitespace() || c.is_control() || c == ',');
        flaws.unless(fits && plain, "email", "not an e-mail address");
    }
    for (priority, rules) in contact.rules.iter() {
        check_own_rules(priority, rules, flaws);
    }
}

/// A person's own rules: the first at once, each of the others later than the one before.
fn check_own_rules(priority: Priority, rules: &[ContactRule], flaws: &mut Flaws) {
    let path = |n: usize, key: &str| format!("rules.{priority}[{n}].{key}");
    let what = "a person has 1 to 10 rules for a priority; leave the key out for none";
    flaws.unless(
        (1..=10).contains(&rules.len()),
        format!("rules.{priority}"),
        what,
    );
    let mut before = Span::ZERO;
    for (n, rule) in rules.iter().enumerate() {
        let place = |by: &ChannelKind| {
            use ChannelKind::{Opsgenie, Pagerduty, Teams, Webhook};
            matches!(by, Webhook | Teams | Pagerduty | Opsgenie)
        };
        let personal = !rule.by.is_empty() && !rule.by.iter().any(place);
        let what = "a rule names channels that reach a person: chat, sms, voice, email, alimtalk, telegram";
        flaws.unless(personal, path(n, "by"), what);
        let after = rule.after.unwrap_or(Span::ZERO);
        let (fits, what) = match n {
            0 => (
                rule.after.is_none(),
                "the first rule is done at once: leave `after` out",
            ),
            _ => (
                after > before && after <= Span::from_secs(86_400),
                "the rules come one after the other, within a day of the page",
            ),
        };
        flaws.unless(fits, path(n, "after"), what);
        before = after;
    }
}

fn check_policy(policy: &EscalationPolicy, flaws: &mut Flaws) {
    let steps = 1..=20;
    flaws.unless(
        steps.contains(&policy.steps.len()),
        "steps",
        "a policy has 1 to 20 steps",
    );
    flaws.unless(
        policy.repeat <= 20,
        "repeat",
        "steps are repeated 20 times at most",
    );
    if let Some(room) = &policy.chat {
        let fits = room.len() >= 2 && room.bytes().all(|b| b.is_ascii_alphanumeric());
        let what = "a chat room is a channel id of Slack, such as C02ABCDEF, not its name";
        flaws.unless(fits, "chat", what);
    }
    for (n, step) in policy.steps.iter().enumerate() {
        let path = format!("steps[{n}].notify");
        flaws.unless(
            !step.notify.is_empty(),
            path,
            "a step tells at least one contact",
        );
        let waits = step
            .after
            .is_none_or(|after| after <= Span::from_secs(7 * 86_400));
        flaws.unless(
            waits,
            format!("steps[{n}].after"),
            "a step waits 7d at most",
        );
    }
    let within = &policy.acknowledge_within;
    for (word, span) in [("P1", within.p1), ("P2", within.p2), ("P3", within.p3)] {
        let fits = span.is_none_or(|span| span >= Span::from_secs(1));
        let path = format!("acknowledge_within.{word}");
        flaws.unless(fits, path, "at least 1s is needed to acknowledge");
    }
    for (word, channels) in [
        ("P1", &policy.channels.p1),
        ("P2", &policy.channels.p2),
        ("P3", &policy.channels.p3),
    ] {
        let distinct: BTreeSet<_> = channels.iter().collect();
        let path = format!("channels.{word}");
        flaws.unless(
            distinct.len() == channels.len(),
            path,
            "a channel is named twice",
        );
    }
}

//! Catalogue files: what is read, and what is said about mistakes.

use model::{Priority, Span};
use schemas::catalogue::*;

fn errors(text: &str) -> String {
    match parse_yaml("acme.yaml", text) {
        Ok(entries) => panic!("{text}\nwas taken: {entries:?}"),
        Err(errors) => errors.iter().map(|e| format!("{e}\n")).collect(),
    }
}

fn entries(text: &str) -> Vec<Entry> {
    match parse_yaml("acme.yaml", text) {
        Ok(entries) => entries.into_iter().map(|located| located.value).collect(),
        Err(errors) => panic!(
            "{}",
            errors.iter().map(|e| format!("{e}\n")).collect::<String>()
        ),
    }
}

const WHOLE: &str = r#"
tenant: acme
name: Acme 주식회사
contract: 8x5
partitions: 4
tokens:
  - {sha256: 1234567890123456789012345678901234567890123456789012345678901234, note: agents}
escalation_policy: default
evaluation: {tick: 2s, lateness: 5s}
inventory: [web-1, web-2]
---
shard: s1
url: http://127.0.0.1:8086
token_file: s1.token
---
shard: s2
url: embedded
---
placement: default
epochs:
  - {from: beginning, shards: {s1: 1.0}}
  - from: 2026-01-31T00:00:00Z
    shards: {s1: 1, s2: 2.5}
    tenants: {acme: [s1]}
---
contact: kim
name: 김철수
language: ko
phone: +821012345678
slack: U02ABCDEF
---
escalation_policy: default
acknowledge_within: {P1: 30s}
chat: C02ABCDEF
steps:
  - {notify: [kim]}
  - {notify: [kim], after: 10m}
repeat: 2
---
override: demo-cpu
template: cpu-usage
for: {tenant: acme, host: web-1}
set: {every: 5s, over: average of 10s, levels: {P1: {for: 10s}, P2: {for: 10s}, P3: {for: 10s}}}
---
template: uptime
applies_to: {measurement: win_services, where: {state: [1, 2], startup_mode: 2}, where_not: {name: no}}
one_alert_per: [host, name]
check: state
over: 2 of the last 3 samples
levels: {P1: {is: true, for: 1m}, P2: {below: 4h, until_above: 5h, over: each point, check: time_left}}
only_when: total > 0
when_missing: fine
"#;

#[test]
fn every_kind_is_read_and_comes_back_the_same_from_the_topic() {
    let entries = entries(WHOLE);
    assert_eq!(entries.len(), 8);
    let mut catalogue = Catalogue::default();
    for (n, entry) in entries.iter().enumerate() {
        let value = encode_value(n as u64, &Record::Entry(entry.clone()));
        catalogue
            .apply_record(entry.key().as_bytes(), Some(&value))
            .unwrap();
        assert_eq!(
            catalogue.get(entry.kind(), entry.name()).as_ref(),
            Some(entry)
        );
    }
    assert_eq!(catalogue.revision, 7);
    assert_eq!(check_catalogue(&catalogue), []);
    let tenant = catalogue.tenants.values().next().unwrap();
    assert_eq!(
        tenant.tokens[0].sha256.to_string(),
        "1234567890".repeat(6) + "1234"
    );
    assert_eq!(tenant.evaluation.tick, Span::from_secs(2));
    let kim = &catalogue.contacts["kim"];
    assert_eq!(
        kim.phone.as_deref(),
        Some("+821012345678"),
        "a number stays text"
    );
    let uptime = &catalogue.templates["uptime"];
    let applies_to = uptime.applies_to.as_ref().unwrap();
    assert!(
        applies_to.where_["state"].contains("2") && applies_to.where_not["name"].contains("no")
    );
    let below = uptime.levels.p2.as_ref().unwrap().below.unwrap();
    assert_eq!(below.value(), 4.0 * 3600.0);
    for entry in &entries {
        catalogue
            .apply_record(entry.key().as_bytes(), None)
            .unwrap();
    }
    assert_eq!(
        catalogue,
        Catalogue {
            revision: 7,
            ..Catalogue::default()
        }
    );
}

#[test]
fn a_step_waits_as_it_says_or_as_its_priority_says() {
    let Some(Entry::EscalationPolicy(policy)) = entries(WHOLE)
        .into_iter()
        .find(|entry| entry.kind() == Kind::EscalationPolicy)
    else {
        panic!("a policy")
    };
    assert_eq!(policy.step_after(0, Priority::P1), Some(Span::ZERO));
    assert_eq!(
        policy.step_after(1, Priority::P1),
        Some(Span::from_secs(600))
    );
    assert_eq!(policy.step_after(2, Priority::P1), None);
    assert_eq!(policy.acknowledge_within.p1, Some(Span::from_secs(30)));
    assert_eq!(
        policy.acknowledge_within.p2,
        Some(Span::from_secs(3600)),
        "the default stays"
    );
    let [chat, sms] = [ChannelKind::Chat, ChannelKind::Sms];
    let every_way = [chat, sms, ChannelKind::Voice, ChannelKind::Email];
    assert_eq!(
        policy.channels_of(Priority::P1),
        every_way,
        "the standard of the group"
    );
    assert_eq!(policy.channels_of(Priority::P2), [chat, sms]);
    assert_eq!(policy.channels_of(Priority::P3), [chat]);
}

#[test]
fn a_mistake_is_told_with_its_place_and_what_was_meant() {
    for (text, told) in [
        (
            "tenant: Acme",
            "acme.yaml:1:9: tenant id `Acme` is not valid",
        ),
        (
            "tenat: acme",
            "acme.yaml:1:1: `tenat` is no kind of the catalogue (did you mean `tenant`?)",
        ),
        (
            "name: x\ntenant: acme",
            "acme.yaml:1:1: `name` is no kind of the catalogue (`tenant` must be the first key)",
        ),
        ("- a\n- b", "a document of the catalogue is a map"),
        (
            "tenant: acme\npartitons: 2",
            "acme.yaml:2:1: unknown key `partitons` (did you mean `partitions`?)",
        ),
        (
            "tenant: acme\nevaluation:\n  tick: 2s\n  latenes: 1s",
            "acme.yaml:4:3: unknown key `latenes` (did you mean `lateness`?)",
        ),
        (
            "tenant: acme\nevaluation: {tick: 2}",
            "acme.yaml:2:20: `2` is not a duration",
        ),
        (
            "tenant: acme\nevaluation: {tick: 2h}",
            "acme.yaml:2:14: a tick is 1s to 60s",
        ),
        (
            "tenant: acme\npartitions: two",
            "acme.yaml:2:13: string \"two\" where u32 is wanted",
        ),
        (
            "tenant: acme\npartitions: 0",
            "acme.yaml:2:1: 1 to 1000 partitions",
        ),
        (
            "tenant: acme\nname:",
            "a key without a value (leave the key out, or give it a value)",
        ),
        (
            "tenant: acme\ntenant: acme",
            "acme.yaml:2:1: `tenant` was given in line 1 already",
        ),
        (
            "tenant: acme\ncontract: 24/7",
            "acme.yaml:2:11: `24/7` is not known here",
        ),
        (
            "tenant: acme\ntokens: [{sha256: abc}]",
            "acme.yaml:2:19: a SHA-256 is 64 hexadecimal digits",
        ),
        (
            "tenant: acme\ntokens: {sha256: abc}",
            "acme.yaml:2:9: a map where a list is wanted",
        ),
        ("tenant: &a acme\nname: *a", "aliases"),
        ("tenant: !x acme", "tags (`!name`) are not taken"),
        ("tenant: [acme", "not YAML"),
        (
            "shard: s1\nurl: influx:8086",
            "acme.yaml:2:1: a shard's url is",
        ),
        (
            "shard: s1\nurl: embedded\ncreate_buckets: yes",
            "acme.yaml:3:17: string \"yes\" where true or false is wanted",
        ),
        ("shard: s1", "acme.yaml:1:1: key `url` is missing"),
        (
            "placement: default\nepochs:\n  - {from: 2026-01-31T00:00:00Z, shards: {s1: 1}}",
            "acme.yaml:3:6: the first epoch is from `beginning`",
        ),
        (
            "placement: default\nepochs:\n  - {from: yesterday, shards: {s1: 1}}",
            "`yesterday` is no time",
        ),
        (
            "placement: default\nepochs:\n  - {from: beginning, shards: {s1: 0}}",
            "at least one shard with a weight above 0",
        ),
        (
            "placement: default\nepochs:\n  - {from: beginning, shards: {s1: 1}, tenants: {acme: [s2]}}",
            "`s2` is not among the epoch's shards",
        ),
        (
            "contact: kim\nname: Kim\nphone: 010-1234-5678",
            "acme.yaml:3:1: a phone number is written in E.164",
        ),
        (
            "contact: kim\nname: Kim\nlanguage: kr",
            "acme.yaml:3:11: `kr` is not known here (did you mean `ko`?)",
        ),
        (
            "contact: kim\nname: Kim\nrules: {P1: [{by: [sms], after: 1m}]}",
            "the first rule is done at once: leave `after` out",
        ),
        (
            "contact: kim\nname: Kim\nrules: {P2: [{by: [sms]}, {by: [voice], after: 5m}, {by: [email], after: 5m}]}",
            "the rules come one after the other, within a day of the page",
        ),
        (
            "contact: kim\nname: Kim\nrules: {P1: [{by: [teams]}]}",
            "a rule names channels that reach a person: chat, sms, voice, email, alimtalk, telegram",
        ),
        (
            "contact: kim\nname: Kim\nrules: {P1: []}",
            "a person has 1 to 10 rules for a priority; leave the key out for none",
        ),
        (
            "escalation_policy: p\nsteps: []",
            "acme.yaml:2:1: a policy has 1 to 20 steps",
        ),
        (
            "escalation_policy: p\nsteps: [{notify: []}]",
            "acme.yaml:2:10: a step tells at least one contact",
        ),
        (
            "escalation_policy: p\nsteps: [{notify: [kim]}]\nrepeat: 21",
            "acme.yaml:3:1: steps are repeated 20 times at most",
        ),
        (
            "escalation_policy: p\nsteps: [{notify: [kim]}]\nchannels: {P1: [chat, pager]}",
            "`pager` is not known here (known here: chat, sms, voice, email, alimtalk, webhook, teams, telegram, pagerduty, opsgenie)",
        ),
        (
            "escalation_policy: p\nsteps: [{notify: ['group:dba']}]",
            "`group:` is nobody",
        ),
        (
            "schedule: noc\ntime_zone: Asia/Soul\nlayers: [{layer: a, people: [kim], from: 2026-01-05T09:00}]",
            "acme.yaml:2:1: `Asia/Soul` is no time zone",
        ),
        (
            "schedule: noc\nlayers: [{layer: a, people: [kim], from: 2026-01-05T09:00, every: 1 month}]",
            "`1 month` is no length of a turn",
        ),
        (
            "schedule: noc\nlayers: [{layer: a, people: [kim], from: 2026-01-05T09:00, hours: [{from: '9:00'}]}]",
            "`9:00` is no time of day: write it as `09:00`",
        ),
        (
            "schedule: noc\nlayers: [{layer: a, people: [kim], from: 2026-01-05T09:00, until: 2026-01-05T08:00}]",
            "the layer ends before it begins",
        ),
        (
            "team: dba\nmembers: [kim, kim]",
            "acme.yaml:2:1: a member is named twice",
        ),
        (
            "override: o\ntemplate: cpu-usage\nset: {}",
            "acme.yaml:3:1: an override sets at least one field",
        ),
        (
            "override: o\ntemplate: cpu-usage\nfor: {where: {host: a}}\nset: {every: 5s}",
            "write `for: {host: ..}` instead",
        ),
    ] {
        let found = errors(text);
        assert!(found.contains(told), "{text}\ntold: {found}\nnot:  {told}");
    }
}

fn template(body: &str) -> String {
    format!("template: t\napplies_to: {{measurement: m}}\ncheck: a\nover: average of 5m\n{body}")
}

#[test]
fn a_template_that_contradicts_itself_is_refused() {
    for (body, told) in [
        (
            "levels: {P1: {above: 80}, P2: {above: 90}}",
            "5:15: P1 must be stricter than P2: above 80 is not higher than 90",
        ),
        (
            "levels: {P1: {below: 5}, P2: {below: 4}}",
            "P1 must be stricter than P2: below 5 is not lower than 4",
        ),
        (
            "levels: {P1: {above: 1}, P2: {below: 4}}",
            "write two templates",
        ),
        (
            "levels: {P1: {above: 90, until_below: 95}}",
            "5:26: `until_below` must lie inside `above`",
        ),
        (
            "levels: {P1: {below: 10, until_above: 5}}",
            "`until_above` must lie inside `below`",
        ),
        (
            "levels: {P1: {above: 90, until_above: 5}}",
            "`until_above` belongs to `below`",
        ),
        (
            "levels: {P1: {above: 90, below: 5}}",
            "exactly one of `above`, `below` and `is`",
        ),
        (
            "levels: {P1: {for: 5m}}",
            "exactly one of `above`, `below` and `is`",
        ),
        ("levels: {P4: {above: 90}}", "5:10: unknown key `P4`"),
        ("levels: {}", "5:1: at least one level"),
        (
            "levels: {P1: {above: 90%}}",
            "5:22: `90%` is neither a number nor a duration",
        ),
        (
            "levels: {P1: {above: 1}}\none_alert_per: [host, pid]",
            "6:23: `pid` changes while the thing stays the same",
        ),
        (
            "levels: {P1: {above: 1}}\nwhen_missing: ignore",
            "6:15: `ignore` is not one of follow host-down",
        ),
        (
            "levels: {P1: {above: 1}}\nlimit_by_env: {prod: P0}",
            "priority `P0` is not valid",
        ),
        ("levels: {P1: {above: 1}}\nevery: 0", "6:1: from 1s to 1d"),
        (
            "levels: {P1: {above: 1}}\nmissing_after: 2h\nexpire_after: 1h",
            "expires later than its data counts as missing",
        ),
        (
            "levels: {P1: {above: 1}}\nrunbook: wiki",
            "a runbook is a link",
        ),
        (
            "levels: {P1: {above: 1}}\ntests: [{given: 95 for 11m, expect: p1}]",
            "`p1` is not one of P1, P2, P3, nothing, resolved",
        ),
    ] {
        let found = errors(&template(body));
        assert!(found.contains(told), "{body}\ntold: {found}\nnot:  {told}");
    }
    let missing = errors("template: t\nlevels: {P1: {above: 1}}");
    for key in ["applies_to", "check", "over"] {
        assert!(
            missing.contains(&format!("key `{key}` is missing")),
            "{missing}"
        );
    }
}

#[test]
fn all_documents_of_a_file_are_judged() {
    let found = errors("tenant: A\n---\nshard: s1\nurl: x\n---\ncontact: kim\nnam: Kim\n");
    assert_eq!(found.lines().count(), 3, "{found}");
    assert!(
        found.contains("acme.yaml:4:1") && found.contains("acme.yaml:7:1"),
        "{found}"
    );
}

#[test]
fn every_kind_has_a_json_schema_that_refuses_unknown_keys() {
    for (kind, schema) in all_json_schemas() {
        assert_eq!(schema["additionalProperties"], false, "{kind}");
        let required = schema["required"].as_array().unwrap();
        assert!(
            required.iter().any(|name| name == kind.as_str()),
            "{kind}: {required:?}"
        );
    }
    insta::assert_json_snapshot!("escalation_policy", json_schema(Kind::EscalationPolicy));
    insta::assert_json_snapshot!("template", json_schema(Kind::Template));
}

#[test]
fn limits_and_home_cluster_of_a_tenant_are_read_and_left_out_where_nothing_is_said() {
    let text = "tenant: acme\ncluster: b\nlimits: {points_per_s: 1000, series: 5000, tags: 8}\n";
    let Some(Entry::Tenant(tenant)) = entries(text).pop() else {
        panic!("a tenant");
    };
    let limits = Limits {
        points_per_s: Some(1_000),
        series: Some(5_000),
        tags: Some(8),
        ..Limits::default()
    };
    assert_eq!((tenant.cluster.as_str(), tenant.limits), ("b", limits));
    let plain = encode_value(1, &Record::Entry(entries("tenant: acme\n").remove(0)));
    let plain = String::from_utf8(plain).unwrap();
    assert!(
        !plain.contains("limits") && !plain.contains("cluster"),
        "{plain}"
    );
}

#[test]
fn a_limit_that_no_line_can_keep_is_refused() {
    for limits in ["series: 0", "bytes_per_s: 0", "line_bytes: 1000000"] {
        let text = errors(&format!("tenant: acme\nlimits: {{{limits}}}\n"));
        assert!(text.starts_with("acme.yaml:2:10"), "{text}");
    }
    assert!(errors("tenant: acme\nlimits: {lines: 3}\n").contains("lines"));
}

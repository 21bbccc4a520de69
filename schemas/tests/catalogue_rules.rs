//! The catalogue as a whole: references, overrides by rank, `extends`, bundles.

use model::{Span, TenantId};
use schemas::catalogue::*;

fn acme() -> TenantId {
    TenantId::parse("acme").unwrap()
}

fn catalogue(text: &str) -> Catalogue {
    let mut catalogue = Catalogue::default();
    for located in parse_yaml("t.yaml", text).unwrap_or_else(|errors| panic!("{errors:?}")) {
        catalogue.insert(located.value);
    }
    catalogue
}

fn flaws(text: &str) -> String {
    let entries = parse_yaml("t.yaml", text).unwrap_or_else(|errors| panic!("{errors:?}"));
    let found = check_catalogue(&catalogue(text));
    locate(found, &entries)
        .iter()
        .map(|e| format!("{e}\n"))
        .collect()
}

#[test]
fn a_name_that_is_not_there_is_told_where_it_is_used() {
    let people =
        "contact: kim\nname: Kim\n---\nescalation_policy: default\nsteps: [{notify: [kim]}]\n---\n";
    for (text, told) in [
        (
            "tenant: acme\nescalation_policy: defualt",
            "t.yaml:8:1: there is no escalation_policy `defualt` (did you mean `default`?)",
        ),
        (
            "escalation_policy: p\nsteps:\n- notify: [kim, lee]",
            "t.yaml:9:17: there is no contact `lee` (declare it: `contact: lee`)",
        ),
        (
            "escalation_policy: p\nsteps:\n- notify: ['schedule:nok']\n---\nschedule: noc\nlayers: [{layer: a, people: [kim], from: 2026-01-05T09:00}]",
            "t.yaml:9:12: there is no schedule `nok` (did you mean `noc`?)",
        ),
        (
            "schedule: noc\nlayers: [{layer: a, people: [kim, [kim, le]], from: 2026-01-05T09:00}]",
            "there is no contact `le`",
        ),
        (
            "team: dba\nmembers: [kim, lee]",
            "t.yaml:8:16: there is no contact `lee`",
        ),
        (
            "placement: default\nepochs: [{from: beginning, shards: {s1: 1}}]",
            "there is no shard `s1`",
        ),
        (
            "override: o\ntemplate: cpu-usag\nset: {every: 5s}",
            "t.yaml:8:1: there is no template `cpu-usag` (did you mean `cpu-usage`?)",
        ),
        (
            "template: t\nextends: cpu\nlevels: {P1: {above: 5}}",
            "there is no template `cpu`",
        ),
        (
            "override: o\ntemplate: cpu-usage\nset: {levels: {P1: {above: 60}}}",
            "template `cpu-usage` would be wrong: P1 must be stricter than P2",
        ),
        (
            "override: o\ntemplate: cpu-usage\nset: {levels: {P3: {above: 60}}}",
            "`until_below` must lie inside `above`",
        ),
    ] {
        let found = flaws(&format!("{people}{text}"));
        assert!(found.contains(told), "{text}\ntold: {found}\nnot:  {told}");
    }
    let shared = "tenant: a\ntokens: [{sha256: HASH}]\n---\ntenant: b\ntokens: [{sha256: HASH}]\n"
        .replace("HASH", &"ab".repeat(32));
    assert!(flaws(&format!("{people}{shared}")).contains("tenant `a` has this token too"));
}

fn override_(name: &str, for_: &str, set: &str) -> String {
    format!("override: {name}\ntemplate: cpu-usage\nfor: {{{for_}}}\nset: {{{set}}}\n---\n")
}

#[test]
fn the_more_special_override_wins_field_by_field() {
    let text = [
        override_("everyone", "", "every: 10s, interval: 20s"),
        override_("windows", "os: windows", "every: 20s, over: average of 1m"),
        override_(
            "tenant",
            "tenant: acme",
            "every: 30s, levels: {P1: {for: 1m}}",
        ),
        override_("service", "where: {service: [shop, pay]}", "every: 40s"),
        override_(
            "host",
            "host: web-1",
            "levels: {P1: {above: 95}}, limit_by_env: {stg: P1}",
        ),
    ]
    .concat();
    let catalogue = catalogue(&text);
    assert_eq!(check_catalogue(&catalogue), []);
    let cpu = shipped_templates()
        .iter()
        .find(|t| t.template == "cpu-usage")
        .unwrap();
    let overrides: Vec<&Override> = catalogue.overrides.values().map(|o| &**o).collect();
    let merged = |tenant: &str, tags: &[(&str, &str)]| {
        merged_template(cpu, &overrides, &TenantId::parse(tenant).unwrap(), tags).unwrap()
    };
    let secs = |template: &Template| template.every().as_nanos() / 1_000_000_000;
    assert_eq!(secs(&merged("other", &[])), 10);
    let windows = merged("other", &[("os", "windows")]);
    assert_eq!(
        (secs(&windows), windows.interval()),
        (20, Span::from_secs(20))
    );
    assert_eq!(windows.over.unwrap().to_string(), "average of 1m");
    assert_eq!(secs(&merged("acme", &[("os", "windows")])), 30);
    assert_eq!(secs(&merged("acme", &[("service", "pay")])), 40);
    let host = merged(
        "acme",
        &[("service", "pay"), ("host", "web-1"), ("os", "windows")],
    );
    assert_eq!(secs(&host), 40);
    let p1 = host.levels.p1.as_ref().unwrap();
    assert_eq!(
        (p1.above.unwrap().value(), p1.for_span()),
        (95.0, Span::from_secs(60))
    );
    assert_eq!(
        p1.until_below.unwrap().value(),
        85.0,
        "what nobody sets stays"
    );
    let limits = host.limit_by_env.as_ref().unwrap();
    assert_eq!(
        (limits["stg"], limits["dev"]),
        (model::Priority::P1, model::Priority::P3)
    );
    assert_eq!(merged("other", &[]).template, "cpu-usage");
}

#[test]
fn two_overrides_of_one_rank_may_not_set_the_same_field_of_the_same_thing() {
    for (a, b, clash) in [
        ("tenant: acme", "tenant: acme", true),
        ("tenant: acme", "tenant: beta", false),
        ("tenant: acme", "os: windows", false),
        ("host: a", "tenant: acme, host: a", true),
        ("host: a", "host: b", false),
        ("where: {service: a}", "where: {service: b}", false),
        ("where: {service: [a, b]}", "where: {service: b}", true),
        ("where: {service: a}", "where: {role: b}", true),
    ] {
        let set = "levels: {P1: {above: 95}}";
        let text = override_("one", a, set) + &override_("two", b, set);
        let found = flaws(&text);
        assert_eq!(
            found.contains("both set `levels.P1.above`"),
            clash,
            "{a} / {b}: {found}"
        );
        let other = override_("one", a, "every: 5s") + &override_("two", b, set);
        assert_eq!(flaws(&other), "", "other fields do not clash");
    }
}

#[test]
fn a_template_inherits_what_it_does_not_say() {
    let text = "template: cpu-strict\nextends: cpu-usage\ntitle: \"CPU of {host}\"\n\
                levels: {P1: {above: 95}, P2: {for: 1m}}\n---\ntenant: acme\n";
    let catalogue = catalogue(text);
    let flaws = check_catalogue(&catalogue);
    assert!(
        flaws.iter().all(|flaw| flaw.kind == Kind::Tenant),
        "{flaws:?}"
    );
    let bundle = Bundle::derive(&catalogue, &acme(), 1).unwrap();
    let strict = bundle
        .content
        .templates
        .iter()
        .find(|t| t.template == "cpu-strict")
        .unwrap();
    assert_eq!(strict.extends, None);
    assert_eq!(strict.check.as_deref(), Some("100 - usage_idle"));
    assert_eq!(
        strict.title_ko, None,
        "a title in one language only is not mixed with the base's"
    );
    let p1 = strict.levels.p1.as_ref().unwrap();
    assert_eq!(
        (p1.above.unwrap().value(), p1.until_below.unwrap().value()),
        (95.0, 85.0)
    );
    assert_eq!(
        strict.levels.p2.as_ref().unwrap().for_span(),
        Span::from_secs(60)
    );
    let deep = format!("{text}---\ntemplate: deeper\nextends: cpu-strict\ncheck: a\n");
    assert!(self::flaws(&deep).contains("one level deep"));
}

#[test]
fn a_bundle_changes_its_hash_with_what_evaluation_reads_and_with_nothing_else() {
    let base = "tenant: acme\ninventory: [b, a]\n";
    let hash = |text: &str| Bundle::derive(&catalogue(text), &acme(), 7).unwrap().hash;
    let first = hash(base);
    for same in [
        "tenant: acme\nname: Acme\ninventory: [a, b]\n",
        "tenant: acme\ninventory: [a, b]\n---\ntenant: beta\n",
        &(base.to_owned() + "---\n" + &override_("o", "tenant: beta", "every: 5s")),
    ] {
        assert_eq!(hash(same), first, "{same}");
    }
    for other in [
        "tenant: acme\ninventory: [a]\n",
        // In which partition a host is expected.
        "tenant: acme\ninventory: [a, b]\npartitions: 5\n",
        "tenant: acme\ninventory: [a, b]\nevaluation: {tick: 2s}\n",
        "tenant: acme\ninventory: [a, b]\nevaluation: {lateness: 2s}\n",
        &(base.to_owned() + "---\n" + &override_("o", "os: windows", "every: 5s")),
    ] {
        assert_ne!(hash(other), first, "{other}");
    }
}

#[test]
fn a_bundle_is_read_back_only_as_it_was_written() {
    let bundle = Bundle::derive(&catalogue("tenant: acme"), &acme(), 7).unwrap();
    let record = Record::Bundle(Box::new(bundle.clone()));
    let value = encode_value(7, &record);
    let mut live = Catalogue::default();
    live.apply_record(b"bundle/acme/7", Some(&value)).unwrap();
    assert_eq!(**live.newest_bundle(&acme()).unwrap(), bundle);
    assert!(live.bundle(&acme(), 7, &bundle.hash).is_some());
    assert!(live.bundle(&acme(), 7, "forged").is_none());
    let changed = String::from_utf8(value.clone())
        .unwrap()
        .replace("usage_idle", "usage_user");
    for (key, value) in [
        (&b"bundle/acme/8"[..], value.as_slice()),
        (b"bundle/beta/7", &value),
        (b"bundle/acme/7", changed.as_bytes()),
        (b"bundle/acme", &value),
        (b"nonsense/acme", &value),
        (b"tenant/acme", &value),
    ] {
        assert!(
            live.apply_record(key, Some(value)).is_err(),
            "{}",
            String::from_utf8_lossy(key)
        );
    }
    live.apply_record(b"bundle/acme/7", None).unwrap();
    assert!(live.newest_bundle(&acme()).is_none());
}

#[test]
fn the_rules_for_bongsu_itself_are_in_force_for_its_own_tenant_alone() {
    let names = |yaml: &str, tenant: &str| {
        let tenant = TenantId::parse(tenant).unwrap();
        let bundle = Bundle::derive(&catalogue(yaml), &tenant, 1).unwrap();
        let templates = bundle.content.templates.into_iter();
        let own = templates.filter(|template| template.template.starts_with("bongsu-"));
        own.map(|template| template.template).collect::<Vec<_>>()
    };
    let both = "tenant: acme\n---\ntenant: bongsu-system\n";
    assert_eq!(names(both, "acme"), [""; 0]);
    let own = names(both, "bongsu-system");
    assert!(
        own.contains(&"bongsu-retention".to_owned()) && own.len() >= 10,
        "{own:?}"
    );
    // One that is declared is a template like others.
    let declared = include_str!("../../templates/system/bongsu-lag.yaml");
    assert_eq!(
        names(&format!("{both}---\n{declared}"), "acme"),
        ["bongsu-lag"]
    );
}

#[test]
fn the_shipped_templates_keep_their_hash() {
    let bundle = Bundle::derive(&catalogue("tenant: acme"), &acme(), 1).unwrap();
    let names: Vec<&str> = bundle
        .content
        .templates
        .iter()
        .map(|t| &*t.template)
        .collect();
    insta::assert_debug_snapshot!((names, bundle.hash));
}

//! Silences and maintenance windows: what they cover, and what they do to an escalation.

use super::step::Input;
use super::world::{MINUTE, START, World, event, kinds, said, tenant};
use super::{
    Actor, BadSilence, EntryKind, Incident, Labels, MatchOp, Matcher, Silence, SilenceKind,
    SilenceSpec, SilenceState, Via, Weekly,
};
use model::{AlertKind, Priority, TenantId, Timestamp};

fn matchers(text: &str) -> Vec<Matcher> {
    let parts = text.split_whitespace();
    parts.map(|part| Matcher::parse(part).unwrap()).collect()
}

/// A silence of the world's tenant.
pub(super) fn silence(text: &str, starts_at: Timestamp, ends_at: Timestamp) -> Silence {
    Silence {
        id: "s-1".to_owned(),
        spec: SilenceSpec {
            tenant: Some(tenant()),
            kind: SilenceKind::Silence,
            matchers: matchers(text),
            author: "Kim".to_owned(),
            comment: "disk swap".to_owned(),
            starts_at,
            ends_at,
            weekly: None,
        },
        created_at: starts_at,
        updated_at: starts_at,
    }
}

fn silenced(text: &str) -> World {
    let mut world = World::new();
    let ends_at = START.plus(MINUTE.times(30));
    world.silences.0.push(silence(text, START, ends_at));
    world
}

fn at(text: &str) -> Timestamp {
    let zoned: jiff::Zoned = text.parse().unwrap();
    Timestamp::from_nanos(i64::try_from(zoned.timestamp().as_nanosecond()).unwrap())
}

#[test]
fn a_matcher_means_what_alertmanagers_means() {
    for (text, value, matches) in [
        ("host=web-1", "web-1", true),
        ("host=web-1", "web-10", false),
        ("host!=web-1", "web-1", false),
        ("host!=web-1", "", true),
        ("host=\"\"", "", true),
        ("host=~web-.", "web-1", true),
        ("host=~web-.", "web-10", false),
        ("host=~\"web|db\"", "db", true),
        ("host=~\"web|db\"", "db2", false),
        ("host!~\"web-.*\"", "web-1", false),
        ("host!~\"web-.*\"", "db-1", true),
        ("host=~.*", "two\nlines", true),
        ("host=~", "", true),
        ("note=\"a \\\"b\\\"\"", "a \"b\"", true),
    ] {
        let matcher = Matcher::parse(text).unwrap();
        assert_eq!(matcher.matches(value), matches, "{text} on {value:?}");
    }
    assert_eq!(
        Matcher::parse("host=~web").unwrap().to_string(),
        "host=~\"web\""
    );
    for wrong in ["host", "=x", "host=~[", "host=~(x{1000}){1000}", ""] {
        assert!(Matcher::parse(wrong).is_err(), "{wrong}");
    }
    let long = "x".repeat(1_025);
    assert!(Matcher::new("host", MatchOp::Equal, &long).is_err());
}

#[test]
fn a_tag_named_tenant_decides_nothing() {
    let mut incident = Incident::unseen(&event(1, AlertKind::Firing, Some(Priority::P1)));
    incident.group = vec![
        ("alertname".to_owned(), "Own".to_owned()),
        ("tenant".to_owned(), "globex".to_owned()),
    ];
    let labels = Labels::from(&incident);
    assert_eq!(labels.value("tenant"), "acme");
    assert_eq!(labels.value("alertname"), "Own");
    assert_eq!(labels.value("template"), "cpu-usage");
    assert_eq!(labels.value("priority"), "P1");
    let mut other = silence("alertname=Own", START, START.plus(MINUTE)).spec;
    assert!(other.is_about(&labels));
    other.tenant = Some(TenantId::parse("globex").unwrap());
    assert!(!other.is_about(&labels));
    other.tenant = None;
    assert!(other.is_about(&labels));
}

#[test]
fn what_is_silenced_pages_nobody_and_pages_when_the_silence_ends() {
    let mut world = silenced("host=web-1");
    let actions = world.fires(Priority::P1);
    assert_eq!(kinds(&actions), [EntryKind::Firing, EntryKind::Silenced]);
    assert!(said(&actions).is_empty());
    assert_eq!(
        world.incident.due_at(),
        Some(START.plus(MINUTE.times(30))),
        "the end of the silence is its next deadline"
    );
    assert_eq!(
        said(&world.next_deadline()),
        ["firing chat C1", "firing sms KIM"]
    );
    assert!(!world.incident.escalation.held);
}

#[test]
fn what_recovers_while_it_is_silenced_is_told_to_nobody() {
    let mut world = silenced("host=~web-.*");
    world.fires(Priority::P1);
    world.now = START.plus(MINUTE);
    assert!(said(&world.event(2, AlertKind::Resolved, None)).is_empty());
    assert_eq!(world.incident.due_at(), None);
}

#[test]
fn a_silence_pauses_a_running_escalation_and_who_was_told_hears_of_the_recovery() {
    let mut world = World::new();
    world.fires(Priority::P1);
    let (from, until) = (START.plus(MINUTE.times(5)), START.plus(MINUTE.times(60)));
    world
        .silences
        .0
        .push(silence("template=cpu-usage", from, until));
    let due = world.next_deadline();
    assert_eq!(kinds(&due), [EntryKind::Silenced], "15 minutes: it waits");
    assert_eq!(world.next_deadline().len(), 3, "then the second person");
    assert_eq!(world.now, until);
    let (from, until) = (until, until.plus(MINUTE.times(60)));
    world.silences.0.push(silence("host=web-1", from, until));
    world.now = from.plus(MINUTE);
    let over = world.event(2, AlertKind::Resolved, None);
    assert_eq!(
        said(&over),
        ["resolved chat C1", "resolved sms KIM", "resolved sms LEE"]
    );
}

#[test]
fn what_is_raised_beyond_the_silence_pages() {
    let mut world = silenced("priority=P2");
    assert!(said(&world.fires(Priority::P2)).is_empty());
    world.now = START.plus(MINUTE);
    let raised = world.event(2, AlertKind::Raised, Some(Priority::P1));
    assert_eq!(said(&raised), ["raised chat C1", "raised sms KIM"]);
}

#[test]
fn a_silence_that_ends_early_or_is_taken_longer_is_looked_at_anew() {
    let mut world = silenced("host=web-1");
    world.fires(Priority::P1);
    world.silences.0[0].spec.ends_at = START.plus(MINUTE.times(90));
    let due = world.next_deadline();
    assert_eq!(kinds(&due), [EntryKind::Silenced]);
    assert_eq!(world.incident.due_at(), Some(START.plus(MINUTE.times(90))));
    // What the store does when it is ended by hand.
    world.silences.0.clear();
    world.incident.escalation.at = Some(world.now);
    assert_eq!(
        said(&world.apply(Input::Due)),
        ["firing chat C1", "firing sms KIM"]
    );
}

#[test]
fn an_owner_is_not_asked_while_it_is_silenced() {
    let mut world = World::new();
    world.fires(Priority::P1);
    let (actor, via) = (
        Actor {
            name: "Kim".to_owned(),
            contact: Some("kim".to_owned()),
        },
        Via::Api,
    );
    world.apply(Input::Acknowledge { actor, via });
    let until = START.plus(MINUTE.times(120));
    world.silences.0.push(silence("host=web-1", START, until));
    let ran_out = world.next_deadline();
    assert!(said(&ran_out).is_empty(), "{ran_out:?}");
    assert!(kinds(&ran_out).contains(&EntryKind::Silenced));
    assert!(!said(&world.next_deadline()).is_empty());
    assert_eq!(world.now, until);
}

#[test]
fn weekly_hours_follow_the_wall_clock_of_their_zone() {
    let weekly = Weekly::parse("sat,sun 22:00-02:00", "Asia/Seoul").unwrap();
    assert_eq!(weekly.to_string(), "sat,sun 22:00-02:00");
    let mut spec = silence(
        "host=web-1",
        at("2026-01-01T00:00[UTC]"),
        at("2027-01-01T00:00[UTC]"),
    )
    .spec;
    spec.weekly = Some(weekly);
    for (now, until) in [
        ("2026-11-21T21:59:59[Asia/Seoul]", None),
        (
            "2026-11-21T22:00[Asia/Seoul]",
            Some("2026-11-22T02:00[Asia/Seoul]"),
        ),
        (
            "2026-11-23T01:59[Asia/Seoul]",
            Some("2026-11-23T02:00[Asia/Seoul]"),
        ),
        ("2026-11-23T02:00[Asia/Seoul]", None),
        ("2026-11-23T23:00[Asia/Seoul]", None),
    ] {
        assert_eq!(spec.holds_until(at(now)), until.map(at), "{now}");
    }
    assert_eq!(
        spec.state(at("2026-11-20T00:00[UTC]")),
        SilenceState::Pending
    );
    assert_eq!(
        spec.state(at("2027-11-20T00:00[UTC]")),
        SilenceState::Expired
    );
    // New York leaves out 02:00 to 03:00 on 2026-03-08: what begins at 02:30 begins at 03:30.
    spec.weekly = Some(Weekly::parse("every day 02:30-04:00", "America/New_York").unwrap());
    assert_eq!(
        spec.holds_until(at("2026-03-08T03:10[America/New_York]")),
        None
    );
    assert_eq!(
        spec.holds_until(at("2026-03-08T03:40[America/New_York]")),
        Some(at("2026-03-08T04:00[America/New_York]"))
    );
    // A whole day, of 23 hours too.
    let whole = Weekly::parse("sun 00:00-24:00", "America/New_York").unwrap();
    assert_eq!(whole.to_string(), "sun 00:00-24:00");
    spec.weekly = Some(whole);
    let monday = at("2026-03-09T00:00[America/New_York]");
    for (now, until) in [
        ("2026-03-07T23:59:59[America/New_York]", None),
        ("2026-03-08T00:00[America/New_York]", Some(monday)),
        ("2026-03-08T23:59:59[America/New_York]", Some(monday)),
        ("2026-03-09T00:00[America/New_York]", None),
    ] {
        assert_eq!(spec.holds_until(at(now)), until, "{now}");
    }
    for (hours, zone) in [
        ("sat 02:00", "UTC"),
        ("caturday 02:00-03:00", "UTC"),
        ("sat 02:00-02:00", "UTC"),
        ("sat 25:00-26:00", "UTC"),
        ("sat 02:00-03:00", "Mars/Olympus"),
    ] {
        assert!(Weekly::parse(hours, zone).is_err(), "{hours} {zone}");
    }
}

#[test]
fn a_silence_has_bounds() {
    let good = silence("host=web-1", START, START.plus(MINUTE)).spec;
    assert_eq!(good.check(START), Ok(()));
    let refused = |change: &dyn Fn(&mut SilenceSpec)| {
        let mut spec = good.clone();
        change(&mut spec);
        spec.check(START).unwrap_err()
    };
    assert_eq!(refused(&|s| s.matchers.clear()), BadSilence::Everything);
    assert_eq!(
        refused(&|s| s.matchers = matchers("host!=x a=~.*")),
        BadSilence::Everything
    );
    assert_eq!(
        refused(&|s| s.matchers = vec![s.matchers[0].clone(); 33]),
        BadSilence::Matchers
    );
    assert_eq!(refused(&|s| s.ends_at = s.starts_at), BadSilence::Backwards);
    assert_eq!(
        refused(&|s| (s.starts_at, s.ends_at) = (START.minus(MINUTE.times(2)), START)),
        BadSilence::Past
    );
    assert_eq!(refused(&|s| s.comment = " ".to_owned()), BadSilence::Words);
    assert_eq!(refused(&|s| s.author = "x".repeat(101)), BadSilence::Words);
    let mut whole = good.clone();
    whole.matchers.clear();
    whole.kind = SilenceKind::Maintenance;
    assert_eq!(whole.check(START), Ok(()));
    whole.tenant = None;
    assert_eq!(whole.check(START), Err(BadSilence::Everything));
}

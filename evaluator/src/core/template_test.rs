//! The tests that a template carries: `given` becomes points, and the engine itself judges them.

use super::given::{Phase, What, parse};
use super::input::Action;
use super::plan::{Plan, PlanError};
use super::replay::Replay;
use super::timeline::describe_since;
use model::{AlertEvent, AlertKind, Span, TenantId, Timestamp};
use schemas::catalogue::{Bundle, BundleContent, Expectation, PerPriority, Template, TemplateTest};
use std::fmt::Write as _;

/// When tests begin: 2026-01-01T00:00:00Z, a multiple of every grid up to a day.
const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);
const TICK: Span = Span::from_secs(10);
/// The check of a template under test is replaced by this field, so that `given` speaks of its
/// value.
const FIELD: &str = "value";

/// How one test of a template went.
#[derive(Debug, Clone, PartialEq)]
pub struct TestReport {
    /// The template.
    pub template: String,
    /// As written.
    pub given: String,
    /// As written.
    pub expect: Expectation,
    /// None when it passed; else what was found.
    pub failure: Option<String>,
    /// What happened, a line per event.
    pub timeline: String,
}

/// Runs all tests of a template, whose `extends` must have been applied, under that lateness.
pub fn template_test(
    template: &Template,
    lateness: Span,
) -> Result<Vec<TestReport>, Vec<PlanError>> {
    Plan::compile(&bundle(template.clone(), lateness)?)?;
    let reports = template
        .tests
        .iter()
        .map(|test| run(template, test, lateness));
    reports.collect()
}

fn run(
    template: &Template,
    test: &TemplateTest,
    lateness: Span,
) -> Result<TestReport, Vec<PlanError>> {
    let place = || format!("template {}, tests", template.template);
    let phases = parse(&test.given).map_err(|what| vec![PlanError::new(place(), what)])?;
    let plan = Plan::compile(&bundle(with_plain_check(template), lateness)?)?;
    let mut replay = Replay::new(tenant()?, plan);
    let mut actions = replay.take(points(template, &phases).as_bytes());
    actions.extend(replay.take(format!("# arrival={}\n", end(&phases).as_nanos()).as_bytes()));
    actions.extend(replay.pass(lateness.plus(TICK)));
    let events: Vec<&AlertEvent> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Emit(event) => Some(event.as_ref()),
            Action::Find(_) | Action::Count(_) | Action::Derive(_) => None,
        })
        .collect();
    Ok(TestReport {
        template: template.template.clone(),
        given: test.given.clone(),
        expect: test.expect,
        failure: failure(test.expect, &events),
        timeline: timeline(&phases, &events),
    })
}

/// What was found, if it is not what is expected.
fn failure(expect: Expectation, events: &[&AlertEvent]) -> Option<String> {
    let last = events.last();
    let found = match last {
        None => "nothing fired".to_owned(),
        Some(event) => match event.priority {
            Some(priority) => format!("it is firing at {priority}"),
            None => format!("it is {}", event.kind.as_str()),
        },
    };
    let met = match expect {
        Expectation::Nothing => events.is_empty(),
        Expectation::Priority(wanted) => last.is_some_and(|event| event.priority == Some(wanted)),
        Expectation::Resolved => last.is_some_and(|event| event.kind == AlertKind::Resolved),
    };
    (!met).then(|| format!("expected {expect}, but at the end {found}"))
}

fn timeline(phases: &[Phase], events: &[&AlertEvent]) -> String {
    let mut text = String::new();
    let mut begin = Span::ZERO;
    let mut events = events.iter().peekable();
    for phase in phases {
        let what = match phase.what {
            What::Value(value) => value.to_string(),
            What::Gap => "gap".to_owned(),
            What::Silence => "silence".to_owned(),
        };
        let until = begin.plus(phase.span);
        // Writing to a String cannot fail.
        writeln!(text, "+{begin}  given {what} for {}", phase.span).unwrap_or_default();
        while let Some(event) = events.next_if(|event| event.at <= START.plus(until)) {
            writeln!(text, "    {}", describe_since(event, START)).unwrap_or_default();
        }
        begin = until;
    }
    for event in events {
        writeln!(text, "    {}", describe_since(event, START)).unwrap_or_default();
    }
    text
}

fn end(phases: &[Phase]) -> Timestamp {
    phases.iter().fold(START, |at, phase| at.plus(phase.span))
}

fn tenant() -> Result<TenantId, Vec<PlanError>> {
    TenantId::parse("test").map_err(|error| vec![PlanError::new("tenant", error.to_string())])
}

fn bundle(template: Template, lateness: Span) -> Result<Bundle, Vec<PlanError>> {
    let content = BundleContent {
        templates: vec![template],
        overrides: Vec::new(),
        inventory: Vec::new(),
        partitions: 1,
        tick: TICK,
        lateness,
    };
    Ok(Bundle::new(tenant()?, 1, content))
}

fn is_silence(template: &Template) -> bool {
    template
        .check
        .as_deref()
        .is_some_and(|check| check.trim() == "time_since_last_point")
}

/// The template with a check that reads the value that `given` names.
fn with_plain_check(template: &Template) -> Template {
    let mut plain = template.clone();
    plain.only_when = None;
    if !is_silence(template) {
        plain.check = Some(FIELD.to_owned());
    }
    let mut levels = PerPriority::default();
    for (priority, level) in template.levels.iter() {
        let mut level = level.clone();
        level.check = None;
        *levels.slot(priority) = Some(level);
    }
    plain.levels = levels;
    plain
}

/// Lines of one group that give the check those values: one every `interval`, the first one
/// interval after the start. In a gap another series of the host goes on; in silence nothing does.
fn points(template: &Template, phases: &[Phase]) -> String {
    let (series, beat) = series(template);
    let interval = template.interval();
    let silent = is_silence(template);
    // The host is known from the start on.
    let mut text = format!("{beat} {FIELD}=1 {}\n", START.as_nanos());
    let mut begin = START;
    for phase in phases {
        let until = begin.plus(phase.span);
        let mut at = begin.plus(interval);
        while at <= until {
            let at_nanos = at.as_nanos();
            let line = match phase.what {
                What::Value(value) => Some(format!("{series} {FIELD}={value:?} {at_nanos}\n")),
                What::Gap if !silent => Some(format!("{beat} {FIELD}=1 {at_nanos}\n")),
                What::Gap | What::Silence => None,
            };
            text.extend(line);
            at = at.plus(interval);
        }
        begin = until;
    }
    text
}

/// The series of the group under test, and another one of its host that proves that the host lives.
fn series(template: &Template) -> (String, String) {
    let applies_to = template.applies_to.as_ref();
    let name = applies_to.map_or("any", |to| to.measurement.as_str());
    let mut tags: Vec<(&str, &str)> = vec![("env", "prod")];
    for (key, values) in applies_to.iter().flat_map(|to| &to.where_) {
        tags.retain(|(known, _)| known != key);
        tags.extend(
            values
                .values()
                .first()
                .map(|value| (key.as_str(), value.as_str())),
        );
    }
    let group = template.group_tags();
    for key in &group {
        if tags.iter().all(|(known, _)| known != key) {
            tags.push((key, "test"));
        }
    }
    let host = tags
        .iter()
        .find(|(key, _)| *key == "host")
        .map_or("test", |(_, host)| host);
    let mut series = escape(name, &[',', ' ']);
    for (key, value) in &tags {
        series.push_str(&format!(",{}={}", escape(key, &TAG), escape(value, &TAG)));
    }
    (
        series,
        format!("bongsu_test_beat,host={}", escape(host, &TAG)),
    )
}

/// What is escaped in tags.
const TAG: [char; 3] = [',', ' ', '='];

fn escape(text: &str, special: &[char]) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if special.contains(&c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

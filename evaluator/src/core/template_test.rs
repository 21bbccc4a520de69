//! The tests that a template carries: `given` becomes points, and the engine itself judges them.

use super::given::What;
use super::input::Action;
use super::plan::{Plan, PlanError, is_of_tenant};
use super::replay::Replay;
use super::script::Script;
use super::timeline::describe_since;
use model::{AlertEvent, AlertKind, Span, TenantId, Timestamp};
use schemas::catalogue::{
    Bundle, BundleContent, Expectation, Given, PerPriority, Template, TemplateTest,
};

/// When tests begin: 2026-01-01T00:00:00Z, a multiple of every grid up to a day.
pub(super) const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);
const TICK: Span = Span::from_secs(10);
/// The check of a template under test is replaced by this field, so that `given` speaks of its
/// value.
pub(super) const FIELD: &str = "value";

/// How one test of a template went.
#[derive(Debug, Clone, PartialEq)]
pub struct TestReport {
    /// The template.
    pub template: String,
    /// As written.
    pub given: Given,
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

/// The tests of a template whose `given` cannot be read: the place of each, and what is wrong.
pub fn unreadable_tests(template: &Template) -> Vec<(usize, String)> {
    let all = template.tests.iter().enumerate();
    all.filter_map(|(n, test)| Some((n, Script::read(template, &test.given).err()?)))
        .collect()
}

fn run(
    template: &Template,
    test: &TemplateTest,
    lateness: Span,
) -> Result<TestReport, Vec<PlanError>> {
    let script = Script::read(template, &test.given).map_err(|what| {
        let place = format!("template {}, tests", template.template);
        vec![PlanError::new(place, what)]
    })?;
    let judged = match test.given {
        Given::Check(_) => with_plain_check(template),
        Given::Series(_) => template.clone(),
    };
    let plan = Plan::compile(&bundle(judged, lateness)?)?;
    let mut replay = Replay::new(tenant()?, plan);
    let mut actions = Vec::new();
    for (at, lines) in script.points(template) {
        actions.extend(match is_of_tenant(template) {
            true => replay.take_report(at, &lines),
            false => replay.take(lines.as_bytes()),
        });
    }
    let end = START.plus(script.length()).as_nanos();
    actions.extend(replay.take(format!("# arrival={end}\n").as_bytes()));
    actions.extend(replay.pass(lateness.plus(TICK)));
    let events: Vec<&AlertEvent> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Emit(event) => Some(event.as_ref()),
            Action::Find(_) | Action::Count(_) | Action::Derive(_) | Action::Tags(_) => None,
        })
        .collect();
    Ok(TestReport {
        template: template.template.clone(),
        given: test.given.clone(),
        expect: test.expect,
        failure: failure(test.expect, &events),
        timeline: timeline(&script, &events),
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
    (!met).then(|| format!("at the end {found}"))
}

fn timeline(script: &Script, events: &[&AlertEvent]) -> String {
    let mut lines: Vec<(Span, String)> = Vec::new();
    for (name, phases) in script.named() {
        let mut begin = Span::ZERO;
        for phase in phases {
            let what = match phase.what {
                What::Value(value) => value.to_string(),
                What::Ramp(from, to) => format!("{from} to {to}"),
                What::Gap => "gap".to_owned(),
                What::Silence => "silence".to_owned(),
            };
            lines.push((
                begin,
                format!("+{begin}  given {name}{what} for {}", phase.span),
            ));
            begin = begin.plus(phase.span);
        }
    }
    for event in events {
        let line = format!("    {}", describe_since(event, START));
        lines.push((event.at.since(START), line));
    }
    // What was said first stays first: phrases before the events of their beginning.
    lines.sort_by_key(|(at, _)| *at);
    lines.into_iter().map(|(_, line)| line + "\n").collect()
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

pub(super) fn is_silence(template: &Template) -> bool {
    template
        .check
        .as_deref()
        .is_some_and(|check| check.trim() == "time_since_last_point")
}

/// The template with a check that reads the value that `given` names.
fn with_plain_check(template: &Template) -> Template {
    let mut plain = template.clone();
    plain.only_when = None;
    plain.shows = None;
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

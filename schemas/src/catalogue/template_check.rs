//! What a template must keep to: thresholds in order, recoveries inside, groups that stay the same.

use super::check::Flaws;
use super::{Level, Over, Template, Threshold};
use model::{Priority, Span};

/// Tags that change while the thing stays the same. A group of them would be new at each change, so that none may
/// have one in its key.
pub const CHANGING_TAGS: [&str; 9] = [
    "result",
    "status_code",
    "verification",
    "serial_number",
    "container_status",
    "pid",
    "phase",
    "state",
    "readiness",
];

/// The check that has no window: its timer decides.
const SILENCE: &str = "time_since_last_point";

/// What is wrong in a template. One that extends another may leave out what it inherits.
pub(super) fn check_template(template: &Template, flaws: &mut Flaws) {
    if template.extends.is_none() {
        check_required(template, flaws);
    }
    check_group(template, flaws);
    check_times(template, flaws);
    for (priority, level) in template.levels.iter() {
        check_level(template, priority, level, flaws);
    }
    check_order(template, flaws);
    for (path, text) in [
        ("title", &template.title),
        ("title_ko", &template.title_ko),
        ("check", &template.check),
        ("unit", &template.unit),
        ("only_when", &template.only_when),
        ("shows", &template.shows),
    ] {
        let fits = text.as_ref().is_none_or(|text| {
            !text.trim().is_empty() && text.len() <= 500 && !text.contains(char::is_control)
        });
        flaws.unless(fits, path, "one line of 1 to 500 characters");
    }
    if let Some(runbook) = &template.runbook {
        let is_link = runbook.starts_with("https://") || runbook.starts_with("http://");
        flaws.unless(is_link, "runbook", "a runbook is a link, `https://...`");
    }
}

fn check_required(template: &Template, flaws: &mut Flaws) {
    let name = "template";
    flaws.unless(
        template.applies_to.is_some(),
        name,
        "key `applies_to` is missing",
    );
    flaws.unless(
        !template.levels.is_empty(),
        "levels",
        "at least one level, such as P1",
    );
    let own = |has: fn(&Level) -> bool| {
        !template.levels.is_empty() && template.levels.iter().all(|(_, level)| has(level))
    };
    let has_check = template.check.is_some() || own(|level| level.check.is_some());
    flaws.unless(has_check, name, "key `check` is missing");
    let silence = template.check.as_deref().map(str::trim) == Some(SILENCE);
    let has_window = silence || template.over.is_some() || own(|level| level.over.is_some());
    let hint = Some("write `over: average of 5m`, or `over: each point`".to_owned());
    if !has_window {
        flaws.add_with(name, "key `over` is missing", hint);
    }
    if silence {
        flaws.unless(
            template.over.is_none(),
            "over",
            "the check is a time and has no window",
        );
    }
}

fn check_group(template: &Template, flaws: &mut Flaws) {
    for (n, tag) in template.one_alert_per.iter().enumerate() {
        let path = format!("one_alert_per[{n}]");
        flaws.unless(!tag.is_empty(), path.clone(), "a tag has a name");
        let twice = template.one_alert_per[..n].contains(tag);
        flaws.unless(!twice, path.clone(), "the tag is named twice");
        if CHANGING_TAGS.contains(&tag.as_str()) {
            let what = format!(
                "`{tag}` changes while the thing stays the same: each change would be a new alert"
            );
            let hint = Some("select it in `applies_to` or in `check` instead".to_owned());
            flaws.add_with(path, what, hint);
        }
    }
    let Some(applies_to) = &template.applies_to else {
        return;
    };
    let named = !applies_to.measurement.trim().is_empty();
    flaws.unless(
        named,
        "applies_to.measurement",
        "name a measurement, or write `any`",
    );
    for (word, tags) in [
        ("where", &applies_to.where_),
        ("where_not", &applies_to.where_not),
    ] {
        for (tag, values) in tags {
            let path = format!("applies_to.{word}.{tag}");
            flaws.unless(!values.values().is_empty(), path, "name at least one value");
        }
    }
}

fn check_times(template: &Template, flaws: &mut Flaws) {
    let (day, second) = (Span::from_secs(86_400), Span::from_secs(1));
    for (path, span) in [
        ("every", template.every()),
        ("interval", template.interval()),
    ] {
        flaws.unless((second..=day).contains(&span), path, "from 1s to 1d");
    }
    let levels = template.levels.iter();
    let windows = levels
        .map(|(priority, level)| (format!("levels.{priority}.over"), level.over))
        .chain([("over".to_owned(), template.over)]);
    for (path, over) in windows {
        if let Some(Over::Window { span, .. }) = over {
            flaws.unless(
                (second..=day.times(7)).contains(&span),
                path,
                "a window is 1s to 7d",
            );
        }
    }
    for (path, span) in [
        ("missing_after", template.missing_after),
        ("close_after", template.close_after),
        ("expire_after", template.expire_after),
    ] {
        let fits = span.is_none_or(|span| (second..=day.times(90)).contains(&span));
        flaws.unless(fits, path, "from 1s to 90d");
    }
    if let (Some(missing), Some(expire)) = (template.missing_after, template.expire_after) {
        let what = "a group expires later than its data counts as missing";
        flaws.unless(missing < expire, "expire_after", what);
    }
}

fn check_level(template: &Template, priority: Priority, level: &Level, flaws: &mut Flaws) {
    let path = format!("levels.{priority}");
    let forms = [
        level.above.is_some(),
        level.below.is_some(),
        level.is.is_some(),
    ];
    let given = forms.into_iter().filter(|given| *given).count();
    // Fields of a level that is inherited may change without its threshold.
    let inherits = template.extends.is_some() && given == 0;
    if given != 1 && !inherits {
        let what = "a level has exactly one of `above`, `below` and `is`";
        flaws.add(path.clone(), what);
    }
    let pairs = [
        (
            "above",
            level.above,
            "until_below",
            level.until_below,
            Threshold::value as fn(_) -> f64,
        ),
        (
            "below",
            level.below,
            "until_above",
            level.until_above,
            |t: Threshold| -t.value(),
        ),
    ];
    for (word, threshold, until_word, until, height) in pairs {
        let Some(until) = until else { continue };
        let at = format!("{path}.{until_word}");
        match threshold {
            // Strict on both sides, so that the same number is inside.
            Some(threshold) => {
                let what =
                    format!("`{until_word}` must lie inside `{word}`, on the good side of it");
                flaws.unless(height(until) <= height(threshold), at, &what);
            }
            None if inherits => {}
            None => flaws.add(
                at,
                format!("`{until_word}` belongs to `{word}`, which is not given"),
            ),
        }
    }
    let week = Span::from_secs(7 * 86_400);
    for (word, span) in [
        ("for", level.for_span()),
        ("recover_for", level.recover_span()),
    ] {
        flaws.unless(span <= week, format!("{path}.{word}"), "7d at most");
    }
}

/// A more urgent rung is stricter, where rungs are of the same check and window.
fn check_order(template: &Template, flaws: &mut Flaws) {
    let levels: Vec<_> = template.levels.iter().collect();
    for pair in levels.windows(2) {
        let ((upper_name, upper), (lower_name, lower)) = (pair[0], pair[1]);
        let same = upper.check == lower.check && upper.over == lower.over;
        let path = |word: &str| format!("levels.{upper_name}.{word}");
        if let (true, Some(a), Some(b)) = (same, upper.above, lower.above) {
            let what = format!(
                "{upper_name} must be stricter than {lower_name}: above {} is not higher than {}",
                a.value(),
                b.value()
            );
            flaws.unless(a.value() > b.value(), path("above"), &what);
        }
        if let (true, Some(a), Some(b)) = (same, upper.below, lower.below) {
            let what = format!(
                "{upper_name} must be stricter than {lower_name}: below {} is not lower than {}",
                a.value(),
                b.value()
            );
            flaws.unless(a.value() < b.value(), path("below"), &what);
        }
        let opposed = (upper.above.is_some() && lower.below.is_some())
            || (upper.below.is_some() && lower.above.is_some());
        let what = "one level is `above`, another `below`: write two templates";
        flaws.unless(!(same && opposed), format!("levels.{upper_name}"), what);
    }
}

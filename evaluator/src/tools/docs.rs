//! The page of the shipped templates, in English and Korean, made from the templates themselves.

use crate::core::DERIVED;
use schemas::catalogue::{
    Level, Over, Template, Threshold, WhenMissing, shipped_files, shipped_templates,
};
use std::fmt::Write as _;

/// The language of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Korean.
    Korean,
}

/// What the comments at the head of a template's file say.
#[derive(Debug, Default)]
struct Head {
    about: String,
    todo: String,
}

impl Language {
    fn pick(self, english: &'static str, korean: &'static str) -> &'static str {
        match self {
            Self::English => english,
            Self::Korean => korean,
        }
    }
}

/// The page, Markdown.
pub fn template_page(language: Language) -> String {
    let mut page = String::from(language.pick(ENGLISH, KOREAN));
    for template in shipped_templates() {
        let title = match language {
            Language::English => template.title(),
            Language::Korean => template.title_ko.as_deref().unwrap_or(template.title()),
        };
        let places = template
            .levels
            .iter()
            .map(|(priority, level)| format!("{priority} {}", level_text(template, level)));
        let row = format!(
            "| [{name}](#{name}) | {title} | {levels} |\n",
            name = template.template,
            levels = places.collect::<Vec<_>>().join("<br>")
        );
        page.push_str(&row);
    }
    for (template, (file, text)) in shipped_templates().iter().zip(shipped_files()) {
        section(&mut page, template, file, text, language);
    }
    page
}

const ENGLISH: &str = "# The shipped templates\n\n\
    Made by `bongsu template docs`; a test keeps it current. Every template carries tests for firing, not firing, \
    recovery and its pitfall (`bongsu template test`), and those whose input runs on Linux are held against samples of a \
    real Telegraf (`templates/samples`, recorded by `tests/real/record-samples`). `win_services` and `win_eventlog` run on \
    Windows only: `windows-service` and `windows-event` follow their documentation and have not seen a real agent.\n\n\
    Change thresholds with overrides, not by copying. stg and dev show P3 at most.\n\n\
    | template | title | levels |\n|---|---|---|\n";

const KOREAN: &str = "# 기본 제공 템플릿\n\n\
    `bongsu template docs --lang ko`로 만들며 테스트가 최신인지 확인한다. 모든 템플릿은 발생, 미발생, 복구, 주의점에 대한 \
    테스트를 지니고(`bongsu template test`), Linux에서 동작하는 입력은 실제 Telegraf의 샘플로 확인한다\
    (`templates/samples`, `tests/real/record-samples`로 기록). `win_services`와 `win_eventlog`는 Windows에서만 동작하므로 \
    `windows-service`와 `windows-event`는 문서를 따랐고 실제 에이전트로 확인하지 못했다.\n\n\
    임계값은 복사하지 말고 override로 바꾼다. stg와 dev는 최고 P3로 표시한다.\n\n\
    | 템플릿 | 제목 | 단계 |\n|---|---|---|\n";

fn section(page: &mut String, template: &Template, file: &str, text: &str, language: Language) {
    let head = head(text, language);
    let about = language.pick("What to do", "할 일");
    let applies = template.applies_to.as_ref();
    let measurement = applies.map_or("-", |to| to.measurement.as_str());
    let rows = [
        (
            language.pick("measurement", "measurement"),
            format!("`{measurement}`"),
        ),
        (
            language.pick("one alert per", "알림 단위"),
            group(template).join(", "),
        ),
        (
            language.pick("check", "검사"),
            format!("`{}`", template.check.as_deref().unwrap_or("-")),
        ),
        (
            language.pick("over", "구간"),
            template
                .over
                .map_or("-".to_owned(), |over| over.to_string()),
        ),
        (
            language.pick("compared to", "비교 대상"),
            template.compared_to.clone().unwrap_or_default(),
        ),
        (
            language.pick("only when", "조건"),
            template
                .only_when
                .as_ref()
                .map_or(String::new(), |when| format!("`{when}`")),
        ),
        (
            language.pick("also shown", "함께 표시"),
            template
                .shows
                .as_ref()
                .map_or(String::new(), |shows| format!("`{shows}`")),
        ),
        (
            language.pick("missing data", "데이터 누락"),
            missing(template, language),
        ),
    ];
    let mut add = |text: String| page.push_str(&text);
    add(format!("\n## {}\n\n{}\n\n", template.template, head.about));
    add("| | |\n|---|---|\n".to_owned());
    for (name, value) in rows.into_iter().filter(|(_, value)| !value.is_empty()) {
        add(format!("| {name} | {value} |\n"));
    }
    for (priority, level) in template.levels.iter() {
        add(format!(
            "| {priority} | {} |\n",
            level_text(template, level)
        ));
    }
    add(format!(
        "\n**{about}.** {} [{runbook}](runbooks/{name}.md)\n\n`templates/{file}`\n",
        head.todo,
        runbook = language.pick("Runbook", "런북"),
        name = template.template,
    ));
}

/// The tags of a group; what is derived of a tenant has no host.
fn group(template: &Template) -> Vec<String> {
    let applies = template.applies_to.as_ref();
    let of_tenant = applies.is_some_and(|to| DERIVED.contains(&to.measurement.as_str()));
    let mut tags = template.group_tags();
    tags.retain(|tag| !of_tenant || tag != "host");
    tags
}

fn missing(template: &Template, language: Language) -> String {
    let mut text = match template.when_missing() {
        WhenMissing::FollowHostDown => language
            .pick("an alert of the host", "호스트의 알림")
            .to_owned(),
        WhenMissing::Fine => language.pick("fine", "정상").to_owned(),
        WhenMissing::Resolve => language
            .pick("the end of the incident", "인시던트 종료")
            .to_owned(),
        WhenMissing::Priority(priority) => priority.to_string(),
    };
    if let Some(after) = template.missing_after {
        // Writing to a String cannot fail.
        write!(text, ", {after}").unwrap_or_default();
    }
    text
}

/// `above 90 for 5m, until below 85`.
fn level_text(template: &Template, level: &Level) -> String {
    let mut text = match (level.above, level.below, level.is) {
        (Some(above), ..) => format!("above {}", number(above)),
        (_, Some(below), _) => format!("below {}", number(below)),
        (_, _, Some(is)) => is.to_string(),
        _ => String::new(),
    };
    let is_time = level.over.or(template.over) == Some(Over::TimeUntilZero);
    if template.unit.as_deref() == Some("percent") && !is_time {
        text.push_str(" %");
    }
    if let Some(over) = level.over {
        write!(text, " ({over})").unwrap_or_default();
    }
    if let Some(span) = level.for_ {
        write!(text, " for {span}").unwrap_or_default();
    }
    let until = [("below", level.until_below), ("above", level.until_above)];
    for (word, threshold) in until {
        if let Some(threshold) = threshold {
            write!(text, ", until {word} {}", number(threshold)).unwrap_or_default();
        }
    }
    text
}

fn number(threshold: Threshold) -> String {
    match threshold {
        Threshold::Number(number) => number.to_string(),
        Threshold::Duration(span) => span.to_string(),
    }
}

/// The comments at the head: `about:` and `do:`, with ` ko` behind the word for Korean.
fn head(text: &str, language: Language) -> Head {
    let mut head = Head::default();
    let mut in_about = None;
    for line in text.lines() {
        let Some(comment) = line.strip_prefix("# ") else {
            break;
        };
        let wanted = |word: &str| match language {
            Language::English => comment.strip_prefix(&format!("{word}: ")),
            Language::Korean => comment.strip_prefix(&format!("{word} ko: ")),
        };
        let is_key = ["about: ", "about ko: ", "do: ", "do ko: "]
            .iter()
            .any(|key| comment.starts_with(key));
        let part = if let Some(about) = wanted("about") {
            in_about = Some(true);
            about
        } else if let Some(todo) = wanted("do") {
            in_about = Some(false);
            todo
        } else if is_key {
            in_about = None;
            continue;
        } else {
            comment
        };
        let into = match in_about {
            Some(true) => &mut head.about,
            Some(false) => &mut head.todo,
            None => continue,
        };
        if !into.is_empty() {
            into.push(' ');
        }
        into.push_str(part);
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_in_docs_are_current() {
        for (language, name) in [
            (Language::English, "templates.md"),
            (Language::Korean, "templates.ko.md"),
        ] {
            let path = format!("{}/../docs/{name}", env!("CARGO_MANIFEST_DIR"));
            let found = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                found == template_page(language),
                "docs/{name} is not current: `bongsu template docs --lang .. > docs/{name}`"
            );
        }
    }

    #[test]
    fn every_shipped_template_has_a_runbook_in_both_languages() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        for folder in ["templates", "templates/system"] {
            let files = std::fs::read_dir(format!("{root}/{folder}")).unwrap();
            for path in files.map(|file| file.unwrap().path()) {
                if path.extension().is_none_or(|extension| extension != "yaml") {
                    continue;
                }
                let name = path.file_stem().unwrap().to_str().unwrap();
                let link = format!(
                    "\nrunbook: https://github.com/bongsu/bongsu/blob/main/docs/runbooks/{name}.md\n"
                );
                let template = std::fs::read_to_string(&path).unwrap();
                assert!(template.contains(&link), "{name}: no {link}");
                let page = std::fs::read_to_string(format!("{root}/docs/runbooks/{name}.md"));
                let page = page.unwrap_or_else(|error| panic!("{name}: {error}"));
                let (english, korean) = page.split_once("## 한국어").unwrap();
                for half in [english, korean] {
                    assert!(half.contains("\n3. "), "{name}: fewer than three steps");
                }
            }
        }
    }

    #[test]
    fn every_shipped_template_is_explained_in_both_languages() {
        for (file, text) in shipped_files() {
            for language in [Language::English, Language::Korean] {
                let head = head(text, language);
                assert!(head.about.len() > 20 && head.todo.len() > 20, "{file}");
            }
        }
        for template in shipped_templates() {
            assert!(template.title_ko.is_some(), "{}", template.template);
            assert!(template.tests.len() >= 3, "{}", template.template);
        }
    }
}

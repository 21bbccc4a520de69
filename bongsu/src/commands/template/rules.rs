//! Rules from the files that a person named, and what is wrong with them beside its source.

use super::super::yaml_files;
use crate::failure::{Exit, Failure, Outcome};
use evaluator::tools::Rules;
use model::TenantId;
use schemas::catalogue::CatalogueError;
use std::path::Path;

/// Lines of source around the one that is meant.
const AROUND: usize = 1;
/// Of a line of source so many signs are shown.
const WIDEST: usize = 160;

/// The rules of a file or folder, checked.
pub(super) fn read_rules(path: &Path, tenant: Option<&str>) -> Outcome<Rules> {
    let tenant = tenant.map(parse_tenant).transpose()?;
    let files = yaml_files(path)?;
    let rules = Rules::read(&files, tenant).map_err(|errors| refused(&errors, &files))?;
    if rules.templates().is_empty() {
        return Err(Failure::new(
            Exit::Usage,
            format!("{} declares no template", path.display()),
        ));
    }
    rules.plan().map_err(|errors| refused(&errors, &files))?;
    Ok(rules)
}

/// The files of a folder as they stand.
pub(super) fn rule_files(path: &Path) -> Outcome<Vec<(String, String)>> {
    yaml_files(path)
}

pub(super) fn parse_tenant(name: &str) -> Outcome<TenantId> {
    TenantId::parse(name).map_err(|error| Failure::new(Exit::Usage, error.to_string()))
}

fn refused(errors: &[CatalogueError], files: &[(String, String)]) -> Failure {
    let texts: Vec<String> = errors.iter().map(|error| snippet(error, files)).collect();
    Failure::new(Exit::Findings, texts.join("\n"))
}

/// What is wrong, and the lines where it stands.
pub(super) fn snippet(error: &CatalogueError, files: &[(String, String)]) -> String {
    let mut text = error.to_string();
    let source = files.iter().find(|(name, _)| *name == error.file);
    let (Some((_, source)), true) = (source, error.line > 0) else {
        return text;
    };
    let first = error.line.saturating_sub(AROUND).max(1);
    for (n, line) in (1..).zip(source.lines()) {
        if n < first || n > error.line + AROUND {
            continue;
        }
        // Of a long line that part which is meant.
        let skipped = match n == error.line && error.column > WIDEST - WIDEST / 8 {
            true => error.column - WIDEST / 2,
            false => 0,
        };
        let shown: String = line.chars().skip(skipped).take(WIDEST).collect();
        text.push_str(&format!("\n{n:>5} | {shown}"));
        if n == error.line {
            // Signs before the column take the width of what they stand under.
            let before: String = line
                .chars()
                .take(error.column.saturating_sub(1))
                .skip(skipped)
                .map(|c| if c == '\t' { '\t' } else { ' ' })
                .collect();
            text.push_str(&format!("\n      | {before}^"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_line_the_part_that_is_meant_is_shown() {
        let source = format!("template: {}\nx: {}\n", "t".repeat(9), "[".repeat(5_000));
        let files = [("a.yaml".to_owned(), source)];
        let errors = Rules::read(&files, None).unwrap_err();
        let text = snippet(&errors[0], &files);
        let widest = text.lines().map(str::len).max();
        assert!(widest < Some(WIDEST + 20), "{text}");
        let lines: Vec<&str> = text.lines().collect();
        let marked = lines.iter().position(|line| line.ends_with('^')).unwrap();
        let column = lines[marked].len() - 1;
        assert_eq!(&lines[marked - 1][column..=column], "[", "{text}");
    }

    #[test]
    fn an_error_stands_beside_its_source() {
        let source = "template: cpu\nlvels: {}\ncheck: usage\n";
        let files = [("a.yaml".to_owned(), source.to_owned())];
        let errors = Rules::read(&files, None).unwrap_err();
        let text = snippet(&errors[0], &files);
        assert!(text.contains("did you mean `levels`?"), "{text}");
        assert!(
            text.ends_with(
                "\n    1 | template: cpu\n    2 | lvels: {}\n      | ^\n    3 | check: usage"
            ),
            "{text}"
        );
    }
}

//! `bongsu template import`: rules of Prometheus and Kapacitor as templates.

use crate::failure::{Exit, Failure, Outcome};
use crate::print;
use evaluator::tools::{from_prometheus, from_tickscript};
use std::path::Path;

pub(super) fn run(file: &Path) -> Outcome {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!("cannot read {}: {error}", file.display()),
        )
    })?;
    let is_tick = file.extension().is_some_and(|ending| ending == "tick");
    let imported = if is_tick {
        let name = file
            .file_stem()
            .map(|stem| stem.to_string_lossy().to_lowercase());
        from_tickscript(&name.unwrap_or_default().replace(['_', ' '], "-"), &text)
    } else {
        from_prometheus(&text)
    };
    let imported = imported.map_err(|why| {
        Failure::new(Exit::Failed, format!("{}: {why}", file.display()))
            .hint("a file of Prometheus rules (YAML), or a TICKscript whose name ends in .tick")
    })?;
    print::text(&imported.yaml);
    for note in &imported.notes {
        print::message(&format!("note: {note}"));
    }
    for refused in &imported.refused {
        print::message(&format!("not imported: {}: {}", refused.rule, refused.why));
    }
    let (made, left) = (imported.templates, imported.refused.len());
    print::message(&format!("{made} templates, {left} rules not imported"));
    if left > 0 {
        return Err(Failure::new(
            Exit::Findings,
            format!("{left} rules could not be imported; the reasons stand above"),
        ));
    }
    Ok(())
}

//! `bongsu import`: people, schedules and policies of another system as a catalogue file.

use crate::cli::{Import, System};
use crate::failure::{Exit, Failure, Outcome};
use crate::print;
use oncall::import::{Origin, import};

pub(super) fn run(asked: &Import) -> Outcome {
    let file = asked.file.display();
    let text = std::fs::read_to_string(&asked.file)
        .map_err(|error| Failure::new(Exit::Usage, format!("cannot read {file}: {error}")))?;
    let origin = match asked.system {
        System::GrafanaOncall => Origin::GrafanaOncall,
        System::Opsgenie => Origin::Opsgenie,
        System::Goalert => Origin::Goalert,
    };
    let imported = import(origin, &text).map_err(|error| {
        Failure::new(Exit::Failed, format!("{file}: {error}"))
            .hint("docs/integrations.md says how the file is made")
    })?;
    print::text(&imported.yaml());
    let (lost, other): (Vec<_>, Vec<_>) = imported.notes.iter().partition(|note| note.lost);
    for note in other {
        print::message(&format!("note: {}: {}", note.what, note.why));
    }
    for note in &lost {
        print::message(&format!("not taken over: {}: {}", note.what, note.why));
    }
    let (made, left) = (imported.entries.len(), lost.len());
    print::message(&format!("entries: {made}; not taken over: {left}"));
    if left > 0 {
        let text =
            format!("not everything could be taken over ({left} not): the reasons stand above");
        return Err(Failure::new(Exit::Findings, text));
    }
    Ok(())
}

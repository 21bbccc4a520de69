//! `bongsu schema`: the JSON Schemas of the catalogue's kinds.

use crate::failure::{Exit, Failure, Outcome};
use crate::print;
use schemas::catalogue::{Kind, all_json_schemas, json_schema};

pub(super) fn run(kind: Option<&str>) -> Outcome {
    let schema = match kind {
        None => all_json_schemas()
            .into_iter()
            .map(|(kind, schema)| (kind.to_string(), schema))
            .collect(),
        Some(name) => json_schema(name.parse::<Kind>().map_err(|error| {
            Failure::new(Exit::Usage, error.to_string()).hint(
                "kinds: tenant, shard, placement, template, override, contact, escalation_policy, schedule, team",
            )
        })?),
    };
    print::text(&format!("{schema:#}\n"));
    Ok(())
}

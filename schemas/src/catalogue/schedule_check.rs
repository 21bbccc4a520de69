//! What a schedule and a team must keep to beyond their types.

use super::check::Flaws;
use super::{Schedule, Team};
use jiff::tz::TimeZone;
use std::collections::BTreeSet;

/// What is wrong in a schedule by itself.
pub(super) fn check_schedule(schedule: &Schedule, flaws: &mut Flaws) {
    let zone = &schedule.time_zone;
    if TimeZone::get(zone).is_err() {
        let what = format!("`{zone}` is no time zone: write an IANA name such as Asia/Seoul");
        flaws.add("time_zone", what);
    }
    let layers = 1..=50;
    let what = "a schedule has 1 to 50 layers";
    flaws.unless(layers.contains(&schedule.layers.len()), "layers", what);
    let mut names = BTreeSet::new();
    for (n, layer) in schedule.layers.iter().enumerate() {
        let once = names.insert(&layer.layer);
        let path = format!("layers[{n}].layer");
        flaws.unless(once, path, "another layer has this name");
        let turns = 1..=200;
        let path = format!("layers[{n}].people");
        let what = "a layer has 1 to 200 turns";
        flaws.unless(turns.contains(&layer.people.len()), path, what);
        let path = format!("layers[{n}].until");
        let what = "the layer ends before it begins";
        let follows = layer.until.is_none_or(|until| until > layer.from);
        flaws.unless(follows, path, what);
    }
    for (n, each) in schedule.overrides.iter().enumerate() {
        let path = format!("overrides[{n}].to");
        let what = "the override ends before it begins";
        flaws.unless(each.to > each.from, path, what);
        let path = format!("overrides[{n}].notify");
        let what =
            "an override names at least one contact; for nobody use a layer with an empty turn";
        flaws.unless(!each.notify.is_empty(), path, what);
    }
}

/// What is wrong in a team by itself.
pub(super) fn check_team(team: &Team, flaws: &mut Flaws) {
    let members = 1..=200;
    let what = "a team has 1 to 200 members";
    flaws.unless(members.contains(&team.members.len()), "members", what);
    let distinct: BTreeSet<_> = team.members.iter().collect();
    let what = "a member is named twice";
    flaws.unless(distinct.len() == team.members.len(), "members", what);
}

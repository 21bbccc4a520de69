//! Values held against the past of their group: trends and seasons.

use super::group::Group;
use super::plan::{Against, Gather, Rule, Signal};
use super::season::Season;
use super::trend::Until;
use super::window::{Reading, is_guarded};
use model::Timestamp;

/// What a value means beside its past, where the rule asks for that.
pub(crate) fn against_past(
    signal: &Signal,
    rule: &Rule,
    group: &mut Group,
    (at, reading): (Timestamp, Reading),
) -> Reading {
    let trend = signal.gather == Gather::UntilZero;
    let excluded = trend && is_guarded(signal, rule, &group.samples, at);
    let Reading::Value(value) = reading else {
        return if excluded { Reading::Excluded } else { reading };
    };
    if trend {
        let trend = group.rare_mut().trend.get_or_insert_default();
        trend.take(at, value, rule.percent.then_some(100.0));
        return match trend.until_zero(value) {
            _ if excluded => Reading::Excluded,
            Until::Zero(secs) => Reading::Value(secs),
            Until::Never => Reading::Never,
            Until::TooEarly => Reading::Unknown,
        };
    }
    let past = match rule.against {
        Against::Nothing => return reading,
        Against::Weekday | Against::Hour => group
            .rare_mut()
            .season
            .get_or_insert_with(|| Box::new(Season::new(at))),
    };
    past.take(at, value);
    let compared = match rule.against {
        Against::Hour => past.deviation(at, value),
        Against::Weekday | Against::Nothing => past.growth(at, value),
    };
    compared.map_or(Reading::Unknown, Reading::Value)
}

/// The end of a shadow: what fired in it was never told.
pub(crate) fn leave_shadow(group: &mut Group, rule: &Rule, at: Timestamp) {
    if rule.against == Against::Hour
        && let Some(rare) = group.rare_made()
        && let Some(season) = &mut rare.season
        && !season.live
        && !season.is_shadow(at)
    {
        season.live = true;
        group.ladder.clear();
        drop(group.take_incident());
    }
}

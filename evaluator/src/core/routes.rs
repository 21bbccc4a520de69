//! Where the points of a series go: found once, from its measurement and tags, and used for each of its points.
//!
//! What a route says follows from the plan and from the bytes of a line before its fields, so that it only saves work.

use super::groups::Place;
use super::hosts::HostPlace;
use model::SeriesKey;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use xxhash_rust::xxh3::xxh3_128;

/// Below so many routes none is forgotten.
const FEW: usize = 65_536;

/// The hash of a line's bytes before its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Head(u128);

impl Head {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(xxh3_128(bytes))
    }
}

/// Where the points of a series go.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) host: HostPlace,
    pub(crate) series: SeriesKey,
    /// [`super::groups::Groups::removals`] of the host when the places were found.
    pub(crate) removals: u32,
    /// Which tags of the tenant's standard it has, one bit each.
    pub(crate) tags_seen: u8,
    /// Templates that mean it and whose group key it lacks a tag of.
    pub(crate) without_group: u8,
    used: bool,
    pub(crate) stops: Box<[Stop]>,
}

/// A template that reads the series.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stop {
    /// The template's place in the plan.
    pub(crate) template: u32,
    /// The series is one of those that the template means; else it is joined to them.
    pub(crate) own: bool,
    /// Its group, if there is one.
    pub(crate) group: Option<Place>,
}

impl Route {
    pub(crate) fn new(host: HostPlace, series: SeriesKey, stops: Vec<Stop>) -> Self {
        Self {
            host,
            series,
            removals: 0,
            tags_seen: 0,
            without_group: 0,
            used: true,
            stops: stops.into_boxed_slice(),
        }
    }
}

/// The routes of a partition's series. Those that were not used for long are forgotten.
#[derive(Debug)]
pub(crate) struct Routes {
    by_head: HashMap<Head, Route, BuildHasherDefault<AsItIs>>,
    /// At so many the unused are forgotten.
    most: usize,
}

impl Default for Routes {
    fn default() -> Self {
        Self {
            by_head: HashMap::default(),
            most: FEW,
        }
    }
}

impl Routes {
    pub(crate) fn get(&mut self, head: Head) -> Option<&mut Route> {
        let route = self.by_head.get_mut(&head)?;
        route.used = true;
        Some(route)
    }

    pub(crate) fn insert(&mut self, head: Head, route: Route) {
        if self.by_head.len() >= self.most {
            self.by_head
                .retain(|_, route| std::mem::replace(&mut route.used, false));
            self.most = FEW.max(2 * self.by_head.len());
        }
        self.by_head.insert(head, route);
    }

    /// Another plan holds.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// A head is a hash already.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, value: u128) {
        self.0 = value as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::super::clock::HostClock;
    use super::super::host::Host;
    use super::super::hosts::Hosts;
    use super::super::skew::Skew;
    use super::*;
    use model::Timestamp;

    #[test]
    fn routes_that_are_not_used_are_forgotten_when_there_are_many() {
        let at = Timestamp::default();
        let mut hosts = Hosts::default();
        let host = Host::new(HostClock::first(at, at, at).0, Skew::default(), 0);
        hosts.insert("web-1".into(), host);
        let place = hosts.place("web-1").unwrap();
        let mut routes = Routes::default();
        let head = |n: usize| Head::of(&n.to_le_bytes());
        for n in 0..4 * FEW {
            let route = Route::new(place, SeriesKey::from_hash(n as u64), Vec::new());
            routes.insert(head(n), route);
            assert!(
                routes.get(head(0)).is_some(),
                "it is used all the time: {n}"
            );
        }
        assert!(routes.by_head.len() <= 3 * FEW, "{}", routes.by_head.len());
        assert_eq!(
            hosts
                .at_mut(place)
                .map(|(name, _)| name.to_string())
                .as_deref(),
            Some("web-1")
        );
        hosts.remove("web-1");
        assert!(hosts.at_mut(place).is_none());
    }
}

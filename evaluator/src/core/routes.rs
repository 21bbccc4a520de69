//! Where the points of a series go: found once, from its measurement and tags, and used for each of its points.
//!
//! What a route says follows from the plan and from the bytes of a line before its fields, so that it only saves work.

use super::env::Env;
use super::groups::Place;
use super::hosts::HostPlace;
use hashbrown::HashTable;
use model::SeriesKey;
use xxhash_rust::xxh3::xxh3_128;

/// Below so many routes none is forgotten.
const FEW: usize = 65_536;

/// The hash of a line's bytes before its fields, 128 bits. In two halves, or each route would be a multiple of 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Head([u64; 2]);

impl Head {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let hash = xxh3_128(bytes);
        Self([hash as u64, (hash >> 64) as u64])
    }

    /// It is a hash already.
    fn hash(self) -> u64 {
        self.0[0]
    }
}

/// Where the points of a series go.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) host: HostPlace,
    pub(crate) series: SeriesKey,
    pub(crate) env: Env,
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
    /// The template's place in the plan; the highest bit: the series is joined to those that the template means.
    template: u32,
    /// Its group, if there is one.
    pub(crate) group: Option<Place>,
}

/// A plan has fewer templates.
const JOINED: u32 = 1 << 31;

impl Stop {
    pub(crate) fn new(template: u32, own: bool, group: Option<Place>) -> Self {
        let joined = if own { 0 } else { JOINED };
        Self {
            template: template | joined,
            group,
        }
    }

    /// The template's place in the plan.
    pub(crate) fn template(self) -> u32 {
        self.template & !JOINED
    }

    /// The series is one of those that the template means; else it is joined to them.
    pub(crate) fn is_own(self) -> bool {
        self.template & JOINED == 0
    }
}

impl Route {
    pub(crate) fn new(host: HostPlace, series: SeriesKey, env: Env, stops: Vec<Stop>) -> Self {
        Self {
            host,
            series,
            env,
            removals: 0,
            tags_seen: 0,
            without_group: 0,
            used: true,
            stops: stops.into_boxed_slice(),
        }
    }
}

/// The routes of a partition's series. Those that were not used for long are forgotten.
///
/// They lie one behind the other, and the table holds their numbers: of its places half are empty.
#[derive(Debug)]
pub(crate) struct Routes {
    by_head: HashTable<u32>,
    held: Vec<(Head, Route)>,
    /// At so many the unused are forgotten.
    most: usize,
}

impl Default for Routes {
    fn default() -> Self {
        Self {
            by_head: HashTable::new(),
            held: Vec::new(),
            most: FEW,
        }
    }
}

impl Routes {
    pub(crate) fn get(&mut self, head: Head) -> Option<&mut Route> {
        let number = self.number(head)?;
        let (_, route) = &mut self.held[number];
        route.used = true;
        Some(route)
    }

    pub(crate) fn insert(&mut self, head: Head, route: Route) {
        if let Some(number) = self.number(head) {
            self.held[number].1 = route;
            return;
        }
        if self.held.len() >= self.most {
            self.forget_unused();
        }
        if self.held.len() == self.held.capacity() {
            self.held.reserve_exact(64 + self.held.len() / 4);
        }
        let Ok(number) = u32::try_from(self.held.len()) else {
            return;
        };
        self.held.push((head, route));
        self.index(head, number);
    }

    /// Another plan holds.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn number(&self, head: Head) -> Option<usize> {
        let is_it = |number: &u32| self.held[*number as usize].0 == head;
        let number = self.by_head.find(head.hash(), is_it)?;
        Some(*number as usize)
    }

    fn index(&mut self, head: Head, number: u32) {
        let held = &self.held;
        let hash = |number: &u32| held[*number as usize].0.hash();
        self.by_head.insert_unique(head.hash(), number, hash);
    }

    fn forget_unused(&mut self) {
        self.held
            .retain_mut(|(_, route)| std::mem::replace(&mut route.used, false));
        self.most = FEW.max(2 * self.held.len());
        self.by_head.clear();
        for number in 0..self.held.len() {
            self.index(self.held[number].0, number as u32);
        }
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
            let route = Route::new(
                place,
                SeriesKey::from_hash(n as u64),
                Env::Missing,
                Vec::new(),
            );
            routes.insert(head(n), route);
            assert!(
                routes.get(head(0)).is_some(),
                "it is used all the time: {n}"
            );
            if n < 2 * FEW {
                assert_eq!(
                    routes.held.len(),
                    n + 1,
                    "all were used since the last time"
                );
                let room = n + 1 + 64 + n / 4;
                assert!(routes.held.capacity() <= room, "{n}");
            }
        }
        for number in (0..routes.held.len()).step_by(1_000) {
            let head = routes.held[number].0;
            assert_eq!(routes.number(head), Some(number));
        }
        assert!(routes.held.len() <= 3 * FEW, "{}", routes.held.len());
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

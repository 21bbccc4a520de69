//! The groups of a host: found by their key, walked in its order, or reached at once by their place.

use super::group::{Group, GroupKey};
use std::num::NonZeroU32;

/// A list grows by at least so many.
const FEW: usize = 4;

/// Where a group is as long as no group of its host was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(NonZeroU32);

impl Place {
    /// Counted from 1, so that none of them takes no more room.
    fn of(slot: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(slot))
    }

    fn slot(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// The groups of a host.
#[derive(Debug, Clone, Default)]
pub(crate) struct Groups {
    // Boxed: what moves when a group comes is a pointer.
    slots: Vec<Option<Box<(GroupKey, Group)>>>,
    /// The slots that hold a group, by its key.
    order: Vec<u32>,
    free: Vec<u32>,
    removals: u32,
}

impl Groups {
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// How often groups were removed: places from before do not hold.
    pub(crate) fn removals(&self) -> u32 {
        self.removals
    }

    pub(crate) fn place(&self, key: &GroupKey) -> Option<Place> {
        let found = self.search(key).ok()?;
        Some(Place::of(self.order[found]))
    }

    pub(crate) fn get(&self, key: &GroupKey) -> Option<&Group> {
        let found = self.search(key).ok()?;
        let held = self.slots[self.order[found] as usize].as_deref();
        held.map(|(_, group)| group)
    }

    pub(crate) fn at_mut(&mut self, place: Place) -> Option<(&GroupKey, &mut Group)> {
        let (key, group) = self.slots.get_mut(place.slot())?.as_deref_mut()?;
        Some((key, group))
    }

    /// Adds a group; one of the same key is replaced.
    pub(crate) fn insert(&mut self, key: GroupKey, group: Group) -> Place {
        match self.search(&key) {
            Ok(found) => {
                let slot = self.order[found];
                self.slots[slot as usize] = Some(Box::new((key, group)));
                Place::of(slot)
            }
            Err(before) => {
                let held = Some(Box::new((key, group)));
                let slot = match self.free.pop() {
                    Some(slot) => {
                        self.slots[slot as usize] = held;
                        slot
                    }
                    None => {
                        make_room(&mut self.slots);
                        self.slots.push(held);
                        u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
                    }
                };
                make_room(&mut self.order);
                self.order.insert(before, slot);
                Place::of(slot)
            }
        }
    }

    pub(crate) fn extend(&mut self, groups: impl IntoIterator<Item = (GroupKey, Group)>) {
        for (key, group) in groups {
            self.insert(key, group);
        }
    }

    /// In the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&GroupKey, &Group)> {
        let held = |slot: &u32| self.slots[*slot as usize].as_deref();
        self.order
            .iter()
            .filter_map(held)
            .map(|(key, group)| (key, group))
    }

    /// Each of them, in any order.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Group> {
        self.slots
            .iter_mut()
            .filter_map(Option::as_deref_mut)
            .map(|(_, group)| group)
    }

    /// Visits each in the order of their keys, and removes those for which the answer is no.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&GroupKey, &mut Group) -> bool) {
        let Self {
            slots,
            order,
            free,
            removals,
        } = self;
        let before = order.len();
        order.retain(|slot| {
            let held = &mut slots[*slot as usize];
            let kept = held
                .as_deref_mut()
                .is_some_and(|(key, group)| keep(key, group));
            if !kept {
                *held = None;
                free.push(*slot);
            }
            kept
        });
        if order.len() < before {
            *removals = removals.wrapping_add(1);
        }
    }

    fn search(&self, key: &GroupKey) -> Result<usize, usize> {
        self.order.binary_search_by(|slot| {
            let held = self.slots[*slot as usize].as_deref();
            held.map(|(known, _)| known).cmp(&Some(key))
        })
    }
}

/// Room for one more, and little to spare: there are as many of these lists as hosts, and they hardly grow once their
/// host is known.
fn make_room<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(FEW.max(list.len() / 4));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_as_small_as_it_was_made() {
        // There are as many of these as there are things to watch.
        assert_eq!(size_of::<(GroupKey, Group)>(), 152);
        assert_eq!(size_of::<super::super::routes::Stop>(), 8);
        assert_eq!(
            size_of::<(super::super::routes::Head, super::super::routes::Route)>(),
            72
        );
    }
}

//! The hosts of a partition: found by name, walked in its order, or reached at once by their place.

use super::host::Host;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a host is as long as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HostPlace {
    slot: u32,
    generation: u32,
}

/// The hosts of a partition.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    by_name: BTreeMap<Arc<str>, u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Debug, Default)]
struct Slot {
    /// How many hosts have left it.
    generation: u32,
    held: Option<Box<(Arc<str>, Host)>>,
}

impl Hosts {
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// A host's own copy of its name.
    pub(crate) fn name(&self, name: &str) -> Option<Arc<str>> {
        self.by_name
            .get_key_value(name)
            .map(|(name, _)| Arc::clone(name))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Host> {
        let slot = *self.by_name.get(name)?;
        let (_, host) = self.slots[slot as usize].held.as_deref()?;
        Some(host)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Host> {
        let slot = *self.by_name.get(name)?;
        let (_, host) = self.slots[slot as usize].held.as_deref_mut()?;
        Some(host)
    }

    pub(crate) fn place(&self, name: &str) -> Option<HostPlace> {
        let slot = *self.by_name.get(name)?;
        let generation = self.slots[slot as usize].generation;
        Some(HostPlace { slot, generation })
    }

    /// The host in a place; none when it was forgotten meanwhile.
    pub(crate) fn at_mut(&mut self, place: HostPlace) -> Option<(&Arc<str>, &mut Host)> {
        let slot = self.slots.get_mut(place.slot as usize)?;
        if slot.generation != place.generation {
            return None;
        }
        let (name, host) = slot.held.as_deref_mut()?;
        Some((name, host))
    }

    /// Adds a host; one of the same name is replaced.
    pub(crate) fn insert(&mut self, name: Arc<str>, host: Host) {
        self.remove(&name);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        self.slots[slot as usize].held = Some(Box::new((Arc::clone(&name), host)));
        self.by_name.insert(name, slot);
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Host> {
        let slot = self.by_name.remove(name)?;
        let left = &mut self.slots[slot as usize];
        left.generation = left.generation.wrapping_add(1);
        self.free.push(slot);
        left.held.take().map(|held| held.1)
    }

    /// In the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Host)> {
        let held = |slot: &u32| self.slots[*slot as usize].held.as_deref();
        self.by_name
            .values()
            .filter_map(held)
            .map(|(name, host)| (name, host))
    }
}

//! One budget of bytes for everything that was read and is not yet stored, shared between tenants.

use model::TenantId;
use std::collections::HashMap;

/// Turns that are looked back on, a bit each.
const TURNS: u32 = 8;
/// In so many of them something of a tenant must have been stored, or it is slow.
const QUICK: u32 = 4;

/// What the budget wants done to reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Stop reading this partition: what the client has fetched of it already is thrown away.
    Pause(u64),
    /// Read it again.
    Resume(u64),
    /// Read nothing for the moment, or read on: nothing is thrown away.
    Hold(bool),
}

/// Bytes held, by tenant.
///
/// A tenant may hold as much as is free beside it (the dynamic threshold of shared-memory switches: Choudhury and
/// Hahne, IEEE/ACM Transactions on Networking 6(2), 1998): alone it comes to a half, two come to a third each, and
/// there is always room for one more. At its threshold a tenant of which something is stored all the time only makes
/// everybody wait a moment, since the next write that ends frees room. A slow one, whose shard is dead or takes seconds,
/// has its own partitions paused instead, and nobody waits for it.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    held: usize,
    paused: usize,
    hold: bool,
    /// How many quick tenants are over their threshold.
    quick_over: usize,
    parts: HashMap<u64, Part>,
    tenants: HashMap<TenantId, Tenant>,
}

#[derive(Debug)]
struct Part {
    tenant: TenantId,
    bytes: usize,
    paused: bool,
}

#[derive(Debug)]
struct Tenant {
    bytes: usize,
    /// Whether something was stored, or nothing was there to be stored, in each of the last turns.
    moved: u32,
    /// The same of the turn that runs.
    moves: bool,
    /// Whether it is over its threshold.
    over: bool,
    /// Whether it is among those who make everybody wait.
    waited_for: bool,
    parts: Vec<u64>,
}

impl Default for Tenant {
    fn default() -> Self {
        Self {
            bytes: 0,
            moved: u32::MAX,
            moves: true,
            over: false,
            waited_for: false,
            parts: Vec::new(),
        }
    }
}

impl Tenant {
    fn is_slow(&self) -> bool {
        (self.moved & ((1 << TURNS) - 1)).count_ones() < QUICK
    }
}

impl Budget {
    /// A budget of that many bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            held: 0,
            paused: 0,
            hold: false,
            quick_over: 0,
            parts: HashMap::new(),
            tenants: HashMap::new(),
        }
    }

    /// Bytes held by all.
    pub fn held(&self) -> usize {
        self.held
    }

    /// How many partitions are paused.
    pub fn paused(&self) -> usize {
        self.paused
    }

    /// A partition of a tenant begins to be read.
    pub fn join(&mut self, part: u64, tenant: &TenantId) -> Vec<Flow> {
        let owner = self.tenants.entry(tenant.clone()).or_default();
        owner.parts.push(part);
        self.parts.insert(
            part,
            Part {
                tenant: tenant.clone(),
                bytes: 0,
                paused: false,
            },
        );
        self.flow(tenant)
    }

    /// A partition is gone, with all it held.
    pub fn leave(&mut self, part: u64) -> Vec<Flow> {
        let Some(gone) = self.parts.remove(&part) else {
            return Vec::new();
        };
        self.held -= gone.bytes;
        self.paused -= usize::from(gone.paused);
        if let Some(tenant) = self.tenants.get_mut(&gone.tenant) {
            tenant.bytes -= gone.bytes;
            tenant.parts.retain(|known| *known != part);
            if tenant.parts.is_empty() {
                self.quick_over -= usize::from(tenant.waited_for);
                self.tenants.remove(&gone.tenant);
            }
        }
        self.flow(&gone.tenant)
    }

    /// A partition holds more bytes.
    pub fn take(&mut self, part: u64, bytes: usize) -> Vec<Flow> {
        let Some(known) = self.parts.get_mut(&part) else {
            return Vec::new();
        };
        known.bytes += bytes;
        self.held += bytes;
        let tenant = known.tenant.clone();
        if let Some(owner) = self.tenants.get_mut(&tenant) {
            if owner.bytes == 0 {
                // What comes to an idle tenant has not had its chance yet.
                owner.moves = true;
            }
            owner.bytes += bytes;
        }
        self.flow(&tenant)
    }

    /// A partition holds less.
    pub fn give(&mut self, part: u64, bytes: usize) -> Vec<Flow> {
        let Some(known) = self.parts.get_mut(&part) else {
            return Vec::new();
        };
        let bytes = bytes.min(known.bytes);
        known.bytes -= bytes;
        self.held -= bytes;
        let tenant = known.tenant.clone();
        if let Some(owner) = self.tenants.get_mut(&tenant) {
            owner.bytes -= bytes;
            owner.moves |= bytes > 0;
        }
        self.flow(&tenant)
    }

    /// A turn is over: who has moved is known now. All turns are equally long.
    pub fn turn(&mut self) -> Vec<Flow> {
        for tenant in self.tenants.values_mut() {
            tenant.moved = tenant.moved << 1 | u32::from(tenant.moves);
            tenant.moves = tenant.bytes == 0;
        }
        let all: Vec<_> = self.tenants.keys().cloned().collect();
        let mut flows: Vec<_> = all.iter().flat_map(|tenant| self.weigh(tenant)).collect();
        flows.extend(self.weigh_all());
        flows
    }

    fn flow(&mut self, tenant: &TenantId) -> Vec<Flow> {
        let mut flows = self.weigh(tenant);
        flows.extend(self.weigh_all());
        flows
    }

    /// Looks at one tenant. It is over from its threshold on until it is at half of it.
    fn weigh(&mut self, tenant: &TenantId) -> Vec<Flow> {
        let free = self.limit.saturating_sub(self.held);
        let Some(owner) = self.tenants.get_mut(tenant) else {
            return Vec::new();
        };
        let threshold = if owner.over { free / 2 } else { free };
        owner.over = owner.bytes > threshold;
        let wanted = owner.over && owner.is_slow();
        let waited_for = owner.over && !wanted;
        if waited_for != owner.waited_for {
            owner.waited_for = waited_for;
            self.quick_over = if waited_for {
                self.quick_over + 1
            } else {
                self.quick_over - 1
            };
        }
        let mut flows = Vec::new();
        for id in &owner.parts {
            let Some(part) = self.parts.get_mut(id).filter(|part| part.paused != wanted) else {
                continue;
            };
            part.paused = wanted;
            if wanted {
                self.paused += 1;
                flows.push(Flow::Pause(*id));
            } else {
                self.paused -= 1;
                flows.push(Flow::Resume(*id));
            }
        }
        flows
    }

    /// Everybody waits while a quick tenant is over its threshold, or all is used up.
    fn weigh_all(&mut self) -> Option<Flow> {
        let wanted = self.held >= self.limit || self.quick_over > 0;
        (wanted != self.hold).then(|| {
            self.hold = wanted;
            Flow::Hold(wanted)
        })
    }
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;

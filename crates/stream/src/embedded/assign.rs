//! Which member of a group reads which partition: even, and with as few moves as that allows.

use crate::TopicPartition;
use std::collections::BTreeMap;

/// A member as the assignment sees it.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) member: u64,
    /// What it wants to read, out of all partitions there are.
    pub(super) wants: Vec<TopicPartition>,
}

/// The owner of each partition that anybody wants. `present` are today's owners, who keep what they
/// can.
pub(super) fn assign(
    candidates: &[Candidate],
    present: &BTreeMap<TopicPartition, u64>,
) -> BTreeMap<TopicPartition, u64> {
    let mut readers: BTreeMap<&TopicPartition, Vec<u64>> = BTreeMap::new();
    for candidate in candidates {
        for source in &candidate.wants {
            readers.entry(source).or_default().push(candidate.member);
        }
    }
    let mut load: BTreeMap<u64, usize> = candidates.iter().map(|c| (c.member, 0)).collect();
    let mut owners: BTreeMap<TopicPartition, u64> = BTreeMap::new();
    for (source, able) in &readers {
        if let Some(owner) = present.get(*source).filter(|owner| able.contains(owner)) {
            owners.insert((*source).clone(), *owner);
            *load.entry(*owner).or_default() += 1;
        }
    }
    for (source, able) in &readers {
        if !owners.contains_key(*source)
            && let Some(owner) = lightest(able, &load)
        {
            owners.insert((*source).clone(), owner);
            *load.entry(owner).or_default() += 1;
        }
    }
    // Each move narrows the gap between two members by two, so this ends.
    while let Some((source, to)) = improvement(&readers, &owners, &load) {
        if let Some(from) = owners.insert(source, to) {
            *load.entry(from).or_default() -= 1;
        }
        *load.entry(to).or_default() += 1;
    }
    owners
}

fn lightest(able: &[u64], load: &BTreeMap<u64, usize>) -> Option<u64> {
    able.iter()
        .copied()
        .min_by_key(|member| (load.get(member).copied(), *member))
}

/// A partition whose move to another member makes the two more even.
fn improvement(
    readers: &BTreeMap<&TopicPartition, Vec<u64>>,
    owners: &BTreeMap<TopicPartition, u64>,
    load: &BTreeMap<u64, usize>,
) -> Option<(TopicPartition, u64)> {
    readers.iter().rev().find_map(|(source, able)| {
        let from = owners.get(*source)?;
        let to = lightest(able, load)?;
        (load.get(from)? >= &(load.get(&to)? + 2)).then(|| ((*source).clone(), to))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::TopicName;

    fn parts(n: u32) -> Vec<TopicPartition> {
        (0..n)
            .map(|p| TopicPartition::new(TopicName::alerts(), p))
            .collect()
    }

    fn candidates(members: &[u64], n: u32) -> Vec<Candidate> {
        members
            .iter()
            .map(|member| Candidate {
                member: *member,
                wants: parts(n),
            })
            .collect()
    }

    fn moved(a: &BTreeMap<TopicPartition, u64>, b: &BTreeMap<TopicPartition, u64>) -> usize {
        a.iter()
            .filter(|(source, owner)| b.get(*source) != Some(*owner))
            .count()
    }

    #[test]
    fn a_new_member_gets_its_share_with_the_fewest_moves() {
        for (before, after, partitions, moves) in [
            (vec![1], vec![1, 2], 4, 2),
            (vec![1, 2], vec![1, 2, 3], 6, 2),
            (vec![1], vec![1, 2], 1, 0),
            (vec![1, 2, 3], vec![2, 3], 6, 2),
        ] {
            let old = assign(&candidates(&before, partitions), &BTreeMap::new());
            let new = assign(&candidates(&after, partitions), &old);
            assert_eq!(new.len(), partitions as usize);
            assert_eq!(moved(&old, &new), moves, "{before:?} -> {after:?}");
        }
    }

    #[test]
    fn nobody_gets_what_it_does_not_want() {
        let only = [Candidate {
            member: 1,
            wants: parts(1),
        }];
        let present = parts(2).into_iter().map(|source| (source, 1)).collect();
        assert_eq!(assign(&only, &present).len(), 1);
        assert!(assign(&[], &present).is_empty());
    }
}

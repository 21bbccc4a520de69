//! Who may take more of what all tenants share.

/// Why nothing more is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// All together would hold more than there is.
    Exhausted,
    /// This tenant would hold more than is free for the others.
    Unfair,
}

/// Whether a tenant that holds `own` of `all` that are held may take `more`, where there are `total`.
///
/// A tenant may hold as much as is free beside it ("dynamic threshold" of Choudhury and Hahne, with the factor 1):
/// one alone gets half, a second one finds room at once, and nobody has to be told how many tenants there are.
pub fn may_take(more: usize, own: usize, all: usize, total: usize) -> Result<(), Denied> {
    let free = total
        .checked_sub(all)
        .and_then(|free| free.checked_sub(more))
        .ok_or(Denied::Exhausted)?;
    if own + more > free {
        return Err(Denied::Unfair);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tenant_alone_gets_half_and_others_still_find_room() {
        let mut held = [0_usize; 4];
        // Each in turn takes all it can get, one by one.
        for tenant in 0..held.len() {
            while may_take(1, held[tenant], held.iter().sum(), 120).is_ok() {
                held[tenant] += 1;
            }
        }
        assert_eq!(held, [60, 30, 15, 7]);
        // As the first gives back, the last gets as much as it.
        held[0] = 0;
        while may_take(1, held[3], held.iter().sum(), 120).is_ok() {
            held[3] += 1;
        }
        assert!(held[3] >= 37, "{held:?}");
    }

    #[test]
    fn why_is_said() {
        assert_eq!(may_take(61, 0, 0, 120), Err(Denied::Unfair));
        assert_eq!(may_take(20, 0, 110, 120), Err(Denied::Exhausted));
        assert_eq!(may_take(0, 0, 0, 120), Ok(()));
    }
}

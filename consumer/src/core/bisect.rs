//! Finds the bad lines of a refused batch.

use std::ops::Range;

/// What a refusal says about the lines sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// At least one of them is bad.
    Lines,
    /// There are too many of them; each half may be good.
    Size,
}

/// Which lines to send next, from the whole batch down to single lines.
///
/// Ranges come in the order of the lines, so that an overwrite inside of a batch ends as it was
/// sent. A line is called bad only when it was refused alone. For `k` bad lines of `n` there are at
/// most `2k(log2 n + 1)` requests: when the left half of a bad range is good, the right half must
/// be bad and is split without being sent whole.
#[derive(Debug)]
pub struct Bisection {
    /// Ranges still to send, the next one last.
    todo: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    lines: Range<usize>,
    /// Sits at the right of a refused range, whose left half has been good so far.
    bad_if_left_is_good: bool,
}

impl Bisection {
    /// Starts with all lines.
    pub fn new(lines: usize) -> Self {
        Self {
            todo: vec![Part {
                lines: 0..lines,
                bad_if_left_is_good: false,
            }],
        }
    }

    /// The lines to send now; none when every line has its fate.
    pub fn current(&self) -> Option<Range<usize>> {
        self.todo.last().map(|part| part.lines.clone())
    }

    /// The current lines were taken.
    pub fn taken(&mut self) {
        self.todo.pop();
        // Known to be bad: no need to ask for it whole. A single line is asked for, to hear why.
        while let Some(part) = self
            .todo
            .pop_if(|next| next.bad_if_left_is_good && next.lines.len() > 1)
        {
            self.split(part.lines, true);
        }
    }

    /// The store took the good ones of the current lines and named the bad ones.
    pub fn named(&mut self) {
        self.todo.pop();
        if let Some(right) = self.todo.last_mut() {
            right.bad_if_left_is_good = false;
        }
    }

    /// The current lines were refused. A line that was alone is bad, and is returned.
    pub fn refused(&mut self, refusal: Refusal) -> Option<usize> {
        let part = self.todo.pop()?;
        if let Some(right) = self.todo.last_mut() {
            // Its left neighbour explains the refusal of both: it may be good.
            right.bad_if_left_is_good = false;
        }
        if part.lines.len() <= 1 {
            return (part.lines.len() == 1).then_some(part.lines.start);
        }
        self.split(part.lines, refusal == Refusal::Lines);
        None
    }

    fn split(&mut self, lines: Range<usize>, one_is_bad: bool) {
        let middle = lines.start + lines.len() / 2;
        self.todo.push(Part {
            lines: middle..lines.end,
            bad_if_left_is_good: one_is_bad,
        });
        self.todo.push(Part {
            lines: lines.start..middle,
            bad_if_left_is_good: false,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// Runs a bisection against a store that refuses the lines in `bad`.
    fn run(n: usize, bad: &BTreeSet<usize>) -> (Vec<usize>, Vec<usize>, usize) {
        let (mut found, mut stored, mut requests) = (Vec::new(), Vec::new(), 0);
        let mut bisection = Bisection::new(n);
        while let Some(lines) = bisection.current() {
            requests += 1;
            if bad.range(lines.clone()).next().is_some() {
                found.extend(bisection.refused(Refusal::Lines));
            } else {
                stored.extend(lines);
                bisection.taken();
            }
        }
        (found, stored, requests)
    }

    fn bound(n: usize, bad: usize) -> f64 {
        2.0 * bad as f64 * ((n as f64).log2() + 1.0)
    }

    #[test]
    fn one_bad_line_is_found_within_the_bound_wherever_it_is() {
        for n in (1..300).chain([1_000, 4_999, 5_000]) {
            for bad in 0..n {
                let (found, stored, requests) = run(n, &BTreeSet::from([bad]));
                assert_eq!(found, [bad]);
                assert_eq!(stored.len(), n - 1);
                assert!(requests as f64 <= bound(n, 1), "{n} {bad} {requests}");
            }
        }
    }

    #[test]
    fn a_good_batch_is_one_request() {
        assert_eq!(run(5_000, &BTreeSet::new()).2, 1);
    }

    #[test]
    fn a_batch_that_is_too_large_condemns_no_line() {
        let mut bisection = Bisection::new(8);
        let mut sent = Vec::new();
        while let Some(lines) = bisection.current() {
            if lines.len() > 2 {
                assert_eq!(bisection.refused(Refusal::Size), None);
            } else {
                sent.extend(lines);
                bisection.taken();
            }
        }
        assert_eq!(sent, [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    proptest! {
        #[test]
        fn every_line_has_one_fate_in_order_and_within_the_bound(
            n in 1_usize..5_000,
            seeds in proptest::collection::btree_set(any::<usize>(), 1..20),
        ) {
            let bad: BTreeSet<_> = seeds.into_iter().map(|seed| seed % n).collect();
            let (found, stored, requests) = run(n, &bad);
            prop_assert!(found.iter().eq(bad.iter()));
            prop_assert!(stored.is_sorted());
            prop_assert_eq!(stored.len() + bad.len(), n);
            prop_assert!(requests as f64 <= bound(n, bad.len()));
        }

        #[test]
        fn all_bad_is_within_the_bound(n in 1_usize..2_000) {
            let (found, stored, requests) = run(n, &(0..n).collect());
            prop_assert_eq!((found.len(), stored.len()), (n, 0));
            prop_assert!(requests as f64 <= bound(n, n));
        }
    }
}

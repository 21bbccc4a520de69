//! Where several say that they are on call at once: who answers, and whom they cover.

use super::compile::Schedule;
use super::spans::Duty;
use jiff::Timestamp;

/// A span of time in which more than one layer or override has somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap<'a> {
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant behind it.
    pub to: Timestamp,
    /// Who answers.
    pub duty: Duty<'a>,
    /// Who would be on call without them: the layer, and its people; the uppermost first.
    pub covered: Vec<(&'a str, Vec<&'a str>)>,
    /// Overrides that are in force together.
    pub overrides: usize,
}

impl Schedule {
    /// The overlaps from `from` to `to`, in their order.
    pub fn overlaps(&self, from: Timestamp, to: Timestamp) -> Vec<Overlap<'_>> {
        let mut overlaps: Vec<Overlap<'_>> = Vec::new();
        let edges = self.edges(from, to);
        for (n, begin) in edges.iter().enumerate() {
            let end = edges.get(n + 1).copied().unwrap_or(to);
            let overrides = self
                .overrides
                .iter()
                .filter(|each| each.from <= *begin && *begin < each.to)
                .count();
            let of_layers = self.layers.iter().rev().filter_map(|layer| {
                let duty = layer.duty(self, *begin)?;
                (!duty.people.is_empty()).then_some((layer.name.as_str(), duty.people))
            });
            let mut covered: Vec<_> = of_layers.collect();
            if overrides == 0 && !covered.is_empty() {
                // The uppermost is the one that answers.
                covered.remove(0);
            }
            if covered.is_empty() && overrides < 2 {
                continue;
            }
            let duty = self.at(*begin);
            match overlaps.last_mut() {
                Some(last)
                    if last.to == *begin
                        && (&last.duty, &last.covered, last.overrides)
                            == (&duty, &covered, overrides) =>
                {
                    last.to = end;
                }
                _ => overlaps.push(Overlap {
                    from: *begin,
                    to: end,
                    duty,
                    covered,
                    overrides,
                }),
            }
        }
        overlaps
    }
}

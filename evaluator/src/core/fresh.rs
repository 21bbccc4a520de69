//! The fields of a group's newest points, for as long as another line of the same point may come.

/// A point: its time in nanoseconds, and its series.
type Point = (i64, u64);

/// Fields by point. Nothing where a rule's checks read one field each.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fresh {
    /// Boxed: most rules keep none.
    kept: Option<Box<Kept>>,
}

#[derive(Debug, Clone)]
struct Kept {
    fields: u16,
    /// Point by point: its time, its series, and the bits of its fields.
    points: Vec<u64>,
}

impl Kept {
    fn stride(&self) -> usize {
        2 + usize::from(self.fields)
    }

    /// Where a point is, in words.
    fn place(&self, (at, series): Point) -> Option<usize> {
        let wanted = [at.cast_unsigned(), series];
        let mut points = self.points.chunks_exact(self.stride());
        Some(points.position(|point| point[..2] == wanted)? * self.stride())
    }
}

impl Fresh {
    /// None yet, of so many fields a point.
    pub(crate) fn new(fields: u16) -> Self {
        let kept = Kept {
            fields,
            points: Vec::new(),
        };
        Self {
            kept: (fields > 0).then(|| Box::new(kept)),
        }
    }

    /// How many fields a point has.
    pub(crate) fn fields(&self) -> u16 {
        self.kept.as_ref().map_or(0, |kept| kept.fields)
    }

    /// What is known of a point; a field that it did not have is NaN.
    pub(crate) fn of(&self, point: Point) -> Option<impl Iterator<Item = f64>> {
        let kept = self.kept.as_deref()?;
        let from = kept.place(point)? + 2;
        let fields = &kept.points[from..from + usize::from(kept.fields)];
        Some(fields.iter().map(|bits| f64::from_bits(*bits)))
    }

    /// Keeps the fields of a point, instead of those that are known of it.
    pub(crate) fn put(&mut self, point: Point, fields: &[f64]) {
        let Some(kept) = &mut self.kept else {
            return;
        };
        let bits = fields.iter().map(|field| field.to_bits());
        match kept.place(point) {
            Some(from) => {
                for (known, field) in kept.points[from + 2..].iter_mut().zip(bits) {
                    *known = field;
                }
            }
            None => {
                kept.points.reserve_exact(2 + fields.len());
                kept.points.extend([point.0.cast_unsigned(), point.1]);
                kept.points.extend(bits);
            }
        }
    }

    /// Forgets the points before a time.
    pub(crate) fn drop_before(&mut self, at: i64) {
        let Some(kept) = &mut self.kept else {
            return;
        };
        let stride = kept.stride();
        let mut length = 0;
        for from in (0..kept.points.len()).step_by(stride) {
            if kept.points[from].cast_signed() >= at {
                kept.points.copy_within(from..from + stride, length);
                length += stride;
            }
        }
        kept.points.truncate(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_those_of_their_point_until_it_is_forgotten() {
        let mut fresh = Fresh::new(2);
        let known = |fresh: &Fresh, point| fresh.of(point).map(Iterator::collect::<Vec<f64>>);
        fresh.put((10, 1), &[1.0, 2.0]);
        fresh.put((10, 2), &[3.0, 4.0]);
        fresh.put((5, 1), &[5.0, 6.0]);
        fresh.put((10, 1), &[7.0, 8.0]);
        assert_eq!(known(&fresh, (10, 1)), Some(vec![7.0, 8.0]));
        assert_eq!(known(&fresh, (10, 2)), Some(vec![3.0, 4.0]));
        fresh.drop_before(10);
        assert_eq!(known(&fresh, (5, 1)), None);
        assert_eq!(known(&fresh, (10, 2)), Some(vec![3.0, 4.0]));
        fresh.drop_before(11);
        assert_eq!(known(&fresh, (10, 1)), None);
    }

    #[test]
    fn a_rule_without_such_fields_keeps_nothing() {
        let mut fresh = Fresh::new(0);
        fresh.put((10, 1), &[]);
        assert_eq!(fresh.fields(), 0);
        assert!(fresh.of((10, 1)).is_none());
    }
}

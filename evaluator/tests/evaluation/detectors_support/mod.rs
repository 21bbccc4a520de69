//! Processes whose truth is known, and what is counted of a detector that watches them.
#![allow(unreachable_pub)]

use std::f64::consts::TAU;
use std::fmt;

/// SplitMix64.
pub struct Dice(u64);

impl Dice {
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// Evenly from `low` to `high`.
    pub fn from(&mut self, low: f64, high: f64) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let share = (mixed ^ (mixed >> 31)) as f64 / u64::MAX as f64;
        low + (high - low) * share
    }

    /// Close to a standard normal: the sum of 12 even ones (Irwin-Hall).
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.from(0.0, 1.0)).sum::<f64>() - 6.0
    }
}

/// What a disk does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Nothing but noise.
    Idle,
    /// 0.05 to 0.2 % an hour.
    Slow,
    /// From some hour on 0.8 to 4 % an hour.
    Fill,
    /// The same, faster and faster.
    Accelerating,
    /// It fills, and somebody frees a third of the disk before it is full.
    CleanedUp,
    /// A log that grows by 2 to 9 % and is rotated, every 2 to 8 h.
    Rotated,
    /// A wave of a day, of 4 to 8 % to each side.
    Daily,
    /// 8 to 20 % within half an hour, then nothing.
    Burst,
    /// 1 to 2.5 % an hour from 9 to 18 h, nothing at night.
    OfficeHours,
}

/// The share of a disk that is used, a minute each, for longer than any horizon.
pub struct Disk {
    pub kind: Kind,
    used: Vec<f64>,
    /// The same, left alone by people.
    alone: Vec<f64>,
}

impl Disk {
    pub const KINDS: [Kind; 9] = [
        Kind::Idle,
        Kind::Slow,
        Kind::Fill,
        Kind::Accelerating,
        Kind::CleanedUp,
        Kind::Rotated,
        Kind::Daily,
        Kind::Burst,
        Kind::OfficeHours,
    ];
    const MINUTES: usize = 84 * 60;

    pub fn made(kind: Kind, dice: &mut Dice) -> Self {
        let base = dice.from(62.0, 75.0);
        let noise = dice.from(0.02, 0.2);
        let (rate, begin) = (dice.from(0.8, 4.0), dice.from(4.0, 10.0));
        let (height, period) = (dice.from(2.0, 9.0), dice.from(2.0, 8.0));
        let freed_at = begin + dice.from(0.5, 0.9) * (100.0 - base) / rate;
        let level = |hour: f64| {
            let since = (hour - begin).max(0.0);
            base + match kind {
                Kind::Idle => 0.0,
                Kind::Slow => rate * 0.05 * hour,
                Kind::Fill | Kind::CleanedUp => rate * since,
                Kind::Accelerating => 0.06 * rate * since * since,
                Kind::Rotated => height * (hour / period).fract(),
                Kind::Daily => (4.0 + height / 2.5) * (TAU * (hour + period) / 24.0).sin(),
                Kind::Burst => (8.0 + 3.0 * rate) * (2.0 * since).min(1.0),
                Kind::OfficeHours => {
                    let (days, of_day) = ((hour / 24.0).floor(), hour % 24.0);
                    (0.7 + rate * 0.45) * (days * 9.0 + (of_day - 9.0).clamp(0.0, 9.0))
                }
            }
        };
        let (mut used, mut alone) = (Vec::new(), Vec::new());
        for minute in 0..Self::MINUTES {
            let hour = minute as f64 / 60.0;
            let unrest = noise * dice.normal();
            let freed = if kind == Kind::CleanedUp && hour > freed_at {
                33.0 + rate * (hour - freed_at)
            } else {
                0.0
            };
            used.push((level(hour) - freed + unrest).min(100.0));
            alone.push((level(hour) + unrest).min(100.0));
        }
        Self { kind, used, alone }
    }

    pub fn used(&self, minute: usize) -> f64 {
        self.used[minute]
    }

    /// When it is full.
    pub fn full(&self) -> Option<usize> {
        self.used.iter().position(|used| *used >= 100.0)
    }

    /// When it would be full after `minute`, if nobody did anything.
    pub fn full_left_alone(&self, minute: usize) -> Option<usize> {
        let later = self.alone[minute..]
            .iter()
            .position(|used| *used >= 100.0)?;
        Some(minute + later)
    }
}

/// What is in use beside it: a line through the last 6 h (least squares, `predict_linear`) reaches 100 %
/// within the horizon, while more than `share` is used, for an hour. When such alerts begin.
pub fn ols_onsets(disk: &Disk, minutes: usize, horizon: f64, share: f64) -> Vec<usize> {
    const WINDOW: usize = 360;
    let (mut begun, mut held) = (Vec::new(), 0);
    for now in WINDOW..minutes {
        let values = &disk.used[now - WINDOW..now];
        let n = WINDOW as f64;
        let middle = (n - 1.0) / 2.0;
        let mean = values.iter().sum::<f64>() / n;
        let products = values.iter().enumerate();
        let xy: f64 = products.map(|(x, y)| (x as f64 - middle) * y).sum();
        let slope = xy / (n * (n * n - 1.0) / 12.0);
        let then = mean + slope * (n - 1.0 - middle + horizon);
        let holds = then >= 100.0 && disk.used[now] > share;
        held = if holds { held + 1 } else { 0 };
        if held == 60 {
            begun.push(now);
        }
    }
    begun
}

/// A load with a day and a week: hourly values for 8 weeks, and hours of the last 4 that are unusual.
pub struct Wave {
    values: Vec<f64>,
    /// First and last hour, and by what they are multiplied.
    pub odd: Vec<(usize, usize, f64)>,
}

impl Wave {
    pub const HOURS: usize = 8 * 168;

    pub fn made(dice: &mut Dice) -> Self {
        let (base, swing) = (dice.from(50.0, 500.0), dice.from(0.2, 0.7));
        let (peak, weekend) = (dice.from(0.0, 24.0), dice.from(0.3, 1.0));
        let (noise, growth) = (dice.from(0.03, 0.12), dice.from(-0.01, 0.03));
        // One a fortnight quarter of the last 4 weeks, so that they do not touch.
        let odd: Vec<(usize, usize, f64)> = (0..8)
            .map(|n| {
                let from = 4 * 168 + n * 84 + dice.from(4.0, 70.0) as usize;
                let hours = dice.from(1.0, 4.99) as usize;
                (from, from + hours - 1, dice.from(1.4, 3.0))
            })
            .collect();
        let values = (0..=Self::HOURS).map(|hour| {
            let (of_day, day) = ((hour % 24) as f64, hour / 24 % 7);
            let wave = 1.0 + swing * (TAU * (of_day - peak) / 24.0).cos();
            let week = if day >= 5 { weekend } else { 1.0 };
            let grown = (1.0 + growth).powf(hour as f64 / 168.0);
            let unrest = (noise * dice.normal()).exp();
            let factor = odd
                .iter()
                .find(|(from, to, _)| (*from..=*to).contains(&hour));
            base * wave * week * grown * unrest * factor.map_or(1.0, |(_, _, factor)| *factor)
        });
        let values = values.collect();
        Self { values, odd }
    }

    pub fn value(&self, hour: usize) -> f64 {
        self.values[hour]
    }
}

/// How often a detector was right, and how much of what there was it found.
#[derive(Debug, Default, Clone, Copy)]
pub struct Score {
    right: usize,
    told: usize,
    found: usize,
    there: usize,
}

impl Score {
    pub fn told(&mut self, right: bool) {
        self.told += 1;
        self.right += usize::from(right);
    }

    pub fn there_was(&mut self, found: bool) {
        self.there += 1;
        self.found += usize::from(found);
    }

    pub fn precision(&self) -> f64 {
        self.right as f64 / self.told.max(1) as f64
    }

    pub fn recall(&self) -> f64 {
        self.found as f64 / self.there.max(1) as f64
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "precision {:.2} ({} of {} alerts), recall {:.2} ({} of {})",
            self.precision(),
            self.right,
            self.told,
            self.recall(),
            self.found,
            self.there
        )
    }
}

//! A group over time as a picture: its values, its thresholds, and when an incident was open.

use crate::core::{Explained, number, rfc3339};
use model::{Priority, Span, Timestamp};
use std::fmt::Write as _;

/// More points than this say nothing new; then every second one is kept.
const MOST: usize = 2_000;
const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 40.0;

/// What is drawn.
#[derive(Debug, Clone)]
pub struct Picture {
    title: String,
    points: Vec<(Timestamp, Option<f64>, Option<Priority>)>,
    thresholds: Vec<(Priority, f64)>,
    /// How far points are apart.
    step: Span,
}

impl Picture {
    /// Nothing yet, a point every `step`.
    pub fn new(step: Span) -> Self {
        Self {
            title: String::new(),
            points: Vec::new(),
            thresholds: Vec::new(),
            step,
        }
    }

    /// Whether a point at that time is far enough from the last one.
    pub fn is_due(&self, at: Timestamp) -> bool {
        self.points
            .last()
            .is_none_or(|(last, ..)| at.since(*last) >= self.step)
    }

    /// Adds the state of a group at a time; one that comes too soon is passed over.
    pub fn add(&mut self, at: Timestamp, now: &Explained) {
        if !self.is_due(at) {
            return;
        }
        let group: Vec<String> = now.group.iter().map(|(k, v)| format!("{k}={v}")).collect();
        self.title = format!("{} {{{}}}", now.template, group.join(","));
        self.thresholds = now
            .rungs
            .iter()
            .filter_map(|rung| Some((rung.priority, rung.threshold?)))
            .collect();
        let value = now.windows.first().and_then(|window| window.value);
        self.points
            .push((at, value, now.open.map(|(_, _, priority)| priority)));
        if self.points.len() > MOST {
            let mut n = 0;
            self.points.retain(|_| {
                n += 1;
                n % 2 == 1
            });
            self.step = self.step.times(2);
        }
    }

    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.points.iter().all(|(_, value, _)| value.is_none())
    }

    fn range(&self) -> (f64, f64) {
        let values = self.points.iter().filter_map(|(_, value, _)| *value);
        let all = values.chain(self.thresholds.iter().map(|(_, t)| *t));
        let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        });
        if low < high {
            (low, high)
        } else {
            (low - 1.0, low + 1.0)
        }
    }

    /// The picture as SVG.
    pub fn svg(&self) -> String {
        let (low, high) = self.range();
        let times = (self.points.first(), self.points.last());
        let (first, last) = match times {
            (Some((first, ..)), Some((last, ..))) => (*first, *last),
            _ => (Timestamp::default(), Timestamp::default()),
        };
        let span = last.since(first).as_secs_f64().max(1.0);
        let x =
            |at: Timestamp| LEFT + (WIDTH - LEFT - 10.0) * (at.since(first).as_secs_f64() / span);
        let y = |value: f64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - (value - low) / (high - low));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
             font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
             <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{}</text>\n",
            escaped(&self.title)
        );
        let mut add = |text: String| svg.push_str(&text);
        for (from, to, priority) in self.open() {
            add(format!(
                "<rect x=\"{:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{}\" fill=\"{}\" fill-opacity=\"0.15\">\
                 <title>{priority} {} to {}</title></rect>\n",
                x(from),
                (x(to) - x(from)).max(1.0),
                HEIGHT - TOP - BOTTOM,
                colour(priority),
                rfc3339(from),
                rfc3339(to)
            ));
        }
        for (priority, threshold) in &self.thresholds {
            let at = y(*threshold);
            add(format!(
                "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"{}\" stroke-dasharray=\"6 4\"/>\n\
                 <text x=\"4\" y=\"{:.1}\" fill=\"{}\">{priority} {threshold}</text>\n",
                WIDTH - 10.0,
                colour(*priority),
                at + 4.0,
                colour(*priority)
            ));
        }
        let mut path = String::new();
        let mut pen_down = false;
        for (at, value, _) in &self.points {
            let Some(value) = value else {
                pen_down = false;
                continue;
            };
            let word = if pen_down { 'L' } else { 'M' };
            // Writing to a String cannot fail.
            write!(path, "{word}{:.1} {:.1} ", x(*at), y(*value)).unwrap_or_default();
            pen_down = true;
        }
        add(format!(
            "<path d=\"{path}\" fill=\"none\" stroke=\"#1f4e79\" stroke-width=\"1.5\"/>\n"
        ));
        let base = HEIGHT - 14.0;
        add(format!(
            "<text x=\"{LEFT}\" y=\"{base}\">{}</text>\n<text x=\"{}\" y=\"{base}\" text-anchor=\"end\">{}</text>\n</svg>\n",
            rfc3339(first),
            WIDTH - 10.0,
            rfc3339(last)
        ));
        svg
    }

    /// The picture for a terminal: a line of blocks, and under it the priority that was shown.
    pub fn blocks(&self, columns: usize) -> String {
        const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let (low, high) = self.range();
        let per = self.points.len().div_ceil(columns.max(1)).max(1);
        let (mut line, mut marks) = (String::new(), String::new());
        for points in self.points.chunks(per) {
            let value = points
                .iter()
                .filter_map(|(_, value, _)| *value)
                .reduce(f64::max);
            line.push(value.map_or(' ', |value| {
                let place = ((value - low) / (high - low) * 7.0).round();
                BLOCKS[(place.clamp(0.0, 7.0)) as usize]
            }));
            let shown = points.iter().filter_map(|(_, _, shown)| *shown).max();
            marks.push(match shown {
                Some(Priority::P1) => '1',
                Some(Priority::P2) => '2',
                Some(Priority::P3) => '3',
                None => ' ',
            });
        }
        let (low, high) = (number(low), number(high));
        format!("{}  ({low} to {high})\n{line}\n{marks}\n", self.title)
    }

    /// The stretches in which an incident was open at one priority.
    fn open(&self) -> Vec<(Timestamp, Timestamp, Priority)> {
        let mut found: Vec<(Timestamp, Timestamp, Priority)> = Vec::new();
        let mut before = None;
        for (at, _, shown) in &self.points {
            match (shown, found.last_mut()) {
                (Some(priority), Some((_, to, known)))
                    if before == Some(*known) && known == priority =>
                {
                    *to = *at;
                }
                (Some(priority), _) => found.push((*at, *at, *priority)),
                (None, _) => {}
            }
            before = *shown;
        }
        found
    }
}

fn colour(priority: Priority) -> &'static str {
    match priority {
        Priority::P1 => "#c0392b",
        Priority::P2 => "#d35400",
        Priority::P3 => "#b7950b",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_show_the_highest_of_each_stretch_between_rounded_ends() {
        let point =
            |n: i64, value: f64, shown| (Timestamp::from_millis(60_000 * n), Some(value), shown);
        let picture = Picture {
            title: "load {host=a}".to_owned(),
            points: vec![
                point(0, 83.0 / 3.0, None),
                point(1, 28.0, None),
                point(2, 97.5, Some(Priority::P1)),
                point(3, 60.0, Some(Priority::P2)),
            ],
            thresholds: vec![(Priority::P1, 90.0)],
            step: Span::from_secs(60),
        };
        let wide = picture.blocks(4);
        let lines: Vec<&str> = wide.lines().collect();
        assert!(
            lines[0].starts_with("load {host=a}  (27.667 to 9"),
            "{wide}"
        );
        assert_eq!((lines[1].chars().count(), lines[2]), (4, "  12"));
        let narrow = picture.blocks(2);
        assert_eq!(narrow.lines().nth(2), Some(" 1"), "{narrow}");
    }
}
